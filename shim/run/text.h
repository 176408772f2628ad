/* text.h - putting text together without stdio, so that it can be done in a signal handler. */
#ifndef SHIM_RUN_TEXT_H
#define SHIM_RUN_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* Writes into a buffer of n bytes (NUL included) and counts what did not fit as well. */
struct text {
	char *buf;
	size_t n;
	size_t len;
};

static inline struct text text_to(char *buf, size_t n)
{
	return (struct text){ .buf = buf, .n = n };
}

static inline void text_char(struct text *t, char c)
{
	if (t->len + 1 < t->n)
		t->buf[t->len] = c;
	t->len++;
}

static inline void text_str(struct text *t, const char *s)
{
	while (*s)
		text_char(t, *s++);
}

static inline void text_uint(struct text *t, uint64_t v)
{
	char d[20];
	int i = 0;

	do
		d[i++] = (char)('0' + v % 10);
	while (v /= 10);
	while (i)
		text_char(t, d[--i]);
}

static inline void text_int(struct text *t, int64_t v)
{
	if (v < 0)
		text_char(t, '-');
	text_uint(t, v < 0 ? -(uint64_t)v : (uint64_t)v);
}

/* Ends the text with a NUL; returns the length that the whole of it has. */
static inline int text_end(struct text *t)
{
	if (t->n)
		t->buf[t->len < t->n ? t->len : t->n - 1] = 0;
	return (int)t->len;
}

#endif
