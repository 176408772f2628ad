/* table.c - descriptors: which of them are sockets, through duplicates, hand-overs, and the back door. */
#include "prog.h"

#include <dlfcn.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

/* Duplicates put over sockets: each socket is open as long as one descriptor names it. */
static void dups(int argc, char **argv)
{
	int a = socket(AF_INET, SOCK_STREAM, 0), b = socket(AF_INET, SOCK_DGRAM, 0), d, p[2];
	char c;

	CHECK(pipe(p) == 0);
	CHECK(dup2(a, b) == b);			/* the datagram socket is gone */
	CHECK(dup3(p[0], a, O_CLOEXEC) == a);	/* a is a pipe, b is the stream socket */
	CHECK(write(p[1], "x", 1) == 1 && read(a, &c, 1) == 1 && c == 'x');
	CHECK((d = fcntl(b, F_DUPFD, 50)) == 50 && fcntl(b, F_DUPFD_CLOEXEC, 60) == 60);
	CHECK(close(b) == 0 && close(60) == 0);
	/* Nothing is at the old number: a new socket there is another. */
	CHECK(socket(AF_INET6, SOCK_STREAM, 0) == b);
	CHECK(getsockopt(d, SOL_SOCKET, SO_TYPE, &p[0], &(socklen_t){ sizeof(int) }) == 0);
	CHECK(dup2(d, d) == d);
	printf("left %d %d\n", b, d);
}

/* A number that was a socket and is a file by now, and the other way round. */
static void reuse(int argc, char **argv)
{
	int s = socket(AF_INET, SOCK_STREAM, 0), f;
	char c;

	CHECK(close(s) == 0);
	f = open("/dev/zero", O_RDWR);
	CHECK(f == s && read(f, &c, 1) == 1 && write(f, &c, 1) == 1 && close(f) == 0);
	s = socket(AF_INET, SOCK_DGRAM, 0);
	CHECK(s == f);
	/* Closed where nobody sees it. */
	CHECK(by_hand(SYS_close, s, 0, 0) == 0);
	f = open("/dev/zero", O_RDWR);
	CHECK(f == s && read(f, &c, 1) == 1 && write(f, &c, 1) == 1 && close(f) == 0);
	s = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(by_hand(SYS_close, s, 0, 0) == 0);
	CHECK(socket(AF_INET, SOCK_DGRAM, 0) == s);
}

static void ranges(int argc, char **argv)
{
	int s[10];

	for (int i = 0; i < 10; i++)
		CHECK((s[i] = socket(AF_INET, SOCK_STREAM, 0)) == 3 + i);
	CHECK(close_range(4, 5, 0) == 0);
	CHECK(close_range(6, 6, 4 /* CLOSE_RANGE_CLOEXEC */) == 0 && fcntl(6, F_GETFD) == FD_CLOEXEC);
	CHECK(close_range(7, 6, 0) == -1 && errno == EINVAL);
	CHECK(close_range(7, 7, 2 /* CLOSE_RANGE_UNSHARE */) == 0);
	closefrom(10);
	for (int i = 0; i < 10; i++)
		printf("%d", fcntl(s[i], F_GETFD) >= 0);
	printf("\n");
}

/* 0, 1 and 2 closed before the first socket: the sockets are those, and nothing of ours ever is. */
static void low(int argc, char **argv)
{
	int out = fcntl(1, F_DUPFD, 100), s[3];

	close(0);
	close(1);
	close(2);
	for (int i = 0; i < 3; i++)
		s[i] = socket(AF_INET, SOCK_STREAM, 0);
	dprintf(out, "%d %d %d\n", s[0], s[1], s[2]);
	for (int i = 0; i < 1000; i++)		/* the table grows: more is mapped */
		if (fcntl(s[0], F_DUPFD, 0) != 3 + i - (i >= 97))
			break;
	close(1);
	CHECK(socket(AF_INET, SOCK_STREAM, 0) == 1);
	for (int i = 0; i < 20; i++)
		dprintf(out, "%d", fcntl(i, F_GETFD) >= 0);
	dprintf(out, "\n");
}

/* Which descriptors there are is the same as without the library, all along. */
static void visible(int argc, char **argv)
{
	char c;

	for (int round = 0; round < 4; round++) {
		int fd[2];

		CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0);
		CHECK(write(fd[0], "x", 1) == 1 && read(fd[1], &c, 1) == 1);
		for (int i = 0; i < 64; i++)
			printf("%d", fcntl(i, F_GETFD) >= 0);
		printf("\n");
	}
}

static void close_all(int argc, char **argv)
{
	int fd, s;

	CHECK(socket(AF_INET, SOCK_STREAM, 0) == 3);
	for (int i = 3; i < 2000; i++)
		close(i);
	s = socket(AF_INET, SOCK_STREAM, 0);
	fd = open("/dev/null", O_RDONLY);
	printf("%d %d\n", s, fd);
}

