/* backend_traffic.c - which addresses go to the stack. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <string.h>

#include "backend/traffic.h"

static struct traffic t;

static void only(const char *list)
{
	cr_assert_null(traffic_parse(t.only, &t.n_only, list), "%s", list);
}

static void except(const char *list)
{
	cr_assert_null(traffic_parse(t.except, &t.n_except, list), "%s", list);
}

static bool takes4(const char *addr, int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };

	cr_assert_eq(inet_pton(AF_INET, addr, &a.sin_addr), 1);
	return traffic_takes(&t, (struct sockaddr *)&a, sizeof(a));
}

static bool takes6(const char *addr, int port)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };

	cr_assert_eq(inet_pton(AF_INET6, addr, &a.sin6_addr), 1);
	return traffic_takes(&t, (struct sockaddr *)&a, sizeof(a));
}

Test(traffic, all_goes_if_nothing_is_said)
{
	cr_assert(traffic_is_all(&t));
	cr_assert(takes4("10.1.2.3", 80));
	cr_assert(takes6("::1", 80));
}

Test(traffic, only_what_is_named_goes)
{
	only("10.0.0.0/8,192.168.7.9");
	cr_assert_not(traffic_is_all(&t));
	cr_assert(takes4("10.255.0.1", 1));
	cr_assert(takes4("192.168.7.9", 1));
	cr_assert_not(takes4("192.168.7.8", 1));
	cr_assert_not(takes4("11.0.0.0", 1));
	cr_assert_not(takes6("fd00::1", 1));
}

Test(traffic, prefixes_need_not_end_at_a_byte)
{
	only("172.16.0.0/12,fd00:aa00::/23");
	cr_assert(takes4("172.31.255.255", 1));
	cr_assert_not(takes4("172.32.0.0", 1));
	cr_assert(takes6("fd00:abff::1", 1));
	cr_assert_not(takes6("fd00:ac00::1", 1));
}

Test(traffic, exceptions_count_more)
{
	only("10.0.0.0/8");
	except("10.0.0.0/24:53,10.0.1.1");
	cr_assert(takes4("10.0.0.7", 80));
	cr_assert_not(takes4("10.0.0.7", 53));
	cr_assert_not(takes4("10.0.1.1", 80));
}

Test(traffic, ports_follow_both_families)
{
	only("[fd00::/64]:443,[::1]:80,fe80::/10");
	cr_assert(takes6("fd00::5", 443));
	cr_assert_not(takes6("fd00::5", 80));
	cr_assert(takes6("::1", 80));
	cr_assert(takes6("fe80::1", 7));
}

Test(traffic, mapped_addresses_are_those_that_they_map)
{
	except("127.0.0.0/8");
	cr_assert_not(takes6("::ffff:127.0.0.1", 80));
	cr_assert(takes6("::ffff:10.0.0.1", 80));
}

Test(traffic, unspecified_addresses_go_to_the_stack)
{
	only("10.0.0.0/8");
	cr_assert(takes4("0.0.0.0", 0));
	cr_assert(takes6("::", 80));
}

Test(traffic, short_addresses_are_not_looked_into)
{
	struct sockaddr_in a = { .sin_family = AF_INET };

	only("10.0.0.0/8");
	cr_assert(traffic_takes(&t, (struct sockaddr *)&a, 4));
	cr_assert(traffic_takes(&t, (struct sockaddr *)&a, 0));
}

Test(traffic, what_is_wrong_is_refused_where_it_stands)
{
	static const char *const wrong[] = {
		"10.0.0", "10.0.0.1/33", "10.0.0.1/", "10.0.0.1:", "10.0.0.1:0", "10.0.0.1:70000", "x", "10.0.0.1 ", "[::1",
		"::1/129", ",", "10.0.0.1,,", "10.0.0.1/8/8", "999.1.1.1", "fd00::/64x",
	};
	char many[64 * 12] = "";

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		cr_assert_not_null(traffic_parse(t.only, &t.n_only, wrong[i]), "%s", wrong[i]);
	cr_assert_str_eq(traffic_parse(t.only, &t.n_only, "10.0.0.1,oops"), "oops");
	for (int i = 0; i < 33; i++)
		strcat(many, "10.0.0.1,");
	cr_assert_not_null(traffic_parse(t.only, &t.n_only, many));
	many[32 * 9] = 0;
	cr_assert_null(traffic_parse(t.only, &t.n_only, many));
	cr_assert_eq(t.n_only, TRAFFIC_PATTERNS);
}
