/* Lines of rules, cut into words. */
#ifndef STACK_FILTER_LEX_H
#define STACK_FILTER_LEX_H

#include <stdbool.h>
#include <stddef.h>

enum { LEX_LINE_MAX = 10240, LEX_WORDS_MAX = 255 };

/** struct token - a word; @col: where it begins, counted from 1 */
struct token {
	char *s;
	unsigned col;
};

/** struct lex - @words: of the present line, @nwords of them; @why, @col: what is wrong with it */
struct lex {
	const char *at, *end;
	unsigned line, col;
	const char *why;
	struct token words[LEX_WORDS_MAX];
	size_t nwords;
	char buf[LEX_LINE_MAX + LEX_WORDS_MAX];
};

void lex_init(struct lex *x, const char *text, size_t len);

/** lex_line() - cut up the next line that has words; false at the end, or with @why set */
bool lex_line(struct lex *x);

#endif
