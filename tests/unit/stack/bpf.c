/* Classic BPF: which programs are taken, and what they make of packets; both as the kernel has it. */
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/filter.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/bpf.h"

static struct pkt_pool *pool;
static uint8_t bytes[64];

static void setup(void)
{
	pool = pkt_pool_new();
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7 + 1);
}

static void teardown(void)
{
	cr_assert_eq(pkt_pool_live(pool), 0, "packets were left");
	pkt_pool_unref(pool);
}

TestSuite(bpf, .init = setup, .fini = teardown);

static bool taken(const struct sock_filter *code, size_t n)
{
	struct bpf_prog *p;
	enum ns_err err = bpf_new(code, n * sizeof(*code), &p);

	cr_assert(!err == !!p);
	bpf_free(p);
	return !err;
}

/* What the program says of a packet with these bytes, a part of them in a fragment. */
static uint32_t run(const struct sock_filter *code, size_t n, size_t len)
{
	struct pkt *pkt = pkt_from_bytes(pool, bytes, len / 2);
	struct chunk *c = chunk_alloc(pool, len - len / 2);
	struct bpf_view v = { .pkt = pkt, .net = 14, .proto = 0x0800, .ifindex = 3, .type = 4, .hatype = 1, .mark = 9 };
	struct bpf_prog *p;
	uint32_t r;

	memcpy(c->data, bytes + len / 2, len - len / 2);
	cr_assert(pkt_add_frag(pkt, c, 0, len - len / 2));
	chunk_unref(c);
	cr_assert_eq(bpf_new(code, n * sizeof(*code), &p), NS_OK);
	r = bpf_run(p, &v);
	bpf_free(p);
	pkt_free(pkt);
	return r;
}

#define PROG(...) (const struct sock_filter[]){ __VA_ARGS__ }, sizeof((struct sock_filter[]){ __VA_ARGS__ }) / sizeof(struct sock_filter)
#define S(code, k) BPF_STMT(code, k)
#define J(code, k, jt, jf) BPF_JUMP(code, k, jt, jf)
#define RET_A S(BPF_RET | BPF_A, 0)

Test(bpf, only_what_ends_is_taken)
{
	struct sock_filter *big = calloc(BPF_CODE_MAX + 1, sizeof(*big));

	cr_assert(taken(PROG(S(BPF_RET | BPF_K, 1))));
	cr_assert_not(taken(PROG(S(BPF_LD | BPF_IMM, 1))), "no return at the end");
	cr_assert_not(taken(big, 0));
	cr_assert_not(taken(PROG(J(BPF_JMP | BPF_JA, 1, 0, 0), S(BPF_RET | BPF_K, 1))), "a jump beyond the end");
	cr_assert_not(taken(PROG(J(BPF_JMP | BPF_JA, (uint32_t)-1, 0, 0), S(BPF_RET | BPF_K, 1))), "a jump back");
	cr_assert_not(taken(PROG(J(BPF_JMP | BPF_JEQ | BPF_K, 1, 1, 0), S(BPF_RET | BPF_K, 1))));
	cr_assert_not(taken(PROG(J(BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 1), S(BPF_RET | BPF_K, 1))));
	cr_assert(taken(PROG(J(BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 0), S(BPF_RET | BPF_K, 1))));
	for (size_t i = 0; i <= BPF_CODE_MAX; i++)
		big[i] = (struct sock_filter)S(BPF_RET | BPF_K, 1);
	cr_assert(taken(big, BPF_CODE_MAX));
	cr_assert_not(taken(big, BPF_CODE_MAX + 1));
	free(big);
}

