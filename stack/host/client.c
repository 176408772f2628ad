/*
 * Control connections.
 *
 * Theory of operation. Requests are answered one after another, so a client has at most one reply on
 * its way: one that the socket has no room for, or one that waits for the network, stops the reading
 * of further requests, and so costs a client's memory and nobody else's. A malformed message ends the
 * connection; the sockets go on, since they belong to whoever holds their pairs.
 */
#include "host/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CLIENT_EVENTS = EPOLLIN | EPOLLRDHUP };

static int send_msg(int to, const struct stack_msg *m, size_t len, int fd)
{
	struct iovec iov = { (void *)m, len };
	union {
		struct cmsghdr h;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .h = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (fd >= 0) {
		h.msg_control = &control;
		h.msg_controllen = sizeof(control.bytes);
		memcpy(CMSG_DATA(&control.h), &fd, sizeof(fd));
	}
	return sendmsg(to, &h, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void client_close(struct client *c)
{
	if (c->waiting && c->cancel)
		c->cancel(c);
	timer_fini(c->host->stack->clock, &c->retry);
	loop_remove(&c->host->loop, c->fd, &c->src);
	close(c->fd);
	close_fd(&c->unsent_fd);
	free(c->unsent);
	list_remove(&c->all);
	c->host->nclients--;
	free(c);
}

static bool may_go_later(int err)
{
	/* ETOOMANYREFS: as many descriptors are in flight as there may be; some will be taken. */
	return err == -EAGAIN || err == -ETOOMANYREFS || err == -ENOBUFS || err == -ENOMEM;
}

/* For what the socket has no room, it says when it has; for the rest there is only time. */
static bool wait_to_send(struct client *c, int err)
{
	if (err != -EAGAIN)
		timer_arm_in(c->host->stack->clock, &c->retry, 10 * NS_PER_MS);
	return loop_modify(&c->host->loop, c->fd, err == -EAGAIN ? EPOLLOUT : EPOLLRDHUP, &c->src) == 0;
}

static void client_retry(struct timer *t)
{
	struct client *c = container_of(t, struct client, retry);

	loop_wake(&c->host->loop, &c->src);
}

/* Sends a reply, or keeps it until there is room. False: the client is no good any more. */
static bool reply(struct client *c, struct stack_msg *m, int fd)
{
	size_t len = STACK_MSG_HEAD + m->len;
	int err = send_msg(c->fd, m, len, fd);

	if (may_go_later(err)) {
		c->unsent = malloc(len);
		if (!c->unsent)
			return close_fd(&fd), false;
		memcpy(c->unsent, m, len);
		c->unsent_len = len;
		c->unsent_fd = fd;
		return wait_to_send(c, err);
	}
	close_fd(&fd);
	return err == 0;
}

static bool send_unsent(struct client *c)
{
	int err = send_msg(c->fd, c->unsent, c->unsent_len, c->unsent_fd);

	if (may_go_later(err))
		return wait_to_send(c, err);
	close_fd(&c->unsent_fd);
	free(c->unsent);
	c->unsent = NULL;
	return err == 0 && loop_modify(&c->host->loop, c->fd, CLIENT_EVENTS, &c->src) == 0;
}

void client_reply(struct client *c, struct stack_msg *m, int fd)
{
	c->waiting = false;
	c->later = NULL;
	c->cancel = NULL;
	loop_modify(&c->host->loop, c->fd, CLIENT_EVENTS, &c->src);
	/* It may be in anybody's turn: the client is released in its own. */
	if (!reply(c, m, fd))
		c->gone = true;
	loop_wake(&c->host->loop, &c->src);
}

/* Who sent a message. Each says so, since who has a connection from another keeps it after changing the user. */
static uid_t sender(struct msghdr *h)
{
	struct ucred cred = { .uid = (uid_t)-1 };

	for (struct cmsghdr *m = CMSG_FIRSTHDR(h); m; m = CMSG_NXTHDR(h, m))
		if (m->cmsg_level == SOL_SOCKET && m->cmsg_type == SCM_CREDENTIALS && m->cmsg_len >= CMSG_LEN(sizeof(cred)))
			memcpy(&cred, CMSG_DATA(m), sizeof(cred));
	return cred.uid;
}

/* The one descriptor a message may have; -1: none, -2: not what it may have. */
static int received_fd(struct msghdr *h)
{
	int found = -1;

	for (struct cmsghdr *m = CMSG_FIRSTHDR(h); m; m = CMSG_NXTHDR(h, m)) {
		size_t n = m->cmsg_len >= CMSG_LEN(0) ? (m->cmsg_len - CMSG_LEN(0)) / sizeof(int) : 0;

		if (m->cmsg_level != SOL_SOCKET || m->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(m) + i * sizeof(fd), sizeof(fd));
			if (found != -1) {
				close(fd);
				close_fd(&found);
				found = -2;
			} else {
				found = fd;
			}
		}
	}
	return found;
}

/* Reads and answers one message. 1: did; 0: there is none, -1: the connection is to end. */
static int serve(struct client *c, struct stack_msg *in, struct stack_msg *out)
{
	struct request q = { .host = c->host, .client = c, .in = in, .out = out, .fd_out = -1 };
	struct iovec iov = { in, sizeof(*in) };
	char control[CMSG_SPACE(8 * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))] __attribute__((aligned(8)));
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			    .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(c->fd, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	bool fine;

	if (n < 0)
		return errno == EAGAIN ? 0 : -1;
	if (n == 0)
		return -1;
	q.fd_in = received_fd(&h);
	q.uid = host_is_master(c->host, c->uid) ? sender(&h) : c->uid;
	fine = q.fd_in != -2 && !(h.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) && (size_t)n >= STACK_MSG_HEAD &&
	       in->len == (size_t)n - STACK_MSG_HEAD;
	if (fine) {
		memset(out, 0, STACK_MSG_HEAD);
		out->version = STACK_PROTO_VERSION;
		out->op = in->op;
		out->seq = in->seq;
		out->cookie = in->cookie;
		fine = request_run(&q);
	}
	close_fd(&q.fd_in);
	if (!fine) {
		c->host->counters.messages_malformed++;
		close_fd(&q.fd_out);
		return -1;
	}
	if (q.silent)
		return 1;
	if (q.later) {
		c->waiting = true;
		/* What else it asks is not looked at yet; that it goes away is. */
		return loop_modify(&c->host->loop, c->fd, EPOLLRDHUP, &c->src) == 0 ? 1 : -1;
	}
	return reply(c, out, q.fd_out) ? 1 : -1;
}

static void client_turn(struct source *s)
{
	struct client *c = container_of(s, struct client, src);
	uint32_t ev = s->events;
	struct stack_msg in, out;
	int r = 1;

	s->events = 0;
	if (c->gone || (ev & (EPOLLHUP | EPOLLERR))) {
		client_close(c);
		return;
	}
	if (c->unsent && !send_unsent(c)) {
		client_close(c);
		return;
	}
	if (c->waiting && (ev & EPOLLRDHUP)) {
		client_close(c);
		return;
	}
	/* One: who has another in flight is rare, and that it is there is an event again. */
	if (!c->unsent && !c->waiting)
		r = serve(c, &in, &out);
	if (r < 0)
		client_close(c);
}

int client_new(struct host *h, int fd)
{
	struct client *c = calloc(1, sizeof(*c));
	struct ucred cred = { 0 };
	socklen_t len = sizeof(cred);
	const int on = 1;
	int err;

	if (!c) {
		close(fd);
		return -ENOMEM;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0) {
		err = -errno;
		close(fd);
		free(c);
		return err;
	}
	source_init(&c->src, client_turn);
	timer_init(&c->retry, client_retry);
	c->host = h;
	c->fd = fd;
	c->pid = cred.pid;
	c->uid = cred.uid;
	c->gid = cred.gid;
	c->unsent_fd = -1;
	err = loop_add(&h->loop, fd, CLIENT_EVENTS, &c->src);
	if (err) {
		close(fd);
		free(c);
		return err;
	}
	list_push_back(&h->clients, &c->all);
	h->nclients++;
	h->served = true;
	h->counters.clients_accepted++;
	return 0;
}
