/*
 * Reading iptables-save text: tables, chains, and which options a rule has.
 *
 * A line is cut into words first (lex.c). A rule's words are options with their arguments: those every
 * rule may have are below; the others are looked for in the options of its target, of its matches,
 * the last one first, and of the match its protocol has, which need not be named.
 */
#include "filter/parse.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { FOUND_MAX = 40 };	/* of a wrong word, how much is shown */

/* Printable, and not too long. */
static const char *shown(const char *s, char buf[FOUND_MAX + 4])
{
	size_t i;

	for (i = 0; s[i] && i < FOUND_MAX; i++)
		buf[i] = isprint((unsigned char)s[i]) ? s[i] : '?';
	strcpy(buf + i, s[i] ? "..." : "");
	return buf;
}

static bool fail_at(struct parser *p, unsigned line, unsigned col, const char *fmt, va_list ap)
{
	p->e->line = line;
	p->e->column = col;
	vsnprintf(p->e->text, sizeof(p->e->text), fmt, ap);
	return false;
}

bool parser_fail(struct parser *p, const struct token *t, size_t off, const char *fmt, ...)
{
	char buf[FOUND_MAX + 4];
	va_list ap;
	size_t n;

	strcpy(p->e->text, "expected ");
	va_start(ap, fmt);
	vsnprintf(p->e->text + 9, sizeof(p->e->text) - 9, fmt, ap);
	va_end(ap);
	p->e->line = p->lex.line;
	p->e->column = t->col + (unsigned)off;
	n = strlen(p->e->text);
	if (t->s && t->s[off])
		snprintf(p->e->text + n, sizeof(p->e->text) - n, ", not \"%s\"",
			 shown(t->s + off, buf));
	return false;
}

bool parser_refuse(struct parser *p, const struct rule *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fail_at(p, r->line, r->column, fmt, ap);
	va_end(ap);
	return false;
}

bool parser_no_memory(struct parser *p)
{
	p->no_memory = true;
	snprintf(p->e->text, sizeof(p->e->text), "no memory");
	return false;
}

/* The word after the last one of the line. */
static struct token after_last(const struct parser *p)
{
	const struct token *t = &p->lex.words[p->lex.nwords - 1];

	return (struct token){ NULL, t->col + (unsigned)strlen(t->s) };
}

static bool fail_end(struct parser *p, const char *what)
{
	struct token t = after_last(p);

	return parser_fail(p, &t, 0, "%s", what);
}

static bool count_one(struct parser *p)
{
	if (++p->count <= RULES_MAX)
		return true;
	return parser_fail(p, &p->lex.words[0], 0, "at most %d rules and chains", RULES_MAX);
}

static bool parse_table(struct parser *p, const struct token *t)
{
	int id = 0;

	if (p->table)
		return parser_fail(p, t, 0, "COMMIT before the next table");
	while (id < TABLE_COUNT && strcmp(t->s + 1, table_name((enum filter_table_id)id)))
		id++;
	if (id == TABLE_COUNT)
		return parser_fail(p, t, 1, "a table: raw, mangle, nat or filter");
	if (p->tables[id])
		return parser_fail(p, t, 1, "each table once");
	if (p->lex.nwords > 1)
		return parser_fail(p, t + 1, 0, "the end of the line");
	p->table = p->tables[id] = table_new((enum filter_table_id)id, p->net);
	return p->table || parser_no_memory(p);
}

/* "[packets:bytes]"; kept only if the flags say so. */
static bool parse_counters(struct parser *p, const struct token *t, struct rule_count *out)
{
	static const char what[] = "counters: [packets:bytes]";
	struct scan s = scan_of(p, t);
	struct rule_count c;

	if (!scan_take(&s, '['))
		return scan_fail(&s, "%s", what);
	if (!scan_number(&s, UINT64_MAX, "a number of packets", &c.packets))
		return false;
	if (!scan_take(&s, ':'))
		return scan_fail(&s, "%s", what);
	if (!scan_number(&s, UINT64_MAX, "a number of bytes", &c.bytes))
		return false;
	if (!scan_take(&s, ']') || *s.at)
		return scan_fail(&s, "%s", what);
	if (p->flags & FILTER_COUNTERS)
		*out = c;
	return true;
}

