/* Options of UDP (udp(7)). */
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

static const struct opt_row rows[] = {
	{ IPPROTO_UDP, UDP_CORK, OPT_DGRAM, set_udp_cork, opt_get_flag, .bit = offsetof(struct sock, cork) },
};

const struct opt_table opt_udp_table = { rows, sizeof(rows) / sizeof(rows[0]) };
