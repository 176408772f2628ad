/* Classic BPF: checking programs and running them. */
#include "core/bpf.h"

#include <linux/filter.h>
#include <stdlib.h>
#include <string.h>

#include "base/byteorder.h"

struct bpf_prog {
	size_t n;
	struct sock_filter code[];
};

/* Instructions there are, but for jumps and arithmetic. */
static const uint16_t known_codes[] = {
	BPF_LD | BPF_W | BPF_ABS, BPF_LD | BPF_H | BPF_ABS, BPF_LD | BPF_B | BPF_ABS,
	BPF_LD | BPF_W | BPF_IND, BPF_LD | BPF_H | BPF_IND, BPF_LD | BPF_B | BPF_IND,
	BPF_LD | BPF_W | BPF_LEN, BPF_LD | BPF_IMM, BPF_LD | BPF_MEM,
	BPF_LDX | BPF_W | BPF_LEN, BPF_LDX | BPF_B | BPF_MSH, BPF_LDX | BPF_IMM, BPF_LDX | BPF_MEM,
	BPF_ST, BPF_STX, BPF_RET | BPF_K, BPF_RET | BPF_A, BPF_MISC | BPF_TAX, BPF_MISC | BPF_TXA,
	BPF_ALU | BPF_NEG,
};

static bool code_known(uint16_t code)
{
	uint16_t op = code & 0xf0;

	if (code > 0xff)
		return false;
	for (size_t i = 0; i < sizeof(known_codes) / sizeof(known_codes[0]); i++)
		if (known_codes[i] == code)
			return true;
	if (BPF_CLASS(code) == BPF_ALU)
		return op <= BPF_XOR && op != BPF_NEG;
	if (BPF_CLASS(code) == BPF_JMP)
		return op == BPF_JA ? code == (BPF_JMP | BPF_JA) : op <= BPF_JSET;
	return false;
}

static bool ancillary_known(uint32_t k)
{
	switch (k - (uint32_t)SKF_AD_OFF) {
	case SKF_AD_PROTOCOL: case SKF_AD_PKTTYPE: case SKF_AD_IFINDEX: case SKF_AD_MARK: case SKF_AD_QUEUE:
	case SKF_AD_HATYPE: case SKF_AD_RXHASH: case SKF_AD_CPU: case SKF_AD_ALU_XOR_X: case SKF_AD_VLAN_TAG:
	case SKF_AD_VLAN_TAG_PRESENT: case SKF_AD_VLAN_TPID:
		return true;
	default:
		return false;
	}
}

/* Whether instruction @pc of @n may stand there. */
static bool insn_ok(const struct sock_filter *f, size_t pc, size_t n)
{
	size_t left = n - pc - 1;	/* instructions after it */

	if (!code_known(f->code))
		return false;
	switch (f->code) {
	case BPF_ALU | BPF_DIV | BPF_K:
	case BPF_ALU | BPF_MOD | BPF_K:
		return f->k != 0;
	case BPF_ALU | BPF_LSH | BPF_K:
	case BPF_ALU | BPF_RSH | BPF_K:
		return f->k < 32;
	case BPF_LD | BPF_MEM:
	case BPF_LDX | BPF_MEM:
	case BPF_ST:
	case BPF_STX:
		return f->k < BPF_MEMWORDS;
	case BPF_JMP | BPF_JA:
		return f->k < left;
	case BPF_LD | BPF_W | BPF_ABS:
	case BPF_LD | BPF_H | BPF_ABS:
	case BPF_LD | BPF_B | BPF_ABS:
		return f->k < (uint32_t)SKF_AD_OFF || ancillary_known(f->k);
	default:
		return BPF_CLASS(f->code) != BPF_JMP || (f->jt < left && f->jf < left);
	}
}

/* Whether no scratch word is read that might not have been written. Jumps go forward, so one pass knows what every way to
 * an instruction has written. */
