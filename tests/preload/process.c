/* process.c - processes that fork, exec and end, and what is known of them afterwards. */
#include "preload/child.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INET sockshim_cookie_make(AF_INET, SOCK_STREAM, 0)
#define WATCHED "fail recv with ENOMEM on 1000000th; fail send with EPIPE on 1000000th; " \
	"fail close with EIO on 1000000th; fail socket with EMFILE on 1000000th; " \
	"fail accept with EMFILE on 1000000th; fail connect with ENETUNREACH to 10.9.9.9"

static void fork_in_threads(const char *rules)
{
	struct child c = { .prog = "process", .args = { "threads" }, .rules = rules };
	size_t children = 0;

	child_compare(&c);
	for (size_t i = 0; i < c.n_files; i++) {
		const struct run_file *f = c.files[i];

		if (f->pid == c.pid)
			continue;
		children++;
		/* 0: forked before the parent's first call on a socket. */
		cr_assert(f->forked_from == c.pid || f->forked_from == 0);
		cr_assert_eq(f->state, RUN_EXITED);
		for (int k = 0; k < RUN_STATS; k++)
			if (f->stats[k].cookie_plus_one == INET + 1) {
				cr_assert_eq(f->stats[k].count[RUN_OPENED], 2);
				cr_assert_eq(f->stats[k].count[RUN_ACCEPTED], 1);
				cr_assert_eq(f->stats[k].count[RUN_CLOSED], 3);
			}
	}
	cr_assert_eq(children, 100, "%zu children left a file", children);
	child_done(&c);
}

Test(fork, children_go_on_whatever_other_threads_were_in)
{
	fork_in_threads(NULL);
}

Test(fork, children_go_on_whatever_other_threads_were_in_while_rules_look_on)
{
	fork_in_threads(WATCHED);
}

Test(fork, childs_closes_and_duplicates_are_its_own)
{
	struct child c = { .prog = "process", .args = { "forkclose" } };
	size_t parent, child;

	child_ok(&c);
	parent = child_file_of(&c, (int)child_said(&c, "parent"));
	child = child_file_of(&c, (int)child_said(&c, "child"));
	/* In the parent both ends are open still; the child has one left, under one descriptor. */
	cr_assert_eq(child_open_sockets(&c, parent), 2);
	cr_assert_eq(child_open_sockets(&c, child), 1);
	cr_assert_eq(child_socket(&c, child, 0)->refs, 1);
	cr_assert(child_socket(&c, child, 0)->flags & RUN_SOCK_INHERITED);
	cr_assert_eq(child_socket(&c, child, 0)->tx_bytes, 1);
	child_done(&c);
}

Test(fork, rules_hold_for_a_childs_first_close)
{
	struct child c = { .prog = "process", .args = { "firstclose" }, .rules = "fail close with EDQUOT" };
	char want[64];

	child_ok(&c);
	snprintf(want, sizeof(want), "child: close -1 errno %d\n", EDQUOT);
	cr_assert_str_eq(c.out, want);
	child_done(&c);
}

Test(fork, childs_fclose_is_seen)
{
	struct child c = { .prog = "process", .args = { "forkfclose" } };

	child_ok(&c);
	cr_assert_eq(child_open_sockets(&c, child_file_of(&c, (int)child_said(&c, "child"))), 0);
	child_done(&c);
}

static void by_hand(const char *how)
{
	struct child c = { .prog = "process", .args = { "byhand", how } };
	size_t child;

	child_ok(&c);
	child = child_file_of(&c, (int)child_said(&c, "child"));
	cr_expect_eq(c.files[child]->forked_from, c.pid);
	cr_expect_eq(child_open_sockets(&c, child), 0);
	cr_expect_eq(child_open_sockets(&c, child_file_of(&c, c.pid)), 1);
	child_done(&c);
}

Test(fork, made_by_hand_is_noticed)
{
	by_hand("hand");
	by_hand("number");
}

