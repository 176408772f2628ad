/* The Internet checksum (RFC 1071). */
#ifndef STACK_BASE_CKSUM_H
#define STACK_BASE_CKSUM_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

/**
 * cksum_add() - add @len bytes to a running sum
 * @sum: 0, or what cksum_add() returned for bytes of even length before
 *
 * Return: a sum folded to 16 bits, in the byte order of memory (store it with memcpy, complemented).
 */
uint16_t cksum_add(uint16_t sum, const void *data, size_t len);

/** cksum_combine() - the sum of two ranges, the second starting at byte @offset of the whole */
static inline uint16_t cksum_combine(uint16_t a, uint16_t b, size_t offset)
{
	uint32_t s;

	if (offset & 1)		/* RFC 1071 2(B): the sum's bytes swap places */
		b = __builtin_bswap16(b);
	s = (uint32_t)a + b;
	return (uint16_t)(s + (s >> 16));
}

/** cksum_pseudo() - the pseudo header's sum; the same formula serves RFC 9293 3.1 and RFC 8200 8.1 */
uint16_t cksum_pseudo(const struct addr *src, const struct addr *dst, uint8_t proto, uint32_t len);

/**
 * cksum_update() - a header's checksum after one of its 16-bit words changed (RFC 1624, eqn. 3)
 *
 * All three in memory order.
 */
static inline uint16_t cksum_update(uint16_t cksum, uint16_t from, uint16_t to)
{
	uint32_t s = (uint32_t)(uint16_t)~cksum + (uint16_t)~from + to;

	s = (s & 0xffff) + (s >> 16);
	return (uint16_t)~(s + (s >> 16));
}

#endif
