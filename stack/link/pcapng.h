/* Writing pcapng (draft-ietf-opsawg-pcapng), a block at a time. */
#ifndef STACK_LINK_PCAPNG_H
#define STACK_LINK_PCAPNG_H

#include <stdbool.h>

#include "buffer/pkt.h"

enum { PCAPNG_LINK_ETHERNET = 1, PCAPNG_LINK_RAW = 101 };

/**
 * struct pcapng - a capture with one interface
 * @write: called with whole blocks, in pieces; false ends the capture
 */
struct pcapng {
	bool (*write)(void *ctx, const struct iovec *iov, int iovcnt);
	void *ctx;
	bool failed;
};

/** pcapng_begin() - the section header and the interface; @name and @comment may be NULL */
void pcapng_begin(struct pcapng *p, uint16_t link_type, const char *name, const char *comment);

/** pcapng_packet() - borrows @pkt: one packet, at wall clock @ns; @comment may be NULL */
void pcapng_packet(struct pcapng *p, const struct pkt *pkt, int64_t ns, bool outbound,
		   const char *comment);

#endif