Test(vfork, child_closes_and_execs_and_leaves_the_parents_sockets_alone)
{
	struct child c = { .prog = "process", .args = { "vfork" } };

	child_compare(&c);
	cr_assert_eq(child_count(&c, INET, RUN_OPENED), 2);
	cr_assert_eq(child_count(&c, INET, RUN_CLOSED), 0);
	cr_assert_eq(child_count(&c, INET, RUN_CONNECTED), 1);
	cr_assert_eq(child_count(&c, INET, RUN_ACCEPTED), 1);
	cr_assert_eq(child_open_sockets(&c, child_file_of(&c, c.pid)), 3);
	child_done(&c);
}

Test(vfork, calls_are_as_short_afterwards_as_before)
{
	static const char *const calls[] = { "socket", "socketpair", "accept-again", "close" };

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		struct child c = { .prog = "steps", .args = { "again", calls[i] }, .seconds = 60 };
		char want[64];

		child_ok(&c);
		snprintf(want, sizeof(want), "%s: no longer\n", calls[i]);
		cr_expect_str_eq(c.out, want);
		child_done(&c);
	}
}

Test(vfork, child_that_execs_nothing_exits_alone)
{
	struct child c = { .prog = "process", .args = { "vforkexit" } };

	child_compare(&c);
	cr_assert_eq(child_count(&c, INET, RUN_CLOSED), 1);
	cr_assert_eq(c.files[0]->state, RUN_EXITED);
	child_done(&c);
}

Test(spawn, file_actions_are_the_childs)
{
	struct child c = { .prog = "process", .args = { "spawn" } };

	child_compare(&c);
	cr_assert_eq(child_count(&c, INET, RUN_OPENED), 2);
	cr_assert_eq(child_count(&c, INET, RUN_CLOSED), 0);
	cr_assert_eq(child_count(&c, INET, RUN_CONNECTED), 1);
	child_done(&c);
}

static void exec_puts_back(const char *how, const char *env)
{
	struct child c = { .prog = "process", .args = { "exec", how, env } };

	child_ok(&c);
	cr_expect(child_said(&c, "preload") == 1, "%s %s: the preload is lost", how, env);
	cr_expect(child_said(&c, "dir") == 1, "%s %s: SOCKSHIM_DIR is lost", how, env);
	cr_expect(child_said(&c, "args") == 3, "%s %s: arguments are lost", how, env);
	cr_expect(child_said(&c, "others") == 0, "%s %s: the environment is not what was given", how, env);
	cr_expect(child_count(&c, INET, RUN_OPENED) == 1, "%s %s: the socket is not counted", how, env);
	child_done(&c);
}

static const char *const execs[] = { "execve", "execv", "execvpe", "execvp", "execl", "execlp", "execle", "fexecve",
	"execveat", "posix_spawn", "posix_spawnp" };

Test(exec, empty_environment_gets_the_preload_back)
{
	for (size_t i = 0; i < sizeof(execs) / sizeof(execs[0]); i++)
		exec_puts_back(execs[i], "empty");
}

Test(exec, missing_environment_gets_the_preload_back)
{
	for (size_t i = 0; i < sizeof(execs) / sizeof(execs[0]); i++)
		exec_puts_back(execs[i], "null");
}

Test(exec, env_i_keeps_the_library)
{
	struct child c = { .prog = "/usr/bin/env", .args = { "-i", child_prog("process"), "made" } };

	child_ok(&c);
	cr_assert_eq(child_said(&c, "preload"), 1);
	cr_assert_eq(child_said(&c, "others"), 0);
	child_done(&c);
}

Test(exec, cleared_environment_gets_the_preload_back)
{
	struct child c = { .prog = "process", .args = { "cleared", "execv" } };

	child_ok(&c);
	cr_assert_eq(child_said(&c, "preload"), 1);
	child_done(&c);
}

Test(exec, other_preload_is_left_as_it_is)
{
	struct child c = { .prog = "process", .args = { "exec", "execve", "other" } };

	child_ok(&c);
	cr_assert_eq(child_said(&c, "preload"), 0);
	cr_assert_eq(child_said(&c, "dir"), 0);
	child_done(&c);
}

