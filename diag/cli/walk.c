/* One look at the sockets that were asked for: requests out, sockets into a sink. */
#include "cli/walk.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "cli/rawproc.h"
#include "cli/run.h"
#include "client/dump.h"
#include "wire/state.h"

#define PROGRAM_ROOM 65536
#define REQUEST_ROOM (DIAG_REQ_ROOM + PROGRAM_ROOM)
/* IPv6 answers held back at most: some two thousand sockets, half of that with internals. */
#define LATER_BYTES (512 * 1024)

/* In the order they are shown. */
static const struct {
	enum kind table;
	uint32_t protocol;
	const char *name;
} inet_tables[] = {
	{ KIND_RAW, IPPROTO_RAW, "raw" },
	{ KIND_UDP, IPPROTO_UDP, "UDP" },
	{ KIND_TCP, IPPROTO_TCP, "TCP" },
	{ KIND_MPTCP, IPPROTO_MPTCP, "MPTCP" },
};

/* What a stack is to tell besides. */
static uint32_t walk_want(const struct walk *w)
{
	return w->opts->processes || w->sources->run ? DIAG_STACK_WANT_PROCESS : 0;
}

bool walk_wants_inet(const struct opts *opts, const struct diag_inet *s, bool by_state)
{
	struct diag_expr_entry e = {
		.inet = {
			.saddr_be = s->msg.id.idiag_src,
			.daddr_be = s->msg.id.idiag_dst,
			.sport = diag_inet_src_port(&s->msg),
			.dport = diag_inet_dst_port(&s->msg),
			.family = s->msg.idiag_family,
			.ifindex = s->msg.id.idiag_if,
			.mark = diag_attr_u32(&s->attrs[INET_DIAG_MARK], 0),
			.cgroup_id = diag_attr_u64(&s->attrs[INET_DIAG_CGROUP_ID], 0),
			.bound_port = true, /* not told in a message, so nothing counts as autobound */
		},
	};

	if (by_state && !(opts->states & DIAG_STATE_BIT(s->msg.idiag_state & 31)))
		return false;
	return diag_expr_holds(opts->filter.expr, &e);
}

bool walk_wants_unix(const struct opts *opts, const struct diag_unix *s)
{
	struct diag_expr_entry e = { .src_name = "", .dst_name = "" };
	char name[256];

	if (!(opts->states & DIAG_STATE_BIT(s->msg.udiag_state & 31)))
		return false;
	if (!opts->filter.expr)
		return true;
	e.src_name = diag_unix_path(s, name, sizeof(name));
	return diag_expr_holds(opts->filter.expr, &e);
}

/* Gives a socket to the sink, if it is of the run that was asked for; false when its family is none. */
static bool show_inet(struct walk *w, const struct nlmsghdr *nlh, const struct diag_inet *s)
{
	struct inet_view v = { .s = s, .table = w->table, .protocol = w->protocol, .source = w->source };
	size_t len = nlh->nlmsg_len - NLMSG_HDRLEN;
	struct diag_stack_process made;
	struct diag_stack_ended ended;

	if (!diag_inet_addr_len(s->msg.idiag_family)) {
		w->error = diag_err_nle(DIAG_NLE_AF_MISMATCH);
		return false;
	}
	if (w->source->kind == SOURCE_SOCKET && (walk_want(w) || w->opts->history)) {
		if (diag_stack_process_read(NLMSG_DATA(nlh), len, &made))
			v.made = &made;
		if (w->opts->history && diag_stack_ended_read(NLMSG_DATA(nlh), len, &ended))
			v.ended = &ended;
	}
	if (!w->sources->run || run_has(w->sources->run, s->msg.idiag_inode, v.made))
		w->sink->ops->inet(w->sink, &v);
	return true;
}

static int on_inet(const struct nlmsghdr *nlh, void *arg)
{
	struct walk *w = arg;
	struct diag_inet s;

	w->error = diag_inet_parse(NLMSG_DATA(nlh), nlh->nlmsg_len - NLMSG_HDRLEN, &s);
	if (diag_failed(w->error))
		return -1;
	return show_inet(w, nlh, &s) && !w->sink->out->error ? 0 : -1;
}

