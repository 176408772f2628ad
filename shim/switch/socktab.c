/* socktab.c - the table of sockets; the theory of operation is in the header. */
#include "switch/socktab.h"

#include <string.h>
#include <sys/mman.h>

#include "run/sys.h"

#define LEAVES (SOCKTAB_FDS / SOCKTAB_LEAF_FDS)

static struct socktab_entry *entry_make(struct socktab *tab, int fd)
{
	struct socktab_entry *leaf, *none = NULL;
	size_t bytes = SOCKTAB_LEAF_FDS * sizeof(*leaf);
	long p;

	if ((unsigned)fd >= SOCKTAB_FDS || socktab_entry(tab, fd))
		return socktab_entry(tab, fd);
	p = sys(SYS_mmap, NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p < 0 && p > -4096)
		return NULL;
	leaf = (struct socktab_entry *)p;
	if (!__atomic_compare_exchange_n(&tab->leaf[(unsigned)fd / SOCKTAB_LEAF_FDS], &none, leaf, 0,
					 __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		sys(SYS_munmap, leaf, bytes);
	return socktab_entry(tab, fd);
}

static struct run_socket *chunk_make(struct socktab *tab, unsigned i)
{
	struct run_socket *chunk = __atomic_load_n(&tab->chunk[i], __ATOMIC_ACQUIRE);

	if (!chunk) {
		chunk = tab->new_chunk(tab->ctx, i);
		if (chunk)
			__atomic_store_n(&tab->chunk[i], chunk, __ATOMIC_RELEASE);
	}
	return chunk;
}

static void object_init(struct run_socket *s, sockshim_cookie cookie, int fd)
{
	uint32_t refs = __atomic_load_n(&s->refs, __ATOMIC_RELAXED);

	/* All but refs, which says whether the rest is valid. */
	memset(&s->flags, 0, sizeof(*s) - offsetof(struct run_socket, flags));
	s->cookie = cookie;
	s->fd = fd;
	if (refs == 0)
		__atomic_store_n(&s->refs, 1, __ATOMIC_RELEASE);
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

static struct run_socket *object_claim(struct socktab *tab, int fd)
{
	struct run_socket *chunk = chunk_make(tab, (unsigned)fd / RUN_CHUNK_SOCKETS);
	struct run_socket *s = chunk ? &chunk[(unsigned)fd % RUN_CHUNK_SOCKETS] : NULL;

	if (s && __atomic_load_n(&s->refs, __ATOMIC_ACQUIRE) != 0)
		s = spill_claim(tab);
	return s;
}

/* Drops one reference; returns whether it was the last. */
static bool object_put(struct run_socket *s)
{
	return __atomic_sub_fetch(&s->refs, 1, __ATOMIC_ACQ_REL) == 0;
}

/* Replaces what an entry says. Returns whether that was a socket, with its cookie. */
static bool entry_replace(struct socktab_entry *e, uint64_t ref, sockshim_cookie cookie,
			  sockshim_cookie *old_cookie, bool *last)
{
	sockshim_cookie before = __atomic_load_n(&e->cookie, __ATOMIC_RELAXED);
	uint64_t old;
	bool was_last;

	if (ref > SOCKTAB_OTHER)
		__atomic_store_n(&e->cookie, cookie, __ATOMIC_RELAXED);
	old = __atomic_exchange_n(&e->ref, ref, __ATOMIC_ACQ_REL);
	if (old <= SOCKTAB_OTHER)
		return false;
	was_last = object_put(socktab_object(old));
	if (old_cookie)
		*old_cookie = before;
	if (last)
		*last = was_last;
	return true;
}

struct run_socket *socktab_add(struct socktab *tab, int fd, sockshim_cookie cookie, sockshim_cookie *stale)
{
	struct socktab_entry *e = entry_make(tab, fd);
	struct run_socket *s;

	*stale = 0;
	if (!e)
		return NULL;
	if (__atomic_load_n(&e->ref, __ATOMIC_RELAXED) > SOCKTAB_OTHER)
		entry_replace(e, SOCKTAB_OTHER, 0, stale, NULL);
	s = object_claim(tab, fd);
	if (!s) {
		__atomic_store_n(&e->ref, SOCKTAB_OTHER, __ATOMIC_RELEASE);
		return NULL;
	}
	object_init(s, cookie, fd);
	__atomic_store_n(&e->cookie, cookie, __ATOMIC_RELAXED);
	__atomic_store_n(&e->ref, (uint64_t)(uintptr_t)s, __ATOMIC_RELEASE);
	return s;
}

bool socktab_remove(struct socktab *tab, int fd, sockshim_cookie *cookie, bool *last)
{
	struct socktab_entry *e = socktab_entry(tab, fd);

	return e && entry_replace(e, SOCKTAB_OTHER, 0, cookie, last);
}

bool socktab_dup(struct socktab *tab, int from, int to, sockshim_cookie *dropped)
{
	struct socktab_entry *src = socktab_entry(tab, from), *dst;
	uint64_t ref = src ? __atomic_load_n(&src->ref, __ATOMIC_ACQUIRE) : SOCKTAB_UNKNOWN;
	uint64_t expected;

	if (from == to)
		return false;
	if (ref <= SOCKTAB_OTHER) {
		/* Not a socket, or not known to be one: neither is the duplicate. */
		dst = ref == SOCKTAB_OTHER ? entry_make(tab, to) : socktab_entry(tab, to);
		return dst && entry_replace(dst, ref, 0, dropped, NULL);
	}
	dst = entry_make(tab, to);
	if (!dst)
		return false;
	__atomic_add_fetch(&socktab_object(ref)->refs, 1, __ATOMIC_ACQ_REL);
	expected = ref;
	__atomic_compare_exchange_n(&src->ref, &expected, ref | SOCKTAB_SHARED, 0, __ATOMIC_ACQ_REL,
				    __ATOMIC_RELAXED);
	return entry_replace(dst, ref | SOCKTAB_SHARED, __atomic_load_n(&src->cookie, __ATOMIC_RELAXED),
			     dropped, NULL);
}

void socktab_set_other(struct socktab *tab, int fd)
{
	struct socktab_entry *e = entry_make(tab, fd);

	if (e)
		entry_replace(e, SOCKTAB_OTHER, 0, NULL, NULL);
}

void socktab_set_unknown(struct socktab *tab, int fd)
{
	struct socktab_entry *e = socktab_entry(tab, fd);

	if (e)
		entry_replace(e, SOCKTAB_UNKNOWN, 0, NULL, NULL);
}

void socktab_each(const struct socktab *tab, void (*fn)(int fd, struct socktab_entry *e, void *ctx), void *ctx)
{
	for (int l = 0; l < LEAVES; l++) {
		struct socktab_entry *leaf = __atomic_load_n(&tab->leaf[l], __ATOMIC_ACQUIRE);

		for (int i = 0; leaf && i < SOCKTAB_LEAF_FDS; i++)
			if (__atomic_load_n(&leaf[i].ref, __ATOMIC_ACQUIRE) > SOCKTAB_OTHER)
				fn(l * SOCKTAB_LEAF_FDS + i, &leaf[i], ctx);
	}
}

/* The descriptor below `fd` that had the same object in the parent and has been given a new one. */
static struct run_socket *copy_of(struct socktab *tab, int fd, uint64_t old)
{
	for (int i = 0; i < fd; i++) {
		const struct socktab_entry *e = socktab_entry(tab, i);
		struct run_socket *s;

		if (!e) {
			i |= SOCKTAB_LEAF_FDS - 1;
			continue;
		}
		s = e->ref > SOCKTAB_OTHER && (e->ref & SOCKTAB_SHARED) ? socktab_object(e->ref) : NULL;
		/* While it is copied, `opened_ns` of a shared object says whose copy it is. */
		if (s && s->opened_ns == (old & ~SOCKTAB_SHARED))
			return s;
	}
	return NULL;
}

static void copy_socket(int fd, struct socktab_entry *e, void *ctx)
{
	struct socktab *tab = ctx;
	const struct run_socket *old = socktab_object(e->ref);
	struct run_socket *s = e->ref & SOCKTAB_SHARED ? copy_of(tab, fd, e->ref) : NULL;

	if (s) {
		s->refs++;
		e->ref = (uint64_t)(uintptr_t)s | SOCKTAB_SHARED;
		return;
	}
	s = object_claim(tab, fd);
	if (!s) {
		e->ref = SOCKTAB_OTHER;
		return;
	}
	object_init(s, e->cookie, fd);
	if (old->cookie == e->cookie && old->refs) {
		uint64_t opener = old->opener;
		uint32_t flags = old->flags & ~(uint32_t)RUN_SOCK_PENDING;

		*s = (struct run_socket){ .cookie = e->cookie, .refs = 1, .fd = fd, .flags = flags,
			.opener = opener, .local = old->local, .peer = old->peer, .late_err = old->late_err };
		memcpy(s->backtrace, old->backtrace, sizeof(s->backtrace));
	}
	s->flags |= RUN_SOCK_INHERITED;
	s->opened_ns = e->ref & SOCKTAB_SHARED ? (uint64_t)(uintptr_t)old : 0;
	e->ref = (uint64_t)(uintptr_t)s | (e->ref & SOCKTAB_SHARED);
}

static void clear_mark(int fd, struct socktab_entry *e, void *ctx)
{
	if (e->ref & SOCKTAB_SHARED)
		socktab_object(e->ref)->opened_ns = 0;
}

void socktab_after_fork(struct socktab *tab)
{
	for (unsigned i = 0; i < SOCKTAB_CHUNKS; i++)
		if (tab->chunk[i])
			tab->chunk[i] = NULL;
	socktab_each(tab, copy_socket, tab);
	socktab_each(tab, clear_mark, NULL);
}

void socktab_detached_remove(struct socktab *tab, int fd)
{
	struct socktab_entry *e = socktab_entry(tab, fd);

	if (e)
		__atomic_store_n(&e->ref, SOCKTAB_OTHER, __ATOMIC_RELEASE);
}

void socktab_detached_dup(struct socktab *tab, int from, int to)
{
	struct socktab_entry *src = socktab_entry(tab, from), *dst = src ? entry_make(tab, to) : NULL;

	if (!dst || from == to)
		return;
	if (src->ref > SOCKTAB_OTHER)
		src->ref |= SOCKTAB_SHARED;
	*dst = *src;
}
