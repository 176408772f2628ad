/* launch_calltext.c - recorded calls as text and as JSON. */
#include "launch/calltext.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include "run_fixture.h"

static char buf[1024];
static const struct calltext_caller caller = { 100, "prog" };

#define EVENT(id, result, ...) \
	{ .call = CALL_##id, .ret = (result), .args = { __VA_ARGS__ }, .tid = 100 }

static void expect(const struct run_event *e, const char *text)
{
	cr_assert_str_eq(calltext_call(buf, sizeof(buf), e), text);
}

Test(calltext, families_types_and_protocols_have_names)
{
	struct run_event e = EVENT(socket, 3, AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);

	expect(&e, "socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK|SOCK_CLOEXEC, IPPROTO_TCP) = 3");
	e = (struct run_event)EVENT(socket, 3, AF_NETLINK, SOCK_RAW, 0);
	expect(&e, "socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE) = 3");
	e = (struct run_event)EVENT(socket, 3, AF_UNIX, SOCK_SEQPACKET, 0);
	expect(&e, "socket(AF_UNIX, SOCK_SEQPACKET, 0) = 3");
	e = (struct run_event)EVENT(socket, 3, 99, 77, 5);
	expect(&e, "socket(99, 77, 5) = 3");
}

Test(calltext, an_error_has_its_name_and_words)
{
	struct run_event e = EVENT(connect, -1, 3, 0x7ffe, 16);

	e.err = ECONNREFUSED;
	e.addr = fixture_inet("127.0.0.1", 80);
	expect(&e, "connect(3, 127.0.0.1:80, 16) = -1 ECONNREFUSED (Connection refused)");
	e.err = 9999;
	expect(&e, "connect(3, 127.0.0.1:80, 16) = -1 error 9999 (unknown error)");
}

Test(calltext, an_address_that_is_not_known_is_a_pointer)
{
	struct run_event e = EVENT(accept, 4, 3, 0, 0);

	expect(&e, "accept(3, NULL, NULL) = 4");
	e.args[1] = 0xabc;
	expect(&e, "accept(3, 0xabc, NULL) = 4");
	e.addr.len = 255;		/* longer than there is room for */
	expect(&e, "accept(3, -, NULL) = 4");
}

Test(calltext, options_are_named_by_their_level)
{
	struct run_event e = EVENT(setsockopt, 0, 3, SOL_SOCKET, SO_REUSEADDR, 0x10, 4);

	expect(&e, "setsockopt(3, SOL_SOCKET, SO_REUSEADDR, 0x10, 4) = 0");
	e.args[1] = IPPROTO_TCP;
	e.args[2] = TCP_NODELAY;
	expect(&e, "setsockopt(3, IPPROTO_TCP, TCP_NODELAY, 0x10, 4) = 0");
	e.args[1] = 12345;
	expect(&e, "setsockopt(3, 12345, 1, 0x10, 4) = 0");
}

Test(calltext, flags_are_taken_apart_and_the_rest_shown)
{
	struct run_event e = EVENT(send, 5, 3, 0x10, 5, MSG_NOSIGNAL | MSG_DONTWAIT | (1 << 21));

	expect(&e, "send(3, 0x10, 5, MSG_DONTWAIT|MSG_NOSIGNAL|0x200000) = 5");
	e = (struct run_event)EVENT(shutdown, 0, 3, SHUT_WR);
	expect(&e, "shutdown(3, SHUT_WR) = 0");
	e = (struct run_event)EVENT(accept4, 4, 3, 0, 0, SOCK_CLOEXEC);
	expect(&e, "accept4(3, NULL, NULL, SOCK_CLOEXEC) = 4");
}

Test(calltext, what_fcntl_gets_depends_on_its_command)
{
	struct run_event e = EVENT(fcntl, 0, 3, F_SETFL, O_RDWR | O_NONBLOCK);

	expect(&e, "fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0");
	e = (struct run_event)EVENT(fcntl, 0, 3, F_SETFD, FD_CLOEXEC);
	expect(&e, "fcntl(3, F_SETFD, FD_CLOEXEC) = 0");
	e = (struct run_event)EVENT(fcntl, 7, 3, F_DUPFD, 5);
	expect(&e, "fcntl(3, F_DUPFD, 5) = 7");
}

Test(calltext, names_that_are_looked_up_and_their_errors)
{
	struct run_event e = EVENT(getaddrinfo, EAI_AGAIN, 0x10, 0, 0, 0x20);

	e.err = EAI_AGAIN;
	e.addr.len = 11;
	memcpy(e.addr.data, "example.org", 11);
	expect(&e, "getaddrinfo(\"example.org\", NULL, NULL, 0x20) = -3 EAI_AGAIN (Temporary failure in name resolution)");
	e.err = e.ret = 0;
	e.addr.len = 31;
	memset(e.addr.data, 'a', 31);
	e.addr.data[3] = '\x1b';
	expect(&e, "getaddrinfo(\"aaa?aaaaaaaaaaaaaaaaaaaaaaaaaaa\"..., NULL, NULL, 0x20) = 0");
}

Test(calltext, an_unknown_call_is_a_number)
{
	struct run_event e = { .call = 60000, .ret = 5 };

	expect(&e, "(unknown call 60000) = 5");
}

Test(calltext, a_line_has_time_process_duration_and_rule)
{
	struct run_event e = EVENT(close, 0, 3);

	setenv("TZ", "UTC", 1);
	e.time_ns = 1700000000123456789;
	e.duration_ns = 1000002000;
	calltext_line(buf, sizeof(buf), &e, &caller);
	cr_assert_str_eq(buf, "22:13:20.123456 100 close(3) = 0 <1.000002>");
	e.tid = 101;
	e.rule = 7;
	calltext_line(buf, sizeof(buf), &e, &caller);
	cr_assert_str_eq(buf, "22:13:20.123456 100/101 close(3) = 0 <1.000002> [rule 7]");
	e.time_ns = UINT64_MAX;
	e.duration_ns = UINT64_MAX;
	cr_assert(strstr(calltext_line(buf, sizeof(buf), &e, &caller), "close(3)"));
}

Test(calltext, a_line_that_does_not_fit_is_cut)
{
	struct run_event e = EVENT(connect, -1, 3, 0x7ffe, 16);
	char small[20];

	calltext_line(small, sizeof(small), &e, &caller);
	cr_assert_lt(strlen(small), sizeof(small));
	calltext_call(small, sizeof(small), &e);
	cr_assert_str_eq(small, "connect(3, 0x7ffe, ");
}

Test(calltext, json_has_numbers_as_numbers)
{
	struct run_event e = EVENT(connect, -1, 3, 0x7ffe, 16);
	json_t *o;

	e.err = EINPROGRESS;
	e.rule = 2;
	e.time_ns = 1700000000123456789;
	e.addr = fixture_inet("10.0.0.1", 6379);
	o = calltext_json(&e, &caller);
	cr_assert_str_eq(json_string_value(json_object_get(o, "time")), "2023-11-14T22:13:20.123456789Z");
	cr_assert_str_eq(json_string_value(json_object_get(o, "call")), "connect");
	cr_assert_eq(json_integer_value(json_object_get(json_object_get(o, "args"), "fd")), 3);
	cr_assert_str_eq(json_string_value(json_object_get(json_object_get(o, "args"), "addr")), "10.0.0.1:6379");
	cr_assert_eq(json_integer_value(json_object_get(o, "result")), -1);
	cr_assert_str_eq(json_string_value(json_object_get(o, "errno")), "EINPROGRESS");
	cr_assert_eq(json_integer_value(json_object_get(o, "rule")), 2);
	json_decref(o);
}

Test(calltext, every_call_can_be_formatted_whatever_its_numbers)
{
	struct run_event e;

	for (int call = 0; call <= CALLS; call++) {
		for (int fill = 0; fill < 256; fill += 15) {
			memset(&e, fill, sizeof(e));
			e.call = (uint16_t)call;
			cr_assert_gt(strlen(calltext_line(buf, sizeof(buf), &e, &caller)), 10);
			json_decref(calltext_json(&e, &caller));
		}
	}
}
