/* trace.c - follows trace rings.
 *
 * Each process has a ring of its own; new ones show up in the directory, which inotify tells. A step reads
 * what all of them have, sorts it by time and writes it. A ring whose process is gone is read to its end
 * and closed, so that a run of many processes does not need as many descriptors.
 */
#include "launch/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "launch/calltext.h"
#include "launch/message.h"

#define BATCH	256		/* events read at once */
#define STEP	65536		/* events held at once, to be sorted */

struct source {
	char name[72];		/* of the trace file */
	char program[64];
	pid_t pid;
	struct run_ring ring;	/* fd -1: done with */
	uint64_t lost_said;
};

struct pending {
	struct run_event event;
	size_t source;
};

struct tracer {
	const struct rundir *run;
	const struct trace_options *o;
	int inotify;
	bool rescan;
	struct source *sources;
	size_t n_sources;
	struct pending *pending;
	size_t n_pending, room;
	uint64_t lost;
	bool failed;
};

void trace_options_init(struct trace_options *o)
{
	memset(o, 0, sizeof(*o));
	memset(o->calls, 1, sizeof(o->calls));
}

int trace_options_calls(struct trace_options *o, const char *command, const char *list)
{
	bool except = list[0] == '!';

	memset(o->calls, except, sizeof(o->calls));
	for (list += except; *list; list += *list == ',') {
		size_t n = strcspn(list, ",");
		bool found = false;

		for (int i = 0; i < CALLS; i++) {
			if (strncmp(call_infos[i].name, list, n) || call_infos[i].name[n])
				continue;
			o->calls[i] = !except;
			found = true;
		}
		if (n && !found) {
			message_usage(command, "-e %.*s: sockshim sees no such call", (int)n, list);
			return -1;
		}
		list += n;
	}
	return 0;
}

struct tracer *tracer_open(const struct rundir *run, const struct trace_options *o)
{
	struct tracer *t = calloc(1, sizeof(*t));
	char path[64];

	if (!t)
		return NULL;
	t->run = run;
	t->o = o;
	t->rescan = true;
	t->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", run->fd);
	if (t->inotify < 0 || (inotify_add_watch(t->inotify, path, IN_CREATE | IN_MOVED_TO) < 0 &&
			       inotify_add_watch(t->inotify, run->path, IN_CREATE | IN_MOVED_TO) < 0))
		message_warning("%s: cannot watch for new processes: %s; they are looked for instead", run->path,
				strerror(errno));
	return t;
}

int tracer_fd(const struct tracer *t)
{
	return t->inotify;
}

bool tracer_failed(const struct tracer *t)
{
	return t->failed;
}

static bool is_known(const struct tracer *t, const char *name)
{
	for (size_t i = 0; i < t->n_sources; i++)
		if (!strcmp(t->sources[i].name, name))
			return true;
	return false;
}

static bool wants_pid(const struct trace_options *o, pid_t pid)
{
	for (size_t i = 0; i < o->n_pids; i++)
		if (o->pids[i] == pid)
			return true;
	return o->n_pids == 0;
}

/* Adds the trace of an image, if it has one yet. */
static void add_source(struct tracer *t, const struct run_image *image)
{
	struct source s = { .pid = image->file->pid };
	struct run_error err;
	void *p;
	int rc;

	snprintf(s.name, sizeof(s.name), "%s.trace", image->name);
	snprintf(s.program, sizeof(s.program), "%s", image->file->program);
	if (is_known(t, s.name) || !wants_pid(t->o, s.pid))
		return;
	rc = run_ring_open(&s.ring, t->run->fd, s.name, &err);
	if (rc == -EAGAIN)
		t->rescan = true;	/* it is just being made */
	if (rc < 0 && rc != -EAGAIN && rc != -ENOENT) {
		message_warning("%s/%s: cannot read: %s", t->run->path, s.name, err.text);
		s.ring.fd = -1;
	} else if (rc < 0) {
		return;
	}
	p = reallocarray(t->sources, t->n_sources + 1, sizeof(*t->sources));
	if (!p) {
		run_ring_close(&s.ring);
		return;
	}
	t->sources = p;
	t->sources[t->n_sources++] = s;
}

/* Looks at all images: at first, and where the names of new files do not say enough. */
static void scan_sources(struct tracer *t)
{
	struct run_images images;

	t->rescan = false;
	if (rundir_images(t->run, &images) < 0)
		return;
	for (size_t i = 0; i < images.n; i++)
		add_source(t, images.v[i]);
	run_images_free(&images);
}

/* Looks at the one image whose trace has just been made: a run may have thousands. */
static void add_named(struct tracer *t, const char *trace)
{
	struct run_image *image;
	struct run_error err;
	char name[72];
	int rc;

	if (t->run->pid || t->run->family[0]) {
		t->rescan = true;
		return;
	}
	snprintf(name, sizeof(name), "%.*s", (int)(strlen(trace) - strlen(".trace")), trace);
	rc = run_image_read(t->run->fd, name, &image, &err);
	if (rc == 0) {
		add_source(t, image);
		run_image_free(image);
	} else if (rc == -EAGAIN) {
		t->rescan = true;
	}
}

static void find_sources(struct tracer *t)
{
	char buf[4096] __attribute__((aligned(8)));
	ssize_t n;

	while (t->inotify >= 0 && (n = read(t->inotify, buf, sizeof(buf))) > 0) {
		for (char *p = buf; p < buf + n;) {
			const struct inotify_event *e = (const struct inotify_event *)p;

			if (e->mask & IN_Q_OVERFLOW)
				t->rescan = true;
			else if (e->len && run_name_is_trace(e->name, NULL, NULL))
				add_named(t, e->name);
			p += sizeof(*e) + e->len;
		}
	}
	if (t->rescan || t->inotify < 0)
		scan_sources(t);
}

