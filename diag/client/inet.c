/* Inet sockets from the kernel: lists, one by its identity, and closing one. */
#include "client/inet.h"

#include <netinet/in.h>
#include <string.h>

#include "client/list.h"
#include "wire/inet.h"

static int collect(const struct nlmsghdr *nlh, void *arg)
{
	struct diag_list *l = arg;
	struct inet_diag_msg *m;
	struct diag_inet s;

	l->error = diag_inet_parse(NLMSG_DATA(nlh), nlh->nlmsg_len - NLMSG_HDRLEN, &s);
	if (diag_failed(l->error))
		return -1;
	m = diag_list_add(l);
	if (!m)
		return -1;
	*m = s.msg;
	return 0;
}

struct diag_err diag_inet_list(struct diag_req *r, void *buf, size_t size, diag_tap_fn tap, void *tap_arg,
			       struct inet_diag_msg **list, size_t *count)
{
	struct diag_list l = { .each = sizeof(**list) };
	struct diag_err e = diag_list_gather(r, buf, size, tap, tap_arg, collect, &l);

	*list = l.at;
	*count = l.count;
	return e;
}

struct diag_err diag_inet_connections(uint8_t family, uint32_t protocol, struct inet_diag_msg **list,
				      size_t *count)
{
	_Alignas(4) uint8_t room[DIAG_REQ_ROOM];
	struct diag_req r;

	diag_req_inet(&r, room, sizeof(room), family, protocol);
	return diag_inet_list(&r, NULL, 0, NULL, NULL, list, count);
}

struct diag_err diag_inet_get(struct diag_conn *c, uint8_t family, uint32_t protocol,
			      const struct inet_diag_sockid *id, uint8_t ext, diag_msg_fn fn, void *arg)
{
	_Alignas(4) uint8_t room[DIAG_REQ_ROOM];
	_Alignas(4) uint8_t buf[8192]; /* one socket's answer, every attribute there is */
	struct inet_diag_req_v2 *body;
	struct diag_req r;

	diag_req_inet(&r, room, sizeof(room), family, protocol);
	diag_req_exact(&r);
	body = diag_req_inet_body(&r);
	body->idiag_ext = ext;
	body->id = *id;
	/* "src and dst are swapped for historical reasons" (net/ipv4/udp_diag.c), in look-ups alone. */
	if (protocol == IPPROTO_UDP || protocol == IPPROTO_UDPLITE) {
		body->id.idiag_sport = id->idiag_dport;
		body->id.idiag_dport = id->idiag_sport;
		memcpy(body->id.idiag_src, id->idiag_dst, sizeof(id->idiag_dst));
		memcpy(body->id.idiag_dst, id->idiag_src, sizeof(id->idiag_src));
	}
	return diag_exchange(c, &r, buf, sizeof(buf), fn, arg);
}

struct diag_err diag_inet_destroy(struct diag_conn *c, uint8_t family, uint32_t protocol,
				  const struct inet_diag_sockid *id)
{
	_Alignas(4) uint8_t room[DIAG_REQ_ROOM];
	_Alignas(4) uint8_t buf[1024]; /* an acknowledgement, with the request echoed */
	struct diag_req r;

	diag_req_inet(&r, room, sizeof(room), family, protocol);
	diag_req_destroy(&r);
	diag_req_inet_body(&r)->id = *id;
	return diag_exchange(c, &r, buf, sizeof(buf), NULL, NULL);
}
