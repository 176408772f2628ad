/* command_list.c - sockshim list: the runs that are kept and their processes. */
#include <getopt.h>
#include <jansson.h>
#include <time.h>

#include "launch/command.h"
#include "launch/message.h"
#include "launch/report.h"

static void print_time(const struct report *r)
{
	time_t seconds = (time_t)(r->meta.started_ns / 1000000000);
	char text[32] = "-";
	struct tm tm;

	if (r->meta.started_ns && localtime_r(&seconds, &tm))
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	printf("  %-19s", text);
}

#define ENDED_SHOWN 10

static int list_text(struct rundir *run, void *user)
{
	size_t ended = 0, skipped = 0;
	struct report r;

	if (report_load(&r, run) < 0)
		return 0;
	printf("%-24s", run->id);
	print_time(&r);
	printf("  %-7s  %s\n", r.active ? "running" : "ended", run->plain ? "(without sockshim run)" : r.meta.command);
	for (size_t i = 0; i < r.images.n; i++)
		ended += r.images.v[i]->fate != RUN_FATE_RUNNING;
	for (size_t i = 0; i < r.images.n; i++) {
		const struct run_image *image = r.images.v[i];

		/* Of those that have ended, the last few; --json has them all. */
		if (image->fate != RUN_FATE_RUNNING && ended-- > ENDED_SHOWN)
			skipped++;
		else
			printf("    %-8d %-8s %4zu open  %s\n", image->file->pid, run_fate_names[image->fate],
			       image->n_sockets, image->file->program);
	}
	if (skipped)
		printf("    and %zu before them that have ended\n", skipped);
	report_free(&r);
	return 0;
}

static int list_json(struct rundir *run, void *user)
{
	json_t *list = json_array();
	char seed[24];
	struct report r;

	if (report_load(&r, run) < 0) {
		json_decref(list);
		return 0;
	}
	for (size_t i = 0; i < r.images.n; i++) {
		const struct run_image *image = r.images.v[i];

		json_array_append_new(list, json_pack("{s:i, s:s, s:s, s:I}", "pid", image->file->pid, "program",
			image->file->program, "process", run_fate_names[image->fate], "sockets",
			(json_int_t)image->n_sockets));
	}
	snprintf(seed, sizeof(seed), "%llu", (unsigned long long)r.seed);
	json_array_append_new(user, json_pack("{s:s, s:s, s:s, s:s, s:I, s:b, s:i, s:o}", "run", run->id, "path", run->path,
		"command", r.meta.command, "seed", seed, "started_ns", (json_int_t)r.meta.started_ns, "active",
		(int)r.active, "launcher", r.meta.launcher, "processes", list));
	report_free(&r);
	return 0;
}

int command_list(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' }, { "help", no_argument, NULL, 'h' }, { 0 },
	};
	json_t *doc = NULL;
	int c, rc;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "jh", options, NULL)) != -1) {
		if (c == 'h')
			return command_help("list");
		if (c != 'j')
			return message_usage("list", "%s: unknown option", argv[optind - 1]);
		doc = doc ? doc : json_array();
	}
	if (optind < argc)
		return message_usage("list", "%s: no argument is expected; to see one run: sockshim stats %s",
				     argv[optind], argv[optind]);
	rc = rundir_each(doc ? list_json : list_text, doc);
	if (doc && rc == 0) {
		json_dumpf(doc, stdout, JSON_COMPACT);
		putchar('\n');
	}
	json_decref(doc);
	return rc < 0;
}
