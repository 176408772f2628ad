/* parse.c - text to rules: lines, numbers, actions, calls.
 *
 * A recursive descent without recursion: each line is [NUMBER] ACTION [after] CALL, then what the action
 * needs and the conditions in any order (clause.c). An error ends its line; the lines after it are read all the
 * same, so that one run shows all errors.
 */
#include <string.h>

#include "fault/names.h"
#include "fault/parser.h"
#include "fault/quantity.h"

#define RULE_TEXT_MIN 9		/* "drop send" */

static size_t rules_max(size_t text_bytes)
{
	size_t n = text_bytes / RULE_TEXT_MIN + 1;

	return n < RUN_RULES ? n : RUN_RULES - 1;
}

size_t fault_set_bytes(size_t text_bytes)
{
	/* Each rule keeps its text and parts of it, all NUL-terminated; the blank that ends a part makes up
	 * for its NUL but for three: of the text, and of the three strings of a call rule's target. */
	return sizeof(struct fault_set) + rules_max(text_bytes) * (sizeof(struct fault_rule) + 8) +
	       2 * text_bytes + 8;
}

bool fault_take(struct fault_parser *p, struct fault_word *w, const char *expected)
{
	return fault_line_next(&p->line, w) || fault_fail(p, w->column, "expected %s, found %w", expected, w);
}

const char *fault_keep(struct fault_parser *p, const struct fault_word *w)
{
	char *s = p->strings;
	long n = fault_word_copy(s, w);

	if (n < 0) {
		fault_fail(p, w->column, "a quote in %w is not closed", w);
		return NULL;
	}
	if (n == 0 || memchr(s, 0, (size_t)n)) {
		fault_fail(p, w->column, n ? "a NUL byte in %w" : "an empty word", w);
		return NULL;
	}
	p->strings += n + 1;
	return s;
}

static bool parse_call_name(struct fault_parser *p)
{
	const struct fault_call_name *call;

	if (!fault_take(p, &p->call, "a call such as connect"))
		return false;
	call = fault_call_find(&p->call);
	if (!call)
		return fault_fail_unknown(p, &p->call, "call", fault_call_nearest(&p->call),
					  "socket, connect, accept, send, recv, close, resolve ... "
					  "or the name of one call such as sendto");
	p->rule->type = call->type;
	if (call->exact) {
		p->rule->call = call->name;
		p->rule->checks |= FAULT_CHECK_NAME;
	}
	return true;
}

#define BIT(t) (1u << SOCKSHIM_##t)
#define DATA (BIT(SEND) | BIT(RECV))
#define ALL ((1u << SOCKSHIM_FILTER_TYPES) - 1)

struct action {
	char name[FAULT_NAME];
	enum fault_action action;
	uint32_t types;		/* that it can be done to */
	const char *why;	/* it cannot be done to others */
};

static const struct action actions[] = {
	{ "fail", FAULT_FAIL, ALL, NULL },
	{ "delay", FAULT_DELAY, ALL, NULL },
	{ "short", FAULT_SHORT, DATA, "only send and recv move bytes" },
	{ "reset", FAULT_RESET, DATA | BIT(SHUTDOWN) | BIT(CLOSE),
	  "only send, recv, shutdown and close are made on a connection" },
	{ "drop", FAULT_DROP, DATA, "only send and recv move data" },
	{ "corrupt", FAULT_CORRUPT, DATA, "only send and recv move data" },
	{ "call", FAULT_CALL, ALL, NULL },
};

static bool parse_action(struct fault_parser *p)
{
	const struct action *a;
	struct fault_word w;

	if (!fault_take(p, &w, "an action such as fail"))
		return false;
	a = fault_name_find(FAULT_TABLE(actions), &w);
	if (!a)
		return fault_fail_unknown(p, &w, "action", fault_name_nearest(FAULT_TABLE(actions), &w),
					  "fail, delay, short, reset, drop, corrupt or call");
	p->rule->action = (uint8_t)a->action;
	w = fault_line_peek(&p->line);
	if (a->action == FAULT_CALL && fault_word_is(&w, "after")) {
		fault_line_next(&p->line, &w);
		p->rule->action = FAULT_CALL_AFTER;
	}
	if (!parse_call_name(p))
		return false;
	if (!(a->types & 1u << p->rule->type))
		return fault_fail(p, p->call.column, "cannot %s %w: %s", a->name, &p->call, a->why);
	if (p->rule->call && !strcmp(p->rule->call, "closefrom") && a->action == FAULT_FAIL)
		return fault_fail(p, p->call.column, "cannot fail 'closefrom': it returns no error");
	return a->action != FAULT_CALL || fault_parse_target(p);
}

/* The number that leads a rule in a run's control block. */
static bool parse_number(struct fault_parser *p)
{
	struct fault_word w;
	uint64_t number;

	if (!fault_take(p, &w, "the rule's number"))
		return false;
	if (!fault_number_parse(&w, RUN_RULES - 1, &number) || !number)
		return fault_fail(p, w.column, "expected the rule's number, 1 to %u, found %w", RUN_RULES - 1, &w);
	if (p->numbers_used[number])
		return fault_fail(p, w.column, "rule number %w is used twice", &w);
	p->numbers_used[number] = 1;
	p->rule->number = (uint8_t)number;
	return true;
}

/* The rule's own text, without its number. */
static bool keep_text(struct fault_parser *p)
{
	struct fault_word w = fault_line_peek(&p->line);

	w.n = (size_t)(p->line.end - w.s);
	memcpy(p->strings, w.s, w.n);
	p->strings[w.n] = 0;
	p->rule->text = p->strings;
	p->strings += w.n + 1;
	return true;
}

static void parse_line(struct fault_parser *p, const char *s, size_t n, bool numbered, unsigned number)
{
	char *strings = p->strings;
	struct fault_word w;

	fault_line_begin(&p->line, s, n);
	w = fault_line_peek(&p->line);
	if (!w.n)
		return;
	if (memchr(s, 0, n)) {
		fault_fail(p, (unsigned)((const char *)memchr(s, 0, n) - s) + 1, "a NUL byte");
		return;
	}
	if (p->set->n == p->rules_max || (!numbered && number + p->set->n >= RUN_RULES)) {
		fault_fail(p, w.column, "too many rules; their numbers go from 1 to %u", RUN_RULES - 1);
		return;
	}
	p->rule = &p->set->rules[p->set->n];
	memset(p->columns, 0, sizeof(p->columns));
	memset(p->rule, 0, sizeof(*p->rule));
	p->rule->number = (uint8_t)(number + p->set->n);
	if ((!numbered || parse_number(p)) && keep_text(p) && parse_action(p) && fault_parse_clauses(p))
		p->set->n++;
	else
		p->strings = strings;
}

struct fault_set *fault_parse(void *mem, const char *text, size_t n, bool numbered, unsigned first,
			      struct fault_error *err, size_t max, size_t *n_err)
{
	struct fault_parser p = { .set = mem, .rules_max = rules_max(n), .err = err, .max = max };
	const char *s = text, *end = text + n;

	memset(p.set, 0, sizeof(*p.set));
	p.strings = (char *)&p.set->rules[p.rules_max];
	while (s < end) {
		const char *newline = memchr(s, '\n', (size_t)(end - s));
		const char *line_end = newline ? newline : end;

		p.line_number++;
		parse_line(&p, s, (size_t)(line_end - s), numbered, first);
		s = line_end + 1;
	}
	if (n_err)
		*n_err = p.n_err;
	if (p.failed)
		return NULL;
	fault_set_index(p.set);
	return p.set;
}
