/* calls.c - every interposed call under every name: on a socket, on a pipe, on a descriptor that is not
 * there, and with length 0. What it prints is the same with the library and without. The list is calls.def: a call added there does not build here before it is used. */
#include "report.h"

#include <dlfcn.h>
#include <netdb.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

/* One function per call: what it does through `fn`, which is the call under one of its names. */

static void use_socket(int (*fn)(int, int, int))
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC };

	for (unsigned i = 0; i < 3; i++) {
		int fd;

		DO("inet", fd = fn(AF_INET, types[i], 0));
		printf("flags %x %x\n", fcntl(fd, F_GETFL), fcntl(fd, F_GETFD));
		CHECK(close(fd) == 0);
	}
	DO("no family", fn(12345, SOCK_STREAM, 0));
	DO("no type", fn(AF_INET, 77, 0));
	DO("no protocol", fn(AF_INET, SOCK_STREAM, 255));
}

static void use_socketpair(int (*fn)(int, int, int, int *))
{
	int fd[2] = { -1, -1 };

	DO("unix", fn(AF_UNIX, SOCK_STREAM, 0, fd));
	printf("fds %d %d\n", fd[0], fd[1]);
	close(fd[0]);
	close(fd[1]);
	DO("inet", fn(AF_INET, SOCK_STREAM, 0, fd));
}

static void use_bind(int (*fn)(int, const struct sockaddr *, socklen_t))
{
	struct sockaddr_in a = loopback(0);
	int s = socket(AF_INET, SOCK_STREAM, 0);

	DO("short", fn(s, (struct sockaddr *)&a, 3));
	DO("once", fn(s, (struct sockaddr *)&a, sizeof(a)));
	DO("twice", fn(s, (struct sockaddr *)&a, sizeof(a)));
	DO("pipe", fn(pipes[0], (struct sockaddr *)&a, sizeof(a)));
	DO("gone", fn(gone, (struct sockaddr *)&a, sizeof(a)));
	close(s);
}

static void use_connect(int (*fn)(int, const struct sockaddr *, socklen_t))
{
	struct sockaddr_in a, b;
	int l = listener(&a), no = refused(&b), s = socket(AF_INET, SOCK_STREAM, 0);
	int nb = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	DO("refused", fn(s, (struct sockaddr *)&b, sizeof(b)));
	DO("listened", fn(s, (struct sockaddr *)&a, sizeof(a)));
	DO("again", fn(s, (struct sockaddr *)&a, sizeof(a)));
	DO("nonblocking", fn(nb, (struct sockaddr *)&a, sizeof(a)));
	await(nb, POLLOUT);
	DO("finished", fn(nb, (struct sockaddr *)&a, sizeof(a)));
	DO("length 0", fn(nb, (struct sockaddr *)&a, 0));
	DO("pipe", fn(pipes[0], (struct sockaddr *)&a, sizeof(a)));
	DO("gone", fn(gone, (struct sockaddr *)&a, sizeof(a)));
	close(l);
	close(no);
	close(s);
	close(nb);
}

static void use_listen(int (*fn)(int, int))
{
	int s = socket(AF_INET, SOCK_STREAM, 0), u = socket(AF_INET, SOCK_DGRAM, 0);

	DO("tcp", fn(s, 5));
	DO("udp", fn(u, 5));
	DO("pipe", fn(pipes[0], 5));
	DO("gone", fn(gone, 5));
	close(s);
	close(u);
}

static void use_accept(int (*fn)(int, struct sockaddr *, socklen_t *))
{
	struct sockaddr_storage ss;
	socklen_t n = sizeof(ss);
	struct sockaddr_in a;
	int l = listener(&a), s;

	connect_to(l);
	connect_to(l);
	DO("address", s = fn(l, (struct sockaddr *)&ss, &n));
	printf("length %u family %d\n", n, ss.ss_family);
	close(s);
	DO("no address", s = fn(l, NULL, NULL));
	close(s);
	fcntl(l, F_SETFL, O_NONBLOCK);
	DO("nobody", fn(l, NULL, NULL));
	DO("connected", fn(here[0], NULL, NULL));
	DO("pipe", fn(pipes[0], NULL, NULL));
	DO("gone", fn(gone, NULL, NULL));
	close(l);
}

