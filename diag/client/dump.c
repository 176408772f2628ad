/*
 * Dumps, single answers and event streams.
 *
 * One function takes a datagram apart (deliver); what is believed and what ends the conversation
 * differ, and stand in struct reader. The netlink macros are used here rather than libmnl's
 * functions of the same meaning: this loop runs once a socket, and the calls were a tenth of it.
 */
#include "client/dump.h"

#include <errno.h>
#include <poll.h>

/* So many datagrams one after another with nothing in them of what was asked: more than a dump that was given up leaves. */
#define STRAY_MAX 4096

struct reader {
	uint32_t seq;
	uint32_t portid;
	bool check;    /* answers must carry @seq and @portid */
	bool one;      /* a single answer ends it */
	bool ended;    /* DONE, an acknowledgement, an error, or the single answer was seen */
	diag_msg_fn fn;
	void *arg;
	struct diag_dump_result result;
};

static bool is_ours(const struct reader *rd, const struct nlmsghdr *nlh)
{
	return !rd->check || (nlh->nlmsg_seq == rd->seq && (!rd->portid || nlh->nlmsg_pid == rd->portid));
}

static struct diag_err take_end(struct reader *rd, const struct nlmsghdr *nlh)
{
	size_t len = nlh->nlmsg_len - NLMSG_HDRLEN;
	struct diag_err e = DIAG_OK;

	rd->ended = true;
	/* A DONE may be bare; an error without a number is none. */
	if (nlh->nlmsg_type == NLMSG_ERROR || len > 0)
		e = diag_err_parse(NLMSG_DATA(nlh), len);
	rd->result.complete = !diag_failed(e);
	return e;
}

static struct diag_err take(struct reader *rd, const struct nlmsghdr *nlh)
{
	if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
		rd->result.interrupted = true;
	switch (nlh->nlmsg_type) {
	case NLMSG_NOOP:
		return DIAG_OK;
	case NLMSG_OVERRUN:
		rd->ended = true;
		return diag_err_nle(DIAG_NLE_MSG_OVERFLOW);
	case NLMSG_ERROR:
	case NLMSG_DONE:
		return take_end(rd, nlh);
	case TCPDIAG_GETSOCK:
	case SOCK_DIAG_BY_FAMILY:
		rd->result.messages++;
		if (rd->one) {
			rd->ended = true;
			rd->result.complete = true;
		}
		if (rd->fn && rd->fn(nlh, rd->arg)) {
			rd->ended = true;
			return diag_err_sys(ECANCELED);
		}
		return DIAG_OK;
	default:
		return DIAG_OK;
	}
}

/* Takes apart one datagram of @len bytes. */
static struct diag_err deliver(struct reader *rd, const void *data, size_t len)
{
	const uint8_t *p = data;

	while (len >= NLMSG_HDRLEN && !rd->ended) {
		const struct nlmsghdr *nlh = (const void *)p;
		size_t step;

		if (nlh->nlmsg_len < NLMSG_HDRLEN || nlh->nlmsg_len > len)
			return diag_err_nle(DIAG_NLE_MSG_TOOSHORT);
		if (is_ours(rd, nlh)) {
			struct diag_err e = take(rd, nlh);

			if (diag_failed(e))
				return e;
		}
		step = NLMSG_ALIGN(nlh->nlmsg_len);
		if (step > len)
			break; /* the last message may lack its padding */
		p += step;
		len -= step;
	}
	return DIAG_OK;
}

static struct diag_err converse(struct diag_conn *c, struct diag_req *r, void *buf, size_t size, struct reader *rd)
{
	struct diag_err e = diag_conn_send(c, r);
	unsigned int stray = 0;
	size_t len;

	rd->seq = c->seq;
	rd->portid = c->portid;
	rd->check = true;
	while (!diag_failed(e) && !rd->ended) {
		struct diag_err received = diag_conn_recv(c, buf, size, &len);
		uint64_t before = rd->result.messages;

		/* Of a truncated datagram the whole messages at its beginning are still good. */
		e = deliver(rd, buf, len);
		stray = rd->result.messages == before && !rd->ended ? stray + 1 : 0;
		if (diag_failed(received))
			e = received;
		else if (stray > STRAY_MAX)
			e = diag_err_nle(DIAG_NLE_SEQ_MISMATCH);
	}
	if (diag_failed(e))
		rd->result.complete = false;
	return e;
}

struct diag_err diag_dump(struct diag_conn *c, struct diag_req *r, void *buf, size_t size, diag_msg_fn fn,
			  void *arg, struct diag_dump_result *result)
{
	struct reader rd = { .fn = fn, .arg = arg };
	struct diag_err e = converse(c, r, buf, size, &rd);

	if (result)
		*result = rd.result;
	return e;
}

struct diag_err diag_exchange(struct diag_conn *c, struct diag_req *r, void *buf, size_t size, diag_msg_fn fn,
			      void *arg)
{
	struct reader rd = { .one = true, .fn = fn, .arg = arg };

	return converse(c, r, buf, size, &rd);
}

struct diag_err diag_join(struct diag_conn *c, uint32_t groups)
{
	struct {
		struct nlmsghdr nlh;
		uint32_t groups;
	} m = {
		.nlh = { .nlmsg_len = NLMSG_LENGTH(sizeof(groups)), .nlmsg_type = DIAG_STACK_JOIN,
			 .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK },
		.groups = groups,
	};
	struct diag_req r = { .nlh = &m.nlh, .room = sizeof(m) };
	_Alignas(4) uint8_t buf[256];

	return diag_exchange(c, &r, buf, sizeof(buf), NULL, NULL);
}

struct diag_err diag_events(struct diag_conn *c, void *buf, size_t size, diag_msg_fn fn,
			    void (*drained)(void *arg), void *arg)
{
	struct reader rd = { .fn = fn, .arg = arg };
	struct diag_err e = DIAG_OK;
	size_t len;

	while (!diag_failed(e) && !rd.ended) {
		struct pollfd pfd = { .fd = c->fd, .events = POLLIN };

		if (drained && poll(&pfd, 1, 0) == 0)
			drained(arg);
		e = diag_conn_recv(c, buf, size, &len);
		if (!diag_failed(e))
			e = deliver(&rd, buf, len);
	}
	return e;
}

struct diag_err diag_walk(const void *data, size_t len, diag_msg_fn fn, void *arg, uint64_t *messages)
{
	struct reader rd = { .fn = fn, .arg = arg };
	struct diag_err e = deliver(&rd, data, len);

	if (messages)
		*messages = rd.result.messages;
	return e;
}
