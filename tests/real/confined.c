/* confined.c - a program that has seccomp's strict mode kill it for any system call but read, write and
 * exit, and sends a message to itself and back under it. Exits with 0 if it came through. */
#include <linux/seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int inherited = argc > 1 ? argv[1][0] - '0' : -1;	/* a descriptor that nobody has looked at yet */
	char buf[64] = "";
	size_t got = 0, sent = 0;
	int fds[2];
	ssize_t n;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) < 0)
		return 1;
	if (inherited >= 0 && write(inherited, "inherited\n", 10) < 0)
		syscall(SYS_exit, 2);
	while (sent < 13 && (n = write(fds[0], &"through here\n"[sent], 13 - sent)) > 0)
		sent += (size_t)n;
	while (got < 13 && (n = read(fds[1], buf + got, 13 - got)) > 0)
		got += (size_t)n;
	if (write(1, buf, got) < 0)
		syscall(SYS_exit, 3);
	return (int)syscall(SYS_exit, memcmp(buf, "through here\n", 13) != 0);
}
