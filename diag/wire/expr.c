/*
 * Filter expressions: a tree, its meaning for one socket, and its program for the kernel.
 *
 * Compiling: every part is a program of its own whose failing jumps go four bytes behind its end.
 *	a or b:  a, JMP over b, b      a's failing jumps land just behind the JMP, on b
 *	not a:   a, JMP behind the end a's failing jumps land on the end
 *	a and b: a, b                  a's failing jumps are moved on by the length of b
 */
#include "wire/expr.h"

#include <fnmatch.h>
#include <string.h>
#include <sys/socket.h>

/* The longest jump is 16 bits, and an attribute's length too. */
#define PROGRAM_MAX (UINT16_MAX - 3 - 8)

struct program {
	uint8_t *code;
	size_t len;
	size_t max;
};

static bool host_holds(const struct diag_expr *e, const struct diag_bc_entry *s)
{
	_Alignas(4) uint8_t code[64];
	size_t len;

	/* Let the one matcher decide: it is the kernel's. */
	return !diag_failed(diag_expr_compile(e, code, sizeof(code), &len)) && diag_bc_run(code, len, s);
}

static bool name_holds(const char *pattern, const char *name)
{
	return name && fnmatch(pattern, name, 0) == 0;
}

bool diag_expr_holds(const struct diag_expr *e, const struct diag_expr_entry *s)
{
	if (!e)
		return true;
	switch (e->op) {
	case DIAG_EXPR_AND:
		return diag_expr_holds(e->a, s) && diag_expr_holds(e->b, s);
	case DIAG_EXPR_OR:
		return diag_expr_holds(e->a, s) || diag_expr_holds(e->b, s);
	case DIAG_EXPR_NOT:
		return !diag_expr_holds(e->a, s);
	case DIAG_EXPR_SRC_NAME:
		return name_holds(e->name, s->src_name);
	case DIAG_EXPR_DST_NAME:
		return name_holds(e->name, s->dst_name);
	default:
		/* A unix socket has no ports, addresses, device or mark to test. */
		return !s->src_name && host_holds(e, &s->inet);
	}
}

/* Appends an operation of @size operand bytes whose failure leaves the program. */
static bool emit(struct program *p, uint8_t code, const void *operand, size_t size)
{
	struct inet_diag_bc_op op = {
		.code = code,
		.yes = (uint8_t)(sizeof(op) + size),
		.no = (uint16_t)(sizeof(op) + size + 4),
	};

	if (p->max - p->len < sizeof(op) + size)
		return false;
	memcpy(p->code + p->len, &op, sizeof(op));
	if (size)
		memcpy(p->code + p->len + sizeof(op), operand, size);
	p->len += sizeof(op) + size;
	return true;
}

static bool emit_jump(struct program *p, size_t distance)
{
	struct inet_diag_bc_op op = { .code = INET_DIAG_BC_JMP, .yes = 4, .no = (uint16_t)distance };

	if (p->max - p->len < sizeof(op))
		return false;
	memcpy(p->code + p->len, &op, sizeof(op));
	p->len += sizeof(op);
	return true;
}

/* Moves the jumps of [from, to) that leave it failing on by @by bytes. */
static void move_failures(struct program *p, size_t from, size_t to, size_t by)
{
	struct inet_diag_bc_op op;

	for (size_t at = from; at < to; at += op.yes) {
		memcpy(&op, p->code + at, sizeof(op));
		if (at + op.no == to + 4) {
			op.no = (uint16_t)(op.no + by);
			memcpy(p->code + at, &op, sizeof(op));
		}
	}
}

static bool emit_host(struct program *p, const struct diag_expr *e)
{
	uint8_t buf[sizeof(struct inet_diag_hostcond) + 16] = { 0 };
	struct inet_diag_hostcond cond = {
		.family = e->host.family,
		.prefix_len = e->host.family == AF_UNSPEC ? 0 : e->host.prefix,
		.port = e->host.port,
	};
	size_t addr = e->host.family == AF_INET ? 4 : e->host.family == AF_INET6 ? 16 : 0;

	memcpy(buf, &cond, sizeof(cond));
	memcpy(buf + sizeof(cond), e->host.addr_be, addr);
	return emit(p, e->op == DIAG_EXPR_SRC ? INET_DIAG_BC_S_COND : INET_DIAG_BC_D_COND, buf,
		    sizeof(cond) + addr);
}

static bool emit_port(struct program *p, const struct diag_expr *e)
{
	static const uint8_t codes[] = {
		[DIAG_EXPR_SPORT_EQ] = INET_DIAG_BC_S_EQ, [DIAG_EXPR_SPORT_GE] = INET_DIAG_BC_S_GE,
		[DIAG_EXPR_SPORT_LE] = INET_DIAG_BC_S_LE, [DIAG_EXPR_DPORT_EQ] = INET_DIAG_BC_D_EQ,
		[DIAG_EXPR_DPORT_GE] = INET_DIAG_BC_D_GE, [DIAG_EXPR_DPORT_LE] = INET_DIAG_BC_D_LE,
	};
	struct inet_diag_bc_op operand = { .no = e->num };

	return emit(p, codes[e->op], &operand, sizeof(operand));
}

static bool compile(struct program *p, const struct diag_expr *e)
{
	size_t start = p->len, middle;

	switch (e->op) {
	case DIAG_EXPR_AND:
		if (!compile(p, e->a))
			return false;
		middle = p->len;
		if (!compile(p, e->b))
			return false;
		move_failures(p, start, middle, p->len - middle);
		return true;
	case DIAG_EXPR_OR:
		if (!compile(p, e->a))
			return false;
		middle = p->len;
		if (!emit_jump(p, 0) || !compile(p, e->b))
			return false;
		((struct inet_diag_bc_op *)(p->code + middle))->no = (uint16_t)(p->len - middle);
		return true;
	case DIAG_EXPR_NOT:
		return compile(p, e->a) && emit_jump(p, 8);
	case DIAG_EXPR_SRC:
	case DIAG_EXPR_DST:
		return emit_host(p, e);
	case DIAG_EXPR_DEV:
		return emit(p, INET_DIAG_BC_DEV_COND, &e->ifindex, sizeof(e->ifindex));
	case DIAG_EXPR_MARK:
		return emit(p, INET_DIAG_BC_MARK_COND, &e->mark, sizeof(e->mark));
	case DIAG_EXPR_CGROUP:
		return emit(p, INET_DIAG_BC_CGROUP_COND, &e->cgroup_id, sizeof(e->cgroup_id));
	case DIAG_EXPR_AUTOBOUND:
		return emit(p, INET_DIAG_BC_AUTO, NULL, 0);
	case DIAG_EXPR_SRC_NAME:
	case DIAG_EXPR_DST_NAME:
		return emit_jump(p, 8); /* never true */
	default:
		return emit_port(p, e);
	}
}

struct diag_err diag_expr_compile(const struct diag_expr *e, void *code, size_t size, size_t *len)
{
	struct program p = { .code = code, .max = size < PROGRAM_MAX ? size : PROGRAM_MAX };

	*len = 0;
	if (e && !compile(&p, e))
		return diag_err_nle(DIAG_NLE_MSGSIZE);
	*len = p.len;
	return DIAG_OK;
}
