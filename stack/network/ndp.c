/*
 * Neighbour discovery: solicitations, advertisements, and duplicate address detection.
 *
 * Theory of operation. Solicitations and advertisements feed the neighbour cache, which decides.
 * An address of ours starts TENTATIVE where neighbours can be asked (RFC 4862, 5.4): we solicit it
 * from the unspecified address, and when nobody has claimed it after RetransTimer it becomes
 * PREFERRED. If somebody has, it stays, DUPLICATE and unused, for the user to see.
 */
#include "network/ndp.h"

#include <stdlib.h>

#include "network/ipv6_impl.h"

static const struct addr link_local_prefix = { .b = { 0xfe, 0x80 }, .len = ADDR_LEN_V6 };

static struct clock *clock_of(const struct nic *nic)
{
	return nic->stack->clock;
}

static bool asks_neighbours(const struct nic *nic)
{
	return (nic->link->caps & LINK_CAP_RESOLUTION) && !nic_is_loopback(nic);
}

struct addr ndp_eui64(const struct addr *prefix, const struct link_addr *l)
{
	struct addr a = *prefix;
	const uint8_t id[8] = { l->b[0] ^ 2, l->b[1], l->b[2], 0xff, 0xfe, l->b[3], l->b[4], l->b[5] };

	memcpy(a.b + 8, id, 8);
	return a;
}

void ndp_send(struct nic *nic, const struct addr *from, const struct addr *to, struct pkt *pkt)
{
	struct net_tx tx = { .proto = IP_PROTO_ICMPV6, .ttl = NDP_HOP_LIMIT };
	struct route r;

	route_direct(nic, from, to, &r);
	icmpv6_send(&r, pkt, &tx);
	route_release(&r);
}

static void send_ns(struct nic *nic, const struct addr *from, const struct addr *to,
		    const struct addr *target)
{
	bool tell = !addr_is_any(from) && nic->link->addr.len;	/* RFC 4861, 4.3: not in DAD */
	size_t len = NDP_NS_LEN + (tell ? NDP_OPT_LINK_LEN : 0);
	struct pkt *pkt = pkt_alloc(nic->stack->pool, PKT_HEADROOM, len);
	uint8_t *p;

	if (!pkt)
		return;
	p = pkt_put(pkt, len);
	ndp_ns_emit(target, p);
	if (tell)
		ndp_link_addr_emit(NDP_OPT_SOURCE_LINK, &nic->link->addr, p + NDP_NS_LEN);
	ndp_send(nic, from, to, pkt);
}

static void send_na(struct nic *nic, const struct addr *target, const struct addr *to)
{
	bool anonymous = addr_is_any(to);
	struct ndp_neighbor_advert a = {
		.router = nic->forwarding[NET_IPV6], .solicited = !anonymous, .override = true,
		.target = *target,
	};
	size_t len = NDP_NA_LEN + (nic->link->addr.len ? NDP_OPT_LINK_LEN : 0);
	struct pkt *pkt = pkt_alloc(nic->stack->pool, PKT_HEADROOM, len);
	uint8_t *p;

	if (!pkt)
		return;
	p = pkt_put(pkt, len);
	ndp_na_emit(&a, p);
	if (nic->link->addr.len)
		ndp_link_addr_emit(NDP_OPT_TARGET_LINK, &nic->link->addr, p + NDP_NA_LEN);
	ndp_send(nic, target, anonymous ? &addr_v6_all_nodes : to, pkt);
}

void ndp_solicit(struct nic *nic, const struct addr *target, const struct link_addr *to)
{
	struct nic_addr *a = nic_primary_addr(nic, NET_IPV6, target);
	struct addr group = addr_solicited_node(target);

	if (a)
		send_ns(nic, &a->addr, to ? target : &group, target);
}

static void dad_done(struct ndp_addr *x)
{
	struct nic *nic = x->addr->nic;

	x->addr->state = x->preferred_until_ns <= clock_of(nic)->now_ns ? ADDR_DEPRECATED
									 : ADDR_PREFERRED;
	stack_routes_changed(nic->stack);
	/* With the link-local address there, routers can be asked (RFC 4861, 6.3.7). */
	if (x->addr->origin == ADDR_LINK_LOCAL)
		ndp_rs_start(x->owner);
}

static void dad_timeout(struct timer *t)
{
	struct ndp_addr *x = container_of(t, struct ndp_addr, dad_timer);
	struct nic *nic = x->addr->nic;
	struct addr group = addr_solicited_node(&x->addr->addr);

	if (x->probes >= ipv6_of(nic->stack)->config.dad_transmits) {
		dad_done(x);
		return;
	}
	x->probes++;
	timer_arm_in(clock_of(nic), t, nic->neigh[NET_IPV6].config.retransmit_ns);
	send_ns(nic, &addr_v6_any, &group, &x->addr->addr);
}

