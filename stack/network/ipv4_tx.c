/* IPv4: the way out, with fragmentation. */
#include <stdlib.h>

#include "base/byteorder.h"
#include "network/ipv4_impl.h"

enum { ROUTER_ALERT_LEN = 4, IPV4_MAX = 65535 };

/* RFC 6864: unique per source, destination and protocol while fragments may be about. */
static uint16_t next_id(struct ipv4_stack *v4, const struct route *r, uint8_t proto)
{
	uint64_t h = hash_addr(&v4->stack->secret, &r->remote, (uint64_t)r->local.w[0] << 8 | proto);

	return v4->ids[h % IPV4_ID_BUCKETS]++;
}

/* Options of the first fragment's header that later ones carry too, padded (RFC 791, 3.1). */
static size_t copied_options(const uint8_t *hdr, size_t hdr_len, uint8_t *out)
{
	struct ipv4_opt_iter it = ipv4_opts(hdr, hdr_len);
	size_t n = 0;

	while (ipv4_opt_next(&it)) {
		if (!(it.type & IPV4_OPT_COPIED))
			continue;
		memcpy(out + n, it.opt, it.len);
		n += it.len;
	}
	while (n % 4)
		out[n++] = IPV4_OPT_END;
	return n;
}

static enum ns_err send_fragments(struct route *r, struct pkt *pkt, uint32_t mtu)
{
	struct stack *s = r->stack;
	uint8_t hdr[IPV4_HDR_MAX], options[IPV4_HDR_MAX];
	struct ipv4_hdr h;
	size_t opts_len, hdr_len, off = 0, payload, noptions;
	bool more_after;
	enum ns_err err = NS_OK;

	if (!pkt_finish_cksum(pkt) || !ipv4_parse(&h, pkt_data(pkt), pkt->len)) {
		pkt_free(pkt);
		return NS_ERR_NO_MEMORY;
	}
	hdr_len = h.hdr_len;
	memcpy(hdr, pkt_data(pkt), hdr_len);
	noptions = copied_options(hdr, hdr_len, options);
	payload = pkt->len - hdr_len;
	more_after = h.more_fragments;
	opts_len = hdr_len - IPV4_HDR_LEN;
	for (size_t first = h.frag_off; off < payload && !err;) {
		size_t room = (mtu - IPV4_HDR_LEN - opts_len) & ~7ul;
		size_t n = payload - off < room ? payload - off : room;
		struct pkt *part = pkt_slice(pkt, hdr_len + off, n);
		uint8_t *p;

		if (!part || !(p = pkt_push(part, IPV4_HDR_LEN + opts_len))) {
			pkt_free(part);
			err = NS_ERR_NO_MEMORY;
			break;
		}
		if (!off)
			part->stamp = pkt->stamp;
		part->net_off = (uint16_t)part->off;
		memcpy(p + IPV4_HDR_LEN, off ? options : hdr + IPV4_HDR_LEN, opts_len);
		h.hdr_len = (uint8_t)(IPV4_HDR_LEN + opts_len);
		h.total_len = (uint16_t)(h.hdr_len + n);
		h.frag_off = (uint16_t)(first + off);
		h.more_fragments = more_after || off + n < payload;
		ipv4_emit(&h, p);
		stat_inc(&s->stats.ip.fragments_created);
		err = route_send(r, part);
		off += n;
		opts_len = noptions;
	}
	pkt_free(pkt);
	return err;
}

enum ns_err ipv4_send_parts(struct route *r, struct pkt *pkt, uint32_t mtu)
{
	struct stack *s = r->stack;
	enum ns_err err;

	if (hook_any(&s->hooks, HOOK_POSTROUTING) &&
	    hook_ask(&s->hooks, HOOK_POSTROUTING, pkt, NULL, r->nic) != HOOK_ACCEPT) {
		stat_inc(&s->stats.ip.hook_dropped);
		pkt_free(pkt);
		return NS_ERR_NOT_PERMITTED;
	}
	if (pkt->len <= mtu || pkt->gso || r->loop)
		err = route_send(r, pkt);
	else
		err = send_fragments(r, pkt, mtu);
	if (err)
		stat_inc(&s->stats.ip.outgoing_packet_errors);
	return err;
}

/* A filter sent a packet of ours elsewhere: along the way to there. */
static enum ns_err send_rerouted(struct stack *s, struct pkt *pkt)
{
	struct route_key key = { .remote = pkt->dst, .forwarded = true };
	struct route r;
	enum ns_err err = route_find(s, &key, &r);

	if (err) {
		stat_inc(&s->stats.ip.outgoing_packet_errors);
		pkt_free(pkt);
		return err;
	}
	err = ipv4_send_parts(&r, pkt, route_mtu(&r));
	route_release(&r);
	return err;
}

/* Takes @pkt, header in place: ask the hooks, and send it. */
static enum ns_err send_own(struct route *r, struct pkt *pkt, const struct net_tx *tx, uint32_t mtu)
{
	struct stack *s = r->stack;