static void use_accept4(int (*fn)(int, struct sockaddr *, socklen_t *, int))
{
	struct sockaddr_in a;
	int l = listener(&a), s;

	connect_to(l);
	DO("flags", s = fn(l, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
	printf("flags %x %x\n", fcntl(s, F_GETFL), fcntl(s, F_GETFD));
	close(s);
	DO("bad flags", fn(l, NULL, NULL, 0x40000001));
	DO("pipe", fn(pipes[0], NULL, NULL, 0));
	DO("gone", fn(gone, NULL, NULL, 0));
	close(l);
}

static void use_shutdown(int (*fn)(int, int))
{
	DO("write", fn(here[0], SHUT_WR));
	DO("all", fn(here[0], SHUT_RDWR));
	DO("bad", fn(here[0], 9));
	DO("pipe", fn(pipes[0], SHUT_RDWR));
	DO("gone", fn(gone, SHUT_RDWR));
}

static void use_getsockopt(int (*fn)(int, int, int, void *, socklen_t *))
{
	int v = -1;
	socklen_t n = sizeof(v);

	DO("type", fn(here[0], SOL_SOCKET, SO_TYPE, &v, &n));
	printf("value %d length %u\n", v, n);
	DO("error", fn(here[0], SOL_SOCKET, SO_ERROR, &v, &n));
	printf("value %d length %u\n", v, n);
	n = 1;
	DO("error, short", fn(here[0], SOL_SOCKET, SO_ERROR, &v, &n));
	printf("length %u\n", n);
	n = 0;
	DO("error, length 0", fn(here[0], SOL_SOCKET, SO_ERROR, &v, &n));
	DO("no option", fn(here[0], SOL_SOCKET, 9999, &v, &n));
	DO("pipe", fn(pipes[0], SOL_SOCKET, SO_TYPE, &v, &n));
	DO("gone", fn(gone, SOL_SOCKET, SO_TYPE, &v, &n));
}

static void use_setsockopt(int (*fn)(int, int, int, const void *, socklen_t))
{
	int on = 1;

	DO("keepalive", fn(here[0], SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)));
	DO("length 0", fn(here[0], SOL_SOCKET, SO_KEEPALIVE, &on, 0));
	DO("no option", fn(here[0], SOL_SOCKET, 9999, &on, sizeof(on)));
	DO("pipe", fn(pipes[0], SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)));
	DO("gone", fn(gone, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)));
}

static void use_name(int (*fn)(int, struct sockaddr *, socklen_t *))
{
	struct sockaddr_storage ss;
	socklen_t n = sizeof(ss);
	int s = socket(AF_INET, SOCK_STREAM, 0);

	DO("unix", fn(here[0], (struct sockaddr *)&ss, &n));
	printf("length %u\n", n);
	n = 0;
	DO("length 0", fn(here[0], (struct sockaddr *)&ss, &n));
	n = sizeof(ss);
	DO("new", fn(s, (struct sockaddr *)&ss, &n));
	DO("pipe", fn(pipes[0], (struct sockaddr *)&ss, &n));
	DO("gone", fn(gone, (struct sockaddr *)&ss, &n));
	close(s);
}
#define use_getsockname use_name
#define use_getpeername use_name

static void use_send(ssize_t (*fn)(int, const void *, size_t, int))
{
	DO("some", fn(here[0], "abc", 3, 0));
	DO("length 0", fn(here[0], "abc", 0, 0));
	DO("pipe", fn(pipes[1], "abc", 3, 0));
	DO("gone", fn(gone, "abc", 3, 0));
	close(here[1]);
	DO("broken", fn(here[0], "abc", 3, MSG_NOSIGNAL));
}

