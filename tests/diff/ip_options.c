/* ip_options.c - options of IPv4's header: what a socket may ask for, what goes out, and what is told of those that came. */
#include "log.h"
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>

#define OPTIONS(fd, ...) set_options(fd, #__VA_ARGS__, (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

/* Time stamps are not the same twice: they are shown as one octet, whether they are about now. */
static void show_octets(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n;) {
		size_t len = p[i] > IPOPT_NOOP && i + 1 < n && p[i + 1] >= 2 && i + p[i + 1] <= n ? p[i + 1] : 1;
		size_t step = len > 3 && (p[i + 3] & 0xf) ? 8 : 4;

		for (size_t j = 0; j < len; j++) {
			struct timespec ts;
			uint32_t stamp, ms;

			if (p[i] != IPOPT_TIMESTAMP || j < 4 || (j - 4) % step != step - 4 || j + 4 >= p[i + 2]) {
				printf(" %d", p[i + j]);
				continue;
			}
			memcpy(&stamp, p + i + j, sizeof(stamp));
			clock_gettime(CLOCK_REALTIME, &ts);
			ms = (uint32_t)(ts.tv_sec % 86400 * 1000 + ts.tv_nsec / 1000000);
			printf(" now:%d", ms - ntohl(stamp) < 10000 || ms < 10000);
			j += 3;
		}
		i += len;
	}
	puts("");
}

static void show_options(int fd)
{
	uint8_t got[60];
	socklen_t len = sizeof(got);

	if (DO(getsockopt(fd, IPPROTO_IP, IP_OPTIONS, got, &len)) < 0)
		return;
	printf("%u octets:", len);
	show_octets(got, len);
}

static void set_options(int fd, const char *what, const uint8_t *p, size_t n)
{
	printf("%s: ", what);
	if (DO(setsockopt(fd, IPPROTO_IP, IP_OPTIONS, p, (socklen_t)n)) == 0)
		show_options(fd);
}

static void asked(void)
{
	int fd = FD(socket(AF_INET, SOCK_DGRAM, 0));
	uint8_t long_ones[44] = { 1 }, few[2];
	socklen_t len = sizeof(few);

	show_options(fd);
	OPTIONS(fd, 7, 7, 4, 0, 0, 0, 0);
	OPTIONS(fd, 1, 7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0);
	OPTIONS(fd, 68, 12, 5, 0);
	OPTIONS(fd, 68, 12, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	OPTIONS(fd, 68, 12, 5, 1, 0, 0, 0, 0, 0, 0, 0, 0);
	OPTIONS(fd, 68, 12, 5, 3, 127, 0, 0, 1, 0, 0, 0, 0);
	OPTIONS(fd, 148, 4, 0, 0);
	OPTIONS(fd, 1, 1, 1);
	OPTIONS(fd, 0, 5, 6, 7);
	/* A pointer before the data, data too short, lengths that lie, the same twice. */
	OPTIONS(fd, 7, 7, 3, 0, 0, 0, 0);
	OPTIONS(fd, 7, 7, 6, 0, 0, 0, 0);
	OPTIONS(fd, 7, 2);
	OPTIONS(fd, 7, 9, 4, 0);
	OPTIONS(fd, 7, 1);
	OPTIONS(fd, 7);
	OPTIONS(fd, 7, 7, 8, 1, 2, 3, 4);
	OPTIONS(fd, 7, 3, 4, 7, 3, 4);
	OPTIONS(fd, 68, 4, 4, 0);
	OPTIONS(fd, 68, 8, 5, 1, 0, 0, 0, 0);
	OPTIONS(fd, 68, 4, 5, 0xf0);
	DO(setsockopt(fd, IPPROTO_IP, IP_OPTIONS, long_ones, 41));
	show_options(fd);
	DO(setsockopt(fd, IPPROTO_IP, IP_OPTIONS, long_ones, 40));
	DO(getsockopt(fd, IPPROTO_IP, IP_OPTIONS, few, &len));
	printf("%u octets\n", len);
	DO(setsockopt(fd, IPPROTO_IP, IP_OPTIONS, NULL, 0));
	show_options(fd);
	close(fd);
	fd = FD(socket(AF_INET6, SOCK_DGRAM, 0));
	OPTIONS(fd, 7, 7, 4, 0, 0, 0, 0);
	close(fd);
}

static void show_message(int s)
{
	char control[512], data[100];
	struct iovec v = { data, sizeof(data) };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };

	DO(recvmsg(s, &m, 0));
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		printf("level %d type %d:", c->cmsg_level, c->cmsg_type);
		show_octets(CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
	}
}

static int on(int fd, int option, int value)
{
	return setsockopt(fd, IPPROTO_IP, option, &value, sizeof(value));
}

/* Options for one datagram, in place of the socket's. */
static void send_with(int fd, int type, const void *options, size_t n)
{
	union { struct cmsghdr head; char room[CMSG_SPACE(40)]; } control = { 0 };
	char data[] = "abc";
	struct iovec v = { data, 3 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = CMSG_SPACE(n) };

	control.head = (struct cmsghdr){ CMSG_LEN(n), IPPROTO_IP, type };
	memcpy(CMSG_DATA(&control.head), options, n);
	DO(sendmsg(fd, &m, 0));
}

