/* reader.h - run files as others find them: copied, checked, trusted in nothing.
 *
 * A run file belongs to a process that may be in the middle of a change, may have been killed in one, or
 * may be hostile. So everything is copied with pread (a mapping would end in SIGBUS when the file
 * shrinks) and checked in the copy. After run_image_read succeeded, no accessor can fail: counts are in
 * bounds, strings are terminated, valid UTF-8 and without control characters.
 */
#ifndef SHIM_RUN_READER_H
#define SHIM_RUN_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "run/layout.h"

/* Why a file was refused. */
struct run_error {
	char text[160];
};

/* What became of a process image. */
enum run_fate {
	RUN_FATE_RUNNING,
	RUN_FATE_EXITED,	/* ended by exit */
	RUN_FATE_EXECED,	/* replaced by another image of the same process */
	RUN_FATE_DIED,		/* gone without a word: killed, or _exit */
	RUN_FATES
};

extern const char *const run_fate_names[RUN_FATES];

/* A process image: a copy of its file. */
struct run_image {
	char name[64];			/* the file's */
	unsigned long number;		/* N of N-PID, or of N */
	struct run_file *file;		/* a copy of it; what was counted in the places of sockets is in its statistics */
	struct run_socket *sockets;	/* those in use, lowest slot first */
	size_t n_sockets;
	enum run_fate fate;		/* set by run_images_read */
};

/* All images of a directory, oldest first. */
struct run_images {
	struct run_image **v;
	size_t n;
	size_t refused;			/* files that could not be read */
	bool refused_lives;		/* of one of these the process is there: another version's, say */
	struct run_error why;		/* for the first of them */
};

/* Whether a name in a run directory is that of a process's file ("12-4711"; in <base>/plain "12"), or of
 * its trace ("12-4711.trace"). Number and pid (0 in plain) are stored if the pointers are not NULL. */
bool run_name_is_file(const char *name, unsigned long *number, pid_t *pid);
bool run_name_is_trace(const char *name, unsigned long *number, pid_t *pid);

/* Reads the file `name` of the directory `dir`. The caller releases *out with run_image_free.
 * 0; -EAGAIN: its process has not finished making it; -EBADMSG: not a run file, or damaged;
 * -EPROTONOSUPPORT: of another version; else what open or read said. *err has the words. */
int run_image_read(int dir, const char *name, struct run_image **out, struct run_error *err);
void run_image_free(struct run_image *image);

/* Reads all of them and sets their fates. Files that can't be read are counted, not an error.
 * 0, or -errno of reading the directory. The caller releases with run_images_free. */
int run_images_read(int dir, struct run_images *out);
void run_images_free(struct run_images *images);

/* Whether the process is there, and still the one that wrote the file. */
bool run_image_alive(const struct run_image *image);

/* The module that holds pc, or NULL. */
const struct run_module *run_image_module(const struct run_image *image, uint64_t pc);

/* The recent events of the file, oldest first, into out[RUN_EVENTS]; returns how many. */
size_t run_image_events(const struct run_image *image, struct run_event *out);

/* Copies the control block at `offset` of `fd` under a shared lock. 0; -EBADMSG; -EPROTONOSUPPORT;
 * -errno. Rules are terminated and rules_bytes is their length. */
int run_control_read(int fd, uint64_t offset, struct run_control *out, struct run_error *err);
/* The same for a caller that holds the lock. */
int run_control_read_locked(int fd, uint64_t offset, struct run_control *out, struct run_error *err);

/* A trace ring that is being followed. */
struct run_ring {
	int fd;
	uint32_t capacity;
	uint64_t next;		/* number of the event to read next */
	uint64_t lost;		/* overwritten before they were read, or never completed */
};

/* Opens the trace `name` of `dir`. Errors as run_image_read. */
int run_ring_open(struct run_ring *ring, int dir, const char *name, struct run_error *err);

/* Copies up to `max` events, in order, and returns how many; 0: there are none yet. `final`: the
 * process has ended, so an event that is not complete never will be. -EBADMSG: the ring is damaged. */
int run_ring_read(struct run_ring *ring, struct run_event *out, size_t max, bool final);
void run_ring_close(struct run_ring *ring);

/* Makes a string of up to n bytes, with or without NUL, terminated (the last byte is lost if need be),
 * valid UTF-8, and free of control characters: what is not becomes '?'. Returns its length. */
size_t run_text_clean(char *s, size_t n);

#endif
