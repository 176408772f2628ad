/* The loopback link: what is sent waits until the calls that sent it have returned. */
#include "link/loopback.h"

#include <stdlib.h>

enum { LOOPBACK_MAX_PKTS = 4096 };

struct loopback {
	struct link link;
	struct clock *clock;
	struct pkt_queue queue;
	struct task task;
};

static void loopback_run(struct task *t)
{
	struct loopback *lo = container_of(t, struct loopback, task);
	struct pkt *pkt;

	for (size_t n = lo->queue.count; n && (pkt = pkt_queue_pop(&lo->queue)); n--)
		link_deliver(&lo->link, pkt);
	if (lo->queue.count)
		clock_defer(lo->clock, t);
}

static enum ns_err loopback_write(struct link *l, struct pkt *pkt)
{
	struct loopback *lo = container_of(l, struct loopback, link);

	if (lo->queue.count >= LOOPBACK_MAX_PKTS) {
		pkt_free(pkt);
		return NS_ERR_NO_BUFFER_SPACE;
	}
	pkt->type = PKT_HOST;
	if (pkt->csum == PKT_CSUM_NONE)
		pkt->csum = PKT_CSUM_VALID;
	pkt_queue_push(&lo->queue, pkt);
	clock_defer(lo->clock, &lo->task);
	return NS_OK;
}

static void loopback_close(struct link *l)
{
	struct loopback *lo = container_of(l, struct loopback, link);

	task_cancel(&lo->task);
	pkt_queue_purge(&lo->queue);
	free(lo);
}

static const struct link_ops loopback_ops = {
	.name = "loopback",
	.write = loopback_write,
	.close = loopback_close,
};

struct link *loopback_new(struct clock *clock)
{
	struct loopback *lo = calloc(1, sizeof(*lo));

	if (!lo)
		return NULL;
	lo->link.ops = &loopback_ops;
	lo->link.mtu = LOOPBACK_MTU;
	lo->link.gso_max = LOOPBACK_MTU;
	lo->link.caps = LINK_CAP_LOOPBACK | LINK_CAP_TX_CSUM | LINK_CAP_TSO4 | LINK_CAP_TSO6;
	lo->clock = clock;
	pkt_queue_init(&lo->queue);
	task_init(&lo->task, loopback_run);
	return &lo->link;
}
