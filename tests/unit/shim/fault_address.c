/* fault_address.c - addresses of rules against addresses of sockets, and glob patterns. */
#include "fault_rules.h"

#include "fault/address.h"
#include "fault/glob.h"
#include "fault/word.h"

/* Whether the pattern matches the address. */
static bool matches(const char *pattern, const char *text)
{
	struct fault_word w = { .s = pattern, .n = strlen(pattern), .column = 1 }, at;
	struct address address = address_of(text);
	struct fault_address a;
	char path[128];

	cr_assert_eq(fault_address_parse(&w, &a, path, &at), FAULT_ADDRESS_OK, "%s", pattern);
	return fault_address_match(&a, &address.sa, address.len);
}

Test(fault_address, ipv4)
{
	cr_assert(matches("10.0.0.1", "10.0.0.1:80"));
	cr_assert_not(matches("10.0.0.1", "10.0.0.2:80"));
	cr_assert(matches("10.0.0.1:80", "10.0.0.1:80"));
	cr_assert_not(matches("10.0.0.1:80", "10.0.0.1:81"));
	cr_assert_not(matches("10.0.0.1:80", "10.0.0.2:80"));
}

Test(fault_address, ipv4_prefixes)
{
	cr_assert(matches("10.0.0.0/8", "10.255.0.1:80"));
	cr_assert_not(matches("10.0.0.0/8", "11.0.0.1:80"));
	cr_assert(matches("10.1.2.3/8", "10.255.0.1:80"));	/* bits past the prefix don't count */
	cr_assert(matches("192.168.4.0/23", "192.168.5.9:1"));
	cr_assert_not(matches("192.168.4.0/23", "192.168.6.9:1"));
	cr_assert(matches("0.0.0.0/0", "1.2.3.4:5"));
	cr_assert(matches("1.2.3.4/32", "1.2.3.4:5"));
	cr_assert_not(matches("1.2.3.4/32", "1.2.3.5:5"));
	cr_assert_not(matches("0.0.0.0/0", "[2001:db8::1]:5"));
}

Test(fault_address, ipv6)
{
	cr_assert(matches("::1", "[::1]:80"));
	cr_assert_not(matches("::1", "[::2]:80"));
	cr_assert(matches("[::1]", "[::1]:80"));
	cr_assert(matches("[::1]:80", "[::1]:80"));
	cr_assert_not(matches("[::1]:80", "[::1]:81"));
	cr_assert_not(matches("[::1]:80", "[::2]:80"));
	cr_assert_not(matches("::1", "0.0.0.1:80"));
}

Test(fault_address, ipv6_prefixes)
{
	cr_assert(matches("2001:db8::/32", "[2001:db8:ffff::1]:80"));
	cr_assert_not(matches("2001:db8::/32", "[2001:db9::1]:80"));
	cr_assert(matches("[2001:db8::/32]:80", "[2001:db8::9]:80"));
	cr_assert_not(matches("[2001:db8::/32]:80", "[2001:db8::9]:81"));
	cr_assert(matches("[2001:db8::]/32:80", "[2001:db8::9]:80"));
	cr_assert_not(matches("[2001:db8::]/32:80", "[2001:db8::9]:443"));
	cr_assert(matches("[2001:db8::]/32", "[2001:db8::9]:443"));
	cr_assert(matches("::/0", "[2001:db8::1]:1"));
	cr_assert_not(matches("::/0", "1.2.3.4:1"));
	cr_assert(matches("fe80::/10", "[febf::1]:1"));
	cr_assert_not(matches("fe80::/10", "[fec0::1]:1"));
	cr_assert(matches("2001:db8::2/127", "[2001:db8::3]:1"));
	cr_assert_not(matches("2001:db8::2/127", "[2001:db8::4]:1"));
}

Test(fault_address, ipv4_mapped_is_ipv4)
{
	cr_assert(matches("10.0.0.0/8:80", "[::ffff:10.1.1.1]:80"));
	cr_assert_not(matches("10.0.0.0/8:80", "[::ffff:10.1.1.1]:81"));
	cr_assert_not(matches("10.0.0.0/8", "[::ffff:11.1.1.1]:80"));
	cr_assert(matches("::ffff:10.0.0.0/104", "10.1.1.1:80"));
	cr_assert(matches("::ffff:10.0.0.0/104", "[::ffff:10.1.1.1]:80"));
	cr_assert_not(matches("::ffff:10.0.0.0/104", "11.1.1.1:80"));
	cr_assert(matches("[::ffff:10.0.0.1]:80", "10.0.0.1:80"));
	cr_assert_not(matches("::/0", "[::ffff:10.0.0.1]:80"));
}

Test(fault_address, ports_of_any_address)
{
	cr_assert(matches(":80", "1.2.3.4:80"));
	cr_assert(matches(":80", "[::5]:80"));
	cr_assert(matches("*:80", "[::ffff:1.2.3.4]:80"));
	cr_assert_not(matches(":80", "1.2.3.4:81"));
	cr_assert_not(matches(":80", "[::5]:81"));
	cr_assert_not(matches(":80", "unix:/80"));
	cr_assert(matches(":65535", "1.2.3.4:65535"));
	cr_assert(matches(":0", "1.2.3.4:0"));
}

