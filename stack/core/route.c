/*
 * Routes.
 *
 * Theory of operation. The specification's table is a list of rows, the first viable one wins. So
 * that this costs the same with ten rows and with a hundred thousand, rows are hashed by masked
 * destination and prefix length; a look-up probes once for each prefix length in use, and among
 * the viable rows it meets takes the one added first. A route made from a row stays good until
 * stack->route_gen changes: every change of rows, NICs or addresses does that.
 */
#include "core/route.h"

#include <stdlib.h>

#include "core/stack.h"

void route_table_init(struct route_table *t)
{
	*t = (struct route_table){ 0 };
	htab_init(&t->rows);
}

static void table_clear(struct route_table *t)
{
	struct htab_node *n;

	while ((n = htab_next(&t->rows, NULL))) {
		htab_remove(&t->rows, n);
		free(container_of(n, struct route_entry, node));
	}
	memset(t->used, 0, sizeof(t->used));
	memset(t->nlens, 0, sizeof(t->nlens));
}

void route_table_fini(struct route_table *t)
{
	table_clear(t);
	htab_fini(&t->rows);
}

/* Rebuilds the list of prefix lengths in use, longest first. */
static void table_note_lens(struct route_table *t, enum net_index net)
{
	t->nlens[net] = 0;
	for (int len = 128; len >= 0; len--)
		if (t->used[net][len])
			t->lens[net][t->nlens[net]++] = (uint8_t)len;
}

static uint64_t row_hash(const struct stack *s, const struct addr *masked, unsigned prefix_len)
{
	return hash_addr(&s->key, masked, prefix_len + 1);
}

enum ns_err route_add(struct stack *s, const struct route_row *row)
{
	struct route_table *t = &s->routes;
	enum net_index net = net_index_of(&row->destination.id);
	unsigned ones, zeros;
	struct route_entry *e;

	if (!nic_find(s, row->nic))
		return NS_ERR_UNKNOWN_NIC_ID;
	if (row->gateway.len && row->gateway.len != row->destination.id.len)
		return NS_ERR_BAD_ADDRESS;
	/* Only masks that are a prefix: rows are found by prefix length. */
	subnet_bits(&row->destination, &ones, &zeros);
	if (!row->destination.id.len || ones != subnet_prefix(&row->destination))
		return NS_ERR_BAD_ADDRESS;
	e = calloc(1, sizeof(*e));
	if (!e)
		return NS_ERR_NO_MEMORY;
	e->row = *row;
	e->order = t->next_order++;
	e->prefix_len = (uint8_t)ones;
	if (!htab_insert(&t->rows, &e->node, row_hash(s, &row->destination.id, ones))) {
		free(e);
		return NS_ERR_NO_MEMORY;
	}
	if (t->used[net][ones]++ == 0)
		table_note_lens(t, net);
	stack_routes_changed(s);
	return NS_OK;
}

static void entry_remove(struct stack *s, struct route_entry *e)
{
	struct route_table *t = &s->routes;
	enum net_index net = net_index_of(&e->row.destination.id);

	htab_remove(&t->rows, &e->node);
	if (--t->used[net][e->prefix_len] == 0)
		table_note_lens(t, net);
	free(e);
	stack_routes_changed(s);
}

bool route_remove(struct stack *s, const struct route_row *row)
{
	unsigned len = subnet_prefix(&row->destination);
	uint64_t hash = row_hash(s, &row->destination.id, len);
	struct htab_node *n = htab_find(&s->routes.rows, hash), *next;
	bool found = false;

	for (; n; n = next) {
		struct route_entry *e = container_of(n, struct route_entry, node);

		next = n->next;
		if (!subnet_equal(&e->row.destination, &row->destination) ||
		    !addr_equal(&e->row.gateway, &row->gateway) ||
		    (row->nic && e->row.nic != row->nic))
			continue;
		entry_remove(s, e);
		found = true;
	}
	return found;
}

enum ns_err route_set_table(struct stack *s, const struct route_row *rows, size_t n)
{
	enum ns_err err = NS_OK;

	table_clear(&s->routes);
	stack_routes_changed(s);
	for (size_t i = 0; i < n && !err; i++)
		err = route_add(s, &rows[i]);
	return err;
}

