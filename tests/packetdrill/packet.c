/* Segments on their way in and out, between the script's numbers and the live ones. */
#include "driver.h"

#include <stdio.h>
#include <string.h>

#include "base/byteorder.h"
#include "base/cksum.h"
#include "base/hash.h"
#include "header/tcp.h"

enum { OPT_MSS_1460 = 0x020405b4 };
enum { IP4_HDR = 20, IP6_HDR = 40, BUF = 70000, PROTO_TCP = 6, PROTO_ICMP = 1, PROTO_ICMP6 = 58 };

static size_t ip_header(const struct addr *src, const struct addr *dst, uint8_t proto, uint8_t tos,
			size_t len, uint8_t *p)
{
	uint16_t sum;

	if (src->len == ADDR_LEN_V6) {
		memset(p, 0, IP6_HDR);
		p[0] = (uint8_t)(0x60 | tos >> 4);
		p[1] = (uint8_t)(tos << 4);
		be16_store(p + 4, (uint16_t)len);
		p[6] = proto;
		p[7] = 255;
		memcpy(p + 8, src->b, 16);
		memcpy(p + 24, dst->b, 16);
		return IP6_HDR;
	}
	memset(p, 0, IP4_HDR);
	p[0] = 0x45;
	p[1] = tos;
	be16_store(p + 2, (uint16_t)(len + IP4_HDR));
	p[8] = 255;
	p[9] = proto;
	memcpy(p + 12, src->b, 4);
	memcpy(p + 16, dst->b, 4);
	sum = (uint16_t)~cksum_add(0, p, IP4_HDR);
	memcpy(p + 10, &sum, 2);
	return IP4_HDR;
}

/* Fast Open cookies: a hash of the two addresses under the key that scripts set. */
static void fill_cookie(const struct driver *d, const struct segment *s, uint8_t *opts)
{
	struct hash_key key;
	size_t n = d->local.len;
	uint8_t in[2 * ADDR_LEN_V6];
	uint64_t h;

	if (s->cookie_at < 0)
		return;
	memcpy(&key, "0123456789abcdef", sizeof(key));
	memcpy(in, d->remote.b, n);
	memcpy(in + n, d->local.b, n);
	h = siphash(&key, in, 2 * n);
	memcpy(opts + s->cookie_at, &h, sizeof(h));
}

/* The segment's TCP header with the live numbers; @from_peer: else it is a copy of one of the stack's. */
static size_t tcp_header(struct driver *d, const struct segment *s, bool from_peer, uint8_t *p)
{
	struct tcp_hdr h = {
		.sport = from_peer ? d->rport : d->lport, .dport = from_peer ? d->lport : d->rport,
		.seq = s->seq + (!from_peer ? d->local_isn : s->flags & TCP_SYN ? 0 : d->remote_isn),
		.ack = s->has_ack && from_peer ? s->ack + d->local_isn : s->ack,
		.off_bytes = (uint8_t)(TCP_HDR_LEN + s->opts_len),
		.flags = s->flags, .wnd = s->win < 0 ? 0 : (uint16_t)s->win,
		.urg = s->urg < 0 ? 0 : (uint16_t)s->urg,
	};
	uint8_t *o = p + TCP_HDR_LEN;

	tcp_emit(&h, p);
	memcpy(o, s->opts, (size_t)s->opts_len);
	fill_cookie(d, s, o);
	for (int i = 0; i < s->sacks * 2; i++)
		be32_store(o + s->sack_at + 4 * i, be32_load(o + s->sack_at + 4 * i) + d->local_isn);
	if (s->ts_at >= 0)
		for (int i = 0; i < d->nts; i++)
			if (d->ts[i].script == be32_load(s->opts + s->ts_at + 4))
				be32_store(o + s->ts_at + 4, d->ts[i].live);
	return h.off_bytes;
}

static void finish_cksum(struct driver *d, uint8_t proto, uint8_t *p, size_t len, size_t at)
{
	uint16_t sum = 0;

	memset(p + at, 0, 2);
	if (proto != PROTO_ICMP)
		sum = cksum_pseudo(&d->remote, &d->local, proto, (uint32_t)len);
	sum = (uint16_t)~cksum_add(sum, p, len);
	memcpy(p + at, &sum, 2);
}