Test(bpf, what_cannot_be_done_is_refused)
{
	cr_assert_not(taken(PROG(S(BPF_ALU | BPF_DIV | BPF_K, 0), RET_A)));
	cr_assert_not(taken(PROG(S(BPF_ALU | BPF_MOD | BPF_K, 0), RET_A)));
	cr_assert(taken(PROG(S(BPF_ALU | BPF_DIV | BPF_X, 0), RET_A)));
	cr_assert_not(taken(PROG(S(BPF_ALU | BPF_LSH | BPF_K, 32), RET_A)));
	cr_assert_not(taken(PROG(S(BPF_ST, BPF_MEMWORDS), RET_A)));
	cr_assert_not(taken(PROG(S(BPF_LD | BPF_MEM, 0), RET_A)), "scratch memory that nobody has written");
	cr_assert(taken(PROG(S(BPF_ST, 0), S(BPF_LD | BPF_MEM, 0), RET_A)));
	cr_assert_not(taken(PROG(J(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0), S(BPF_ST, 0), S(BPF_LD | BPF_MEM, 0), RET_A)),
		      "written on one way only");
	cr_assert_not(taken(PROG(S(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_NLATTR)), RET_A)));
	cr_assert_not(taken(PROG(S(0xffff, 0), RET_A)));
}

Test(bpf, loads)
{
	cr_assert_eq(run(PROG(S(BPF_LD | BPF_B | BPF_ABS, 3), RET_A), 40), bytes[3]);
	cr_assert_eq(run(PROG(S(BPF_LD | BPF_H | BPF_ABS, 19), RET_A), 40), (unsigned)bytes[19] << 8 | bytes[20], "over two pieces");
	cr_assert_eq(run(PROG(S(BPF_LD | BPF_W | BPF_ABS, 36), RET_A), 40),
		     (uint32_t)bytes[36] << 24 | (uint32_t)bytes[37] << 16 | (uint32_t)bytes[38] << 8 | bytes[39]);
	cr_assert_eq(run(PROG(S(BPF_LD | BPF_W | BPF_ABS, 37), S(BPF_RET | BPF_K, 5)), 40), 0, "a load beyond the end");
	cr_assert_eq(run(PROG(S(BPF_LDX | BPF_IMM, 30), S(BPF_LD | BPF_B | BPF_IND, 5), RET_A), 40), bytes[35]);
	cr_assert_eq(run(PROG(S(BPF_LDX | BPF_IMM, 30), S(BPF_LD | BPF_B | BPF_IND, 10), S(BPF_RET | BPF_K, 5)), 40), 0);
	cr_assert_eq(run(PROG(S(BPF_LDX | BPF_B | BPF_MSH, 2), S(BPF_MISC | BPF_TXA, 0), RET_A), 40), (bytes[2] & 0xfu) * 4);
	cr_assert_eq(run(PROG(S(BPF_LD | BPF_W | BPF_LEN, 0), RET_A), 40), 40);
	cr_assert_eq(run(PROG(S(BPF_LD | BPF_B | BPF_ABS, (uint32_t)SKF_NET_OFF + 1), RET_A), 40), bytes[15]);
	cr_assert_eq(run(PROG(S(BPF_LD | BPF_B | BPF_ABS, (uint32_t)SKF_LL_OFF + 1), RET_A), 40), bytes[1]);
	cr_assert_eq(run(PROG(S(BPF_LD | BPF_B | BPF_ABS, (uint32_t)SKF_LL_OFF - 1), S(BPF_RET | BPF_K, 5)), 40), 0);
}

