/* The TCP header and its options. */
#include "header/tcp.h"

#include "base/byteorder.h"

enum tcp_opt {
	OPT_END = 0,
	OPT_NOP = 1,
	OPT_MSS = 2,
	OPT_WSCALE = 3,
	OPT_SACK_PERMITTED = 4,
	OPT_SACK = 5,
	OPT_TS = 8,
	OPT_FASTOPEN = 34,
	OPT_EXPERIMENT = 254,
};

enum {
	LEN_MSS = 4,
	LEN_WSCALE = 3,
	LEN_SACK_PERMITTED = 2,
	LEN_SACK_BASE = 2,
	LEN_SACK_BLOCK = 8,
	LEN_TS = 10,
	LEN_FO_BASE = 2,
	LEN_FO_EXP_BASE = 4,
	FO_MAGIC = 0xf989,
};

bool tcp_parse(struct tcp_hdr *h, const uint8_t *p, size_t linear_len)
{
	if (linear_len < TCP_HDR_LEN)
		return false;
	h->sport = be16_load(p);
	h->dport = be16_load(p + 2);
	h->seq = be32_load(p + 4);
	h->ack = be32_load(p + 8);
	h->off_bytes = (uint8_t)(p[12] >> 4 << 2);
	h->flags = p[13];
	h->wnd = be16_load(p + 14);
	memcpy(&h->cksum, p + TCP_CKSUM_OFF, 2);
	h->urg = be16_load(p + 18);
	return h->off_bytes >= TCP_HDR_LEN && h->off_bytes <= linear_len;
}

void tcp_emit(const struct tcp_hdr *h, uint8_t *p)
{
	be16_store(p, h->sport);
	be16_store(p + 2, h->dport);
	be32_store(p + 4, h->seq);
	be32_store(p + 8, h->ack);
	p[12] = (uint8_t)(h->off_bytes >> 2 << 4);
	p[13] = h->flags;
	be16_store(p + 14, h->wnd);
	memcpy(p + TCP_CKSUM_OFF, &h->cksum, 2);
	be16_store(p + 18, h->urg);
}

static void parse_sack(struct tcp_opts *o, const uint8_t *p, size_t len)
{
	if (len < LEN_SACK_BASE + LEN_SACK_BLOCK || (len - LEN_SACK_BASE) % LEN_SACK_BLOCK)
		return;
	o->nsack = (uint8_t)((len - LEN_SACK_BASE) / LEN_SACK_BLOCK);
	if (o->nsack > TCP_MAX_SACK)
		o->nsack = TCP_MAX_SACK;
	for (size_t i = 0; i < o->nsack; i++) {
		o->sack[i].left = be32_load(p + LEN_SACK_BASE + i * LEN_SACK_BLOCK);
		o->sack[i].right = be32_load(p + LEN_SACK_BASE + i * LEN_SACK_BLOCK + 4);
	}
}

/* A cookie of a length that none has is as good as none at all. */
static void parse_fo(struct tcp_opts *o, const uint8_t *cookie, size_t len, bool exp)
{
	if (len % 2 || len > TCP_FO_MAX || (len && len < TCP_FO_MIN))
		return;
	o->fo = (struct tcp_fo_opt){ .present = true, .exp = exp, .len = (uint8_t)len };
	memcpy(o->fo.cookie, cookie, len);
}

/* One option of @len bytes, its kind and length included. */
static void parse_one(struct tcp_opts *o, const uint8_t *p, size_t len, bool syn)
{
	switch (p[0]) {
	case OPT_MSS:
		if (syn && len == LEN_MSS && be16_load(p + 2)) {
			o->has_mss = true;
			o->mss = be16_load(p + 2);
		}
		break;
	case OPT_WSCALE:
		if (syn && len == LEN_WSCALE) {
			o->has_wscale = true;
			o->wscale = p[2] > TCP_MAX_WSCALE ? TCP_MAX_WSCALE : p[2];
		}
		break;
	case OPT_SACK_PERMITTED:
		if (syn && len == LEN_SACK_PERMITTED)
			o->sack_permitted = true;
		break;
	case OPT_SACK:
		parse_sack(o, p, len);
		break;
	case OPT_TS:
		if (len == LEN_TS) {
			o->has_ts = true;
			o->ts_val = be32_load(p + 2);
			o->ts_ecr = be32_load(p + 6);
		}
		break;
	case OPT_FASTOPEN:
		if (syn)
			parse_fo(o, p + LEN_FO_BASE, len - LEN_FO_BASE, false);
		break;
	case OPT_EXPERIMENT:
		if (syn && len >= LEN_FO_EXP_BASE && be16_load(p + 2) == FO_MAGIC)
			parse_fo(o, p + LEN_FO_EXP_BASE, len - LEN_FO_EXP_BASE, true);
		break;
	default:
		break;
	}
}

