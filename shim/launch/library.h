/* library.h - where libsockshim.so is. */
#ifndef SHIM_LAUNCH_LIBRARY_H
#define SHIM_LAUNCH_LIBRARY_H

#include <limits.h>

/* Finds the library: `given` if it is not NULL, else beside this executable, in ../lib from there, in the
 * directory it was installed to. 0, or -1 after saying what is wrong. */
int library_find(char path[PATH_MAX], const char *given);

#endif
