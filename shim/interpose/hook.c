/* hook.c - the preloaded switch coming to life: at the first socket, and again after fork. */
#include "interpose/hook.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "interpose/redirect.h"
#include "interpose/rules.h"
#include "run/clock.h"
#include "run/complain.h"
#include "run/config.h"
#include "run/stat.h"
#include "run/sys.h"

#define SCAN_FDS 256
#define CHANNELS_AHEAD 4
#define SCAN_AT_ONCE 64	/* the stack may be a signal handler's */

static struct run_stat no_stats[RUN_STATS];		/* until there is a run file */
static struct run_takes no_takes;
static struct run_socket *chunks[SOCKTAB_CHUNKS];

static struct run_socket *hook_chunk(void *ctx, unsigned i)
{
	return run_writer_chunk(ctx, i);
}

struct hook hook __attribute__((aligned(64))) = {
	.fns = {
#define CALL(name, filter, ret, nr, params) [CALL_##name] = (void (*)(void))libc_first_##name,
#define ALIAS(alias, name)
#define CHECKED(alias, name)
#include "interpose/calls.def"
	},
	.tab = { .alone = "", .stats = no_stats, .takes = &no_takes, .chunk = chunks, .new_chunk = hook_chunk, .ctx = &hook.run },
};
struct hook_guard_page hook_guard_page;
#define TEXT_OF(x) #x
#define NUMBER(x) TEXT_OF(x)
__asm__(".hidden hook_guard\n\t.globl hook_guard\n\t.set hook_guard, hook_guard_page + " NUMBER(HOOK_GUARD_AT));
struct sockshim_switch hook_switch;
__thread uint32_t hook_vforked;
bool hook_sandboxed;

static bool started;			/* in this process or one that it was forked from */
static uint32_t starting;
static uint32_t scanned;
static uint32_t forks;
static uint32_t rules_armed;		/* what hook_set_armed was told */
static bool tracing;

static uint32_t armed_now(void)
{
	return (tracing ? ~0u : 0) | rules_armed | __atomic_load_n(&hook_switch.armed, __ATOMIC_ACQUIRE);
}

/* The calls about which there is more to it in such a process. */
static uint64_t calls_unusual(uint32_t unusual)
{
	if (!(hook.run.control->flags & RUN_TIMES))
		unusual &= ~HOOK_NO_COUNTER;
	return (unusual ? 1ull << CALL_socket | 1ull << CALL_socketpair | 1ull << CALL_accept | 1ull << CALL_accept4 : 0) |
	       (unusual & (HOOK_STACK | HOOK_VFORKS) ? 1ull << CALL_close : 0);
}

void hook_find_shortest(void)
{
	uint32_t armed, unusual;
	uint64_t direct;

	if (!hook_is_alive())
		return;
	__atomic_store_n(&hook_guard.alone, hook.tab.alone, __ATOMIC_RELAXED);
	__atomic_store_n(&hook_guard.errno_at, hook.errno_at, __ATOMIC_RELAXED);
	/* Again, if another thread or a signal handler has changed what this came from: what was stored may be older than its. */
	do {
		uint64_t calls = 0;

		armed = __atomic_load_n(&hook_guard.armed, __ATOMIC_SEQ_CST);
		direct = __atomic_load_n(&hook.direct, __ATOMIC_SEQ_CST);
		unusual = __atomic_load_n(&hook.unusual, __ATOMIC_SEQ_CST);
		for (int id = 0; id < CALLS; id++)
			if (!(armed & 1u << call_infos[id].filter))
				calls |= 1ull << id;
		calls &= direct & ~calls_unusual(unusual);
		if (hook.run.control->flags & RUN_TIMES)
			calls |= HOOK_TIMES;
		__atomic_store_n(&hook_guard.shortest, calls, __ATOMIC_SEQ_CST);
	} while (armed != __atomic_load_n(&hook_guard.armed, __ATOMIC_SEQ_CST) ||
		 direct != __atomic_load_n(&hook.direct, __ATOMIC_SEQ_CST) ||
		 unusual != __atomic_load_n(&hook.unusual, __ATOMIC_SEQ_CST));
}

static void filters_changed(void)
{
	__atomic_store_n(&hook_guard.armed, armed_now(), __ATOMIC_SEQ_CST);
	hook_find_shortest();
}

struct sockshim_switch *sockshim_default_switch(void)
{
	hook_alive();
	/* Not from the beginning: there would be a page more for the loader to write in every program. */
	hook_switch.tab = &hook.tab;
	hook_switch.armed_changed = filters_changed;
	return &hook_switch;
}

