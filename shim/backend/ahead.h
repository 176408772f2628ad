/* ahead.h - sockets asked for ahead of their time.
 *
 * Making a socket takes a message to the host and one back. A program that makes one after the other is likely to
 * make another of the same kind: that is asked for when the one before has been handed out, and is there when
 * the program comes for it. One at a time, on a connection of its own; what is not fetched goes with the process.
 */
#ifndef SHIM_BACKEND_AHEAD_H
#define SHIM_BACKEND_AHEAD_H

#include <stdbool.h>

#include "backend/client.h"

/* Fetches the socket that was asked for ahead, if it is of the kind that q asks for (STACK_OP_SOCKET). True: q has been
 * answered. */
bool ahead_fetch(struct client_request *q);

/* A socket of this kind has been made: asks for the next, if it is not the first of its kind. */
void ahead_ask(int domain, int type, int protocol);

/* Gives up what was asked for ahead, and the connection with it. Signals are held back. False: there was nothing. */
bool ahead_give_up(void);

/* In a forked child: what was asked for is the parent's. */
void ahead_after_fork(void);

#endif