static void dad_start(struct ndp_addr *x)
{
	struct nic *nic = x->addr->nic;
	int64_t delay = 0;

	if (!ipv6_of(nic->stack)->config.dad_transmits || !asks_neighbours(nic) || !nic->enabled) {
		if (nic->enabled)
			dad_done(x);
		return;
	}
	x->addr->state = ADDR_TENTATIVE;
	x->probes = 0;
	stack_routes_changed(nic->stack);
	/* RFC 4862, 5.4.2: hosts that come up together should not speak together. */
	if (x->addr->origin != ADDR_MANUAL)
		delay = rand_below(&nic->stack->rand, 1000) * NS_PER_MS;
	timer_arm_in(clock_of(nic), &x->dad_timer, delay);
}

static void dad_failed(struct nic_addr *a)
{
	struct ndp_addr *x = a->proto;

	timer_disarm(&x->dad_timer);
	a->state = ADDR_DUPLICATE;
	stack_routes_changed(a->nic->stack);
}

void ndp_addr_added(struct ndp_nic *n, struct nic_addr *a)
{
	struct ndp_addr *x = calloc(1, sizeof(*x));

	if (!x)
		return;		/* then without detection: the address is PREFERRED already */
	x->owner = n;
	x->addr = a;
	x->valid_until_ns = x->preferred_until_ns = CLOCK_NEVER;
	timer_init(&x->dad_timer, dad_timeout);
	list_init(&x->list);
	list_push_back(&n->addrs, &x->list);
	a->proto = x;
	dad_start(x);
}

void ndp_addr_removed(struct ndp_nic *n, struct nic_addr *a)
{
	struct ndp_addr *x = a->proto;

	if (!x)
		return;
	timer_fini(clock_of(n->nic), &x->dad_timer);
	list_remove(&x->list);
	free(x);
	a->proto = NULL;
}

void ndp_nic_init(struct ndp_nic *n, struct nic *nic)
{
	n->nic = nic;
	list_init(&n->addrs);
	ndp_router_init(n);
}

void ndp_nic_fini(struct ndp_nic *n)
{
	timer_fini(clock_of(n->nic), &n->rs_timer);
	timer_fini(clock_of(n->nic), &n->life_timer);
}

static void add_link_local(struct ndp_nic *n)
{
	struct nic *nic = n->nic;
	struct addr_prefix ap = { .prefix_len = 64 };

	if (!ipv6_of(nic->stack)->config.auto_link_local || !nic->link->addr.len)
		return;
	ap.addr = ndp_eui64(&link_local_prefix, &nic->link->addr);
	if (!nic_find_addr(nic, &ap.addr))
		nic_add_addr(nic, &ap, ADDR_LINK_LOCAL, NULL);
}

void ndp_nic_enabled(struct ndp_nic *n, bool enabled)
{
	if (!enabled) {
		timer_disarm(&n->rs_timer);
		list_for_each(node, &n->addrs)
			timer_disarm(&container_of(node, struct ndp_addr, list)->dad_timer);
		ndp_router_clear(n);
		return;
	}
	list_for_each(node, &n->addrs) {
		struct ndp_addr *x = container_of(node, struct ndp_addr, list);

		if (x->addr->state != ADDR_DUPLICATE)
			dad_start(x);
	}
	add_link_local(n);
}

/* RFC 4861, 7.1.1 and 7.2.3; RFC 4862, 5.4.3. */
static bool ns_rx(struct nic *nic, struct pkt *pkt)
{
	const uint8_t *opts = pkt_data(pkt) + NDP_NS_LEN;
	size_t opts_len = pkt->len - NDP_NS_LEN;
	struct link_addr link;
	struct nic_addr *a;
	struct addr target;
	bool dad = addr_is_any(&pkt->src), told;

	if (!ndp_ns_parse(&target, pkt_data(pkt), pkt->len) || addr_is_multicast(&target) ||
	    !ndp_opts_ok(opts, opts_len))
		return false;
	told = ndp_find_link_addr(opts, opts_len, NDP_OPT_SOURCE_LINK, &link);
	if (dad && (told || !addr_is_multicast(&pkt->dst) || pkt->dst.b[11] != 1 ||
		    pkt->dst.b[12] != 0xff))
		return false;
	a = nic_find_addr(nic, &target);
	if (!a || a->state == ADDR_DUPLICATE)
		return true;
	if (a->state == ADDR_TENTATIVE) {
		/* Another asks for the same address: it is nobody's. Our own echo is no other. */
		if (dad && !pkt->looped)
			dad_failed(a);
		return true;
	}
	if (!dad && told)
		neigh_probe(&nic->neigh[NET_IPV6], &pkt->src, &link);
	send_na(nic, &target, &pkt->src);
	return true;
}

