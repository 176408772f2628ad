/* parser.h - what the parts of the parser share: the text, the rule in work, the messages. */
#ifndef SHIM_FAULT_PARSER_H
#define SHIM_FAULT_PARSER_H

#include "fault/fault.h"
#include "fault/rule.h"
#include "fault/word.h"

enum fault_clause {
	FAULT_CLAUSE_LATE, FAULT_CLAUSE_WITH, FAULT_CLAUSE_BY, FAULT_CLAUSE_SIZE, FAULT_CLAUSE_TO,
	FAULT_CLAUSE_FROM, FAULT_CLAUSE_FAMILY, FAULT_CLAUSE_TYPE, FAULT_CLAUSE_PROGRAM,
	FAULT_CLAUSE_THREAD, FAULT_CLAUSE_ON, FAULT_CLAUSE_EVERY, FAULT_CLAUSE_AFTER_CALLS,
	FAULT_CLAUSE_AFTER_BYTES, FAULT_CLAUSE_FIRST, FAULT_CLAUSE_WITHIN, FAULT_CLAUSE_PROBABILITY,
	FAULT_CLAUSE_AT, FAULT_CLAUSE_NAME,
	FAULT_CLAUSES
};

struct fault_parser {
	struct fault_set *set;
	size_t rules_max;
	char *strings;			/* where the next string goes */
	struct fault_line line;
	unsigned line_number;
	struct fault_rule *rule;
	struct fault_word call;		/* the word that named the call */
	unsigned columns[FAULT_CLAUSES]; /* where the rule has a clause; 0: it has none */
	uint8_t numbers_used[RUN_RULES];
	bool failed;
	struct fault_error *err;
	size_t max, n_err;
};

/* Adds an error (or a warning) at a column of the line in work. %w takes a struct fault_word * and puts
 * it in quotes, or "the end of the line" if it is empty; %s takes a string, %u an unsigned. Errors come
 * before warnings; what is more than `max` is not kept. fault_fail returns false. */
bool fault_fail(struct fault_parser *p, unsigned column, const char *fmt, ...);
void fault_warn(struct fault_parser *p, unsigned column, const char *fmt, ...);

/* "unknown WHAT 'W'", and the name it may have been meant to be, or else what was expected. */
bool fault_fail_unknown(struct fault_parser *p, const struct fault_word *w, const char *what,
			const char *nearest, const char *expected);

/* Takes the next word; an error says what was expected if there is none. */
bool fault_take(struct fault_parser *p, struct fault_word *w, const char *expected);

/* Copies a word without its quotes into the set; NULL after an error. */
const char *fault_keep(struct fault_parser *p, const struct fault_word *w);

/* Notes that the rule has a clause, whose keyword is w; an error if it had it already. */
bool fault_clause_once(struct fault_parser *p, enum fault_clause clause, const struct fault_word *w);

/* The clauses about how often and when: how they are read after their keyword. */
bool fault_parse_on(struct fault_parser *p, const struct fault_word *keyword);
bool fault_parse_every(struct fault_parser *p, const struct fault_word *keyword);
bool fault_parse_after(struct fault_parser *p, const struct fault_word *keyword);
bool fault_parse_first(struct fault_parser *p, const struct fault_word *keyword);
bool fault_parse_within(struct fault_parser *p, const struct fault_word *keyword);
bool fault_parse_probability(struct fault_parser *p, const struct fault_word *keyword);
/* and how much: `by` of delay, `to` of short. */
bool fault_parse_by(struct fault_parser *p, const struct fault_word *keyword);
bool fault_parse_size(struct fault_parser *p, const struct fault_word *keyword);

/* Reads what follows the call: `with`, `by`, `to`, and all the conditions. */
bool fault_parse_clauses(struct fault_parser *p);

/* Reads OBJECT:SYMBOL(PARAMETERS) -> RESULT. */
bool fault_parse_target(struct fault_parser *p);

#endif
