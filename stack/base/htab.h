/* Intrusive hash table that grows; a look-up costs much the same with ten entries and with a million. */
#ifndef STACK_BASE_HTAB_H
#define STACK_BASE_HTAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** struct htab_node - embedded in each entry; @next: one with the same hash, entered before */
struct htab_node {
	struct htab_node *next;
	uint64_t hash;
};

/**
 * struct htab - open addressing, linear probing
 * @slots:  the address of an entry with the top bits of its hash where addresses have none; 0: empty
 * @hashes: slots in use: entries with the same hash share one
 * @count:  entries
 *
 * Whether a slot is the one looked for is seen without touching the entry: its memory, which is far with
 * many entries, is waited for once, and what the processor has to guess depends on nothing far.
 */
struct htab {
	uint64_t *slots;
	size_t mask;
	size_t hashes;
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

enum { HTAB_ADDR_BITS = 48 };

static inline struct htab_node *htab_slot_node(uint64_t slot)
{
	return (struct htab_node *)(uintptr_t)(slot & ((1ull << HTAB_ADDR_BITS) - 1));
}

/** htab_find() - the last entered entry with this hash; the next one is @next */
static inline struct htab_node *htab_find(const struct htab *t, uint64_t hash)
{
	if (!t->slots)
		return NULL;
	for (size_t i = hash & t->mask; t->slots[i]; i = (i + 1) & t->mask) {
		uint64_t slot = t->slots[i];

		if ((slot ^ hash) >> HTAB_ADDR_BITS == 0 && htab_slot_node(slot)->hash == hash)
			return htab_slot_node(slot);
	}
	return NULL;
}

#define htab_for_each_match(pos, t, h) \
	for (struct htab_node *pos = htab_find(t, h); pos; pos = pos->next)

/** htab_next() - walk all entries: @n NULL for the first; the entry returned before may not be removed */
struct htab_node *htab_next(const struct htab *t, const struct htab_node *n);

#endif
