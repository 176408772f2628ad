/* The virtio-net header: little-endian fields, as TUNSETVNETLE or a little-endian host has it. */
#include "header/vnet.h"

#include <string.h>

static uint16_t le16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static void put_le16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

bool vnet_parse(struct vnet_hdr *h, const uint8_t *p, size_t len, size_t frame_len)
{
	if (len < VNET_HDR_LEN)
		return false;
	h->flags = p[0];
	h->gso_type = p[1];
	h->hdr_len = le16(p + 2);
	h->gso_size = le16(p + 4);
	h->csum_start = le16(p + 6);
	h->csum_off = le16(p + 8);
	if (h->flags & VNET_NEEDS_CSUM && (size_t)h->csum_start + h->csum_off + 2 > frame_len)
		return false;
	return h->gso_type == VNET_GSO_NONE || h->gso_size != 0;
}

void vnet_emit(const struct vnet_hdr *h, uint8_t *p, size_t hdr_len)
{
	memset(p, 0, hdr_len);
	p[0] = h->flags;
	p[1] = h->gso_type;
	put_le16(p + 2, h->hdr_len);
	put_le16(p + 4, h->gso_size);
	put_le16(p + 6, h->csum_start);
	put_le16(p + 8, h->csum_off);
}
