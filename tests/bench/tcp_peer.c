/* The kernel's side of TCP benchmarks. */
#include "tcp_peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CHUNK = 256 << 10, SAMPLES = 1 << 20, EVENTS = 256 };

static char chunk[CHUNK];

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what)
{
	fprintf(stderr, "bench peer: %s: %s\n", what, strerror(errno));
	_exit(1);
}

static struct sockaddr_in at(const char *ip, uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };

	inet_pton(AF_INET, ip, &a.sin_addr);
	return a;
}

static int new_socket(int flags)
{
	int fd = socket(AF_INET, SOCK_STREAM | flags, 0), one = 1;

	if (fd < 0)
		die("socket");
	setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

static int dial(const char *ip, uint16_t port)
{
	struct sockaddr_in a = at(ip, port);
	int fd = new_socket(0);

	if (connect(fd, (struct sockaddr *)&a, sizeof(a)))
		die("connect");
	return fd;
}

double peer_bulk(const char *ip, uint16_t port, int ms)
{
	int fd = dial(ip, port);
	double start = now_s(), end = start + ms / 1e3, bytes = 0;

	while (now_s() < end) {
		ssize_t n = port == PORT_SINK ? write(fd, chunk, sizeof(chunk)) : read(fd, chunk, sizeof(chunk));

		if (n <= 0)
			die("bulk");
		bytes += (double)n;
	}
	end = now_s();
	close(fd);
	return bytes / (end - start);
}

static int by_value(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return (x > y) - (x < y);
}

double peer_rr(const char *ip, int ms)
{
	float *v = malloc(SAMPLES * sizeof(*v));
	double end = now_s() + ms / 1e3, median;
	int fd = dial(ip, PORT_ECHO), n = 0;
	char c = 1;

	while (now_s() < end && n < SAMPLES) {
		double t = now_s();

		if (write(fd, &c, 1) != 1 || read(fd, &c, 1) != 1)
			die("round trip");
		v[n++] = (float)((now_s() - t) * 1e6);
	}
	qsort(v, (size_t)n, sizeof(*v), by_value);
	median = n ? (double)v[n / 2] : 0;
	free(v);
	close(fd);
	return median;
}

static void crr_start(int ep, const struct sockaddr_in *to)
{
	struct epoll_event ev = { .events = EPOLLOUT };

	ev.data.fd = new_socket(SOCK_NONBLOCK);
	if (connect(ev.data.fd, (const struct sockaddr *)to, sizeof(*to)) && errno != EINPROGRESS)
		die("connect");
	epoll_ctl(ep, EPOLL_CTL_ADD, ev.data.fd, &ev);
}

double peer_crr(const char *ip, int parallel, int ms)
{
	struct sockaddr_in to = at(ip, PORT_ECHO);
	int ep = epoll_create1(0);
	double start = now_s(), end = start + ms / 1e3;
	long done = 0;

	for (int i = 0; i < parallel; i++)
		crr_start(ep, &to);
	while (now_s() < end) {
		struct epoll_event ev[EVENTS];
		int n = epoll_wait(ep, ev, EVENTS, 100);

		for (int i = 0; i < n; i++) {
			struct epoll_event in = { .events = EPOLLIN, .data.fd = ev[i].data.fd };
			char c = 1;

			if (ev[i].events & EPOLLOUT) {
				if (write(ev[i].data.fd, &c, 1) != 1)
					die("write");
				epoll_ctl(ep, EPOLL_CTL_MOD, ev[i].data.fd, &in);
				continue;
			}
			if (read(ev[i].data.fd, &c, 1) != 1)
				die("read");
			close(ev[i].data.fd);
			done++;
			crr_start(ep, &to);
		}
	}
	return (double)done / (now_s() - start);
}

double peer_open(const char *ip, int parallel, int n)
{
	struct sockaddr_in to = at(ip, PORT_ECHO);
	int ep = epoll_create1(0), *fds = calloc((size_t)n, sizeof(*fds)), opened = 0;
	double start = now_s(), took;

	for (int i = 0; i < parallel; i++)
		crr_start(ep, &to);
	while (opened < n) {
		struct epoll_event ev[EVENTS];
		int got = epoll_wait(ep, ev, EVENTS, 1000);

		if (got <= 0)
			die("open");
		for (int i = 0; i < got && opened < n; i++) {
			if (ev[i].events & (EPOLLERR | EPOLLHUP))
				die("open");
			epoll_ctl(ep, EPOLL_CTL_DEL, ev[i].data.fd, NULL);
			fds[opened++] = ev[i].data.fd;
			if (opened + parallel <= n)
				crr_start(ep, &to);
		}
	}
	took = now_s() - start;
	for (int i = 0; i < n; i++)
		close(fds[i]);
	free(fds);
	close(ep);
	return took;
}

void peer_hold(const char *ip, const char *from, int n, int fd)
{
	struct sockaddr_in to = at(ip, PORT_ECHO), own = at(from, 0);
	char c = 1;
	int one = 1;

	for (int i = 0; i < n; i++) {
		int s = new_socket(0);

		setsockopt(s, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
		/* Once used, then idle. */
		if (bind(s, (struct sockaddr *)&own, sizeof(own)) || connect(s, (struct sockaddr *)&to, sizeof(to)) ||
		    write(s, &c, 1) != 1 || read(s, &c, 1) != 1)
			die("a connection to hold");
	}
	if (write(fd, &c, 1) != 1 || read(fd, &c, 1) < 0)
		die("hold");
}

static void serve_one(int ep, int fd, int kind)
{
	ssize_t n;

	(void)ep;
	if (kind == PORT_SOURCE) {
		n = write(fd, chunk, sizeof(chunk));
	} else {
		n = read(fd, chunk, sizeof(chunk));
		if (n > 0 && kind == PORT_ECHO)
			n = write(fd, chunk, (size_t)n);
	}
	if (n == 0 || (n < 0 && errno != EAGAIN))
		close(fd);
}

void peer_server(int ready_fd)
{
	int ep = epoll_create1(0), listeners[3];

	signal(SIGPIPE, SIG_IGN);	/* who has had enough closes */

	for (int i = 0; i < 3; i++) {
		struct sockaddr_in a = at("0.0.0.0", (uint16_t)(PORT_SINK + i));
		struct epoll_event ev = { .events = EPOLLIN, .data.u64 = (uint64_t)i << 32 };
		int one = 1;

		listeners[i] = new_socket(SOCK_NONBLOCK);
		setsockopt(listeners[i], SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		if (bind(listeners[i], (struct sockaddr *)&a, sizeof(a)) || listen(listeners[i], 4096))
			die("listen");
		ev.data.u64 |= (uint32_t)listeners[i];
		epoll_ctl(ep, EPOLL_CTL_ADD, listeners[i], &ev);
	}
	if (write(ready_fd, "x", 1) != 1)
		die("ready");
	for (;;) {
		struct epoll_event ev[EVENTS];
		int n = epoll_wait(ep, ev, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			int fd = (int)(uint32_t)ev[i].data.u64, kind = (int)(ev[i].data.u64 >> 32), c;
			bool listens = fd == listeners[kind];

			if (!listens) {
				serve_one(ep, fd, PORT_SINK + kind);
				continue;
			}
			while ((c = accept4(fd, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
				struct epoll_event e = { .events = kind == 1 ? EPOLLOUT : EPOLLIN,
							 .data.u64 = (uint64_t)kind << 32 | (uint32_t)c };
				int one = 1;

				setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
				epoll_ctl(ep, EPOLL_CTL_ADD, c, &e);
			}
		}
	}
}