/* IPv6 sockets of a dump of both families come behind the others, as long as there is room for them. */
static int on_either(const struct nlmsghdr *nlh, void *arg)
{
	struct walk *w = arg;
	const struct inet_diag_msg *m = NLMSG_DATA(nlh);

	if (nlh->nlmsg_len < NLMSG_LENGTH(sizeof(*m)) || m->idiag_family != AF_INET6 ||
	    w->later.len + nlh->nlmsg_len > LATER_BYTES)
		return on_inet(nlh, arg);
	out_bytes(&w->later, nlh, nlh->nlmsg_len);
	out_pad(&w->later, '\0', NLMSG_ALIGN(nlh->nlmsg_len) - nlh->nlmsg_len);
	return 0;
}

static enum kind unix_table(uint8_t type)
{
	return type == SOCK_DGRAM ? KIND_UNIX_DG : type == SOCK_SEQPACKET ? KIND_UNIX_SQ : KIND_UNIX_ST;
}

static int on_unix(const struct nlmsghdr *nlh, void *arg)
{
	struct walk *w = arg;
	struct unix_view v;
	struct diag_unix s;

	w->error = diag_unix_parse(NLMSG_DATA(nlh), nlh->nlmsg_len - NLMSG_HDRLEN, &s);
	if (diag_failed(w->error))
		return -1;
	v = (struct unix_view){ .s = &s, .table = unix_table(s.msg.udiag_type), .source = w->source };
	if ((w->opts->tables & v.table) && walk_wants_unix(w->opts, &s) &&
	    (!w->sources->run || run_has(w->sources->run, s.msg.udiag_ino, NULL)))
		w->sink->ops->unix_socket(w->sink, &v);
	return w->sink->out->error ? -1 : 0;
}

/* A recording does not say which table a message is of: it holds TCP, as ss writes and reads them. */
static int on_recorded(const struct nlmsghdr *nlh, void *arg)
{
	struct walk *w = arg;
	struct diag_inet s;

	w->error = diag_inet_parse(NLMSG_DATA(nlh), nlh->nlmsg_len - NLMSG_HDRLEN, &s);
	if (diag_failed(w->error))
		return -1;
	if ((s.msg.idiag_family == AF_INET && !w->opts->ipv4) || (s.msg.idiag_family == AF_INET6 && !w->opts->ipv6) ||
	    !walk_wants_inet(w->opts, &s, true))
		return 0;
	return show_inet(w, nlh, &s) && !w->sink->out->error ? 0 : -1;
}

/* Says what ended a dump before its end. */
static void complain(struct walk *w, const char *what, struct diag_err e, uint64_t shown)
{
	char text[128], why[512];
	const char *from = "";

	if (w->sink->out->error)
		return; /* our own output failed; that is said elsewhere */
	if (e.kind == DIAG_ERR_SYS && e.code == ECONNRESET)
		snprintf(text, sizeof(text), "the source is gone in the middle of a dump");
	else if (e.kind == DIAG_ERR_SYS && e.code == ETIMEDOUT)
		snprintf(text, sizeof(text), "the source does not answer");
	else if (e.kind == DIAG_ERR_KERNEL && e.code == EPERM)
		snprintf(text, sizeof(text), "not permitted; filtering by mark takes CAP_NET_ADMIN");
	else
		diag_err_text(e, text, sizeof(text));
	if (w->sources->n > 1)
		from = w->source->name;
	if (shown)
		snprintf(why, sizeof(why), "%s%s%s: %s; the list is partial: %llu answers came before that", from,
			 *from ? ": " : "", what, text, (unsigned long long)shown);
	else
		snprintf(why, sizeof(why), "%s%s%s: %s", from, *from ? ": " : "", what, text);
	fprintf(stderr, "sockdiag: %s\n", why);
	w->sink->ops->gap(w->sink, why);
	if (shown)
		w->partial = true;
	else
		w->failed = true;
}

static void warn_inconsistent(struct walk *w, const char *what)
{
	char why[128];

	snprintf(why, sizeof(why), "%s: " SOURCE_CHANGED, what);
	fprintf(stderr, "sockdiag: %s\n", why);
	w->sink->ops->gap(w->sink, why);
	w->partial = true;
}