/* As many sockets as RLIMIT_NOFILE allows, which is what is left without the library. */
static void limit_64(int argc, char **argv)
{
	struct rlimit r = { 64, 64 };
	int n = 0, last = -1, fd, full;

	CHECK(setrlimit(RLIMIT_NOFILE, &r) == 0);
	while ((fd = socket(AF_INET, SOCK_STREAM, 0)) >= 0) {
		last = fd;
		n++;
	}
	full = errno;
	printf("%d sockets, last %d, errno %d\n", n, last, full);
	CHECK(close(20) == 0);
	printf("%d\n", open("/dev/null", O_RDONLY));
}

/* All taken by files before the first call: there is not one for the library. */
static void limit_taken(int argc, char **argv)
{
	struct rlimit r = { 20, 20 };
	int s;

	CHECK(setrlimit(RLIMIT_NOFILE, &r) == 0);
	while (open("/dev/null", O_RDONLY) >= 0)
		;
	printf("%d errno %d\n", socket(AF_INET, SOCK_STREAM, 0), errno);
	close(10);
	s = socket(AF_INET, SOCK_STREAM, 0);
	printf("%d\n", s);
	printf("%d errno %d\n", listen(s, 5), errno);
	close(s);
}

static void limit_million(int argc, char **argv)
{
	struct rlimit r = { 1048576, 1048576 };
	int tcp[2], top;
	char c;

	if (setrlimit(RLIMIT_NOFILE, &r) != 0) {
		puts("skip");
		return;
	}
	tcp_pair(tcp);
	top = dup2(tcp[0], 1048575);
	CHECK(top == 1048575 && close(tcp[0]) == 0);
	CHECK(send(top, "x", 1, 0) == 1 && recv(tcp[1], &c, 1, 0) == 1);
	CHECK(fcntl(tcp[1], F_DUPFD, 1000000) == 1000000);
	CHECK(write(1000000, "y", 1) == 1 && read(top, &c, 1) == 1);
	CHECK(close(1000000) == 0 && close(top) == 0 && close(tcp[1]) == 0);
	CHECK(dup2(0, 524288) == 524288 && read(524288, &c, 1) == 0);
	puts("done");
}

/* No memory for anything more, from the first socket on or from a later one. */
static void no_memory(int argc, char **argv)
{
	struct rlimit r;
	int fd[2], s, warm = atoi(argv[1]);
	char c;

	if (warm > 0)
		CHECK(write(1, "warm\n", 5) == 5);
	if (warm > 1)
		CHECK((s = socket(AF_INET, SOCK_STREAM, 0)) >= 0 && close(s) == 0);
	getrlimit(RLIMIT_AS, &r);
	r.rlim_cur = 1;		/* what is mapped stays; nothing more is */
	CHECK(setrlimit(RLIMIT_AS, &r) == 0);
	for (int i = 0; i < 300; i++)
		CHECK((s = socket(AF_INET, SOCK_STREAM, 0)) >= 0);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0);
	CHECK(send(fd[0], "x", 1, 0) == 1 && read(fd[1], &c, 1) == 1 && c == 'x');
	CHECK(dup2(fd[0], 600) == 600 && close(600) == 0);
	printf("%d %d\n", s, fd[1]);
}

/* More kinds of sockets than there are places for statistics. */
static void kinds(int argc, char **argv)
{
	for (int i = 0; i < 200; i++)
		CHECK(socket(AF_INET, SOCK_STREAM, 1000 + i) == -1);
	for (int i = 0; i < 50; i++)
		CHECK(close(socket(AF_INET, SOCK_STREAM, 0)) == 0);
}

/* Duplicates hold the places of sockets that are closed, more of them than there are others for. */
static void spill(int argc, char **argv)
{
	struct rlimit r = { 16384, 16384 };
	char c;

	if (setrlimit(RLIMIT_NOFILE, &r) != 0) {
		puts("skip");
		return;
	}
	for (int i = 0; i < 2000; i++) {
		int s = socket(AF_UNIX, SOCK_DGRAM, 0);

		CHECK(s >= 0 && dup2(s, 4000 + i) == 4000 + i);
	}
	for (int i = 3; i < 2003; i++)
		CHECK(close(i) == 0);
	for (int i = 0; i < 1000; i++) {
		int fd[2];

		CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0 && fd[1] < 2003);
		CHECK(send(fd[0], "x", 1, 0) == 1 && recv(fd[1], &c, 1, 0) == 1);
	}
	CHECK(close_range(3, ~0u, 0) == 0);
	for (int i = 0; i < 1000; i++)
		CHECK(socket(AF_INET, SOCK_STREAM, 0) == 3 + i);
	closefrom(3);
	puts("done");
}

