/* Interfaces, routes and neighbours for programs that read of them in /proc/net. */
#include <errno.h>
#include <inttypes.h>
#include <net/if_arp.h>
#include <net/route.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/ops.h"
#include "host/setup.h"

static void print_dev(FILE *to, const struct nic *nic)
{
	fprintf(to, "%6s: %7" PRIu64 " %7" PRIu64 "    0    0    0     0          0         0 %8" PRIu64 " %7" PRIu64
		"    0    0    0     0       0          0\n", nic->name, stat_value(&nic->stats.rx_bytes),
		stat_value(&nic->stats.rx_packets), stat_value(&nic->stats.tx_bytes), stat_value(&nic->stats.tx_packets));
}

/* The scopes of linux/ipv6.h. */
static unsigned scope_of(const struct addr *a)
{
	return addr_is_loopback(a) ? 0x10 : addr_is_link_local(a) ? 0x20 : 0;
}

static void print_hex(FILE *to, const struct addr *a)
{
	for (int i = 0; i < ADDR_LEN_V6; i++)
		fprintf(to, "%02x", a->b[i]);
}

static void print_inet6(FILE *to, const struct nic *nic)
{
	list_for_each(n, &nic->addrs) {
		const struct nic_addr *a = container_of(n, struct nic_addr, list);

		if (a->addr.len != ADDR_LEN_V6)
			continue;
		print_hex(to, &a->addr);
		fprintf(to, " %02x %02x %02x 80 %8s\n", nic->id, a->prefix_len, scope_of(&a->addr), nic->name);
	}
}

static unsigned arp_flags(const struct neigh *n)
{
	return n->state == NEIGH_STATIC ? ATF_COM | ATF_PERM : n->link_addr.len ? ATF_COM : 0;
}

static void print_arp(FILE *to, const struct nic *nic)
{
	const struct htab *table = &nic->neigh[NET_IPV4].table;
	char ip[ADDR_STR_MAX], mac[ADDR_STR_MAX];

	for (struct htab_node *node = htab_next(table, NULL); node; node = htab_next(table, node)) {
		const struct neigh *n = container_of(node, struct neigh, node);

		fprintf(to, "%-16s 0x%-10x0x%-10x%-17s     *        %s\n", addr_format(&n->addr, ip), ARPHRD_ETHER, arp_flags(n),
			n->link_addr.len ? link_addr_format(&n->link_addr, mac) : "00:00:00:00:00:00", nic->name);
	}
}

/** struct routes - rows of one family, collected */
struct routes {
	uint8_t addr_len;
	size_t n, room;
	struct route_row *rows;
};

static void collect(void *ctx, const struct route_row *row)
{
	struct routes *r = ctx;
	struct route_row *more;

	/* The kernel has those of its loopback elsewhere. */
	if (row->destination.id.len != r->addr_len || (row->nic == LOOPBACK_NIC && r->addr_len == ADDR_LEN_V4))
		return;
	if (r->n == r->room) {
		more = realloc(r->rows, (r->room + 64) * sizeof(*more));
		if (!more)
			return;
		r->rows = more;
		r->room += 64;
	}
	r->rows[r->n++] = *row;
}

static int compare_rows(const void *a, const void *b)
{
	const struct subnet *x = &((const struct route_row *)a)->destination, *y = &((const struct route_row *)b)->destination;
	int by_id = memcmp(x->id.b, y->id.b, x->id.len);

	return by_id ? by_id : (int)subnet_prefix(x) - (int)subnet_prefix(y);
}

static unsigned route_flags(const struct route_row *row)
{
	bool host = subnet_prefix(&row->destination) == row->destination.id.len * 8u;

	return RTF_UP | (row->gateway.len ? RTF_GATEWAY : 0) | (host ? RTF_HOST : 0);
}

static void print_route(FILE *to, const struct route_row *row, const char *name)
{
	char line[128];
	int n;

	if (row->destination.id.len == ADDR_LEN_V4) {
		n = snprintf(line, sizeof(line), "%s\t%08X\t%08X\t%04X\t0\t0\t0\t%08X\t0\t0\t0", name, row->destination.id.w[0],
			     row->gateway.w[0], route_flags(row), row->destination.mask.w[0]);
		fprintf(to, "%s%*s\n", line, 127 - n, "");
		return;
	}
	print_hex(to, &row->destination.id);
	fprintf(to, " %02x %032d 00 ", subnet_prefix(&row->destination), 0);
	print_hex(to, &row->gateway);
	fprintf(to, " %08x %08x %08x %08x %8s\n", row->gateway.len ? 1024 : 256, 1, 0, route_flags(row), name);
}

static void print_routes(FILE *to, const struct stack *s, uint8_t addr_len)
{
	struct routes r = { .addr_len = addr_len };

	route_walk(s, collect, &r);
	if (r.n)
		qsort(r.rows, r.n, sizeof(*r.rows), compare_rows);
	for (size_t i = 0; i < r.n; i++) {
		const struct nic *nic = nic_find(s, r.rows[i].nic);

		if (nic)
			print_route(to, &r.rows[i], nic->name);
	}
	free(r.rows);
}

/** struct iftext - a text: @of_nic is called for each interface, or @routes says of which family the routes are */
struct iftext {
	const char *heading;
	void (*of_nic)(FILE *to, const struct nic *nic);
	uint8_t routes;
};

static const struct iftext texts[] = {
	[STACK_IFTEXT_DEV] = {
		"Inter-|   Receive                                                |  Transmit\n"
		" face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls "
		"carrier compressed\n", print_dev, 0 },
	[STACK_IFTEXT_INET6] = { "", print_inet6, 0 },
	[STACK_IFTEXT_ROUTE] = {
		"Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT"
		"                                                       \n", NULL, ADDR_LEN_V4 },
	[STACK_IFTEXT_ROUTE6] = { "", NULL, ADDR_LEN_V6 },
	[STACK_IFTEXT_ARP] = {
		"IP address       HW type     Flags       HW address            Mask     Device\n", print_arp, 0 },
};

int op_iftext(struct request *q)
{
	uint64_t which = (uint64_t)q->in->arg[0];
	const struct iftext *t;
	char *text = NULL;
	size_t len = 0;
	FILE *to;

	if (which >= sizeof(texts) / sizeof(texts[0]) || !texts[which].heading)
		return -EINVAL;
	t = &texts[which];
	to = open_memstream(&text, &len);
	if (!to)
		return -ENOMEM;
	fputs(t->heading, to);
	if (t->of_nic)
		list_for_each(n, &q->host->stack->nics)
			t->of_nic(to, container_of(n, struct nic, list));
	else
		print_routes(to, q->host->stack, t->routes);
	q->fd_out = fclose(to) == 0 ? request_text_fd(text, len) : -1;
	free(text);
	return q->fd_out < 0 ? -ENOMEM : 0;
}
