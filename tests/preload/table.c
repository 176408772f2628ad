/* table.c - the table of sockets holds what the program holds, however its descriptors come and go. */
#include "preload/child.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STREAM sockshim_cookie_make(AF_INET, SOCK_STREAM, 0)
#define STREAM6 sockshim_cookie_make(AF_INET6, SOCK_STREAM, 0)
#define DGRAM sockshim_cookie_make(AF_INET, SOCK_DGRAM, 0)
#define TCP sockshim_cookie_make(AF_INET, SOCK_STREAM, 6)	/* adopted: the kernel names the protocol */
#define LOCAL sockshim_cookie_make(AF_UNIX, SOCK_STREAM, 0)

static struct child compared(const char *scenario, const char *arg, const char *rules)
{
	struct child c = { .prog = "table", .args = { scenario, arg }, .rules = rules };

	child_compare(&c);
	return c;
}

/* The object of a cookie among those in a file; asserts that there is just one. */
static const struct run_socket *only(const struct child *c, size_t file, sockshim_cookie cookie)
{
	const struct run_socket *s, *found = NULL;

	for (unsigned i = 0; (s = child_socket(c, file, i)); i++)
		if (s->cookie == cookie) {
			cr_assert_null(found, "two sockets where one is open");
			found = s;
		}
	cr_assert_not_null(found, "a socket is missing in the table");
	return found;
}

Test(table, follows_duplicates_put_over_sockets)
{
	struct child c = compared("dups", NULL, NULL);

	cr_assert_eq(child_open_sockets(&c, 0), 2);
	cr_assert_eq(only(&c, 0, STREAM)->refs, 1);
	cr_assert_eq(only(&c, 0, STREAM6)->refs, 1);
	cr_assert_eq(child_count(&c, DGRAM, RUN_CLOSED), 1);
	child_done(&c);
}

Test(table, follows_duplicates_while_traced)
{
	struct child c = { .prog = "table", .args = { "dups" }, .env = { "SOCKSHIM_TRACE=1" } };

	child_compare(&c);
	cr_assert_eq(child_open_sockets(&c, 0), 2);
	cr_assert_eq(only(&c, 0, STREAM)->refs, 1);
	child_done(&c);
}

Test(table, number_is_what_it_is_by_now)
{
	struct child c = compared("reuse", NULL, NULL);

	cr_assert_eq(child_open_sockets(&c, 0), 1);
	cr_assert_eq(only(&c, 0, DGRAM)->refs, 1);
	child_done(&c);
}

/* Rules are for sockets: what has become a file behind our back fails no read. */
Test(table, number_that_is_a_file_by_now_meets_no_rule)
{
	struct child c = compared("reuse", NULL, "fail recv with ECONNRESET; fail send with EPIPE");

	cr_assert_eq(child_injected(&c, SOCKSHIM_RECV), 0);
	child_done(&c);
}

Test(table, follows_close_range_and_closefrom)
{
	struct child c = compared("ranges", NULL, NULL);

	cr_assert_str_eq(c.out, "1001011000\n");
	cr_assert_eq(child_open_sockets(&c, 0), 4);
	cr_assert_eq(child_count(&c, STREAM, RUN_CLOSED), 6);
	child_done(&c);
}

Test(table, closed_standard_descriptors_are_the_programs_to_fill)
{
	struct child c = compared("low", NULL, NULL);

	cr_assert_eq(strncmp(c.out, "0 1 2\n", 6), 0);
	child_done(&c);
}

Test(table, takes_no_descriptor_of_the_programs)
{
	struct child c = compared("visible", NULL, NULL);

	child_done(&c);
	c = compared("visible", NULL, "fail send with EPIPE on 1000th");
	child_done(&c);
	c = (struct child){ .prog = "table", .args = { "visible" },
			    .env = { "SOCKSHIM_TRACE=1", "SOCKSHIM_BACKTRACE=8" } };
	child_compare(&c);
	child_done(&c);
}

Test(table, program_may_close_all_its_descriptors)
{
	struct child c = compared("closeall", NULL, NULL);

	cr_assert_eq(child_open_sockets(&c, 0), 1);
	child_done(&c);
}