static bool chain_name_ok(struct parser *p, const struct token *t, size_t off)
{
	const char *name = t->s + off;

	if (!*name || strlen(name) > CHAIN_NAME_MAX || *name == '-' || *name == '!')
		return parser_fail(p, t, off, "a chain's name of 1 to %d characters", CHAIN_NAME_MAX);
	for (size_t i = 0; name[i]; i++)
		if (!isgraph((unsigned char)name[i]) || name[i] == '"')
			return parser_fail(p, t, off, "a chain's name that can be printed");
	if (ext_find_target(name, p->net))
		return parser_fail(p, t, off, "a chain's name that is no target's");
	return true;
}

static bool parse_chain(struct parser *p, const struct token *t)
{
	struct chain *c = table_find_chain(p->table, t->s + 1);

	if (!count_one(p))
		return false;
	if (c && (c->hook < 0 || c->named))
		return parser_fail(p, t, 1, "each chain once");
	if (p->lex.nwords < 2)
		return fail_end(p, "a policy: ACCEPT, DROP, or - for a chain of the user's");
	if (c) {
		if (!strcmp(t[1].s, "DROP"))
			c->policy = V_DROP;
		else if (strcmp(t[1].s, "ACCEPT") && strcmp(t[1].s, "-"))
			return parser_fail(p, t + 1, 0, "a policy: ACCEPT, DROP, or - for the one it has");
		c->named = strcmp(t[1].s, "-");
	} else {
		if (!chain_name_ok(p, t, 1))
			return false;
		if (strcmp(t[1].s, "-"))
			return parser_fail(p, t + 1, 0, "- for a policy: the chain is not built in");
		c = table_add_chain(p->table, t->s + 1);
		if (!c)
			return parser_no_memory(p);
	}
	if (p->lex.nwords > 2 && !parse_counters(p, t + 2, &c->count))
		return false;
	return p->lex.nwords <= 3 || parser_fail(p, t + 3, 0, "the end of the line");
}

/* The rule's own options. */
enum rule_option {
	OPT_PROTO, OPT_SRC, OPT_DST, OPT_IN, OPT_OUT, OPT_FRAG, OPT_MATCH, OPT_JUMP, OPT_GOTO,
	OPT_COUNTERS,
};

static const struct ext_option rule_options[] = {
	{ "-p", OPT_PROTO, 1, true }, { "--protocol", OPT_PROTO, 1, true },
	{ "--proto", OPT_PROTO, 1, true },
	{ "-s", OPT_SRC, 1, true }, { "--source", OPT_SRC, 1, true }, { "--src", OPT_SRC, 1, true },
	{ "-d", OPT_DST, 1, true }, { "--destination", OPT_DST, 1, true },
	{ "--dst", OPT_DST, 1, true },
	{ "-i", OPT_IN, 1, true }, { "--in-interface", OPT_IN, 1, true },
	{ "-o", OPT_OUT, 1, true }, { "--out-interface", OPT_OUT, 1, true },
	{ "-f", OPT_FRAG, 0, true }, { "--fragment", OPT_FRAG, 0, true },
	{ "-m", OPT_MATCH, 1, false }, { "--match", OPT_MATCH, 1, false },
	{ "-j", OPT_JUMP, 1, false }, { "--jump", OPT_JUMP, 1, false },
	{ "-g", OPT_GOTO, 1, false }, { "--goto", OPT_GOTO, 1, false },
	{ "-c", OPT_COUNTERS, 2, false }, { "--set-counters", OPT_COUNTERS, 2, false },
	{ 0 },
};

static const struct ext_option *find_option(const struct ext_option *o, const char *name)
{
	for (; o && o->name; o++)
		if (!strcmp(o->name, name))
			return o;
	return NULL;
}