static bool memory_ok(const struct sock_filter *code, size_t n, uint16_t *written)
{
	uint16_t now = 0;

	memset(written, 0xff, n * sizeof(*written));
	for (size_t pc = 0; pc < n; pc++) {
		const struct sock_filter *f = &code[pc];

		now &= written[pc];
		if (f->code == BPF_ST || f->code == BPF_STX) {
			now |= (uint16_t)(1u << f->k);
		} else if (f->code == (BPF_LD | BPF_MEM) || f->code == (BPF_LDX | BPF_MEM)) {
			if (!(now & 1u << f->k))
				return false;
		} else if (f->code == (BPF_JMP | BPF_JA)) {
			written[pc + 1 + f->k] &= now;
			now = 0xffff;
		} else if (BPF_CLASS(f->code) == BPF_JMP) {
			written[pc + 1 + f->jt] &= now;
			written[pc + 1 + f->jf] &= now;
			now = 0xffff;
		}
	}
	return true;
}

static bool prog_ok(const struct bpf_prog *p)
{
	uint16_t written[BPF_CODE_MAX];

	for (size_t pc = 0; pc < p->n; pc++)
		if (!insn_ok(&p->code[pc], pc, p->n))
			return false;
	return BPF_CLASS(p->code[p->n - 1].code) == BPF_RET && memory_ok(p->code, p->n, written);
}

enum ns_err bpf_new(const void *code, size_t len, struct bpf_prog **out)
{
	size_t n = len / sizeof(struct sock_filter);
	struct bpf_prog *p;

	*out = NULL;
	if (!n || len % sizeof(struct sock_filter) || n > BPF_CODE_MAX)
		return NS_ERR_INVALID_OPTION_VALUE;
	p = malloc(sizeof(*p) + len);
	if (!p)
		return NS_ERR_NO_MEMORY;
	p->n = n;
	memcpy(p->code, code, len);
	if (!prog_ok(p)) {
		free(p);
		return NS_ERR_INVALID_OPTION_VALUE;
	}
	*out = p;
	return NS_OK;
}

void bpf_free(struct bpf_prog *p)
{
	free(p);
}

enum ns_err bpf_replace(struct bpf_prog **p, const void *code, size_t len)
{
	struct bpf_prog *new = NULL;
	enum ns_err err = len ? bpf_new(code, len, &new) : NS_OK;

	if (err)
		return err;
	bpf_free(*p);
	*p = new;
	return NS_OK;
}

/* @n bytes that start @at bytes after the first live one, or before it. */
static bool bytes_at(const struct pkt *pkt, int64_t at, size_t n, uint8_t *out)
{
	int64_t head = (int64_t)pkt->off + at;

	if (at >= 0) {
		if (at + (int64_t)n > pkt->len)
			return false;
		pkt_copy_out(pkt, (size_t)at, out, n);
		return true;
	}
	return head >= 0 && pkt_copy_from(pkt, (uint32_t)head, out, n) == n;
}

/* A big-endian load of @n bytes; offsets below 0 are of headers. */
static bool load(const struct bpf_view *v, uint32_t k, size_t n, uint32_t *out)
{
	int64_t at = (int32_t)k;
	uint8_t b[4];

	if (at < 0 && at >= SKF_NET_OFF)
		at += v->net - (int64_t)SKF_NET_OFF;
	else if (at < 0 && at >= SKF_LL_OFF)
		at += v->link - (int64_t)SKF_LL_OFF;
	else if (at < 0)
		return false;
	if (!bytes_at(v->pkt, at, n, b))
		return false;
	*out = n == 1 ? b[0] : n == 2 ? be16_load(b) : be32_load(b);
	return true;
}

/* What is known of a packet beside its bytes; VLAN tags, queues and hashes there are none of. */
static uint32_t ancillary(const struct bpf_view *v, uint32_t what, uint32_t a, uint32_t x)
{
	switch (what) {
	case SKF_AD_PROTOCOL: return v->proto;
	case SKF_AD_PKTTYPE: return v->type;
	case SKF_AD_IFINDEX: return v->ifindex;
	case SKF_AD_MARK: return v->mark;
	case SKF_AD_HATYPE: return v->hatype;
	case SKF_AD_ALU_XOR_X: return a ^ x;
	default: return 0;
	}
}

