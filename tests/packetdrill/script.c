/* Reading scripts. */
#include "script.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "header/tcp.h"

struct parser {
	const char *path, *p;
	int line;
};

static void bad(struct parser *ps, const char *what)
{
	die("%s:%d: %s, at \"%.30s\"", ps->path, ps->line, what, ps->p);
}

/* Over blanks and comments. */
static void blanks(struct parser *ps)
{
	for (;;) {
		if (*ps->p == '\n') {
			ps->line++;
			ps->p++;
		} else if (isspace((unsigned char)*ps->p)) {
			ps->p++;
		} else if (!strncmp(ps->p, "//", 2) || *ps->p == '#') {
			ps->p += strcspn(ps->p, "\n");
		} else if (!strncmp(ps->p, "/*", 2)) {
			for (ps->p += 2; *ps->p && strncmp(ps->p, "*/", 2); ps->p++)
				ps->line += *ps->p == '\n';
			ps->p += *ps->p ? 2 : 0;
		} else {
			return;
		}
	}
}

static bool eat(struct parser *ps, const char *token)
{
	size_t n = strlen(token);

	blanks(ps);
	if (strncmp(ps->p, token, n))
		return false;
	/* A word ends where it ends. */
	if (isalpha((unsigned char)*token) && (isalnum((unsigned char)ps->p[n]) || ps->p[n] == '_'))
		return false;
	ps->p += n;
	return true;
}

static void want(struct parser *ps, const char *token)
{
	if (!eat(ps, token)) {
		char what[40];

		snprintf(what, sizeof(what), "expected \"%s\"", token);
		bad(ps, what);
	}
}

static char *word(struct parser *ps)
{
	size_t n = 0;

	blanks(ps);
	while (isalnum((unsigned char)ps->p[n]) || ps->p[n] == '_')
		n++;
	if (!n)
		bad(ps, "expected a word");
	ps->p += n;
	return strndup(ps->p - n, n);
}

static long long number(struct parser *ps)
{
	char *end;
	long long n;

	blanks(ps);
	n = strtoll(ps->p, &end, 0);
	if (end == ps->p)
		bad(ps, "expected a number");
	ps->p = end;
	return n;
}

static int64_t seconds(struct parser *ps)
{
	char *end;
	double s;

	blanks(ps);
	s = strtod(ps->p, &end);
	/* "0...0.2" is 0 and a range */
	if (end > ps->p && !strncmp(end - 1, "...", 3))
		end--;
	if (end == ps->p)
		bad(ps, "expected a time");
	ps->p = end;
	return (int64_t)(s * 1e6 + 0.5);
}

static void value(struct parser *ps, struct value *v);

static void add_item(struct value *v, const char *name, const struct value *item)
{
	v->items = realloc(v->items, sizeof(*v->items) * (size_t)(v->count + 1));
	v->names = realloc(v->names, sizeof(*v->names) * (size_t)(v->count + 1));
	v->items[v->count] = *item;
	v->names[v->count++] = name ? strdup(name) : NULL;
}

static void list(struct parser *ps, struct value *v, const char *end)
{
	struct value item;

	*v = (struct value){ .type = V_LIST };
	if (eat(ps, end))
		return;
	do {
		value(ps, &item);
		add_item(v, NULL, &item);
	} while (eat(ps, ","));
	want(ps, end);
}

/* {name = value, name(...) = value, ...} or {value, value} */
static void structure(struct parser *ps, struct value *v)
{
	*v = (struct value){ .type = V_STRUCT };
	if (eat(ps, "}"))
		return;
	do {
		struct value item;
		const char *start;
		char *name = NULL;

		blanks(ps);
		start = ps->p;
		if (isalpha((unsigned char)*ps->p)) {
			name = word(ps);
			if (eat(ps, "(")) {
				ps->p += strcspn(ps->p, ")");
				want(ps, ")");
			}
			if (!eat(ps, "=") && !eat(ps, ":")) {
				free(name);
				name = NULL;
				ps->p = start;
			}
		}
		value(ps, &item);
		add_item(v, name, &item);
		free(name);
	} while (eat(ps, ","));
	want(ps, "}");
}