static bool set_iface(struct parser *p, struct rule_iface *f)
{
	const struct token *t = p->arg[0];
	size_t n = strlen(t->s);

	if (n == 0 || n > IFACE_NAME_MAX)
		return parser_fail(p, t, 0, "an interface's name of 1 to %d characters", IFACE_NAME_MAX);
	for (size_t i = 0; i < n; i++)
		if (!isgraph((unsigned char)t->s[i]) || t->s[i] == '/' || t->s[i] == '!' ||
		    t->s[i] == '"')
			return parser_fail(p, t, i, "an interface's name");
	memcpy(f->name, t->s, n);
	f->len = (uint8_t)(t->s[n - 1] == '+' ? n - 1 : n + 1);
	f->set = true;
	return true;
}

static bool set_proto(struct parser *p, bool negated)
{
	struct rule *r = p->rule;

	if (!proto_parse(p->arg[0]->s, &r->proto))
		return parser_fail(p, p->arg[0], 0, "a protocol: a name, or a number from 0 to 255");
	r->has_proto = r->proto != 0;
	return r->has_proto || !negated || parser_fail(p, p->arg[0], 0, "a protocol that is not all");
}

static struct ext *add_match(struct parser *p, const struct ext_ops *ops, unsigned col)
{
	struct rule *r = p->rule;
	struct ext *m = realloc(r->matches, (r->nmatches + 1) * sizeof(*m));

	if (!m) {
		parser_no_memory(p);
		return NULL;
	}
	r->matches = m;
	m += r->nmatches;
	*m = (struct ext){ .ops = ops, .col = col, .data = calloc(1, ops->size ? ops->size : 1) };
	if (!m->data) {
		parser_no_memory(p);
		return NULL;
	}
	r->nmatches++;
	return m;
}

static bool set_match(struct parser *p)
{
	const struct ext_ops *ops = ext_find_match(p->arg[0]->s, p->net);

	if (!ops)
		return parser_fail(p, p->arg[0], 0, "a match: tcp, udp, icmp, multiport, conntrack, state, "
				   "owner, limit, mark, addrtype or comment");
	return add_match(p, ops, p->arg[0]->col) != NULL;
}

static bool set_target(struct parser *p, bool go)
{
	struct rule *r = p->rule;
	const struct ext_ops *ops = go ? NULL : ext_find_target(p->arg[0]->s, p->net);
	struct chain *c = table_find_chain(p->table, p->arg[0]->s);

	if (c && c->hook < 0) {
		r->jump = c;
		r->go = go;
		return true;
	}
	if (!ops)
		return parser_fail(p, p->arg[0], 0, go ? "a chain of the user's, declared above"
				   : "a target, or a chain of the user's, declared above");
	r->target.ops = ops;
	r->target.col = p->arg[0]->col;
	r->target.data = calloc(1, ops->size ? ops->size : 1);
	return r->target.data || parser_no_memory(p);
}

static bool rule_option(struct parser *p, unsigned id, bool negated)
{
	static const uint8_t nots[] = {
		[OPT_PROTO] = NOT_PROTO, [OPT_SRC] = NOT_SRC, [OPT_DST] = NOT_DST, [OPT_IN] = NOT_IN,
		[OPT_OUT] = NOT_OUT, [OPT_FRAG] = NOT_FRAG,
	};
	struct rule *r = p->rule;
	struct scan s[2];

	if (negated)
		r->not |= nots[id];
	switch ((enum rule_option)id) {
	case OPT_PROTO:
		return set_proto(p, negated);
	case OPT_SRC:
	case OPT_DST:
		s[0] = scan_of(p, p->arg[0]);
		return scan_net(&s[0], id == OPT_SRC ? &r->src : &r->dst);
	case OPT_IN:
		return set_iface(p, &r->in);
	case OPT_OUT:
		return set_iface(p, &r->out);
	case OPT_FRAG:
		r->frag = true;
		return p->net == NET_IPV4 ||
		       parser_fail(p, p->name, 0, "an option of ip6tables");
	case OPT_MATCH:
		return set_match(p);
	case OPT_JUMP:
	case OPT_GOTO:
		return set_target(p, id == OPT_GOTO);
	case OPT_COUNTERS:
		s[0] = scan_of(p, p->arg[0]);
		s[1] = scan_of(p, p->arg[1]);
		return scan_number(&s[0], UINT64_MAX, "a number of packets", &r->count.packets) &&
		       scan_end(&s[0], "a number of packets") &&
		       scan_number(&s[1], UINT64_MAX, "a number of bytes", &r->count.bytes) &&
		       scan_end(&s[1], "a number of bytes");
	}
	return true;
}

