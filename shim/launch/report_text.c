/* report_text.c - a run for people to read. */
#include "launch/report.h"

#include <stdlib.h>
#include <string.h>

#include "launch/symbol.h"

static void print_stat(FILE *f, const char *indent, const struct sockshim_stat *s)
{
	char line[512];
	bool any = false;

	sockshim_stat_format(line, sizeof(line), s);
	fprintf(f, "%s%s\n", indent, line);
	for (int i = 0; i < SOCKSHIM_FILTER_TYPES; i++) {
		if (s->injected[i] == 0)
			continue;
		if (!any)
			fprintf(f, "%s    injected:", indent);
		fprintf(f, " %s=%llu", sockshim_filter_name((enum sockshim_filter_type)i),
			(unsigned long long)s->injected[i]);
		any = true;
	}
	if (any)
		fputc('\n', f);
}

static void print_tally(FILE *f, const char *indent, const struct tally *t)
{
	for (size_t i = 0; i < t->n_stats; i++)
		print_stat(f, indent, &t->stats[i]);
	if (t->untracked)
		fprintf(f, "%s%llu sockets found no place in the table and are not counted\n", indent,
			(unsigned long long)t->untracked);
}

void report_text_stats(FILE *f, const struct report *r, const struct report_options *o)
{
	if (!o->per_process) {
		print_tally(f, "", &r->tally);
		return;
	}
	for (size_t i = 0; i < r->images.n; i++) {
		const struct run_image *image = r->images.v[i];
		struct tally one = { 0 };

		fprintf(f, "%d %s (%s)\n", image->file->pid, image->file->program, run_fate_names[image->fate]);
		if (tally_add(&one, image) == 0)
			print_tally(f, "  ", &one);
		tally_free(&one);
	}
}

/* A table whose columns are as wide as what is in them. */
#define COLUMNS 11

struct row {
	char *cell[COLUMNS];
};

struct table {
	const char *const *titles;
	struct row *rows;
	size_t n;
};

static void add_row(struct table *t, const char *const cells[COLUMNS])
{
	void *p = reallocarray(t->rows, t->n + 1, sizeof(*t->rows));

	if (!p)
		return;
	t->rows = p;
	for (int c = 0; c < COLUMNS; c++)
		t->rows[t->n].cell[c] = strdup(cells[c]);
	t->n++;
}

