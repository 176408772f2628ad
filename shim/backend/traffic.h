/* traffic.h - which addresses go to the stack: SOCKSHIM_ONLY and SOCKSHIM_EXCEPT. */
#ifndef SHIM_BACKEND_TRAFFIC_H
#define SHIM_BACKEND_TRAFFIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define TRAFFIC_PATTERNS 32

/* One ADDR, ADDR/LEN, ADDR/LEN:PORT; ADDR of IPv6 in brackets if a port follows. */
struct traffic_pattern {
	int family;
	uint8_t addr[16];
	unsigned bits;
	uint16_t port;		/* host order, 0: any */
};

struct traffic {
	struct traffic_pattern only[TRAFFIC_PATTERNS], except[TRAFFIC_PATTERNS];
	size_t n_only, n_except;
};

/* Parses a list divided by commas into `to` (room for TRAFFIC_PATTERNS). Returns NULL, or where in the text
 * something is wrong. Neither allocates nor locks. */
const char *traffic_parse(struct traffic_pattern *to, size_t *n, const char *list);

/* Whether everything goes to the stack. */
static inline bool traffic_is_all(const struct traffic *t)
{
	return !t->n_only && !t->n_except;
}

/* Whether an address goes to the stack. An unspecified address does, as does one of another family. */
bool traffic_takes(const struct traffic *t, const struct sockaddr *addr, socklen_t len);

#endif
