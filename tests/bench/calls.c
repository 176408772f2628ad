/* calls.c - what a call costs through whatever is preloaded, beside the same call made in libc itself.
 *
 * Usage: calls [NAME [ROUNDS]]. Each kind of call is made in short batches, in turn as the program would make
 * it and by the address that libc's own handle gives (which no preloaded library changes), so both see the
 * same machine. Calls that come in twos, of which one undoes the other, are timed apart, with a look at the clock
 * between them; those, and other long calls, take ten times as many rounds. Prints per kind: name, median nanoseconds in libc,
 * median nanoseconds as called, median of the differences of neighbouring batches.
 */
#include <dlfcn.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
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

/* The calls by address: as the program's are bound, and libc's own. */
struct api {
	int (*close)(int);
	int (*socket)(int, int, int);
	int (*socketpair)(int, int, int, int *);
	int (*bind)(int, const struct sockaddr *, socklen_t);
	int (*connect)(int, const struct sockaddr *, socklen_t);
	int (*listen)(int, int);
	int (*accept)(int, struct sockaddr *, socklen_t *);
	int (*shutdown)(int, int);
	int (*getsockopt)(int, int, int, void *, socklen_t *);
	int (*setsockopt)(int, int, int, const void *, socklen_t);
	int (*getsockname)(int, struct sockaddr *, socklen_t *);
	ssize_t (*recv)(int, void *, size_t, int);
	ssize_t (*recvmsg)(int, struct msghdr *, int);
	ssize_t (*send)(int, const void *, size_t, int);
	ssize_t (*write)(int, const void *, size_t);
	ssize_t (*read)(int, void *, size_t);
	int (*dup)(int);
	int (*fcntl)(int, int, ...);
	int (*ioctl)(int, unsigned long, ...);
	int (*poll)(struct pollfd *, nfds_t, int);
	int (*select)(int, fd_set *, fd_set *, fd_set *, struct timeval *);
	int (*epoll_wait)(int, struct epoll_event *, int, int);
};

static struct api bound, libc;
static const struct api *api = &bound;

static void find_calls(void)
{
	void *h = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);

	if (!h)
		exit(1);
#define FIND(name) *(void **)&bound.name = dlsym(RTLD_DEFAULT, #name), *(void **)&libc.name = dlsym(h, #name)
	FIND(close);
	FIND(socket);
	FIND(socketpair);
	FIND(bind);
	FIND(connect);
	FIND(listen);
	FIND(accept);
	FIND(shutdown);
	FIND(getsockopt);
	FIND(setsockopt);
	FIND(getsockname);
	FIND(recv);
	FIND(recvmsg);
	FIND(send);
	FIND(write);
	FIND(read);
	FIND(dup);
	FIND(fcntl);
	FIND(ioctl);
	FIND(poll);
	FIND(select);
	FIND(epoll_wait);
}

static int udp, pair[2], pipes[2], null, listener, ep;
static struct sockaddr_in where;
static char byte[4];

static void do_bind(void) { api->bind(udp, (struct sockaddr *)&where, 1); }
static void do_connect_udp(void) { api->connect(udp, (struct sockaddr *)&where, sizeof(where)); }
static void do_listen(void) { api->listen(listener, 8); }
static void do_accept_again(void) { api->accept(listener, NULL, NULL); }
static void do_shutdown(void) { api->shutdown(udp, 77); }
static void do_getsockopt(void)
{
	int v;
	socklen_t n = sizeof(v);

	api->getsockopt(udp, SOL_SOCKET, SO_TYPE, &v, &n);
}
static void do_setsockopt(void)
{
	int v = 1;

	api->setsockopt(udp, SOL_SOCKET, SO_REUSEADDR, &v, sizeof(v));
}
static void do_getsockname(void)
{
	struct sockaddr_in a;
	socklen_t n = sizeof(a);

	api->getsockname(udp, (struct sockaddr *)&a, &n);
}
static void do_recv_again(void) { api->recv(pair[0], byte, 1, MSG_DONTWAIT); }
static void do_recvmsg_again(void)
{
	struct iovec v = { byte, 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };

	api->recvmsg(pair[0], &m, MSG_DONTWAIT);
}
static void do_write_null(void)
{
	if (api->write(null, byte, 1) != 1)
		abort();
}
static void do_fcntl(void) { api->fcntl(udp, F_GETFL); }
static void do_ioctl(void)
{
	int n;

	api->ioctl(udp, FIONREAD, &n);
}
static void do_poll(void)
{
	struct pollfd p = { .fd = udp, .events = POLLIN };

	api->poll(&p, 1, 0);
}
static void do_select(void)
{
	struct timeval tv = { 0, 0 };
	fd_set s;

	FD_ZERO(&s);
	FD_SET(udp, &s);
	api->select(udp + 1, &s, NULL, NULL, &tv);
}
static void do_epoll_wait(void)
{
	struct epoll_event e;

	api->epoll_wait(ep, &e, 1, 0);
}

