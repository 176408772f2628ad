/* Watches TCP on the wire. */
#include "tcp_check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/byteorder.h"
#include "base/cksum.h"
#include "base/seq.h"
#include "header/tcp.h"

enum { ETH = 14, BUCKETS = 1024, MSS4 = 536, MSS6 = 1220, KEEP = 8 << 20 };

/**
 * struct side - one direction: what its sender said
 * @sent_end:  after the last number sent
 * @edge:      right edge of the window that arrived from the other side
 * @promised:  right edge that this side announced to the other
 * @bytes:     what was sent, by offset
 */
struct side {
	struct addr addr;
	uint16_t port;
	bool known, acked, has_edge, has_promised, has_fin, has_scale;
	uint32_t isn, sent_end, ack, edge, promised, fin;
	uint16_t mss;
	uint8_t scale;
	uint8_t *bytes;
	size_t cap;
};

struct flow {
	struct flow *next;
	struct side s[2];
};

struct tcp_check {
	struct flow *flows[BUCKETS];
	bool revivals;
	char failure[400];
	char segment[160];
};

/** struct seg - a parsed segment */
struct seg {
	struct addr src, dst;
	struct tcp_hdr h;
	struct tcp_opts o;
	const uint8_t *data;
	uint32_t len;
	bool cksum_ok, is_fragment;
};

struct tcp_check *tcp_check_new(void)
{
	return calloc(1, sizeof(struct tcp_check));
}

void tcp_check_free(struct tcp_check *w)
{
	for (int i = 0; i < BUCKETS; i++)
		while (w->flows[i]) {
			struct flow *f = w->flows[i];

			w->flows[i] = f->next;
			free(f->s[0].bytes);
			free(f->s[1].bytes);
			free(f);
		}
	free(w);
}

void tcp_check_revivals(struct tcp_check *w)
{
	w->revivals = true;
}

const char *tcp_check_failure(const struct tcp_check *w)
{
	return w->failure[0] ? w->failure : NULL;
}

__attribute__((format(printf, 2, 3))) static void broken(struct tcp_check *w, const char *fmt, ...)
{
	char what[200];
	va_list ap;

	if (w->failure[0])
		return;
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	snprintf(w->failure, sizeof(w->failure), "%s: %s", w->segment, what);
}

/* Where the TCP segment is, or the first fragment of one; 0 if it is none. */
static size_t tcp_at(const uint8_t *p, size_t len, struct tcp_check_addrs *a, size_t *total)
{
	size_t hdr;

	if (len < ETH + 20)
		return 0;
	if (be16_load(p + 12) == 0x0800) {
		hdr = (size_t)(p[ETH] & 15) * 4;
		*total = be16_load(p + ETH + 2);
		if (hdr < 20 || *total < hdr || ETH + *total > len || p[ETH + 9] != 6 ||
		    be16_load(p + ETH + 6) & 0x1fff)
			return 0;
		*a = (struct tcp_check_addrs){ p + ETH + 12, p + ETH + 16, ADDR_LEN_V4 };
	} else if (be16_load(p + 12) == 0x86dd && len >= ETH + 40) {
		hdr = 40;
		*total = be16_load(p + ETH + 4) + hdr;
		if (ETH + *total > len || p[ETH + 6] != 6)
			return 0;
		*a = (struct tcp_check_addrs){ p + ETH + 8, p + ETH + 24, ADDR_LEN_V6 };
	} else {
		return 0;
	}
	*total -= hdr;
	return ETH + hdr;
}

bool tcp_check_addrs_of(const uint8_t *frame, size_t len, struct tcp_check_addrs *a)
{
	size_t total;

	return tcp_at(frame, len, a, &total) != 0;
}

static bool parse(const uint8_t *frame, size_t len, struct seg *g)
{
	struct tcp_check_addrs a;
	size_t total, at = tcp_at(frame, len, &a, &total);

	if (!at || !tcp_parse(&g->h, frame + at, total))
		return false;
	g->src = addr_from_bytes(a.src, a.len);
	g->dst = addr_from_bytes(a.dst, a.len);
	g->is_fragment = a.len == ADDR_LEN_V4 && be16_load(frame + ETH + 6) & 0x2000;
	tcp_opts_parse(&g->o, frame + at + TCP_HDR_LEN, g->h.off_bytes - TCP_HDR_LEN,
		       g->h.flags & TCP_SYN);
	g->data = frame + at + g->h.off_bytes;
	g->len = (uint32_t)(total - g->h.off_bytes);
	g->cksum_ok = cksum_add(cksum_pseudo(&g->src, &g->dst, 6, (uint32_t)total), frame + at, total) ==
		      0xffff;
	return true;
}

