/* The Internet checksum (RFC 1071): 64-bit words with end-around carry, folded at the end. */
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

uint16_t cksum_add(uint16_t sum, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t s = sum, s2 = 0, w[4];

	/* Two chains of carries, so that one add need not wait for the other. */
	for (; len >= 32; len -= 32, p += 32) {
		memcpy(w, p, 32);
		s = add_carry(s, w[0]);
		s2 = add_carry(s2, w[1]);
		s = add_carry(s, w[2]);
		s2 = add_carry(s2, w[3]);
	}
	s = add_carry(s, s2);
	for (; len >= 8; len -= 8, p += 8) {
		memcpy(w, p, 8);
		s = add_carry(s, w[0]);
	}
	if (len) {
		w[0] = 0;
		memcpy(w, p, len);	/* the odd byte's missing neighbour counts as zero */
		s = add_carry(s, w[0]);
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