static double now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

/* Two calls: adds to t[0] and t[1] what they took. */
#define IN_TWOS(first, second) \
	do { \
		double start = now_ns(), middle, end; \
\
		first; \
		middle = now_ns(); \
		second; \
		end = now_ns(); \
		t[0] += middle - start; \
		t[1] += end - middle; \
	} while (0)

static void two_socket(double *t)
{
	int fd;

	IN_TWOS(fd = api->socket(AF_INET, SOCK_STREAM, 0), api->close(fd));
}
static void two_socketpair(double *t)
{
	int p[2] = { -1, -1 };

	IN_TWOS(api->socketpair(AF_UNIX, SOCK_STREAM, 0, p), (api->close(p[0]), api->close(p[1])));
}
static void two_send_recv(double *t)
{
	IN_TWOS(api->send(pair[0], byte, 1, 0), api->recv(pair[1], byte, 1, 0));
}
static void two_write_read(double *t)
{
	ssize_t n, m;

	IN_TWOS(n = api->write(pair[0], byte, 1), m = api->read(pair[1], byte, 1));
	if (n != 1 || m != 1)
		abort();
}
static void two_pipe(double *t)
{
	IN_TWOS(if (pipe(pipes) != 0) abort(), (api->close(pipes[0]), api->close(pipes[1])));
}
static void two_dup(double *t)
{
	int fd;

	IN_TWOS(fd = api->dup(null), api->close(fd));
}
static void two_dup_socket(double *t)
{
	int fd;

	IN_TWOS(fd = api->dup(udp), api->close(fd));
}

static void do_close_pipe(void);

static const struct bench {
	const char *name;
	void (*fn)(void);
	const char *name2;
	void (*two)(double *t);
} benches[] = {
#define ONE(name, fn) { name, fn, NULL, NULL }
#define TWO(first, second, fn) { first, NULL, second, fn }
	TWO("socket", "close(socket)", two_socket), TWO("socketpair", "close(pair)x2", two_socketpair),
	ONE("bind(error)", do_bind),
	ONE("connect(udp)", do_connect_udp), ONE("listen", do_listen), ONE("accept(EAGAIN)", do_accept_again),
	ONE("shutdown(error)", do_shutdown), ONE("getsockopt", do_getsockopt), ONE("setsockopt", do_setsockopt),
	ONE("getsockname", do_getsockname), ONE("recv(EAGAIN)", do_recv_again), ONE("recvmsg(EAGAIN)", do_recvmsg_again),
	TWO("send", "recv", two_send_recv), TWO("write", "read", two_write_read), ONE("write(/dev/null)", do_write_null),
	ONE("close(pipe)", do_close_pipe), TWO("pipe", "close(new pipe)x2", two_pipe), TWO("dup", "close(dup)", two_dup),
	TWO("dup(socket)", "close(dup of socket)", two_dup_socket), ONE("fcntl", do_fcntl), ONE("ioctl", do_ioctl),
	ONE("poll", do_poll), ONE("select", do_select), ONE("epoll_wait", do_epoll_wait),
};

static double batch(void (*fn)(void), int n)
{
	double t = now_ns();

	for (int i = 0; i < n; i++)
		fn();
	return (now_ns() - t) / n;
}

