/* rules.h - fault rules on their way into a control block: read, parsed, checked, numbered. */
#ifndef SHIM_LAUNCH_RULES_H
#define SHIM_LAUNCH_RULES_H

#include <stdbool.h>
#include <stddef.h>

#include "run/layout.h"

/* Numbered rules, one a line, as struct run_control has them. */
struct rules {
	char text[RUN_RULES_TEXT];
	size_t bytes;		/* without the NUL */
	unsigned next;		/* number of the next one */
};

void rules_init(struct rules *r, unsigned next);

/* Parses `text` (n bytes), which came from `source` ("rules.shim", "--fault"), binds its plugins on
 * trial, and appends its rules. 0, or -1 after showing each error with its line and place; warnings are
 * shown and pass. */
int rules_add(struct rules *r, const char *source, const char *text, size_t n);

/* The same for a file; "-" is standard input. */
int rules_add_file(struct rules *r, const char *path);

/* Calls `each` for every rule of numbered text, in order, with its number and its text (not
 * terminated). */
void rules_each(const char *text, void (*each)(unsigned number, const char *rule, size_t n, void *user),
		void *user);

#endif
