/* Who wants to know when a packet goes out: its transmit time stamp. */
#include "core/txstamp.h"

void tx_stamp_table_init(struct tx_stamp_table *t)
{
	list_init(&t->stampers);
	t->last = 0;
}

void tx_stamper_add(struct tx_stamp_table *t, struct tx_stamper *s)
{
	s->id = ++t->last ? t->last : ++t->last;
	list_push_back(&t->stampers, &s->node);
}

void tx_stamper_remove(struct tx_stamper *s)
{
	if (s->id)
		list_remove(&s->node);
	s->id = 0;
}

static struct tx_stamper *find(struct tx_stamp_table *t, uint32_t id)
{
	list_for_each(n, &t->stampers) {
		struct tx_stamper *s = container_of(n, struct tx_stamper, node);

		if (s->id == id)
			return s;
	}
	return NULL;
}

void tx_stamp_give(struct tx_stamp_table *t, struct nic *nic, struct pkt *pkt)
{
	struct tx_stamper *s = find(t, pkt->stamp.taker);

	if (s)
		s->fn(s, nic, pkt);
	pkt->stamp.taker = 0;
}

void tx_stamp_late(struct tx_stamp_table *t, const struct pkt_stamp *stamp, bool acked, const struct pkt *payload)
{
	struct tx_stamper *s = find(t, stamp->taker);

	if (s && s->late_fn)
		s->late_fn(s, stamp, acked, payload);
}
