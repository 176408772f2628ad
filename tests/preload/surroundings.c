/* surroundings.c - run directories that are full, forbidden or not there, and programs that confine themselves. */
#include "preload/child.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define STREAM sockshim_cookie_make(AF_INET, SOCK_STREAM, 0)

static void must(bool ok, const char *what)
{
	if (!ok) {
		dprintf(2, "%s: %s\n", what, strerror(errno));
		_exit(126);
	}
}

/* A mount namespace of the child's own. */
static void own_mounts(void)
{
	must(unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0, "unshare");
}

static void need_mounts(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 ? 0 : 1);
	waitpid(pid, &status, 0);
	if (status != 0)
		cr_skip_test("mounting is not allowed here");
}

static void need_root(void)
{
	if (geteuid() != 0)
		cr_skip_test("not root");
}

/* Runs it without the library, and with it in a directory that it can't use: the same but for one line. */
static void says_once(const char *scenario, void (*setup)(const char *), const char *dir, const char *want)
{
	struct child c = { .prog = "surroundings", .args = { scenario, "x" }, .setup = setup, .sockshim_dir = dir };
	struct child bare = { .prog = "surroundings", .args = { scenario, "x" }, .bare = true };

	child_run(&bare);
	cr_assert_eq(bare.code, 0, "%s", bare.err);
	child_run(&c);
	cr_assert(!c.hung && c.signal == 0, "signal %d; stderr: %s", c.signal, c.err);
	cr_expect_eq(c.code, 0, "%s", c.err);
	cr_expect_str_eq(c.out, bare.out);
	cr_expect(strncmp(c.err, "sockshim: ", 10) == 0 && strchr(c.err, '\n') == c.err + strlen(c.err) - 1,
		  "stderr is not one line of the library's: %s", c.err);
	cr_expect(strstr(c.err, want) != NULL, "stderr does not say %s: %s", want, c.err);
	child_done(&bare);
	child_done(&c);
}

static void nobody_reads(const char *dir)
{
	int fd[2];

	must(pipe(fd) == 0 && dup2(fd[1], 2) == 2 && close(fd[0]) == 0 && close(fd[1]) == 0, "pipe");
}

static void nobody_reads_any_more(const char *dir)
{
	static char page[4096];
	int fd[2];

	must(pipe(fd) == 0 && dup2(fd[1], 2) == 2 && fcntl(2, F_SETFL, O_NONBLOCK) == 0, "pipe");
	while (write(2, page, sizeof(page)) > 0)
		;
	must(fcntl(2, F_SETFL, 0) == 0, "fcntl");
}

/* What there is to say, of a directory that can't be used and of the end, is no harm to the program. */
static void is_unharmed(const char *scenario, void (*setup)(const char *), const char *want)
{
	struct child c = { .prog = "surroundings", .args = { scenario, "x" }, .setup = setup, .seconds = 5,
			   .sockshim_dir = "/proc/nosuch", .env = { "SOCKSHIM_DUMP=-" } };

	child_run(&c);
	cr_expect(!c.hung && c.signal == 0 && c.code == 0, "%s: hung %d signal %d status %d", scenario, c.hung, c.signal,
		  c.code);
	cr_expect_str_eq(c.out, want);
	child_done(&c);
}

Test(standard_error, that_nobody_reads_is_no_signal)
{
	is_unharmed("plain", nobody_reads, "used\n");
}

Test(standard_error, that_is_full_stops_nobody)
{
	is_unharmed("plain", nobody_reads_any_more, "used\n");
}

Test(standard_error, whose_number_is_something_elses_is_left_alone)
{
	is_unharmed("reuse", NULL, "in the file: 0\non the network: -1\n");
	is_unharmed("network", NULL, "on the network: -1\n");
}

static const char *tmpfs_size;

static void small_tmpfs(const char *dir)
{
	char options[64];

	own_mounts();
	snprintf(options, sizeof(options), "size=%s,mode=700", tmpfs_size);
	must(mount("none", dir, "tmpfs", 0, options) == 0, "mount");
}

