/* A packet's way through a table. */
#include <string.h>

#include "filter/parse.h"

static bool iface_matches(const struct rule_iface *f, const char *name)
{
	return !strncmp(f->name, name, f->len);
}

/*
 * What this stack sends to itself goes by no NIC of its own, or by one that loops: to rules, by "lo", as
 * they know it. Groups and broadcasts it is in itself come from the NIC they were sent by.
 */
static bool in_matches(const struct rule_iface *f, const struct filter_pkt *k)
{
	if (!k->in)
		return iface_matches(f, "");
	if (k->pkt->looped && k->pkt->type == PKT_HOST)
		return iface_matches(f, "lo");
	return iface_matches(f, k->in->name) || (nic_is_loopback(k->in) && iface_matches(f, "lo"));
}

static bool out_matches(const struct rule_iface *f, const struct filter_pkt *k)
{
	if (!k->out)
		return iface_matches(f, "");
	if (k->at != HOOK_FORWARD && stack_find_addr(k->stack, &k->pkt->dst, 0))
		return iface_matches(f, "lo");
	return iface_matches(f, k->out->name) || (nic_is_loopback(k->out) && iface_matches(f, "lo"));
}

/* What every rule can ask for. */
static bool rule_matches_ip(const struct rule *r, const struct filter_pkt *k)
{
	if (r->src.mask.len && rule_addr_matches(&r->src, &k->pkt->src) == !!(r->not & NOT_SRC))
		return false;
	if (r->dst.mask.len && rule_addr_matches(&r->dst, &k->pkt->dst) == !!(r->not & NOT_DST))
		return false;
	if (r->in.set && in_matches(&r->in, k) == !!(r->not & NOT_IN))
		return false;
	if (r->out.set && out_matches(&r->out, k) == !!(r->not & NOT_OUT))
		return false;
	if (r->has_proto && (r->proto == k->proto) == !!(r->not & NOT_PROTO))
		return false;
	return !r->frag || k->later_fragment != !!(r->not & NOT_FRAG);
}

static bool rule_matches(const struct rule *r, struct filter_pkt *k)
{
	if (!rule_matches_ip(r, k))
		return false;
	for (size_t i = 0; i < r->nmatches; i++)
		if (!r->matches[i].ops->match(r->matches[i].data, k))
			return false;
	return true;
}

static void count(struct rule_count *c, const struct filter_pkt *k)
{
	c->packets++;
	c->bytes += k->bytes;
}

enum filter_verdict table_eval(struct table *t, struct filter_pkt *k)
{
	struct { struct chain *chain; size_t next; } back[CHAIN_DEPTH_MAX];
	struct chain *c = t->builtin[k->at];
	size_t depth = 0, i = 0;
	enum filter_verdict v;

	for (;;) {
		struct rule *r;

		if (i == c->nrules) {
			if (!depth)
				break;
			c = back[--depth].chain;
			i = back[depth].next;
			continue;
		}
		r = &c->rules[i++];
		if (!rule_matches(r, k)) {
			if (k->drop)
				return V_DROP;
			continue;
		}
		count(&r->count, k);
		if (r->jump) {
			if (!r->go) {
				back[depth].chain = c;
				back[depth++].next = i;
			}
			c = r->jump;
			i = 0;
			continue;
		}
		v = r->target.ops ? r->target.ops->target(r->target.data, k) : V_NEXT;
		if (v == V_RETURN)
			i = c->nrules;
		else if (v != V_NEXT)
			return v;
	}
	/* A goto left the built-in chain, but its end is where its policy holds. */
	c = t->builtin[k->at];
	count(&c->count, k);
	return (enum filter_verdict)c->policy;
}
