/* Better next hops that routers told of. */
#include "core/redirect.h"

#include <stdlib.h>

#include "core/stack.h"

enum { REDIRECT_MAX_ENTRIES = 1024 };

#define REDIRECT_LIFETIME_NS (600 * NS_PER_SEC)

/** struct redirect_entry - @via: the table's next hop, for which @gateway stands in */
struct redirect_entry {
	struct htab_node node;
	struct list order;
	struct addr dst, via, gateway;
	uint32_t nic;
	int64_t expires_ns;
};

static void redirect_drop(struct redirect_cache *c, struct redirect_entry *e)
{
	htab_remove(&c->table, &e->node);
	list_remove(&e->order);
	free(e);
	stack_routes_changed(c->stack);
}

static void redirect_expire(struct timer *t)
{
	struct redirect_cache *c = container_of(t, struct redirect_cache, timer);

	while (!list_empty(&c->order)) {
		struct redirect_entry *e = container_of(c->order.next, struct redirect_entry, order);

		if (e->expires_ns > c->stack->clock->now_ns) {
			timer_arm(c->stack->clock, t, e->expires_ns);
			break;
		}
		redirect_drop(c, e);
	}
}

void redirect_init(struct redirect_cache *c, struct stack *s)
{
	c->stack = s;
	htab_init(&c->table);
	list_init(&c->order);
	timer_init(&c->timer, redirect_expire);
}

void redirect_fini(struct redirect_cache *c)
{
	while (!list_empty(&c->order))
		redirect_drop(c, container_of(c->order.next, struct redirect_entry, order));
	htab_fini(&c->table);
	timer_fini(c->stack->clock, &c->timer);
}

static uint64_t redirect_hash(const struct redirect_cache *c, const struct addr *dst, uint32_t nic)
{
	return hash_addr(&c->stack->key, dst, nic);
}

static struct redirect_entry *entry_find(const struct redirect_cache *c, const struct addr *dst,
					 uint32_t nic)
{
	htab_for_each_match(n, &c->table, redirect_hash(c, dst, nic)) {
		struct redirect_entry *e = container_of(n, struct redirect_entry, node);

		if (e->nic == nic && addr_equal(&e->dst, dst))
			return e;
	}
	return NULL;
}

void redirect_find(const struct redirect_cache *c, const struct addr *dst, uint32_t nic,
		   struct addr *next_hop)
{
	struct redirect_entry *e = entry_find(c, dst, nic);

	if (e && addr_equal(&e->via, next_hop))
		*next_hop = e->gateway;
}

static struct redirect_entry *entry_new(struct redirect_cache *c, const struct addr *dst,
					uint32_t nic)
{
	struct redirect_entry *e;

	if (c->table.count >= REDIRECT_MAX_ENTRIES)
		redirect_drop(c, container_of(c->order.next, struct redirect_entry, order));
	e = calloc(1, sizeof(*e));
	if (!e || !htab_insert(&c->table, &e->node, redirect_hash(c, dst, nic))) {
		free(e);
		return NULL;
	}
	e->dst = *dst;
	e->nic = nic;
	list_init(&e->order);
	return e;
}

void redirect_learn(struct redirect_cache *c, const struct addr *dst, uint32_t nic,
		    const struct addr *from, const struct addr *gateway)
{
	struct redirect_entry *e = entry_find(c, dst, nic);

	if (!e)
		e = entry_new(c, dst, nic);
	if (!e)
		return;
	/* From a gateway that was itself a redirect's: the table's next hop stays what it was. */
	if (!addr_equal(&e->gateway, from))
		e->via = *from;
	e->gateway = *gateway;
	e->expires_ns = c->stack->clock->now_ns + REDIRECT_LIFETIME_NS;
	list_remove(&e->order);
	list_push_back(&c->order, &e->order);
	if (!timer_armed(&c->timer))
		timer_arm(c->stack->clock, &c->timer, e->expires_ns);
	stack_routes_changed(c->stack);
}

void redirect_forget(struct redirect_cache *c, uint32_t nic, const struct addr *gateway)
{
	list_for_each_safe(n, &c->order) {
		struct redirect_entry *e = container_of(n, struct redirect_entry, order);

		if (e->nic == nic && addr_equal(&e->gateway, gateway))
			redirect_drop(c, e);
	}
}
