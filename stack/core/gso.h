/* Cutting up TCP super-segments in software, for links that cannot. */
#ifndef STACK_CORE_GSO_H
#define STACK_CORE_GSO_H

#include "buffer/pkt.h"

/**
 * gso_segment() - takes @pkt, a super-segment with its network header first
 *
 * Appends its segments to @out, each with PKT_CSUM_PARTIAL. False, with nothing appended, if the headers
 * are not what @pkt->gso says or there was no memory.
 */
bool gso_segment(struct pkt *pkt, struct pkt_queue *out);

/** gso_check() - borrows: whether the headers are what @pkt->gso says, and all in the head; notes
 * where the transport header is */
bool gso_check(struct pkt *pkt);

/** gso_segment_len() - borrows: the length of the largest segment, network header included */
size_t gso_segment_len(struct pkt *pkt);

#endif