/* One dump; gives the kernel's errno, or 0 when it went well or what went wrong has been said. */
static int dump(struct walk *w, struct diag_req *r, diag_msg_fn fn, const char *what, int tolerated)
{
	struct diag_dump_result res;
	struct diag_err e;

	w->error = DIAG_OK;
	e = diag_dump(&w->source->conn, r, w->buf, DIAG_BUF_SIZE, fn, w, &res);
	if (res.interrupted)
		warn_inconsistent(w, what);
	if (!diag_failed(e))
		return 0;
	if (e.kind == DIAG_ERR_KERNEL && e.code == tolerated)
		return tolerated;
	/* The answer that was refused is counted, and was not shown. */
	complain(w, what, diag_failed(w->error) ? w->error : e, res.messages - diag_failed(w->error));
	if (e.kind != DIAG_ERR_KERNEL) {
		e = source_connect(w->source);
		if (diag_failed(e))
			w->failed = true;
	}
	return 0;
}

/* Appends what only a stack understands. */
static void ask_more(const struct walk *w, struct diag_req *r)
{
	if (w->source->kind == SOURCE_SOCKET && walk_want(w))
		diag_req_want(r, walk_want(w));
}

/*
 * TCP of both families in one dump: a v1 request gives both, and a kernel with many sockets looks
 * through its table once instead of twice.
 */
static void look_tcp(struct walk *w)
{
	struct diag_req r;
	struct diag_err e;

	w->table = KIND_TCP;
	w->protocol = IPPROTO_TCP;
	w->later.len = 0;
	diag_req_inet_v1(&r, w->req, REQUEST_ROOM, AF_UNSPEC);
	diag_req_inet_v1_body(&r)->idiag_states = w->opts->states;
	diag_req_inet_v1_body(&r)->idiag_ext = w->sink->ext;
	diag_req_bytecode(&r, w->code, w->code_len);
	ask_more(w, &r);
	dump(w, &r, on_either, "TCP sockets", 0);
	e = diag_walk(w->later.buf, w->later.len, on_inet, w, NULL);
	if (diag_failed(e))
		complain(w, "TCP sockets over IPv6", diag_failed(w->error) ? w->error : e, 1);
}

static void look_inet(struct walk *w, size_t t, uint8_t family)
{
	struct diag_req r;
	char what[32];
	bool only = !(w->opts->ipv4 && w->opts->ipv6);
	/* Raw sockets have a file where diag is not built in, and a kernel may have no IPv6 at all. */
	bool tolerate = (inet_tables[t].table == KIND_RAW && w->source->kind == SOURCE_KERNEL) ||
			(family == AF_INET6 && !only);

	w->table = inet_tables[t].table;
	w->protocol = inet_tables[t].protocol;
	snprintf(what, sizeof(what), "%s sockets over IPv%c", inet_tables[t].name, family == AF_INET ? '4' : '6');
	diag_req_inet(&r, w->req, REQUEST_ROOM, family, w->protocol);
	diag_req_inet_body(&r)->idiag_states = w->opts->states;
	diag_req_inet_body(&r)->idiag_ext = w->sink->ext;
	diag_req_bytecode(&r, w->code, w->code_len);
	ask_more(w, &r);
	if (dump(w, &r, on_inet, what, tolerate ? ENOENT : 0) != ENOENT || w->table != KIND_RAW)
		return;
	if (rawproc_read(family, w->opts, w->sink)) {
		fprintf(stderr, "sockdiag: %s: no diag in this kernel, and no /proc/net/raw to read\n", what);
		w->failed = true;
	}
}

static void look_unix(struct walk *w)
{
	_Alignas(4) uint8_t room[DIAG_REQ_ROOM];
	struct diag_req r;

	diag_req_unix(&r, room, sizeof(room), w->sink->show);
	diag_req_unix_body(&r)->udiag_states = w->opts->states;
	/* A stack has none, and says so in these words. */
	dump(w, &r, on_unix, "unix sockets", w->source->kind == SOURCE_SOCKET ? ENOENT : 0);
}

