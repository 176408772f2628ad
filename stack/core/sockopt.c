/* The options every endpoint has: one table, one setter, one getter. */
#include "core/sockopt.h"

#include <stddef.h>

#include "core/stack.h"

enum { OPT_BOOL, OPT_U8, OPT_U32 };

struct sockopt_row {
	uint16_t off;
	uint8_t type;
	int64_t min, max;
};

#define BUF_MIN 2048
#define BUF_MAX (64 << 20)

#define OPT(field, t, lo, hi) { offsetof(struct sock_opts, field), t, lo, hi }

static const struct sockopt_row sockopt_rows[SOCKOPT_COMMON_END + 1] = {
	[SOCKOPT_REUSE_ADDRESS] = OPT(reuse_address, OPT_BOOL, 0, INT32_MAX),
	[SOCKOPT_REUSE_PORT] = OPT(reuse_port, OPT_BOOL, 0, INT32_MAX),
	[SOCKOPT_BIND_TO_DEVICE] = OPT(bind_nic, OPT_U32, 0, UINT32_MAX),
	[SOCKOPT_MARK] = OPT(mark, OPT_U32, INT32_MIN, UINT32_MAX),
	[SOCKOPT_BROADCAST] = OPT(broadcast, OPT_BOOL, 0, INT32_MAX),
	[SOCKOPT_V6_ONLY] = OPT(v6_only, OPT_BOOL, 0, INT32_MAX),
	[SOCKOPT_TTL] = OPT(ttl, OPT_U8, 0, 255),
	[SOCKOPT_HOPS] = OPT(hops, OPT_U8, 0, 255),
	[SOCKOPT_MULTICAST_TTL] = OPT(multicast_ttl, OPT_U8, 0, 255),
	[SOCKOPT_MULTICAST_LOOP] = OPT(multicast_loop, OPT_BOOL, 0, INT32_MAX),
	[SOCKOPT_MULTICAST_ALL] = OPT(multicast_all, OPT_BOOL, 0, 1),
	[SOCKOPT_TOS] = OPT(tos, OPT_U8, 0, 255),
	[SOCKOPT_TRAFFIC_CLASS] = OPT(traffic_class, OPT_U8, 0, 255),
	[SOCKOPT_MIN_TTL] = OPT(min_ttl, OPT_U8, 0, 255),
	[SOCKOPT_MIN_HOPS] = OPT(min_hops, OPT_U8, 0, 255),
	[SOCKOPT_FREE_BIND] = OPT(free_bind, OPT_BOOL, 0, INT32_MAX),
	[SOCKOPT_PMTU_DISCOVER] = OPT(pmtu_discover, OPT_U8, NET_PMTUD_DONT, NET_PMTUD_PROBE),
	[SOCKOPT_SEND_BUFFER_SIZE] = OPT(send_buffer_bytes, OPT_U32, 0, UINT32_MAX),
	[SOCKOPT_RECEIVE_BUFFER_SIZE] = OPT(receive_buffer_bytes, OPT_U32, 0, UINT32_MAX),
};

void sock_opts_init(struct sock_opts *o)
{
	*o = (struct sock_opts){
		.multicast_loop = true, .multicast_all = true, .multicast_ttl = 1, .pmtu_discover = NET_PMTUD_WANT,
		.send_buffer_bytes = 212992, .receive_buffer_bytes = 212992,	/* Linux's rmem_default */
	};
}

static int64_t buffer_clamp(int64_t v)
{
	return v < BUF_MIN ? BUF_MIN : v > BUF_MAX ? BUF_MAX : v;
}

enum ns_err sock_opts_set(struct endpoint *ep, enum sockopt opt, int64_t v)
{
	const struct sockopt_row *row = &sockopt_rows[opt];
	char *field = (char *)&ep->opts + row->off;

	if (v < row->min || v > row->max)
		return NS_ERR_INVALID_OPTION_VALUE;
	if (opt == SOCKOPT_BIND_TO_DEVICE && v && !nic_find(ep->stack, (uint32_t)v))
		return NS_ERR_UNKNOWN_DEVICE;
	/* Sizes out of range are brought into it, as socket(7) has it. */
	if (opt == SOCKOPT_SEND_BUFFER_SIZE || opt == SOCKOPT_RECEIVE_BUFFER_SIZE)
		v = buffer_clamp(v);
	switch (row->type) {
	case OPT_BOOL:
		*(bool *)field = v != 0;
		break;
	case OPT_U8:
		*(uint8_t *)field = (uint8_t)v;
		break;
	default:
		*(uint32_t *)field = (uint32_t)v;
	}
	if (ep->ops->option_changed)
		ep->ops->option_changed(ep, opt);
	return NS_OK;
}

enum ns_err sock_opts_get(const struct endpoint *ep, enum sockopt opt, int64_t *v)
{
	const struct sockopt_row *row = &sockopt_rows[opt];
	const char *field = (const char *)&ep->opts + row->off;

	switch (row->type) {
	case OPT_BOOL:
		*v = *(const bool *)field;
		break;
	case OPT_U8:
		*v = *(const uint8_t *)field;
		break;
	default:
		*v = *(const uint32_t *)field;
	}
	return NS_OK;
}

enum ns_err sock_opts_set_ip(struct endpoint *ep, const void *val, size_t len)
{
	uint8_t opts[IPV4_OPTS_MAX], n;

	if (!ipv4_opts_make(val, len, opts, &n))
		return NS_ERR_INVALID_OPTION_VALUE;
	memcpy(ep->opts.ip_opts, opts, n);
	ep->opts.nip_opts = n;
	if (ep->ops->option_changed)
		ep->ops->option_changed(ep, SOCKOPT_IP_OPTIONS);
	return NS_OK;
}

void sock_opts_get_ip(const struct endpoint *ep, void *val, size_t *len)
{
	if (*len > ep->opts.nip_opts)
		*len = ep->opts.nip_opts;
	if (*len)
		memcpy(val, ep->opts.ip_opts, *len);
}
