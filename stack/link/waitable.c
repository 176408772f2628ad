/* A link that can be made to hold still: two gates, and counts of who is inside. */
#include "link/waitable.h"

#include <stdlib.h>

struct waitable {
	struct link link;
	struct link_sink sink;
	bool writes_stopped, delivery_stopped;
	unsigned writing, delivering;
};

static enum ns_err waitable_write(struct link *l, struct pkt *pkt)
{
	struct waitable *w = container_of(l, struct waitable, link);
	enum ns_err err;

	if (w->writes_stopped) {
		pkt_free(pkt);
		return NS_ERR_WOULD_BLOCK;
	}
	w->writing++;
	err = link_write(l->lower, pkt);
	w->writing--;
	return err;
}

static void waitable_rx(struct link_sink *sink, struct pkt *pkt)
{
	struct waitable *w = container_of(sink, struct waitable, sink);

	if (w->delivery_stopped) {
		pkt_free(pkt);
		return;
	}
	w->delivering++;
	link_deliver(&w->link, pkt);
	w->delivering--;
}

static bool waitable_write_ready(struct link *l)
{
	return !container_of(l, struct waitable, link)->writes_stopped &&
	       (!l->lower->ops->write_ready || l->lower->ops->write_ready(l->lower));
}

static void waitable_close(struct link *l)
{
	link_close(l->lower);
	free(container_of(l, struct waitable, link));
}

static const struct link_ops waitable_ops = {
	.name = "waitable",
	.write = waitable_write,
	.write_ready = waitable_write_ready,
	.close = waitable_close,
};

struct link *waitable_new(struct link *lower)
{
	struct waitable *w = calloc(1, sizeof(*w));

	if (!w) {
		link_close(lower);
		return NULL;
	}
	w->sink.rx = waitable_rx;
	link_wrap(&w->link, &waitable_ops, lower, &w->sink);
	return &w->link;
}

bool waitable_stop_writes(struct link *l)
{
	struct waitable *w = container_of(l, struct waitable, link);

	w->writes_stopped = true;
	return w->writing == 0;
}

bool waitable_stop_delivery(struct link *l)
{
	struct waitable *w = container_of(l, struct waitable, link);

	w->delivery_stopped = true;
	return w->delivering == 0;
}

void waitable_resume(struct link *l)
{
	struct waitable *w = container_of(l, struct waitable, link);

	w->writes_stopped = w->delivery_stopped = false;
}

bool waitable_idle(const struct link *l)
{
	const struct waitable *w = container_of(l, struct waitable, link);

	return w->writing == 0 && w->delivering == 0;
}
