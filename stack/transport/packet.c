/*
 * Packet endpoints.
 *
 * Theory of operation. A tap (core/rawtap.h) shows every frame to the endpoint, which queues a copy
 * that shares the bytes. A received frame's link header lies before the packet and is live again by
 * a step back; one that is sent has none yet at that point, so the copy gets one of its own. What a raw
 * endpoint sends has its header already: @framed tells the link so.
 */
#include "transport/packet.h"

#include <stdlib.h>

#include "core/bpf.h"
#include "core/stack.h"
#include "header/eth.h"

/**
 * struct packet - a packet endpoint
 * @proto:   Ethernet type, or PACKET_PROTO_*
 * @bind_nic: NIC it was bound to, 0 for all
 * @sending: its own frame is on the way out: not to be shown to itself
 * @promisc: NICs it listens to promiscuously
 * @filter:  what its user wants to see, NULL: everything
 */
struct packet {
	struct endpoint ep;
	struct frame_tap tap;
	bool cooked, sending, ignore_outgoing;
	uint16_t proto;
	uint32_t bind_nic;
	struct pkt_queue rxq;
	struct list promisc;
	struct sockopt_packet_stats since;
	struct bpf_prog *filter;
};

/** struct packet_promisc - @was: the NIC, to be compared only: another may have its number now */
struct packet_promisc {
	struct list list;
	uint32_t nic;
	const struct nic *was;
};

static const struct trans_proto_ops packet_proto = { .name = "packet" };

static struct packet *packet_of(struct endpoint *ep)
{
	return container_of(ep, struct packet, ep);
}

uint16_t packet_hatype(const struct nic *nic)
{
	if (nic_is_loopback(nic))
		return HATYPE_LOOPBACK;
	return nic->link->caps & LINK_CAP_RESOLUTION ? HATYPE_ETHER : HATYPE_NONE;
}

static bool add_header(struct pkt *copy, const struct link_addr *dst, const struct link_addr *src)
{
	struct eth_hdr h = { *dst, *src, copy->net_proto };
	uint8_t *p = pkt_push(copy, ETH_HDR_LEN);

	if (p)
		eth_emit(&h, p);
	return p != NULL;
}

/* Makes the copy start with the link header; false if there was no memory. */
static bool frame_whole(struct pkt *copy, const struct nic *nic, bool outgoing)
{
	static const struct link_addr zero = { .len = LINK_ADDR_LEN };

	switch (packet_hatype(nic)) {
	case HATYPE_LOOPBACK:
		return add_header(copy, &zero, &zero);
	case HATYPE_ETHER:
		if (outgoing && !copy->framed)
			return add_header(copy, &copy->link_dst, &nic->link->addr);
		if (!outgoing && copy->link_off != PKT_NO_HDR && copy->link_off <= copy->off)
			pkt_unpull(copy, copy->off - copy->link_off);
		return true;
	default:
		return true;
	}
}

static void packet_queue(struct packet *k, struct pkt *copy)
{
	struct packet_stats *st = &k->ep.stack->stats.packet;

	k->since.packets++;
	if (k->rxq.truesize >= 2ull * k->ep.opts.receive_buffer_bytes) {
		k->since.drops++;
		stat_inc(&st->receive_buffer_errors);
		stat_inc(&k->ep.stats.receive_errors.receive_buffer_overflow);
		stat_inc(&k->ep.stack->stats.dropped_packets);
		pkt_free(copy);
		return;
	}
	stat_inc(&st->packets_received);
	stat_inc(&k->ep.stats.packets_received);
	pkt_queue_push(&k->rxq, copy);
	waiter_notify(&k->ep.wq, WAIT_IN);
}

static uint8_t net_offset(const struct packet *k, const struct nic *nic)
{
	return k->cooked || packet_hatype(nic) == HATYPE_NONE ? 0 : ETH_HDR_LEN;
}

/* Cuts the copy to what the filter wants of it; false: nothing. */
static bool filter_packet(const struct packet *k, const struct nic *nic, struct pkt *copy)
{
	uint32_t len = copy->len, want;
	struct bpf_view v = {
		.pkt = copy, .net = net_offset(k, nic), .ifindex = nic->id, .mark = copy->mark,
		.proto = copy->net_proto, .hatype = packet_hatype(nic), .type = copy->type,
	};

	copy->frag_off = 0;
	if (!k->filter)
		return true;
	want = bpf_run(k->filter, &v);
	if (want < len) {
		pkt_trim(copy, want);
		copy->frag_off = len - want;
	}
	return want > 0;
}

