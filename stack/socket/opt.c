/* Options of sockets: where a row is found, and what most of them take and give. */
#include "socket/opt.h"

#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>

int opt_put(void *val, socklen_t *len, const void *from, size_t n)
{
	*len = *len < n ? *len : (socklen_t)n;
	memcpy(val, from, *len);
	return 0;
}

int opt_put_int(const struct opt_row *row, void *val, socklen_t *len, int v)
{
	/* Of IP's options a byte may be asked for. */
	if (row->level == IPPROTO_IP && *len > 0 && *len < sizeof(v) && v >= 0 && v <= 255) {
		uint8_t byte = (uint8_t)v;

		return opt_put(val, len, &byte, 1);
	}
	return opt_put(val, len, &v, sizeof(v));
}

int opt_take_int(const struct opt_row *row, const void *val, socklen_t len, int *v)
{
	if (len >= sizeof(*v)) {
		memcpy(v, val, sizeof(*v));
		return 0;
	}
	if (row->level != IPPROTO_IP || (len < 1 && row->nonempty))
		return -EINVAL;
	*v = len ? *(const uint8_t *)val : 0;
	return 0;
}

int opt_set_number(struct sock *k, const struct opt_row *row, const void *val, socklen_t len)
{
	int v, r = opt_take_int(row, val, len, &v);

	if (r)
		return r;
	if (v < row->min || v > row->max)
		return -EINVAL;
	return -ns_err_errno(endpoint_set_int(k->ep, row->stack, (int64_t)v * row->scale));
}

int opt_get_number(struct sock *k, const struct opt_row *row, void *val, socklen_t *len)
{
	int64_t v;
	enum ns_err err = endpoint_get_int(k->ep, row->stack, &v);

	if (err)
		return -ns_err_errno(err);
	return opt_put_int(row, val, len, (int)(v / row->scale));
}

int opt_set_bool(struct sock *k, const struct opt_row *row, const void *val, socklen_t len)
{
	int v, r = opt_take_int(row, val, len, &v);

	return r ? r : -ns_err_errno(endpoint_set_int(k->ep, row->stack, v != 0));
}

int opt_set_want(struct sock *k, const struct opt_row *row, const void *val, socklen_t len)
{
	int v, r = opt_take_int(row, val, len, &v);

	if (r)
		return r;
	k->recv_flags = v ? k->recv_flags | row->bit : k->recv_flags & ~row->bit;
	return 0;
}

int opt_get_want(struct sock *k, const struct opt_row *row, void *val, socklen_t *len)
{
	return opt_put_int(row, val, len, (k->recv_flags & row->bit) == row->bit);
}

/* Values that the socket layer only keeps, and whoever runs the socket goes by. */
static uint32_t *field(struct sock *k, const struct opt_row *row)
{
	return (uint32_t *)((char *)k + row->bit);
}

int opt_set_field(struct sock *k, const struct opt_row *row, const void *val, socklen_t len)
{
	int v, r = opt_take_int(row, val, len, &v);

	if (!r && (v < row->min || v > row->max))
		r = -EINVAL;
	if (!r)
		*field(k, row) = (uint32_t)v;
	return r;
}

int opt_get_field(struct sock *k, const struct opt_row *row, void *val, socklen_t *len)
{
	return opt_put_int(row, val, len, (int)*field(k, row));
}

int opt_set_flag(struct sock *k, const struct opt_row *row, const void *val, socklen_t len)
{
	int v, r = opt_take_int(row, val, len, &v);

	if (!r)
		*(bool *)((char *)k + row->bit) = v != 0;
	return r;
}

int opt_get_flag(struct sock *k, const struct opt_row *row, void *val, socklen_t *len)
{
	return opt_put_int(row, val, len, *(bool *)((char *)k + row->bit));
}

int opt_set_kept(struct sock *k, const struct opt_row *row, const void *val, socklen_t len)
{
	int v, r = opt_take_int(row, val, len, &v);

	if (!r && (v < row->min || v > row->max))
		r = -EINVAL;
	if (!r)
		k->kept = v ? k->kept | 1ull << row->bit : k->kept & ~(1ull << row->bit);
	return r;
}

int opt_get_kept(struct sock *k, const struct opt_row *row, void *val, socklen_t *len)
{
	return opt_put_int(row, val, len, k->kept >> row->bit & 1);
}

int opt_set_nothing(struct sock *k, const struct opt_row *row, const void *val, socklen_t len)
{
	int v;

	(void)k;
	return opt_take_int(row, val, len, &v);
}

int opt_get_constant(struct sock *k, const struct opt_row *row, void *val, socklen_t *len)
{
	(void)k;
	return opt_put_int(row, val, len, (int)row->bit);
}

static const struct opt_table *const tables[] = {
	&opt_socket_table, &opt_ip_table, &opt_tcp_table, &opt_udp_table, &opt_raw_table,
};

static const struct opt_row *find_row(const struct sock *k, int level, int name)
{
	uint8_t type = k->type == SOCK_STREAM ? OPT_STREAM : k->type == SOCK_RAW ? OPT_RAW : OPT_DGRAM;

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		for (const struct opt_row *row = tables[i]->rows; row < tables[i]->rows + tables[i]->n; row++)
			if (row->level == level && row->name == name && (row->types & type))
				return row;
	return NULL;
}

/* Levels a socket has: IPv6's on an IPv4 one are none. */
static bool has_level(const struct sock *k, int level)
{
	switch (level) {
	case SOL_SOCKET:
		return true;
	case IPPROTO_IP:
		return k->domain != AF_PACKET;
	case IPPROTO_IPV6:
		return k->domain == AF_INET6;
	case SOL_PACKET:
		return k->domain == AF_PACKET;
	case SOL_RAW:
		return k->type == SOCK_RAW && k->domain != AF_PACKET;
	default:
		return level == k->protocol;
	}
}

int sock_setopt(struct sock *k, int level, int name, const void *val, socklen_t len)
{
	const struct opt_row *row;
	int r;

	if (!has_level(k, level))
		return -ENOPROTOOPT;
	r = sock_set_membership(k, level, name, val, len);
	if (r == -ENOPROTOOPT)
		r = sock_set_raw(k, level, name, val, len);
	if (r != -ENOPROTOOPT)
		return r;
	if (((level == SOL_SOCKET && name != SO_BINDTODEVICE) ||
	     (level == IPPROTO_TCP && name != TCP_CONGESTION)) && len < sizeof(int))
		return -EINVAL;
	row = find_row(k, level, name);
	if (!row || !row->set)
		return -ENOPROTOOPT;
	return row->set(k, row, val, len);
}

int sock_getopt(struct sock *k, int level, int name, void *val, socklen_t *len)
{
	const struct opt_row *row;
	int r;

	if (!has_level(k, level))
		return k->domain == AF_INET6 ? -ENOPROTOOPT : -EOPNOTSUPP;
	r = sock_get_raw(k, level, name, val, len);
	if (r != -ENOPROTOOPT)
		return r;
	row = find_row(k, level, name);
	if (!row || !row->get)
		return -ENOPROTOOPT;
	return row->get(k, row, val, len);
}
