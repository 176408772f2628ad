/* signals.c - what interrupts a call: signal handlers, jumps, cancellation; and calls of many threads. */
#include "preload/child.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LOCAL sockshim_cookie_make(AF_UNIX, SOCK_STREAM, 0)
#define INET sockshim_cookie_make(AF_INET, SOCK_STREAM, 0)
/* Every type is looked at by a rule that does not fire. */
#define WATCHED "fail recv with ENOMEM on 1000000th; fail send with EPIPE on 1000000th; " \
	"fail close with EIO on 1000000th; fail socket with EMFILE on 1000000th; " \
	"fail getsockopt with EBADF on 1000000th; fail accept with EMFILE on 1000000th; " \
	"fail connect with ENETUNREACH to 10.9.9.9; fail poll with ENOMEM on 1000000th"

Test(signals, first_call_of_all_is_made_in_a_handler)
{
	struct child c = { .prog = "signals", .args = { "first" } };

	child_compare(&c);
	cr_assert_eq(child_count(&c, LOCAL, RUN_OPENED), 2);
	child_done(&c);
}

static void storm(const char *rules)
{
	struct child c = { .prog = "signals", .args = { "storm" }, .rules = rules };
	uint64_t inet, local;

	child_ok(&c);
	inet = (uint64_t)child_said(&c, "inet");
	local = (uint64_t)child_said(&c, "local");
	/* A socketpair is counted once for each end, a socket with a duplicate once. */
	cr_assert_eq(child_count(&c, INET, RUN_OPENED), inet);
	cr_assert_eq(child_count(&c, INET, RUN_CLOSED), inet);
	cr_assert_eq(child_count(&c, LOCAL, RUN_OPENED), 2 * local, "%s", child_stats(&c));
	cr_assert_eq(child_count(&c, LOCAL, RUN_CLOSED), 2 * local, "%s", child_stats(&c));
	cr_assert_eq(child_open_sockets(&c, 0), 0);
	child_done(&c);
}

Test(signals, storm_of_handlers_that_make_calls_is_counted_exactly)
{
	storm(NULL);
}

Test(signals, storm_of_handlers_is_counted_exactly_while_rules_look_on)
{
	storm(WATCHED);
}

static void fork_storm(const char *rules)
{
	struct child c = { .prog = "signals", .args = { "forkstorm" }, .rules = rules };

	child_compare(&c);
	for (size_t i = 0; i < c.n_files; i++)
		if (c.files[i]->pid != c.pid)
			for (int k = 0; k < RUN_STATS; k++)
				if (c.files[i]->stats[k].cookie_plus_one == LOCAL + 1) {
					cr_assert_eq(c.files[i]->stats[k].count[RUN_OPENED], 2);
					cr_assert_eq(c.files[i]->stats[k].count[RUN_CLOSED], 2);
				}
	cr_assert_eq(child_count(&c, LOCAL, RUN_OPENED), 2 * (c.n_files - 1));
	child_done(&c);
}

Test(signals, handlers_that_fork_leave_children_that_go_on)
{
	fork_storm(NULL);
	fork_storm(WATCHED);
}

Test(signals, handlers_may_fork_at_any_instruction)
{
	static const char *const calls[] = { "socket", "socketpair", "accept", "accept-again", "close", "close-shared", "dup", "send",
					     "recv" };

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		struct child c = { .prog = "steps", .args = { calls[i] }, .seconds = 60 };

		child_ok(&c);
		cr_expect(strstr(c.out, ": 0 ended otherwise"), "%s", c.out);
		child_done(&c);
	}
}

Test(signals, child_that_is_forked_in_the_middle_of_a_call_counts_for_itself)
{
	struct child c = { .prog = "signals", .args = { "forkwait" } };

	child_compare(&c);
	cr_assert_eq(c.n_files, 2);
	for (size_t i = 0; i < 2; i++)
		cr_expect_eq(c.files[i]->stats[0].count[RUN_OPENED], c.files[i]->pid == c.pid ? 1 : 5);
	child_done(&c);
}

Test(signals, siglongjmp_out_of_the_last_close_leaves_no_socket)
{
	struct child c = { .prog = "signals", .args = { "lingering" } };

	child_compare(&c);
	cr_assert_eq(child_open_sockets(&c, 0), 0);
	child_done(&c);
}

