/* start.h - starting a stack host from inside a program. */
#ifndef SHIM_BACKEND_START_H
#define SHIM_BACKEND_START_H

/* Starts a host for client.spec at client.path and waits until it serves, or finds that another process's does.
 * 0, or -1 after saying what is wrong. The program gets no child, no signal and no descriptor of it. */
int start_host(void);

/* In a forked child: whoever was at it is not here. */
void start_after_fork(void);

#endif
