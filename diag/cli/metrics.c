/* Sockets as OpenMetrics: counts and sums, for a scraper. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/sink.h"
#include "cli/source.h"
#include "wire/state.h"
#include "wire/tcpinfo.h"

#define TABLES 7
#define BOUNDS (sizeof(rtt_bounds_us) / sizeof(rtt_bounds_us[0]))

/* Round trips from within a machine to around the world. */
static const uint32_t rtt_bounds_us[] = { 100, 1000, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000 };

enum { FAMILY_UNIX, FAMILY_INET, FAMILY_INET6, FAMILIES };
static const char *const family_names[FAMILIES] = { "unix", "inet", "inet6" };

/* Sums of tcp_info over open connections, by name of its field. */
static const struct {
	const char *field;
	const char *metric;
	const char *unit;
	const char *help;
} sums[] = {
	{ "bytes_sent", "sockdiag_tcp_open_sent_bytes", "bytes", "Bytes sent on connections open now" },
	{ "bytes_received", "sockdiag_tcp_open_received_bytes", "bytes", "Bytes received on connections open now" },
	{ "bytes_retrans", "sockdiag_tcp_open_retransmitted_bytes", "bytes",
	  "Bytes sent again on connections open now" },
	{ "unacked", "sockdiag_tcp_unacked_segments", NULL, "Segments in flight" },
	{ "lost", "sockdiag_tcp_lost_segments", NULL, "Segments in flight taken for lost" },
	{ "notsent_bytes", "sockdiag_tcp_unsent_bytes", "bytes", "Bytes written and not sent yet" },
};

#define SUMS (sizeof(sums) / sizeof(sums[0]))

/* How many sockets of each kind a source has; sources come one after the other. */
struct counted {
	const struct source *source;
	uint64_t count[TABLES][FAMILIES][DIAG_STATE_COUNT];
};

struct metrics {
	struct sink sink;
	struct counted *counted;
	size_t sources;
	uint64_t recv_q[TABLES], send_q[TABLES], accept_q[TABLES];
	const struct diag_tcp_field *fields[SUMS];
	uint64_t sum[SUMS];
	uint64_t rtt_bucket[BOUNDS + 1], rtt_sum_us;
};

static struct counted *counted_of(struct metrics *m, const struct source *source)
{
	struct counted *grown;

	if (m->sources && m->counted[m->sources - 1].source == source)
		return &m->counted[m->sources - 1];
	grown = reallocarray(m->counted, m->sources + 1, sizeof(*grown));
	if (!grown) {
		fputs("sockdiag: out of memory\n", stderr);
		exit(EXIT_FAILED);
	}
	m->counted = grown;
	grown = &m->counted[m->sources++];
	memset(grown, 0, sizeof(*grown));
	grown->source = source;
	return grown;
}

static void add(struct metrics *m, const struct source *source, enum kind table, int family, uint8_t state,
		uint32_t rqueue, uint32_t wqueue)
{
	int t = __builtin_ctz(table);

	counted_of(m, source)->count[t][family][state < DIAG_STATE_COUNT ? state : 0]++;
	if (state == DIAG_TCP_LISTEN) {
		m->accept_q[t] += rqueue;
	} else {
		m->recv_q[t] += rqueue;
		m->send_q[t] += wqueue;
	}
}

static void metrics_inet(struct sink *sink, const struct inet_view *v)
{
	struct metrics *m = (struct metrics *)sink;
	const struct diag_attr *info = &v->s->attrs[INET_DIAG_INFO];
	struct diag_tcp_info ti;
	size_t b = 0;

	add(m, v->source, v->table, v->s->msg.idiag_family == AF_INET6 ? FAMILY_INET6 : FAMILY_INET,
	    v->s->msg.idiag_state, v->s->msg.idiag_rqueue, v->s->msg.idiag_wqueue);
	if (!info->data || v->s->msg.idiag_state == DIAG_TCP_LISTEN)
		return;
	diag_tcp_info_read(&ti, info->data, info->len);
	for (size_t i = 0; i < SUMS; i++)
		m->sum[i] += diag_tcp_field_value(&ti, m->fields[i]);
	while (b < BOUNDS && ti.rtt > rtt_bounds_us[b])
		b++;
	m->rtt_bucket[b]++;
	m->rtt_sum_us += ti.rtt;
}

static void metrics_unix(struct sink *sink, const struct unix_view *v)
{
	const struct diag_attr *q = &v->s->attrs[UNIX_DIAG_RQLEN];
	struct unix_diag_rqlen n = { 0 };

	if (q->data && q->len >= sizeof(n))
		memcpy(&n, q->data, sizeof(n));
	/* A connected unix socket's second number is room, not a queue. */
	add((struct metrics *)sink, v->source, v->table, FAMILY_UNIX, v->s->msg.udiag_state, n.udiag_rqueue, 0);
}

static void metrics_pause(struct sink *sink)
{
}

static void metrics_gap(struct sink *sink, const char *why)
{
}

static void put_head(struct out *o, const char *name, const char *type, const char *unit, const char *help)
{
	out_printf(o, "# TYPE %s %s\n", name, type);
	if (unit)
		out_printf(o, "# UNIT %s %s\n", name, unit);
	out_printf(o, "# HELP %s %s.\n", name, help);
}

