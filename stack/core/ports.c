/* Port manager. */
#include "core/ports.h"

#include <stdlib.h>

#include "core/stack.h"

/* The range is Linux's default: RFC 6056 3.2 wants it as wide as possible, users know this one. */
enum { PORTS_FIRST = 32768, PORTS_LAST = 60999 };

/** struct port_entry - the claims on one port of one protocol */
struct port_entry {
	struct htab_node node;
	uint8_t proto;
	uint16_t port;
	struct list claims;
};

void ports_init(struct port_manager *m)
{
	*m = (struct port_manager){ .first = PORTS_FIRST, .last = PORTS_LAST };
	htab_init(&m->table);
}

void ports_fini(struct port_manager *m)
{
	htab_fini(&m->table);
}

enum ns_err ports_set_range(struct stack *s, uint16_t first, uint16_t last)
{
	if (first == 0 || last < first)
		return NS_ERR_INVALID_OPTION_VALUE;
	s->ports.first = first;
	s->ports.last = last;
	return NS_OK;
}

static uint64_t entry_hash(const struct stack *s, uint8_t proto, uint16_t port)
{
	return hash_mix(((uint64_t)proto << 16 | port) ^ s->key.k[0], s->key.k[1] | 1);
}

static struct port_entry *entry_find(const struct stack *s, uint8_t proto, uint16_t port)
{
	htab_for_each_match(n, &s->ports.table, entry_hash(s, proto, port)) {
		struct port_entry *e = container_of(n, struct port_entry, node);

		if (e->proto == proto && e->port == port)
			return e;
	}
	return NULL;
}

static bool claims_overlap(const struct port_claim *a, const struct port_claim *b)
{
	if (!(a->nets & b->nets))
		return false;
	if (a->nic && b->nic && a->nic != b->nic)
		return false;
	return addr_is_any(&a->addr) || addr_is_any(&b->addr) || addr_equal(&a->addr, &b->addr);
}

static bool claims_conflict(const struct port_claim *a, const struct port_claim *b)
{
	if (a == b || !claims_overlap(a, b))
		return false;
	if (a->remote.len && b->remote.len &&
	    (!addr_equal(&a->remote, &b->remote) || a->rport != b->rport))
		return false;
	if (a->reuse_port && b->reuse_port)
		return false;
	return !(a->reuse_address && b->reuse_address && !a->exclusive && !b->exclusive);
}

bool ports_can_claim(struct stack *s, const struct port_claim *c)
{
	struct port_entry *e = entry_find(s, c->proto, c->port);

	if (!e)
		return true;
	list_for_each(n, &e->claims)
		if (claims_conflict(c, container_of(n, struct port_claim, list)))
			return false;
	return true;
}

static enum ns_err claim_enter(struct stack *s, struct port_claim *c)
{
	struct port_entry *e = entry_find(s, c->proto, c->port);

	if (!e) {
		e = calloc(1, sizeof(*e));
		if (!e || !htab_insert(&s->ports.table, &e->node,
				       entry_hash(s, c->proto, c->port))) {
			free(e);
			return NS_ERR_NO_MEMORY;
		}
		e->proto = c->proto;
		e->port = c->port;
		list_init(&e->claims);
	}
	list_push_back(&e->claims, &c->list);
	c->entry = e;
	return NS_OK;
}

/* RFC 6056, 3.3.3: F(local, remote, remote port, secret), plus a counter. */
static uint32_t first_offset(struct stack *s, const struct port_claim *c)
{
	struct {
		struct addr local, remote;
		uint32_t rport, proto;
	} in;

	if (!c->remote.len)
		return rand_u32(&s->rand);
	memset(&in, 0, sizeof(in));
	memcpy(in.local.b, c->addr.b, 16);
	memcpy(in.remote.b, c->remote.b, 16);
	in.rport = c->rport;
	in.proto = c->proto;
	return (uint32_t)siphash(&s->secret, &in, sizeof(in)) + s->ports.counter;
}

static enum ns_err claim_ephemeral(struct stack *s, struct port_claim *c)
{
	uint32_t n = (uint32_t)s->ports.last - s->ports.first + 1;
	uint32_t offset = first_offset(s, c);

	for (uint32_t i = 0; i < n; i++) {
		c->port = (uint16_t)(s->ports.first + (offset + i) % n);
		if (!ports_can_claim(s, c))
			continue;
		s->ports.counter += i + 1;
		return claim_enter(s, c);
	}
	c->port = 0;
	return NS_ERR_NO_PORT_AVAILABLE;
}

enum ns_err ports_claim(struct stack *s, struct port_claim *c)
{
	list_init(&c->list);
	c->entry = NULL;
	if (c->port == 0)
		return claim_ephemeral(s, c);
	return ports_can_claim(s, c) ? claim_enter(s, c) : NS_ERR_PORT_IN_USE;
}

enum ns_err ports_set_exclusive(struct stack *s, struct port_claim *c)
{
	(void)s;
	list_for_each(n, &c->entry->claims) {
		const struct port_claim *o = container_of(n, struct port_claim, list);

		if (o != c && o->exclusive && claims_overlap(c, o) &&
		    !(c->reuse_port && o->reuse_port))
			return NS_ERR_PORT_IN_USE;
	}
	c->exclusive = true;
	return NS_OK;
}

void ports_share(const struct port_claim *parent, struct port_claim *c)
{
	list_init(&c->list);
	c->entry = parent->entry;
	if (c->entry)
		list_push_back(&c->entry->claims, &c->list);
}

void ports_move(struct port_claim *from, struct port_claim *to)
{
	*to = *from;
	list_init(&to->list);
	if (!from->entry)
		return;
	list_insert_before(&from->list, &to->list);
	list_remove(&from->list);
	from->entry = NULL;
}

void ports_release(struct stack *s, struct port_claim *c)
{
	struct port_entry *e = c->entry;

	if (!e)
		return;
	list_remove(&c->list);
	c->entry = NULL;
	if (list_empty(&e->claims)) {
		htab_remove(&s->ports.table, &e->node);
		free(e);
	}
}
