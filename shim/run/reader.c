/* reader.c - reads run files: images, control blocks, trace rings. */
#include "run/reader.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "run/stat.h"

const char *const run_fate_names[RUN_FATES] = { "running", "exited", "exec", "died" };

static int refuse(struct run_error *err, int code, const char *what)
{
	snprintf(err->text, sizeof(err->text), "%s", what);
	return code;
}

static int refuse_errno(struct run_error *err, const char *what, int code)
{
	snprintf(err->text, sizeof(err->text), "%s: %s", what, strerror(code));
	return -code;
}

static int refuse_version(struct run_error *err, uint32_t version)
{
	snprintf(err->text, sizeof(err->text), "layout version %u, this sockshim reads version %u",
		 version, RUN_VERSION);
	return -EPROTONOSUPPORT;
}

/* pread until n bytes are there or the file ends; returns the bytes read or -errno. */
static ssize_t read_at(int fd, void *buf, size_t n, uint64_t offset)
{
	size_t done = 0;

	while (done < n) {
		ssize_t r = pread(fd, (char *)buf + done, n - done, (off_t)(offset + done));

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		if (r == 0)
			break;
		done += (size_t)r;
	}
	return (ssize_t)done;
}

static int open_regular(int dir, const char *name, uint64_t *size, struct run_error *err)
{
	struct stat st;
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0)
		return refuse_errno(err, "open", errno);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return refuse(err, -EBADMSG, "not a regular file");
	}
	*size = (uint64_t)st.st_size;
	return fd;
}

/* "12-4711" in a run's directory, "12" in <base>/plain (pid: 0). */
static bool parse_name(const char *name, const char *suffix, unsigned long *number, pid_t *pid)
{
	unsigned long n, p = 0;
	char *end;

	if (!isdigit((unsigned char)name[0]))
		return false;
	n = strtoul(name, &end, 10);
	if (*end == '-' && isdigit((unsigned char)end[1]))
		p = strtoul(end + 1, &end, 10);
	if (strcmp(end, suffix) != 0 || p > INT32_MAX || strlen(name) >= 64)
		return false;
	if (number)
		*number = n;
	if (pid)
		*pid = (pid_t)p;
	return true;
}

bool run_name_is_file(const char *name, unsigned long *number, pid_t *pid)
{
	return parse_name(name, "", number, pid);
}

bool run_name_is_trace(const char *name, unsigned long *number, pid_t *pid)
{
	return parse_name(name, ".trace", number, pid);
}

/* The command line keeps the NULs between its arguments. */
static void clean_command(struct run_file *f)
{
	char *s = f->command, *end = f->command + sizeof(f->command);

	while (s < end) {
		size_t room = (size_t)(end - s);
		size_t len = strnlen(s, room);

		run_text_clean(s, len < room ? len + 1 : room);
		s += len + 1;
	}
	end[-1] = '\0';
}

static int check_header(struct run_file *f, uint64_t size, struct run_error *err)
{
	if (f->magic == 0)
		return refuse(err, -EAGAIN, "not complete yet");
	if (f->magic != RUN_MAGIC)
		return refuse(err, -EBADMSG, "not a run file");
	if (f->version != RUN_VERSION)
		return refuse_version(err, f->version);
	if (f->header_bytes != sizeof(*f))
		return refuse(err, -EBADMSG, "damaged: wrong header size");
	if (f->pid <= 0 || f->state < RUN_ALIVE || f->state > RUN_EXITED)
		return refuse(err, -EBADMSG, "damaged: no such pid or state");
	if (f->chunks > RUN_SPILL_CHUNKS + RUN_CHUNKS_MAX)
		return refuse(err, -EBADMSG, "damaged: too many sockets");
	if (f->chunks && (f->sockets_start < sizeof(*f) || f->sockets_start > size))
		return refuse(err, -EBADMSG, "damaged: sockets outside of the file");
	if (f->control_start && (f->control_start < sizeof(*f) || f->control_start > size ||
				 size - f->control_start < sizeof(struct run_control)))
		return refuse(err, -EBADMSG, "damaged: control block outside of the file");
	run_text_clean(f->control_file, sizeof(f->control_file));
	if (strchr(f->control_file, '/') || f->control_file[0] == '.')
		return refuse(err, -EBADMSG, "damaged: control file outside of the run");
	run_text_clean(f->program, sizeof(f->program));
	clean_command(f);
	for (size_t i = 0; i < RUN_MODULES; i++)
		run_text_clean(f->modules[i].path, sizeof(f->modules[i].path));
	return 0;
}

