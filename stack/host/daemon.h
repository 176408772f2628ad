/* Becoming a process of its own. */
#ifndef STACK_HOST_DAEMON_H
#define STACK_HOST_DAEMON_H

#include <stddef.h>

/** daemon_close_others() - close every descriptor from 3 on but the @n in @keep */
void daemon_close_others(int *keep, size_t n);

/** daemon_raise_limits() - as many descriptors as the hard limit allows */
void daemon_raise_limits(void);

/**
 * daemon_start() - go on in a child of its own session
 * @status: what the started one writes a line to once it knows how it went: daemon_report()
 *
 * Returns 0 in the child. The parent does not return: it waits for the line, passes it on to @status_fd
 * (or -1) and, if it tells of an error, to standard error, and exits: 0 when ready, else 1.
 * Return: -errno: no child.
 */
int daemon_start(int status_fd, int *status);

/** daemon_report() - "ready PID PATH" or "error TEXT", once, to the descriptor from daemon_start() */
void daemon_report(int status, const char *word, const char *text);

/** daemon_detach() - standard input and output to nowhere, errors to @log (NULL: nowhere); 0 or -errno */
int daemon_detach(const char *log);

#endif
