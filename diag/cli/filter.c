/*
 * Filter expressions: a lexer over the text, and recursive descent into a tree.
 *
 * Tokens are words separated by blanks; parentheses, !, &, |, and comparison signs end a word too,
 * so that both "sport>=:80" and "sport >= :80" are read. Every token remembers its column.
 */
#include "cli/filter.h"

#include <ctype.h>
#include <errno.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli/cgroup.h"
#include "cli/host.h"
#include "wire/state.h"

/* Deep enough for any person, shallow enough for any stack. */
#define DEPTH_MAX 200

struct filter_chunk {
	struct filter_chunk *next;
	union {
		struct diag_expr expr;
		char text[1];
	};
};

struct token {
	const char *at;
	size_t len;
};

struct parser {
	const char *text;
	const char *pos;
	struct token tok; /* the next one; len 0 at the end */
	struct filter *f;
	struct filter_error *err;
	unsigned int depth;
};

enum compare { CMP_EQ, CMP_NE, CMP_GE, CMP_LE, CMP_GT, CMP_LT };

static const struct {
	const char *word;
	enum compare cmp;
} compares[] = {
	{ "=", CMP_EQ },   { "==", CMP_EQ },  { "eq", CMP_EQ }, { "!=", CMP_NE },  { "ne", CMP_NE },
	{ "neq", CMP_NE }, { ">=", CMP_GE },  { "ge", CMP_GE }, { "geq", CMP_GE }, { "<=", CMP_LE },
	{ "le", CMP_LE },  { "leq", CMP_LE }, { ">", CMP_GT },  { "gt", CMP_GT },  { "<", CMP_LT },
	{ "lt", CMP_LT },
};

static bool is_sign(char c)
{
	return c == '=' || c == '!' || c == '<' || c == '>';
}

static void next(struct parser *p)
{
	const char *s = p->pos;
	size_t n;

	while (isspace((unsigned char)*s))
		s++;
	p->tok.at = s;
	if (*s == '(' || *s == ')')
		n = 1;
	else if (*s == '&' || *s == '|')
		n = s[1] == *s ? 2 : 1;
	else if (is_sign(*s))
		n = s[1] == '=' ? 2 : 1;
	else
		for (n = 0; s[n] && !isspace((unsigned char)s[n]) && !strchr("()&|", s[n]) && !is_sign(s[n]); n++)
			;
	p->tok.len = n;
	p->pos = s + n;
}

static bool is(const struct parser *p, const char *word)
{
	return p->tok.len == strlen(word) && !strncasecmp(p->tok.at, word, p->tok.len);
}

static bool is_any(const struct parser *p, const char *const *words)
{
	for (; *words; words++)
		if (is(p, *words))
			return true;
	return false;
}

static const char *const and_words[] = { "and", "&", "&&", NULL };
static const char *const or_words[] = { "or", "|", "||", NULL };
static const char *const not_words[] = { "not", "!", NULL };
static const char *const end_words[] = { ")", NULL };

/* Records the error: expected @what at the current token. */
__attribute__((format(printf, 2, 3))) static int expected(struct parser *p, const char *fmt, ...)
{
	char what[120];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	p->err->column = (size_t)(p->tok.at - p->text);
	if (p->tok.len)
		snprintf(p->err->text, sizeof(p->err->text), "expected %s, found '%.*s'", what,
			 (int)(p->tok.len < 40 ? p->tok.len : 40), p->tok.at);
	else
		snprintf(p->err->text, sizeof(p->err->text), "expected %s, found the end", what);
	return -1;
}

static struct filter_chunk *chunk(struct parser *p, size_t size)
{
	struct filter_chunk *c = calloc(1, sizeof(*c) + size);

	if (!c) {
		fputs("sockdiag: out of memory\n", stderr);
		exit(1);
	}
	c->next = p->f->chunks;
	p->f->chunks = c;
	return c;
}

static struct diag_expr *node(struct parser *p, enum diag_expr_op op)
{
	struct diag_expr *e = &chunk(p, 0)->expr;

	e->op = op;
	return e;
}

static struct diag_expr *join(struct parser *p, enum diag_expr_op op, const struct diag_expr *a,
			      const struct diag_expr *b)
{
	struct diag_expr *e = node(p, op);

	e->a = a;
	e->b = b;
	return e;
}

/* The current token as a string of the filter's. */
static char *word(struct parser *p)
{
	char *s = chunk(p, p->tok.len)->text;

	memcpy(s, p->tok.at, p->tok.len);
	return s;
}

/* Takes a comparison sign when one is there; without one it is "=". */
static enum compare comparison(struct parser *p)
{
	for (size_t i = 0; i < sizeof(compares) / sizeof(compares[0]); i++)
		if (is(p, compares[i].word)) {
			next(p);
			return compares[i].cmp;
		}
	return CMP_EQ;
}

/* "=" or "!=", for what has no order. */
static int equality(struct parser *p, bool *negated)
{
	struct token sign = p->tok;
	enum compare c = comparison(p);

	if (c != CMP_EQ && c != CMP_NE) {
		p->tok = sign;
		return expected(p, "= or !=");
	}
	*negated = c == CMP_NE;
	return 0;
}

