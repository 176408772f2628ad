/* resolve.h - names and interfaces of a stack, in place of libc's. */
#ifndef SHIM_INTERPOSE_RESOLVE_H
#define SHIM_INTERPOSE_RESOLVE_H

#include <netdb.h>
#include <stdbool.h>
#include <stdint.h>

/* getaddrinfo(3) by the stack host. The result is released by resolve_free. */
int resolve_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **res);

/* Releases a list that is ours; false: it is not. */
bool resolve_free(struct addrinfo *list);

/* Looks a name up: up to `room` addresses of STACK_ADDR_MAX bytes each go to `addrs`, the canonical name to `canon` (n bytes).
 * Returns how many (0 or more), or an EAI_ code. */
int resolve_name(const char *name, int flags, int family, uint8_t *addrs, int room, char *canon, size_t n);

/* Whether names and interfaces are the stack's. */
bool resolve_redirected(void);

#endif