Test(bpf, ancillary_loads)
{
	static const struct { int what; uint32_t is; } rows[] = {
		{ SKF_AD_PROTOCOL, 0x0800 }, { SKF_AD_IFINDEX, 3 }, { SKF_AD_PKTTYPE, 4 }, { SKF_AD_HATYPE, 1 },
		{ SKF_AD_MARK, 9 }, { SKF_AD_VLAN_TAG_PRESENT, 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_assert_eq(run(PROG(S(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + rows[i].what)), RET_A), 40), rows[i].is);
}

Test(bpf, division_by_x_of_0_ends_the_run)
{
	cr_assert_eq(run(PROG(S(BPF_LD | BPF_IMM, 8), S(BPF_ALU | BPF_DIV | BPF_X, 0), S(BPF_RET | BPF_K, 5)), 40), 0);
	cr_assert_eq(run(PROG(S(BPF_LD | BPF_IMM, 8), S(BPF_LDX | BPF_IMM, 3), S(BPF_ALU | BPF_MOD | BPF_X, 0), RET_A), 40), 2);
}

/* A program of which about every third may be run. */
static size_t make(struct sock_filter *code, unsigned *seed)
{
	static const uint16_t codes[] = {
		BPF_LD | BPF_W | BPF_ABS, BPF_LD | BPF_H | BPF_ABS, BPF_LD | BPF_B | BPF_ABS, BPF_LD | BPF_W | BPF_IND,
		BPF_LD | BPF_H | BPF_IND, BPF_LD | BPF_B | BPF_IND, BPF_LD | BPF_W | BPF_LEN, BPF_LD | BPF_IMM,
		BPF_LD | BPF_MEM, BPF_LDX | BPF_W | BPF_LEN, BPF_LDX | BPF_B | BPF_MSH, BPF_LDX | BPF_IMM, BPF_LDX | BPF_MEM,
		BPF_ST, BPF_STX, BPF_MISC | BPF_TAX, BPF_MISC | BPF_TXA, BPF_ALU | BPF_NEG, BPF_JMP | BPF_JA,
	};
	size_t n = 1 + (size_t)rand_r(seed) % 12;

	for (size_t i = 0; i < n; i++) {
		struct sock_filter *f = &code[i];
		int kind = rand_r(seed) % 20;

		f->code = kind < 10 ? codes[(size_t)rand_r(seed) % (sizeof(codes) / sizeof(codes[0]))] :
			  kind < 14 ? (uint16_t)(BPF_ALU | (rand_r(seed) % 11) << 4 | (rand_r(seed) & 8)) :
			  kind < 18 ? (uint16_t)(BPF_JMP | (rand_r(seed) % 5) << 4 | (rand_r(seed) & 8)) :
			  kind < 19 ? (uint16_t)(rand_r(seed) % 256) : (uint16_t)(BPF_RET | (rand_r(seed) & 0x10));
		f->k = rand_r(seed) % 12 ? (uint32_t)rand_r(seed) % 40 : (uint32_t)rand_r(seed) * 3;
		f->jt = (uint8_t)(rand_r(seed) % 3);
		f->jf = (uint8_t)(rand_r(seed) % 3);
		if ((f->code & 7) == BPF_ST || (f->code & 7) == BPF_STX || f->code == (BPF_LD | BPF_MEM))
			f->k %= 17;
	}
	code[n - 1].code = rand_r(seed) % 8 ? BPF_RET | (rand_r(seed) & 0x10) : code[n - 1].code;
	return n;
}

/* Loads that the kernel knows more of than we do, or makes something else of on a unix socket. */
static bool is_about_more(const struct sock_filter *code, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((code[i].code & 7) <= BPF_LDX && code[i].k >= 0x80000000u)
			return true;
	return false;
}

Test(bpf, random_programs_do_what_they_do_in_the_kernel)
{
	unsigned seed = 4711, good = 0;
	uint8_t got[sizeof(bytes)];
	int sv[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, sv), 0);
	for (int i = 0; i < 30000; i++) {
		struct sock_filter code[12];
		size_t n = make(code, &seed), len = 2 + (size_t)rand_r(&seed) % 60;
		struct sock_fprog prog = { (unsigned short)n, code };
		ssize_t want, is;
		int err;

		if (is_about_more(code, n))
			continue;
		err = setsockopt(sv[1], SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) < 0 ? errno : 0;
		if (err != 0 && err != EINVAL)
			cr_skip("filters cannot be attached here");
		cr_assert_eq(taken(code, n), !err, "program %d", i);
		if (err)
			continue;
		good++;
		cr_assert_eq(send(sv[0], bytes, len, 0), (ssize_t)len);
		want = recv(sv[1], got, sizeof(got), MSG_DONTWAIT);
		is = (ssize_t)run(code, n, len) & 0xffffffff;
		/* What is wanted may be more than there is; nothing at all is no datagram. */
		is = is == 0 ? -1 : is > (ssize_t)len ? (ssize_t)len : is;
		cr_assert_eq(is, want, "program %d: %zd, in the kernel %zd", i, is, want);
	}
	cr_assert_gt(good, 3000);
	close(sv[0]);
	close(sv[1]);
}