/* Reads the chunks, without the holes of the file, keeps the sockets in use, and adds what is counted in the places of all. */
static int read_sockets(int fd, struct run_image *image)
{
	uint64_t at = image->file->sockets_start, end = at + image->file->chunks * RUN_CHUNK_BYTES;
	struct run_socket chunk[RUN_CHUNK_SOCKETS];
	size_t room = 0;

	image->n_sockets = 0;
	free(image->sockets);
	image->sockets = NULL;
	while (at < end) {
		off_t data = lseek(fd, (off_t)at, SEEK_DATA);
		ssize_t got;

		if (data < 0 && errno == ENXIO)
			break;
		if (data > (off_t)at)
			at += ((uint64_t)data - at) / RUN_CHUNK_BYTES * RUN_CHUNK_BYTES;
		if (at >= end)
			break;
		got = read_at(fd, chunk, sizeof(chunk), at);
		if (got < 0)
			return (int)got;
		for (size_t i = 0; i < (size_t)got / sizeof(chunk[0]); i++) {
			run_stat_take(image->file->stats, &chunk[i]);
			if (chunk[i].refs == 0)
				continue;
			if (image->n_sockets == room) {
				void *p;

				room = room ? room * 2 : 16;
				p = reallocarray(image->sockets, room, sizeof(chunk[0]));
				if (!p)
					return -ENOMEM;
				image->sockets = p;
			}
			image->sockets[image->n_sockets++] = chunk[i];
		}
		if ((size_t)got < sizeof(chunk))
			break;
		at += sizeof(chunk);
	}
	return 0;
}

static int read_once(int fd, uint64_t size, struct run_image *image, struct run_error *err)
{
	int rc;

	if (read_at(fd, image->file, sizeof(*image->file), 0) != (ssize_t)sizeof(*image->file))
		return refuse(err, size ? -EBADMSG : -EAGAIN, size ? "too short" : "not complete yet");
	rc = check_header(image->file, size, err);
	if (rc < 0)
		return rc;
	rc = read_sockets(fd, image);
	return rc < 0 ? refuse_errno(err, "read", -rc) : 0;
}

#define READ_TRIES 50

/* Until nothing was moved from the places of sockets to the statistics meanwhile, which would be in neither, or until nothing more
 * is moved: the process may have been killed in the middle of it. */
static int read_image(int fd, uint64_t size, struct run_image *image, struct run_error *err)
{
	struct run_takes before = { 0, 0 }, after;

	for (int i = 0;; i++) {
		int rc = read_once(fd, size, image, err);

		if (rc < 0 || i == READ_TRIES || read_at(fd, &after, sizeof(after), offsetof(struct run_file, takes)) != sizeof(after))
			return rc;
		if (after.begun == image->file->takes.done || (i > 0 && memcmp(&before, &after, sizeof(after)) == 0))
			return 0;
		before = after;
	}
}

int run_image_read(int dir, const char *name, struct run_image **out, struct run_error *err)
{
	struct run_image *image;
	uint64_t size;
	int fd, rc;

	fd = open_regular(dir, name, &size, err);
	if (fd < 0)
		return fd;
	image = calloc(1, sizeof(*image));
	if (image)
		image->file = malloc(sizeof(*image->file));
	if (!image || !image->file) {
		close(fd);
		run_image_free(image);
		return refuse(err, -ENOMEM, "out of memory");
	}
	snprintf(image->name, sizeof(image->name), "%s", name);
	run_name_is_file(name, &image->number, NULL);
	rc = read_image(fd, size, image, err);
	close(fd);
	if (rc < 0) {
		run_image_free(image);
		return rc;
	}
	*out = image;
	return 0;
}

void run_image_free(struct run_image *image)
{
	if (!image)
		return;
	free(image->file);
	free(image->sockets);
	free(image);
}

/* When the process that has this pid now was started, in nanoseconds of CLOCK_BOOTTIME; 0: there is no
 * telling; UINT64_MAX: it is only a zombie. */
static uint64_t pid_started_ns(pid_t pid)
{
	char path[40], text[1024], state;
	unsigned long long ticks;
	ssize_t n;
	char *p;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read_at(fd, text, sizeof(text) - 1, 0);
	close(fd);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	p = strrchr(text, ')');		/* the name before it may hold anything */
	if (!p || sscanf(p + 1, " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
			 &state, &ticks) != 2)
		return 0;
	if (state == 'Z' || state == 'X')
		return UINT64_MAX;
	return ticks * (1000000000ull / (unsigned long long)sysconf(_SC_CLK_TCK));
}

