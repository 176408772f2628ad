/* run_reader.c - fuzzes the readers of run files, control blocks and traces, and all that shows them. The
 * first byte says which file the rest becomes; fields that every file must have right are set right half of
 * the time, so that what is behind them is reached. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "launch/calltext.h"
#include "launch/message.h"
#include "launch/report.h"
#include "launch/symbol.h"
#include "launch/trace.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct rundir run = { .id = "fuzz-0000", .fd = -1 };
static FILE *null;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	snprintf(run.path, sizeof(run.path), "%s", "/tmp/run-fuzz-XXXXXX");
	if (!mkdtemp(run.path))
		abort();
	run.fd = open(run.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	flock(run.fd, LOCK_SH);		/* as by a launcher, or its members would be looked for in all of /proc */
	null = fopen("/dev/null", "we");
	message_quiet = true;
	return 0;
}

static void write_file(const char *name, const void *bytes, size_t n)
{
	int fd = openat(run.fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, bytes, n) != (ssize_t)n)
		abort();
	close(fd);
}

/* Bytes of a file of at least `least`, the input repeated over it from `at` on. */
static uint8_t *spread(const uint8_t *data, size_t size, size_t at, size_t least)
{
	uint8_t *file = calloc(1, least);

	for (size_t i = 0; size && at + i < least; i++)
		file[at + i] = data[i % size] ^ (uint8_t)(i / size * 31);
	return file;
}

static void fuzz_image(const uint8_t *data, size_t size, bool right)
{
	size_t n = sizeof(struct run_file) + sizeof(struct run_control) + 2 * RUN_CHUNK_BYTES;
	struct run_file *f = (struct run_file *)spread(data, size, right ? offsetof(struct run_file, started_ns) : 0, n);

	if (right) {
		f->magic = RUN_MAGIC;
		f->version = RUN_VERSION;
		f->header_bytes = sizeof(*f);
		f->pid = getpid();
		f->state = 1 + size % 3;
		f->chunks %= 4;
		f->sockets_start = sizeof(*f) + f->sockets_start % sizeof(struct run_control);
		f->control_start = 0;
		f->control_file[0] = 'c';
		for (size_t i = 0; i < sizeof(f->control_file); i++)
			f->control_file[i] = f->control_file[i] == '/' ? 'x' : f->control_file[i];
	}
	write_file("0-1", f, right || size > n ? n : size);
	free(f);
}

static void fuzz_control(const uint8_t *data, size_t size, bool right)
{
	struct run_control *c = (struct run_control *)spread(data, size, right ? offsetof(struct run_control, flags) : 0,
							     sizeof(*c));

	if (right) {
		c->magic = RUN_CONTROL_MAGIC;
		c->version = RUN_VERSION;
		c->rules_bytes %= 200;
		memset(c->rules, 0, sizeof(c->rules));
		memcpy(c->rules, data, size < 199 ? size : 199);
		c->rules_bytes = (uint32_t)strlen(c->rules);
	}
	write_file("control", c, sizeof(*c));
	free(c);
}

static void fuzz_trace(const uint8_t *data, size_t size, bool right)
{
	size_t n = sizeof(struct run_trace) + 64 * sizeof(struct run_event);
	struct run_trace *t = (struct run_trace *)spread(data, size, 0, n);
	struct run_file f = { .magic = RUN_MAGIC, .version = RUN_VERSION, .header_bytes = sizeof(f), .pid = 1,
			      .state = RUN_EXITED };

	if (right) {
		struct run_event *e = (struct run_event *)(t + 1);

		t->magic = RUN_TRACE_MAGIC;
		t->version = RUN_VERSION;
		t->capacity = 64;
		t->next %= 200;
		for (uint64_t i = t->next > 64 ? t->next - 64 : 0; i < t->next; i++)
			if (e[i % 64].seq & 7) {
				e[i % 64].seq = i + 1;
				e[i % 64].call %= CALLS + 1;
			}
	}
	write_file("0-1", &f, sizeof(f));
	write_file("0-1.trace", t, right || size > n ? n : size);
	free(t);
}

/* All that is ever done with a run. */
static void show(bool traces, enum report_format format)
{
	struct report_options options = { format, true, true };
	static unsigned turn, traced;
	struct trace_options o;
	struct report r;
	struct tracer *t;

	if (report_load(&r, &run) == 0) {
		report_stats(null, &r, &options);
		report_sockets(null, &r, &options);
		report_summary(null, &r, &options);
		report_free(&r);
	}
	/* Seldom, but for traces: the kernel takes long to end an inotify. */
	if (!traces && ++turn % 16)
		return;
	trace_options_init(&o);
	o.out = null;
	o.json = ++traced % 2;
	t = tracer_open(&run, &o);
	tracer_step(t);
	tracer_recent(t);
	tracer_finish(t);
	symbol_forget();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const kinds[])(const uint8_t *data, size_t size, bool right) = {
		fuzz_image, fuzz_control, fuzz_trace,
	};

	if (size < 1)
		return 0;
	kinds[(data[0] >> 1) % 3](data + 1, size - 1, data[0] & 1);
	show((data[0] >> 1) % 3 == 2, (enum report_format)(data[0] / 8 % 3));
	unlinkat(run.fd, "0-1", 0);
	unlinkat(run.fd, "0-1.trace", 0);
	unlinkat(run.fd, "control", 0);
	return 0;
}
