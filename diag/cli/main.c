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
static int list(const struct opts *o, struct sources *sources, const struct procs *procs, struct out *out)
{
	struct sink *sink = make_sink(o, procs, out);
	struct walk w;
	int rc;

	if (sink)
		sink->several = sources->n > 1;
	if (sink && o->kill)
		sink = kill_sink(o, sink);
	if (!sink)
		return EXIT_FAILED;
	rc = walk_open(&w, o, sources, sink);
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

static bool has_kind(const struct sources *sources, enum source_kind kind)
{
	for (size_t i = 0; i < sources->n; i++)
		if (sources->v[i].kind == kind)
			return true;
	return false;
}

/* Options that not every source can serve. */
static int check(const struct opts *o, const struct sources *sources)
{
	if ((o->kill || o->events || o->record) && has_kind(sources, SOURCE_RECORDING)) {
		fprintf(stderr, "sockdiag: -%c: '%s' is a recording\n", o->kill ? 'K' : o->events ? 'E' : 'D', o->source);
		return EXIT_FAILED;
	}
	if (!(o->tables & KIND_TCP) && has_kind(sources, SOURCE_RECORDING)) {
		fprintf(stderr, "sockdiag: '%s' is a recording, which has TCP sockets only\n", o->source);
		return EXIT_FAILED;
	}
	if (o->history && !has_kind(sources, SOURCE_SOCKET)) {
		fprintf(stderr, "sockdiag: --history: %s\n",
			strcmp(o->source, "kernel") ? "there is no stack here that keeps one" :
						      "the kernel keeps none; see --source");
		return EXIT_FAILED;
	}
	return EXIT_GOOD;
}

static int run(const struct opts *o, struct sources *sources, struct out *out)
{
	struct procs *procs = NULL;
	int rc = check(o, sources);

	if (rc != EXIT_GOOD)
		return rc;
	if (o->summary)
		return summary_show(o, sources, out); /* of the kernel without a socket: it would be counted */
	if (!sources_connect(sources))
		return EXIT_FAILED;
	if (o->record)
		return record_write(o, sources);
	if (o->watch_s > 0)
		return watch_show(o, sources, out);
	/* Stacks say themselves who made a socket. */
	if (o->processes && has_kind(sources, SOURCE_KERNEL)) {
		procs = procs_load(NULL, 0);
		if (!procs) {
			fputs("sockdiag: -p: /proc cannot be read\n", stderr);
			return EXIT_FAILED;
		}
	}
	rc = o->events ? events_show(o, sources, make_sink(o, procs, out)) : list(o, sources, procs, out);
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
	struct sources sources;
	struct opts o;
	struct out out;
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
	rc = sources_find(&sources, o.source);
	if (!rc) {
		out_open(&out, STDOUT_FILENO);
		rc = run(&o, &sources, &out);
		err = out_close(&out);
		if (err) {
			fprintf(stderr, "sockdiag: cannot write: %s\n", strerror(-err));
			rc = EXIT_FAILED;
		}
	}
	sources_close(&sources);
	filter_free(&o.filter);
	return rc;
}
