/* Network interfaces: making them, and packets in and out. */
#include "core/nic.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/byteorder.h"
#include "core/gso.h"
#include "core/stack.h"

enum { NIC_MIN_MTU = 68, NIC_LOOP_MAX = 4096 };	/* RFC 791: every link carries 68 bytes */

#define NIC_STAT(nic, field) do { \
	stat_inc(&(nic)->stats.field); \
	stat_inc(&(nic)->stack->stats.nics.field); \
} while (0)

#define NIC_STAT_ADD(nic, field, n) do { \
	stat_add(&(nic)->stats.field, n); \
	stat_add(&(nic)->stack->stats.nics.field, n); \
} while (0)

/* A link that knows no protocol numbers (tun) tells by the version what a packet is. */
static uint16_t proto_of_version(struct pkt *pkt)
{
	static const uint16_t by_version[16] = { [4] = 0x0800, [6] = 0x86dd };

	return pkt_pullup(pkt, 1) ? by_version[pkt_data(pkt)[0] >> 4] : 0;
}

static void nic_receive(struct nic *nic, struct pkt *pkt)
{
	struct stack *s = nic->stack;

	if (!nic->enabled) {
		NIC_STAT(nic, rx_disabled);
		pkt_free(pkt);
		return;
	}
	NIC_STAT(nic, rx_packets);
	NIC_STAT_ADD(nic, rx_bytes, pkt->len);
	pkt->nic_id = nic->id;
	pkt->rx_wall_ns = s->clock->wall_ns;
	if (pkt->net_proto == 0)
		pkt->net_proto = proto_of_version(pkt);
	/* What never was on the wire is shown where it would be elsewhere: on the loopback. */
	if (!pkt->looped || nic_is_loopback(nic))
		frame_taps(&s->taps, nic, pkt, false);
	if (pkt->type == PKT_OTHER_HOST && !nic->promiscuous) {
		NIC_STAT(nic, rx_other_host);
		pkt_free(pkt);
		return;
	}
	for (int i = 0; i < NET_COUNT; i++) {
		if (s->net[i] && s->net[i]->number == pkt->net_proto) {
			s->net[i]->rx(nic, pkt);
			return;
		}
	}
	NIC_STAT(nic, rx_unknown_protocol);
	stat_inc(&s->stats.unknown_protocol_rcvd_packets);
	pkt_free(pkt);
}

static void nic_sink_rx(struct link_sink *sink, struct pkt *pkt)
{
	nic_receive(container_of(sink, struct nic, sink), pkt);
}

static bool link_segments(const struct link *l, uint8_t gso)
{
	return l->caps & (gso == PKT_GSO_TCP4 ? LINK_CAP_TSO4 : LINK_CAP_TSO6);
}

/* A super-segment for a link that cannot cut it up. */
static enum ns_err nic_write_segments(struct nic *nic, struct pkt *pkt)
{
	enum ns_err err = NS_OK;
	struct pkt_queue segs;
	struct pkt *seg;

	pkt_queue_init(&segs);
	if (!gso_segment(pkt, &segs))
		err = NS_ERR_NO_BUFFER_SPACE;
	while (!err && (seg = pkt_queue_pop(&segs)))
		err = nic_write(nic, seg);
	pkt_queue_purge(&segs);
	return err;
}

enum ns_err nic_write(struct nic *nic, struct pkt *pkt)
{
	uint32_t len = pkt->len;
	enum ns_err err;

	if (pkt->gso && !link_segments(nic->link, pkt->gso))
		return nic_write_segments(nic, pkt);
	/* A forwarded one may claim to be what it is not: no link need look again. */
	if (pkt->gso && !gso_check(pkt)) {
		pkt_free(pkt);
		NIC_STAT(nic, tx_dropped);
		return NS_ERR_INVALID_OPTION_VALUE;
	}
	if (!nic->enabled) {
		pkt_free(pkt);
		NIC_STAT(nic, tx_dropped);
		return NS_ERR_NETWORK_UNREACHABLE;
	}
	if (pkt->csum == PKT_CSUM_PARTIAL && !(nic->link->caps & LINK_CAP_TX_CSUM) &&
	    !pkt_finish_cksum(pkt)) {
		pkt_free(pkt);
		return NS_ERR_NO_MEMORY;
	}
	tx_stamp(&nic->stack->tx_stamps, nic, pkt);
	/* On the loopback it is seen when it comes back. */
	if (!nic_is_loopback(nic))
		frame_taps(&nic->stack->taps, nic, pkt, true);
	err = link_write(nic->link, pkt);
	if (err) {
		NIC_STAT(nic, tx_dropped);
		return err;
	}
	NIC_STAT(nic, tx_packets);
	NIC_STAT_ADD(nic, tx_bytes, len);
	return NS_OK;
}

