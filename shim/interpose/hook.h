/* hook.h - the preloaded switch: the state that every wrapper looks at, and how it comes to life.
 *
 * Theory of operation. Nothing happens at load time. The first interposed call on a descriptor makes the
 * table's first leaf and asks the kernel once which descriptors are there already (hook_adopt); after that,
 * a call on what is no socket costs a look-up. The first call that concerns a socket makes the run file,
 * maps the control block and loads the rules (hook_start).
 *
 * fork: hook_guard lies in a page that the kernel wipes in a child (MADV_WIPEONFORK), so a forked
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
#include <stddef.h>

#include "interpose/libc.h"
#include "interpose/vfork.h"
#include "run/clock.h"
#include "run/writer.h"
#include "switch/switch.h"

/* Sockets, in chunks, that still find a place in the run file when it can't be opened again. */
#define HOOK_CHUNKS_AHEAD 8

/* A page on any machine of the kind. */
#ifdef __x86_64__
#define HOOK_PAGE 4096
#else
#define HOOK_PAGE 65536
#endif

/* Beyond the filter types: calls that no filter sees are "armed" while tracing. */
#define HOOK_TRACED	(1u << SOCKSHIM_NONE)

/* What fork must wipe, in a page of its own, where no pointer need be followed to it: one cache line, with all that the
 * shortest way through a wrapper asks beside the table. A signal handler may fork, and the child go on in the middle of that
 * way: any of it may be 0 at any instruction. */
struct hook_guard {
	uint64_t shortest;	/* bit per call: those that may be made as bare system calls, see hook_is_bare(); HOOK_TIMES */
	const uint32_t *generation;	/* of the control block, NULL: not started */
	const char *alone;		/* as in the table, NULL: not started */
	long errno_at;			/* as in struct hook, 0: ask there */
	uint64_t module_start;		/* of the last module that opened a socket, of which so many bytes are known */
	uint32_t module_bytes;
	uint32_t seen;		/* generation of the control block that `armed` was made from */
	uint32_t armed;		/* bit per filter type that filter, rule or trace wants to see */
	uint32_t alive;		/* not 0 in the process that started; 0 in those that it forks */
	uint64_t reserved;
};

/* In `shortest`: when sockets are opened is recorded. */
#define HOOK_TIMES	(1ull << 63)

/* Not at the page's start: so much of the kernel's lies at one that its part of the processor's cache is always another's. */
struct hook_guard_page {
	char unused[HOOK_GUARD_AT];
	struct hook_guard line;
	struct run_stat *last_stat[8];	/* those that were counted in last, see hook_last_stat() */
} __attribute__((aligned(HOOK_PAGE)));

_Static_assert(HOOK_GUARD_AT % 64 == 0 && sizeof(struct hook_guard) == 64, "a line");

extern struct hook_guard_page hook_guard_page;
extern struct hook_guard hook_guard __attribute__((visibility("hidden")));	/* its line */

/* The same for who reads several of its members: by a register, which takes half the bytes of code. */
static inline struct hook_guard *hook_guard_near(void)
{
	struct hook_guard *g = &hook_guard;

	__asm__("" : "+r"(g));
	return g;
}

/* Bits of hook.unusual. */
#define HOOK_BACKTRACES	1u
#define HOOK_STACK	2u	/* sockets may be redirected */
#define HOOK_NO_COUNTER	4u	/* the processor's counter is forbidden */
/* HOOK_VFORKS is in vfork.h. */

/* All that the short way through a wrapper reads is close together: a machine whose system calls empty the
 * TLB pays for every page that is touched after one. */
struct hook {
	long errno_at;			/* from the thread pointer */
	uint64_t direct;		/* bit per call, see MAKE() */
	uint32_t unusual;		/* HOOK_...: what opening a socket must see to beyond the usual */
	uint32_t backtrace;		/* frames that are recorded of each call that opens a socket */
	struct socktab tab __attribute__((aligned(16)));	/* the low entries at once, none of them in two lines */
	void (*fns[CALLS])(void);	/* libc's functions, see LIBC() */
	struct run_writer run;
};

_Static_assert(CALLS <= 63, "bits of hook.direct");
_Static_assert(offsetof(struct hook, unusual) == HOOK_UNUSUAL_AT, "as vfork.S has it");
_Static_assert(HOOK_OWN_IN_VFORK == (1u << CALL_socket | 1u << CALL_socketpair | 1u << CALL_accept | 1u << CALL_accept4 |
				     1u << CALL_close), "as vfork.S has it");

extern struct hook hook;
extern struct sockshim_switch hook_switch;
extern __thread uint32_t hook_vforked;

/* This is a vforked child, in its parent's memory. */
static inline bool hook_in_vfork(void)
{
	return UNLIKELY(hook.unusual & HOOK_VFORKS) && hook_vforked;
}

/* The program has had its system calls filtered (seccomp): what is not one of its own may end it. No file is
 * opened from then on, and no descriptor, address or name asked for. */
extern bool hook_sandboxed;

/* Starts, or starts again after fork. Afterwards the guard is alive, hook.run and the table's statistics are valid. */
void hook_start(void);

/* Whether this process is a fork that has not started again. */
bool hook_detached(void);

/* Looks at a descriptor of which the table knows nothing, or that it takes for no socket. Returns its ref,
 * 0 if it is no socket. */
uint64_t hook_adopt(int fd);

