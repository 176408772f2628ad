/* Path MTUs learnt from ICMP. */
#include "core/pmtu.h"

#include <stdlib.h>

#include "core/stack.h"

enum {
	PMTU_MAX_ENTRIES = 1024,
	PMTU_MIN_V4 = 552,	/* below, attackers gain more than paths; as Linux's min_pmtu */
	PMTU_MIN_V6 = 1280,	/* RFC 8201, 4 */
};

#define PMTU_LIFETIME_NS (600 * NS_PER_SEC)	/* RFC 1191 6.3, RFC 8201 5.3: ten minutes */

struct pmtu_entry {
	struct htab_node node;
	struct list order;
	struct addr dst;
	uint32_t mtu;
	bool narrow;
	int64_t expires_ns;
};

static void pmtu_drop(struct pmtu_cache *c, struct pmtu_entry *e)
{
	htab_remove(&c->table, &e->node);
	list_remove(&e->order);
	free(e);
	c->gen++;
}

static void pmtu_expire(struct timer *t)
{
	struct pmtu_cache *c = container_of(t, struct pmtu_cache, timer);

	while (!list_empty(&c->order)) {
		struct pmtu_entry *e = container_of(c->order.next, struct pmtu_entry, order);

		if (e->expires_ns > c->stack->clock->now_ns) {
			timer_arm(c->stack->clock, t, e->expires_ns);
			break;
		}
		pmtu_drop(c, e);
	}
}

void pmtu_init(struct pmtu_cache *c, struct stack *s)
{
	c->stack = s;
	c->gen = 1;
	htab_init(&c->table);
	list_init(&c->order);
	timer_init(&c->timer, pmtu_expire);
}

void pmtu_fini(struct pmtu_cache *c)
{
	while (!list_empty(&c->order))
		pmtu_drop(c, container_of(c->order.next, struct pmtu_entry, order));
	htab_fini(&c->table);
	timer_fini(c->stack->clock, &c->timer);
}

static struct pmtu_entry *pmtu_find(struct pmtu_cache *c, const struct addr *dst, uint64_t hash)
{
	htab_for_each_match(n, &c->table, hash) {
		struct pmtu_entry *e = container_of(n, struct pmtu_entry, node);

		if (addr_equal(&e->dst, dst))
			return e;
	}
	return NULL;
}

uint32_t pmtu_get(struct pmtu_cache *c, const struct addr *dst, uint32_t link_mtu)
{
	struct pmtu_entry *e;

	if (c->table.count == 0)
		return link_mtu;
	e = pmtu_find(c, dst, hash_addr(&c->stack->key, dst, 0));
	return e && e->mtu < link_mtu ? e->mtu : link_mtu;
}

bool pmtu_is_narrow(struct pmtu_cache *c, const struct addr *dst)
{
	struct pmtu_entry *e = c->table.count ? pmtu_find(c, dst, hash_addr(&c->stack->key, dst, 0)) : NULL;

	return e && e->narrow;
}

void pmtu_update(struct pmtu_cache *c, const struct addr *dst, uint32_t mtu)
{
	uint32_t floor = dst->len == ADDR_LEN_V4 ? PMTU_MIN_V4 : PMTU_MIN_V6;
	uint64_t hash = hash_addr(&c->stack->key, dst, 0);
	struct pmtu_entry *e = pmtu_find(c, dst, hash);
	bool narrow = mtu < floor;

	if (narrow)
		mtu = floor;
	if (e && e->mtu <= mtu && (e->narrow || !narrow))
		return;
	if (!e) {
		if (c->table.count >= PMTU_MAX_ENTRIES)
			pmtu_drop(c, container_of(c->order.next, struct pmtu_entry, order));
		e = calloc(1, sizeof(*e));
		if (!e || !htab_insert(&c->table, &e->node, hash)) {
			free(e);
			return;
		}
		list_init(&e->order);
		e->dst = *dst;
	}
	e->mtu = mtu;
	e->narrow = narrow;
	e->expires_ns = c->stack->clock->now_ns + PMTU_LIFETIME_NS;
	list_remove(&e->order);
	list_push_back(&c->order, &e->order);
	if (!timer_armed(&c->timer))
		timer_arm(c->stack->clock, &c->timer, e->expires_ns);
	c->gen++;
}