void route_remove_nic(struct stack *s, uint32_t nic)
{
	struct htab_node *n, *next;

	for (n = htab_next(&s->routes.rows, NULL); n; n = next) {
		struct route_entry *e = container_of(n, struct route_entry, node);

		next = htab_next(&s->routes.rows, n);
		if (e->row.nic == nic)
			entry_remove(s, e);
	}
}

void route_walk(const struct stack *s, void (*fn)(void *ctx, const struct route_row *row), void *ctx)
{
	for (struct htab_node *n = htab_next(&s->routes.rows, NULL); n; n = htab_next(&s->routes.rows, n))
		fn(ctx, &container_of(n, struct route_entry, node)->row);
}

/* A router answers from the address it was asked at, whichever way the answer leaves. */
static bool local_forwards(const struct stack *s, const struct route_key *key)
{
	const struct nic_addr *a = stack_find_addr(s, &key->local, 0);

	return a && a->nic->forwarding[net_index_of(&key->local)];
}

static bool row_viable(struct stack *s, const struct route_entry *e, const struct route_key *key,
		       struct nic **nic)
{
	if (key->nic && e->row.nic != key->nic)
		return false;
	*nic = nic_find(s, e->row.nic);
	if (!*nic || !(*nic)->enabled)
		return false;
	return addr_is_any(&key->local) || nic_find_addr(*nic, &key->local) || local_forwards(s, key);
}

static const struct route_entry *table_find(struct stack *s, const struct route_key *key,
					    struct nic **nic)
{
	const struct route_table *t = &s->routes;
	enum net_index net = net_index_of(&key->remote);
	const struct route_entry *best = NULL;

	for (int i = 0; i < t->nlens[net]; i++) {
		unsigned len = t->lens[net][i];
		struct addr masked = addr_prefix_bits(&key->remote, len);

		htab_for_each_match(n, &t->rows, row_hash(s, &masked, len)) {
			const struct route_entry *e = container_of(n, struct route_entry, node);
			struct nic *candidate;

			if (e->prefix_len != len || !addr_equal(&e->row.destination.id, &masked) ||
			    (best && e->order > best->order))
				continue;
			if (row_viable(s, e, key, &candidate)) {
				best = e;
				*nic = candidate;
			}
		}
	}
	return best;
}

/* Without a row, targets that can only be on the link go by the NIC asked for, or by the first one. */
static struct nic *on_link_nic(struct stack *s, const struct route_key *key)
{
	enum net_index net = net_index_of(&key->remote);

	if (key->nic)
		return nic_find(s, key->nic);
	if (!addr_is_any(&key->local)) {
		struct nic_addr *a = stack_find_addr(s, &key->local, 0);

		return a ? a->nic : NULL;
	}
	if (addr_is_link_local(&key->remote))
		return NULL;	/* RFC 4007, 6: ambiguous without a zone */
	list_for_each(n, &s->nics) {
		struct nic *nic = container_of(n, struct nic, list);

		if (nic->enabled && !nic_is_loopback(nic) &&
		    nic_primary_addr(nic, net, &key->remote))
			return nic;
	}
	return NULL;
}

static enum ns_err find_nic(struct stack *s, const struct route_key *key, struct nic **nic,
			    struct addr *next_hop)
{
	const struct route_entry *e;
	bool on_link = addr_is_multicast(&key->remote) || addr_is_v4_broadcast(&key->remote) ||
		       addr_is_link_local(&key->remote);

	*next_hop = key->remote;
	*nic = on_link && key->nic ? on_link_nic(s, key) : NULL;
	if (*nic)
		return (*nic)->enabled ? NS_OK : NS_ERR_NO_ROUTE;
	e = table_find(s, key, nic);
	if (e) {
		if (e->row.gateway.len && !addr_is_any(&e->row.gateway) && !on_link)
			*next_hop = e->row.gateway;
		if (!on_link && !key->forwarded)
			redirect_apply(&s->redirects, &key->remote, (*nic)->id, next_hop);
		return NS_OK;
	}
	*nic = on_link ? on_link_nic(s, key) : NULL;
	return *nic && (*nic)->enabled ? NS_OK : NS_ERR_NO_ROUTE;
}

static void route_fill(struct route *out, struct nic *nic)
{
	struct stack *s = nic->stack;

	out->stack = s;
	out->nic = nic;
	out->net = s->net[net_index_of(&out->remote)];
	out->gen = s->route_gen;
	out->pmtu_gen = 0;
	out->neigh = NULL;
	if (addr_is_multicast(&out->remote))
		out->kind = ROUTE_MULTICAST;
	else if (nic_is_broadcast(nic, &out->remote))
		out->kind = ROUTE_BROADCAST;
	else
		out->kind = ROUTE_UNICAST;
}

