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

/*
 * Lanes of 64 bits. Each adds up whole words, of which carries get lost, and their upper halves, of which
 * none do below 2^32 steps; what the lower halves add up to is then what is left of the former.
 */
enum { BLOCK = 128 };

#define SUM_BLOCKS(lanes) \
	lanes all = { 0 }, all2 = { 0 }, high = { 0 }, high2 = { 0 }; \
	uint64_t s = 0; \
	for (; blocks; blocks--) { \
		for (const uint8_t *end = p + BLOCK; p < end; p += 2 * sizeof(lanes)) { \
			const lanes w = *(const lanes *)p, w2 = *(const lanes *)(p + sizeof(lanes)); \
			all += w; \
			all2 += w2; \
			high += w >> 32; \
			high2 += w2 >> 32; \
		} \
	} \
	all -= high << 32; \
	all2 -= high2 << 32; \
	for (size_t i = 0; i < sizeof(lanes) / 8; i++) \
		s = add_carry(add_carry(s, all[i] + all2[i]), high[i] + high2[i]); \
	return s

typedef uint64_t lanes2 __attribute__((vector_size(16), aligned(1), may_alias));

static uint64_t sum_blocks(const uint8_t *p, size_t blocks)
{
	SUM_BLOCKS(lanes2);
}

#ifdef __x86_64__
typedef uint64_t lanes4 __attribute__((vector_size(32), aligned(1), may_alias));

__attribute__((target("avx2"))) static uint64_t sum_blocks_avx2(const uint8_t *p, size_t blocks)
{
	SUM_BLOCKS(lanes4);
}

static uint64_t sum_long(const uint8_t *p, size_t blocks)
{
	return __builtin_cpu_supports("avx2") ? sum_blocks_avx2(p, blocks) : sum_blocks(p, blocks);
}
#else
#define sum_long sum_blocks
#endif

uint16_t cksum_add(uint16_t sum, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t s = sum, w;
	uint32_t w4;
	uint16_t w2;

	if (len >= BLOCK) {
		s = add_carry(s, sum_long(p, len / BLOCK));
		p += len & ~(BLOCK - 1ul);
		len &= BLOCK - 1;
	}
	for (; len >= 8; len -= 8, p += 8) {
		memcpy(&w, p, 8);
		s = add_carry(s, w);
	}
	if (len & 4) {
		memcpy(&w4, p, 4);
		s = add_carry(s, w4);
		p += 4;
	}
	if (len & 2) {
		memcpy(&w2, p, 2);
		s = add_carry(s, w2);
		p += 2;
	}
	if (len & 1)			/* the odd byte's missing neighbour counts as zero */
		s = add_carry(s, *p);
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
