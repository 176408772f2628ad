/* What is written by hand for speed says what printf() and inet_ntop() would; and the table keeps its columns. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/filter.h"
#include "cli/host.h"
#include "cli/jsonout.h"
#include "cli/out.h"
#include "cli/table.h"
#include "wire/state.h"

static uint64_t rnd_state = 20260102;

static uint64_t rnd(void)
{
	rnd_state = rnd_state * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return rnd_state >> 11;
}

Test(format, integers_as_printf)
{
	char ours[32], theirs[32];

	for (int i = 0; i < 100000; i++) {
		uint64_t v = i < 1000 ? (uint64_t)i : i == 1000 ? UINT64_MAX : (rnd() << 11) >> rnd() % 64;

		*put_u64(ours, v) = '\0';
		snprintf(theirs, sizeof(theirs), "%llu", (unsigned long long)v);
		cr_assert_str_eq(ours, theirs);
		*put_hex(ours, v) = '\0';
		snprintf(theirs, sizeof(theirs), "%llx", (unsigned long long)v);
		cr_assert_str_eq(ours, theirs);
	}
}

Test(format, thousandths_as_g)
{
	char ours[32], theirs[32];

	for (uint32_t i = 0; i < 1100000; i += i < 2000 ? 1 : 7) {
		*put_thousandth(ours, i) = '\0';
		snprintf(theirs, sizeof(theirs), "%g", i / 1000.);
		cr_assert_str_eq(ours, theirs);
	}
	*put_thousandth(ours, UINT32_MAX) = '\0';
	cr_assert_str_eq(ours, "4.29497e+06");
}

Test(format, addresses_as_inet_ntop)
{
	char ours[64], theirs[64];

	for (int i = 0; i < 20000; i++) {
		uint32_t a[4];

		for (int k = 0; k < 4; k++) /* few bits, so that there are runs of zeros */
			a[k] = rnd() % 3 ? 0 : (uint32_t)(rnd() & rnd());
		if (i % 5 == 0)
			a[0] = a[1] = 0, a[2] = htonl(0xffff);
		*put_ip4(ours, a) = '\0';
		cr_assert_str_eq(ours, inet_ntop(AF_INET, a, theirs, sizeof(theirs)));
		*put_ip6(ours, a) = '\0';
		cr_assert_str_eq(ours, inet_ntop(AF_INET6, a, theirs, sizeof(theirs)));
	}
}

static const char *json(const char *s, size_t n)
{
	static struct out o;

	if (!o.buf)
		out_open(&o, -1);
	o.len = 0;
	json_string(&o, s, n);
	out_bytes(&o, "", 1);
	return o.buf;
}

Test(format, json_strings_are_valid_whatever_is_in_them)
{
	cr_assert_str_eq(json("a\"b\\c", 5), "\"a\\\"b\\\\c\"");
	cr_assert_str_eq(json("\0x\n\x1f", 4), "\"\\u0000x\\u000a\\u001f\"");
	cr_assert_str_eq(json("gr\xc3\xbc\xc3\x9f", 6), "\"gr\xc3\xbc\xc3\x9f\"");
	cr_assert_str_eq(json("\xff", 1), "\"\\ufffd\"");
	cr_assert_str_eq(json("\xc3", 1), "\"\\ufffd\"", "cut off");
	cr_assert_str_eq(json("\xc0\xaf", 2), "\"\\ufffd\\ufffd\"", "overlong");
	cr_assert_str_eq(json("\xed\xa0\x80", 3), "\"\\ufffd\\ufffd\\ufffd\"", "a surrogate");
	cr_assert_str_eq(json("\xf0\x9f\x90\xa7", 4), "\"\xf0\x9f\x90\xa7\"");
}

static void put_row(struct table *t, const char *state, const char *addr, const char *port, const char *extra)
{
	const char *cells[] = { state, "0", "0", addr, port, addr, port };

	table_row_begin(t);
	for (size_t i = 0; i < sizeof(cells) / sizeof(cells[0]); i++) {
		out_str(&t->row, cells[i]);
		table_cell_end(t);
	}
	out_str(&t->row, extra);
	table_row_end(t);
}

Test(table, widths_fit_the_widest_cell_and_nothing_trails)
{
	struct table t;
	struct out o;

	out_open(&o, -1);
	table_open(&t, &o, ((1 << TABLE_COLUMNS) - 1) & ~(1 << COL_NETID));
	table_header(&t);
	put_row(&t, "ESTAB", "10.0.0.1:", "22", "");
	put_row(&t, "CLOSE-WAIT", "[2001:db8:0:1:2:3:4:5]:", "65535", " users:x\n\tinfo");
	table_close(&t);
	out_bytes(&o, "", 1);
	cr_assert_str_eq(o.buf,
			 "State      Recv-Q Send-Q          Local Address:Port            Peer Address:Port  Process\n"
			 "ESTAB      0      0                    10.0.0.1:22                  10.0.0.1:22\n"
			 "CLOSE-WAIT 0      0      [2001:db8:0:1:2:3:4:5]:65535 [2001:db8:0:1:2:3:4:5]:65535 users:x\n"
			 "\tinfo\n");
	out_close(&o);
}

