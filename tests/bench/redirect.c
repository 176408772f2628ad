/*
 * Server and clients of `make bench-redirect`, plain programs that know nothing of a stack:
 *
 *	redirect serve PORT			echoes
 *	redirect rr ADDR PORT SECONDS		one byte there and back: the median in us
 *	redirect crr ADDR PORT SECONDS N	connect, echo one byte, close, N at a time: a second
 *	redirect idle ADDR PORT N		N connections that each echoed once; prints "idle", stays until EOF
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 256, SAMPLES = 1 << 20 };

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static struct sockaddr_in name(const char *ip, const char *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };

	inet_pton(AF_INET, ip, &a.sin_addr);
	return a;
}

static void watch(int ep, int op, int fd, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.fd = fd };

	if (epoll_ctl(ep, op, fd, &e) < 0)
		die("epoll_ctl");
}

static void accept_all(int ep, int l)
{
	int fd;

	while ((fd = accept4(l, NULL, NULL, SOCK_NONBLOCK)) >= 0)
		watch(ep, EPOLL_CTL_ADD, fd, EPOLLIN);
	if (errno != EAGAIN)
		die("accept");
}

static void serve(const char *port)
{
	static char buf[65536];
	struct sockaddr_in a = name("0.0.0.0", port);
	int l = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), ep = epoll_create1(0), one = 1;

	setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(l, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(l, 4096) < 0)
		die("listen");
	watch(ep, EPOLL_CTL_ADD, l, EPOLLIN);
	for (;;) {
		struct epoll_event e[EVENTS];
		int n = epoll_wait(ep, e, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			ssize_t got;

			if (e[i].data.fd == l) {
				accept_all(ep, l);
				continue;
			}
			got = read(e[i].data.fd, buf, sizeof(buf));
			if (got > 0)
				got = write(e[i].data.fd, buf, (size_t)got);
			else if (got == 0 || errno != EAGAIN)
				close(e[i].data.fd);
		}
	}
}

static int dial(const struct sockaddr_in *a)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	if (fd < 0 || connect(fd, (const struct sockaddr *)a, sizeof(*a)) < 0)
		die("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

static int by_value(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return (x > y) - (x < y);
}

static void rr(const struct sockaddr_in *a, double seconds)
{
	float *took = calloc(SAMPLES, sizeof(*took));
	int fd = dial(a), n = 0;
	double end = now_s() + seconds;
	char c = 'x';

	if (!took)
		die("calloc");
	while (n < SAMPLES) {
		double start = now_s();

		if (start > end)
			break;
		if (write(fd, &c, 1) != 1 || read(fd, &c, 1) != 1)
			die("echo");
		took[n++] = (float)(now_s() - start);
	}
	qsort(took, (size_t)n, sizeof(*took), by_value);
	printf("%.2f\n", n ? took[n / 2] * 1e6 : 0);
	free(took);
}

/* One connection of crr: starts a new one when it has had its answer. */
static void begin(int ep, const struct sockaddr_in *a)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	if (fd < 0 || (connect(fd, (const struct sockaddr *)a, sizeof(*a)) < 0 && errno != EINPROGRESS))
		die("connect");
	watch(ep, EPOLL_CTL_ADD, fd, EPOLLOUT);
}

static void crr(const struct sockaddr_in *a, double seconds, int parallel)
{
	int ep = epoll_create1(0);
	double start = now_s();
	long done = 0;
	char c = 'x';

	for (int i = 0; i < parallel; i++)
		begin(ep, a);
	while (now_s() < start + seconds) {
		struct epoll_event e[EVENTS];
		int n = epoll_wait(ep, e, EVENTS, 1000);

		for (int i = 0; i < n; i++) {
			int fd = e[i].data.fd;

			if (e[i].events & EPOLLOUT) {
				if (write(fd, &c, 1) != 1)
					die("write");
				watch(ep, EPOLL_CTL_MOD, fd, EPOLLIN);
				continue;
			}
			if (read(fd, &c, 1) != 1)
				die("read");
			close(fd);
			done++;
			begin(ep, a);
		}
	}
	printf("%.0f\n", (double)done / (now_s() - start));
}

static void idle(const struct sockaddr_in *a, int n)
{
	char c = 'x';

	for (int i = 0; i < n; i++) {
		int fd = dial(a);

		if (write(fd, &c, 1) != 1 || read(fd, &c, 1) != 1)
			die("echo");
	}
	puts("idle");
	fflush(stdout);
	while (read(0, &c, 1) > 0)
		;
}

int main(int argc, char **argv)
{
	struct rlimit most = { 65536, 65536 };
	struct sockaddr_in a;

	setrlimit(RLIMIT_NOFILE, &most);
	if (argc == 3 && !strcmp(argv[1], "serve"))
		serve(argv[2]);
	if (argc < 5)
		return 2;
	a = name(argv[2], argv[3]);
	if (!strcmp(argv[1], "rr"))
		rr(&a, atof(argv[4]));
	else if (!strcmp(argv[1], "crr") && argc == 6)
		crr(&a, atof(argv[4]), atoi(argv[5]));
	else if (!strcmp(argv[1], "idle"))
		idle(&a, atoi(argv[4]));
	else
		return 2;
	return 0;
}
