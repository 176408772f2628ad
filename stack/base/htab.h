/* Intrusive hash table that grows; a look-up costs the same with ten entries and with a million. */
#ifndef STACK_BASE_HTAB_H
#define STACK_BASE_HTAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** struct htab_node - embedded in each entry; @hash is the whole hash, compared before the key is */
struct htab_node {
	struct htab_node *next;
	uint64_t hash;
};

struct htab {
	struct htab_node **buckets;
	size_t mask;
	size_t count;
};

/** htab_init() - an empty table; allocates nothing until the first insertion */
void htab_init(struct htab *t);

/** htab_fini() - release the table, not its entries */
void htab_fini(struct htab *t);

/** htab_insert() - add @n, which must be in no table; false if there was no memory */
bool htab_insert(struct htab *t, struct htab_node *n, uint64_t hash);

/** htab_remove() - remove @n, which must be in @t */
void htab_remove(struct htab *t, struct htab_node *n);

/** htab_match() - @n or the first after it in its chain with this hash */
static inline struct htab_node *htab_match(struct htab_node *n, uint64_t hash)
{
	while (n && n->hash != hash)
		n = n->next;
	return n;
}

/** htab_find() - the first entry with this hash; the next is htab_match(n->next, hash) */
static inline struct htab_node *htab_find(const struct htab *t, uint64_t hash)
{
	return t->buckets ? htab_match(t->buckets[hash & t->mask], hash) : NULL;
}

#define htab_for_each_match(pos, t, h) \
	for (struct htab_node *pos = htab_find(t, h); pos; pos = htab_match(pos->next, h))

/** htab_next() - walk all entries: @n NULL for the first; the entry returned before may not be removed */
struct htab_node *htab_next(const struct htab *t, const struct htab_node *n);

#endif
