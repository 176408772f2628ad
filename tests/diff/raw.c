/* raw.c - raw and ping sockets: options, filters, errors that come while sending, and the error queue. */
#include "log.h"
#include <linux/errqueue.h>
#include <linux/filter.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>

static uint16_t sum(const void *p, size_t n)
{
	const uint16_t *w = p;
	uint32_t s = 0;

	for (; n > 1; n -= 2)
		s += *w++;
	s = (s >> 16) + (s & 0xffff);
	return (uint16_t)~(s + (s >> 16));
}

static int on(int fd, int level, int option)
{
	int one = 1;

	return setsockopt(fd, level, option, &one, sizeof(one));
}

static ssize_t echo(int fd, uint16_t seq)
{
	struct icmphdr h = { .type = ICMP_ECHO, .un.echo = { htons(77), htons(seq) } };
	struct sockaddr_in to = in4("127.0.0.1", 0);

	h.checksum = sum(&h, sizeof(h));
	return sendto(fd, &h, sizeof(h), 0, ADDR(&to), sizeof(to));
}

/* What comes of an echo: the request, as a raw socket gets whatever comes in, and the reply. */
static void echoes(void)
{
	struct sock_filter replies[] = { BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 20), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ICMP_ECHOREPLY, 0, 1),
					 BPF_STMT(BPF_RET, 24), BPF_STMT(BPF_RET, 0) };
	struct sock_fprog prog = { 4, replies };
	int fd = FD(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
	uint8_t got[100];

	DO(echo(fd, 1));
	POLL(fd, POLLIN);
	DO(recv(fd, got, sizeof(got), 0));
	printf("%d\n", got[20]);
	DO(recv(fd, got, sizeof(got), 0));
	printf("%d\n", got[20]);
	DO(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)));
	DO(echo(fd, 2));
	DO(recv(fd, got, sizeof(got), 0));
	printf("%d\n", got[20]);
	DO(recv(fd, got, sizeof(got), MSG_DONTWAIT));
	DO(setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &prog, sizeof(prog)));
	DO(on(fd, SOL_SOCKET, SO_LOCK_FILTER));
	DO(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)));
	DO(on(fd, IPPROTO_IP, IP_RECVOPTS));
	DO(on(fd, IPPROTO_IP, IP_RETOPTS));
	close(fd);
}

#define FILTER(fd, ...) attach(fd, #__VA_ARGS__, (struct sock_filter[]){ __VA_ARGS__ }, \
			       sizeof((struct sock_filter[]){ __VA_ARGS__ }) / sizeof(struct sock_filter))

static void attach(int fd, const char *what, struct sock_filter *f, size_t n)
{
	struct sock_fprog prog = { (unsigned short)n, f };

	printf("%s: ", what);
	DO(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)));
}

/* Programs that could not be run: jumps and memory out of bounds, no end, divisions by nothing, unknown words. */
static void wrong_filters(int domain, int protocol)
{
	static struct sock_filter many[BPF_MAXINSNS + 1];
	int fd = FD(socket(domain, SOCK_RAW, protocol));
	struct sock_fprog prog = { BPF_MAXINSNS + 1, many };

	FILTER(fd, BPF_STMT(BPF_RET, 10));
	FILTER(fd, BPF_STMT(BPF_LD | BPF_IMM, 10));
	FILTER(fd, BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0), BPF_STMT(BPF_RET, 0));
	FILTER(fd, BPF_JUMP(BPF_JMP | BPF_JA, 0xffffffff, 0, 0), BPF_STMT(BPF_RET, 0));
	FILTER(fd, BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1), BPF_STMT(BPF_RET, 0));
	FILTER(fd, BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0), BPF_STMT(BPF_RET, 0));
	FILTER(fd, BPF_STMT(BPF_ST, 16), BPF_STMT(BPF_RET, 0));
	FILTER(fd, BPF_STMT(BPF_ST, 15), BPF_STMT(BPF_LD | BPF_MEM, 15), BPF_STMT(BPF_RET, 0));
	FILTER(fd, BPF_STMT(BPF_LD | BPF_MEM, 16), BPF_STMT(BPF_RET, 0));
	FILTER(fd, BPF_STMT(BPF_LD | BPF_MEM, 3), BPF_STMT(BPF_RET, 0));
	FILTER(fd, BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), BPF_STMT(BPF_RET, 0));
	FILTER(fd, BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 0), BPF_STMT(BPF_RET, 0));
	FILTER(fd, BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 32), BPF_STMT(BPF_RET, 0));
	FILTER(fd, BPF_STMT(BPF_ALU | BPF_DIV | BPF_X, 0), BPF_STMT(BPF_RET, 0));
	FILTER(fd, { 0xffff, 0, 0, 0 }, BPF_STMT(BPF_RET, 0));
	FILTER(fd, BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0xffffffff), BPF_STMT(BPF_RET, 0));
	FILTER(fd, BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0), BPF_STMT(BPF_RET | BPF_A, 0));
	DO(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)));
	prog.len = 0;
	DO(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)));
	prog.len = 1;
	DO(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog) - 1));
	prog.filter = (struct sock_filter *)8;
	DO(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)));
	prog.filter = NULL;
	DO(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)));
	close(fd);
}