static const struct diag_expr *negate_if(struct parser *p, bool negated, const struct diag_expr *e)
{
	return negated ? join(p, DIAG_EXPR_NOT, e, NULL) : e;
}

static const struct diag_expr *hosts_expr(struct parser *p, enum diag_expr_op op, const struct host_list *l)
{
	const struct diag_expr *all = NULL;

	for (size_t i = 0; i < l->count; i++) {
		struct diag_expr *e = node(p, op);

		e->host = l->hosts[i];
		all = all ? join(p, DIAG_EXPR_OR, all, e) : e;
	}
	if (l->only_ipv4) {
		struct diag_expr *e = node(p, op);

		e->host = (struct diag_expr_host){ .family = AF_INET6, .port = -1 };
		all = join(p, DIAG_EXPR_AND, all, negate_if(p, true, e));
	}
	return all;
}

static int parse_host(struct parser *p, bool src, const struct diag_expr **out)
{
	struct host_list l;
	const char *why;
	bool negated;
	char *s;

	if (equality(p, &negated))
		return -1;
	if (!p->tok.len)
		return expected(p, "an address (10.0.0.0/8:443, [::1]:80, :https, a host name, or a unix name)");
	s = word(p);
	if (host_is_unix(s)) {
		struct diag_expr *e = node(p, src ? DIAG_EXPR_SRC_NAME : DIAG_EXPR_DST_NAME);

		e->name = host_unix_pattern(s);
		p->f->names = true;
		*out = e;
	} else {
		why = host_parse(s, &l);
		if (why)
			return expected(p, "%s", why);
		*out = hosts_expr(p, src ? DIAG_EXPR_SRC : DIAG_EXPR_DST, &l);
	}
	*out = negate_if(p, negated, *out);
	next(p);
	return 0;
}

static int parse_src(struct parser *p, const struct diag_expr **out)
{
	return parse_host(p, true, out);
}

static int parse_dst(struct parser *p, const struct diag_expr **out)
{
	return parse_host(p, false, out);
}

static int parse_port(struct parser *p, bool src, const struct diag_expr **out)
{
	enum compare c = comparison(p);
	/* What holds for "less" is what does not for "at least". */
	static const struct {
		enum diag_expr_op sport, dport;
		bool negated;
	} how[] = {
		[CMP_EQ] = { DIAG_EXPR_SPORT_EQ, DIAG_EXPR_DPORT_EQ, false },
		[CMP_NE] = { DIAG_EXPR_SPORT_EQ, DIAG_EXPR_DPORT_EQ, true },
		[CMP_GE] = { DIAG_EXPR_SPORT_GE, DIAG_EXPR_DPORT_GE, false },
		[CMP_LT] = { DIAG_EXPR_SPORT_GE, DIAG_EXPR_DPORT_GE, true },
		[CMP_LE] = { DIAG_EXPR_SPORT_LE, DIAG_EXPR_DPORT_LE, false },
		[CMP_GT] = { DIAG_EXPR_SPORT_LE, DIAG_EXPR_DPORT_LE, true },
	};
	struct diag_expr *e;
	const char *s;
	int port;

	if (!p->tok.len)
		return expected(p, "a port (:443, 443 or :https)");
	s = word(p);
	port = host_port(s[0] == ':' ? s + 1 : s);
	if (port < 0)
		return expected(p, "a port (:443, 443 or :https)");
	e = node(p, src ? how[c].sport : how[c].dport);
	e->num = (uint16_t)port;
	*out = negate_if(p, how[c].negated, e);
	next(p);
	return 0;
}

static int parse_sport(struct parser *p, const struct diag_expr **out)
{
	return parse_port(p, true, out);
}

static int parse_dport(struct parser *p, const struct diag_expr **out)
{
	return parse_port(p, false, out);
}

static int parse_dev(struct parser *p, const struct diag_expr **out)
{
	struct diag_expr *e;
	unsigned long n;
	bool negated;
	char *s, *end;

	if (equality(p, &negated))
		return -1;
	s = word(p);
	n = if_nametoindex(s);
	if (!n && isdigit((unsigned char)s[0])) {
		n = strtoul(s, &end, 10);
		if (*end || n > UINT32_MAX)
			n = 0;
	}
	if (!n)
		return expected(p, "the name or number of a network device");
	e = node(p, DIAG_EXPR_DEV);
	e->ifindex = (uint32_t)n;
	*out = negate_if(p, negated, e);
	next(p);
	return 0;
}

