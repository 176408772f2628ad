/* Filter programs: the kernel's rules for malformed ones, and trees that mean what their programs do. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "wire/bytecode.h"
#include "wire/expr.h"

/* Audit of hexadecimal text. */
static int audit(const char *hex, bool admin)
{
	_Alignas(4) uint8_t code[256];
	size_t n = 0;

	for (; *hex; hex++) {
		unsigned int byte;

		if (*hex == ' ')
			continue;
		sscanf(hex, "%2x", &byte);
		code[n++] = (uint8_t)byte;
		hex++;
	}
	return diag_bc_audit(code, n, admin);
}

Test(audit, accepts_what_ss_sends)
{
	cr_assert_eq(audit("08101400 00000000 bb010000 00000000 01041400 07101400 02080000 ffffffff 0a000000", false),
		     0);
	cr_assert_eq(audit("00040800", false), 0, "the jump of a NOP is not looked at");
	cr_assert_eq(audit("0004ffff", false), 0);
}

Test(audit, refuses_as_the_kernel_does)
{
	static const char *const bad[] = {
		"",
		"0004",                                           /* shorter than an operation */
		"00040800 00",                                    /* no multiple of 4 */
		"0e040800",                                       /* code 14 */
		"00000800",                                       /* yes < 4 */
		"00060800 0000",                                  /* yes unaligned */
		"00080800",                                       /* yes beyond the end */
		"01040000",                                       /* JMP no = 0 */
		"01040500", "01040600", "01040900",               /* no unaligned */
		"01040c00",                                       /* no beyond the end + 4 */
		"02040800",                                       /* port operand missing */
		"07080c00 00000000",                              /* hostcond missing */
		"07100c00 02080000 ffffffff",                     /* address missing */
		"07101400 02210000 ffffffff 0a000000",            /* prefix 33 */
		"07101400 63080000 ffffffff 0a000000",            /* family 99 */
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_eq(audit(bad[i], true), -EINVAL, "\"%s\"", bad[i]);
	/* A no that lands inside another operation's operands. */
	cr_assert_eq(audit("01040800 07101400 02080000 ffffffff 0a000000", true), -EINVAL);
	cr_assert_eq(audit("01041400 07101400 02080000 ffffffff 0a000000", true), 0);
}

Test(audit, marks_need_the_right)
{
	cr_assert_eq(audit("0a0c1000 01000000 ff000000", false), -EPERM);
	cr_assert_eq(audit("0a0c1000 01000000 ff000000", true), 0);
	cr_assert_eq(audit("0a080c00 01000000", true), -EINVAL);
}

static uint32_t rnd_state;

static uint32_t rnd(uint32_t below)
{
	rnd_state = rnd_state * 1664525 + 1013904223;
	return (rnd_state >> 8) % below;
}

static struct diag_expr nodes[256];
static size_t used;

/* A random tree over few values, so that tests hold about as often as not. */
static const struct diag_expr *tree(int depth)
{
	struct diag_expr *e = &nodes[used++];

	memset(e, 0, sizeof(*e));
	if (depth > 0 && rnd(4)) {
		e->op = rnd(3);
		e->a = tree(depth - 1);
		if (e->op != DIAG_EXPR_NOT)
			e->b = tree(depth - 1);
		return e;
	}
	e->op = DIAG_EXPR_SRC + rnd(DIAG_EXPR_AUTOBOUND - DIAG_EXPR_SRC + 1);
	switch (e->op) {
	case DIAG_EXPR_SRC:
	case DIAG_EXPR_DST:
		e->host.family = (uint8_t[]){ AF_UNSPEC, AF_INET, AF_INET6 }[rnd(3)];
		e->host.prefix = (uint8_t)(e->host.family == AF_INET ? rnd(33) : rnd(129));
		e->host.port = rnd(2) ? -1 : (int32_t)rnd(4);
		for (int i = 0; i < 4; i++)
			e->host.addr_be[i] = htonl(rnd(2));
		break;
	case DIAG_EXPR_DEV:
		e->ifindex = rnd(2);
		break;
	case DIAG_EXPR_MARK:
		e->mark.value = rnd(2);
		e->mark.mask = rnd(4);
		break;
	case DIAG_EXPR_CGROUP:
		e->cgroup_id = rnd(2);
		break;
	default:
		e->num = (uint16_t)rnd(4);
		break;
	}
	return e;
}

Test(expr, a_program_selects_what_its_tree_does)
{
	int held = 0, runs = 0;

	rnd_state = 20260101;
	for (int round = 0; round < 3000; round++) {
		_Alignas(4) uint8_t code[8192];
		const struct diag_expr *e;
		size_t len;

		used = 0;
		e = tree(5);
		cr_assert_not(diag_failed(diag_expr_compile(e, code, sizeof(code), &len)));
		cr_assert_eq(diag_bc_audit(code, len, true), 0);
		for (int i = 0; i < 10; i++, runs++) {
			uint32_t s[4], d[4];
			struct diag_expr_entry entry = { .inet = { .saddr_be = s, .daddr_be = d } };
			bool want;

			for (int w = 0; w < 4; w++) {
				s[w] = htonl(rnd(2));
				d[w] = htonl(rnd(2));
			}
			if (rnd(3) == 0)
				s[0] = s[1] = d[0] = d[1] = 0, s[2] = d[2] = htonl(0xffff);
			entry.inet.family = rnd(2) ? AF_INET : AF_INET6;
			entry.inet.sport = (uint16_t)rnd(4);
			entry.inet.dport = (uint16_t)rnd(4);
			entry.inet.bound_port = rnd(2);
			entry.inet.ifindex = rnd(2);
			entry.inet.mark = rnd(4);
			entry.inet.cgroup_id = rnd(2);
			want = diag_expr_holds(e, &entry);
			held += want;
			cr_assert_eq(diag_bc_run(code, len, &entry.inet), want, "round %d", round);
		}
	}
	cr_assert(held > runs / 10 && held < runs * 9 / 10, "%d of %d held: no test of both outcomes", held, runs);
}

Test(expr, ipv4_looks_into_mapped_addresses)
{
	struct diag_expr e = { .op = DIAG_EXPR_SRC, .host = { .family = AF_INET, .prefix = 8, .port = -1 } };
	uint32_t mapped[4] = { 0, 0, htonl(0xffff), inet_addr("10.9.8.7") };
	uint32_t other[4] = { 0, 0, 1, inet_addr("10.9.8.7") };
	struct diag_expr_entry s = { .inet = { .family = AF_INET6, .daddr_be = other } };

	e.host.addr_be[0] = inet_addr("10.0.0.0");
	s.inet.saddr_be = mapped;
	cr_assert(diag_expr_holds(&e, &s));
	s.inet.saddr_be = other;
	cr_assert_not(diag_expr_holds(&e, &s));
}

Test(expr, names_are_for_unix_sockets_alone)
{
	struct diag_expr name = { .op = DIAG_EXPR_SRC_NAME, .name = "/run/*" };
	struct diag_expr port = { .op = DIAG_EXPR_SPORT_GE, .num = 0 };
	struct diag_expr_entry unix_one = { .src_name = "/run/user/1" };
	struct diag_expr_entry inet_one = { .inet = { .family = AF_INET, .saddr_be = (uint32_t[4]){ 0 },
						      .daddr_be = (uint32_t[4]){ 0 } } };

	cr_assert(diag_expr_holds(&name, &unix_one));
	cr_assert_not(diag_expr_holds(&name, &inet_one));
	cr_assert_not(diag_expr_holds(&port, &unix_one));
	cr_assert(diag_expr_holds(&port, &inet_one));
	cr_assert(diag_expr_holds(NULL, &inet_one));
}

Test(expr, too_long_a_program_is_an_error)
{
	struct diag_expr leaf = { .op = DIAG_EXPR_SPORT_EQ, .num = 1 };
	static struct diag_expr ors[14];
	_Alignas(4) static uint8_t code[1 << 17];
	size_t len;

	for (int i = 0; i < 14; i++)
		ors[i] = (struct diag_expr){ .op = DIAG_EXPR_OR, .a = i ? &ors[i - 1] : &leaf,
					     .b = i ? &ors[i - 1] : &leaf };
	cr_assert_not(diag_failed(diag_expr_compile(&ors[11], code, sizeof(code), &len)));
	cr_assert_eq(diag_expr_compile(&ors[11], code, 1000, &len).code, DIAG_NLE_MSGSIZE);
	cr_assert_eq(diag_expr_compile(&ors[13], code, sizeof(code), &len).code, DIAG_NLE_MSGSIZE);
}