/* A UDP header of our own making, for a port where nobody listens. */
static ssize_t datagram(int fd, int port)
{
	struct { struct udphdr h; char data[12]; } d = { .h = { .source = htons(4000), .dest = htons((uint16_t)port), .len = htons(20) } };
	struct sockaddr_in to = in4("127.0.0.1", 0);

	return sendto(fd, &d, sizeof(d), 0, ADDR(&to), sizeof(to));
}

static void error_queue(int fd)
{
	union { struct cmsghdr head; char room[256]; } control;
	char data[200];
	struct sockaddr_in to;
	struct iovec iov = { data, sizeof(data) };
	struct msghdr m = { .msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &iov, .msg_iovlen = 1,
			    .msg_control = &control, .msg_controllen = sizeof(control) };

	if (DO(recvmsg(fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT)) < 0)
		return;
	printf("%d %s\n", m.msg_flags == MSG_ERRQUEUE, inet_ntoa(to.sin_addr));
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		struct sock_extended_err ee;

		printf("level %d, type %d\n", c->cmsg_level, c->cmsg_type);
		if (c->cmsg_type != IP_RECVERR)
			continue;
		memcpy(&ee, CMSG_DATA(c), sizeof(ee));
		printf("%s, origin %d, type %d, code %d, info %u\n", error_name((int)ee.ee_errno), ee.ee_origin, ee.ee_type, ee.ee_code,
		       ee.ee_info);
	}
}

/* Errors are queued, and do not keep a raw socket from sending. */
static void errors(void)
{
	int fd = FD(socket(AF_INET, SOCK_RAW, IPPROTO_UDP)), port = closed_port();

	DO(on(fd, IPPROTO_IP, IP_RECVERR));
	DO(on(fd, IPPROTO_IP, IP_RECVTTL));
	DO(datagram(fd, port));
	POLL(fd, POLLERR | POLLIN);
	DO(datagram(fd, port));
	usleep(50000);
	error_queue(fd);
	error_queue(fd);
	error_queue(fd);
	SO_ERROR_OF(fd);
	close(fd);
}

/* Too long for the way it takes, and not to be cut up: that is in the queue, too. */
static void too_long(void)
{
	static char data[65000];
	int fd = FD(socket(AF_INET, SOCK_DGRAM, 0)), probe = IP_PMTUDISC_PROBE;
	struct sockaddr_in to = in4("127.0.0.1", closed_port());

	DO(on(fd, IPPROTO_IP, IP_RECVERR));
	DO(setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &probe, sizeof(probe)));
	DO(sendto(fd, data, sizeof(data), 0, ADDR(&to), sizeof(to)));
	POLL(fd, POLLERR);
	error_queue(fd);
	SO_ERROR_OF(fd);
	close(fd);
}

int main(void)
{
	echoes();
	wrong_filters(AF_INET, IPPROTO_ICMP);
	wrong_filters(AF_INET6, IPPROTO_ICMPV6);
	wrong_filters(AF_PACKET, 0);
	errors();
	too_long();
	return 0;
}
