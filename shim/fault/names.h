/* names.h - the words of the language that stand in tables, and what is nearest to a misspelt one.
 *
 * Each entry of a table begins with `char name[FAULT_NAME]`: characters, not pointers, so that loading
 * the library relocates nothing.
 */
#ifndef SHIM_FAULT_NAMES_H
#define SHIM_FAULT_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fault/word.h"
#include "sockshim.h"

#define FAULT_NAME 16

struct fault_name {
	char name[FAULT_NAME];
	int value;
};

/* A call that a rule can be about. */
struct fault_call_name {
	char name[FAULT_NAME];
	uint8_t type;		/* enum sockshim_filter_type */
	bool exact;		/* one call, not all that are filtered as this type */
};

#define FAULT_TABLE(t) (t), sizeof((t)[0]), sizeof(t) / sizeof((t)[0])

/* The entry whose name w is, or NULL. */
const void *fault_name_find(const void *table, size_t stride, size_t n, const struct fault_word *w);

/* Which of the names that are offered is most likely the one that was meant by a misspelt word: the
 * fewest edits and swaps of letters, in either case. `name` is NULL if none is near. */
struct fault_nearest {
	const struct fault_word *word;
	unsigned limit;		/* edits that are too many */
	const char *name;
};
struct fault_nearest fault_nearest_to(const struct fault_word *w);
void fault_nearest_offer(struct fault_nearest *nearest, const char *name);

/* The same among a table's names. */
const char *fault_name_nearest(const void *table, size_t stride, size_t n, const struct fault_word *w);

/* A call by its name. */
const struct fault_call_name *fault_call_find(const struct fault_word *w);
const char *fault_call_nearest(const struct fault_word *w);

/* The i-th call name, NULL after the last. */
const struct fault_call_name *fault_call_at(size_t i);

/* An errno (EAI_ value with `eai`) by its name; 0: there is none. */
int fault_errno_find(const struct fault_word *w, bool eai);
const char *fault_errno_nearest(const struct fault_word *w, bool eai);

/* Whether the manual has the call return err. */
bool fault_errno_possible(enum sockshim_filter_type t, int err);

/* What `fail CALL` fails with when the rule does not say; 0: nothing obvious. */
int fault_errno_default(enum sockshim_filter_type t);

#endif