/* Only the closes of many pipes are timed, not their making. */
#define PIPES 100
static double batch_close_pipe(void)
{
	int p[PIPES][2];
	double t;

	for (int i = 0; i < PIPES; i++)
		if (pipe(p[i]) != 0)
			exit(1);
	t = now_ns();
	for (int i = 0; i < PIPES; i++) {
		api->close(p[i][0]);
		api->close(p[i][1]);
	}
	return (now_ns() - t) / (2 * PIPES);
}
static void do_close_pipe(void) { }

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v, int n)
{
	qsort(v, (size_t)n, sizeof(*v), by_value);
	return v[n / 2];
}

#define ROUNDS_MAX 4000
#define IN_TWOS_BATCH 16
#define LONG_NS 1000	/* calls of which few go into a batch, that scatter more */

static void print(const char *name, double *in_libc, double *as_called, double *more, int rounds)
{
	printf("%s\t%.1f\t%.1f\t%.1f\n", name, median(in_libc, rounds), median(as_called, rounds), median(more, rounds));
}

/* What looking at the clock adds to a time. */
static double clock_ns(void)
{
	double t[1001];

	for (int i = 0; i < 1001; i++) {
		double start = now_ns();

		t[i] = now_ns() - start;
	}
	return median(t, 1001);
}

static void measure_twos(const struct bench *b, int rounds)
{
	static double in_libc[2][ROUNDS_MAX], as_called[2][ROUNDS_MAX], more[2][ROUNDS_MAX];
	double clock = clock_ns();

	rounds = rounds < ROUNDS_MAX / 10 ? 10 * rounds : ROUNDS_MAX;
	for (int i = 0; i < rounds; i++) {
		for (int k = 0; k < 2; k++) {
			bool ours = (i + k) & 1;
			double t[2] = { 0, 0 };

			api = ours ? &bound : &libc;
			for (int n = 0; n < IN_TWOS_BATCH; n++)
				b->two(t);
			for (int j = 0; j < 2; j++)
				(ours ? as_called : in_libc)[j][i] = t[j] / IN_TWOS_BATCH - clock;
		}
		for (int j = 0; j < 2; j++)
			more[j][i] = as_called[j][i] - in_libc[j][i];
	}
	api = &bound;
	for (int j = 0; j < 2; j++)
		print(j ? b->name2 : b->name, in_libc[j], as_called[j], more[j], rounds);
}

static void measure(const char *name, const struct bench *b, int rounds)
{
	static double in_libc[ROUNDS_MAX], as_called[ROUNDS_MAX], more[ROUNDS_MAX];
	int n = 16;

	while (b->fn != do_close_pipe && batch(b->fn, n) * n < 1e5)
		n *= 2;
	if (b->fn != do_close_pipe && batch(b->fn, n) > LONG_NS)
		rounds = rounds < ROUNDS_MAX / 10 ? 10 * rounds : ROUNDS_MAX;
	for (int i = 0; i < rounds; i++) {
		for (int k = 0; k < 2; k++) {
			bool ours = (i + k) & 1;

			api = ours ? &bound : &libc;
			(ours ? as_called : in_libc)[i] = b->fn == do_close_pipe ? batch_close_pipe() : batch(b->fn, n);
		}
		more[i] = as_called[i] - in_libc[i];
	}
	api = &bound;
	print(name, in_libc, as_called, more, rounds);
}

static int other_pair[2];

static void *other_thread(void *arg)
{
	while (!__atomic_load_n((int *)arg, __ATOMIC_RELAXED))
		bound.recv(other_pair[0], byte, 1, MSG_DONTWAIT);
	return NULL;
}

int main(int argc, char **argv)
{
	int rounds = argc > 2 ? atoi(argv[2]) : 300, stop = 0, two = argc > 1 && strcmp(argv[1], "recv(EAGAIN)x2") == 0;
	const char *name = two ? "recv(EAGAIN)" : argc > 1 ? argv[1] : "";
	socklen_t len = sizeof(where);
	pthread_t t;

	if (rounds < 1 || rounds > ROUNDS_MAX)
		return 2;
	find_calls();
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
		if (*name && strcmp(name, benches[i].name) != 0)
			continue;
		else if (benches[i].two)
			measure_twos(&benches[i], rounds);
		else
			measure(two ? argv[1] : benches[i].name, &benches[i], rounds);
	stop = 1;
	if (two)
		pthread_join(t, NULL);
	return 0;
}
