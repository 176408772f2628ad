/* config.h - what the environment says: the SOCKSHIM_ variables, copied before the program can change them.
 *
 *	SOCKSHIM_RUN		directory of the run (set by `sockshim run`)
 *	SOCKSHIM_DIR		where runs are kept, in place of $XDG_RUNTIME_DIR/sockshim
 *	SOCKSHIM_RULES		fault rules, divided by newlines or semicolons
 *	SOCKSHIM_FAULTS		a file of fault rules
 *	SOCKSHIM_SEED		seed of the random choices
 *	SOCKSHIM_DUMP		file that the statistics are appended to at exit ("-": standard error)
 *	SOCKSHIM_TRACE		1: record every call
 *	SOCKSHIM_BACKTRACE	frames to record for each socket
 *	SOCKSHIM_TIMES		1: record when each socket was opened
 *	SOCKSHIM_STACK		redirect sockets into a stack: its specification, its name, or host:PATH
 *	SOCKSHIM_ONLY		addresses that go to the stack, divided by commas (default: all)
 *	SOCKSHIM_EXCEPT		addresses that do not
 *	SOCKSHIM_STACKD		the stack host's program
 *
 * All are ignored in a program with more rights than its user (AT_SECURE).
 */
#ifndef SHIM_RUN_CONFIG_H
#define SHIM_RUN_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

struct run_config {
	const char *run, *dir, *rules, *faults, *seed, *dump, *trace, *backtrace, *times;
	const char *stack, *only, *except, *stackd;
	const char *runtime_dir;	/* XDG_RUNTIME_DIR */
	const char *preload;		/* LD_PRELOAD */
	const char *entries[16];	/* the SOCKSHIM_ variables and LD_PRELOAD as NAME=value; NULL ends */
	bool secure;			/* AT_SECURE: the environment is not to be trusted */
	bool too_long;			/* a variable did not fit and was left out */
};

/* Reads the environment, once; later calls return the same. Neither allocates nor locks. */
const struct run_config *run_config(void);

struct text;

/* Appends the directory that this user's runs are in: SOCKSHIM_DIR, else below XDG_RUNTIME_DIR, else in /tmp. */
void run_config_base(struct text *t);

#endif