/* False: division by 0, which ends the run. Shifts by too much are taken modulo 32, as the kernel's machine does. */
static bool alu(uint16_t op, uint32_t *a, uint32_t b)
{
	switch (op) {
	case BPF_ADD: *a += b; break;
	case BPF_SUB: *a -= b; break;
	case BPF_MUL: *a *= b; break;
	case BPF_DIV: *a = b ? *a / b : 0; return b != 0;
	case BPF_MOD: *a = b ? *a % b : 0; return b != 0;
	case BPF_AND: *a &= b; break;
	case BPF_OR: *a |= b; break;
	case BPF_XOR: *a ^= b; break;
	case BPF_LSH: *a <<= b & 31; break;
	case BPF_RSH: *a >>= b & 31; break;
	default: *a = -*a; break;
	}
	return true;
}

static bool jumps(uint16_t op, uint32_t a, uint32_t b)
{
	switch (op) {
	case BPF_JEQ: return a == b;
	case BPF_JGT: return a > b;
	case BPF_JGE: return a >= b;
	default: return a & b;
	}
}

/** struct machine - registers and scratch memory */
struct machine {
	uint32_t a, x, mem[BPF_MEMWORDS];
};

/* Everything but jumps and returns. False: the run ends. */
static bool step(struct machine *m, const struct bpf_view *v, const struct sock_filter *f)
{
	static const uint8_t sizes[4] = { [BPF_W >> 3] = 4, [BPF_H >> 3] = 2, [BPF_B >> 3] = 1 };
	size_t n = sizes[f->code >> 3 & 3];

	switch (f->code) {
	case BPF_LD | BPF_W | BPF_ABS:
	case BPF_LD | BPF_H | BPF_ABS:
	case BPF_LD | BPF_B | BPF_ABS:
		if (f->k < (uint32_t)SKF_AD_OFF)
			return load(v, f->k, n, &m->a);
		m->a = ancillary(v, f->k - (uint32_t)SKF_AD_OFF, m->a, m->x);
		return true;
	case BPF_LD | BPF_W | BPF_IND:
	case BPF_LD | BPF_H | BPF_IND:
	case BPF_LD | BPF_B | BPF_IND:
		return load(v, m->x + f->k, n, &m->a);
	case BPF_LDX | BPF_B | BPF_MSH:
		if (!load(v, f->k, 1, &m->x))
			return false;
		m->x = (m->x & 0xf) * 4;
		return true;
	case BPF_LD | BPF_W | BPF_LEN: m->a = v->pkt->len; return true;
	case BPF_LDX | BPF_W | BPF_LEN: m->x = v->pkt->len; return true;
	case BPF_LD | BPF_IMM: m->a = f->k; return true;
	case BPF_LDX | BPF_IMM: m->x = f->k; return true;
	case BPF_LD | BPF_MEM: m->a = m->mem[f->k]; return true;
	case BPF_LDX | BPF_MEM: m->x = m->mem[f->k]; return true;
	case BPF_ST: m->mem[f->k] = m->a; return true;
	case BPF_STX: m->mem[f->k] = m->x; return true;
	case BPF_MISC | BPF_TAX: m->x = m->a; return true;
	case BPF_MISC | BPF_TXA: m->a = m->x; return true;
	default:
		return alu(BPF_OP(f->code), &m->a, BPF_SRC(f->code) == BPF_X ? m->x : f->k);
	}
}

uint32_t bpf_run(const struct bpf_prog *p, const struct bpf_view *v)
{
	struct machine m = { 0 };

	for (size_t pc = 0; pc < p->n; pc++) {
		const struct sock_filter *f = &p->code[pc];

		if (f->code == (BPF_RET | BPF_K))
			return f->k;
		if (f->code == (BPF_RET | BPF_A))
			return m.a;
		if (f->code == (BPF_JMP | BPF_JA))
			pc += f->k;
		else if (BPF_CLASS(f->code) == BPF_JMP)
			pc += jumps(BPF_OP(f->code), m.a, BPF_SRC(f->code) == BPF_X ? m.x : f->k) ? f->jt : f->jf;
		else if (!step(&m, v, f))
			return 0;
	}
	return 0;
}
