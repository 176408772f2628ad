/* One client's conversation with a server: requests in, answers out. */
#include "server/session.h"

#include <errno.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "server/match.h"
#include "wire/bytecode.h"
#include "wire/copy.h"

/* Address families a kernel has room for (AF_MAX of include/linux/socket.h). */
#define FAMILY_MAX 46
/* Protocols one can have a handler for (IPPROTO_MAX of linux/in.h). */
#define PROTOCOL_MAX (IPPROTO_MPTCP + 1)

/* A request's answer on its way. */
struct exchange {
	struct diag_session *s;
	const struct nlmsghdr *nlh;
	session_reply_fn reply;
	void *arg;
};

/* Sockets looked at in one step of a dump: some tens of microseconds, when a filter shows none of them. */
#define LOOKS 1024

/* A request that begins a dump is answered by the dump: no acknowledgement. */
#define DUMP_BEGUN 1

void diag_session_init(struct diag_session *s, const struct sock_source_ops *ops, void *source, uint32_t portid,
		       bool net_admin)
{
	*s = (struct diag_session){ .ops = ops, .source = source, .portid = portid, .net_admin = net_admin };
}

static void end_dump(struct diag_session *s)
{
	if (s->dumping && !s->past && s->ops->end)
		s->ops->end(s->source, &s->at);
	free(s->code);
	s->code = NULL;
	s->dumping = false;
}

void diag_session_end(struct diag_session *s)
{
	end_dump(s);
}

static uint32_t portid_of(const struct diag_session *s, const struct nlmsghdr *nlh)
{
	return s->portid ? s->portid : nlh->nlmsg_pid;
}

static bool has_table(uint32_t protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_RAW;
}

/*
 * The program is audited and copied before the dump begins, an error here answers the request;
 * a protocol without a table only shows when the dump runs, and goes into its DONE.
 */
static int begin_dump(struct exchange *x, bool past)
{
	struct diag_session *s = x->s;
	struct diag_inet_query q;
	void *code = NULL;
	int rc;

	if (s->dumping)
		return -EBUSY;
	rc = diag_inet_query_parse(x->nlh, &q);
	if (rc)
		return rc;
	if (q.code.data) {
		rc = diag_bc_audit(q.code.data, q.code.len, s->net_admin);
		if (rc)
			return rc;
		code = malloc(q.code.len);
		if (!code)
			return -ENOMEM;
		q.code.data = memcpy(code, q.code.data, q.code.len);
	}
	s->query = q;
	s->code = code;
	s->dumping = true;
	s->dump_error = has_table(q.protocol) ? 0 : -ENOENT;
	s->past = past;
	s->dump_type = past ? SOCK_DIAG_BY_FAMILY : x->nlh->nlmsg_type;
	s->dump_seq = x->nlh->nlmsg_seq;
	s->dump_portid = portid_of(s, x->nlh);
	s->at = (struct sock_cursor){ .family = s->query.req.sdiag_family };
	return DUMP_BEGUN;
}

static int answer_get(struct exchange *x, const struct diag_inet_query *q)
{
	struct diag_session *s = x->s;
	struct fill_head h = { .type = x->nlh->nlmsg_type, .seq = x->nlh->nlmsg_seq, .portid = portid_of(s, x->nlh) };
	bool udp = q->protocol == IPPROTO_UDP;
	_Alignas(8) uint8_t buf[FILL_MAX];
	struct sock_entry e;
	int rc = match_find(s->ops, s->source, q, udp, &e);

	if (rc)
		return rc;
	/* tcp_diag_find_one_icsk() hides what udp_diag_dump_one() tells. */
	if (!match_cookie(q, &e))
		return udp || q->protocol == IPPROTO_RAW ? -ESTALE : -ENOENT;
	if (s->ops->complete)
		s->ops->complete(s->source, &e, q->req.idiag_ext);
	x->reply(buf,
		 fill_socket(buf, &h, s->ops, s->source, &e, q->protocol, q->req.idiag_ext, s->net_admin, q->want),
		 x->arg);
	return 0;
}