bool run_image_alive(const struct run_image *image)
{
	const struct run_file *f = image->file;
	uint64_t started;

	if (kill(f->pid, 0) < 0 && errno == ESRCH)
		return false;
	started = pid_started_ns(f->pid);
	/* A later owner of the pid started after the file was made. One tick is the clock's grain. */
	return started == 0 || (started != UINT64_MAX && started <= f->boot_ns + 20000000);
}

static int by_age(const void *pa, const void *pb)
{
	const struct run_image *a = *(struct run_image *const *)pa, *b = *(struct run_image *const *)pb;

	if (a->file->boot_ns != b->file->boot_ns)
		return a->file->boot_ns < b->file->boot_ns ? -1 : 1;
	return a->number < b->number ? -1 : a->number > b->number;
}

static void set_fates(struct run_images *images)
{
	for (size_t i = 0; i < images->n; i++) {
		struct run_image *image = images->v[i];
		bool newer = false;

		for (size_t j = i + 1; j < images->n && !newer; j++)
			newer = images->v[j]->file->pid == image->file->pid;
		if (image->file->state == RUN_EXITED)
			image->fate = RUN_FATE_EXITED;
		else if (image->file->state == RUN_EXEC || newer)
			image->fate = RUN_FATE_EXECED;
		else
			image->fate = run_image_alive(image) ? RUN_FATE_RUNNING : RUN_FATE_DIED;
	}
}

int run_images_read(int dir, struct run_images *out)
{
	struct dirent *entry;
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	memset(out, 0, sizeof(*out));
	if (!d) {
		rc = -errno;
		if (fd >= 0)
			close(fd);
		return rc;
	}
	while ((entry = readdir(d)) != NULL) {
		struct run_error why;
		struct run_image *image;
		pid_t pid;
		void *p;

		if (!run_name_is_file(entry->d_name, NULL, &pid))
			continue;
		rc = run_image_read(dir, entry->d_name, &image, &why);
		if (rc == -EAGAIN || rc == -ENOENT)	/* being made, or removed meanwhile */
			continue;
		if (rc < 0) {
			if (out->refused++ == 0)
				snprintf(out->why.text, sizeof(out->why.text), "%.60s: %.90s",
					 entry->d_name, why.text);
			if (pid > 0 && (kill(pid, 0) == 0 || errno == EPERM))
				out->refused_lives = true;
			continue;
		}
		p = reallocarray(out->v, out->n + 1, sizeof(*out->v));
		if (!p) {
			run_image_free(image);
			break;
		}
		out->v = p;
		out->v[out->n++] = image;
	}
	closedir(d);
	if (out->n)
		qsort(out->v, out->n, sizeof(*out->v), by_age);
	set_fates(out);
	return 0;
}

void run_images_free(struct run_images *images)
{
	for (size_t i = 0; i < images->n; i++)
		run_image_free(images->v[i]);
	free(images->v);
	memset(images, 0, sizeof(*images));
}

const struct run_module *run_image_module(const struct run_image *image, uint64_t pc)
{
	for (size_t i = 0; i < RUN_MODULES; i++) {
		const struct run_module *m = &image->file->modules[i];

		if (m->start && pc >= m->start && pc < m->end)
			return m;
	}
	return NULL;
}

size_t run_image_events(const struct run_image *image, struct run_event *out)
{
	const struct run_file *f = image->file;
	uint64_t number = f->events_next > RUN_EVENTS ? f->events_next - RUN_EVENTS : 0;
	size_t n = 0;

	for (; number < f->events_next; number++) {
		const struct run_event *e = &f->events[number % RUN_EVENTS];

		if (e->seq == number + 1)
			out[n++] = *e;
	}
	return n;
}

int run_control_read(int fd, uint64_t offset, struct run_control *out, struct run_error *err)
{
	int rc;

	/* Writers hold the lock exclusively. Where there is no locking, a torn copy is the risk. */
	while (flock(fd, LOCK_SH) < 0 && errno == EINTR)
		;
	rc = run_control_read_locked(fd, offset, out, err);
	flock(fd, LOCK_UN);
	return rc;
}

int run_control_read_locked(int fd, uint64_t offset, struct run_control *out, struct run_error *err)
{
	ssize_t n = read_at(fd, out, sizeof(*out), offset);

	if (n < 0)
		return refuse_errno(err, "read", (int)-n);
	if (n != (ssize_t)sizeof(*out))
		return refuse(err, -EBADMSG, "control block: too short");
	if (out->magic != RUN_CONTROL_MAGIC)
		return refuse(err, -EBADMSG, "not a control block");
	if (out->version != RUN_VERSION)
		return refuse_version(err, out->version);
	if (out->rules_bytes >= sizeof(out->rules))
		return refuse(err, -EBADMSG, "damaged: rules too long");
	out->rules[out->rules_bytes] = '\0';
	if (strlen(out->rules) != out->rules_bytes)
		return refuse(err, -EBADMSG, "damaged: NUL inside of the rules");
	return 0;
}

