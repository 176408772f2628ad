/* Intrusive hash table that grows. */
#include "base/htab.h"

#include <stdlib.h>

enum { HTAB_MIN_SLOTS = 16 };

void htab_init(struct htab *t)
{
	*t = (struct htab){ 0 };
}

void htab_fini(struct htab *t)
{
	free(t->slots);
	htab_init(t);
}

static uint64_t slot_make(const struct htab_node *n, uint64_t hash)
{
	return (uintptr_t)n | hash >> HTAB_ADDR_BITS << HTAB_ADDR_BITS;
}

static void place(uint64_t *slots, size_t mask, uint64_t slot, uint64_t hash)
{
	size_t i = hash & mask;

	while (slots[i])
		i = (i + 1) & mask;
	slots[i] = slot;
}

/* Half full at most: then a look-up ends after a slot or two. */
static bool htab_grow(struct htab *t)
{
	size_t n = t->slots ? (t->mask + 1) * 2 : HTAB_MIN_SLOTS;
	uint64_t *slots = calloc(n, sizeof(*slots));

	if (!slots)	/* fuller is better than no entry, while a free slot ends each search */
		return t->slots && t->hashes < t->mask;
	for (size_t i = 0; t->slots && i <= t->mask; i++)
		if (t->slots[i])
			place(slots, n - 1, t->slots[i], htab_slot_node(t->slots[i])->hash);
	free(t->slots);
	t->slots = slots;
	t->mask = n - 1;
	return true;
}

/* The index of the slot that has @hash; one beyond the last if there is none. */
static size_t index_of(const struct htab *t, uint64_t hash)
{
	for (size_t i = hash & t->mask; t->slots[i]; i = (i + 1) & t->mask)
		if ((t->slots[i] ^ hash) >> HTAB_ADDR_BITS == 0 &&
		    htab_slot_node(t->slots[i])->hash == hash)
			return i;
	return t->mask + 1;
}

bool htab_insert(struct htab *t, struct htab_node *n, uint64_t hash)
{
	size_t i = t->slots ? index_of(t, hash) : 0;

	if (slot_make(n, 0) >> HTAB_ADDR_BITS)
		return false;		/* no address of the kinds of memory there are today */
	n->hash = hash;
	n->next = NULL;
	if (t->slots && i <= t->mask) {
		n->next = htab_slot_node(t->slots[i]);
		t->slots[i] = slot_make(n, hash);
		t->count++;
		return true;
	}
	if ((!t->slots || t->hashes > t->mask / 2) && !htab_grow(t))
		return false;
	place(t->slots, t->mask, slot_make(n, hash), hash);
	t->hashes++;
	t->count++;
	return true;
}

/* Empties slot @i, and moves up what was entered after it only because it was taken. */
static void slot_clear(struct htab *t, size_t i)
{
	for (size_t j = (i + 1) & t->mask; t->slots[j]; j = (j + 1) & t->mask) {
		size_t home = htab_slot_node(t->slots[j])->hash & t->mask;

		if (((j - home) & t->mask) < ((j - i) & t->mask))
			continue;
		t->slots[i] = t->slots[j];
		i = j;
	}
	t->slots[i] = 0;
}

void htab_remove(struct htab *t, struct htab_node *n)
{
	size_t i = index_of(t, n->hash);
	struct htab_node *first = htab_slot_node(t->slots[i]);

	t->count--;
	if (first == n && !n->next) {
		slot_clear(t, i);
		t->hashes--;
	} else if (first == n) {
		t->slots[i] = slot_make(n->next, n->hash);
	} else {
		while (first->next != n)
			first = first->next;
		first->next = n->next;
	}
	n->next = NULL;
}

struct htab_node *htab_next(const struct htab *t, const struct htab_node *n)
{
	size_t i = 0;

	if (!t->slots)
		return NULL;
	if (n && n->next)
		return n->next;
	if (n)
		i = index_of(t, n->hash) + 1;
	for (; i <= t->mask; i++)
		if (t->slots[i])
			return htab_slot_node(t->slots[i]);
	return NULL;
}
