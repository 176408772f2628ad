/* Sockets as a file of /proc/net, for programs that read those. */
#include <netinet/in.h>
#include <stdlib.h>

#include "cli/sink.h"
#include "wire/procnet.h"

struct procnet {
	struct sink sink;
	unsigned int index;
};

static void procnet_inet(struct sink *sink, const struct inet_view *v)
{
	struct procnet *p = (struct procnet *)sink;
	const struct diag_attr *info = &v->s->attrs[INET_DIAG_INFO];
	struct diag_tcp_info ti;
	char line[DIAG_PROCNET_LINE];

	diag_tcp_info_read(&ti, info->data, info->len);
	out_bytes(sink->out, line,
		  diag_procnet_line(line, p->index++, &v->s->msg, v->protocol, info->data ? &ti : NULL));
}

static void procnet_unix(struct sink *sink, const struct unix_view *v)
{
}

static void procnet_pause(struct sink *sink)
{
	out_flush(sink->out);
}

static void procnet_gap(struct sink *sink, const char *why)
{
}

static void procnet_end(struct sink *sink, bool complete)
{
	free(sink);
}

static const struct sink_ops procnet_ops = {
	.inet = procnet_inet,
	.unix_socket = procnet_unix,
	.pause = procnet_pause,
	.gap = procnet_gap,
	.end = procnet_end,
};

struct sink *procnet_sink(const struct opts *opts, struct out *out)
{
	struct procnet *p = calloc(1, sizeof(*p));
	char line[DIAG_PROCNET_LINE];

	if (!p)
		return NULL;
	p->sink = (struct sink){ .ops = &procnet_ops, .opts = opts, .out = out, .ext = DIAG_EXT_INFO };
	if (opts->header)
		out_bytes(out, line,
			  diag_procnet_header(line, opts->ipv4 ? AF_INET : AF_INET6,
					      opts->tables == KIND_TCP ? IPPROTO_TCP : IPPROTO_UDP));
	return &p->sink;
}