static bool is_side(const struct side *s, const struct addr *a, uint16_t port)
{
	return s->port == port && addr_equal(&s->addr, a);
}

/* The connection; *@from is the side that sent the segment. */
static struct flow *flow_of(struct tcp_check *w, const struct seg *g, int *from)
{
	uint32_t h = (g->h.sport * 31u ^ g->h.dport * 31u) % BUCKETS;
	struct flow *f;

	for (f = w->flows[h]; f; f = f->next)
		for (*from = 0; *from < 2; ++*from)
			if (is_side(&f->s[*from], &g->src, g->h.sport) &&
			    is_side(&f->s[!*from], &g->dst, g->h.dport))
				return f;
	f = calloc(1, sizeof(*f));
	f->s[0].addr = g->src;
	f->s[0].port = g->h.sport;
	f->s[1].addr = g->dst;
	f->s[1].port = g->h.dport;
	f->next = w->flows[h];
	w->flows[h] = f;
	*from = 0;
	return f;
}

static void describe(struct tcp_check *w, const struct seg *g, const struct side *a, const struct side *b)
{
	char flags[9], *p = flags;

	for (int i = 0; i < 8; i++)
		if (g->h.flags & 1 << i)
			*p++ = "FSRP.UEW"[i];
	*p = '\0';
	snprintf(w->segment, sizeof(w->segment), "%u>%u %s seq %u len %u ack %u win %u", g->h.sport, g->h.dport,
		 flags, g->h.seq - a->isn, g->len, g->h.ack - b->isn, g->h.wnd);
}

static void restart(struct side *s, uint32_t isn)
{
	struct side fresh = { .addr = s->addr, .port = s->port, .bytes = s->bytes, .cap = s->cap };

	*s = fresh;
	s->known = true;
	s->isn = isn;
	s->sent_end = isn + 1;
	if (s->bytes)
		memset(s->bytes, 0, s->cap);
}

static void on_syn(struct side *a, struct side *b, const struct seg *g)
{
	if (!a->known || a->isn != g->h.seq) {
		restart(a, g->h.seq);
		/*
		 * A first SYN begins anew: what the other side said was in another connection, unless that
		 * was a first SYN too.
		 */
		if (!(g->h.flags & TCP_ACK) && b->acked) {
			restart(b, 0);
			b->known = false;
		}
	}
	a->mss = g->o.has_mss ? g->o.mss : 0;
	a->has_scale = g->o.has_wscale;
	a->scale = g->o.wscale;
}

static uint32_t window(const struct side *a, const struct side *b, const struct seg *g)
{
	if (g->h.flags & TCP_SYN || !a->has_scale || !b->has_scale)
		return g->h.wnd;
	return (uint32_t)g->h.wnd << a->scale;
}

/* Bytes are kept from 1 on, 0 for those never sent: so each is stored as two. */
static void check_bytes(struct tcp_check *w, struct side *a, const struct seg *g)
{
	uint32_t off = g->h.seq - a->isn - 1;
	size_t end = (size_t)off + g->len;

	if (end > KEEP)
		return;
	if (end * 2 > a->cap) {
		size_t cap = end * 4;

		a->bytes = realloc(a->bytes, cap);
		memset(a->bytes + a->cap, 0, cap - a->cap);
		a->cap = cap;
	}
	for (uint32_t i = 0; i < g->len; i++) {
		uint8_t *p = a->bytes + 2 * (size_t)(off + i);

		if (p[0] && p[1] != g->data[i]) {
			broken(w, "byte %u was %02x and is %02x now", off + i, p[1], g->data[i]);
			return;
		}
		p[0] = 1;
		p[1] = g->data[i];
	}
}

static void check_data(struct tcp_check *w, struct side *a, const struct side *b, const struct seg *g)
{
	uint32_t end = g->h.seq + g->len, mss = b->mss;
	uint32_t opts = g->h.off_bytes - (uint32_t)TCP_HDR_LEN;

	if (!mss)
		mss = g->src.len == ADDR_LEN_V4 ? MSS4 : MSS6;
	if (g->len + opts > mss)
		broken(w, "%u bytes and %u of options, over the peer's MSS of %u", g->len, opts, mss);
	if (!a->has_edge || seq_gt(end, a->edge))
		broken(w, "%d beyond the window", seq_diff(end, a->edge));
	if (a->has_fin && seq_gt(end, a->fin))
		broken(w, "data after the FIN");
	check_bytes(w, a, g);
	a->sent_end = seq_max(a->sent_end, end);
}

