/* impair.h - carrying faults out: short, dropped and corrupted transfers, resets, late errors. */
#ifndef SHIM_INTERPOSE_IMPAIR_H
#define SHIM_INTERPOSE_IMPAIR_H

#include "interpose/call.h"

/* Makes the call as the verdict wants it, and sets ret and err. Whether it dropped what was sent or received. */
bool impair_call(struct call *c, const struct fault_verdict *v);

/* Resets the connection: the peer gets an RST (of a unix socket: an end of file), later receives here end
 * of file and later sends EPIPE. Returns the errno for the call itself, ECONNRESET. */
int impair_reset(struct call *c);

/* Answers a call on a socket that was reset, or whose connect is to fail late. False: make the call. */
bool impair_special(struct call *c);

#endif
