/* The channel link. */
#include "link/channel.h"

#include <stdlib.h>

struct channel {
	struct link link;
	struct channel_config config;
	struct pkt_queue queue;
};

static enum ns_err channel_write(struct link *l, struct pkt *pkt)
{
	struct channel *c = container_of(l, struct channel, link);

	if (c->queue.count >= c->config.depth) {
		pkt_free(pkt);
		return NS_ERR_NO_BUFFER_SPACE;
	}
	pkt_queue_push(&c->queue, pkt);
	if (c->config.written)
		c->config.written(c->config.ctx);
	return NS_OK;
}

static bool channel_write_ready(struct link *l)
{
	struct channel *c = container_of(l, struct channel, link);

	return c->queue.count < c->config.depth;
}

static void channel_close(struct link *l)
{
	struct channel *c = container_of(l, struct channel, link);

	pkt_queue_purge(&c->queue);
	free(c);
}

static const struct link_ops channel_ops = {
	.name = "channel",
	.write = channel_write,
	.write_ready = channel_write_ready,
	.close = channel_close,
};

struct link *channel_new(const struct channel_config *config)
{
	struct channel *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->link.ops = &channel_ops;
	c->link.mtu = config->mtu;
	c->link.caps = config->caps;
	c->link.gso_max = config->gso_max;
	c->config = *config;
	pkt_queue_init(&c->queue);
	return &c->link;
}

struct pkt *channel_read(struct link *l)
{
	return pkt_queue_pop(&container_of(l, struct channel, link)->queue);
}

size_t channel_count(const struct link *l)
{
	return container_of(l, struct channel, link)->queue.count;
}

void channel_inject(struct link *l, struct pkt *pkt)
{
	link_deliver(l, pkt);
}
