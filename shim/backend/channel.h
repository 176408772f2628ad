/* channel.h - connections to the stack host's control socket.
 *
 * Theory of operation. A process has a handful of them, each claimed with one compare-and-swap for one request, and
 * given back when its reply is there. So several threads and a signal handler that interrupts one of them
 * each have their own. A thread's signals are held back while it has one: what a handler leaves by siglongjmp
 * would never give it back. Only while a host lets one wait for long are they let in. There are no locks and no memory is allocated.
 *
 * Their descriptors are close-on-exec and high. Since a program may close or replace what is not its own by calls
 * that nobody sees, SO_COOKIE is compared before each use. A forked child forgets its parent's, and makes its own.
 */
#ifndef SHIM_BACKEND_CHANNEL_H
#define SHIM_BACKEND_CHANNEL_H

#include <stdbool.h>

#include "proto/stack_proto.h"

#define CHANNEL_FDS_TOP 1024	/* higher numbers would cost the kernel a larger table */

struct channel {
	uint32_t state;		/* 0: no connection, 1: idle, 2: in use */
	int fd;
	uint64_t cookie;	/* SO_COOKIE of fd */
	uint32_t seq;
	uint64_t signals;	/* the mask to give back */
	struct stack_msg msg;
};

/* What the host said of itself to the first connection. */
struct channel_host {
	int pid;		/* as SO_PEERCRED has it */
	int64_t version;
	char name[64];
};
extern struct channel_host channel_host;

/* Told of a descriptor that has become a connection. */
extern void (*channel_opened)(int fd);

/* Asked when all are in use and no more can be made: whether one has been given up. */
extern bool (*channel_wanted)(void);

/* A channel with a connection to `path`, signals held back. NULL: *err (negative) says why. With `only_open` no
 * connection is made. */
struct channel *channel_claim(const char *path, bool only_open, int *err);

/* Sends the request in c->msg and reads its reply into it. send_fd (-1: none) goes with it; *fd is the descriptor
 * that came with the reply, -1 if none did. 0 (and the reply's @err is the answer), or -errno: the connection is
 * no more, -EPROTO if the host sent what it must not. */
int channel_call(struct channel *c, int send_fd, int *fd);

/* The two halves of that: other things may be done between them. After an error of either the connection is no more. */
int channel_send(struct channel *c, int send_fd);
int channel_receive(struct channel *c, int *fd);

/* Whether the channel's connection is still the one that it was: its descriptor may have been closed by calls that nobody
 * sees. */
bool channel_is_ours(const struct channel *c);

/* Gives it back. */
void channel_release(struct channel *c);

/* The same on a connection of its own, which may take its time: signals are not held back. msg[1] is room for what
 * opening the connection takes. */
int channel_call_apart(const char *path, struct stack_msg msg[2], int *fd);

/* Whether fd is one of ours. */
bool channel_owns(int fd);

/* Whether the host has closed its end of one of ours. */
bool channel_hung_up(void);

/* The lowest of ours in [first, last]. */
bool channel_next(unsigned first, unsigned last, unsigned *fd);

/* The program wants this number: if it is one of ours, that gets another. */
void channel_give_way(int fd);

/* Closes what a forked child has of its parent's, and forgets it. */
void channel_after_fork(void);

/* Has n connections made ahead of the time when they can't be. */
void channel_prepare(const char *path, int n);

/* Has a way kept for descendants who cannot connect. */
void channel_keep_hatch(const char *path);

/* SO_COOKIE, 0 if fd is no socket. */
uint64_t channel_cookie_of(int fd);

/* Sends one message, send_fd (-1: none) with it. 0 or -errno. */
int channel_transmit(int fd, const struct stack_msg *m, int send_fd);

/* The program has had its system calls filtered: requests are made with read and write alone, on the connections that
 * there are. */
extern bool channel_sandboxed;

#endif