static int parse_mark(struct parser *p, const struct diag_expr **out)
{
	struct diag_expr *e;
	bool negated;
	char *s, *end;
	unsigned long long value, mask = UINT32_MAX;

	if (equality(p, &negated))
		return -1;
	s = word(p);
	value = strtoull(s, &end, 0);
	if (end != s && *end == '/') {
		const char *m = end + 1;

		mask = strtoull(m, &end, 0);
		if (end == m)
			end = s;
	}
	if (end == s || *end || value > UINT32_MAX || mask > UINT32_MAX)
		return expected(p, "a mark (0x10 or 0x10/0xff)");
	e = node(p, DIAG_EXPR_MARK);
	e->mark.value = (uint32_t)value;
	e->mark.mask = (uint32_t)mask;
	*out = negate_if(p, negated, e);
	next(p);
	return 0;
}

static int parse_cgroup(struct parser *p, const struct diag_expr **out)
{
	struct diag_expr *e;
	uint64_t id;
	bool negated;

	if (equality(p, &negated))
		return -1;
	if (!p->tok.len || cgroup_id_of(word(p), &id))
		return expected(p, "the path of a version 2 control group");
	e = node(p, DIAG_EXPR_CGROUP);
	e->cgroup_id = id;
	*out = negate_if(p, negated, e);
	next(p);
	return 0;
}

static int parse_autobound(struct parser *p, const struct diag_expr **out)
{
	*out = node(p, DIAG_EXPR_AUTOBOUND);
	return 0;
}

static const struct {
	const char *word;
	int (*parse)(struct parser *p, const struct diag_expr **out);
} predicates[] = {
	{ "src", parse_src },	  { "dst", parse_dst },	    { "sport", parse_sport },
	{ "dport", parse_dport }, { "dev", parse_dev },	    { "fwmark", parse_mark },
	{ "mark", parse_mark },	  { "cgroup", parse_cgroup }, { "autobound", parse_autobound },
};

static int parse_expression(struct parser *p, const struct diag_expr **out);

static int parse_factor(struct parser *p, const struct diag_expr **out)
{
	const struct diag_expr *inner;
	int rc;

	if (++p->depth > DEPTH_MAX)
		return expected(p, "at most %d nested conditions", DEPTH_MAX);
	if (is_any(p, not_words)) {
		next(p);
		rc = parse_factor(p, &inner);
		if (!rc)
			*out = join(p, DIAG_EXPR_NOT, inner, NULL);
	} else if (is(p, "(")) {
		next(p);
		rc = parse_expression(p, out);
		if (!rc && !is(p, ")"))
			rc = expected(p, "')', 'and' or 'or'");
		if (!rc)
			next(p);
	} else {
		rc = 1;
		for (size_t i = 0; rc > 0 && i < sizeof(predicates) / sizeof(predicates[0]); i++)
			if (is(p, predicates[i].word)) {
				next(p);
				rc = predicates[i].parse(p, out);
			}
		if (rc > 0 && (is(p, "state") || is(p, "exclude")))
			rc = expected(p, "a condition (states are named before the first one)");
		if (rc > 0)
			rc = expected(p, "src, dst, sport, dport, dev, fwmark, cgroup, autobound, 'not' or '('");
	}
	p->depth--;
	return rc;
}

static int parse_term(struct parser *p, const struct diag_expr **out)
{
	const struct diag_expr *right;

	if (parse_factor(p, out))
		return -1;
	while (p->tok.len && !is_any(p, or_words) && !is_any(p, end_words)) {
		if (is_any(p, and_words))
			next(p);
		if (parse_factor(p, &right))
			return -1;
		*out = join(p, DIAG_EXPR_AND, *out, right);
	}
	return 0;
}

static int parse_expression(struct parser *p, const struct diag_expr **out)
{
	const struct diag_expr *right;

	if (parse_term(p, out))
		return -1;
	while (is_any(p, or_words)) {
		next(p);
		if (parse_term(p, &right))
			return -1;
		*out = join(p, DIAG_EXPR_OR, *out, right);
	}
	return 0;
}

/* "state established exclude time-wait ..." before the expression. */
static int parse_states(struct parser *p)
{
	while (is(p, "state") || is(p, "exclude") || is(p, "excl")) {
		bool add = is(p, "state");
		uint32_t mask;

		next(p);
		mask = p->tok.len ? diag_state_mask(word(p)) : 0;
		if (!mask)
			return expected(p, "a state (established, time-wait, listening, ...) or a group "
					   "(all, connected, synchronized, bucket, big)");
		if (add)
			p->f->states |= mask;
		else if (p->f->states)
			p->f->states &= ~mask;
		else
			p->f->states = diag_state_mask("all") & ~mask;
		next(p);
	}
	return 0;
}

int filter_parse(const char *text, struct filter *f, struct filter_error *err)
{
	struct parser p = { .text = text, .pos = text, .f = f, .err = err };

	memset(f, 0, sizeof(*f));
	next(&p);
	if (parse_states(&p))
		return -1;
	if (!p.tok.len)
		return 0;
	if (parse_expression(&p, &f->expr))
		return -1;
	if (p.tok.len)
		return expected(&p, "'and', 'or' or the end");
	return 0;
}

void filter_free(struct filter *f)
{
	while (f->chunks) {
		struct filter_chunk *c = f->chunks;

		f->chunks = c->next;
		free(c);
	}
	f->expr = NULL;
}
