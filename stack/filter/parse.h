/* Reading rules: what the parts of the parser share with matches and targets. */
#ifndef STACK_FILTER_PARSE_H
#define STACK_FILTER_PARSE_H

#include "filter/filter.h"
#include "filter/lex.h"
#include "filter/model.h"

/**
 * struct parser
 * @tables: read so far, NULL for those the text does not name
 * @table:  the present one, NULL between COMMIT and the next "*name"
 * @name, @arg: the present option and its arguments
 * @rule:   the present rule; @chain: whose; @seen: which of a rule's own options it has
 * @count:  rules and chains so far
 */
struct parser {
	struct lex lex;
	struct filter_error *e;
	enum net_index net;
	unsigned flags;
	struct table *tables[TABLE_COUNT];
	struct table *table;
	size_t count;
	bool no_memory;
	const struct token *name, *arg[2];
	size_t at;
	struct rule *rule;
	struct chain *chain;
	uint32_t seen;
};

/** parse_text() - read all of a text; false with *@p->e filled in, or @no_memory */
bool parse_text(struct parser *p, const char *text, size_t len);

/** parser_fail() - note "expected ..." with what stands at @off bytes into @t instead; false */
bool parser_fail(struct parser *p, const struct token *t, size_t off, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/** parser_refuse() - note something wrong with a rule as a whole; false */
bool parser_refuse(struct parser *p, const struct rule *r, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/** parser_no_memory() - false */
bool parser_no_memory(struct parser *p);

/** table_check() - jumps that go round, too deep or too far, what is used where it must not be; fills in what
 * struct chain has for it. False after parser_refuse(). */
bool table_check(struct parser *p, struct table *t);

/** struct scan - a walk through a word */
struct scan {
	struct parser *p;
	const struct token *t;
	const char *at;
};

static inline struct scan scan_of(struct parser *p, const struct token *t)
{
	return (struct scan){ p, t, t->s };
}

/** scan_fail() - parser_fail() at the present place */
#define scan_fail(sc, ...) \
	parser_fail((sc)->p, (sc)->t, (size_t)((sc)->at - (sc)->t->s), __VA_ARGS__)

/** scan_take() - step over @c if it is next */
bool scan_take(struct scan *s, char c);

/** scan_end() - whether the word ends here; fails with "expected @what" if not */
bool scan_end(struct scan *s, const char *what);

/** scan_number() - decimal, 0x hexadecimal or 0 octal, at most @max; @what: for "expected @what" */
bool scan_number(struct scan *s, uint64_t max, const char *what, uint64_t *out);

/** scan_port_range() - "a", "a:b", ":b", "a:" with @sep between; @open: whether ends may be left out */
bool scan_port_range(struct scan *s, char sep, bool open, uint16_t out[2]);

/** scan_word() - letters, digits, '-' and '_' into @buf; false if there are none or too many */
bool scan_word(struct scan *s, char *buf, size_t size);

/** scan_addr() - an address of the parser's family, up to any of @stop; fails with "expected ..." */
bool scan_addr(struct scan *s, const char *stop, struct addr *out);

/** scan_net() - the whole word: an address with an optional /prefix or /mask */
bool scan_net(struct scan *s, struct rule_addr *out);

/** rule_addr_print() - as scan_net() reads it; @host: a single address with its /32 or /128 too */
void rule_addr_print(const struct rule_addr *a, bool host, struct text *t);

static inline bool rule_addr_matches(const struct rule_addr *r, const struct addr *a)
{
	return !(((a->q[0] & r->mask.q[0]) ^ r->id.q[0]) | ((a->q[1] & r->mask.q[1]) ^ r->id.q[1]));
}

/** struct name_value - a name for a number, in tables that end with a NULL name */
struct name_value {
	const char *name;
	uint32_t value;
};

/** name_find() - the row of a name, NULL if there is none; name_of() - of a value, NULL likewise */
const struct name_value *name_find(const struct name_value *table, const char *name);
const char *name_of(const struct name_value *table, uint32_t value);

/** scan_names() - names of @table with commas between, their values or-ed into *@bits; the whole word */
bool scan_names(struct scan *s, const struct name_value *table, const char *what, uint32_t *bits);

/** names_print() - the names whose values are in @bits, with commas between */
void names_print(const struct name_value *table, uint32_t bits, struct text *t);

/** proto_parse() - a protocol's name or number; false if it is neither */
bool proto_parse(const char *s, uint8_t *out);

/** proto_print() - its name if it has one */
void proto_print(uint8_t proto, struct text *t);

#endif
