/* Subnets: an address and a mask. */
#include "base/subnet.h"

unsigned addr_mask_prefix(const struct addr *mask)
{
	unsigned n = 0;

	for (unsigned i = 0; i < mask->len; i++) {
		for (uint8_t bit = 0x80; bit; bit >>= 1) {
			if (!(mask->b[i] & bit))
				return n;
			n++;
		}
	}
	return n;
}

struct addr addr_mask_of(unsigned prefix_len, uint8_t addr_len)
{
	struct addr ones = { .len = addr_len };

	memset(ones.b, 0xff, addr_len);
	return addr_prefix_bits(&ones, prefix_len);
}

enum ns_err subnet_init(struct subnet *s, const struct addr *id, const struct addr *mask)
{
	if (id->len != mask->len || id->len == 0)
		return NS_ERR_BAD_ADDRESS;
	if ((id->q[0] & ~mask->q[0]) | (id->q[1] & ~mask->q[1]))
		return NS_ERR_BAD_ADDRESS;
	s->id = *id;
	s->mask = *mask;
	return NS_OK;
}

struct subnet subnet_of(const struct addr_prefix *ap)
{
	return (struct subnet){ addr_prefix_bits(&ap->addr, ap->prefix_len),
				addr_mask_of(ap->prefix_len, ap->addr.len) };
}

bool subnet_parse(const char *s, struct subnet *out)
{
	struct addr_prefix ap;
	struct addr mask;

	if (!addr_prefix_parse(s, &ap))
		return false;
	mask = addr_mask_of(ap.prefix_len, ap.addr.len);
	return subnet_init(out, &ap.addr, &mask) == NS_OK;
}

bool subnet_contains(const struct subnet *s, const struct addr *a)
{
	return a->len == s->id.len && (a->q[0] & s->mask.q[0]) == s->id.q[0] &&
	       (a->q[1] & s->mask.q[1]) == s->id.q[1];
}

struct addr subnet_broadcast(const struct subnet *s)
{
	struct addr b = s->id;

	for (unsigned i = 0; i < b.len; i++)
		b.b[i] |= (uint8_t)~s->mask.b[i];
	return b;
}

bool subnet_is_broadcast(const struct subnet *s, const struct addr *a)
{
	struct addr b;

	if (a->len != ADDR_LEN_V4 || subnet_prefix(s) > 30)
		return false;
	b = subnet_broadcast(s);
	return addr_equal(a, &b);
}

unsigned subnet_prefix(const struct subnet *s)
{
	return addr_mask_prefix(&s->mask);
}

void subnet_bits(const struct subnet *s, unsigned *ones, unsigned *zeros)
{
	*ones = (unsigned)__builtin_popcountll(s->mask.q[0]) +
		(unsigned)__builtin_popcountll(s->mask.q[1]);
	*zeros = s->mask.len * 8u - *ones;
}

bool subnet_equal(const struct subnet *a, const struct subnet *b)
{
	return addr_equal(&a->id, &b->id) && addr_equal(&a->mask, &b->mask);
}
