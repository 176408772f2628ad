/* target.c - what a call rule calls: OBJECT:SYMBOL(PARAMETERS) -> RESULT. */
#include <string.h>

#include "fault/parser.h"

#define EXPECTED "OBJECT:FUNCTION(PARAMETERS) -> RESULT"

/* The signature is opaque here: from '(' to its ')', and the result after "->". */
static bool parse_signature(struct fault_parser *p, const char *s, unsigned column)
{
	const char *closing = memchr(s, ')', (size_t)(p->line.end - s));
	struct fault_word w, result;
	struct fault_line rest;
	size_t n;

	if (!closing)
		return fault_fail(p, column, "a '(' is not closed; expected %s", EXPECTED);
	p->line.p = closing + 1;
	rest = p->line;
	if (!fault_line_next(&rest, &w) || w.n < 2 || memcmp(w.s, "->", 2) != 0)
		return fault_fail(p, w.column, "expected '-> RESULT' after the parameters, found %w", &w);
	result = fault_word_part(&w, 2, w.n);
	if (!result.n && !fault_line_next(&rest, &result))
		return fault_fail(p, result.column, "expected a result such as errno after '->'");
	p->line = rest;
	n = (size_t)(rest.p - s);
	memcpy(p->strings, s, n);
	p->strings[n] = 0;
	p->rule->signature = p->strings;
	p->strings += n + 1;
	return true;
}

bool fault_parse_target(struct fault_parser *p)
{
	struct fault_word w, object, symbol;
	long open, colon = -1;

	if (!fault_take(p, &w, EXPECTED))
		return false;
	open = fault_word_find(&w, '(');
	if (open < 0)
		return fault_fail(p, w.column + (unsigned)w.n, "expected '(' after %w, as in %s", &w, EXPECTED);
	object = fault_word_part(&w, 0, (size_t)open);
	for (long i = 0, at = 0; i >= 0; at += i + 1) {	/* the last ':' outside of quotes */
		struct fault_word rest = fault_word_part(&object, (size_t)at, object.n);

		i = fault_word_find(&rest, ':');
		if (i >= 0)
			colon = at + i;
	}
	if (colon <= 0)
		return fault_fail(p, w.column, "expected %s, found %w without OBJECT:", EXPECTED, &object);
	symbol = fault_word_part(&object, (size_t)colon + 1, object.n);
	object = fault_word_part(&object, 0, (size_t)colon);
	if (!symbol.n)
		return fault_fail(p, symbol.column, "expected the name of a function after %w:", &object);
	p->rule->object = fault_keep(p, &object);
	p->rule->symbol = p->rule->object ? fault_keep(p, &symbol) : NULL;
	return p->rule->symbol && parse_signature(p, w.s + open, w.column + (unsigned)open);
}
