/* udp.c - datagrams: connected and not, sizes, flags, several at once, errors, readiness. */
#include "log.h"
#include <linux/errqueue.h>
#include <sys/epoll.h>
#include <sys/uio.h>

static char buf[70000];

static int bound(const char *addr)
{
	struct sockaddr_in a = in4(addr, 0);
	int s = socket(AF_INET, SOCK_DGRAM, 0);

	if (bind(s, ADDR(&a), sizeof(a)) < 0)
		perror("bound");
	return s;
}

static void unconnected(void)
{
	int a = bound("127.0.0.1"), b = FD(socket(AF_INET, SOCK_DGRAM, 0));
	struct sockaddr_in to = in4("127.0.0.1", port_of(a)), from;
	socklen_t len = sizeof(from);

	puts("- unconnected");
	POLL(b, 0);
	log_name("name", b, false, 0);
	log_name("peer", b, true, 0);
	DO(send(b, "x", 1, 0));
	DO(write(b, "x", 1));
	DO(sendto(b, "hello", 5, 0, ADDR(&to), 4));
	DO(sendto(b, "hello", 5, 0, ADDR(&to), sizeof(to)));
	log_name("name", b, false, 0);
	DO(recvfrom(a, buf, sizeof(buf), 0, ADDR(&from), &len));
	log_addr("from", ADDR(&from), len, port_of(b));
	DO(sendto(b, "hello", 5, 0, ADDR(&to), sizeof(to)));
	len = 3;
	DO(recvfrom(a, buf, 2, 0, ADDR(&from), &len));
	printf("length %u\n", len);
	DO(recv(a, buf, 10, MSG_DONTWAIT));
	DO(shutdown(b, SHUT_WR));
	close(a);
	close(b);
}

static void connected(void)
{
	int a = bound("127.0.0.1"), b = socket(AF_INET, SOCK_DGRAM, 0), c = bound("127.0.0.1");
	struct sockaddr_in to = in4("127.0.0.1", port_of(a)), other = in4("127.0.0.1", 0);
	struct sockaddr none = { .sa_family = AF_UNSPEC };

	puts("- connected");
	DO(connect(b, ADDR(&to), sizeof(to)));
	log_name("name", b, false, 0);
	log_name("peer", b, true, port_of(a));
	DO(send(b, "one", 3, 0));
	DO(write(b, "two", 3));
	other.sin_port = htons((uint16_t)port_of(c));
	DO(sendto(b, "elsewhere", 9, 0, ADDR(&other), sizeof(other)));
	DO(recv(a, buf, sizeof(buf), 0));
	DO(read(a, buf, sizeof(buf)));
	DO(recv(c, buf, sizeof(buf), 0));
	to.sin_port = htons((uint16_t)port_of(b));
	DO(sendto(c, "stranger", 8, 0, ADDR(&to), sizeof(to)));
	DO(sendto(a, "friend", 6, 0, ADDR(&to), sizeof(to)));
	DO(recv(b, buf, sizeof(buf), 0));
	DO(recv(b, buf, sizeof(buf), MSG_DONTWAIT));
	DO(connect(b, &none, sizeof(none)));
	log_name("peer", b, true, 0);
	DO(send(b, "x", 1, 0));
	close(a);
	close(b);
	close(c);
}

static void sizes(void)
{
	int a = bound("127.0.0.1"), b = socket(AF_INET, SOCK_DGRAM, 0), n = -1;
	struct sockaddr_in to = in4("127.0.0.1", port_of(a));
	struct iovec v[2] = { { buf, 4 }, { buf + 10, 4 } };
	struct msghdr m = { .msg_iov = v, .msg_iovlen = 2 };

	puts("- sizes");
	connect(b, ADDR(&to), sizeof(to));
	DO(send(b, "", 0, 0));
	POLL(a, POLLIN);
	DO(ioctl(a, FIONREAD, &n));
	printf("%d\n", n);
	DO(recv(a, buf, sizeof(buf), 0));
	DO(send(b, "0123456789", 10, 0));
	wait_bytes(a, 10);
	DO(ioctl(a, FIONREAD, &n));
	printf("%d\n", n);
	DO(recv(a, buf, 3, MSG_PEEK));
	DO(recv(a, buf, 3, MSG_PEEK | MSG_TRUNC));
	DO(recvmsg(a, &m, 0));
	printf("%.4s %.4s flags %x\n", buf, buf + 10, m.msg_flags);
	DO(send(b, "0123456789", 10, 0));
	DO(recv(a, NULL, 0, 0));
	DO(writev(b, v, 2));
	DO(readv(a, v, 2));
	DO(send(b, buf, 65507, 0));
	DO(recv(a, buf, sizeof(buf), 0));
	DO(send(b, buf, 65508, 0));
	DO(send(b, buf, 3, MSG_MORE));
	DO(send(b, buf, 4, 0));
	DO(recv(a, buf, sizeof(buf), 0));
	DO(recv(a, buf, 10, MSG_OOB | MSG_DONTWAIT));
	DO(send(b, buf, 1, MSG_OOB));
	close(a);
	close(b);
}