static int answer_destroy(struct exchange *x, const struct diag_inet_query *q)
{
	struct diag_session *s = x->s;
	struct sock_entry e;
	int rc = match_find(s->ops, s->source, q, false, &e);

	if (rc)
		return rc;
	if (!match_cookie(q, &e))
		return -ENOENT;
	if (!s->net_admin)
		return -EPERM;
	return s->ops->destroy(s->source, &e);
}

static int handle_exact(struct exchange *x)
{
	struct diag_inet_query q;
	int rc = diag_inet_query_parse(x->nlh, &q);

	if (rc)
		return rc;
	if (q.protocol >= PROTOCOL_MAX || !has_table(q.protocol))
		return -ENOENT;
	return x->nlh->nlmsg_type == SOCK_DESTROY ? answer_destroy(x, &q) : answer_get(x, &q);
}

static int handle_by_family(struct exchange *x)
{
	size_t len = x->nlh->nlmsg_len - NLMSG_HDRLEN;
	uint8_t family;

	if (len < sizeof(struct sock_diag_req))
		return -EINVAL;
	family = *(const uint8_t *)NLMSG_DATA(x->nlh);
	if (family >= FAMILY_MAX)
		return -EINVAL;
	if (family != AF_INET && family != AF_INET6)
		return -ENOENT;
	if (len < sizeof(struct inet_diag_req_v2))
		return -EINVAL;
	if (x->nlh->nlmsg_type == SOCK_DIAG_BY_FAMILY && (x->nlh->nlmsg_flags & NLM_F_DUMP))
		return begin_dump(x, false);
	return handle_exact(x);
}

static int handle_v1(struct exchange *x)
{
	if (x->nlh->nlmsg_len - NLMSG_HDRLEN < sizeof(struct inet_diag_req))
		return -EINVAL;
	return x->nlh->nlmsg_flags & NLM_F_DUMP ? begin_dump(x, false) : handle_exact(x);
}

static int handle_join(struct exchange *x)
{
	uint32_t groups;

	if (x->nlh->nlmsg_len - NLMSG_HDRLEN < sizeof(groups))
		return -EINVAL;
	memcpy(&groups, NLMSG_DATA(x->nlh), sizeof(groups));
	diag_session_join(x->s, groups);
	return 0;
}

static int handle_history(struct exchange *x)
{
	if (!x->s->ops->past)
		return -EOPNOTSUPP;
	return x->nlh->nlmsg_flags & NLM_F_DUMP ? begin_dump(x, true) : -EINVAL;
}

static int handle(struct exchange *x)
{
	switch (x->nlh->nlmsg_type) {
	case TCPDIAG_GETSOCK:
		return handle_v1(x);
	case SOCK_DIAG_BY_FAMILY:
	case SOCK_DESTROY:
		return handle_by_family(x);
	case DIAG_STACK_JOIN:
		return handle_join(x);
	case DIAG_STACK_HISTORY:
		return handle_history(x);
	default:
		return -EINVAL;
	}
}

/*
 * NLMSG_ERROR: an error brings the whole request back, padded, an acknowledgement its header
 * (netlink_ack() of net/netlink/af_netlink.c).
 */
static void acknowledge(struct exchange *x, int error)
{
	size_t echo = error ? x->nlh->nlmsg_len : NLMSG_HDRLEN;
	size_t len = NLMSG_ALIGN(NLMSG_HDRLEN + sizeof(int) + echo);
	struct nlmsghdr *out = calloc(1, len);

	if (!out)
		return;
	out->nlmsg_len = (uint32_t)len;
	out->nlmsg_type = NLMSG_ERROR;
	out->nlmsg_flags = error ? 0 : NLM_F_CAPPED;
	out->nlmsg_seq = x->nlh->nlmsg_seq;
	out->nlmsg_pid = portid_of(x->s, x->nlh);
	memcpy(NLMSG_DATA(out), &error, sizeof(error));
	memcpy((uint8_t *)NLMSG_DATA(out) + sizeof(error), x->nlh, echo);
	x->reply(out, len, x->arg);
	free(out);
}

