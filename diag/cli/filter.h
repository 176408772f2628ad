/* Filter expressions as people type them after the options: words to a tree. */
#ifndef DIAG_CLI_FILTER_H
#define DIAG_CLI_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/expr.h"

/**
 * struct filter - what was asked for after the options
 * @expr:   the condition, or NULL; memory belongs to the filter
 * @states: states named by "state" and "exclude"; 0 when none was
 * @names:  the condition tests unix names, so inet sockets cannot satisfy it all alone
 */
struct filter {
	const struct diag_expr *expr;
	uint32_t states;
	bool names;
	struct filter_chunk *chunks;
};

/** struct filter_error - why a filter is none */
struct filter_error {
	size_t column; /* where in the text, counted from 0 */
	char text[200]; /* what was expected and what was found */
};

/**
 * filter_parse - reads "[state S | exclude S]... [EXPRESSION]"
 * @text: the words, joined with spaces; borrowed until return
 * @f:    receives the filter; the caller gives it to filter_free(), after an error too
 * @err:  receives what is wrong with @text
 *
 * The grammar is the one of ss(8):
 *	EXPRESSION := TERM { or TERM };  TERM := FACTOR { [and] FACTOR }
 *	FACTOR := [not] FACTOR | ( EXPRESSION ) | PREDICATE
 *	PREDICATE := {src|dst} [=|!=] HOST | {sport|dport} OP PORT | dev [=|!=] DEVICE
 *		   | fwmark [=|!=] MARK[/MASK] | cgroup [=|!=] PATH | autobound
 *
 * Return: 0, or -1 with @err filled in.
 */
int filter_parse(const char *text, struct filter *f, struct filter_error *err);

/** filter_free - frees what a filter holds */
void filter_free(struct filter *f);

#endif