/* An ICMP error from the peer's side, about a segment the stack sent. */
static size_t icmp_error(struct driver *d, const struct segment *s, uint8_t *p)
{
	static const uint8_t codes6[] = { 0, 3, 1, 4, 0 };
	bool v6 = d->local.len == ADDR_LEN_V6;
	struct segment inner = *s;
	size_t hdr;

	memset(p, 0, 8);
	p[0] = !v6 ? 3 : s->icmp_code == 4 ? 2 : 1;
	p[1] = v6 ? codes6[s->icmp_code] : (uint8_t)s->icmp_code;
	if (s->icmp_code == 4) {
		if (v6)
			be32_store(p + 4, s->mtu);
		else
			be16_store(p + 6, (uint16_t)s->mtu);
	}
	hdr = ip_header(&d->local, &d->remote, PROTO_TCP, 0, TCP_HDR_LEN + s->len, p + 8);
	inner.flags = TCP_ACK;
	tcp_header(d, &inner, false, p + 8 + hdr);
	return 8 + hdr + TCP_HDR_LEN;
}

void packet_send(struct driver *d, const struct event *e)
{
	static uint8_t buf[BUF];
	const struct segment *s = &e->seg;
	bool v6 = d->local.len == ADDR_LEN_V6, icmp = s->icmp_code >= 0;
	uint8_t *p = buf + (v6 ? IP6_HDR : IP4_HDR), proto = PROTO_TCP;
	size_t len;

	if (s->flags & TCP_SYN && d->side == SIDE_LISTENING) {
		d->side = SIDE_PASSIVE;
		d->rport = d->next_rport++;
		d->has_isn = false;
		d->remote_isn = s->seq;
		d->has_remote_isn = true;
		d->nts = 0;
	}
	/* The first that makes a connection; one that comes into it later is counted as all its segments. */
	if (d->side == SIDE_ACTIVE && (s->flags & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK) && !d->has_remote_isn) {
		d->remote_isn = s->seq;
		d->has_remote_isn = true;
	}
	if (icmp) {
		proto = v6 ? PROTO_ICMP6 : PROTO_ICMP;
		len = icmp_error(d, s, p);
		finish_cksum(d, proto, p, len, 2);
	} else {
		len = tcp_header(d, s, true, p);
		memset(p + len, 0, s->len);
		len += s->len;
		finish_cksum(d, proto, p, len, TCP_CKSUM_OFF);
	}
	len += ip_header(&d->remote, &d->local, proto, s->ecn < 0 ? 0 : (uint8_t)s->ecn, len, buf);
	if (d->t.netdev_send(d->t.userdata, buf, len))
		fail_at(d, e, "netdev_send failed");
}

static const char *flag_text(unsigned f, char buf[9])
{
	char *p = buf;

	for (int i = 0; i < 8; i++)
		if (f & 1u << i)
			*p++ = "FSRP.UEW"[i];
	*p = '\0';
	return buf;
}

struct live {
	struct tcp_hdr h;
	const uint8_t *opts;
	uint32_t len;
	uint8_t ecn;
};

/* The next TCP segment; others (ICMPv6) are passed over. */
static bool next_segment(struct driver *d, const struct event *e, struct live *l, int64_t *at_us)
{
	static uint8_t buf[BUF];

	for (;;) {
		size_t count = sizeof(buf), hdr, total;
		long long us;
		const uint8_t *p;
		bool v6;

		if (d->t.netdev_receive(d->t.userdata, buf, &count, &us) || count < IP4_HDR)
			return false;
		v6 = buf[0] >> 4 == 6;
		hdr = v6 ? IP6_HDR : (size_t)(buf[0] & 15) * 4;
		if ((v6 ? buf[6] : buf[9]) != PROTO_TCP)
			continue;
		p = buf + hdr;
		total = v6 ? be16_load(buf + 4) : be16_load(buf + 2) - hdr;
		if (!tcp_parse(&l->h, p, count - hdr) || hdr + total != count)
			fail_at(d, e, "a malformed packet left");
		if (!d->is_kernel &&
		    cksum_add(cksum_pseudo(&d->local, &d->remote, PROTO_TCP, (uint32_t)total), p,
			      total) != 0xffff)
			fail_at(d, e, "a segment with a bad checksum left");
		l->opts = p + TCP_HDR_LEN;
		l->len = (uint32_t)(total - l->h.off_bytes);
		l->ecn = v6 ? buf[1] >> 4 & 3 : buf[1] & 3;
		*at_us = us;
		return true;
	}
}

/*
 * What a script has as one segment may leave in parts (Linux sizes super-segments by its pace): they count
 * as one, with the flags of the last.
 */
static void gather(struct driver *d, const struct event *e, struct live *l)
{
	while (l->len && l->len < e->seg.len && l->h.seq == e->seg.seq + d->local_isn) {
		struct live next;
		int64_t at;

		if (!next_segment(d, e, &next, &at))
			fail_at(d, e, "only %u bytes left", l->len);
		if (next.h.seq != l->h.seq + l->len)
			fail_at(d, e, "%u bytes left, then something else", l->len);
		l->len += next.len;
		l->h.flags = next.h.flags;
	}
}