/* Files may not grow: what the library would write must not end the program. */
static void small_files(int argc, char **argv)
{
	struct rlimit r = { (rlim_t)atol(argv[1]), RLIM_INFINITY };

	CHECK(setrlimit(RLIMIT_FSIZE, &r) == 0);
	for (int i = 0; i < 200; i++)
		CHECK(socket(AF_INET, SOCK_STREAM, 0) == 3 + i);
	puts("done");
}

/* What is looked at is not received yet. */
static void peek(int argc, char **argv)
{
	char buf[16];
	struct iovec v = { buf, 4 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	int fd[2];

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0 && write(fd[1], "abcd", 4) == 4);
	CHECK(recv(fd[0], buf, 4, MSG_PEEK) == 4 && recvfrom(fd[0], buf, 4, MSG_PEEK, NULL, NULL) == 4);
	CHECK(recvmsg(fd[0], &m, MSG_PEEK) == 4 && recv(fd[0], buf, 4, 0) == 4);
	_exit(0);
}

/* Sends descriptors over a unix socket, and receives them. */
static void send_fd(int over, const int *fd, int n)
{
	union { char buf[CMSG_SPACE(4 * sizeof(int))]; struct cmsghdr align; } u = { 0 };
	struct iovec v = { "!", 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = u.buf,
			    .msg_controllen = CMSG_SPACE((size_t)n * sizeof(int)) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN((size_t)n * sizeof(int));
	memcpy(CMSG_DATA(c), fd, (size_t)n * sizeof(int));
	CHECK(sendmsg(over, &m, 0) == 1);
}

static void receive_fd(int over, int *fd, int n, bool many)
{
	union { char buf[CMSG_SPACE(4 * sizeof(int))]; struct cmsghdr align; } u = { 0 };
	char byte;
	struct iovec v = { &byte, 1 };
	struct mmsghdr mm = { .msg_hdr = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = u.buf,
					   .msg_controllen = sizeof(u.buf) } };

	if (many)
		CHECK(recvmmsg(over, &mm, 1, 0, NULL) == 1);
	else
		CHECK(recvmsg(over, &mm.msg_hdr, 0) == 1);
	memcpy(fd, CMSG_DATA(CMSG_FIRSTHDR(&mm.msg_hdr)), (size_t)n * sizeof(int));
}

/* A connected TCP socket and a pipe go to another process, which uses the first. */
static void rights(int argc, char **argv)
{
	bool many = strcmp(argv[1], "many") == 0;
	int over[2], tcp[2], p[2], got[2];
	char c;
	pid_t pid;

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, over) == 0);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		int s = socket(AF_INET, SOCK_STREAM, 0);	/* so that the table has known the numbers */

		close(s);
		receive_fd(over[1], got, 2, many);
		CHECK(write(got[0], "from the receiver", 17) == 17);
		CHECK(read(got[1], &c, 1) == 1 && c == 'p');
		printf("receiver=%d\nfd=%d\n", (int)getpid(), got[0]);
		exit(0);
	}
	tcp_pair(tcp);
	CHECK(pipe(p) == 0 && write(p[1], "p", 1) == 1);
	send_fd(over[0], (int[]){ tcp[0], p[0] }, 2);
	CHECK(close(tcp[0]) == 0);
	await(tcp[1], POLLIN);
	reap(pid);
}

/* systemd hands a listener over as descriptor 3; what is run by it accepts there. */
static void activate(int argc, char **argv)
{
	char path[512];
	struct sockaddr_in a;
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	int l = listener(&a), s;
	pid_t pid;

	path[n > 0 ? n : 0] = 0;
	CHECK(l == 3);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		execl(path, path, "activated", NULL);
		_exit(127);
	}
	s = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(connect(s, (struct sockaddr *)&a, sizeof(a)) == 0);
	reap(pid);
}

static void activated(int argc, char **argv)
{
	struct sockaddr_storage ss;
	socklen_t n = sizeof(ss);
	int s = accept(3, (struct sockaddr *)&ss, &n);

	CHECK(s == 4 && ss.ss_family == AF_INET && close(s) == 0);
	printf("activated=%d\n", (int)getpid());
}

/* inetd hands a connection over as 0, 1 and 2. */
static void inetd(int argc, char **argv)
{
	char path[512], buf[64];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	int tcp[2];
	pid_t pid;

	path[n > 0 ? n : 0] = 0;
	tcp_pair(tcp);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		dup2(tcp[1], 0);
		dup2(tcp[1], 1);
		dup2(tcp[1], 2);
		close_range(3, ~0u, 0);
		execl(path, path, "served", NULL);
		_exit(127);
	}
	CHECK(send(tcp[0], "ask\n", 4, 0) == 4);
	reap(pid);
	n = recv(tcp[0], buf, sizeof(buf) - 1, 0);
	CHECK(n > 0);
	buf[n] = 0;
	printf("%s", buf);
}

