/* Streams through the host: connections, bytes, and all the ways they end. */
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "peer.h"

static struct peer p;

static void start(void)
{
	peer_start(&p, "lo");
}

static void stop(void)
{
	peer_stop(&p);
}

TestSuite(stream, .init = start, .fini = stop);

static struct sockp listening(int backlog, struct sockaddr_in *name)
{
	struct sockp s = peer_socket(&p, AF_INET, SOCK_STREAM);
	struct sockaddr_in a = v4("127.0.0.1", 0);

	cr_assert_eq(peer_bind(&p, &s, &a), 0);
	cr_assert_eq(peer_call(&p, STACK_OP_LISTEN, s.cookie, backlog, 0, 0, NULL, 0), 0);
	*name = peer_name(&p, &s, false);
	return s;
}

static int connect_to(const struct sockp *s, const struct sockaddr_in *to)
{
	return peer_call(&p, STACK_OP_CONNECT, s->cookie, 0, 0, 0, to, sizeof(*to));
}

/* One record from a listening pair. */
static struct sockp take(const struct sockp *l, struct stack_accept *a)
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
static void pair_up(struct sockp *client, struct sockp *server)
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

static size_t read_all(int fd, char *buf, size_t n)
{
	size_t done = 0;
	ssize_t r;

	while (done < n && wait_events(fd, POLLIN) && (r = recv(fd, buf + done, n - done, 0)) > 0)
		done += (size_t)r;
	return done;
}

Test(stream, connect_accept_and_talk)
{
	struct sockaddr_in name, from, seen;
	struct sockp l = listening(5, &name), c = peer_socket(&p, AF_INET, SOCK_STREAM), s;
	struct stack_accept a;
	char buf[16];

	cr_assert_eq(peer_entry(&p, &l).state & 0xff, STACK_BOARD_LISTENING);
	cr_assert_eq(connect_to(&c, &name), -EINPROGRESS);
	s = take(&l, &a);
	cr_assert_eq(peer_entry(&p, &s).state & 0xff, STACK_BOARD_CONNECTED);
	peer_wait_state(&p, &c, STACK_BOARD_CONNECTED);
	from = peer_name(&p, &c, false);
	cr_assert_eq(a.peer.len, sizeof(seen));
	memcpy(&seen, a.peer.bytes, sizeof(seen));
	cr_assert_eq(seen.sin_port, from.sin_port);
	memcpy(&seen, peer_entry(&p, &c).peer.bytes, sizeof(seen));
	cr_assert_eq(seen.sin_port, name.sin_port);
	cr_assert_eq(send(c.fd, "hello", 5, 0), 5);
	cr_assert_eq(read_all(s.fd, buf, 5), 5);
	cr_assert_arr_eq(buf, "hello", 5);
	cr_assert_eq(send(s.fd, "world!", 6, 0), 6);
	cr_assert_eq(read_all(c.fd, buf, 6), 6);
	cr_assert_arr_eq(buf, "world!", 6);
	close(c.fd);
	close(s.fd);
	close(l.fd);
}

Test(stream, not_writable_until_connected)
{
	struct sockaddr_in name;
	struct sockp l = listening(5, &name), c = peer_socket(&p, AF_INET, SOCK_STREAM), s;
	struct pollfd f = { .fd = c.fd, .events = POLLIN | POLLOUT };
	struct stack_accept a;

	cr_assert_eq(poll(&f, 1, 0), 0);
	cr_assert_eq(connect_to(&c, &name), -EINPROGRESS);
	cr_assert(wait_events(c.fd, POLLOUT) & POLLOUT);
	/* By then the board says what happened. */
	cr_assert_eq(peer_entry(&p, &c).state & 0xff, STACK_BOARD_CONNECTED);
	s = take(&l, &a);
	f = (struct pollfd){ .fd = s.fd, .events = POLLIN | POLLOUT };
	cr_assert_eq(poll(&f, 1, 0), 1);
	cr_assert_eq(f.revents, POLLOUT);
	close(s.fd);
	close(c.fd);
	close(l.fd);
}

