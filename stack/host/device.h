/* The devices NICs are on: opening them, the kernel's end of them, and reading them. */
#ifndef STACK_HOST_DEVICE_H
#define STACK_HOST_DEVICE_H

#include "host/host.h"

/**
 * struct device - a link that the loop reads
 * @next: the host's next one
 * @turn: the loop's in which there was something last
 * @rx:   reads and delivers some packets; negative: the link has failed, and the NIC goes down
 * @flush: sends what waits to go with more; NULL if nothing ever does
 */
struct device {
	struct source src;
	struct host *host;
	struct device *next;
	uint64_t turn;
	struct link *link;
	struct nic *nic;
	int fd;
	int (*rx)(struct link *l, int budget);
	void (*flush)(struct link *l);
};

/**
 * device_open() - make the link of @n and a device that feeds it
 * @out: the link, with all that is wrapped around it, for nic_create()
 * @lease: out: an address that came with the network; length 0 for none
 *
 * Return: 0 or -errno with @error.
 */
int device_open(struct host *h, const struct spec_nic *n, struct link **out, struct addr_prefix *lease,
		char error[SPEC_ERROR_MAX]);

/** device_attach() - @nic is the one on the device that was opened last */
void device_attach(struct host *h, struct nic *nic);

/** device_flush_all() - send what waits, at the end of each round */
void device_flush_all(struct host *h);

/** device_close_all() - release what device_open() made, after the NICs have gone */
void device_close_all(struct host *h);

/** kernel_end_set_up() - give the kernel's end of a device its addresses, MTU and queue, and bring it up;
 * 0 or -errno with @error (kernel_end.c) */
int kernel_end_set_up(const struct spec_nic *n, char error[SPEC_ERROR_MAX]);

#endif
