/* connections.c - connecting in all the ways it may turn out, and faults on the way. */
#include "prog.h"

#include <sys/sendfile.h>
#include <sys/uio.h>
#include <time.h>

static int so_error(int fd)
{
	int v = -1;
	socklen_t n = sizeof(v);

	CHECK(getsockopt(fd, SOL_SOCKET, SO_ERROR, &v, &n) == 0 && n == sizeof(v));
	return v;
}

static int nonblocking(void)
{
	int s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	CHECK(s >= 0);
	return s;
}

static int dial(int s, const struct sockaddr_in *a)
{
	errno = 0;
	return connect(s, (const struct sockaddr *)a, sizeof(*a)) == 0 ? 0 : errno;
}

static const char *name(int err)
{
	return err ? strerrorname_np(err) : "0";
}

/* In progress, then SO_ERROR, asked twice. */
static void progress(int argc, char **argv)
{
	struct sockaddr_in a;
	int l = listener(&a), s = nonblocking();

	printf("%s", name(dial(s, &a)));
	await(s, POLLOUT);
	printf(" %s", name(so_error(s)));
	printf(" %s", name(so_error(s)));
	printf(" %s\n", name(dial(s, &a)));
	close(l);
}

/* In progress, then a second connect; then getpeername; then data. Each alone completes it, once. */
static void completed(int argc, char **argv)
{
	struct sockaddr_in a;
	struct sockaddr_storage ss;
	socklen_t n = sizeof(ss);
	int l = listener(&a), s = nonblocking();

	printf("%s", name(dial(s, &a)));
	await(s, POLLOUT);
	if (strcmp(argv[1], "connect") == 0)
		printf(" %s", name(dial(s, &a)));
	if (strcmp(argv[1], "getpeername") == 0)
		CHECK(getpeername(s, (struct sockaddr *)&ss, &n) == 0);
	if (strcmp(argv[1], "send") == 0)
		CHECK(send(s, "x", 1, 0) == 1);
	if (strcmp(argv[1], "write") == 0)
		CHECK(write(s, "x", 1) == 1);
	printf(" %s", name(so_error(s)));
	printf(" %s\n", name(dial(s, &a)));
	close(l);
}

/* Refused: at once, and late. */
static void failed(int argc, char **argv)
{
	struct sockaddr_in a;
	int no = refused(&a), s = socket(AF_INET, SOCK_STREAM, 0), nb = nonblocking();

	printf("%s", name(dial(s, &a)));
	printf(" %s", name(dial(nb, &a)));
	await(nb, POLLOUT);
	printf(" %s", name(so_error(nb)));
	printf(" %s\n", name(so_error(nb)));
	close(no);
}

/* Already connected, without anything pending: a failure of connect's. */
static void connected_already(int argc, char **argv)
{
	struct sockaddr_in a;
	int l = listener(&a), s = socket(AF_INET, SOCK_STREAM, 0);

	printf("%s", name(dial(s, &a)));
	printf(" %s\n", name(dial(s, &a)));
	close(l);
}

static void interrupted(int sig)
{
}

/* A connect to AF_UNSPEC takes the connection away, and another may be made. */
static void unspec(int argc, char **argv)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	struct sockaddr_in a;
	int u = socket(AF_INET, SOCK_DGRAM, 0), to = socket(AF_INET, SOCK_DGRAM, 0);
	socklen_t n = sizeof(a);

	a = loopback(0);
	CHECK(bind(to, (struct sockaddr *)&a, n) == 0 && getsockname(to, (struct sockaddr *)&a, &n) == 0);
	printf("%s", name(dial(u, &a)));
	CHECK(send(u, "x", 1, 0) == 1);
	CHECK(connect(u, &none, sizeof(none)) == 0);
	CHECK(send(u, "x", 1, 0) == -1 && errno == EDESTADDRREQ);
	printf(" %s\n", name(dial(u, &a)));
}

/* getsockopt(SO_ERROR) into less than an int. */
static void small_error(int argc, char **argv)
{
	struct sockaddr_in a;
	int l = listener(&a), s = nonblocking();
	char v = 9;
	socklen_t n = 1;

	dial(s, &a);
	await(s, POLLOUT);
	CHECK(getsockopt(s, SOL_SOCKET, SO_ERROR, &v, &n) == 0);
	printf("%d %u %s\n", v, n, name(so_error(s)));
	close(l);
}

