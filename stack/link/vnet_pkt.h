/* virtio-net headers and what they say of packets: checksums left to the other side, super-segments. */
#ifndef STACK_LINK_VNET_PKT_H
#define STACK_LINK_VNET_PKT_H

#include "buffer/pkt.h"

/** vnet_pkt_take() - borrows: pull a header of @len bytes (0: there is none) off a received packet, and note
 * what it says; false if it is nonsense */
bool vnet_pkt_take(struct pkt *pkt, size_t len);

/** vnet_pkt_push() - borrows: put a header of @len bytes (0: none) in front of a packet that is sent; false
 * if there was no memory */
bool vnet_pkt_push(struct pkt *pkt, size_t len);

#endif
