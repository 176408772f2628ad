/* inet_diag filter programs: audit as the kernel does, and run. */
#include "wire/bytecode.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* Every bound below is the kernel's, so that a program is refused here exactly when it is there. */

/* Bytes of the operation at @op with its operands, or 0 when they are not there or make no sense. */
static size_t hostcond_len(const struct inet_diag_bc_op *op, size_t left)
{
	size_t need = sizeof(*op) + sizeof(struct inet_diag_hostcond);
	const struct inet_diag_hostcond *cond = (const void *)(op + 1);
	size_t addr;

	if (left < need)
		return 0;
	switch (cond->family) {
	case AF_UNSPEC:
		addr = 0;
		break;
	case AF_INET:
		addr = 4;
		break;
	case AF_INET6:
		addr = 16;
		break;
	default:
		return 0;
	}
	need += addr;
	return left < need || cond->prefix_len > 8 * addr ? 0 : need;
}

/* How many bytes of operands follow each code; the address tests say it themselves. */
static const struct {
	bool known;
	uint8_t operand;
} codes[] = {
	[INET_DIAG_BC_NOP] = { true, 0 },
	[INET_DIAG_BC_JMP] = { true, 0 },
	[INET_DIAG_BC_S_GE] = { true, sizeof(struct inet_diag_bc_op) },
	[INET_DIAG_BC_S_LE] = { true, sizeof(struct inet_diag_bc_op) },
	[INET_DIAG_BC_D_GE] = { true, sizeof(struct inet_diag_bc_op) },
	[INET_DIAG_BC_D_LE] = { true, sizeof(struct inet_diag_bc_op) },
	[INET_DIAG_BC_AUTO] = { true, 0 },
	[INET_DIAG_BC_S_COND] = { true, 0 },
	[INET_DIAG_BC_D_COND] = { true, 0 },
	[INET_DIAG_BC_DEV_COND] = { true, sizeof(uint32_t) },
	[INET_DIAG_BC_MARK_COND] = { true, sizeof(struct inet_diag_markcond) },
	[INET_DIAG_BC_S_EQ] = { true, sizeof(struct inet_diag_bc_op) },
	[INET_DIAG_BC_D_EQ] = { true, sizeof(struct inet_diag_bc_op) },
	[INET_DIAG_BC_CGROUP_COND] = { true, sizeof(uint64_t) },
};

static size_t op_len(const struct inet_diag_bc_op *op, size_t left)
{
	size_t need;

	if (op->code >= sizeof(codes) / sizeof(codes[0]) || !codes[op->code].known)
		return 0;
	if (op->code == INET_DIAG_BC_S_COND || op->code == INET_DIAG_BC_D_COND)
		return hostcond_len(op, left);
	need = sizeof(*op) + codes[op->code].operand;
	return left < need ? 0 : need;
}

/* Whether walking from the start by @yes meets the operation that begins @target bytes before the end. */
static bool is_boundary(const uint8_t *code, size_t len, size_t target)
{
	size_t left = len;

	while (target < left) {
		const struct inet_diag_bc_op *op = (const void *)(code + (len - left));

		if (op->yes < 4 || op->yes & 3 || op->yes > left)
			return false;
		left -= op->yes;
	}
	return target == left;
}

int diag_bc_audit(const void *code, size_t len, bool net_admin)
{
	const uint8_t *p = code;
	size_t left = len;

	if (len < sizeof(struct inet_diag_bc_op))
		return -EINVAL;
	while (left > 0) {
		const struct inet_diag_bc_op *op = (const void *)(p + (len - left));
		size_t need;

		if (left < sizeof(*op))
			return -EINVAL;
		if (op->code == INET_DIAG_BC_MARK_COND && !net_admin)
			return -EPERM;
		need = op_len(op, left);
		if (!need)
			return -EINVAL;
		if (op->code != INET_DIAG_BC_NOP) {
			if (op->no < need || op->no > left + 4 || op->no & 3)
				return -EINVAL;
			if (op->no < left && !is_boundary(p, len, left - op->no))
				return -EINVAL;
		}
		if (op->yes < need || op->yes > left + 4 || op->yes & 3)
			return -EINVAL;
		/* A yes beyond the end leaves a negative rest in the kernel, which is no end. */
		if (op->yes > left)
			return -EINVAL;
		left -= op->yes;
	}
	return 0;
}

static bool bits_equal(const uint32_t *a, const uint32_t *b, unsigned int bits)
{
	unsigned int words = bits / 32;

	if (words && memcmp(a, b, words * sizeof(*a)))
		return false;
	bits %= 32;
	return !bits || !((a[words] ^ b[words]) & htonl(UINT32_MAX << (32 - bits)));
}

static bool host_matches(const struct inet_diag_hostcond *cond, uint8_t family, const uint32_t *addr_be,
			 uint16_t port)
{
	if (cond->port != -1 && cond->port != port)
		return false;
	if (cond->family != AF_UNSPEC && cond->family != family) {
		/* An IPv4 condition looks into v4-mapped addresses. */
		return family == AF_INET6 && cond->family == AF_INET && !addr_be[0] && !addr_be[1] &&
		       addr_be[2] == htonl(0xffff) && bits_equal(addr_be + 3, cond->addr, cond->prefix_len);
	}
	return bits_equal(addr_be, cond->addr, cond->prefix_len);
}

static bool op_holds(const struct inet_diag_bc_op *op, const struct diag_bc_entry *e)
{
	const struct inet_diag_markcond *mark = (const void *)(op + 1);
	uint32_t u32;
	uint64_t u64;

	switch (op->code) {
	case INET_DIAG_BC_JMP:
		return false;
	case INET_DIAG_BC_S_EQ:
		return e->sport == op[1].no;
	case INET_DIAG_BC_S_GE:
		return e->sport >= op[1].no;
	case INET_DIAG_BC_S_LE:
		return e->sport <= op[1].no;
	case INET_DIAG_BC_D_EQ:
		return e->dport == op[1].no;
	case INET_DIAG_BC_D_GE:
		return e->dport >= op[1].no;
	case INET_DIAG_BC_D_LE:
		return e->dport <= op[1].no;
	case INET_DIAG_BC_AUTO:
		return !e->bound_port;
	case INET_DIAG_BC_S_COND:
		return host_matches((const void *)(op + 1), e->family, e->saddr_be, e->sport);
	case INET_DIAG_BC_D_COND:
		return host_matches((const void *)(op + 1), e->family, e->daddr_be, e->dport);
	case INET_DIAG_BC_DEV_COND:
		memcpy(&u32, op + 1, sizeof(u32));
		return u32 == e->ifindex;
	case INET_DIAG_BC_MARK_COND:
		return (e->mark & mark->mask) == mark->mark;
	case INET_DIAG_BC_CGROUP_COND:
		memcpy(&u64, op + 1, sizeof(u64));
		return u64 == e->cgroup_id;
	default: /* NOP */
		return true;
	}
}

bool diag_bc_run(const void *code, size_t len, const struct diag_bc_entry *e)
{
	const uint8_t *p = code;
	ptrdiff_t left = (ptrdiff_t)len;

	while (left > 0) {
		const struct inet_diag_bc_op *op = (const void *)(p + (len - (size_t)left));

		left -= op_holds(op, e) ? op->yes : op->no;
	}
	return left == 0;
}
