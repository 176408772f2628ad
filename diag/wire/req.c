/* Requests: the three bodies, built and read. */
#include "wire/req.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

/* A dump request with a zeroed body of @size bytes. */
static void *begin(struct diag_req *r, void *buf, size_t room, uint16_t type, size_t size)
{
	r->nlh = mnl_nlmsg_put_header(buf);
	r->room = room;
	r->nlh->nlmsg_type = type;
	r->nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	return mnl_nlmsg_put_extra_header(r->nlh, size);
}

void diag_req_inet(struct diag_req *r, void *buf, size_t room, uint8_t family, uint32_t protocol)
{
	struct inet_diag_req_v2 *body = begin(r, buf, room, SOCK_DIAG_BY_FAMILY, sizeof(*body));

	body->sdiag_family = family;
	body->sdiag_protocol = protocol > UINT8_MAX ? IPPROTO_RAW : (uint8_t)protocol;
	body->idiag_states = UINT32_MAX;
	body->id.idiag_cookie[0] = body->id.idiag_cookie[1] = DIAG_NOCOOKIE;
	if (protocol > UINT8_MAX)
		mnl_attr_put_u32(r->nlh, INET_DIAG_REQ_PROTOCOL, protocol);
}

struct inet_diag_req_v2 *diag_req_inet_body(struct diag_req *r)
{
	return mnl_nlmsg_get_payload(r->nlh);
}

void diag_req_inet_v1(struct diag_req *r, void *buf, size_t room, uint8_t family)
{
	struct inet_diag_req *body = begin(r, buf, room, TCPDIAG_GETSOCK, sizeof(*body));

	body->idiag_family = family;
	body->idiag_states = UINT32_MAX;
	body->id.idiag_cookie[0] = body->id.idiag_cookie[1] = DIAG_NOCOOKIE;
}

struct inet_diag_req *diag_req_inet_v1_body(struct diag_req *r)
{
	return mnl_nlmsg_get_payload(r->nlh);
}

void diag_req_unix(struct diag_req *r, void *buf, size_t room, uint32_t show)
{
	struct unix_diag_req *body = begin(r, buf, room, SOCK_DIAG_BY_FAMILY, sizeof(*body));

	body->sdiag_family = AF_UNIX;
	body->udiag_states = UINT32_MAX;
	body->udiag_show = show;
	body->udiag_cookie[0] = body->udiag_cookie[1] = DIAG_NOCOOKIE;
}

struct unix_diag_req *diag_req_unix_body(struct diag_req *r)
{
	return mnl_nlmsg_get_payload(r->nlh);
}

void diag_req_exact(struct diag_req *r)
{
	r->nlh->nlmsg_flags = NLM_F_REQUEST;
}

void diag_req_destroy(struct diag_req *r)
{
	r->nlh->nlmsg_type = SOCK_DESTROY;
	r->nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
}

struct diag_err diag_req_bytecode(struct diag_req *r, const void *code, size_t len)
{
	if (!len)
		return DIAG_OK;
	if (len > UINT16_MAX - sizeof(struct rtattr) ||
	    !mnl_attr_put_check(r->nlh, r->room, INET_DIAG_REQ_BYTECODE, len, code))
		return diag_err_nle(DIAG_NLE_MSGSIZE);
	return DIAG_OK;
}

void diag_req_want(struct diag_req *r, uint32_t want)
{
	mnl_attr_put_u32(r->nlh, DIAG_STACK_REQ_WANT, want);
}

void diag_req_history(struct diag_req *r)
{
	r->nlh->nlmsg_type = DIAG_STACK_HISTORY;
	diag_req_inet_body(r)->sdiag_family = AF_UNSPEC;
}

static void query_from_v1(const struct nlmsghdr *nlh, struct diag_inet_query *q)
{
	struct inet_diag_req v1;

	memcpy(&v1, NLMSG_DATA(nlh), sizeof(v1));
	/* Compatibility with requests of before there were families: a dump gives both. */
	q->req.sdiag_family = nlh->nlmsg_flags & NLM_F_DUMP ? AF_UNSPEC : v1.idiag_family;
	q->req.sdiag_protocol = IPPROTO_TCP;
	q->req.idiag_ext = v1.idiag_ext;
	q->req.idiag_states = v1.idiag_states;
	q->req.id = v1.id;
}

int diag_inet_query_parse(const struct nlmsghdr *nlh, struct diag_inet_query *q)
{
	bool v1 = nlh->nlmsg_type == TCPDIAG_GETSOCK;
	size_t body = v1 ? sizeof(struct inet_diag_req) : sizeof(struct inet_diag_req_v2);
	size_t left = nlh->nlmsg_len - NLMSG_HDRLEN;
	const uint8_t *pos;
	struct diag_attr a;

	memset(q, 0, sizeof(*q));
	if (left < body)
		return -EINVAL;
	if (v1)
		query_from_v1(nlh, q);
	else
		memcpy(&q->req, NLMSG_DATA(nlh), sizeof(q->req));
	q->protocol = q->req.sdiag_protocol;
	pos = (const uint8_t *)NLMSG_DATA(nlh) + body;
	left -= body;
	while (diag_attr_next(&pos, &left, &a) > 0) {
		if (a.type == INET_DIAG_REQ_PROTOCOL) {
			if (a.len != sizeof(uint32_t))
				return -EINVAL;
			q->protocol = diag_attr_u32(&a, 0);
		} else if (a.type == INET_DIAG_REQ_BYTECODE) {
			q->code = a;
		} else if (a.type == DIAG_STACK_REQ_WANT) {
			q->want = diag_attr_u32(&a, 0);
		}
	}
	return 0;
}