void hook_set_armed(uint32_t by_rules, bool trace, uint32_t generation)
{
	rules_armed = by_rules;
	tracing = trace;
	__atomic_store_n(&hook_guard.armed, armed_now(), __ATOMIC_SEQ_CST);
	hook_find_shortest();
	__atomic_store_n(&hook_guard.seen, generation, __ATOMIC_RELEASE);
}

void hook_count_fork(void)
{
	__atomic_add_fetch(&forks, 1, __ATOMIC_RELAXED);
}

bool hook_detached(void)
{
	return started && !hook_is_alive();
}

bool hook_quiet_now(enum sockshim_filter_type t)
{
	bool about_any = t == SOCKSHIM_CLOSE || t == SOCKSHIM_POLL || t == SOCKSHIM_NONE;

	if (hook_vforked)
		return true;
	if (!hook_is_alive()) {
		/* Closing and waiting are no reason to start, unless somebody wanted to see them when the
		 * process was forked. */
		if (about_any && !(started && (armed_now() & 1u << t)))
			return true;
		hook_start();
	}
	hook_refresh();
	return !(__atomic_load_n(&hook_guard.armed, __ATOMIC_RELAXED) & 1u << t);
}

/* fork copies the descriptors before the memory, and another thread of the parent may have opened a socket in
 * between, that the table has and the child has not. */
static void forget_if_gone(int fd, struct socktab_entry *e, void *ctx)
{
	int type;
	socklen_t len = sizeof(type);

	if (!hook_sandboxed && sys(SYS_getsockopt, fd, SOL_SOCKET, SO_TYPE, &type, &len) != 0)
		socktab_detached_remove(&hook.tab, fd);
}

/* With signals blocked and `starting` held. */
static void start_locked(void)
{
	bool forked = started;

	/* Where the kernel can't (before 4.14), a forked child will be taken for its parent. */
	sys(SYS_madvise, &hook_guard_page, sizeof(hook_guard_page), MADV_WIPEONFORK);
	/* A fork in the middle of another thread's start leaves half of it: the parent's. */
	if (!forked)
		hook.run = (struct run_writer){ 0 };
	run_writer_open(&hook.run, forked);
	if (!forked && run_config()->too_long)
		run_say(&hook.run, "the SOCKSHIM_ variables are", "too long", 0, "what did not fit is left out");
	hook.tab.stats = hook.run.file->stats;
	hook.tab.takes = &hook.run.file->takes;
	hook.backtrace = hook.run.control->backtrace < RUN_BACKTRACE ? hook.run.control->backtrace : RUN_BACKTRACE;
	if (forked) {
		hook.run.file->seed ^= (forks + 1) * 0x9e3779b97f4a7c15ull;
		forks = 0;
		socktab_each(&hook.tab, forget_if_gone, NULL);
		socktab_after_fork(&hook.tab, !hook_sandboxed);	/* which may forbid mremap() */
		redirect_after_fork();
	}
	client.holder = redirect_holder;
	client_init(&hook.run.control->flags);
	__atomic_fetch_or(&hook.unusual, (hook.backtrace ? HOOK_BACKTRACES : 0) | (client.on ? HOOK_STACK : 0) |
			  (run_clock_ticks() ? 0 : HOOK_NO_COUNTER), __ATOMIC_SEQ_CST);
	rules_start(forked);
	started = true;
	hook_guard.seen = hook.run.control->generation ^ 1u;	/* the rules are loaded at the first look */
	/* What a forked child found before it came here was its parent's. */
	memset(hook_guard_page.last_stat, 0, sizeof(hook_guard_page.last_stat));
	hook_guard.module_bytes = 0;
	__atomic_store_n(&hook_guard.generation, &hook.run.control->generation, __ATOMIC_RELEASE);
	__atomic_store_n(&hook_guard.alive, 1, __ATOMIC_RELEASE);
}

