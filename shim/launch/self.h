/* self.h - where this program itself is. */
#ifndef SHIM_LAUNCH_SELF_H
#define SHIM_LAUNCH_SELF_H

#include <limits.h>
#include <stdbool.h>

/* The directory that this program was started from, links followed. False if that cannot be known. */
bool self_directory(char dir[PATH_MAX]);

#endif
