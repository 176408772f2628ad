/*
 * IPv4: the way in, and forwarding.
 *
 * Theory of operation. ipv4_rx() checks the header, asks the prerouting hooks, and decides: for
 * this stack (an address of the NIC it came by, a group it is in, a broadcast), to be forwarded, or
 * nobody's. What is ours is put together if it is a fragment, passes the input hooks, and goes to
 * ICMP, IGMP or the transport protocol. What is not goes out again with its own header, TTL less one.
 */
#include "network/ipv4.h"

#include <stdlib.h>

#include "base/byteorder.h"
#include "base/cksum.h"
#include "core/gso.h"
#include "header/eth.h"
#include "header/icmp.h"
#include "network/ipv4_impl.h"

#define REASM_TIMEOUT_NS (30 * NS_PER_SEC)	/* as Linux; RFC 1122 3.3.2 says 60 to 120 */

/* Options are checked for what lies; source routes are refused (RFC 7126, 4.3 and 4.4). */
static bool options_ok(struct nic *nic, struct pkt *pkt, const struct ipv4_hdr *h)
{
	const uint8_t *p = pkt_net_hdr(pkt);
	struct ipv4_opt_iter it = ipv4_opts(p, h->hdr_len);

	while (ipv4_opt_next(&it)) {
		uint8_t fault = ipv4_opt_fault(it.opt, it.len);

		if (fault) {
			it.p = it.opt + fault - 1;
			it.bad = true;
			break;
		}
		if (it.type != IPV4_OPT_LSRR && it.type != IPV4_OPT_SSRR)
			continue;
		icmpv4_send_error(nic, pkt, ICMPV4_DST_UNREACHABLE, ICMPV4_SRC_ROUTE_FAILED, 0);
		stat_inc(&nic->stack->stats.ip.options_unknown_received);
		return false;
	}
	if (!it.bad)
		return true;
	icmpv4_send_error(nic, pkt, ICMPV4_PARAM_PROBLEM, 0, (uint32_t)(it.p + 1 - p) << 24);
	stats_malformed(&nic->stack->stats, &nic->stack->stats.ip.malformed_packets_received);
	return false;
}

/* RFC 1122, 3.2.1.3: who may never be a source, and what never comes over a wire. */
static bool source_ok(const struct nic *nic, const struct pkt *pkt)
{
	if (addr_is_multicast(&pkt->src) || addr_is_v4_broadcast(&pkt->src))
		return false;
	if (pkt->looped || nic_is_loopback(nic))
		return true;
	return !addr_is_loopback(&pkt->src) && !addr_is_loopback(&pkt->dst) &&
	       !nic_is_broadcast(nic, &pkt->src);
}

static bool for_us(struct nic *nic, const struct pkt *pkt)
{
	struct stack *s = nic->stack;

	if (stack_find_addr(s, &pkt->dst, nic->id))
		return true;
	if (addr_is_multicast(&pkt->dst))
		return nic_wants_group(nic, &pkt->dst, &pkt->src);
	if (nic_is_broadcast(nic, &pkt->dst))
		return true;
	/* Looped packets were routed here; with forwarding, any of our addresses will do. */
	if ((pkt->looped || nic->forwarding[NET_IPV4]) && stack_find_addr(s, &pkt->dst, 0))
		return true;
	if (nic_is_loopback(nic) && addr_is_loopback(&pkt->dst))
		return true;	/* all of 127/8 (RFC 1122, 3.2.1.3 (g)) */
	return nic->promiscuous;
}

/* Whether the packet may leave by @r; if not, its sender has been told what is to be told. */
static bool may_forward(struct nic *nic, struct pkt *pkt, const struct ipv4_hdr *h, struct route *r)
{
	struct stack *s = nic->stack;
	uint32_t mtu = route_mtu(r);

	if (r->kind != ROUTE_UNICAST) {	/* RFC 2644: no directed broadcasts from outside */
		stat_inc(&s->stats.ip.invalid_addresses_received);
		return false;
	}
	if ((pkt->gso ? gso_segment_len(pkt) : pkt->len) > mtu && h->dont_fragment) {
		icmpv4_send_error(nic, pkt, ICMPV4_DST_UNREACHABLE, ICMPV4_FRAG_NEEDED,
				  mtu > 0xffff ? 0xffff : mtu);
		stat_inc(&s->stats.ip.forwarding_errors);
		return false;
	}
	if (hook_any(&s->hooks, HOOK_FORWARD) &&
	    hook_ask(&s->hooks, HOOK_FORWARD, pkt, nic, r->nic) != HOOK_ACCEPT) {
		stat_inc(&s->stats.ip.hook_dropped);
		return false;
	}
	if (pkt_writable(pkt))
		return true;
	stat_inc(&s->stats.ip.forwarding_errors);
	return false;
}

