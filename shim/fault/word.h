/* word.h - a rule's line cut into words.
 *
 * Words stand between blanks. "..." takes blanks and '#' into a word, in which \" and \\ stand for the
 * characters themselves. A '#' where a word would begin starts a comment.
 */
#ifndef SHIM_FAULT_WORD_H
#define SHIM_FAULT_WORD_H

#include <stdbool.h>
#include <stddef.h>

/* A piece of the text, quotes and all. n is 0 at the end of the line. */
struct fault_word {
	const char *s;
	size_t n;
	unsigned column;
};

/* What is still to be read of a line: [p, end), without its comment and the blanks before that. */
struct fault_line {
	const char *start, *p, *end;
};

/* Begins to read the line [s, s + n), which holds no newline. */
void fault_line_begin(struct fault_line *line, const char *s, size_t n);

/* Takes the next word. At the end of the line it returns false, and w is empty but has its column. */
bool fault_line_next(struct fault_line *line, struct fault_word *w);

/* The next word, not taken. */
struct fault_word fault_line_peek(const struct fault_line *line);

/* Skips blanks; the column of what then comes. */
unsigned fault_line_column(struct fault_line *line);

bool fault_word_is(const struct fault_word *w, const char *s);

/* The part of a word from byte i on, n bytes of it at most. */
struct fault_word fault_word_part(const struct fault_word *w, size_t i, size_t n);

/* Index of the first byte c of a word that is outside of quotes, or -1. */
long fault_word_find(const struct fault_word *w, char c);

/* Copies a word without its quotes to dst, which has room for n + 1 bytes, and returns the length;
 * -1 if a quote is not closed. */
long fault_word_copy(char *dst, const struct fault_word *w);

#endif