Test(limits, sixty_four_descriptors_are_all_the_programs)
{
	struct child c = compared("limit64", NULL, NULL);

	cr_assert_eq(child_count(&c, STREAM, RUN_OPENED), 61);
	cr_assert_eq(child_count(&c, STREAM, RUN_OPEN_FAILED), 1);
	cr_assert_eq(child_open_sockets(&c, 0), 60);
	child_done(&c);
}

Test(limits, no_descriptor_left_for_the_library)
{
	struct child c = { .prog = "table", .args = { "taken" } }, bare = c;

	bare.bare = true;
	child_run(&bare);
	child_run(&c);
	cr_assert_str_eq(c.out, bare.out);
	cr_assert_eq(c.code, 0);
	/* It says so, once. */
	cr_assert(strncmp(c.err, "sockshim: ", 10) == 0 && strchr(c.err, '\n') == c.err + strlen(c.err) - 1, "%s",
		  c.err);
	child_done(&bare);
	child_done(&c);
}

Test(limits, a_million_descriptors)
{
	struct child c = compared("million", NULL, NULL);

	if (strcmp(c.out, "skip\n") == 0)
		cr_skip_test("RLIMIT_NOFILE can't be raised to 1048576 here");
	cr_assert_eq(child_open_sockets(&c, 0), 0);
	cr_assert_eq(child_count(&c, STREAM, RUN_OPENED), 2);
	cr_assert_eq(child_count(&c, STREAM, RUN_ACCEPTED), 1);
	child_done(&c);
}

static void no_memory(const char *warm)
{
	struct child c = { .prog = "table", .args = { "nomemory", warm } }, bare = c;

	bare.bare = true;
	child_run(&bare);
	child_run(&c);
	cr_assert_eq(bare.code, 0, "%s", bare.err);
	cr_expect_eq(c.signal, 0, "warm %s: signal %d", warm, c.signal);
	cr_expect_eq(c.code, 0, "warm %s: %s", warm, c.err);
	cr_expect_str_eq(c.out, bare.out);
	child_done(&bare);
	child_done(&c);
}

Test(limits, no_memory_from_the_first_call_on)
{
	no_memory("0");
}

Test(limits, no_memory_from_the_first_socket_on)
{
	no_memory("1");
}

Test(limits, no_memory_after_the_first_socket)
{
	no_memory("2");
}

static void rights(const char *how, const char *rules)
{
	struct child c = { .prog = "table", .args = { "rights", how }, .rules = rules };
	const struct run_socket *s;
	size_t f;

	child_ok(&c);
	f = child_file_of(&c, (int)child_said(&c, "receiver"));
	s = only(&c, f, TCP);
	cr_assert(s->flags & RUN_SOCK_INHERITED);
	cr_assert_eq(s->fd, child_said(&c, "fd"));
	cr_assert_eq(s->tx_bytes, 17);
	child_done(&c);
}

Test(table, adopts_what_comes_in_a_message)
{
	rights("one", NULL);
	rights("one", "fail recv with ENOMEM on 1000th");
}

Test(table, adopts_what_comes_in_one_of_several_messages)
{
	rights("many", NULL);
	rights("many", "fail recv with ENOMEM on 1000th");
	rights("many", "corrupt recv to 10.9.9.9; short recv to 1..4");
}

Test(table, adopts_the_listener_that_systemd_passes)
{
	struct child c = { .prog = "table", .args = { "activate" } };
	size_t f;

	child_ok(&c);
	f = child_file_of(&c, (int)child_said(&c, "activated"));
	cr_assert(only(&c, f, TCP)->flags & RUN_SOCK_INHERITED);
	cr_assert_eq(child_count(&c, TCP, RUN_ACCEPTED), 1);
	cr_assert_eq(child_count(&c, TCP, RUN_CLOSED), 1);
	child_done(&c);
}

Test(table, adopts_the_connection_that_inetd_passes)
{
	struct child c = { .prog = "table", .args = { "inetd" } };
	const struct run_socket *s;
	size_t f;

	child_ok(&c);
	f = child_file_of(&c, (int)child_said(&c, "pid"));
	s = child_socket(&c, f, 0);
	cr_assert_not_null(s);
	cr_assert_eq(s->cookie, TCP);
	cr_assert_eq(s->rx_bytes, 4);
	child_done(&c);
}

Test(table, adopts_a_socket_made_behind_its_back)
{
	struct child c = compared("backdoor", NULL, NULL);

	cr_assert_eq(child_count(&c, TCP, RUN_CONNECTED), 1);
	cr_assert_eq(child_count(&c, TCP, RUN_CLOSED), 1);
	cr_assert_eq(child_count(&c, TCP, RUN_OPENED), 0);
	child_done(&c);
}

