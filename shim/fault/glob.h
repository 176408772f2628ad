/* glob.h - shell patterns: * ? [a-z] [!a-z], and \ before a character that is meant itself. */
#ifndef SHIM_FAULT_GLOB_H
#define SHIM_FAULT_GLOB_H

#include <stdbool.h>
#include <stddef.h>

/* Whether the n bytes of text are what the pattern describes; '*' and '?' match '/' too. With `fold`,
 * ASCII letters match in either case. Takes time in proportion to strlen(pattern) * n at most. */
bool fault_glob_match(const char *pattern, const char *text, size_t n, bool fold);

#endif
