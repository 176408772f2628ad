/* Neighbour cache: link addresses of the next hops, by the states of RFC 4861, for ARP and NDP. */
#ifndef STACK_CORE_NEIGH_H
#define STACK_CORE_NEIGH_H

#include "base/clock.h"
#include "base/htab.h"
#include "core/netproto.h"

/**
 * enum neigh_state - RFC 4861, 7.3.2, and three more
 * @NEIGH_INCOMPLETE:  resolution is under way; packets wait
 * @NEIGH_REACHABLE:   confirmed not long ago
 * @NEIGH_STALE:       known, not confirmed for some time; nobody has sent to it since
 * @NEIGH_DELAY:       known and in use; upper layers get a moment to confirm it
 * @NEIGH_PROBE:       known, being asked for again
 * @NEIGH_STATIC:      set by hand, never changes
 * @NEIGH_UNREACHABLE: resolution failed; the next packet tries again
 */
enum neigh_state {
	NEIGH_INCOMPLETE, NEIGH_REACHABLE, NEIGH_STALE, NEIGH_DELAY, NEIGH_PROBE, NEIGH_STATIC,
	NEIGH_UNREACHABLE, NEIGH_STATE_COUNT
};

const char *neigh_state_name(enum neigh_state s);

/** struct neigh_config - RFC 4861, section 10, with its names */
struct neigh_config {
	int64_t base_reachable_ns;	/* REACHABLE_TIME 30 s; varied by 0.5 to 1.5 */
	int64_t retransmit_ns;		/* RETRANS_TIMER 1 s */
	int64_t delay_first_probe_ns;	/* DELAY_FIRST_PROBE_TIME 5 s */
	uint32_t max_multicast_probes;	/* MAX_MULTICAST_SOLICIT 3 */
	uint32_t max_unicast_probes;	/* MAX_UNICAST_SOLICIT 3 */
	uint32_t max_entries;		/* dynamic ones; the least recently used goes first */
	uint32_t max_pending;		/* packets that wait per entry; the oldest goes first */
};

/**
 * struct neigh - an entry
 * @refs:   the cache's while it is in it, and one for each route that keeps it
 * @dead:   taken out of the cache: routes must look again
 * @is_router: told by the IsRouter flag (RFC 4861, 7.2.5)
 * @pending: packets that wait for the link address
 */
struct neigh {
	struct htab_node node;
	struct list lru;
	struct neigh_cache *cache;
	struct addr addr;
	struct link_addr link_addr;
	enum neigh_state state;
	uint32_t refs;
	uint32_t probes;
	int64_t reachable_until_ns;
	bool dead, is_router;
	struct timer timer;
	struct pkt_queue pending;
};

/** struct neigh_cache - of one NIC and family */
struct neigh_cache {
	struct nic *nic;
	enum net_index net;
	struct neigh_config config;
	struct htab table;
	struct list lru;		/* least recently used first */
	uint32_t dynamic;
};

void neigh_config_init(struct neigh_config *c);
void neigh_cache_init(struct neigh_cache *c, struct nic *nic, enum net_index net);
void neigh_cache_fini(struct neigh_cache *c);

/** neigh_lookup() - borrows: the entry of @a, made if need be; NULL if there was no memory */
struct neigh *neigh_lookup(struct neigh_cache *c, const struct addr *a);

/** neigh_find() - the entry of @a if there is one */
struct neigh *neigh_find(struct neigh_cache *c, const struct addr *a);

struct neigh *neigh_ref(struct neigh *n);
void neigh_unref(struct neigh *n);

/**
 * neigh_send() - takes @pkt: send it to the neighbour, or let it wait until its address is known
 *
 * Return: NS_OK also for a packet that waits; HOST_UNREACHABLE never: that comes as a net_error.
 */
enum ns_err neigh_send(struct neigh *n, struct pkt *pkt);

/** neigh_probe() - a neighbour spoke to us from @link (ARP request, NS, RS, RA, Redirect with its
 * link address): learn it, without taking it as confirmed (RFC 4861, 7.2.3) */
void neigh_probe(struct neigh_cache *c, const struct addr *a, const struct link_addr *link);

/** struct neigh_confirm - what a reply says (RFC 4861, 7.2.5) */
struct neigh_confirm {
	bool solicited, override, is_router;
};

/** neigh_confirm() - a reply to a question: only changes entries that exist. @link may be NULL. */
void neigh_confirm(struct neigh_cache *c, const struct addr *a, const struct link_addr *link,
		   const struct neigh_confirm *flags);

/** neigh_confirm_upper() - an upper layer made progress with this neighbour (RFC 4861, 7.3.1) */
void neigh_confirm_upper(struct neigh *n);

/** neigh_add_static() - set by hand; neigh_remove() - forget, false if there was none */
enum ns_err neigh_add_static(struct neigh_cache *c, const struct addr *a,
			     const struct link_addr *link);
bool neigh_remove(struct neigh_cache *c, const struct addr *a);

/** neigh_clear() - forget all */
void neigh_clear(struct neigh_cache *c);

#endif
