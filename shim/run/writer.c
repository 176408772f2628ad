/* writer.c - making and mapping the process's file in the run. */
#include "run/writer.h"

#include <fcntl.h>
#include <stddef.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>

#include "run/clock.h"
#include "run/complain.h"
#include "run/config.h"
#include "run/errno_name.h"
#include "run/sys.h"
#include "run/text.h"

#define TRACE_EVENTS_DEFAULT 32768
#define PATH_BYTES 300

void run_say(struct run_writer *w, const char *what, const char *value, int err, const char *then)
{
	char buf[512];
	struct text t = text_to(buf, sizeof(buf));

	if (w->control && __atomic_fetch_or(&w->control->flags, RUN_SAID, __ATOMIC_RELAXED) & RUN_SAID)
		return;
	text_str(&t, "sockshim: ");
	text_str(&t, what);
	if (value) {
		text_str(&t, " ");
		text_str(&t, value);
	}
	if (err) {
		const char *name = errno_name(err);

		text_str(&t, ": ");
		text_str(&t, name ? name : "unknown error");
	}
	text_str(&t, "; ");
	text_str(&t, then);
	text_char(&t, '\n');
	text_end(&t);
	run_complain(buf, t.len < t.n ? t.len : t.n - 1, 0);
}

static void *map_private(size_t bytes)
{
	long p = sys(SYS_mmap, NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p < 0 && p > -4096 ? NULL : (void *)p;
}

static void *map_shared(int fd, uint64_t start, size_t bytes)
{
	long p = sys(SYS_mmap, NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, start);

	return p < 0 && p > -4096 ? NULL : (void *)p;
}

/* Opens without ever occupying 0, 1 or 2, which a program may have closed and mean to fill itself. */
static int open_high(const char *path, int flags, int mode)
{
	int fd = (int)sys(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC | O_NOFOLLOW, mode), high;

	if (fd < 0 || fd > 2)
		return fd;
	high = (int)sys(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 3);
	sys(SYS_close, fd);
	return high;
}

/* Gives a range of the file its blocks, so that a full disk is an error here and not SIGBUS later. */
static int allocate(int fd, uint64_t start, uint64_t bytes)
{
	static const char zero[4096];
	struct rlimit limit;
	int err;

	/* Beyond the limit the kernel sends SIGXFSZ, which would be the program's end. */
	if (sys(SYS_prlimit64, 0, RLIMIT_FSIZE, NULL, &limit) == 0 && start + bytes > limit.rlim_cur)
		return -EFBIG;
	err = (int)sys(SYS_fallocate, fd, 0, start, bytes);

	if (err != -EOPNOTSUPP)
		return err;
	for (uint64_t at = start; at < start + bytes; at += sizeof(zero)) {
		long n = sys(SYS_pwrite64, fd, zero, sizeof(zero), at);

		if (n != (long)sizeof(zero))
			return n < 0 ? (int)n : -ENOSPC;
	}
	return 0;
}

static void path_of(char *path, const struct run_writer *w, const char *suffix)
{
	struct text t = text_to(path, PATH_BYTES);

	text_str(&t, w->dir);
	text_char(&t, '/');
	text_str(&t, w->name);
	text_str(&t, suffix);
	text_end(&t);
}

static void set_name(struct run_writer *w, unsigned n, int pid)
{
	struct text t = text_to(w->name, sizeof(w->name));

	text_uint(&t, n);
	text_char(&t, '-');
	text_int(&t, pid);
	text_end(&t);
}

/* A new file in a directory that `sockshim run` made: the first N-PID that is not there. */
static int create_in_run(struct run_writer *w, int pid)
{
	char path[PATH_BYTES];

	for (unsigned n = 0; n < 10000; n++) {
		int fd;

		set_name(w, n, pid);
		path_of(path, w, "");
		fd = open_high(path, O_RDWR | O_CREAT | O_EXCL, 0600);
		if (fd != -EEXIST)
			return fd;
	}
	return -EEXIST;
}

/* <base>/plain, made if it is not there; it must be the user's own, and nobody else's to write in. */
static int make_plain_dir(struct run_writer *w)
{
	struct text t = text_to(w->dir, sizeof(w->dir));
	uid_t uid = (uid_t)sys(SYS_geteuid, 0);
	struct stat st;
	int fd, err;

	run_config_base(&t);
	text_end(&t);
	for (int level = 0; level < 2; level++) {
		int made;

		if (level == 1)
			text_str(&t, "/plain");
		if ((size_t)text_end(&t) >= sizeof(w->dir) - sizeof("/plain") - 1 && level == 0)
			return -ENAMETOOLONG;
		made = (int)sys(SYS_mkdirat, AT_FDCWD, w->dir, 0700);
		fd = open_high(w->dir, O_RDONLY | O_DIRECTORY, 0);
		if (fd < 0)
			return made < 0 && made != -EEXIST ? made : fd;
		err = fstat(fd, &st) < 0 ? -EACCES : 0;
		sys(SYS_close, fd);
		if (err || st.st_uid != uid || (st.st_mode & 022))
			return err ? err : -EPERM;
	}
	return 0;
}

/* The next number in <base>/plain, counted round by all processes in a file of four bytes. */
static unsigned plain_turn(struct run_writer *w)
{
	char path[PATH_BYTES];
	uint32_t turn = 0, *counter;
	int fd;

	strcpy(w->name, "next");
	path_of(path, w, "");
	fd = open_high(path, O_RDWR | O_CREAT, 0600);
	if (fd < 0)
		return 0;
	counter = allocate(fd, 0, 4096) == 0 ? map_shared(fd, 0, 4096) : NULL;
	sys(SYS_close, fd);
	if (counter) {
		turn = __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
		sys(SYS_munmap, counter, 4096);
	}
	return turn % RUN_PLAIN_FILES;
}

/* Whether the file of a number is free to be used again: its process is gone. */
static bool plain_free(const char *path)
{
	char head[offsetof(struct run_file, pid) + sizeof(int32_t)];	/* the stack may be a signal handler's */
	int fd = open_high(path, O_RDONLY, 0);
	int32_t pid;
	long n;

	if (fd < 0)
		return fd == -ENOENT;
	n = sys(SYS_pread64, fd, head, sizeof(head), 0);
	sys(SYS_close, fd);
	memcpy(&pid, head + offsetof(struct run_file, pid), sizeof(pid));
	return n < (long)sizeof(head) || sys(SYS_kill, pid, 0) == -ESRCH;
}

/* A file in <base>/plain: RUN_PLAIN_FILES of them are kept, the oldest dead ones make room. */
static int create_plain(struct run_writer *w)
{
	char path[PATH_BYTES];
	unsigned first;
	int err = make_plain_dir(w);

	if (err)
		return err;
	first = plain_turn(w);
	for (unsigned i = 0; i < RUN_PLAIN_FILES; i++) {
		struct text t = text_to(w->name, sizeof(w->name));
		int fd;

		text_uint(&t, (first + i) % RUN_PLAIN_FILES);
		text_end(&t);
		path_of(path, w, "");
		if (!plain_free(path))
			continue;
		sys(SYS_unlinkat, AT_FDCWD, path, 0);
		fd = open_high(path, O_RDWR | O_CREAT | O_EXCL, 0600);
		path_of(path, w, ".trace");
		sys(SYS_unlinkat, AT_FDCWD, path, 0);
		if (fd != -EEXIST)
			return fd;
	}
	return -EUSERS;
}

static void copy_text(char *to, size_t n, const char *from)
{
	struct text t = text_to(to, n);

	text_str(&t, from);
	text_end(&t);
}

static void read_command(struct run_file *f)
{
	int fd = open_high("/proc/self/cmdline", O_RDONLY, 0);
	const char *base;
	long n;

	if (fd < 0)
		return;
	n = sys(SYS_read, fd, f->command, sizeof(f->command) - 1);
	sys(SYS_close, fd);
	if (n <= 0)
		return;
	base = strrchr(f->command, '/');
	copy_text(f->program, sizeof(f->program), base ? base + 1 : f->command);
}

static uint64_t parse_seed(const char *s)
{
	uint64_t v = 0;
	int base = 10;

	if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
		base = 16;
		s += 2;
	}
	for (; *s; s++) {
		int d = *s >= '0' && *s <= '9' ? *s - '0' : (*s | 32) >= 'a' && (*s | 32) <= 'f' ?
			(*s | 32) - 'a' + 10 : 99;

		if (d >= base)
			break;
		v = v * (unsigned)base + (unsigned)d;
	}
	return v;
}

