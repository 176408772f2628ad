/* timestamping.c - SO_TIMESTAMPING: when datagrams came, and when those sent went out. Of a time it is shown only that it is
 * there, and of now.
 */
#include "stamps.h"

#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <sys/epoll.h>

static void set(int s, int option, int flags)
{
	struct so_timestamping v = { -1, -1 };
	socklen_t len = sizeof(v);
	int r = setsockopt(s, SOL_SOCKET, option, &flags, sizeof(flags));

	printf("option %d, flags %x: ", option, flags);
	log_result("set", r);
	memset(&v, 0, sizeof(v));
	for (int o = SO_TIMESTAMPING; o; o = o == SO_TIMESTAMPING ? TIMESTAMPING_NEW : 0) {
		len = sizeof(v);
		r = getsockopt(s, SOL_SOCKET, o, &v, &len);
		printf("  %d: %d, %x %d of %u bytes\n", o, r, v.flags, v.bind_phc, len);
	}
	len = sizeof(int);
	r = getsockopt(s, SOL_SOCKET, SO_TIMESTAMPING, &v, &len);
	printf("  short: %d, %u bytes; timestamp %d, in ns %d\n", r, len, option_of(s, SOL_SOCKET, SO_TIMESTAMP),
	       option_of(s, SOL_SOCKET, SO_TIMESTAMPNS));
}

static void values(int domain, int type, int protocol)
{
	static const int flags[] = {
		0, SOFT, RX, RX | SOFT, TX, TX | ID, ID, 0x7fff, 0x8000, 0x10000 | SOFT, 1 << 16, 1 << 16 | ID, 1 << 18, 1 << 19, 1 << 30,
		-1, SOF_TIMESTAMPING_OPT_STATS, SOF_TIMESTAMPING_OPT_STATS | ONLY, 0,
	};
	struct so_timestamping both = { SOFT, 0 };
	int s = FD(socket(domain, type, protocol));

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		set(s, SO_TIMESTAMPING, flags[i]);
	set(s, TIMESTAMPING_NEW, RX | SOFT);
	set(s, SO_TIMESTAMPING, RX | SOFT);
	DO(setsockopt(s, SOL_SOCKET, SO_TIMESTAMPNS, &(int){ 1 }, sizeof(int)));
	set(s, TIMESTAMPING_NEW, RX | SOFT);
	DO(setsockopt(s, SOL_SOCKET, SO_TIMESTAMP, &(int){ 1 }, sizeof(int)));
	DO(setsockopt(s, SOL_SOCKET, SO_TIMESTAMPING, &both, sizeof(both)));
	DO(setsockopt(s, SOL_SOCKET, SO_TIMESTAMPING, &both, 3));
	DO(option_of(s, SOL_SOCKET, SO_TIMESTAMPING));
	close(s);
}

/* A server and a client connected to it. */
static void pair(int domain, int s[2])
{
	struct sockaddr_in a = in4("127.0.0.1", 0);
	struct sockaddr_in6 a6 = in6("::1", 0);
	struct sockaddr *to = domain == AF_INET ? ADDR(&a) : ADDR(&a6);
	socklen_t len = domain == AF_INET ? sizeof(a) : sizeof(a6);

	for (int i = 0; i < 2; i++)
		s[i] = socket(domain, SOCK_DGRAM, 0);
	bind(s[1], to, len);
	a.sin_port = a6.sin6_port = htons((uint16_t)port_of(s[1]));
	connect(s[0], to, len);
}

static void received(int domain)
{
	static const int flags[] = { RX, SOFT, SOFT | FILTER, RX | SOFT | FILTER, TX | SOFT };
	int s[2];

	puts("- received");
	pair(domain, s);
	set(s[1], SO_TIMESTAMPING, RX | SOFT);
	DO(send(s[0], "abc", 3, 0));
	POLL(s[1], POLLIN);
	show(s[1], 0, 100);
	DO(setsockopt(s[1], SOL_SOCKET, SO_TIMESTAMPNS, &(int){ 1 }, sizeof(int)));
	if (domain == AF_INET)
		DO(setsockopt(s[1], IPPROTO_IP, IP_RECVTTL, &(int){ 1 }, sizeof(int)));
	DO(send(s[0], "abc", 3, 0));
	POLL(s[1], POLLIN);
	show(s[1], 0, 100);
	set(s[1], TIMESTAMPING_NEW, RX | SOFT);
	DO(send(s[0], "abc", 3, 0));
	POLL(s[1], POLLIN);
	show(s[1], 0, 100);
	DO(setsockopt(s[1], SOL_SOCKET, SO_TIMESTAMP, &(int){ 1 }, sizeof(int)));
	DO(setsockopt(s[1], SOL_SOCKET, SO_TIMESTAMP, &(int){ 0 }, sizeof(int)));
	DO(send(s[0], "abc", 3, 0));
	POLL(s[1], POLLIN);
	show(s[1], 0, 100);
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		set(s[1], SO_TIMESTAMPING, flags[i]);
		DO(send(s[0], "abc", 3, 0));
		POLL(s[1], POLLIN);
		show(s[1], 0, 100);
	}
	close(s[0]);
	close(s[1]);
}

