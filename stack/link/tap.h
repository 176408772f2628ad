/* Opening TAP and TUN devices as links. */
#ifndef STACK_LINK_TAP_H
#define STACK_LINK_TAP_H

#include "core/link.h"

enum { TAP_ERROR_MAX = 160 };

/**
 * struct tap_config - what to open
 * @name:    device; made if it is not there and there is the right to
 * @tun:     IP packets without Ethernet headers
 * @offload: IFF_VNET_HDR: checksums and TCP segmentation are left to the other side, both ways
 * @queues:  IFF_MULTI_QUEUE with so many; 0 and 1: one, without
 * @mtu:     0: the device's own
 * @pool:    as for fdbased
 */
struct tap_config {
	const char *name;
	bool tun;
	bool offload;
	int queues;
	uint32_t mtu;
	struct pkt_pool *pool;
};

/**
 * tap_open() - open a device; the result is an fdbased link
 * @error: on failure, what went wrong with what, TAP_ERROR_MAX bytes
 *
 * A TAP's link carries Ethernet frames and wants ether_new() around it.
 *
 * Return: 0 or -errno (EPERM, ENOENT, EBUSY, EINVAL, ENOMEM).
 */
int tap_open(const struct tap_config *c, struct link **out, char error[TAP_ERROR_MAX]);

#endif