/* The block that holds when there is no run: what the environment says of seed, trace, backtrace and times. Rules
 * are put in by whoever parses them. */
static void control_init(struct run_control *c)
{
	const struct run_config *cfg = run_config();

	c->magic = RUN_CONTROL_MAGIC;
	c->version = RUN_VERSION;
	c->generation = RUN_GENERATION_FIRST;
	c->next_rule = 1;
	c->trace_events = TRACE_EVENTS_DEFAULT;
	c->flags = (cfg->trace && cfg->trace[0] != '0' ? RUN_TRACE : 0) | (cfg->times && cfg->times[0] != '0' ? RUN_TIMES : 0);
	c->backtrace = cfg->backtrace ? (uint32_t)parse_seed(cfg->backtrace) : 0;
	if (c->backtrace > RUN_BACKTRACE)
		c->backtrace = RUN_BACKTRACE;
	c->seed = cfg->seed ? parse_seed(cfg->seed) : run_clock_ns(CLOCK_REALTIME) * 0x9e3779b97f4a7c15ull;
}

static uint64_t hash_text(uint64_t h, const char *s)
{
	for (; *s; s++)
		h = (h ^ (uint8_t)*s) * 0x100000001b3ull;
	return h;
}

/* Where the file is when there is neither disk nor memory for it. A forked child has its parent's contents
 * there. */
