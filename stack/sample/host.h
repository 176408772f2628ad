/* What the samples have in common: a stack on a TUN or TAP device, and its loop. */
#ifndef STACK_SAMPLE_HOST_H
#define STACK_SAMPLE_HOST_H

#include <poll.h>

#include "netstack.h"

/** struct host - filled in by host_open() */
struct host {
	struct stack *stack;
	struct link *device;
	struct nic *nic;
};

#define HOST_USAGE "[-t] [-o] [-g GATEWAY] DEVICE ADDRESS/PREFIX"

/**
 * host_open() - a stack from a command line
 *
 *	PROGRAM [-t] [-o] [-g GATEWAY] DEVICE ADDRESS/PREFIX ARGUMENTS
 *
 * -t: DEVICE is a TAP; -o: with offload; -g: default route. Returns the index of the first of @nargs further
 * arguments; ends the program with a message on any error.
 */
int host_open(struct host *h, int argc, char **argv, const char *usage, int nargs);

/** host_round() - wait until there is something to do for the stack, or on @fd (-1: none), and do the stack's
 * part; whether @fd is ready for @events */
bool host_round(struct host *h, int fd, short events);

/** host_die() - end the program with a message; host_must() - if @err is an error */
void host_die(const char *what, const char *why) __attribute__((noreturn));
void host_must(enum ns_err err, const char *what);

#endif
