/* Text that grows. */
#ifndef STACK_FILTER_TEXT_H
#define STACK_FILTER_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/** struct text - all zero when empty; @failed once there was no memory */
struct text {
	char *s;
	size_t len, room;
	bool failed;
};

void text_add(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void text_free(struct text *t);

/** text_add_quoted() - a space and the string, in quotes unless it is a plain word */
void text_add_quoted(struct text *t, const char *s);

#endif
