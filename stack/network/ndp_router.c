/*
 * Router discovery (RFC 4861, 6.3) and stateless address autoconfiguration (RFC 4862, 5.5).
 *
 * What routers say becomes rows of the route table and addresses of the NIC, each with a lifetime;
 * one timer waits for the next of these to end. The lists are short and bounded: a hostile link can
 * fill them, and no more.
 */
#include <stdlib.h>

#include "base/byteorder.h"
#include "network/ipv6_impl.h"

#define RTR_SOLICITATION_INTERVAL_NS (4 * NS_PER_SEC)
#define TWO_HOURS_NS (7200 * NS_PER_SEC)

static struct clock *clock_of(const struct ndp_nic *n)
{
	return n->nic->stack->clock;
}

/* When a lifetime in seconds ends; all ones means never. */
static int64_t lifetime_end(const struct ndp_nic *n, uint32_t s)
{
	return s == UINT32_MAX ? CLOCK_NEVER : clock_of(n)->now_ns + s * NS_PER_SEC;
}

static void send_rs(struct ndp_nic *n)
{
	struct nic *nic = n->nic;
	struct nic_addr *a = nic_primary_addr(nic, NET_IPV6, &addr_v6_all_routers);
	bool tell = a && nic->link->addr.len;
	size_t len = NDP_RS_LEN + (tell ? NDP_OPT_LINK_LEN : 0);
	struct icmp_hdr h = { .type = ICMPV6_ROUTER_SOLICIT };
	struct pkt *pkt = pkt_alloc(nic->stack->pool, PKT_HEADROOM, len);
	uint8_t *p;

	if (!pkt)
		return;
	p = pkt_put(pkt, len);
	icmp_emit(&h, p);
	if (tell)
		ndp_link_addr_emit(NDP_OPT_SOURCE_LINK, &nic->link->addr, p + NDP_RS_LEN);
	ndp_send(nic, a ? &a->addr : &addr_v6_any, &addr_v6_all_routers, pkt);
}

static void rs_timeout(struct timer *t)
{
	struct ndp_nic *n = container_of(t, struct ndp_nic, rs_timer);

	if (n->rs_left == 0)
		return;
	n->rs_left--;
	send_rs(n);
	timer_arm_in(clock_of(n), t, RTR_SOLICITATION_INTERVAL_NS);
}

void ndp_rs_start(struct ndp_nic *n)
{
	const struct ipv6_config *c = &ipv6_of(n->nic->stack)->config;

	if (!c->accept_ra || n->nic->forwarding[NET_IPV6] || nic_is_loopback(n->nic))
		return;
	n->rs_left = c->rs_transmits;
	timer_arm_in(clock_of(n), &n->rs_timer, 0);
}

static void router_row(const struct ndp_nic *n, const struct addr *gateway, struct route_row *row)
{
	*row = (struct route_row){
		.destination = { addr_v6_any, addr_v6_any }, .gateway = *gateway, .nic = n->nic->id,
	};
}

static void prefix_row(const struct ndp_nic *n, const struct ndp_learnt_prefix *p,
		       struct route_row *row)
{
	*row = (struct route_row){
		.destination = { p->prefix, addr_mask_of(p->len, ADDR_LEN_V6) }, .nic = n->nic->id,
	};
}

static void router_drop(struct ndp_nic *n, struct ndp_router *r)
{
	struct route_row row;

	router_row(n, &r->addr, &row);
	route_remove(n->nic->stack, &row);
	r->addr.len = 0;
}

static void prefix_drop(struct ndp_nic *n, struct ndp_learnt_prefix *p)
{
	struct route_row row;

	prefix_row(n, p, &row);
	route_remove(n->nic->stack, &row);
	p->prefix.len = 0;
}

static void earliest(int64_t *next, int64_t t)
{
	if (t < *next)
		*next = t;
}

/* Drops what has ended among our addresses; notes when the next one does. */
static void age_addrs(struct ndp_nic *n, int64_t *next)
{
	int64_t now = clock_of(n)->now_ns;

	list_for_each_safe(node, &n->addrs) {
		struct ndp_addr *x = container_of(node, struct ndp_addr, list);

		if (x->addr->origin != ADDR_SLAAC)
			continue;
		if (x->valid_until_ns <= now) {
			struct addr a = x->addr->addr;

			nic_remove_addr(n->nic, &a);
			continue;
		}
		if (x->preferred_until_ns <= now && x->addr->state == ADDR_PREFERRED) {
			x->addr->state = ADDR_DEPRECATED;
			stack_routes_changed(n->nic->stack);
		}
		earliest(next, x->valid_until_ns);
		if (x->preferred_until_ns > now)
			earliest(next, x->preferred_until_ns);
	}
}