void tcp_opts_parse(struct tcp_opts *o, const uint8_t *p, size_t len, bool syn)
{
	size_t at = 0;

	memset(o, 0, sizeof(*o));
	while (at < len && p[at] != OPT_END) {
		if (p[at] == OPT_NOP) {
			at++;
			continue;
		}
		if (len - at < 2 || p[at + 1] < 2 || p[at + 1] > len - at)
			return;
		parse_one(o, p + at, p[at + 1], syn);
		at += p[at + 1];
	}
}

/* SACK blocks that still fit behind @used bytes of other options. */
static size_t sack_room(const struct tcp_opts *o, size_t used)
{
	size_t room = (TCP_MAX_OPTS - used - 4) / LEN_SACK_BLOCK;

	return o->nsack < room ? o->nsack : room;
}

static size_t fo_bytes(const struct tcp_fo_opt *fo)
{
	return (fo->exp ? LEN_FO_EXP_BASE : LEN_FO_BASE) + fo->len;
}

size_t tcp_opts_len(const struct tcp_opts *o, bool syn)
{
	size_t n = o->has_ts ? 12 : 0, blocks;

	if (syn) {
		n += o->has_mss ? 4 : 0;
		n += o->has_wscale ? 4 : 0;
		n += o->sack_permitted && !o->has_ts ? 4 : 0;
		if (o->fo.present)
			n += (fo_bytes(&o->fo) + 3) / 4 * 4;
		return n;
	}
	blocks = sack_room(o, n);
	return blocks ? n + 4 + blocks * LEN_SACK_BLOCK : n;
}

static uint8_t *emit4(uint8_t *p, uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	p[0] = a;
	p[1] = b;
	p[2] = c;
	p[3] = d;
	return p + 4;
}

static uint8_t *emit_fo(const struct tcp_fo_opt *fo, uint8_t *p)
{
	uint8_t *start = p;

	*p++ = fo->exp ? OPT_EXPERIMENT : OPT_FASTOPEN;
	*p++ = (uint8_t)fo_bytes(fo);
	if (fo->exp) {
		be16_store(p, FO_MAGIC);
		p += 2;
	}
	memcpy(p, fo->cookie, fo->len);
	p += fo->len;
	while ((p - start) % 4)
		*p++ = OPT_NOP;
	return p;
}

size_t tcp_opts_emit(const struct tcp_opts *o, bool syn, uint8_t *p)
{
	uint8_t *start = p;
	bool sack_ok = syn && o->sack_permitted;

	if (syn && o->has_mss)
		p = emit4(p, OPT_MSS, LEN_MSS, (uint8_t)(o->mss >> 8), (uint8_t)o->mss);
	if (o->has_ts) {
		/* SACK-permitted takes the place of the padding where there is a timestamp. */
		p = emit4(p, sack_ok ? OPT_SACK_PERMITTED : OPT_NOP,
			  sack_ok ? LEN_SACK_PERMITTED : OPT_NOP, OPT_TS, LEN_TS);
		be32_store(p, o->ts_val);
		be32_store(p + 4, o->ts_ecr);
		p += 8;
	} else if (sack_ok) {
		p = emit4(p, OPT_NOP, OPT_NOP, OPT_SACK_PERMITTED, LEN_SACK_PERMITTED);
	}
	if (syn && o->has_wscale)
		p = emit4(p, OPT_NOP, OPT_WSCALE, LEN_WSCALE, o->wscale);
	if (syn && o->fo.present)
		p = emit_fo(&o->fo, p);
	if (!syn) {
		size_t blocks = sack_room(o, (size_t)(p - start));

		if (blocks)
			p = emit4(p, OPT_NOP, OPT_NOP, OPT_SACK,
				  (uint8_t)(LEN_SACK_BASE + blocks * LEN_SACK_BLOCK));
		for (size_t i = 0; i < blocks; i++, p += LEN_SACK_BLOCK) {
			be32_store(p, o->sack[i].left);
			be32_store(p + 4, o->sack[i].right);
		}
	}
	return (size_t)(p - start);
}
