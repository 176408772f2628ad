/* -s: how many sockets of each kind. */
#include "cli/summary.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/jsonout.h"
#include "cli/sink.h"
#include "cli/walk.h"
#include "wire/state.h"

/* What is counted, by the names it has in /proc. */
struct counts {
	long sockets;
	long tcp4, tcp6, tcp_alloc, orphans, time_wait, established;
	long udp4, udp6, raw4, raw6, frag4, frag6;
};

static const struct {
	const char *file;
	const char *line;  /* how it begins */
	const char *field; /* the word before the number */
	size_t offset;
} fields[] = {
	{ "/proc/net/sockstat", "sockets:", "used", offsetof(struct counts, sockets) },
	{ "/proc/net/sockstat", "TCP:", "inuse", offsetof(struct counts, tcp4) },
	{ "/proc/net/sockstat", "TCP:", "orphan", offsetof(struct counts, orphans) },
	{ "/proc/net/sockstat", "TCP:", "tw", offsetof(struct counts, time_wait) },
	{ "/proc/net/sockstat", "TCP:", "alloc", offsetof(struct counts, tcp_alloc) },
	{ "/proc/net/sockstat", "UDP:", "inuse", offsetof(struct counts, udp4) },
	{ "/proc/net/sockstat", "RAW:", "inuse", offsetof(struct counts, raw4) },
	{ "/proc/net/sockstat", "FRAG:", "inuse", offsetof(struct counts, frag4) },
	{ "/proc/net/sockstat6", "TCP6:", "inuse", offsetof(struct counts, tcp6) },
	{ "/proc/net/sockstat6", "UDP6:", "inuse", offsetof(struct counts, udp6) },
	{ "/proc/net/sockstat6", "RAW6:", "inuse", offsetof(struct counts, raw6) },
	{ "/proc/net/sockstat6", "FRAG6:", "inuse", offsetof(struct counts, frag6) },
};

/* Takes from one line what is wanted of it. */
static void take_line(const char *file, char *line, struct counts *c)
{
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		char word[32], *p;

		if (strcmp(file, fields[i].file) || strncmp(line, fields[i].line, strlen(fields[i].line)))
			continue;
		snprintf(word, sizeof(word), " %s ", fields[i].field);
		p = strstr(line, word);
		if (p)
			*(long *)((char *)c + fields[i].offset) += strtol(p + strlen(word), NULL, 10);
	}
}

static int read_file(const char *file, struct counts *c)
{
	FILE *f = fopen(file, "re");
	char line[512];

	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f))
		take_line(file, line, c);
	fclose(f);
	return 0;
}

/* The number of established connections stands in a line of numbers below a line of names. */
static int read_established(struct counts *c)
{
	FILE *f = fopen("/proc/net/snmp", "re");
	char names[1024], values[1024];

	if (!f)
		return -errno;
	while (fgets(names, sizeof(names), f)) {
		char *n, *v, *ns, *vs;

		if (strncmp(names, "Tcp:", 4) || !fgets(values, sizeof(values), f))
			continue;
		n = strtok_r(names, " \n", &ns);
		v = strtok_r(values, " \n", &vs);
		while (n && v && strcmp(n, "CurrEstab")) {
			n = strtok_r(NULL, " \n", &ns);
			v = strtok_r(NULL, " \n", &vs);
		}
		if (n && v)
			c->established += strtol(v, NULL, 10);
		break;
	}
	fclose(f);
	return 0;
}

/* Counting what a dump brings. */
struct counter {
	struct sink sink;
	struct counts *c;
};

static void count_inet(struct sink *sink, const struct inet_view *v)
{
	struct counts *c = ((struct counter *)sink)->c;
	bool v6 = v->s->msg.idiag_family == AF_INET6;

	c->sockets++;
	if (v->table == KIND_UDP) {
		++*(v6 ? &c->udp6 : &c->udp4);
	} else if (v->table == KIND_RAW) {
		++*(v6 ? &c->raw6 : &c->raw4);
	} else {
		++*(v6 ? &c->tcp6 : &c->tcp4);
		c->established += v->s->msg.idiag_state == DIAG_TCP_ESTABLISHED ||
				  v->s->msg.idiag_state == DIAG_TCP_CLOSE_WAIT;
		if (v->s->msg.idiag_timer == 3)
			c->time_wait++;
		else
			c->tcp_alloc++;
	}
}

