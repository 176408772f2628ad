/* interface.c - what users hand to the library: its own interface, rules, files and variables, good and bad. */
#include "preload/child.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define STREAM sockshim_cookie_make(AF_INET, SOCK_STREAM, 0)
#define LOCAL sockshim_cookie_make(AF_UNIX, SOCK_STREAM, 0)

static struct child ran(const char *scenario)
{
	struct child c = { .prog = "interface", .args = { scenario } };

	child_ok(&c);
	return c;
}

Test(interface, filter_of_the_programs_cancels_a_call)
{
	struct child c = ran("filter");

	cr_assert_str_eq(c.out, "-1 ECONNREFUSED -1 ETIMEDOUT called 2\n");
	cr_assert_eq(child_injected(&c, SOCKSHIM_CONNECT), 2);
	cr_assert_eq(child_count(&c, STREAM, RUN_CONNECTED), 1);
	cr_assert_eq(child_count(&c, STREAM, RUN_CONNECT_FAILED), 0);
	child_done(&c);
}

Test(interface, after_filter_takes_descriptors_back)
{
	struct child c = ran("after");

	cr_assert_str_eq(c.out, "seen 2, open 0\n");
	cr_assert_eq(child_injected(&c, SOCKSHIM_SOCKET), 2);
	cr_assert_eq(child_count(&c, STREAM, RUN_OPENED) + child_count(&c, LOCAL, RUN_OPENED), 0);
	child_done(&c);
}

Test(interface, filter_may_make_calls_and_ask_the_switch)
{
	struct child c = ran("reentrant");

	cr_assert_str_eq(c.out, "open 1\n");
	cr_assert_eq(child_count(&c, STREAM, RUN_CONNECTED), 400);
	child_done(&c);
}

Test(interface, program_reads_what_the_run_file_says)
{
	struct child c = ran("stats");

	cr_assert_str_eq(c.out, child_stats(&c));
	child_done(&c);
}

#define AGAIN_LOCAL \
	"(local, stream, default): opened=4000 connected=0 listened=0 accepted=0 closed=3998 " \
	"openfailed=0 connectfailed=0 listenfailed=0 acceptfailed=0 closefailed=0\n"
#define AGAIN_TCP \
	"(inet4, stream, default): opened=1658 connected=0 listened=1 accepted=0 closed=1656 " \
	"openfailed=0 connectfailed=0 listenfailed=0 acceptfailed=1000 closefailed=0\n"
#define AGAIN_UDP \
	"(inet4, dgram, default): opened=200 connected=0 listened=0 accepted=0 closed=200 " \
	"openfailed=0 connectfailed=0 listenfailed=0 acceptfailed=0 closefailed=0\n"

static void again(void (*setup)(const char *), const char *rules, const char *env)
{
	struct child c = { .prog = "interface", .args = { "again" }, .setup = setup, .rules = rules, .env = { env } };

	child_ok(&c);
	cr_expect_str_eq(c.out, AGAIN_TCP AGAIN_LOCAL AGAIN_UDP);
	cr_expect_str_eq(child_stats(&c), AGAIN_LOCAL AGAIN_TCP AGAIN_UDP);
	cr_expect_eq(child_open_sockets(&c, 0), 4);
	for (unsigned i = 0; i < 4 && child_socket(&c, 0, i); i++)
		cr_expect_eq(child_socket(&c, 0, i)->opened_ticks != 0, env && strncmp(env, "SOCKSHIM_TIMES", 14) == 0, "socket %u", i);
	/* The pair, which was not the first there: at one time. */
	if (child_socket(&c, 0, 1) && child_socket(&c, 0, 2) && child_socket(&c, 0, 1)->cookie == LOCAL)
		cr_expect_eq(child_socket(&c, 0, 1)->opened_ticks, child_socket(&c, 0, 2)->opened_ticks);
	child_done(&c);
}

Test(interface, sockets_that_the_program_was_started_with_are_counted)
{
	struct child c = ran("inherited");

	cr_expect_str_eq(c.out, "(inet4, stream, tcp): opened=0 connected=0 listened=0 accepted=0 closed=1 openfailed=0 "
				"connectfailed=0 listenfailed=0 acceptfailed=3 closefailed=0\n"
				"(inet4, dgram, udp): opened=0 connected=0 listened=0 accepted=0 closed=1 openfailed=0 "
				"connectfailed=0 listenfailed=0 acceptfailed=0 closefailed=0\n");
	child_done(&c);
}

Test(interface, listener_is_counted_apart_from_what_was_there_before)
{
	struct child c = ran("successor");

	cr_expect_str_eq(c.out, "(local, dgram, default): opened=1 connected=0 listened=0 accepted=0 closed=1 openfailed=0 "
				"connectfailed=0 listenfailed=0 acceptfailed=0 closefailed=0\n"
				"(inet4, dgram, default): opened=2 connected=0 listened=0 accepted=0 closed=2 openfailed=0 "
				"connectfailed=0 listenfailed=0 acceptfailed=0 closefailed=0\n"
				"(inet4, stream, default): opened=1 connected=0 listened=1 accepted=0 closed=1 openfailed=0 "
				"connectfailed=0 listenfailed=0 acceptfailed=101 closefailed=0\n");
	child_done(&c);
}

