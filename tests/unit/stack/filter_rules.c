/* Rules as text: what is read, what is refused and where, what is printed. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "wire.h"

static struct wire *w;
static char printed[1 << 16];

static void setup(void)
{
	w = wire_new();
}

static void teardown(void)
{
	wire_free(w);
}

TestSuite(filter_rules, .init = setup, .fini = teardown);

static void keep(void *ctx, const char *text, size_t len)
{
	snprintf(printed, sizeof(printed), "%.*s", (int)len, text);
}

static const char *print(bool six, bool counters)
{
	printed[0] = '\0';
	cr_assert_eq(filter_print(w->s, six ? NET_IPV6 : NET_IPV4, counters, keep, NULL), NS_OK);
	return printed;
}

static void refused(const char *text, unsigned line, unsigned column, const char *part)
{
	struct filter_error e;

	cr_assert_eq(filter_load(w->s, NET_IPV4, text, strlen(text), 0, &e),
		     NS_ERR_INVALID_OPTION_VALUE, "taken: %s", text);
	cr_assert(e.line == line && e.column == column, "%u:%u: %s", e.line, e.column, e.text);
	cr_assert(strstr(e.text, part), "%s", e.text);
}

Test(filter_rules, comes_back_as_it_went_in_with_counters)
{
	static const char text[] =
		"*raw\n:PREROUTING ACCEPT [1:2]\n:OUTPUT ACCEPT [0:0]\n"
		"[3:4] -A PREROUTING -p udp -m udp --dport 53 -j CT --notrack\nCOMMIT\n"
		"*mangle\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n"
		":OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n"
		"[0:0] -A FORWARD -j MARK --set-xmark 0x5/0xff\nCOMMIT\n"
		"*nat\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n"
		":POSTROUTING ACCEPT [0:0]\n"
		"[0:0] -A POSTROUTING -o nic2 -p tcp -j MASQUERADE --to-ports 1024-2000\nCOMMIT\n"
		"*filter\n:INPUT DROP [18446744073709551615:9]\n:FORWARD ACCEPT [0:0]\n"
		":OUTPUT ACCEPT [0:0]\n:mine - [0:0]\n"
		"[7:700] -A INPUT -s 10.0.0.0/8 -i nic+ -p tcp -m tcp --dport 80:90 -m conntrack "
		"--ctstate NEW -m comment --comment \"let \\\"them\\\" in\" -j mine\n"
		"[1:1] -A mine -m limit --limit 5/sec -g mine2\nCOMMIT\n";
	char *fixed = strdup(text), *at = strstr(fixed, " -g mine2");

	memmove(at, at + 9, strlen(at + 9) + 1);
	wire_rules(w->s, false, fixed);
	cr_assert_str_eq(print(false, true), fixed);
	cr_assert_str_eq(print(true, true), "");
	free(fixed);
}

Test(filter_rules, counters_are_only_taken_when_asked_for)
{
	static const char text[] = "*filter\n:INPUT ACCEPT [5:6]\n[7:8] -A INPUT -j ACCEPT\nCOMMIT\n";
	struct filter_error e;

	cr_assert_eq(filter_load(w->s, NET_IPV4, text, strlen(text), 0, &e), NS_OK);
	cr_assert(strstr(print(false, true), ":INPUT ACCEPT [0:0]\n"));
	cr_assert(strstr(print(false, true), "[0:0] -A INPUT -j ACCEPT\n"));
	cr_assert_eq(filter_load(w->s, NET_IPV4, text, strlen(text), FILTER_COUNTERS, &e), NS_OK);
	cr_assert(strstr(print(false, true), "[7:8] -A INPUT -j ACCEPT\n"));
	filter_zero(w->s, NET_IPV4);
	cr_assert(strstr(print(false, true), "[0:0] -A INPUT -j ACCEPT\n"));
}

Test(filter_rules, says_line_column_and_what_was_expected)
{
	refused("*filter\n-A INPUT -p tcp --dport 80 -j ACCEPT\n-A INPUT -m nosuch -j DROP\nCOMMIT\n",
		3, 13, "a match: tcp, udp");
	refused("*filter\n  -A INPUT -p tcp -m multiport --dports 1,2,x -j DROP\nCOMMIT\n", 2, 45,
		"a port number from 0 to 65535, not \"x\"");
	refused("*filter\n", 2, 1, "COMMIT");
	refused("-A INPUT\n", 1, 1, "a table");
	refused("*nosuch\n", 1, 2, "raw, mangle, nat or filter");
	refused("*filter\n*nat\n", 2, 1, "COMMIT");
	refused("*filter\nCOMMIT\n*filter\n", 3, 2, "each table once");
	refused("*filter\nCOMMIT now\n", 2, 8, "the end of the line");
	refused("*filter\n:A - [0:0]\n:A - [0:0]\nCOMMIT\n", 3, 2, "each chain once");
	refused("*filter\n:DROP - [0:0]\nCOMMIT\n", 2, 2, "no target's");
	refused("*filter\n-A INPUT -s \"10.0.0.1\nCOMMIT\n", 2, 13, "a closing \"");
	refused("*filter\n-A INPUT -j DNAT\nCOMMIT\n", 2, 13, "this table");
}

Test(filter_rules, what_is_shown_of_a_wrong_word_can_be_printed)
{
	struct filter_error e;
	char text[300] = "*filter\n-A \x1b[31m\xff";

	memset(text + strlen(text), 'x', 200);
	cr_assert_eq(filter_load(w->s, NET_IPV4, text, strlen(text), 0, &e), NS_ERR_INVALID_OPTION_VALUE);
	cr_assert(strstr(e.text, "not \"?[31m?xxx"), "%s", e.text);
	cr_assert(strstr(e.text, "...\""), "%s", e.text);
}

Test(filter_rules, zero_bytes_and_long_lines_are_refused)
{
	static const char zero[] = "*filter\n-A INPUT\0 -j ACCEPT\nCOMMIT\n";
	struct filter_error e;
	char *line = malloc(20000);

	cr_assert_eq(filter_load(w->s, NET_IPV4, zero, sizeof(zero) - 1, 0, &e),
		     NS_ERR_INVALID_OPTION_VALUE);
	cr_assert(e.line == 2 && e.column == 9, "%u:%u", e.line, e.column);
	memset(line, 'a', 20000);
	memcpy(line, "*filter\n", 8);
	line[19999] = '\0';
	refused(line, 2, 10241, "10240");
	memset(line + 8, 0, 12000);
	for (int i = 0; i < 300; i++)
		strcat(line, "x ");
	refused(line, 2, 511, "255 words");
	free(line);
}

Test(filter_rules, a_wrong_text_changes_nothing)
{
	static const char *const before = "*filter\n:INPUT DROP [0:0]\n:FORWARD ACCEPT [0:0]\n"
		":OUTPUT ACCEPT [0:0]\n-A INPUT -p icmp -j ACCEPT\nCOMMIT\n";
	struct filter_error e;
	static const char bad[] = "*filter\n-A INPUT -j ACCEPT\nCOMMIT\n*nat\n-A PREROUTING -j FOO\nCOMMIT\n";

	wire_rules(w->s, false, before);
	cr_assert(filter_load(w->s, NET_IPV4, bad, strlen(bad), 0, &e));
	cr_assert_str_eq(print(false, false), before);
	cr_assert_eq(filter_load(w->s, NET_IPV4, "*filter\nCOMMIT\n", 15, FILTER_TEST, &e), NS_OK);
	cr_assert_str_eq(print(false, false), before);
}

Test(filter_rules, tables_not_named_stay_and_policies_not_named_too)
{
	wire_rules(w->s, false, "*filter\n:INPUT DROP [0:0]\n-A INPUT -p icmp -j ACCEPT\nCOMMIT\n");
	wire_rules(w->s, false, "*raw\n-A OUTPUT -j ACCEPT\nCOMMIT\n");
	cr_assert(strstr(print(false, false), "-A INPUT -p icmp -j ACCEPT"));
	wire_rules(w->s, false, "*filter\n-A INPUT -p udp -j ACCEPT\nCOMMIT\n");
	cr_assert(strstr(print(false, false), ":INPUT DROP"));
	cr_assert(!strstr(printed, "icmp"));
	cr_assert(strstr(printed, "*raw"));
	filter_clear(w->s, NET_IPV4);
	cr_assert_str_eq(print(false, false), "");
}

/* A text of @n chains, each jumping @times to the next. */
static char *ladder(int n, int times)
{
	char *text = calloc(1, (size_t)n * (size_t)(20 + 30 * times) + 200);
	size_t at = (size_t)sprintf(text, "*filter\n");

	for (int i = 0; i < n; i++)
		at += (size_t)sprintf(text + at, ":c%d - [0:0]\n", i);
	at += (size_t)sprintf(text + at, "-A INPUT -j c0\n");
	for (int i = 0; i + 1 < n; i++)
		for (int k = 0; k < times; k++)
			at += (size_t)sprintf(text + at, "-A c%d -j c%d\n", i, i + 1);
	sprintf(text + at, "-A c%d -j DROP\nCOMMIT\n", n - 1);
	return text;
}

