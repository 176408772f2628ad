/* facts.h - what differs from call to call on the long way: the facts that rules ask for, what the outcome
 * changes, and how a result is undone. */
#ifndef SHIM_INTERPOSE_FACTS_H
#define SHIM_INTERPOSE_FACTS_H

#include "interpose/call.h"
#include "plugin/plugin.h"

/* The cookie of a call that is on no socket of the table: socket's arguments, else 0. */
sockshim_cookie facts_cookie(const struct call *c);

/* Copies the address or host name that the call was given, if it can be read. */
void facts_addr(struct call *c);

/* Fills in the facts that the rules for this type of call need (enum fault_need). */
void facts_gather(struct call *c, struct fault_call *f, uint32_t needs);

/* The address of a socket, or its peer's: *len is 0 if it has none. In a sandbox what the table remembers of it. */
void facts_name(int fd, const struct run_socket *s, bool peer, struct sockaddr_storage *ss, socklen_t *len);

/* Asks a bound function. 0, or the errno it answers; 0 if p is NULL. */
int facts_ask(struct call *c, const struct plugin *p);

/* Makes the call as it is, and sets ret and err. */
void facts_make(struct call *c);

/* Whether ret says that the call failed. */
bool facts_failed(const struct call *c);

/* What SO_ERROR has just read, 0 if the call was another. */
int facts_socket_error(const struct call *c);

/* Enters and counts the outcome of a call that was made. */
void facts_outcome(struct call *c);

/* Takes a success back: closes the descriptors that the call made. */
void facts_undo(struct call *c);

#endif
