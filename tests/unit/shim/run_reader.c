/* run_reader.c - the reader of run files: what it takes, and that it takes nothing on trust. */
#include "run/reader.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "run_fixture.h"

static int dir;
static struct run_error err;

static void setup(void) { dir = fixture_dir(); }

TestSuite(run_reader, .init = setup);

static int read_one(const char *name, struct run_image **image)
{
	memset(&err, 0, sizeof(err));
	*image = NULL;
	return run_image_read(dir, name, image, &err);
}

/* Writes a fixture and expects it to be refused. */
static void expect_refused(struct fixture *f, int code, const char *words)
{
	struct run_image *image;

	fixture_write(dir, "0-1", f);
	cr_assert_eq(read_one("0-1", &image), code, "got '%s'", err.text);
	cr_assert_null(image);
	cr_assert(strstr(err.text, words), "'%s' says nothing of '%s'", err.text, words);
}

Test(run_reader, names_of_files_and_traces_are_told_apart)
{
	unsigned long number;
	pid_t pid;

	cr_assert(run_name_is_file("12-4711", &number, &pid));
	cr_assert_eq(number, 12);
	cr_assert_eq(pid, 4711);
	cr_assert(run_name_is_file("12", &number, &pid));
	cr_assert_eq(pid, 0);
	cr_assert(run_name_is_trace("12-4711.trace", &number, &pid));
	cr_assert_eq(pid, 4711);
	cr_assert_not(run_name_is_file("12-4711.trace", NULL, NULL));
	cr_assert_not(run_name_is_file("control", NULL, NULL));
	cr_assert_not(run_name_is_file("12-", NULL, NULL));
	cr_assert_not(run_name_is_file("-12", NULL, NULL));
	cr_assert_not(run_name_is_file("1-99999999999", NULL, NULL));
	cr_assert_not(run_name_is_file("", NULL, NULL));
}

Test(run_reader, an_image_has_its_header_and_the_sockets_in_use)
{
	struct fixture *f = fixture_new(2);
	struct run_image *image;

	fixture_socket(f, 3, AF_INET, SOCK_STREAM, 0)->rx_bytes = 7;
	fixture_socket(f, 100, AF_UNIX, SOCK_DGRAM, 0);
	fixture_write(dir, "7-42", f);
	cr_assert_eq(read_one("7-42", &image), 0, "%s", err.text);
	cr_assert_eq(image->number, 7);
	cr_assert_str_eq(image->file->program, "prog");
	cr_assert_arr_eq(image->file->command, "prog\0-x", 8);
	cr_assert_eq(image->n_sockets, 2);
	cr_assert_eq(image->sockets[0].fd, 3);
	cr_assert_eq(image->sockets[0].rx_bytes, 7);
	cr_assert_eq(image->sockets[1].fd, 100);
	run_image_free(image);
}

Test(run_reader, what_was_counted_in_the_places_of_sockets_is_in_the_statistics)
{
	struct fixture *f = fixture_new(2);
	struct run_socket *s = fixture_socket(f, 3, AF_INET, SOCK_STREAM, 0), *gone = fixture_socket(f, 100, AF_INET, SOCK_STREAM, 0);
	struct run_image *image;

	fixture_stat(f, 0, AF_INET, SOCK_STREAM, 0)->count[RUN_OPENED] = 10;
	s->opened = 2;
	s->closed = 1;
	s->accept_failed = 7;
	gone->refs = 0;
	gone->opened = gone->closed = 100;
	fixture_socket(f, 4, AF_UNIX, SOCK_DGRAM, 0)->opened = 1;	/* a cookie without statistics */
	fixture_write(dir, "7-42", f);
	cr_assert_eq(read_one("7-42", &image), 0, "%s", err.text);
	cr_assert_eq(image->n_sockets, 2);
	cr_assert_eq(image->file->stats[0].count[RUN_OPENED], 112);
	cr_assert_eq(image->file->stats[0].count[RUN_CLOSED], 101);
	cr_assert_eq(image->file->stats[0].count[RUN_ACCEPT_FAILED], 7);
	cr_assert_eq(image->file->stats[1].cookie_plus_one - 1, sockshim_cookie_make(AF_UNIX, SOCK_DGRAM, 0));
	cr_assert_eq(image->file->stats[1].count[RUN_OPENED], 1);
	run_image_free(image);
}

