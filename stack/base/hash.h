/* Keyed hashes, and the stack's random numbers made from them. */
#ifndef STACK_BASE_HASH_H
#define STACK_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

/** struct hash_key - a secret, so that nobody outside can choose what collides */
struct hash_key {
	uint64_t k[2];
};

/** siphash() - SipHash-2-4 of @len bytes: for what a peer sees (ports, sequence numbers, IDs) */
uint64_t siphash(const struct hash_key *key, const void *data, size_t len);

/** hash_mix() - folded 64x64 multiply: for table look-ups, whose results no peer sees */
static inline uint64_t hash_mix(uint64_t a, uint64_t b)
{
	unsigned __int128 m = (unsigned __int128)a * b;

	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

static inline uint64_t hash_addr(const struct hash_key *key, const struct addr *a, uint64_t extra)
{
	return hash_mix(hash_mix(a->q[0] ^ key->k[0], a->q[1] ^ key->k[1]) ^ extra, key->k[0] | 1);
}

/** struct rand - a keyed counter: unpredictable without the key, repeatable with it */
struct rand {
	struct hash_key key;
	uint64_t counter;
};

static inline uint64_t rand_u64(struct rand *r)
{
	uint64_t c = r->counter++;

	return siphash(&r->key, &c, sizeof(c));
}

static inline uint32_t rand_u32(struct rand *r)
{
	return (uint32_t)rand_u64(r);
}

/** rand_below() - uniform in [0, n), n > 0 */
static inline uint32_t rand_below(struct rand *r, uint32_t n)
{
	return (uint32_t)((rand_u64(r) >> 32) * n >> 32);
}

#endif
