/*
 * Cutting up TCP super-segments.
 *
 * A super-segment comes from our own TCP when its link changed under it, and from a TAP with offload
 * when it is forwarded to a link without. Each segment gets the headers with sequence number,
 * lengths and IPv4 identification of its own; FIN and PSH go with the last, CWR with the first.
 */
#include "core/gso.h"

#include "base/byteorder.h"
#include "base/cksum.h"
#include "header/ipv4.h"
#include "header/ipv6.h"

enum { TCP_MIN_HDR = 20, TCP_SEQ = 4, TCP_DATA_OFF = 12, TCP_FLAGS = 13, TCP_CKSUM = 16 };
enum { GSO_MAX_SEGMENTS = 2048 };
enum { TCP_FIN = 0x01, TCP_PSH = 0x08, TCP_CWR = 0x80 };

/* Bytes of headers from the network one on; 0 if they are not all there. */
static size_t headers_len(struct pkt *pkt)
{
	size_t net = pkt->gso == PKT_GSO_TCP4 ? IPV4_HDR_LEN : IPV6_HDR_LEN, tcp;

	if (!pkt->gso_size || !pkt_pullup(pkt, net))
		return 0;
	if (pkt->gso == PKT_GSO_TCP4)
		net = (pkt_data(pkt)[0] & 0xfu) * 4;
	else if (pkt_data(pkt)[6] != IP_PROTO_TCP)
		return 0;
	if (net < IPV4_HDR_LEN || !pkt_pullup(pkt, net + TCP_MIN_HDR))
		return 0;
	tcp = (size_t)(pkt_data(pkt)[net + TCP_DATA_OFF] >> 4) * 4;
	if (tcp < TCP_MIN_HDR || !pkt_pullup(pkt, net + tcp))
		return 0;
	pkt->trans_off = (uint16_t)(pkt->off + net);
	return net + tcp;
}

bool gso_check(struct pkt *pkt)
{
	return pkt->csum == PKT_CSUM_PARTIAL && headers_len(pkt) != 0;
}

size_t gso_segment_len(struct pkt *pkt)
{
	size_t hdr = headers_len(pkt);

	return hdr && hdr + pkt->gso_size < pkt->len ? hdr + pkt->gso_size : pkt->len;
}

/* Makes the copied headers at @p those of the segment whose payload starts at @off. */
static void fix_headers(struct pkt *seg, uint8_t *p, size_t net, size_t off, bool first, bool last)
{
	uint8_t *tcp = p + net;
	uint16_t sum;

	if (net >= IPV4_HDR_LEN && p[0] >> 4 == 4) {
		be16_store(p + 2, (uint16_t)seg->len);
		ipv4_set_cksum(p, net);
	} else {
		be16_store(p + 4, (uint16_t)(seg->len - IPV6_HDR_LEN));
	}
	be32_store(tcp + TCP_SEQ, be32_load(tcp + TCP_SEQ) + (uint32_t)off);
	if (!last)
		tcp[TCP_FLAGS] &= (uint8_t)~(TCP_FIN | TCP_PSH);
	if (!first)
		tcp[TCP_FLAGS] &= (uint8_t)~TCP_CWR;
	sum = cksum_pseudo(&seg->src, &seg->dst, IP_PROTO_TCP, (uint32_t)(seg->len - net));
	memcpy(tcp + TCP_CKSUM, &sum, 2);
	seg->csum = PKT_CSUM_PARTIAL;
	seg->csum_start = (uint16_t)(seg->off + net);
	seg->csum_off = TCP_CKSUM;
}

static struct pkt *make_segment(const struct pkt *pkt, size_t hdr, size_t off, size_t n)
{
	size_t net = (size_t)(pkt->trans_off - pkt->off);
	struct pkt *seg = pkt_slice(pkt, hdr + off, n);
	uint8_t *p = seg ? pkt_push(seg, hdr) : NULL;

	if (!p) {
		pkt_free(seg);
		return NULL;
	}
	memcpy(p, pkt_data(pkt), hdr);
	seg->net_off = (uint16_t)seg->off;
	seg->trans_off = (uint16_t)(seg->off + net);
	seg->link_dst = pkt->link_dst;
	if (pkt->gso == PKT_GSO_TCP4)
		be16_store(p + 4, (uint16_t)(be16_load(p + 4) + off / pkt->gso_size));
	fix_headers(seg, p, net, off, off == 0, hdr + off + n == pkt->len);
	return seg;
}

bool gso_segment(struct pkt *pkt, struct pkt_queue *out)
{
	size_t hdr = headers_len(pkt), payload = pkt->len - hdr, n;
	struct pkt_queue made;
	struct pkt *seg = NULL;

	pkt_queue_init(&made);
	/* More segments than 64 KiB at the smallest MSS makes are a trick, not a super-segment. */
	if (payload / (pkt->gso_size ? pkt->gso_size : 1) > GSO_MAX_SEGMENTS)
		hdr = 0;
	for (size_t off = 0; hdr && off < payload; off += n) {
		n = payload - off < pkt->gso_size ? payload - off : pkt->gso_size;
		seg = make_segment(pkt, hdr, off, n);
		if (!seg) {
			pkt_queue_purge(&made);
			break;
		}
		pkt_queue_push(&made, seg);
	}
	/* Who wants to know when it has gone out is told by the last of them. */
	if (made.count)
		seg->stamp = pkt->stamp;
	pkt_free(pkt);
	if (!made.count)
		return false;
	while ((seg = pkt_queue_pop(&made)))
		pkt_queue_push(out, seg);
	return true;
}
