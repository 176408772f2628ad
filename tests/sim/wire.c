/* A stack between two wires, and packets made and looked at by hand. */
#include "wire.h"

#include <stdlib.h>

#include "base/byteorder.h"
#include "base/cksum.h"
#include "header/icmp.h"
#include "header/ipv6.h"
#include "header/udp.h"

static void die(const char *what)
{
	fprintf(stderr, "wire: %s\n", what);
	abort();
}

struct wire *wire_new(void)
{
	static const char *const addrs[2][2] = { { "10.0.0.1/24", "2001:db8::1/64" },
						 { "10.0.1.1/24", "2001:db8:1::1/64" } };
	struct wire *w = calloc(1, sizeof(*w));
	struct channel_config cc = { .depth = 4000, .mtu = 1500 };

	w->sim = sim_new(9);
	w->s = sim_host(w->sim, "h")->stack;
	for (uint32_t i = 0; i < 2; i++) {
		w->link[i] = channel_new(&cc);
		if (nic_create(w->s, i + 1, NULL, w->link[i], &w->nic[i]))
			die("nic");
		sim_addr(w->nic[i], addrs[i][0]);
		sim_addr(w->nic[i], addrs[i][1]);
		nic_set_forwarding(w->nic[i], NET_IPV4, true);
		nic_set_forwarding(w->nic[i], NET_IPV6, true);
	}
	sim_run(w->sim, 20 * NS_PER_SEC);
	for (int i = 0; i < 2; i++)
		while (channel_count(w->link[i]))
			pkt_free(channel_read(w->link[i]));
	return w;
}

void wire_free(struct wire *w)
{
	sim_free(w->sim);
	free(w);
}

static size_t build_l4(const struct wire_pkt *p, uint8_t *out)
{
	size_t hdr = p->proto == IP_PROTO_TCP ? 20 : p->proto == 0xfd ? 0 : 8;

	memset(out, 0, hdr);
	for (size_t i = 0; i < p->n; i++)
		out[hdr + i] = p->raw ? p->raw[i] : (uint8_t)i;
	if (p->proto == IP_PROTO_ICMP || p->proto == IP_PROTO_ICMPV6) {
		out[0] = p->type;
		out[1] = p->code;
		be16_store(out + 4, p->sport);
	} else if (hdr) {
		be16_store(out, p->sport);
		be16_store(out + 2, p->dport);
	}
	if (p->proto == IP_PROTO_UDP)
		be16_store(out + 4, (uint16_t)(hdr + p->n));
	if (p->proto == IP_PROTO_TCP) {
		be32_store(out + 4, p->seq);
		be32_store(out + 8, p->ack);
		out[12] = 0x50;
		out[13] = p->flags;
	}
	return hdr + p->n;
}

static int cksum_at(uint8_t proto)
{
	return proto == IP_PROTO_TCP ? 16 : proto == IP_PROTO_UDP ? 6
	     : proto == IP_PROTO_ICMP || proto == IP_PROTO_ICMPV6 ? 2 : -1;
}

static uint16_t l4_sum(const struct addr *src, const struct addr *dst, uint8_t proto,
		       const uint8_t *p, size_t n)
{
	uint16_t sum = proto == IP_PROTO_ICMP ? 0 : cksum_pseudo(src, dst, proto, (uint32_t)n);

	return cksum_add(sum, p, n);
}

size_t wire_build(const struct wire_pkt *p, uint8_t *out)
{
	struct addr src = sim_parse(p->src), dst = sim_parse(p->dst);
	size_t hdr = src.len == ADDR_LEN_V4 ? 20 : 40, n = build_l4(p, out + hdr);
	uint16_t sum = (uint16_t)~l4_sum(&src, &dst, p->proto, out + hdr, n);
	int at = cksum_at(p->proto);

	if (p->bad_cksum)
		sum ^= 0x55;
	if (at >= 0 && !p->no_cksum && !p->frag_off)
		memcpy(out + hdr + at, &sum, 2);
	if (hdr == 20) {
		struct ipv4_hdr h = { .hdr_len = 20, .ttl = p->ttl ? p->ttl : 64, .proto = p->proto,
				      .total_len = (uint16_t)(20 + n), .id = p->id,
				      .frag_off = p->frag_off, .more_fragments = p->more,
				      .src = src, .dst = dst };

		ipv4_emit(&h, out);
	} else {
		struct ipv6_hdr h = { .next = p->proto, .hop_limit = p->ttl ? p->ttl : 64,
				      .payload_len = (uint16_t)n, .src = src, .dst = dst };

		ipv6_emit(&h, out);
	}
	return hdr + n;
}