static void take(int s)
{
	POLL(s, POLLERR);
	show(s, MSG_ERRQUEUE, sizeof(buf));
	show(s, MSG_ERRQUEUE, sizeof(buf));
	show(s, MSG_ERRQUEUE, sizeof(buf));
	SO_ERROR_OF(s);
	POLL(s, POLLOUT);
}

static void sent(int domain)
{
	static const int flags[] = {
		TX | SOFT, TX, SCHED | TX | SOFT, TX | ID | SOFT, TX | ID | ONLY | SOFT, SCHED | TX | ID | ONLY | SOFT, TX | SOFT | CMSG,
		TX | ID | SOFT | CMSG | ONLY, ACK | SOFT, ID | SOFT, TX | ID | SOFT,
	};
	int s[2];

	puts("- sent");
	pair(domain, s);
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		set(s[0], SO_TIMESTAMPING, flags[i]);
		DO(send(s[0], "abcd", 4, 0));
		POLL(s[1], POLLIN);
		if (flags[i] & (TX | SCHED))
			take(s[0]);
		DO(recv(s[1], buf, sizeof(buf), 0));
	}
	set(s[0], TIMESTAMPING_NEW, TX | SOFT | CMSG);
	if (domain == AF_INET)
		DO(setsockopt(s[0], IPPROTO_IP, IP_PKTINFO, &(int){ 1 }, sizeof(int)));
	DO(send(s[0], "abcd", 4, 0));
	take(s[0]);
	set(s[0], SO_TIMESTAMPING, TX | SOFT);
	DO(send(s[0], "abcd", 4, 0));
	POLL(s[0], POLLERR);
	show(s[0], MSG_ERRQUEUE, 10);
	DO(send(s[0], "abcd", 4, 0));
	POLL(s[0], POLLERR);
	DO(recv(s[0], buf, sizeof(buf), MSG_DONTWAIT));
	show(s[0], MSG_ERRQUEUE, 0);
	close(s[0]);
	close(s[1]);
}

/* What bytes a message has: all of the frame. */
static void bytes(void)
{
	static const int at[] = { 0, 12, 13, 14, 15, 16, 17, 22, 23, 26, 29, 30, 33, 38, 39, 42, 43, 45 };
	int s[2];

	puts("- bytes");
	pair(AF_INET, s);
	set(s[0], SO_TIMESTAMPING, TX | SOFT);
	DO(send(s[0], "abcd", 4, 0));
	POLL(s[0], POLLERR);
	memset(buf, 0, sizeof(buf));
	show(s[0], MSG_ERRQUEUE, sizeof(buf));
	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++)
		printf(" %02x", buf[at[i]]);
	puts("");
	close(s[0]);
	close(s[1]);
}

/* Flags for one datagram. */
static void for_one(int type, int value, size_t len)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec v = { buf, 3 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE(len) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	static int s[2];

	if (!s[1]) {
		pair(AF_INET, s);
		set(s[0], SO_TIMESTAMPING, SOFT | ID | ONLY);
	}
	*c = (struct cmsghdr){ CMSG_LEN(len), SOL_SOCKET, type };
	memcpy(CMSG_DATA(c), &value, len);
	printf("- for one: type %d, %x of %zu\n", type, value, len);
	if (DO(sendmsg(s[0], &m, 0)) < 0)
		return;
	POLL(s[1], POLLIN);
	DO(recv(s[1], buf, sizeof(buf), 0));
	if (value & (TX | SCHED))
		POLL(s[0], POLLERR);
	show(s[0], MSG_ERRQUEUE, sizeof(buf));
	show(s[0], MSG_ERRQUEUE, sizeof(buf));
	show(s[0], MSG_ERRQUEUE, sizeof(buf));
}

/* Beside an error that a report brought. */
static void beside_error(void)
{
	struct sockaddr_in a = in4("127.0.0.1", closed_port());
	int s = FD(socket(AF_INET, SOCK_DGRAM, 0));

	puts("- beside an error");
	DO(setsockopt(s, IPPROTO_IP, IP_RECVERR, &(int){ 1 }, sizeof(int)));
	set(s, SO_TIMESTAMPING, TX | SOFT | ID | ONLY);
	DO(connect(s, ADDR(&a), sizeof(a)));
	DO(send(s, "x", 1, 0));
	POLL(s, POLLERR | POLLIN);
	usleep(20000);
	show(s, MSG_ERRQUEUE, 100);
	show(s, MSG_ERRQUEUE, 100);
	show(s, MSG_ERRQUEUE, 100);
	SO_ERROR_OF(s);
	close(s);
}

static void unconnected(void)
{
	struct sockaddr_in a = in4("127.0.0.1", 0);
	int s = socket(AF_INET, SOCK_DGRAM, 0), c = socket(AF_INET, SOCK_DGRAM, 0);

	puts("- not connected");
	bind(s, ADDR(&a), sizeof(a));
	a = in4("127.0.0.1", port_of(s));
	set(c, SO_TIMESTAMPING, TX | SOFT | ID);
	DO(sendto(c, "x", 1, 0, ADDR(&a), sizeof(a)));
	take(c);
	/* Of two parts one datagram, and of fragments the first. */
	DO(sendto(c, "x", 1, MSG_MORE, ADDR(&a), sizeof(a)));
	DO(sendto(c, "y", 1, 0, ADDR(&a), sizeof(a)));
	take(c);
	DO(sendto(c, buf, 0, 0, ADDR(&a), sizeof(a)));
	take(c);
	close(s);
	close(c);
}

