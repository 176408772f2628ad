/* clause.c - what follows the call in a rule: the parts of its action, and the conditions. */
#include <string.h>
#include <sys/socket.h>

#include "fault/names.h"
#include "fault/parser.h"
#include "fault/quantity.h"

#define BIT(t) (1u << SOCKSHIM_##t)
#define ALL ((1u << SOCKSHIM_FILTER_TYPES) - 1)
#define ACT(a) (1u << FAULT_##a)
#define ANY_ACTION ((1u << FAULT_ACTIONS) - 1)

static const struct fault_name families[] = {
	{ "inet4", AF_INET }, { "inet6", AF_INET6 }, { "local", AF_UNIX }, { "unix", AF_UNIX },
};

static const struct fault_name types[] = {
	{ "stream", SOCK_STREAM }, { "dgram", SOCK_DGRAM }, { "raw", SOCK_RAW },
	{ "seqpacket", SOCK_SEQPACKET },
};

static bool parse_late(struct fault_parser *p, const struct fault_word *keyword)
{
	p->rule->late = true;
	return true;
}

static bool parse_with(struct fault_parser *p, const struct fault_word *keyword)
{
	bool eai = p->rule->type == SOCKSHIM_RESOLVE;
	struct fault_word w;

	if (!fault_take(p, &w, eai ? "an error such as EAI_AGAIN" : "an errno such as ECONNREFUSED"))
		return false;
	p->rule->err = fault_errno_find(&w, eai);
	if (p->rule->err) {
		if (!fault_errno_possible(p->rule->type, p->rule->err))
			fault_warn(p, w.column, "%w does not return %w, says its manual page", &p->call, &w);
		return true;
	}
	if (fault_errno_find(&w, !eai))
		return fault_fail(p, w.column, eai ? "%w is an errno; resolve returns EAI_ values such as EAI_AGAIN"
						   : "%w is for resolve; expected an errno such as ECONNREFUSED", &w);
	return fault_fail_unknown(p, &w, eai ? "EAI_ value" : "errno", fault_errno_nearest(&w, eai),
				  eai ? "an EAI_ value such as EAI_AGAIN" : "an errno such as ECONNREFUSED");
}

static bool parse_address(struct fault_parser *p, struct fault_address *a)
{
	static const char *const errors[] = {
		[FAULT_ADDRESS_FORM] = "expected an address such as 127.0.0.1, 10.0.0.0/8:80, [::1]:80, :80 or "
				       "unix:/path, found %w",
		[FAULT_ADDRESS_PREFIX] = "expected a prefix length of 0 to 32 (IPv4) or 128 (IPv6), found %w",
		[FAULT_ADDRESS_PORT] = "expected a port or a range of ports such as 8000-8099, found %w",
		[FAULT_ADDRESS_PORT_ORDER] = "range of ports %w ends before it begins",
		[FAULT_ADDRESS_BRACKET] = "expected ']' after the address in %w",
		[FAULT_ADDRESS_PATH] = "expected a path after unix:, found %w",
	};
	enum fault_address_error e;
	struct fault_word w, at;

	if (!fault_take(p, &w, "an address"))
		return false;
	e = fault_address_parse(&w, a, p->strings, &at);
	if (e)
		return fault_fail(p, at.column, errors[e], &at);
	if (a->kind == FAULT_ADDRESS_UNIX)
		p->strings += strlen(a->path) + 1;
	return true;
}

static bool parse_to(struct fault_parser *p, const struct fault_word *keyword)
{
	p->rule->checks |= FAULT_CHECK_TO;
	return parse_address(p, &p->rule->to);
}

static bool parse_from(struct fault_parser *p, const struct fault_word *keyword)
{
	p->rule->checks |= FAULT_CHECK_FROM;
	return parse_address(p, &p->rule->from);
}

static bool parse_family(struct fault_parser *p, const struct fault_word *keyword)
{
	static const char expected[] = "inet4, inet6, local, unix or a number";
	const struct fault_name *name;
	struct fault_word w;
	uint64_t number;

	if (!fault_take(p, &w, expected))
		return false;
	p->rule->checks |= FAULT_CHECK_FAMILY;
	name = fault_name_find(FAULT_TABLE(families), &w);
	if (name)
		p->rule->family = name->value;
	else if (fault_number_parse(&w, UINT16_MAX, &number))
		p->rule->family = (int)number;
	else
		return fault_fail_unknown(p, &w, "family", fault_name_nearest(FAULT_TABLE(families), &w), expected);
	return true;
}