static void use_sendto(ssize_t (*fn)(int, const void *, size_t, int, const struct sockaddr *, socklen_t))
{
	int s = socket(AF_INET, SOCK_DGRAM, 0), to = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in a = loopback(0);
	socklen_t n = sizeof(a);

	CHECK(bind(to, (struct sockaddr *)&a, n) == 0 && getsockname(to, (struct sockaddr *)&a, &n) == 0);
	DO("udp", fn(s, "abc", 3, 0, (struct sockaddr *)&a, n));
	DO("udp, length 0", fn(s, "", 0, 0, (struct sockaddr *)&a, n));
	DO("udp, no address", fn(s, "abc", 3, 0, NULL, 0));
	DO("unix", fn(here[0], "abc", 3, 0, NULL, 0));
	DO("pipe", fn(pipes[1], "abc", 3, 0, NULL, 0));
	DO("gone", fn(gone, "abc", 3, 0, NULL, 0));
	close(s);
	close(to);
}

static struct msghdr message(struct iovec *v, void *p, size_t n)
{
	*v = (struct iovec){ p, n };
	return (struct msghdr){ .msg_iov = v, .msg_iovlen = 1 };
}

static void use_sendmsg(ssize_t (*fn)(int, const struct msghdr *, int))
{
	char abc[] = "abc";
	struct iovec v;
	struct msghdr m = message(&v, abc, 3);

	DO("some", fn(here[0], &m, 0));
	DO("pipe", fn(pipes[1], &m, 0));
	DO("gone", fn(gone, &m, 0));
	m.msg_iovlen = 0;
	DO("no vector", fn(here[0], &m, 0));
	m.msg_iovlen = 5000;
	DO("vector too long", fn(here[0], &m, 0));
}

static void use_sendmmsg(int (*fn)(int, struct mmsghdr *, unsigned, int))
{
	char abc[] = "abc";
	struct iovec v[2];
	struct mmsghdr m[2] = { { .msg_len = 99 }, { .msg_len = 99 } };

	m[0].msg_hdr = message(&v[0], abc, 3);
	m[1].msg_hdr = message(&v[1], abc, 2);
	DO("two", fn(here[0], m, 2, 0));
	printf("lengths %u %u\n", m[0].msg_len, m[1].msg_len);
	DO("none", fn(here[0], m, 0, 0));
	DO("pipe", fn(pipes[1], m, 2, 0));
	DO("gone", fn(gone, m, 2, 0));
}

static void use_write(ssize_t (*fn)(int, const void *, size_t))
{
	DO("socket", fn(here[0], "abc", 3));
	DO("length 0", fn(here[0], "abc", 0));
	DO("pipe", fn(pipes[1], "abc", 3));
	DO("file", fn(file, "abc", 3));
	DO("gone", fn(gone, "abc", 3));
}

static void use_writev(ssize_t (*fn)(int, const struct iovec *, int))
{
	char abc[] = "abcdef";
	struct iovec v[70];

	for (int i = 0; i < 70; i++)
		v[i] = (struct iovec){ abc, i % 3 };
	DO("socket", fn(here[0], v, 3));
	DO("seventy", fn(here[0], v, 70));
	DO("none", fn(here[0], v, 0));
	DO("fewer than none", fn(here[0], v, -1));
	DO("too many", fn(here[0], v, 100000));
	DO("pipe", fn(pipes[1], v, 3));
	DO("gone", fn(gone, v, 3));
}

static void use_sendfile(ssize_t (*fn)(int, int, off_t *, size_t))
{
	off_t at = 2;

	DO("offset", fn(here[0], file, &at, 3));
	printf("at %ld\n", (long)at);
	DO("length 0", fn(here[0], file, &at, 0));
	DO("no offset", fn(here[0], file, NULL, 3));
	DO("to a pipe", fn(pipes[1], file, &at, 3));
	DO("from nothing", fn(here[0], gone, &at, 3));
	DO("gone", fn(gone, file, &at, 3));
}

