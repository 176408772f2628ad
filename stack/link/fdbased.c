/*
 * A link over descriptors that keep packet boundaries.
 *
 * Theory of operation. One readv() per packet, into a chunk of frame size with bulk chunks behind
 * it for what is larger: a small packet holds only the first, and the bulk chunks wait for the
 * next. A super-segment takes as many as it filled along as fragments; nothing is copied. Where no
 * packet can be larger than a frame chunk it is a read(): importing a vector costs the kernel up to
 * a microsecond. One write() or writev() per packet, the virtio-net header in front of its head. What
 * the descriptor does not take now is dropped, as by any full queue.
 */
#include "link/fdbased.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/hash.h"
#include "header/eth.h"
#include "header/ipv4.h"
#include "header/vnet.h"
#include "link/vnet_pkt.h"

enum { FLAT_BYTES = 512 };

enum { BULK_CHUNKS = 5 };	/* with the frame chunk more than 64 KiB and its headers */

struct fdbased {
	struct link link;
	struct fdbased_config config;
	bool small;				/* every packet fits into a frame chunk */
	struct pkt *next;			/* empty, its head waiting to be read into */
	struct chunk *bulk[BULK_CHUNKS];
};

static bool rx_prepare(struct fdbased *f)
{
	struct pkt_pool *pool = f->config.pool;

	if (!f->next)
		f->next = pkt_alloc(pool, PKT_HEADROOM, CHUNK_FRAME - PKT_HEADROOM);
	if (!f->next)
		return false;
	for (int i = 0; i < BULK_CHUNKS && !f->small; i++) {
		if (!f->bulk[i])
			f->bulk[i] = chunk_alloc(pool, CHUNK_BULK);
		if (!f->bulk[i])
			return false;
	}
	return true;
}

/* Makes the bytes read a packet; bulk chunks that were used go with it. */
static struct pkt *rx_take(struct fdbased *f, size_t n)
{
	struct pkt *pkt = f->next;
	size_t room = pkt->head->cap - pkt->off, head = n < room ? n : room;

	f->next = NULL;
	pkt_put(pkt, head);
	n -= head;
	for (int i = 0; n; i++) {
		size_t m = n < CHUNK_BULK ? n : CHUNK_BULK;

		pkt_add_frag(pkt, f->bulk[i], 0, m);
		chunk_unref(f->bulk[i]);
		f->bulk[i] = NULL;
		n -= m;
	}
	return pkt;
}

static ssize_t rx_read(struct fdbased *f, int fd)
{
	struct iovec iov[1 + BULK_CHUNKS] = {
		{ pkt_data(f->next), f->next->head->cap - f->next->off },
	};

	if (f->small)
		return read(fd, iov[0].iov_base, iov[0].iov_len);
	for (int i = 0; i < BULK_CHUNKS; i++)
		iov[1 + i] = (struct iovec){ f->bulk[i]->data, CHUNK_BULK };
	return readv(fd, iov, 1 + BULK_CHUNKS);
}

static int rx_one(struct fdbased *f, int fd)
{
	struct pkt *pkt;
	ssize_t n;

	if (!rx_prepare(f))
		return -ENOMEM;
	do
		n = rx_read(f, fd);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -errno;
	pkt = rx_take(f, (size_t)n);
	if (vnet_pkt_take(pkt, f->config.vnet_hdr_len))
		link_deliver(&f->link, pkt);
	else
		pkt_free(pkt);
	return 1;
}

int fdbased_rx(struct link *l, int queue, int budget)
{
	struct fdbased *f = container_of(l, struct fdbased, link);
	int n = 0, r;

	if (queue < 0 || queue >= f->config.nfds)
		return -EINVAL;
	while (n < budget) {
		r = rx_one(f, f->config.fds[queue]);
		if (r < 0)
			return n ? n : r;
		if (r == 0)
			break;
		n++;
	}
	return n;
}

int fdbased_fd(const struct link *l, int queue)
{
	const struct fdbased *f = container_of(l, struct fdbased, link);

	return queue >= 0 && queue < f->config.nfds ? f->config.fds[queue] : -1;
}

