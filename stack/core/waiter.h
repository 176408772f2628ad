/* Wait queues: who wants to know when an endpoint's readiness changes. */
#ifndef STACK_CORE_WAITER_H
#define STACK_CORE_WAITER_H

#include <stdint.h>

#include "base/list.h"

/** enum wait_event - bits with the values of poll(2) */
enum wait_event {
	WAIT_IN = 0x01, WAIT_PRI = 0x02, WAIT_OUT = 0x04, WAIT_ERR = 0x08, WAIT_HUP = 0x10,
	WAIT_ALL = 0x1f,
	WAIT_RDHUP = 0x2000,		/* nothing more will come: comes with WAIT_IN, for those who ask for it too */
};

/**
 * struct waiter - an entry in a wait queue
 * @mask: events it wants; WAIT_ERR and WAIT_HUP it gets in any case
 * @fn:   called within the stack, from whatever call made the endpoint ready: it should note the
 *        event and return. It may remove its own waiter, but close no endpoint.
 */
struct waiter {
	struct list node;
	uint32_t mask;
	void (*fn)(struct waiter *w, uint32_t events);
};

struct waiter_queue {
	struct list list;
};

static inline void waiter_queue_init(struct waiter_queue *q)
{
	list_init(&q->list);
}

static inline void waiter_add(struct waiter_queue *q, struct waiter *w)
{
	list_push_back(&q->list, &w->node);
}

static inline void waiter_remove(struct waiter *w)
{
	list_remove(&w->node);
}

/** waiter_notify() - tell those that want any of @events */
static inline void waiter_notify(struct waiter_queue *q, uint32_t events)
{
	list_for_each_safe(n, &q->list) {
		struct waiter *w = container_of(n, struct waiter, node);
		uint32_t hit = events & (w->mask | WAIT_ERR | WAIT_HUP);

		if (hit)
			w->fn(w, hit);
	}
}

#endif
