/*
 * IPv6: the way in, and forwarding.
 *
 * Theory of operation. As for IPv4, with a chain of extension headers between the header and the
 * transport's. Hop-by-hop options are looked at first, by every node; what is for this stack has
 * the rest of its chain worked off one header at a time, each at least eight bytes, so that the
 * work is bounded by the packet's length. @nh_off is where the byte lies that named the present
 * header: what an ICMP parameter problem points to.
 */
#include "network/ipv6.h"

#include <stdlib.h>

#include "base/byteorder.h"
#include "core/gso.h"
#include "header/eth.h"
#include "network/ipv6_impl.h"

#define REASM_TIMEOUT_NS (60 * NS_PER_SEC)	/* RFC 8200, 4.5 */

enum { MAX_EXT_HEADERS = 8 };	/* RFC 8504, 5.3: nodes may limit what they look at */

static uint32_t depth(const struct pkt *pkt)
{
	return pkt->off - pkt->net_off;
}

static void malformed(struct nic *nic, struct pkt *pkt)
{
	stats_malformed(&nic->stack->stats, &nic->stack->stats.ip.malformed_packets_received);
	pkt_free(pkt);
}

static void param_problem(struct nic *nic, struct pkt *pkt, uint8_t code, uint32_t pointer)
{
	icmpv6_send_error(nic, pkt, ICMPV6_PARAM_PROBLEM, code, pointer);
	malformed(nic, pkt);
}

/* An options header at the front of @pkt; false if the packet was dropped (RFC 8200, 4.2). */
static bool options_ok(struct nic *nic, struct pkt *pkt, size_t len)
{
	struct ipv6_opt_iter it = ipv6_opts(pkt_data(pkt), len);

	while (ipv6_opt_next(&it)) {
		enum ipv6_opt_action action = ipv6_opt_action(it.type);
		uint32_t pointer = depth(pkt) + (uint32_t)(it.data - 2 - it.start);

		if (it.type == IPV6_OPT_ROUTER_ALERT || action == IPV6_OPT_SKIP)
			continue;
		stat_inc(&nic->stack->stats.ip.options_unknown_received);
		if (action == IPV6_OPT_DISCARD_ICMP ||
		    (action == IPV6_OPT_DISCARD_ICMP_UNICAST && !addr_is_multicast(&pkt->dst)))
			icmpv6_send_error(nic, pkt, ICMPV6_PARAM_PROBLEM, ICMPV6_PARAM_OPTION,
					  pointer);
		pkt_free(pkt);
		return false;
	}
	if (it.bad)
		malformed(nic, pkt);
	return !it.bad;
}

/* RFC 8200, 4.4: with segments left we would have to forward, which no type we know asks for. */
static bool routing_ok(struct nic *nic, struct pkt *pkt)
{
	if (pkt_data(pkt)[3] == 0)
		return true;
	param_problem(nic, pkt, ICMPV6_PARAM_HEADER, depth(pkt) + 2);
	return false;
}

/* The next header of a reassembled packet's last unfragmentable header is the fragment's. */
static void patch_next_header(struct pkt *pkt, uint8_t next)
{
	uint8_t *p = pkt_net_hdr(pkt), *nh = p + 6;
	size_t off = IPV6_HDR_LEN, len = depth(pkt);

	while (*nh != IP_PROTO_FRAGMENT && off + 8 <= len) {
		nh = p + off;
		off += (p[off + 1] + 1u) * 8;
	}
	*nh = next;
	be16_store(p + 4, (uint16_t)(pkt->len + len - IPV6_HDR_LEN));
}

/* A fragment header at the front; the whole packet if this completes it, else NULL. */
static struct pkt *fragment_rx(struct nic *nic, struct pkt *pkt, uint8_t *next, uint32_t *nh_off)
{
	struct reasm_key key = { .src = pkt->src, .dst = pkt->dst };
	struct ipv6_frag h;
	struct reasm_frag f;

