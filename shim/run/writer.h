/* writer.h - the process's own file in the run: made at its first socket, mapped, written in place.
 *
 * Where no file can be made (no space, read-only, no such directory, no right to after a chroot or a change
 * of user, no memory), the same structures live in private memory and the program goes on; nobody sees them.
 */
#ifndef SHIM_RUN_WRITER_H
#define SHIM_RUN_WRITER_H

#include <stdbool.h>

#include "run/layout.h"

struct run_writer {
	struct run_file *file;		/* never NULL after run_writer_open */
	struct run_control *control;	/* the same */
	char dir[240];
	char name[32];
	bool mapped;			/* the file is on disk, for others to see */
};

/* Opens this process's file. `forked`: the process is a fork of the one that `w` was opened by, and follows
 * its control block. */
void run_writer_open(struct run_writer *w, bool forked);

/* Chunk i of sockets of the file. NULL: no memory. */
struct run_socket *run_writer_chunk(struct run_writer *w, unsigned i);

/* The process's trace ring, made at the first call; NULL: it can't be. */
struct run_trace *run_writer_trace(struct run_writer *w);

/* Says something on standard error, once per run. What: "cannot make run directory"; value: a path or NULL;
 * err: an errno or 0; then: what happens instead. */
void run_say(struct run_writer *w, const char *what, const char *value, int err, const char *then);

#endif
