/* A link that shows every frame that passes. */
#include "watch.h"

#include <stdlib.h>

#include "core/gso.h"
#include "header/eth.h"

enum { GSO_MAX = 65535, FRAME_MAX = 70000 };

struct watch {
	struct link link;
	struct link_sink sink;
	watch_fn *fn;
	void *ctx;
};

static void show(struct watch *w, bool sent, const struct pkt *pkt)
{
	static uint8_t frame[FRAME_MAX];

	if (!w->fn || pkt->len > sizeof(frame))
		return;
	pkt_copy_out(pkt, 0, frame, pkt->len);
	w->fn(w->ctx, sent, frame, pkt->len);
}

static enum ns_err pass(struct watch *w, struct pkt *pkt)
{
	if (!pkt_finish_cksum(pkt)) {
		pkt_free(pkt);
		return NS_ERR_NO_MEMORY;
	}
	show(w, true, pkt);
	return link_write(w->link.lower, pkt);
}

static enum ns_err watch_write(struct link *l, struct pkt *pkt)
{
	struct watch *w = container_of(l, struct watch, link);
	uint8_t eth[ETH_HDR_LEN], *p;
	enum ns_err err = NS_OK;
	struct pkt_queue segs;
	struct pkt *seg;

	if (!pkt->gso)
		return pass(w, pkt);
	memcpy(eth, pkt_data(pkt), sizeof(eth));
	pkt_pull(pkt, sizeof(eth));
	pkt_queue_init(&segs);
	if (!gso_segment(pkt, &segs))
		return NS_ERR_NO_BUFFER_SPACE;
	while ((seg = pkt_queue_pop(&segs))) {
		p = pkt_push(seg, sizeof(eth));
		memcpy(p, eth, sizeof(eth));
		err = pass(w, seg);
	}
	return err;
}

static void watch_rx(struct link_sink *sink, struct pkt *pkt)
{
	struct watch *w = container_of(sink, struct watch, sink);

	show(w, false, pkt);
	link_deliver(&w->link, pkt);
}

static void watch_close(struct link *l)
{
	link_close(l->lower);
	free(container_of(l, struct watch, link));
}

static const struct link_ops watch_ops = {
	.name = "watch",
	.write = watch_write,
	.close = watch_close,
};

struct link *watch_new(struct link *lower, bool offload, watch_fn *fn, void *ctx)
{
	struct watch *w = calloc(1, sizeof(*w));

	link_wrap(&w->link, &watch_ops, lower, &w->sink);
	w->sink.rx = watch_rx;
	w->fn = fn;
	w->ctx = ctx;
	if (offload) {
		w->link.caps |= LINK_CAP_TX_CSUM | LINK_CAP_TSO4 | LINK_CAP_TSO6;
		w->link.gso_max = GSO_MAX;
	}
	return &w->link;
}