	ipv6_frag_parse(&h, pkt_data(pkt), pkt->head_len);
	f = (struct reasm_frag){ h.off, pkt->len - IPV6_FRAG_LEN, h.more, (uint16_t)depth(pkt) };
	if (h.more && f.len % 8) {		/* RFC 8200, 4.5: pointer to the payload length */
		stat_inc(&nic->stack->stats.ip.malformed_fragments_received);
		param_problem(nic, pkt, ICMPV6_PARAM_HEADER, 4);
		return NULL;
	}
	if (f.off + f.len + f.hdr_len - IPV6_HDR_LEN > 65535) {
		stat_inc(&nic->stack->stats.ip.malformed_fragments_received);
		param_problem(nic, pkt, ICMPV6_PARAM_HEADER, depth(pkt) + 2);
		return NULL;
	}
	if (h.off == 0 && !h.more) {		/* atomic: RFC 6946 */
		*next = h.next;
		*nh_off = depth(pkt);
		pkt_pull(pkt, IPV6_FRAG_LEN);
		return pkt;
	}
	key.id = h.id;
	pkt->trans_proto = h.next;
	pkt_pull(pkt, IPV6_FRAG_LEN);
	pkt = reasm_add(&ipv6_of(nic->stack)->reasm, &key, &f, pkt);
	if (!pkt)
		return NULL;
	*next = pkt->trans_proto;
	*nh_off = 6;
	patch_next_header(pkt, *next);
	return pkt;
}

static void deliver(struct nic *nic, struct pkt *pkt, uint8_t proto, uint32_t nh_off)
{
	struct stack *s = nic->stack;
	bool unknown, raw;

	pkt->trans_proto = proto;
	pkt->trans_off = (uint16_t)pkt->off;
	if (hook_any(&s->hooks, HOOK_INPUT) &&
	    hook_ask(&s->hooks, HOOK_INPUT, pkt, nic, NULL) != HOOK_ACCEPT) {
		stat_inc(&s->stats.ip.hook_dropped);
		pkt_free(pkt);
		return;
	}
	raw = raw_taps(&s->taps, NET_IPV6, nic, pkt);
	if (proto == IP_PROTO_ICMPV6) {
		icmpv6_rx(nic, pkt);
		return;
	}
	if (proto == IP_PROTO_NONE) {
		pkt_free(pkt);
		return;
	}
	/* ICMP without the 6, IGMP and a late hop-by-hop header are as unknown as any other. */
	unknown = true;
	if (proto != IP_PROTO_HOPOPT && proto != IP_PROTO_ICMP && proto != IP_PROTO_IGMP &&
	    stack_deliver(nic, pkt, &unknown) == TRANS_RX_TAKEN)
		return;
	if (unknown && !raw)
		icmpv6_send_error(nic, pkt, ICMPV6_PARAM_PROBLEM, ICMPV6_PARAM_NEXT_HEADER, nh_off);
	else if (!unknown)
		icmpv6_send_error(nic, pkt, ICMPV6_DST_UNREACHABLE, ICMPV6_PORT_UNREACHABLE, 0);
	pkt_free(pkt);
}

static void local_rx(struct nic *nic, struct pkt *pkt, uint8_t next, uint32_t nh_off)
{
	for (int n = 0; n < MAX_EXT_HEADERS; n++) {
		size_t len;

		switch (next) {
		case IP_PROTO_ROUTING:
		case IP_PROTO_DSTOPTS:
			if (!pkt_pullup(pkt, 8) ||
			    !pkt_pullup(pkt, (pkt_data(pkt)[1] + 1u) * 8)) {
				malformed(nic, pkt);
				return;
			}
			len = (pkt_data(pkt)[1] + 1u) * 8;
			if (!(next == IP_PROTO_ROUTING ? routing_ok(nic, pkt)
						       : options_ok(nic, pkt, len)))
				return;
			next = pkt_data(pkt)[0];
			nh_off = depth(pkt);
			pkt_pull(pkt, len);
			break;
		case IP_PROTO_FRAGMENT:
			if (!pkt_pullup(pkt, IPV6_FRAG_LEN)) {
				malformed(nic, pkt);
				return;
			}
			pkt = fragment_rx(nic, pkt, &next, &nh_off);
			if (!pkt)
				return;
			break;
		default:
			deliver(nic, pkt, next, nh_off);
			return;
		}
	}
	param_problem(nic, pkt, ICMPV6_PARAM_NEXT_HEADER, nh_off);
}

