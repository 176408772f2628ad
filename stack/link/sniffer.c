/* A link that records what passes. */
#include "link/sniffer.h"

#include <stdlib.h>

struct sniffer {
	struct link link;
	struct link_sink sink;
	const struct clock *clock;
	struct pcapng pcapng;
};

static void record(struct sniffer *s, struct pkt *pkt, bool outbound)
{
	const char *comment = pkt->gso ? "super-segment" : NULL;
	struct pkt *copy;

	if (s->pcapng.failed)
		return;
	if (pkt->csum != PKT_CSUM_PARTIAL || pkt->gso) {
		pcapng_packet(&s->pcapng, pkt, s->clock->wall_ns, outbound, comment);
		return;
	}
	/* The link below finishes the checksum; who reads the capture wants to see it right. */
	copy = pkt_clone(pkt);
	if (copy && pkt_finish_cksum(copy))
		pcapng_packet(&s->pcapng, copy, s->clock->wall_ns, outbound, comment);
	pkt_free(copy);
}

static enum ns_err sniffer_write(struct link *l, struct pkt *pkt)
{
	record(container_of(l, struct sniffer, link), pkt, true);
	return link_write(l->lower, pkt);
}

static void sniffer_rx(struct link_sink *sink, struct pkt *pkt)
{
	struct sniffer *s = container_of(sink, struct sniffer, sink);

	record(s, pkt, false);
	link_deliver(&s->link, pkt);
}

static bool sniffer_write_ready(struct link *l)
{
	return !l->lower->ops->write_ready || l->lower->ops->write_ready(l->lower);
}

static void sniffer_close(struct link *l)
{
	link_close(l->lower);
	free(container_of(l, struct sniffer, link));
}

static const struct link_ops sniffer_ops = {
	.name = "sniffer",
	.write = sniffer_write,
	.write_ready = sniffer_write_ready,
	.close = sniffer_close,
};

struct link *sniffer_new(struct link *lower, const struct sniffer_config *c)
{
	struct sniffer *s = calloc(1, sizeof(*s));

	if (!s) {
		link_close(lower);
		return NULL;
	}
	s->sink.rx = sniffer_rx;
	s->clock = c->clock;
	s->pcapng = (struct pcapng){ .write = c->write, .ctx = c->ctx };
	link_wrap(&s->link, &sniffer_ops, lower, &s->sink);
	pcapng_begin(&s->pcapng,
		     lower->caps & LINK_CAP_ETHERNET ? PCAPNG_LINK_ETHERNET : PCAPNG_LINK_RAW,
		     c->name, c->comment);
	return &s->link;
}
