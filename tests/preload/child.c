/* child.c - running programs under the library and reading what they left. */
#include "preload/child.h"

#include "run/stat.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SECONDS_DEFAULT 20

const char *child_build(void)
{
	static char path[512];
	ssize_t n;

	if (path[0])
		return path;
	n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	cr_assert(n > 0);
	path[n] = 0;
	for (int up = 0; up < 3; up++)		/* tests/preload/NAME */
		*strrchr(path, '/') = 0;
	return path;
}

const char *child_prog(const char *name)
{
	static char path[4][640];
	static unsigned turn;
	char *p = path[turn++ % 4];

	snprintf(p, sizeof(path[0]), "%s/tests/preload/progs/%s", child_build(), name);
	return p;
}

const char *child_library(void)
{
	static char path[640];

	snprintf(path, sizeof(path), "%s/libsockshim.so", child_build());
	return path;
}

/* What is waited for: bytes of two pipes, the end, or the deadline. */
struct reading {
	int fd;
	char *text;
	size_t n, room;
};

static void read_some(struct reading *r)
{
	ssize_t n;

	if (r->room - r->n < 4096) {
		r->room = r->room * 2 + 8192;
		r->text = realloc(r->text, r->room);
	}
	n = read(r->fd, r->text + r->n, r->room - r->n - 1);
	if (n <= 0) {
		close(r->fd);
		r->fd = -1;
	} else {
		r->n += (size_t)n;
	}
	r->text[r->n] = 0;
}

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

/* Until all writers have gone. Returns whether they did in time. */
static bool read_all(struct reading *out, struct reading *err, unsigned seconds)
{
	long long end = now_ms() + seconds * 1000LL;

	while (out->fd >= 0 || err->fd >= 0) {
		struct pollfd p[2] = { { out->fd, POLLIN, 0 }, { err->fd, POLLIN, 0 } };
		long long left = end - now_ms();

		if (left <= 0)
			return false;
		if (poll(p, 2, (int)left) <= 0)
			continue;
		if (p[0].revents)
			read_some(out);
		if (p[1].revents)
			read_some(err);
	}
	return true;
}

static bool of_the_shim(const char *entry)
{
	return strncmp(entry, "LD_PRELOAD=", 11) == 0 || strncmp(entry, "SOCKSHIM_", 9) == 0;
}

static void set_environment(const struct child *c)
{
	char text[2048];
	char **keep = calloc(512, sizeof(char *));
	size_t n = 0;

	for (char **e = environ; *e && n < 500; e++)
		if (!of_the_shim(*e))
			keep[n++] = *e;
	environ = keep;
	snprintf(text, sizeof(text), "%s%s%s%s%s", c->preload_first ? c->preload_first : "",
		 c->preload_first && !c->bare ? ":" : "", c->bare ? "" : child_library(),
		 c->preload_last ? ":" : "", c->preload_last ? c->preload_last : "");
	if (text[0])
		setenv("LD_PRELOAD", text[0] == ':' ? text + 1 : text, 1);
	if (!c->bare) {
		setenv("SOCKSHIM_DIR", c->sockshim_dir ? c->sockshim_dir : c->dir, 1);
		setenv("SOCKSHIM_SEED", "1", 1);
		if (c->rules)
			setenv("SOCKSHIM_RULES", c->rules, 1);
	}
	for (int i = 0; i < CHILD_WORDS && c->env[i]; i++)
		putenv((char *)c->env[i]);
}

