/* Streams of a host that the test has started, and what its tests do with them. */
#ifndef TESTS_HOST_STREAMS_H
#define TESTS_HOST_STREAMS_H

#include <criterion/criterion.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "peer.h"

static struct peer p;

static inline void start(void)
{
	peer_start(&p, "lo");
}

static inline void stop(void)
{
	peer_stop(&p);
}

static inline struct sockp listening(int backlog, struct sockaddr_in *name)
{
	struct sockp s = peer_socket(&p, AF_INET, SOCK_STREAM);
	struct sockaddr_in a = v4("127.0.0.1", 0);

	cr_assert_eq(peer_bind(&p, &s, &a), 0);
	cr_assert_eq(peer_call(&p, STACK_OP_LISTEN, s.cookie, backlog, 0, 0, NULL, 0), 0);
	*name = peer_name(&p, &s, false);
	return s;
}

static inline int connect_to(const struct sockp *s, const struct sockaddr_in *to)
{
	return peer_call(&p, STACK_OP_CONNECT, s->cookie, 0, 0, 0, to, sizeof(*to));
}

/* One record from a listening pair. */
static inline struct sockp take(const struct sockp *l, struct stack_accept *a)
{
	struct iovec iov = { a, sizeof(*a) };
	char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct sockp s = { .fd = -1 };

	cr_assert(wait_events(l->fd, POLLIN) & POLLIN, "nothing to accept");
	cr_assert_eq(recvmsg(l->fd, &h, MSG_CMSG_CLOEXEC), (ssize_t)sizeof(*a));
	cr_assert(CMSG_FIRSTHDR(&h) != NULL);
	memcpy(&s.fd, CMSG_DATA(CMSG_FIRSTHDR(&h)), sizeof(int));
	s.cookie = a->cookie;
	s.board = a->board;
	return s;
}

/* A connection: its two ends. */
static inline void pair_up(struct sockp *client, struct sockp *server)
{
	struct sockaddr_in name;
	struct sockp l = listening(5, &name);
	struct stack_accept a;

	*client = peer_socket(&p, AF_INET, SOCK_STREAM);
	cr_assert_eq(connect_to(client, &name), -EINPROGRESS);
	*server = take(&l, &a);
	peer_wait_state(&p, client, STACK_BOARD_CONNECTED);
	close(l.fd);
}

static inline size_t read_all(int fd, char *buf, size_t n)
{
	size_t done = 0;
	ssize_t r;

	while (done < n && wait_events(fd, POLLIN) && (r = recv(fd, buf + done, n - done, 0)) > 0)
		done += (size_t)r;
	return done;
}

static inline int pending_error(const struct sockp *s)
{
	int err = -1;

	cr_assert_eq(peer_call(&p, STACK_OP_GETOPT, s->cookie, SOL_SOCKET, SO_ERROR, sizeof(err), NULL, 0), 0);
	memcpy(&err, p.reply.data, sizeof(err));
	return err;
}

/* Until nothing has gone for 300 ms; how much went. */
static inline size_t write_until_stopped(int fd, const char *chunk, size_t size)
{
	size_t sent = 0;

	for (int idle = 0; idle < 30;) {
		ssize_t n = send(fd, chunk, size, MSG_DONTWAIT);

		if (n > 0) {
			sent += (size_t)n;
			idle = 0;
			cr_assert_lt(sent, 64u << 20, "nothing stops the writer");
		} else {
			idle++;
			usleep(10000);
		}
	}
	return sent;
}

#endif