static void count_unix(struct sink *sink, const struct unix_view *v)
{
	((struct counter *)sink)->c->sockets++;
}

static void count_nothing(struct sink *sink)
{
}

static void count_gap(struct sink *sink, const char *why)
{
}

static void count_end(struct sink *sink, bool complete)
{
}

static int count_dumped(const struct opts *opts, struct sources *sources, struct out *out, struct counts *c)
{
	static const struct sink_ops ops = {
		.inet = count_inet,
		.unix_socket = count_unix,
		.pause = count_nothing,
		.gap = count_gap,
		.end = count_end,
	};
	struct counter counter = { .sink = { .ops = &ops, .opts = opts, .out = out }, .c = c };
	struct walk w;
	int rc = walk_open(&w, opts, sources, &counter.sink);

	if (!rc) {
		walk_look(&w);
		rc = walk_status(&w);
	}
	walk_close(&w);
	return rc;
}

static void put_text(struct out *o, const struct counts *c)
{
	const struct {
		const char *name;
		long v4, v6;
	} rows[] = {
		{ "RAW", c->raw4, c->raw6 },
		{ "UDP", c->udp4, c->udp6 },
		{ "TCP", c->tcp4, c->tcp6 },
		{ "INET", c->raw4 + c->udp4 + c->tcp4, c->raw6 + c->udp6 + c->tcp6 },
		{ "FRAG", c->frag4, c->frag6 },
	};

	out_printf(o, "Total: %ld\n", c->sockets);
	/* Sockets that are allocated and in no hash table are closed. */
	out_printf(o, "TCP:   %ld (estab %ld, closed %ld, orphaned %ld, timewait %ld)\n\n",
		   c->tcp_alloc + c->time_wait, c->established,
		   c->tcp_alloc - (c->tcp4 + c->tcp6 - c->time_wait), c->orphans, c->time_wait);
	out_lit(o, "Transport Total     IP        IPv6\n");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		out_printf(o, "%-9s %-9ld %-9ld %ld\n", rows[i].name, rows[i].v4 + rows[i].v6, rows[i].v4, rows[i].v6);
	out_lit(o, "\n");
}

static void put_json(struct out *o, const struct counts *c, bool complete)
{
	out_printf(o, "{\"version\":1,\"sockets\":%ld,\"tcp\":{\"total\":%ld,\"established\":%ld,\"orphaned\":%ld,"
		      "\"timewait\":%ld,\"inet\":%ld,\"inet6\":%ld}",
		   c->sockets, c->tcp_alloc + c->time_wait, c->established, c->orphans, c->time_wait, c->tcp4,
		   c->tcp6);
	out_printf(o, ",\"udp\":{\"inet\":%ld,\"inet6\":%ld},\"raw\":{\"inet\":%ld,\"inet6\":%ld},"
		      "\"frag\":{\"inet\":%ld,\"inet6\":%ld},\"complete\":%s}\n",
		   c->udp4, c->udp6, c->raw4, c->raw6, c->frag4, c->frag6, complete ? "true" : "false");
}

static int count_kernel(struct counts *c)
{
	int err = read_file("/proc/net/sockstat", c);

	if (!err)
		err = read_established(c);
	if (err) {
		fprintf(stderr, "sockdiag: -s: cannot read /proc/net: %s\n", strerror(-err));
		return EXIT_FAILED;
	}
	read_file("/proc/net/sockstat6", c); /* absent without IPv6 */
	return EXIT_GOOD;
}

int summary_show(const struct opts *opts, struct sources *sources, struct out *out)
{
	struct sources others = *sources;
	struct opts all = *opts;
	struct counts c = { 0 };
	int rc = EXIT_GOOD;

	/* What a run has of the kernel's is told by a dump alone. */
	if (sources->n && sources->v[0].kind == SOURCE_KERNEL && !sources->run) {
		rc = count_kernel(&c);
		others.v++;
		others.n--;
		if (rc != EXIT_GOOD && !others.n)
			return rc;
	}
	if (others.n) {
		int dumped = EXIT_FAILED;

		all.states = diag_state_mask("all");
		if (sources_connect(&others))
			dumped = count_dumped(&all, &others, out, &c);
		else if (!c.sockets)
			return EXIT_FAILED;
		rc = dumped != EXIT_GOOD ? dumped : rc;
	}
	if (opts->format == FORMAT_TEXT)
		put_text(out, &c);
	else
		put_json(out, &c, rc == EXIT_GOOD);
	return rc;
}