Test(table, leaves_epoll_alone)
{
	struct child c = compared("epoll", NULL, NULL);

	cr_assert_eq(child_count(&c, LOCAL, RUN_OPENED), 2);
	child_done(&c);
}

Test(table, follows_stdio)
{
	struct child c = compared("stdio", NULL, NULL);

	cr_assert_eq(child_count(&c, LOCAL, RUN_OPENED), 4);
	cr_assert_eq(child_count(&c, LOCAL, RUN_CLOSED), 4);
	cr_assert_eq(child_open_sockets(&c, 0), 0);
	child_done(&c);
}

Test(table, is_not_misled_by_what_libc_does_inside)
{
	struct child c = compared("inside", NULL, NULL);

	cr_assert_eq(child_count(&c, STREAM, RUN_CLOSED), 1);
	cr_assert_eq(c.n_files, 1);
	child_done(&c);
}

Test(limits, more_kinds_of_sockets_than_places_for_statistics)
{
	struct child c = compared("kinds", NULL, NULL);
	uint64_t opened = 0, failed = 0, closed = 0;

	for (int i = 0; i < RUN_STATS; i++) {
		opened += c.files[0]->stats[i].count[RUN_OPENED];
		failed += c.files[0]->stats[i].count[RUN_OPEN_FAILED];
		closed += c.files[0]->stats[i].count[RUN_CLOSED];
	}
	cr_assert_eq(failed, 200);
	cr_assert_eq(opened, 50);
	cr_assert_eq(closed, 50);
	child_done(&c);
}

Test(limits, more_duplicates_of_closed_sockets_than_places_for_others)
{
	struct child c = compared("spill", NULL, NULL);

	if (strcmp(c.out, "skip\n") == 0)
		cr_skip_test("RLIMIT_NOFILE can't be raised to 16384 here");
	cr_assert_eq(child_count(&c, LOCAL, RUN_OPENED), 2000);
	cr_assert_eq(child_count(&c, STREAM, RUN_CLOSED), 1000);
	cr_assert_eq(child_open_sockets(&c, 0), 0);
	/* What found no place is said to have found none. */
	cr_assert_gt(c.files[0]->sockets_untracked, 0);
	child_done(&c);
}

static void small_files(const char *bytes)
{
	char path[] = "/tmp/sockshim-dump.XXXXXX", dump[64];
	struct child c = { .prog = "table", .args = { "smallfiles", bytes }, .env = { dump } };
	int fd = mkstemp(path);

	cr_assert(fd >= 0 && close(fd) == 0);
	snprintf(dump, sizeof(dump), "SOCKSHIM_DUMP=%s", path);
	child_run(&c);
	cr_expect(c.signal == 0 && c.code == 0 && strcmp(c.out, "done\n") == 0, "%s bytes: signal %d", bytes, c.signal);
	child_done(&c);
	unlink(path);
}

Test(limits, files_that_may_not_grow_are_no_signal)
{
	small_files("0");
	small_files("4096");
	small_files("30000");
	small_files("60000");
	small_files("70000");
}

Test(table, what_is_peeked_at_is_counted_when_it_is_received)
{
	static const char *const rules[] = { NULL, "fail recv with ENOMEM on 1000th" };

	for (int i = 0; i < 2; i++) {
		struct child c = compared("peek", NULL, rules[i]);

		cr_expect_eq(child_socket(&c, 0, 0)->rx_bytes, 4);
		child_done(&c);
	}
}

/* Descriptors that sockets of several kinds and files share in turn, duplicated, inherited and closed in every way. */
Test(table, random_walks_are_counted_exactly)
{
	struct child c = { .prog = "walk", .args = { "1", "100" }, .seconds = 60 };

	child_ok(&c);
	cr_assert_str_eq(c.out, "");
	child_done(&c);
}

Test(table, random_walks_are_counted_exactly_while_rules_look_on)
{
	struct child c = { .prog = "walk", .args = { "101", "150" }, .seconds = 60,
			   .rules = "fail socket with ENOBUFS probability 0%; fail accept with EMFILE probability 0%" };

	child_ok(&c);
	cr_assert_str_eq(c.out, "");
	child_done(&c);
}