static void term(struct parser *ps, struct value *v)
{
	*v = (struct value){ .type = V_INT };
	blanks(ps);
	if (eat(ps, "...")) {
		v->type = V_ELLIPSIS;
	} else if (eat(ps, "[")) {
		list(ps, v, "]");
	} else if (eat(ps, "{")) {
		structure(ps, v);
	} else if (*ps->p == '"') {
		size_t n = strcspn(ps->p + 1, "\"");

		v->type = V_STRING;
		v->s = strndup(ps->p + 1, n);
		ps->p += n + 2;
	} else if (isalpha((unsigned char)*ps->p)) {
		char *name = word(ps);

		if (!script_symbol(name, &v->n))
			bad(ps, "unknown name before this");
		free(name);
	} else {
		v->n = number(ps);
	}
}

static void value(struct parser *ps, struct value *v)
{
	struct value w;

	term(ps, v);
	while (v->type == V_INT) {
		if (eat(ps, "|")) {
			term(ps, &w);
			v->n |= w.n;
		} else if (eat(ps, "*")) {
			term(ps, &w);
			v->n *= w.n;
		} else {
			return;
		}
	}
}

static void opt_byte(struct parser *ps, struct segment *s, unsigned b)
{
	if (s->opts_len == (int)sizeof(s->opts))
		bad(ps, "too many options");
	s->opts[s->opts_len++] = (uint8_t)b;
}

static void opt_bytes(struct parser *ps, struct segment *s, uint32_t v, int n)
{
	while (n--)
		opt_byte(ps, s, v >> 8 * n);
}

static void sack_option(struct parser *ps, struct segment *s)
{
	int len_at = s->opts_len + 1;

	opt_bytes(ps, s, 0x0502, 2);
	s->sack_at = s->opts_len;
	blanks(ps);
	while (isdigit((unsigned char)*ps->p)) {
		opt_bytes(ps, s, (uint32_t)number(ps), 4);
		want(ps, ":");
		opt_bytes(ps, s, (uint32_t)number(ps), 4);
		s->sacks++;
		s->opts[len_at] = (uint8_t)(s->opts[len_at] + 8);
		blanks(ps);
	}
}

/* Hexadecimal digits, or COOKIE: what the driver works out. @exp: in the experimental option */
static void cookie(struct parser *ps, struct segment *s, bool exp)
{
	int at = s->opts_len;
	unsigned b;

	if (exp)
		opt_bytes(ps, s, 0xfe02f989, 4);
	else
		opt_bytes(ps, s, 0x2202, 2);
	if (eat(ps, "COOKIE")) {
		s->cookie_at = s->opts_len;
		for (int i = 0; i < 8; i++)
			opt_byte(ps, s, 0);
	} else {
		blanks(ps);
		for (; isxdigit((unsigned char)*ps->p) && sscanf(ps->p, "%2x", &b) == 1; ps->p += 2)
			opt_byte(ps, s, b);
	}
	s->opts[at + 1] = (uint8_t)(s->opts_len - at);
}

static void option(struct parser *ps, struct segment *s)
{
	if (eat(ps, "nop")) {
		opt_byte(ps, s, 1);
	} else if (eat(ps, "eol")) {
		opt_byte(ps, s, 0);
	} else if (eat(ps, "mss")) {
		opt_bytes(ps, s, 0x0204, 2);
		opt_bytes(ps, s, (uint32_t)number(ps), 2);
	} else if (eat(ps, "wscale")) {
		opt_bytes(ps, s, 0x0303, 2);
		opt_byte(ps, s, (uint32_t)number(ps));
	} else if (eat(ps, "sackOK")) {
		opt_bytes(ps, s, 0x0402, 2);
	} else if (eat(ps, "TS")) {
		opt_bytes(ps, s, 0x080a, 2);
		s->ts_at = s->opts_len;
		want(ps, "val");
		opt_bytes(ps, s, (uint32_t)number(ps), 4);
		want(ps, "ecr");
		opt_bytes(ps, s, (uint32_t)number(ps), 4);
	} else if (eat(ps, "FO")) {
		cookie(ps, s, false);
	} else if (eat(ps, "FOEXP")) {
		cookie(ps, s, true);
	} else if (eat(ps, "sack")) {
		sack_option(ps, s);
	} else {
		bad(ps, "unknown TCP option");
	}
}

