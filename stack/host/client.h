/* Control connections: messages in, replies out. */
#ifndef STACK_HOST_CLIENT_H
#define STACK_HOST_CLIENT_H

#include <sys/types.h>

#include "host/host.h"

struct relay;

/**
 * struct client - a control connection
 * @uid:     of who opened it
 * @comm:    the program's name, as it says
 * @hatch:   nothing but STACK_OP_JOIN may be asked on it
 * @hello:   the first message came
 * @waiting: a request whose reply comes later; until then no other is read. Its owner ends it with
 *           client_reply(), or is told by @cancel that nobody waits any more.
 * @unsent:  a reply that found no room, @unsent_len bytes of it; nothing is read until it is out
 */
struct client {
	struct source src;
	struct list all;
	struct host *host;
	int fd;
	pid_t pid;
	uid_t uid;
	gid_t gid;
	char comm[16];
	bool hello, hatch, waiting, gone;
	void (*cancel)(struct client *c);
	void *later;
	struct stack_msg *unsent;
	size_t unsent_len;
	int unsent_fd;
	struct timer retry;
};

/**
 * struct request - one message, and the reply that is made of it
 * @relay:   the socket its cookie names
 * @in:      as it came, checked: @in->len bytes of data
 * @uid:     whose request it is: that of the connection, or, of one that root or the host's user opened, the sender's own
 * @fd_in:   a descriptor that came with it, or -1; whoever keeps it sets it to -1
 * @out:     @out->len, @out->arg and data are for the operation to fill in; @out->cookie is @in's
 * @fd_out:  a descriptor to go with the reply, closed afterwards; or -1
 * @later:   no reply now: the operation has set @client->later and @client->cancel
 * @silent:  no reply at all
 */
struct request {
	struct host *host;
	struct client *client;
	struct relay *relay;
	const struct stack_msg *in;
	struct stack_msg *out;
	uid_t uid;
	int fd_in, fd_out;
	bool later, silent;
};

/** client_new() - serve @fd, from now on the client's; 0 or -errno */
int client_new(struct host *h, int fd);
void client_close(struct client *c);

/** client_reply() - the reply to a request that was put off; takes @fd (or -1). @c may be gone after it */
void client_reply(struct client *c, struct stack_msg *m, int fd);

/** request_run() - find the operation, check the message against it, and do it. False: malformed, nothing
 * was done and the connection is to end */
bool request_run(struct request *q);

#endif