static void datagrams(void)
{
	struct sockaddr_in a = in4("127.0.0.1", 0);
	int s = FD(socket(AF_INET, SOCK_DGRAM, 0)), c = FD(socket(AF_INET, SOCK_DGRAM, 0));

	bind(s, ADDR(&a), sizeof(a));
	a = in4("127.0.0.1", port_of(s));
	connect(c, ADDR(&a), sizeof(a));
	OPTIONS(c, 7, 15, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	DO(send(c, "abc", 3, 0));
	show_message(s);
	DO(on(s, IP_RECVOPTS, 1));
	DO(send(c, "abc", 3, 0));
	show_message(s);
	DO(on(s, IP_RETOPTS, 1));
	DO(send(c, "abc", 3, 0));
	show_message(s);
	OPTIONS(c, 68, 20, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 148, 4, 0, 0);
	DO(send(c, "abc", 3, 0));
	show_message(s);
	OPTIONS(c, 68, 20, 5, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	DO(send(c, "abc", 3, 0));
	show_message(s);
	OPTIONS(c, 68, 20, 5, 3, 127, 0, 0, 1, 0, 0, 0, 0, 10, 9, 9, 9, 0, 0, 0, 0);
	DO(send(c, "abc", 3, 0));
	show_message(s);
	/* No room for more: those that did not fit are counted. */
	OPTIONS(c, 68, 8, 5, 0, 0, 0, 0, 0);
	DO(send(c, "abc", 3, 0));
	show_message(s);
	DO(on(s, IP_RECVOPTS, 0));
	send_with(c, IP_RETOPTS, (uint8_t[]){ 1, 7, 7, 4, 0, 0, 0, 0 }, 8);
	show_message(s);
	send_with(c, IP_RECVOPTS, (uint8_t[]){ 1, 7, 7, 4, 0, 0, 0, 0 }, 8);
	DO(setsockopt(c, IPPROTO_IP, IP_OPTIONS, "", 0));
	DO(send(c, "abc", 3, 0));
	show_message(s);
	DO(on(s, IP_RETOPTS, 0));
	send_with(c, IP_RETOPTS, (uint8_t[]){ 1, 7, 7, 4, 0, 0, 0, 0 }, 8);
	show_message(s);
	close(s);
	close(c);
}

static uint16_t sum(const void *p, size_t n)
{
	const uint16_t *w = p;
	uint32_t s = 0;

	for (; n > 1; n -= 2)
		s += *w++;
	s = (s >> 16) + (s & 0xffff);
	return (uint16_t)~(s + (s >> 16));
}

static void show_header(int fd)
{
	uint8_t got[200];
	ssize_t n = DO(recv(fd, got, sizeof(got), 0));

	if (n < 20)
		return;
	printf("ICMP type %d, options", got[(got[0] & 0xf) * 4]);
	show_octets(got + 20, (got[0] & 0xfu) * 4 - 20);
}

static void echo(int fd)
{
	struct icmphdr h = { .type = ICMP_ECHO, .un.echo = { htons(77), htons(1) } };
	struct sockaddr_in to = in4("127.0.0.1", 0);

	h.checksum = sum(&h, sizeof(h));
	DO(sendto(fd, &h, sizeof(h), 0, ADDR(&to), sizeof(to)));
	show_header(fd);
	show_header(fd);
}

/* What ping -R and ping -T show: the way there and back. */
static void echoes(void)
{
	int fd = FD(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
	uint8_t rr[40] = { 1, 7, 39, 4 }, ts[40] = { 68, 40, 5, 0 };

	DO(setsockopt(fd, IPPROTO_IP, IP_OPTIONS, rr, sizeof(rr)));
	echo(fd);
	DO(setsockopt(fd, IPPROTO_IP, IP_OPTIONS, ts, sizeof(ts)));
	echo(fd);
	ts[3] = 1;
	DO(setsockopt(fd, IPPROTO_IP, IP_OPTIONS, ts, 36));
	ts[1] = 36;
	DO(setsockopt(fd, IPPROTO_IP, IP_OPTIONS, ts, 36));
	echo(fd);
	close(fd);
}

/* A connection with options: the answers carry them too. */
static void streams(void)
{
	struct sockaddr_in a = in4("127.0.0.1", 0);
	int l = FD(socket(AF_INET, SOCK_STREAM, 0)), c = FD(socket(AF_INET, SOCK_STREAM, 0)), s;
	char got[10];

	bind(l, ADDR(&a), sizeof(a));
	listen(l, 1);
	a = in4("127.0.0.1", port_of(l));
	OPTIONS(c, 7, 15, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	DO(connect(c, ADDR(&a), sizeof(a)));
	s = FD(accept(l, NULL, NULL));
	show_options(c);
	DO(send(c, "abc", 3, 0));
	DO(recv(s, got, sizeof(got), 0));
	DO(send(s, "abc", 3, 0));
	DO(recv(c, got, sizeof(got), 0));
	OPTIONS(c, 7, 7, 4, 0, 0, 0, 0);
	DO(send(c, "abc", 3, 0));
	DO(recv(s, got, sizeof(got), 0));
	close(s);
	close(c);
	close(l);
}

int main(void)
{
	asked();
	datagrams();
	echoes();
	streams();
	return 0;
}
