/* socktab.c - the table of sockets; the theory of operation is in the header. */
#include "switch/socktab.h"

#include <string.h>
#include <sys/mman.h>

#include "run/stat.h"
#include "run/sys.h"

#define LEAVES (SOCKTAB_FDS / SOCKTAB_LEAF_FDS)

/* The entry of a descriptor, made if it is not there. NULL: no memory, or out of range. */
static struct socktab_entry *entry_make(struct socktab *tab, int fd)
{
	struct socktab_leaf *leaf, *none = NULL;
	struct socktab_entry *e = socktab_entry(tab, fd);
	long p;

	if (e || (unsigned)fd >= SOCKTAB_FDS)
		return e;
	p = sys(SYS_mmap, NULL, sizeof(*leaf), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p < 0 && p > -4096)
		return NULL;
	leaf = (struct socktab_leaf *)p;
	if (!__atomic_compare_exchange_n(&tab->leaf[(unsigned)fd / SOCKTAB_LEAF_FDS], &none, leaf, 0,
					 __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		sys(SYS_munmap, leaf, sizeof(*leaf));
	return socktab_entry(tab, fd);
}

static struct run_socket *chunk_make(struct socktab *tab, unsigned i)
{
	struct run_socket *chunk = __atomic_load_n(&tab->chunk[i], __ATOMIC_ACQUIRE);

	if (!chunk) {
		uint32_t have = __atomic_load_n(&tab->chunks, __ATOMIC_RELAXED);

		chunk = tab->new_chunk(tab->ctx, i);
		if (!chunk)
			return NULL;
		__atomic_store_n(&tab->chunk[i], chunk, __ATOMIC_RELEASE);
		while (i < RUN_CHUNKS_MAX && have <= i &&
		       !__atomic_compare_exchange_n(&tab->chunks, &have, i + 1, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
			;
	}
	return chunk;
}

/* The chunks that there may be, numbered without the gap between those for descriptors and the spill. */
struct slots {
	unsigned low, n;
};

static struct slots slots_of(const struct socktab *tab)
{
	unsigned low = __atomic_load_n(&tab->chunks, __ATOMIC_ACQUIRE);

	return (struct slots){ low, low + RUN_SPILL_CHUNKS };
}

static unsigned slot_index(struct slots slots, unsigned k)
{
	return k < slots.low ? k : RUN_CHUNKS_MAX + k - slots.low;
}

void socktab_reserve(struct socktab *tab, unsigned i)
{
	chunk_make(tab, i);
}

static struct run_socket *spill_claim(struct socktab *tab)
{
	for (unsigned c = RUN_CHUNKS_MAX; c < SOCKTAB_CHUNKS; c++) {
		struct run_socket *chunk = chunk_make(tab, c);

		for (unsigned i = 0; chunk && i < RUN_CHUNK_SOCKETS; i++) {
			uint32_t none = 0;

			if (__atomic_load_n(&chunk[i].refs, __ATOMIC_RELAXED) == 0 &&
			    __atomic_compare_exchange_n(&chunk[i].refs, &none, 1, 0, __ATOMIC_ACQ_REL,
							__ATOMIC_RELAXED))
				return &chunk[i];
		}
	}
	return NULL;
}

static void object_init(struct socktab *tab, struct run_socket *s, sockshim_cookie cookie, int fd, uint32_t flags)
{
	if (run_stat_owner(s) != cookie || run_stat_noted_much(s))
		socktab_take(tab, s);
	s->cookie = cookie;
	s->fd = fd;
	s->opened_ticks = 0;
	s->stack_cookie = s->stack_checked = s->copied_from = 0;
	s->stack_board = s->stack_flags = 0;
	s->backtrace[0] = 0;
	socktab_init(s, flags | (s->flags & RUN_SOCK_UNSEEN), NULL);
}

/* The object that is a new socket's: in the place of its descriptor, if that is nobody's. *bits is what its ref must have. */
static struct run_socket *object_claim(struct socktab *tab, int fd, uint64_t *bits)
{
	struct run_socket *chunk = chunk_make(tab, (unsigned)fd / RUN_CHUNK_SOCKETS);
	struct run_socket *s = chunk ? &chunk[(unsigned)fd % RUN_CHUNK_SOCKETS] : NULL;

	if (s && __atomic_load_n(&s->refs, __ATOMIC_ACQUIRE) != 0) {
		s = spill_claim(tab);
		*bits = SOCKTAB_ONCE;
	} else {
		*bits = s && (s->flags & RUN_SOCK_UNSEEN) ? SOCKTAB_ONCE : 0;
	}
	return s;
}

/* One descriptor less names a socket that is not counted in its place; the last leaves the place to its owner first. Whether it was
 * the last. */
static bool drop_apart(struct run_socket *s)
{
	uint32_t refs = __atomic_load_n(&s->refs, __ATOMIC_ACQUIRE);

	while (refs > 1)
		if (__atomic_compare_exchange_n(&s->refs, &refs, refs - 1, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
			return false;
	s->cookie = s->owner;
	__atomic_fetch_and(&s->flags, ~(uint32_t)RUN_SOCK_APART, __ATOMIC_RELEASE);
	__atomic_store_n(&s->refs, 0, __ATOMIC_RELEASE);
	return true;
}

/* Replaces what an entry says. Returns whether that was a socket, with its cookie if that has lost its last
 * descriptor, else 0. */
static bool entry_replace(const struct socktab *tab, struct socktab_entry *e, uint64_t ref, sockshim_cookie *cookie)
{
	uint64_t old = __atomic_load_n(&e->ref, __ATOMIC_ACQUIRE);
	sockshim_cookie was;
	struct run_socket *s;

	if (ref == SOCKTAB_OTHER && socktab_is_other(old))
		return false;
	if (ref == SOCKTAB_OTHER && old != SOCKTAB_UNKNOWN && !(old & (SOCKTAB_SHARED | SOCKTAB_ONCE)))
		ref = -(old & ~SOCKTAB_BITS);
	if ((old & SOCKTAB_SHARED) && !*tab->alone)
		old = __atomic_exchange_n(&e->ref, ref, __ATOMIC_ACQ_REL);
	else
		__atomic_store_n(&e->ref, ref, __ATOMIC_RELEASE);
	if (!socktab_is_socket(old))
		return false;
	s = socktab_object(old);
	was = s->cookie;
	/* Not shared: no other descriptor can come to name the object, since dup marks this entry first. */
	if (old & SOCKTAB_APART)
		was = drop_apart(s) ? was : 0;
	else if (!(old & SOCKTAB_SHARED))
		__atomic_store_n(&s->refs, 0, __ATOMIC_RELEASE);
	else if (!socktab_refs_drop(s, *tab->alone))
		was = 0;
	if (cookie)
		*cookie = was;
	return true;
}

struct run_socket *socktab_add(struct socktab *tab, int fd, sockshim_cookie cookie, uint32_t flags, sockshim_cookie *stale)
{
	struct socktab_entry *e = entry_make(tab, fd);
	struct run_socket *s;
	uint64_t bits;

	*stale = 0;
	if (!e)
		return NULL;
	if (socktab_is_socket(__atomic_load_n(&e->ref, __ATOMIC_RELAXED)))
		entry_replace(tab, e, SOCKTAB_OTHER, stale);
	s = object_claim(tab, fd, &bits);
	if (!s) {
		__atomic_store_n(&e->ref, SOCKTAB_OTHER, __ATOMIC_RELEASE);
		return NULL;
	}
	object_init(tab, s, cookie, fd, flags);
	__atomic_store_n(&e->cookie, cookie, __ATOMIC_RELAXED);
	__atomic_store_n(&e->ref, (uint64_t)(uintptr_t)s | bits, __ATOMIC_RELEASE);
	return s;
}

#define TURNS 32

struct run_socket *socktab_enter_apart(struct socktab *tab, int fd, sockshim_cookie cookie, uint32_t flags, const void *opener)
{
	struct socktab_entry *e = socktab_entry(tab, fd);
	uint64_t place = e ? -__atomic_load_n(&e->ref, __ATOMIC_RELAXED) : 0;
	struct run_socket *s = (struct run_socket *)(uintptr_t)place;

	if ((int64_t)place <= 0)
		return NULL;
	if (s->cookie == cookie || tab->turns++ % TURNS == 0) {
		if (s->cookie != cookie || run_stat_noted_much(s))
			socktab_take(tab, s);
		s->cookie = cookie;
		return socktab_enter_again(tab, (unsigned)fd, cookie, flags, opener);
	}
	s->owner = s->cookie;
	__atomic_store_n(&s->flags, flags | RUN_SOCK_APART, __ATOMIC_RELEASE);
	__atomic_store_n(&s->cookie, cookie, __ATOMIC_RELEASE);
	socktab_init(s, flags | RUN_SOCK_APART, opener);
	__atomic_store_n(&e->cookie, cookie, __ATOMIC_RELAXED);
	__atomic_store_n(&e->ref, place | SOCKTAB_APART, __ATOMIC_RELEASE);
	return s;
}

bool socktab_remove(struct socktab *tab, int fd, sockshim_cookie *cookie)
{
	struct socktab_entry *e = socktab_entry(tab, fd);

	return e && entry_replace(tab, e, SOCKTAB_OTHER, cookie);
}

bool socktab_dup(struct socktab *tab, int from, int to, sockshim_cookie *dropped)
{
	struct socktab_entry *src = socktab_entry(tab, from), *dst;
	uint64_t ref = src ? __atomic_load_n(&src->ref, __ATOMIC_ACQUIRE) : SOCKTAB_UNKNOWN;

	if (from == to)
		return false;
	if (!socktab_is_socket(ref)) {
		/* Not a socket, or not known to be one: neither is the duplicate. */
		ref = socktab_is_other(ref) ? SOCKTAB_OTHER : SOCKTAB_UNKNOWN;
		dst = ref == SOCKTAB_OTHER ? entry_make(tab, to) : socktab_entry(tab, to);
		return dst && entry_replace(tab, dst, ref, dropped);
	}
	dst = socktab_entry(tab, to);
	if (!dst && !(dst = entry_make(tab, to)))
		return false;
	/* Marked first. If `from` is closed meanwhile nothing is known of the duplicate until it is used. */
	if (!(ref & SOCKTAB_SHARED) &&
	    !__atomic_compare_exchange_n(&src->ref, &ref, ref | SOCKTAB_SHARED, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE) &&
	    !(socktab_is_socket(ref) && (ref & SOCKTAB_SHARED)))
		return entry_replace(tab, dst, SOCKTAB_UNKNOWN, dropped);
	socktab_refs_add(socktab_object(ref), *tab->alone);
	dst->cookie = src->cookie;
	return entry_replace(tab, dst, ref | SOCKTAB_SHARED, dropped);
}

void socktab_set_other(struct socktab *tab, int fd)
{
	struct socktab_entry *e = entry_make(tab, fd);

	if (e)
		entry_replace(tab, e, SOCKTAB_OTHER, NULL);
}

void socktab_settle_other(struct socktab *tab, int fd)
{
	struct socktab_entry *e = entry_make(tab, fd);
	uint64_t unknown = SOCKTAB_UNKNOWN;

	if (e)
		__atomic_compare_exchange_n(&e->ref, &unknown, SOCKTAB_OTHER, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

void socktab_set_unknown(struct socktab *tab, int fd)
{
	struct socktab_entry *e = socktab_entry(tab, fd);

	if (e)
		entry_replace(tab, e, SOCKTAB_UNKNOWN, NULL);
}

static void each_entry(const struct socktab *tab, bool sockets, void (*fn)(int fd, struct socktab_entry *e, void *ctx), void *ctx)
{
	for (int l = -1; l < LEAVES; l++) {
		struct socktab_leaf *leaf = l < 0 ? NULL : __atomic_load_n(&tab->leaf[l], __ATOMIC_ACQUIRE);
		struct socktab_entry *e = l < 0 ? (struct socktab_entry *)tab->low : leaf ? leaf->entry : NULL;
		int n = l < 0 ? SOCKTAB_LOW_FDS : SOCKTAB_LEAF_FDS, first = l < 0 ? 0 : l * SOCKTAB_LEAF_FDS;

		for (int i = 0; e && i < n; i++)
			if (!sockets || socktab_is_socket(__atomic_load_n(&e[i].ref, __ATOMIC_ACQUIRE)))
				fn(first + i, &e[i], ctx);
	}
}

void socktab_each(const struct socktab *tab, void (*fn)(int fd, struct socktab_entry *e, void *ctx), void *ctx)
{
	each_entry(tab, true, fn, ctx);
}

struct mark {
	const struct run_socket *s;
	uint64_t bit;
	bool on;
};

static void mark_entry(int fd, struct socktab_entry *e, void *ctx)
{
	const struct mark *p = ctx;

	uint64_t ref = __atomic_load_n(&e->ref, __ATOMIC_ACQUIRE);

	/* A signal handler or another thread may close it meanwhile. */
	while (socktab_is_socket(ref) && socktab_object(ref) == p->s &&
	       !__atomic_compare_exchange_n(&e->ref, &ref, p->on ? ref | p->bit : ref & ~p->bit, 0, __ATOMIC_ACQ_REL,
					    __ATOMIC_ACQUIRE))
		;
}

void socktab_mark(struct socktab *tab, int fd, uint64_t bit, bool on)
{
	uint64_t ref = socktab_ref(tab, fd);
	struct mark p = { socktab_object(ref), bit, on };

	if (socktab_is_socket(ref) && (ref & SOCKTAB_SHARED))
		socktab_each(tab, mark_entry, &p);
	else if (socktab_is_socket(ref))
		mark_entry(fd, socktab_entry(tab, fd), &p);
}

/* The descriptor below `fd` that had the same object in the parent and has been given a new one. */
static struct run_socket *copy_of(struct socktab *tab, int fd, uint64_t old)
{
	for (int i = 0; i < fd; i++) {
		uint64_t ref = socktab_ref(tab, i);
		struct run_socket *s = socktab_is_socket(ref) && (ref & SOCKTAB_SHARED) ? socktab_object(ref) : NULL;

		if (i >= SOCKTAB_LOW_FDS && !socktab_entry(tab, i))
			i |= SOCKTAB_LEAF_FDS - 1;
		/* While it is copied, `copied_from` of a shared object says whose copy it is. */
		if (s && s->copied_from == (old & ~SOCKTAB_BITS))
			return s;
	}
	return NULL;
}

static void copy_entry(int fd, struct socktab_entry *e, void *ctx)
{
	struct socktab *tab = ctx;
	const struct run_socket *old = socktab_object(e->ref);
	struct run_socket *s;
	uint64_t spilled;

	if (!socktab_is_socket(e->ref)) {
		if (socktab_is_other(e->ref))
			e->ref = SOCKTAB_OTHER;		/* the place is the parent's */
		return;
	}
	s = e->ref & SOCKTAB_SHARED ? copy_of(tab, fd, e->ref) : NULL;
	if (s) {
		s->refs++;
		e->ref = (uint64_t)(uintptr_t)s | (e->ref & SOCKTAB_BITS & ~SOCKTAB_APART);
		return;
	}
	s = object_claim(tab, fd, &spilled);
	if (!s) {
		e->ref = SOCKTAB_OTHER;
		return;
	}
	object_init(tab, s, e->cookie, fd, 0);
	/* The parent goes on meanwhile: what its object says holds only if it is still the same socket. */
	if (old->cookie == e->cookie && old->refs) {
		s->flags = (old->flags & ~(uint32_t)(RUN_SOCK_PENDING | RUN_SOCK_UNSEEN | RUN_SOCK_APART)) | (s->flags & RUN_SOCK_UNSEEN);
		s->opener = old->opener;
		s->opened_ticks = old->opened_ticks;
		s->local = old->local;
		s->peer = old->peer;
		s->late_err = old->late_err;
		memcpy(s->backtrace, old->backtrace, sizeof(s->backtrace));
		s->stack_cookie = old->stack_cookie;
		s->stack_board = old->stack_board;
		s->stack_flags = old->stack_flags;
	}
	s->flags |= RUN_SOCK_INHERITED;
	s->copied_from = e->ref & SOCKTAB_SHARED ? (uint64_t)(uintptr_t)old : 0;
	e->ref = (uint64_t)(uintptr_t)s | (e->ref & SOCKTAB_BITS & ~(SOCKTAB_ONCE | SOCKTAB_APART)) | spilled;
}

static void clear_mark(int fd, struct socktab_entry *e, void *ctx)
{
	if (e->ref & SOCKTAB_SHARED)
		socktab_object(e->ref)->copied_from = 0;
}

void socktab_take(struct socktab *tab, struct run_socket *s)
{
	if (!run_stat_owner(s))
		s->opened = s->closed = s->accept_failed = 0;
	if (!run_stat_noted(s))
		return;
	__atomic_fetch_add(&tab->takes->begun, 1, __ATOMIC_SEQ_CST);
	run_stat_take(tab->stats, s);
	__atomic_fetch_add(&tab->takes->done, 1, __ATOMIC_SEQ_CST);
}

/* Calls fn for the place of each socket that there has been. */
static void each_place(const struct socktab *tab, void (*fn)(struct run_socket *s, void *ctx), void *ctx)
{
	struct slots slots = slots_of(tab);

	for (unsigned i = 0; i < slots.n; i++) {
		struct run_socket *chunk = __atomic_load_n(&tab->chunk[slot_index(slots, i)], __ATOMIC_ACQUIRE);

		for (unsigned k = 0; chunk && k < RUN_CHUNK_SOCKETS; k++)
			fn(&chunk[k], ctx);
	}
}

/* Sockets that were adopted have been counted nowhere but in their places. */
static void make_entry(struct run_socket *s, void *ctx)
{
	if (run_stat_noted(s))
		run_stat(ctx, run_stat_owner(s));
}

struct stats_copy {
	struct sockshim_stat *out;
	size_t n;
};

static void copy_place(struct run_socket *s, void *ctx)
{
	struct stats_copy *c = ctx;

	run_stats_copy_place(s, c->out, c->n);
}

#define STATS_TRIES 100

size_t socktab_stats(const struct socktab *tab, struct sockshim_stat *out, size_t n)
{
	struct stats_copy c = { out, 0 };
	uint64_t before = 0, begun = 0;
	size_t found = 0;

	each_place(tab, make_entry, tab->stats);
	for (int i = 0; i < STATS_TRIES; i++) {
		uint64_t done = __atomic_load_n(&tab->takes->done, __ATOMIC_SEQ_CST);

		found = run_stats_copy(tab->stats, out, n);
		c.n = found < n ? found : n;
		each_place(tab, copy_place, &c);
		begun = __atomic_load_n(&tab->takes->begun, __ATOMIC_SEQ_CST);
		/* The numbers differ for good where a signal handler forked in between. */
		if (begun == done || (i > 0 && begun == before))
			break;
		before = begun;
	}
	return found;
}

static bool is_in(const struct run_socket *s, const struct run_socket *chunk)
{
	return chunk && s >= chunk && s < chunk + RUN_CHUNK_SOCKETS;
}

/* A chunk goes from one of these addresses to the other. */
struct moving {
	struct run_socket **from, **to;		/* SOCKTAB_CHUNKS each; NULL: that one stays */
};

/* An object is in the place of its entry, of the descriptor it was opened as, or in the spill. */
static void move_entry(int fd, struct socktab_entry *e, void *ctx)
{
	const struct moving *m = ctx;
	const struct run_socket *s = socktab_object(e->ref);
	unsigned i = (unsigned)fd / RUN_CHUNK_SOCKETS;

	if (!is_in(s, m->from[i]) && (unsigned)s->fd < SOCKTAB_FDS)
		i = (unsigned)s->fd / RUN_CHUNK_SOCKETS;
	if (!is_in(s, m->from[i]))
		for (i = RUN_CHUNKS_MAX; i < SOCKTAB_CHUNKS - 1 && !is_in(s, m->from[i]); i++)
			;
	if (m->to[i] && is_in(s, m->from[i]))
		e->ref += (uint64_t)(uintptr_t)m->to[i] - (uint64_t)(uintptr_t)m->from[i];
}

/* A forked child's chunks come to lie where its parent's did, which it leaves: whoever was interrupted by the handler that forked, and
 * still holds the address of an object, finds the child's own there. */
static void move_chunks(struct socktab *tab, struct run_socket **parents)
{
	struct moving there = { tab->chunk, parents }, back = { parents, tab->chunk };
	struct slots slots = slots_of(tab);
	bool stays = false;

	for (unsigned k = 0, i; k < slots.n; k++) {
		i = slot_index(slots, k);
		/* Those of high descriptors only if there is a socket: they may be many. */
		if (parents[i] && (i < SOCKTAB_LOW_FDS / RUN_CHUNK_SOCKETS || i >= RUN_CHUNKS_MAX))
			chunk_make(tab, i);
		if (!tab->chunk[i])
			parents[i] = NULL;
	}
	each_entry(tab, true, move_entry, &there);
	for (unsigned k = 0, i; k < slots.n; k++) {
		i = slot_index(slots, k);
		if (!parents[i])
			continue;
		if (sys(SYS_mremap, tab->chunk[i], RUN_CHUNK_BYTES, RUN_CHUNK_BYTES, MREMAP_MAYMOVE | MREMAP_FIXED,
			parents[i]) == (long)parents[i]) {
			tab->chunk[i] = parents[i];
			parents[i] = NULL;
		} else {
			stays = true;
		}
	}
	if (stays)
		each_entry(tab, true, move_entry, &back);
}

void socktab_after_fork(struct socktab *tab, bool move)
{
	size_t bytes = SOCKTAB_CHUNKS * sizeof(*tab->chunk);
	long p = move ? sys(SYS_mmap, NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) : -1;
	struct run_socket **parents = p < 0 && p > -4096 ? NULL : (struct run_socket **)p;
	struct slots slots = slots_of(tab);

	for (unsigned k = 0, i; k < slots.n; k++) {
		i = slot_index(slots, k);
		if (!tab->chunk[i])
			continue;
		if (parents)
			parents[i] = tab->chunk[i];
		tab->chunk[i] = NULL;
	}
	each_entry(tab, false, copy_entry, tab);
	socktab_each(tab, clear_mark, NULL);
	if (parents) {
		move_chunks(tab, parents);
		sys(SYS_munmap, parents, bytes);
	}
}

void socktab_detached_remove(struct socktab *tab, int fd)
{
	struct socktab_entry *e = socktab_entry(tab, fd);

	if (e)
		__atomic_store_n(&e->ref, SOCKTAB_OTHER, __ATOMIC_RELEASE);
}

void socktab_detached_dup(struct socktab *tab, int from, int to)
{
	struct socktab_entry *src = socktab_entry(tab, from), *dst = src ? entry_make(tab, to) : socktab_entry(tab, to);

	if (!dst || from == to)
		return;
	if (!src) {
		__atomic_store_n(&dst->ref, SOCKTAB_UNKNOWN, __ATOMIC_RELEASE);
		return;
	}
	if (socktab_is_socket(src->ref))
		src->ref |= SOCKTAB_SHARED;
	dst->cookie = src->cookie;
	dst->ref = socktab_is_other(src->ref) ? SOCKTAB_OTHER : src->ref;
}