/* The rest of hook_quiet: starts, or loads rules, if that is to be done for a call of this type. */
bool hook_quiet_now(enum sockshim_filter_type t);

/* Brings `armed` up to date with the control block's generation. */
void hook_refresh(void);

/* Brings hook_guard.shortest up to date with hook.direct, hook.unusual and `armed`. */
void hook_find_shortest(void);

/* Where a cookie's statistics were last found; NULL there: nowhere yet. Another's, if they don't say the cookie: the usual families
 * and types of one program don't meet here. */
static inline struct run_stat **hook_last_stat(sockshim_cookie cookie)
{
	unsigned family = (unsigned)(cookie >> 48), type = (unsigned)(cookie >> 16);

	return &hook_guard_page.last_stat[((family ^ family >> 2) + 3 * type) & 7];
}

/* Notes that the rules have been loaded: what they want to see (bit per filter type), whether calls are
 * traced, and the generation that says so. */
void hook_set_armed(uint32_t by_rules, bool trace, uint32_t generation);

/* Does ahead of a sandbox what can't be done in it: starts, makes room, and looks at all descriptors. */
void hook_prepare_sandbox(void);

/* Enters it. */
void hook_enter_sandbox(void);

/* The processor's counter is about to be forbidden. */
void hook_forgo_counter(void);

/* Counts forks made by this process, for the children's seeds. */
void hook_count_fork(void);

/* A vforked child is gone, and its parent goes on. */
void hook_vfork_over(void);

/* The process has a single thread. */
static inline bool hook_alone(void)
{
	return LIKELY(*hook.tab.alone);
}

static inline bool hook_is_alive(void)
{
	return LIKELY(__atomic_load_n(&hook_guard.alive, __ATOMIC_ACQUIRE));
}

/* The run asks when sockets are opened. */
static inline bool hook_times(void)
{
	return UNLIKELY(__atomic_load_n(&hook_guard.shortest, __ATOMIC_RELAXED) & HOOK_TIMES);
}

static inline void hook_alive(void)
{
	if (UNLIKELY(!hook_is_alive()))
		hook_start();
}

/* The process has started, and seen the control block as it is. */
static inline bool hook_is_up_to_date(void)
{
	const uint32_t *generation = __atomic_load_n(&hook_guard_near()->generation, __ATOMIC_ACQUIRE);

	return LIKELY(generation && __atomic_load_n(generation, __ATOMIC_RELAXED) ==
				    __atomic_load_n(&hook_guard_near()->seen, __ATOMIC_ACQUIRE));
}

/* Nobody wants to see calls of type t. */
static inline bool hook_quiet(enum sockshim_filter_type t)
{
	return (LIKELY(hook_is_up_to_date()) &&
		LIKELY(!(__atomic_load_n(&hook_guard_near()->armed, __ATOMIC_RELAXED) & 1u << t))) || hook_quiet_now(t);
}

/* A socket as the wrappers look at it: its ref, 0 if it is none. */
static inline struct run_socket *hook_object(uint64_t ref)
{
	return socktab_object(ref);
}

/* The short way is open: nobody wants to see calls of type t, and nothing is special about the socket. */
static inline bool hook_quiet_on(uint64_t ref, enum sockshim_filter_type t)
{
	return LIKELY(!(ref & (SOCKTAB_SPECIAL | SOCKTAB_STACK))) && hook_quiet(t);
}

/* Call `id` may be made as a bare system call and counted, and nothing more: the process has started, nobody wants to see such a
 * call, and nothing is special about the process (where it makes or closes a socket). For calls that are no cancellation points. */
static inline bool hook_is_bare(enum call_id id)
{
	return LIKELY(__atomic_load_n(&hook_guard_near()->shortest, __ATOMIC_ACQUIRE) >> id & 1) && hook_is_up_to_date();
}

/* The same for a call on a socket: nothing is special about that either, and the process has one thread. */
static inline bool hook_is_shortest(uint64_t ref, enum call_id id)
{
	const char *alone;

	if (UNLIKELY(ref & (SOCKTAB_SPECIAL | SOCKTAB_STACK)) || !hook_is_bare(id))
		return false;
	alone = __atomic_load_n(&hook_guard_near()->alone, __ATOMIC_RELAXED);
	return LIKELY(alone && *alone);
}

/* The ref of the socket that fd names, adopted if it came from elsewhere; 0 if it is none. */
static inline uint64_t hook_ref(int fd)
{
	uint64_t ref = socktab_ref(&hook.tab, fd);

	if (LIKELY(socktab_is_other(ref)))
		return 0;
	if (UNLIKELY(ref == SOCKTAB_UNKNOWN))
		return hook_adopt(fd);
	if (UNLIKELY(!hook_is_alive())) {
		hook_start();
		ref = socktab_ref(&hook.tab, fd);
	}
	return socktab_is_socket(ref) ? ref : 0;
}

static inline struct run_socket *hook_socket(int fd)
{
	return hook_object(hook_ref(fd));
}

/* The same for calls that make no sense on anything but a socket: what the table takes for none is looked
 * at again, since it may have been made by a call that we did not see. */
uint64_t hook_look_again(int fd);

static inline uint64_t hook_ref_call(int fd)
{
	uint64_t ref = socktab_ref(&hook.tab, fd);

	return LIKELY(socktab_is_socket(ref) && hook_is_alive()) ? ref : hook_look_again(fd);
}

#endif
