/* Streams through the host: connections and bytes. */
#include <errno.h>
#include <sys/wait.h>

#include "streams.h"

TestSuite(stream, .init = start, .fini = stop);

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

/* Puts the descriptor that came with the reply in the place of the socket's. */
static void replace(struct sockp *s)
{
	cr_assert_neq(p.reply.cookie, s->cookie);
	cr_assert_geq(p.reply_fd, 0);
	cr_assert_eq(p.reply.arg[0], s->board);
	cr_assert_geq(dup2(p.reply_fd, s->fd), 0);
	close(p.reply_fd);
	s->cookie = p.reply.cookie;
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
	/* The next call is told of it; the one after that begins again, and gets another pair. */
	cr_assert(!(peer_entry(&p, &c).flags & STACK_BOARD_DISSOLVED));
	cr_assert_eq(connect_to(&c, &name), -ECONNABORTED);
	cr_assert(peer_entry(&p, &c).flags & STACK_BOARD_DISSOLVED);
	cr_assert_eq(connect_to(&c, &name), -EINPROGRESS);
	replace(&c);
	peer_wait_state(&p, &c, STACK_BOARD_CONNECTED);
	cr_assert_eq(peer_entry(&p, &c).cookie, c.cookie);
	s = take(&l, &a);
	cr_assert_eq(send(s.fd, "x", 1, 0), 1);
	cr_assert(wait_events(c.fd, POLLIN) & POLLIN);
	close(s.fd);
	close(c.fd);
	close(l.fd);
}

