/*
 * --watch: TCP connections again and again, with their rates.
 *
 * Each look fills a table by cookie and source. A connection's entry holds its counters of the last look, so
 * the difference over the time between is its rate; entries that a look did not meet are dropped.
 */
#include "cli/watch.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "cli/jsonout.h"
#include "cli/sink.h"
#include "cli/walk.h"
#include "wire/state.h"
#include "wire/tcpinfo.h"

struct entry {
	struct inet_diag_msg msg;
	const struct source *source; /* cookies are one source's own */
	uint64_t sent, received;
	uint32_t retrans, rtt_us, cwnd;
	double out_bps, in_bps, retrans_ps;
	uint32_t look; /* the last one that met it; 0: the slot is empty */
	bool rated;    /* was there at the look before */
};

struct watch {
	struct sink sink;
	struct entry *slots;
	size_t size, used;
	uint32_t look;
	double seconds; /* since the look before; 0 at the first */
};

static struct entry *slot_of(struct entry *slots, size_t size, const struct source *source, uint64_t cookie)
{
	size_t i = (cookie * UINT64_C(0x9e3779b97f4a7c15)) >> 20;

	for (i &= size - 1;
	     slots[i].look && (diag_inet_cookie(&slots[i].msg) != cookie || slots[i].source != source);
	     i = (i + 1) & (size - 1))
		;
	return &slots[i];
}

/* A table of @size with the entries of the last look or this one; false without memory. */
static bool rebuild(struct watch *w, size_t size, uint32_t oldest)
{
	struct entry *slots = calloc(size, sizeof(*slots));

	if (!slots)
		return false;
	w->used = 0;
	for (size_t i = 0; i < w->size; i++)
		if (w->slots[i].look && w->slots[i].look >= oldest) {
			*slot_of(slots, size, w->slots[i].source, diag_inet_cookie(&w->slots[i].msg)) = w->slots[i];
			w->used++;
		}
	free(w->slots);
	w->slots = slots;
	w->size = size;
	return true;
}

static double rate(uint64_t now, uint64_t before, double seconds)
{
	return now > before && seconds > 0 ? (double)(now - before) / seconds : 0;
}

static void watch_inet(struct sink *sink, const struct inet_view *v)
{
	struct watch *w = (struct watch *)sink;
	const struct diag_attr *info = &v->s->attrs[INET_DIAG_INFO];
	struct diag_tcp_info ti;
	struct entry *e;

	if (2 * (w->used + 1) > w->size && !rebuild(w, 2 * w->size, w->look - 1))
		return;
	diag_tcp_info_read(&ti, info->data, info->len);
	e = slot_of(w->slots, w->size, v->source, diag_inet_cookie(&v->s->msg));
	if (!e->look)
		w->used++;
	e->rated = e->look && e->look + 1 == w->look;
	if (e->rated) {
		e->out_bps = 8 * rate(ti.bytes_acked, e->sent, w->seconds);
		e->in_bps = 8 * rate(ti.bytes_received, e->received, w->seconds);
		e->retrans_ps = rate(ti.total_retrans, e->retrans, w->seconds);
	} else {
		e->out_bps = e->in_bps = e->retrans_ps = 0;
	}
	e->look = w->look;
	e->msg = v->s->msg;
	e->source = v->source;
	e->sent = ti.bytes_acked;
	e->received = ti.bytes_received;
	e->retrans = ti.total_retrans;
	e->rtt_us = ti.rtt;
	e->cwnd = ti.snd_cwnd;
}

static void ignore_unix(struct sink *sink, const struct unix_view *v)
{
}

static void ignore(struct sink *sink)
{
}

static void ignore_gap(struct sink *sink, const char *why)
{
}

static void watch_end(struct sink *sink, bool complete)
{
	free(((struct watch *)sink)->slots);
}

static const struct sink_ops watch_ops = {
	.inet = watch_inet,
	.unix_socket = ignore_unix,
	.pause = ignore,
	.gap = ignore_gap,
	.end = watch_end,
};

static int by_rate(const void *a, const void *b)
{
	const struct entry *x = *(const struct entry *const *)a, *y = *(const struct entry *const *)b;
	double dx = x->out_bps + x->in_bps, dy = y->out_bps + y->in_bps;
	uint64_t cx = diag_inet_cookie(&x->msg), cy = diag_inet_cookie(&y->msg);

	return dx != dy ? (dx < dy ? 1 : -1) : cx < cy ? -1 : cx > cy;
}

/* The connections of this look, busiest first; the caller frees the array. */
static struct entry **sorted(struct watch *w, size_t *count)
{
	struct entry **list = calloc(w->used + 1, sizeof(*list));

	*count = 0;
	if (!list)
		return NULL;
	for (size_t i = 0; i < w->size; i++)
		if (w->slots[i].look == w->look)
			list[(*count)++] = &w->slots[i];
	qsort(list, *count, sizeof(*list), by_rate);
	return list;
}

static void end_text(const struct inet_diag_msg *m, const uint32_t addr_be[4], uint16_t port, char *buf)
{
	char *p = buf;

	if (m->idiag_family == AF_INET6) {
		*p++ = '[';
		p = put_ip6(p, addr_be);
		*p++ = ']';
	} else {
		p = put_ip4(p, addr_be);
	}
	*p++ = ':';
	*put_u64(p, port) = '\0';
}

/* "1.23M": bits a second as people read them. */
static const char *rate_text(double bps, bool rated, char *buf, size_t size)
{
	static const char units[] = " kMGT";
	int unit = 0;

	if (!rated)
		return "-";
	while (bps >= 999.5 && unit < 4) {
		bps /= 1000;
		unit++;
	}
	snprintf(buf, size, unit ? "%.3g%c" : "%.0f", bps, units[unit]);
	return buf;
}