Test(exec, bad_environments_fail_as_the_kernel_says)
{
	struct child c = { .prog = "process", .args = { "badexec" } };

	child_compare(&c);
	cr_assert_eq(c.files[0]->state, RUN_EXITED, "an exec that failed was taken for the end");
	child_done(&c);
}

Test(daemon, goes_on_without_its_parents_descriptors)
{
	struct child c = { .prog = "process", .args = { "daemon", "/tmp" } };
	size_t f;

	child_ok(&c);
	f = child_file_of(&c, (int)child_said(&c, "pid"));
	cr_assert(strstr(c.out, "rest fd 3"));
	cr_assert_eq(child_open_sockets(&c, f), 0);
	cr_assert_eq(c.files[f]->state, RUN_EXITED);
	child_done(&c);
}

Test(end, killed_process_leaves_its_counts)
{
	struct child c = { .prog = "process", .args = { "killed" } };
	const struct run_socket *s;

	child_run(&c);
	cr_assert_eq(c.signal, SIGKILL);
	cr_assert_eq(c.n_files, 1);
	cr_assert_eq(c.files[0]->state, RUN_ALIVE);
	cr_assert_str_eq(c.files[0]->program, "process");
	cr_assert_str_eq(child_stats(&c), "(inet4, stream, default): opened=2 connected=1 listened=1 accepted=1 closed=1 "
			 "openfailed=0 connectfailed=0 listenfailed=0 acceptfailed=0 closefailed=0\n");
	cr_assert_eq(child_open_sockets(&c, 0), 2);
	s = child_socket(&c, 0, 0);
	cr_assert_eq(s->tx_bytes, 5);
	cr_assert(s->flags & RUN_SOCK_PEER);
	cr_assert_eq(s->peer.len, sizeof(struct sockaddr_in));
	/* An accepted socket has its listener's address. */
	s = child_socket(&c, 0, 1);
	cr_assert((s->flags & RUN_SOCK_ACCEPTED) && (s->flags & RUN_SOCK_LOCAL));
	cr_assert_eq(memcmp(s->local.data, child_socket(&c, 0, 0)->peer.data, sizeof(struct sockaddr_in)), 0);
	child_done(&c);
}

/* The module of a file's table that an address lies in. */
static const char *module_of(const struct run_file *f, uint64_t pc)
{
	for (int i = 0; i < RUN_MODULES; i++)
		if (pc >= f->modules[i].start && pc < f->modules[i].end)
			return f->modules[i].path;
	return "";
}

Test(table, says_who_opened_each_socket)
{
	struct child c = { .prog = "process", .args = { "killed" } };
	const struct run_socket *s;

	child_run(&c);
	for (unsigned i = 0; i < 2; i++) {
		s = child_socket(&c, 0, i);
		cr_assert_not_null(s);
		cr_expect(strstr(module_of(c.files[0], s->opener), "/process"), "opened by %s",
			  module_of(c.files[0], s->opener));
		cr_expect_eq(s->backtrace[0], 0, "a backtrace that nobody asked for");
		cr_expect_eq(s->opened_ticks, 0, "a time that nobody asked for");
	}
	child_done(&c);
}

Test(table, says_when_each_socket_was_opened_if_asked)
{
	struct child c = { .prog = "process", .args = { "killed" }, .env = { "SOCKSHIM_TIMES=1" } };

	child_run(&c);
	for (unsigned i = 0; i < 2; i++)
		cr_expect_gt(child_socket(&c, 0, i)->opened_ticks, 0);
	child_done(&c);
}

