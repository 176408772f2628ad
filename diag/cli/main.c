/* sockdiag: lists sockets. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/events.h"
#include "cli/kill.h"
#include "cli/opts.h"
#include "cli/out.h"
#include "cli/procs.h"
#include "cli/record.h"
#include "cli/sink.h"
#include "cli/source.h"
#include "cli/summary.h"
#include "cli/walk.h"
#include "cli/watch.h"

static struct sink *make_sink(const struct opts *o, const struct procs *procs, struct out *out)
{
	switch (o->format) {
	case FORMAT_JSON:
	case FORMAT_NDJSON:
		return json_sink(o, procs, out);
	case FORMAT_OPENMETRICS:
		return metrics_sink(o, out);
	case FORMAT_PROCNET:
		return procnet_sink(o, out);
	case FORMAT_TEXT:
		break;
	}
	return text_sink(o, procs, out);
}

/* Looks once, showing what it finds, or with -K what it closed. */
static int list(const struct opts *o, struct source *source, const struct procs *procs, struct out *out)
{
	struct sink *sink = make_sink(o, procs, out);
	struct walk w;
	int rc;

	if (sink && o->kill)
		sink = kill_sink(o, source, sink);
	if (!sink)
		return EXIT_FAILED;
	rc = walk_open(&w, o, source, sink);
	if (!rc) {
		walk_look(&w);
		rc = walk_status(&w);
		if (o->kill && kill_failed(sink))
			rc = EXIT_FAILED;
	}
	sink->ops->end(sink, rc == EXIT_GOOD);
	walk_close(&w);
	return rc;
}

static int no_source(const struct opts *o, struct diag_err e)
{
	char text[128];

	fprintf(stderr, "sockdiag: source '%s': %s\n", o->source, diag_err_text(e, text, sizeof(text)));
	return EXIT_FAILED;
}

static int run(const struct opts *o, struct source *source, struct out *out)
{
	struct procs *procs = NULL;
	struct diag_err e;
	int rc;

	if (o->summary)
		return summary_show(o, source, out); /* of the kernel without a socket: it would be counted */
	if (o->events && source->kind != SOURCE_KERNEL) {
		fputs("sockdiag: -E: only the kernel tells of sockets being destroyed\n", stderr);
		return EXIT_FAILED;
	}
	e = source_connect(source);
	if (diag_failed(e))
		return no_source(o, e);
	if (o->record)
		return record_write(o, source);
	if (o->watch_s > 0)
		return watch_show(o, source, out);
	if (o->processes) {
		procs = procs_load();
		if (!procs) {
			fputs("sockdiag: -p: /proc cannot be read\n", stderr);
			return EXIT_FAILED;
		}
	}
	rc = o->events ? events_show(o, make_sink(o, procs, out)) : list(o, source, procs, out);
	procs_free(procs);
	return rc;
}

/* Enters a network namespace: a name that "ip netns" made, or a path such as /proc/PID/ns/net. */
static int enter_netns(const char *name)
{
	char path[PATH_MAX];
	int fd, rc;

	snprintf(path, sizeof(path), strchr(name, '/') ? "%s" : "/run/netns/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	rc = setns(fd, CLONE_NEWNET) < 0 ? -errno : 0;
	close(fd);
	return rc;
}

int main(int argc, char **argv)
{
	struct source source;
	struct opts o;
	struct out out;
	struct diag_err e;
	int rc = opts_parse(&o, argc, argv), err;

	if (rc >= 0) {
		filter_free(&o.filter);
		return rc;
	}
	if (o.netns) {
		err = enter_netns(o.netns);
		if (err) {
			fprintf(stderr, "sockdiag: network namespace '%s': %s\n", o.netns, strerror(-err));
			filter_free(&o.filter);
			return EXIT_FAILED;
		}
	}
	e = source_find(&source, o.source);
	if (diag_failed(e)) {
		rc = no_source(&o, e);
	} else {
		out_open(&out, STDOUT_FILENO);
		rc = run(&o, &source, &out);
		err = out_close(&out);
		if (err) {
			fprintf(stderr, "sockdiag: cannot write: %s\n", strerror(-err));
			rc = EXIT_FAILED;
		}
	}
	source_close(&source);
	filter_free(&o.filter);
	return rc;
}
