/* run_fixture.c - makes run files for tests. */
#include "run/clock.h"
#include "run_fixture.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "run/clock.h"

static char path[256];

static void die(const char *what)
{
	perror(what);
	abort();
}

static void remove_dir(void)
{
	char command[300];

	snprintf(command, sizeof(command), "rm -rf '%s'", path);
	if (path[0] && system(command) != 0)
		perror("rm");
}

int fixture_dir(void)
{
	const char *tmp = getenv("TMPDIR");
	int fd;

	snprintf(path, sizeof(path), "%s/run-test-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(path))
		die("mkdtemp");
	atexit(remove_dir);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		die(path);
	return fd;
}

const char *fixture_path(void)
{
	return path;
}

static uint64_t now_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

struct fixture *fixture_new(unsigned chunks)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f)
		die("calloc");
	f->file.magic = RUN_MAGIC;
	f->file.version = RUN_VERSION;
	f->file.header_bytes = sizeof(f->file);
	f->file.pid = getpid();
	f->file.ppid = getppid();
	f->file.state = RUN_ALIVE;
	f->file.started_ns = now_ns(CLOCK_REALTIME);
	f->file.boot_ns = now_ns(CLOCK_BOOTTIME);
	f->file.started_mono_ns = now_ns(CLOCK_MONOTONIC) - 10000000000u;
	f->file.started_ticks = run_clock_ticks() - 20000000000u;
	f->file.chunks = chunks;
	f->file.sockets_start = sizeof(f->file);
	strcpy(f->file.control_file, "control");
	strcpy(f->file.program, "prog");
	memcpy(f->file.command, "prog\0-x", 8);
	f->bytes = sizeof(f->file) + chunks * RUN_CHUNK_BYTES;
	return f;
}

struct run_socket *fixture_socket(struct fixture *f, unsigned i, int family, int type, int protocol)
{
	struct run_socket *s = &f->sockets[i];

	s->refs = 1;
	s->fd = (int)i;
	s->cookie = sockshim_cookie_make(family, type, protocol);
	s->opened_ticks = f->file.started_ticks + 10000000000u;		/* five seconds ago */
	return s;
}

struct run_stat *fixture_stat(struct fixture *f, unsigned i, int family, int type, int protocol)
{
	f->file.stats[i].cookie_plus_one = sockshim_cookie_make(family, type, protocol) + 1;
	return &f->file.stats[i];
}

void fixture_bytes(int dir, const char *name, const void *bytes, size_t n)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, bytes, n) != (ssize_t)n)
		die(name);
	close(fd);
}

void fixture_write(int dir, const char *name, struct fixture *f)
{
	fixture_bytes(dir, name, f, f->bytes);
	free(f);
}

int fixture_dead_pid(void)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
	return pid;
}

struct run_addr fixture_inet(const char *ip, unsigned port)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	struct run_addr a = { .len = sizeof(in) };

	inet_pton(AF_INET, ip, &in.sin_addr);
	memcpy(a.data, &in, sizeof(in));
	return a;
}
