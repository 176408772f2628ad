/* report.c - reads a run, and chooses the form that it is shown in. */
#include "launch/report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "launch/control.h"
#include "launch/message.h"
#include "launch/rules.h"

bool report_format_parse(enum report_format *out, const char *s)
{
	static const char *const names[] = { "text", "json", "openmetrics" };

	for (int i = 0; i < 3; i++) {
		if (strcmp(s, names[i]) == 0) {
			*out = (enum report_format)i;
			return true;
		}
	}
	return false;
}

static struct report_rule *add_rule(struct report *r, unsigned number)
{
	void *p = reallocarray(r->rules, r->n_rules + 1, sizeof(*r->rules));
	struct report_rule *rule;

	if (!p)
		return NULL;
	r->rules = p;
	rule = &r->rules[r->n_rules++];
	*rule = (struct report_rule){ .number = number, .count = r->tally.rules[number] };
	return rule;
}

static void take_rule(unsigned number, const char *text, size_t n, void *user)
{
	struct report *r = user;
	struct report_rule *rule = add_rule(r, number);

	if (!rule)
		return;
	rule->text = strndup(text, n);
	if (rule->text)
		run_text_clean(rule->text, n + 1);
}

/* Rules in the order in which they hold, then those that were removed after they had matched. */
static void load_rules(struct report *r)
{
	struct control c;
	bool there = r->run->plain && !r->run->pid && !r->run->family[0] ? false :
		     control_open(&c, r->run, false) == 0;

	if (there && control_read(&c, r->run->id) == 0) {
		r->seed = c.block.seed;
		rules_each(c.block.rules, take_rule, r);
	}
	if (there)
		control_close(&c);
	for (unsigned i = 1; i < RUN_RULES; i++) {
		bool listed = false;

		for (size_t k = 0; k < r->n_rules && !listed; k++)
			listed = r->rules[k].number == i;
		if (!listed && r->tally.rules[i].matched)
			add_rule(r, i);
	}
}

int report_load(struct report *r, const struct rundir *run)
{
	int rc;

	memset(r, 0, sizeof(*r));
	r->run = run;
	meta_read(run->fd, &r->meta);
	rc = rundir_images(run, &r->images);
	if (rc == 0)
		rc = tally_add_all(&r->tally, &r->images);
	if (rc < 0) {
		message_error("%s: cannot read the run: %s", run->path, strerror(-rc));
		report_free(r);
		return -1;
	}
	if (r->images.refused)
		message_warning("%s: %zu of its files cannot be read and are left out, the first because of %s",
				run->path, r->images.refused, r->images.why.text);
	r->active = rundir_active(run, &r->images);
	load_rules(r);
	return 0;
}

void report_free(struct report *r)
{
	for (size_t i = 0; i < r->n_rules; i++)
		free(r->rules[i].text);
	free(r->rules);
	tally_free(&r->tally);
	run_images_free(&r->images);
	memset(r, 0, sizeof(*r));
}

bool report_shows_socket(const struct report *r, const struct report_options *o, const struct run_image *image)
{
	if (o->all || image->fate == RUN_FATE_RUNNING)
		return true;
	return !r->active && image->fate != RUN_FATE_EXECED;
}

bool report_is_leak(const struct run_image *image, const struct run_socket *s)
{
	return image->fate == RUN_FATE_EXITED && !(s->flags & RUN_SOCK_INHERITED);
}

size_t report_leaks(const struct report *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->images.n; i++)
		for (size_t k = 0; k < r->images.v[i]->n_sockets; k++)
			n += report_is_leak(r->images.v[i], &r->images.v[i]->sockets[k]);
	return n;
}

void report_stats(FILE *f, const struct report *r, const struct report_options *o)
{
	switch (o->format) {
	case REPORT_TEXT: report_text_stats(f, r, o); break;
	case REPORT_JSON: report_json_stats(f, r, o); break;
	case REPORT_OPENMETRICS: report_metrics_stats(f, r, o); break;
	}
}

void report_sockets(FILE *f, const struct report *r, const struct report_options *o)
{
	switch (o->format) {
	case REPORT_TEXT: report_text_sockets(f, r, o); break;
	case REPORT_JSON: report_json_sockets(f, r, o); break;
	case REPORT_OPENMETRICS: report_metrics_sockets(f, r, o); break;
	}
}

void report_summary(FILE *f, const struct report *r, const struct report_options *o)
{
	switch (o->format) {
	case REPORT_TEXT: report_text_summary(f, r); break;
	case REPORT_JSON: report_json_summary(f, r); break;
	case REPORT_OPENMETRICS: report_metrics_stats(f, r, o); break;
	}
}
