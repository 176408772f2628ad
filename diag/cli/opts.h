/* The command line: options, and what they select. */
#ifndef DIAG_CLI_OPTS_H
#define DIAG_CLI_OPTS_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/filter.h"

/* Exit statuses; the manual page gives them too. */
enum exit_status {
	EXIT_GOOD = 0,     /* everything asked for was shown */
	EXIT_FAILED = 1,   /* something could not be read, written or killed */
	EXIT_USAGE = 2,    /* the command line or the filter is wrong */
	EXIT_PARTIAL = 3,  /* what was shown is not all: a dump ended early or was inconsistent */
};

/** enum kind - the kinds of socket that can be asked for */
enum kind {
	KIND_UNIX_DG = 1 << 0,
	KIND_UNIX_ST = 1 << 1,
	KIND_UNIX_SQ = 1 << 2,
	KIND_RAW = 1 << 3,
	KIND_UDP = 1 << 4,
	KIND_TCP = 1 << 5,
	KIND_MPTCP = 1 << 6,
	KIND_UNIX = KIND_UNIX_DG | KIND_UNIX_ST | KIND_UNIX_SQ,
	KIND_INET = KIND_RAW | KIND_UDP | KIND_TCP | KIND_MPTCP,
};

/** enum format - how what was found is shown */
enum format {
	FORMAT_TEXT,
	FORMAT_JSON,
	FORMAT_NDJSON,
	FORMAT_OPENMETRICS,
	FORMAT_PROCNET,
};

/** struct opts - a parsed command line */
struct opts {
	uint32_t tables;  /* enum kind bits */
	bool ipv4, ipv6;  /* both when neither was named */
	uint32_t states;  /* DIAG_STATE_BIT()s */
	bool numeric;
	bool resolve;
	bool timers;      /* -o */
	bool extended;    /* -e */
	bool memory;      /* -m */
	bool processes;   /* -p */
	bool info;        /* -i */
	bool tos;
	bool cgroup;
	bool sockopt;
	bool header;
	bool oneline;
	bool events;
	bool kill;
	bool summary;
	bool history;     /* connections that have ended */
	double watch_s;   /* seconds between looks; 0: one look */
	enum format format;
	const char *record; /* -D: where raw answers go, or NULL */
	const char *source; /* see source.h */
	const char *netns;  /* -N: the namespace to look at, or NULL */
	struct filter filter;
};

/**
 * opts_parse - reads a command line, or says on standard error what is wrong with it
 * @o: receives it; the filter is the caller's to free
 *
 * Return: -1 to go on, or an exit status: after --help, --version, or an error.
 */
int opts_parse(struct opts *o, int argc, char **argv);

#endif
