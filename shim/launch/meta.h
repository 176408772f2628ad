/* meta.h - the text file in a run's directory that says what was run. */
#ifndef SHIM_LAUNCH_META_H
#define SHIM_LAUNCH_META_H

#include <stdbool.h>
#include <stdint.h>

/* One "key: value" a line; unknown keys are passed over, so that later versions may add to them. */
struct meta {
	char command[1024];	/* quoted for a shell, cut if too long */
	char cwd[512];
	char program[64];
	uint64_t seed;
	int64_t started_ns;	/* CLOCK_REALTIME */
	int launcher;		/* pid of the `sockshim run` */
	int pid;		/* of the program it started */
};

/* Fills in `command` from an argument vector. */
void meta_set_command(struct meta *m, char *const argv[]);

/* Writes it as `meta` into the directory. 0 or -errno. */
int meta_write(int dir, const struct meta *m);

/* Adds the program's pid, once it is known. 0 or -errno. */
int meta_add_pid(int dir, int pid);

/* Reads it; fields that are missing or wrong stay zero. 0, or -errno of opening it. */
int meta_read(int dir, struct meta *m);

#endif