static void ipv6_and_unix(int argc, char **argv)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr_un u = { .sun_family = AF_UNIX };
	socklen_t n = sizeof(a), un = sizeof(sa_family_t);
	int l = socket(AF_INET6, SOCK_STREAM, 0), s = socket(AF_INET6, SOCK_STREAM, 0);
	int ul = socket(AF_UNIX, SOCK_SEQPACKET, 0), us = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	if (bind(l, (struct sockaddr *)&a, n) == 0) {
		CHECK(listen(l, 5) == 0 && getsockname(l, (struct sockaddr *)&a, &n) == 0);
		CHECK(connect(s, (struct sockaddr *)&a, n) == 0 && accept(l, NULL, NULL) >= 0);
	}
	CHECK(bind(ul, (struct sockaddr *)&u, un) == 0 && listen(ul, 5) == 0);	/* autobind */
	un = sizeof(u);
	CHECK(getsockname(ul, (struct sockaddr *)&u, &un) == 0 && connect(us, (struct sockaddr *)&u, un) == 0);
	CHECK(accept4(ul, NULL, NULL, SOCK_CLOEXEC) >= 0);
	puts("done");
}

/* Under a rule that resets: what either side sees then. */
static void reset(int argc, char **argv)
{
	int fd[2];
	char buf[16];
	ssize_t n;

	signal(SIGPIPE, SIG_IGN);
	tcp_pair(fd);
	CHECK(write(fd[1], "unread", 6) == 6);
	await(fd[0], POLLIN);
	errno = 0;
	n = recv(fd[0], buf, sizeof(buf), 0);
	printf("recv %zd %s\n", n, name(errno));
	await(fd[1], POLLIN);
	errno = 0;
	n = (ssize_t)read(fd[1], buf, sizeof(buf));
	printf("peer %zd %s\n", n, name(errno));
	errno = 0;
	n = send(fd[0], "x", 1, MSG_NOSIGNAL);
	printf("send %zd %s\n", n, name(errno));
	errno = 0;
	n = recv(fd[0], buf, sizeof(buf), 0);
	printf("again %zd\n", n);
	printf("error %s\n", name(so_error(fd[0])));
	printf("close %d\n", close(fd[0]));
	/* The number is another descriptor's afterwards; the listener's is taken first. */
	CHECK(open("/dev/null", O_RDONLY) < fd[0] && open("/dev/zero", O_RDONLY) == fd[0]);
	printf("file %zd\n", read(fd[0], buf, 4));
}

/* The socket is closed where nobody sees it, after a reset; its number is a file. */
static void reset_then_file(int argc, char **argv)
{
	int fd[2];
	char buf[16];

	tcp_pair(fd);
	CHECK(recv(fd[0], buf, sizeof(buf), 0) == -1 && errno == ECONNRESET);
	CHECK(by_hand(3 /* close */, fd[0], 0, 0) == 0);
	CHECK(open("/dev/null", O_RDONLY) < fd[0] && open("/dev/zero", O_RDONLY) == fd[0]);
	printf("file %zd\n", read(fd[0], buf, 4));
}

/* SIGPIPE is the program's to get, as after a real reset. */
static void reset_signal(int argc, char **argv)
{
	int fd[2];
	char buf[16];

	tcp_pair(fd);
	CHECK(recv(fd[0], buf, sizeof(buf), 0) == -1 && errno == ECONNRESET);
	CHECK(write(fd[0], "x", 1) == 1);
	puts("not reached");
}

/* Sends `total` bytes in calls of 100, and the other end checks each byte. */
static void stream(int argc, char **argv)
{
	char out[100], in[100];
	int fd[2], total = 20000, sent = 0, got = 0, calls = 0, wrong = 0;

	tcp_pair(fd);
	while (got < total) {
		ssize_t n = 0;

		for (int i = 0; i < 100; i++)
			out[i] = (char)(sent + i);
		if (sent < total) {
			n = argc > 1 && strcmp(argv[1], "writev") == 0 ?
				writev(fd[0], (struct iovec[]){ { out, 30 }, { out + 30, 70 } }, 2) :
				send(fd[0], out, 100, 0);
			CHECK(n > 0);
			sent += (int)n;
			calls++;
		}
		n = recv(fd[1], in, sizeof(in), sent < total ? MSG_DONTWAIT : 0);
		CHECK(n > 0 || (n < 0 && errno == EAGAIN));
		for (int i = 0; i < n; i++)
			wrong += in[i] != (char)(got + i);
		if (n > 0)
			got += (int)n;
	}
	printf("wrong=%d\ncalls=%d\n", wrong, calls);
}

/* Data in three datagrams; what arrives. */
static void datagrams(int argc, char **argv)
{
	int fd[2];
	char buf[16];
	ssize_t n;

	CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, fd) == 0);
	for (int i = 0; i < 3; i++)
		CHECK(send(fd[0], "abcd", 4, 0) == 4);
	shutdown(fd[0], SHUT_WR);
	while ((n = recv(fd[1], buf, sizeof(buf), MSG_DONTWAIT)) > 0)
		printf("%.*s\n", (int)n, buf);
}

