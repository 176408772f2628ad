/* Intrusive hash table that grows. */
#include "base/htab.h"

#include <stdlib.h>

enum { HTAB_MIN_BUCKETS = 16 };

void htab_init(struct htab *t)
{
	*t = (struct htab){ 0 };
}

void htab_fini(struct htab *t)
{
	free(t->buckets);
	htab_init(t);
}

static bool htab_grow(struct htab *t)
{
	size_t n = t->buckets ? (t->mask + 1) * 2 : HTAB_MIN_BUCKETS;
	struct htab_node **b = calloc(n, sizeof(*b)), *node, *next;

	if (!b)
		return t->buckets != NULL;	/* longer chains are better than no entry */
	for (size_t i = 0; t->buckets && i <= t->mask; i++) {
		for (node = t->buckets[i]; node; node = next) {
			next = node->next;
			node->next = b[node->hash & (n - 1)];
			b[node->hash & (n - 1)] = node;
		}
	}
	free(t->buckets);
	t->buckets = b;
	t->mask = n - 1;
	return true;
}

bool htab_insert(struct htab *t, struct htab_node *n, uint64_t hash)
{
	if ((!t->buckets || t->count > t->mask) && !htab_grow(t))
		return false;
	n->hash = hash;
	n->next = t->buckets[hash & t->mask];
	t->buckets[hash & t->mask] = n;
	t->count++;
	return true;
}

void htab_remove(struct htab *t, struct htab_node *n)
{
	struct htab_node **p = &t->buckets[n->hash & t->mask];

	while (*p != n)
		p = &(*p)->next;
	*p = n->next;
	n->next = NULL;
	t->count--;
}

struct htab_node *htab_next(const struct htab *t, const struct htab_node *n)
{
	size_t i = 0;

	if (!t->buckets)
		return NULL;
	if (n) {
		if (n->next)
			return n->next;
		i = (n->hash & t->mask) + 1;
	}
	for (; i <= t->mask; i++)
		if (t->buckets[i])
			return t->buckets[i];
	return NULL;
}
