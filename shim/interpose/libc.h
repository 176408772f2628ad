/* libc.h - the functions behind ours: the next definition of each call in the search order, looked up at
 * its first use.
 *
 * LIBC(recv)(fd, buf, len, flags) calls libc's recv. The look-up needs no constructor to have run, takes
 * no memory on glibc 2.34 and later, and where it is entered again by the same thread (an allocator that
 * dlsym calls, and that calls read or close) the call is made as a bare system call.
 */
#ifndef SHIM_INTERPOSE_LIBC_H
#define SHIM_INTERPOSE_LIBC_H

#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "interpose/args.h"
#include "interpose/calls.h"

#define LIKELY(x)	__builtin_expect(!!(x), 1)
#define UNLIKELY(x)	__builtin_expect(!!(x), 0)

#define CALL(name, filter, ret, nr, params) typedef ret libc_fn_##name(TYPES_##params);
#define ALIAS(alias, name)
#define CHECKED(alias, name)
#include "interpose/calls.def"
#undef CALL
#undef ALIAS
#undef CHECKED

/* Stand-ins: a function with each call's own signature that looks libc's up, stores it in hook.fns and goes
 * on there. They are what hook.fns holds at first. */
#define CALL(name, filter, ret, nr, params) libc_fn_##name libc_first_##name;
#define ALIAS(alias, name)
#define CHECKED(alias, name)
#include "interpose/calls.def"
#undef CALL
#undef ALIAS
#undef CHECKED

#define LIBC(name) ((libc_fn_##name *)__atomic_load_n(&hook.fns[CALL_##name], __ATOMIC_RELAXED))

/* From now on there are cancellations, if only of the thread by itself: none of that any more. */
void libc_cancels(void);

/* Makes call `id` with its arguments as words. */
long libc_call(enum call_id id, const uint64_t *a);

/* The next definition of a function that is in no list. NULL if there is none, or if the look-up is
 * entered again by the same thread. errno is left alone. */
void (*libc_next(const char *name))(void);

#endif