static char last_resort[RUN_FILE_BYTES + sizeof(struct run_control)] __attribute__((aligned(4096)));

static void file_init(struct run_writer *w, const struct run_file *parent, uint64_t control_start,
		      uint64_t sockets_start)
{
	struct run_file *f = w->file;

	if (parent)
		f->forked_from = parent->pid;
	f->version = RUN_VERSION;
	f->header_bytes = sizeof(*f);
	f->pid = (int32_t)sys(SYS_getpid, 0);
	f->ppid = (int32_t)sys(SYS_getppid, 0);
	f->uid = (uint32_t)sys(SYS_getuid, 0);
	f->state = RUN_ALIVE;
	f->started_ns = run_clock_ns(CLOCK_REALTIME);
	f->boot_ns = run_clock_ns(CLOCK_BOOTTIME);
	f->started_mono_ns = run_clock_ns(CLOCK_MONOTONIC);
	f->started_ticks = run_clock_ticks();
	f->control_start = control_start;
	f->sockets_start = sockets_start;
	if (parent == f) {
		memset(f->stats, 0, sizeof(f->stats));
		f->takes = (struct run_takes){ 0 };
		memset(f->rules, 0, sizeof(f->rules));
	} else if (parent) {
		memcpy(f->program, parent->program, sizeof(f->program));
		memcpy(f->command, parent->command, sizeof(f->command));
		memcpy(f->control_file, parent->control_file, sizeof(f->control_file));
		memcpy(f->modules, parent->modules, sizeof(f->modules));
	} else {
		read_command(f);
		copy_text(f->control_file, sizeof(f->control_file), control_start ? w->name : "control");
	}
	/* The magic last: a reader that finds it finds the rest. */
	__atomic_store_n(&f->magic, RUN_MAGIC, __ATOMIC_RELEASE);
}

/* Maps the control block of a run directory. -EPROTONOSUPPORT: another version of sockshim made it. */
static int open_control(struct run_writer *w)
{
	char path[PATH_BYTES];
	struct run_control *c;
	struct stat st;
	int fd;

	strcpy(w->name, "control");
	path_of(path, w, "");
	fd = open_high(path, O_RDWR, 0);
	if (fd < 0)
		return fd;
	c = fstat(fd, &st) == 0 && st.st_size >= (off_t)sizeof(*c) ? map_shared(fd, 0, sizeof(*c)) : NULL;
	sys(SYS_close, fd);
	if (!c)
		return -EINVAL;
	if (c->magic != RUN_CONTROL_MAGIC || c->version != RUN_VERSION) {
		sys(SYS_munmap, c, sizeof(*c));
		return -EPROTONOSUPPORT;
	}
	w->control = c;
	return 0;
}

