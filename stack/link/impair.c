/*
 * Impairment.
 *
 * Theory of operation. Each direction has a queue ordered by the moment its packets go on, a timer
 * for the first of them, and a generator of its own: the same seed and packets give the same
 * faults, whatever happens in the other direction. The rate makes a packet's earliest moment the
 * end of its predecessor's transmission; delay and jitter add to that, never past the packet
 * before; only @reorder holds a packet back beyond those behind it.
 */
#include "link/impair.h"

#include <stdlib.h>

#include "base/hash.h"

enum { DEFAULT_QUEUE = 1000, MILLION = 1000000 };

struct held {
	struct list list;
	struct pkt *pkt;
	int64_t due_ns;
};

struct direction {
	struct impair *owner;
	bool outbound;
	struct impair_dir dir;
	struct impair_stats stats;
	struct rand rand;
	struct list queue;
	uint32_t count;
	int64_t free_ns, last_due_ns;
	struct timer timer;
};

struct impair {
	struct link link;
	struct link_sink sink;
	struct clock *clock;
	struct direction out, in;
};

static bool chance(struct direction *d, uint32_t ppm)
{
	return ppm && rand_below(&d->rand, MILLION) < ppm;
}

static void pass(struct direction *d, struct pkt *pkt)
{
	if (d->outbound && link_write(d->owner->link.lower, pkt)) {
		d->stats.overflowed++;
		return;
	}
	d->stats.passed++;
	if (!d->outbound)
		link_deliver(&d->owner->link, pkt);
}

static void rearm(struct direction *d)
{
	if (list_empty(&d->queue))
		timer_disarm(&d->timer);
	else
		timer_arm(d->owner->clock, &d->timer,
			  container_of(d->queue.next, struct held, list)->due_ns);
}

static void direction_timeout(struct timer *t)
{
	struct direction *d = container_of(t, struct direction, timer);

	while (!list_empty(&d->queue)) {
		struct held *h = container_of(d->queue.next, struct held, list);

		if (h->due_ns > d->owner->clock->now_ns)
			break;
		list_remove(&h->list);
		d->count--;
		pass(d, h->pkt);
		free(h);
	}
	rearm(d);
}

static void hold(struct direction *d, struct pkt *pkt, int64_t due_ns)
{
	struct held *h = d->count < (d->dir.queue_pkts ? d->dir.queue_pkts : DEFAULT_QUEUE)
			      ? calloc(1, sizeof(*h)) : NULL;
	struct list *pos = d->queue.prev;

	if (!h) {
		d->stats.overflowed++;
		pkt_free(pkt);
		return;
	}
	h->pkt = pkt;
	h->due_ns = due_ns;
	while (pos != &d->queue && container_of(pos, struct held, list)->due_ns > due_ns)
		pos = pos->prev;
	list_insert_before(pos->next, &h->list);
	d->count++;
	rearm(d);
}

static int64_t due_time(struct direction *d, const struct pkt *pkt)
{
	const struct impair_dir *c = &d->dir;
	int64_t due = d->owner->clock->now_ns;

	if (c->rate_bps) {
		if (d->free_ns > due)
			due = d->free_ns;
		due += (int64_t)((uint64_t)pkt->len * 8 * (uint64_t)NS_PER_SEC / c->rate_bps);
		d->free_ns = due;
	}
	due += c->delay_ns;
	if (c->jitter_ns > 0)
		due += (int64_t)(rand_u64(&d->rand) % (uint64_t)c->jitter_ns);
	if (due < d->last_due_ns)
		due = d->last_due_ns;
	d->last_due_ns = due;
	if (chance(d, c->reorder)) {
		d->stats.reordered++;
		due += c->reorder_ns;
	}
	return due;
}

static void corrupt(struct direction *d, struct pkt *pkt)
{
	uint32_t bit = rand_below(&d->rand, pkt->len * 8);

	/* What is on a wire has its checksum; and the bit may lie in a fragment others share. */
	if (!pkt_finish_cksum(pkt) || !pkt_writable(pkt) || !pkt_pullup(pkt, bit / 8 + 1))
		return;
	pkt_data(pkt)[bit / 8] ^= (uint8_t)(1 << bit % 8);
	pkt->csum = PKT_CSUM_NONE;
	d->stats.corrupted++;
}

static void direction_put(struct direction *d, struct pkt *pkt)
{
	const struct impair_dir *c = &d->dir;
	struct pkt *twin;
	int64_t due;

	if (chance(d, c->loss)) {
		d->stats.lost++;
		pkt_free(pkt);
		return;
	}
	if (pkt->len && chance(d, c->corrupt))
		corrupt(d, pkt);
	twin = chance(d, c->duplicate) ? pkt_clone(pkt) : NULL;
	due = due_time(d, pkt);
	if (due <= d->owner->clock->now_ns && list_empty(&d->queue))
		pass(d, pkt);
	else
		hold(d, pkt, due);
	if (twin) {
		d->stats.duplicated++;
		hold(d, twin, due_time(d, twin));
	}
}

static enum ns_err impair_write(struct link *l, struct pkt *pkt)
{
	direction_put(&container_of(l, struct impair, link)->out, pkt);
	return NS_OK;
}

static void impair_rx(struct link_sink *sink, struct pkt *pkt)
{
	direction_put(&container_of(sink, struct impair, sink)->in, pkt);
}

static void direction_init(struct direction *d, struct impair *owner, bool outbound,
			   const struct impair_dir *dir, uint64_t seed)
{
	d->owner = owner;
	d->outbound = outbound;
	d->dir = *dir;
	d->rand.key = (struct hash_key){ { seed, outbound } };
	list_init(&d->queue);
	timer_init(&d->timer, direction_timeout);
}

static void direction_fini(struct direction *d)
{
	struct list *n;

	timer_fini(d->owner->clock, &d->timer);
	while ((n = list_pop_front(&d->queue))) {
		struct held *h = container_of(n, struct held, list);

		pkt_free(h->pkt);
		free(h);
	}
}

static void impair_close(struct link *l)
{
	struct impair *im = container_of(l, struct impair, link);

	direction_fini(&im->out);
	direction_fini(&im->in);
	link_close(l->lower);
	free(im);
}

static const struct link_ops impair_ops = {
	.name = "impair",
	.write = impair_write,
	.close = impair_close,
};

struct link *impair_new(struct link *lower, const struct impair_config *c)
{
	struct impair *im = calloc(1, sizeof(*im));

	if (!im) {
		link_close(lower);
		return NULL;
	}
	im->clock = c->clock;
	im->sink.rx = impair_rx;
	direction_init(&im->out, im, true, &c->out, c->seed);
	direction_init(&im->in, im, false, &c->in, c->seed);
	link_wrap(&im->link, &impair_ops, lower, &im->sink);
	return &im->link;
}

void impair_set(struct link *l, const struct impair_dir *out, const struct impair_dir *in)
{
	struct impair *im = container_of(l, struct impair, link);

	if (out)
		im->out.dir = *out;
	if (in)
		im->in.dir = *in;
}

struct impair_stats impair_get_stats(const struct link *l, bool outbound)
{
	const struct impair *im = container_of(l, struct impair, link);

	return outbound ? im->out.stats : im->in.stats;
}