Test(table, traces_openers_back_if_asked)
{
	struct child c = { .prog = "process", .args = { "killed" }, .env = { "SOCKSHIM_BACKTRACE=3" } };
	const struct run_socket *s;

	child_run(&c);
	s = child_socket(&c, 0, 0);
	cr_assert_not_null(s);
	cr_assert_eq(s->backtrace[0], s->opener);
	for (int k = 0; k < 3; k++)
		cr_assert(strstr(module_of(c.files[0], s->backtrace[k]), "/process") ||
			  strstr(module_of(c.files[0], s->backtrace[k]), "libc"), "frame %d", k);
	cr_assert_eq(s->backtrace[3], 0);
	child_done(&c);
}

static void ends(const char *how, bool marked)
{
	struct child c = { .prog = "process", .args = { "exit", how } };

	child_compare(&c);
	cr_expect(c.n_files == 1 && (c.files[0]->state == RUN_EXITED) == marked, "%s", how);
	child_done(&c);
}

Test(end, is_marked_and_exit_status_and_signal_are_the_programs)
{
	ends("exit", true);
	ends("_exit", true);
	ends("_Exit", true);
	ends("return", true);
	ends("thread", true);
	ends("abort", false);
	ends("segv", false);
}

Test(guest, programs_random_numbers_are_left_alone)
{
	struct child c = { .prog = "process", .args = { "random" } };

	child_compare(&c);
	child_done(&c);
}

Test(guest, programs_random_numbers_are_left_alone_by_chances)
{
	struct child c = { .prog = "process", .args = { "random" }, .rules = "fail send with EPIPE probability 50%" };

	child_compare(&c);
	cr_assert(child_injected(&c, SOCKSHIM_SEND) > 0);
	child_done(&c);
}

/* What is in a directory, without the run's own. */
static char *listing(const char *const *dirs)
{
	char *text = calloc(1, 1 << 20);

	for (; *dirs; dirs++) {
		struct dirent **names;
		int n = scandir(*dirs, &names, NULL, alphasort);

		for (int i = 0; i < n; i++)
			if (strncmp(names[i]->d_name, "sockshim-test-", 14) != 0 && strlen(text) < (1 << 20) - 300)
				strcat(strcat(text, names[i]->d_name), "\n");
	}
	return text;
}

Test(guest, leaves_nothing_outside_its_directory)
{
	char base[] = "/tmp/sockshim-test-XXXXXX", home[64], tmp[64], runtime[64], cwd[64], *before, *after;
	const char *dirs[] = { home, tmp, runtime, cwd, NULL };
	char env[3][80];
	struct child c = { .prog = child_prog("process"), .args = { "killed" }, .env = { env[0], env[1], env[2] } };

	cr_assert(mkdtemp(base));
	snprintf(home, sizeof(home), "%s/home", base);
	snprintf(tmp, sizeof(tmp), "%s/tmp", base);
	snprintf(runtime, sizeof(runtime), "%s/runtime", base);
	snprintf(cwd, sizeof(cwd), "%s/cwd", base);
	for (int i = 0; i < 4; i++) {
		char command[128];

		snprintf(command, sizeof(command), "mkdir -p %s", dirs[i]);
		cr_assert_eq(system(command), 0);
	}
	snprintf(env[0], sizeof(env[0]), "HOME=%s", home);
	snprintf(env[1], sizeof(env[1]), "TMPDIR=%s", tmp);
	snprintf(env[2], sizeof(env[2]), "XDG_RUNTIME_DIR=%s", runtime);
	cr_assert_eq(chdir(cwd), 0);
	before = listing(dirs);
	child_run(&c);
	after = listing(dirs);
	cr_assert_str_eq(before, after);
	cr_assert_eq(c.n_files, 1);
	child_done(&c);
	cr_assert_eq(chdir("/"), 0);
	child_done(&(struct child){ .dir = "" });
	for (int i = 0; i < 4; i++)
		rmdir(dirs[i]);
	rmdir(base);
}

Test(guest, program_without_sockets_leaves_nothing_at_all)
{
	struct child c = { .prog = "process", .args = { "nosockets" } };

	child_compare(&c);
	cr_assert_eq(c.n_files, 0);
	cr_assert_eq(rmdir(c.dir), 0, "something was made in the directory");
	child_done(&c);
}