/* Moves what is counted in a socket's place to the statistics and back again, some thousand times a second, until it is killed. */
static void move_about(struct fixture *f)
{
	const struct timespec pause = { 0, 100000 };
	uint32_t *place = &f->sockets[3].opened;
	uint64_t *stat = &f->file.stats[0].count[RUN_OPENED];

	for (;;) {
		bool there = *stat > 0;

		__atomic_fetch_add(&f->file.takes.begun, 1, __ATOMIC_SEQ_CST);
		if (there) {
			__atomic_store_n(stat, 0, __ATOMIC_SEQ_CST);
			__atomic_store_n(place, 1000, __ATOMIC_SEQ_CST);
		} else {
			__atomic_store_n(place, 0, __ATOMIC_SEQ_CST);
			__atomic_store_n(stat, 1000, __ATOMIC_SEQ_CST);
		}
		__atomic_fetch_add(&f->file.takes.done, 1, __ATOMIC_SEQ_CST);
		nanosleep(&pause, NULL);
	}
}

Test(run_reader, what_moves_meanwhile_is_counted_once)
{
	struct fixture *f = fixture_new(2);
	size_t bytes = f->bytes;
	struct run_image *image;
	pid_t pid;
	int fd;

	fixture_socket(f, 3, AF_INET, SOCK_STREAM, 0)->opened = 1000;
	fixture_stat(f, 0, AF_INET, SOCK_STREAM, 0);
	fixture_write(dir, "7-42", f);
	fd = openat(dir, "7-42", O_RDWR);
	cr_assert(fd >= 0 && (pid = fork()) >= 0);
	if (pid == 0) {
		char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (p != MAP_FAILED)
			move_about((struct fixture *)(p - offsetof(struct fixture, file)));
		_exit(1);
	}
	for (int i = 0; i < 3000; i++) {
		cr_assert_eq(read_one("7-42", &image), 0, "%s", err.text);
		cr_assert_eq(image->file->stats[0].count[RUN_OPENED], 1000, "reading %d", i);
		run_image_free(image);
	}
	/* Wherever it is killed: the file can be read. */
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	cr_assert_eq(read_one("7-42", &image), 0, "%s", err.text);
	run_image_free(image);
	close(fd);
}

Test(run_reader, holes_between_chunks_are_no_sockets)
{
	struct fixture *f = fixture_new(1);
	struct run_socket s = { .refs = 1, .fd = 6000 };
	struct run_image *image;
	off_t at = (off_t)(sizeof(f->file) + 8 + 90 * RUN_CHUNK_BYTES + 48 * sizeof(s));
	int fd;

	f->file.chunks = 91;
	f->file.sockets_start += 8;	/* so that no page begins with a socket */
	fixture_write(dir, "0-1", f);
	fd = openat(dir, "0-1", O_WRONLY);
	cr_assert_eq(pwrite(fd, &s, sizeof(s), at), (ssize_t)sizeof(s));
	close(fd);
	cr_assert_eq(read_one("0-1", &image), 0, "%s", err.text);
	cr_assert_eq(image->n_sockets, 1);
	cr_assert_eq(image->sockets[0].fd, 6000);
	run_image_free(image);
}

Test(run_reader, a_file_that_is_not_complete_yet_is_to_be_tried_again)
{
	struct fixture *f = fixture_new(0);
	struct run_image *image;

	f->file.magic = 0;
	expect_refused(f, -EAGAIN, "not complete");
	fixture_bytes(dir, "1-1", "", 0);
	cr_assert_eq(read_one("1-1", &image), -EAGAIN);
}

Test(run_reader, a_file_cut_short_is_refused)
{
	struct fixture *f = fixture_new(0);

	f->bytes = sizeof(f->file) - 1;
	expect_refused(f, -EBADMSG, "too short");
}

Test(run_reader, a_file_of_something_else_is_refused)
{
	struct fixture *f = fixture_new(0);

	f->file.magic ^= 1;
	expect_refused(f, -EBADMSG, "not a run file");
}

Test(run_reader, another_version_is_named)
{
	struct fixture *f = fixture_new(0);

	f->file.version = 7;
	expect_refused(f, -EPROTONOSUPPORT, "version 7");
}

Test(run_reader, a_wrong_header_size_is_refused)
{
	struct fixture *f = fixture_new(0);

	f->file.header_bytes += 8;
	expect_refused(f, -EBADMSG, "header size");
}

Test(run_reader, a_pid_that_is_none_is_refused)
{
	struct fixture *f = fixture_new(0);

	f->file.pid = -1;		/* kill(-1) would reach everybody */
	expect_refused(f, -EBADMSG, "pid");
}

Test(run_reader, more_chunks_than_there_can_be_are_refused)
{
	struct fixture *f = fixture_new(0);

	f->file.chunks = RUN_SPILL_CHUNKS + RUN_CHUNKS_MAX + 1;
	expect_refused(f, -EBADMSG, "too many");
}

Test(run_reader, sockets_outside_of_the_file_are_refused)
{
	struct fixture *f = fixture_new(1);

	f->file.sockets_start = UINT64_MAX - 4096;
	expect_refused(f, -EBADMSG, "sockets outside");
	f = fixture_new(1);
	f->file.sockets_start = 0;
	expect_refused(f, -EBADMSG, "sockets outside");
}