/* Packets of a flow keep to one queue, and so to their order. */
static int tx_fd(const struct fdbased *f, const struct pkt *pkt)
{
	uint64_t h;

	if (f->config.nfds == 1)
		return f->config.fds[0];
	h = hash_mix(pkt->src.q[0] ^ pkt->dst.q[1] ^ 0x9e3779b97f4a7c15ull,
		     pkt->src.q[1] ^ pkt->dst.q[0] ^ 0xd1b54a32d192ed03ull);
	if (pkt->trans_off != PKT_NO_HDR &&
	    (pkt->trans_proto == IP_PROTO_TCP || pkt->trans_proto == IP_PROTO_UDP)) {
		uint32_t ports;

		memcpy(&ports, pkt_trans_hdr(pkt), 4);
		h = hash_mix(h ^ ports, 0x9e3779b97f4a7c15ull);
	}
	return f->config.fds[h % (unsigned)f->config.nfds];
}

static enum ns_err fdbased_write(struct link *l, struct pkt *pkt)
{
	struct fdbased *f = container_of(l, struct fdbased, link);
	int fd = tx_fd(f, pkt), n;
	struct iovec iov[PKT_MAX_FRAGS + 1];
	enum ns_err err = NS_OK;
	uint8_t flat[FLAT_BYTES];
	ssize_t r;

	if (!vnet_pkt_push(pkt, f->config.vnet_hdr_len)) {
		pkt_free(pkt);
		return NS_ERR_NO_MEMORY;
	}
	n = pkt_iov(pkt, iov);
	/* Copying little costs less than having the kernel import a vector. */
	if (n > 1 && pkt->len <= sizeof(flat)) {
		pkt_copy_out(pkt, 0, flat, pkt->len);
		iov[0] = (struct iovec){ flat, pkt->len };
		n = 1;
	}
	do
		r = n == 1 ? write(fd, iov[0].iov_base, iov[0].iov_len) : writev(fd, iov, n);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		err = errno == EAGAIN || errno == EWOULDBLOCK ? NS_ERR_WOULD_BLOCK
		      : errno == ENOBUFS || errno == ENOMEM ? NS_ERR_NO_BUFFER_SPACE
		      : errno == EMSGSIZE ? NS_ERR_MESSAGE_TOO_LONG : NS_ERR_NETWORK_UNREACHABLE;
	pkt_free(pkt);
	return err;
}

static void fdbased_close(struct link *l)
{
	struct fdbased *f = container_of(l, struct fdbased, link);

	for (int i = 0; i < f->config.nfds; i++)
		close(f->config.fds[i]);
	pkt_free(f->next);
	for (int i = 0; i < BULK_CHUNKS; i++)
		if (f->bulk[i])
			chunk_unref(f->bulk[i]);
	pkt_pool_unref(f->config.pool);
	free(f);
}

static const struct link_ops fdbased_ops = {
	.name = "fdbased",
	.write = fdbased_write,
	.close = fdbased_close,
};

struct link *fdbased_new(const struct fdbased_config *c)
{
	bool vnet = c->vnet_hdr_len != 0;
	struct fdbased *f;

	if (c->nfds < 1 || c->nfds > FDBASED_MAX_QUEUES ||
	    (vnet && c->vnet_hdr_len != VNET_HDR_LEN && c->vnet_hdr_len != VNET_HDR_MRG_LEN))
		return NULL;
	f = calloc(1, sizeof(*f));
	if (!f)
		return NULL;
	f->config = *c;
	f->small = !c->tso && c->mtu + ETH_HDR_LEN + c->vnet_hdr_len + PKT_HEADROOM <= CHUNK_FRAME;
	pkt_pool_ref(c->pool);
	f->link.ops = &fdbased_ops;
	f->link.mtu = c->mtu;
	f->link.hdr_len = c->vnet_hdr_len;
	f->link.rx_queue_pkts = c->rx_queue_pkts;
	if (c->ethernet)
		f->link.caps |= LINK_CAP_ETHERNET;
	if (vnet && (c->tx_csum || c->tso))
		f->link.caps |= LINK_CAP_TX_CSUM;
	if (vnet && c->tso) {
		f->link.caps |= LINK_CAP_TSO4 | LINK_CAP_TSO6;
		f->link.gso_max = 65535;
	}
	return &f->link;
}