static void raw(void)
{
	struct sockaddr_in a = in4("127.0.0.1", 0);
	int s = socket(AF_INET, SOCK_RAW, 253), c = socket(AF_INET, SOCK_RAW, 253);

	if (s < 0 || c < 0)
		return;
	puts("- raw");
	bind(s, ADDR(&a), sizeof(a));
	set(s, SO_TIMESTAMPING, RX | SOFT);
	set(c, SO_TIMESTAMPING, SCHED | TX | SOFT | ID);
	DO(sendto(c, "abc", 3, 0, ADDR(&a), sizeof(a)));
	take(c);
	POLL(s, POLLIN);
	show(s, 0, 100);
	close(s);
	close(c);
}

static void packets(void)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_protocol = htons(0x88b5), .sll_ifindex = (int)if_nametoindex("lo"),
				  .sll_halen = 6 };
	int s = socket(AF_PACKET, SOCK_DGRAM, htons(0x88b5)), c = socket(AF_PACKET, SOCK_DGRAM, 0);

	if (s < 0 || c < 0)
		return;
	puts("- packets");
	set(s, SO_TIMESTAMPING, RX | SOFT);
	set(c, SO_TIMESTAMPING, SCHED | TX | SOFT | ID);
	DO(sendto(c, "abc", 3, 0, ADDR(&to), sizeof(to)));
	take(c);
	POLL(s, POLLIN);
	show(s, 0, 100);
	close(s);
	close(c);
}

/* Who waits, for whatever it may be, is woken by it; and again, until all of them are read. */
static void waited(void)
{
	struct epoll_event e = { .events = EPOLLIN };
	struct timespec limit = { 5, 0 };
	struct pollfd p;
	fd_set in;
	int s[2], ep = epoll_create1(0);

	puts("- waited for");
	pair(AF_INET, s);
	set(s[0], SO_TIMESTAMPING, TX | SCHED | SOFT | ID | ONLY);
	for (int i = 0; i < 3; i++) {
		DO(send(s[0], "x", 1, 0));
		p = (struct pollfd){ s[0], i == 1 ? POLLIN : 0, 0 };
		if (i < 2)
			DO(poll(&p, 1, 5000));
		else
			DO(ppoll(&p, 1, &limit, NULL));
		log_events("poll", p.revents);
		POLL(s[0], POLLERR);
		show(s[0], MSG_ERRQUEUE, 0);
		DO(poll(&p, 1, 5000));
		log_events("poll", p.revents);
		FD_ZERO(&in);
		FD_SET(s[0], &in);
		DO(select(s[0] + 1, &in, NULL, NULL, &(struct timeval){ 5, 0 }));
		show(s[0], MSG_ERRQUEUE, 0);
		DO(poll(&p, 1, 0));
	}
	epoll_ctl(ep, EPOLL_CTL_ADD, s[0], &e);
	DO(send(s[0], "x", 1, 0));
	DO(epoll_wait(ep, &e, 1, 5000));
	log_events("epoll", (int)e.events);
	close(ep);
	close(s[0]);
	close(s[1]);
}

static void streams(void)
{
	int s[2], l = listener(1);

	puts("- streams");
	set(l, SO_TIMESTAMPING, ID);
	set(l, SO_TIMESTAMPING, RX | SOFT);
	connection(s);
	set(s[0], SO_TIMESTAMPING, 1 << 16 | ID | SOFT);
	set(s[0], SO_TIMESTAMPING, RX | SOFT);
	set(s[0], SO_TIMESTAMPING, ID | SOFT);
	DO(send(s[0], "abc", 3, 0));
	wait_bytes(s[1], 3);
	DO(recv(s[1], buf, sizeof(buf), 0));
	show(s[0], MSG_ERRQUEUE, 100);
	close(l);
	close(s[0]);
	close(s[1]);
}

int main(void)
{
	settle();
	values(AF_INET, SOCK_DGRAM, 0);
	values(AF_INET6, SOCK_STREAM, 0);
	received(AF_INET);
	received(AF_INET6);
	sent(AF_INET);
	sent(AF_INET6);
	bytes();
	for_one(SO_TIMESTAMPING, TX, 4);
	for_one(SO_TIMESTAMPING, TX | SCHED, 4);
	for_one(TIMESTAMPING_NEW, TX, 4);
	for_one(SO_TIMESTAMPING, 0, 4);
	for_one(SO_TIMESTAMPING, ACK, 4);
	for_one(SO_TIMESTAMPING, TX | SOFT, 4);
	for_one(SO_TIMESTAMPING, TX, 3);
	beside_error();
	unconnected();
	raw();
	packets();
	waited();
	streams();
	return 0;
}