static void put_per_table(struct metrics *m, const char *name, const char *unit, const char *help,
			  const uint64_t values[TABLES])
{
	struct out *o = m->sink.out;

	put_head(o, name, "gauge", unit, help);
	for (int t = 0; t < TABLES; t++)
		if (m->sink.opts->tables >> t & 1)
			out_printf(o, "%s{netid=\"%s\"} %llu\n", name, sink_netid(1 << t),
				   (unsigned long long)values[t]);
}

/* A label's value: backslashes, quotes and newlines are escaped. */
static void put_label(struct out *o, const char *text)
{
	for (; *text; text++) {
		if (*text == '\n')
			out_lit(o, "\\n");
		else if (*text == '\\' || *text == '"')
			out_printf(o, "\\%c", *text);
		else
			out_bytes(o, text, 1);
	}
}

static void put_counted(struct metrics *m, const struct counted *c)
{
	struct out *o = m->sink.out;

	for (int t = 0; t < TABLES; t++)
		for (int f = 0; f < FAMILIES; f++)
			for (unsigned int s = 0; s < DIAG_STATE_COUNT; s++) {
				if (!c->count[t][f][s])
					continue;
				out_printf(o, "sockdiag_sockets{netid=\"%s\",family=\"%s\",state=\"%s\"", sink_netid(1 << t),
					   family_names[f], diag_state_short(s));
				if (m->sink.several && c->source) {
					out_lit(o, ",source=\"");
					put_label(o, c->source->name);
					out_lit(o, "\"");
				}
				out_printf(o, "} %llu\n", (unsigned long long)c->count[t][f][s]);
			}
}

static void put_counts(struct metrics *m)
{
	put_head(m->sink.out, "sockdiag_sockets", "gauge", NULL, "Sockets by kind, family and state");
	for (size_t i = 0; i < m->sources; i++)
		put_counted(m, &m->counted[i]);
}

static void put_tcp(struct metrics *m)
{
	struct out *o = m->sink.out;
	uint64_t below = 0;

	for (size_t i = 0; i < SUMS; i++) {
		put_head(o, sums[i].metric, "gauge", sums[i].unit, sums[i].help);
		out_printf(o, "%s %llu\n", sums[i].metric, (unsigned long long)m->sum[i]);
	}
	put_head(o, "sockdiag_tcp_rtt_seconds", "gaugehistogram", "seconds",
		 "Smoothed round trip times of connections open now");
	for (size_t b = 0; b <= BOUNDS; b++) {
		below += m->rtt_bucket[b];
		if (b < BOUNDS)
			out_printf(o, "sockdiag_tcp_rtt_seconds_bucket{le=\"%g%s\"} %llu\n", rtt_bounds_us[b] / 1e6,
				   rtt_bounds_us[b] % 1000000 ? "" : ".0", (unsigned long long)below);
	}
	out_printf(o, "sockdiag_tcp_rtt_seconds_bucket{le=\"+Inf\"} %llu\n", (unsigned long long)below);
	out_printf(o, "sockdiag_tcp_rtt_seconds_gcount %llu\n", (unsigned long long)below);
	out_printf(o, "sockdiag_tcp_rtt_seconds_gsum %.6f\n", (double)m->rtt_sum_us / 1e6);
}

static void metrics_end(struct sink *sink, bool complete)
{
	struct metrics *m = (struct metrics *)sink;
	struct out *o = sink->out;

	put_counts(m);
	put_per_table(m, "sockdiag_recv_queue_bytes", "bytes", "Bytes received and not read yet", m->recv_q);
	put_per_table(m, "sockdiag_send_queue_bytes", "bytes", "Bytes written and not acknowledged yet", m->send_q);
	put_per_table(m, "sockdiag_accept_queue_connections", "connections", "Connections waiting to be accepted",
		      m->accept_q);
	if (sink->opts->info)
		put_tcp(m);
	put_head(o, "sockdiag_complete", "gauge", NULL, "Whether everything that was asked for could be read");
	out_printf(o, "sockdiag_complete %d\n# EOF\n", complete);
	free(m->counted);
	free(m);
}

static const struct sink_ops metrics_ops = {
	.inet = metrics_inet,
	.unix_socket = metrics_unix,
	.pause = metrics_pause,
	.gap = metrics_gap,
	.end = metrics_end,
};

struct sink *metrics_sink(const struct opts *opts, struct out *out)
{
	struct metrics *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->sink = (struct sink){ .ops = &metrics_ops, .opts = opts, .out = out };
	m->sink.ext = opts->info ? DIAG_EXT_INFO : 0;
	m->sink.show = UDIAG_SHOW_RQLEN | (opts->filter.expr ? UDIAG_SHOW_NAME : 0);
	for (size_t i = 0; i < SUMS; i++)
		for (size_t f = 0; f < DIAG_TCP_FIELDS; f++)
			if (!strcmp(sums[i].field, diag_tcp_fields[f].name))
				m->fields[i] = &diag_tcp_fields[f];
	return &m->sink;
}
