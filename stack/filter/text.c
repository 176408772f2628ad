/* Text that grows. */
#include "filter/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool text_room(struct text *t, size_t n)
{
	size_t room = t->room ? t->room : 256;
	char *s;

	if (t->failed)
		return false;
	while (room - t->len <= n)
		room *= 2;
	if (room == t->room)
		return true;
	s = realloc(t->s, room);
	if (!s) {
		t->failed = true;
		return false;
	}
	t->s = s;
	t->room = room;
	return true;
}

void text_add(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || !text_room(t, (size_t)n))
		return;
	va_start(ap, fmt);
	vsnprintf(t->s + t->len, t->room - t->len, fmt, ap);
	va_end(ap);
	t->len += (size_t)n;
}

void text_free(struct text *t)
{
	free(t->s);
	*t = (struct text){ 0 };
}

void text_add_quoted(struct text *t, const char *s)
{
	static const char plain[] = "_-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

	if (*s && s[strspn(s, plain)] == '\0') {
		text_add(t, " %s", s);
		return;
	}
	text_add(t, " \"");
	for (; *s; s++)
		text_add(t, strchr("\"\\'", *s) ? "\\%c" : "%c", *s);
	text_add(t, "\"");
}