static void options(struct parser *ps, struct segment *s)
{
	if (!eat(ps, "<"))
		return;
	if (eat(ps, "...")) {
		s->opts_any = true;
		want(ps, ">");
		return;
	}
	do
		option(ps, s);
	while (eat(ps, ","));
	want(ps, ">");
	while (s->opts_len % 4)
		opt_byte(ps, s, 0);
}

static void flags(struct parser *ps, struct segment *s)
{
	static const char letters[] = "FSRP.UEW";	/* in the order of the bits */

	blanks(ps);
	for (; !isspace((unsigned char)*ps->p); ps->p++) {
		const char *at = *ps->p == '-' ? letters : strchr(letters, *ps->p);

		if (!at)
			bad(ps, "unknown TCP flag");
		if (*ps->p != '-')
			s->flags |= (uint8_t)(1 << (at - letters));
	}
}

static void seq_range(struct parser *ps, struct segment *s)
{
	s->seq = (uint32_t)number(ps);
	want(ps, ":");
	number(ps);
	want(ps, "(");
	s->len = (uint32_t)number(ps);
	want(ps, ")");
}

static void icmp(struct parser *ps, struct segment *s)
{
	static const struct { const char *name; int code; } codes[] = {
		{ "net_unreachable", 0 }, { "host_unreachable", 1 }, { "protocol_unreachable", 2 },
		{ "port_unreachable", 3 }, { "frag_needed", 4 },
	};

	if (eat(ps, "packet_too_big"))
		s->icmp_code = 4;
	else
		want(ps, "unreachable");
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (eat(ps, codes[i].name))
			s->icmp_code = codes[i].code;
	if (s->icmp_code < 0)
		bad(ps, "unknown ICMP code");
	if (eat(ps, "mtu"))
		s->mtu = (uint32_t)number(ps);
	if (eat(ps, "[")) {
		seq_range(ps, s);
		want(ps, "]");
	}
}

static void segment(struct parser *ps, struct segment *s)
{
	static const char *const ecns[] = { "[noecn]", "[ect1]", "[ect0]", "[ce]" };

	*s = (struct segment){ .win = -1, .urg = -1, .ts_at = -1, .sack_at = -1, .ecn = -1, .icmp_code = -1,
				.cookie_at = -1 };
	for (int i = 0; i < 4; i++)
		if (eat(ps, ecns[i]))
			s->ecn = i;
	if (eat(ps, "icmp")) {
		icmp(ps, s);
		return;
	}
	flags(ps, s);
	seq_range(ps, s);
	s->has_ack = eat(ps, "ack");
	if (s->has_ack)
		s->ack = (uint32_t)number(ps);
	if (eat(ps, "win"))
		s->win = number(ps);
	if (eat(ps, "urg"))
		s->urg = number(ps);
	options(ps, s);
}

static void call(struct parser *ps, struct call *c)
{
	c->name = word(ps);
	want(ps, "(");
	list(ps, &c->args, ")");
	want(ps, "=");
	c->result = number(ps);
	while (*ps->p == ' ' || *ps->p == '\t')
		ps->p++;
	if (isupper((unsigned char)*ps->p))
		c->error = word(ps);
	while (*ps->p == ' ' || *ps->p == '\t')
		ps->p++;
	if (*ps->p == '(')	/* what the number or the error means */
		ps->p += strcspn(ps->p, "\n");
}

static char *delimited(struct parser *ps, const char *end)
{
	const char *stop = strstr(ps->p, end);
	char *text;

	if (!stop)
		bad(ps, "no end");
	text = strndup(ps->p, (size_t)(stop - ps->p));
	for (; ps->p < stop; ps->p++)
		ps->line += *ps->p == '\n';
	ps->p += strlen(end);
	return text;
}

