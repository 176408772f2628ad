/*
 * Neighbour cache.
 *
 * Theory of operation. One cache per NIC and family; ARP and NDP both feed it, through neigh_probe()
 * (somebody told us its address) and neigh_confirm() (somebody answered), and are asked by it
 * through their solicit operation. States and timers are RFC 4861's, 7.3; ARP lives by the same
 * ones, its reply counting as a solicited advertisement. Every change of state goes through
 * neigh_set_state(), which arms the state's timer. Memory is bounded twice: dynamic entries per
 * cache (the least recently used goes), packets per unresolved entry (the oldest goes).
 */
#include "core/neigh.h"

#include <stdlib.h>

#include "core/stack.h"

static const char *const neigh_state_names[NEIGH_STATE_COUNT] = {
	[NEIGH_INCOMPLETE] = "INCOMPLETE", [NEIGH_REACHABLE] = "REACHABLE",
	[NEIGH_STALE] = "STALE", [NEIGH_DELAY] = "DELAY", [NEIGH_PROBE] = "PROBE",
	[NEIGH_STATIC] = "STATIC", [NEIGH_UNREACHABLE] = "UNREACHABLE",
};

const char *neigh_state_name(enum neigh_state s)
{
	return (unsigned)s < NEIGH_STATE_COUNT ? neigh_state_names[s] : "?";
}

void neigh_config_init(struct neigh_config *c)
{
	*c = (struct neigh_config){
		.base_reachable_ns = 30 * NS_PER_SEC,
		.retransmit_ns = NS_PER_SEC,
		.delay_first_probe_ns = 5 * NS_PER_SEC,
		.max_multicast_probes = 3,
		.max_unicast_probes = 3,
		.max_entries = 1024,
		.max_pending = 64,
	};
}

void neigh_cache_init(struct neigh_cache *c, struct nic *nic, enum net_index net)
{
	*c = (struct neigh_cache){ .nic = nic, .net = net };
	neigh_config_init(&c->config);
	htab_init(&c->table);
	list_init(&c->lru);
}

static struct clock *neigh_clock(const struct neigh *n)
{
	return n->cache->nic->stack->clock;
}

struct neigh *neigh_ref(struct neigh *n)
{
	n->refs++;
	return n;
}

void neigh_unref(struct neigh *n)
{
	if (--n->refs == 0)
		free(n);
}

static void neigh_drop(struct neigh *n)
{
	struct neigh_cache *c = n->cache;

	htab_remove(&c->table, &n->node);
	if (!list_empty(&n->lru)) {
		list_remove(&n->lru);
		c->dynamic--;
	}
	timer_fini(neigh_clock(n), &n->timer);
	pkt_queue_purge(&n->pending);
	n->dead = true;
	n->cache = NULL;
	neigh_unref(n);
}

void neigh_clear(struct neigh_cache *c)
{
	struct htab_node *node;

	while ((node = htab_next(&c->table, NULL)))
		neigh_drop(container_of(node, struct neigh, node));
}

void neigh_cache_fini(struct neigh_cache *c)
{
	neigh_clear(c);
	htab_fini(&c->table);
}

/* RFC 4861, 6.3.2: uniformly between 0.5 and 1.5 times the base. */
static int64_t reachable_time(struct neigh_cache *c)
{
	int64_t base = c->config.base_reachable_ns;

	return base / 2 + (int64_t)(rand_u64(&c->nic->stack->rand) % ((uint64_t)base + 1));
}

static void neigh_solicit(struct neigh *n)
{
	struct nic *nic = n->cache->nic;
	struct stack *s = nic->stack;
	const struct link_addr *to = n->state == NEIGH_PROBE ? &n->link_addr : NULL;

	n->probes++;
	for (int i = 0; i < NET_COUNT; i++)
		if (s->net[i] && s->net[i]->resolves == (int)n->cache->net)
			s->net[i]->solicit(nic, &n->addr, to);
}

static void neigh_set_state(struct neigh *n, enum neigh_state state)
{
	const struct neigh_config *cfg = &n->cache->config;
	struct clock *clock = neigh_clock(n);

	if (state == NEIGH_INCOMPLETE || state == NEIGH_PROBE)
		n->probes = 0;
	n->state = state;
	switch (state) {
	case NEIGH_INCOMPLETE:
	case NEIGH_PROBE:
		timer_arm_in(clock, &n->timer, cfg->retransmit_ns);
		break;
	case NEIGH_REACHABLE:
		timer_arm_in(clock, &n->timer, reachable_time(n->cache));
		break;
	case NEIGH_DELAY:
		timer_arm_in(clock, &n->timer, cfg->delay_first_probe_ns);
		break;
	default:
		timer_disarm(&n->timer);
	}
}

