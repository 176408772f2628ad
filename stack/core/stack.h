/*
 * The stack: NICs, routes, protocols, endpoints, counters, and the time they share.
 *
 * It has no thread, global, I/O or clock of its own. Whoever runs it sets the time (clock_set()),
 * feeds received packets to links, calls endpoints, and after each round calls stack_run(); stack_next()
 * says by when the next one is due at the latest.
 */
#ifndef STACK_CORE_STACK_H
#define STACK_CORE_STACK_H

#include "base/clock.h"
#include "base/hash.h"
#include "core/demux.h"
#include "core/endpoint.h"
#include "core/hook.h"
#include "core/netproto.h"
#include "core/nic.h"
#include "core/pmtu.h"
#include "core/ports.h"
#include "core/ratelimit.h"
#include "core/rawtap.h"
#include "core/redirect.h"
#include "core/route.h"
#include "core/stats.h"
#include "core/transproto.h"
#include "core/txstamp.h"

enum { STACK_MAX_TRANS = 8 };

/**
 * struct stack_config - what a stack is made from
 * @clock: shared with other stacks; NULL: one of its own
 * @pool:  likewise
 * @seed:  16 random bytes: ports, IDs and hashes are secret as far as these are
 * @net, @nnet:     network protocols
 * @trans, @ntrans: transport protocols
 */
struct stack_config {
	struct clock *clock;
	struct pkt_pool *pool;
	uint8_t seed[16];
	const struct net_proto_ops *const *net;
	size_t nnet;
	const struct trans_proto_ops *const *trans;
	size_t ntrans;
};

struct stack_trans {
	const struct trans_proto_ops *ops;
	void *state;
};

/**
 * struct stack
 * @route_gen: changes whenever a route made before may be wrong
 * @addrs:     struct nic_addr of all NICs by address
 * @key:       for hashes whose results stay inside
 * @secret:    for what peers see
 * @default_ttl: per family
 * @endpoint_gone: whoever keeps books may set it: told of each endpoint that is about to be released
 */
struct stack {
	struct clock *clock;
	struct pkt_pool *pool;
	struct clock own_clock;
	struct hash_key key, secret;
	struct rand rand;
	const struct net_proto_ops *net[NET_COUNT];
	void *net_state[NET_COUNT];
	uint8_t default_ttl[NET_FAMILIES];
	struct stack_trans trans[STACK_MAX_TRANS];
	size_t ntrans;
	uint8_t trans_by_proto[256];	/* index + 1 */
	struct list nics;
	struct htab nics_by_id;
	struct htab addrs;
	struct route_table routes;
	uint32_t route_gen;
	struct pmtu_cache pmtu;
	struct redirect_cache redirects;
	struct htab demux;
	struct port_manager ports;
	struct list endpoints, endpoint_cursors;
	void (*endpoint_gone)(void *ctx, struct endpoint *ep);
	void *endpoint_gone_ctx;
	struct hook_table hooks;
	struct tap_table taps;
	struct tx_stamp_table tx_stamps;
	struct ratelimit icmp_limit;
	struct stats stats;
};

/** stack_new() - a stack without NICs; INVALID_OPTION_VALUE, NO_MEMORY */
enum ns_err stack_new(const struct stack_config *c, struct stack **out);

/** stack_free() - close all endpoints and NICs and release the stack */
void stack_free(struct stack *s);

/** stack_run() - run due timers and what was put off; after each round of calls */
void stack_run(struct stack *s);

/** stack_next() - when stack_run() is wanted next, monotonic; CLOCK_NEVER if nothing waits */
int64_t stack_next(struct stack *s);

/** stack_trans() - a transport protocol's slot, NULL if the stack has not got it */
struct stack_trans *stack_trans(struct stack *s, uint8_t proto);

/** stack_set_default_ttl() - TTL or hop limit of packets whose endpoint sets none; 1 to 255 */
enum ns_err stack_set_default_ttl(struct stack *s, enum net_index net, unsigned ttl);

/** stack_set_trans_option(), stack_get_trans_option() - a setting of a whole transport protocol (enum
 * sockopt); UNKNOWN_PROTOCOL, UNKNOWN_PROTOCOL_OPTION, INVALID_OPTION_VALUE */
enum ns_err stack_set_trans_option(struct stack *s, uint8_t proto, int opt, const void *val,
				   size_t len);
enum ns_err stack_get_trans_option(struct stack *s, uint8_t proto, int opt, void *val, size_t len);

/** stack_has_net() - whether the stack speaks this family */
static inline bool stack_has_net(const struct stack *s, enum net_index net)
{
	return s->net[net] != NULL;
}

/** stack_find_addr() - a usable local address on any NIC (@nic 0) or one */
struct nic_addr *stack_find_addr(const struct stack *s, const struct addr *a, uint32_t nic);

/** stack_deliver() - borrows unless TAKEN: @pkt's transport header first; NO_PORT also for a
 * protocol the stack has not got, with *@unknown set */
enum trans_rx stack_deliver(struct nic *nic, struct pkt *pkt, bool *unknown);

/** stack_deliver_error() - an ICMP error about a packet of @proto that this stack sent */
void stack_deliver_error(struct stack *s, uint8_t proto, struct net_error *e);

/** stack_routes_changed() - routes made before may be wrong now */
static inline void stack_routes_changed(struct stack *s)
{
	s->route_gen++;
}

#endif
