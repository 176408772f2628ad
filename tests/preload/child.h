/* child.h - programs of progs/ run as children, with the library preloaded and without, and what they left. */
#ifndef TESTS_PRELOAD_CHILD_H
#define TESTS_PRELOAD_CHILD_H

#include <stdbool.h>
#include <stddef.h>

#include "run/layout.h"

#define CHILD_WORDS 12
#define CHILD_FILES 512

/* One run of one program. The first group is filled in by the test, the rest by child_run. */
struct child {
	const char *prog;		/* "fds": progs/fds; with a slash: a path */
	const char *args[CHILD_WORDS];
	const char *env[CHILD_WORDS];	/* NAME=value, added to ours */
	const char *rules;		/* SOCKSHIM_RULES */
	const char *preload_first;	/* other objects, in LD_PRELOAD before and after the library */
	const char *preload_last;
	bool bare;			/* without the library */
	unsigned seconds;		/* until it counts as hung; 0: 20 */
	void (*setup)(const char *dir);	/* in the child before exec; dir: what SOCKSHIM_DIR is */
	const char *sockshim_dir;	/* in place of a fresh directory */

	char dir[64];			/* the fresh directory, SOCKSHIM_DIR */
	bool hung;
	int code;			/* exit status, -1 if a signal ended it */
	int signal;
	int pid;
	char *out, *err;		/* NUL-terminated */
	const struct run_file *files[CHILD_FILES];	/* run files by start time */
	size_t n_files;
	size_t file_bytes[CHILD_FILES];
	char stats_text[4096];
};

/* Runs it until it and all who hold its standard output have gone. Its run files are mapped. */
void child_run(struct child *c);

/* Runs it without the library and with it, and asserts that standard output, standard error, exit status
 * and signal are the same. *c is the run with the library. */
void child_compare(struct child *c);

/* Runs it with the library and asserts that it exits with 0 and prints nothing on standard error. */
void child_ok(struct child *c);

/* Releases what a run holds, and removes its directory. */
void child_done(struct child *c);

/* The statistics of all its processes, added up, one line per cookie in the order of cookies. */
const char *child_stats(struct child *c);

/* The count of one cookie over all processes. */
uint64_t child_count(const struct child *c, sockshim_cookie cookie, enum run_count which);

/* Calls on which rules fired, by filter type, over all processes and cookies. */
uint64_t child_injected(const struct child *c, enum sockshim_filter_type t);

/* Objects of a file's table that descriptors name. */
unsigned child_open_sockets(const struct child *c, size_t file);

/* The i-th (from 0) of those, NULL if there are fewer. */
const struct run_socket *child_socket(const struct child *c, size_t file, unsigned i);

/* The file of a process, by pid; asserts that there is one. */
size_t child_file_of(const struct child *c, int pid);

/* $(B) of this build, and a path below the directory of the programs. Static storage. */
const char *child_build(void);
const char *child_prog(const char *name);
const char *child_library(void);

/* The number after "NAME=" in the child's output; asserts that it is there. */
long child_said(const struct child *c, const char *name);

#endif
