/* call.h - the long way through a wrapper: rules, filters, the call, after-filters, statistics, trace.
 *
 * A call takes the long way only if something wants to see its type (hook_quiet). Order:
 *	1. fault rules decide; a delay is slept off
 *	2. a `fail` or `reset` rule ends the call; else the program's own filter may; else a `call` rule
 *	3. the call is made, as short, drop and corrupt rules want it
 *	4. `call after` rules and the program's after-filter may replace a result; a descriptor that was made
 *	   is then closed
 *	5. the outcome is counted, unless it was not the call's own, which is counted as injected
 */
#ifndef SHIM_INTERPOSE_CALL_H
#define SHIM_INTERPOSE_CALL_H

#include "fault/fault.h"
#include "interpose/direct.h"

struct call {
	enum call_id id;
	int fd;				/* -1: the call is on no descriptor */
	struct run_socket *s;		/* NULL: no socket */
	const void *pc;			/* return address of the wrapper */
	uint64_t a[CALL_ARGS_MAX];

	/* Filled in on the way. */
	sockshim_cookie cookie;
	sockshim_cookie closing;	/* close: the cookie, if it is of the socket's last descriptor */
	long ret;
	int err;			/* errno, if ret says failure */
	unsigned rule;			/* number of the rule that fired, 0: none */
	struct run_addr addr;		/* what the trace shows */
	char host[128];			/* resolve: the name */
};

/* Makes the call. Returns what the wrapper is to return; errno is set if that is a failure. */
long call_run(struct call *c);

/* The long way of a wrapper: RUN(recv, fd, s, words...). It is kept out of the wrapper, whose frame stays small. */
#define RUN(name, fd_, s_, ...) RUN_6(CALL_##name, fd_, s_, __VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define RUN_6(id, fd_, s_, a0, a1, a2, a3, a4, a5, ...) \
	call_words(id, fd_, s_, __builtin_return_address(0), (uint64_t)(a0), (uint64_t)(a1), (uint64_t)(a2), \
		   (uint64_t)(a3), (uint64_t)(a4), (uint64_t)(a5))
long call_words(enum call_id id, int fd, struct run_socket *s, const void *pc, uint64_t a0, uint64_t a1, uint64_t a2,
		uint64_t a3, uint64_t a4, uint64_t a5) __attribute__((cold));

/* A wrapper's definition. It has a C name of its own, so that it meets neither libc's prototype nor the
 * promises ("never NULL") that go with it, and is exported under the name it stands in for. */
#define WRAPPER(ret, name, ...) \
	ret sockshim_w_##name(__VA_ARGS__) __asm__(#name) __attribute__((visibility("default"))); \
	ret sockshim_w_##name(__VA_ARGS__)
#define WRAPPER_ALIAS(ret, alias_, name, ...) \
	ret sockshim_w_##alias_(__VA_ARGS__) __asm__(#alias_) __attribute__((visibility("default"), alias(#name)));

#endif