/* Vectors that the kernel refuses, whatever a rule would make of them; and lengths of nothing. */
static void odd_lengths(int argc, char **argv)
{
	char buf[16] = "0123456789";
	struct iovec v[4] = { { buf, 0 }, { buf, 3 }, { NULL, 0 }, { buf, 5 } };
	int fd[2];

	tcp_pair(fd);
	errno = 0;
	printf("writev %zd", writev(fd[0], v, -1));
	printf(" %s\n", name(errno));
	errno = 0;
	printf("readv %zd", readv(fd[0], v, -1));
	printf(" %s\n", name(errno));
	errno = 0;
	printf("writev %zd", writev(fd[0], v, 5000));
	printf(" %s\n", name(errno));
	printf("send %zd\n", send(fd[0], buf, 0, 0));
	printf("write %zd\n", write(fd[0], buf, 0));
	printf("writev %zd\n", writev(fd[0], v, 0));
	printf("recv %zd\n", recv(fd[0], buf, 0, MSG_DONTWAIT));
	printf("sendfile %zd\n", sendfile(fd[0], 0, NULL, 0));
	printf("writev %d\n", writev(fd[0], v, 4) > 0);
	await(fd[1], POLLIN);
	printf("recv %d\n", recv(fd[1], buf, sizeof(buf), 0) > 0);
}

static long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void delayed(int argc, char **argv)
{
	long before;
	int fd[2];

	tcp_pair(fd);
	before = now_ms();
	errno = 77;
	CHECK(send(fd[0], "x", 1, 0) == 1 && errno == 77);
	printf("ms=%ld\n", now_ms() - before);
}

/* A delay that signals interrupt is slept to its end, and the handlers run in it. */
static volatile sig_atomic_t interruptions;

static void count_interruption(int sig)
{
	if (interruptions++ < 5)
		ualarm(2000, 0);
}

static void delayed_and_interrupted(int argc, char **argv)
{
	long before;
	int fd[2];

	tcp_pair(fd);
	signal(SIGALRM, count_interruption);
	ualarm(2000, 0);
	before = now_ms();
	CHECK(send(fd[0], "x", 1, 0) == 1);
	printf("ms=%ld\ninterruptions=%d\n", now_ms() - before, (int)interruptions);
}

/* A blocked call that a signal ends is EINTR with the library as without. */
static void eintr(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = interrupted };
	int fd[2];
	char c;

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0 && sigaction(SIGALRM, &sa, NULL) == 0);
	ualarm(2000, 0);
	printf("%zd", recv(fd[0], &c, 1, 0));
	printf(" %s\n", name(errno));
}

/* Under `fail connect late`: in progress, writable, and an error. */
static void late(int argc, char **argv)
{
	struct sockaddr_in a;
	int l = listener(&a), s = nonblocking(), b = socket(AF_INET, SOCK_STREAM, 0);

	printf("%s", name(dial(s, &a)));
	printf(" %s", name(so_error(s)));
	printf(" %s", name(so_error(s)));
	printf(" blocking %s\n", name(dial(b, &a)));
	close(l);
}

/* A descriptor that a rule takes back is closed. */
static void taken_back(int argc, char **argv)
{
	struct sockaddr_in a;
	int l = listener(&a), s = socket(AF_INET, SOCK_STREAM, 0), n;

	CHECK(connect(s, (struct sockaddr *)&a, sizeof(a)) == 0);
	errno = 0;
	n = accept(l, NULL, NULL);
	printf("%d %s", n, name(errno));
	printf(" next %d\n", open("/dev/null", O_RDONLY));
}

/* Closing that a rule fails: the descriptor stays. */
static void close_fails(int argc, char **argv)
{
	int s = socket(AF_INET, SOCK_STREAM, 0);

	errno = 0;
	printf("%d", close(s));
	printf(" %s %d", name(errno), fcntl(s, F_GETFD) >= 0);
	printf(" %d\n", close(s));
}

PROG({ "progress", progress }, { "completed", completed }, { "failed", failed }, { "already", connected_already },
     { "unspec", unspec }, { "small", small_error }, { "families", ipv6_and_unix }, { "reset", reset },
     { "resetfile", reset_then_file }, { "resetsignal", reset_signal }, { "stream", stream },
     { "datagrams", datagrams }, { "odd", odd_lengths }, { "delayed", delayed },
     { "delayedsignal", delayed_and_interrupted }, { "eintr", eintr }, { "late", late }, { "taken", taken_back },
     { "closefails", close_fails })