static void decrement_ttl(uint8_t *p)
{
	uint16_t from, to, sum;

	memcpy(&from, p + 8, 2);
	p[8]--;
	memcpy(&to, p + 8, 2);
	memcpy(&sum, p + 10, 2);
	sum = cksum_update(sum, from, to);
	memcpy(p + 10, &sum, 2);
}

/* Who forwards writes the address it sends from (RFC 1812, 5.3.13.5 and 5.3.13.6). */
static void record_options(struct route *r, struct pkt *pkt, uint8_t hdr_len)
{
	struct nic_addr *a = nic_primary_addr(r->nic, NET_IPV4, &pkt->dst);
	uint8_t *p = pkt_net_hdr(pkt);

	if (!a)
		return;
	ipv4_opts_record(r->stack, p + IPV4_HDR_LEN, hdr_len - (size_t)IPV4_HDR_LEN, &a->addr, false);
	ipv4_set_cksum(p, hdr_len);
}

static void ipv4_forward(struct nic *nic, struct pkt *pkt, const struct ipv4_hdr *h)
{
	struct stack *s = nic->stack;
	struct route_key key = { .remote = pkt->dst, .forwarded = true };
	struct route r = { 0 };

	/* Link-layer broadcasts and link-local addresses stay on their link (RFC 1812, 5.3.4; RFC 3927, 2.7). */
	if (pkt->type != PKT_HOST || addr_is_multicast(&pkt->dst) ||
	    addr_is_link_local(&pkt->src) || addr_is_link_local(&pkt->dst)) {
		stat_inc(&s->stats.ip.invalid_addresses_received);
	} else if (h->ttl <= 1) {
		icmpv4_send_error(nic, pkt, ICMPV4_TIME_EXCEEDED, ICMP_TTL_EXCEEDED, 0);
		stat_inc(&s->stats.ip.forwarding_errors);
	} else if (route_find(s, &key, &r)) {
		icmpv4_send_error(nic, pkt, ICMPV4_DST_UNREACHABLE, ICMPV4_NET_UNREACHABLE, 0);
		stat_inc(&s->stats.ip.forwarding_errors);
	} else if (may_forward(nic, pkt, h, &r)) {
		decrement_ttl(pkt_net_hdr(pkt));
		if (h->hdr_len > IPV4_HDR_LEN)
			record_options(&r, pkt, h->hdr_len);
		stat_inc(&s->stats.ip.packets_forwarded);
		if (ipv4_send_parts(&r, pkt, route_mtu(&r)))
			stat_inc(&s->stats.ip.forwarding_errors);
		pkt = NULL;
	}
	route_release(&r);
	pkt_free(pkt);
}

void ipv4_deliver(struct nic *nic, struct pkt *pkt)
{
	struct stack *s = nic->stack;
	bool unknown, raw;

	if (hook_any(&s->hooks, HOOK_INPUT) &&
	    hook_ask(&s->hooks, HOOK_INPUT, pkt, nic, NULL) != HOOK_ACCEPT) {
		stat_inc(&s->stats.ip.hook_dropped);
		pkt_free(pkt);
		return;
	}
	pkt->trans_off = (uint16_t)pkt->off;
	raw = raw_taps(&s->taps, NET_IPV4, nic, pkt);
	if (pkt->trans_proto == IP_PROTO_ICMP) {
		icmpv4_rx(nic, pkt);
		return;
	}
	if (pkt->trans_proto == IP_PROTO_IGMP) {
		igmp_rx(nic, pkt);
		return;
	}
	if (stack_deliver(nic, pkt, &unknown) == TRANS_RX_TAKEN)
		return;
	if (!unknown)
		icmpv4_send_error(nic, pkt, ICMPV4_DST_UNREACHABLE, ICMPV4_PORT_UNREACHABLE, 0);
	else if (!raw)
		icmpv4_send_error(nic, pkt, ICMPV4_DST_UNREACHABLE, ICMPV4_PROTO_UNREACHABLE, 0);
	pkt_free(pkt);
}

static struct pkt *ipv4_reassemble(struct nic *nic, struct pkt *pkt, const struct ipv4_hdr *h)
{
	struct reasm_key key = { pkt->src, pkt->dst, h->id, h->proto };
	struct reasm_frag f = { h->frag_off, pkt->len, h->more_fragments, h->hdr_len };
	struct pkt *whole = reasm_add(&ipv4_of(nic->stack)->reasm, &key, &f, pkt);
	size_t hdr_len;
	uint8_t *p;

