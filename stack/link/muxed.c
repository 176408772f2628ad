/* Several links as one. */
#include "link/muxed.h"

#include <stdlib.h>

#include "base/hash.h"

struct branch {
	struct muxed *owner;
	struct link *link;
	struct link_sink sink;
};

/** struct station - where a link address was heard; @branch NULL: free */
struct station {
	struct branch *branch;
	struct link_addr addr;
	int64_t seen_ns;
};

struct way {
	struct subnet subnet;
	struct branch *branch;
};

struct muxed {
	struct link link;
	const struct clock *clock;
	int nbranches, nways;
	struct branch branches[MUXED_MAX_LINKS];
	struct way ways[MUXED_MAX_SUBNETS];
	struct station stations[MUXED_STATIONS];
};

/* One place for each hash: whoever is heard takes it, so that a table full of inventions means flooding, no more. */
static struct station *station_of(struct muxed *m, const struct link_addr *a)
{
	uint64_t x = 0;

	memcpy(&x, a->b, LINK_ADDR_LEN);
	return &m->stations[hash_mix(x ^ 0x9e3779b97f4a7c15ull, 0xd1b54a32d192ed03ull) % MUXED_STATIONS];
}

static void branch_rx(struct link_sink *sink, struct pkt *pkt)
{
	struct branch *b = container_of(sink, struct branch, sink);

	if (link_addr_is_unicast(&pkt->link_src))
		*station_of(b->owner, &pkt->link_src) =
			(struct station){ b, pkt->link_src, b->owner->clock->now_ns };
	link_deliver(&b->owner->link, pkt);
}

static struct branch *by_station(struct muxed *m, const struct link_addr *dst)
{
	struct station *st = station_of(m, dst);
	bool known = st->branch && link_addr_equal(&st->addr, dst) &&
		     m->clock->now_ns - st->seen_ns <= MUXED_AGE_S * NS_PER_SEC;

	return known ? st->branch : NULL;
}

static struct branch *by_subnet(struct muxed *m, const struct addr *dst)
{
	const struct way *best = NULL;

	for (int i = 0; i < m->nways; i++)
		if (subnet_contains(&m->ways[i].subnet, dst) &&
		    (!best || subnet_prefix(&m->ways[i].subnet) > subnet_prefix(&best->subnet)))
			best = &m->ways[i];
	return best ? best->branch : NULL;
}

/* Whether everybody on a link without addresses is meant. */
static bool is_group(const struct muxed *m, const struct addr *dst)
{
	if (addr_is_multicast(dst) || addr_equal(dst, &addr_v4_broadcast))
		return true;
	for (int i = 0; i < m->nways; i++)
		if (subnet_is_broadcast(&m->ways[i].subnet, dst))
			return true;
	return false;
}

/* To all of them. An error only if none took it. */
static enum ns_err flood(struct muxed *m, struct pkt *pkt)
{
	enum ns_err err = NS_ERR_NETWORK_UNREACHABLE;
	bool sent = false;

	for (int i = 0; i < m->nbranches; i++) {
		struct pkt *copy = i + 1 < m->nbranches ? pkt_clone(pkt) : pkt;

		if (i + 1 == m->nbranches)
			pkt = NULL;
		err = copy ? link_write(m->branches[i].link, copy) : NS_ERR_NO_MEMORY;
		sent |= err == NS_OK;
	}
	pkt_free(pkt);
	return sent ? NS_OK : err;
}

static enum ns_err muxed_write(struct link *l, struct pkt *pkt)
{
	struct muxed *m = container_of(l, struct muxed, link);
	struct branch *b;

	if (l->caps & LINK_CAP_RESOLUTION) {
		b = by_station(m, &pkt->link_dst);
		return b ? link_write(b->link, pkt) : flood(m, pkt);
	}
	if (is_group(m, &pkt->dst))
		return flood(m, pkt);
	b = by_subnet(m, &pkt->dst);
	if (b)
		return link_write(b->link, pkt);
	pkt_free(pkt);
	return NS_ERR_NO_ROUTE;
}

static bool muxed_write_ready(struct link *l)
{
	struct muxed *m = container_of(l, struct muxed, link);

	for (int i = 0; i < m->nbranches; i++) {
		struct link *lower = m->branches[i].link;

		if (lower->ops->write_ready && !lower->ops->write_ready(lower))
			return false;
	}
	return true;
}

static void muxed_close(struct link *l)
{
	struct muxed *m = container_of(l, struct muxed, link);

	for (int i = 0; i < m->nbranches; i++)
		link_close(m->branches[i].link);
	free(m);
}

static const struct link_ops muxed_ops = {
	.name = "muxed",
	.write = muxed_write,
	.write_ready = muxed_write_ready,
	.close = muxed_close,
};

struct link *muxed_new(const struct clock *clock)
{
	struct muxed *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->clock = clock;
	m->link.ops = &muxed_ops;
	return &m->link;
}

/* What the whole is once @lower is a part of it. */
static void take_over(struct link *l, struct link *lower, bool first)
{
	if (first) {
		l->mtu = lower->mtu;
		l->gso_max = lower->gso_max;
		l->caps = lower->caps;
		l->hdr_len = lower->hdr_len;
		l->addr = lower->addr;
		return;
	}
	l->mtu = lower->mtu < l->mtu ? lower->mtu : l->mtu;
	l->gso_max = lower->gso_max < l->gso_max ? lower->gso_max : l->gso_max;
	l->caps &= lower->caps;
	l->hdr_len = lower->hdr_len > l->hdr_len ? lower->hdr_len : l->hdr_len;
	/* Its frames are to come from the one address the NIC has. */
	lower->addr = l->addr;
}

enum ns_err muxed_add(struct link *l, struct link *lower, const struct subnet *subnets, size_t n)
{
	const uint32_t kind = LINK_CAP_RESOLUTION | LINK_CAP_LOOPBACK;
	struct muxed *m = container_of(l, struct muxed, link);
	struct branch *b = &m->branches[m->nbranches];
	enum ns_err err = NS_OK;

	if (m->nbranches == MUXED_MAX_LINKS || n > (size_t)(MUXED_MAX_SUBNETS - m->nways))
		err = NS_ERR_NO_BUFFER_SPACE;
	else if (lower->caps & LINK_CAP_ETHERNET ||
		 (m->nbranches && (lower->caps & kind) != (l->caps & kind)))
		err = NS_ERR_BAD_LINK_ENDPOINT;
	if (err) {
		link_close(lower);
		return err;
	}
	*b = (struct branch){ .owner = m, .link = lower, .sink = { branch_rx } };
	for (size_t i = 0; i < n; i++)
		m->ways[m->nways++] = (struct way){ subnets[i], b };
	take_over(l, lower, m->nbranches++ == 0);
	link_attach(lower, &b->sink);
	return NS_OK;
}
