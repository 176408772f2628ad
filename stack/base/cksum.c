/* The Internet checksum (RFC 1071): wide sums, folded at the end. */
#include "base/cksum.h"

#include <string.h>

static inline uint64_t add_carry(uint64_t a, uint64_t b)
{
	a += b;
	return a + (a < b);
}

static inline uint16_t fold(uint64_t s)
{
	s = (s & 0xffffffff) + (s >> 32);
	s = (s & 0xffffffff) + (s >> 32);
	s = (s & 0xffff) + (s >> 16);
	s = (s & 0xffff) + (s >> 16);
	return (uint16_t)s;
}

/* Two 64-bit lanes; each sums 32-bit halves, so that no carry is lost below 2^32 steps. */
typedef uint64_t lanes __attribute__((vector_size(16)));

static inline uint64_t sum_blocks(const uint8_t *p, size_t blocks)
{
	const lanes low = { 0xffffffff, 0xffffffff };
	lanes a = { 0, 0 }, b = { 0, 0 }, w[4];

	for (; blocks; blocks--, p += 64) {
		memcpy(w, p, 64);
		a += (w[0] & low) + (w[1] & low);
		b += (w[0] >> 32) + (w[1] >> 32);
		a += (w[2] & low) + (w[3] & low);
		b += (w[2] >> 32) + (w[3] >> 32);
	}
	a += b;
	return add_carry(a[0], a[1]);
}

uint16_t cksum_add(uint16_t sum, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t s = sum, w;

	if (len >= 64) {
		s = add_carry(s, sum_blocks(p, len / 64));
		p += len & ~63ul;
		len &= 63;
	}
	for (; len >= 8; len -= 8, p += 8) {
		memcpy(&w, p, 8);
		s = add_carry(s, w);
	}
	if (len) {
		w = 0;
		memcpy(&w, p, len);	/* the odd byte's missing neighbour counts as zero */
		s = add_carry(s, w);
	}
	return fold(s);
}

uint16_t cksum_pseudo(const struct addr *src, const struct addr *dst, uint8_t proto, uint32_t len)
{
	uint64_t s = src->q[0];

	s = add_carry(s, src->q[1]);
	s = add_carry(s, dst->q[0]);
	s = add_carry(s, dst->q[1]);
	s = add_carry(s, (uint64_t)__builtin_bswap32(len));
	s = add_carry(s, (uint64_t)proto << 8);
	return fold(s);
}