Test(run_reader, a_control_block_outside_of_the_file_is_refused)
{
	struct fixture *f = fixture_new(0);

	f->file.control_start = f->bytes - 100;
	expect_refused(f, -EBADMSG, "control block outside");
	f = fixture_new(0);
	f->file.control_start = UINT64_MAX;
	expect_refused(f, -EBADMSG, "control block outside");
}

Test(run_reader, a_control_file_elsewhere_is_refused)
{
	struct fixture *f = fixture_new(0);

	strcpy(f->file.control_file, "../../etc/passwd");
	expect_refused(f, -EBADMSG, "control file");
}

Test(run_reader, chunks_that_the_file_no_longer_has_are_no_sockets)
{
	struct fixture *f = fixture_new(2);
	struct run_image *image;

	fixture_socket(f, 1, AF_INET, SOCK_STREAM, 0);
	fixture_socket(f, 70, AF_INET, SOCK_STREAM, 0);
	f->bytes -= RUN_CHUNK_BYTES - 10;
	fixture_write(dir, "0-1", f);
	cr_assert_eq(read_one("0-1", &image), 0, "%s", err.text);
	cr_assert_eq(image->n_sockets, 1);
	run_image_free(image);
}

Test(run_reader, strings_are_terminated_and_clean)
{
	struct fixture *f = fixture_new(0);
	struct run_image *image;

	memset(f->file.program, 'x', sizeof(f->file.program));
	memset(f->file.command, '\x1b', sizeof(f->file.command));
	memset(f->file.modules[31].path, 0xff, sizeof(f->file.modules[31].path));
	fixture_write(dir, "0-1", f);
	cr_assert_eq(read_one("0-1", &image), 0, "%s", err.text);
	cr_assert_eq(strlen(image->file->program), sizeof(image->file->program) - 1);
	cr_assert_eq(strspn(image->file->command, "?"), sizeof(image->file->command) - 1);
	cr_assert_eq(strspn(image->file->modules[31].path, "?"), sizeof(image->file->modules[31].path) - 1);
	run_image_free(image);
}

Test(run_reader, text_keeps_utf8_and_loses_what_is_none)
{
	char good[] = "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80";
	char bad[] = "\xc0\x80 \xed\xa0\x80 \xf5\x80\x80\x80 \xe2\x82 \xc2\x9b \x7f\n";
	char cut[4] = { 'a', 'b', (char)0xe2, (char)0x82 };

	cr_assert_eq(run_text_clean(good, sizeof(good)), strlen(good));
	cr_assert_str_eq(good, "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80");
	run_text_clean(bad, sizeof(bad));
	cr_assert_str_eq(bad, "?? ??? ???? ?? ?? ??");
	cr_assert_eq(run_text_clean(cut, sizeof(cut)), 3);
	cr_assert_str_eq(cut, "ab?");
}

Test(run_reader, links_fifos_and_directories_are_no_run_files)
{
	struct run_image *image;

	fixture_write(dir, "0-1", fixture_new(0));
	cr_assert_eq(symlinkat("0-1", dir, "1-1"), 0);
	cr_assert_eq(mkfifoat(dir, "2-1", 0600), 0);
	cr_assert_eq(mkdirat(dir, "3-1", 0700), 0);
	cr_assert_eq(read_one("1-1", &image), -ELOOP);
	cr_assert_eq(read_one("2-1", &image), -EBADMSG);
	cr_assert_eq(read_one("3-1", &image), -EBADMSG);
	cr_assert_eq(read_one("4-1", &image), -ENOENT);
}

static enum run_fate fate_of(const struct run_images *images, const char *name)
{
	for (size_t i = 0; i < images->n; i++)
		if (!strcmp(images->v[i]->name, name))
			return images->v[i]->fate;
	cr_assert_fail("no image %s", name);
	return RUN_FATES;
}

Test(run_reader, fates_of_processes)
{
	int dead = fixture_dead_pid();
	struct run_images images;
	struct fixture *f = fixture_new(0);

	fixture_write(dir, "9-1", f);			/* this process */
	f = fixture_new(0);
	f->file.pid = dead;
	fixture_write(dir, "1-2", f);
	f = fixture_new(0);
	f->file.pid = dead + 100000;
	f->file.state = RUN_EXITED;
	fixture_write(dir, "2-3", f);
	f = fixture_new(0);				/* this process before it replaced itself */
	f->file.boot_ns -= 1000000000;
	fixture_write(dir, "10-1", f);
	fixture_bytes(dir, "3-4", "rubbish", 7);
	cr_assert_eq(run_images_read(dir, &images), 0);
	cr_assert_eq(images.n, 4);
	cr_assert_eq(images.refused, 1);
	cr_assert(strstr(images.why.text, "3-4: too short"), "%s", images.why.text);
	cr_assert_eq(fate_of(&images, "9-1"), RUN_FATE_RUNNING);
	cr_assert_eq(fate_of(&images, "1-2"), RUN_FATE_DIED);
	cr_assert_eq(fate_of(&images, "2-3"), RUN_FATE_EXITED);
	cr_assert_eq(fate_of(&images, "10-1"), RUN_FATE_EXECED);
	run_images_free(&images);
}

