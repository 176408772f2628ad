/* Options of UDP (udp(7)). */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stddef.h>

#include "socket/opt.h"

static int set_udp_cork(struct sock *k, const struct opt_row *row, const void *val, socklen_t len)
{
	struct iovec none = { NULL, 0 };
	bool was = k->cork;
	int r = opt_set_flag(k, row, val, len);

	/* Uncorked: what was collected goes out. */
	if (!r && was && !k->cork)
		sock_send(k, &none, 1, NULL, 0);
	return r;
}

/* Of what may be wrapped into UDP, nothing is taken out here. */
static int set_encap(struct sock *k, const struct opt_row *row, const void *val, socklen_t len)
{
	int v, r = opt_take_int(row, val, len, &v);

	(void)k;
	return r ? r : v ? -ENOPROTOOPT : 0;
}

static const struct opt_row rows[] = {
	{ IPPROTO_UDP, UDP_CORK, OPT_DGRAM, set_udp_cork, opt_get_flag, .bit = offsetof(struct sock, cork) },
	{ IPPROTO_UDP, UDP_ENCAP, OPT_DGRAM, set_encap, opt_get_constant, .bit = 0 },
	KEPT(IPPROTO_UDP, UDP_NO_CHECK6_TX, KEPT_NO_CHECK6_TX),
	KEPT(IPPROTO_UDP, UDP_NO_CHECK6_RX, KEPT_NO_CHECK6_RX),
	FIELD_OF(IPPROTO_UDP, UDP_SEGMENT, OPT_DGRAM, segment, 0, UINT16_MAX),
	/* Datagrams come one by one, as they also do where the kernel has put none together. */
	KEPT(IPPROTO_UDP, UDP_GRO, KEPT_GRO),
};

const struct opt_table opt_udp_table = { rows, sizeof(rows) / sizeof(rows[0]) };
