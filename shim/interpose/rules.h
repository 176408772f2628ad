/* rules.h - the fault rules in force: loaded from the run's control block, again whenever that changes.
 *
 * A set that a call is using stays as it is until the call is done: each set lives in a holder that counts
 * its users, and a holder is filled anew only when it has none. A thread that leaves a call by siglongjmp
 * never gives its holder back, which costs that holder and no more.
 */
#ifndef SHIM_INTERPOSE_RULES_H
#define SHIM_INTERPOSE_RULES_H

#include <stdbool.h>

#include "fault/fault.h"
#include "plugin/plugin.h"

struct rules {
	int32_t users;		/* far below 0: being filled */
	const struct fault_set *set;
	void *mem;		/* what set and plugins live in */
	size_t mem_bytes;
	struct plugin *plugins[RUN_RULES];	/* by rule number; NULL: no `call` rule, or it could not be bound */
};

/* At the start of the process's run: a control block of our own takes the rules of the environment. In a
 * forked child (`forked`) only what another thread of the parent may have left half done is mended. */
void rules_start(bool forked);

/* Loads the rules again, unless somebody else is at it. */
void rules_load(void);

/* The rules in force, to be given back; NULL: there are none. */
struct rules *rules_hold(void);
void rules_release(struct rules *r);

#endif
