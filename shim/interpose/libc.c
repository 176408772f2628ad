/* libc.c - looking up the functions behind ours. */
#include "interpose/libc.h"

#include <dlfcn.h>
#include <errno.h>
#include "interpose/direct.h"
#include "interpose/object.h"
#include "run/sys.h"

static __thread int looking_up;

void (*libc_next(const char *name))(void)
{
	bool held = !hook_sandboxed;
	uint64_t signals;
	int saved = errno;
	void *p;

	if (looking_up)
		return NULL;
	/* A handler that makes calls must find its own looked up, or be able to. */
	if (held)
		sys_hold_signals(&signals);
	looking_up = 1;
	p = dlsym(RTLD_NEXT, name);
	looking_up = 0;
	if (held)
		sys_release_signals(&signals);
	errno = saved;
	return (void (*)(void))p;
}

/* In glibc since 2.32. */
extern const char __libc_single_threaded __attribute__((weak));

int libc_fail(int err)
{
	errno = err;
	return -1;
}

static bool cancels;

static void allow_direct(enum call_id id)
{
	if (!&__libc_single_threaded)
		return;
#ifdef __x86_64__
	char *thread;

	__asm__("movq %%fs:0, %0" : "=r"(thread));
	hook.errno_at = (char *)&errno - thread;
#endif
	hook.tab.alone = &__libc_single_threaded;
	__atomic_fetch_or(&hook.direct, 1ull << id, __ATOMIC_SEQ_CST);
	/* Looked at afterwards: it may have begun in another thread meanwhile. */
	if (__atomic_load_n(&cancels, __ATOMIC_SEQ_CST))
		__atomic_store_n(&hook.direct, 0, __ATOMIC_SEQ_CST);
	hook_find_shortest();
}

void libc_cancels(void)
{
	__atomic_store_n(&cancels, true, __ATOMIC_SEQ_CST);
	__atomic_store_n(&hook.direct, 0, __ATOMIC_SEQ_CST);
	hook_find_shortest();
}

/* A function that libc does not have (close_range before 2.34), or that is called while it is being
 * looked for. */
static long bare(long nr, const uint64_t *a, int n)
{
	uint64_t b[6] = { 0 };

	for (int i = 0; i < n; i++)
		b[i] = a[i];
	if (nr < 0) {
		errno = ENOSYS;
		return -1;
	}
	return sys_errno(sys_call(nr, (long)b[0], (long)b[1], (long)b[2], (long)b[3], (long)b[4], (long)b[5]));
}

#define ALIAS(alias, name)
#define CHECKED(alias, name)

#define CALL(name, filter, ret, nr, params) \
	ret libc_first_##name(PARAMS_##params) \
	{ \
		void (*fn)(void) = libc_next(#name); \
		uint64_t a[] = { WORDS_##params }; \
		if (!fn) \
			return (ret)bare(nr, a, sizeof(a) / sizeof(a[0])); \
		__atomic_store_n(&hook.fns[CALL_##name], fn, __ATOMIC_RELAXED); \
		if (nr >= 0 && object_is_libc((const void *)fn)) \
			allow_direct(CALL_##name); \
		return ((libc_fn_##name *)fn)(NAMES_##params); \
	}
#include "interpose/calls.def"
#undef CALL

#define CALL(name, filter, ret, nr, params) \
	static long words_##name(const uint64_t *a) { return (long)LIBC(name)(UNPACK_##params); }
#include "interpose/calls.def"
#undef CALL

#define CALL(name, filter, ret, nr, params) [CALL_##name] = words_##name,
static long (*const by_words[CALLS])(const uint64_t *) = {
#include "interpose/calls.def"
};

long libc_call(enum call_id id, const uint64_t *a)
{
	return by_words[id](a);
}
