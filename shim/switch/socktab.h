/* socktab.h - the table of sockets: which descriptor is which socket.
 *
 * Theory of operation. What an entry says of a descriptor is one word, `ref`: not known (0: nobody has looked
 * yet), a pointer to the socket's object with a few bits (above 0), or no socket (below 0). If a socket was there
 * that nobody names any more, no socket is minus the address of its object, the descriptor's place: a new one
 * may be put there at once. Beside it is the cookie, which a forked child needs. The entries of the low
 * descriptors are in the table itself, the others in leaves that are mapped when a descriptor in their range is
 * first seen. Objects (struct run_socket) live in chunks that the table's owner provides: those of the preloaded
 * switch are in the mapped run file.
 *
 * All is lock-free and may be called in signal handlers:
 *  - the kernel hands a descriptor number to one caller at a time, so the thread that got a number from
 *    socket, accept or dup is the only one to fill its entry;
 *  - an entry is removed before the kernel's close, after which the number may be another thread's. If two
 *    threads close one descriptor at once, which is an error of the program's, both may count it;
 *  - an object counts the descriptors that name it. A new socket takes the object at the index of its
 *    own descriptor; only if a dup of an earlier owner still holds that one does it claim another,
 *    from a range behind the last descriptor, with compare-and-swap.
 * Neither leaves nor objects are ever given back, so a stale pointer may count wrong but not crash.
 *
 * After fork the leaves are the child's own (copy on write) but chunks are shared with the parent:
 * the owner calls socktab_after_fork, which makes objects of the child's own from the cookies.
 */
#ifndef SHIM_SWITCH_SOCKTAB_H
#define SHIM_SWITCH_SOCKTAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "run/layout.h"

#define SOCKTAB_FDS		(RUN_CHUNKS_MAX * RUN_CHUNK_SOCKETS)
#define SOCKTAB_LOW_FDS		256
#define SOCKTAB_LEAF_FDS	4096
#define SOCKTAB_CHUNKS		(RUN_CHUNKS_MAX + RUN_SPILL_CHUNKS)	/* the last: for sockets whose own place is held by a dup */

#define SOCKTAB_UNKNOWN	0ull
#define SOCKTAB_OTHER	(1ull << 63)	/* no socket, and nothing known of its place */
#define SOCKTAB_ONCE	1ull	/* in `ref`: the object is in no place of its own, or of none that readers find */
#define SOCKTAB_SHARED	2ull	/* in `ref`: more than one descriptor has named the object */
#define SOCKTAB_SPECIAL	4ull	/* in `ref`: calls on it must not take the short way */
#define SOCKTAB_STACK	8ull	/* in `ref`: the socket is redirected into a stack */
#define SOCKTAB_APART	16ull	/* in `ref`: the socket is not counted in its place, which is for another cookie's */
#define SOCKTAB_BITS	31ull

struct socktab_entry {
	uint64_t ref;
	sockshim_cookie cookie;		/* of the socket, or of the last one */
};

struct socktab_leaf {
	struct socktab_entry entry[SOCKTAB_LEAF_FDS];
};

struct socktab {
	struct socktab_entry low[SOCKTAB_LOW_FDS];
	const char *alone;		/* not 0 there: the process has a single thread */
	struct run_stat *stats;		/* RUN_STATS of them, the owner's: of the sockets in it */
	struct run_takes *takes;	/* the owner's */
	uint32_t chunks;		/* of those for descriptors, none is at this index or behind it */
	uint32_t turns;			/* how often a place was found to be another cookie's */
	struct run_socket **chunk;	/* SOCKTAB_CHUNKS pointers, the owner's memory */
	/* Provides chunk i, zeroed, in memory that can be moved (mremap); NULL: there is none to be had. */
	struct run_socket *(*new_chunk)(void *ctx, unsigned i);
	void *ctx;
	struct socktab_leaf *leaf[SOCKTAB_FDS / SOCKTAB_LEAF_FDS];	/* the first: for what is not low */
};

static inline bool socktab_is_socket(uint64_t ref)
{
	return (int64_t)ref > 0;
}

static inline bool socktab_is_other(uint64_t ref)
{
	return (int64_t)ref < 0;
}

/* Of a socket's ref. */
static inline struct run_socket *socktab_object(uint64_t ref)
{
	return (struct run_socket *)(uintptr_t)(ref & ~SOCKTAB_BITS);
}

