/* report_metrics.c - a run for monitoring: OpenMetrics 1.0 text. */
#include "launch/report.h"

#include <string.h>

#include "launch/symbol.h"

/* A label's value: backslash, quote and newline are escaped. */
static void print_label(FILE *f, const char *name, const char *value)
{
	fprintf(f, "%s=\"", name);
	for (; *value; value++) {
		if (*value == '\n') {
			fputs("\\n", f);
			continue;
		}
		if (*value == '\\' || *value == '"')
			fputc('\\', f);
		fputc(*value, f);
	}
	fputc('"', f);
}

static void print_family(FILE *f, const char *name, const char *type, const char *help)
{
	fprintf(f, "# TYPE %s %s\n# HELP %s %s\n", name, type, name, help);
}

static void print_process_labels(FILE *f, const struct run_image *image)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", image->file->pid);
	fputc(',', f);
	print_label(f, "pid", pid);
	fputc(',', f);
	/* A pid may run several images one after the other. */
	print_label(f, "image", image->name);
	fputc(',', f);
	print_label(f, "program", image->file->program);
}

static void print_cookie_labels(FILE *f, sockshim_cookie c)
{
	struct tally_cookie cookie;

	tally_cookie(&cookie, c);
	fputc(',', f);
	print_label(f, "family", cookie.family);
	fputc(',', f);
	print_label(f, "type", cookie.type);
	fputc(',', f);
	print_label(f, "protocol", cookie.protocol);
}

/* The beginning of a sample: name{run="...", for an image its labels, for a socket type its. */
static void begin(FILE *f, const struct report *r, const char *name, const struct run_image *image,
		  const sockshim_cookie *cookie)
{
	fprintf(f, "%s{", name);
	print_label(f, "run", r->run->id);
	if (image)
		print_process_labels(f, image);
	if (cookie)
		print_cookie_labels(f, *cookie);
}

static void end(FILE *f, uint64_t value)
{
	fprintf(f, "} %llu\n", (unsigned long long)value);
}

/* Calls `each` for the sum, or for every process on its own: a family's samples stand together. */
static void for_tallies(FILE *f, const struct report *r, const struct report_options *o, int which,
			void (*each)(FILE *f, const struct report *r, const struct run_image *image,
				     const struct tally *t, int which))
{
	if (!o->per_process) {
		each(f, r, NULL, &r->tally, which);
		return;
	}
	for (size_t i = 0; i < r->images.n; i++) {
		struct tally t = { 0 };

		if (tally_add(&t, r->images.v[i]) == 0)
			each(f, r, r->images.v[i], &t, which);
		tally_free(&t);
	}
}

static const struct {
	const char *name, *help;
} count_metrics[RUN_COUNTS] = {
	{ "sockshim_sockets_opened", "Sockets opened." },
	{ "sockshim_sockets_connected", "Sockets connected." },
	{ "sockshim_sockets_listened", "Sockets put to listen." },
	{ "sockshim_sockets_accepted", "Connections accepted." },
	{ "sockshim_sockets_closed", "Sockets closed." },
	{ "sockshim_open_failures", "Calls of socket that failed." },
	{ "sockshim_connect_failures", "Calls of connect that failed." },
	{ "sockshim_listen_failures", "Calls of listen that failed." },
	{ "sockshim_accept_failures", "Calls of accept that failed." },
	{ "sockshim_close_failures", "Calls of close that failed." },
};

static void each_count(FILE *f, const struct report *r, const struct run_image *image, const struct tally *t,
		       int which)
{
	char name[64];

	snprintf(name, sizeof(name), "%s_total", count_metrics[which].name);
	for (size_t i = 0; i < t->n_stats; i++) {
		begin(f, r, name, image, &t->stats[i].cookie);
		end(f, tally_count(&t->stats[i], (enum run_count)which));
	}
}

static void each_injected(FILE *f, const struct report *r, const struct run_image *image,
			  const struct tally *t, int which)
{
	for (size_t i = 0; i < t->n_stats; i++) {
		for (int k = 0; k < SOCKSHIM_FILTER_TYPES; k++) {
			if (t->stats[i].injected[k] == 0)
				continue;
			begin(f, r, "sockshim_injected_total", image, &t->stats[i].cookie);
			fputc(',', f);
			print_label(f, "filter", sockshim_filter_name((enum sockshim_filter_type)k));
			end(f, t->stats[i].injected[k]);
		}
	}
}

static void each_untracked(FILE *f, const struct report *r, const struct run_image *image,
			   const struct tally *t, int which)
{
	begin(f, r, "sockshim_untracked_total", image, NULL);
	end(f, t->untracked);
}

