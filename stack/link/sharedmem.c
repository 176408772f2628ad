/* A link over shared memory. */
#include "link/sharedmem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "header/eth.h"
#include "link/sharedmem_ring.h"

struct sharedmem {
	struct link link;
	struct sharedmem_config config;
	struct sharedmem_ring tx, rx;
	struct sharedmem_stats stats;
	bool gone;
};

static bool size_ok(uint32_t ring_bytes)
{
	return ring_bytes >= SHAREDMEM_RING_MIN && ring_bytes <= SHAREDMEM_RING_MAX &&
	       (ring_bytes & (ring_bytes - 1)) == 0;
}

static int map(struct sharedmem_region *r)
{
	void *mem;

	r->len = 2 * ((size_t)SHAREDMEM_RING_HEAD + r->ring_bytes);
	mem = mmap(NULL, r->len, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, 0);
	if (mem == MAP_FAILED)
		return -errno;
	r->mem = mem;
	return 0;
}

void sharedmem_region_free(struct sharedmem_region *r)
{
	if (r->mem)
		munmap(r->mem, r->len);
	if (r->fd >= 0)
		close(r->fd);
	*r = (struct sharedmem_region){ .fd = -1 };
}

int sharedmem_region_new(struct sharedmem_region *r, uint32_t ring_bytes)
{
	off_t len = 2 * ((off_t)SHAREDMEM_RING_HEAD + ring_bytes);
	int err = 0;

	*r = (struct sharedmem_region){ .fd = -1, .ring_bytes = ring_bytes };
	if (!size_ok(ring_bytes))
		return -EINVAL;
	r->fd = memfd_create("sockshim-link", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (r->fd < 0 || ftruncate(r->fd, len) < 0 ||
	    fcntl(r->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		err = -errno;
	if (!err)
		err = map(r);
	if (err) {
		sharedmem_region_free(r);
		return err;
	}
	/* Both ends begin asleep: the first message is to wake them, whoever comes first. */
	((struct sharedmem_ring_shared *)(void *)r->mem)->sleeping = 1;
	((struct sharedmem_ring_shared *)(void *)(r->mem + SHAREDMEM_RING_HEAD + ring_bytes))->sleeping = 1;
	return 0;
}

int sharedmem_region_map(struct sharedmem_region *r, int fd)
{
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS), err = 0;

	*r = (struct sharedmem_region){ .fd = fd };
	/* What could be made smaller could fault at any access. */
	if (seals < 0 || !(seals & F_SEAL_SHRINK) || fstat(fd, &st) < 0 ||
	    st.st_size < 2 * SHAREDMEM_RING_HEAD || st.st_size > 2 * (SHAREDMEM_RING_HEAD + SHAREDMEM_RING_MAX))
		err = -EINVAL;
	if (!err)
		r->ring_bytes = (uint32_t)(st.st_size / 2 - SHAREDMEM_RING_HEAD);
	if (!err && (st.st_size % 2 || !size_ok(r->ring_bytes)))
		err = -EINVAL;
	if (!err)
		err = map(r);
	if (err)
		sharedmem_region_free(r);
	return err;
}

static enum ns_err sharedmem_write(struct link *l, struct pkt *pkt)
{
	struct sharedmem *s = container_of(l, struct sharedmem, link);
	struct iovec iov[PKT_MAX_FRAGS + 1];
	bool wake;
	int r = sharedmem_ring_put(&s->tx, iov, pkt_iov(pkt, iov), pkt->len, &wake);

	pkt_free(pkt);
	if (wake)
		s->config.kick(s->config.ctx);
	switch (r) {
	case 0:
		s->stats.sent++;
		return NS_OK;
	case -ENOBUFS:
		s->stats.full++;
		return NS_ERR_NO_BUFFER_SPACE;
	case -EMSGSIZE:
		return NS_ERR_MESSAGE_TOO_LONG;
	default:
		return NS_ERR_NETWORK_UNREACHABLE;
	}
}

/* One packet: 1, 0 if there is none, -EPROTO. */
static int rx_one(struct sharedmem *s)
{
	int64_t len = sharedmem_ring_next(&s->rx);
	struct pkt *pkt;

	if (len <= 0)
		return (int)len;
	pkt = len <= s->link.mtu + ETH_HDR_LEN ? pkt_alloc(s->config.pool, PKT_HEADROOM, (size_t)len) : NULL;
	if (!pkt) {
		s->stats.refused++;
		sharedmem_ring_take(&s->rx, NULL, 0, (size_t)len);
		return 1;
	}
	sharedmem_ring_take(&s->rx, pkt_put(pkt, (size_t)len), (size_t)len, (size_t)len);
	s->stats.received++;
	link_deliver(&s->link, pkt);
	return 1;
}

int sharedmem_rx(struct link *l, int budget)
{
	struct sharedmem *s = container_of(l, struct sharedmem, link);
	int n = 0, r = 1;
	uint32_t end;

	while (n < budget && (r = rx_one(s)) > 0)
		n++;
	if (r == 0) {
		/* What comes after @end wakes us; so all before it must be read now. It is no more than a ring. */
		s->gone |= !s->config.drain(s->config.ctx);
		end = sharedmem_ring_sleep(&s->rx);
		while (sharedmem_ring_before(&s->rx, end) && (r = rx_one(s)) > 0)
			n++;
	}
	if (r < 0)
		return r;
	return n == 0 && s->gone ? -EPIPE : n;
}

int sharedmem_fd(const struct link *l)
{
	return container_of(l, struct sharedmem, link)->config.fd;
}

struct sharedmem_stats sharedmem_get_stats(const struct link *l)
{
	return container_of(l, struct sharedmem, link)->stats;
}

static void sharedmem_close(struct link *l)
{
	struct sharedmem *s = container_of(l, struct sharedmem, link);

	if (s->config.close)
		s->config.close(s->config.ctx);
	sharedmem_region_free(&s->config.region);
	pkt_pool_unref(s->config.pool);
	free(s);
}

static const struct link_ops sharedmem_ops = {
	.name = "sharedmem",
	.write = sharedmem_write,
	.close = sharedmem_close,
};

struct link *sharedmem_new(const struct sharedmem_config *c)
{
	size_t ring = (size_t)SHAREDMEM_RING_HEAD + c->region.ring_bytes;
	struct sharedmem *s;

	if (c->mtu > SHAREDMEM_MTU_MAX || c->mtu + ETH_HDR_LEN > c->region.ring_bytes / 4)
		return NULL;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->config = *c;
	pkt_pool_ref(c->pool);
	sharedmem_ring_init(&s->tx, c->region.mem + (c->first ? 0 : ring), c->region.ring_bytes);
	sharedmem_ring_init(&s->rx, c->region.mem + (c->first ? ring : 0), c->region.ring_bytes);
	s->link.ops = &sharedmem_ops;
	s->link.mtu = c->mtu;
	s->link.caps = LINK_CAP_ETHERNET;
	return &s->link;
}

/** struct doorbells - the two eventfds of an end: the one it waits for, and the other's */
struct doorbells {
	int own, other;
};

static void bell_kick(void *ctx)
{
	const uint64_t one = 1;

	/* Full is rung, too. */
	while (write(((struct doorbells *)ctx)->other, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

static bool bell_drain(void *ctx)
{
	uint64_t n;

	while (read(((struct doorbells *)ctx)->own, &n, sizeof(n)) < 0 && errno == EINTR)
		;
	return true;
}

static void bell_close(void *ctx)
{
	struct doorbells *d = ctx;

	close(d->own);
	close(d->other);
	free(d);
}

/* One end of a pair; takes the region and the descriptors, also on error. */
static struct link *pair_end(struct sharedmem_region region, bool first, struct pkt_pool *pool, uint32_t mtu,
			     int own, int other)
{
	struct doorbells *d = calloc(1, sizeof(*d));
	struct sharedmem_config c = {
		.region = region, .first = first, .pool = pool, .mtu = mtu, .fd = own, .kick = bell_kick,
		.drain = bell_drain, .close = bell_close, .ctx = d,
	};
	struct link *l = d ? sharedmem_new(&c) : NULL;

	if (l) {
		*d = (struct doorbells){ own, other };
		return l;
	}
	free(d);
	close(own);
	close(other);
	sharedmem_region_free(&region);
	return NULL;
}

int sharedmem_pair(struct pkt_pool *pool, uint32_t mtu, uint32_t ring_bytes, struct link *out[2])
{
	struct sharedmem_region a, b = { .fd = -1 };
	int bell[2], err = sharedmem_region_new(&a, ring_bytes);

	out[0] = out[1] = NULL;
	if (err)
		return err;
	err = sharedmem_region_map(&b, dup(a.fd));
	bell[0] = err ? -1 : eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	bell[1] = err ? -1 : eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (err || bell[0] < 0 || bell[1] < 0) {
		err = err ? err : -errno;
		close(bell[0]);
		close(bell[1]);
		sharedmem_region_free(&a);
		sharedmem_region_free(&b);
		return err;
	}
	out[0] = pair_end(a, true, pool, mtu, bell[0], dup(bell[1]));
	out[1] = pair_end(b, false, pool, mtu, bell[1], dup(bell[0]));
	if (out[0] && out[1])
		return 0;
	link_close(out[0]);
	link_close(out[1]);
	out[0] = out[1] = NULL;
	return mtu > SHAREDMEM_MTU_MAX || mtu + ETH_HDR_LEN > ring_bytes / 4 ? -EINVAL : -ENOMEM;
}
