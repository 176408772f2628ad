/*
 * Packets from descriptors.
 *
 * Theory of operation. Where no packet can be larger than a frame chunk, packets are read straight into what
 * becomes their head. Else each is read into a chunk for the largest, in one piece, since importing a vector
 * costs the kernel more than copying a few kilobytes does; a small packet is then copied out, so that it holds
 * no more memory than it needs, and only what fills most of the large chunk takes that along. Several are read
 * with one system call where there is a ring, as many as there were of late.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "link/fdbased_impl.h"
#include "link/vnet_pkt.h"

static bool prepare(struct fdbased *f, int i)
{
	struct pkt_pool *pool = f->config.pool;

	if (!f->rx.next[i])
		f->rx.next[i] = pkt_alloc(pool, PKT_HEADROOM, CHUNK_FRAME - PKT_HEADROOM);
	if (!f->small && !f->rx.large[i])
		f->rx.large[i] = chunk_alloc(pool, CHUNK_MAX);
	return f->rx.next[i] && (f->small || f->rx.large[i]);
}

static struct iovec room(const struct fdbased *f, int i)
{
	struct pkt *p = f->rx.next[i];

	return f->small ? (struct iovec){ pkt_data(p), p->head->cap - p->off }
			: (struct iovec){ f->rx.large[i]->data, f->rx.large[i]->cap };
}

/* What of a large packet is not in its head, from byte @off of the chunk it was read into. */
static bool take_rest(struct fdbased *f, int i, size_t off, size_t n)
{
	struct chunk *large = f->rx.large[i];
	struct pkt *pkt = f->rx.next[i];

	if (n > CHUNK_MAX / 2) {
		pkt_add_frag(pkt, large, off, n);
		chunk_unref(large);
		f->rx.large[i] = NULL;
		return true;
	}
	while (n) {
		size_t m = n < CHUNK_BULK ? n : CHUNK_BULK;
		struct chunk *c = chunk_alloc(f->config.pool, m);

		if (!c)
			return false;
		memcpy(c->data, large->data + off, m);
		pkt_add_frag(pkt, c, 0, m);
		chunk_unref(c);
		off += m;
		n -= m;
	}
	return true;
}

/* Makes the @n bytes read a packet; NULL if there is no memory for it. */
static struct pkt *take(struct fdbased *f, int i, size_t n)
{
	struct pkt *pkt = f->rx.next[i];
	size_t cap = pkt->head->cap - pkt->off, head = n < cap ? n : cap;
	bool whole = true;

	pkt_put(pkt, head);
	if (!f->small) {
		memcpy(pkt_data(pkt), f->rx.large[i]->data, head);
		whole = take_rest(f, i, head, n - head);
	}
	f->rx.next[i] = NULL;
	if (whole)
		return pkt;
	pkt_free(pkt);
	return NULL;
}

static void deliver(struct fdbased *f, int i, size_t n)
{
	struct pkt *pkt = take(f, i, n);

	if (pkt && vnet_pkt_take(pkt, f->config.vnet_hdr_len))
		link_deliver(&f->link, pkt);
	else
		pkt_free(pkt);
}

static int32_t read_one(const struct fdbased *f, int fd)
{
	struct iovec iov = room(f, 0);
	ssize_t n;

	do
		n = read(fd, iov.iov_base, iov.iov_len);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : (int32_t)n;
}

static void read_many(struct fdbased *f, int queue, int n, int32_t result[FDBASED_BATCH])
{
	for (int i = 0; i < n; i++) {
		struct iovec iov = room(f, i);

		uring_read(f->ring, queue, iov.iov_base, iov.iov_len, &result[i]);
	}
	uring_run(f->ring);
}

/* Reads and delivers at most @n packets: how many, or -errno. */
static int rx_some(struct fdbased *f, int queue, int n)
{
	int32_t result[FDBASED_BATCH] = { -ECANCELED };
	int got = 0, err = 0;

	for (int i = 0; i < n; i++)
		if (!prepare(f, i))
			return -ENOMEM;
	if (n > 1)
		read_many(f, queue, n, result);
	if (result[0] == -ECANCELED)
		result[0] = read_one(f, f->config.fds[queue]);
	/* In the order of the reads; one that was too early may be followed by one that was not. */
	for (int i = 0; i < n; i++) {
		if (result[i] >= 0) {
			deliver(f, i, (size_t)result[i]);
			got++;
		} else if (result[i] != -EAGAIN && result[i] != -EINTR && result[i] != -ECANCELED) {
			err = result[i];
		}
	}
	return got ? got : err;
}

/* One more than there were, or a quarter: a read too many costs as much as half a packet. */
static int rx_batch(struct fdbased *f, int queue, int budget)
{
	int *want = &f->rx.want[queue], n = budget, got;

	if (n > *want)
		n = *want;
	if (n > FDBASED_BATCH)
		n = FDBASED_BATCH;
	if (n < 1)
		n = 1;
	got = rx_some(f, queue, n);
	*want = got < n ? got : n + 1 + n / 4;
	return got;
}

int fdbased_rx(struct link *l, int queue, int budget)
{
	struct fdbased *f = container_of(l, struct fdbased, link);
	int n = 0, r = 1;

	if (queue < 0 || queue >= f->config.nfds)
		return -EINVAL;
	if (uring_works(f->ring))
		return rx_batch(f, queue, budget);
	while (n < budget && (r = rx_some(f, queue, 1)) > 0)
		n++;
	return n || r > 0 ? n : r;
}

void fdbased_rx_fini(struct fdbased *f)
{
	for (int i = 0; i < FDBASED_BATCH; i++) {
		pkt_free(f->rx.next[i]);
		if (f->rx.large[i])
			chunk_unref(f->rx.large[i]);
	}
}
