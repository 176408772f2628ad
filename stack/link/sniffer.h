/* A link that records what passes the link it wraps. */
#ifndef STACK_LINK_SNIFFER_H
#define STACK_LINK_SNIFFER_H

#include "base/clock.h"
#include "core/link.h"
#include "link/pcapng.h"

/**
 * struct sniffer_config - @write, @ctx: where the pcapng goes (see struct pcapng)
 * @clock:   whose wall clock stamps the packets
 * @comment: for the whole capture, or NULL
 */
struct sniffer_config {
	bool (*write)(void *ctx, const struct iovec *iov, int iovcnt);
	void *ctx;
	const struct clock *clock;
	const char *name;
	const char *comment;
};

/** sniffer_new() - wrap @lower, which it owns from now on; NULL, @lower closed, if no memory */
struct link *sniffer_new(struct link *lower, const struct sniffer_config *c);

#endif
