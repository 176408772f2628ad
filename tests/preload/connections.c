/* connections.c - connections are counted as they turn out, and faults are what they are called. */
#include "preload/child.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define STREAM sockshim_cookie_make(AF_INET, SOCK_STREAM, 0)
#define NONBLOCKING sockshim_cookie_make(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)
#define DGRAM sockshim_cookie_make(AF_INET, SOCK_DGRAM, 0)
#define WATCHED "fail connect with ETIMEDOUT on 1000000th; fail getsockopt with EBADF on 1000000th; " \
	"fail send with EPIPE on 1000000th; fail recv with ENOMEM on 1000000th"

/* Each test of counts is made on the short way through the library, and on the long one. */
static const char *const ways[] = { NULL, WATCHED };

#define FOR_WAYS(c, scenario, arg) \
	for (int way_ = 0; way_ < 2; way_++) \
		for (struct child c = compared(scenario, arg, ways[way_]); c.prog; child_done(&c), c.prog = NULL)

static struct child compared(const char *scenario, const char *arg, const char *rules)
{
	struct child c = { .prog = "connections", .args = { scenario, arg }, .rules = rules };

	child_compare(&c);
	return c;
}

Test(connect, in_progress_is_counted_once_when_so_error_says_so)
{
	FOR_WAYS(c, "progress", NULL) {
		cr_assert_str_eq(c.out, "EINPROGRESS 0 0 0\n");
		cr_expect_eq(child_count(&c, NONBLOCKING, RUN_CONNECTED), 1);
		cr_expect_eq(child_count(&c, NONBLOCKING, RUN_CONNECT_FAILED), 0);
	}
}

static void completes(const char *by)
{
	FOR_WAYS(c, "completed", by) {
		cr_expect_eq(child_count(&c, NONBLOCKING, RUN_CONNECTED), 1, "by %s", by);
		cr_expect_eq(child_socket(&c, 0, 0)->flags & (RUN_SOCK_PENDING | RUN_SOCK_CONNECTED),
			     RUN_SOCK_CONNECTED, "by %s", by);
	}
}

Test(connect, in_progress_is_completed_by_whatever_shows_it_first)
{
	completes("connect");
	completes("getpeername");
	completes("send");
	completes("write");
}

Test(connect, refused_is_failed_at_once_or_late_and_once)
{
	FOR_WAYS(c, "failed", NULL) {
		cr_assert_str_eq(c.out, "ECONNREFUSED EINPROGRESS ECONNREFUSED 0\n");
		cr_expect_eq(child_count(&c, STREAM, RUN_CONNECT_FAILED), 1);
		cr_expect_eq(child_count(&c, NONBLOCKING, RUN_CONNECT_FAILED), 1);
		cr_expect_eq(child_count(&c, NONBLOCKING, RUN_CONNECTED), 0);
	}
}

Test(connect, of_a_connected_socket_fails)
{
	FOR_WAYS(c, "already", NULL) {
		cr_expect_eq(child_count(&c, STREAM, RUN_CONNECTED), 1);
		cr_expect_eq(child_count(&c, STREAM, RUN_CONNECT_FAILED), 1);
	}
}

Test(connect, to_nowhere_takes_the_connection_away)
{
	FOR_WAYS(c, "unspec", NULL) {
		cr_expect_eq(child_count(&c, DGRAM, RUN_CONNECTED), 1);
		cr_expect_eq(child_count(&c, DGRAM, RUN_CONNECT_FAILED), 0);
	}
}

Test(connect, so_error_may_be_read_into_a_byte)
{
	FOR_WAYS(c, "small", NULL)
		cr_expect_eq(child_count(&c, NONBLOCKING, RUN_CONNECTED), 1);
}

Test(connect, other_families_are_counted_apart)
{
	FOR_WAYS(c, "families", NULL)
		cr_expect(strstr(child_stats(&c), "(local, seqpacket, default): opened=2 connected=1 listened=1 "
				 "accepted=1 closed=0 openfailed=0"), "%s", child_stats(&c));
}

Test(call, that_a_signal_ends_is_eintr)
{
	FOR_WAYS(c, "eintr", NULL)
		cr_expect_str_eq(c.out, "-1 EINTR\n");
}

static struct child ran(const char *scenario, const char *arg, const char *rules)
{
	struct child c = { .prog = "connections", .args = { scenario, arg }, .rules = rules };

	child_ok(&c);
	return c;
}

Test(reset, sends_rst_and_breaks_the_connection)
{
	struct child c = ran("reset", NULL, "reset recv on 1st");

	cr_assert_str_eq(c.out, "recv -1 ECONNRESET\npeer -1 ECONNRESET\nsend -1 EPIPE\nagain 0\nerror 0\n"
			 "close 0\nfile 4\n");
	cr_assert_eq(child_injected(&c, SOCKSHIM_RECV), 1);
	child_done(&c);
}

