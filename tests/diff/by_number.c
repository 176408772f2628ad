/* by_number.c - calls made through syscall(2). */
#include "log.h"
#include <sys/syscall.h>

static char buf[100];

int main(void)
{
	struct sockaddr_in a = in4("127.0.0.1", 0), name;
	socklen_t len = sizeof(name);
	int s = FD(syscall(SYS_socket, AF_INET, SOCK_DGRAM, 0)), v = 0;
	struct iovec io = { buf, sizeof(buf) };
	struct msghdr m = { .msg_iov = &io, .msg_iovlen = 1, .msg_name = &name, .msg_namelen = sizeof(name) };

	DO(syscall(SYS_bind, s, &a, sizeof(a)));
	DO(syscall(SYS_getsockname, s, &a, &len));
	DO(syscall(SYS_getpeername, s, &name, &len));
	DO(syscall(SYS_sendto, s, "hello", 5, 0, &a, sizeof(a)));
	DO(syscall(SYS_recvfrom, s, buf, 3, MSG_TRUNC, NULL, NULL));
	DO(syscall(SYS_sendto, s, "hello", 5, 0, &a, sizeof(a)));
	DO(syscall(SYS_recvmsg, s, &m, 0));
	printf("name %u\n", m.msg_namelen);
	DO(syscall(SYS_sendto, s, "hello", 5, 0, &a, sizeof(a)));
	DO(syscall(SYS_read, s, buf, 100));
	DO(syscall(SYS_setsockopt, s, IPPROTO_IP, IP_TTL, &(int){ 9 }, 4));
	len = 4;
	DO(syscall(SYS_getsockopt, s, IPPROTO_IP, IP_TTL, &v, &len));
	printf("%d\n", v);
	DO(syscall(SYS_connect, s, &a, sizeof(a)));
	DO(syscall(SYS_write, s, "x", 1));
	DO(syscall(SYS_ioctl, s, FIONREAD, &v));
	DO(syscall(SYS_shutdown, s, SHUT_WR));
	DO(syscall(SYS_shutdown, s, 9));
	DO(syscall(SYS_close, s));
	DO(syscall(SYS_close, s));
	return 0;
}
