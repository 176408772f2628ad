/*
 * The filters of packet links: classic BPF. A test's accept branch is a return of its own right behind it, so
 * that no jump is longer than a few instructions, however many addresses there are.
 */
#include "link/packet_link_filter.h"

#include "header/eth.h"

enum { KEEP_ALL = 0x40000, DST = 0, SRC = 6, TYPE = 12, V4_DST = 14 + 16, V6_DST = 14 + 24 };

struct program {
	struct sock_filter *f;
	size_t n;
};

static void add(struct program *p, uint16_t code, uint8_t jt, uint8_t jf, uint32_t k)
{
	p->f[p->n++] = (struct sock_filter){ code, jt, jf, k };
}

static uint32_t be32(const uint8_t *b)
{
	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static void accept(struct program *p)
{
	add(p, BPF_RET | BPF_K, 0, 0, KEEP_ALL);
}

static void refuse(struct program *p)
{
	add(p, BPF_RET | BPF_K, 0, 0, 0);
}

static void not_from(struct program *p, const struct link_addr *mac)
{
	add(p, BPF_LD | BPF_W | BPF_ABS, 0, 0, SRC);
	add(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 3, be32(mac->b));
	add(p, BPF_LD | BPF_H | BPF_ABS, 0, 0, SRC + 4);
	add(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, (uint32_t)(mac->b[4] << 8 | mac->b[5]));
	refuse(p);
}

static void group_passes(struct program *p)
{
	add(p, BPF_LD | BPF_B | BPF_ABS, 0, 0, DST);
	add(p, BPF_JMP | BPF_JSET | BPF_K, 0, 1, 1);
	accept(p);
}

size_t packet_link_filter_own(struct sock_filter f[PACKET_LINK_FILTER_MAX], const struct link_addr *mac)
{
	struct program p = { f, 0 };

	not_from(&p, mac);
	group_passes(&p);
	add(&p, BPF_LD | BPF_W | BPF_ABS, 0, 0, DST);
	add(&p, BPF_JMP | BPF_JEQ | BPF_K, 0, 3, be32(mac->b));
	add(&p, BPF_LD | BPF_H | BPF_ABS, 0, 0, DST + 4);
	add(&p, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, (uint32_t)(mac->b[4] << 8 | mac->b[5]));
	accept(&p);
	refuse(&p);
	return p.n;
}

/* Four bytes of an address: on to the next, or over the @rest instructions of this one. */
static void word(struct program *p, uint32_t off, const uint8_t *b, uint8_t rest)
{
	add(p, BPF_LD | BPF_W | BPF_ABS, 0, 0, off);
	add(p, BPF_JMP | BPF_JEQ | BPF_K, 0, rest, be32(b));
}

size_t packet_link_filter_share(struct sock_filter f[PACKET_LINK_FILTER_MAX], const struct link_addr *mac,
			   const struct addr *addrs, int n)
{
	struct program p = { f, 0 };
	size_t other;

	not_from(&p, mac);
	group_passes(&p);
	add(&p, BPF_LD | BPF_H | BPF_ABS, 0, 0, TYPE);
	add(&p, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, ETH_TYPE_ARP);
	accept(&p);
	add(&p, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, ETH_TYPE_IPV4);
	other = p.n;
	add(&p, BPF_JMP | BPF_JA, 0, 0, 0);
	add(&p, BPF_JMP | BPF_JA, 0, 0, 0);
	f[other].k = 1;
	for (int i = 0; i < n; i++) {
		if (addrs[i].len != ADDR_LEN_V4)
			continue;
		word(&p, V4_DST, addrs[i].b, 1);
		accept(&p);
	}
	refuse(&p);
	f[other + 1].k = (uint32_t)(p.n - other - 2);
	add(&p, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, ETH_TYPE_IPV6);
	refuse(&p);
	for (int i = 0; i < n; i++) {
		if (addrs[i].len != ADDR_LEN_V6)
			continue;
		for (uint8_t w = 0; w < 4; w++)
			word(&p, V6_DST + 4u * w, addrs[i].b + 4 * w, (uint8_t)(2 * (3 - w) + 1));
		accept(&p);
	}
	refuse(&p);
	return p.n;
}