static void age(struct ndp_nic *n)
{
	int64_t now = clock_of(n)->now_ns, next = CLOCK_NEVER;

	for (int i = 0; i < NDP_MAX_ROUTERS; i++) {
		struct ndp_router *r = &n->routers[i];

		if (r->addr.len && r->until_ns <= now)
			router_drop(n, r);
		if (r->addr.len)
			earliest(&next, r->until_ns);
	}
	for (int i = 0; i < NDP_MAX_PREFIXES; i++) {
		struct ndp_learnt_prefix *p = &n->prefixes[i];

		if (p->prefix.len && p->until_ns <= now)
			prefix_drop(n, p);
		if (p->prefix.len)
			earliest(&next, p->until_ns);
	}
	age_addrs(n, &next);
	if (next == CLOCK_NEVER)
		timer_disarm(&n->life_timer);
	else
		timer_arm(clock_of(n), &n->life_timer, next);
}

static void life_timeout(struct timer *t)
{
	age(container_of(t, struct ndp_nic, life_timer));
}

void ndp_router_init(struct ndp_nic *n)
{
	timer_init(&n->rs_timer, rs_timeout);
	timer_init(&n->life_timer, life_timeout);
}

void ndp_router_clear(struct ndp_nic *n)
{
	for (int i = 0; i < NDP_MAX_ROUTERS; i++)
		if (n->routers[i].addr.len)
			router_drop(n, &n->routers[i]);
	for (int i = 0; i < NDP_MAX_PREFIXES; i++)
		if (n->prefixes[i].prefix.len)
			prefix_drop(n, &n->prefixes[i]);
	list_for_each_safe(node, &n->addrs) {
		struct ndp_addr *x = container_of(node, struct ndp_addr, list);
		struct addr a = x->addr->addr;

		if (x->addr->origin == ADDR_SLAAC)
			nic_remove_addr(n->nic, &a);
	}
	n->nic->net_mtu[NET_IPV6] = 0;
	ipv6_nic_of(n->nic)->hop_limit = 0;
	timer_disarm(&n->life_timer);
}

static void learn_router(struct ndp_nic *n, const struct addr *from, uint16_t lifetime_s)
{
	struct ndp_router *unused = NULL;
	struct route_row row;

	for (int i = 0; i < NDP_MAX_ROUTERS; i++) {
		struct ndp_router *r = &n->routers[i];

		if (!r->addr.len) {
			unused = unused ? unused : r;
		} else if (addr_equal(&r->addr, from)) {
			if (lifetime_s)
				r->until_ns = lifetime_end(n, lifetime_s);
			else
				router_drop(n, r);
			return;
		}
	}
	if (!lifetime_s || !unused)
		return;
	router_row(n, from, &row);
	if (route_add(n->nic->stack, &row))
		return;
	unused->addr = *from;
	unused->until_ns = lifetime_end(n, lifetime_s);
}

/* The first viable row wins, so default routes must come after the prefix just added. */
static void reappend_routers(struct ndp_nic *n)
{
	for (int i = 0; i < NDP_MAX_ROUTERS; i++) {
		struct ndp_router *r = &n->routers[i];
		struct route_row row;

		if (!r->addr.len)
			continue;
		router_row(n, &r->addr, &row);
		route_remove(n->nic->stack, &row);
		if (route_add(n->nic->stack, &row))
			r->addr.len = 0;
	}
}

static void learn_prefix(struct ndp_nic *n, const struct ndp_prefix *x)
{
	struct addr prefix = addr_prefix_bits(&x->prefix, x->len);
	struct ndp_learnt_prefix *unused = NULL, p;
	struct route_row row;

	for (int i = 0; i < NDP_MAX_PREFIXES; i++) {
		struct ndp_learnt_prefix *have = &n->prefixes[i];

		if (!have->prefix.len) {
			unused = unused ? unused : have;
		} else if (have->len == x->len && addr_equal(&have->prefix, &prefix)) {
			if (x->valid_s)
				have->until_ns = lifetime_end(n, x->valid_s);
			else
				prefix_drop(n, have);
			return;
		}
	}
	if (!x->valid_s || !unused)
		return;
	p = (struct ndp_learnt_prefix){ prefix, x->len, lifetime_end(n, x->valid_s) };
	prefix_row(n, &p, &row);
	if (route_add(n->nic->stack, &row) == NS_OK)
		*unused = p;
	reappend_routers(n);
}

