/* IPv6: the way out, with fragmentation at the source. */
#include "base/byteorder.h"
#include "network/ipv6_impl.h"

enum { ROUTER_ALERT_LEN = 8, IPV6_MAX_PAYLOAD = 65535 };

/* RFC 7739: identifications must not be guessed. */
static uint32_t next_frag_id(struct ipv6_stack *v6, const struct route *r)
{
	uint64_t h = hash_addr(&v6->stack->secret, &r->remote, r->local.q[1]);

	return (uint32_t)h + v6->frag_counter++;
}

static enum ns_err send_fragments(struct route *r, struct pkt *pkt, struct ipv6_hdr *h,
				  uint32_t mtu)
{
	struct stack *s = r->stack;
	struct ipv6_frag f = { .next = h->next, .id = next_frag_id(ipv6_of(s), r) };
	size_t room = (mtu - IPV6_HDR_LEN - IPV6_FRAG_LEN) & ~7ul, off = 0;
	enum ns_err err = NS_OK;

	if (!pkt_finish_cksum(pkt)) {
		pkt_free(pkt);
		return NS_ERR_NO_MEMORY;
	}
	h->next = IP_PROTO_FRAGMENT;
	while (off < pkt->len && !err) {
		size_t n = pkt->len - off < room ? pkt->len - off : room;
		struct pkt *part = pkt_slice(pkt, off, n);
		uint8_t *p = part ? pkt_push(part, IPV6_HDR_LEN + IPV6_FRAG_LEN) : NULL;

		if (!p) {
			pkt_free(part);
			err = NS_ERR_NO_MEMORY;
			break;
		}
		if (!off)
			part->stamp = pkt->stamp;
		part->net_off = (uint16_t)part->off;
		h->payload_len = (uint16_t)(IPV6_FRAG_LEN + n);
		f.off = (uint16_t)off;
		f.more = off + n < pkt->len;
		ipv6_emit(h, p);
		ipv6_frag_emit(&f, p + IPV6_HDR_LEN);
		stat_inc(&s->stats.ip.fragments_created);
		err = route_send(r, part);
		off += n;
	}
	pkt_free(pkt);
	return err;
}

static bool hook_drops(struct route *r, enum hook_point at, struct pkt *pkt)
{
	struct stack *s = r->stack;

	if (!hook_any(&s->hooks, at) ||
	    hook_ask(&s->hooks, at, pkt, NULL, r->nic) == HOOK_ACCEPT)
		return false;
	stat_inc(&s->stats.ip.hook_dropped);
	pkt_free(pkt);
	return true;
}

bool ipv6_may_fragment(const struct pkt *pkt)
{
	uint8_t next = pkt_net_hdr(pkt)[6];

	/* Those headers come before the fragment header (RFC 8200, 4.5), which goes right after ours. */
	return next != IP_PROTO_HOPOPT && next != IP_PROTO_ROUTING;
}

/* Takes @pkt with its header in place: the last hooks, then out, in fragments if it is over @mtu. */
static enum ns_err send_parts(struct route *r, struct pkt *pkt, uint32_t mtu)
{
	struct ipv6_hdr h;

	if (hook_drops(r, HOOK_POSTROUTING, pkt))
		return NS_ERR_NOT_PERMITTED;
	if (pkt->len <= mtu || pkt->gso || r->loop)
		return route_send(r, pkt);
	/* Links below 1280 carry no IPv6 (RFC 8200, 5), and fragments of nothing. */
	if (mtu < IPV6_HDR_LEN + IPV6_FRAG_LEN + 8 || !ipv6_may_fragment(pkt) ||
	    !ipv6_parse(&h, pkt_data(pkt), pkt->len)) {
		pkt_free(pkt);
		return NS_ERR_MESSAGE_TOO_LONG;
	}
	pkt_pull(pkt, IPV6_HDR_LEN);
	return send_fragments(r, pkt, &h, mtu);
}

enum ns_err ipv6_send_forwarded(struct route *r, struct pkt *pkt)
{
	return send_parts(r, pkt, route_mtu(r));
}

/* A filter sent a packet of ours elsewhere: along the way to there. */
static enum ns_err send_rerouted(struct stack *s, struct pkt *pkt)
{
	struct route_key key = { .remote = pkt->dst, .forwarded = true };
	struct route r;
	enum ns_err err = route_find(s, &key, &r);

	if (err) {
		pkt_free(pkt);
		return err;
	}
	err = ipv6_send_forwarded(&r, pkt);
	route_release(&r);
	return err;
}

/* RFC 2711 and 2710, 3: MLD goes with a hop-by-hop header that has the option, and padding. */
static bool push_router_alert(struct pkt *pkt, struct ipv6_hdr *h)
{
	static const uint8_t alert[ROUTER_ALERT_LEN] = {
		0, 0, IPV6_OPT_ROUTER_ALERT, 2, 0, 0, IPV6_OPT_PADN, 0
	};
	uint8_t *p = pkt_push(pkt, ROUTER_ALERT_LEN);

	if (!p)
		return false;
	memcpy(p, alert, ROUTER_ALERT_LEN);
	p[0] = h->next;
	h->next = IP_PROTO_HOPOPT;
	return true;
}

