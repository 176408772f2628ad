/* Network and link addresses. */
#ifndef STACK_BASE_ADDR_H
#define STACK_BASE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { ADDR_LEN_V4 = 4, ADDR_LEN_V6 = 16, ADDR_STR_MAX = 64, LINK_ADDR_LEN = 6 };

typedef uint64_t addr_pair __attribute__((vector_size(16), aligned(8)));

/**
 * struct addr - a network address in network byte order, or none
 * @b:   the bytes; those beyond @len are zero, so that two addresses compare as two words
 * @len: ADDR_LEN_V4, ADDR_LEN_V6, or 0 for "no address" (any address of any family)
 */
struct addr {
	union {
		uint8_t b[16];
		uint32_t w[4];
		uint64_t q[2];
		addr_pair pair;
	};
	uint8_t len;
};

/** struct link_addr - an IEEE 802 address, @len 6, or none, @len 0 */
struct link_addr {
	uint8_t b[LINK_ADDR_LEN];
	uint8_t len;
};

/** struct addr_prefix - an address with the length of its subnet's prefix in bits */
struct addr_prefix {
	struct addr addr;
	uint8_t prefix_len;
};

/** struct proto_addr - an address of a network protocol (an Ethernet type) */
struct proto_addr {
	uint16_t net_proto;
	struct addr_prefix addr;
};

/**
 * struct full_addr - a transport address
 * @nic:  the NIC it refers to, 0 for any
 * @addr: network address; @addr.len 0 means any
 * @port: transport port, host order
 */
struct full_addr {
	uint32_t nic;
	struct addr addr;
	uint16_t port;
};

static inline bool addr_equal(const struct addr *a, const struct addr *b)
{
	return a->q[0] == b->q[0] && a->q[1] == b->q[1] && a->len == b->len;
}

/*
 * addr_of_word() - an IPv4 address from its four bytes in memory order
 *
 * It is written in one piece, as it is read next: a load that spans several smaller stores waits until these
 * have left the processor, and all work before them is done.
 */
static inline struct addr addr_of_word(uint32_t w)
{
	return (struct addr){ .pair = { w, 0 }, .len = ADDR_LEN_V4 };
}

static inline struct addr addr_from_bytes(const uint8_t *p, uint8_t len)
{
	struct addr a = { .len = len };
	uint32_t w;

	if (len == ADDR_LEN_V4) {
		memcpy(&w, p, sizeof(w));
		return addr_of_word(w);
	}
	memcpy(a.b, p, len);
	return a;
}

/** addr_is_any() - no address, 0.0.0.0 or :: */
static inline bool addr_is_any(const struct addr *a)
{
	return (a->q[0] | a->q[1]) == 0;
}

static inline struct addr addr_v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	return addr_of_word(a | (uint32_t)b << 8 | (uint32_t)c << 16 | (uint32_t)d << 24);
}

static inline bool addr_is_v4_broadcast(const struct addr *a)
{
	return a->len == ADDR_LEN_V4 && a->w[0] == 0xffffffffu;
}

static inline bool addr_is_multicast(const struct addr *a)
{
	return a->len == ADDR_LEN_V4 ? (a->b[0] & 0xf0) == 0xe0
				     : a->len == ADDR_LEN_V6 && a->b[0] == 0xff;
}

static inline bool addr_is_loopback(const struct addr *a)
{
	if (a->len == ADDR_LEN_V4)
		return a->b[0] == 127;
	return a->len == ADDR_LEN_V6 && a->q[0] == 0 && a->w[2] == 0 && a->b[12] == 0 &&
	       a->b[13] == 0 && a->b[14] == 0 && a->b[15] == 1;
}

/** addr_is_link_local() - unicast link-local: 169.254/16 or fe80::/10 */
static inline bool addr_is_link_local(const struct addr *a)
{
	if (a->len == ADDR_LEN_V4)
		return a->b[0] == 169 && a->b[1] == 254;
	return a->len == ADDR_LEN_V6 && a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}

/** addr_is_v4_mapped() - ::ffff:a.b.c.d */
static inline bool addr_is_v4_mapped(const struct addr *a)
{
	return a->len == ADDR_LEN_V6 && a->q[0] == 0 && a->w[2] == 0xffff0000u;
}

/** addr_unmap() - the IPv4 address in a v4-mapped one, else @a itself */
struct addr addr_unmap(const struct addr *a);

/** addr_map() - the v4-mapped IPv6 address of an IPv4 address; others unchanged */
struct addr addr_map(const struct addr *a);

/** addr_mask_word() - the mask of the first @bits of 64 bits, in memory order */
static inline uint64_t addr_mask_word(unsigned bits)
{
	return bits >= 64 ? ~0ull : bits ? __builtin_bswap64(~0ull << (64 - bits)) : 0;
}

/** addr_prefix_bits() - @a with all but its first @bits bits cleared */
static inline struct addr addr_prefix_bits(const struct addr *a, unsigned bits)
{
	addr_pair mask = { addr_mask_word(bits), addr_mask_word(bits > 64 ? bits - 64 : 0) };

	return (struct addr){ .pair = a->pair & mask, .len = a->len };
}

/** addr_parse() - from dotted quad or RFC 4291 text; false if it is neither */
bool addr_parse(const char *s, struct addr *out);

/** addr_format() - write @a's text to @buf (ADDR_STR_MAX bytes) and return @buf; "any" for none */
const char *addr_format(const struct addr *a, char buf[ADDR_STR_MAX]);

/** addr_prefix_parse() - from "address/bits"; false on bad text or too many bits */
bool addr_prefix_parse(const char *s, struct addr_prefix *out);

/** addr_prefix_format() - write "address/bits" to @buf (ADDR_STR_MAX bytes) and return @buf */
const char *addr_prefix_format(const struct addr_prefix *a, char buf[ADDR_STR_MAX]);

/** addr_solicited_node() - ff02::1:ffXX:XXXX of an IPv6 address (RFC 4291, 2.7.1) */
struct addr addr_solicited_node(const struct addr *a);

/** link_addr_parse() - from aa:bb:cc:dd:ee:ff or aa-bb-cc-dd-ee-ff; false on anything else */
bool link_addr_parse(const char *s, struct link_addr *out);

/** link_addr_format() - write aa:bb:cc:dd:ee:ff to @buf (ADDR_STR_MAX bytes) and return @buf */
const char *link_addr_format(const struct link_addr *a, char buf[ADDR_STR_MAX]);

static inline struct link_addr link_addr_from_bytes(const uint8_t *p)
{
	struct link_addr a = { .len = LINK_ADDR_LEN };

	memcpy(a.b, p, LINK_ADDR_LEN);
	return a;
}

static inline bool link_addr_equal(const struct link_addr *a, const struct link_addr *b)
{
	return a->len == b->len && memcmp(a->b, b->b, LINK_ADDR_LEN) == 0;
}

/** link_addr_is_unicast() - neither none, nor all zero, nor a group address */
bool link_addr_is_unicast(const struct link_addr *a);

/** link_addr_of_multicast() - the Ethernet group of an IP group (RFC 1112 6.4, RFC 2464 7) */
struct link_addr link_addr_of_multicast(const struct addr *group);

extern const struct link_addr link_addr_broadcast;
extern const struct addr addr_v4_broadcast;
extern const struct addr addr_v4_any;
extern const struct addr addr_v6_any;
extern const struct addr addr_v6_all_nodes;
extern const struct addr addr_v6_all_routers;

#endif
