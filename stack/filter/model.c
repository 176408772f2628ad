/* Tables, chains and rules as things to be made and released. */
#include "filter/model.h"

#include <stdlib.h>
#include <string.h>

struct table_def {
	const char *name;
	uint8_t hooks;
};

static const struct table_def table_defs[TABLE_COUNT] = {
	[TABLE_RAW] = { "raw", 1 << HOOK_PREROUTING | 1 << HOOK_OUTPUT },
	[TABLE_MANGLE] = { "mangle", (1 << HOOK_COUNT) - 1 },
	[TABLE_NAT] = { "nat", ((1 << HOOK_COUNT) - 1) & ~(1 << HOOK_FORWARD) },
	[TABLE_FILTER] = { "filter", 1 << HOOK_INPUT | 1 << HOOK_FORWARD | 1 << HOOK_OUTPUT },
};

const char *table_name(enum filter_table_id id)
{
	return table_defs[id].name;
}

unsigned table_hooks(enum filter_table_id id)
{
	return table_defs[id].hooks;
}

const char *hook_chain_name(enum hook_point at)
{
	static const char *const names[HOOK_COUNT] = {
		[HOOK_PREROUTING] = "PREROUTING", [HOOK_INPUT] = "INPUT",
		[HOOK_FORWARD] = "FORWARD", [HOOK_OUTPUT] = "OUTPUT",
		[HOOK_POSTROUTING] = "POSTROUTING",
	};

	return names[at];
}

/* Whoever writes a rule file chooses its names; one that makes all collide only slows its own loading. */
static uint64_t name_hash(const char *name)
{
	static const struct hash_key key = { { 0x736f636b, 0x66696c74 } };

	return siphash(&key, name, strlen(name));
}

struct chain *table_find_chain(const struct table *t, const char *name)
{
	uint64_t hash = name_hash(name);

	htab_for_each_match(n, &t->by_name, hash) {
		struct chain *c = container_of(n, struct chain, node);

		if (!strcmp(c->name, name))
			return c;
	}
	return NULL;
}

struct chain *table_add_chain(struct table *t, const char *name)
{
	struct chain *c = calloc(1, sizeof(*c));

	if (!c || !htab_insert(&t->by_name, &c->node, name_hash(name))) {
		free(c);
		return NULL;
	}
	strncpy(c->name, name, CHAIN_NAME_MAX);
	c->hook = -1;
	c->policy = V_RETURN;
	list_init(&c->list);
	list_init(&c->order);
	list_push_back(&t->chains, &c->list);
	return c;
}

struct table *table_new(enum filter_table_id id, enum net_index net)
{
	struct table *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->id = id;
	t->net = net;
	list_init(&t->chains);
	htab_init(&t->by_name);
	for (int h = 0; h < HOOK_COUNT; h++) {
		if (!(table_defs[id].hooks & 1 << h))
			continue;
		t->builtin[h] = table_add_chain(t, hook_chain_name((enum hook_point)h));
		if (!t->builtin[h]) {
			table_free(t);
			return NULL;
		}
		t->builtin[h]->hook = (int8_t)h;
		t->builtin[h]->policy = V_ACCEPT;
	}
	return t;
}

static void ext_release(struct ext *x)
{
	if (x->ops && x->ops->release && x->data)
		x->ops->release(x->data);
	free(x->data);
}

void rule_release(struct rule *r)
{
	for (size_t i = 0; i < r->nmatches; i++)
		ext_release(&r->matches[i]);
	free(r->matches);
	ext_release(&r->target);
	*r = (struct rule){ 0 };
}

void table_free(struct table *t)
{
	struct list *n;

	if (!t)
		return;
	while ((n = list_pop_front(&t->chains))) {
		struct chain *c = container_of(n, struct chain, list);

		for (size_t i = 0; i < c->nrules; i++)
			rule_release(&c->rules[i]);
		free(c->rules);
		free(c);
	}
	htab_fini(&t->by_name);
	free(t);
}

bool chain_add_rule(struct chain *c, const struct rule *r)
{
	if (c->nrules == c->room) {
		size_t room = c->room ? c->room * 2 : 4;
		struct rule *rules = realloc(c->rules, room * sizeof(*rules));

		if (!rules)
			return false;
		c->rules = rules;
		c->room = room;
	}
	c->rules[c->nrules++] = *r;
	return true;
}
