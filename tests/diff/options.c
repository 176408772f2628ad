/* options.c - options of sockets: what they are at first, what they take, what they refuse. */
#include "log.h"

#define O(level, option) { level, option, #option }
static const struct { int level, option; const char *name; } all[] = {
	O(SOL_SOCKET, SO_REUSEADDR), O(SOL_SOCKET, SO_REUSEPORT), O(SOL_SOCKET, SO_KEEPALIVE), O(SOL_SOCKET, SO_BROADCAST),
	O(SOL_SOCKET, SO_OOBINLINE), O(SOL_SOCKET, SO_TYPE), O(SOL_SOCKET, SO_DOMAIN), O(SOL_SOCKET, SO_PROTOCOL),
	O(SOL_SOCKET, SO_ACCEPTCONN), O(SOL_SOCKET, SO_ERROR), O(SOL_SOCKET, SO_DONTROUTE), O(SOL_SOCKET, SO_RCVLOWAT),
	O(SOL_SOCKET, SO_SNDLOWAT), O(SOL_SOCKET, SO_TIMESTAMP), O(SOL_SOCKET, SO_TIMESTAMPNS), O(SOL_SOCKET, SO_PRIORITY),
	O(SOL_SOCKET, SO_NO_CHECK),
	O(IPPROTO_IP, IP_TOS), O(IPPROTO_IP, IP_TTL), O(IPPROTO_IP, IP_PKTINFO), O(IPPROTO_IP, IP_RECVTTL),
	O(IPPROTO_IP, IP_RECVTOS), O(IPPROTO_IP, IP_RECVERR), O(IPPROTO_IP, IP_MTU_DISCOVER), O(IPPROTO_IP, IP_MULTICAST_TTL),
	O(IPPROTO_IP, IP_MULTICAST_LOOP),
	O(IPPROTO_IPV6, IPV6_V6ONLY), O(IPPROTO_IPV6, IPV6_TCLASS),
	O(IPPROTO_IPV6, IPV6_RECVPKTINFO), O(IPPROTO_IPV6, IPV6_MULTICAST_LOOP),
	O(IPPROTO_TCP, TCP_NODELAY), O(IPPROTO_TCP, TCP_CORK), O(IPPROTO_TCP, TCP_KEEPIDLE), O(IPPROTO_TCP, TCP_KEEPINTVL),
	O(IPPROTO_TCP, TCP_KEEPCNT), O(IPPROTO_TCP, TCP_USER_TIMEOUT), O(IPPROTO_TCP, TCP_DEFER_ACCEPT),
	O(IPPROTO_TCP, TCP_QUICKACK), O(IPPROTO_TCP, TCP_LINGER2), O(IPPROTO_TCP, TCP_SYNCNT),
	O(IPPROTO_TCP, 9999), O(SOL_SOCKET, 9999), O(77, 1),
};

static void kind(const char *name, int family, int type)
{
	static const int values[] = { 1, 0, 7, -2 };
	int s = socket(family, type, 0);

	printf("- %s\n", name);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		int v = -1;
		socklen_t len = sizeof(v);
		int r = getsockopt(s, all[i].level, all[i].option, &v, &len);

		printf("%s: ", all[i].name);
		if (r < 0)
			printf("%s", strerrorname_np(errno));
		else
			printf("%d (%u bytes)", v, len);
		for (size_t k = 0; k < sizeof(values) / sizeof(values[0]); k++) {
			if (all[i].option == SO_RCVLOWAT && values[k] < 0)
				continue;	/* the most there can be is a matter of sizes */
			r = setsockopt(s, all[i].level, all[i].option, &values[k], sizeof(int));
			v = -99;
			len = sizeof(v);
			if (r < 0)
				printf(", %d: %s", values[k], strerrorname_np(errno));
			else if (getsockopt(s, all[i].level, all[i].option, &v, &len) < 0)
				printf(", %d: ?", values[k]);
			else
				printf(", %d: %d", values[k], v);
		}
		puts("");
	}
	close(s);
}

