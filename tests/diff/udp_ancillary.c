/* udp_ancillary.c - what comes and goes with a datagram: addresses, TTL, TOS, times. */
#include <netinet/ip.h>

#include "log.h"

enum { ORIGDSTADDR6 = 74 };	/* IPV6_ORIGDSTADDR */

static char buf[100];

static void show(int s, size_t room)
{
	char control[512];
	struct iovec v = { buf, sizeof(buf) };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = room };
	char text[INET6_ADDRSTRLEN];

	DO(recvmsg(s, &m, 0));
	printf("flags %x\n", m.msg_flags);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		struct in_pktinfo p4;
		struct in6_pktinfo p6;
		struct timeval tv;
		struct timespec ts;
		int v4 = 0;

		printf("level %d type %d length %zu", c->cmsg_level, c->cmsg_type, c->cmsg_len);
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			memcpy(&p4, CMSG_DATA(c), sizeof(p4));
			printf(" index %d to %s", p4.ipi_ifindex, inet_ntop(AF_INET, &p4.ipi_addr, text, sizeof(text)));
			printf(" local %s", inet_ntop(AF_INET, &p4.ipi_spec_dst, text, sizeof(text)));
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			memcpy(&p6, CMSG_DATA(c), sizeof(p6));
			printf(" index %u to %s", p6.ipi6_ifindex, inet_ntop(AF_INET6, &p6.ipi6_addr, text, sizeof(text)));
		} else if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_ORIGDSTADDR) ||
			   (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == ORIGDSTADDR6)) {
			struct sockaddr_storage ss = { 0 };

			memcpy(&ss, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
			log_addr(" to", ADDR(&ss), (socklen_t)(c->cmsg_len - CMSG_LEN(0)), port_of(s));
		} else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMP) {
			memcpy(&tv, CMSG_DATA(c), sizeof(tv));
			printf(" now: %d", llabs((long long)tv.tv_sec - time(NULL)) < 10);
		} else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
			memcpy(&ts, CMSG_DATA(c), sizeof(ts));
			printf(" now: %d", llabs((long long)ts.tv_sec - time(NULL)) < 10);
		} else if (c->cmsg_len >= CMSG_LEN(sizeof(v4))) {
			memcpy(&v4, CMSG_DATA(c), sizeof(v4));
			printf(" %d", v4);
		} else if (c->cmsg_len > CMSG_LEN(0)) {
			printf(" %d", *CMSG_DATA(c));
		}
		puts("");
	}
}

#define SET(fd, level, option, v) DO(setsockopt(fd, level, option, &(int){ v }, sizeof(int)))

static void four(void)
{
	struct sockaddr_in a = in4("127.0.0.1", 0);
	int s = socket(AF_INET, SOCK_DGRAM, 0), c = socket(AF_INET, SOCK_DGRAM, 0);

	puts("- IPv4");
	bind(s, ADDR(&a), sizeof(a));
	a = in4("127.0.0.1", port_of(s));
	connect(c, ADDR(&a), sizeof(a));
	SET(s, IPPROTO_IP, IP_PKTINFO, 1);
	SET(s, IPPROTO_IP, IP_RECVTTL, 1);
	SET(s, IPPROTO_IP, IP_RECVTOS, 1);
	SET(s, SOL_SOCKET, SO_TIMESTAMP, 1);
	SET(c, IPPROTO_IP, IP_TTL, 33);
	SET(c, IPPROTO_IP, IP_TOS, 0x28);
	DO(option_of(c, IPPROTO_IP, IP_TTL));
	DO(option_of(c, IPPROTO_IP, IP_TOS));
	DO(send(c, "x", 1, 0));
	show(s, 512);
	SET(s, SOL_SOCKET, SO_TIMESTAMPNS, 1);
	DO(send(c, "x", 1, 0));
	show(s, 512);
	DO(send(c, "x", 1, 0));
	show(s, 40);
	DO(send(c, "x", 1, 0));
	show(s, 0);
	SET(s, SOL_SOCKET, SO_TIMESTAMPNS, 0);
	SET(s, IPPROTO_IP, IP_RECVORIGDSTADDR, 1);
	DO(option_of(s, IPPROTO_IP, IP_RECVORIGDSTADDR));
	DO(send(c, "x", 1, 0));
	show(s, 512);
	SET(s, IPPROTO_IP, IP_PKTINFO, 0);
	DO(send(c, "x", 1, 0));
	show(s, 512);
	close(s);
	close(c);
}