static bool for_us(struct nic *nic, const struct pkt *pkt)
{
	struct stack *s = nic->stack;

	if (addr_is_multicast(&pkt->dst))
		return nic_wants_group(nic, &pkt->dst, &pkt->src);
	/* Not the tentative ones: what NDP has to say about those comes to groups (RFC 4862, 5.4). */
	if (stack_find_addr(s, &pkt->dst, nic->id))
		return true;
	if (addr_is_link_local(&pkt->dst))
		return nic->promiscuous;
	if ((pkt->looped || nic->forwarding[NET_IPV6]) && stack_find_addr(s, &pkt->dst, 0))
		return true;
	return nic->promiscuous;
}

/* RFC 8200, 5: routers don't fragment; but what they put together themselves goes as it came. */
static bool too_big(struct pkt *pkt, uint32_t mtu)
{
	if (pkt->is_frag_assembled && ipv6_may_fragment(pkt))
		return false;
	return (pkt->gso ? gso_segment_len(pkt) : pkt->len) > mtu;
}

static void ipv6_forward(struct nic *nic, struct pkt *pkt)
{
	struct stack *s = nic->stack;
	struct route_key key = { .remote = pkt->dst, .forwarded = true };
	struct route r;

	if (pkt->type != PKT_HOST || addr_is_multicast(&pkt->dst) || addr_is_any(&pkt->src) ||
	    addr_is_link_local(&pkt->src) || addr_is_link_local(&pkt->dst) ||
	    addr_is_loopback(&pkt->dst)) {
		stat_inc(&s->stats.ip.invalid_addresses_received);
		pkt_free(pkt);
		return;
	}
	r.nic = NULL;
	r.neigh = NULL;
	if (pkt->hop_limit <= 1) {
		icmpv6_send_error(nic, pkt, ICMPV6_TIME_EXCEEDED, ICMP_TTL_EXCEEDED, 0);
	} else if (route_find(s, &key, &r)) {
		icmpv6_send_error(nic, pkt, ICMPV6_DST_UNREACHABLE, ICMPV6_NO_ROUTE, 0);
	} else if (too_big(pkt, route_mtu(&r))) {
		icmpv6_send_error(nic, pkt, ICMPV6_PACKET_TOO_BIG, 0, route_mtu(&r));
	} else if (hook_any(&s->hooks, HOOK_FORWARD) &&
		   hook_ask(&s->hooks, HOOK_FORWARD, pkt, nic, r.nic) != HOOK_ACCEPT) {
		stat_inc(&s->stats.ip.hook_dropped);
	} else if (pkt_writable(pkt)) {
		pkt_net_hdr(pkt)[7]--;
		stat_inc(&s->stats.ip.packets_forwarded);
		if (ipv6_send_forwarded(&r, pkt))
			stat_inc(&s->stats.ip.forwarding_errors);
		route_release(&r);
		return;
	}
	stat_inc(&s->stats.ip.forwarding_errors);
	route_release(&r);
	pkt_free(pkt);
}

static bool ipv6_check(struct nic *nic, struct pkt *pkt, struct ipv6_hdr *h)
{
	struct ip_stats *st = &nic->stack->stats.ip;

	stat_inc(&st->packets_received);
	if (!pkt_pullup(pkt, IPV6_HDR_LEN) || !ipv6_parse(h, pkt_data(pkt), pkt->len)) {
		malformed(nic, pkt);
		return false;
	}
	pkt_trim(pkt, IPV6_HDR_LEN + (size_t)h->payload_len);
	pkt->net_off = (uint16_t)pkt->off;
	pkt->src = h->src;
	pkt->dst = h->dst;
	pkt->trans_proto = h->next;
	pkt->hop_limit = h->hop_limit;
	pkt->tos = h->traffic_class;
	/* RFC 4291, 2.5.2, 2.5.3, 2.7; v4-mapped ones on the wire are an attack (RFC 4942, 2.2). */
	if (addr_is_multicast(&h->src) || addr_is_any(&h->dst) || addr_is_v4_mapped(&h->src) ||
	    addr_is_v4_mapped(&h->dst) ||
	    (!pkt->looped && !nic_is_loopback(nic) &&
	     (addr_is_loopback(&h->src) || addr_is_loopback(&h->dst)))) {
		stat_inc(&st->invalid_source_addresses_received);
		pkt_free(pkt);
		return false;
	}
	return true;
}

