/*
 * Packets to descriptors.
 *
 * Theory of operation. One write() or writev() per packet, the virtio-net header in front of its head. What the
 * descriptor does not take now is dropped, as by any full queue. Where there is a ring, packets wait for the
 * end of the caller's round, or for FDBASED_BATCH of them, and go with one system call; what became of them is
 * then told by the write after.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "header/ipv4.h"
#include "link/fdbased_impl.h"
#include "link/vnet_pkt.h"

/* Packets of a flow keep to one queue, and so to their order. */
static int tx_queue(const struct fdbased *f, const struct pkt *pkt)
{
	uint64_t h;

	if (f->config.nfds == 1)
		return 0;
	h = hash_mix(pkt->src.q[0] ^ pkt->dst.q[1] ^ 0x9e3779b97f4a7c15ull,
		     pkt->src.q[1] ^ pkt->dst.q[0] ^ 0xd1b54a32d192ed03ull);
	if (pkt->trans_off != PKT_NO_HDR &&
	    (pkt->trans_proto == IP_PROTO_TCP || pkt->trans_proto == IP_PROTO_UDP)) {
		uint32_t ports;

		memcpy(&ports, pkt_trans_hdr(pkt), 4);
		h = hash_mix(h ^ ports, 0x9e3779b97f4a7c15ull);
	}
	return (int)(h % (unsigned)f->config.nfds);
}

static enum ns_err error_of(int err)
{
	switch (err) {
	case 0:
		return NS_OK;
	case EAGAIN:
		return NS_ERR_WOULD_BLOCK;
	case ENOBUFS:
	case ENOMEM:
		return NS_ERR_NO_BUFFER_SPACE;
	case EMSGSIZE:
		return NS_ERR_MESSAGE_TOO_LONG;
	default:
		return NS_ERR_NETWORK_UNREACHABLE;
	}
}

/* The bytes as a vector; copying little costs less than having the kernel import one. */
static int vector(struct pkt *pkt, uint8_t flat[FDBASED_FLAT_BYTES], struct iovec iov[PKT_MAX_FRAGS + 1])
{
	int n = pkt_iov(pkt, iov);

	if (n == 1 || pkt->len > FDBASED_FLAT_BYTES)
		return n;
	pkt_copy_out(pkt, 0, flat, pkt->len);
	iov[0] = (struct iovec){ flat, pkt->len };
	return 1;
}

static int write_now(int fd, const struct iovec *iov, int n)
{
	ssize_t r;

	do
		r = n == 1 ? write(fd, iov[0].iov_base, iov[0].iov_len) : writev(fd, iov, n);
	while (r < 0 && errno == EINTR);
	return r < 0 ? errno : 0;
}

static enum ns_err write_one(int fd, struct pkt *pkt)
{
	struct iovec iov[PKT_MAX_FRAGS + 1];
	uint8_t flat[FDBASED_FLAT_BYTES];
	int n = vector(pkt, flat, iov), err = write_now(fd, iov, n);

	pkt_free(pkt);
	return error_of(err);
}

static void ask_for(struct fdbased *f, int i)
{
	struct fdbased_tx *tx = f->tx;
	struct iovec *iov = tx->iov[i];
	int n = vector(tx->pkt[i], tx->flat[i], iov);

	if (n == 1)
		uring_write(f->ring, tx->queue[i], iov[0].iov_base, iov[0].iov_len, &tx->result[i]);
	else
		uring_writev(f->ring, tx->queue[i], iov, n, &tx->result[i]);
}

/* What became of a packet that was asked to be written. */
static void answered(struct fdbased *f, int i)
{
	struct fdbased_tx *tx = f->tx;
	enum ns_err err;

	if (tx->result[i] == -ECANCELED || tx->result[i] == -EINTR) {
		err = write_one(f->config.fds[tx->queue[i]], tx->pkt[i]);
	} else {
		err = error_of(tx->result[i] < 0 ? -tx->result[i] : 0);
		pkt_free(tx->pkt[i]);
	}
	if (err)
		tx->err = err;
}

void fdbased_flush(struct link *l)
{
	struct fdbased *f = container_of(l, struct fdbased, link);
	struct fdbased_tx *tx = f->tx;
	int n = tx ? tx->n : 0;

	if (n == 0)
		return;
	tx->n = 0;
	for (int i = 0; i < n; i++)
		tx->result[i] = -ECANCELED;
	if (n > 1 && uring_works(f->ring)) {
		for (int i = 0; i < n; i++)
			ask_for(f, i);
		uring_run(f->ring);
	}
	for (int i = 0; i < n; i++)
		answered(f, i);
}

static enum ns_err write_later(struct fdbased *f, int queue, struct pkt *pkt)
{
	struct fdbased_tx *tx = f->tx;
	enum ns_err err = tx->err;

	tx->queue[tx->n] = queue;
	tx->pkt[tx->n++] = pkt;
	tx->err = NS_OK;
	if (tx->n == FDBASED_BATCH)
		fdbased_flush(&f->link);
	return err;
}

enum ns_err fdbased_write(struct link *l, struct pkt *pkt)
{
	struct fdbased *f = container_of(l, struct fdbased, link);
	int queue;

	if (!vnet_pkt_push(pkt, f->config.vnet_hdr_len)) {
		pkt_free(pkt);
		return NS_ERR_NO_MEMORY;
	}
	queue = tx_queue(f, pkt);
	return f->tx ? write_later(f, queue, pkt) : write_one(f->config.fds[queue], pkt);
}