static void six(void)
{
	struct sockaddr_in6 a = in6("::1", 0);
	int s = socket(AF_INET6, SOCK_DGRAM, 0), c = socket(AF_INET6, SOCK_DGRAM, 0);

	puts("- IPv6");
	bind(s, ADDR(&a), sizeof(a));
	a = in6("::1", port_of(s));
	connect(c, ADDR(&a), sizeof(a));
	SET(s, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
	SET(s, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1);
	SET(s, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
	SET(c, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 44);
	SET(c, IPPROTO_IPV6, IPV6_TCLASS, 0x20);
	DO(send(c, "x", 1, 0));
	show(s, 512);
	SET(s, IPPROTO_IPV6, ORIGDSTADDR6, 1);
	DO(option_of(s, IPPROTO_IPV6, ORIGDSTADDR6));
	DO(send(c, "x", 1, 0));
	show(s, 512);
	close(s);
	close(c);
}

/* An IPv6 socket's datagrams of IPv4 have IPv4's TTL. */
static void hops(int s, int more)
{
	struct sockaddr_in6 a = in6("::", 0);
	int c = socket(AF_INET6, SOCK_DGRAM, 0);

	SET(c, IPPROTO_IP, IP_TTL, 30 + more);
	SET(c, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 40 + more);
	printf("  %d %d\n", option_of(c, IPPROTO_IP, IP_TTL), option_of(c, IPPROTO_IPV6, IPV6_UNICAST_HOPS));
	SET(s, IPPROTO_IP, IP_RECVTTL, 1);
	SET(s, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1);
	for (int v4 = 0; v4 < 2; v4++) {
		a = in6(v4 ? "::ffff:127.0.0.1" : "::1", port_of(s));
		DO(sendto(c, "x", 1, 0, ADDR(&a), sizeof(a)));
		show(s, 512);
	}
	SET(c, IPPROTO_IP, IP_TTL, -1);
	SET(c, IPPROTO_IPV6, IPV6_UNICAST_HOPS, -1);
	printf("  %d %d\n", option_of(c, IPPROTO_IP, IP_TTL), option_of(c, IPPROTO_IPV6, IPV6_UNICAST_HOPS));
	close(c);
}

/* What IPv4's options and IPv6's tell on one socket of datagrams of either. */
static void both(void)
{
	struct sockaddr_in6 any = in6("::", 0);
	int s = socket(AF_INET6, SOCK_DGRAM, 0), c4 = socket(AF_INET, SOCK_DGRAM, 0), c6 = socket(AF_INET6, SOCK_DGRAM, 0);
	struct sockaddr_in a;

	puts("- both");
	bind(s, ADDR(&any), sizeof(any));
	a = in4("127.0.0.1", port_of(s));
	any = in6("::1", port_of(s));
	connect(c4, ADDR(&a), sizeof(a));
	connect(c6, ADDR(&any), sizeof(any));
	for (int i = 1; i < 4; i++) {
		hops(s, i);
		SET(s, IPPROTO_IP, IP_RECVTTL, i & 1);
		SET(s, IPPROTO_IP, IP_RECVTOS, i & 1);
		SET(s, IPPROTO_IP, IP_RECVORIGDSTADDR, i & 1);
		SET(s, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, i >> 1);
		SET(s, IPPROTO_IPV6, IPV6_RECVTCLASS, i >> 1);
		SET(s, IPPROTO_IPV6, ORIGDSTADDR6, i >> 1);
		DO(send(c4, "x", 1, 0));
		show(s, 512);
		DO(send(c6, "x", 1, 0));
		show(s, 512);
	}
	close(s);
	close(c4);
	close(c6);
}

/* The sender chooses for one datagram. */
static void chosen(void)
{
	struct sockaddr_in a = in4("127.0.0.1", 0), to;
	int s = socket(AF_INET, SOCK_DGRAM, 0), c = socket(AF_INET, SOCK_DGRAM, 0), ttl = 7;
	char control[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(struct in_pktinfo))];
	struct iovec v = { buf, 3 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_name = &to, .msg_namelen = sizeof(to), .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct in_pktinfo p = { .ipi_spec_dst = in4("127.0.0.1", 0).sin_addr };
	struct cmsghdr *h;

	puts("- chosen for one");
	bind(s, ADDR(&a), sizeof(a));
	to = in4("127.0.0.1", port_of(s));
	SET(s, IPPROTO_IP, IP_RECVTTL, 1);
	memset(control, 0, sizeof(control));
	h = CMSG_FIRSTHDR(&m);
	*h = (struct cmsghdr){ CMSG_LEN(sizeof(ttl)), IPPROTO_IP, IP_TTL };
	memcpy(CMSG_DATA(h), &ttl, sizeof(ttl));
	h = CMSG_NXTHDR(&m, h);
	*h = (struct cmsghdr){ CMSG_LEN(sizeof(p)), IPPROTO_IP, IP_PKTINFO };
	memcpy(CMSG_DATA(h), &p, sizeof(p));
	DO(sendmsg(c, &m, 0));
	show(s, 512);
	h = CMSG_FIRSTHDR(&m);
	h->cmsg_len = 3;
	DO(sendmsg(c, &m, 0));
	h->cmsg_len = CMSG_LEN(sizeof(ttl));
	h->cmsg_type = 99;
	DO(sendmsg(c, &m, 0));
	h->cmsg_type = IP_TTL;
	ttl = 300;
	memcpy(CMSG_DATA(h), &ttl, sizeof(ttl));
	DO(sendmsg(c, &m, 0));
	close(s);
	close(c);
}

static void set_all(int s, bool six, int v)
{
	static const int four[] = { IP_PKTINFO, IP_RECVTTL, IP_RECVTOS, IP_RECVORIGDSTADDR, IP_RECVOPTS, IP_RETOPTS };
	static const int sixes[] = { IPV6_RECVPKTINFO, IPV6_RECVHOPLIMIT, IPV6_RECVTCLASS, ORIGDSTADDR6 };
	int r = 0;

	for (size_t i = 0; i < sizeof(four) / sizeof(four[0]); i++)
		r |= setsockopt(s, IPPROTO_IP, four[i], &v, sizeof(v));
	for (size_t i = 0; six && i < sizeof(sixes) / sizeof(sixes[0]); i++)
		r |= setsockopt(s, IPPROTO_IPV6, sixes[i], &v, sizeof(v));
	printf("all = %d: %d\n", v, r);
}

/* A datagram that is there, and not received yet. */
static void queue_one(int c, int s)
{
	DO(send(c, "x", 1, 0));
	wait_bytes(s, 1);
}

/* What the options before it ask for counts when it is received, and not when it came: but for where it came in, which is
 * kept for IP_PKTINFO if that is asked for by then. */
static void late_four(int s, int c, bool six)
{
	static const int times[] = { SO_TIMESTAMP, SO_TIMESTAMPNS };

	queue_one(c, s);
	set_all(s, six, 1);
	show(s, 512);
	for (int i = 0; i < 2; i++) {
		set_all(s, six, 0);
		queue_one(c, s);
		set_all(s, six, 1);
		SET(s, IPPROTO_IP, IP_PKTINFO, 0);
		SET(s, SOL_SOCKET, times[i], 1);
		show(s, 512);
		SET(s, SOL_SOCKET, times[i], 0);
	}
	set_all(s, six, 1);
	queue_one(c, s);
	set_all(s, six, 0);
	show(s, 512);
	set_all(s, six, 1);
	queue_one(c, s);
	set_all(s, six, 0);
	set_all(s, six, 1);
	show(s, 512);
	set_all(s, six, 0);
}

static void late_six(int s)
{
	struct sockaddr_in6 a = in6("::1", port_of(s));
	int c = socket(AF_INET6, SOCK_DGRAM, 0);

	connect(c, ADDR(&a), sizeof(a));
	queue_one(c, s);
	set_all(s, true, 1);
	show(s, 512);
	queue_one(c, s);
	SET(s, IPPROTO_IPV6, IPV6_RECVPKTINFO, 0);
	show(s, 512);
	queue_one(c, s);
	set_all(s, true, 0);
	show(s, 512);
	close(c);
}

static void late(bool six)
{
	struct sockaddr_in a = in4("127.0.0.1", 0);
	struct sockaddr_in6 a6 = in6("::", 0);
	uint8_t options[] = { IPOPT_RR, 7, 4, 0, 0, 0, 0, IPOPT_EOL };
	int s = socket(six ? AF_INET6 : AF_INET, SOCK_DGRAM, 0), c = socket(AF_INET, SOCK_DGRAM, 0);

	printf("- asked for late, IPv%d\n", six ? 6 : 4);
	bind(s, six ? ADDR(&a6) : ADDR(&a), six ? sizeof(a6) : sizeof(a));
	a = in4("127.0.0.1", port_of(s));
	connect(c, ADDR(&a), sizeof(a));
	DO(setsockopt(c, IPPROTO_IP, IP_OPTIONS, options, sizeof(options)));
	late_four(s, c, six);
	if (six)
		late_six(s);
	close(s);
	close(c);
}

/* The same of the error queue. */
static void late_errors(void)
{
	struct sockaddr_in a = in4("127.0.0.1", closed_port());
	int s = socket(AF_INET, SOCK_DGRAM, 0);

	puts("- errors");
	SET(s, IPPROTO_IP, IP_RECVERR, 1);
	connect(s, ADDR(&a), sizeof(a));
	for (int i = 0; i < 2; i++) {
		struct iovec v = { buf, sizeof(buf) };
		char control[512];
		struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };

		SET(s, IPPROTO_IP, IP_RECVTTL, i);
		DO(send(s, "x", 1, 0));
		POLL(s, POLLERR);
		SET(s, IPPROTO_IP, IP_RECVTTL, !i);
		DO(recvmsg(s, &m, MSG_ERRQUEUE));
		for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h))
			printf("level %d type %d\n", h->cmsg_level, h->cmsg_type);
	}
	close(s);
}

int main(void)
{
	four();
	six();
	both();
	chosen();
	late(false);
	late(true);
	late_errors();
	return 0;
}