/* The whole datagram, header first, if @pkt completes it: for filters that want no fragments. What is
 * no fragment, or makes no sense, comes back as it is. */
static struct pkt *ipv6_defrag(struct nic *nic, struct pkt *pkt, struct ipv6_hdr *h)
{
	uint8_t next = h->next;
	size_t off = IPV6_HDR_LEN;
	struct ipv6_frag f;
	uint32_t nh_off;

	for (int n = 0; next != IP_PROTO_FRAGMENT; n++) {
		if (n == MAX_EXT_HEADERS || (next != IP_PROTO_HOPOPT && next != IP_PROTO_ROUTING &&
					     next != IP_PROTO_DSTOPTS))
			return pkt;
		if (!pkt_pullup(pkt, off + 8))
			return pkt;
		next = pkt_data(pkt)[off];
		off += (pkt_data(pkt)[off + 1] + 1u) * 8;
	}
	if (!pkt_pullup(pkt, off + IPV6_FRAG_LEN))
		return pkt;
	ipv6_frag_parse(&f, pkt_data(pkt) + off, IPV6_FRAG_LEN);
	if (f.off == 0 && !f.more)
		return pkt;
	pkt_pull(pkt, off);
	pkt = fragment_rx(nic, pkt, &next, &nh_off);
	if (!pkt)
		return NULL;
	if (pkt_push(pkt, depth(pkt)) && ipv6_parse(h, pkt_data(pkt), pkt->len)) {
		pkt->trans_proto = h->next;
		return pkt;
	}
	malformed(nic, pkt);
	return NULL;
}

static void ipv6_rx(struct nic *nic, struct pkt *pkt)
{
	struct stack *s = nic->stack;
	struct ipv6_hdr h;
	uint32_t nh_off = 6;
	bool local;

	if (!ipv6_check(nic, pkt, &h))
		return;
	if (s->hooks.defrag[NET_IPV6]) {
		pkt = ipv6_defrag(nic, pkt, &h);
		if (!pkt)
			return;
	}
	if (hook_any(&s->hooks, HOOK_PREROUTING) &&
	    hook_ask(&s->hooks, HOOK_PREROUTING, pkt, nic, NULL) != HOOK_ACCEPT) {
		stat_inc(&s->stats.ip.hook_dropped);
		pkt_free(pkt);
		return;
	}
	local = for_us(nic, pkt);
	if (!local && nic->forwarding[NET_IPV6] && h.next != IP_PROTO_HOPOPT) {
		ipv6_forward(nic, pkt);
		return;
	}
	if (!local && !nic->forwarding[NET_IPV6]) {
		stat_inc(&s->stats.ip.invalid_addresses_received);
		pkt_free(pkt);
		return;
	}
	pkt_pull(pkt, IPV6_HDR_LEN);
	if (h.next == IP_PROTO_HOPOPT) {
		size_t len;

		if (!pkt_pullup(pkt, 8) || !pkt_pullup(pkt, (pkt_data(pkt)[1] + 1u) * 8)) {
			malformed(nic, pkt);
			return;
		}
		len = (pkt_data(pkt)[1] + 1u) * 8;
		if (!options_ok(nic, pkt, len))
			return;
		if (!local) {
			pkt_push(pkt, IPV6_HDR_LEN);
			ipv6_forward(nic, pkt);
			return;
		}
		h.next = pkt_data(pkt)[0];
		nh_off = depth(pkt);
		pkt_pull(pkt, len);
	}
	local_rx(nic, pkt, h.next, nh_off);
}

static void ipv6_reject(struct nic *nic, struct pkt *pkt, enum net_reject why)
{
	static const uint8_t codes[] = {
		[NET_REJECT_PORT] = ICMPV6_PORT_UNREACHABLE,
		[NET_REJECT_PROTOCOL] = ICMPV6_PORT_UNREACHABLE,
		[NET_REJECT_HOST] = ICMPV6_ADDR_UNREACHABLE,
		[NET_REJECT_NET] = ICMPV6_NO_ROUTE,
		[NET_REJECT_ADMIN] = ICMPV6_ADMIN_PROHIBITED,
		[NET_REJECT_NET_PROHIBITED] = ICMPV6_ADMIN_PROHIBITED,
		[NET_REJECT_HOST_PROHIBITED] = ICMPV6_ADMIN_PROHIBITED,
		[NET_REJECT_POLICY] = ICMPV6_POLICY_FAILED,
		[NET_REJECT_ROUTE] = ICMPV6_REJECT_ROUTE,
	};

	icmpv6_send_error(nic, pkt, ICMPV6_DST_UNREACHABLE, codes[why], 0);
}

