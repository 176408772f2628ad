/* Output: one buffer before a descriptor, and number formatting that costs little. */
#ifndef DIAG_CLI_OUT_H
#define DIAG_CLI_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * printf() is most of what a listing of many sockets costs, so numbers and addresses are written
 * by hand. Whoever writes asks for room first (out_room), then puts without further checks.
 */

/** struct out - text on its way to a descriptor; a descriptor of -1 makes it text in memory */
struct out {
	int fd;
	int error; /* errno of the first write that failed; nothing is written after it */
	char *buf;
	size_t len;
	size_t cap;
};

/** out_open - begins writing to @fd, which stays the caller's; exits without memory */
void out_open(struct out *o, int fd);

/** out_close - writes what is left, frees the buffer; returns 0 or the first error as -errno */
int out_close(struct out *o);

/** out_flush - writes what is there (does nothing to text in memory); returns 0 or the first error as -errno */
int out_flush(struct out *o);

/** out_grow - what out_room() does when there is no room */
void out_grow(struct out *o, size_t n);

/** out_room - makes room for @n bytes, writing or growing as need be */
static inline void out_room(struct out *o, size_t n)
{
	if (o->cap - o->len < n)
		out_grow(o, n);
}

/** out_bytes - appends, making room by itself */
static inline void out_bytes(struct out *o, const void *data, size_t n)
{
	out_room(o, n);
	memcpy(o->buf + o->len, data, n);
	o->len += n;
}

/** out_str - appends a string, making room by itself */
static inline void out_str(struct out *o, const char *s)
{
	out_bytes(o, s, strlen(s));
}

/* Appends a string literal, whose length the compiler knows. */
#define out_lit(o, literal) out_bytes(o, "" literal, sizeof(literal) - 1)

/** out_pad - appends @n times @c */
void out_pad(struct out *o, char c, size_t n);

/** out_printf - appends what printf would print; for what is rare */
__attribute__((format(printf, 2, 3))) void out_printf(struct out *o, const char *fmt, ...);

/*
 * Below, put_* write at @p, where there is room for the longest result, and return where they ended.
 */

/** put_u64 - decimal, at most 20 bytes */
char *put_u64(char *p, uint64_t v);

/** put_hex - hexadecimal without leading zeros, at most 16 bytes */
char *put_hex(char *p, uint64_t v);

/** put_thousandth - @v / 1000 as printf's %g has it, at most 24 bytes: microseconds as milliseconds */
char *put_thousandth(char *p, uint32_t v);

/** put_ip4 - dotted, at most 15 bytes; @addr_be is four bytes in network order */
char *put_ip4(char *p, const void *addr_be);

/** put_ip6 - as inet_ntop() has it (RFC 5952), at most 45 bytes; @addr_be is sixteen bytes */
char *put_ip6(char *p, const void *addr_be);

/** out_u64, out_hex - the same, appended */
static inline void out_u64(struct out *o, uint64_t v)
{
	out_room(o, 20);
	o->len = (size_t)(put_u64(o->buf + o->len, v) - o->buf);
}

static inline void out_hex(struct out *o, uint64_t v)
{
	out_room(o, 16);
	o->len = (size_t)(put_hex(o->buf + o->len, v) - o->buf);
}

static inline void out_thousandth(struct out *o, uint32_t v)
{
	out_room(o, 24);
	o->len = (size_t)(put_thousandth(o->buf + o->len, v) - o->buf);
}

#endif