static void stacks(const char *where)
{
	struct child c = { .prog = "signals", .args = { "stack", where } };

	child_compare(&c);
	child_done(&c);
	c = (struct child){ .prog = "signals", .args = { "stack", where }, .rules = WATCHED };
	child_compare(&c);
	child_done(&c);
	c = (struct child){ .prog = "signals", .args = { "stack", where }, .env = { "SOCKSHIM_TRACE=1" } };
	child_compare(&c);
	child_done(&c);
}

Test(stacks, twelve_kilobytes_are_enough_for_a_handler)
{
	stacks("handler");
}

Test(stacks, sixteen_kilobytes_are_enough_for_a_thread)
{
	stacks("thread");
}

Test(signals, mask_is_the_programs_own_after_the_start)
{
	struct child c = { .prog = "signals", .args = { "mask" } };

	child_compare(&c);
	child_done(&c);
}

Test(signals, faults_still_work_after_siglongjmp_out_of_blocked_calls)
{
	struct child c = { .prog = "signals", .args = { "longjmp" },
			   .rules = "fail recv with ENOMEM type dgram" };
	char want[64];

	child_ok(&c);
	snprintf(want, sizeof(want), "recv -1 errno %d\n", ENOMEM);
	cr_assert_str_eq(c.out, want);
	child_done(&c);
}

Test(signals, siglongjmp_out_of_blocked_calls_changes_nothing_without_rules)
{
	struct child c = { .prog = "signals", .args = { "longjmp" } };

	child_compare(&c);
	child_done(&c);
}

Test(signals, rules_change_as_often_as_calls_are_left_by_siglongjmp)
{
	struct child c = { .prog = "signals", .args = { "change" }, .rules = "fail recv with ENOMEM on 1000000th" };
	char want[64];

	child_ok(&c);
	snprintf(want, sizeof(want), "recv -1 errno %d\n", ENOMEM);
	cr_assert_str_eq(c.out, want);
	child_done(&c);
}

Test(cancellation, ends_a_blocked_call)
{
	struct child c = { .prog = "signals", .args = { "cancel" } };

	child_compare(&c);
	child_done(&c);
}

Test(cancellation, of_the_only_thread_by_itself)
{
	struct child recv = { .prog = "signals", .args = { "cancel-self", "recv" } };
	struct child close = { .prog = "signals", .args = { "cancel-self", "close" } };

	child_compare(&recv);
	cr_assert_str_eq(recv.out, "self: cancelled in recv\n");
	child_done(&recv);
	child_compare(&close);
	child_done(&close);
}

Test(cancellation, ends_a_blocked_call_while_rules_look_on)
{
	struct child c = { .prog = "signals", .args = { "cancel" }, .rules = WATCHED };

	child_compare(&c);
	child_done(&c);
}

Test(cancellation, ends_a_blocked_call_while_traced)
{
	struct child c = { .prog = "signals", .args = { "cancel" }, .env = { "SOCKSHIM_TRACE=1" } };

	child_compare(&c);
	child_done(&c);
}

Test(cancellation, ends_a_delay)
{
	struct child c = { .prog = "signals", .args = { "delayed" }, .rules = "delay send by 100s" };

	child_ok(&c);
	cr_assert_str_eq(c.out, "send: cancelled 1 cleaned 1\n");
	child_done(&c);
}

static void threads(const char *rules, const char *env)
{
	struct child c = { .prog = "signals", .args = { "threads" }, .rules = rules, .env = { env } };
	char want[512];

	child_ok(&c);
	snprintf(want, sizeof(want),
		 "(local, stream|cloexec, default): opened=6400 connected=0 listened=0 accepted=0 closed=6400 "
		 "openfailed=0 connectfailed=0 listenfailed=0 acceptfailed=0 closefailed=0\n"
		 "(inet4, stream, default): opened=3201 connected=3200 listened=1 accepted=3200 closed=6401 "
		 "openfailed=0 connectfailed=0 listenfailed=0 acceptfailed=0 closefailed=0\n");
	cr_assert_str_eq(child_stats(&c), want);
	cr_assert_eq(child_open_sockets(&c, 0), 0);
	child_done(&c);
}

Test(failures, say_why)
{
	struct child c = { .prog = "signals", .args = { "fails" } };

	child_ok(&c);
	cr_assert_str_eq(c.out, "failed\n");
	child_done(&c);
}

Test(threads, eight_are_counted_exactly)
{
	threads(NULL, NULL);
}

Test(threads, eight_are_counted_exactly_while_rules_look_on)
{
	threads(WATCHED, NULL);
}

Test(threads, eight_are_counted_exactly_while_traced)
{
	threads(NULL, "SOCKSHIM_TRACE=1");
}