void wire_in_bytes(struct wire *w, int side, const uint8_t *p, size_t n)
{
	channel_inject(w->link[side], pkt_from_bytes(w->sim->pool, p, n));
	sim_settle(w->sim);
}

void wire_in(struct wire *w, int side, const struct wire_pkt *p)
{
	uint8_t bytes[WIRE_DATA_MAX];

	wire_in_bytes(w, side, bytes, wire_build(p, bytes));
}

/* Takes apart @n bytes; those of a quote may be fewer than their header says. */
static void take_apart(const uint8_t *b, size_t n, bool quote, struct wire_pkt *p)
{
	struct addr src, dst;
	size_t hdr, total;
	int at;

	memset(p, 0, sizeof(*p));
	if (b[0] >> 4 == 4) {
		hdr = (b[0] & 15u) * 4;
		total = be16_load(b + 2);
		src = addr_from_bytes(b + 12, 4);
		dst = addr_from_bytes(b + 16, 4);
		p->proto = b[9];
		p->ttl = b[8];
		p->id = be16_load(b + 4);
		p->frag_off = (uint16_t)((be16_load(b + 6) & 0x1fff) * 8);
		p->more = b[6] & 0x20;
		if (!ipv4_cksum_ok(b, hdr))
			die("header checksum");
	} else {
		hdr = 40;
		total = 40u + be16_load(b + 4);
		src = addr_from_bytes(b + 8, 16);
		dst = addr_from_bytes(b + 24, 16);
		p->proto = b[6];
		p->ttl = b[7];
	}
	p->src = addr_format(&src, p->text[0]);
	p->dst = addr_format(&dst, p->text[1]);
	if (n > total)
		n = total;
	at = cksum_at(p->proto);
	b += hdr;
	n -= hdr;
	if (at >= 0 && (size_t)at + 2 <= n && n + hdr == total && !p->frag_off && !p->more &&
	    !(p->proto == IP_PROTO_UDP && !b[6] && !b[7]) &&
	    l4_sum(&src, &dst, p->proto, b, n) != 0xffff)
		die(quote ? "a quoted checksum" : "a checksum");
	p->no_cksum = at >= 0 && (size_t)at + 2 <= n && !b[at] && !b[at + 1];
	hdr = p->frag_off ? 0 : p->proto == IP_PROTO_TCP ? 20 : 8;
	if (hdr && n >= 8) {
		p->sport = be16_load(b);
		p->dport = be16_load(b + 2);
		p->seq = be32_load(b + 4);
	}
	if (p->proto == IP_PROTO_ICMP || p->proto == IP_PROTO_ICMPV6) {
		p->type = b[0];
		p->code = b[1];
		p->sport = be16_load(b + 4);
	}
	if (p->proto == IP_PROTO_TCP && n >= 20) {
		p->ack = be32_load(b + 8);
		p->flags = b[13];
	}
	p->raw = b + hdr;
	p->n = n > hdr ? n - hdr : 0;
}

void wire_apart(const uint8_t *b, size_t n, struct wire_pkt *p)
{
	take_apart(b, n, false, p);
}

bool wire_out(struct wire *w, int side, struct wire_pkt *p)
{
	struct pkt *pkt = channel_read(w->link[side]);

	if (!pkt)
		return false;
	if (!pkt_finish_cksum(pkt))
		die("no memory");
	w->len = pkt->len;
	pkt_copy_out(pkt, 0, w->bytes, pkt->len);
	pkt_free(pkt);
	take_apart(w->bytes, w->len, false, p);
	return true;
}

void wire_quoted(const struct wire_pkt *p, struct wire_pkt *q)
{
	take_apart(p->raw, p->n, true, q);
}

void wire_rules(struct stack *s, bool six, const char *text)
{
	struct filter_error e;

	if (!filter_load(s, six ? NET_IPV6 : NET_IPV4, text, strlen(text), FILTER_COUNTERS, &e))
		return;
	fprintf(stderr, "rules: %u:%u: %s\n", e.line, e.column, e.text);
	abort();
}