Test(interface, close_that_fails_is_counted_as_that)
{
	struct child c = ran("close-fails");

	cr_expect_str_eq(c.out, "(inet4, stream, default): opened=20 connected=0 listened=0 accepted=0 closed=10 "
				"openfailed=0 connectfailed=0 listenfailed=0 acceptfailed=0 closefailed=10\n");
	cr_expect_str_eq(child_stats(&c), c.out);
	child_done(&c);
}

/* Room for the run file, but none for the sockets. */
static void no_room_for_sockets(const char *dir)
{
	struct rlimit r = { sizeof(struct run_file) + 65536, RLIM_INFINITY };

	if (setrlimit(RLIMIT_FSIZE, &r) != 0)
		_exit(126);
}

Test(interface, sockets_opened_again_and_again_are_counted_exactly)
{
	again(NULL, NULL, NULL);
	again(NULL, "fail close with EIO probability 0%; fail socket with ENOBUFS probability 0%", NULL);
	again(NULL, NULL, "SOCKSHIM_TIMES=1");
	again(NULL, NULL, "SOCKSHIM_TRACE=1");
	again(NULL, NULL, "SOCKSHIM_BACKTRACE=3");
}

Test(interface, sockets_that_no_reader_finds_are_counted_exactly)
{
	struct child c = { .prog = "interface", .args = { "again" }, .setup = no_room_for_sockets };

	child_ok(&c);
	cr_expect_str_eq(c.out, AGAIN_TCP AGAIN_LOCAL AGAIN_UDP);
	cr_expect_str_eq(child_stats(&c), AGAIN_LOCAL AGAIN_TCP AGAIN_UDP);
	cr_expect_eq(child_open_sockets(&c, 0), 0);
	child_done(&c);
}

/* Something is wrong with what was set: the program runs as without the library, and one line says so. */
static void said(const char *rules, const char *env, const char *want)
{
	struct child c = { .prog = "surroundings", .args = { "plain" }, .rules = rules, .env = { env } };

	child_run(&c);
	cr_expect(!c.hung && c.signal == 0 && c.code == 0, "%s: signal %d status %d", want, c.signal, c.code);
	cr_expect_str_eq(c.out, "used\n");
	cr_expect(strncmp(c.err, "sockshim: ", 10) == 0 && strchr(c.err, '\n') == c.err + strlen(c.err) - 1,
		  "%s: stderr is not one line of the library's: %s", want, c.err);
	cr_expect(strstr(c.err, want) != NULL, "stderr does not say %s: %s", want, c.err);
	child_done(&c);
}

Test(bad_input, wrong_rule_is_said_with_its_place)
{
	said("fail connect with EOOPS", NULL, "SOCKSHIM_RULES:1:19: ");
	said("fail send with EPIPE; fial recv", NULL, "SOCKSHIM_RULES:2:2: ");
}

Test(bad_input, of_several_rules_with_one_wrong_none_is_in_force)
{
	said("fail socket with EMFILE; fail connect with EOOPS", NULL, "no fault rules are in force");
}

Test(bad_input, doubtful_rule_is_said_and_holds)
{
	struct child c = { .prog = "surroundings", .args = { "plain" }, .rules = "fail connect with EDOM" };

	child_run(&c);
	cr_assert_eq(child_injected(&c, SOCKSHIM_CONNECT), 1);
	cr_assert(strstr(c.err, "does not return 'EDOM'"), "%s", c.err);
	cr_assert_null(strstr(c.err, "no fault rules"), "%s", c.err);
	child_done(&c);
}

Test(bad_input, file_of_rules_that_is_not_there)
{
	said(NULL, "SOCKSHIM_FAULTS=/nowhere/rules", "/nowhere/rules: ENOENT");
	said(NULL, "SOCKSHIM_FAULTS=/", "EISDIR");
}

Test(bad_input, plugin_that_is_not_there)
{
	said("call connect /nowhere/plugin.so:deny(fd: i32) -> errno", NULL, "/nowhere/plugin.so");
}

Test(bad_input, function_that_is_not_there)
{
	char rule[800];

	snprintf(rule, sizeof(rule), "call connect %s:no_such_function(fd: i32) -> errno", child_prog("lib/plugin.so"));
	said(rule, NULL, "no_such_function");
}

Test(bad_input, signature_that_is_wrong)
{
	char rule[800];

	snprintf(rule, sizeof(rule), "call connect %s:plugin_close(fd: i33) -> errno", child_prog("lib/plugin.so"));
	said(rule, NULL, "i33");
}

Test(bad_input, more_rules_than_there_is_room_for)
{
	char *rules = calloc(1, 40000);

	for (int i = 0; i < 200; i++)
		strcat(rules, "fail send with EPIPE on 1000000th;");
	said(rules, NULL, "too many");
	rules[0] = 0;
	while (strlen(rules) < 30000)
		strcat(rules, "# nothing but a comment that goes on and on and on\n");
	said(rules, NULL, "too long");
	free(rules);
}