static bool parse_type(struct fault_parser *p, const struct fault_word *keyword)
{
	static const char expected[] = "stream, dgram, raw or seqpacket";
	const struct fault_name *name;
	struct fault_word w;

	if (!fault_take(p, &w, expected))
		return false;
	name = fault_name_find(FAULT_TABLE(types), &w);
	if (!name)
		return fault_fail_unknown(p, &w, "type", fault_name_nearest(FAULT_TABLE(types), &w), expected);
	p->rule->checks |= FAULT_CHECK_TYPE;
	p->rule->sock_type = name->value;
	return true;
}

static bool take_string(struct fault_parser *p, const char *expected, enum fault_check check, const char **s)
{
	struct fault_word w;

	p->rule->checks |= check;
	return fault_take(p, &w, expected) && (*s = fault_keep(p, &w));
}

static bool parse_program(struct fault_parser *p, const struct fault_word *keyword)
{
	return take_string(p, "a program's name or pattern", FAULT_CHECK_PROGRAM, &p->rule->program);
}

static bool parse_thread(struct fault_parser *p, const struct fault_word *keyword)
{
	struct fault_word w = fault_line_peek(&p->line);
	uint64_t tid;

	if (!fault_number_parse(&w, INT32_MAX, &tid))
		return take_string(p, "a thread's name, pattern or number", FAULT_CHECK_THREAD, &p->rule->thread);
	fault_line_next(&p->line, &w);
	p->rule->checks |= FAULT_CHECK_TID;
	p->rule->tid = (int)tid;
	return true;
}

static bool parse_name(struct fault_parser *p, const struct fault_word *keyword)
{
	return take_string(p, "a host's name or pattern", FAULT_CHECK_HOST, &p->rule->host);
}

/* at MODULE[:FUNCTION] */
static bool parse_at(struct fault_parser *p, const struct fault_word *keyword)
{
	struct fault_word w, function;
	long colon;

	if (!fault_take(p, &w, "MODULE or MODULE:FUNCTION"))
		return false;
	p->rule->checks |= FAULT_CHECK_SITE;
	colon = fault_word_find(&w, ':');
	if (colon == 0 || colon == (long)w.n - 1)
		return fault_fail(p, w.column, "expected MODULE or MODULE:FUNCTION, found %w", &w);
	if (colon > 0) {
		function = fault_word_part(&w, (size_t)colon + 1, w.n);
		w = fault_word_part(&w, 0, (size_t)colon);
		p->rule->function = fault_keep(p, &function);
		if (!p->rule->function)
			return false;
	}
	p->rule->module = fault_keep(p, &w);
	return p->rule->module != NULL;
}

struct clause {
	char name[FAULT_NAME];
	enum fault_clause clause;
	bool (*parse)(struct fault_parser *p, const struct fault_word *keyword);
	uint32_t actions, types;	/* it may stand with */
	const char *why;		/* it may not stand with others */
};

#define NO_SOCKET (BIT(SOCKET) | BIT(RESOLVE))
#define NO_PEER (NO_SOCKET | BIT(LISTEN) | BIT(ACCEPT) | BIT(BIND))

static const struct clause clauses[] = {
	{ "late", FAULT_CLAUSE_LATE, parse_late, ACT(FAIL), BIT(CONNECT), "it is for fail connect" },
	{ "with", FAULT_CLAUSE_WITH, parse_with, ACT(FAIL), ALL, "it is for fail" },
	{ "by", FAULT_CLAUSE_BY, fault_parse_by, ACT(DELAY), ALL, "it is for delay" },
	{ "to", FAULT_CLAUSE_TO, parse_to, ANY_ACTION, ALL & ~NO_PEER, "there is no peer before the call" },
	{ "from", FAULT_CLAUSE_FROM, parse_from, ANY_ACTION, ALL & ~NO_SOCKET, "it has no local address" },
	{ "family", FAULT_CLAUSE_FAMILY, parse_family, ANY_ACTION, ALL & ~BIT(RESOLVE), "it has no socket" },
	{ "type", FAULT_CLAUSE_TYPE, parse_type, ANY_ACTION, ALL & ~BIT(RESOLVE), "it has no socket" },
	{ "program", FAULT_CLAUSE_PROGRAM, parse_program, ANY_ACTION, ALL, NULL },
	{ "thread", FAULT_CLAUSE_THREAD, parse_thread, ANY_ACTION, ALL, NULL },
	{ "on", FAULT_CLAUSE_ON, fault_parse_on, ANY_ACTION, ALL, NULL },
	{ "every", FAULT_CLAUSE_EVERY, fault_parse_every, ANY_ACTION, ALL, NULL },
	{ "after", FAULT_CLAUSES, fault_parse_after, ANY_ACTION, ALL, NULL },
	{ "first", FAULT_CLAUSE_FIRST, fault_parse_first, ANY_ACTION, ALL, NULL },
	{ "within", FAULT_CLAUSE_WITHIN, fault_parse_within, ANY_ACTION, ALL, NULL },
	{ "probability", FAULT_CLAUSE_PROBABILITY, fault_parse_probability, ANY_ACTION, ALL, NULL },
	{ "at", FAULT_CLAUSE_AT, parse_at, ANY_ACTION, ALL, NULL },
	{ "name", FAULT_CLAUSE_NAME, parse_name, ANY_ACTION, BIT(RESOLVE), "it is for resolve" },
};

