/* The loopback link. */
#ifndef STACK_LINK_LOOPBACK_H
#define STACK_LINK_LOOPBACK_H

#include "base/clock.h"
#include "core/link.h"

enum { LOOPBACK_MTU = 65535 };

/** loopback_new() - a link that receives what it sends, at the next clock_run() of @clock; NULL if
 * there is no memory */
struct link *loopback_new(struct clock *clock);

#endif
