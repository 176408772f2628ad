/* Neighbour Discovery messages and options. */
#include "header/ndp.h"

#include "base/byteorder.h"
#include "header/icmp.h"

struct ndp_opt_iter ndp_opts(const uint8_t *p, size_t len)
{
	return (struct ndp_opt_iter){ .p = p, .end = p + len };
}

bool ndp_opt_next(struct ndp_opt_iter *it)
{
	size_t room = (size_t)(it->end - it->p);

	if (room == 0)
		return false;
	if (room < 2 || it->p[1] == 0 || it->p[1] * 8u > room) {
		it->bad = true;
		return false;
	}
	it->type = it->p[0];
	it->opt = it->p;
	it->len = it->p[1] * 8u;
	it->p += it->len;
	return true;
}

bool ndp_opts_ok(const uint8_t *p, size_t len)
{
	struct ndp_opt_iter it = ndp_opts(p, len);

	while (ndp_opt_next(&it))
		;
	return !it.bad;
}

bool ndp_find_link_addr(const uint8_t *p, size_t len, uint8_t type, struct link_addr *out)
{
	struct ndp_opt_iter it = ndp_opts(p, len);

	while (ndp_opt_next(&it)) {
		if (it.type == type) {
			*out = link_addr_from_bytes(it.opt + 2);
			return true;
		}
	}
	return false;
}

bool ndp_prefix_parse(struct ndp_prefix *x, const uint8_t *p, size_t len)
{
	if (len < NDP_OPT_PREFIX_LEN || p[2] > 128)
		return false;
	x->len = p[2];
	x->on_link = p[3] & 0x80;
	x->autonomous = p[3] & 0x40;
	x->valid_s = be32_load(p + 4);
	x->preferred_s = be32_load(p + 8);
	x->prefix = addr_from_bytes(p + 16, ADDR_LEN_V6);
	return true;
}

void ndp_prefix_emit(const struct ndp_prefix *x, uint8_t *p)
{
	memset(p, 0, NDP_OPT_PREFIX_LEN);
	p[0] = NDP_OPT_PREFIX;
	p[1] = NDP_OPT_PREFIX_LEN / 8;
	p[2] = x->len;
	p[3] = (uint8_t)((x->on_link ? 0x80 : 0) | (x->autonomous ? 0x40 : 0));
	be32_store(p + 4, x->valid_s);
	be32_store(p + 8, x->preferred_s);
	memcpy(p + 16, x->prefix.b, 16);
}

void ndp_link_addr_emit(uint8_t type, const struct link_addr *a, uint8_t *p)
{
	p[0] = type;
	p[1] = 1;
	memcpy(p + 2, a->b, 6);
}

bool ndp_ra_parse(struct ndp_router_advert *a, const uint8_t *p, size_t len)
{
	if (len < NDP_RA_LEN)
		return false;
	a->hop_limit = p[4];
	a->managed = p[5] & 0x80;
	a->other = p[5] & 0x40;
	a->lifetime_s = be16_load(p + 6);
	a->reachable_ms = be32_load(p + 8);
	a->retransmit_ms = be32_load(p + 12);
	return true;
}

void ndp_ra_emit(const struct ndp_router_advert *a, uint8_t *p)
{
	memset(p, 0, NDP_RA_LEN);
	p[0] = ICMPV6_ROUTER_ADVERT;
	p[4] = a->hop_limit;
	p[5] = (uint8_t)((a->managed ? 0x80 : 0) | (a->other ? 0x40 : 0));
	be16_store(p + 6, a->lifetime_s);
	be32_store(p + 8, a->reachable_ms);
	be32_store(p + 12, a->retransmit_ms);
}

bool ndp_na_parse(struct ndp_neighbor_advert *a, const uint8_t *p, size_t len)
{
	if (len < NDP_NA_LEN)
		return false;
	a->router = p[4] & 0x80;
	a->solicited = p[4] & 0x40;
	a->override = p[4] & 0x20;
	a->target = addr_from_bytes(p + 8, ADDR_LEN_V6);
	return true;
}

void ndp_na_emit(const struct ndp_neighbor_advert *a, uint8_t *p)
{
	memset(p, 0, 8);
	p[0] = ICMPV6_NEIGHBOR_ADVERT;
	p[4] = (uint8_t)((a->router ? 0x80 : 0) | (a->solicited ? 0x40 : 0) |
			 (a->override ? 0x20 : 0));
	memcpy(p + 8, a->target.b, 16);
}

bool ndp_redirect_parse(struct ndp_redirect *r, const uint8_t *p, size_t len)
{
	if (len < NDP_REDIRECT_LEN)
		return false;
	r->target = addr_from_bytes(p + 8, ADDR_LEN_V6);
	r->dst = addr_from_bytes(p + 24, ADDR_LEN_V6);
	return true;
}

void ndp_redirect_emit(const struct ndp_redirect *r, uint8_t *p)
{
	memset(p, 0, 8);
	p[0] = ICMPV6_REDIRECT;
	memcpy(p + 8, r->target.b, 16);
	memcpy(p + 24, r->dst.b, 16);
}

bool ndp_ns_parse(struct addr *target, const uint8_t *p, size_t len)
{
	if (len < NDP_NS_LEN)
		return false;
	*target = addr_from_bytes(p + 8, ADDR_LEN_V6);
	return true;
}

void ndp_ns_emit(const struct addr *target, uint8_t *p)
{
	memset(p, 0, 8);
	p[0] = ICMPV6_NEIGHBOR_SOLICIT;
	memcpy(p + 8, target->b, 16);
}