static void packet_rx(struct frame_tap *t, struct nic *nic, const struct pkt *pkt, bool outgoing)
{
	struct packet *k = container_of(t, struct packet, tap);
	struct pkt *copy;

	if (outgoing && (k->sending || k->ignore_outgoing))
		return;
	/* As a card's filter would: frames for others only where somebody asked for them. */
	if (!outgoing && pkt->type == PKT_OTHER_HOST && !nic->listeners && !nic->promiscuous)
		return;
	copy = pkt_clone(pkt);
	if (!copy)
		return;
	if (outgoing) {
		copy->link_src = nic->link->addr;
		copy->type = PKT_OUTGOING;
		copy->nic_id = nic->id;
		copy->rx_wall_ns = nic->stack->clock->wall_ns;
		if (k->cooked && copy->framed)
			pkt_pull(copy, ETH_HDR_LEN);
	}
	if ((!k->cooked && !frame_whole(copy, nic, outgoing)) || !filter_packet(k, nic, copy)) {
		pkt_free(copy);
		return;
	}
	packet_queue(k, copy);
}

static void fill_link(struct packet *k, const struct pkt *pkt, struct packet_addr *out)
{
	const struct nic *nic = nic_find(k->ep.stack, pkt->nic_id);

	*out = (struct packet_addr){
		.nic = pkt->nic_id, .proto = pkt->net_proto, .type = pkt->type,
		.hatype = nic ? packet_hatype(nic) : HATYPE_NONE, .addr = pkt->link_src,
	};
}

static enum ns_err packet_read(struct endpoint *ep, struct read_msg *m)
{
	struct packet *k = packet_of(ep);
	struct pkt *pkt = pkt_queue_first(&k->rxq);

	if (ep->err)
		return endpoint_take_error(ep);
	if (!pkt)
		return NS_ERR_WOULD_BLOCK;
	m->n = pkt_copy_iov(pkt, 0, m->iov, m->iovcnt);
	m->msg_len = (size_t)pkt->len + pkt->frag_off;
	m->from = (struct full_addr){ .nic = pkt->nic_id, .port = pkt->net_proto };
	m->to = m->from;
	fill_link(k, pkt, &m->link);
	m->csum = pkt->csum;
	m->net_off = k->cooked || m->link.hatype == HATYPE_NONE ? 0 : ETH_HDR_LEN;
	m->has_timestamp = true;
	m->timestamp_ns = pkt->rx_wall_ns;
	if (!m->peek)
		pkt_free(pkt_queue_pop(&k->rxq));
	m->has_inq = true;
	m->inq = k->rxq.bytes > INT32_MAX ? INT32_MAX : (int32_t)k->rxq.bytes;
	return NS_OK;
}

static enum ns_err packet_target(struct packet *k, const struct write_opts *o,
				 struct packet_addr *to, struct nic **nic)
{
	*to = o->link ? *o->link : (struct packet_addr){ .nic = k->bind_nic, .proto = k->proto };
	if (!to->nic)
		to->nic = k->bind_nic;
	if (!to->nic)
		return NS_ERR_UNKNOWN_DEVICE;
	*nic = nic_find(k->ep.stack, to->nic);
	if (!*nic)
		return NS_ERR_UNKNOWN_DEVICE;
	return (*nic)->enabled ? NS_OK : NS_ERR_NETWORK_UNREACHABLE;
}

/* Gets @pkt ready for nic_write(): where it goes, and what it is. */
static enum ns_err packet_address(const struct packet *k, const struct nic *nic,
				  const struct packet_addr *to, struct pkt *pkt)
{
	uint16_t hatype = packet_hatype(nic);
	struct eth_hdr h;

	pkt->net_proto = to->proto;
	/* Where there is no header at all, the version tells IP's two kinds apart. */
	if (hatype == HATYPE_NONE && (to->proto == PACKET_PROTO_NONE || to->proto == PACKET_PROTO_ALL)) {
		if (!pkt_pullup(pkt, 1))
			return NS_ERR_INVALID_OPTION_VALUE;
		pkt->net_proto = pkt_data(pkt)[0] >> 4 == 6 ? ETH_TYPE_IPV6 : ETH_TYPE_IPV4;
	}
	if (k->cooked) {
		if (hatype == HATYPE_ETHER && to->addr.len != LINK_ADDR_LEN)
			return NS_ERR_INVALID_OPTION_VALUE;
		pkt->link_dst = to->addr;
	} else if (hatype != HATYPE_NONE) {
		if (!pkt_pullup(pkt, ETH_HDR_LEN))
			return NS_ERR_INVALID_OPTION_VALUE;
		/* An 802.3 length is no type, and goes out all the same. */
		eth_parse(&h, pkt_data(pkt), pkt->head_len);
		pkt->link_dst = h.dst;
		pkt->link_src = h.src;
		pkt->net_proto = h.type;
		pkt->link_off = (uint16_t)pkt->off;
		pkt->framed = hatype == HATYPE_ETHER;
		/* The loopback has no headers but for show. */
		if (!pkt->framed)
			pkt_pull(pkt, ETH_HDR_LEN);
	}
	pkt->net_off = (uint16_t)(pkt->off + (pkt->framed ? ETH_HDR_LEN : 0));
	return NS_OK;
}

