/* The command line: options, and what they select. */
#include "cli/opts.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/help.h"
#include "wire/state.h"

enum {
	OPT_TOS = 256,
	OPT_CGROUP,
	OPT_SOCKOPT,
	OPT_JSON,
	OPT_NDJSON,
	OPT_OPENMETRICS,
	OPT_PROCNET,
	OPT_WATCH,
	OPT_SOURCE,
	OPT_HISTORY,
};

static const struct option longs[] = {
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ "numeric", no_argument, NULL, 'n' },
	{ "resolve", no_argument, NULL, 'r' },
	{ "all", no_argument, NULL, 'a' },
	{ "listening", no_argument, NULL, 'l' },
	{ "options", no_argument, NULL, 'o' },
	{ "extended", no_argument, NULL, 'e' },
	{ "memory", no_argument, NULL, 'm' },
	{ "processes", no_argument, NULL, 'p' },
	{ "info", no_argument, NULL, 'i' },
	{ "summary", no_argument, NULL, 's' },
	{ "events", no_argument, NULL, 'E' },
	{ "ipv4", no_argument, NULL, '4' },
	{ "ipv6", no_argument, NULL, '6' },
	{ "tcp", no_argument, NULL, 't' },
	{ "mptcp", no_argument, NULL, 'M' },
	{ "udp", no_argument, NULL, 'u' },
	{ "raw", no_argument, NULL, 'w' },
	{ "unix", no_argument, NULL, 'x' },
	{ "family", required_argument, NULL, 'f' },
	{ "query", required_argument, NULL, 'A' },
	{ "socket", required_argument, NULL, 'A' },
	{ "kill", no_argument, NULL, 'K' },
	{ "no-header", no_argument, NULL, 'H' },
	{ "oneline", no_argument, NULL, 'O' },
	{ "diag", required_argument, NULL, 'D' },
	{ "filter", required_argument, NULL, 'F' },
	{ "net", required_argument, NULL, 'N' },
	{ "tos", no_argument, NULL, OPT_TOS },
	{ "cgroup", no_argument, NULL, OPT_CGROUP },
	{ "inet-sockopt", no_argument, NULL, OPT_SOCKOPT },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "ndjson", no_argument, NULL, OPT_NDJSON },
	{ "openmetrics", no_argument, NULL, OPT_OPENMETRICS },
	{ "procnet", no_argument, NULL, OPT_PROCNET },
	{ "watch", optional_argument, NULL, OPT_WATCH },
	{ "source", required_argument, NULL, OPT_SOURCE },
	{ "history", no_argument, NULL, OPT_HISTORY },
	{ NULL, 0, NULL, 0 },
};

/* Options that only set one flag. */
static const struct {
	int key;
	size_t offset;
} flags[] = {
	{ 'n', offsetof(struct opts, numeric) },
	{ 'r', offsetof(struct opts, resolve) },
	{ 'o', offsetof(struct opts, timers) },
	{ 'e', offsetof(struct opts, extended) },
	{ 'm', offsetof(struct opts, memory) },
	{ 'p', offsetof(struct opts, processes) },
	{ 'i', offsetof(struct opts, info) },
	{ 's', offsetof(struct opts, summary) },
	{ 'E', offsetof(struct opts, events) },
	{ 'K', offsetof(struct opts, kill) },
	{ 'O', offsetof(struct opts, oneline) },
	{ '4', offsetof(struct opts, ipv4) },
	{ '6', offsetof(struct opts, ipv6) },
	{ OPT_HISTORY, offsetof(struct opts, history) },
	{ OPT_TOS, offsetof(struct opts, tos) },
	{ OPT_CGROUP, offsetof(struct opts, cgroup) },
	{ OPT_SOCKOPT, offsetof(struct opts, sockopt) },
};

/* Options and words that name kinds of socket. */
static const struct {
	int key;
	const char *word; /* for -A */
	uint32_t tables;
} kinds[] = {
	{ 't', "tcp", KIND_TCP },
	{ 'M', "mptcp", KIND_MPTCP },
	{ 'u', "udp", KIND_UDP },
	{ 'w', "raw", KIND_RAW },
	{ 'x', "unix", KIND_UNIX },
	{ 0, "all", KIND_UNIX | KIND_RAW | KIND_UDP | KIND_TCP },
	{ 0, "inet", KIND_RAW | KIND_UDP | KIND_TCP },
	{ 0, "unix_dgram", KIND_UNIX_DG },
	{ 0, "unix_stream", KIND_UNIX_ST },
	{ 0, "unix_seqpacket", KIND_UNIX_SQ },
	{ 0, "u_dgr", KIND_UNIX_DG },
	{ 0, "u_str", KIND_UNIX_ST },
	{ 0, "u_seq", KIND_UNIX_SQ },
};

/* Columns of a filter shown with an error. */
#define EXCERPT 76

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

