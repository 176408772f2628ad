/*
 * Multicast groups of a NIC.
 *
 * Theory of operation. Each member has a filter of its own; the NIC's is their union: if one excludes,
 * everything but what all that exclude name and none includes; else what any includes. So it is
 * enough to count, per source, who includes and who excludes it. Whatever changes, the network
 * protocol is told, and finds out itself whether routers need to know.
 */
#include "core/group.h"

#include <stdlib.h>

#include "core/stack.h"

const struct source_filter group_any = { .exclude = true };

static uint64_t group_hash(const struct stack *s, const struct addr *a)
{
	return hash_addr(&s->key, a, 0);
}

struct nic_group *nic_find_group(const struct nic *nic, const struct addr *group)
{
	htab_for_each_match(n, &nic->groups, group_hash(nic->stack, group)) {
		struct nic_group *g = container_of(n, struct nic_group, node);

		if (addr_equal(&g->addr, group))
			return g;
	}
	return NULL;
}

static struct group_source *find_source(const struct nic_group *g, const struct addr *a)
{
	for (uint16_t i = 0; i < g->n; i++)
		if (addr_equal(&g->sources[i].addr, a))
			return &g->sources[i];
	return NULL;
}

static bool source_wanted(const struct nic_group *g, const struct group_source *x)
{
	if (!g->excludes)
		return x && x->includes;
	return !x || x->includes || x->excludes < g->excludes;
}

bool nic_wants_group(const struct nic *nic, const struct addr *group, const struct addr *source)
{
	struct nic_group *g = nic_find_group(nic, group);

	return g && (g->n == 0 ? g->excludes != 0 : source_wanted(g, find_source(g, source)));
}

bool group_wants(const struct source_filter *f, const struct addr *source)
{
	for (uint16_t i = 0; i < f->n; i++)
		if (addr_equal(&f->sources[i], source))
			return !f->exclude;
	return f->exclude;
}

struct source_filter group_merged(const struct nic_group *g, struct addr *sources)
{
	struct source_filter f = { .exclude = g->excludes != 0, .sources = sources };

	for (uint16_t i = 0; i < g->n; i++)
		if (source_wanted(g, &g->sources[i]) != f.exclude)
			sources[f.n++] = g->sources[i].addr;
	return f;
}

/* Makes room for the sources of @f that are not there yet, and enters them with counts of zero. */
static enum ns_err enter_sources(struct nic_group *g, const struct source_filter *f)
{
	uint16_t fresh = 0;
	struct group_source *grown;

	for (uint16_t i = 0; i < f->n; i++)
		fresh = (uint16_t)(fresh + !find_source(g, &f->sources[i]));
	if (!fresh)
		return NS_OK;
	if (g->n + fresh > GROUP_MAX_SOURCES)
		return NS_ERR_NO_BUFFER_SPACE;
	grown = realloc(g->sources, (size_t)(g->n + fresh) * sizeof(*grown));
	if (!grown)
		return NS_ERR_NO_MEMORY;
	g->sources = grown;
	for (uint16_t i = 0; i < f->n; i++)
		if (!find_source(g, &f->sources[i]))
			grown[g->n++] = (struct group_source){ .addr = f->sources[i] };
	return NS_OK;
}

static void count_filter(struct nic_group *g, const struct source_filter *f, uint32_t by)
{
	g->refs += by;
	if (f->exclude)
		g->excludes += by;
	for (uint16_t i = 0; i < f->n; i++) {
		struct group_source *x = find_source(g, &f->sources[i]);

		if (x && f->exclude)
			x->excludes += by;
		else if (x)
			x->includes += by;
	}
}

static void drop_unnamed(struct nic_group *g)
{
	uint16_t n = 0;

	for (uint16_t i = 0; i < g->n; i++)
		if (g->sources[i].includes || g->sources[i].excludes)
			g->sources[n++] = g->sources[i];
	g->n = n;
}

static void group_free(struct nic *nic, struct nic_group *g)
{
	htab_remove(&nic->groups, &g->node);
	free(g->sources);
	free(g);
}

static struct nic_group *group_new(struct nic *nic, const struct addr *group)
{
	struct nic_group *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	g->addr = *group;
	if (!htab_insert(&nic->groups, &g->node, group_hash(nic->stack, group))) {
		free(g);
		return NULL;
	}
	return g;
}

enum ns_err nic_change_group(struct nic *nic, const struct addr *group,
			     const struct source_filter *from, const struct source_filter *to)
{
	const struct net_proto_ops *net = nic->stack->net[net_index_of(group)];
	struct nic_group *g = nic_find_group(nic, group);
	enum ns_err err = NS_OK;

	if (!addr_is_multicast(group))
		return NS_ERR_BAD_ADDRESS;
	if (!net)
		return NS_ERR_UNKNOWN_PROTOCOL;
	if (!g && from)
		return NS_ERR_BAD_LOCAL_ADDRESS;
	if (!g)
		g = group_new(nic, group);
	if (!g)
		return NS_ERR_NO_MEMORY;
	if (to)
		err = enter_sources(g, to);
	if (err) {
		if (!g->refs)
			group_free(nic, g);
		return err;
	}
	if (to)
		count_filter(g, to, 1);
	if (from)
		count_filter(g, from, (uint32_t)-1);
	drop_unnamed(g);
	if (net->group_changed)
		net->group_changed(nic, g);
	if (!g->refs)
		group_free(nic, g);
	return NS_OK;
}

enum ns_err nic_join_group(struct nic *nic, const struct addr *group)
{
	return nic_change_group(nic, group, NULL, &group_any);
}

enum ns_err nic_leave_group(struct nic *nic, const struct addr *group)
{
	return nic_change_group(nic, group, &group_any, NULL);
}

void nic_drop_groups(struct nic *nic)
{
	struct htab_node *n;

	while ((n = htab_next(&nic->groups, NULL)))
		group_free(nic, container_of(n, struct nic_group, node));
	htab_fini(&nic->groups);
}
