/* The table of connections. */
#include "transport/tcp/table.h"

#include "core/stack.h"
#include "transport/tcp/proto.h"

static uint64_t tuple_hash(const struct stack *s, const struct addr *local, const struct addr *remote,
			   uint16_t lport, uint16_t rport)
{
	uint64_t ports = (uint64_t)lport | (uint64_t)rport << 16 | (uint64_t)local->len << 32;

	return hash_addr(&s->key, local, hash_addr(&s->secret, remote, ports));
}

bool tcp_table_add(struct tcp_proto *p, struct tcp_tuple *t)
{
	if (!htab_insert(&p->tuples, &t->node,
			 tuple_hash(p->stack, &t->local, &t->remote, t->lport, t->rport)))
		return false;
	t->entered = true;
	return true;
}

void tcp_table_remove(struct tcp_proto *p, struct tcp_tuple *t)
{
	if (t->entered)
		htab_remove(&p->tuples, &t->node);
	t->entered = false;
}

struct tcp_tuple *tcp_table_find(struct tcp_proto *p, const struct demux_key *k)
{
	uint64_t hash = tuple_hash(p->stack, &k->local, &k->remote, k->lport, k->rport);

	htab_for_each_match(n, &p->tuples, hash) {
		struct tcp_tuple *t = container_of(n, struct tcp_tuple, node);

		if (t->lport == k->lport && t->rport == k->rport && addr_equal(&t->local, &k->local) &&
		    addr_equal(&t->remote, &k->remote) && (!t->nic || t->nic == k->nic))
			return t;
	}
	return NULL;
}
