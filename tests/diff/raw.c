/* raw.c - raw and ping sockets over the loopback interface. */
#include "log.h"
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>

static uint8_t buf[2000];

static uint16_t sum(const void *p, size_t n)
{
	const uint8_t *b = p;
	uint32_t s = 0;

	for (size_t i = 0; i + 1 < n; i += 2)
		s += (uint32_t)(b[i] << 8 | b[i + 1]);
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return htons((uint16_t)~s);
}

static void ping(int type)
{
	struct sockaddr_in to = in4("127.0.0.1", 0), from;
	struct { struct icmphdr h; char data[8]; } echo = { .h = { .type = ICMP_ECHO }, .data = "1234567" };
	socklen_t len = sizeof(from);
	struct timeval tv = { 1, 0 };
	int s = FD(socket(AF_INET, type, IPPROTO_ICMP));
	ssize_t n;

	if (s < 0)
		return;
	setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	echo.h.un.echo.sequence = htons(7);
	echo.h.un.echo.id = htons(99);
	echo.h.checksum = 0;
	echo.h.checksum = sum(&echo, sizeof(echo));
	DO(sendto(s, &echo, sizeof(echo), 0, ADDR(&to), sizeof(to)));
	for (int i = 0; i < 2; i++) {
		n = DO(recvfrom(s, buf, sizeof(buf), i ? MSG_DONTWAIT : 0, ADDR(&from), &len));
		if (n < 0)
			break;
		log_addr("from", ADDR(&from), len, 0);
		if (type == SOCK_RAW) {
			const struct iphdr *ip = (const struct iphdr *)buf;

			printf("IP: header %d protocol %d total %d; ICMP type %d\n", ip->ihl, ip->protocol, ntohs(ip->tot_len),
			       buf[ip->ihl * 4]);
			usleep(20000);
		} else {
			printf("ICMP type %d\n", buf[0]);
			break;
		}
	}
	DO(option_of(s, SOL_SOCKET, SO_TYPE));
	DO(option_of(s, SOL_SOCKET, SO_PROTOCOL));
	close(s);
}

int main(void)
{
	puts("- raw");
	ping(SOCK_RAW);
	FD(socket(AF_INET, SOCK_RAW, 0));
	FD(socket(AF_INET, SOCK_RAW, IPPROTO_RAW));
	return 0;
}
