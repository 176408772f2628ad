/* report.h - a run as read at one moment, and its forms for people, programs and monitoring. */
#ifndef SHIM_LAUNCH_REPORT_H
#define SHIM_LAUNCH_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "launch/meta.h"
#include "launch/rundir.h"
#include "launch/tally.h"

enum report_format { REPORT_TEXT, REPORT_JSON, REPORT_OPENMETRICS };

/* What is to be shown. */
struct report_options {
	enum report_format format;
	bool per_process;
	bool all;		/* sockets of processes that are gone, too */
};

struct report_rule {
	unsigned number;
	char *text;		/* NULL: removed meanwhile */
	struct run_rule_count count;
};

struct report {
	const struct rundir *run;	/* borrowed */
	struct meta meta;		/* zero if there is none */
	uint64_t seed;
	struct run_images images;
	struct tally tally;
	struct report_rule *rules;
	size_t n_rules;
	bool active;			/* a process or the launcher lives */
};

/* Parses "text", "json", "openmetrics". Returns whether it was one. */
bool report_format_parse(enum report_format *out, const char *s);

/* Reads the run. 0, or -1 after saying why it can't be. The caller releases with report_free. */
int report_load(struct report *r, const struct rundir *run);
void report_free(struct report *r);

/* Whether a socket of an image is to be listed: those open now; of a run that is over those left open at
 * the end. */
bool report_shows_socket(const struct report *r, const struct report_options *o, const struct run_image *image);

/* Whether it was opened by a process that ended by exit with it still open. */
bool report_is_leak(const struct run_image *image, const struct run_socket *s);
size_t report_leaks(const struct report *r);

/* Each writes the whole of what it is about, in the format that the options say. */
void report_stats(FILE *f, const struct report *r, const struct report_options *o);
void report_sockets(FILE *f, const struct report *r, const struct report_options *o);
void report_summary(FILE *f, const struct report *r, const struct report_options *o);

/* The formats, one file each. */
void report_text_stats(FILE *f, const struct report *r, const struct report_options *o);
void report_text_sockets(FILE *f, const struct report *r, const struct report_options *o);
void report_text_summary(FILE *f, const struct report *r);
/* The table of leaks alone. */
void report_text_leaks(FILE *f, const struct report *r);
void report_json_stats(FILE *f, const struct report *r, const struct report_options *o);
void report_json_sockets(FILE *f, const struct report *r, const struct report_options *o);
void report_json_summary(FILE *f, const struct report *r);
void report_metrics_stats(FILE *f, const struct report *r, const struct report_options *o);
void report_metrics_sockets(FILE *f, const struct report *r, const struct report_options *o);

#endif