void route_direct(struct nic *nic, const struct addr *local, const struct addr *remote,
		  struct route *out)
{
	out->local = *local;
	out->remote = out->next_hop = *remote;
	out->loop = false;
	route_fill(out, nic);
}

enum ns_err route_find(struct stack *s, const struct route_key *key, struct route *out)
{
	enum net_index net = net_index_of(&key->remote);
	struct nic_addr *own;
	struct nic *nic;
	enum ns_err err;

	out->nic = NULL;
	out->neigh = NULL;
	if (!stack_has_net(s, net) || key->remote.len == 0)
		return NS_ERR_NETWORK_UNREACHABLE;
	if (key->nic && !nic_find(s, key->nic))
		return NS_ERR_UNKNOWN_NIC_ID;
	if (!addr_is_any(&key->local) &&
	    (key->local.len != key->remote.len || !stack_find_addr(s, &key->local, 0)))
		return NS_ERR_BAD_LOCAL_ADDRESS;

	out->remote = out->next_hop = key->remote;
	own = stack_find_addr(s, &key->remote, addr_is_link_local(&key->remote) ? key->nic : 0);
	out->loop = own != NULL;
	if (own) {
		out->local = addr_is_any(&key->local) ? own->addr : key->local;
		route_fill(out, own->nic);
		return NS_OK;
	}
	err = find_nic(s, key, &nic, &out->next_hop);
	if (err)
		return err;
	if (addr_is_any(&key->local) && !key->forwarded) {
		struct nic_addr *a = nic_primary_addr(nic, net, &key->remote);

		if (!a)
			return NS_ERR_BAD_LOCAL_ADDRESS;
		out->local = a->addr;
	} else {
		out->local = key->local;
	}
	route_fill(out, nic);
	return NS_OK;
}

bool route_valid(const struct route *r)
{
	return r->nic && r->gen == r->stack->route_gen;
}

uint32_t route_mtu(struct route *r)
{
	struct pmtu_cache *c = &r->stack->pmtu;

	if (r->pmtu_gen != c->gen) {
		r->mtu = pmtu_get(c, &r->remote, nic_mtu(r->nic, net_index_of(&r->remote)));
		r->narrow = pmtu_is_narrow(c, &r->remote);
		r->pmtu_gen = c->gen;
	}
	return r->mtu;
}

uint32_t route_gso_max(const struct route *r)
{
	const struct link *l = r->nic->link;
	uint32_t cap = r->remote.len == ADDR_LEN_V4 ? LINK_CAP_TSO4 : LINK_CAP_TSO6;

	if (r->loop)
		return UINT16_MAX;
	return l->caps & cap ? l->gso_max : 0;
}

void route_release(struct route *r)
{
	if (r->neigh)
		neigh_unref(r->neigh);
	r->neigh = NULL;
	r->nic = NULL;
}

static struct neigh *route_neigh(struct route *r)
{
	struct neigh_cache *c = &r->nic->neigh[net_index_of(&r->next_hop)];
	struct neigh *n = r->neigh;

	if (n && !n->dead)
		return n;
	if (n)
		neigh_unref(n);
	n = neigh_lookup(c, &r->next_hop);
	r->neigh = n ? neigh_ref(n) : NULL;
	return n;
}

enum ns_err route_send(struct route *r, struct pkt *pkt)
{
	struct neigh *n;

	pkt->net_proto = r->net->number;
	if (r->loop) {
		nic_loop(r->nic, pkt);
		return NS_OK;
	}
	if (!(r->nic->link->caps & LINK_CAP_RESOLUTION))
		return nic_write(r->nic, pkt);
	if (r->kind != ROUTE_UNICAST) {
		pkt->link_dst = r->kind == ROUTE_BROADCAST ? link_addr_broadcast
							   : link_addr_of_multicast(&r->remote);
		return nic_write(r->nic, pkt);
	}
	n = route_neigh(r);
	if (!n) {
		pkt_free(pkt);
		return NS_ERR_NO_MEMORY;
	}
	return neigh_send(n, pkt);
}

void route_confirm(struct route *r)
{
	if (r->neigh && !r->neigh->dead)
		neigh_confirm_upper(r->neigh);
}