/* RFC 4861, 7.1.2 and 7.2.5; RFC 4862, 5.4.4. */
static bool na_rx(struct nic *nic, struct pkt *pkt)
{
	const uint8_t *opts = pkt_data(pkt) + NDP_NA_LEN;
	size_t opts_len = pkt->len - NDP_NA_LEN;
	struct ndp_neighbor_advert na;
	struct neigh_confirm f;
	struct link_addr link;
	struct nic_addr *a;
	bool told;

	if (!ndp_na_parse(&na, pkt_data(pkt), pkt->len) || addr_is_multicast(&na.target) ||
	    (addr_is_multicast(&pkt->dst) && na.solicited) || !ndp_opts_ok(opts, opts_len))
		return false;
	a = nic_find_addr(nic, &na.target);
	if (a) {
		if (a->state == ADDR_TENTATIVE && !pkt->looped)
			dad_failed(a);
		return true;
	}
	told = ndp_find_link_addr(opts, opts_len, NDP_OPT_TARGET_LINK, &link);
	f = (struct neigh_confirm){ na.solicited, na.override, na.router };
	neigh_confirm(&nic->neigh[NET_IPV6], &na.target, told ? &link : NULL, &f);
	return true;
}

/* RFC 4861, 6.1.1 and 6.2.6: we send no advertisements, but learn who asks. */
static bool rs_rx(struct nic *nic, struct pkt *pkt)
{
	const uint8_t *opts = pkt_data(pkt) + NDP_RS_LEN;
	struct link_addr link;

	if (!ndp_opts_ok(opts, pkt->len - NDP_RS_LEN))
		return false;
	if (!addr_is_any(&pkt->src) && nic->forwarding[NET_IPV6] &&
	    ndp_find_link_addr(opts, pkt->len - NDP_RS_LEN, NDP_OPT_SOURCE_LINK, &link))
		neigh_probe(&nic->neigh[NET_IPV6], &pkt->src, &link);
	return true;
}

/* RFC 4861, 8.1 and 8.3. */
static bool redirect_rx(struct nic *nic, struct pkt *pkt)
{
	struct stack *s = nic->stack;
	const uint8_t *opts = pkt_data(pkt) + NDP_REDIRECT_LEN;
	size_t opts_len = pkt->len - NDP_REDIRECT_LEN;
	struct ndp_redirect rd;
	struct route_key key = { 0 };
	struct link_addr link;
	struct route r;

	if (!ndp_redirect_parse(&rd, pkt_data(pkt), pkt->len) || !addr_is_link_local(&pkt->src) ||
	    addr_is_multicast(&rd.dst) || addr_is_any(&rd.dst) || !ndp_opts_ok(opts, opts_len) ||
	    (!addr_is_link_local(&rd.target) && !addr_equal(&rd.target, &rd.dst)))
		return false;
	if (!ipv6_of(s)->config.accept_redirects || nic->forwarding[NET_IPV6] ||
	    addr_is_link_local(&rd.dst) || stack_find_addr(s, &rd.target, 0))
		return true;
	key.remote = rd.dst;
	if (route_find(s, &key, &r))
		return true;
	if (r.nic == nic && !r.loop && addr_equal(&r.next_hop, &pkt->src) &&
	    !addr_equal(&rd.target, &pkt->src)) {
		if (ndp_find_link_addr(opts, opts_len, NDP_OPT_TARGET_LINK, &link))
			neigh_probe(&nic->neigh[NET_IPV6], &rd.target, &link);
		redirect_learn(&s->redirects, &rd.dst, nic->id, &pkt->src, &rd.target);
		stat_inc(&s->stats.ip.redirects_followed);
	}
	route_release(&r);
	return true;
}

bool ndp_rx(struct nic *nic, struct pkt *pkt, const struct icmp_hdr *h)
{
	static const uint8_t min_len[] = {
		[ICMPV6_ROUTER_SOLICIT - 133] = NDP_RS_LEN, [ICMPV6_ROUTER_ADVERT - 133] = NDP_RA_LEN,
		[ICMPV6_NEIGHBOR_SOLICIT - 133] = NDP_NS_LEN,
		[ICMPV6_NEIGHBOR_ADVERT - 133] = NDP_NA_LEN,
		[ICMPV6_REDIRECT - 133] = NDP_REDIRECT_LEN,
	};

	/* Hop limit 255 proves that it comes from this link (RFC 4861, 3.1). */
	if (pkt->hop_limit != NDP_HOP_LIMIT || h->code != 0 || pkt->len < min_len[h->type - 133] ||
	    !pkt_pullup(pkt, pkt->len))
		return false;
	switch (h->type) {
	case ICMPV6_NEIGHBOR_SOLICIT:
		return ns_rx(nic, pkt);
	case ICMPV6_NEIGHBOR_ADVERT:
		return na_rx(nic, pkt);
	case ICMPV6_ROUTER_SOLICIT:
		return rs_rx(nic, pkt);
	case ICMPV6_ROUTER_ADVERT:
		if (!addr_is_link_local(&pkt->src) ||
		    !ndp_opts_ok(pkt_data(pkt) + NDP_RA_LEN, pkt->len - NDP_RA_LEN))
			return false;
		ndp_ra_rx(&ipv6_nic_of(nic)->ndp, pkt);
		return true;
	default:
		return redirect_rx(nic, pkt);
	}
}
