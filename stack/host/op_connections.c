/* CONNECTIONS: what the stack's connection tracking knows, as conntrack -L prints it. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "host/ops.h"

/** struct listing - @family: AF_INET, AF_INET6, or 0 for both */
struct listing {
	FILE *to;
	int64_t family;
};

static const char *proto_name(uint8_t proto, char room[8])
{
	switch (proto) {
	case IP_PROTO_TCP: return "tcp";
	case IP_PROTO_UDP: return "udp";
	case IP_PROTO_ICMP: return "icmp";
	case IP_PROTO_ICMPV6: return "icmpv6";
	default:
		snprintf(room, 8, "%u", proto);
		return room;
	}
}

static void print_way(FILE *to, const struct filter_conn_info *i, int way)
{
	char src[ADDR_STR_MAX], dst[ADDR_STR_MAX];

	fprintf(to, " src=%s dst=%s", addr_format(&i->src[way].addr, src), addr_format(&i->dst[way].addr, dst));
	if (i->proto == IP_PROTO_TCP || i->proto == IP_PROTO_UDP)
		fprintf(to, " sport=%u dport=%u", i->src[way].port, i->dst[way].port);
	else if (i->proto == IP_PROTO_ICMP || i->proto == IP_PROTO_ICMPV6)
		fprintf(to, " id=%u", i->src[way].port);
	fprintf(to, " packets=%" PRIu64 " bytes=%" PRIu64, i->packets[way], i->bytes[way]);
}

static void print_conn(void *ctx, const struct filter_conn_info *i)
{
	const struct listing *l = ctx;
	char room[8];

	if (l->family && (l->family == AF_INET) != (i->net == NET_IPV4))
		return;
	fprintf(l->to, "%-8s %u %lld", proto_name(i->proto, room), i->proto,
		i->expires_ns > 0 ? (long long)(i->expires_ns / NS_PER_SEC) : 0);
	if (i->state[0])
		fprintf(l->to, " %s", i->state);
	print_way(l->to, i, 0);
	if (!(i->status & FILTER_CONN_SEEN_REPLY))
		fputs(" [UNREPLIED]", l->to);
	print_way(l->to, i, 1);
	if (i->status & FILTER_CONN_ASSURED)
		fputs(" [ASSURED]", l->to);
	fputc('\n', l->to);
}

int op_connections(struct request *q)
{
	struct listing l = { .family = q->in->arg[0] };
	char *text = NULL;
	size_t len = 0;

	if (l.family && l.family != AF_INET && l.family != AF_INET6)
		return -EAFNOSUPPORT;
	l.to = open_memstream(&text, &len);
	if (!l.to)
		return -ENOMEM;
	filter_conn_walk(q->host->stack, print_conn, &l);
	q->fd_out = fclose(l.to) == 0 ? request_text_fd(text, len) : -1;
	free(text);
	return q->fd_out < 0 ? -ENOMEM : 0;
}