/* The entry of a descriptor. NULL: it is neither low nor in a leaf yet, or out of range; nothing is known of it. */
static inline struct socktab_entry *socktab_entry(const struct socktab *tab, int fd)
{
	struct socktab_leaf *leaf;

	if (__builtin_expect((unsigned)fd < SOCKTAB_LOW_FDS, 1))
		return (struct socktab_entry *)&tab->low[fd];
	if ((unsigned)fd >= SOCKTAB_FDS)
		return NULL;
	leaf = __atomic_load_n(&tab->leaf[(unsigned)fd / SOCKTAB_LEAF_FDS], __ATOMIC_ACQUIRE);
	return leaf ? &leaf->entry[(unsigned)fd % SOCKTAB_LEAF_FDS] : NULL;
}

/* A socket's ref, or SOCKTAB_UNKNOWN, or that of no socket. */
static inline uint64_t socktab_entry_ref(const struct socktab_entry *e)
{
	return e ? __atomic_load_n(&e->ref, __ATOMIC_ACQUIRE) : SOCKTAB_UNKNOWN;
}

static inline uint64_t socktab_ref(const struct socktab *tab, int fd)
{
	return socktab_entry_ref(socktab_entry(tab, fd));
}

/* The socket of a descriptor, NULL if it is not in the table. */
static inline struct run_socket *socktab_find(const struct socktab *tab, int fd)
{
	uint64_t ref = socktab_ref(tab, fd);

	return socktab_is_socket(ref) ? socktab_object(ref) : NULL;
}

/* One descriptor more, or less, names the object. `alone`: no other thread, but perhaps a signal handler. */
static inline void socktab_refs_add(struct run_socket *s, bool alone)
{
#ifdef __x86_64__
	if (alone) {
		__asm__("incl %0" : "+m"(s->refs) : : "cc");
		return;
	}
#endif
	__atomic_add_fetch(&s->refs, 1, __ATOMIC_ACQ_REL);
}

/* Whether it was the last one. */
static inline bool socktab_refs_drop(struct run_socket *s, bool alone)
{
#ifdef __x86_64__
	if (alone) {
		bool none;

		__asm__("decl %0" : "+m"(s->refs), "=@ccz"(none) : : "memory");
		return none;
	}
#endif
	return __atomic_sub_fetch(&s->refs, 1, __ATOMIC_ACQ_REL) == 0;
}

/* Makes an object, which nobody else has, that of a new socket with one reference, as far as that is not the same for all of
 * one cookie in one place. The addresses are left as they were: `flags` say that they are not valid. */
static inline void socktab_init(struct run_socket *s, uint32_t flags, const void *opener)
{
	memset(&s->err, 0, offsetof(struct run_socket, opened_ticks) - offsetof(struct run_socket, err));
	s->opener = (uint64_t)(uintptr_t)opener;
	s->flags = flags;
	__atomic_store_n(&s->refs, 1, __ATOMIC_RELEASE);
}

/* Enters a new socket where one of the same cookie was before that nobody names any more, for an owner who never uses stacks and
 * backtraces; when it was opened is left as it was. Returns its object; NULL: there is no such place, or fd is no descriptor at
 * all; nothing done. */
static inline struct run_socket *socktab_enter_again(struct socktab *tab, unsigned long fd, sockshim_cookie cookie,
						     uint32_t flags, const void *opener)
{
	struct socktab_entry *e = tab->low;
	struct socktab_leaf *leaf;
	struct run_socket *s;
	uint64_t place;

	__asm__("" : "+r"(e));	/* for shorter code */
	if (__builtin_expect(fd >= SOCKTAB_LOW_FDS, 0)) {
		leaf = fd < SOCKTAB_FDS ? __atomic_load_n(&tab->leaf[fd / SOCKTAB_LEAF_FDS], __ATOMIC_ACQUIRE) : NULL;
		if (__builtin_expect(!leaf, 0))
			return NULL;
		e = leaf->entry;
		fd %= SOCKTAB_LEAF_FDS;
	}
	e += fd;
	place = -__atomic_load_n(&e->ref, __ATOMIC_RELAXED);
	if (__builtin_expect((int64_t)place <= 0, 0))
		return NULL;
	s = (struct run_socket *)(uintptr_t)place;
	if (__builtin_expect(s->cookie != cookie, 0))
		return NULL;
	s->cookie = cookie;	/* a signal handler may have forked since, and the child have a new object there */
	socktab_init(s, flags, opener);
	__atomic_store_n(&e->cookie, cookie, __ATOMIC_RELAXED);
	__atomic_store_n(&e->ref, place, __ATOMIC_RELEASE);
	return s;
}

/* The same where the last one was of another cookie: now and then the place becomes this one's, but most times the socket is not
 * counted in it. (Sockets of several kinds may take turns under a descriptor, and one kind may give way to another for good.) */