	pkt->nic_id = 0;
	stat_inc(&s->stats.ip.packets_sent);
	if (hook_any(&s->hooks, HOOK_OUTPUT)) {
		struct addr dst = pkt->dst;

		if (hook_ask(&s->hooks, HOOK_OUTPUT, pkt, NULL, r->nic) != HOOK_ACCEPT) {
			stat_inc(&s->stats.ip.hook_dropped);
			pkt_free(pkt);
			return NS_ERR_NOT_PERMITTED;
		}
		if (!addr_equal(&pkt->dst, &dst))
			return send_rerouted(s, pkt);
	}
	if (!nic_is_loopback(r->nic) && (r->kind == ROUTE_BROADCAST ||
	    (r->kind == ROUTE_MULTICAST && tx->loop_back && nic_find_group(r->nic, &r->remote))))
		nic_loop_copy(r->nic, pkt, r->net->number);
	return ipv4_send_parts(r, pkt, mtu);
}

/*
 * A header that the user wrote: what raw(7) says is filled in is, the rest goes as it is. It is
 * never fragmented here.
 */
static enum ns_err tx_included(struct route *r, struct pkt *pkt, const struct net_tx *tx)
{
	uint32_t mtu = route_mtu(r);
	size_t hdr_len;
	uint8_t *p;

	if (pkt->len > IPV4_MAX || (pkt->len > mtu && !r->loop)) {
		pkt_free(pkt);
		return NS_ERR_MESSAGE_TOO_LONG;
	}
	hdr_len = pkt_pullup(pkt, IPV4_HDR_LEN) ? (pkt_data(pkt)[0] & 0xfu) * 4 : 0;
	if (hdr_len < IPV4_HDR_LEN || pkt_data(pkt)[0] >> 4 != 4 || !pkt_pullup(pkt, hdr_len)) {
		pkt_free(pkt);
		return NS_ERR_INVALID_OPTION_VALUE;
	}
	if (!pkt_writable(pkt)) {
		pkt_free(pkt);
		return NS_ERR_NO_MEMORY;
	}
	p = pkt_data(pkt);
	be16_store(p + 2, (uint16_t)pkt->len);
	if (be16_load(p + 4) == 0)
		be16_store(p + 4, next_id(ipv4_of(r->stack), r, p[9]));
	if (be32_load(p + 12) == 0)
		memcpy(p + 12, r->local.b, ADDR_LEN_V4);
	ipv4_set_cksum(p, hdr_len);
	pkt->net_off = (uint16_t)pkt->off;
	pkt->trans_off = (uint16_t)(pkt->off + hdr_len);
	pkt->src = addr_from_bytes(p + 12, ADDR_LEN_V4);
	pkt->dst = addr_from_bytes(p + 16, ADDR_LEN_V4);
	pkt->trans_proto = p[9];
	return send_own(r, pkt, tx, UINT32_MAX);
}

enum ns_err ipv4_tx(struct route *r, struct pkt *pkt, const struct net_tx *tx)
{
	struct stack *s = r->stack;
	struct ipv4_hdr h = {
		.hdr_len = (uint8_t)(IPV4_HDR_LEN + (tx->router_alert ? ROUTER_ALERT_LEN : tx->nopts)),
		.tos = tx->tos, .proto = tx->proto, .src = r->local, .dst = r->remote,
		.ttl = tx->ttl ? tx->ttl : s->default_ttl[NET_IPV4],
	};
	size_t total = pkt->len + h.hdr_len;
	uint32_t mtu = tx->pmtud == NET_PMTUD_PROBE ? r->nic->link->mtu : route_mtu(r);
	uint8_t *p;

	if (tx->hdr_included)
		return tx_included(r, pkt, tx);
	if (total > IPV4_MAX || (total > mtu && !pkt->gso && !r->loop &&
				 tx->pmtud >= NET_PMTUD_DO)) {
		pkt_free(pkt);
		return NS_ERR_MESSAGE_TOO_LONG;
	}
	pkt->trans_off = (uint16_t)pkt->off;
	p = pkt_push(pkt, h.hdr_len);
	if (!p) {
		pkt_free(pkt);
		return NS_ERR_NO_MEMORY;
	}
	if (tx->router_alert) {
		be16_store(p + IPV4_HDR_LEN, IPV4_OPT_ROUTER_ALERT << 8 | ROUTER_ALERT_LEN);
		be16_store(p + IPV4_HDR_LEN + 2, 0);
	} else if (tx->nopts) {
		memcpy(p + IPV4_HDR_LEN, tx->opts, tx->nopts);
		ipv4_opts_record(s, p + IPV4_HDR_LEN, tx->nopts, &r->local, true);
	}
	h.total_len = (uint16_t)total;
	h.id = next_id(ipv4_of(s), r, tx->proto);
	/* A path narrower than is believed of any takes what it needs by cutting up (as Linux's locked MTU). */
	h.dont_fragment = tx->pmtud != NET_PMTUD_DONT && !(r->narrow && tx->pmtud == NET_PMTUD_WANT) &&
			  (total <= mtu || pkt->gso);
	ipv4_emit(&h, p);
	pkt->net_off = (uint16_t)pkt->off;
	pkt->src = r->local;
	pkt->dst = r->remote;
	pkt->trans_proto = tx->proto;
	return send_own(r, pkt, tx, mtu);
}
