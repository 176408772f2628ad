/* The switch of a lan: a process that serves the members until the last has left. */
#ifndef STACK_LINK_LAN_HUB_H
#define STACK_LINK_LAN_HUB_H

#include "base/addr.h"

/** struct lan_hub_config - @dirfd, @listen_fd: the hub's from now on; @net: the subnet addresses are from */
struct lan_hub_config {
	const char *name;
	int dirfd, listen_fd;
	struct addr_prefix net;
	uint32_t mtu;
};

/** lan_hub_run() - serve; 0 when the last member has left, -errno if it could not begin */
int lan_hub_run(const struct lan_hub_config *c);

/** lan_hub_start() - fork a process that does; takes nothing. 0 or -errno. */
int lan_hub_start(const struct lan_hub_config *c);

#endif
