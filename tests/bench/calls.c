/* calls.c - what a call costs: runs one kind of call many times and prints nanoseconds per call.
 *
 * Usage: calls NAME ROUNDS, where a round is about a millisecond; prints the smallest round's figure, which
 * is the one that other load on the machine disturbs least.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static int udp, pair[2], pipes[2], null, listener, ep;
static struct sockaddr_in where;
static char byte[4];

static void do_socket_close(void) { close(socket(AF_INET, SOCK_STREAM, 0)); }
static void do_socketpair(void)
{
	int p[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, p) == 0) {
		close(p[0]);
		close(p[1]);
	}
}
static void do_bind(void) { bind(udp, (struct sockaddr *)&where, 1); }
static void do_connect_udp(void) { connect(udp, (struct sockaddr *)&where, sizeof(where)); }
static void do_listen(void) { listen(listener, 8); }
static void do_accept_again(void) { accept(listener, NULL, NULL); }
static void do_shutdown(void) { shutdown(udp, 77); }
static void do_getsockopt(void)
{
	int v;
	socklen_t n = sizeof(v);

	getsockopt(udp, SOL_SOCKET, SO_TYPE, &v, &n);
}
static void do_setsockopt(void)
{
	int v = 1;

	setsockopt(udp, SOL_SOCKET, SO_REUSEADDR, &v, sizeof(v));
}
static void do_getsockname(void)
{
	struct sockaddr_in a;
	socklen_t n = sizeof(a);

	getsockname(udp, (struct sockaddr *)&a, &n);
}
static void do_recv_again(void) { recv(pair[0], byte, 1, MSG_DONTWAIT); }
static void do_recvmsg_again(void)
{
	struct iovec v = { byte, 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };

	recvmsg(pair[0], &m, MSG_DONTWAIT);
}
static void do_send_recv(void)
{
	send(pair[0], byte, 1, 0);
	recv(pair[1], byte, 1, 0);
}
static void do_write_read(void)
{
	if (write(pair[0], byte, 1) == 1 && read(pair[1], byte, 1) != 1)
		abort();
}
static void do_write_null(void)
{
	if (write(null, byte, 1) != 1)
		abort();
}
static void do_pipe_close(void)
{
	if (pipe(pipes) == 0) {
		close(pipes[0]);
		close(pipes[1]);
	}
}
static void do_close_pipe(void);
static void do_dup_close(void) { close(dup(null)); }
static void do_dup_socket_close(void) { close(dup(udp)); }
static void do_fcntl(void) { fcntl(udp, F_GETFL); }
static void do_ioctl(void)
{
	int n;

	ioctl(udp, FIONREAD, &n);
}
static void do_poll(void)
{
	struct pollfd p = { .fd = udp, .events = POLLIN };

	poll(&p, 1, 0);
}
static void do_select(void)
{
	struct timeval tv = { 0, 0 };
	fd_set s;

	FD_ZERO(&s);
	FD_SET(udp, &s);
	select(udp + 1, &s, NULL, NULL, &tv);
}
static void do_epoll_wait(void)
{
	struct epoll_event e;

	epoll_wait(ep, &e, 1, 0);
}

static const struct bench {
	const char *name;
	void (*fn)(void);
} benches[] = {
	{ "socket+close", do_socket_close }, { "socketpair+close+close", do_socketpair }, { "bind(error)", do_bind },
	{ "connect(udp)", do_connect_udp }, { "listen", do_listen }, { "accept(EAGAIN)", do_accept_again },
	{ "shutdown(error)", do_shutdown }, { "getsockopt", do_getsockopt }, { "setsockopt", do_setsockopt },
	{ "getsockname", do_getsockname }, { "recv(EAGAIN)", do_recv_again }, { "recvmsg(EAGAIN)", do_recvmsg_again },
	{ "send+recv", do_send_recv }, { "write+read", do_write_read }, { "write(/dev/null)", do_write_null },
	{ "close(pipe)", do_close_pipe }, { "pipe+close+close", do_pipe_close }, { "dup+close", do_dup_close },
	{ "dup+close(socket)", do_dup_socket_close }, { "fcntl", do_fcntl }, { "ioctl", do_ioctl },
	{ "poll", do_poll }, { "select", do_select }, { "epoll_wait", do_epoll_wait },
};

static double now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static double batch(void (*fn)(void), int n)
{
	double t = now_ns();

	for (int i = 0; i < n; i++)
		fn();
	return (now_ns() - t) / n;
}

/* Only the closes of many pipes are timed, not their making. */
#define PIPES 200
static double batch_close_pipe(void)
{
	int p[PIPES][2];
	double t;

	for (int i = 0; i < PIPES; i++)
		if (pipe(p[i]) != 0)
			exit(1);
	t = now_ns();
	for (int i = 0; i < PIPES; i++) {
		close(p[i][0]);
		close(p[i][1]);
	}
	return (now_ns() - t) / (2 * PIPES);
}
static void do_close_pipe(void) { }

static double measure(const struct bench *b, int rounds)
{
	double best = 1e18;
	int n = 16;

	while (b->fn != do_close_pipe && batch(b->fn, n) * n < 5e5)
		n *= 2;
	for (int i = 0; i < rounds; i++) {
		double t = b->fn == do_close_pipe ? batch_close_pipe() : batch(b->fn, n);

		best = t < best ? t : best;
	}
	return best;
}

static int other_pair[2];

static void *other_thread(void *arg)
{
	while (!__atomic_load_n((int *)arg, __ATOMIC_RELAXED))
		recv(other_pair[0], byte, 1, MSG_DONTWAIT);
	return NULL;
}

int main(int argc, char **argv)
{
	int rounds = argc > 2 ? atoi(argv[2]) : 50, stop = 0, two = argc > 1 && strcmp(argv[1], "recv(EAGAIN)x2") == 0;
	const char *name = two ? "recv(EAGAIN)" : argc > 1 ? argv[1] : "";
	socklen_t len = sizeof(where);
	pthread_t t;

	udp = socket(AF_INET, SOCK_DGRAM, 0);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	where.sin_family = AF_INET;
	where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	bind(udp, (struct sockaddr *)&where, sizeof(where));
	getsockname(udp, (struct sockaddr *)&where, &len);
	listen(listener, 8);
	null = open("/dev/null", O_WRONLY);
	ep = epoll_create1(0);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) || socketpair(AF_UNIX, SOCK_STREAM, 0, other_pair))
		return 1;
	if (two)
		pthread_create(&t, NULL, other_thread, &stop);
	for (size_t i = 0; i < sizeof(benches) / sizeof(benches[0]); i++)
		if (!*name || strcmp(name, benches[i].name) == 0)
			printf("%s\t%.1f\n", two ? argv[1] : benches[i].name, measure(&benches[i], rounds));
	stop = 1;
	if (two)
		pthread_join(t, NULL);
	return 0;
}
