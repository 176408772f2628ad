/* Interfaces and routes for programs that do not ask by getifaddrs(3): the texts of /proc/net, and one route. */
#include <errno.h>
#include <inttypes.h>
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

static void print_inet6(FILE *to, const struct nic *nic)
{
	list_for_each(n, &nic->addrs) {
		const struct nic_addr *a = container_of(n, struct nic_addr, list);

		if (a->addr.len != ADDR_LEN_V6)
			continue;
		for (int i = 0; i < ADDR_LEN_V6; i++)
			fprintf(to, "%02x", a->addr.b[i]);
		fprintf(to, " %02x %02x %02x 80 %8s\n", nic->id, a->prefix_len, scope_of(&a->addr), nic->name);
	}
}

int op_iftext(struct request *q)
{
	int64_t which = q->in->arg[0];
	char *text = NULL;
	size_t len = 0;
	FILE *to;

	if (which != STACK_IFTEXT_DEV && which != STACK_IFTEXT_INET6)
		return -EINVAL;
	to = open_memstream(&text, &len);
	if (!to)
		return -ENOMEM;
	if (which == STACK_IFTEXT_DEV)
		fputs("Inter-|   Receive                                                |  Transmit\n"
		      " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls "
		      "carrier compressed\n", to);
	list_for_each(n, &q->host->stack->nics)
		(which == STACK_IFTEXT_DEV ? print_dev : print_inet6)(to, container_of(n, struct nic, list));
	q->fd_out = fclose(to) == 0 ? request_text_fd(text, len) : -1;
	free(text);
	return q->fd_out < 0 ? -ENOMEM : 0;
}

static void put_addr(struct stack_addr *out, const struct addr *a)
{
	struct full_addr f = { .addr = *a };
	struct sockaddr_storage ss;

	out->len = sock_addr_from_full(&f, a->len == ADDR_LEN_V4 ? AF_INET : AF_INET6, &ss);
	memcpy(out->bytes, &ss, out->len);
}

int op_route(struct request *q)
{
	struct stack_route out = { 0 };
	struct sockaddr_storage ss = { 0 };
	struct route_key key = { 0 };
	struct full_addr to;
	struct route r;
	enum ns_err err;

	if (q->in->len > sizeof(ss))
		return OP_MALFORMED;
	memcpy(&ss, q->in->data, q->in->len);
	if ((ss.ss_family != AF_INET && ss.ss_family != AF_INET6) ||
	    sock_addr_to_full((struct sockaddr *)&ss, q->in->len, ss.ss_family, &to))
		return -EINVAL;
	key.remote = addr_unmap(&to.addr);
	key.nic = to.nic;
	err = route_find(q->host->stack, &key, &r);
	if (err)
		return -ns_err_errno(err);
	out.ifindex = r.loop ? LOOPBACK_NIC : r.nic->id;
	out.local = r.loop;
	put_addr(&out.src, &r.local);
	if (!r.loop && r.next_hop.len && !addr_equal(&r.next_hop, &r.remote))
		put_addr(&out.gateway, &r.next_hop);
	route_release(&r);
	memcpy(q->out->data, &out, sizeof(out));
	q->out->len = sizeof(out);
	return 0;
}