static void use_recv(ssize_t (*fn)(int, void *, size_t, int))
{
	char buf[16];

	put(here[1], "abcdefgh");
	DO("peek", fn(here[0], buf, 3, MSG_PEEK));
	DO("some", fn(here[0], buf, 3, 0));
	DO("length 0", fn(here[0], buf, 0, 0));
	DO("rest", fn(here[0], buf, sizeof(buf), 0));
	DO("nothing", fn(here[0], buf, sizeof(buf), MSG_DONTWAIT));
	DO("pipe", fn(pipes[0], buf, sizeof(buf), 0));
	DO("gone", fn(gone, buf, sizeof(buf), 0));
	close(here[1]);
	DO("end", fn(here[0], buf, sizeof(buf), 0));
}

static void use_recvfrom(ssize_t (*fn)(int, void *, size_t, int, struct sockaddr *, socklen_t *))
{
	struct sockaddr_storage ss;
	socklen_t n = sizeof(ss);
	char buf[16];

	put(here[1], "abcdefgh");
	DO("address", fn(here[0], buf, 3, 0, (struct sockaddr *)&ss, &n));
	printf("length %u\n", n);
	DO("no address", fn(here[0], buf, 3, 0, NULL, NULL));
	DO("length 0", fn(here[0], buf, 0, 0, NULL, NULL));
	DO("pipe", fn(pipes[0], buf, sizeof(buf), 0, NULL, NULL));
	DO("gone", fn(gone, buf, sizeof(buf), 0, NULL, NULL));
}

static void use_recvmsg(ssize_t (*fn)(int, struct msghdr *, int))
{
	char buf[16];
	struct iovec v;
	struct msghdr m = message(&v, buf, 3);

	put(here[1], "abcdefgh");
	DO("some", fn(here[0], &m, 0));
	printf("flags %x control %zu name %u\n", m.msg_flags, m.msg_controllen, m.msg_namelen);
	DO("pipe", fn(pipes[0], &m, 0));
	DO("gone", fn(gone, &m, 0));
	m.msg_iovlen = 0;
	DO("no vector", fn(here[0], &m, 0));
}

static void use_recvmmsg(int (*fn)(int, struct mmsghdr *, unsigned, int, struct timespec *))
{
	char buf[16];
	struct iovec v[2];
	struct mmsghdr m[2] = { { .msg_len = 99 }, { .msg_len = 99 } };
	struct timespec ts = { 0, 0 };

	m[0].msg_hdr = message(&v[0], buf, 3);
	m[1].msg_hdr = message(&v[1], buf + 3, 3);
	put(here[1], "abcde");
	DO("two", fn(here[0], m, 2, MSG_DONTWAIT, &ts));
	printf("lengths %u %u\n", m[0].msg_len, m[1].msg_len);
	DO("nothing", fn(here[0], m, 2, MSG_DONTWAIT, NULL));
	DO("none", fn(here[0], m, 0, MSG_DONTWAIT, NULL));
	DO("pipe", fn(pipes[0], m, 2, 0, NULL));
	DO("gone", fn(gone, m, 2, 0, NULL));
}

static void use_read(ssize_t (*fn)(int, void *, size_t))
{
	char buf[16];

	put(here[1], "abc");
	put(pipes[1], "abc");
	DO("socket", fn(here[0], buf, 2));
	DO("length 0", fn(here[0], buf, 0));
	DO("pipe", fn(pipes[0], buf, sizeof(buf)));
	DO("file", fn(file, buf, sizeof(buf)));
	DO("gone", fn(gone, buf, sizeof(buf)));
}

static void use_readv(ssize_t (*fn)(int, const struct iovec *, int))
{
	char buf[16];
	struct iovec v[2] = { { buf, 1 }, { buf + 1, 1 } };

	put(here[1], "abc");
	put(pipes[1], "abc");
	DO("socket", fn(here[0], v, 2));
	DO("none", fn(here[0], v, 0));
	DO("fewer than none", fn(here[0], v, -1));
	DO("pipe", fn(pipes[0], v, 2));
	DO("gone", fn(gone, v, 2));
}

