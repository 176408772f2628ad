/* Rings of packet sockets: PACKET_RX_RING (packet(7)), in a file that host and program both map. */
#ifndef STACK_HOST_RING_H
#define STACK_HOST_RING_H

#include "host/relay.h"

/* What one ring and what all of a stack may take: beyond it, as where memory is short. */
enum { RING_BYTES_MAX = 64 << 20, RINGS_BYTES_MAX = 256 << 20 };

/** ring_set() - PACKET_RX_RING with this value: make @r's ring, or (no blocks) end it. -EINVAL, -EBUSY, -ENOMEM */
int ring_set(struct relay *r, const void *val, size_t len);

/** ring_free() - @r goes, or its ring does */
void ring_free(struct relay *r);

/** ring_fd() - its file, which stays the ring's; @bytes: as much of it as the program maps. -EINVAL: it has none */
int ring_fd(const struct relay *r, int64_t *bytes);

/** ring_take() - move one packet from the socket to the ring; false: there is none, or no room */
bool ring_take(struct relay *r);

#endif
