/* The virtio-net header that TAP devices put before each frame (IFF_VNET_HDR). */
#ifndef STACK_HEADER_VNET_H
#define STACK_HEADER_VNET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { VNET_HDR_LEN = 10, VNET_HDR_MRG_LEN = 12 };
enum { VNET_NEEDS_CSUM = 1, VNET_DATA_VALID = 2 };
enum { VNET_GSO_NONE = 0, VNET_GSO_TCP4 = 1, VNET_GSO_UDP = 3, VNET_GSO_TCP6 = 4, VNET_GSO_ECN = 0x80 };

/** struct vnet_hdr - offsets count from the frame's first byte; bytes in host order */
struct vnet_hdr {
	uint8_t flags, gso_type;
	uint16_t hdr_len, gso_size, csum_start, csum_off;
};

/** vnet_parse() - false if there are not VNET_HDR_LEN bytes, or offsets lie outside @frame_len */
bool vnet_parse(struct vnet_hdr *h, const uint8_t *p, size_t len, size_t frame_len);

/** vnet_emit() - write @hdr_len bytes, VNET_HDR_LEN or VNET_HDR_MRG_LEN */
void vnet_emit(const struct vnet_hdr *h, uint8_t *p, size_t hdr_len);

#endif