Test(run_reader, a_pid_that_was_given_to_a_later_process_is_not_alive)
{
	struct run_image *image;
	struct fixture *f = fixture_new(0);

	f->file.boot_ns = 1;			/* made as the machine came up, before this process */
	fixture_write(dir, "0-1", f);
	cr_assert_eq(read_one("0-1", &image), 0);
	cr_assert_not(run_image_alive(image));
	run_image_free(image);
}

Test(run_reader, a_zombie_is_not_alive)
{
	struct run_image *image;
	struct fixture *f;
	siginfo_t info;
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
	f = fixture_new(0);
	f->file.pid = pid;
	fixture_write(dir, "0-1", f);
	cr_assert_eq(read_one("0-1", &image), 0);
	cr_assert_not(run_image_alive(image));
	run_image_free(image);
}

Test(run_reader, modules_are_found_by_address)
{
	struct fixture *f = fixture_new(0);
	struct run_image *image;

	f->file.modules[0] = (struct run_module){ .start = 0x1000, .end = 0x2000, .path = "/bin/a" };
	f->file.modules[2] = (struct run_module){ .start = 0x3000, .end = 0x2000, .path = "/bin/wrong" };
	fixture_write(dir, "0-1", f);
	cr_assert_eq(read_one("0-1", &image), 0);
	cr_assert_str_eq(run_image_module(image, 0x1fff)->path, "/bin/a");
	cr_assert_null(run_image_module(image, 0x2000));
	cr_assert_null(run_image_module(image, 0x3000));
	cr_assert_null(run_image_module(image, 0));
	run_image_free(image);
}

Test(run_reader, recent_events_come_in_order_without_the_incomplete)
{
	struct run_event events[RUN_EVENTS];
	struct fixture *f = fixture_new(0);
	struct run_image *image;

	f->file.events_next = 100;
	for (uint64_t n = 36; n < 100; n++)
		f->file.events[n % RUN_EVENTS].seq = n + 1;
	f->file.events[50 % RUN_EVENTS].seq = 0;
	fixture_write(dir, "0-1", f);
	cr_assert_eq(read_one("0-1", &image), 0);
	cr_assert_eq(run_image_events(image, events), 63);
	cr_assert_eq(events[0].seq, 37);
	cr_assert_eq(events[62].seq, 100);
	run_image_free(image);
	f = fixture_new(0);
	f->file.events_next = UINT64_MAX;
	fixture_write(dir, "0-1", f);
	cr_assert_eq(read_one("0-1", &image), 0);
	cr_assert_eq(run_image_events(image, events), 0);
	run_image_free(image);
}

static int read_control(struct run_control *c, size_t bytes, struct run_control *out)
{
	int fd, rc;

	fixture_bytes(dir, "control", c, bytes);
	fd = openat(dir, "control", O_RDONLY);
	rc = run_control_read(fd, 0, out, &err);
	close(fd);
	return rc;
}

Test(run_reader, control_blocks_are_checked)
{
	struct run_control *c = calloc(1, sizeof(*c)), *out = calloc(1, sizeof(*out));

	c->magic = RUN_CONTROL_MAGIC;
	c->version = RUN_VERSION;
	c->rules_bytes = 4;
	strcpy(c->rules, "1 x\nrest of an older text");
	cr_assert_eq(read_control(c, sizeof(*c), out), 0, "%s", err.text);
	cr_assert_str_eq(out->rules, "1 x\n");
	cr_assert_eq(read_control(c, sizeof(*c) - 1, out), -EBADMSG);
	c->rules_bytes = RUN_RULES_TEXT;
	cr_assert_eq(read_control(c, sizeof(*c), out), -EBADMSG);
	c->rules_bytes = 100;
	cr_assert_eq(read_control(c, sizeof(*c), out), -EBADMSG);
	c->version = RUN_VERSION + 1;
	cr_assert_eq(read_control(c, sizeof(*c), out), -EPROTONOSUPPORT);
	c->magic = 0;
	cr_assert_eq(read_control(c, sizeof(*c), out), -EBADMSG);
	free(c);
	free(out);
}