static int pending_error(const struct sockp *s)
{
	int err = -1;

	cr_assert_eq(peer_call(&p, STACK_OP_GETOPT, s->cookie, SOL_SOCKET, SO_ERROR, sizeof(err), NULL, 0), 0);
	memcpy(&err, p.reply.data, sizeof(err));
	return err;
}

Test(stream, refused_and_then_tried_again)
{
	struct sockaddr_in name;
	struct sockp l = listening(5, &name), c = peer_socket(&p, AF_INET, SOCK_STREAM), s;
	struct sockaddr_in gone = name;
	struct stack_accept a;

	gone.sin_port = (in_port_t)(name.sin_port ^ htons(1));
	cr_assert_eq(connect_to(&c, &gone), -EINPROGRESS);
	peer_wait_state(&p, &c, STACK_BOARD_CLOSED);
	cr_assert_eq(peer_entry(&p, &c).error, ECONNREFUSED);
	cr_assert(wait_events(c.fd, POLLOUT) & (POLLOUT | POLLHUP));
	cr_assert_eq(pending_error(&c), ECONNREFUSED);
	cr_assert_eq(pending_error(&c), 0);
	/* Again, on the same socket: it gets another pair. */
	cr_assert_eq(connect_to(&c, &name), -EINPROGRESS);
	cr_assert_neq(p.reply.cookie, c.cookie);
	cr_assert_geq(p.reply_fd, 0);
	cr_assert_geq(dup2(p.reply_fd, c.fd), 0);
	close(p.reply_fd);
	c.cookie = p.reply.cookie;
	peer_wait_state(&p, &c, STACK_BOARD_CONNECTED);
	cr_assert_eq(peer_entry(&p, &c).cookie, c.cookie);
	s = take(&l, &a);
	cr_assert_eq(send(s.fd, "x", 1, 0), 1);
	cr_assert(wait_events(c.fd, POLLIN) & POLLIN);
	close(s.fd);
	close(c.fd);
	close(l.fd);
}

Test(stream, half_close_each_way)
{
	struct sockp c, s;
	char buf[8];

	pair_up(&c, &s);
	cr_assert_eq(send(c.fd, "last", 4, 0), 4);
	cr_assert_eq(peer_call(&p, STACK_OP_SHUTDOWN, c.cookie, SHUT_WR, 0, 0, NULL, 0), 0);
	cr_assert_lt(send(c.fd, "x", 1, MSG_NOSIGNAL), 0);
	cr_assert_eq(errno, EPIPE);
	cr_assert_eq(read_all(s.fd, buf, 8), 4);
	cr_assert_eq(recv(s.fd, buf, 8, 0), 0);
	cr_assert(peer_entry(&p, &s).flags & STACK_BOARD_RCV_EOF);
	cr_assert(!(peer_entry(&p, &s).flags & STACK_BOARD_RESET));
	/* The other way is still open. */
	cr_assert_eq(send(s.fd, "reply", 5, 0), 5);
	cr_assert_eq(read_all(c.fd, buf, 5), 5);
	close(s.fd);
	cr_assert_eq(read_all(c.fd, buf, 1), 0);
	/* Both ways are shut now, and the socket is there until it is closed. */
	cr_assert_eq(peer_call(&p, STACK_OP_LOOKUP, c.cookie, 0, 0, 0, NULL, 0), 0);
	close(c.fd);
	for (int i = 0; i < 5000 && peer_call(&p, STACK_OP_LOOKUP, c.cookie, 0, 0, 0, NULL, 0) == 0; i++)
		usleep(1000);
	cr_assert_eq(p.reply.err, -ENOENT);
}

Test(stream, close_sends_what_was_written)
{
	enum { N = 3 << 20 };
	char *data = malloc(N), *got = malloc(N);
	struct sockp c, s;
	pid_t pid;

	for (size_t i = 0; i < N; i++)
		data[i] = (char)(i * 2654435761u >> 24);
	pair_up(&c, &s);
	pid = fork();
	if (pid == 0) {
		close(s.fd);
		for (size_t done = 0; done < N;) {
			ssize_t n = send(c.fd, data + done, N - done, 0);

			if (n < 0)
				_exit(1);
			done += (size_t)n;
		}
		_exit(0);
	}
	close(c.fd);
	cr_assert_eq(read_all(s.fd, got, N), N);
	cr_assert_eq(memcmp(data, got, N), 0);
	cr_assert_eq(recv(s.fd, got, 1, 0), 0);
	waitpid(pid, NULL, 0);
	close(s.fd);
	free(data);
	free(got);
}

