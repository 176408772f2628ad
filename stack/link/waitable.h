/* A link that can be made to hold still. */
#ifndef STACK_LINK_WAITABLE_H
#define STACK_LINK_WAITABLE_H

#include "core/link.h"

/** waitable_new() - wrap @lower, which it owns from now on; NULL, @lower closed, if no memory */
struct link *waitable_new(struct link *lower);

/**
 * waitable_stop_writes(), waitable_stop_delivery() - let nothing pass any more in that direction
 *
 * True if no call is inside it now; false if this was called from within one, which goes on to its
 * end: then ask waitable_idle() once it has returned. Writes are refused with WOULD_BLOCK,
 * received packets dropped.
 */
bool waitable_stop_writes(struct link *l);
bool waitable_stop_delivery(struct link *l);

/** waitable_resume() - let both directions pass again */
void waitable_resume(struct link *l);

/** waitable_idle() - whether no call is inside the link, in either direction */
bool waitable_idle(const struct link *l);

#endif
