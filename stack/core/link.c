/* What all link endpoints share. */
#include "core/link.h"

void link_attach(struct link *l, struct link_sink *sink)
{
	l->sink = sink;
	if (l->ops->attached)
		l->ops->attached(l);
}

void link_close(struct link *l)
{
	if (!l)
		return;
	if (l->sink)
		link_attach(l, NULL);
	l->ops->close(l);
}

void link_wrap(struct link *l, const struct link_ops *ops, struct link *lower,
	       struct link_sink *sink)
{
	*l = (struct link){
		.ops = ops, .lower = lower, .mtu = lower->mtu, .gso_max = lower->gso_max,
		.caps = lower->caps, .hdr_len = lower->hdr_len,
		.rx_queue_pkts = lower->rx_queue_pkts, .addr = lower->addr,
	};
	link_attach(lower, sink);
}