/* Tells whoever sent the packets that wait; called with the entry already UNREACHABLE. */
static void neigh_fail(struct neigh *n)
{
	struct nic *nic = n->cache->nic;
	struct stack *s = nic->stack;
	enum net_index net = n->cache->net;
	struct pkt_queue failed;
	struct pkt *pkt;

	redirect_forget(&s->redirects, nic->id, &n->addr);
	/* Reporting may send, even to this neighbour: work on a list of our own. */
	pkt_queue_init(&failed);
	while ((pkt = pkt_queue_pop(&n->pending)))
		pkt_queue_push(&failed, pkt);
	neigh_ref(n);
	while ((pkt = pkt_queue_pop(&failed))) {
		stat_inc(&s->stats.ip.outgoing_packet_errors);
		if (pkt->nic_id) {
			struct nic *in = nic_find(s, pkt->nic_id);

			/* Forwarded: its sender is elsewhere. */
			if (in)
				s->net[net]->reject(in, pkt, NET_REJECT_HOST);
		} else if (pkt->trans_off != PKT_NO_HDR) {
			struct net_error e = {
				.kind = NET_ERROR_LINK_FAILED, .err = NS_ERR_HOST_UNREACHABLE,
				.local = pkt->src, .remote = pkt->dst, .nic = nic,
				.hdr = pkt_trans_hdr(pkt),
				.hdr_len = (size_t)(pkt->off + pkt->head_len - pkt->trans_off),
			};

			stack_deliver_error(s, pkt->trans_proto, &e);
		}
		pkt_free(pkt);
	}
	neigh_unref(n);
}

static void neigh_timeout(struct timer *t)
{
	struct neigh *n = container_of(t, struct neigh, timer);
	const struct neigh_config *cfg = &n->cache->config;

	switch (n->state) {
	case NEIGH_REACHABLE:
		neigh_set_state(n, NEIGH_STALE);
		return;
	case NEIGH_DELAY:	/* RFC 4861, 7.3.3: no confirmation came by itself, so ask */
		neigh_set_state(n, NEIGH_PROBE);
		neigh_solicit(n);
		return;
	case NEIGH_INCOMPLETE:
	case NEIGH_PROBE:
		if (n->probes < (n->state == NEIGH_PROBE ? cfg->max_unicast_probes
							  : cfg->max_multicast_probes)) {
			timer_arm_in(neigh_clock(n), &n->timer, cfg->retransmit_ns);
			neigh_solicit(n);
			return;
		}
		neigh_set_state(n, NEIGH_UNREACHABLE);
		neigh_fail(n);
		return;
	default:
		return;
	}
}

struct neigh *neigh_find(struct neigh_cache *c, const struct addr *a)
{
	htab_for_each_match(node, &c->table, hash_addr(&c->nic->stack->key, a, 0)) {
		struct neigh *n = container_of(node, struct neigh, node);

		if (addr_equal(&n->addr, a))
			return n;
	}
	return NULL;
}

/* Makes room for one more dynamic entry. */
static void neigh_evict(struct neigh_cache *c)
{
	while (c->dynamic && c->dynamic >= c->config.max_entries) {
		stat_inc(&c->nic->stats.neigh_table_full);
		stat_inc(&c->nic->stack->stats.nics.neigh_table_full);
		neigh_drop(container_of(c->lru.next, struct neigh, lru));
	}
}

struct neigh *neigh_lookup(struct neigh_cache *c, const struct addr *a)
{
	struct neigh *n = neigh_find(c, a);

	if (n)
		return n;
	neigh_evict(c);
	n = calloc(1, sizeof(*n));
	if (!n)
		return NULL;
	n->cache = c;
	n->addr = *a;
	n->refs = 1;
	n->state = NEIGH_UNREACHABLE;	/* nothing known: the first packet starts resolution */
	timer_init(&n->timer, neigh_timeout);
	pkt_queue_init(&n->pending);
	list_init(&n->lru);
	if (!htab_insert(&c->table, &n->node, hash_addr(&c->nic->stack->key, a, 0))) {
		free(n);
		return NULL;
	}
	list_push_back(&c->lru, &n->lru);
	c->dynamic++;
	return n;
}

static void neigh_hold(struct neigh *n, struct pkt *pkt)
{
	struct nic *nic = n->cache->nic;

	/* RFC 4861, 7.2.2: when the queue overflows the new arrival replaces the oldest entry. */
	if (n->pending.count >= n->cache->config.max_pending) {
		pkt_free(pkt_queue_pop(&n->pending));
		stat_inc(&nic->stats.neigh_pending_dropped);
		stat_inc(&nic->stack->stats.nics.neigh_pending_dropped);
		stat_inc(&nic->stack->stats.dropped_packets);
	}
	if (n->cache->config.max_pending == 0)
		pkt_free(pkt);
	else
		pkt_queue_push(&n->pending, pkt);
}

