/* Names that files know: /etc/hosts and /etc/services, read once. */
#ifndef STACK_HOST_NAMES_H
#define STACK_HOST_NAMES_H

#include "base/addr.h"
#include "base/htab.h"

enum { NAMES_FILE_MAX = 4 << 20, NAMES_TEXT_MAX = 256 };

/** struct host_name - a name of an address; @canonical: the first on its line */
struct host_name {
	struct htab_node by_name, by_addr;
	struct addr addr;
	const char *name, *canonical;
};

/** struct service_name - a name or alias of a port */
struct service_name {
	struct htab_node by_name;
	const char *name;
	uint16_t port;
	bool tcp;
};

/** struct names - the tables, and the text of the files, which they point into */
struct names {
	struct htab hosts, addrs, services;
	struct host_name *host;
	struct service_name *service;
	char *hosts_text, *services_text;
};

/** names_init() - read both; a file that cannot be read has no names. False: no memory */
bool names_init(struct names *n, const char *hosts, const char *services);
void names_fini(struct names *n);

/** names_find() - the next entry for @name after @after (NULL: the first); case does not matter */
const struct host_name *names_find(const struct names *n, const char *name, const struct host_name *after);

/** names_of() - an entry for @addr, the first in the file; NULL if there is none */
const struct host_name *names_of(const struct names *n, const struct addr *addr);

/** names_port() - a service's port, TCP's before others; -1 if there is no such service */
int names_port(const struct names *n, const char *service);

#endif
