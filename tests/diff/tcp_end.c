/* tcp_end.c - how connections end: shutdown each way, close, linger, reset, unread data. */
#include "log.h"

static char buf[65536];

static void half_close(void)
{
	int s[2];

	puts("- half close");
	connection(s);
	DO(send(s[0], "last", 4, 0));
	DO(shutdown(s[0], SHUT_WR));
	DO(send(s[0], "x", 1, MSG_NOSIGNAL));
	POLL(s[1], POLLIN | POLLRDHUP);
	DO(recv(s[1], buf, sizeof(buf), 0));
	DO(recv(s[1], buf, sizeof(buf), 0));
	DO(recv(s[1], buf, sizeof(buf), 0));
	POLL(s[1], POLLRDHUP);
	POLL(s[0], POLLOUT);
	DO(send(s[1], "answer", 6, 0));
	DO(recv(s[0], buf, sizeof(buf), 0));
	DO(shutdown(s[1], SHUT_WR));
	POLL(s[0], POLLHUP | POLLRDHUP);
	POLL(s[1], POLLHUP | POLLRDHUP);
	DO(recv(s[0], buf, sizeof(buf), 0));
	close(s[0]);
	close(s[1]);
}

/* Both have ended: there is no connection any more. */
static void over(bool closes)
{
	struct sockaddr_in a = in4("127.0.0.1", 1);
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	int s[2];

	puts("- over");
	connection(s);
	DO(shutdown(s[0], SHUT_WR));
	DO(recv(s[1], buf, sizeof(buf), 0));
	DO(closes ? close(s[1]) : shutdown(s[1], SHUT_WR));
	for (int i = 0; i < (closes ? 1 : 2); i++) {
		POLL(s[i], POLLHUP);
		/* The last of them waits for the answer to its FIN. */
		for (int n = 0; n < 2000 && getpeername(s[i], ADDR(&ss), &len) == 0; n++)
			usleep(1000);
		log_name("peer", s[i], true, 0);
		DO(shutdown(s[i], SHUT_WR));
		DO(shutdown(s[i], SHUT_RD));
		DO(shutdown(s[i], SHUT_RDWR));
		DO(recv(s[i], buf, sizeof(buf), 0));
		DO(send(s[i], "x", 1, MSG_NOSIGNAL));
		DO(connect(s[i], ADDR(&a), sizeof(a)));
		DO(listen(s[i], 1));
		SO_ERROR_OF(s[i]);
		close(s[i]);
	}
}

static void shut_read(void)
{
	int s[2];

	puts("- shut for reading");
	connection(s);
	DO(shutdown(s[0], SHUT_RD));
	POLL(s[0], POLLRDHUP);
	DO(recv(s[0], buf, sizeof(buf), 0));
	DO(send(s[0], "still", 5, 0));
	DO(recv(s[1], buf, sizeof(buf), 0));
	close(s[0]);
	close(s[1]);
	connection(s);
	DO(shutdown(s[0], SHUT_RDWR));
	DO(recv(s[0], buf, sizeof(buf), 0));
	DO(send(s[0], "x", 1, MSG_NOSIGNAL));
	DO(recv(s[1], buf, sizeof(buf), 0));
	close(s[0]);
	close(s[1]);
}

static void peer_closes(void)
{
	int s[2];

	puts("- the peer closes");
	connection(s);
	DO(send(s[0], "data", 4, 0));
	wait_bytes(s[1], 4);
	close(s[0]);
	POLL(s[1], POLLRDHUP);
	DO(recv(s[1], buf, sizeof(buf), 0));
	DO(recv(s[1], buf, sizeof(buf), 0));
	DO(send(s[1], "into the void", 13, MSG_NOSIGNAL));
	POLL(s[1], POLLHUP);
	DO(send(s[1], "x", 1, MSG_NOSIGNAL));
	DO(recv(s[1], buf, sizeof(buf), 0));
	close(s[1]);
}

static void closed_before(void)
{
	int s[2];

	puts("- the peer has closed before");
	connection(s);
	close(s[1]);
	POLL(s[0], POLLRDHUP);
	DO(send(s[0], "for nobody", 10, 0));
	POLL(s[0], POLLHUP);
	DO(recv(s[0], buf, 9, 0));
	DO(shutdown(s[0], SHUT_WR));
	DO(recv(s[0], buf, 9, 0));
	SO_ERROR_OF(s[0]);
	DO(send(s[0], "x", 1, MSG_NOSIGNAL));
	close(s[0]);
}

