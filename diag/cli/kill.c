/* -K: closes what the filter selects, and shows what was closed. */
#include "cli/kill.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/source.h"
#include "client/inet.h"

struct kill {
	struct sink sink;
	struct sink *shown;
	bool failed;
};

static void kill_inet(struct sink *sink, const struct inet_view *v)
{
	struct kill *k = (struct kill *)sink;
	char text[128], addr[INET6_ADDRSTRLEN] = "?";
	struct diag_err e;

	/* The dump goes on in the other conversation. */
	e = source_connect_side(v->source);
	if (!diag_failed(e))
		e = diag_inet_destroy(&v->source->side, v->s->msg.idiag_family, v->protocol, &v->s->msg.id);
	if (!diag_failed(e)) {
		k->shown->ops->inet(k->shown, v);
		return;
	}
	if (e.kind == DIAG_ERR_KERNEL && e.code == ENOENT)
		return; /* it closed by itself meanwhile */
	k->failed = true;
	diag_inet_src_ip(&v->s->msg, addr);
	fprintf(stderr, "sockdiag: cannot close %s %s:%u: %s\n", sink_netid(v->table), addr,
		diag_inet_src_port(&v->s->msg),
		e.kind == DIAG_ERR_KERNEL && e.code == EPERM ? "it takes CAP_NET_ADMIN" :
		e.kind == DIAG_ERR_KERNEL && e.code == EOPNOTSUPP ? "such sockets cannot be closed" :
		diag_err_text(e, text, sizeof(text)));
	if (e.kind != DIAG_ERR_KERNEL)
		source_drop_side(v->source);
}

static void kill_unix(struct sink *sink, const struct unix_view *v)
{
	struct kill *k = (struct kill *)sink;

	k->failed = true;
	fprintf(stderr, "sockdiag: cannot close %s inode %u: the kernel closes inet sockets only\n",
		sink_netid(v->table), v->s->msg.udiag_ino);
}

static void kill_pause(struct sink *sink)
{
	struct sink *shown = ((struct kill *)sink)->shown;

	shown->ops->pause(shown);
}

static void kill_gap(struct sink *sink, const char *why)
{
	struct sink *shown = ((struct kill *)sink)->shown;

	shown->ops->gap(shown, why);
}

static void kill_end(struct sink *sink, bool complete)
{
	struct kill *k = (struct kill *)sink;

	k->shown->ops->end(k->shown, complete);
	free(k);
}

static const struct sink_ops kill_ops = {
	.inet = kill_inet,
	.unix_socket = kill_unix,
	.pause = kill_pause,
	.gap = kill_gap,
	.end = kill_end,
};

struct sink *kill_sink(const struct opts *opts, struct sink *shown)
{
	struct kill *k = calloc(1, sizeof(*k));

	if (!k) {
		shown->ops->end(shown, false);
		return NULL;
	}
	k->sink = (struct sink){ .ops = &kill_ops, .opts = opts, .out = shown->out, .ext = shown->ext,
				 .show = shown->show };
	k->shown = shown;
	return &k->sink;
}

bool kill_failed(const struct sink *sink)
{
	return ((const struct kill *)sink)->failed;
}