static void when(struct parser *ps, struct event *e)
{
	if (eat(ps, "*")) {
		e->at = AT_ANY;
		return;
	}
	e->at = eat(ps, "+") ? AT_RELATIVE : AT_ABSOLUTE;
	e->us = e->us_end = seconds(ps);
	if (eat(ps, "...")) {
		e->block_us = seconds(ps) - e->us;
	} else if (eat(ps, "~")) {
		eat(ps, "+");
		e->us_end = seconds(ps);
	}
}

static void event(struct parser *ps, struct event *e)
{
	*e = (struct event){ .block_us = -1, .line = ps->line, .at = AT_RELATIVE };
	if (*ps->p != '`' && strncmp(ps->p, "%{", 2))
		when(ps, e);
	blanks(ps);
	e->line = ps->line;
	if (eat(ps, "<")) {
		e->kind = EV_IN;
		segment(ps, &e->seg);
	} else if (eat(ps, ">")) {
		e->kind = EV_OUT;
		segment(ps, &e->seg);
	} else if (eat(ps, "%{")) {
		e->kind = EV_CODE;
		e->text = delimited(ps, "}%");
	} else if (eat(ps, "`")) {
		e->kind = EV_COMMAND;
		e->text = delimited(ps, "`");
	} else {
		e->kind = EV_CALL;
		call(ps, &e->call);
	}
}

static char *read_file(const char *path)
{
	FILE *f = fopen(path, "re");
	char *text = NULL;
	size_t n = 0;

	if (!f || getdelim(&text, &n, '\0', f) < 0)
		die("%s: cannot read it", path);
	fclose(f);
	return text;
}

/* --NAME=VALUE; those of other names are for who runs the script. */
static void setting(struct script *s, struct parser *ps)
{
	static const char tolerance[] = "--tolerance_usecs=", tick[] = "--tcp_ts_tick_usecs=",
		port[] = "--bind_port=";

	if (!strncmp(ps->p, tolerance, sizeof(tolerance) - 1))
		s->tolerance_us = atoll(ps->p + sizeof(tolerance) - 1);
	else if (!strncmp(ps->p, tick, sizeof(tick) - 1))
		s->ts_tick_us = atoll(ps->p + sizeof(tick) - 1);
	else if (!strncmp(ps->p, port, sizeof(port) - 1))
		s->port = (uint16_t)atoi(ps->p + sizeof(port) - 1);
	ps->p += strcspn(ps->p, " \t\n");
}

void script_read(struct script *s, const char *path)
{
	char *text = read_file(path);
	struct parser ps = { path, text, 1 };

	*s = (struct script){ .path = path, .tolerance_us = 10000, .port = SCRIPT_PORT };
	for (blanks(&ps); *ps.p; blanks(&ps)) {
		if (!strncmp(ps.p, "--", 2)) {
			setting(s, &ps);
			continue;
		}
		s->events = realloc(s->events, sizeof(*s->events) * (size_t)(s->count + 1));
		event(&ps, &s->events[s->count++]);
	}
	free(text);
}

static void value_free(struct value *v)
{
	for (int i = 0; i < v->count; i++) {
		value_free(&v->items[i]);
		free(v->names[i]);
	}
	free(v->items);
	free(v->names);
	free(v->s);
}

void script_free(struct script *s)
{
	for (int i = 0; i < s->count; i++) {
		struct event *e = &s->events[i];

		value_free(&e->call.args);
		free(e->call.name);
		free(e->call.error);
		free(e->text);
	}
	free(s->events);
}

const struct value *value_field(const struct value *s, const char *name)
{
	for (int i = 0; i < s->count; i++)
		if (s->names[i] && !strcmp(s->names[i], name))
			return &s->items[i];
	return NULL;
}

long long value_field_num(const struct value *s, const char *name, long long otherwise)
{
	const struct value *v = value_field(s, name);

	return v && v->type == V_INT ? v->n : otherwise;
}
