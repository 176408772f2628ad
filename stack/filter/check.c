/*
 * What must hold of a table as a whole, so that a packet's way through it ends.
 *
 * Chains and the jumps between them are sorted so that jumps only lead on; what is left over goes
 * round in circles. In that order, hooks and depth are handed on to the chains jumped to, and against
 * it, the number of rules that a packet meets at most: without loops, it can still be exponential.
 */
#include "filter/parse.h"

static void count_refs(struct table *t)
{
	list_for_each(n, &t->chains) {
		struct chain *c = container_of(n, struct chain, list);

		c->refs = 0;
		c->depth = 0;
		c->hooks = c->hook < 0 ? 0 : (uint8_t)(1 << c->hook);
		list_init(&c->order);
	}
	list_for_each(n, &t->chains) {
		struct chain *c = container_of(n, struct chain, list);

		for (size_t i = 0; i < c->nrules; i++)
			if (c->rules[i].jump)
				c->rules[i].jump->refs++;
	}
}

/* All that nothing leads to, then what only those lead to, and so on. */
static bool sort_chains(struct parser *p, struct table *t, struct list *order)
{
	list_for_each(n, &t->chains) {
		struct chain *c = container_of(n, struct chain, list);

		if (!c->refs)
			list_push_back(order, &c->order);
	}
	list_for_each(n, order) {
		struct chain *c = container_of(n, struct chain, order);

		for (size_t i = 0; i < c->nrules; i++) {
			struct chain *to = c->rules[i].jump;

			if (to && --to->refs == 0)
				list_push_back(order, &to->order);
		}
	}
	list_for_each(n, &t->chains) {
		struct chain *c = container_of(n, struct chain, list);

		for (size_t i = 0; c->refs && i < c->nrules; i++)
			if (c->rules[i].jump && c->rules[i].jump->refs)
				return parser_refuse(p, &c->rules[i],
						     "expected no jumps in a circle, as this one to \"%s\"",
						     c->rules[i].jump->name);
	}
	return true;
}

static bool ext_allowed(struct parser *p, const struct chain *c, const struct rule *r,
			const struct ext *x)
{
	unsigned wrong = x->ops && x->ops->hooks ? c->hooks & ~x->ops->hooks : 0;

	if (!wrong)
		return true;
	return parser_refuse(p, r, "expected no %s in what %s leads to", x->ops->name,
			     hook_chain_name((enum hook_point)__builtin_ctz(wrong)));
}

static bool check_chain(struct parser *p, struct chain *c)
{
	for (size_t i = 0; i < c->nrules; i++) {
		struct rule *r = &c->rules[i];

		for (size_t m = 0; m < r->nmatches; m++)
			if (!ext_allowed(p, c, r, &r->matches[m]))
				return false;
		if (!ext_allowed(p, c, r, &r->target))
			return false;
		if (!r->jump)
			continue;
		r->jump->hooks |= c->hooks;
		if (r->jump->depth <= c->depth)
			r->jump->depth = (uint16_t)(c->depth + 1);
		if (r->jump->depth > CHAIN_DEPTH_MAX)
			return parser_refuse(p, r, "expected at most %d jumps within one another",
					     CHAIN_DEPTH_MAX);
	}
	return true;
}

static bool check_cost(struct parser *p, struct chain *c)
{
	c->cost = 0;
	for (size_t i = 0; i < c->nrules; i++) {
		const struct rule *r = &c->rules[i];

		c->cost += 1 + (r->jump ? r->jump->cost : 0);
		if (c->cost > CHAIN_COST_MAX)
			return parser_refuse(p, r, "expected at most %d rules on a packet's way",
					     CHAIN_COST_MAX);
	}
	return true;
}

bool table_check(struct parser *p, struct table *t)
{
	struct list order;

	list_init(&order);
	count_refs(t);
	if (!sort_chains(p, t, &order))
		return false;
	list_for_each(n, &order)
		if (!check_chain(p, container_of(n, struct chain, order)))
			return false;
	for (struct list *n = order.prev; n != &order; n = n->prev)
		if (!check_cost(p, container_of(n, struct chain, order)))
			return false;
	return true;
}