static enum ns_err packet_send(struct packet *k, struct nic *nic, const struct packet_addr *to,
			       struct pkt *pkt)
{
	enum ns_err err = packet_address(k, nic, to, pkt);

	if (err) {
		pkt_free(pkt);
		return err;
	}
	k->sending = true;
	err = nic_write(nic, pkt);
	k->sending = false;
	return err;
}

static enum ns_err packet_check_size(const struct packet *k, const struct nic *nic, size_t len)
{
	size_t header = k->cooked || packet_hatype(nic) == HATYPE_NONE ? 0 : ETH_HDR_LEN;

	if (len > nic->link->mtu + header || len > k->ep.opts.send_buffer_bytes)
		return NS_ERR_MESSAGE_TOO_LONG;
	return len < header ? NS_ERR_INVALID_OPTION_VALUE : NS_OK;
}

static enum ns_err packet_check(struct endpoint *ep, const struct write_opts *o, size_t len)
{
	struct packet *k = packet_of(ep);
	struct packet_addr to;
	struct nic *nic;
	enum ns_err err = packet_target(k, o, &to, &nic);

	return err ? err : packet_check_size(k, nic, len);
}

static enum ns_err packet_write(struct endpoint *ep, struct payload *p, const struct write_opts *o,
				size_t *n)
{
	struct packet *k = packet_of(ep);
	struct packet_stats *st = &ep->stack->stats.packet;
	size_t len = p->len;
	struct packet_addr to;
	struct nic *nic;
	struct pkt *pkt;
	enum ns_err err = packet_target(k, o, &to, &nic);

	if (err)
		return err;
	err = packet_check_size(k, nic, len);
	if (err) {
		stat_inc(&ep->stats.write_errors.invalid_args);
		return err;
	}
	pkt = payload_take(p, len, ep->stack->pool);
	if (!pkt)
		return NS_ERR_NO_MEMORY;
	pkt->csum = PKT_CSUM_NONE;
	pkt->gso = PKT_GSO_NONE;
	write_opts_stamp(o, pkt);
	err = packet_send(k, nic, &to, pkt);
	if (err) {
		stat_inc(&st->packet_send_errors);
		stat_inc(&ep->stats.send_errors.send_to_network_failed);
		return err;
	}
	stat_inc(&st->packets_sent);
	stat_inc(&ep->stats.packets_sent);
	*n = len;
	return NS_OK;
}

/* Enters the tap, or leaves it, as protocol and NIC say. */
static void packet_hook(struct packet *k)
{
	frame_tap_remove(&k->tap);
	k->tap.nic = k->bind_nic;
	k->tap.proto = k->proto == PACKET_PROTO_ALL ? 0 : k->proto;
	if (k->proto != PACKET_PROTO_NONE)
		frame_tap_add(&k->ep.stack->taps, &k->tap);
}

static enum ns_err packet_bind(struct endpoint *ep, const struct full_addr *a)
{
	struct packet *k = packet_of(ep);

	if (a->nic && !nic_find(ep->stack, a->nic))
		return NS_ERR_UNKNOWN_DEVICE;
	k->bind_nic = a->nic;
	if (a->port)
		k->proto = a->port;
	packet_hook(k);
	return NS_OK;
}

static enum ns_err packet_local_addr(struct endpoint *ep, struct full_addr *out)
{
	*out = (struct full_addr){ .nic = packet_of(ep)->bind_nic, .port = packet_of(ep)->proto };
	return NS_OK;
}

static uint32_t packet_readiness(struct endpoint *ep)
{
	return WAIT_OUT | (packet_of(ep)->rxq.count || ep->err ? WAIT_IN : 0);
}

static void packet_info(struct endpoint *ep, struct endpoint_info *out)
{
	struct packet *k = packet_of(ep);

	out->bind_nic = k->bind_nic;
	out->rx_queue_bytes = k->rxq.bytes;
}

static void promisc_drop(struct packet *k, struct packet_promisc *p)
{
	struct nic *nic = nic_find(k->ep.stack, p->nic);

	if (nic && nic == p->was && nic->listeners)
		nic->listeners--;
	list_remove(&p->list);
	free(p);
}