/* Characters, not bytes. */
static int width(const char *s)
{
	int n = 0;

	for (; s && *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static void print_row(FILE *f, const char *indent, const char *const cells[COLUMNS], const int widths[COLUMNS])
{
	fputs(indent, f);
	for (int c = 0; c < COLUMNS; c++) {
		fputs(cells[c] ? cells[c] : "", f);
		if (c < COLUMNS - 1)
			fprintf(f, "%*s", widths[c] - width(cells[c]) + 2, "");
	}
	fputc('\n', f);
}

static void print_table(FILE *f, const char *indent, struct table *t)
{
	int widths[COLUMNS];

	for (int c = 0; c < COLUMNS; c++) {
		widths[c] = width(t->titles[c]);
		for (size_t i = 0; i < t->n; i++)
			if (width(t->rows[i].cell[c]) > widths[c])
				widths[c] = width(t->rows[i].cell[c]);
	}
	print_row(f, indent, t->titles, widths);
	for (size_t i = 0; i < t->n; i++) {
		print_row(f, indent, (const char *const *)t->rows[i].cell, widths);
		for (int c = 0; c < COLUMNS; c++)
			free(t->rows[i].cell[c]);
	}
	free(t->rows);
	t->rows = NULL;
	t->n = 0;
}

static void format_age(char *buf, size_t n, int64_t ns)
{
	long long s = ns / 1000000000;

	if (ns < 0)
		snprintf(buf, n, "-");
	else if (s < 60)
		snprintf(buf, n, "%lld.%llds", s, (long long)(ns / 100000000 % 10));
	else if (s < 3600)
		snprintf(buf, n, "%lldm%llds", s / 60, s % 60);
	else if (s < 86400)
		snprintf(buf, n, "%lldh%lldm", s / 3600, s / 60 % 60);
	else
		snprintf(buf, n, "%lldd%lldh", s / 86400, s / 3600 % 24);
}

static const char *const socket_titles[COLUMNS] = {
	"PID", "PROGRAM", "FD", "SOCKET", "STATE", "LOCAL", "PEER", "RX", "TX", "AGE", "OPENER",
};

static void add_socket(struct table *t, const struct run_image *image, const struct run_socket *s)
{
	char pid[16], fd[16], state[24], local[64], peer[64], rx[24], tx[24], age[32], opener[280];
	struct tally_cookie cookie;
	const char *cells[COLUMNS] = {
		pid, image->file->program, fd, cookie.text, state, local, peer, rx, tx, age, opener,
	};

	snprintf(pid, sizeof(pid), "%d", image->file->pid);
	snprintf(fd, sizeof(fd), "%d", s->fd);
	tally_cookie(&cookie, s->cookie);
	snprintf(state, sizeof(state), "%s%s", tally_socket_state(s), s->flags & RUN_SOCK_INHERITED ? " (inh)" : "");
	tally_address(local, sizeof(local), tally_local(s));
	tally_address(peer, sizeof(peer), tally_peer(s));
	snprintf(rx, sizeof(rx), "%llu", (unsigned long long)s->rx_bytes);
	snprintf(tx, sizeof(tx), "%llu", (unsigned long long)s->tx_bytes);
	format_age(age, sizeof(age), tally_socket_age_ns(image, s));
	symbol_format(opener, sizeof(opener), image, s->opener);
	add_row(t, cells);
}

/* Backtraces stand below the table: they would tear it apart. */
static void print_backtraces(FILE *f, const struct run_image *image)
{
	for (size_t i = 0; i < image->n_sockets; i++) {
		const struct run_socket *s = &image->sockets[i];
		char place[280];

		if (s->backtrace[0] == 0)
			continue;
		fprintf(f, "%d fd %d was opened by\n", image->file->pid, s->fd);
		for (int k = 0; k < RUN_BACKTRACE && s->backtrace[k]; k++)
			fprintf(f, "    %s\n", symbol_format(place, sizeof(place), image, s->backtrace[k]));
	}
}

void report_text_sockets(FILE *f, const struct report *r, const struct report_options *o)
{
	struct table t = { .titles = socket_titles };

	for (size_t i = 0; i < r->images.n; i++)
		for (size_t k = 0; k < r->images.v[i]->n_sockets; k++)
			if (report_shows_socket(r, o, r->images.v[i]))
				add_socket(&t, r->images.v[i], &r->images.v[i]->sockets[k]);
	print_table(f, "", &t);
	for (size_t i = 0; i < r->images.n; i++)
		if (report_shows_socket(r, o, r->images.v[i]))
			print_backtraces(f, r->images.v[i]);
}

void report_text_leaks(FILE *f, const struct report *r)
{
	struct table t = { .titles = socket_titles };

	for (size_t i = 0; i < r->images.n; i++)
		for (size_t k = 0; k < r->images.v[i]->n_sockets; k++)
			if (report_is_leak(r->images.v[i], &r->images.v[i]->sockets[k]))
				add_socket(&t, r->images.v[i], &r->images.v[i]->sockets[k]);
	fprintf(f, "%zu socket%s still open at exit:\n", t.n, t.n == 1 ? "" : "s");
	print_table(f, "  ", &t);
	for (size_t i = 0; i < r->images.n; i++)
		if (r->images.v[i]->fate == RUN_FATE_EXITED)
			print_backtraces(f, r->images.v[i]);
}

void report_text_summary(FILE *f, const struct report *r)
{
	const size_t *fates = r->tally.fates;
	size_t processes = r->images.n - fates[RUN_FATE_EXECED];

	fprintf(f, "sockshim: run %s: %zu process%s with sockets", r->run->id, processes, processes == 1 ? "" : "es");
	if (fates[RUN_FATE_RUNNING])
		fprintf(f, ", %zu still running", fates[RUN_FATE_RUNNING]);
	if (fates[RUN_FATE_DIED])
		fprintf(f, ", %zu killed", fates[RUN_FATE_DIED]);
	fprintf(f, ", seed %llu\n", (unsigned long long)r->seed);
	print_tally(f, "  ", &r->tally);
	if (r->n_rules)
		fprintf(f, "rules:\n");
	for (size_t i = 0; i < r->n_rules; i++)
		fprintf(f, "  %u %s: matched %llu, fired %llu\n", r->rules[i].number,
			r->rules[i].text ? r->rules[i].text : "(removed)",
			(unsigned long long)r->rules[i].count.matched, (unsigned long long)r->rules[i].count.fired);
	if (report_leaks(r))
		report_text_leaks(f, r);
}