/* RFC 4862, 5.5.3 (e): nobody can end an address's life at once by a forged advertisement. */
static void refresh_addr(struct ndp_nic *n, struct ndp_addr *x, const struct ndp_prefix *p)
{
	int64_t now = clock_of(n)->now_ns, end = lifetime_end(n, p->valid_s);
	int64_t preferred = lifetime_end(n, p->preferred_s);

	if (end > now + TWO_HOURS_NS || end > x->valid_until_ns)
		x->valid_until_ns = end;
	else if (x->valid_until_ns > now + TWO_HOURS_NS)
		x->valid_until_ns = now + TWO_HOURS_NS;
	x->preferred_until_ns = preferred;
	if (preferred > now && x->addr->state == ADDR_DEPRECATED) {
		x->addr->state = ADDR_PREFERRED;
		stack_routes_changed(n->nic->stack);
	}
}

static void autoconfigure(struct ndp_nic *n, const struct ndp_prefix *p)
{
	struct addr_prefix ap = { .prefix_len = 64 };
	struct nic_addr *a;
	struct ndp_addr *x;
	unsigned have = 0;

	/* 5.5.3 (b), (c), (d): the prefix and a 64-bit identifier must add up to an address. */
	if (!p->autonomous || p->len != 64 || p->preferred_s > p->valid_s ||
	    !n->nic->link->addr.len)
		return;
	ap.addr = addr_prefix_bits(&p->prefix, 64);
	ap.addr = ndp_eui64(&ap.addr, &n->nic->link->addr);
	a = nic_find_addr(n->nic, &ap.addr);
	if (a) {
		if (a->origin == ADDR_SLAAC && a->proto)
			refresh_addr(n, a->proto, p);
		return;
	}
	list_for_each(node, &n->addrs)
		have += container_of(node, struct ndp_addr, list)->addr->origin == ADDR_SLAAC;
	if (p->valid_s == 0 || have >= NDP_MAX_PREFIXES ||
	    nic_add_addr(n->nic, &ap, ADDR_SLAAC, &a))
		return;
	x = a->proto;
	if (!x)
		return;
	x->valid_until_ns = lifetime_end(n, p->valid_s);
	x->preferred_until_ns = lifetime_end(n, p->preferred_s);
}

static void ra_options(struct ndp_nic *n, struct pkt *pkt)
{
	struct ndp_opt_iter it = ndp_opts(pkt_data(pkt) + NDP_RA_LEN, pkt->len - NDP_RA_LEN);
	struct nic *nic = n->nic;

	while (ndp_opt_next(&it)) {
		struct ndp_prefix p;
		struct link_addr link;
		uint32_t mtu;

		if (it.type == NDP_OPT_SOURCE_LINK) {
			link = link_addr_from_bytes(it.opt + 2);
			neigh_probe(&nic->neigh[NET_IPV6], &pkt->src, &link);
		} else if (it.type == NDP_OPT_MTU) {
			mtu = be32_load(it.opt + 4);
			if (mtu >= IPV6_MIN_MTU && mtu <= nic->link->mtu &&
			    nic->net_mtu[NET_IPV6] != mtu) {
				nic->net_mtu[NET_IPV6] = mtu;
				nic->stack->pmtu.gen++;
			}
		} else if (it.type == NDP_OPT_PREFIX && ndp_prefix_parse(&p, it.opt, it.len) &&
			   !addr_is_link_local(&p.prefix) && !addr_is_multicast(&p.prefix)) {
			if (p.on_link)
				learn_prefix(n, &p);
			autoconfigure(n, &p);
		}
	}
}

void ndp_ra_rx(struct ndp_nic *n, struct pkt *pkt)
{
	struct neigh_config *nc = &n->nic->neigh[NET_IPV6].config;
	struct ndp_router_advert ra;

	if (!ipv6_of(n->nic->stack)->config.accept_ra || n->nic->forwarding[NET_IPV6])
		return;
	ndp_ra_parse(&ra, pkt_data(pkt), pkt->len);
	if (ra.lifetime_s)
		n->rs_left = 0;
	if (ra.hop_limit)
		ipv6_nic_of(n->nic)->hop_limit = ra.hop_limit;
	/* RFC 4861, 6.2.1: an hour at most; and nothing so small that timers never rest. */
	if (ra.reachable_ms >= 1000 && ra.reachable_ms <= 3600000)
		nc->base_reachable_ns = ra.reachable_ms * NS_PER_MS;
	if (ra.retransmit_ms >= 100 && ra.retransmit_ms <= 60000)
		nc->retransmit_ns = ra.retransmit_ms * NS_PER_MS;
	learn_router(n, &pkt->src, ra.lifetime_s);
	ra_options(n, pkt);
	age(n);
}
