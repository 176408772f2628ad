/* plugin_call.c - functions of a shared object, bound by a signature and called. */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

#include "unit.h"
#include "plugin/ip.h"
#include "plugin/plugin.h"

/* As in objects/functions.c. */
struct seen {
	int calls;
	int64_t numbers[16];
	double reals[4];
	char strings[4][64];
	const void *pointers[4];
};

static struct seen *seen;
static struct plugin plugin;

static struct sockaddr_in redis(void)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET, .sin_port = htons(6379), .sin_addr.s_addr = htonl(0x7f000001),
	};
}

static void bind_to(const char *symbol, const char *signature, bool after)
{
	struct plugin_error err = { 0 };

	cr_assert_eq(plugin_bind(&plugin, PLUGIN_OBJECT, symbol, signature, after, &err), 0, "%s", err.text);
	cr_assert(plugin.fn);
	seen = dlsym(dlopen(PLUGIN_OBJECT, RTLD_NOW), "seen");
	cr_assert(seen);
	memset(seen, 0, sizeof(*seen));
}

Test(plugin_call, the_filter_of_the_manual)
{
	struct sockaddr_in addr = redis();
	struct plugin_facts facts = { .fd = 5, .addr = (struct sockaddr *)&addr, .addr_len = sizeof(addr) };

	bind_to("deny", "(ip: cstr, port: u16, fd: i32) -> errno", false);
	cr_assert_eq(plugin_call(&plugin, &facts), ECONNREFUSED);
	cr_assert_str_eq(seen->strings[0], "127.0.0.1");
	cr_assert_eq(seen->numbers[0], 6379);
	cr_assert_eq(seen->numbers[1], 5);
	addr.sin_port = htons(80);
	cr_assert_eq(plugin_call(&plugin, &facts), 0);
	cr_assert_eq(seen->calls, 2);
}

Test(plugin_call, no_peer)
{
	struct plugin_facts facts = { .fd = 5 };

	bind_to("deny", "(ip: cstr, port: u16, fd: i32) -> errno", false);
	seen->strings[0][0] = 'x';
	cr_assert_eq(plugin_call(&plugin, &facts), 0);
	cr_assert_str_eq(seen->strings[0], "");
	cr_assert_eq(seen->numbers[0], 0);
}

Test(plugin_call, integers_of_all_widths)
{
	struct plugin_facts facts = { .fd = -1, .len = 0x123456789abcdef0, .flags = -2, .pid = 70000 };

	bind_to("all_integers", "(fd: i8, fd: i16, fd: i32, fd: i64, flags: u8, pid: u16, fd: u32, len: u64) -> errno", false);
	plugin_call(&plugin, &facts);
	for (int i = 0; i < 4; i++)
		cr_assert_eq(seen->numbers[i], -1, "%d: %ld", i, seen->numbers[i]);
	cr_assert_eq(seen->numbers[4], 254);
	cr_assert_eq(seen->numbers[5], 70000 - 65536);
	cr_assert_eq(seen->numbers[6], 0xffffffff);
	cr_assert_eq((uint64_t)seen->numbers[7], 0x123456789abcdef0);
}

Test(plugin_call, floating_numbers)
{
	struct plugin_facts facts = { .fd = 7, .family = 2, .len = 1000000, .tid = -3 };

	bind_to("reals", "(fd: f32, len: f64, family: i32, tid: f32) -> errno", false);
	plugin_call(&plugin, &facts);
	cr_assert(seen->reals[0] == 7 && seen->reals[1] == 1000000 && seen->reals[2] == -3);
	cr_assert_eq(seen->numbers[0], 2);
}

Test(plugin_call, strings_are_never_null)
{
	struct plugin_facts facts = { .call = "connect", .host = "example.org", .program = "curl" };

	bind_to("strings", "(call: cstr, host: cstr, program: cstr) -> errno", false);
	plugin_call(&plugin, &facts);
	cr_assert_str_eq(seen->strings[0], "connect");
	cr_assert_str_eq(seen->strings[1], "example.org");
	cr_assert_str_eq(seen->strings[2], "curl");
	plugin_call(&plugin, &(struct plugin_facts){ .fd = 1 });	/* would crash in strncpy */
}