static void print_rules(FILE *f, const struct report *r, const char *name, bool fired)
{
	char number[16];

	for (size_t i = 0; i < r->n_rules; i++) {
		begin(f, r, name, NULL, NULL);
		fputc(',', f);
		snprintf(number, sizeof(number), "%u", r->rules[i].number);
		print_label(f, "rule", number);
		fputc(',', f);
		print_label(f, "text", r->rules[i].text ? r->rules[i].text : "");
		end(f, fired ? r->rules[i].count.fired : r->rules[i].count.matched);
	}
}

static void print_processes(FILE *f, const struct report *r)
{
	print_family(f, "sockshim_processes", "gauge", "Process images with sockets, by what became of them.");
	for (int i = 0; i < RUN_FATES; i++) {
		begin(f, r, "sockshim_processes", NULL, NULL);
		fputc(',', f);
		print_label(f, "state", run_fate_names[i]);
		end(f, r->tally.fates[i]);
	}
}

static void print_open(FILE *f, const struct report *r, const struct report_options *o)
{
	print_family(f, "sockshim_sockets_open", "gauge", "Sockets open in the table of a running process.");
	if (!o->per_process) {
		uint64_t n = 0;

		for (size_t i = 0; i < r->images.n; i++)
			n += r->images.v[i]->fate == RUN_FATE_RUNNING ? r->images.v[i]->n_sockets : 0;
		begin(f, r, "sockshim_sockets_open", NULL, NULL);
		end(f, n);
		return;
	}
	for (size_t i = 0; i < r->images.n; i++) {
		begin(f, r, "sockshim_sockets_open", r->images.v[i], NULL);
		end(f, r->images.v[i]->fate == RUN_FATE_RUNNING ? r->images.v[i]->n_sockets : 0);
	}
}

void report_metrics_stats(FILE *f, const struct report *r, const struct report_options *o)
{
	for (int i = 0; i < RUN_COUNTS; i++) {
		print_family(f, count_metrics[i].name, "counter", count_metrics[i].help);
		for_tallies(f, r, o, i, each_count);
	}
	print_family(f, "sockshim_injected", "counter", "Calls that a filter or fault rule decided, by kind of call.");
	for_tallies(f, r, o, 0, each_injected);
	print_family(f, "sockshim_untracked", "counter", "Sockets that found no place in the table.");
	for_tallies(f, r, o, 0, each_untracked);
	print_family(f, "sockshim_rule_matched", "counter", "Calls that met a fault rule's conditions.");
	print_rules(f, r, "sockshim_rule_matched_total", false);
	print_family(f, "sockshim_rule_fired", "counter", "Calls on which a fault rule fired.");
	print_rules(f, r, "sockshim_rule_fired_total", true);
	print_open(f, r, o);
	print_processes(f, r);
	fputs("# EOF\n", f);
}

static void print_socket_family(FILE *f, const struct report *r, const struct report_options *o, const char *name,
				const char *type, const char *help, uint64_t (*value)(const struct run_socket *s))
{
	char sample[64], text[280];

	print_family(f, name, type, help);
	snprintf(sample, sizeof(sample), "%s%s", name, strcmp(type, "counter") ? "" : "_total");
	for (size_t i = 0; i < r->images.n; i++) {
		const struct run_image *image = r->images.v[i];

		for (size_t k = 0; k < image->n_sockets && report_shows_socket(r, o, image); k++) {
			const struct run_socket *s = &image->sockets[k];

			begin(f, r, sample, image, &s->cookie);
			/* Two sockets may have been opened as the same descriptor; the slot tells them apart. */
			fprintf(f, ",fd=\"%d\",entry=\"%zu\",", s->fd, k);
			print_label(f, "state", tally_socket_state(s));
			fputc(',', f);
			print_label(f, "local", tally_address(text, sizeof(text), tally_local(s)));
			fputc(',', f);
			print_label(f, "peer", tally_address(text, sizeof(text), tally_peer(s)));
			fputc(',', f);
			print_label(f, "opener", symbol_format(text, sizeof(text), image, s->opener));
			end(f, value(s));
		}
	}
}

static uint64_t value_rx(const struct run_socket *s) { return s->rx_bytes; }
static uint64_t value_tx(const struct run_socket *s) { return s->tx_bytes; }
static uint64_t value_descriptors(const struct run_socket *s) { return s->refs; }

void report_metrics_sockets(FILE *f, const struct report *r, const struct report_options *o)
{
	print_socket_family(f, r, o, "sockshim_socket_receive_bytes", "counter", "Bytes received on a socket.", value_rx);
	print_socket_family(f, r, o, "sockshim_socket_send_bytes", "counter", "Bytes sent on a socket.", value_tx);
	print_socket_family(f, r, o, "sockshim_socket_descriptors", "gauge", "Descriptors that name a socket.",
			    value_descriptors);
	fputs("# EOF\n", f);
}
