/* unix.c - what is no stack's business: unix and netlink sockets, socket pairs. */
#include "log.h"
#include <linux/netlink.h>
#include <sys/un.h>

static char buf[100];

int main(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = "\0diff-test" }, got;
	socklen_t len = sizeof(got);
	int p[2], l, s, c, n;
	struct ucred cred;

	DO(socketpair(AF_UNIX, SOCK_STREAM, 0, p));
	DO(write(p[0], "x", 1));
	DO(read(p[1], buf, 10));
	DO(option_of(p[0], SOL_SOCKET, SO_DOMAIN));
	close(p[0]);
	DO(read(p[1], buf, 10));
	POLL(p[1], POLLHUP);
	close(p[1]);
	l = FD(socket(AF_UNIX, SOCK_SEQPACKET, 0));
	snprintf(a.sun_path + 1, sizeof(a.sun_path) - 1, "diff-%d", getpid());
	DO(bind(l, ADDR(&a), sizeof(a)));
	DO(listen(l, 1));
	s = FD(socket(AF_UNIX, SOCK_SEQPACKET, 0));
	DO(connect(s, ADDR(&a), sizeof(a)));
	c = FD(accept(l, ADDR(&got), &len));
	printf("%u\n", len);
	len = sizeof(cred);
	DO(getsockopt(c, SOL_SOCKET, SO_PEERCRED, &cred, &len));
	printf("%d\n", cred.pid == getpid());
	DO(send(s, "packet", 6, 0));
	DO(recv(c, buf, 3, 0));
	close(s);
	DO(recv(c, buf, 3, 0));
	n = FD(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
	DO(option_of(n, SOL_SOCKET, SO_DOMAIN));
	close(n);
	close(c);
	close(l);
	DO(socketpair(AF_INET, SOCK_STREAM, 0, p));
	FD(socket(AF_UNIX, SOCK_STREAM, 5));
	return 0;
}
