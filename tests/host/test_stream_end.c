/* Streams through the host: all the ways they end. */
#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>

#include "streams.h"

TestSuite(stream_end, .init = start, .fini = stop);

Test(stream_end, half_close_each_way)
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

Test(stream_end, close_sends_what_was_written)
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

Test(stream_end, close_with_unread_data_is_a_reset)
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

Test(stream_end, a_reset_comes_after_the_data_before_it)
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

Test(stream_end, linger_zero_is_a_reset)
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

Test(stream_end, a_writer_is_told_of_a_reset)
{
	static char chunk[65536];

	/* The reset meets the writer in the middle of things: whichever call of the host comes first. */
	for (int i = 0; i < 20; i++) {
		struct sockp c, s;
		ssize_t n = 0;

		pair_up(&c, &s);
		for (int j = 0; j < 20 + i; j++)
			n = send(s.fd, chunk, sizeof(chunk), MSG_DONTWAIT);
		cr_assert(wait_events(c.fd, POLLIN) & POLLIN);
		close(c.fd);
		while (n >= 0 || errno == EAGAIN)
			n = send(s.fd, chunk, sizeof(chunk), MSG_DONTWAIT | MSG_NOSIGNAL);
		cr_assert_eq(errno, EPIPE);
		peer_wait_state(&p, &s, STACK_BOARD_CLOSED);
		cr_assert(peer_entry(&p, &s).flags & STACK_BOARD_RESET);
		cr_assert_eq(pending_error(&s), ECONNRESET);
		close(s.fd);
	}
}

Test(stream_end, shutdown_both_ways_then_close)
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

Test(stream_end, a_killed_program_is_a_close)
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

Test(stream_end, flush_waits_until_all_is_acknowledged)
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

Test(stream_end, killed_from_outside)
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

Test(stream_end, whatever_ends_how_leaves_nothing, .timeout = 60)
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