void nic_loop(struct nic *nic, struct pkt *pkt)
{
	if (nic->loop.count >= NIC_LOOP_MAX) {
		stat_inc(&nic->stack->stats.dropped_packets);
		pkt_free(pkt);
		return;
	}
	pkt->looped = true;
	tx_stamp(&nic->stack->tx_stamps, nic, pkt);
	pkt->type = addr_is_multicast(&pkt->dst) ? PKT_MULTICAST
		    : nic_is_broadcast(nic, &pkt->dst) ? PKT_BROADCAST : PKT_HOST;
	/* It never leaves this memory: nobody need compute or check a sum. */
	if (pkt->csum == PKT_CSUM_NONE)
		pkt->csum = PKT_CSUM_VALID;
	pkt_queue_push(&nic->loop, pkt);
	clock_defer(nic->stack->clock, &nic->loop_task);
}

void nic_loop_copy(struct nic *nic, const struct pkt *pkt, uint16_t net_proto)
{
	struct pkt *copy = pkt_clone(pkt);

	if (!copy)
		return;
	copy->stamp.taker = 0;
	copy->net_proto = net_proto;
	nic_loop(nic, copy);
}

static void nic_loop_run(struct task *t)
{
	struct nic *nic = container_of(t, struct nic, loop_task);
	struct pkt *pkt;

	/* Only what is here now: what these packets cause comes in the next round. */
	for (size_t n = nic->loop.count; n && (pkt = pkt_queue_pop(&nic->loop)); n--)
		nic_receive(nic, pkt);
	if (nic->loop.count)
		clock_defer(nic->stack->clock, t);
}

struct nic *nic_find(const struct stack *s, uint32_t id)
{
	htab_for_each_match(n, &s->nics_by_id, hash_mix(id ^ s->key.k[0], s->key.k[1])) {
		struct nic *nic = container_of(n, struct nic, node);

		if (nic->id == id)
			return nic;
	}
	return NULL;
}

struct nic *nic_find_name(const struct stack *s, const char *name)
{
	list_for_each(n, &s->nics) {
		struct nic *nic = container_of(n, struct nic, list);

		if (strcmp(nic->name, name) == 0)
			return nic;
	}
	return NULL;
}

static enum ns_err nic_check(struct stack *s, uint32_t id, const char *name,
			     const struct link *link)
{
	if (id == 0)
		return NS_ERR_UNKNOWN_NIC_ID;
	if (nic_find(s, id) || nic_find_name(s, name))
		return NS_ERR_DUPLICATE_NIC_ID;
	if (!link || link->mtu < NIC_MIN_MTU)
		return NS_ERR_BAD_LINK_ENDPOINT;
	return NS_OK;
}

static void nic_free(struct nic *nic)
{
	struct stack *s = nic->stack;

	for (int i = 0; i < NET_COUNT; i++)
		if (s->net[i] && nic->net_state[i])
			s->net[i]->nic_detach(nic, nic->net_state[i]);
	for (int i = 0; i < NET_FAMILIES; i++)
		neigh_cache_fini(&nic->neigh[i]);
	task_cancel(&nic->loop_task);
	pkt_queue_purge(&nic->loop);
	nic_drop_groups(nic);
	link_close(nic->link);
	free(nic);
}

static struct nic *nic_alloc(struct stack *s, uint32_t id, const char *name, struct link *link)
{
	struct nic *nic = calloc(1, sizeof(*nic));

