/* control.h - making and editing the control block of a run (struct run_control). */
#ifndef SHIM_LAUNCH_CONTROL_H
#define SHIM_LAUNCH_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "launch/rundir.h"
#include "run/layout.h"

#define CONTROL_TRACE_EVENTS	16384	/* 2 MiB a process */

/* A control block being edited: `block` is the copy to change between control_lock and control_commit. */
struct control {
	int fd;
	uint64_t offset;
	struct run_control block;
};

/* A block with no rules and nothing switched on. */
void control_init(struct run_control *block, uint64_t seed);

/* Writes a new run's control file. 0 or -errno. */
int control_create(int dir, const struct run_control *block);

/* Opens the block that `run` follows; `write`: to change it. 0, or -1 after saying what is wrong. */
int control_open(struct control *c, const struct rundir *run, bool write);

/* Reads it without the lock being held afterwards. 0, or -1 after saying what is wrong. */
int control_read(struct control *c, const char *id);

/* Takes the lock and reads the block afresh. 0, or -1 after saying what is wrong. */
int control_lock(struct control *c, const char *id);

/* Writes the block so that readers never take half of it, and releases the lock. 0 or -errno. */
int control_commit(struct control *c);

/* Releases the lock and changes nothing. */
void control_unlock(struct control *c);
void control_close(struct control *c);

/* Turns RUN_TRACE on or off. Returns whether it was the other way before, or -1 after saying why not. */
int control_set_trace(struct control *c, const char *id, bool on);

#endif
