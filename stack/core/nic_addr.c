/* Network interfaces: their addresses. */
#include <stdlib.h>

#include "core/nic.h"
#include "core/stack.h"

static uint64_t addr_hash(const struct stack *s, const struct addr *a)
{
	return hash_addr(&s->key, a, 0);
}

static bool addr_assignable(const struct addr *a)
{
	return (a->len == ADDR_LEN_V4 || a->len == ADDR_LEN_V6) && !addr_is_any(a) &&
	       !addr_is_multicast(a) && !addr_is_v4_broadcast(a) && !addr_is_v4_mapped(a);
}

/*
 * Every packet is held against the broadcasts, so they are kept once per subnet: a thousand
 * addresses in one subnet cost no more than one. False if there was no memory.
 */
static bool broadcast_get(struct nic *nic, struct nic_addr *a)
{
	struct addr addr = subnet_broadcast(&a->subnet);
	struct nic_broadcast *b;

	if (!subnet_is_broadcast(&a->subnet, &addr))
		return true;
	list_for_each(n, &nic->broadcasts) {
		b = container_of(n, struct nic_broadcast, list);
		if (addr_equal(&b->addr, &addr)) {
			b->refs++;
			a->broadcast = b;
			return true;
		}
	}
	b = calloc(1, sizeof(*b));
	if (!b)
		return false;
	b->addr = addr;
	b->refs = 1;
	list_init(&b->list);
	list_push_back(&nic->broadcasts, &b->list);
	a->broadcast = b;
	return true;
}

static void broadcast_put(struct nic_addr *a)
{
	struct nic_broadcast *b = a->broadcast;

	if (!b || --b->refs)
		return;
	list_remove(&b->list);
	free(b);
}

enum ns_err nic_add_addr(struct nic *nic, const struct addr_prefix *ap, enum addr_origin origin,
			 struct nic_addr **out)
{
	struct stack *s = nic->stack;
	const struct net_proto_ops *net;
	struct nic_addr *a;

	if (!addr_assignable(&ap->addr) || ap->prefix_len > ap->addr.len * 8)
		return NS_ERR_BAD_ADDRESS;
	net = s->net[net_index_of(&ap->addr)];
	if (!net)
		return NS_ERR_UNKNOWN_PROTOCOL;
	if (nic_find_addr(nic, &ap->addr))
		return NS_ERR_DUPLICATE_ADDRESS;
	a = calloc(1, sizeof(*a));
	if (!a)
		return NS_ERR_NO_MEMORY;
	a->nic = nic;
	a->addr = ap->addr;
	a->prefix_len = ap->prefix_len;
	a->origin = origin;
	a->state = ADDR_PREFERRED;
	a->subnet = subnet_of(ap);
	if (!broadcast_get(nic, a) || !htab_insert(&s->addrs, &a->node, addr_hash(s, &a->addr))) {
		broadcast_put(a);
		free(a);
		return NS_ERR_NO_MEMORY;
	}
	list_push_back(&nic->addrs, &a->list);
	stack_routes_changed(s);
	if (net->addr_added)
		net->addr_added(nic, a);
	if (out)
		*out = a;
	return NS_OK;
}

enum ns_err nic_remove_addr(struct nic *nic, const struct addr *addr)
{
	struct stack *s = nic->stack;
	struct nic_addr *a = nic_find_addr(nic, addr);
	const struct net_proto_ops *net = s->net[net_index_of(addr)];

	if (!a)
		return NS_ERR_BAD_LOCAL_ADDRESS;
	htab_remove(&s->addrs, &a->node);
	list_remove(&a->list);
	stack_routes_changed(s);
	if (net->addr_removed)
		net->addr_removed(nic, a);
	broadcast_put(a);
	free(a);
	return NS_OK;
}

struct nic_addr *nic_find_addr(const struct nic *nic, const struct addr *addr)
{
	htab_for_each_match(n, &nic->stack->addrs, addr_hash(nic->stack, addr)) {
		struct nic_addr *a = container_of(n, struct nic_addr, node);

		if (a->nic == nic && addr_equal(&a->addr, addr))
			return a;
	}
	return NULL;
}

struct nic_addr *stack_find_addr(const struct stack *s, const struct addr *addr, uint32_t nic)
{
	static const struct addr first = { .b = { 127, 0, 0, 1 }, .len = ADDR_LEN_V4 };

	htab_for_each_match(n, &s->addrs, addr_hash(s, addr)) {
		struct nic_addr *a = container_of(n, struct nic_addr, node);

		if (addr_equal(&a->addr, addr) && nic_addr_usable(a) && a->nic->enabled &&
		    (nic == 0 || a->nic->id == nic))
			return a;
	}
	/* All of 127/8 is this host's (RFC 1122, 3.2.1.3 (g)), by the one address that stands for it. */
	if (addr->len == ADDR_LEN_V4 && addr->b[0] == 127 && !addr_equal(addr, &first)) {
		struct nic_addr *a = stack_find_addr(s, &first, nic);

		return a && nic_is_loopback(a->nic) && subnet_contains(&a->subnet, addr) ? a : NULL;
	}
	return NULL;
}

static unsigned common_prefix(const struct addr *a, const struct addr *b)
{
	for (unsigned i = 0; i < a->len; i++)
		if (a->b[i] != b->b[i])
			return i * 8 + (unsigned)__builtin_clz((uint8_t)(a->b[i] ^ b->b[i])) - 24;
	return a->len * 8u;
}

/* RFC 6724, 3.1: scopes of unicast addresses count as the multicast scopes of the same name. */
static unsigned addr_scope(const struct addr *a)
{
	if (a->len == ADDR_LEN_V6 && addr_is_multicast(a))
		return a->b[1] & 0xf;
	if (addr_is_loopback(a) || addr_is_link_local(a))
		return 2;
	return 14;
}

/* Whether @a is the better source for @remote. RFC 6724, section 5; @b was there first. */
static bool source_better(const struct nic_addr *a, const struct nic_addr *b,
			  const struct addr *remote)
{
	unsigned sa = addr_scope(&a->addr), sb = addr_scope(&b->addr), sd = addr_scope(remote);

	if (addr_equal(&a->addr, remote) != addr_equal(&b->addr, remote))	/* Rule 1 */
		return addr_equal(&a->addr, remote);
	if (sa != sb)								/* Rule 2 */
		return sa < sb ? sa >= sd : sb < sd;
	if (a->state != b->state)						/* Rule 3 */
		return a->state == ADDR_PREFERRED;
	/* Rule 8. For IPv4 it makes the address of the remote's own subnet win. */
	return common_prefix(&a->addr, remote) > common_prefix(&b->addr, remote) &&
	       (a->addr.len == ADDR_LEN_V6 || subnet_contains(&a->subnet, remote));
}

struct nic_addr *nic_primary_addr(const struct nic *nic, enum net_index net,
				  const struct addr *remote)
{
	struct nic_addr *best = NULL;

	list_for_each(n, &nic->addrs) {
		struct nic_addr *a = container_of(n, struct nic_addr, list);

		if (net_index_of(&a->addr) != net || !nic_addr_usable(a))
			continue;
		if (!best || source_better(a, best, remote))
			best = a;
	}
	return best;
}

bool nic_is_broadcast(const struct nic *nic, const struct addr *addr)
{
	if (addr->len != ADDR_LEN_V4)
		return false;
	if (addr_is_v4_broadcast(addr))
		return true;
	list_for_each(n, &nic->broadcasts)
		if (addr_equal(&container_of(n, struct nic_broadcast, list)->addr, addr))
			return true;
	return false;
}
