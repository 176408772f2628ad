/* hook.c - the preloaded switch coming to life: at the first socket, and again after fork. */
#include "interpose/hook.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "interpose/rules.h"
#include "run/stat.h"
#include "run/sys.h"

#define SCAN_FDS 256

static const uint32_t zero;
static struct run_stat no_stats[RUN_STATS];	/* until there is a run file */

static struct run_socket *hook_chunk(void *ctx, unsigned i)
{
	return run_writer_chunk(ctx, i);
}

static void filters_changed(void);

struct hook hook = { .generation = &zero, .alive = &zero, .stats = no_stats };
struct socktab hook_tab = { .new_chunk = hook_chunk, .ctx = &hook.run };
struct sockshim_switch hook_switch = { .tab = &hook_tab, .stats = no_stats, .armed_changed = filters_changed };
__thread uint32_t hook_vforked;

static uint32_t *guard;		/* the page that fork wipes */
static bool started;		/* in this process or one that it was forked from */
static uint32_t starting;
static uint32_t scanned;
static uint32_t forks;
static uint32_t rules_armed;	/* what hook_set_armed was told */
static bool tracing;

struct sockshim_switch *sockshim_default_switch(void)
{
	hook_alive();
	return &hook_switch;
}

static void arm(void)
{
	uint32_t all = tracing ? ~0u : 0;

	__atomic_store_n(&hook.armed, all | rules_armed | __atomic_load_n(&hook_switch.armed, __ATOMIC_ACQUIRE),
			 __ATOMIC_RELEASE);
}

static void filters_changed(void)
{
	arm();
}

void hook_set_armed(uint32_t by_rules, bool trace)
{
	rules_armed = by_rules;
	tracing = trace;
	arm();
}

void hook_count_fork(void)
{
	__atomic_add_fetch(&forks, 1, __ATOMIC_RELAXED);
}

bool hook_detached(void)
{
	return started && !__atomic_load_n(hook.alive, __ATOMIC_ACQUIRE);
}

static void block_signals(uint64_t *old)
{
	uint64_t all = ~0ull;

	sys(SYS_rt_sigprocmask, SIG_SETMASK, &all, old, 8);
}

static void unblock_signals(const uint64_t *old)
{
	sys(SYS_rt_sigprocmask, SIG_SETMASK, old, NULL, 8);
}

static void make_guard(void)
{
	long p = sys(SYS_mmap, NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p < 0 && p > -4096)
		return;
	sys(SYS_madvise, p, 4096, MADV_WIPEONFORK);
	guard = (uint32_t *)p;
}

/* With signals blocked and `starting` held. */
static void start_locked(void)
{
	static uint32_t always = 1;	/* no memory for a guard: alive for good */
	bool forked = started;

	if (!guard)
		make_guard();
	if (run_writer_open(&hook.run, forked) == 0) {
		hook.stats = hook.run.file->stats;
		hook_switch.stats = hook.stats;
		hook.generation = &hook.run.control->generation;
	}
	if (forked) {
		hook.run.file->seed ^= (forks + 1) * 0x9e3779b97f4a7c15ull;
		forks = 0;
		socktab_after_fork(&hook_tab);
	}
	rules_start(forked);
	started = true;
	__atomic_store_n(guard ? guard : &always, 1, __ATOMIC_RELEASE);
	__atomic_store_n(&hook.alive, guard ? guard : &always, __ATOMIC_RELEASE);
}

void hook_start(void)
{
	uint64_t old;
	uint32_t none = 0;

	if (hook_vforked)
		return;		/* in the parent's memory: what there is must do */
	block_signals(&old);
	/* In a forked child nobody else can be starting: a value left by another thread of the parent is void. */
	while (!__atomic_compare_exchange_n(&starting, &none, (uint32_t)sys(SYS_getpid, 0), 0, __ATOMIC_ACQUIRE,
					    __ATOMIC_RELAXED)) {
		if (none != (uint32_t)sys(SYS_getpid, 0))
			__atomic_compare_exchange_n(&starting, &none, 0, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
		else
			sys(SYS_sched_yield, 0);
		none = 0;
	}
	if (!__atomic_load_n(hook.alive, __ATOMIC_ACQUIRE))
		start_locked();
	__atomic_store_n(&starting, 0, __ATOMIC_RELEASE);
	unblock_signals(&old);
	hook_refresh();
}

void hook_refresh(void)
{
	if (__atomic_load_n(hook.generation, __ATOMIC_ACQUIRE) != __atomic_load_n(&hook.seen, __ATOMIC_RELAXED))
		rules_load();
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

/* Asks which of the low descriptors there are. Those that are not, or that are no sockets, are entered as
 * such; the rest stay unknown until they are used. What this program opens later by other means than the
 * calls we see is then known to be no socket without asking. */
static void scan(void)
{
	struct pollfd p[SCAN_FDS];
	struct timespec now = { 0, 0 };
	int n = SCAN_FDS, err;

	for (int i = 0; i < n; i++)
		p[i] = (struct pollfd){ .fd = i };
	/* poll refuses more descriptors than RLIMIT_NOFILE. */
	while ((err = (int)sys(SYS_ppoll, p, n, &now, NULL, 0)) == -EINVAL && n > 1)
		n /= 2;
	for (int i = 0; err >= 0 && i < SCAN_FDS; i++) {
		int type;
		socklen_t len = sizeof(type);

		if (socktab_ref(&hook_tab, i) != SOCKTAB_UNKNOWN)
			continue;
		if (i >= n || (p[i].revents & POLLNVAL) ||
		    sys(SYS_getsockopt, i, SOL_SOCKET, SO_TYPE, &type, &len) != 0)
			socktab_set_other(&hook_tab, i);
	}
}

struct run_socket *hook_adopt(int fd)
{
	sockshim_cookie cookie, stale;
	struct run_socket *s;

	if ((unsigned)fd >= SOCKTAB_FDS || hook_vforked)
		return NULL;
	if (!__atomic_exchange_n(&scanned, 1, __ATOMIC_ACQ_REL)) {
		scan();
		if (socktab_ref(&hook_tab, fd) == SOCKTAB_OTHER)
			return NULL;
	}
	if (socket_cookie(fd, &cookie) != 0) {
		socktab_set_other(&hook_tab, fd);
		return NULL;
	}
	hook_alive();
	s = socktab_add(&hook_tab, fd, cookie, &stale);
	if (s)
		__atomic_fetch_or(&s->flags, RUN_SOCK_INHERITED, __ATOMIC_RELAXED);
	return s;
}
