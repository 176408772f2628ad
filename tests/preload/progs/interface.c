/* interface.c - programs that use the library's own interface, found by dlsym. */
#include "prog.h"

#include <dlfcn.h>
#include <pthread.h>

#include "sockshim.h"

static struct sockshim_switch *sw;
static int (*set)(struct sockshim_switch *, enum sockshim_filter_type, sockshim_filter, void *);
static size_t (*stats)(struct sockshim_switch *, struct sockshim_stat *, size_t);
static size_t (*sockets)(struct sockshim_switch *, struct sockshim_socket_status *, size_t);

static void find(void)
{
	struct sockshim_switch *(*get)(void) =
		(struct sockshim_switch *(*)(void))dlsym(RTLD_DEFAULT, "sockshim_default_switch");

	set = (int (*)(struct sockshim_switch *, enum sockshim_filter_type, sockshim_filter, void *))dlsym(
		RTLD_DEFAULT, "sockshim_set");
	stats = (size_t (*)(struct sockshim_switch *, struct sockshim_stat *, size_t))dlsym(RTLD_DEFAULT,
											   "sockshim_stats");
	sockets = (size_t (*)(struct sockshim_switch *, struct sockshim_socket_status *, size_t))dlsym(
		RTLD_DEFAULT, "sockshim_sockets");
	CHECK(get && set && stats && sockets);
	sw = get();
	CHECK(sw);
}

static int called;

static int refuse(const struct sockshim_status *st, struct sockshim_after *after, void *user)
{
	called++;
	return *(int *)user;
}

static void filter(int argc, char **argv)
{
	int err = ECONNREFUSED, s, l;
	struct sockaddr_in a;

	find();
	l = listener(&a);
	s = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(set(sw, SOCKSHIM_CONNECT, refuse, &err) == 0);
	errno = 0;
	printf("%d", connect(s, (struct sockaddr *)&a, sizeof(a)));
	printf(" %s", strerrorname_np(errno));
	err = -ETIMEDOUT;		/* either sign will do */
	printf(" %d", connect(s, (struct sockaddr *)&a, sizeof(a)));
	printf(" %s called %d\n", strerrorname_np(errno), called);
	CHECK(set(sw, SOCKSHIM_CONNECT, NULL, NULL) == 0);
	errno = 77;
	CHECK(connect(s, (struct sockaddr *)&a, sizeof(a)) == 0 && errno == 77 && called == 2);
	close(l);
}

static int undo(const struct sockshim_status *st, void *user)
{
	*(int *)user += st->err == 0;
	return EMFILE;
}

static int watch(const struct sockshim_status *st, struct sockshim_after *after, void *user)
{
	*after = (struct sockshim_after){ undo, user };
	return 0;
}

/* An after-filter that takes a socket and a pair back: the descriptors are closed again. */
static void after(int argc, char **argv)
{
	int seen = 0, fd[2] = { -1, -1 }, first;

	find();
	first = open("/dev/null", O_RDONLY);
	CHECK(close(first) == 0 && set(sw, SOCKSHIM_SOCKET, watch, &seen) == 0);
	errno = 0;
	CHECK(socket(AF_INET, SOCK_STREAM, 0) == -1 && errno == EMFILE);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == -1 && errno == EMFILE);
	CHECK(set(sw, SOCKSHIM_SOCKET, NULL, NULL) == 0);
	CHECK(open("/dev/null", O_RDONLY) == first);
	printf("seen %d, open %zu\n", seen, sockets(sw, NULL, 0));
}

/* A filter that makes calls itself, and asks the switch. */
static int busy(const struct sockshim_status *st, struct sockshim_after *after, void *user)
{
	struct sockshim_stat out[8];
	struct sockshim_socket_status open_ones[8];
	int fd[2];
	char c;

	called++;
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0);
	CHECK(send(fd[0], "x", 1, 0) == 1 && recv(fd[1], &c, 1, 0) == 1);
	CHECK(close(fd[0]) == 0 && close(fd[1]) == 0);
	CHECK(stats(sw, out, 8) >= 2 && sockets(sw, open_ones, 8) >= 1);
	errno = 12345;
	return 0;
}

static void *connecting(void *arg)
{
	for (int i = 0; i < 100; i++) {
		int s = socket(AF_INET, SOCK_STREAM, 0);

		errno = 77;
		CHECK(connect(s, arg, sizeof(struct sockaddr_in)) == 0 && errno == 77 && close(s) == 0);
	}
	return NULL;
}

static void reentrant(int argc, char **argv)
{
	struct sockaddr_in a;
	pthread_t t[4];
	int l;

	find();
	l = listener(&a);
	CHECK(listen(l, 1000) == 0 && set(sw, SOCKSHIM_CONNECT, busy, NULL) == 0);
	for (int i = 0; i < 4; i++)
		CHECK(pthread_create(&t[i], NULL, connecting, &a) == 0);
	for (int i = 0; i < 200; i++) {		/* deployed and removed meanwhile */
		CHECK(set(sw, SOCKSHIM_CONNECT, NULL, NULL) == 0);
		CHECK(set(sw, SOCKSHIM_CONNECT, busy, NULL) == 0);
	}
	for (int i = 0; i < 4; i++)
		CHECK(pthread_join(t[i], NULL) == 0);
	printf("open %zu\n", sockets(sw, NULL, 0));
	close(l);
}

