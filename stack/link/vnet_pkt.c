/* virtio-net headers and what they say of packets. */
#include "link/vnet_pkt.h"

#include "header/vnet.h"

bool vnet_pkt_take(struct pkt *pkt, size_t len)
{
	struct vnet_hdr h;

	if (len == 0)
		return true;
	if (pkt->len < len || !vnet_parse(&h, pkt_data(pkt), pkt->head_len, pkt->len - len))
		return false;
	pkt_pull(pkt, len);
	if (h.flags & VNET_NEEDS_CSUM) {
		/* Where the sum goes must be in the head, like the headers. */
		if ((size_t)h.csum_start + h.csum_off + 2 > pkt->head_len)
			return false;
		pkt->csum = PKT_CSUM_PARTIAL;
		pkt->csum_start = (uint16_t)(pkt->off + h.csum_start);
		pkt->csum_off = h.csum_off;
	} else if (h.flags & VNET_DATA_VALID) {
		pkt->csum = PKT_CSUM_VALID;
	}
	switch (h.gso_type & ~VNET_GSO_ECN) {
	case VNET_GSO_NONE:
		break;
	case VNET_GSO_TCP4:
		pkt->gso = PKT_GSO_TCP4;
		break;
	case VNET_GSO_TCP6:
		pkt->gso = PKT_GSO_TCP6;
		break;
	default:
		return false;
	}
	pkt->gso_size = h.gso_size;
	pkt->ecn = h.gso_type & VNET_GSO_ECN;
	return true;
}

bool vnet_pkt_push(struct pkt *pkt, size_t len)
{
	struct vnet_hdr h = { 0 };
	uint8_t *p;

	if (len == 0)
		return true;
	if (pkt->csum == PKT_CSUM_PARTIAL) {
		h.flags = VNET_NEEDS_CSUM;
		h.csum_start = (uint16_t)(pkt->csum_start - pkt->off);
		h.csum_off = pkt->csum_off;
	}
	if (pkt->gso) {
		h.gso_type = pkt->gso == PKT_GSO_TCP4 ? VNET_GSO_TCP4 : VNET_GSO_TCP6;
		if (pkt->ecn)
			h.gso_type |= VNET_GSO_ECN;
		h.gso_size = pkt->gso_size;
		/* Up to and with the TCP header, whose length is in its 13th byte. */
		h.hdr_len = (uint16_t)(h.csum_start + (pkt_trans_hdr(pkt)[12] >> 4) * 4);
	}
	p = pkt_push(pkt, len);
	if (p)
		vnet_emit(&h, p, len);
	return p != NULL;
}