	if (!nic)
		return NULL;
	nic->stack = s;
	nic->link = link;
	nic->max_mtu = link->mtu;
	nic->id = id;
	snprintf(nic->name, sizeof(nic->name), "%s", name);
	nic->sink.rx = nic_sink_rx;
	list_init(&nic->list);
	list_init(&nic->addrs);
	list_init(&nic->broadcasts);
	htab_init(&nic->groups);
	pkt_queue_init(&nic->loop);
	task_init(&nic->loop_task, nic_loop_run);
	for (int i = 0; i < NET_FAMILIES; i++)
		neigh_cache_init(&nic->neigh[i], nic, (enum net_index)i);
	for (int i = 0; i < NET_COUNT; i++) {
		if (!s->net[i] || !s->net[i]->nic_attach)
			continue;
		nic->net_state[i] = s->net[i]->nic_attach(nic);
		if (!nic->net_state[i]) {
			nic->link = NULL;	/* still the caller's */
			nic_free(nic);
			return NULL;
		}
	}
	return nic;
}

enum ns_err nic_create(struct stack *s, uint32_t id, const char *name, struct link *link,
		       struct nic **out)
{
	char auto_name[NIC_NAME_MAX];
	struct nic *nic = NULL;
	enum ns_err err;

	snprintf(auto_name, sizeof(auto_name), "nic%u", id);
	if (!name)
		name = auto_name;
	err = nic_check(s, id, name, link);
	if (!err && strlen(name) >= NIC_NAME_MAX)
		err = NS_ERR_INVALID_OPTION_VALUE;
	if (!err && !(nic = nic_alloc(s, id, name, link)))
		err = NS_ERR_NO_MEMORY;
	if (!err && !htab_insert(&s->nics_by_id, &nic->node, hash_mix(id ^ s->key.k[0], s->key.k[1]))) {
		nic->link = NULL;
		nic_free(nic);
		err = NS_ERR_NO_MEMORY;
	}
	if (err) {
		link_close(link);
		return err;
	}
	list_push_back(&s->nics, &nic->list);
	link_attach(link, &nic->sink);
	nic_set_enabled(nic, true);
	if (out)
		*out = nic;
	return NS_OK;
}

enum ns_err nic_remove(struct stack *s, uint32_t id)
{
	struct nic *nic = nic_find(s, id);

	if (!nic)
		return NS_ERR_UNKNOWN_NIC_ID;
	nic_set_enabled(nic, false);
	while (!list_empty(&nic->addrs)) {
		struct addr a = container_of(nic->addrs.next, struct nic_addr, list)->addr;

		nic_remove_addr(nic, &a);
	}
	route_remove_nic(s, id);
	htab_remove(&s->nics_by_id, &nic->node);
	list_remove(&nic->list);
	stack_routes_changed(s);
	nic_free(nic);
	return NS_OK;
}

void nic_set_enabled(struct nic *nic, bool on)
{
	struct stack *s = nic->stack;

	if (nic->enabled == on)
		return;
	nic->enabled = on;
	stack_routes_changed(s);
	for (int i = 0; i < NET_COUNT; i++)
		if (s->net[i] && s->net[i]->nic_enabled)
			s->net[i]->nic_enabled(nic, on);
	if (!on)
		for (int i = 0; i < NET_FAMILIES; i++)
			neigh_clear(&nic->neigh[i]);
}

void nic_set_forwarding(struct nic *nic, enum net_index net, bool on)
{
	if (nic->forwarding[net] == on)
		return;
	nic->forwarding[net] = on;
	if (net != NET_IPV6 || !stack_has_net(nic->stack, net))
		return;
	if (on)				/* RFC 4291, 2.8: routers are in this group */
		nic_join_group(nic, &addr_v6_all_routers);
	else
		nic_leave_group(nic, &addr_v6_all_routers);
}

enum ns_err nic_set_mtu(struct nic *nic, uint32_t mtu)
{
	if (mtu < NIC_MIN_MTU || mtu > nic->max_mtu)
		return NS_ERR_INVALID_OPTION_VALUE;
	nic->link->mtu = mtu;
	stack_routes_changed(nic->stack);
	nic->stack->pmtu.gen++;
	return NS_OK;
}