static void say_stats(void)
{
	struct sockshim_stat out[8];
	int (*format)(char *, size_t, const struct sockshim_stat *) =
		(int (*)(char *, size_t, const struct sockshim_stat *))dlsym(RTLD_DEFAULT, "sockshim_stat_format");
	char text[300];
	size_t n;

	CHECK(format);
	n = stats(sw, out, 8);
	for (size_t i = 0; i < n; i++) {
		format(text, sizeof(text), &out[i]);
		puts(text);
	}
}

/* Statistics as the program reads them are those of the run file. */
static void own_stats(int argc, char **argv)
{
	int tcp[2];

	find();
	tcp_pair(tcp);
	say_stats();
}

/* The same descriptors again and again, now and then for a socket of another kind or a file; the last are left open. */
static void again(int argc, char **argv)
{
	struct sockaddr_in a;
	int l, fd[2];

	find();
	l = listener(&a);
	CHECK(fcntl(l, F_SETFL, O_NONBLOCK) == 0);
	for (int i = 0; i < 1000; i++) {
		CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0 && close(fd[1]) == 0 && close(fd[0]) == 0);
		CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0);
		CHECK(i == 999 || (close(fd[1]) == 0 && close(fd[0]) == 0));
		CHECK((fd[0] = i % 7 ? socket(AF_INET, SOCK_STREAM, 0) : open("/dev/null", O_RDONLY)) >= 0);
		CHECK((fd[1] = socket(AF_INET, i % 5 ? SOCK_STREAM : SOCK_DGRAM, 0)) >= 0);
		CHECK(accept(l, NULL, NULL) < 0 && errno == EAGAIN);
		CHECK(close(fd[0]) == 0 && (i == 999 || close(fd[1]) == 0));
		errno = 0;
		CHECK(close(fd[0]) < 0 && errno == EBADF);
	}
	say_stats();
}

/* Sockets that are closed behind the library's back, and then once more. */
static void close_fails(int argc, char **argv)
{
	int (*unseen)(int) = (int (*)(int))dlsym(dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD), "close");
	int fd;

	find();
	for (int i = 0; i < 10; i++) {
		CHECK((fd = socket(AF_INET, SOCK_STREAM, 0)) >= 0 && unseen(fd) == 0);
		errno = 0;
		CHECK(close(fd) == -1 && errno == EBADF);
		CHECK((fd = socket(AF_INET, SOCK_STREAM, 0)) >= 0 && close(fd) == 0);
	}
	say_stats();
}

/* What a program does with sockets that it was started with. */
static void inherited(int argc, char **argv)
{
	struct sockaddr_in a;
	char number[2][16];
	int l, u;

	if (argc < 3) {
		l = listener(&a);
		CHECK(fcntl(l, F_SETFL, O_NONBLOCK) == 0 && (u = socket(AF_INET, SOCK_DGRAM, 0)) >= 0);
		snprintf(number[0], sizeof(number[0]), "%d", l);
		snprintf(number[1], sizeof(number[1]), "%d", u);
		execl("/proc/self/exe", argv[0], "inherited", number[0], number[1], NULL);
	}
	find();
	l = atoi(argv[1]);
	u = atoi(argv[2]);
	for (int i = 0; i < 3; i++)
		CHECK(accept(l, NULL, NULL) == -1 && errno == EAGAIN);
	CHECK(connect(u, (struct sockaddr *)&(struct sockaddr_in){ .sin_family = AF_UNSPEC }, sizeof(a)) == 0);
	CHECK(close(u) == 0 && close(l) == 0);
	say_stats();
}

/* A listener where there were other sockets before, and its duplicate. */
static void successor(int argc, char **argv)
{
	struct sockaddr_in a;
	int fd, l, d;

	find();
	CHECK((fd = socket(AF_UNIX, SOCK_DGRAM, 0)) >= 0 && close(fd) == 0);
	CHECK(socket(AF_INET, SOCK_DGRAM, 0) == fd && close(fd) == 0);
	CHECK((l = listener(&a)) == fd && fcntl(l, F_SETFL, O_NONBLOCK) == 0);
	for (int i = 0; i < 100; i++)
		CHECK(accept(l, NULL, NULL) == -1 && errno == EAGAIN);
	CHECK((d = dup(l)) >= 0 && close(l) == 0 && accept(d, NULL, NULL) == -1 && errno == EAGAIN && close(d) == 0);
	CHECK(socket(AF_INET, SOCK_DGRAM, 0) == fd && close(fd) == 0);
	say_stats();
}

PROG({ "successor", successor }, { "inherited", inherited }, { "again", again }, { "close-fails", close_fails }, { "filter", filter }, { "after", after }, { "reentrant", reentrant }, { "stats", own_stats })
