/* rundir.h - where runs are kept: finding, making, choosing and pruning their directories.
 *
 * The directory of a run is held with flock(LOCK_SH) by its `sockshim run` as long as that lives, so one
 * that can be locked exclusively and has no living process is over.
 */
#ifndef SHIM_LAUNCH_RUNDIR_H
#define SHIM_LAUNCH_RUNDIR_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "run/reader.h"

#define RUNDIR_KEEP	16	/* runs that pruning leaves */
#define RUNDIR_PLAIN	"plain"
#define RUNDIR_STACKS	"stack"	/* no run: where the hosts of stacks are found */
#define RUNDIR_ID_MAX	80
#define RUNDIR_PATH_MAX	240	/* what the library has room for */

/* A run, or a part of one, that a command is about. */
struct rundir {
	char id[RUNDIR_ID_MAX];
	char path[PATH_MAX];
	int fd;
	bool plain;		/* <base>/plain: no control file, no launcher */
	char family[32];	/* plain: only the images that follow this file's control block; "": all */
	pid_t pid;		/* only this process and its descendants; 0: all */
};

/* The path of the base directory: $SOCKSHIM_DIR, else $XDG_RUNTIME_DIR/sockshim, else /tmp/sockshim-UID.
 * Returns whether it fitted. */
bool rundir_base(char path[PATH_MAX]);

/* Opens the base directory `path` after checking that it is ours alone; `make`: creates it.
 * A descriptor, or -1 after saying what is wrong (-2 without saying anything: it does not exist). */
int rundir_open_base(const char *path, bool make);

/* Makes a new run directory for a program of that name, held by the descriptor. 0, or -1 after saying
 * why it cannot be. */
int rundir_make(struct rundir *out, const char *base, const char *program);

/* Finds what a command's argument names: a pid, the id of a run, a path of one; NULL: the newest.
 * 0, or -1 after saying why there is none. The caller closes with rundir_close. */
int rundir_find(struct rundir *out, const char *arg);
void rundir_close(struct rundir *run);

/* Whether the run's `sockshim run` is still there. */
bool rundir_held(const struct rundir *run);

/* Lets go of a run that we made. */
void rundir_unhold(struct rundir *run);

/* Whether a process was started in the run and is still there, be it that it has made no socket. Looks at
 * every process of the machine. Never for plain. */
bool rundir_has_members(const struct rundir *run);

/* Whether it has a launcher or a living process. `images`: those of the run. */
bool rundir_active(const struct rundir *run, const struct run_images *images);
/* The same, reading them. */
bool rundir_is_active(const struct rundir *run);

/* Reads the images that the reference takes in, with their fates. 0 or -errno. */
int rundir_images(const struct rundir *run, struct run_images *out);

/* Calls `each` for every run of the base, the newest first, plain last. A non-zero result ends it and is
 * returned. -1 after saying why the base cannot be read; 0 if there is none. */
int rundir_each(int (*each)(struct rundir *run, void *user), void *user);

/* Removes a run's directory. 0 or -errno. */
int rundir_remove(struct rundir *run);

/* Removes the files of ended processes from <base>/plain; returns how many processes. */
size_t rundir_remove_ended(struct rundir *plain);

/* Removes runs that have ended and are not among the `keep` newest of all; returns how many. */
size_t rundir_prune(size_t keep);

#endif