static void several(void)
{
	int a = bound("127.0.0.1"), b = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in to = in4("127.0.0.1", port_of(a)), from[4];
	struct iovec v[4], w[4];
	struct mmsghdr out[4], in[4];
	struct timespec ts = { 0, 50000000 };

	puts("- several at once");
	memset(out, 0, sizeof(out));
	memset(in, 0, sizeof(in));
	for (int i = 0; i < 4; i++) {
		v[i] = (struct iovec){ buf + i * 10, (size_t)i + 1 };
		w[i] = (struct iovec){ buf + 100 + i * 10, 3 };
		out[i].msg_hdr = (struct msghdr){ .msg_iov = &v[i], .msg_iovlen = 1, .msg_name = &to, .msg_namelen = sizeof(to) };
		in[i].msg_hdr = (struct msghdr){ .msg_iov = &w[i], .msg_iovlen = 1, .msg_name = &from[i], .msg_namelen = sizeof(from[i]) };
	}
	DO(sendmmsg(b, out, 4, 0));
	for (int i = 0; i < 4; i++)
		printf("%u ", out[i].msg_len);
	puts("");
	usleep(20000);
	DO(recvmmsg(a, in, 3, 0, NULL));
	for (int i = 0; i < 3; i++)
		printf("%u %x %u ", in[i].msg_len, in[i].msg_hdr.msg_flags, in[i].msg_hdr.msg_namelen);
	puts("");
	DO(recvmmsg(a, in, 4, MSG_WAITFORONE, NULL));
	DO(recvmmsg(a, in, 4, MSG_DONTWAIT, NULL));
	ts.tv_nsec = -1;
	DO(recvmmsg(a, in, 4, 0, &ts));
	close(a);
	close(b);
}

static void errors(void)
{
	int gone = bound("127.0.0.1"), s = socket(AF_INET, SOCK_DGRAM, 0), ep = epoll_create1(0);
	struct sockaddr_in to = in4("127.0.0.1", port_of(gone)), name;
	struct epoll_event e = { .events = EPOLLIN };
	char control[256];
	struct iovec v = { buf, 100 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_name = &name };

	puts("- errors");
	close(gone);
	connect(s, ADDR(&to), sizeof(to));
	epoll_ctl(ep, EPOLL_CTL_ADD, s, &e);
	DO(send(s, "x", 1, 0));
	POLL(s, POLLERR);
	DO(epoll_wait(ep, &e, 1, 1000));
	log_events("epoll", (int)e.events);
	DO(recv(s, buf, 10, 0));
	POLL(s, 0);
	DO(recv(s, buf, 10, MSG_DONTWAIT));
	DO(send(s, "x", 1, 0));
	POLL(s, POLLERR);
	SO_ERROR_OF(s);
	SO_ERROR_OF(s);
	POLL(s, 0);
	DO(send(s, "x", 1, 0));
	POLL(s, POLLERR);
	DO(send(s, "x", 1, 0));
	usleep(20000);
	SO_ERROR_OF(s);
	puts("- error queue");
	DO(setsockopt(s, IPPROTO_IP, IP_RECVERR, &(int){ 1 }, sizeof(int)));
	DO(send(s, "payload", 7, 0));
	POLL(s, POLLERR);
	m.msg_controllen = sizeof(control);
	m.msg_namelen = sizeof(name);
	DO(recvmsg(s, &m, MSG_ERRQUEUE));
	printf("flags %x, %.7s\n", m.msg_flags, buf);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		struct sock_extended_err ee;

		memcpy(&ee, CMSG_DATA(c), sizeof(ee));
		printf("level %d type %d: errno %s origin %d type %d code %d\n", c->cmsg_level, c->cmsg_type,
		       strerrorname_np((int)ee.ee_errno), ee.ee_origin, ee.ee_type, ee.ee_code);
	}
	log_addr("was for", ADDR(&name), m.msg_namelen, ntohs(to.sin_port));
	DO(recvmsg(s, &m, MSG_ERRQUEUE));
	POLL(s, 0);
	close(s);
	close(ep);
	s = socket(AF_INET, SOCK_DGRAM, 0);
	to = in4("255.255.255.255", 9);
	DO(sendto(s, "x", 1, 0, ADDR(&to), sizeof(to)));
	DO(connect(s, ADDR(&to), sizeof(to)));
	close(s);
}

static void waiting(void)
{
	struct timeval tv = { 0, 50000 };
	int a = bound("127.0.0.1");

	puts("- waiting");
	DO(setsockopt(a, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	DO(recv(a, buf, 10, 0));
	POLL(a, 0);
	DO(shutdown(a, SHUT_RD));
	close(a);
}

int main(void)
{
	unconnected();
	connected();
	sizes();
	several();
	errors();
	waiting();
	return 0;
}
