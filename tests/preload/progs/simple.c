/* simple.c - a client, a server and their processes, in plain POSIX: built for musl as well. */
#include "prog.h"

static void connections(int argc, char **argv)
{
	struct sockaddr_in a;
	int l = listener(&a), s = socket(AF_INET, SOCK_STREAM, 0), n, d, v;
	socklen_t len = sizeof(v);
	char buf[16];
	FILE *f;

	CHECK(connect(s, (struct sockaddr *)&a, sizeof(a)) == 0 && (n = accept(l, NULL, NULL)) >= 0);
	CHECK(getsockopt(s, SOL_SOCKET, SO_ERROR, &v, &len) == 0 && v == 0);
	CHECK(send(s, "hello\n", 6, 0) == 6);
	await(n, POLLIN);
	CHECK(recv(n, buf, sizeof(buf), 0) == 6);
	CHECK((d = dup(s)) >= 0 && close(s) == 0 && write(d, "again\n", 6) == 6);
	f = fdopen(n, "r");
	CHECK(f && fgets(buf, sizeof(buf), f) && fclose(f) == 0);
	CHECK(fcntl(d, F_DUPFD, 50) == 50 && close(50) == 0 && close(d) == 0 && close(l) == 0);
	errno = 0;
	CHECK(connect(-1, (struct sockaddr *)&a, sizeof(a)) == -1 && errno == EBADF);
	CHECK(connect(0, (struct sockaddr *)&a, sizeof(a)) == -1 && errno == ENOTSOCK);
	printf("%s", buf);
}

static void processes(int argc, char **argv)
{
	int s = socket(AF_INET, SOCK_STREAM, 0);
	pid_t pid = fork();

	CHECK(s >= 0 && pid >= 0);
	if (pid == 0) {
		connections(0, NULL);
		exit(0);
	}
	reap(pid);
	pid = vfork();
	CHECK(pid >= 0);
	if (pid == 0) {
		close(s);
		execl("/bin/echo", "echo", "executed", NULL);
		_exit(1);
	}
	reap(pid);
	CHECK(system("exit 0") == 0 && close(s) == 0);
}

PROG({ "connections", connections }, { "processes", processes })