Test(table, rows_after_the_window_go_straight_out)
{
	char extra[600];
	struct table t;
	struct out o;

	memset(extra, 'x', sizeof(extra) - 1);
	extra[0] = ' ';
	extra[sizeof(extra) - 1] = '\0';
	out_open(&o, -1);
	table_open(&t, &o, ((1 << TABLE_COLUMNS) - 1) & ~(1 << COL_NETID));
	for (int i = 0; i < 2000; i++) {
		put_row(&t, "ESTAB", "10.0.0.1:", "22", extra);
		cr_assert_leq(t.kept.len, TABLE_WINDOW_BYTES + sizeof(extra) + 200);
	}
	cr_assert(t.settled);
	cr_assert_eq(t.kept.len, 0);
	table_close(&t);
	cr_assert_gt(o.len, 2000 * sizeof(extra));
	out_close(&o);
}

Test(host, addresses_prefixes_and_ports)
{
	static const struct {
		const char *text, *addr;
		int family, prefix, port;
	} good[] = {
		{ "10.0.0.1", "10.0.0.1", AF_INET, 32, -1 },	   { "10.0.0.0/8:443", "10.0.0.0", AF_INET, 8, 443 },
		{ "10/8", "10.0.0.0", AF_INET, 8, -1 },		   { "172.16/12", "172.16.0.0", AF_INET, 12, -1 },
		{ "[::1]:80", "::1", AF_INET6, 128, 80 },	   { "::1", "::1", AF_INET6, 128, -1 },
		{ "[fe80::]/10", "fe80::", AF_INET6, 10, -1 },	   { "fe80::/10", "fe80::", AF_INET6, 10, -1 },
		{ "*:80", NULL, AF_UNSPEC, 0, 80 },		   { ":80", NULL, AF_UNSPEC, 0, 80 },
		{ "*", NULL, AF_UNSPEC, 0, -1 },		   { "10.0.0.1:*", "10.0.0.1", AF_INET, 32, -1 },
		{ "inet:*:80", NULL, AF_INET, 0, 80 },		   { "inet6:::1", "::1", AF_INET6, 128, -1 },
		{ "[::ffff:1.2.3.4]:5", "::ffff:1.2.3.4", AF_INET6, 128, 5 },
		{ "10/255.255.0.0:5", "10.0.0.0", AF_INET, 16, 5 }, { "10.1", "10.1.0.0", AF_INET, 32, -1 },
		{ "1.2.3.4/0.0.0.0", "1.2.3.4", AF_INET, 0, -1 },   { "any:443", NULL, AF_UNSPEC, 0, 443 },
	};
	static const char *const bad[] = { "10.0.0.1/33", "[::1", "[::1]x", "::1/129", "10.0.0.1:70000", "10.0.0.1:x", "/8",
					   "1.2.3/x", "*/8", "10/255.0.255.0", "::1/255.0.0.0" };
	struct host_list l;
	char text[INET6_ADDRSTRLEN];

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		cr_assert_null(host_parse(good[i].text, &l), "%s", good[i].text);
		cr_assert_eq(l.count, 1);
		cr_assert_eq(l.hosts[0].family, good[i].family, "%s", good[i].text);
		cr_assert_eq(l.hosts[0].prefix, good[i].prefix, "%s", good[i].text);
		cr_assert_eq(l.hosts[0].port, good[i].port, "%s", good[i].text);
		if (good[i].addr)
			cr_assert_str_eq(inet_ntop(good[i].family, l.hosts[0].addr_be, text, sizeof(text)), good[i].addr);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_not_null(host_parse(bad[i], &l), "%s", bad[i]);
}

Test(filter, precedence_and_states)
{
	struct filter_error err;
	struct filter f;

	cr_assert_eq(filter_parse("state established exclude time-wait sport = 1 or sport = 2 and not dport = 3", &f, &err), 0);
	cr_assert_eq(f.states, DIAG_STATE_BIT(DIAG_TCP_ESTABLISHED));
	cr_assert_eq(f.expr->op, DIAG_EXPR_OR);
	cr_assert_eq(f.expr->a->op, DIAG_EXPR_SPORT_EQ);
	cr_assert_eq(f.expr->b->op, DIAG_EXPR_AND);
	cr_assert_eq(f.expr->b->b->op, DIAG_EXPR_NOT);
	filter_free(&f);
	cr_assert_eq(filter_parse("exclude listening", &f, &err), 0);
	cr_assert_eq(f.states, diag_state_mask("all") & ~DIAG_STATE_BIT(DIAG_TCP_LISTEN));
	cr_assert_null(f.expr);
	filter_free(&f);
	cr_assert_eq(filter_parse("", &f, &err), 0);
	cr_assert_eq(f.states, 0);
	filter_free(&f);
}
