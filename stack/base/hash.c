/* SipHash-2-4 (Aumasson, Bernstein: "SipHash: a fast short-input PRF"). */
#include "base/hash.h"

#include <string.h>

static inline uint64_t rotl(uint64_t x, int b)
{
	return x << b | x >> (64 - b);
}

#define SIPROUND(v) do { \
	v[0] += v[1]; v[1] = rotl(v[1], 13); v[1] ^= v[0]; v[0] = rotl(v[0], 32); \
	v[2] += v[3]; v[3] = rotl(v[3], 16); v[3] ^= v[2]; \
	v[0] += v[3]; v[3] = rotl(v[3], 21); v[3] ^= v[0]; \
	v[2] += v[1]; v[1] = rotl(v[1], 17); v[1] ^= v[2]; v[2] = rotl(v[2], 32); \
} while (0)

uint64_t siphash(const struct hash_key *key, const void *data, size_t len)
{
	uint64_t v[4] = { key->k[0] ^ 0x736f6d6570736575ull, key->k[1] ^ 0x646f72616e646f6dull,
			  key->k[0] ^ 0x6c7967656e657261ull, key->k[1] ^ 0x7465646279746573ull };
	const uint8_t *p = data;
	uint64_t m, last = (uint64_t)len << 56;

	for (; len >= 8; len -= 8, p += 8) {
		memcpy(&m, p, 8);
		v[3] ^= m;
		SIPROUND(v);
		SIPROUND(v);
		v[0] ^= m;
	}
	for (size_t i = 0; i < len; i++)
		last |= (uint64_t)p[i] << (8 * i);
	v[3] ^= last;
	SIPROUND(v);
	SIPROUND(v);
	v[0] ^= last;
	v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		SIPROUND(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}