struct run_socket *socktab_enter_apart(struct socktab *tab, int fd, sockshim_cookie cookie, uint32_t flags, const void *opener);

/* Enters a socket and returns its object, with cookie, flags, fd and one reference set and all else zero
 * but the addresses, which are not valid, and what is counted in the place. What the table had under that
 * number, a socket closed behind our back, is dropped: its cookie goes to *stale (else 0 is put there). NULL: no memory, or fd out of range; the descriptor is then "no socket". */
struct run_socket *socktab_add(struct socktab *tab, int fd, sockshim_cookie cookie, uint32_t flags, sockshim_cookie *stale);

/* Takes a descriptor out, which is "no socket" afterwards. Returns whether it was in the table; *cookie (which may be NULL)
 * is the socket's, if this was its last descriptor, else 0. */
bool socktab_remove(struct socktab *tab, int fd, sockshim_cookie *cookie);

/* The same by the only thread, of a socket whose ref has been read, and has none of SOCKTAB_BITS; the entry still says the cookie. */
static inline void socktab_remove_alone(struct socktab_entry *e, uint64_t ref)
{
	__atomic_store_n(&e->ref, -ref, __ATOMIC_RELEASE);
	/* No other descriptor can come to name the object, since dup marks this entry first. */
	__atomic_store_n(&((struct run_socket *)(uintptr_t)ref)->refs, 0, __ATOMIC_RELEASE);
}

/* `to` has become a duplicate of `from`. What `to` was before is dropped: returns true, with its cookie,
 * if that was a socket. */
bool socktab_dup(struct socktab *tab, int from, int to, sockshim_cookie *dropped);

/* The same where there is but one thread, `from` has been duplicated before, and `to` was no socket. False: it is not so. */
static inline bool socktab_dup_quickly(struct socktab *tab, int from, int to)
{
	struct socktab_entry *src = socktab_entry(tab, from), *dst = socktab_entry(tab, to);

	if (!src || !dst || !*tab->alone || !socktab_is_socket(src->ref) || !(src->ref & SOCKTAB_SHARED) ||
	    !socktab_is_other(dst->ref))
		return false;
	socktab_refs_add(socktab_object(src->ref), true);
	dst->cookie = src->cookie;
	__atomic_store_n(&dst->ref, src->ref, __ATOMIC_RELEASE);
	return true;
}

/* Says that a descriptor is no socket. */
void socktab_set_other(struct socktab *tab, int fd);

/* The same, if nothing is known of it yet: another thread may have entered a socket meanwhile. */
void socktab_settle_other(struct socktab *tab, int fd);

/* Says that nothing is known of a descriptor: it has come from outside. */
void socktab_set_unknown(struct socktab *tab, int fd);

/* Sets or clears a bit of `ref` (SOCKTAB_SPECIAL, SOCKTAB_STACK) under all the descriptors that name fd's
 * socket. */
void socktab_mark(struct socktab *tab, int fd, uint64_t bit, bool on);

/* Marks the socket of fd, under all the descriptors that name it, as special or not. */
static inline void socktab_set_special(struct socktab *tab, int fd, bool special)
{
	socktab_mark(tab, fd, SOCKTAB_SPECIAL, special);
}

/* The table's statistics, at most n of them, with what has been counted in the places of the sockets; returns how many there are. */
size_t socktab_stats(const struct socktab *tab, struct sockshim_stat *out, size_t n);

/* Moves what has been counted in the place of a socket to the statistics: for who owns it (a place is its descriptor's, whose number
 * the kernel hands to one thread at a time). */
void socktab_take(struct socktab *tab, struct run_socket *s);

/* Has chunk i of objects made, if it is not there. */
void socktab_reserve(struct socktab *tab, unsigned i);

/* Calls fn for each socket in the table, lowest descriptor first. */
void socktab_each(const struct socktab *tab, void (*fn)(int fd, struct socktab_entry *e, void *ctx), void *ctx);

/* In a forked child, before its first other use of the table: forgets the parent's chunks and gives each
 * socket a new object (RUN_SOCK_INHERITED), shared where descriptors shared one. The object's addresses and
 * flags are taken from the parent's as far as it is still the same socket. `move`: the chunks come to lie where the parent's did,
 * for whoever was interrupted by a signal handler that forked, and still holds the address of an object. */
void socktab_after_fork(struct socktab *tab, bool move);

/* Between fork and socktab_after_fork(): changes of the child's entries alone, that leave the parent's
 * objects in peace. */
void socktab_detached_remove(struct socktab *tab, int fd);
void socktab_detached_dup(struct socktab *tab, int from, int to);

#endif