static void use_close(int (*fn)(int))
{
	int s = socket(AF_INET, SOCK_STREAM, 0), d = dup(pipes[0]);

	DO("socket", fn(s));
	DO("closed already", fn(s));
	DO("pipe", fn(d));
	DO("gone", fn(gone));
	DO("negative", fn(-1));
	DO("negative", fn(-2147483647 - 1));
	DO("large", fn(2147483647));
}

static void use_close_range(int (*fn)(unsigned, unsigned, int))
{
	int s = dup2(here[0], 300), t = dup2(here[0], 301);

	DO("two", fn(300, 301, 0));
	printf("left %d %d\n", fcntl(s, F_GETFD), fcntl(t, F_GETFD));
	DO("none", fn(310, 320, 0));
	DO("backwards", fn(320, 310, 0));
	DO("bad flags", fn(310, 320, 0x100));
}

static void use_closefrom(void (*fn)(int))
{
	int s = dup2(here[0], 300);

	DO("one", (fn(300), 0));
	printf("left %d\n", fcntl(s, F_GETFD));
}

static void use_dup(int (*fn)(int))
{
	int d;

	DO("socket", d = fn(here[0]));
	close(d);
	DO("pipe", d = fn(pipes[0]));
	close(d);
	DO("gone", fn(gone));
}

static void use_dup2(int (*fn)(int, int))
{
	DO("socket", fn(here[0], 300));
	DO("pipe over it", fn(pipes[0], 300));
	DO("itself", fn(300, 300));
	DO("gone", fn(gone, 300));
	DO("gone itself", fn(gone, gone));
	DO("to nowhere", fn(here[0], -1));
	close(300);
}

static void use_dup3(int (*fn)(int, int, int))
{
	DO("socket", fn(here[0], 300, O_CLOEXEC));
	printf("flags %x\n", fcntl(300, F_GETFD));
	DO("itself", fn(300, 300, 0));
	DO("bad flags", fn(here[0], 300, 1));
	DO("gone", fn(gone, 300, 0));
	close(300);
}

static void use_fcntl(int (*fn)(int, int, ...))
{
	struct flock l = { .l_type = F_WRLCK };
	int d;

	DO("getfl", fn(here[0], F_GETFL));
	DO("setfl", fn(here[0], F_SETFL, O_NONBLOCK));
	DO("getfd", fn(pipes[0], F_GETFD));
	DO("dup", d = fn(here[0], F_DUPFD, 100));
	close(d);
	DO("dup cloexec", d = fn(here[0], F_DUPFD_CLOEXEC, 100));
	close(d);
	DO("lock", fn(file, F_SETLK, &l));
	DO("bad", fn(here[0], 9999, 0));
	DO("gone", fn(gone, F_GETFD));
}

static void use_ioctl(int (*fn)(int, unsigned long, ...))
{
	int n = -1;

	put(here[1], "abc");
	DO("fionread", fn(here[0], FIONREAD, &n));
	printf("%d\n", n);
	DO("pipe", fn(pipes[0], FIONREAD, &n));
	DO("bad", fn(here[0], 0x1234, &n));
	DO("gone", fn(gone, FIONREAD, &n));
}

static void use_poll(int (*fn)(struct pollfd *, nfds_t, int))
{
	struct pollfd p[3] = { { here[0], POLLIN | POLLOUT, 0 }, { pipes[0], POLLIN, 0 }, { gone, POLLIN, 0 } };

	DO("three", fn(p, 3, 0));
	printf("events %x %x %x\n", p[0].revents, p[1].revents, p[2].revents);
	DO("time is up", fn(p + 1, 1, 1));
	DO("none", fn(p, 0, 0));
	DO("none, no array", fn(NULL, 0, 0));
}