void hook_start(void)
{
	uint64_t old;
	uint32_t none = 0;
	int saved = errno;

	if (hook_vforked)
		return;		/* in the parent's memory: what there is must do */
	sys_hold_signals(&old);
	/* In a forked child nobody else can be starting: a value left by another thread of the parent is void. */
	while (!__atomic_compare_exchange_n(&starting, &none, (uint32_t)sys(SYS_getpid, 0), 0, __ATOMIC_ACQUIRE,
					    __ATOMIC_RELAXED)) {
		if (none != (uint32_t)sys(SYS_getpid, 0))
			__atomic_compare_exchange_n(&starting, &none, 0, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
		else
			sys(SYS_sched_yield, 0);
		none = 0;
	}
	if (!hook_is_alive())
		start_locked();
	__atomic_store_n(&starting, 0, __ATOMIC_RELEASE);
	sys_release_signals(&old);
	hook_refresh();
	errno = saved;
}

void hook_refresh(void)
{
	int saved = errno;

	if (!hook_is_up_to_date())
		rules_load();
	errno = saved;
}

/* SO_DOMAIN, SO_TYPE, SO_PROTOCOL of a descriptor as a cookie. 0: no socket; -errno. */
static int socket_cookie(int fd, sockshim_cookie *cookie)
{
	static const int option[3] = { SO_DOMAIN, SO_TYPE, SO_PROTOCOL };
	int v[3] = { 0 };

	for (int i = 0; i < 3; i++) {
		socklen_t len = sizeof(v[i]);
		int err = (int)sys(SYS_getsockopt, fd, SOL_SOCKET, option[i], &v[i], &len);

		if (err)
			return err;
	}
	*cookie = sockshim_cookie_make(v[0], v[1], v[2]);
	return 0;
}

/* Asks which descriptors there are from `first` on. Those that are not, or that are no sockets, are entered
 * as such; the rest stay unknown until they are used. */
static void scan_from(int first)
{
	struct pollfd p[SCAN_AT_ONCE];
	struct timespec now = { 0, 0 };
	int n = SCAN_AT_ONCE, err;

	for (int i = 0; i < n; i++)
		p[i] = (struct pollfd){ .fd = first + i };
	/* poll refuses more descriptors than RLIMIT_NOFILE. */
	while ((err = (int)sys(SYS_ppoll, p, n, &now, NULL, 0)) == -EINVAL && n > 1)
		n /= 2;
	for (int i = 0; err >= 0 && i < n; i++) {
		int type;
		socklen_t len = sizeof(type);

		if (socktab_ref(&hook.tab, first + i) != SOCKTAB_UNKNOWN)
			continue;
		if ((p[i].revents & POLLNVAL) ||
		    sys(SYS_getsockopt, first + i, SOL_SOCKET, SO_TYPE, &type, &len) != 0)
			socktab_settle_other(&hook.tab, first + i);
	}
}

/* Looks at the low descriptors, so that what this program opens later by other means than the calls we see is
 * known to be no socket without asking. */
static void scan(void)
{
	for (int fd = 0; fd < SCAN_FDS; fd += SCAN_AT_ONCE)
		scan_from(fd);
}

uint64_t hook_adopt(int fd)
{
	sockshim_cookie cookie, stale;
	struct run_socket *s;

	if ((unsigned)fd >= SOCKTAB_FDS || hook_vforked || hook_sandboxed)
		return 0;
	if (!__atomic_exchange_n(&scanned, 1, __ATOMIC_ACQ_REL)) {
		scan();
		if (socktab_is_other(socktab_ref(&hook.tab, fd)))
			return 0;
	}
	if (socket_cookie(fd, &cookie) != 0) {
		socktab_set_other(&hook.tab, fd);
		return 0;
	}
	hook_alive();
	if (UNLIKELY(client.on) && sockshim_cookie_family(cookie) == AF_UNIX)
		redirect_recognize(fd, &cookie);
	s = socktab_add(&hook.tab, fd, cookie, RUN_SOCK_INHERITED, &stale);
	if (!s)
		return 0;
	redirect_enter(fd, s);
	return socktab_ref(&hook.tab, fd);
}

uint64_t hook_look_again(int fd)
{
	uint64_t ref = hook_ref(fd);

	return ref ? ref : hook_adopt(fd);
}

void hook_prepare_sandbox(void)
{
	if (hook_vforked || hook_sandboxed)
		return;
	hook_alive();
	for (unsigned i = 0; i < HOOK_CHUNKS_AHEAD; i++)
		socktab_reserve(&hook.tab, i);
	for (int fd = 0; fd < SCAN_FDS; fd++)
		if (socktab_ref(&hook.tab, fd) == SOCKTAB_UNKNOWN)
			hook_adopt(fd);
	client_prepare(CHANNELS_AHEAD);
	redirect_prepare_sandbox();
}

void hook_enter_sandbox(void)
{
	if (hook_vforked)
		return;
	hook.run.mapped = false;	/* no more files: what follows is kept in memory */
	run_complain_in_sandbox();
	channel_sandboxed = true;
	__atomic_store_n(&hook_sandboxed, true, __ATOMIC_RELEASE);
}

void hook_vfork_over(void)
{
	/* Of several threads another may be in it, or about to. */
	if (hook_vforked || !hook_alone())
		return;
	__atomic_fetch_and(&hook.unusual, ~(uint32_t)HOOK_VFORKS, __ATOMIC_SEQ_CST);
	hook_find_shortest();
}

void hook_forgo_counter(void)
{
	run_clock_forgo_counter();
	__atomic_fetch_or(&hook.unusual, HOOK_NO_COUNTER, __ATOMIC_SEQ_CST);
	hook_find_shortest();
}