static enum ns_err promisc_add(struct packet *k, int64_t id)
{
	struct nic *nic = id > 0 && id <= UINT32_MAX ? nic_find(k->ep.stack, (uint32_t)id) : NULL;
	struct packet_promisc *p;

	if (!nic)
		return NS_ERR_UNKNOWN_DEVICE;
	p = calloc(1, sizeof(*p));
	if (!p)
		return NS_ERR_NO_MEMORY;
	p->nic = nic->id;
	p->was = nic;
	list_push_back(&k->promisc, &p->list);
	nic->listeners++;
	return NS_OK;
}

static enum ns_err promisc_remove(struct packet *k, int64_t id)
{
	list_for_each(n, &k->promisc) {
		struct packet_promisc *p = container_of(n, struct packet_promisc, list);

		if (p->nic == id) {
			promisc_drop(k, p);
			return NS_OK;
		}
	}
	return NS_ERR_BAD_LOCAL_ADDRESS;
}

static enum ns_err packet_set_option(struct endpoint *ep, enum sockopt opt, const void *val,
				     size_t len)
{
	struct packet *k = packet_of(ep);
	int64_t v;

	if (opt == SOCKOPT_FILTER)
		return bpf_replace(&k->filter, val, len);
	if (opt != SOCKOPT_IGNORE_OUTGOING && opt != SOCKOPT_LISTEN_PROMISCUOUS &&
	    opt != SOCKOPT_UNLISTEN_PROMISCUOUS)
		return NS_ERR_UNKNOWN_PROTOCOL_OPTION;
	if (len < sizeof(v))
		return NS_ERR_INVALID_OPTION_VALUE;
	memcpy(&v, val, sizeof(v));
	if (opt == SOCKOPT_LISTEN_PROMISCUOUS)
		return promisc_add(k, v);
	if (opt == SOCKOPT_UNLISTEN_PROMISCUOUS)
		return promisc_remove(k, v);
	if (v < 0 || v > 1)
		return NS_ERR_INVALID_OPTION_VALUE;
	k->ignore_outgoing = v != 0;
	return NS_OK;
}

static enum ns_err packet_get_option(struct endpoint *ep, enum sockopt opt, void *val, size_t *len)
{
	struct packet *k = packet_of(ep);
	struct pkt *first = pkt_queue_first(&k->rxq);
	int64_t v;

	switch (opt) {
	case SOCKOPT_PACKET_STATISTICS:
		if (*len < sizeof(k->since))
			return NS_ERR_INVALID_OPTION_VALUE;
		memcpy(val, &k->since, sizeof(k->since));
		*len = sizeof(k->since);
		k->since = (struct sockopt_packet_stats){ 0 };
		return NS_OK;
	case SOCKOPT_RECEIVE_QUEUE_SIZE:
		v = first ? first->len : 0;
		break;
	case SOCKOPT_SEND_QUEUE_SIZE:
		v = 0;
		break;
	case SOCKOPT_IGNORE_OUTGOING:
		v = k->ignore_outgoing;
		break;
	default:
		return NS_ERR_UNKNOWN_PROTOCOL_OPTION;
	}
	return sockopt_put_int(val, len, v);
}

static void packet_destroy(struct endpoint *ep)
{
	struct packet *k = packet_of(ep);

	frame_tap_remove(&k->tap);
	while (!list_empty(&k->promisc))
		promisc_drop(k, container_of(k->promisc.next, struct packet_promisc, list));
	pkt_queue_purge(&k->rxq);
	bpf_free(k->filter);
	endpoint_fini(ep);
	free(k);
}

static const struct endpoint_ops packet_endpoint_ops = {
	.name = "packet",
	.close = packet_destroy,
	.destroy = packet_destroy,
	.read = packet_read,
	.write = packet_write,
	.check = packet_check,
	.bind = packet_bind,
	.local_addr = packet_local_addr,
	.readiness = packet_readiness,
	.info = packet_info,
	.set_option = packet_set_option,
	.get_option = packet_get_option,
};

enum ns_err endpoint_new_packet(struct stack *s, bool cooked, uint16_t proto, struct endpoint **out)
{
	struct packet *k = calloc(1, sizeof(*k));

	if (!k)
		return NS_ERR_NO_MEMORY;
	/* No family of its own: frames of all. */
	endpoint_init(&k->ep, &packet_endpoint_ops, s, &packet_proto, NET_ARP);
	k->cooked = cooked;
	k->proto = proto;
	k->tap.fn = packet_rx;
	list_init(&k->tap.node);
	list_init(&k->promisc);
	pkt_queue_init(&k->rxq);
	packet_hook(k);
	*out = &k->ep;
	return NS_OK;
}
