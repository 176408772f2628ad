/* hook.h - the preloaded switch: the state that every wrapper looks at, and how it comes to life.
 *
 * Theory of operation. Nothing happens at load time. The first interposed call on a descriptor makes the
 * table's first leaf and asks the kernel once which descriptors are there already (hook_adopt); after that,
 * a call on what is no socket costs a look-up. The first call that concerns a socket makes the run file,
 * maps the control block and loads the rules (hook_start).
 *
 * fork: `*hook.alive` lies in a page that the kernel wipes in a child (MADV_WIPEONFORK), so a forked
 * process, however it was made, finds itself not alive at its first call on a socket and starts again, as a
 * copy (its own file, objects of its own). Until then it is "detached": closing and duplicating change its
 * own table alone, since the objects are still the parent's. vfork shares all memory with the parent and
 * is marked per thread (hook_vforked): a vforked child changes nothing.
 *
 * Signals are blocked while starting; there are no locks that outlive a call.
 */
#ifndef SHIM_INTERPOSE_HOOK_H
#define SHIM_INTERPOSE_HOOK_H

#include <stdbool.h>

#include "interpose/libc.h"
#include "run/writer.h"
#include "switch/switch.h"

/* Beyond the filter types: calls that no filter sees are "armed" while tracing. */
#define HOOK_TRACED	(1u << SOCKSHIM_NONE)
/* Sockets on which a call must not take the short way: SO_ERROR has something to say, or they were reset. */
#define HOOK_SPECIAL	(RUN_SOCK_RESET | RUN_SOCK_LATE)

struct hook {
	uint32_t armed;			/* bit per filter type that filter, rule or trace wants to see */
	uint32_t seen;			/* generation of the control block that `armed` was made from */
	const uint32_t *generation;	/* in the control block */
	const uint32_t *alive;
	struct run_stat *stats;
	struct run_writer run;
};

extern struct hook hook;
extern struct socktab hook_tab;
extern struct sockshim_switch hook_switch;
extern __thread uint32_t hook_vforked;

/* Starts, or starts again after fork. Afterwards *hook.alive is set, hook.run and hook.stats are valid. */
void hook_start(void);

/* Whether this process is a fork that has not started again. */
bool hook_detached(void);

/* Looks at a descriptor of which the table knows nothing, or that it takes for no socket. NULL: no socket. */
struct run_socket *hook_adopt(int fd);

/* Brings `armed` up to date with the control block's generation. */
void hook_refresh(void);

/* Tells the hook what the rules want to see (bit per filter type), and whether calls are traced. */
void hook_set_armed(uint32_t by_rules, bool trace);

/* Counts forks made by this process, for the children's seeds. */
void hook_count_fork(void);

static inline void hook_alive(void)
{
	if (UNLIKELY(!__atomic_load_n(hook.alive, __ATOMIC_ACQUIRE)))
		hook_start();
}

static inline bool hook_quiet(enum sockshim_filter_type t)
{
	return !(__atomic_load_n(&hook.armed, __ATOMIC_RELAXED) & 1u << t) &&
	       __atomic_load_n(hook.generation, __ATOMIC_RELAXED) == __atomic_load_n(&hook.seen, __ATOMIC_RELAXED);
}

/* The short way is open: nobody wants to see calls of type t, and nothing is special about s. */
static inline bool hook_quiet_on(const struct run_socket *s, enum sockshim_filter_type t)
{
	return hook_quiet(t) && !(__atomic_load_n(&s->flags, __ATOMIC_RELAXED) & HOOK_SPECIAL);
}

/* The socket that fd names, adopted if it came from elsewhere; NULL if it is none. */
static inline struct run_socket *hook_socket(int fd)
{
	uint64_t ref = socktab_ref(&hook_tab, fd);

	if (LIKELY(ref == SOCKTAB_OTHER))
		return NULL;
	if (UNLIKELY(ref == SOCKTAB_UNKNOWN))
		return hook_adopt(fd);
	if (UNLIKELY(!__atomic_load_n(hook.alive, __ATOMIC_ACQUIRE))) {
		hook_start();
		ref = socktab_ref(&hook_tab, fd);
	}
	return ref > SOCKTAB_OTHER ? socktab_object(ref) : NULL;
}

/* The same for calls that make no sense on anything but a socket: what the table takes for none is looked
 * at again, since it may have been made by a call that we did not see. */
static inline struct run_socket *hook_socket_call(int fd)
{
	struct run_socket *s = hook_socket(fd);

	return LIKELY(s != NULL) ? s : hook_adopt(fd);
}

#endif