/* Every place at which room may run out: at none of them may the program die of SIGBUS. */
Test(directory, full_is_no_signal_wherever_room_runs_out)
{
	static const char *const sizes[] = { "4k", "8k", "12k", "16k", "32k", "48k", "56k", "64k", "80k", "96k", "112k",
					     "160k" };

	need_mounts();
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct child c = { .prog = "surroundings", .args = { "many" }, .setup = small_tmpfs };

		tmpfs_size = sizes[i];
		child_run(&c);
		cr_expect(c.signal == 0 && c.code == 0 && strcmp(c.out, "used\n") == 0, "%s: signal %d status %d %s",
			  sizes[i], c.signal, c.code, c.err);
		cr_expect(!c.err[0] || strchr(c.err, '\n') == c.err + strlen(c.err) - 1, "%s: %s", sizes[i], c.err);
		child_done(&c);
	}
}

Test(directory, full_is_no_signal_while_traced)
{
	static const char *const sizes[] = { "64k", "128k", "1m", "8m" };

	need_mounts();
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct child c = { .prog = "surroundings", .args = { "many" }, .setup = small_tmpfs,
				   .env = { "SOCKSHIM_TRACE=1" } };

		tmpfs_size = sizes[i];
		child_run(&c);
		cr_expect(c.signal == 0 && c.code == 0 && strcmp(c.out, "used\n") == 0, "%s: signal %d status %d %s",
			  sizes[i], c.signal, c.code, c.err);
		child_done(&c);
	}
}

Test(directory, full_from_the_start_is_said_once)
{
	need_mounts();
	tmpfs_size = "16k";
	says_once("many", small_tmpfs, NULL, "ENOSPC");
}

Test(directory, filled_while_the_program_runs)
{
	struct child c = { .prog = "surroundings", .args = { "fill", "x" }, .setup = small_tmpfs };

	need_mounts();
	tmpfs_size = "256k";
	child_run(&c);
	cr_assert(c.signal == 0 && c.code == 0, "signal %d status %d %s", c.signal, c.code, c.err);
	child_done(&c);
}

static void read_only(const char *dir)
{
	own_mounts();
	must(mount("none", dir, "tmpfs", MS_RDONLY, "mode=700") == 0, "mount");
}

Test(directory, read_only_is_said_once)
{
	need_mounts();
	says_once("many", read_only, NULL, "EROFS");
}

Test(directory, missing_is_said_once)
{
	says_once("many", NULL, "/nowhere/at/all", "ENOENT");
}

static void file_in_its_place(const char *dir)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/plain", dir);
	fclose(fopen(path, "w"));
}

Test(directory, file_in_its_place_is_said_once)
{
	says_once("plain", file_in_its_place, NULL, "ENOTDIR");
}

static void open_to_all(const char *dir)
{
	must(chmod(dir, 0777) == 0, "chmod");
}

Test(directory, that_others_may_write_in_is_not_used)
{
	says_once("plain", open_to_all, NULL, "EPERM");
}

static void of_somebody_else(const char *dir)
{
	must(chown(dir, 65534, 65534) == 0, "chown");
}

Test(directory, of_somebody_else_is_not_used)
{
	need_root();
	says_once("plain", of_somebody_else, NULL, "EPERM");
}

static void symbolic_link(const char *dir)
{
	char path[300], to[300];

	snprintf(path, sizeof(path), "%s/plain", dir);
	snprintf(to, sizeof(to), "%s/elsewhere", dir);
	must(mkdir(to, 0700) == 0 && symlink(to, path) == 0, "symlink");
}

Test(directory, symbolic_link_in_its_place_is_not_followed)
{
	says_once("plain", symbolic_link, NULL, "ENOTDIR");
}

static void no_proc(const char *dir)
{
	own_mounts();
	must(mount("none", "/proc", "tmpfs", 0, "size=4k") == 0, "mount");
}

