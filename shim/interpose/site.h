/* site.h - call sites: which module, and which function of it, a program counter belongs to.
 *
 * Modules are put into the run file's table when a call from one is first seen, so that a reader can
 * tell what an address meant after the process is gone. No loader lock is taken: another thread may hold
 * it and wait for the one we are in (a library's constructor that starts threads).
 */
#ifndef SHIM_INTERPOSE_SITE_H
#define SHIM_INTERPOSE_SITE_H

#include <stdbool.h>

#include "interpose/hook.h"

void site_note_module(const void *pc);
void site_note_backtrace(struct run_socket *s, const void *pc);

/* Whether pc's module is the one that opened a socket last, and so in the table. */
static inline bool site_is_noted(const void *pc)
{
	uint64_t at = (uint64_t)(uintptr_t)pc;

	return LIKELY(at - __atomic_load_n(&hook_guard_near()->module_start, __ATOMIC_RELAXED) <
		      __atomic_load_n(&hook_guard_near()->module_bytes, __ATOMIC_RELAXED));
}

/* Makes sure that pc's module is in the table; records a backtrace in the socket if the run asks for one. */
static inline void site_note(struct run_socket *s, const void *pc)
{
	if (!site_is_noted(pc))
		site_note_module(pc);
	if (hook.backtrace)
		site_note_backtrace(s, pc);
}

/* Whether pc lies in `module` (the name of its file, with or without what follows ".so") and, unless
 * function is NULL, in that function of it. */
bool site_is(const void *pc, const char *module, const char *function);

#endif