enum ns_err neigh_send(struct neigh *n, struct pkt *pkt)
{
	struct neigh_cache *c = n->cache;

	if (n->state != NEIGH_STATIC && c->lru.prev != &n->lru) {
		list_remove(&n->lru);
		list_push_back(&c->lru, &n->lru);
	}
	switch (n->state) {
	case NEIGH_UNREACHABLE:
		neigh_set_state(n, NEIGH_INCOMPLETE);
		neigh_hold(n, pkt);
		neigh_solicit(n);
		return NS_OK;
	case NEIGH_INCOMPLETE:
		neigh_hold(n, pkt);
		return NS_OK;
	case NEIGH_STALE:
		neigh_set_state(n, NEIGH_DELAY);
		break;
	default:
		break;
	}
	pkt->link_dst = n->link_addr;
	return nic_write(c->nic, pkt);
}

static void neigh_flush_pending(struct neigh *n)
{
	struct link_addr to = n->link_addr;
	struct nic *nic = n->cache->nic;
	struct pkt_queue ready;
	struct pkt *pkt;

	/* A link may answer at once, and the answer change or drop the entry: work without it. */
	pkt_queue_init(&ready);
	while ((pkt = pkt_queue_pop(&n->pending)))
		pkt_queue_push(&ready, pkt);
	while ((pkt = pkt_queue_pop(&ready))) {
		pkt->link_dst = to;
		nic_write(nic, pkt);
	}
}

void neigh_probe(struct neigh_cache *c, const struct addr *a, const struct link_addr *link)
{
	struct neigh *n;

	if (!link_addr_is_unicast(link))
		return;
	n = neigh_lookup(c, a);
	if (!n || n->state == NEIGH_STATIC)
		return;
	switch (n->state) {
	case NEIGH_INCOMPLETE:
	case NEIGH_UNREACHABLE:
		n->link_addr = *link;
		neigh_set_state(n, NEIGH_STALE);
		if (n->pending.count) {
			neigh_set_state(n, NEIGH_DELAY);
			neigh_flush_pending(n);
		}
		break;
	default:
		if (!link_addr_equal(&n->link_addr, link)) {
			n->link_addr = *link;
			neigh_set_state(n, NEIGH_STALE);
		}
	}
}

/* RFC 4861, 7.2.5, for an entry whose link address is known. */
static void neigh_confirm_known(struct neigh *n, const struct link_addr *link,
				const struct neigh_confirm *f)
{
	bool differs = link && !link_addr_equal(link, &n->link_addr);

	if (differs && !f->override) {
		if (n->state == NEIGH_REACHABLE)
			neigh_set_state(n, NEIGH_STALE);
		return;
	}
	if (differs)
		n->link_addr = *link;
	if (f->solicited)
		neigh_set_state(n, NEIGH_REACHABLE);
	else if (differs)
		neigh_set_state(n, NEIGH_STALE);
	n->is_router = f->is_router;
}

void neigh_confirm(struct neigh_cache *c, const struct addr *a, const struct link_addr *link,
		   const struct neigh_confirm *f)
{
	struct neigh *n = neigh_find(c, a);

	/* "There is no need to create an entry if none exists" (RFC 4861, 7.2.5). */
	if (!n || n->state == NEIGH_STATIC || n->state == NEIGH_UNREACHABLE)
		return;
	if (link && !link_addr_is_unicast(link))
		return;
	if (n->state != NEIGH_INCOMPLETE) {
		neigh_confirm_known(n, link, f);
		return;
	}
	if (!link)
		return;
	n->link_addr = *link;
	n->is_router = f->is_router;
	neigh_set_state(n, f->solicited ? NEIGH_REACHABLE : NEIGH_STALE);
	neigh_flush_pending(n);
}

void neigh_confirm_upper(struct neigh *n)
{
	switch (n->state) {
	case NEIGH_STALE:
	case NEIGH_DELAY:
	case NEIGH_PROBE:
		neigh_set_state(n, NEIGH_REACHABLE);
		break;
	default:
		break;
	}
}

enum ns_err neigh_add_static(struct neigh_cache *c, const struct addr *a,
			     const struct link_addr *link)
{
	struct neigh *n;

	if (!link_addr_is_unicast(link))
		return NS_ERR_BAD_ADDRESS;
	n = neigh_lookup(c, a);
	if (!n)
		return NS_ERR_NO_MEMORY;
	n->link_addr = *link;
	if (!list_empty(&n->lru)) {
		list_remove(&n->lru);
		c->dynamic--;
	}
	neigh_set_state(n, NEIGH_STATIC);
	neigh_flush_pending(n);
	return NS_OK;
}

bool neigh_remove(struct neigh_cache *c, const struct addr *a)
{
	struct neigh *n = neigh_find(c, a);

	if (n)
		neigh_drop(n);
	return n != NULL;
}