void diag_session_receive(struct diag_session *s, const void *data, size_t len, session_reply_fn reply, void *arg)
{
	const uint8_t *p = data;

	while (len >= NLMSG_HDRLEN) {
		struct exchange x = { .s = s, .nlh = (const void *)p, .reply = reply, .arg = arg };
		size_t step;
		int rc = 0;

		if (x.nlh->nlmsg_len < NLMSG_HDRLEN || x.nlh->nlmsg_len > len)
			return;
		if ((x.nlh->nlmsg_flags & NLM_F_REQUEST) && x.nlh->nlmsg_type >= NLMSG_MIN_TYPE)
			rc = handle(&x);
		if (rc != DUMP_BEGUN && (rc || (x.nlh->nlmsg_flags & NLM_F_ACK)))
			acknowledge(&x, rc);
		step = NLMSG_ALIGN(x.nlh->nlmsg_len);
		if (step > len)
			return;
		p += step;
		len -= step;
	}
}

/* Looks at one more socket; gives the bytes of its answer, 0 when the dump does not show it, -1 at the end. */
static int put_next(struct diag_session *s, const struct fill_head *h, void *buf)
{
	struct sock_entry e;
	struct sock_past past;
	int found;

	diag_clear(&e, sizeof(e));
	if (s->past) {
		if (!s->ops->past(s->source, &s->at, &e, &past))
			return -1;
		return match_filter(&s->query, &e) ? (int)fill_past(buf, h, &e, &past) : 0;
	}
	found = s->ops->next(s->source, s->query.protocol, &s->at, &e);
	if (!found)
		return -1;
	if (found == SOCK_LEFT_OUT || !match_dump(&s->query, &e))
		return 0;
	if (s->ops->complete)
		s->ops->complete(s->source, &e, s->query.req.idiag_ext);
	return (int)fill_socket(buf, h, s->ops, s->source, &e, s->query.protocol, s->query.req.idiag_ext, s->net_admin,
				s->query.want);
}

static size_t put_done(struct diag_session *s, void *buf)
{
	struct nlmsghdr *nlh = buf;

	*nlh = (struct nlmsghdr){
		.nlmsg_len = NLMSG_LENGTH(sizeof(int)),
		.nlmsg_type = NLMSG_DONE,
		.nlmsg_flags = NLM_F_MULTI,
		.nlmsg_seq = s->dump_seq,
		.nlmsg_pid = s->dump_portid,
	};
	memcpy(NLMSG_DATA(nlh), &s->dump_error, sizeof(int));
	end_dump(s);
	return nlh->nlmsg_len;
}

size_t diag_session_continue(struct diag_session *s, void *buf, size_t size)
{
	struct fill_head h = {
		.type = s->dump_type,
		.flags = NLM_F_MULTI,
		.seq = s->dump_seq,
		.portid = s->dump_portid,
	};
	size_t len = 0;
	int n = s->dump_error ? -1 : 0;

	if (!s->dumping)
		return 0;
	for (int looked = 0; n >= 0 && looked < LOOKS && size - len >= FILL_MAX; looked++) {
		n = put_next(s, &h, (uint8_t *)buf + len);
		if (n > 0)
			len += (size_t)n;
	}
	/* What was found goes first; the end has a datagram of its own, which the next call gives. */
	return len || n >= 0 ? len : put_done(s, buf);
}

bool diag_session_dumping(const struct diag_session *s)
{
	return s->dumping;
}

void diag_session_join(struct diag_session *s, uint32_t groups)
{
	s->groups |= groups;
}

bool diag_session_hears(const struct diag_session *s, uint32_t group)
{
	return group && (s->groups & 1u << (group - 1));
}

size_t diag_event_build(void *buf, const struct sock_entry *e, uint8_t protocol, const struct diag_tcp_info *info)
{
	return fill_event(buf, e, protocol, info);
}

uint32_t diag_event_group(uint8_t family, uint8_t protocol)
{
	bool v6 = family == AF_INET6;

	if (family != AF_INET && !v6)
		return SKNLGRP_NONE;
	if (protocol == IPPROTO_TCP)
		return v6 ? SKNLGRP_INET6_TCP_DESTROY : SKNLGRP_INET_TCP_DESTROY;
	if (protocol == IPPROTO_UDP)
		return v6 ? SKNLGRP_INET6_UDP_DESTROY : SKNLGRP_INET_UDP_DESTROY;
	return SKNLGRP_NONE;
}
