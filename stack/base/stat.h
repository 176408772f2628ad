/* Counters that one thread writes and any may read. */
#ifndef STACK_BASE_STAT_H
#define STACK_BASE_STAT_H

#include <stdint.h>

/**
 * struct stat_counter - a statistic
 *
 * Only the thread that runs the stack changes it; whoever else reads it sees whole values without
 * stopping anything. A relaxed load and store is a plain add on the machines this runs on.
 */
struct stat_counter {
	uint64_t value;
};

static inline uint64_t stat_value(const struct stat_counter *s)
{
	return __atomic_load_n(&s->value, __ATOMIC_RELAXED);
}

static inline void stat_add(struct stat_counter *s, uint64_t v)
{
	__atomic_store_n(&s->value, stat_value(s) + v, __ATOMIC_RELAXED);
}

static inline void stat_inc(struct stat_counter *s)
{
	stat_add(s, 1);
}

static inline void stat_dec(struct stat_counter *s)
{
	stat_add(s, (uint64_t)-1);
}

#endif