/* Takes the words of option @o, whose name is the present one. */
static bool take_option(struct parser *p, const struct ext_option *o, uint32_t *seen, bool negated)
{
	const struct token *name = &p->lex.words[p->at++];

	p->name = name;
	if (negated && !o->negatable)
		return parser_fail(p, name, 0, "an option that can be negated");
	if (seen && *seen & 1u << o->id)
		return parser_fail(p, name, 0, "each option once, and none that exclude one another");
	if (seen)
		*seen |= 1u << o->id;
	for (int i = 0; i < o->nargs; i++) {
		char what[64];

		snprintf(what, sizeof(what), "what %s is to be", name->s);
		if (p->at == p->lex.nwords)
			return fail_end(p, what);
		if (!strcmp(p->lex.words[p->at].s, "!"))
			return parser_fail(p, &p->lex.words[p->at], 0, "! before %s", name->s);
		p->arg[i] = &p->lex.words[p->at++];
	}
	return true;
}

/* The match or target that has option @name; the match of the rule's protocol is brought in. */
static struct ext *owner_of(struct parser *p, const struct token *t, const struct ext_option **o)
{
	struct rule *r = p->rule;
	const struct ext_ops *ops;

	if (r->target.ops && (*o = find_option(r->target.ops->options, t->s)))
		return &r->target;
	for (size_t i = r->nmatches; i-- > 0;)
		if ((*o = find_option(r->matches[i].ops->options, t->s)))
			return &r->matches[i];
	ops = r->has_proto && !(r->not & NOT_PROTO) ? ext_match_of_proto(r->proto, p->net) : NULL;
	if (!ops || !(*o = find_option(ops->options, t->s))) {
		parser_fail(p, t, 0, "an option of the rule, its matches or its target");
		return NULL;
	}
	return add_match(p, ops, t->col);
}

static bool parse_option(struct parser *p)
{
	bool negated = !strcmp(p->lex.words[p->at].s, "!");
	const struct ext_option *o;
	const struct token *t;
	struct ext *x;

	p->at += negated;
	if (p->at == p->lex.nwords)
		return fail_end(p, "an option after !");
	t = &p->lex.words[p->at];
	o = find_option(rule_options, t->s);
	if (o) {
		uint32_t *seen = o->id == OPT_MATCH ? NULL : &p->seen;

		if (o->id == OPT_GOTO || o->id == OPT_JUMP) {
			if (p->seen & (1u << OPT_GOTO | 1u << OPT_JUMP))
				return parser_fail(p, t, 0, "one target");
		}
		return take_option(p, o, seen, negated) && rule_option(p, o->id, negated);
	}
	x = owner_of(p, t, &o);
	return x && take_option(p, o, &x->seen, negated) &&
	       x->ops->option(p, x->data, o->id, negated);
}

static bool refuse_ext(struct parser *p, const struct ext *x, const char *what)
{
	struct token t = { (char *)x->ops->name, x->col };

	return parser_fail(p, &t, 0, "%s", what);
}