Test(stream, close_with_unread_data_is_a_reset)
{
	struct sockp c, s;
	char buf[8];

	pair_up(&c, &s);
	cr_assert_eq(send(s.fd, "unread", 6, 0), 6);
	cr_assert(wait_events(c.fd, POLLIN) & POLLIN);
	close(c.fd);
	cr_assert_eq(read_all(s.fd, buf, 8), 0);
	peer_wait_state(&p, &s, STACK_BOARD_CLOSED);
	cr_assert(peer_entry(&p, &s).flags & STACK_BOARD_RESET);
	cr_assert_eq(pending_error(&s), ECONNRESET);
	close(s.fd);
}

Test(stream, a_reset_comes_after_the_data_before_it)
{
	struct sockp c, s;
	char buf[8];

	pair_up(&c, &s);
	cr_assert_eq(send(c.fd, "data", 4, 0), 4);
	cr_assert(wait_events(s.fd, POLLIN) & POLLIN);
	cr_assert_eq(peer_call(&p, STACK_OP_ABORT, c.cookie, 0, 0, 0, NULL, 0), 0);
	cr_assert_eq(peer_entry(&p, &c).error, ECONNRESET);
	peer_wait_state(&p, &s, STACK_BOARD_CLOSED);
	cr_assert_eq(read_all(s.fd, buf, 8), 4);
	cr_assert_eq(recv(s.fd, buf, 8, 0), 0);
	cr_assert_lt(send(s.fd, "x", 1, MSG_NOSIGNAL), 0);
	cr_assert_eq(pending_error(&s), ECONNRESET);
	close(s.fd);
	close(c.fd);
}

Test(stream, linger_zero_is_a_reset)
{
	struct linger l = { 1, 0 };
	struct sockp c, s;
	char buf[8];

	pair_up(&c, &s);
	cr_assert_eq(peer_call(&p, STACK_OP_SETOPT, c.cookie, SOL_SOCKET, SO_LINGER, 0, &l, sizeof(l)), 0);
	cr_assert(!(peer_entry(&p, &c).flags & STACK_BOARD_LINGER));
	close(c.fd);
	cr_assert_eq(read_all(s.fd, buf, 8), 0);
	peer_wait_state(&p, &s, STACK_BOARD_CLOSED);
	cr_assert_eq(pending_error(&s), ECONNRESET);
	close(s.fd);
}

/* Until nothing has gone for 300 ms; how much went. */
static size_t write_until_stopped(int fd, const char *chunk, size_t size)
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

Test(stream, a_stopped_reader_stops_the_writer_and_nobody_else)
{
	struct sockp c, s, c2, s2;
	static char chunk[65536];
	size_t sent, got;
	ssize_t n;
	char buf[8];

	pair_up(&c, &s);
	pair_up(&c2, &s2);
	sent = write_until_stopped(c.fd, chunk, sizeof(chunk));
	cr_assert_eq(send(c2.fd, "hello", 5, 0), 5);
	cr_assert_eq(read_all(s2.fd, buf, 5), 5);
	/* All of it is there once it is read. */
	for (got = 0; got < sent;) {
		cr_assert(wait_events(s.fd, POLLIN) & POLLIN, "%zu of %zu", got, sent);
		n = recv(s.fd, chunk, sizeof(chunk), 0);
		cr_assert_gt(n, 0);
		got += (size_t)n;
	}
	cr_assert_eq(got, sent);
	cr_assert(wait_events(c.fd, POLLOUT) & POLLOUT);
	close(c.fd);
	close(s.fd);
	close(c2.fd);
	close(s2.fd);
}