/* Makes the file and maps `bytes` of it. */
static int map_file(struct run_writer *w, uint64_t bytes)
{
	bool plain = !run_config()->run;
	char path[PATH_BYTES];
	int fd = plain ? create_plain(w) : create_in_run(w, (int)sys(SYS_getpid, 0)), err;

	if (fd < 0)
		return fd;
	err = allocate(fd, 0, bytes);
	w->file = err ? NULL : map_shared(fd, 0, bytes);
	sys(SYS_close, fd);
	if (w->file)
		return 0;
	path_of(path, w, "");
	sys(SYS_unlinkat, AT_FDCWD, path, 0);
	return err ? err : -ENOMEM;
}

/* What can be done before the file is made: the run's directory and control block. */
static int join_run(struct run_writer *w)
{
	const struct run_config *cfg = run_config();

	if (cfg->secure)
		return -EPERM;
	if (!cfg->run)
		return 0;
	if (strlen(cfg->run) >= sizeof(w->dir))
		return -ENAMETOOLONG;
	strcpy(w->dir, cfg->run);
	return open_control(w);
}

static const char in_memory[] = "statistics are not kept; the program goes on";

void run_writer_open(struct run_writer *w, bool forked)
{
	const struct run_file *parent = forked ? w->file : NULL;
	int err = !parent ? join_run(w) : w->mapped ? 0 : -EPERM;
	uint64_t control_start = w->control ? 0 : RUN_FILE_BYTES;
	uint64_t bytes = RUN_FILE_BYTES + (w->control ? 0 : sizeof(struct run_control));

	w->file = NULL;
	if (!err)
		err = map_file(w, bytes);
	w->mapped = w->file != NULL;
	if (!w->file)
		w->file = map_private(bytes);
	if (!w->file)
		w->file = (struct run_file *)last_resort;
	if (!w->control) {
		w->control = (struct run_control *)((char *)w->file + control_start);
		control_init(w->control);
	}
	file_init(w, parent, control_start, bytes);
	w->file->seed = hash_text(w->control->seed, w->file->program);
	if (err && !parent && !run_config()->secure)
		run_say(w, "cannot keep a run file in", w->dir, -err, in_memory);
}

static struct run_socket *unseen_chunk(void)
{
	struct run_socket *chunk = map_private(RUN_CHUNK_BYTES);

	for (unsigned i = 0; chunk && i < RUN_CHUNK_SOCKETS; i++)
		chunk[i].flags = RUN_SOCK_UNSEEN;
	return chunk;
}

struct run_socket *run_writer_chunk(struct run_writer *w, unsigned i)
{
	uint32_t place = i < RUN_CHUNKS_MAX ? RUN_SPILL_CHUNKS + i : i - RUN_CHUNKS_MAX;
	uint64_t start = w->file->sockets_start + (uint64_t)place * RUN_CHUNK_BYTES;
	char path[PATH_BYTES];
	void *chunk = NULL;
	uint32_t have = __atomic_load_n(&w->file->chunks, __ATOMIC_RELAXED);
	int fd = -1;

	if (w->mapped) {
		path_of(path, w, "");
		fd = open_high(path, O_RDWR, 0);
	}
	if (fd >= 0) {
		chunk = allocate(fd, start, RUN_CHUNK_BYTES) == 0 ? map_shared(fd, start, RUN_CHUNK_BYTES) : NULL;
		sys(SYS_close, fd);
	}
	if (!chunk)
		return unseen_chunk();
	while (have < place + 1 && !__atomic_compare_exchange_n(&w->file->chunks, &have, place + 1, 0,
								__ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
	return chunk;
}

struct run_trace *run_writer_trace(struct run_writer *w)
{
	uint32_t events = w->control->trace_events;
	char path[PATH_BYTES];
	struct run_trace *t;
	uint64_t bytes;
	int fd;

	if (!w->mapped || events < 64 || events > 1u << 24 || (events & (events - 1)))
		return NULL;
	bytes = sizeof(*t) + (uint64_t)events * sizeof(struct run_event);
	path_of(path, w, ".trace");
	fd = open_high(path, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (fd < 0)
		return NULL;
	t = allocate(fd, 0, bytes) == 0 ? map_shared(fd, 0, bytes) : NULL;
	sys(SYS_close, fd);
	if (!t) {
		sys(SYS_unlinkat, AT_FDCWD, path, 0);
		return NULL;
	}
	t->version = RUN_VERSION;
	t->capacity = events;
	__atomic_store_n(&t->magic, RUN_TRACE_MAGIC, __ATOMIC_RELEASE);
	return t;
}