static void use_ppoll(int (*fn)(struct pollfd *, nfds_t, const struct timespec *, const sigset_t *))
{
	struct pollfd p[2] = { { here[0], POLLIN | POLLOUT, 0 }, { gone, POLLIN, 0 } };
	struct timespec ts = { 0, 0 };
	sigset_t set;

	sigemptyset(&set);
	DO("two", fn(p, 2, &ts, &set));
	printf("events %x %x\n", p[0].revents, p[1].revents);
	DO("none", fn(p, 0, &ts, NULL));
}

static void use_select(int (*fn)(int, fd_set *, fd_set *, fd_set *, struct timeval *))
{
	struct timeval tv = { 0, 0 };
	fd_set r, w;

	FD_ZERO(&r);
	FD_ZERO(&w);
	FD_SET(here[0], &w);
	FD_SET(pipes[0], &r);
	DO("two", fn(pipes[1] + 1, &r, &w, NULL, &tv));
	printf("ready %d %d\n", FD_ISSET(pipes[0], &r) != 0, FD_ISSET(here[0], &w) != 0);
	DO("none", fn(0, NULL, NULL, NULL, &tv));
	DO("fewer", fn(-1, NULL, NULL, NULL, &tv));
}

static void use_pselect(int (*fn)(int, fd_set *, fd_set *, fd_set *, const struct timespec *, const sigset_t *))
{
	struct timespec ts = { 0, 0 };
	fd_set w;

	FD_ZERO(&w);
	FD_SET(here[0], &w);
	DO("one", fn(here[0] + 1, NULL, &w, NULL, &ts, NULL));
	DO("none", fn(0, NULL, NULL, NULL, &ts, NULL));
}

static void use_epoll_ctl(int (*fn)(int, int, int, struct epoll_event *))
{
	struct epoll_event e = { .events = EPOLLIN }, got;
	int ep = epoll_of(here[0]);

	DO("again", fn(ep, EPOLL_CTL_ADD, here[0], &e));
	DO("other events", fn(ep, EPOLL_CTL_MOD, here[0], &e));
	DO("wait", epoll_wait(ep, &got, 1, 0));
	DO("nothing", fn(ep, EPOLL_CTL_MOD, here[0], NULL));
	DO("remove", fn(ep, EPOLL_CTL_DEL, here[0], NULL));
	DO("remove again", fn(ep, EPOLL_CTL_DEL, here[0], NULL));
	DO("gone", fn(ep, EPOLL_CTL_ADD, gone, &e));
	close(ep);
}

static void use_epoll_wait(int (*fn)(int, struct epoll_event *, int, int))
{
	struct epoll_event e[2];
	int ep = epoll_of(here[0]);

	DO("one", fn(ep, e, 2, 0));
	DO("no room", fn(ep, e, 0, 0));
	CHECK(epoll_ctl(ep, EPOLL_CTL_DEL, here[0], NULL) == 0);
	DO("none", fn(ep, e, 2, 0));
	DO("socket", fn(here[0], e, 2, 0));
	DO("gone", fn(gone, e, 2, 0));
	close(ep);
}

static void use_epoll_pwait(int (*fn)(int, struct epoll_event *, int, int, const sigset_t *))
{
	struct epoll_event e[2];
	int ep = epoll_of(here[0]);

	DO("one", fn(ep, e, 2, 0, NULL));
	DO("gone", fn(gone, e, 2, 0, NULL));
	close(ep);
}

static void use_epoll_pwait2(int (*fn)(int, struct epoll_event *, int, const struct timespec *, const sigset_t *))
{
	struct timespec zero = { 0 }, wrong = { 0, -1 };
	struct epoll_event e[2];
	int ep = epoll_of(here[0]);

	DO("one", fn(ep, e, 2, NULL, NULL));
	CHECK(epoll_ctl(ep, EPOLL_CTL_DEL, here[0], NULL) == 0);
	DO("none", fn(ep, e, 2, &zero, NULL));
	DO("wrong", fn(ep, e, 2, &wrong, NULL));
	DO("gone", fn(gone, e, 2, &zero, NULL));
	close(ep);
}