/* What one option does to another. */
static void type_of_service(int type)
{
	int s = socket(AF_INET, type, 0), v = 5;
	socklen_t len = sizeof(v);

	printf("- type of service\n");
	setsockopt(s, SOL_SOCKET, SO_PRIORITY, &v, sizeof(v));
	for (int tos = 0; tos < 256; tos += 12) {
		setsockopt(s, IPPROTO_IP, IP_TOS, &tos, sizeof(tos));
		getsockopt(s, SOL_SOCKET, SO_PRIORITY, &v, &len);
		printf("%#x: priority %d\n", tos, v);
	}
	close(s);
}

static void lengths(void)
{
	int s = socket(AF_INET, SOCK_STREAM, 0), v = 0;
	char byte = 1, text[16] = "";
	socklen_t len = 1;

	puts("- lengths and pointers");
	DO(setsockopt(s, SOL_SOCKET, SO_KEEPALIVE, &byte, 1));
	DO(setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &byte, 1));
	DO(setsockopt(s, IPPROTO_IP, IP_TTL, &(char){ 9 }, 1));
	DO(getsockopt(s, SOL_SOCKET, SO_TYPE, &byte, &len));
	printf("%d %u\n", byte, len);
	len = (socklen_t)-1;
	DO(getsockopt(s, SOL_SOCKET, SO_TYPE, &v, &len));
	len = 4;
	DO(getsockopt(s, SOL_SOCKET, SO_TYPE, NULL, &len));
	DO(getsockopt(s, SOL_SOCKET, SO_KEEPALIVE, NULL, &len));
	DO(getsockopt(s, SOL_SOCKET, SO_KEEPALIVE, &v, NULL));
	DO(setsockopt(s, SOL_SOCKET, SO_KEEPALIVE, NULL, 4));
	DO(setsockopt(s, SOL_SOCKET, SO_LINGER, &v, 4));
	len = sizeof(text);
	DO(getsockopt(s, IPPROTO_TCP, TCP_CONGESTION, text, &len));
	printf("%u\n", len);
	DO(setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, "nonesuch", 8));
	DO(setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, "reno", 4));
	len = sizeof(text);
	DO(getsockopt(s, IPPROTO_TCP, TCP_CONGESTION, text, &len));
	printf("%s\n", text);
	close(s);
}

static void info(void)
{
	struct tcp_info i;
	socklen_t len = sizeof(i);
	int s[2];

	puts("- TCP_INFO");
	connection(s);
	memset(&i, 0, sizeof(i));
	DO(getsockopt(s[0], IPPROTO_TCP, TCP_INFO, &i, &len));
	printf("state %d\n", i.tcpi_state);
	len = 8;
	DO(getsockopt(s[0], IPPROTO_TCP, TCP_INFO, &i, &len));
	printf("%u\n", len);
	close(s[0]);
	usleep(20000);
	len = sizeof(i);
	DO(getsockopt(s[1], IPPROTO_TCP, TCP_INFO, &i, &len));
	printf("state %d\n", i.tcpi_state);
	close(s[1]);
	s[0] = listener(1);
	len = sizeof(i);
	DO(getsockopt(s[0], IPPROTO_TCP, TCP_INFO, &i, &len));
	printf("state %d\n", i.tcpi_state);
	close(s[0]);
}

static void sockets(void)
{
	puts("- socket");
	FD(socket(AF_INET, SOCK_STREAM, IPPROTO_TCP));
	FD(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP));
	FD(socket(AF_INET, SOCK_DGRAM, IPPROTO_TCP));
	FD(socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP));
	FD(socket(AF_INET, SOCK_SEQPACKET, 0));
	FD(socket(AF_INET, 77, 0));
	FD(socket(AF_INET, SOCK_STREAM | 0x100, 0));
	FD(socket(AF_INET, SOCK_STREAM, 9999));
	FD(socket(AF_INET6, SOCK_STREAM, 0));
}

int main(void)
{
	kind("TCP", AF_INET, SOCK_STREAM);
	kind("TCP, IPv6", AF_INET6, SOCK_STREAM);
	kind("UDP", AF_INET, SOCK_DGRAM);
	kind("UDP, IPv6", AF_INET6, SOCK_DGRAM);
	type_of_service(SOCK_STREAM);
	type_of_service(SOCK_DGRAM);
	lengths();
	info();
	sockets();
	return 0;
}