static void become(const struct child *c, int out, int err)
{
	const char *argv[CHILD_WORDS + 2] = { strchr(c->prog, '/') ? c->prog : child_prog(c->prog) };
	int null = open("/dev/null", O_RDONLY);
	sigset_t none;

	setpgid(0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	dup2(null, 0);
	dup2(out, 1);
	dup2(err, 2);
	close_range(3, ~0u, 0);
	for (int i = 0; i < CHILD_WORDS; i++)
		argv[i + 1] = c->args[i];
	set_environment(c);
	if (c->setup)
		c->setup(c->dir);
	execvp(argv[0], (char **)argv);
	dprintf(2, "%s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

static int by_start(const void *a, const void *b)
{
	const struct run_file *const *x = a, *const *y = b;

	return (*x)->started_ns < (*y)->started_ns ? -1 : (*x)->started_ns > (*y)->started_ns;
}

/* What has been counted in the places of the sockets goes to the statistics, of this copy. */
static void add_places(struct run_file *f)
{
	struct run_socket *s = (void *)((char *)f + f->sockets_start);

	for (uint32_t k = 0; k < f->chunks * RUN_CHUNK_SOCKETS; k++)
		run_stat_take(f->stats, &s[k]);
}

static void map_files(struct child *c)
{
	char path[400];
	struct dirent *d;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/plain", c->sockshim_dir ? c->sockshim_dir : c->dir);
	dir = opendir(path);
	while (dir && (d = readdir(dir))) {
		struct stat st;
		int fd;
		void *p;

		if (d->d_name[0] == '.' || strcmp(d->d_name, "next") == 0 || strchr(d->d_name, '.'))
			continue;
		snprintf(path, sizeof(path), "%s/plain/%s", c->sockshim_dir ? c->sockshim_dir : c->dir, d->d_name);
		fd = open(path, O_RDONLY);
		cr_assert(fd >= 0 && fstat(fd, &st) == 0 && c->n_files < CHILD_FILES);
		p = st.st_size >= (off_t)sizeof(struct run_file) ?
			mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0) : MAP_FAILED;
		close(fd);
		cr_assert(p != MAP_FAILED, "run file %s can't be read", path);
		c->files[c->n_files++] = p;
		cr_assert_eq(((struct run_file *)p)->magic, RUN_MAGIC, "%s has no magic", path);
		add_places(p);
	}
	if (dir)
		closedir(dir);
	qsort(c->files, c->n_files, sizeof(c->files[0]), by_start);
}

void child_run(struct child *c)
{
	struct reading out = { .fd = -1 }, err = { .fd = -1 };
	int po[2], pe[2], status = 0;

	strcpy(c->dir, "/tmp/sockshim-test-XXXXXX");
	cr_assert(mkdtemp(c->dir));
	cr_assert(pipe2(po, O_CLOEXEC) == 0 && pipe2(pe, O_CLOEXEC) == 0);
	c->pid = fork();
	cr_assert(c->pid >= 0);
	if (c->pid == 0)
		become(c, po[1], pe[1]);
	close(po[1]);
	close(pe[1]);
	out = (struct reading){ .fd = po[0], .text = calloc(1, 1), .room = 1 };
	err = (struct reading){ .fd = pe[0], .text = calloc(1, 1), .room = 1 };
	c->hung = !read_all(&out, &err, c->seconds ? c->seconds : SECONDS_DEFAULT);
	if (c->hung)
		kill(-c->pid, SIGKILL);
	waitpid(c->pid, &status, 0);
	c->code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	c->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	c->out = out.text;
	c->err = err.text;
	if (!c->bare)
		map_files(c);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	return remove(path);
}

void child_done(struct child *c)
{
	free(c->out);
	free(c->err);
	nftw(c->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static const char *name_of(const struct child *c)
{
	static char text[256];

	snprintf(text, sizeof(text), "%s %s %s", c->prog, c->args[0] ? c->args[0] : "", c->args[1] ? c->args[1] : "");
	return text;
}

/* The first line in which two texts differ, for a message that can be read. */
static void assert_same(const struct child *c, const char *what, const char *bare, const char *shim)
{
	const char *a = bare, *b = shim;

	if (strcmp(bare, shim) == 0)
		return;
	while (*a && *a == *b) {
		if (*a == '\n') {
			bare = a + 1;
			shim = b + 1;
		}
		a++;
		b++;
	}
	cr_assert_fail("%s: %s differs:\n  without: %.*s\n  with:    %.*s", name_of(c), what,
		       (int)strcspn(bare, "\n"), bare, (int)strcspn(shim, "\n"), shim);
}

void child_compare(struct child *c)
{
	struct child bare = *c;

	bare.bare = true;
	child_run(&bare);
	cr_assert(!bare.hung, "%s: hangs without the library", name_of(c));
	cr_assert(bare.code != 99 && bare.code != 127, "%s: does not work without the library: %s", name_of(c),
		  bare.err);
	child_run(c);
	cr_assert(!c->hung, "%s: hangs; stdout: %s\nstderr: %s", name_of(c), c->out, c->err);
	cr_assert(c->signal == bare.signal, "%s: signal %d, without the library %d; stderr: %s", name_of(c), c->signal,
		  bare.signal, c->err);
	assert_same(c, "stdout", bare.out, c->out);
	assert_same(c, "stderr", bare.err, c->err);
	cr_assert_eq(c->code, bare.code, "%s: exit status %d, without the library %d", name_of(c), c->code, bare.code);
	child_done(&bare);
}

/* The last lines of a text. */
static const char *tail(const char *text)
{
	size_t n = strlen(text);

	return n > 400 ? text + n - 400 : text;
}

void child_ok(struct child *c)
{
	child_run(c);
	cr_assert(!c->hung, "%s: hangs; stdout: %s\nstderr: %s", name_of(c), tail(c->out), c->err);
	cr_assert(c->signal == 0, "%s: signal %d; stdout: %s\nstderr: %s", name_of(c), c->signal, tail(c->out),
		  c->err);
	cr_assert(c->code == 0, "%s: exit status %d; stdout: %s\nstderr: %s", name_of(c), c->code, tail(c->out),
		  c->err);
	cr_assert(!c->err[0], "%s: stderr: %s", name_of(c), c->err);
}

static int by_cookie(const void *a, const void *b)
{
	const struct sockshim_stat *x = a, *y = b;

	return x->cookie < y->cookie ? -1 : x->cookie > y->cookie;
}

static struct sockshim_stat *stat_of(struct sockshim_stat *sum, size_t *n, sockshim_cookie cookie)
{
	for (size_t i = 0; i < *n; i++)
		if (sum[i].cookie == cookie)
			return &sum[i];
	sum[*n] = (struct sockshim_stat){ .cookie = cookie };
	return &sum[(*n)++];
}

const char *child_stats(struct child *c)
{
	struct sockshim_stat sum[RUN_STATS];
	size_t n = 0, len = 0;

	for (size_t f = 0; f < c->n_files; f++)
		for (int i = 0; i < RUN_STATS; i++) {
			const struct run_stat *s = &c->files[f]->stats[i];
			struct sockshim_stat *to;

			if (!s->cookie_plus_one)
				continue;
			to = stat_of(sum, &n, s->cookie_plus_one - 1);
			to->opened += s->count[RUN_OPENED];
			to->connected += s->count[RUN_CONNECTED];
			to->listened += s->count[RUN_LISTENED];
			to->accepted += s->count[RUN_ACCEPTED];
			to->closed += s->count[RUN_CLOSED];
			to->open_failed += s->count[RUN_OPEN_FAILED];
			to->connect_failed += s->count[RUN_CONNECT_FAILED];
			to->listen_failed += s->count[RUN_LISTEN_FAILED];
			to->accept_failed += s->count[RUN_ACCEPT_FAILED];
			to->close_failed += s->count[RUN_CLOSE_FAILED];
		}
	qsort(sum, n, sizeof(sum[0]), by_cookie);
	c->stats_text[0] = 0;
	for (size_t i = 0; i < n && len < sizeof(c->stats_text) - 256; i++) {
		len += (size_t)sockshim_stat_format(c->stats_text + len, 255, &sum[i]);
		c->stats_text[len++] = '\n';
		c->stats_text[len] = 0;
	}
	return c->stats_text;
}

uint64_t child_count(const struct child *c, sockshim_cookie cookie, enum run_count which)
{
	uint64_t sum = 0;

	for (size_t f = 0; f < c->n_files; f++)
		for (int i = 0; i < RUN_STATS; i++)
			if (c->files[f]->stats[i].cookie_plus_one == cookie + 1)
				sum += c->files[f]->stats[i].count[which];
	return sum;
}

uint64_t child_injected(const struct child *c, enum sockshim_filter_type t)
{
	uint64_t sum = 0;

	for (size_t f = 0; f < c->n_files; f++)
		for (int i = 0; i < RUN_STATS; i++)
			sum += c->files[f]->stats[i].injected[t];
	return sum;
}

const struct run_socket *child_socket(const struct child *c, size_t file, unsigned i)
{
	const struct run_file *f = c->files[file];
	const struct run_socket *s = (const void *)((const char *)f + f->sockets_start);

	for (uint32_t k = 0; k < f->chunks * RUN_CHUNK_SOCKETS; k++)
		if (s[k].refs && i-- == 0)
			return &s[k];
	return NULL;
}

unsigned child_open_sockets(const struct child *c, size_t file)
{
	unsigned n = 0;

	while (child_socket(c, file, n))
		n++;
	return n;
}

size_t child_file_of(const struct child *c, int pid)
{
	for (size_t f = 0; f < c->n_files; f++)
		if (c->files[f]->pid == pid)
			return f;
	cr_assert_fail("%s: no run file of process %d", name_of(c), pid);
	return 0;
}

long child_said(const struct child *c, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = c->out; p; p = strchr(p, '\n')) {
		p += *p == '\n';
		if (strncmp(p, name, n) == 0 && p[n] == '=')
			return strtol(p + n + 1, NULL, 0);
	}
	cr_assert_fail("%s: did not say %s=", name_of(c), name);
	return 0;
}