static void check_options(struct driver *d, const struct event *e, const struct live *l)
{
	const struct segment *s = &e->seg;
	int len = l->h.off_bytes - TCP_HDR_LEN;
	uint8_t want[40];
	char text[200] = "";

	if (s->opts_any)
		return;
	memcpy(want, s->opts, sizeof(want));
	fill_cookie(d, s, want);
	for (int i = 0; i < s->sacks * 2; i++)
		be32_store(want + s->sack_at + 4 * i, be32_load(want + s->sack_at + 4 * i) + d->remote_isn);
	/* Scripts are of IPv4; its header is 20 bytes shorter. */
	if (d->local.len == ADDR_LEN_V6 && s->flags & TCP_SYN && be32_load(want) == OPT_MSS_1460)
		be16_store(want + 2, 1440);
	if (s->ts_at >= 0 && s->ts_at + 8 <= len) {
		/* Their value is the stack's business; what it echoes is ours. */
		if (d->nts < MAX_TS) {
			d->ts[d->nts].script = be32_load(want + s->ts_at);
			d->ts[d->nts++].live = be32_load(l->opts + s->ts_at);
		}
		memcpy(want + s->ts_at, l->opts + s->ts_at, 4);
	}
	if (len == s->opts_len && !memcmp(want, l->opts, (size_t)len))
		return;
	for (int i = 0; i < len; i++)
		sprintf(text + 3 * i, " %02x", l->opts[i]);
	fail_at(d, e, "options of %d bytes, expected %d:%s", len, s->opts_len, text);
}

static void check_ts_clock(struct driver *d, const struct event *e)
{
	int64_t tick_us = d->script.ts_tick_us;

	/* Timestamps are milliseconds: those of the script advance as the live ones do. */
	for (int i = 1; i < d->nts && tick_us; i++) {
		int32_t want = (int32_t)((int32_t)(d->ts[i].script - d->ts[0].script) * tick_us / 1000);
		int32_t got = (int32_t)(d->ts[i].live - d->ts[0].live);

		if (want - got > 20 || got - want > 20)
			fail_at(d, e, "timestamp advanced by %d, expected %d", got, want);
	}
}

void packet_expect(struct driver *d, const struct event *e, int64_t want_us, int64_t want_end_us)
{
	const struct segment *s = &e->seg;
	char got_flags[9], want_flags[9];
	struct live l;
	int64_t at;
	uint32_t seq, ack;

	if (!next_segment(d, e, &l, &at))
		fail_at(d, e, "no packet left");
	gather(d, e, &l);
	if (l.h.flags & TCP_SYN && (!d->has_isn || d->local_isn != l.h.seq - s->seq)) {
		d->local_isn = l.h.seq - s->seq;
		d->has_isn = true;
		if (d->side == SIDE_ACTIVE) {
			d->lport = l.h.sport;
			d->rport = l.h.dport;
		}
	}
	seq = l.h.seq - d->local_isn;
	ack = l.h.flags & TCP_ACK ? l.h.ack - d->remote_isn : 0;
	flag_text(l.h.flags, got_flags);
	flag_text(s->flags, want_flags);
	if (d->verbose)
		printf("%d: %s %u:%u(%u) ack %u win %u left %.6f after %.6f\n", e->line, got_flags, seq, seq + l.len,
		       l.len, ack, l.h.wnd, (double)(at - want_us) / 1e6, (double)(want_us - d->start_us) / 1e6);
	if (l.h.flags != s->flags || seq != s->seq || l.len != s->len || (s->has_ack && ack != s->ack))
		fail_at(d, e, "%s %u:%u(%u) ack %u left at %.6f, expected %s %u:%u(%u) ack %u", got_flags, seq,
			seq + l.len, l.len, ack, (double)(at - d->start_us) / 1e6, want_flags, s->seq,
			s->seq + s->len, s->len, s->ack);
	if (s->win >= 0 && l.h.wnd != s->win)
		fail_at(d, e, "window %u, expected %lld", l.h.wnd, (long long)s->win);
	if (s->urg >= 0 && l.h.urg != s->urg)
		fail_at(d, e, "urgent pointer %u, expected %lld", l.h.urg, (long long)s->urg);
	if (s->ecn >= 0 && l.ecn != s->ecn)
		fail_at(d, e, "ECN bits %u, expected %d", l.ecn, s->ecn);
	if (l.h.dport != d->rport || l.h.sport != d->lport)
		fail_at(d, e, "ports %u to %u, expected %u to %u", l.h.sport, l.h.dport, d->lport, d->rport);
	check_options(d, e, &l);
	check_ts_clock(d, e);
	if (e->at != AT_ANY && (at < want_us - d->script.tolerance_us || at > want_end_us + d->script.tolerance_us))
		fail_at(d, e, "left at %.6f, expected at %.6f", (double)(at - d->start_us) / 1e6,
			(double)(want_us - d->start_us) / 1e6);
}