/* A history knows nothing of states. */
static int on_ended(const struct nlmsghdr *nlh, void *arg)
{
	const struct walk *w = arg;
	const struct inet_diag_msg *m = NLMSG_DATA(nlh);

	if (nlh->nlmsg_len >= NLMSG_LENGTH(sizeof(*m)) && ((m->idiag_family == AF_INET && !w->opts->ipv4) ||
							  (m->idiag_family == AF_INET6 && !w->opts->ipv6)))
		return 0;
	return on_inet(nlh, arg);
}

static void look_history(struct walk *w)
{
	struct diag_req r;

	w->table = KIND_TCP;
	w->protocol = IPPROTO_TCP;
	diag_req_inet(&r, w->req, REQUEST_ROOM, AF_INET, IPPROTO_TCP);
	diag_req_history(&r);
	diag_req_bytecode(&r, w->code, w->code_len);
	dump(w, &r, on_ended, "ended connections", 0);
}

static void look_recording(struct walk *w)
{
	uint64_t shown;
	struct diag_err e;

	w->table = KIND_TCP;
	w->protocol = IPPROTO_TCP;
	if (!(w->opts->tables & KIND_TCP))
		return;
	w->error = DIAG_OK;
	e = diag_walk(w->source->recording, w->source->recording_len, on_recorded, w, &shown);
	if (e.kind == DIAG_ERR_NLE && !shown) {
		fprintf(stderr, "sockdiag: '%s' is neither a recording made with -D nor a socket\n", w->source->name);
		w->failed = true;
	} else if (diag_failed(e))
		complain(w, w->source->name, diag_failed(w->error) ? w->error : e, shown - diag_failed(w->error));
}

int walk_open(struct walk *w, const struct opts *opts, struct sources *sources, struct sink *sink)
{
	struct diag_err e;

	*w = (struct walk){ .opts = opts, .sources = sources, .sink = sink };
	w->buf = malloc(DIAG_BUF_SIZE);
	w->code = malloc(PROGRAM_ROOM);
	w->req = malloc(REQUEST_ROOM);
	out_open(&w->later, -1);
	if (!w->buf || !w->code || !w->req) {
		fputs("sockdiag: out of memory\n", stderr);
		return EXIT_FAILED;
	}
	e = diag_expr_compile(opts->filter.expr, w->code, PROGRAM_ROOM, &w->code_len);
	if (diag_failed(e)) {
		fputs("sockdiag: the filter is too long for the kernel (64 KiB of program)\n", stderr);
		return EXIT_USAGE;
	}
	return 0;
}

static void look_at(struct walk *w)
{
	if (w->source->kind == SOURCE_RECORDING) {
		look_recording(w);
		return;
	}
	if (w->opts->history) {
		if (w->source->kind == SOURCE_SOCKET)
			look_history(w);
		return;
	}
	if (w->opts->tables & KIND_UNIX)
		look_unix(w);
	for (size_t t = 0; t < sizeof(inet_tables) / sizeof(inet_tables[0]); t++) {
		if (!(w->opts->tables & inet_tables[t].table))
			continue;
		if (inet_tables[t].table == KIND_TCP && w->opts->ipv4 && w->opts->ipv6) {
			look_tcp(w);
			continue;
		}
		if (w->opts->ipv4)
			look_inet(w, t, AF_INET);
		if (w->opts->ipv6)
			look_inet(w, t, AF_INET6);
	}
}

/* A source that was not reached has been complained of; whoever reads the list is to know as well. */
static void look_missing(struct walk *w)
{
	char text[128], why[512];

	snprintf(why, sizeof(why), "source '%s': %s", w->source->name,
		 diag_err_text(w->source->error, text, sizeof(text)));
	w->sink->ops->gap(w->sink, why);
	w->failed = true;
}

void walk_look(struct walk *w)
{
	for (size_t i = 0; i < w->sources->n; i++) {
		w->source = &w->sources->v[i];
		if (w->source->dead)
			look_missing(w);
		else
			look_at(w);
	}
}

void walk_close(struct walk *w)
{
	free(w->buf);
	free(w->code);
	free(w->req);
	out_close(&w->later);
}

int walk_status(const struct walk *w)
{
	return w->failed ? EXIT_FAILED : w->partial ? EXIT_PARTIAL : EXIT_GOOD;
}