static void ipv6_expired(struct reasm *r, struct pkt *first)
{
	struct nic *nic = nic_find(r->stack, first->nic_id);

	if (nic)
		icmpv6_send_error(nic, first, ICMPV6_TIME_EXCEEDED, ICMP_REASSEMBLY_EXCEEDED, 0);
}

static void *ipv6_stack_attach(struct stack *s)
{
	struct ipv6_stack *v6 = calloc(1, sizeof(*v6));

	if (!v6)
		return NULL;
	v6->stack = s;
	v6->config = (struct ipv6_config){
		.dad_transmits = 1, .rs_transmits = 3, .accept_ra = true, .auto_link_local = true,
		.accept_redirects = true,
	};
	v6->frag_counter = rand_u32(&s->rand);
	reasm_init(&v6->reasm, s, REASM_TIMEOUT_NS, ipv6_expired);
	return v6;
}

static void ipv6_stack_detach(struct stack *s, void *state)
{
	struct ipv6_stack *v6 = state;

	(void)s;
	reasm_fini(&v6->reasm);
	free(v6);
}

struct ipv6_config ipv6_config_get(const struct stack *s)
{
	return ipv6_of(s)->config;
}

void ipv6_config_set(struct stack *s, const struct ipv6_config *c)
{
	ipv6_of(s)->config = *c;
}

static void *ipv6_nic_attach(struct nic *nic)
{
	struct ipv6_nic *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	member_init(&n->members, nic, NET_IPV6, &mld_member_ops);
	ndp_nic_init(&n->ndp, nic);
	return n;
}

static void ipv6_nic_detach(struct nic *nic, void *state)
{
	struct ipv6_nic *n = state;

	(void)nic;
	ndp_nic_fini(&n->ndp);
	member_fini(&n->members);
	free(n);
}

static void ipv6_nic_enabled(struct nic *nic, bool enabled)
{
	struct ipv6_nic *n = ipv6_nic_of(nic);

	if (enabled)
		nic_join_group(nic, &addr_v6_all_nodes);
	member_enabled(&n->members, enabled);
	ndp_nic_enabled(&n->ndp, enabled);
	if (!enabled)
		nic_leave_group(nic, &addr_v6_all_nodes);
}

static void ipv6_addr_added(struct nic *nic, struct nic_addr *a)
{
	struct addr group = addr_solicited_node(&a->addr);

	nic_join_group(nic, &group);
	ndp_addr_added(&ipv6_nic_of(nic)->ndp, a);
}

static void ipv6_addr_removed(struct nic *nic, struct nic_addr *a)
{
	struct addr group = addr_solicited_node(&a->addr);

	ndp_addr_removed(&ipv6_nic_of(nic)->ndp, a);
	nic_leave_group(nic, &group);
}

static void ipv6_group_changed(struct nic *nic, const struct nic_group *g)
{
	member_changed(&ipv6_nic_of(nic)->members, g);
}

const struct net_proto_ops ipv6_proto = {
	.name = "ipv6",
	.number = ETH_TYPE_IPV6,
	.index = NET_IPV6,
	.resolves = NET_IPV6,
	.default_ttl = 64,
	.stack_attach = ipv6_stack_attach,
	.stack_detach = ipv6_stack_detach,
	.nic_attach = ipv6_nic_attach,
	.nic_detach = ipv6_nic_detach,
	.nic_enabled = ipv6_nic_enabled,
	.rx = ipv6_rx,
	.tx = ipv6_tx,
	.reject = ipv6_reject,
	.addr_added = ipv6_addr_added,
	.addr_removed = ipv6_addr_removed,
	.group_changed = ipv6_group_changed,
	.solicit = ndp_solicit,
};