__attribute__((format(printf, 1, 2))) static int usage(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("sockdiag: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputs("\nTry 'sockdiag --help'.\n", stderr);
	va_end(ap);
	return EXIT_USAGE;
}

/* What the options say before they are made one. */
struct parse {
	struct opts *o;
	int scope; /* 'a', 'l' or 0: the last of -a and -l */
	bool unix_family;
	bool family; /* -4 or -6 */
	const char *filter_file;
	char **argv;
};

static int add_tables(struct opts *o, char *list)
{
	for (char *save, *w = strtok_r(list, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
		bool without = w[0] == '!';
		size_t i = 0;

		w += without;
		while (i < COUNT(kinds) && strcmp(w, kinds[i].word))
			i++;
		if (i == COUNT(kinds))
			return usage("-A: '%s': expected all, inet, tcp, mptcp, udp, raw, unix, unix_dgram, "
				     "unix_stream or unix_seqpacket", w);
		o->tables |= kinds[i].tables;
		if (without)
			o->tables &= ~kinds[i].tables;
	}
	if (!o->tables)
		return usage("-A: that leaves no kind of socket");
	return -1;
}

static int set_family(struct parse *p, const char *name)
{
	if (!strcmp(name, "inet"))
		p->o->ipv4 = true;
	else if (!strcmp(name, "inet6"))
		p->o->ipv6 = true;
	else if (!strcmp(name, "unix"))
		p->unix_family = true;
	else
		return usage("-f: '%s': expected inet, inet6 or unix", name);
	return -1;
}

/* Whether a word is a number: no filter begins with one. */
static bool is_number(const char *word)
{
	return word && *word && strspn(word, "0123456789.") == strlen(word);
}

static int set_watch(struct opts *o, char **argv, const char *arg)
{
	char *end;

	o->watch_s = 1;
	if (!arg && is_number(argv[optind]))
		arg = argv[optind++];
	if (!arg)
		return -1;
	o->watch_s = strtod(arg, &end);
	if (end == arg || *end || !(o->watch_s >= 0.05 && o->watch_s <= 86400))
		return usage("--watch: '%s': expected seconds, 0.05 to 86400", arg);
	return -1;
}

static int set_format(struct opts *o, enum format f)
{
	if (o->format != FORMAT_TEXT && o->format != f)
		return usage("--json, --ndjson, --openmetrics and --procnet exclude one another");
	o->format = f;
	return -1;
}

static int take(struct parse *p, int key)
{
	struct opts *o = p->o;

	for (size_t i = 0; i < COUNT(flags); i++)
		if (flags[i].key == key) {
			*(bool *)((char *)o + flags[i].offset) = true;
			return -1;
		}
	for (size_t i = 0; i < COUNT(kinds); i++)
		if (kinds[i].key == key) {
			o->tables |= kinds[i].tables;
			return -1;
		}
	switch (key) {
	case 'a':
	case 'l':
		p->scope = key;
		return -1;
	case 'H':
		o->header = false;
		return -1;
	case 'A':
		return add_tables(o, optarg);
	case 'f':
		return set_family(p, optarg);
	case 'D':
		o->record = optarg;
		return -1;
	case 'F':
		p->filter_file = optarg;
		return -1;
	case 'N':
		o->netns = optarg;
		return -1;
	case OPT_JSON:
		return set_format(o, FORMAT_JSON);
	case OPT_NDJSON:
		return set_format(o, FORMAT_NDJSON);
	case OPT_OPENMETRICS:
		return set_format(o, FORMAT_OPENMETRICS);
	case OPT_PROCNET:
		return set_format(o, FORMAT_PROCNET);
	case OPT_WATCH:
		return set_watch(o, p->argv, optarg);
	case OPT_SOURCE:
		o->source = optarg;
		return -1;
	case 'h':
		fputs(help_text, stdout);
		return EXIT_GOOD;
	case 'V':
		puts("sockdiag, sockshim " SOCKSHIM_VERSION);
		return EXIT_GOOD;
	default:
		fputs("Try 'sockdiag --help'.\n", stderr);
		return EXIT_USAGE;
	}
}

/* The words of the filter file, then those of the command line, in one text; NULL after a message. */
static char *filter_text(const char *file, int argc, char **argv)
{
	char *text = NULL, line[1024];
	size_t size;
	FILE *out = open_memstream(&text, &size), *in;

	if (!out)
		return NULL;
	if (file) {
		in = !strcmp(file, "-") ? stdin : fopen(file, "re");
		if (!in) {
			usage("-F: cannot read '%s': %s", file, strerror(errno));
			fclose(out);
			free(text);
			return NULL;
		}
		while (fgets(line, sizeof(line), in)) {
			line[strcspn(line, "#\n")] = '\0';
			fprintf(out, "%s ", line);
		}
		if (in != stdin)
			fclose(in);
	}
	for (int i = 0; i < argc; i++)
		fprintf(out, "%s%s", i ? " " : "", argv[i]);
	fclose(out);
	return text;
}

static int take_filter(struct opts *o, const char *file, int argc, char **argv)
{
	char *text = filter_text(file, argc, argv);
	struct filter_error err;
	int rc = -1;

	if (!text)
		return EXIT_USAGE;
	if (filter_parse(text, &o->filter, &err)) {
		/* As much of a long one as fits a line, with the place in it. */
		size_t from = err.column > EXCERPT / 2 ? err.column - EXCERPT / 2 : 0;

		fprintf(stderr, "sockdiag: filter, column %zu: %s\n  %.*s\n  %*s^\n", err.column + 1, err.text, EXCERPT,
			text + from, (int)(err.column - from), "");
		rc = EXIT_USAGE;
	}
	free(text);
	return rc;
}

/* States when none were named: as ss has it, by what is being looked at. */
static uint32_t default_states(const struct parse *p)
{
	uint32_t all = diag_state_mask("all");
	uint32_t idle = DIAG_STATE_BIT(DIAG_TCP_LISTEN) | DIAG_STATE_BIT(DIAG_TCP_CLOSE);

	if (p->scope == 'a')
		return all;
	if (p->scope == 'l')
		return idle;
	if (!(p->o->tables & ~(uint32_t)(KIND_UDP | KIND_RAW)) && !p->family)
		return DIAG_STATE_BIT(DIAG_TCP_ESTABLISHED);
	return all & ~(idle | diag_state_mask("bucket"));
}

/* Makes one of the options, or says which do not go together. */
static int settle(struct parse *p)
{
	struct opts *o = p->o;

	if (o->kill && !o->filter.expr && !o->filter.states)
		return usage("-K without a filter would close every socket; say which, or 'state all'");
	if (o->kill && (o->watch_s || o->events || o->summary))
		return usage("-K does not go with --watch, -E or -s");
	if (o->history && (o->kill || o->events || o->watch_s || o->summary || o->record))
		return usage("--history does not go with -K, -E, -D, -s or --watch");
	if (o->history && (o->tables & ~(uint32_t)KIND_TCP))
		return usage("--history is of TCP connections only");
	if (o->history && o->filter.states)
		return usage("--history: connections that have ended are in no state");
	if (o->record && (o->kill || o->events || o->watch_s || o->summary || o->format != FORMAT_TEXT))
		return usage("-D writes a file of its own; it does not go with -K, -E, -s, --watch or another form");
	if (o->record && (o->tables & ~(uint32_t)KIND_TCP))
		return usage("-D records TCP sockets only");
	if (o->summary && o->format != FORMAT_TEXT && o->format != FORMAT_JSON && o->format != FORMAT_NDJSON)
		return usage("-s goes with text, --json and --ndjson only");
	if (o->events && (o->watch_s || o->summary || (o->format != FORMAT_TEXT && o->format != FORMAT_NDJSON)))
		return usage("-E goes with text and --ndjson only");
	if (o->watch_s && o->format != FORMAT_TEXT && o->format != FORMAT_NDJSON)
		return usage("--watch goes with text and --ndjson only");
	if (o->format == FORMAT_PROCNET && (o->ipv4 == o->ipv6 || (o->tables != KIND_TCP && o->tables != KIND_UDP)))
		return usage("--procnet is one file of /proc/net: name one of -t and -u, and one of -4 and -6");
	if (o->watch_s && (o->tables & ~(uint32_t)KIND_TCP))
		return usage("--watch shows TCP connections only: only they count what they carry");
	if (o->kill && ((o->tables & KIND_UNIX) || p->unix_family))
		return usage("-K: the kernel closes inet sockets only");
	if (!o->tables && (o->watch_s || o->history))
		o->tables = KIND_TCP;
	/* A family brings its kinds, unless some of them are named. */
	p->family = o->ipv4 || o->ipv6;
	if (p->unix_family && !(o->tables & KIND_UNIX))
		o->tables |= KIND_UNIX;
	if (p->family && !(o->tables & KIND_INET))
		o->tables |= KIND_RAW | KIND_UDP | KIND_TCP;
	if (!o->tables)
		o->tables = KIND_RAW | KIND_UDP | KIND_TCP | (o->kill ? 0 : KIND_UNIX);
	if (!p->family)
		o->ipv4 = o->ipv6 = true;
	o->states = o->filter.states ? o->filter.states : default_states(p);
	/* -e implies -o, as it does in ss. */
	if (o->extended)
		o->timers = o->cgroup = true;
	return -1;
}

int opts_parse(struct opts *o, int argc, char **argv)
{
	struct parse p = { .o = o, .argv = argv };
	int key, rc = -1;

	memset(o, 0, sizeof(*o));
	o->header = true;
	o->source = "kernel";
	while (rc < 0 && (key = getopt_long(argc, argv, "hVnralolemipsE46tMuwxf:A:KHOD:F:N:", longs, NULL)) != -1)
		rc = take(&p, key);
	if (rc < 0)
		rc = take_filter(o, p.filter_file, argc - optind, argv + optind);
	if (rc < 0)
		rc = settle(&p);
	return rc;
}
