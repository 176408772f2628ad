/* complain.h - what the library has to say on the program's standard error, without harm to the program: no
 * signal if nobody reads it, no waiting if it is full, and nothing written into what the program has put in its place. */
#ifndef SHIM_RUN_COMPLAIN_H
#define SHIM_RUN_COMPLAIN_H

#include <stdbool.h>
#include <stddef.h>

/* Looks at what descriptor 2 is as the program starts. */
void run_complain_start(void);

/* Writes n bytes, if there is room for them within wait_ms. False if they were not written. */
bool run_complain(const char *text, size_t n, int wait_ms);

/* Writes n bytes to any descriptor without a signal's being raised. False if not all were written. */
bool run_write(int fd, const char *text, size_t n);

/* From now on no other system call than write() may be made for it. */
void run_complain_in_sandbox(void);

#endif
