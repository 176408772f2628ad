/* target.h - the program that is to be run: where it is, and what of it a preloaded library cannot see. */
#ifndef SHIM_LAUNCH_TARGET_H
#define SHIM_LAUNCH_TARGET_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

enum target_kind {
	TARGET_SEEN,		/* nothing stands against it */
	TARGET_STATIC,		/* no dynamic linker, so no preload */
	TARGET_GO,		/* its net package makes system calls itself */
	TARGET_PRIVILEGED,	/* set-user-ID, set-group-ID or capabilities: preloads are ignored */
	TARGET_FOREIGN,		/* of another class or machine */
	TARGET_KINDS
};

/* Finds `name` as execvp does, along $PATH if it has no slash. 0, -ENOENT, or -EACCES if what is found
 * can't be executed. */
int target_find(char path[PATH_MAX], const char *name);

/* What kind of program a path is; for a script that of its interpreter, whose path goes to `culprit`. */
enum target_kind target_kind(const char *path, char culprit[PATH_MAX]);

/* Writes a warning for a kind. Returns buf, or NULL for TARGET_SEEN. */
char *target_warning(char *buf, size_t n, enum target_kind kind, const char *culprit);

#endif