Test(stream, urgent_bytes_both_ways)
{
	struct sockp c, s;
	char buf[16];

	pair_up(&c, &s);
	cr_assert_eq(send(c.fd, "ab", 2, 0), 2);
	cr_assert_eq(send(c.fd, "U", 1, MSG_OOB), 1);
	cr_assert_eq(send(c.fd, "cd", 2, 0), 2);
	cr_assert(wait_events(s.fd, POLLPRI) & POLLPRI);
	cr_assert_eq(recv(s.fd, buf, 1, MSG_OOB), 1);
	cr_assert_eq(buf[0], 'U');
	cr_assert_eq(read_all(s.fd, buf, 4), 4);
	cr_assert_arr_eq(buf, "abcd", 4);
	cr_assert_eq(send(s.fd, "V", 1, MSG_OOB), 1);
	cr_assert(wait_events(c.fd, POLLPRI) & POLLPRI);
	cr_assert_eq(recv(c.fd, buf, 1, MSG_OOB), 1);
	cr_assert_eq(buf[0], 'V');
	close(c.fd);
	close(s.fd);
}

Test(stream, urgent_bytes_in_line)
{
	struct sockp c, s;
	char buf[16];
	int one = 1;

	pair_up(&c, &s);
	cr_assert_eq(peer_call(&p, STACK_OP_SETOPT, s.cookie, SOL_SOCKET, SO_OOBINLINE, 0, &one, sizeof(one)), 0);
	cr_assert_eq(setsockopt(s.fd, SOL_SOCKET, SO_OOBINLINE, &one, sizeof(one)), 0);
	cr_assert_eq(send(c.fd, "ab", 2, 0), 2);
	cr_assert_eq(send(c.fd, "U", 1, MSG_OOB), 1);
	cr_assert_eq(send(c.fd, "cd", 2, 0), 2);
	cr_assert(wait_events(s.fd, POLLPRI) & POLLPRI);
	cr_assert_eq(read_all(s.fd, buf, 5), 5);
	cr_assert_arr_eq(buf, "abUcd", 5);
	close(c.fd);
	close(s.fd);
}

Test(stream, all_of_127_is_the_loopback)
{
	struct sockp l = peer_socket(&p, AF_INET, SOCK_STREAM), c = peer_socket(&p, AF_INET, SOCK_STREAM), s;
	struct sockaddr_in a = v4("127.0.0.2", 0);
	struct stack_accept accepted;

	cr_assert_eq(peer_bind(&p, &l, &a), 0);
	cr_assert_eq(peer_call(&p, STACK_OP_LISTEN, l.cookie, 5, 0, 0, NULL, 0), 0);
	a = peer_name(&p, &l, false);
	cr_assert_eq(connect_to(&c, &a), -EINPROGRESS);
	peer_wait_state(&p, &c, STACK_BOARD_CONNECTED);
	s = take(&l, &accepted);
	cr_assert_eq(peer_name(&p, &s, false).sin_addr.s_addr, a.sin_addr.s_addr);
	cr_assert_eq(peer_name(&p, &c, false).sin_addr.s_addr, htonl(INADDR_LOOPBACK));
	close(l.fd);
	close(c.fd);
	close(s.fd);
}

Test(stream, connecting_again_while_connected)
{
	struct sockaddr_in name;
	struct sockp l = listening(5, &name), c = peer_socket(&p, AF_INET, SOCK_STREAM);

	cr_assert_eq(connect_to(&c, &name), -EINPROGRESS);
	peer_wait_state(&p, &c, STACK_BOARD_CONNECTED);
	/* As the kernel has it: what an earlier call began is done, once. */
	cr_assert_eq(connect_to(&c, &name), 0);
	cr_assert_eq(connect_to(&c, &name), -EISCONN);
	cr_assert_eq(connect_to(&c, &name), -EISCONN);
	close(c.fd);
	close(l.fd);
}

