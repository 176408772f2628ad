/* A link that does to packets what bad networks do, each direction on its own, from a seed. */
#ifndef STACK_LINK_IMPAIR_H
#define STACK_LINK_IMPAIR_H

#include "base/clock.h"
#include "core/link.h"

/**
 * struct impair_dir - one direction; chances in parts per million
 * @loss, @duplicate:  of a packet
 * @corrupt:   one bit flipped, anywhere
 * @reorder:   the packet is held back @reorder_ns longer than its delay, so that others pass it
 * @delay_ns, @jitter_ns: each packet waits delay plus a random part of jitter; this alone does not
 *             change the order
 * @rate_bps:  bits per second, 0 for no limit
 * @queue_pkts: packets held at most, 0 for 1000; more are dropped
 */
struct impair_dir {
	uint32_t loss, duplicate, corrupt, reorder;
	int64_t delay_ns, jitter_ns, reorder_ns;
	uint64_t rate_bps;
	uint32_t queue_pkts;
};

/** struct impair_stats - what was done; @overflowed: dropped for a queue that was full, here or below */
struct impair_stats {
	uint64_t passed, lost, duplicated, corrupted, reordered, overflowed;
};

/** struct impair_config - @out: what the stack sends; @in: what it receives */
struct impair_config {
	struct clock *clock;
	uint64_t seed;
	struct impair_dir out, in;
};

/** impair_new() - wrap @lower, which it owns from now on; NULL, @lower closed, if no memory */
struct link *impair_new(struct link *lower, const struct impair_config *c);

/** impair_set() - change what is done from now on; NULL: leave that direction */
void impair_set(struct link *l, const struct impair_dir *out, const struct impair_dir *in);

/** impair_get_stats() - of one direction */
struct impair_stats impair_get_stats(const struct link *l, bool outbound);

#endif
