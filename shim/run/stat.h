/* stat.h - statistics per cookie: an array in the run file (or in a switch of the program's own), in
 * which an entry is claimed with one compare-and-swap and counted in with atomic additions; and what is counted in the
 * places of sockets until somebody adds it to that. */
#ifndef SHIM_RUN_STAT_H
#define SHIM_RUN_STAT_H

#include <stdbool.h>

#include "run/layout.h"

/* Adds to a counter. `alone`: this thread is the only one, and no other process writes here either, so that it does not
 * take the bus; a signal handler still finds the addition done or not begun. */
static inline void run_add(uint64_t *counter, uint64_t n, bool alone)
{
#ifdef __x86_64__
	if (__builtin_expect(alone, 1)) {
		__asm__("addq %1, %0" : "+m"(*counter) : "er"(n) : "cc");
		return;
	}
#endif
	__atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

/* The entry of a cookie, made if there is none. The last of the RUN_STATS entries takes the cookies
 * that find no place; it has the cookie of whoever came first. */
static inline struct run_stat *run_stat(struct run_stat *stats, sockshim_cookie cookie)
{
	/* 0 is for a free entry: what is -1 throughout counts as what it is but for the protocol. */
	const uint64_t key = cookie + 1 ? cookie + 1 : cookie;

	/* A program uses a handful of cookies: the first few entries, in one page. */
	for (unsigned i = 0; i < RUN_STATS; i++) {
		struct run_stat *s = &stats[i];
		uint64_t have = __atomic_load_n(&s->cookie_plus_one, __ATOMIC_RELAXED);

		if (have == key)
			return s;
		if (have == 0 && (__atomic_compare_exchange_n(&s->cookie_plus_one, &have, key, 0,
				__ATOMIC_RELAXED, __ATOMIC_RELAXED) || have == key))
			return s;
	}
	return &stats[RUN_STATS - 1];
}

static inline void run_count(struct run_stat *stats, sockshim_cookie cookie, enum run_count c)
{
	__atomic_fetch_add(&run_stat(stats, cookie)->count[c], 1, __ATOMIC_RELAXED);
}

static inline void run_count_injected(struct run_stat *stats, sockshim_cookie cookie,
				      enum sockshim_filter_type t)
{
	__atomic_fetch_add(&run_stat(stats, cookie)->injected[t], 1, __ATOMIC_RELAXED);
}

/* The cookie whose sockets are counted in the place of this one. */
static inline sockshim_cookie run_stat_owner(const struct run_socket *s)
{
	return s->flags & RUN_SOCK_APART ? s->owner : s->cookie;
}

/* Whether anything has been counted in the place of a socket since. (Without a cookie it never was one's: a signal handler forked
 * between the look at one and the counting.) */
static inline bool run_stat_noted(const struct run_socket *s)
{
	if (!run_stat_owner(s))
		return false;
	return __atomic_load_n(&s->opened, __ATOMIC_RELAXED) | __atomic_load_n(&s->closed, __ATOMIC_RELAXED) |
	       __atomic_load_n(&s->accept_failed, __ATOMIC_RELAXED);
}

/* So much that it is to be taken soon. */
static inline bool run_stat_noted_much(const struct run_socket *s)
{
	return (s->opened | s->closed | s->accept_failed) >> 30;
}

/* Adds it to the statistics, and counts from 0 again. */
void run_stat_take(struct run_stat *stats, struct run_socket *s);

/* Counts in the place of a socket, by its owner. True: it is time to take it. */
static inline bool run_stat_note(uint32_t *counter)
{
	bool much;

#ifdef __x86_64__
	__asm__("incl %0" : "+m"(*counter), "=@ccs"(much) : : "memory");
#else
	much = __atomic_add_fetch(counter, 1, __ATOMIC_RELAXED) >> 31;
#endif
	return __builtin_expect(much, 0);
}

/* Takes that back, in the place of another process, which may go on there meanwhile. */
static inline void run_stat_unnote(uint32_t *counter)
{
	uint32_t n = __atomic_load_n(counter, __ATOMIC_RELAXED);

	while (n && !__atomic_compare_exchange_n(counter, &n, n - 1, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

/* Copies the entries that are in use, at most n of them; returns how many there are. */
size_t run_stats_copy(const struct run_stat *stats, struct sockshim_stat *out, size_t n);

/* Adds to such copies, n of them, what has been counted in the place of a socket, whose cookie has an entry. */
void run_stats_copy_place(const struct run_socket *s, struct sockshim_stat *out, size_t n);

#endif