/* Rows that fit the terminal, or all of them elsewhere. */
static size_t rows_that_fit(int fd, size_t count)
{
	struct winsize ws;

	if (!isatty(fd) || ioctl(fd, TIOCGWINSZ, &ws) < 0 || ws.ws_row < 4)
		return count;
	return count < ws.ws_row - 3u ? count : ws.ws_row - 3u;
}

static void put_text(struct watch *w, struct entry **list, size_t count)
{
	struct out *o = w->sink.out;
	size_t rows = rows_that_fit(o->fd, count);
	double in = 0, sent = 0;
	char a[24], b[24], local[64], peer[64];

	for (size_t i = 0; i < count; i++) {
		in += list[i]->in_bps;
		sent += list[i]->out_bps;
	}
	if (isatty(o->fd))
		out_lit(o, "\033[H\033[J");
	out_printf(o, "%zu connections", count);
	if (w->seconds > 0)
		out_printf(o, ", in %sbit/s, out %sbit/s", rate_text(in, true, a, sizeof(a)),
			   rate_text(sent, true, b, sizeof(b)));
	out_lit(o, "\n");
	if (w->sink.opts->header)
		out_printf(o, "%-10s %8s %8s %9s %9s %6s  %-25s %s\n", "State", "In bit/s", "Out", "Retrans/s", "RTT ms",
			   "Cwnd", "Local Address:Port", "Peer Address:Port");
	for (size_t i = 0; i < rows; i++) {
		const struct entry *e = list[i];

		end_text(&e->msg, e->msg.id.idiag_src, diag_inet_src_port(&e->msg), local);
		end_text(&e->msg, e->msg.id.idiag_dst, diag_inet_dst_port(&e->msg), peer);
		out_printf(o, "%-10s %8s %8s %9.3g %9.3g %6u  %-25s %s\n", diag_state_short(e->msg.idiag_state),
			   rate_text(e->in_bps, e->rated, a, sizeof(a)),
			   rate_text(e->out_bps, e->rated, b, sizeof(b)), e->retrans_ps, e->rtt_us / 1000., e->cwnd,
			   local, peer);
	}
	if (rows < count)
		out_printf(o, "... and %zu more\n", count - rows);
	else if (!isatty(o->fd))
		out_lit(o, "\n");
}

static void put_ndjson(struct watch *w, struct entry **list, size_t count)
{
	struct out *o = w->sink.out;
	struct timespec now;
	char addr[64];

	clock_gettime(CLOCK_REALTIME, &now);
	for (size_t i = 0; i < count; i++) {
		const struct entry *e = list[i];

		out_printf(o, "{\"time\":%lld.%03ld,\"netid\":\"tcp\"", (long long)now.tv_sec, now.tv_nsec / 1000000);
		json_text(o, "state", diag_state_short(e->msg.idiag_state));
		diag_inet_src_ip(&e->msg, addr);
		out_printf(o, ",\"local\":{\"address\":\"%s\",\"port\":%u}", addr, diag_inet_src_port(&e->msg));
		diag_inet_dst_ip(&e->msg, addr);
		out_printf(o, ",\"peer\":{\"address\":\"%s\",\"port\":%u}", addr, diag_inet_dst_port(&e->msg));
		if (e->source)
			json_text(o, "source", e->source->name);
		out_printf(o, ",\"cookie\":\"%llx\"", (unsigned long long)diag_inet_cookie(&e->msg));
		json_u64(o, "bytes_acked", e->sent);
		json_u64(o, "bytes_received", e->received);
		json_u64(o, "total_retrans", e->retrans);
		json_u64(o, "rtt", e->rtt_us);
		json_u64(o, "snd_cwnd", e->cwnd);
		if (e->rated)
			out_printf(o, ",\"in_bps\":%.0f,\"out_bps\":%.0f,\"retrans_ps\":%.3f", e->in_bps, e->out_bps,
				   e->retrans_ps);
		out_lit(o, "}\n");
	}
}

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void wait_until(double when)
{
	struct timespec t = { .tv_sec = (time_t)when, .tv_nsec = (long)((when - (double)(time_t)when) * 1e9) };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		;
}

/* Shows one look; false when it cannot be shown. */
static bool show(struct watch *w)
{
	struct entry **list;
	size_t count;

	list = sorted(w, &count);
	if (!list)
		return false;
	if (w->sink.opts->format == FORMAT_NDJSON)
		put_ndjson(w, list, count);
	else
		put_text(w, list, count);
	free(list);
	return out_flush(w->sink.out) == 0;
}

int watch_show(const struct opts *opts, struct sources *sources, struct out *out)
{
	struct watch w = { .sink = { .ops = &watch_ops, .opts = opts, .out = out, .ext = DIAG_EXT_INFO } };
	double next = now_s(), last = 0;
	struct walk walk;
	int rc;

	if (!rebuild(&w, 1024, 0))
		return EXIT_FAILED;
	rc = walk_open(&walk, opts, sources, &w.sink);
	while (!rc) {
		double t = now_s();

		w.look++;
		w.seconds = last > 0 ? t - last : 0;
		last = t;
		walk_look(&walk);
		if (walk.failed || !show(&w) || !rebuild(&w, w.size, w.look)) {
			rc = EXIT_FAILED;
			break;
		}
		next += opts->watch_s;
		if (next < now_s())
			next = now_s(); /* looking took longer than the interval */
		wait_until(next);
	}
	walk_close(&walk);
	w.sink.ops->end(&w.sink, rc == EXIT_GOOD);
	return rc;
}
