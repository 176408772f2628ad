/* Packet hooks. */
#include "core/hook.h"

void hook_table_init(struct hook_table *t)
{
	*t = (struct hook_table){ 0 };
	for (int i = 0; i < HOOK_COUNT; i++)
		list_init(&t->points[i]);
}

void hook_add(struct hook_table *t, enum hook_point at, struct hook *h)
{
	struct list *pos = t->points[at].next;

	while (pos != &t->points[at] &&
	       container_of(pos, struct hook, node)->priority <= h->priority)
		pos = pos->next;
	list_insert_before(pos, &h->node);
}

void hook_remove(struct hook *h)
{
	list_remove(&h->node);
}

enum hook_verdict hook_ask(struct hook_table *t, enum hook_point at, struct pkt *pkt,
			   struct nic *in, struct nic *out)
{
	list_for_each_safe(n, &t->points[at]) {
		struct hook *h = container_of(n, struct hook, node);
		enum hook_verdict v = h->fn(h, at, pkt, in, out);

		if (v != HOOK_ACCEPT)
			return v;
	}
	return HOOK_ACCEPT;
}
