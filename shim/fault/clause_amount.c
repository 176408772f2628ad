/* clause_amount.c - the clauses that hold numbers: how often, when, how long, how much. */
#include "fault/parser.h"
#include "fault/quantity.h"

struct kind {
	enum fault_quantity quantity;
	const char *what;
	const char *expected;
	uint64_t least;
};

static const struct kind ordinals = { FAULT_ORDINAL, "count", "an ordinal such as 3rd or 3rd..5th", 1 };
static const struct kind ordinal = { FAULT_ORDINAL, "count", "an ordinal such as 10th", 1 };
static const struct kind times = { FAULT_TIME, "time", "a time such as 200ms or 200ms..2s", 0 };
static const struct kind one_time = { FAULT_TIME, "time", "a time such as 500ms or 10s", 0 };
static const struct kind sizes = { FAULT_SIZE, "size", "a size in bytes such as 16, 1..16 or 4KiB", 1 };

static bool fail_quantity(struct fault_parser *p, const struct fault_word *w, const struct kind *kind,
			  enum fault_quantity_error e)
{
	switch (e) {
	case FAULT_QUANTITY_NO_UNIT:
		return fault_fail(p, w->column + (unsigned)w->n, "expected a unit after %w: ns, us, ms, s, m or h", w);
	case FAULT_QUANTITY_LARGE:
		return fault_fail(p, w->column, "%s %w is too large", kind->what, w);
	case FAULT_QUANTITY_FORM:
	case FAULT_QUANTITY_OK:
		break;
	}
	return fault_fail(p, w->column, "expected %s, found %w", kind->expected, w);
}

static bool take_quantity(struct fault_parser *p, const struct fault_word *w, const struct kind *kind,
			  uint64_t *value)
{
	enum fault_quantity_error e = fault_quantity_parse(w, kind->quantity, value, NULL);

	if (e)
		return fail_quantity(p, w, kind, e);
	if (*value < kind->least)
		return fault_fail(p, w->column, "a %s must be at least 1, found %w", kind->what, w);
	return true;
}

/* A or A..B. */
static bool take_range(struct fault_parser *p, const struct kind *kind, uint64_t *min, uint64_t *max)
{
	struct fault_word w, from, to;
	bool range;

	if (!fault_take(p, &w, kind->expected))
		return false;
	range = fault_range_split(&w, &from, &to);
	if (range && (!from.n || !to.n))
		return fault_fail(p, w.column, "expected %s, found %w", kind->expected, &w);
	if (!take_quantity(p, &from, kind, min) || !take_quantity(p, &to, kind, max))
		return false;
	if (*min > *max)
		return fault_fail(p, w.column, "range %w ends before it begins", &w);
	return true;
}

static bool take_one(struct fault_parser *p, const struct kind *kind, uint64_t *value)
{
	struct fault_word w;

	return fault_take(p, &w, kind->expected) && take_quantity(p, &w, kind, value);
}

bool fault_parse_on(struct fault_parser *p, const struct fault_word *keyword)
{
	p->rule->checks |= FAULT_CHECK_ON;
	return take_range(p, &ordinals, &p->rule->on_from, &p->rule->on_to);
}

bool fault_parse_every(struct fault_parser *p, const struct fault_word *keyword)
{
	uint64_t n;

	if (!take_one(p, &ordinal, &n))
		return false;
	p->rule->checks |= FAULT_CHECK_EVERY;
	p->rule->every = fault_every_make(n);
	return true;
}

/* after N calls, after BYTES */
bool fault_parse_after(struct fault_parser *p, const struct fault_word *keyword)
{
	static const char expected[] = "'N calls' or a size such as 64KiB";
	enum fault_quantity_error e;
	struct fault_word w, next;
	uint64_t value;
	bool unit;

	if (!fault_take(p, &w, expected))
		return false;
	e = fault_quantity_parse(&w, FAULT_SIZE, &value, &unit);
	if (e == FAULT_QUANTITY_LARGE)
		return fault_fail(p, w.column, "size %w is too large", &w);
	if (e)
		return fault_fail(p, w.column, "expected %s, found %w", expected, &w);
	next = fault_line_peek(&p->line);
	if (!unit && (fault_word_is(&next, "calls") || fault_word_is(&next, "call"))) {
		fault_line_next(&p->line, &next);
		p->rule->checks |= FAULT_CHECK_SKIP;
		p->rule->skip = value;
		return fault_clause_once(p, FAULT_CLAUSE_AFTER_CALLS, keyword);
	}
	if (!unit) {
		if (!fault_word_is(&next, "bytes"))
			return fault_fail(p, next.column, "expected 'calls' or 'bytes' after %w, found %w", &w, &next);
		fault_line_next(&p->line, &next);
	}
	p->rule->checks |= FAULT_CHECK_BYTES;
	p->rule->after_bytes = value;
	return fault_clause_once(p, FAULT_CLAUSE_AFTER_BYTES, keyword);
}

bool fault_parse_first(struct fault_parser *p, const struct fault_word *keyword)
{
	static const char expected[] = "a number of faults";
	struct fault_word w;

	if (!fault_take(p, &w, expected))
		return false;
	if (!fault_number_parse(&w, UINT64_MAX, &p->rule->first) || !p->rule->first)
		return fault_fail(p, w.column, "expected %s, at least 1, found %w", expected, &w);
	p->rule->checks |= FAULT_CHECK_FIRST;
	return true;
}

/* within [the] [first] TIME */
bool fault_parse_within(struct fault_parser *p, const struct fault_word *keyword)
{
	struct fault_word w = fault_line_peek(&p->line);

	if (fault_word_is(&w, "the")) {
		fault_line_next(&p->line, &w);
		w = fault_line_peek(&p->line);
	}
	if (fault_word_is(&w, "first"))
		fault_line_next(&p->line, &w);
	p->rule->checks |= FAULT_CHECK_WITHIN;
	return take_one(p, &one_time, &p->rule->within_ns);
}

bool fault_parse_probability(struct fault_parser *p, const struct fault_word *keyword)
{
	static const char expected[] = "a probability such as 5%, 0.5% or 0.005";
	enum fault_quantity_error e;
	struct fault_word w;

	if (!fault_take(p, &w, expected))
		return false;
	e = fault_probability_parse(&w, &p->rule->chance);
	if (e == FAULT_QUANTITY_LARGE)
		return fault_fail(p, w.column, w.s[w.n - 1] == '%' ? "probability %w is more than 100%%"
						: "probability %w is more than 1; for per cent, put a %% after it", &w);
	if (e)
		return fault_fail(p, w.column, "expected %s, found %w", expected, &w);
	p->rule->checks |= FAULT_CHECK_CHANCE;
	return true;
}

bool fault_parse_by(struct fault_parser *p, const struct fault_word *keyword)
{
	return take_range(p, &times, &p->rule->min, &p->rule->max);
}

bool fault_parse_size(struct fault_parser *p, const struct fault_word *keyword)
{
	return take_range(p, &sizes, &p->rule->min, &p->rule->max);
}