/* Takes @pkt, header in place: ask the hooks, and send it. */
static enum ns_err send_own(struct route *r, struct pkt *pkt, const struct net_tx *tx, uint32_t mtu)
{
	pkt->net_off = (uint16_t)pkt->off;
	if (hook_any(&r->stack->hooks, HOOK_OUTPUT)) {
		struct addr dst = pkt->dst;

		if (hook_drops(r, HOOK_OUTPUT, pkt))
			return NS_ERR_NOT_PERMITTED;
		if (!addr_equal(&pkt->dst, &dst))
			return send_rerouted(r->stack, pkt);
	}
	if (r->kind == ROUTE_MULTICAST && tx->loop_back && !nic_is_loopback(r->nic) &&
	    nic_find_group(r->nic, &r->remote))
		nic_loop_copy(r->nic, pkt, r->net->number);
	return send_parts(r, pkt, mtu);
}

static enum ns_err send_whole(struct route *r, struct pkt *pkt, struct ipv6_hdr *h,
			      const struct net_tx *tx, uint32_t mtu)
{
	uint8_t *p;

	h->payload_len = (uint16_t)pkt->len;
	p = pkt_push(pkt, IPV6_HDR_LEN);
	if (!p) {
		pkt_free(pkt);
		return NS_ERR_NO_MEMORY;
	}
	ipv6_emit(h, p);
	return send_own(r, pkt, tx, mtu);
}

/* A header that the user wrote goes as it is, whole or not at all, as Linux's rawv6_send_hdrinc(). */
static enum ns_err tx_included(struct route *r, struct pkt *pkt, const struct net_tx *tx)
{
	struct stack *s = r->stack;
	struct ipv6_skim skim;
	enum ns_err err;
	uint8_t *p;

	if (pkt->len > IPV6_MAX_PAYLOAD || (pkt->len > route_mtu(r) && !r->loop)) {
		pkt_free(pkt);
		return NS_ERR_MESSAGE_TOO_LONG;
	}
	if (!pkt_pullup(pkt, IPV6_HDR_LEN) || pkt_data(pkt)[0] >> 4 != 6) {
		pkt_free(pkt);
		return NS_ERR_INVALID_OPTION_VALUE;
	}
	p = pkt_data(pkt);
	pkt->src = addr_from_bytes(p + 8, ADDR_LEN_V6);
	pkt->dst = addr_from_bytes(p + 24, ADDR_LEN_V6);
	pkt->nic_id = 0;
	/* Without a transport header nobody is told of errors. */
	if (ipv6_skim(&skim, p, pkt->head_len) && !skim.later_fragment && skim.off <= pkt->head_len) {
		pkt->trans_off = (uint16_t)(pkt->off + skim.off);
		pkt->trans_proto = skim.proto;
	}
	stat_inc(&s->stats.ip.packets_sent);
	err = send_own(r, pkt, tx, UINT32_MAX);
	if (err)
		stat_inc(&s->stats.ip.outgoing_packet_errors);
	return err;
}

enum ns_err ipv6_tx(struct route *r, struct pkt *pkt, const struct net_tx *tx)
{
	struct stack *s = r->stack;
	struct ipv6_nic *n6 = ipv6_nic_of(r->nic);
	struct ipv6_hdr h = {
		.traffic_class = tx->tos, .next = tx->proto, .src = r->local, .dst = r->remote,
		.hop_limit = tx->ttl ? tx->ttl
				     : n6->hop_limit ? n6->hop_limit : s->default_ttl[NET_IPV6],
	};
	uint32_t mtu = tx->pmtud == NET_PMTUD_PROBE ? r->nic->link->mtu : route_mtu(r);
	bool fits = pkt->len + IPV6_HDR_LEN <= mtu || pkt->gso || r->loop;
	enum ns_err err;

	if (tx->hdr_included)
		return tx_included(r, pkt, tx);
	if (pkt->len > IPV6_MAX_PAYLOAD || (!fits && tx->pmtud >= NET_PMTUD_DO)) {
		pkt_free(pkt);
		return NS_ERR_MESSAGE_TOO_LONG;
	}
	pkt->trans_off = (uint16_t)pkt->off;
	if (tx->router_alert && !push_router_alert(pkt, &h)) {
		pkt_free(pkt);
		return NS_ERR_NO_MEMORY;
	}
	pkt->src = r->local;
	pkt->dst = r->remote;
	pkt->trans_proto = tx->proto;
	pkt->nic_id = 0;
	stat_inc(&s->stats.ip.packets_sent);
	err = send_whole(r, pkt, &h, tx, mtu);
	if (err)
		stat_inc(&s->stats.ip.outgoing_packet_errors);
	return err;
}