/* What can be said of a match or target once the rule is whole. */
static bool finish_ext(struct parser *p, struct ext *x)
{
	const struct ext_ops *ops = x->ops;
	const struct rule *r = p->rule;
	bool proto_ok = ops->nprotos == 0;

	for (int i = 0; i < ops->nprotos; i++)
		proto_ok |= r->has_proto && !(r->not & NOT_PROTO) && r->proto == ops->protos[i];
	if (!proto_ok)
		return refuse_ext(p, x, "-p with a protocol that has what is asked for");
	if (ops->tables && !(ops->tables & 1 << p->table->id))
		return refuse_ext(p, x, "a target that this table may have");
	for (const struct ext_option *o = ops->options; o && o->name; o++)
		if (ops->required & 1u << o->id & ~x->seen)
			return fail_end(p, o->name);
	if (ops->one_of && !(ops->one_of & x->seen))
		return refuse_ext(p, x, "at least one of its options");
	if (ops->check && !ops->check(p, x->data))
		return false;
	p->table->tracks |= ops->tracks;
	return true;
}

static bool finish_rule(struct parser *p)
{
	struct rule *r = p->rule;
	int hook = p->chain->hook;

	if (r->in.set && (hook == HOOK_OUTPUT || hook == HOOK_POSTROUTING))
		return parser_refuse(p, r, "expected no -i in %s", p->chain->name);
	if (r->out.set && (hook == HOOK_PREROUTING || hook == HOOK_INPUT))
		return parser_refuse(p, r, "expected no -o in %s", p->chain->name);
	for (size_t i = 0; i < r->nmatches; i++)
		if (!finish_ext(p, &r->matches[i]))
			return false;
	if (r->target.ops && !finish_ext(p, &r->target))
		return false;
	return chain_add_rule(p->chain, r) || parser_no_memory(p);
}

static bool parse_rule(struct parser *p)
{
	const struct token *t = p->lex.words;
	struct rule r = { .line = p->lex.line };
	bool ok = true;

	p->at = 0;
	if (t->s[0] == '[') {
		ok = parse_counters(p, t, &r.count);
		p->at++;
	}
	r.column = p->at < p->lex.nwords ? t[p->at].col : 1;
	if (!ok || !count_one(p))
		return false;
	if (p->at == p->lex.nwords || (strcmp(t[p->at].s, "-A") && strcmp(t[p->at].s, "--append")))
		return parser_fail(p, &t[p->at < p->lex.nwords ? p->at : 0], 0,
				   "*table, :CHAIN, COMMIT, or a rule: -A CHAIN");
	if (++p->at == p->lex.nwords)
		return fail_end(p, "a chain");
	p->chain = table_find_chain(p->table, t[p->at].s);
	if (!p->chain)
		return parser_fail(p, &t[p->at], 0, "a chain of this table, declared above");
	p->at++;
	p->rule = &r;
	p->seen = 0;
	while (ok && p->at < p->lex.nwords)
		ok = parse_option(p);
	ok = ok && finish_rule(p);
	if (!ok)
		rule_release(&r);
	return ok;
}

static bool parse_line(struct parser *p)
{
	const struct token *t = p->lex.words;

	if (t->s[0] == '*')
		return parse_table(p, t);
	if (!p->table)
		return parser_fail(p, t, 0, "a table: *raw, *mangle, *nat or *filter");
	if (t->s[0] == ':')
		return parse_chain(p, t);
	if (strcmp(t->s, "COMMIT"))
		return parse_rule(p);
	if (p->lex.nwords > 1)
		return parser_fail(p, t + 1, 0, "the end of the line");
	if (!table_check(p, p->table))
		return false;
	p->table = NULL;
	return true;
}

bool parse_text(struct parser *p, const char *text, size_t len)
{
	struct token end = { NULL, 1 };

	lex_init(&p->lex, text, len);
	while (lex_line(&p->lex))
		if (!parse_line(p))
			return false;
	if (p->lex.why) {
		p->e->line = p->lex.line;
		p->e->column = p->lex.col;
		snprintf(p->e->text, sizeof(p->e->text), "%s", p->lex.why);
		return false;
	}
	if (!p->table)
		return true;
	p->lex.line++;
	return parser_fail(p, &end, 0, "COMMIT");
}
