/* The route to an address, for programs that ask for one. */
#include <errno.h>
#include <string.h>

#include "host/ops.h"
#include "host/setup.h"

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
