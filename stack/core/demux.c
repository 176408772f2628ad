/* The demultiplexer: one hash table for all protocols, up to four probes a packet. */
#include "core/demux.h"

#include "core/stack.h"

struct demux_probe {
	const struct addr *local, *remote;
	uint16_t lport, rport;
	uint8_t net, proto;
};

static uint64_t probe_hash(const struct stack *s, const struct demux_probe *p)
{
	uint64_t ports = (uint64_t)p->lport | (uint64_t)p->rport << 16 | (uint64_t)p->net << 32 |
			 (uint64_t)p->proto << 40;

	return hash_addr(&s->key, p->local, hash_addr(&s->secret, p->remote, ports));
}

static bool node_matches(const struct demux_node *n, const struct demux_probe *p)
{
	return n->lport == p->lport && n->rport == p->rport && n->net == p->net &&
	       n->proto == p->proto && addr_equal(&n->local, p->local) &&
	       addr_equal(&n->remote, p->remote);
}

enum ns_err demux_add(struct stack *s, struct demux_node *n)
{
	struct demux_probe p = { &n->local, &n->remote, n->lport, n->rport, n->net, n->proto };
	uint64_t hash = probe_hash(s, &p);

	if (n->unique)
		htab_for_each_match(m, &s->demux, hash)
			if (node_matches(container_of(m, struct demux_node, node), &p))
				return NS_ERR_PORT_IN_USE;
	if (!htab_insert(&s->demux, &n->node, hash))
		return NS_ERR_NO_MEMORY;
	n->registered = true;
	return NS_OK;
}

void demux_remove(struct stack *s, struct demux_node *n)
{
	if (n->registered)
		htab_remove(&s->demux, &n->node);
	n->registered = false;
}

/*
 * The best of equal entries: one bound to the packet's NIC before one that is not, the latest
 * first; among entries that balance, the one the flow's hash points to.
 */
static struct endpoint *probe_find(struct stack *s, const struct demux_key *k,
				   const struct demux_probe *p)
{
	uint64_t hash = probe_hash(s, p);
	struct demux_node *best = NULL;
	uint32_t equals = 0, pick;

	htab_for_each_match(m, &s->demux, hash) {
		struct demux_node *n = container_of(m, struct demux_node, node);

		if ((n->nic && n->nic != k->nic) || !node_matches(n, p))
			continue;
		if (!best || (n->nic && !best->nic)) {
			best = n;
			equals = 1;
		} else if (n->nic == best->nic && n->balance && best->balance) {
			equals++;
		}
	}
	if (!best || equals == 1)
		return best ? best->ep : NULL;

	pick = (uint32_t)(hash_addr(&s->secret, &k->remote, k->rport) % equals);
	htab_for_each_match(m, &s->demux, hash) {
		struct demux_node *n = container_of(m, struct demux_node, node);

		if (n->nic == best->nic && n->balance && node_matches(n, p) && pick-- == 0)
			return n->ep;
	}
	return best->ep;
}

/* The four keys under which a packet's endpoint may be entered, the closest first. */
enum { DEMUX_PROBES = 4 };

static void key_probes(const struct demux_key *k, struct demux_probe p[DEMUX_PROBES])
{
	static const struct addr none;

	p[0] = (struct demux_probe){ &k->local, &k->remote, k->lport, k->rport, k->net, k->proto };
	p[1] = (struct demux_probe){ &none, &k->remote, k->lport, k->rport, k->net, k->proto };
	p[2] = (struct demux_probe){ &k->local, &none, k->lport, 0, k->net, k->proto };
	p[3] = (struct demux_probe){ &none, &none, k->lport, 0, k->net, k->proto };
}

struct endpoint *demux_find(struct stack *s, const struct demux_key *k)
{
	struct demux_probe p[DEMUX_PROBES];
	struct endpoint *ep = NULL;

	key_probes(k, p);
	for (int i = 0; i < DEMUX_PROBES && !ep; i++)
		ep = probe_find(s, k, &p[i]);
	return ep;
}

struct endpoint *demux_find_exact(struct stack *s, const struct demux_key *k)
{
	struct demux_probe p = { &k->local, &k->remote, k->lport, k->rport, k->net, k->proto };

	return probe_find(s, k, &p);
}

size_t demux_find_all(struct stack *s, const struct demux_key *k,
		      void (*fn)(void *ctx, struct endpoint *ep), void *ctx)
{
	struct demux_probe p[DEMUX_PROBES];
	size_t found = 0;

	key_probes(k, p);
	for (int i = 0; i < DEMUX_PROBES; i++) {
		htab_for_each_match(m, &s->demux, probe_hash(s, &p[i])) {
			struct demux_node *n = container_of(m, struct demux_node, node);

			if ((n->nic && n->nic != k->nic) || !node_matches(n, &p[i]))
				continue;
			fn(ctx, n->ep);
			found++;
		}
	}
	return found;
}