Test(stream, backlog_holds)
{
	struct sockaddr_in name;
	struct sockp l = listening(2, &name), c[8], s;
	struct stack_accept a;
	int there = 0;

	for (int i = 0; i < 8; i++) {
		c[i] = peer_socket(&p, AF_INET, SOCK_STREAM);
		cr_assert_eq(connect_to(&c[i], &name), -EINPROGRESS);
		/* One after another: many SYNs at once would be answered with cookies. */
		usleep(20000);
	}
	for (int i = 0; i < 8; i++)
		there += (peer_entry(&p, &c[i]).state & 0xff) == STACK_BOARD_CONNECTED;
	/* As the kernel has it: one more than the backlog. */
	cr_assert_eq(there, 3, "%d connected", there);
	/* The others come in as there is room. */
	for (int i = 0; i < 8; i++) {
		s = take(&l, &a);
		close(s.fd);
	}
	for (int i = 0; i < 8; i++)
		close(c[i].fd);
	close(l.fd);
}

Test(stream, listening_socket_shut_down)
{
	struct sockaddr_in name;
	struct sockp l = listening(2, &name);
	char byte;

	cr_assert_eq(peer_call(&p, STACK_OP_SHUTDOWN, l.cookie, SHUT_RDWR, 0, 0, NULL, 0), 0);
	cr_assert_eq(read_all(l.fd, &byte, 1), 0);
	cr_assert_eq(peer_call(&p, STACK_OP_LOOKUP, l.cookie, 0, 0, 0, NULL, 0), 0);
	close(l.fd);
}

Test(stream, shutdown_both_ways_then_close)
{
	struct sockp c, s;
	char buf[8];

	pair_up(&c, &s);
	cr_assert_eq(send(c.fd, "end", 3, 0), 3);
	cr_assert_eq(peer_call(&p, STACK_OP_SHUTDOWN, c.cookie, SHUT_RDWR, 0, 0, NULL, 0), 0);
	cr_assert_eq(recv(c.fd, buf, 8, 0), 0);
	cr_assert_eq(read_all(s.fd, buf, 8), 3);
	cr_assert_eq(peer_call(&p, STACK_OP_LOOKUP, c.cookie, 0, 0, 0, NULL, 0), 0);
	close(c.fd);
	close(s.fd);
}

Test(stream, a_killed_program_is_a_close)
{
	struct sockp c, s;
	char buf[8];
	pid_t pid;

	pair_up(&c, &s);
	pid = fork();
	if (pid == 0) {
		close(s.fd);
		for (;;)
			pause();
	}
	close(c.fd);
	cr_assert_eq(send(s.fd, "", 0, 0), 0);
	kill(pid, SIGKILL);
	cr_assert_eq(read_all(s.fd, buf, 8), 0);
	waitpid(pid, NULL, 0);
	close(s.fd);
}

Test(stream, flush_waits_until_all_is_acknowledged)
{
	static char chunk[1 << 20];
	struct sockp c, s;
	size_t sent;
	ssize_t n;

	pair_up(&c, &s);
	sent = write_until_stopped(c.fd, chunk, sizeof(chunk));
	cr_assert_eq(peer_call(&p, STACK_OP_OUTQ, c.cookie, 0, 0, 0, NULL, 0), 0);
	cr_assert_gt(p.reply.arg[0], 0);
	cr_assert_geq(p.reply.arg[0], p.reply.arg[1]);
	cr_assert_eq(peer_call(&p, STACK_OP_FLUSH, c.cookie, 50, 0, 0, NULL, 0), -EAGAIN);
	peer_send(&p, STACK_OP_FLUSH, c.cookie, 10000, 0, 0, NULL, 0);
	for (size_t got = 0; got < sent; got += (size_t)n) {
		n = recv(s.fd, chunk, sizeof(chunk), 0);
		cr_assert_gt(n, 0);
	}
	cr_assert_eq(peer_wait(&p), 0);
	close(c.fd);
	close(s.fd);
}

Test(stream, killed_from_outside)
{
	struct sockp c, s;
	char buf[8];

	pair_up(&c, &s);
	cr_assert_eq(peer_call(&p, STACK_OP_KILL, c.cookie, 0, 0, 0, NULL, 0), 0);
	cr_assert_eq(pending_error(&c), ECONNABORTED);
	cr_assert_eq(read_all(c.fd, buf, 8), 0);
	cr_assert_eq(read_all(s.fd, buf, 8), 0);
	cr_assert_eq(pending_error(&s), ECONNRESET);
	close(c.fd);
	close(s.fd);
}