static void keep(struct tracer *t, const struct run_event *e, size_t source)
{
	if (e->call < CALLS && !t->o->calls[e->call])
		return;
	if (t->n_pending == t->room) {
		size_t room = t->room ? t->room * 2 : 1024;
		void *p = reallocarray(t->pending, room, sizeof(*t->pending));

		if (!p) {
			t->lost++;
			return;
		}
		t->pending = p;
		t->room = room;
	}
	t->pending[t->n_pending++] = (struct pending){ *e, source };
}

/* Gives back what an ended process has not used of its ring: a ring takes megabytes, and a run may have
 * thousands. A hole, not a shorter file: whoever still has it mapped must not get SIGBUS. */
static void shrink(const struct tracer *t, const struct source *s)
{
	off_t used = (off_t)(sizeof(struct run_trace) + s->ring.next * sizeof(struct run_event));
	off_t whole = (off_t)(sizeof(struct run_trace) + s->ring.capacity * sizeof(struct run_event));
	int fd;

	if (s->ring.next >= s->ring.capacity)
		return;
	fd = openat(t->run->fd, s->name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return;
	/* Not every file system can; then it stays as it is. */
	fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, used, whole - used);
	close(fd);
}

/* Reads what one ring has. */
static void drain(struct tracer *t, size_t i, bool final)
{
	struct source *s = &t->sources[i];
	/* First whether it is gone, then what it left: nothing can come in between. */
	bool ended = kill(s->pid, 0) < 0 && errno == ESRCH, gone = final || ended;
	struct run_event events[BATCH];
	int n = 0;

	while (t->n_pending < STEP && (n = run_ring_read(&s->ring, events, BATCH, gone)) > 0)
		for (int k = 0; k < n; k++)
			keep(t, &events[k], i);
	t->lost += s->ring.lost - s->lost_said;
	s->lost_said = s->ring.lost;
	if (n < 0)
		message_warning("%s/%s: is damaged; no more is read from it", t->run->path, s->name);
	if (n == 0 && ended)
		shrink(t, s);
	if (n < 0 || (n == 0 && gone))
		run_ring_close(&s->ring);
}

static int by_time(const void *pa, const void *pb)
{
	const struct pending *a = pa, *b = pb;

	if (a->event.time_ns != b->event.time_ns)
		return a->event.time_ns < b->event.time_ns ? -1 : 1;
	if (a->source != b->source)
		return a->source < b->source ? -1 : 1;
	return a->event.seq < b->event.seq ? -1 : a->event.seq > b->event.seq;
}

static void print_event(const struct tracer *t, const struct run_event *e, const struct calltext_caller *caller)
{
	char line[1400];
	json_t *o;

	if (!t->o->json) {
		fprintf(t->o->out, "%s\n", calltext_line(line, sizeof(line), e, caller));
		return;
	}
	o = calltext_json(e, caller);
	json_dumpf(o, t->o->out, JSON_COMPACT);
	fputc('\n', t->o->out);
	json_decref(o);
}

static void flush(struct tracer *t)
{
	if (fflush(t->o->out) == 0 && !ferror(t->o->out))
		return;
	if (!t->failed && errno != EPIPE)
		message_error("%s: cannot write the trace: %s", t->o->path ? t->o->path : "trace", strerror(errno));
	t->failed = true;
}

static size_t step(struct tracer *t, bool final)
{
	size_t n;

	find_sources(t);
	for (size_t i = 0; i < t->n_sources; i++)
		if (t->sources[i].ring.fd >= 0)
			drain(t, i, final);
	n = t->n_pending;
	if (n)
		qsort(t->pending, n, sizeof(*t->pending), by_time);
	for (size_t i = 0; i < n && !t->failed; i++) {
		const struct source *s = &t->sources[t->pending[i].source];
		struct calltext_caller caller = { s->pid, s->program };

		print_event(t, &t->pending[i].event, &caller);
	}
	t->n_pending = 0;
	if (n)
		flush(t);
	return n;
}

size_t tracer_step(struct tracer *t)
{
	return step(t, false);
}

void tracer_recent(struct tracer *t)
{
	struct run_event events[RUN_EVENTS];
	struct run_images images;

	if (rundir_images(t->run, &images) < 0)
		return;
	for (size_t i = 0; i < images.n; i++) {
		const struct run_file *f = images.v[i]->file;
		struct calltext_caller caller = { f->pid, f->program };
		char name[72];
		size_t n;

		snprintf(name, sizeof(name), "%s.trace", images.v[i]->name);
		if (is_known(t, name) || !wants_pid(t->o, f->pid))
			continue;
		n = run_image_events(images.v[i], events);
		if (f->events_next > n)
			t->lost += f->events_next - n;
		for (size_t k = 0; k < n; k++)
			if (events[k].call >= CALLS || t->o->calls[events[k].call])
				print_event(t, &events[k], &caller);
	}
	run_images_free(&images);
	flush(t);
}

void tracer_finish(struct tracer *t)
{
	while (step(t, true) >= STEP)
		;
	if (t->lost && t->o->json) {
		fprintf(t->o->out, "{\"lost\":%llu}\n", (unsigned long long)t->lost);
		flush(t);
	}
	if (t->lost)
		message_warning("%llu calls are not shown: they came faster than they could be read, or before tracing began",
				(unsigned long long)t->lost);
	for (size_t i = 0; i < t->n_sources; i++)
		if (t->sources[i].ring.fd >= 0)
			run_ring_close(&t->sources[i].ring);
	if (t->inotify >= 0)
		close(t->inotify);
	free(t->sources);
	free(t->pending);
	free(t);
}
