/* Subnets: an address and a mask. */
#ifndef STACK_BASE_SUBNET_H
#define STACK_BASE_SUBNET_H

#include "base/addr.h"
#include "base/err.h"

/** struct subnet - @id has no bit set outside @mask; both have the same length */
struct subnet {
	struct addr id;
	struct addr mask;
};

/** addr_mask_prefix() - the number of bits before the first host bit of a mask */
unsigned addr_mask_prefix(const struct addr *mask);

/** addr_mask_of() - the mask of @prefix_len bits for addresses of @addr_len bytes */
struct addr addr_mask_of(unsigned prefix_len, uint8_t addr_len);

/**
 * subnet_init() - make a subnet
 *
 * Return: NS_ERR_BAD_ADDRESS if the lengths differ or @id has bits outside @mask.
 */
enum ns_err subnet_init(struct subnet *s, const struct addr *id, const struct addr *mask);

/** subnet_of() - the subnet an address with prefix lies in */
struct subnet subnet_of(const struct addr_prefix *ap);

/** subnet_parse() - from "address/bits"; false on bad text or host bits set */
bool subnet_parse(const char *s, struct subnet *out);

/** subnet_contains() - whether @a has the same length and matches */
bool subnet_contains(const struct subnet *s, const struct addr *a);

/** subnet_broadcast() - the address with all host bits set */
struct addr subnet_broadcast(const struct subnet *s);

/** subnet_is_broadcast() - whether @a is the IPv4 broadcast of @s; none in /31 and /32 (RFC 3021) */
bool subnet_is_broadcast(const struct subnet *s, const struct addr *a);

/** subnet_prefix() - prefix length in bits */
unsigned subnet_prefix(const struct subnet *s);

/** subnet_bits() - the number of ones and of zeros in the mask */
void subnet_bits(const struct subnet *s, unsigned *ones, unsigned *zeros);

/** subnet_equal() - same address, same mask */
bool subnet_equal(const struct subnet *a, const struct subnet *b);

#endif