Test(stream, many_at_once)
{
	enum { N = 300 };
	static struct sockp c[N], s[N];
	struct sockaddr_in name;
	struct sockp l = listening(N, &name);
	struct stack_accept a;
	char buf[8];

	for (int i = 0; i < N; i++) {
		c[i] = peer_socket(&p, AF_INET, SOCK_STREAM);
		cr_assert_eq(connect_to(&c[i], &name), -EINPROGRESS);
	}
	for (int i = 0; i < N; i++)
		s[i] = take(&l, &a);
	for (int i = 0; i < N; i++)
		cr_assert_eq(send(s[i].fd, "hi", 2, 0), 2);
	for (int i = 0; i < N; i++) {
		cr_assert_eq(read_all(c[i].fd, buf, 2), 2);
		close(c[i].fd);
		close(s[i].fd);
	}
	close(l.fd);
}

/* Ends a connection in one of many ways, and closes it. */
static void end_somehow(struct peer *via, const struct sockp *s, unsigned how)
{
	static const struct linger hard = { 1, 0 };
	char buf[64];

	if (how & 1)
		send(s->fd, "some bytes", 10, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (how & 2)
		recv(s->fd, buf, sizeof(buf), MSG_DONTWAIT);
	switch (how >> 2 & 7) {
	case 0:
		peer_call(via, STACK_OP_SHUTDOWN, s->cookie, SHUT_RDWR, 0, 0, NULL, 0);
		break;
	case 1:
		peer_call(via, STACK_OP_SHUTDOWN, s->cookie, SHUT_WR, 0, 0, NULL, 0);
		break;
	case 2:
		peer_call(via, STACK_OP_SHUTDOWN, s->cookie, SHUT_RD, 0, 0, NULL, 0);
		break;
	case 3:
		peer_call(via, STACK_OP_ABORT, s->cookie, 0, 0, 0, NULL, 0);
		break;
	case 4:
		peer_call(via, STACK_OP_SETOPT, s->cookie, SOL_SOCKET, SO_LINGER, 0, &hard, sizeof(hard));
		break;
	case 5:
		shutdown(s->fd, SHUT_WR);
		break;
	case 6:
		shutdown(s->fd, SHUT_RDWR);
		break;
	}
	if (how & 32)
		usleep(how >> 6 & 511);
	close(s->fd);
}

static int sockets_left(void)
{
	char *at;
	int n = -1;

	cr_assert_eq(peer_call(&p, STACK_OP_INFO, 0, 0, 0, 0, NULL, 0), 0);
	p.reply.data[p.reply.len < STACK_MSG_DATA ? p.reply.len : STACK_MSG_DATA - 1] = '\0';
	at = strstr((char *)p.reply.data, "\"sockets\":");
	cr_assert(at && sscanf(at, "\"sockets\":%d", &n) == 1);
	return n;
}

Test(stream, whatever_ends_how_leaves_nothing, .timeout = 60)
{
	enum { N = 1500, SEED = 7 };
	struct sockaddr_in name;
	struct sockp l = listening(100, &name);
	unsigned state = SEED;

	for (int i = 0; i < N; i++) {
		struct sockp c = peer_socket(&p, AF_INET, SOCK_STREAM), s;
		struct stack_accept a;

		cr_assert_eq(connect_to(&c, &name), -EINPROGRESS);
		state = state * 1103515245 + 12345;
		if (state >> 16 & 7) {
			s = take(&l, &a);
			end_somehow(&p, &c, state >> 8);
			end_somehow(&p, &s, state >> 14);
		} else {
			close(c.fd);
			s = take(&l, &a);
			close(s.fd);
		}
	}
	for (int i = 0; i < 10000 && sockets_left() != 1; i++)
		usleep(1000);
	cr_assert_eq(sockets_left(), 1);
	close(l.fd);
}