Test(stream, why_it_failed_is_told_once_to_who_asks)
{
	struct sockaddr_in name;
	struct sockp l = listening(5, &name), c = peer_socket(&p, AF_INET, SOCK_STREAM);

	cr_assert_eq(peer_call(&p, STACK_OP_CONNECT, c.cookie, STACK_CONNECT_END, 0, 0, NULL, 0), -EISCONN);
	name.sin_port = (in_port_t)(name.sin_port ^ htons(1));
	cr_assert_eq(connect_to(&c, &name), -EINPROGRESS);
	peer_wait_state(&p, &c, STACK_BOARD_CLOSED);
	cr_assert_eq(peer_call(&p, STACK_OP_CONNECT, c.cookie, STACK_CONNECT_END, 0, 0, NULL, 0), -ECONNREFUSED);
	cr_assert_eq(peer_entry(&p, &c).error, 0);
	cr_assert_eq(peer_call(&p, STACK_OP_CONNECT, c.cookie, STACK_CONNECT_END, 0, 0, NULL, 0), -EISCONN);
	close(c.fd);
	close(l.fd);
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

Test(stream, listening_again_after_a_shutdown)
{
	struct sockaddr_in name;
	struct sockp l = listening(2, &name), c = peer_socket(&p, AF_INET, SOCK_STREAM), s;
	struct stack_accept a;

	cr_assert_eq(peer_call(&p, STACK_OP_SHUTDOWN, l.cookie, SHUT_RDWR, 0, 0, NULL, 0), 0);
	cr_assert_eq(peer_call(&p, STACK_OP_LISTEN, l.cookie, 2, 0, 0, NULL, 0), 0);
	replace(&l);
	name = peer_name(&p, &l, false);
	cr_assert_eq(connect_to(&c, &name), -EINPROGRESS);
	s = take(&l, &a);
	close(s.fd);
	close(c.fd);
	close(l.fd);
}

Test(stream, disconnected_and_connected_again)
{
	static const struct sockaddr none = { .sa_family = AF_UNSPEC };
	struct sockaddr_in name;
	struct sockp l = listening(2, &name), c = peer_socket(&p, AF_INET, SOCK_STREAM), s;
	struct pollfd f = { .fd = c.fd, .events = POLLOUT };
	struct stack_accept a;
	char byte;

	cr_assert_eq(connect_to(&c, &name), -EINPROGRESS);
	s = take(&l, &a);
	peer_wait_state(&p, &c, STACK_BOARD_CONNECTED);
	cr_assert_eq(peer_call(&p, STACK_OP_CONNECT, c.cookie, 0, 0, 0, &none, sizeof(none)), 0);
	replace(&c);
	cr_assert_eq(peer_entry(&p, &c).state & 0xff, STACK_BOARD_NEW);
	cr_assert_eq(poll(&f, 1, 0), 0);
	cr_assert_eq(read_all(s.fd, &byte, 1), 0);
	cr_assert_eq(pending_error(&s), ECONNRESET);
	close(s.fd);
	cr_assert_eq(connect_to(&c, &name), -EINPROGRESS);
	s = take(&l, &a);
	cr_assert_eq(send(s.fd, "x", 1, 0), 1);
	cr_assert_eq(read_all(c.fd, &byte, 1), 1);
	close(s.fd);
	close(c.fd);
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

/* Another process's: it has sockets, however many the first one has taken. */
static int finds_room(struct peer *other)
{
	struct sockp mine[4];

	for (int i = 0; i < 4; i++) {
		if (peer_call(other, STACK_OP_SOCKET, 0, AF_INET, SOCK_STREAM, 0, NULL, 0))
			return 1;
		mine[i].fd = other->reply_fd;
	}
	for (int i = 0; i < 4; i++)
		close(mine[i].fd);
	return 0;
}

Test(limits, who_leaks_leaves_something_for_others, .timeout = 60)
{
	enum { FILES = 128 };
	static struct sockp held[FILES];
	pid_t child;
	int n = 0, status = -1;

	peer_start_limited(&p, "lo", FILES);
	while (peer_call(&p, STACK_OP_SOCKET, 0, AF_INET, SOCK_DGRAM, 0, NULL, 0) == 0) {
		cr_assert_lt(n, FILES);
		held[n++].fd = p.reply_fd;
	}
	cr_assert_gt(n, FILES / 2);
	child = fork();
	if (child == 0) {
		struct peer other = { 0 };
		int pair[2];

		if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) < 0)
			_exit(2);
		peer_send_fd(&p, STACK_OP_JOIN, 0, pair[1]);
		other.ctl = pair[0];
		peer_hello(&other);
		_exit(finds_room(&other));
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert_eq(status, 0);
	/* And those that are closed are there again. */
	close(held[--n].fd);
	while (peer_call(&p, STACK_OP_SOCKET, 0, AF_INET, SOCK_DGRAM, 0, NULL, 0) != 0)
		;
	close(p.reply_fd);
	while (n)
		close(held[--n].fd);
	peer_stop(&p);
}

Test(limits, connections_wait_while_the_host_has_no_descriptors, .timeout = 60)
{
	enum { FILES = 64 };
	static struct sockp held[FILES];
	struct sockaddr_in name;
	struct sockp l, c, s;
	struct stack_accept a;
	int n = 0, err;

	peer_start_limited(&p, "lo", FILES);
	l = listening(5, &name);
	c = peer_socket(&p, AF_INET, SOCK_STREAM);
	while ((err = peer_call(&p, STACK_OP_SOCKET, 0, AF_INET, SOCK_DGRAM, 0, NULL, 0)) == 0) {
		cr_assert_lt(n, FILES);
		held[n++].fd = p.reply_fd;
	}
	cr_assert_eq(err, -ENFILE);
	/* The connection is there, and cannot be handed over. */
	cr_assert_eq(connect_to(&c, &name), -EINPROGRESS);
	peer_wait_state(&p, &c, STACK_BOARD_CONNECTED);
	cr_assert_eq(poll(&(struct pollfd){ .fd = l.fd, .events = POLLIN }, 1, 50), 0);
	while (n)
		close(held[--n].fd);
	s = take(&l, &a);
	cr_assert_eq(send(c.fd, "x", 1, 0), 1);
	cr_assert(wait_events(s.fd, POLLIN) & POLLIN);
	close(s.fd);
	close(c.fd);
	close(l.fd);
	peer_stop(&p);
}