static int read_ring_header(int fd, struct run_trace *t, struct run_error *err)
{
	ssize_t n = read_at(fd, t, offsetof(struct run_trace, reserved), 0);

	if (n < 0)
		return refuse_errno(err, "read", (int)-n);
	if (n == 0 || (n == (ssize_t)offsetof(struct run_trace, reserved) && t->magic == 0))
		return refuse(err, -EAGAIN, "not complete yet");
	if (n != (ssize_t)offsetof(struct run_trace, reserved) || t->magic != RUN_TRACE_MAGIC)
		return refuse(err, -EBADMSG, "not a trace");
	if (t->version != RUN_VERSION)
		return refuse_version(err, t->version);
	if (t->capacity == 0 || t->capacity > 1u << 24 || (t->capacity & (t->capacity - 1)))
		return refuse(err, -EBADMSG, "damaged: wrong capacity");
	return 0;
}

int run_ring_open(struct run_ring *ring, int dir, const char *name, struct run_error *err)
{
	struct run_trace t;
	uint64_t size;
	int fd = open_regular(dir, name, &size, err), rc;

	if (fd < 0)
		return fd;
	rc = read_ring_header(fd, &t, err);
	if (rc < 0) {
		close(fd);
		return rc;
	}
	*ring = (struct run_ring){ .fd = fd, .capacity = t.capacity };
	return 0;
}

/* Keeps of n copied events those that are whole, moves the ring on. `next`: the ring's, read after the copy. */
static size_t keep_whole(struct run_ring *ring, struct run_event *e, size_t n, uint64_t next, bool final)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t number = ring->next;

		/* A writer that has claimed number + capacity may have been in the slot as we copied it. */
		if (next - number > ring->capacity || e[i].seq > number + 1) {
			ring->lost++;
		} else if (e[i].seq == number + 1) {
			e[kept++] = e[i];
		} else {
			/* Claimed and not written yet. A writer that died there must not stop us for ever. */
			if (!final && next - number <= ring->capacity / 2)
				break;
			ring->lost++;
		}
		ring->next++;
	}
	return kept;
}

int run_ring_read(struct run_ring *ring, struct run_event *out, size_t max, bool final)
{
	for (;;) {
		struct run_trace t;
		struct run_error err;
		uint64_t before = ring->next, slot;
		size_t n;
		ssize_t got;

		if (read_ring_header(ring->fd, &t, &err) < 0 || t.capacity != ring->capacity)
			return -EBADMSG;
		if (t.next <= ring->next)
			return 0;
		if (t.next - ring->next > ring->capacity) {
			ring->lost += t.next - ring->capacity - ring->next;
			ring->next = t.next - ring->capacity;
		}
		slot = ring->next & (ring->capacity - 1);
		n = t.next - ring->next;
		n = n > max ? max : n;
		n = n > ring->capacity - slot ? ring->capacity - slot : n;
		got = read_at(ring->fd, out, n * sizeof(*out), sizeof(t) + slot * sizeof(*out));
		if (got < (ssize_t)sizeof(*out) || read_ring_header(ring->fd, &t, &err) < 0 ||
		    t.next < ring->next)
			return -EBADMSG;
		n = keep_whole(ring, out, (size_t)got / sizeof(*out), t.next, final);
		if (n || ring->next == before)
			return (int)n;
	}
}

void run_ring_close(struct run_ring *ring)
{
	close(ring->fd);
	ring->fd = -1;
}

/* Length of the valid UTF-8 sequence at s (of n bytes) that is no control character; 0: there is none. */
static size_t utf8_length(const unsigned char *s, size_t n)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = s[0] < 0x80 ? 1 : s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : s[0] >= 0xc0 ? 2 : 0;
	uint32_t c;

	if (len == 1)
		return s[0] >= 0x20 && s[0] != 0x7f;
	if (len == 0 || len > n || s[0] > 0xf4)
		return 0;
	c = s[0] & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) || (c >= 0x80 && c < 0xa0))
		return 0;
	return len;
}

size_t run_text_clean(char *s, size_t n)
{
	size_t i = 0;

	if (n == 0)
		return 0;
	s[n - 1] = '\0';
	while (s[i]) {
		size_t len = utf8_length((unsigned char *)s + i, n - i);

		if (len == 0)
			s[i] = '?';
		i += len ? len : 1;
	}
	return i;
}
