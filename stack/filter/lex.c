/* Lines of rules, cut into words: blanks between them, double quotes around what has blanks in it. */
#include "filter/lex.h"

#include <string.h>

void lex_init(struct lex *x, const char *text, size_t len)
{
	x->at = text;
	x->end = text + len;
	x->line = 0;
	x->col = 0;
	x->why = NULL;
	x->nwords = 0;
}

static bool lex_fail(struct lex *x, size_t col, const char *why)
{
	x->col = (unsigned)col + 1;
	x->why = why;
	return false;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* One word of the line @s of @n bytes, from *@i on; it is written at *@to. */
static bool lex_word(struct lex *x, const char *s, size_t n, size_t *i, char **to)
{
	bool quoted = false;
	size_t start = *i;

	if (x->nwords == LEX_WORDS_MAX)
		return lex_fail(x, *i, "expected at most 255 words in a line");
	x->words[x->nwords++] = (struct token){ *to, (unsigned)start + 1 };
	for (; *i < n && (quoted || !is_blank(s[*i])); ++*i) {
		char c = s[*i];

		if (c == '\0')
			return lex_fail(x, *i, "expected text, not a zero byte");
		if (c == '"') {
			quoted = !quoted;
			continue;
		}
		if (quoted && c == '\\' && *i + 1 < n && s[*i + 1])
			c = s[++*i];
		*(*to)++ = c;
	}
	if (quoted)
		return lex_fail(x, start, "expected a closing \" in this line");
	*(*to)++ = '\0';
	return true;
}

static bool lex_words(struct lex *x, const char *s, size_t n)
{
	char *to = x->buf;
	size_t i = 0;

	x->nwords = 0;
	for (;;) {
		while (i < n && is_blank(s[i]))
			i++;
		if (i == n || (x->nwords == 0 && s[i] == '#'))
			return true;
		if (!lex_word(x, s, n, &i, &to))
			return false;
	}
}

bool lex_line(struct lex *x)
{
	while (x->at < x->end) {
		const char *s = x->at, *eol = memchr(s, '\n', (size_t)(x->end - s));
		size_t n = (size_t)((eol ? eol : x->end) - s);

		x->line++;
		x->at = eol ? eol + 1 : x->end;
		if (n > LEX_LINE_MAX)
			return lex_fail(x, LEX_LINE_MAX, "expected a line of at most 10240 bytes");
		if (!lex_words(x, s, n))
			return false;
		if (x->nwords)
			return true;
	}
	return false;
}
