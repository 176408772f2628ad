/* descriptors.c - sockets as descriptors: dup, fork, exec, SCM_RIGHTS, stdio, sendfile, splice, server by inheritance. */
#include "log.h"
#include <sys/mman.h>
#include <sys/sendfile.h>

static char buf[70000];

static void duplicates(void)
{
	int s[2], d, high;

	puts("- dup");
	connection(s);
	d = FD(dup(s[0]));
	high = FD(fcntl(s[0], F_DUPFD_CLOEXEC, 100));
	close(s[0]);
	DO(send(d, "a", 1, 0));
	DO(send(high, "b", 1, 0));
	wait_bytes(s[1], 2);
	DO(recv(s[1], buf, 10, 0));
	DO(fcntl(high, F_GETFD));
	close(d);
	POLL(s[1], 0);
	log_name("peer", high, true, port_of(s[1]));
	DO(dup2(high, d) == d);
	close(high);
	DO(send(d, "c", 1, 0));
	DO(recv(s[1], buf, 10, 0));
	close(d);
	POLL(s[1], POLLRDHUP);
	DO(recv(s[1], buf, 10, 0));
	close(s[1]);
	DO(send(s[1], "x", 1, 0));
}

static void forked(void)
{
	int l = listener(5), port = port_of(l), c, status;
	pid_t pid;

	puts("- fork");
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		c = accept(l, NULL, NULL);
		_exit(recv(c, buf, 5, MSG_WAITALL) == 5 && send(c, "world", 5, 0) == 5 ? 0 : 1);
	}
	c = connect_to(port);
	DO(send(c, "hello", 5, 0));
	DO(recv(c, buf, 5, MSG_WAITALL));
	DO(recv(c, buf, 5, 0));
	waitpid(pid, &status, 0);
	printf("child %d\n", WEXITSTATUS(status));
	close(c);
	/* The parent's own still listens. */
	c = connect_to(port);
	DO(send(c, "x", 1, 0));
	close(c);
	close(l);
}

static void executed(const char *self)
{
	int s[2], status;
	char fd[16];
	pid_t pid;

	puts("- exec");
	fflush(stdout);
	connection(s);
	snprintf(fd, sizeof(fd), "%d", s[1]);
	pid = fork();
	if (pid == 0) {
		close(s[0]);
		execl(self, self, "echo", fd, NULL);
		_exit(9);
	}
	close(s[1]);
	DO(send(s[0], "over exec", 9, 0));
	DO(recv(s[0], buf, 9, MSG_WAITALL));
	printf("%.9s\n", buf);
	DO(shutdown(s[0], SHUT_WR));
	DO(recv(s[0], buf, 9, 0));
	waitpid(pid, &status, 0);
	printf("child %d\n", WEXITSTATUS(status));
	close(s[0]);
}

/* The other image: knows the socket by its number alone. */
static int echo(int fd)
{
	struct sockaddr_in a;
	socklen_t len = sizeof(a);
	ssize_t n;

	if (getsockname(fd, ADDR(&a), &len) < 0 || a.sin_family != AF_INET || option_of(fd, SOL_SOCKET, SO_TYPE) != SOCK_STREAM)
		return 2;
	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0)
		if (send(fd, buf, (size_t)n, 0) != n)
			return 3;
	return n < 0 ? 4 : 0;
}

static void send_fd(int to, int fd)
{
	union { struct cmsghdr h; char room[CMSG_SPACE(sizeof(int))]; } c = { .h = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	struct iovec v = { (char *)"f", 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof(c.room) };

	memcpy(CMSG_DATA(&c.h), &fd, sizeof(fd));
	DO(sendmsg(to, &m, 0));
}

static int recv_fd(int from)
{
	union { struct cmsghdr h; char room[CMSG_SPACE(sizeof(int))]; } c;
	char byte;
	struct iovec v = { &byte, 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof(c.room) };
	int fd = -1;

	if (recvmsg(from, &m, 0) == 1 && m.msg_controllen >= CMSG_LEN(sizeof(int)))
		memcpy(&fd, CMSG_DATA(&c.h), sizeof(fd));
	return fd;
}

static void passed(void)
{
	int u[2], s[2], status, got;
	pid_t pid;

	puts("- SCM_RIGHTS");
	fflush(stdout);
	DO(socketpair(AF_UNIX, SOCK_STREAM, 0, u));
	pid = fork();
	if (pid == 0) {
		close(u[0]);
		_exit(echo(recv_fd(u[1])));
	}
	close(u[1]);
	connection(s);
	send_fd(u[0], s[1]);
	close(s[1]);
	DO(send(s[0], "passed on", 9, 0));
	DO(recv(s[0], buf, 9, MSG_WAITALL));
	DO(shutdown(s[0], SHUT_WR));
	DO(recv(s[0], buf, 9, 0));
	waitpid(pid, &status, 0);
	printf("child %d\n", WEXITSTATUS(status));
	close(s[0]);
	close(u[0]);
	/* To ourselves. */
	DO(socketpair(AF_UNIX, SOCK_DGRAM, 0, u));
	connection(s);
	send_fd(u[0], s[1]);
	got = recv_fd(u[1]);
	close(s[1]);
	log_name("peer", got, true, port_of(s[0]));
	DO(send(got, "x", 1, 0));
	DO(recv(s[0], buf, 9, 0));
	close(got);
	close(s[0]);
	close(u[0]);
	close(u[1]);
}

static void files(void)
{
	int s[2], f = memfd_create("f", 0), p[2];
	off_t at = 100;
	ssize_t n;
	long got = 0;
	FILE *in, *out;

	puts("- sendfile, splice, stdio");
	connection(s);
	if (ftruncate(f, 50000) < 0 || pipe(p) < 0)
		return;
	DO(sendfile(s[0], f, &at, 20000));
	printf("at %ld\n", (long)at);
	while (got < 20000 && (n = recv(s[1], buf, sizeof(buf), 0)) > 0)
		got += n;
	printf("got %ld\n", got);
	DO(write(p[1], "through a pipe", 14));
	DO(splice(p[0], NULL, s[0], NULL, 14, 0));
	wait_bytes(s[1], 14);
	DO(splice(s[1], NULL, p[1], NULL, 100, 0));
	DO(read(p[0], buf, 100));
	out = fdopen(s[0], "w");
	in = fdopen(s[1], "r");
	fprintf(out, "a line\nanother\n");
	fflush(out);
	DO(fgets(buf, 100, in) != NULL);
	printf("%s", buf);
	fclose(out);
	DO(fgets(buf, 100, in) != NULL);
	DO(fgets(buf, 100, in) != NULL);
	fclose(in);
	close(f);
	close(p[0]);
	close(p[1]);
}

static void numbers(void)
{
	int a, b, c;

	puts("- numbers");
	a = socket(AF_INET, SOCK_STREAM, 0);
	b = socket(AF_INET, SOCK_DGRAM, 0);
	DO(b - a);
	close(a);
	c = socket(AF_INET, SOCK_STREAM, 0);
	DO(c - a);
	DO(lseek(c, 0, SEEK_SET));
	DO(close(c));
	DO(close(c));
	DO(close(b));
}

int main(int argc, char **argv)
{
	if (argc == 3)
		return echo(atoi(argv[2]));
	duplicates();
	forked();
	executed(argv[0]);
	passed();
	files();
	numbers();
	return 0;
}
