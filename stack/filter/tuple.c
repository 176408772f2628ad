/* Tuples: what tells one connection from another. */
#include "base/byteorder.h"
#include "filter/conn.h"
#include "header/icmp.h"
#include "header/ipv6.h"

enum { ICMPV4_MASK_REQUEST = 17, ICMPV4_MASK_REPLY = 18 };
enum { QUOTE_MAX = ICMP_HDR_LEN + IPV4_HDR_MAX + 256 };

uint64_t tuple_hash(const struct stack *s, const struct tuple *x)
{
	uint64_t ports = (uint64_t)x->sport | (uint64_t)x->dport << 16 | (uint64_t)x->proto << 32 |
			 (uint64_t)x->net << 40;

	return hash_addr(&s->key, &x->src, hash_addr(&s->secret, &x->dst, ports));
}

bool tuple_equal(const struct tuple *a, const struct tuple *b)
{
	return a->sport == b->sport && a->dport == b->dport && a->proto == b->proto &&
	       addr_equal(&a->src, &b->src) && addr_equal(&a->dst, &b->dst);
}

/* The answer's type, 0xff if there is none. */
static uint8_t answer_type(uint8_t proto, uint8_t type)
{
	static const uint8_t pairs4[][2] = {
		{ ICMPV4_ECHO, ICMPV4_ECHO_REPLY }, { ICMPV4_TIMESTAMP, ICMPV4_TIMESTAMP_REPLY },
		{ ICMPV4_INFO_REQUEST, ICMPV4_INFO_REPLY },
		{ ICMPV4_MASK_REQUEST, ICMPV4_MASK_REPLY },
	};

	if (proto == IP_PROTO_ICMPV6)
		return type == ICMPV6_ECHO_REQUEST ? ICMPV6_ECHO_REPLY
		     : type == ICMPV6_ECHO_REPLY ? ICMPV6_ECHO_REQUEST : 0xff;
	for (size_t i = 0; i < sizeof(pairs4) / sizeof(pairs4[0]); i++)
		for (int j = 0; j < 2; j++)
			if (pairs4[i][j] == type)
				return pairs4[i][!j];
	return 0xff;
}

static bool is_icmp(uint8_t proto)
{
	return proto == IP_PROTO_ICMP || proto == IP_PROTO_ICMPV6;
}

bool tuple_invert(const struct tuple *x, struct tuple *out)
{
	uint8_t type;

	*out = (struct tuple){ x->dst, x->src, x->dport, x->sport, x->net, x->proto };
	if (!is_icmp(x->proto))
		return true;
	type = answer_type(x->proto, (uint8_t)(x->dport >> 8));
	out->sport = x->sport;
	out->dport = (uint16_t)(type << 8 | (x->dport & 0xff));
	return type != 0xff;
}

bool tuple_of_bytes(struct tuple *out, const struct addr *src, const struct addr *dst, uint8_t proto,
		    const uint8_t *l4, size_t n)
{
	*out = (struct tuple){ .src = *src, .dst = *dst, .net = (uint8_t)net_index_of(src),
			       .proto = proto };
	if (is_icmp(proto)) {
		if (n < ICMP_HDR_LEN || answer_type(proto, l4[0]) == 0xff)
			return false;
		out->sport = be16_load(l4 + 4);
		out->dport = be16_load(l4);
	} else if (proto == IP_PROTO_TCP || proto == IP_PROTO_UDP) {
		if (n < 8)
			return false;
		out->sport = be16_load(l4);
		out->dport = be16_load(l4 + 2);
	}
	return true;
}

bool tuple_of_packet(struct filter_pkt *k, struct tuple *out)
{
	const uint8_t *p = packet_l4(k);

	if (k->later_fragment || (k->proto == IP_PROTO_TCP && k->l4_len < TCP_HDR_MIN))
		return false;
	if (k->proto == IP_PROTO_TCP && (size_t)(p[12] >> 4) * 4 < TCP_HDR_MIN)
		return false;
	return tuple_of_bytes(out, &k->pkt->src, &k->pkt->dst, k->proto, p, k->l4_len);
}

bool conn_is_error(const struct filter_pkt *k)
{
	if (k->later_fragment || k->l4_len < ICMP_HDR_LEN)
		return false;
	if (k->proto == IP_PROTO_ICMP)
		return icmpv4_is_error(packet_l4(k)[0]);
	return k->proto == IP_PROTO_ICMPV6 && icmpv6_is_error(packet_l4(k)[0]);
}

static bool quoted_v4(const uint8_t *p, size_t n, struct quoted *q, uint8_t *proto)
{
	size_t len = (p[0] & 0xfu) * 4;

	if (n < IPV4_HDR_LEN || p[0] >> 4 != 4 || len < IPV4_HDR_LEN || len > n ||
	    (be16_load(p + 6) & 0x1fff))
		return false;
	q->tuple.src = addr_from_bytes(p + 12, ADDR_LEN_V4);
	q->tuple.dst = addr_from_bytes(p + 16, ADDR_LEN_V4);
	*proto = p[9];
	q->l4_off = q->net_off + len;
	return true;
}

static bool quoted_v6(const uint8_t *p, size_t n, struct quoted *q, uint8_t *proto)
{
	struct ipv6_skim skim;

	if (n < IPV6_HDR_LEN || p[0] >> 4 != 6 || !ipv6_skim(&skim, p, n) ||
	    skim.later_fragment || skim.off > n)
		return false;
	q->tuple.src = addr_from_bytes(p + 8, ADDR_LEN_V6);
	q->tuple.dst = addr_from_bytes(p + 24, ADDR_LEN_V6);
	*proto = skim.proto;
	q->l4_off = q->net_off + skim.off;
	return true;
}

bool conn_quoted(struct filter_pkt *k, struct quoted *q)
{
	size_t total = packet_l4_total(k), n;
	struct addr src, dst;
	const uint8_t *p;
	uint8_t proto;

	*q = (struct quoted){ .net_off = ICMP_HDR_LEN };
	if (!packet_need(k, total < QUOTE_MAX ? total : QUOTE_MAX) ||
	    k->l4_len < ICMP_HDR_LEN + IPV4_HDR_LEN)
		return false;
	p = packet_l4(k);
	n = k->l4_len - ICMP_HDR_LEN;
	if (!(k->net == NET_IPV4 ? quoted_v4(p + ICMP_HDR_LEN, n, q, &proto)
				 : quoted_v6(p + ICMP_HDR_LEN, n, q, &proto)))
		return false;
	q->l4_len = k->l4_len - q->l4_off;
	src = q->tuple.src;
	dst = q->tuple.dst;
	return tuple_of_bytes(&q->tuple, &src, &dst, proto, p + q->l4_off, q->l4_len);
}
