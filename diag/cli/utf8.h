/* UTF-8 in names that others chose (RFC 3629). */
#ifndef DIAG_CLI_UTF8_H
#define DIAG_CLI_UTF8_H

#include <stddef.h>

/** utf8_length - bytes of the character at @s, of which @n (at least 1) are there; 0 when they are none */
size_t utf8_length(const unsigned char *s, size_t n);

#endif