Test(bad_input, run_that_is_not_there)
{
	said(NULL, "SOCKSHIM_RUN=/nowhere/run", "ENOENT");
}

Test(bad_input, control_block_of_another_version)
{
	char dir[] = "/tmp/sockshim-test-XXXXXX", path[64], env[64];
	FILE *f;

	cr_assert(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/control", dir);
	snprintf(env, sizeof(env), "SOCKSHIM_RUN=%s", dir);
	f = fopen(path, "w");
	for (int i = 0; i < 20000; i++)
		fputc('x', f);
	fclose(f);
	said(NULL, env, "EPROTONOSUPPORT");
	cr_assert_eq(truncate(path, 100), 0);
	said(NULL, env, "EINVAL");
	unlink(path);
	rmdir(dir);
}

Test(bad_input, dump_that_can_not_be_written)
{
	said(NULL, "SOCKSHIM_DUMP=/nowhere/dump", "/nowhere/dump: ENOENT");
}

Test(bad_input, numbers_out_of_range_are_cut)
{
	static const char *const env[] = { "SOCKSHIM_BACKTRACE=1000000", "SOCKSHIM_SEED=0xffffffffffffffffffff",
					   "SOCKSHIM_SEED=nonsense", "SOCKSHIM_TRACE=yes", "SOCKSHIM_BACKTRACE=-1" };

	for (size_t i = 0; i < sizeof(env) / sizeof(env[0]); i++) {
		struct child c = { .prog = "surroundings", .args = { "plain" }, .env = { env[i] } };

		child_ok(&c);
		child_done(&c);
	}
}

/* A directory that is named from where the program starts stays the same when it goes elsewhere. */
Test(directory, relative_name_is_followed_from_the_start)
{
	char base[] = "/tmp/sockshim-test-XXXXXX", path[128];
	struct child c = { .prog = child_prog("surroundings"), .args = { "wander" }, .sockshim_dir = "runs" };
	struct stat st;

	cr_assert(mkdtemp(base) && chdir(base) == 0 && mkdir("elsewhere", 0700) == 0);
	child_ok(&c);
	cr_expect_eq(child_count(&c, STREAM, RUN_OPENED), 2 + 300 + 302 + 600);
	cr_expect_neq(stat("elsewhere/runs", &st), 0, "litter where the program went");
	child_done(&c);
	snprintf(path, sizeof(path), "rm -r %s", base);
	cr_assert_eq(chdir("/"), 0);
	cr_assert_eq(system(path), 0);
}

Test(interface, program_is_linked_with_the_library)
{
	struct child c = { .prog = "linked", .args = { "switch" }, .bare = true };
	char env[100], dir[] = "/tmp/sockshim-test-XXXXXX", command[128];

	cr_assert(mkdtemp(dir));
	snprintf(env, sizeof(env), "SOCKSHIM_DIR=%s", dir);
	c.env[0] = env;
	child_ok(&c);
	cr_assert_str_eq(c.out, "(inet4, stream, default): opened=1 connected=0 listened=0 accepted=0 closed=1 "
			 "openfailed=0 connectfailed=0 listenfailed=0 acceptfailed=0 closefailed=0\n");
	child_done(&c);
	/* And started under it as well, it has the library once. */
	c = (struct child){ .prog = "linked", .args = { "switch" } };
	child_ok(&c);
	cr_assert_eq(c.n_files, 1);
	child_done(&c);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	cr_assert_eq(system(command), 0);
}

/* Puts a copy of the program that runs as root for whoever starts it into the directory, and starts it as
 * somebody else. */
static void as_nobody(const char *dir)
{
	char command[1500];

	snprintf(command, sizeof(command), "cp %s %s/linked && chmod 4755 %s/linked && chmod 755 %s && mkdir -m 700 %s/runs",
		 child_prog("linked"), dir, dir, dir, dir);
	if (system(command) != 0 || setgid(65534) != 0 || setuid(65534) != 0)
		_exit(126);
	snprintf(command, sizeof(command), "%s/linked", dir);
	execl(command, command, "secure", NULL);
	_exit(127);
}

Test(interface, environment_is_not_trusted_by_programs_with_more_rights)
{
	struct child c = { .prog = "linked", .args = { "secure" }, .bare = true, .setup = as_nobody,
			   .env = { "SOCKSHIM_RULES=fail socket with EMFILE", "SOCKSHIM_DUMP=-" } };

	if (geteuid() != 0)
		cr_skip_test("not root");
	child_run(&c);
	if (strncmp(c.out, "secure 1", 8) != 0)
		cr_skip_test("set-user-id programs can't be made or run here: %s%s", c.out, c.err);
	cr_assert_str_eq(c.out, "secure 1 socket 1\n");
	cr_assert_str_eq(c.err, "");
	child_done(&c);
}