static void served(int argc, char **argv)
{
	char buf[16];
	struct sockaddr_storage ss;
	socklen_t n = sizeof(ss);

	CHECK(getpeername(0, (struct sockaddr *)&ss, &n) == 0 && ss.ss_family == AF_INET);
	CHECK(read(0, buf, sizeof(buf)) == 4);
	printf("pid=%d\n", (int)getpid());
}

/* A socket made where nobody sees it; then used by calls that are seen. */
static void back_door(int argc, char **argv)
{
	struct sockaddr_in a;
	int l, s, n;
	char c;

	/* The table has looked at the low numbers before the socket is made. */
	CHECK(close(socket(AF_UNIX, SOCK_DGRAM, 0)) == 0 && read(0, &c, 1) == 0);
	l = listener(&a);
	s = (int)by_hand(SYS_socket, AF_INET, SOCK_STREAM, 0);
	CHECK(s >= 0 && connect(s, (struct sockaddr *)&a, sizeof(a)) == 0 && (n = accept(l, NULL, NULL)) >= 0);
	CHECK(send(s, "x", 1, 0) == 1 && recv(n, &c, 1, 0) == 1 && close(s) == 0);
}

/* epoll_ctl(DEL) without an event, and polling what is closed. */
static void epoll(int argc, char **argv)
{
	struct epoll_event e = { .events = EPOLLIN }, got;
	int fd[2], ep = epoll_create1(0);

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0 && epoll_ctl(ep, EPOLL_CTL_ADD, fd[0], &e) == 0);
	CHECK(write(fd[1], "x", 1) == 1 && epoll_wait(ep, &got, 1, 1000) == 1);
	errno = 77;
	CHECK(epoll_ctl(ep, EPOLL_CTL_DEL, fd[0], NULL) == 0 && errno == 77);
	CHECK(epoll_ctl(ep, EPOLL_CTL_DEL, fd[0], NULL) == -1 && errno == ENOENT);
	CHECK(epoll_wait(ep, &got, 1, 0) == 0);
	puts("done");
}

/* stdio on sockets: fdopen, and fclose, which closes without close(). */
static void stdio(int argc, char **argv)
{
	char line[64], mem[8];
	int fd[2], again;
	FILE *f, *g;

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0);
	f = fdopen(fd[0], "r+");
	g = fdopen(fd[1], "r");
	CHECK(f && g && fprintf(f, "hello\n") == 6 && fflush(f) == 0 && fgets(line, sizeof(line), g));
	errno = 77;
	CHECK(fclose(f) == 0 && errno == 77 && fclose(g) == 0 && errno == 77);
	again = open("/dev/zero", O_RDONLY);
	CHECK(again == fd[0] && read(again, line, 4) == 4 && close(again) == 0);
	f = fmemopen(mem, sizeof(mem), "w");
	errno = 77;
	CHECK(f && fclose(f) == 0 && errno == 77);
	/* What can't be written when the stream is closed is an error, and the descriptor is gone. */
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0 && (f = fdopen(fd[0], "w")));
	CHECK(close(fd[1]) == 0);
	signal(SIGPIPE, SIG_IGN);
	fputs("lost", f);
	CHECK(fclose(f) == EOF && errno == EPIPE && fcntl(fd[0], F_GETFD) == -1);
	printf("%s", line);
}

/* Functions that libc calls inside: what they open and close is no concern of the table's. */
static void inside(int argc, char **argv)
{
	FILE *p;
	char line[64];
	int s;

	s = socket(AF_INET, SOCK_STREAM, 0);
	p = popen("echo popen", "r");
	CHECK(p && fgets(line, sizeof(line), p) && pclose(p) == 0);
	printf("%s", line);
	CHECK(system("exit 0") == 0);
	p = tmpfile();
	CHECK(p && fputs("x", p) >= 0 && fclose(p) == 0);
	p = fopen("/dev/null", "r");
	CHECK(p && (p = freopen("/dev/zero", "r", p)) && fgetc(p) == 0 && fclose(p) == 0);
	printf("%d\n", close(s));
}

PROG({ "dups", dups }, { "reuse", reuse }, { "ranges", ranges }, { "low", low }, { "visible", visible },
     { "closeall", close_all }, { "limit64", limit_64 }, { "taken", limit_taken }, { "million", limit_million },
     { "nomemory", no_memory }, { "rights", rights }, { "activate", activate }, { "activated", activated },
     { "inetd", inetd }, { "served", served }, { "backdoor", back_door }, { "epoll", epoll }, { "stdio", stdio },
     { "inside", inside },
     { "kinds", kinds }, { "spill", spill }, { "smallfiles", small_files }, { "peek", peek })