Test(plugin_call, addresses)
{
	struct sockaddr_in addr = redis();
	struct plugin_facts facts = { .addr = (struct sockaddr *)&addr, .addr_len = sizeof(addr) };

	bind_to("addresses", "(addr: sockaddr, addrlen: u32, addr: ptr) -> errno", false);
	plugin_call(&plugin, &facts);
	cr_assert_eq(seen->pointers[0], &addr);
	cr_assert_eq(seen->pointers[1], &addr);
	cr_assert_eq(seen->numbers[0], sizeof(addr));
	facts.addr = NULL;
	plugin_call(&plugin, &facts);
	cr_assert_null(seen->pointers[0]);
	cr_assert_eq(seen->numbers[0], 0);
}

Test(plugin_call, the_outcome)
{
	struct plugin_facts facts = { .result = -1, .err = EPIPE };

	bind_to("outcome", "(result: i64, err: i32) -> errno", true);
	plugin_call(&plugin, &facts);
	cr_assert_eq(seen->numbers[0], -1);
	cr_assert_eq(seen->numbers[1], EPIPE);
}

Test(plugin_call, the_buffer)
{
	struct plugin_facts facts = { .buf = "abc", .len = 3, .flags = MSG_DONTWAIT };

	bind_to("buffer", "(buf: ptr, len: u64, flags: i32) -> errno", false);
	plugin_call(&plugin, &facts);
	cr_assert_eq(seen->pointers[0], facts.buf);
	cr_assert_eq(seen->numbers[0], 3);
	cr_assert_eq(seen->numbers[1], MSG_DONTWAIT);
}

Test(plugin_call, sixteen_arguments)
{
	struct plugin_facts f = { .fd = 1, .family = 2, .type = 3, .protocol = 4, .len = 5, .flags = 6, .pid = 7, .tid = 8 };
	static const int want[16] = { 1, 2, 3, 4, 5, 6, 7, 8, 8, 7, 6, 5, 4, 3, 2, 1 };

	bind_to("sixteen", "(fd: i32, family: i32, type: i32, protocol: i32, len: i32, flags: i32, pid: i32, tid: i32, "
		"tid: i32, pid: i32, flags: i32, len: i32, protocol: i32, type: i32, family: i32, fd: i32) -> errno", false);
	plugin_call(&plugin, &f);
	for (int i = 0; i < 16; i++)
		cr_assert_eq(seen->numbers[i], want[i], "%d", i);
}

Test(plugin_call, results)
{
	struct plugin_facts facts = { .fd = -ECONNREFUSED };

	bind_to("value", "(fd: i32) -> errno", false);
	cr_assert_eq(plugin_call(&plugin, &facts), ECONNREFUSED);
	facts.fd = 5000;
	cr_assert_eq(plugin_call(&plugin, &facts), EINVAL);
	facts.fd = 5;
	bind_to("value", "(fd: i32) -> i32", false);
	cr_assert_eq(plugin_call(&plugin, &facts), 0);
	bind_to("nothing", "() -> void", false);
	cr_assert_eq(plugin_call(&plugin, &facts), 0);
	cr_assert_eq(seen->calls, 1);
}

Test(plugin_call, a_copy_of_the_struct_calls_as_well)
{
	struct plugin_facts facts = { .fd = EACCES };
	struct plugin copy;

	bind_to("value", "(fd: i32) -> errno", false);
	copy = plugin;
	memset(&plugin, 0xff, sizeof(plugin));
	cr_assert_eq(plugin_call(&copy, &facts), EACCES);
}

Test(plugin_call, libc_by_its_name)
{
	struct plugin_error err = { 0 };

	cr_assert_eq(plugin_bind(&plugin, "libc.so.6", "abs", "(fd: i32) -> errno", false, &err), 0, "%s", err.text);
	cr_assert_eq(plugin_call(&plugin, &(struct plugin_facts){ .fd = -13 }), 13);
}