Test(proc, is_not_needed)
{
	struct child c = { .prog = "surroundings", .args = { "many" }, .setup = no_proc };

	need_mounts();
	child_run(&c);
	cr_assert_eq(c.code, 0, "%s", c.err);
	cr_assert_str_eq(c.out, "used\n");
	cr_assert_str_eq(c.err, "");
	cr_assert_eq(child_count(&c, STREAM, RUN_OPENED), 604);
	child_done(&c);
}

static void confined(const char *scenario, const char *how, const char *when)
{
	struct child c = { .prog = "surroundings", .args = { scenario, how, when } };

	child_compare(&c);
	/* What it did is in its run file, which was made while it could be. */
	cr_expect_geq(child_count(&c, STREAM, RUN_OPENED), 604, "%s %s %s: %s", scenario, how, when, child_stats(&c));
	child_done(&c);
}

Test(chroot, after_the_first_socket)
{
	need_root();
	confined("root", "before", NULL);
}

Test(chroot, ahead_of_the_first_socket)
{
	need_root();
	confined("root", "after", NULL);
}

Test(user, changed_after_the_first_socket)
{
	need_root();
	confined("user", "before", NULL);
}

Test(user, changed_ahead_of_the_first_socket)
{
	need_root();
	confined("user", "after", NULL);
}

Test(user, changed_by_a_forked_worker)
{
	struct child c = { .prog = "surroundings", .args = { "worker" } };
	size_t f;

	need_root();
	child_ok(&c);
	f = child_file_of(&c, (int)child_said(&c, "worker"));
	cr_assert_neq(c.files[f]->forked_from, 0);
	cr_assert_eq(child_count(&c, STREAM, RUN_ACCEPTED), 1);
	child_done(&c);
}

static void sandboxed(const char *how, const char *when, const char *rules, const char *env)
{
	struct child c = { .prog = "surroundings", .args = { "sandbox", how, when }, .rules = rules, .env = { env } };

	child_compare(&c);
	cr_assert_str_eq(c.out, "confined\n");
	child_done(&c);
}

#define NEVER "fail recv with ENOMEM on 1000000th; fail send with EPIPE to 10.9.9.9; " \
	"fail accept with EMFILE on 1000000th; fail poll with ENOMEM on 1000000th"

Test(sandbox, child_that_has_used_its_sockets)
{
	sandboxed("prctl", "used", NULL, NULL);
	sandboxed("syscall", "used", NULL, NULL);
}

Test(sandbox, child_that_has_not_used_its_sockets)
{
	sandboxed("prctl", "unused", NULL, NULL);
	sandboxed("syscall", "unused", NULL, NULL);
}

Test(sandbox, child_while_rules_look_on)
{
	sandboxed("prctl", "used", NEVER, NULL);
	sandboxed("prctl", "unused", NEVER, NULL);
}

Test(sandbox, child_while_traced)
{
	sandboxed("prctl", "used", NULL, "SOCKSHIM_TRACE=1");
	sandboxed("prctl", "unused", NULL, "SOCKSHIM_TRACE=1");
}

Test(sandbox, child_whose_end_is_to_be_dumped)
{
	sandboxed("prctl", "unused", NULL, "SOCKSHIM_DUMP=/dev/null");
}

Test(sandbox, program_with_inherited_sockets)
{
	struct child c = { .prog = "surroundings", .args = { "sandboxheir", "prctl" } };

	child_compare(&c);
	cr_assert_str_eq(c.out, "confined\n");
	child_done(&c);
}

Test(sandbox, rule_fires_in_a_sandbox)
{
	struct child c = { .prog = "surroundings", .args = { "sandbox", "prctl", "unused" },
			   .rules = "short read to 2 on 1st" };

	child_ok(&c);
	cr_assert_str_eq(c.out, "cut short\nconfined\n");
	child_done(&c);
}

Test(sandbox, that_refuses_process_vm_readv_hides_no_address)
{
	struct child c = { .prog = "surroundings", .args = { "contained" },
			   .rules = "fail connect with ECONNREFUSED to 127.0.0.1" };

	child_ok(&c);
	cr_assert_str_eq(c.out, "-1 ECONNREFUSED -1 EFAULT\n");
	child_done(&c);
}