Test(fault_address, port_ranges)
{
	cr_assert(matches("10.0.0.1:8000-8099", "10.0.0.1:8000"));
	cr_assert(matches("10.0.0.1:8000-8099", "10.0.0.1:8099"));
	cr_assert_not(matches("10.0.0.1:8000-8099", "10.0.0.1:7999"));
	cr_assert_not(matches("10.0.0.1:8000-8099", "10.0.0.1:8100"));
	cr_assert(matches("[::1]:8000-8099", "[::1]:8050"));
	cr_assert_not(matches("[::1]:8000-8099", "[::1]:8100"));
	cr_assert_not(matches("[::1]:8000-8099", "[::1]:7999"));
}

Test(fault_address, unix_paths)
{
	cr_assert(matches("unix:/run/x.sock", "unix:/run/x.sock"));
	cr_assert_not(matches("unix:/run/x.sock", "unix:/run/y.sock"));
	cr_assert(matches("unix:/run/*", "unix:/run/a/b.sock"));
	cr_assert(matches("unix:*.sock", "unix:/run/a/b.sock"));
	cr_assert(matches("unix:@abs*", "unix:@abstract"));
	cr_assert_not(matches("unix:@abs*", "unix:abstract"));
	cr_assert_not(matches("unix:*", "unix:"));	/* unnamed */
	cr_assert_not(matches("unix:/run/*", "1.2.3.4:5"));
	cr_assert_not(matches("1.2.3.4", "unix:/run/x"));
	cr_assert(matches("unix:\"/tmp/a b\"", "unix:/tmp/a b"));
}

Test(fault_address, a_unix_path_that_fills_the_address)
{
	struct fault_word w = { .s = "unix:/xx*xx", .n = 11, .column = 1 }, at;
	struct sockaddr_un *un = malloc(sizeof(*un));
	struct fault_address a;
	char path[16];

	memset(un, 'x', sizeof(*un));
	un->sun_family = AF_UNIX;
	un->sun_path[0] = '/';
	cr_assert_eq(fault_address_parse(&w, &a, path, &at), FAULT_ADDRESS_OK);
	cr_assert(fault_address_match(&a, (struct sockaddr *)un, sizeof(*un)));	/* no NUL in it */
	free(un);
}

Test(fault_address, addresses_that_are_too_short_or_none)
{
	struct fault_word w = { .s = ":80", .n = 3, .column = 1 }, at;
	struct address in = address_of("1.2.3.4:80"), in6 = address_of("[::1]:80");
	struct sockaddr other = { .sa_family = AF_NETLINK };
	struct fault_address a;
	char path[1];

	cr_assert_eq(fault_address_parse(&w, &a, path, &at), FAULT_ADDRESS_OK);
	cr_assert(fault_address_match(&a, &in.sa, in.len));
	cr_assert_not(fault_address_match(&a, &in.sa, in.len - 1));
	cr_assert(fault_address_match(&a, &in6.sa, 24));	/* without a scope, as the kernel takes it */
	cr_assert_not(fault_address_match(&a, &in6.sa, 23));
	cr_assert_not(fault_address_match(&a, &in.sa, 1));
	cr_assert_not(fault_address_match(&a, NULL, 0));
	cr_assert_not(fault_address_match(&a, &other, sizeof(other)));
}

static bool glob(const char *pattern, const char *text)
{
	return fault_glob_match(pattern, text, strlen(text), false);
}

Test(fault_glob, stars_and_questions)
{
	cr_assert(glob("nginx", "nginx"));
	cr_assert_not(glob("nginx", "nginx2"));
	cr_assert_not(glob("nginx2", "nginx"));
	cr_assert(glob("nginx*", "nginx"));
	cr_assert(glob("*nx*", "nginx2"));
	cr_assert(glob("a*b*c", "axxbxxbxxc"));
	cr_assert_not(glob("a*b*c", "axxbxxbxx"));
	cr_assert(glob("*", ""));
	cr_assert(glob("", ""));
	cr_assert_not(glob("", "x"));
	cr_assert_not(glob("?", ""));
	cr_assert(glob("?x", "ax"));
	cr_assert_not(glob("?x", "x"));
	cr_assert(glob("**a", "bca"));
}

Test(fault_glob, brackets)
{
	cr_assert(glob("w[0-9]", "w5"));
	cr_assert_not(glob("w[0-9]", "wa"));
	cr_assert(glob("w[!0-9]", "wa"));
	cr_assert(glob("w[^0-9]", "wa"));
	cr_assert_not(glob("w[!0-9]", "w5"));
	cr_assert(glob("[abc]x", "bx"));
	cr_assert(glob("[]a]", "]"));
	cr_assert(glob("[a-]", "-"));
	cr_assert(glob("[a", "[a"));	/* not closed: itself */
	cr_assert_not(glob("[a", "a"));
	cr_assert(glob("*[0-9]", "thread-12"));
}

Test(fault_glob, backslash_and_case)
{
	cr_assert(glob("a\\*", "a*"));
	cr_assert_not(glob("a\\*", "ab"));
	cr_assert(glob("a\\", "a\\"));
	cr_assert_not(glob("ABC", "abc"));
	cr_assert(fault_glob_match("A[X-Z]c*", "ayCD", 4, true));
}

Test(fault_glob, many_stars_take_no_long_time)
{
	char text[4096];

	memset(text, 'a', sizeof(text));
	cr_assert_not(fault_glob_match("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", text, sizeof(text), false));
}
