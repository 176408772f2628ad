/* wrap_open.c - the calls that open files: of interest only for what /proc tells of sockets (procnet.h). */
#include "interpose/call.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "interpose/procnet.h"
#include "run/sys.h"

/* libc's function, looked up at its first use. */
static void (*next(void (**at)(void), const char *name))(void)
{
	void (*fn)(void) = __atomic_load_n(at, __ATOMIC_RELAXED);

	if (UNLIKELY(!fn)) {
		fn = libc_next(name);
		__atomic_store_n(at, fn, __ATOMIC_RELAXED);
	}
	return fn;
}

#define NEXT(type, name) \
	({ static void (*at)(void); (type *)next(&at, name); })

typedef int open_fn(const char *, int, unsigned);
typedef int openat_fn(int, const char *, int, unsigned);
typedef int open_2_fn(const char *, int);
typedef int openat_2_fn(int, const char *, int);
typedef FILE *fopen_fn(const char *, const char *);

/* While libc's is being looked for (an allocator that opens files), or where it has none. */
static int bare(int dir, const char *path, int flags, unsigned mode)
{
	return (int)sys_errno(sys(SYS_openat, dir, path, flags, mode));
}

/* The mode is passed on as a word, which holds whatever the caller put there. */
#define WRAP_OPEN(name, extra) \
	WRAPPER(int, name, const char *path, int flags, unsigned mode) \
	{ \
		int fd = procnet_open(path, flags | (extra)); \
		open_fn *fn = NEXT(open_fn, #name); \
\
		return UNLIKELY(fd >= 0) ? fd : LIKELY(fn) ? fn(path, flags, mode) \
							   : bare(AT_FDCWD, path, flags | (extra), mode); \
	}
WRAP_OPEN(open, 0)
WRAP_OPEN(open64, O_LARGEFILE)

#define WRAP_OPENAT(name, extra) \
	WRAPPER(int, name, int dir, const char *path, int flags, unsigned mode) \
	{ \
		int fd = procnet_open(path, flags | (extra)); \
		openat_fn *fn = NEXT(openat_fn, #name); \
\
		return UNLIKELY(fd >= 0) ? fd : LIKELY(fn) ? fn(dir, path, flags, mode) \
							   : bare(dir, path, flags | (extra), mode); \
	}
WRAP_OPENAT(openat, 0)
WRAP_OPENAT(openat64, O_LARGEFILE)

/* The fortified variants, which check that a mode is not missing. */
#define WRAP_OPEN_2(name, extra) \
	WRAPPER(int, name, const char *path, int flags) \
	{ \
		int fd = procnet_open(path, flags | (extra)); \
		open_2_fn *fn = NEXT(open_2_fn, #name); \
\
		return UNLIKELY(fd >= 0) ? fd : LIKELY(fn) ? fn(path, flags) : bare(AT_FDCWD, path, flags | (extra), 0); \
	}
WRAP_OPEN_2(__open_2, 0)
WRAP_OPEN_2(__open64_2, O_LARGEFILE)

#define WRAP_OPENAT_2(name, extra) \
	WRAPPER(int, name, int dir, const char *path, int flags) \
	{ \
		int fd = procnet_open(path, flags | (extra)); \
		openat_2_fn *fn = NEXT(openat_2_fn, #name); \
\
		return UNLIKELY(fd >= 0) ? fd : LIKELY(fn) ? fn(dir, path, flags) : bare(dir, path, flags | (extra), 0); \
	}
WRAP_OPENAT_2(__openat_2, 0)
WRAP_OPENAT_2(__openat64_2, O_LARGEFILE)

static FILE *open_stream(const char *path, const char *mode, fopen_fn *fn)
{
	/* "r", with what glibc knows besides: e, m, c, b. */
	bool reads = mode && mode[0] == 'r' && !strchr(mode, '+');
	int fd = reads ? procnet_open(path, strchr(mode, 'e') ? O_CLOEXEC : 0) : -1;
	FILE *f;

	if (LIKELY(fd < 0)) {
		if (LIKELY(fn))
			return fn(path, mode);
		errno = ENOMEM;
		return NULL;
	}
	f = fdopen(fd, mode);
	if (!f)
		sys(SYS_close, fd);
	return f;
}

WRAPPER(FILE *, fopen, const char *path, const char *mode)
{
	return open_stream(path, mode, NEXT(fopen_fn, "fopen"));
}

WRAPPER(FILE *, fopen64, const char *path, const char *mode)
{
	return open_stream(path, mode, NEXT(fopen_fn, "fopen64"));
}
