/* Looking names up in the DNS, over the stack's own sockets (c-ares). */
#ifndef STACK_HOST_RESOLVE_H
#define STACK_HOST_RESOLVE_H

#include "host/host.h"
#include "host/names.h"

enum { RESOLVE_ADDRS_MAX = 64, RESOLVE_QUERIES_MAX = 1024 };

/**
 * struct answer - what came of a look-up
 * @eai:  0 or EAI_*
 * @name: the canonical name, or for an address its name
 */
struct answer {
	int eai;
	char name[NAMES_TEXT_MAX];
	struct addr addrs[RESOLVE_ADDRS_MAX];
	size_t n;
};

/**
 * struct query - a look-up on its way; embedded by whoever asks
 * @done: called once, perhaps at once; @a is valid until it returns. Not called after resolve_cancel().
 */
struct query {
	void (*done)(struct query *q, const struct answer *a);
	struct pending *pending;
};

/** resolver_new() - reads the files and /etc/resolv.conf; NULL: no memory */
struct resolver *resolver_new(struct host *h);
void resolver_free(struct resolver *r);
const struct names *resolver_names(const struct resolver *r);

/** resolve_name() - addresses of @name, of @family or, AF_UNSPEC, of both */
void resolve_name(struct resolver *r, struct query *q, const char *name, int family);

/** resolve_addr() - the name of @addr */
void resolve_addr(struct resolver *r, struct query *q, const struct addr *addr);

/** resolve_cancel() - nobody waits for @q any more */
void resolve_cancel(struct query *q);

#endif
