/*
 * Changing a packet's addresses and ports, with the checksums over them (RFC 1624).
 *
 * A checksum that is complete is updated by what changed, so one that was wrong stays wrong. One that is
 * PARTIAL holds the pseudo header's sum alone: addresses count, ports do not yet.
 */
#include "filter/rewrite.h"

#include "base/byteorder.h"
#include "base/cksum.h"
#include "header/icmp.h"
#include "header/ipv6.h"
#include "header/udp.h"

enum { PROTO_UDPLITE = 136, PROTO_DCCP = 33, NO_CKSUM = 0xffff };

/* Where the transport header's checksum is, if it covers the pseudo header or what follows. */
static uint16_t cksum_off(uint8_t proto)
{
	switch (proto) {
	case IP_PROTO_TCP:
		return 16;
	case IP_PROTO_UDP:
	case PROTO_UDPLITE:
	case PROTO_DCCP:
		return UDP_CKSUM_OFF;
	case IP_PROTO_ICMP:
	case IP_PROTO_ICMPV6:
		return ICMP_CKSUM_OFF;
	default:
		return NO_CKSUM;
	}
}

static bool has_pseudo(uint8_t proto)
{
	return proto != IP_PROTO_ICMP;
}

/**
 * struct fix - a checksum to be kept right; @at NULL: none. @plain: it holds an uncomplemented sum
 *
 * Zero is written as all ones, which is the same number: for UDP it would mean that there is none, and
 * for ICMP it is wrong if all else is zero too, a case that the update cannot tell (RFC 1624, 3).
 */
struct fix {
	uint8_t *at;
	bool plain;
};

static void fix_word(const struct fix *f, uint16_t from, uint16_t to)
{
	uint16_t sum;

	if (!f->at)
		return;
	memcpy(&sum, f->at, 2);
	if (f->plain) {
		sum = (uint16_t)~cksum_update((uint16_t)~sum, from, to);
	} else {
		sum = cksum_update(sum, from, to);
		if (sum == 0)
			sum = 0xffff;
	}
	memcpy(f->at, &sum, 2);
}

static void fix_bytes(const struct fix *f, const uint8_t *from, const uint8_t *to, size_t n)
{
	for (size_t i = 0; i < n; i += 2) {
		uint16_t a, b;

		memcpy(&a, from + i, 2);
		memcpy(&b, to + i, 2);
		fix_word(f, a, b);
	}
}

static struct fix fix_of(uint8_t *l4, size_t len, uint8_t proto, bool v4)
{
	uint16_t off = cksum_off(proto), sum;
	struct fix f = { 0 };

	if (off == NO_CKSUM || (size_t)off + 2 > len)
		return f;
	memcpy(&sum, l4 + off, 2);
	if (proto == IP_PROTO_UDP && v4 && sum == 0)
		return f;		/* RFC 768: none was made */
	f.at = l4 + off;
	return f;
}

/* Sets an address in the network header at @p; the sums of the header and of what follows with it. */
static void set_addr(uint8_t *p, bool dst, const struct addr *addr, const struct fix *l4)
{
	bool v4 = p[0] >> 4 == 4;
	uint8_t *at = p + (v4 ? (dst ? 16 : 12) : (dst ? 24 : 8));
	struct fix header = { .at = v4 ? p + 10 : NULL };

	fix_bytes(&header, at, addr->b, addr->len);
	if (l4)
		fix_bytes(l4, at, addr->b, addr->len);
	memcpy(at, addr->b, addr->len);
}

/* Where a header has the port of an end; 0xffff if it has none. */
static uint16_t port_off(uint8_t proto, bool dst)
{
	if (proto == IP_PROTO_TCP || proto == IP_PROTO_UDP)
		return dst ? 2 : 0;
	return proto == IP_PROTO_ICMP || proto == IP_PROTO_ICMPV6 ? 4 : NO_CKSUM;
}

static void set_port(uint8_t *l4, size_t len, uint8_t proto, bool dst, uint16_t port,
		     const struct fix *f)
{
	uint16_t off = port_off(proto, dst), from, to = __builtin_bswap16(port);

	if (off == NO_CKSUM || (size_t)off + 2 > len)
		return;
	memcpy(&from, l4 + off, 2);
	if (f && !f->plain)
		fix_word(f, from, to);
	memcpy(l4 + off, &to, 2);
}

static void note_addr(struct pkt *pkt, bool dst, const struct addr *addr)
{
	if (dst)
		pkt->dst = *addr;
	else
		pkt->src = *addr;
}

bool rewrite_end(struct filter_pkt *k, bool dst, const struct addr *addr, uint16_t port)
{
	struct pkt *pkt = k->pkt;
	struct fix f;
	uint8_t *l4;

	if (!pkt_writable(pkt))
		return false;
	l4 = packet_l4(k);
	f = fix_of(l4, k->later_fragment ? 0 : k->l4_len, k->proto, k->net == NET_IPV4);
	if (pkt->csum == PKT_CSUM_PARTIAL) {
		if (pkt->csum_start + pkt->csum_off + 2u > pkt->off + pkt->head_len)
			return false;
		f = (struct fix){ .at = pkt->head->data + pkt->csum_start + pkt->csum_off,
				  .plain = true };
	}
	set_addr(pkt_net_hdr(pkt), dst, addr, has_pseudo(k->proto) ? &f : NULL);
	if (!k->later_fragment)
		set_port(l4, k->l4_len, k->proto, dst, port, &f);
	note_addr(pkt, dst, addr);
	return true;
}

/* The quoted packet: its sums are put right as far as they are there. */
static void rewrite_quote(uint8_t *icmp, const struct quoted *q, bool dst, const struct addr *addr,
			  uint16_t port)
{
	uint8_t *l4 = icmp + q->l4_off;
	struct fix f = fix_of(l4, q->l4_len, q->tuple.proto, q->tuple.net == NET_IPV4);

	set_addr(icmp + q->net_off, dst, addr, has_pseudo(q->tuple.proto) ? &f : NULL);
	set_port(l4, q->l4_len, q->tuple.proto, dst, port, &f);
}

bool rewrite_error(struct filter_pkt *k, bool dst, const struct addr *outer, const struct addr *inner,
		   uint16_t inner_port)
{
	struct pkt *pkt = k->pkt;
	uint16_t sum = 0;
	struct quoted q;
	uint8_t *l4;

	if (!pkt_finish_cksum(pkt) || !conn_quoted(k, &q) || !pkt_writable(pkt))
		return false;
	rewrite_quote(packet_l4(k), &q, !dst, inner, inner_port);
	set_addr(pkt_net_hdr(pkt), dst, outer, NULL);
	note_addr(pkt, dst, outer);
	/* Tracking found its checksum right, so it may be made anew. */
	l4 = packet_l4(k);
	memset(l4 + ICMP_CKSUM_OFF, 0, 2);
	if (k->net == NET_IPV6)
		sum = cksum_pseudo(&pkt->src, &pkt->dst, k->proto, (uint32_t)packet_l4_total(k));
	sum = (uint16_t)~pkt_cksum(pkt, pkt->net_off + k->l4_off - pkt->off, sum);
	memcpy(l4 + ICMP_CKSUM_OFF, &sum, 2);
	return true;
}