static void check_sack(struct tcp_check *w, const struct side *b, const struct seg *g)
{
	for (int i = 0; i < g->o.nsack; i++) {
		const struct tcp_sack_range *r = &g->o.sack[i];

		if (!seq_lt(r->left, r->right) || seq_gt(r->right, b->sent_end) || seq_lt(r->left, b->isn))
			broken(w, "SACK of %u-%u, sent was up to %u", r->left - b->isn, r->right - b->isn,
			       b->sent_end - b->isn);
		/* All but a duplicate's block are above the acknowledgement. */
		if (i && seq_lt(r->left, g->h.ack))
			broken(w, "SACK of %u-%u is below the acknowledgement", r->left - b->isn,
			       r->right - b->isn);
	}
}

static void check_ack(struct tcp_check *w, struct side *a, const struct side *b, const struct seg *g)
{
	uint32_t edge = g->h.ack + window(a, b, g), grain = a->has_scale && b->has_scale ? 1u << a->scale : 1;

	if (!b->known)
		return;		/* a reset's, or of a connection before our time */
	if (seq_gt(g->h.ack, b->sent_end))
		broken(w, "acknowledges %d that were not sent", seq_diff(g->h.ack, b->sent_end));
	if (!w->revivals && a->acked && seq_lt(g->h.ack, a->ack))
		broken(w, "acknowledges %d less than before", seq_diff(a->ack, g->h.ack));
	a->ack = g->h.ack;
	a->acked = true;
	if (!w->revivals && a->has_promised && seq_lt(edge + grain - 1, a->promised))
		broken(w, "the window's edge goes back by %d", seq_diff(a->promised, edge));
	/* Not what a SYN-ACK says: one may be forgotten, and the next be of another mind. */
	if (!(g->h.flags & TCP_SYN) && (!a->has_promised || seq_gt(edge, a->promised))) {
		a->promised = edge;
		a->has_promised = true;
	}
	check_sack(w, b, g);
}

void tcp_check_sent(struct tcp_check *w, const uint8_t *frame, size_t len)
{
	struct seg g;
	struct flow *f;
	struct side *a, *b;
	int from;

	if (!parse(frame, len, &g) || g.is_fragment)
		return;
	f = flow_of(w, &g, &from);
	a = &f->s[from];
	b = &f->s[!from];
	if (g.h.flags & TCP_SYN)
		on_syn(a, b, &g);
	describe(w, &g, a, b);
	if (!g.cksum_ok)
		broken(w, "a bad checksum");
	/* The end of the connection; a SYN cookie may bring it to life again, with the same numbers. */
	if (g.h.flags & TCP_RST) {
		a->acked = a->has_promised = a->has_fin = false;
		if (a->bytes)
			memset(a->bytes, 0, a->cap);
	}
	if (g.h.flags & TCP_RST || !a->known)
		return;
	if (g.h.flags & TCP_ACK)
		check_ack(w, a, b, &g);
	if (g.len && !(g.h.flags & TCP_SYN))
		check_data(w, a, b, &g);
	if (g.h.flags & TCP_FIN) {
		uint32_t fin = g.h.seq + g.len;

		if (a->has_fin && a->fin != fin)
			broken(w, "a FIN at another number");
		a->has_fin = true;
		a->fin = fin;
		a->sent_end = seq_max(a->sent_end, fin + 1);
	}
}

void tcp_check_arrived(struct tcp_check *w, const uint8_t *frame, size_t len)
{
	struct seg g;
	struct side *a, *b;
	struct flow *f;
	uint32_t edge;
	int from;

	/* Of a fragment nobody knows yet whether the rest will come: what it allows is allowed. */
	if (!parse(frame, len, &g) || !(g.cksum_ok || g.is_fragment) || g.h.flags & TCP_RST || !(g.h.flags & TCP_ACK))
		return;
	f = flow_of(w, &g, &from);
	a = &f->s[from];
	b = &f->s[!from];
	/* Of this connection, and of what was sent in it. */
	if (!a->known || !b->known || seq_gt(g.h.ack, b->sent_end) || seq_lt(g.h.ack, b->isn + 1))
		return;
	edge = g.h.ack + window(a, b, &g);
	if (!b->has_edge || seq_gt(edge, b->edge))
		b->edge = edge;
	b->has_edge = true;
}
