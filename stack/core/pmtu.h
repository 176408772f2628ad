/* Path MTUs learnt from ICMP (RFC 1191, RFC 8201). */
#ifndef STACK_CORE_PMTU_H
#define STACK_CORE_PMTU_H

#include "base/clock.h"
#include "base/htab.h"
#include "base/list.h"
#include "core/netproto.h"

/**
 * struct pmtu_cache - by destination, bounded, each kept for ten minutes
 * @gen: changes whenever an answer may
 */
struct pmtu_cache {
	struct stack *stack;
	struct htab table;
	struct list order;		/* oldest first */
	struct timer timer;
	uint32_t gen;
};

void pmtu_init(struct pmtu_cache *c, struct stack *s);
void pmtu_fini(struct pmtu_cache *c);

/** pmtu_get() - the path MTU to @dst, at most @link_mtu */
uint32_t pmtu_get(struct pmtu_cache *c, const struct addr *dst, uint32_t link_mtu);

/** pmtu_is_narrow() - a router said less than the floor: IPv4 packets of the path MTU may have to be cut up
 * on the way */
bool pmtu_is_narrow(struct pmtu_cache *c, const struct addr *dst);

/** pmtu_update() - a router said @mtu; never raises it, and never goes below the floor */
void pmtu_update(struct pmtu_cache *c, const struct addr *dst, uint32_t mtu);

#endif
