/* What the two directions of an fdbased link share. */
#ifndef STACK_LINK_FDBASED_IMPL_H
#define STACK_LINK_FDBASED_IMPL_H

#include "link/fdbased.h"
#include "link/uring.h"

enum { FDBASED_BATCH = 32, FDBASED_FLAT_BYTES = 512 };

/** struct fdbased_rx - @next: empty packets whose heads wait to be read into, or for what is copied out
 * of @large; @want: how many packets a queue is likely to have */
struct fdbased_rx {
	struct pkt *next[FDBASED_BATCH];
	struct chunk *large[FDBASED_BATCH];
	int want[FDBASED_MAX_QUEUES];
};

/** struct fdbased_tx - @n packets wait in @pkt to be written to @queue; @flat: those with little in several places */
struct fdbased_tx {
	int n;
	enum ns_err err;		/* of a packet gone before */
	struct pkt *pkt[FDBASED_BATCH];
	int queue[FDBASED_BATCH];
	int32_t result[FDBASED_BATCH];
	struct iovec iov[FDBASED_BATCH][PKT_MAX_FRAGS + 1];
	uint8_t flat[FDBASED_BATCH][FDBASED_FLAT_BYTES];
};

/** struct fdbased - @small: every packet fits into a frame chunk; @ring, @tx: NULL unless fdbased_batch(); a ring
 * that works no more leaves one call for each packet */
struct fdbased {
	struct link link;
	struct fdbased_config config;
	bool small;
	struct uring *ring;
	struct fdbased_rx rx;
	struct fdbased_tx *tx;
};

/** fdbased_write() - link_ops.write; fdbased_rx_fini() - what link_close() releases of the receiving side */
enum ns_err fdbased_write(struct link *l, struct pkt *pkt);
void fdbased_rx_fini(struct fdbased *f);

#endif
