/* launch_rundir.c - the directories of runs: whose they are, which is meant, which go. */
#include "launch/rundir.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "launch/control.h"
#include "launch/meta.h"
#include "run_fixture.h"

static char base[300];

static void setup(void)
{
	cr_redirect_stderr();
	close(fixture_dir());
	snprintf(base, sizeof(base), "%s/base", fixture_path());
	setenv("SOCKSHIM_DIR", base, 1);
}

TestSuite(rundir, .init = setup);

/* Makes a run that began at a second, lets go of it, and writes its id. */
static void make_run(char id[RUNDIR_ID_MAX], const char *program, int64_t second)
{
	struct timespec times[2] = { { second, 0 }, { second, 0 } };
	struct meta meta = { .started_ns = second * 1000000000, .launcher = 7 };
	struct rundir run;

	cr_assert_eq(rundir_make(&run, base, program), 0);
	cr_assert_eq(meta_write(run.fd, &meta), 0);
	cr_assert_eq(utimensat(run.fd, "meta", times, 0), 0);
	snprintf(id, RUNDIR_ID_MAX, "%s", run.id);
	rundir_close(&run);
}

static bool exists(const char *id)
{
	char path[600];

	snprintf(path, sizeof(path), "%s/%s", base, id);
	return access(path, F_OK) == 0;
}