/* The first `to` of a short rule is its size, the second an address. */
static const struct clause size_clause = {
	"to", FAULT_CLAUSE_SIZE, fault_parse_size, ACT(SHORT), ALL, NULL,
};

bool fault_clause_once(struct fault_parser *p, enum fault_clause clause, const struct fault_word *w)
{
	if (p->columns[clause])
		return fault_fail(p, w->column, "%w stands twice in the rule", w);
	p->columns[clause] = w->column;
	return true;
}

static bool parse_clause(struct fault_parser *p, const struct fault_word *w)
{
	const struct clause *c = fault_name_find(FAULT_TABLE(clauses), w);

	if (!c && p->rule->action == FAULT_FAIL && (fault_errno_find(w, false) || fault_errno_find(w, true)))
		return fault_fail(p, w->column, "expected 'with' before %w", w);
	if (!c)
		return fault_fail_unknown(p, w, "condition", fault_name_nearest(FAULT_TABLE(clauses), w),
					  "to, from, family, type, program, thread, on, every, after, first, "
					  "within, probability, at or name");
	if (c->clause == FAULT_CLAUSE_TO && p->rule->action == FAULT_SHORT && !p->columns[FAULT_CLAUSE_SIZE])
		c = &size_clause;
	if (!(c->actions & 1u << p->rule->action) || !(c->types & 1u << p->rule->type))
		return fault_fail(p, w->column, "%w cannot stand with %w: %s", w, &p->call, c->why);
	if (c->clause != FAULT_CLAUSES && !fault_clause_once(p, c->clause, w))
		return false;
	return c->parse(p, w);
}

static bool is_inet(const struct fault_address *a)
{
	return a->kind != FAULT_ADDRESS_UNIX;
}

/* An address that a socket of the rule's family cannot have. */
static bool check_address(struct fault_parser *p, enum fault_clause clause, const struct fault_address *a)
{
	int family = p->rule->family;

	if (!p->columns[clause] || !p->columns[FAULT_CLAUSE_FAMILY])
		return true;
	if (is_inet(a) ? family == AF_UNIX : family == AF_INET || family == AF_INET6)
		return fault_fail(p, p->columns[clause], "the rule's address is not of the rule's family");
	if (a->kind == FAULT_ADDRESS_INET6 && family == AF_INET)
		return fault_fail(p, p->columns[clause], "the rule's address is not of the rule's family");
	return true;
}

/* What parts of a rule, each right, say together. */
static bool check_rule(struct fault_parser *p)
{
	struct fault_rule *r = p->rule;
	unsigned end = fault_line_column(&p->line);
	unsigned bytes = p->columns[FAULT_CLAUSE_AFTER_BYTES];

	if (r->action == FAULT_FAIL && !r->err) {
		r->err = fault_errno_default(r->type);
		if (!r->err)
			return fault_fail(p, end, "expected 'with ERRNO': %w has no usual error", &p->call);
	}
	if (r->action == FAULT_DELAY && !p->columns[FAULT_CLAUSE_BY])
		return fault_fail(p, end, "expected 'by TIME' such as by 200ms, found the end of the line");
	if (r->action == FAULT_SHORT && !p->columns[FAULT_CLAUSE_SIZE])
		return fault_fail(p, end, "expected 'to BYTES' such as to 1..16, found the end of the line");
	if (bytes && (1u << r->type & NO_PEER))
		return fault_fail(p, bytes, "'after' BYTES cannot stand with %w: nothing moves on its socket", &p->call);
	if (p->columns[FAULT_CLAUSE_TYPE] && r->sock_type != SOCK_STREAM &&
	    (r->action == FAULT_SHORT || (r->action == FAULT_RESET && r->sock_type != SOCK_SEQPACKET)))
		return fault_fail(p, p->columns[FAULT_CLAUSE_TYPE], "only stream sockets can be cut short or reset");
	return check_address(p, FAULT_CLAUSE_TO, &r->to) && check_address(p, FAULT_CLAUSE_FROM, &r->from);
}

bool fault_parse_clauses(struct fault_parser *p)
{
	struct fault_word w;

	while (fault_line_next(&p->line, &w))
		if (!parse_clause(p, &w))
			return false;
	return check_rule(p);
}