Test(filter_rules, circles_depth_and_explosions_are_refused)
{
	char *deep = ladder(64, 1), *deeper = ladder(65, 1), *wide = ladder(40, 2);
	struct wire_pkt p = { "10.0.0.2", "10.0.0.1", IP_PROTO_ICMP, .sport = 7, .type = 8 }, q;

	refused("*filter\n:a - [0:0]\n:b - [0:0]\n-A a -j b\n-A b -g a\nCOMMIT\n", 4, 1, "circle");
	refused("*filter\n:a - [0:0]\n-A a -j a\nCOMMIT\n", 3, 1, "circle");
	refused(deeper, 131, 1, "at most 64 jumps");
	refused(wide, 84, 1, "rules on a packet's way");
	wire_rules(w->s, false, deep);
	wire_in(w, 0, &p);
	cr_assert(!wire_out(w, 0, &q), "not dropped at the bottom");
	free(deep);
	free(deeper);
	free(wide);
}

Test(filter_rules, too_many_rules_are_refused)
{
	size_t n = 100002, at = 8;
	char *text = malloc(n * 9 + 100);
	struct filter_error e;

	memcpy(text, "*filter\n", 8);
	for (size_t i = 0; i < n; i++, at += 9)
		memcpy(text + at, "-A INPUT\n", 9);
	cr_assert_eq(filter_load(w->s, NET_IPV4, text, at, 0, &e), NS_ERR_INVALID_OPTION_VALUE);
	cr_assert_eq(e.line, 100002);
	free(text);
}

Test(filter_rules, without_rules_there_is_nothing)
{
	cr_assert_null(w->s->hooks.state);
	cr_assert(!hook_any(&w->s->hooks, HOOK_INPUT));
	wire_rules(w->s, false, "*filter\n-A INPUT -j ACCEPT\nCOMMIT\n");
	cr_assert(hook_any(&w->s->hooks, HOOK_INPUT));
	cr_assert(!w->s->hooks.defrag[NET_IPV4], "reassembly without tracking");
	wire_rules(w->s, false, "*nat\nCOMMIT\n");
	cr_assert(w->s->hooks.defrag[NET_IPV4]);
	cr_assert(!w->s->hooks.defrag[NET_IPV6]);
	filter_clear(w->s, NET_IPV4);
	cr_assert_null(w->s->hooks.state);
	cr_assert(!hook_any(&w->s->hooks, HOOK_INPUT));
	cr_assert(!w->s->hooks.defrag[NET_IPV4]);
}

Test(filter_rules, a_family_the_stack_lacks_is_refused)
{
	struct filter_error e;

	cr_assert_eq(filter_load(w->s, NET_ARP, "", 0, 0, &e), NS_ERR_UNKNOWN_PROTOCOL);
}
