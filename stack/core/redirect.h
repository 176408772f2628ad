/* Better next hops that routers told of (RFC 1122 3.2.2.2, RFC 4861 8). */
#ifndef STACK_CORE_REDIRECT_H
#define STACK_CORE_REDIRECT_H

#include "base/clock.h"
#include "base/htab.h"
#include "base/list.h"
#include "core/netproto.h"

/** struct redirect_cache - by destination, bounded, each kept for ten minutes */
struct redirect_cache {
	struct stack *stack;
	struct htab table;
	struct list order;		/* oldest first */
	struct timer timer;
};

void redirect_init(struct redirect_cache *c, struct stack *s);
void redirect_fini(struct redirect_cache *c);

/**
 * redirect_learn() - @from, which is the present next hop to @dst on NIC @nic, says that @gateway
 * is a better one
 *
 * It holds while the route table names the same next hop as it does now, until the gateway cannot be
 * reached, or ten minutes.
 */
void redirect_learn(struct redirect_cache *c, const struct addr *dst, uint32_t nic,
		    const struct addr *from, const struct addr *gateway);

/** redirect_forget() - a next hop is not reachable: back to what the table says */
void redirect_forget(struct redirect_cache *c, uint32_t nic, const struct addr *gateway);

/** redirect_find() - what redirect_apply() does if there are any */
void redirect_find(const struct redirect_cache *c, const struct addr *dst, uint32_t nic,
		   struct addr *next_hop);

/** redirect_apply() - change the route table's next hop to @dst to the better one, if one is known */
static inline void redirect_apply(const struct redirect_cache *c, const struct addr *dst,
				  uint32_t nic, struct addr *next_hop)
{
	if (c->table.count)
		redirect_find(c, dst, nic, next_hop);
}

#endif
