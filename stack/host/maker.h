/* Who makes sockets, and how many of those that the host has room for are his. */
#ifndef STACK_HOST_MAKER_H
#define STACK_HOST_MAKER_H

#include <sys/types.h>

#include "host/host.h"

struct relay;

/** struct maker - a process that made sockets, those accepted from its listening sockets among them */
struct maker {
	struct htab_node by_pid;
	pid_t pid;
	size_t nsockets;
};

/** maker_init() - count what there is room for; maker_fini() - no relays are left */
void maker_init(struct host *h);
void maker_fini(struct host *h);

/** maker_get() - that of a process; NULL: no memory. Kept while it has sockets, or until maker_put() */
struct maker *maker_get(struct host *h, pid_t pid);
void maker_put(struct host *h, struct maker *m);

/** maker_may() - whether one more socket leaves enough for others; @m NULL: always */
bool maker_may(const struct host *h, const struct maker *m);

/** maker_own(), maker_disown() - a socket is his, until it is gone */
void maker_own(struct maker *m, struct relay *r);
void maker_disown(struct relay *r);

#endif
