/* Output: one buffer before a descriptor, and number formatting that costs little. */
#include "cli/out.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define OUT_BYTES 65536

void out_open(struct out *o, int fd)
{
	*o = (struct out){ .fd = fd };
	out_grow(o, OUT_BYTES);
}

int out_flush(struct out *o)
{
	size_t done = 0;

	if (o->fd < 0)
		return 0;
	while (!o->error && done < o->len) {
		ssize_t n = write(o->fd, o->buf + done, o->len - done);

		if (n >= 0)
			done += (size_t)n;
		else if (errno != EINTR)
			o->error = errno;
	}
	o->len = 0;
	return -o->error;
}

int out_close(struct out *o)
{
	int rc = out_flush(o);

	free(o->buf);
	o->buf = NULL;
	o->len = o->cap = 0;
	return rc;
}

void out_grow(struct out *o, size_t n)
{
	size_t cap = o->cap ? o->cap : OUT_BYTES;

	if (o->cap)
		out_flush(o);
	while (cap - o->len < n)
		cap *= 2;
	if (cap == o->cap)
		return;
	o->buf = realloc(o->buf, cap);
	if (!o->buf) {
		fputs("sockdiag: out of memory\n", stderr);
		exit(1);
	}
	o->cap = cap;
}

void out_pad(struct out *o, char c, size_t n)
{
	out_room(o, n);
	memset(o->buf + o->len, c, n);
	o->len += n;
}

void out_printf(struct out *o, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	out_room(o, (size_t)n + 1);
	va_start(ap, fmt);
	vsnprintf(o->buf + o->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	o->len += (size_t)n;
}

static const char pairs[] = "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
			    "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
			    "8081828384858687888990919293949596979899";

char *put_u64(char *p, uint64_t v)
{
	char tmp[20], *t = tmp + sizeof(tmp);
	size_t n;

	while (v >= 100) {
		t -= 2;
		memcpy(t, pairs + 2 * (v % 100), 2);
		v /= 100;
	}
	if (v >= 10) {
		t -= 2;
		memcpy(t, pairs + 2 * v, 2);
	} else {
		*--t = (char)('0' + v);
	}
	n = (size_t)(tmp + sizeof(tmp) - t);
	memcpy(p, t, n);
	return p + n;
}

char *put_hex(char *p, uint64_t v)
{
	int digits = 1;

	while (digits < 16 && v >> (4 * digits))
		digits++;
	for (int i = digits - 1; i >= 0; i--)
		*p++ = "0123456789abcdef"[v >> (4 * i) & 15];
	return p;
}

char *put_thousandth(char *p, uint32_t v)
{
	uint32_t rest = v % 1000;

	/* Beyond six digits %g rounds; let it. */
	if (v >= 1000000)
		return p + snprintf(p, 24, "%g", v / 1000.);
	p = put_u64(p, v / 1000);
	if (rest) {
		*p++ = '.';
		*p++ = (char)('0' + rest / 100);
		if (rest % 100) {
			*p++ = (char)('0' + rest / 10 % 10);
			if (rest % 10)
				*p++ = (char)('0' + rest % 10);
		}
	}
	return p;
}

char *put_ip4(char *p, const void *addr_be)
{
	const uint8_t *a = addr_be;

	for (int i = 0; i < 4; i++) {
		if (i)
			*p++ = '.';
		p = put_u64(p, a[i]);
	}
	return p;
}

char *put_ip6(char *p, const void *addr_be)
{
	static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

	if (!memcmp(addr_be, mapped, sizeof(mapped))) {
		memcpy(p, "::ffff:", 7);
		return put_ip4(p + 7, (const char *)addr_be + 12);
	}
	if (!inet_ntop(AF_INET6, addr_be, p, INET6_ADDRSTRLEN))
		return p;
	return p + strlen(p);
}
