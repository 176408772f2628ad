/* message.c - what is wrong with a rule, put in words. */
#include <stdarg.h>
#include <string.h>

#include "fault/parser.h"
#include "run/text.h"

#define SHOWN 40	/* bytes of a word that a message shows */

static void put_word(struct text *t, const struct fault_word *w)
{
	if (!w->n) {
		text_str(t, "the end of the line");
		return;
	}
	text_char(t, '\'');
	for (size_t i = 0; i < w->n && i < SHOWN; i++) {
		unsigned char c = (unsigned char)w->s[i];

		text_char(t, c < 0x20 || c >= 0x7f ? '?' : (char)c);	/* it may go to a terminal */
	}
	text_str(t, w->n > SHOWN ? "...'" : "'");
}

static void format(struct text *t, const char *fmt, va_list args)
{
	for (; *fmt; fmt++) {
		if (*fmt != '%') {
			text_char(t, *fmt);
			continue;
		}
		switch (*++fmt) {
		case 'w': put_word(t, va_arg(args, const struct fault_word *)); break;
		case 's': text_str(t, va_arg(args, const char *)); break;
		case 'u': text_uint(t, va_arg(args, unsigned)); break;
		default: text_char(t, *fmt); break;
		}
	}
}

/* Where the next message goes; NULL if there is no room. */
static struct fault_error *place(struct fault_parser *p, bool warning)
{
	size_t i = p->n_err;

	if (!warning)
		for (i = 0; i < p->n_err && !p->err[i].warning; i++)
			;
	if (i == p->max)
		return NULL;
	if (p->n_err == p->max)
		p->n_err--;	/* the last warning makes room */
	memmove(&p->err[i + 1], &p->err[i], (p->n_err - i) * sizeof(p->err[0]));
	p->n_err++;
	return &p->err[i];
}

static void add(struct fault_parser *p, bool warning, unsigned column, const char *fmt, va_list args)
{
	struct fault_error *e = place(p, warning);
	struct text t;

	if (!e)
		return;
	*e = (struct fault_error){ .line = p->line_number, .column = column, .warning = warning };
	t = text_to(e->text, sizeof(e->text));
	format(&t, fmt, args);
	text_end(&t);
}

bool fault_fail(struct fault_parser *p, unsigned column, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	add(p, false, column, fmt, args);
	va_end(args);
	p->failed = true;
	return false;
}

void fault_warn(struct fault_parser *p, unsigned column, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	add(p, true, column, fmt, args);
	va_end(args);
}

bool fault_fail_unknown(struct fault_parser *p, const struct fault_word *w, const char *what,
			const char *nearest, const char *expected)
{
	if (nearest)
		return fault_fail(p, w->column, "unknown %s %w; did you mean '%s'?", what, w, nearest);
	return fault_fail(p, w->column, "unknown %s %w; expected %s", what, w, expected);
}