static void unread(void)
{
	int s[2];

	puts("- closed with unread data: reset");
	connection(s);
	DO(send(s[0], "never read", 10, 0));
	wait_bytes(s[1], 10);
	close(s[1]);
	POLL(s[0], POLLERR | POLLHUP);
	DO(recv(s[0], buf, sizeof(buf), 0));
	DO(recv(s[0], buf, sizeof(buf), 0));
	DO(send(s[0], "x", 1, MSG_NOSIGNAL));
	log_name("peer", s[0], true, 0);
	close(s[0]);
}

static void reset(void)
{
	struct linger l = { 1, 0 };
	int s[2];

	puts("- linger 0: reset");
	connection(s);
	DO(send(s[0], "data", 4, 0));
	wait_bytes(s[1], 4);
	DO(setsockopt(s[0], SOL_SOCKET, SO_LINGER, &l, sizeof(l)));
	DO(close(s[0]));
	POLL(s[1], POLLERR | POLLHUP);
	SO_ERROR_OF(s[1]);
	SO_ERROR_OF(s[1]);
	POLL(s[1], POLLHUP);
	DO(recv(s[1], buf, 2, 0));
	DO(recv(s[1], buf, sizeof(buf), 0));
	DO(recv(s[1], buf, sizeof(buf), 0));
	DO(send(s[1], "x", 1, MSG_NOSIGNAL));
	close(s[1]);
	puts("- reset seen by a send");
	connection(s);
	DO(setsockopt(s[0], SOL_SOCKET, SO_LINGER, &l, sizeof(l)));
	DO(close(s[0]));
	POLL(s[1], POLLERR | POLLHUP);
	DO(send(s[1], "x", 1, MSG_NOSIGNAL));
	DO(send(s[1], "x", 1, MSG_NOSIGNAL));
	DO(recv(s[1], buf, sizeof(buf), 0));
	close(s[1]);
}

static void lingers(void)
{
	struct linger l = { 1, 5 }, got = { 0 };
	socklen_t len = sizeof(got);
	int s[2];

	puts("- linger: all arrives before close returns");
	connection(s);
	DO(setsockopt(s[0], SOL_SOCKET, SO_LINGER, &l, sizeof(l)));
	DO(getsockopt(s[0], SOL_SOCKET, SO_LINGER, &got, &len));
	printf("%d %d\n", got.l_onoff, got.l_linger);
	DO(send(s[0], buf, 30000, 0));
	DO(close(s[0]));
	wait_bytes(s[1], 30000);
	DO(recv(s[1], buf, sizeof(buf), MSG_WAITALL));
	close(s[1]);
}

/* What was written before a close arrives, however slow the reader is and whichever side was the first to end. */
static void all_arrives(bool half_closed)
{
	long left = 900000, got = 0;
	ssize_t n;
	int s[2];

	printf("- %s, then much and a close\n", half_closed ? "half closed" : "not half closed");
	fflush(stdout);
	connection(s);
	if (fork() == 0) {
		close(s[0]);
		if (half_closed)
			recv(s[1], buf, 1, 0);
		while (left > 0 && (n = send(s[1], buf, sizeof(buf), 0)) > 0)
			left -= n;
		_exit(close(s[1]));
	}
	close(s[1]);
	if (half_closed)
		shutdown(s[0], SHUT_WR);
	usleep(100000);
	while ((n = recv(s[0], buf, sizeof(buf), 0)) > 0)
		got += n;
	printf("got %ld, then %ld\n", got, (long)n);
	close(s[0]);
	wait(NULL);
}

static volatile sig_atomic_t pipes;

static void on_pipe(int signo)
{
	pipes++;
}

static void sigpipe(void)
{
	int s[2];

	puts("- SIGPIPE");
	signal(SIGPIPE, on_pipe);
	connection(s);
	DO(shutdown(s[0], SHUT_WR));
	DO(write(s[0], "x", 1));
	printf("%d signals\n", pipes);
	DO(send(s[0], "x", 1, 0));
	printf("%d signals\n", pipes);
	DO(send(s[0], "x", 1, MSG_NOSIGNAL));
	printf("%d signals\n", pipes);
	close(s[0]);
	close(s[1]);
	s[0] = socket(AF_INET, SOCK_STREAM, 0);
	DO(write(s[0], "x", 1));
	printf("%d signals\n", pipes);
	close(s[0]);
}

int main(void)
{
	half_close();
	over(false);
	over(true);
	shut_read();
	peer_closes();
	closed_before();
	unread();
	reset();
	lingers();
	all_arrives(false);
	all_arrives(true);
	sigpipe();
	return 0;
}
