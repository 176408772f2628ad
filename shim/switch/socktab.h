/* socktab.h - the table of sockets: which descriptor is which socket.
 *
 * Theory of operation. The table has two levels, indexed by descriptor: leaves of 4096 entries, mapped
 * when a descriptor in their range is first seen. An entry is one word, `ref`: not known (0: nobody has
 * looked yet), no socket (1), or a pointer to the socket's object, with its cookie beside it. Objects
 * (struct run_socket) live in chunks that the table's owner provides: those of the preloaded switch are
 * in the mapped run file.
 *
 * All is lock-free and may be called in signal handlers:
 *  - the kernel hands a descriptor number to one caller at a time, so the thread that got a number from
 *    socket, accept or dup is the only one to fill its entry;
 *  - removing exchanges the entry with "no socket", so of two closes one gets the object; it is done
 *    before the kernel's close, after which the number may already be another thread's;
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

#include "run/layout.h"

#define SOCKTAB_FDS		(RUN_CHUNKS_MAX * RUN_CHUNK_SOCKETS)
#define SOCKTAB_LEAF_FDS	4096
#define SOCKTAB_SPILL_CHUNKS	16	/* objects for sockets whose own place is still held by a dup */
#define SOCKTAB_CHUNKS		(RUN_CHUNKS_MAX + SOCKTAB_SPILL_CHUNKS)

#define SOCKTAB_UNKNOWN	0ull
#define SOCKTAB_OTHER	1ull
#define SOCKTAB_SHARED	2ull	/* in `ref`: more than one descriptor has named the object */

struct socktab_entry {
	uint64_t ref;
	sockshim_cookie cookie;
};

struct socktab {
	struct socktab_entry *leaf[SOCKTAB_FDS / SOCKTAB_LEAF_FDS];
	struct run_socket *chunk[SOCKTAB_CHUNKS];
	/* Provides chunk i, zeroed, or the same memory as before; NULL: there is none to be had. */
	struct run_socket *(*new_chunk)(void *ctx, unsigned i);
	void *ctx;
};

static inline struct run_socket *socktab_object(uint64_t ref)
{
	return (struct run_socket *)(uintptr_t)(ref & ~SOCKTAB_SHARED);
}

/* An entry that is there already, else NULL (the descriptor is not known, or out of range). */
static inline struct socktab_entry *socktab_entry(const struct socktab *tab, int fd)
{
	struct socktab_entry *leaf;

	if ((unsigned)fd >= SOCKTAB_FDS)
		return NULL;
	leaf = __atomic_load_n(&tab->leaf[(unsigned)fd / SOCKTAB_LEAF_FDS], __ATOMIC_ACQUIRE);
	return leaf ? &leaf[(unsigned)fd % SOCKTAB_LEAF_FDS] : NULL;
}

/* SOCKTAB_UNKNOWN, SOCKTAB_OTHER, or a socket's ref. */
static inline uint64_t socktab_ref(const struct socktab *tab, int fd)
{
	const struct socktab_entry *e = socktab_entry(tab, fd);

	return e ? __atomic_load_n(&e->ref, __ATOMIC_ACQUIRE) : SOCKTAB_UNKNOWN;
}

/* The socket of a descriptor, NULL if it is not in the table. */
static inline struct run_socket *socktab_find(const struct socktab *tab, int fd)
{
	uint64_t ref = socktab_ref(tab, fd);

	return ref > SOCKTAB_OTHER ? socktab_object(ref) : NULL;
}

/* Enters a socket and returns its object, with cookie, fd and one reference set and all else zero. What
 * the table had under that number, a socket closed behind our back, is dropped: its cookie goes to
 * *stale (else 0 is put there). NULL: no memory, or fd out of range; the descriptor is then "no socket". */
struct run_socket *socktab_add(struct socktab *tab, int fd, sockshim_cookie cookie, sockshim_cookie *stale);

/* Takes a descriptor out, which is "no socket" afterwards. Returns whether it was in the table, with its
 * cookie and whether it was the last descriptor of its object (both may be NULL). */
bool socktab_remove(struct socktab *tab, int fd, sockshim_cookie *cookie, bool *last);

/* `to` has become a duplicate of `from`. What `to` was before is dropped: returns true, with its cookie,
 * if that was a socket. */
bool socktab_dup(struct socktab *tab, int from, int to, sockshim_cookie *dropped);

/* Says that a descriptor is no socket. */
void socktab_set_other(struct socktab *tab, int fd);

/* Says that nothing is known of a descriptor: it has come from outside. */
void socktab_set_unknown(struct socktab *tab, int fd);

/* Calls fn for each socket in the table, lowest descriptor first. */
void socktab_each(const struct socktab *tab, void (*fn)(int fd, struct socktab_entry *e, void *ctx), void *ctx);

/* In a forked child, before its first other use of the table: forgets the parent's chunks and gives each
 * socket a new object (RUN_SOCK_INHERITED), shared where descriptors shared one. The object's addresses and
 * flags are taken from the parent's as far as it is still the same socket. */
void socktab_after_fork(struct socktab *tab);

/* Between fork and socktab_after_fork: changes of the child's entries alone, that leave the parent's
 * objects in peace. */
void socktab_detached_remove(struct socktab *tab, int fd);
void socktab_detached_dup(struct socktab *tab, int from, int to);

#endif
