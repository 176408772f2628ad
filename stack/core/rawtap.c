/* Taps: where raw and packet endpoints get copies of what passes. */
#include "core/rawtap.h"

#include "core/nic.h"

void tap_table_init(struct tap_table *t)
{
	*t = (struct tap_table){ 0 };
	list_init(&t->frames);
	list_init(&t->raw);
}

void frame_tap_add(struct tap_table *t, struct frame_tap *tap)
{
	list_push_back(&t->frames, &tap->node);
}

void frame_tap_remove(struct frame_tap *tap)
{
	list_remove(&tap->node);
}

void raw_tap_add(struct tap_table *t, struct raw_tap *tap)
{
	list_push_back(&t->raw, &tap->node);
	t->raw_count[tap->net][tap->proto]++;
}

void raw_tap_remove(struct tap_table *t, struct raw_tap *tap)
{
	if (list_empty(&tap->node))
		return;
	list_remove(&tap->node);
	t->raw_count[tap->net][tap->proto]--;
}

void frame_taps_run(struct tap_table *t, struct nic *nic, const struct pkt *pkt, bool outgoing)
{
	list_for_each(n, &t->frames) {
		struct frame_tap *tap = container_of(n, struct frame_tap, node);

		if ((!tap->proto || tap->proto == pkt->net_proto) &&
		    (!tap->nic || tap->nic == nic->id))
			tap->fn(tap, nic, pkt, outgoing);
	}
}

bool raw_taps_run(struct tap_table *t, enum net_index net, struct nic *nic, const struct pkt *pkt)
{
	bool wanted = false;

	list_for_each(n, &t->raw) {
		struct raw_tap *tap = container_of(n, struct raw_tap, node);

		if (tap->net == net && tap->proto == pkt->trans_proto)
			wanted |= tap->rx(tap, nic, pkt);
	}
	return wanted;
}

void raw_taps_error(struct tap_table *t, uint8_t proto, const struct net_error *e)
{
	enum net_index net = net_index_of(&e->local);

	if (!t->raw_count[net][proto])
		return;
	list_for_each(n, &t->raw) {
		struct raw_tap *tap = container_of(n, struct raw_tap, node);

		if (tap->net == net && tap->proto == proto)
			tap->error(tap, e);
	}
}