Test(rundir, a_run_is_ours_alone_and_named_after_the_program)
{
	struct rundir run;
	struct stat st;

	cr_assert_eq(rundir_make(&run, base, "cu rl/\x1b"), 0);
	cr_assert_eq(strncmp(run.id, "cu_rl__-", 8), 0, "%s", run.id);
	cr_assert_eq(strlen(run.id), 12);
	cr_assert_eq(fstat(run.fd, &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0700);
	cr_assert_eq(stat(base, &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0700);
	cr_assert(rundir_held(&run));
	rundir_close(&run);
}

Test(rundir, a_base_that_is_a_link_is_refused)
{
	struct rundir run;

	cr_assert_eq(symlink(fixture_path(), base), 0);	/* ours alone, but for being a link */
	cr_assert_eq(rundir_make(&run, base, "x"), -1);
	cr_assert_eq(rundir_open_base(base, false), -1);
}

Test(rundir, a_base_that_others_may_write_to_is_refused)
{
	struct rundir run;

	cr_assert_eq(mkdir(base, 0700), 0);
	cr_assert_eq(chmod(base, 0777), 0);
	cr_assert_eq(rundir_make(&run, base, "x"), -1);
}

Test(rundir, a_base_of_somebody_else_is_refused)
{
	struct rundir run;

	if (geteuid() != 0)
		cr_skip("only root can give a directory away");
	cr_assert_eq(mkdir(base, 0700), 0);
	cr_assert_eq(chown(base, 12345, 12345), 0);
	cr_assert_eq(rundir_make(&run, base, "x"), -1);
}

Test(rundir, a_path_that_the_library_has_no_room_for_is_refused)
{
	char name[256];
	struct rundir run;

	memset(name, 'x', sizeof(name));
	name[240] = '\0';
	cr_assert_eq(mkdir(base, 0700), 0);
	strcat(base, "/");
	strncat(base, name, sizeof(base) - strlen(base) - 1);
	cr_assert_eq(mkdir(base, 0700), 0);
	cr_assert_eq(rundir_make(&run, base, "x"), -1);
}

Test(rundir, the_newest_run_is_the_default)
{
	char old[RUNDIR_ID_MAX], newer[RUNDIR_ID_MAX];
	struct rundir run;

	for (int i = 0; i < 8; i++)
		make_run(old, "a", 1000 + i);
	make_run(newer, "b", 2000);
	for (int i = 0; i < 8; i++)
		make_run(old, "c", 1900 + i);
	cr_assert_eq(rundir_find(&run, NULL), 0);
	cr_assert_str_eq(run.id, newer);
	rundir_close(&run);
	cr_assert_eq(rundir_find(&run, old), 0);
	cr_assert_str_eq(run.id, old);
	rundir_close(&run);
	cr_assert_eq(rundir_find(&run, "nosuch"), -1);
}

Test(rundir, without_runs_there_is_nothing_to_find)
{
	struct rundir run;

	cr_assert_eq(rundir_find(&run, NULL), -1);
	cr_assert_eq(rundir_find(&run, "123"), -1);
	cr_assert_eq(rundir_prune(0), 0);
}

Test(rundir, a_pid_means_the_process_and_its_descendants)
{
	struct run_images images;
	struct rundir run;
	struct fixture *f;

	cr_assert_eq(rundir_make(&run, base, "x"), 0);
	for (int pid = 100; pid < 104; pid++) {
		f = fixture_new(0);
		f->file.pid = pid;
		f->file.ppid = pid == 101 || pid == 102 ? pid - 1 : 1;
		f->file.state = RUN_EXITED;
		fixture_write(run.fd, (char[]){ '0' + (char)(pid - 100), '-', '9', 0 }, f);
	}
	rundir_close(&run);
	cr_assert_eq(rundir_find(&run, "101"), 0);
	cr_assert_eq(run.pid, 101);
	cr_assert_eq(rundir_images(&run, &images), 0);
	cr_assert_eq(images.n, 2);
	cr_assert_eq(images.v[0]->file->pid, 101);
	cr_assert_eq(images.v[1]->file->pid, 102);
	run_images_free(&images);
	rundir_close(&run);
}

Test(rundir, without_a_run_the_image_and_its_forks_are_meant)
{
	struct run_images images;
	struct rundir run;
	char path[400], id[RUNDIR_ID_MAX];
	struct fixture *f;
	int fd;

	cr_assert_eq(mkdir(base, 0700), 0);
	snprintf(path, sizeof(path), "%s/plain", base);
	cr_assert_eq(mkdir(path, 0700), 0);
	fd = open(path, O_RDONLY);
	for (int i = 0; i < 3; i++) {
		f = fixture_new(2);			/* room for a control block */
		f->file.started_ns = (uint64_t)i * 1000000000;
		f->file.pid = 100 + i;
		f->file.boot_ns = (uint64_t)i;
		f->file.control_start = i < 2 ? sizeof(f->file) : 0;
		snprintf(f->file.control_file, sizeof(f->file.control_file), "%d", i < 2 ? i : 1);
		f->file.chunks = 0;
		fixture_write(fd, (char[]){ '0' + (char)i, 0 }, f);
	}
	close(fd);
	cr_assert_eq(rundir_find(&run, NULL), 0);
	cr_assert(run.plain);
	cr_assert_str_eq(run.family, "1");
	cr_assert_eq(rundir_images(&run, &images), 0);
	cr_assert_eq(images.n, 2);
	run_images_free(&images);
	rundir_close(&run);
	make_run(id, "earlier", 1);
	cr_assert_eq(rundir_find(&run, NULL), 0);
	cr_assert(run.plain);
	rundir_close(&run);
	make_run(id, "later", 3);
	cr_assert_eq(rundir_find(&run, NULL), 0);
	cr_assert_str_eq(run.id, id);
	rundir_close(&run);
	cr_assert_eq(rundir_find(&run, RUNDIR_PLAIN), 0);
	cr_assert_eq(rundir_remove_ended(&run), 3);
	rundir_close(&run);
}

Test(rundir, pruning_keeps_the_newest_and_the_living)
{
	char ids[6][RUNDIR_ID_MAX];
	struct rundir living, running;
	struct fixture *f = fixture_new(0);
	char name[40];

	for (int i = 0; i < 6; i++)
		make_run(ids[i], "old", 1000 + i);
	cr_assert_eq(rundir_make(&living, base, "held"), 0);
	cr_assert_eq(rundir_find(&running, ids[0]), 0);
	fixture_write(running.fd, "0-1", f);	/* a process of the oldest is alive: this one */
	rundir_close(&running);
	/* So is one whose file this version can't read. */
	cr_assert_eq(rundir_find(&running, ids[1]), 0);
	f = fixture_new(0);
	f->file.version = RUN_VERSION + 1;
	snprintf(name, sizeof(name), "0-%d", (int)getpid());
	fixture_write(running.fd, name, f);
	rundir_close(&running);
	cr_assert_eq(rundir_prune(3), 2);
	cr_assert(exists(ids[0]));
	cr_assert(exists(ids[1]));
	cr_assert_not(exists(ids[2]));
	cr_assert_not(exists(ids[3]));
	cr_assert(exists(ids[4]));
	cr_assert(exists(ids[5]));
	cr_assert(exists(living.id));
	rundir_close(&living);
}

Test(rundir, removing_takes_nothing_that_is_not_of_a_run)
{
	struct rundir run;
	char path[PATH_MAX + 16];

	cr_assert_eq(rundir_make(&run, base, "x"), 0);
	fixture_bytes(run.fd, "precious", "x", 1);
	fixture_bytes(run.fd, "0-1", "x", 1);
	snprintf(path, sizeof(path), "%s/precious", run.path);
	cr_assert_eq(rundir_remove(&run), -ENOTEMPTY);
	cr_assert_eq(access(path, F_OK), 0);
}

Test(rundir, meta_comes_back_as_it_was_written)
{
	char sh[] = "sh", c[] = "-c", script[] = "echo 'x y'", none[] = "";
	char *argv[] = { sh, c, script, none, NULL };
	struct meta m = { .seed = UINT64_MAX, .started_ns = 123456789, .launcher = 42 }, back;
	int dir = open(fixture_path(), O_RDONLY);

	meta_set_command(&m, argv);
	cr_assert_str_eq(m.command, "sh -c 'echo '\\''x y'\\''' ''");
	strcpy(m.program, "sh");
	strcpy(m.cwd, "/tmp/a: b");
	cr_assert_eq(meta_write(dir, &m), 0);
	cr_assert_eq(meta_add_pid(dir, 99), 0);
	cr_assert_eq(meta_read(dir, &back), 0);
	cr_assert_str_eq(back.command, m.command);
	cr_assert_str_eq(back.cwd, m.cwd);
	cr_assert_eq(back.seed, UINT64_MAX);
	cr_assert_eq(back.started_ns, 123456789);
	cr_assert_eq(back.launcher, 42);
	cr_assert_eq(back.pid, 99);
	cr_assert_eq(meta_write(dir, &m), -EEXIST);
	close(dir);
}

Test(rundir, a_meta_file_of_rubbish_is_survived)
{
	int dir = open(fixture_path(), O_RDONLY);
	char rubbish[8000];
	struct meta m;

	for (size_t i = 0; i < sizeof(rubbish); i++)
		rubbish[i] = (char)(i * 7);
	fixture_bytes(dir, "meta", rubbish, sizeof(rubbish));
	cr_assert_eq(meta_read(dir, &m), 0);
	fixture_bytes(dir, "meta", "command: \x1b[2J\nseed: x\n: \nprogram\n", 33);
	cr_assert_eq(meta_read(dir, &m), 0);
	cr_assert_str_eq(m.command, "?[2J");
	close(dir);
}

Test(rundir, editing_a_control_block_leaves_its_generation_even_and_higher)
{
	static struct run_control c;
	struct control edit;
	struct rundir run;

	cr_assert_eq(rundir_make(&run, base, "x"), 0);
	control_init(&c, 5);
	c.generation = 3;		/* an editor was killed at work */
	cr_assert_eq(control_create(run.fd, &c), 0);
	cr_assert_eq(control_open(&edit, &run, true), 0);
	cr_assert_eq(control_set_trace(&edit, run.id, true), 1);
	cr_assert_eq(control_set_trace(&edit, run.id, true), 0);
	cr_assert_eq(control_read(&edit, run.id), 0);
	cr_assert_eq(edit.block.generation, 4);
	cr_assert_eq(control_set_trace(&edit, run.id, false), 1);
	cr_assert_eq(control_set_trace(&edit, run.id, true), 1);
	cr_assert_eq(control_read(&edit, run.id), 0);
	cr_assert_eq(edit.block.generation, 8);
	cr_assert_eq(edit.block.flags, RUN_TRACE);
	cr_assert_eq(edit.block.seed, 5);
	control_close(&edit);
	rundir_close(&run);
}