static void use_getaddrinfo(int (*fn)(const char *, const char *, const struct addrinfo *, struct addrinfo **))
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM }, *res = NULL;

	/* It may fail in several ways, and is free to use errno when it does not. */
	printf("%s = %d\n", current, fn("127.0.0.1", "80", &hints, &res));
	printf("port %d\n", ntohs(((struct sockaddr_in *)res->ai_addr)->sin_port));
	freeaddrinfo(res);
	printf("%s = %d\n", current, fn("no number", "80", &hints, &res));
	printf("%s = %d\n", current, fn(NULL, NULL, &hints, &res));
}

/* The fortified variants, whose last argument is the buffer's size. */
static void use_check___read_chk(ssize_t (*fn)(int, void *, size_t, size_t))
{
	char buf[16];

	put(here[1], "abc");
	DO("socket", fn(here[0], buf, 2, sizeof(buf)));
	DO("gone", fn(gone, buf, sizeof(buf), sizeof(buf)));
}

static void use_check___recv_chk(ssize_t (*fn)(int, void *, size_t, size_t, int))
{
	char buf[16];

	put(here[1], "abc");
	DO("socket", fn(here[0], buf, 2, sizeof(buf), 0));
	DO("gone", fn(gone, buf, sizeof(buf), sizeof(buf), 0));
}

static void use_check___recvfrom_chk(ssize_t (*fn)(int, void *, size_t, size_t, int, struct sockaddr *, socklen_t *))
{
	char buf[16];

	put(here[1], "abc");
	DO("socket", fn(here[0], buf, 2, sizeof(buf), 0, NULL, NULL));
	DO("gone", fn(gone, buf, sizeof(buf), sizeof(buf), 0, NULL, NULL));
}

static void use_check___poll_chk(int (*fn)(struct pollfd *, nfds_t, int, size_t))
{
	struct pollfd p = { here[0], POLLOUT, 0 };

	DO("one", fn(&p, 1, 0, sizeof(p)));
}

static void use_check___ppoll_chk(int (*fn)(struct pollfd *, nfds_t, const struct timespec *, const sigset_t *, size_t))
{
	struct pollfd p = { here[0], POLLOUT, 0 };
	struct timespec ts = { 0, 0 };

	DO("one", fn(&p, 1, &ts, NULL, sizeof(p)));
}

struct use {
	const char *name;
	void (*fn)(void (*)(void));
};

#pragma GCC diagnostic ignored "-Wcast-function-type"
static const struct use uses[] = {
#define CALL(name, filter, ret, nr, params) { #name, (void (*)(void (*)(void)))use_##name },
#define ALIAS(alias, name) { #alias, (void (*)(void (*)(void)))use_##name },
#define CHECKED(alias, name) { #alias, (void (*)(void (*)(void)))use_check_##alias },
#include "interpose/calls.def"
#undef CALL
#undef ALIAS
#undef CHECKED
};

static void call_everything(int argc, char **argv)
{
	step = "";
	for (unsigned i = 0; i < sizeof(uses) / sizeof(uses[0]); i++) {
		void (*fn)(void) = (void (*)(void))dlsym(RTLD_DEFAULT, uses[i].name);

		current = uses[i].name;
		if (!fn) {
			printf("%s is not there\n", current);
			continue;
		}
		fresh();
		uses[i].fn(fn);
		drain(here[0]);
		stale();
	}
}

/* Says which of calls.def's names libsockshim.so stands in for. */
static void list_names(int argc, char **argv)
{
	for (unsigned i = 0; i < sizeof(uses) / sizeof(uses[0]); i++)
		puts(uses[i].name);
}

/* A buffer that is smaller than the caller says: the program is ended as it would be. */
static void overflow(int argc, char **argv)
{
	ssize_t (*fn)(int, void *, size_t, size_t) = (ssize_t (*)(int, void *, size_t, size_t))dlsym(RTLD_DEFAULT,
												   "__read_chk");
	char buf[4];

	fresh();
	fn(here[0], buf, 8, sizeof(buf));
	puts("not reached");
}

PROG({ "everything", call_everything }, { "names", list_names }, { "overflow", overflow })
