/* stack.h - stacks for programs to run on: where their hosts are, starting one, asking one. */
#ifndef SHIM_LAUNCH_STACK_H
#define SHIM_LAUNCH_STACK_H

#include <limits.h>
#include <stdbool.h>

#include "proto/stack_proto.h"

#define STACK_ERROR_MAX 512

/* A connection to a host. */
struct stack_link {
	int fd;
	uint32_t seq;
	int64_t pid;
	char name[64];
};

/* Whether what --stack says is the name of a stack that is up, and not a specification. */
bool stack_is_name(const char *text);

/* The directory of control sockets, made if `make`. 0, or -1 after saying what is wrong. */
int stack_dir(char path[PATH_MAX], bool make);

/* The control socket of a name. 0, or -1 after saying what is wrong. */
int stack_path(char path[PATH_MAX], const char *name);

/* Removes what hosts that were killed have left. */
void stack_clean(void);

/* Starts a host for a specification, at `path`. 0, 1 if there is one by now, or -1 after saying why it can't be.
 * `keep`: it stays without clients. */
int stack_start(const char *path, const char *spec, bool keep);

/* Connects. 0, or -errno; -EPROTONOSUPPORT: the host, link->pid, is of another version, which is in link->seq. */
int stack_connect(struct stack_link *link, const char *path);
void stack_disconnect(struct stack_link *link);

/* Sends a request and waits for its reply, both in m. send_fd and *fd: descriptors, -1 for none; fd may be NULL. The
 * reply's error, or -errno. */
int stack_ask(struct stack_link *link, struct stack_msg *m, int send_fd, int *fd);

/* Says why a stack of that name can't be reached. Returns -1. */
int stack_say_unreachable(const char *name, const struct stack_link *link, int err);

/* A stack for a run: finds or starts what `text` says; `id` names the run. Its control socket goes to `path`; the host
 * stays as long as the link is open. 0, or -1 after saying what is wrong. */
int stack_for_run(struct stack_link *link, char path[PATH_MAX], const char *text, const char *id);

#endif