Test(plugin_call, what_cannot_be_bound)
{
	struct plugin_error err = { .column = 9 };

	cr_assert_eq(plugin_bind(&plugin, "/nowhere/x.so", "f", "() -> errno", false, &err), -ENOENT);
	cr_assert_eq(err.column, 0);
	cr_assert(strstr(err.text, "cannot load '/nowhere/x.so': ") && strstr(err.text, "No such file"), "%s", err.text);
	cr_assert_eq(plugin_bind(&plugin, PLUGIN_OBJECT, "denyy", "() -> errno", false, &err), -ENOENT);
	cr_assert(strstr(err.text, "no 'denyy' in '"), "%s", err.text);
	cr_assert_eq(plugin_bind(&plugin, PLUGIN_OBJECT, "deny", "(x: i32) -> errno", false, &err), -EINVAL);
	cr_assert_eq(err.column, 2);
	cr_assert_null(plugin.fn);
}

static const char *ip(const char *text, uint16_t port)
{
	static char buf[IP_TEXT];
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	cr_assert_eq(inet_pton(AF_INET6, text, &sin6.sin6_addr), 1);
	cr_assert_eq(ip_format(buf, (struct sockaddr *)&sin6, sizeof(sin6)), port);
	return buf;
}

Test(plugin_ip, ipv6_as_rfc_5952)
{
	cr_assert_str_eq(ip("::", 1), "::");
	cr_assert_str_eq(ip("::1", 65535), "::1");
	cr_assert_str_eq(ip("1::", 0), "1::");
	cr_assert_str_eq(ip("2001:DB8::00a1", 2), "2001:db8::a1");
	cr_assert_str_eq(ip("2001:db8:0:1:1:1:1:1", 2), "2001:db8:0:1:1:1:1:1");	/* one group stays */
	cr_assert_str_eq(ip("2001:0:0:1:0:0:0:1", 2), "2001:0:0:1::1");	/* the longest */
	cr_assert_str_eq(ip("2001:db8:0:0:1:0:0:1", 2), "2001:db8::1:0:0:1");	/* the first of two */
	cr_assert_str_eq(ip("1:0:0:2:3:4:0:0", 2), "1::2:3:4:0:0");
	cr_assert_str_eq(ip("1:2:3:4:5:6:0:0", 2), "1:2:3:4:5:6::");
	cr_assert_str_eq(ip("ffff:1230:4560:7890:abcd:ef01:2345:6789", 2), "ffff:1230:4560:7890:abcd:ef01:2345:6789");
	cr_assert_str_eq(ip("::ffff:10.20.30.255", 2), "10.20.30.255");
}

Test(plugin_ip, ipv6_as_the_c_library_has_it)
{
	uint64_t x = 1;

	for (int i = 0; i < 20000; i++) {
		struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6 };
		char buf[IP_TEXT], want[INET6_ADDRSTRLEN];

		sin6.sin6_addr.s6_addr[0] = 0x20;
		for (int j = 1; j < 16; j++) {
			x = x * 6364136223846793005 + 1442695040888963407;
			sin6.sin6_addr.s6_addr[j] = x >> 60 < 11 ? 0 : (uint8_t)(x >> 40);
		}
		ip_format(buf, (struct sockaddr *)&sin6, sizeof(sin6));
		cr_assert_str_eq(buf, inet_ntop(AF_INET6, &sin6.sin6_addr, want, sizeof(want)));
	}
}

Test(plugin_ip, other_addresses_have_none)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "/x" };
	struct sockaddr_in in = redis();
	char buf[IP_TEXT] = "x";

	cr_assert_eq(ip_format(buf, (struct sockaddr *)&un, sizeof(un)), 0);
	cr_assert_str_eq(buf, "");
	cr_assert_eq(ip_format(buf, (struct sockaddr *)&in, sizeof(in) - 1), 0);
	cr_assert_str_eq(buf, "");
	cr_assert_eq(ip_format(buf, (struct sockaddr *)&in, sizeof(in)), 6379);
	cr_assert_str_eq(buf, "127.0.0.1");
}