	if (!whole)
		return NULL;
	/* The header of the whole: its length, no fragment fields (for hooks and ICMP quotes). */
	p = pkt_net_hdr(whole);
	hdr_len = (p[0] & 0xfu) * 4;
	be16_store(p + 2, (uint16_t)(whole->len + hdr_len));
	p[6] = p[7] = 0;
	ipv4_set_cksum(p, hdr_len);
	return whole;
}

/* The whole datagram, header first, if @pkt completes it: for filters that want no fragments. */
static struct pkt *ipv4_defrag(struct nic *nic, struct pkt *pkt, struct ipv4_hdr *h)
{
	size_t hdr_len;

	pkt_pull(pkt, h->hdr_len);
	pkt = ipv4_reassemble(nic, pkt, h);
	if (!pkt)
		return NULL;
	hdr_len = pkt->off - pkt->net_off;
	if (pkt_push(pkt, hdr_len) && ipv4_parse(h, pkt_data(pkt), pkt->len))
		return pkt;
	pkt_free(pkt);
	return NULL;
}

/* RFC 1122, 3.2.1.8 (e): the destination stamps before it passes the datagram on; and, as elsewhere,
 * records its address (RFC 791, 3.1). */
static void record_arrival(struct nic *nic, struct pkt *pkt, uint8_t hdr_len)
{
	bool shared = addr_is_multicast(&pkt->dst) || nic_is_broadcast(nic, &pkt->dst);
	struct nic_addr *a = shared ? nic_primary_addr(nic, NET_IPV4, &pkt->src) : NULL;
	const struct addr *own = a ? &a->addr : &pkt->dst;
	uint8_t *p;

	if ((shared && !a) || !pkt_writable(pkt))
		return;
	p = pkt_net_hdr(pkt);
	ipv4_opts_record(nic->stack, p + IPV4_HDR_LEN, hdr_len - (size_t)IPV4_HDR_LEN, own, false);
	ipv4_set_cksum(p, hdr_len);
}

static void ipv4_local(struct nic *nic, struct pkt *pkt, const struct ipv4_hdr *h)
{
	if (h->hdr_len > IPV4_HDR_LEN)
		record_arrival(nic, pkt, h->hdr_len);
	pkt_pull(pkt, h->hdr_len);
	if (h->more_fragments || h->frag_off) {
		pkt = ipv4_reassemble(nic, pkt, h);
		if (!pkt)
			return;
	}
	ipv4_deliver(nic, pkt);
}

static bool ipv4_check(struct nic *nic, struct pkt *pkt, struct ipv4_hdr *h)
{
	struct stats *st = &nic->stack->stats;

	stat_inc(&st->ip.packets_received);
	if (!pkt_pullup(pkt, IPV4_HDR_LEN) ||
	    !pkt_pullup(pkt, (pkt_data(pkt)[0] & 0xfu) * 4) ||
	    !ipv4_parse(h, pkt_data(pkt), pkt->len) ||
	    (!pkt->looped && !ipv4_cksum_ok(pkt_data(pkt), h->hdr_len))) {
		stats_malformed(st, &st->ip.malformed_packets_received);
		return false;
	}
	pkt_trim(pkt, h->total_len);
	pkt->net_off = (uint16_t)pkt->off;
	pkt->src = h->src;
	pkt->dst = h->dst;
	pkt->trans_proto = h->proto;
	pkt->hop_limit = h->ttl;
	pkt->tos = h->tos;
	if (!source_ok(nic, pkt)) {
		stat_inc(&st->ip.invalid_source_addresses_received);
		return false;
	}
	return h->hdr_len == IPV4_HDR_LEN || options_ok(nic, pkt, h);
}

static void ipv4_rx(struct nic *nic, struct pkt *pkt)
{
	struct stack *s = nic->stack;
	struct ipv4_hdr h;

	if (!ipv4_check(nic, pkt, &h)) {
		pkt_free(pkt);
		return;
	}
	if (s->hooks.defrag[NET_IPV4] && (h.more_fragments || h.frag_off)) {
		pkt = ipv4_defrag(nic, pkt, &h);
		if (!pkt)
			return;
	}
	if (hook_any(&s->hooks, HOOK_PREROUTING) &&
	    hook_ask(&s->hooks, HOOK_PREROUTING, pkt, nic, NULL) != HOOK_ACCEPT) {
		stat_inc(&s->stats.ip.hook_dropped);
		pkt_free(pkt);
		return;
	}
	if (for_us(nic, pkt)) {
		ipv4_local(nic, pkt, &h);
		return;
	}
	if (nic->forwarding[NET_IPV4]) {
		ipv4_forward(nic, pkt, &h);
		return;
	}
	stat_inc(&s->stats.ip.invalid_addresses_received);
	pkt_free(pkt);
}