Test(reset, does_not_outlive_its_socket)
{
	struct child c = ran("resetfile", NULL, "reset recv on 1st");

	cr_assert_str_eq(c.out, "file 4\n");
	child_done(&c);
}

Test(reset, is_followed_by_sigpipe)
{
	struct child c = { .prog = "connections", .args = { "resetsignal" }, .rules = "reset recv on 1st" };

	child_run(&c);
	cr_assert_eq(c.signal, SIGPIPE);
	child_done(&c);
}

Test(short_transfers, keep_every_byte)
{
	struct child c = ran("stream", NULL, "short send to 1..16; short recv to 1..7");

	cr_assert_eq(child_said(&c, "wrong"), 0);
	cr_assert(child_said(&c, "calls") > 20000 / 16);
	child_done(&c);
	c = ran("stream", "writev", "short writev to 40");
	cr_assert_eq(child_said(&c, "wrong"), 0);
	cr_assert_eq(child_said(&c, "calls"), 20000 / 40);
	child_done(&c);
}

Test(short_transfers, are_not_for_datagrams)
{
	struct child c = ran("datagrams", NULL, "short send to 1..2; short recv to 1..2");

	cr_assert_str_eq(c.out, "abcd\nabcd\nabcd\n");
	child_done(&c);
}

Test(short_transfers, of_refused_or_empty_vectors_are_what_they_are)
{
	struct child bare = { .prog = "connections", .args = { "odd" }, .bare = true };
	static const char *const rules[] = { "short send to 1..4; short recv to 1..4", "corrupt send; corrupt recv" };

	child_run(&bare);
	for (int i = 0; i < 2; i++) {
		struct child c = ran("odd", NULL, rules[i]);

		cr_expect_str_eq(c.out, bare.out, "%s", rules[i]);
		child_done(&c);
	}
	child_done(&bare);
}

Test(drop, loses_what_was_sent)
{
	struct child c = ran("datagrams", NULL, "drop send on 2nd");

	cr_assert_str_eq(c.out, "abcd\nabcd\n");
	cr_assert_eq(child_injected(&c, SOCKSHIM_SEND), 1);
	child_done(&c);
	c = ran("datagrams", NULL, "drop recv on 1st");
	cr_assert_str_eq(c.out, "abcd\nabcd\n");
	cr_assert_eq(child_injected(&c, SOCKSHIM_RECV), 1);
	child_done(&c);
}

Test(corrupt, changes_one_bit_and_not_the_programs_copy)
{
	struct child c = ran("stream", NULL, "corrupt send on 1st");

	cr_assert_eq(child_said(&c, "wrong"), 1);
	child_done(&c);
	c = ran("stream", NULL, "corrupt recv every 2nd");
	cr_assert_gt(child_said(&c, "wrong"), 1);
	child_done(&c);
}

Test(delay, is_slept_off)
{
	struct child c = ran("delayed", NULL, "delay send by 60ms");

	cr_assert_geq(child_said(&c, "ms"), 60);
	child_done(&c);
}

Test(delay, is_slept_off_though_signals_come)
{
	struct child c = ran("delayedsignal", NULL, "delay send by 60ms");

	cr_assert_geq(child_said(&c, "ms"), 60);
	cr_assert_eq(child_said(&c, "interruptions"), 6);
	child_done(&c);
}

Test(fail, of_connect_may_be_late)
{
	struct child c = ran("late", NULL, "fail connect late with ETIMEDOUT");

	cr_assert_str_eq(c.out, "EINPROGRESS ETIMEDOUT 0 blocking ETIMEDOUT\n");
	cr_assert_eq(child_count(&c, NONBLOCKING, RUN_CONNECTED), 0);
	cr_assert_eq(child_count(&c, NONBLOCKING, RUN_CONNECT_FAILED), 0);
	cr_assert_eq(child_injected(&c, SOCKSHIM_CONNECT), 2);
	child_done(&c);
}

Test(fail, of_close_leaves_the_descriptor_open)
{
	struct child c = ran("closefails", NULL, "fail close with EIO on 1st");

	cr_assert_str_eq(c.out, "-1 EIO 1 0\n");
	cr_assert_eq(child_count(&c, STREAM, RUN_CLOSED), 1);
	cr_assert_eq(child_injected(&c, SOCKSHIM_CLOSE), 1);
	cr_assert_eq(child_open_sockets(&c, 0), 0);
	child_done(&c);
}

Test(fail, of_accept_takes_no_connection)
{
	struct child c = ran("taken", NULL, "fail accept with EMFILE");

	cr_assert_str_eq(c.out, "-1 EMFILE next 5\n");
	cr_assert_eq(child_count(&c, STREAM, RUN_ACCEPTED), 0);
	cr_assert_eq(child_count(&c, STREAM, RUN_ACCEPT_FAILED), 0);
	cr_assert_eq(child_injected(&c, SOCKSHIM_ACCEPT), 1);
	child_done(&c);
}
