/* word.c - a rule's line cut into words. */
#include "fault/word.h"

#include <string.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

/* The end of the word that begins at p. */
static const char *word_end(const char *p, const char *end)
{
	bool quoted = false;

	for (; p < end && (quoted || !is_blank(*p)); p++) {
		if (*p == '"')
			quoted = !quoted;
		else if (quoted && *p == '\\' && p + 1 < end)
			p++;
	}
	return p;
}

static const char *skip_blanks(const char *p, const char *end)
{
	while (p < end && is_blank(*p))
		p++;
	return p;
}

void fault_line_begin(struct fault_line *line, const char *s, size_t n)
{
	const char *p, *last = s, *end = s + n;

	for (p = skip_blanks(s, end); p < end && *p != '#'; p = skip_blanks(last, end))
		last = word_end(p, end);
	*line = (struct fault_line){ .start = s, .p = s, .end = last };
}

struct fault_word fault_line_peek(const struct fault_line *line)
{
	const char *p = skip_blanks(line->p, line->end);

	return (struct fault_word){
		.s = p, .n = (size_t)(word_end(p, line->end) - p), .column = (unsigned)(p - line->start) + 1,
	};
}

bool fault_line_next(struct fault_line *line, struct fault_word *w)
{
	*w = fault_line_peek(line);
	line->p = w->s + w->n;
	return w->n != 0;
}

unsigned fault_line_column(struct fault_line *line)
{
	line->p = skip_blanks(line->p, line->end);
	return (unsigned)(line->p - line->start) + 1;
}

bool fault_word_is(const struct fault_word *w, const char *s)
{
	return strlen(s) == w->n && !memcmp(s, w->s, w->n);
}

struct fault_word fault_word_part(const struct fault_word *w, size_t i, size_t n)
{
	struct fault_word part = { .s = w->s + i, .n = w->n - i, .column = w->column + (unsigned)i };

	if (part.n > n)
		part.n = n;
	return part;
}

long fault_word_find(const struct fault_word *w, char c)
{
	bool quoted = false;

	for (size_t i = 0; i < w->n; i++) {
		if (w->s[i] == '"')
			quoted = !quoted;
		else if (quoted && w->s[i] == '\\')
			i++;
		else if (!quoted && w->s[i] == c)
			return (long)i;
	}
	return -1;
}

long fault_word_copy(char *dst, const struct fault_word *w)
{
	bool quoted = false;
	long len = 0;

	for (size_t i = 0; i < w->n; i++) {
		char c = w->s[i];

		if (c == '"') {
			quoted = !quoted;
			continue;
		}
		if (quoted && c == '\\' && i + 1 < w->n && (w->s[i + 1] == '"' || w->s[i + 1] == '\\'))
			c = w->s[++i];
		dst[len++] = c;
	}
	dst[len] = 0;
	return quoted ? -1 : len;
}