static void ipv4_reject(struct nic *nic, struct pkt *pkt, enum net_reject why)
{
	static const uint8_t codes[] = {
		[NET_REJECT_PORT] = ICMPV4_PORT_UNREACHABLE,
		[NET_REJECT_PROTOCOL] = ICMPV4_PROTO_UNREACHABLE,
		[NET_REJECT_HOST] = ICMPV4_HOST_UNREACHABLE,
		[NET_REJECT_NET] = ICMPV4_NET_UNREACHABLE,
		[NET_REJECT_ADMIN] = ICMPV4_ADMIN_PROHIBITED,
		[NET_REJECT_NET_PROHIBITED] = ICMPV4_NET_PROHIBITED,
		[NET_REJECT_HOST_PROHIBITED] = ICMPV4_HOST_PROHIBITED,
		[NET_REJECT_POLICY] = ICMPV4_ADMIN_PROHIBITED,
		[NET_REJECT_ROUTE] = ICMPV4_ADMIN_PROHIBITED,
	};

	icmpv4_send_error(nic, pkt, ICMPV4_DST_UNREACHABLE, codes[why], 0);
}

/* RFC 792: "If fragment zero is not available then no time exceeded need be sent at all." */
static void ipv4_expired(struct reasm *r, struct pkt *first)
{
	struct nic *nic = nic_find(r->stack, first->nic_id);

	if (nic)
		icmpv4_send_error(nic, first, ICMPV4_TIME_EXCEEDED, ICMP_REASSEMBLY_EXCEEDED,
				  0);
}

static void *ipv4_stack_attach(struct stack *s)
{
	struct ipv4_stack *v4 = calloc(1, sizeof(*v4));

	if (!v4)
		return NULL;
	v4->stack = s;
	v4->config.accept_redirects = true;
	for (int i = 0; i < IPV4_ID_BUCKETS; i++)
		v4->ids[i] = (uint16_t)rand_u32(&s->rand);
	reasm_init(&v4->reasm, s, REASM_TIMEOUT_NS, ipv4_expired);
	return v4;
}

static void ipv4_stack_detach(struct stack *s, void *state)
{
	struct ipv4_stack *v4 = state;

	(void)s;
	reasm_fini(&v4->reasm);
	free(v4);
}

struct ipv4_config ipv4_config_get(const struct stack *s)
{
	return ipv4_of(s)->config;
}

void ipv4_config_set(struct stack *s, const struct ipv4_config *c)
{
	ipv4_of(s)->config = *c;
}

static void *ipv4_nic_attach(struct nic *nic)
{
	struct ipv4_nic *n = calloc(1, sizeof(*n));

	if (n)
		member_init(&n->members, nic, NET_IPV4, &igmp_member_ops);
	return n;
}

static void ipv4_nic_detach(struct nic *nic, void *state)
{
	struct ipv4_nic *n = state;

	(void)nic;
	member_fini(&n->members);
	free(n);
}

static const struct addr all_hosts = { .b = { 224, 0, 0, 1 }, .len = ADDR_LEN_V4 };

/* RFC 1112, 7.2: every host is in 224.0.0.1 on each of its interfaces. */
static void ipv4_nic_enabled(struct nic *nic, bool enabled)
{
	struct ipv4_nic *n = nic->net_state[NET_IPV4];

	if (enabled)
		nic_join_group(nic, &all_hosts);
	else
		nic_leave_group(nic, &all_hosts);
	member_enabled(&n->members, enabled);
}

static void ipv4_group_changed(struct nic *nic, const struct nic_group *g)
{
	member_changed(&((struct ipv4_nic *)nic->net_state[NET_IPV4])->members, g);
}

const struct net_proto_ops ipv4_proto = {
	.name = "ipv4",
	.number = ETH_TYPE_IPV4,
	.index = NET_IPV4,
	.resolves = -1,
	.default_ttl = 64,
	.stack_attach = ipv4_stack_attach,
	.stack_detach = ipv4_stack_detach,
	.nic_attach = ipv4_nic_attach,
	.nic_detach = ipv4_nic_detach,
	.nic_enabled = ipv4_nic_enabled,
	.rx = ipv4_rx,
	.tx = ipv4_tx,
	.reject = ipv4_reject,
	.group_changed = ipv4_group_changed,
};
