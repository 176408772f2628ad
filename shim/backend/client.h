/* client.h - asking the stack host: which it is, one request at a time, and what if it is not there.
 *
 * The host is found by what SOCKSHIM_STACK says: host:PATH is its control socket; a name is that of a stack that is
 * up (BASE/stack/NAME.sock); anything else is a specification, for which the first process that makes a socket
 * starts a host, and all that say the same share it. BASE is $SOCKSHIM_DIR, $XDG_RUNTIME_DIR/sockshim or
 * /tmp/sockshim-UID. Once the host is gone it stays gone: sockets fail with ENETDOWN, and are never the kernel's.
 */
#ifndef SHIM_BACKEND_CLIENT_H
#define SHIM_BACKEND_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "backend/board.h"
#include "backend/channel.h"
#include "backend/traffic.h"
#include "proto/stack_proto.h"

/* A request and its reply. */
struct client_request {
	enum stack_op op;
	uint64_t cookie;		/* in: whom it is about; out: the reply's */
	int64_t arg[4];			/* in and out */
	const void *data;
	size_t len;
	void *out;			/* where the reply's data goes, `room` bytes at most */
	size_t room;
	size_t out_len;			/* out: length of the reply's data; may be more than room */
	int send_fd;			/* 0: none */
	bool want_fd;
	bool slow;			/* takes its time: on a connection of its own */
	int fd;				/* out: with want_fd: the descriptor that came, -1: none */
};

/* The process's stack, as the environment says it. */
struct client {
	bool on;
	const char *spec;		/* a specification (to start a host with), or NULL */
	const char *text;		/* what SOCKSHIM_STACK says */
	char path[256];			/* the control socket */
	char base[200];			/* the directory of the directory of control sockets */
	uint32_t gone;			/* no host is to be had (any more) */
	uint32_t *said;			/* where RUN_SAID_STACK is kept: told once a run */
	struct traffic traffic;
	int (*holder)(uint64_t cookie);		/* a descriptor of that socket, or negative */
	int (*find_library)(char *path, size_t n);	/* the path of this library */
};
extern struct client client;

/* Reads what the environment says. Afterwards client.on. */
void client_init(uint32_t *said);

/* Asks. 0 or -errno: the host's answer, or -ENETDOWN if there is none. */
int client_ask(struct client_request *q);

/* Shows the host that this process holds a socket: it may be another user's, who has passed it on. */
bool client_hold(uint64_t cookie);

/* A channel that is not given back yet, for who sends requests himself; NULL if there is none. */
struct channel *client_channel(void);

/* Whether the host has left; says so, once. */
bool client_host_gone(void);

/* Has connections made, if there is a host that can be asked. Does not start one. */
void client_prepare(int n);

/* The process is about to change its user or its root: has ready what it, and its descendants, cannot have afterwards. */
void client_change_user(void);

/* Makes sure that the host's process id is known, without starting one. False: there is none. */
bool client_reach(void);

/* Says something on standard error, once a run. */
void client_say(const char *what, const char *value, const char *then);

#endif
