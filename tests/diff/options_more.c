/* options_more.c - options that few programs set: what they are at first, what they take, and what some of them do. */
#include "log.h"
#include <net/if.h>
#include <netinet/udp.h>

#define O(level, option) { level, option, #option }
static const struct { int level, option; const char *name; } all[] = {
	O(SOL_SOCKET, SO_BSDCOMPAT), O(SOL_SOCKET, SO_PASSCRED), O(SOL_SOCKET, SO_PASSSEC), O(SOL_SOCKET, SO_PEERCRED),
	O(SOL_SOCKET, SO_PEERNAME), O(SOL_SOCKET, SO_RXQ_OVFL), O(SOL_SOCKET, SO_WIFI_STATUS), O(SOL_SOCKET, SO_NOFCS),
	O(SOL_SOCKET, SO_SELECT_ERR_QUEUE), O(SOL_SOCKET, SO_BUSY_POLL), O(SOL_SOCKET, SO_MAX_PACING_RATE),
	O(SOL_SOCKET, SO_BPF_EXTENSIONS), O(SOL_SOCKET, SO_INCOMING_CPU), O(SOL_SOCKET, SO_CNX_ADVICE),
	O(SOL_SOCKET, SO_INCOMING_NAPI_ID), O(SOL_SOCKET, SO_PEERGROUPS),
	O(SOL_SOCKET, 72 /* SO_BUF_LOCK */), O(SOL_SOCKET, 74 /* SO_TXREHASH */), O(SOL_SOCKET, 75 /* SO_RCVMARK */),
	O(IPPROTO_IP, IP_FREEBIND), O(IPPROTO_IP, IP_TRANSPARENT), O(IPPROTO_IP, IP_PASSSEC), O(IPPROTO_IP, IP_CHECKSUM),
	O(IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT), O(IPPROTO_IP, IP_HDRINCL), O(IPPROTO_IP, IP_NODEFRAG),
	O(IPPROTO_IPV6, IPV6_MULTICAST_ALL), O(IPPROTO_IP, 26 /* IP_RECVERR_RFC4884 */), O(IPPROTO_IPV6, IPV6_FREEBIND), O(IPPROTO_IPV6, IPV6_TRANSPARENT),
	O(IPPROTO_IPV6, IPV6_DONTFRAG), O(IPPROTO_IPV6, IPV6_MTU), O(IPPROTO_IPV6, IPV6_AUTOFLOWLABEL), O(IPPROTO_IPV6, 11 /* IPV6_FLOWINFO */),
	O(IPPROTO_IPV6, 33 /* IPV6_FLOWINFO_SEND */), O(IPPROTO_IPV6, IPV6_RECVPATHMTU), O(IPPROTO_IPV6, IPV6_RECVHOPOPTS),
	O(IPPROTO_IPV6, IPV6_RECVRTHDR), O(IPPROTO_IPV6, IPV6_RECVDSTOPTS), O(IPPROTO_IPV6, IPV6_2292HOPOPTS),
	O(IPPROTO_IPV6, IPV6_2292RTHDR), O(IPPROTO_IPV6, IPV6_2292DSTOPTS), O(IPPROTO_IPV6, 31 /* IPV6_RECVERR_RFC4884 */),
	O(IPPROTO_TCP, 16 /* TCP_THIN_LINEAR_TIMEOUTS */), O(IPPROTO_TCP, 17 /* TCP_THIN_DUPACK */),
	O(IPPROTO_TCP, 43 /* TCP_IS_MPTCP */), O(IPPROTO_TCP, TCP_MAXSEG),
	O(IPPROTO_UDP, UDP_NO_CHECK6_TX), O(IPPROTO_UDP, UDP_NO_CHECK6_RX),
	O(IPPROTO_UDP, UDP_SEGMENT), O(IPPROTO_UDP, UDP_GRO),
};

static void kind(const char *name, int family, int type)
{
	static const int values[] = { 1, 0, 3, -2, 1280 };

	printf("- %s\n", name);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		int s = socket(family, type, 0), v = -1;
		socklen_t len = sizeof(v);

		printf("%s: ", all[i].name);
		if (getsockopt(s, all[i].level, all[i].option, &v, &len) < 0)
			printf("%s", strerrorname_np(errno));
		else
			printf("%d (%u bytes)", v, len);
		for (size_t k = 0; k < sizeof(values) / sizeof(values[0]); k++) {
			if (setsockopt(s, all[i].level, all[i].option, &values[k], sizeof(int)) < 0)
				printf(", %d: %s", values[k], strerrorname_np(errno));
			else
				printf(", %d: %d", values[k], option_of(s, all[i].level, all[i].option));
		}
		puts("");
		close(s);
	}
}

/* The interface that unicast leaves by. */
static void unicast_if(int family, int type, int level, int option)
{
	static const unsigned index[] = { 1, 77, 0, 1 };
	struct sockaddr_in a = in4("127.0.0.1", 0), to = in4("127.0.0.1", 9);
	struct sockaddr_in6 a6 = in6("::1", 0), to6 = in6("::1", 9);
	bool v4 = family == AF_INET;
	int s = socket(family, type, 0), v;

	printf("- unicast interface %d %d\n", family, type);
	DO(option_of(s, level, option));
	for (size_t i = 0; i < sizeof(index) / sizeof(index[0]); i++) {
		v = (int)htonl(index[i]);
		DO(setsockopt(s, level, option, &v, sizeof(v)));
		DO(ntohl((unsigned)option_of(s, level, option)));
	}
	DO(setsockopt(s, level, option, &v, 3));
	DO(setsockopt(s, level, option, (char[8]){ 0 }, 8));
	DO(bind(s, v4 ? ADDR(&a) : ADDR(&a6), v4 ? sizeof(a) : sizeof(a6)));
	if (type == SOCK_DGRAM) {
		DO(sendto(s, "x", 1, 0, v4 ? ADDR(&to) : ADDR(&to6), v4 ? sizeof(to) : sizeof(to6)));
		DO(connect(s, v4 ? ADDR(&to) : ADDR(&to6), v4 ? sizeof(to) : sizeof(to6)));
		log_name("peer", s, true, 9);
	}
	close(s);
	s = socket(family, type, 0);
	DO(setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3));
	DO(setsockopt(s, level, option, &v, sizeof(v)));
	v = 0;
	DO(setsockopt(s, level, option, &v, sizeof(v)));
	close(s);
}

static void free_bind(int type, int option)
{
	struct sockaddr_in a = in4("192.0.2.7", 0);
	int s = socket(AF_INET, type, 0);

	puts("- an address that is not there");
	DO(bind(s, ADDR(&a), sizeof(a)));
	DO(setsockopt(s, IPPROTO_IP, option, &(int){ 1 }, sizeof(int)));
	DO(bind(s, ADDR(&a), sizeof(a)));
	log_name("name", s, false, 0);
	if (type == SOCK_STREAM)
		DO(listen(s, 5));
	close(s);
}

static void segments(bool by_message)
{
	static char data[66000];
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(uint16_t))];
	} control = { .head = { CMSG_LEN(sizeof(uint16_t)), IPPROTO_UDP, UDP_SEGMENT } };
	struct sockaddr_in a = in4("127.0.0.1", 0);
	int r = socket(AF_INET, SOCK_DGRAM, 0), s = socket(AF_INET, SOCK_DGRAM, 0);
	static const size_t sizes[] = { 2500, 1000, 999, 128 * 1000 / 2, 65508, 65507 };

	printf("- one datagram as several, as %s has it\n", by_message ? "a control message" : "an option");
	memcpy(CMSG_DATA(&control.head), &(uint16_t){ 1000 }, sizeof(uint16_t));
	bind(r, ADDR(&a), sizeof(a));
	a = in4("127.0.0.1", port_of(r));
	DO(connect(s, ADDR(&a), sizeof(a)));
	if (!by_message)
		DO(setsockopt(s, IPPROTO_UDP, UDP_SEGMENT, &(int){ 1000 }, sizeof(int)));
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct iovec v = { data, sizes[i] };
		struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
		long n, got = 0, count = 0, last = 0;

		if (by_message) {
			m.msg_control = &control;
			m.msg_controllen = sizeof(control);
		}
		n = DO(sendmsg(s, &m, 0));
		while (got < n) {
			last = recv(r, data, sizeof(data), 0);
			got += last;
			count++;
		}
		if (n > 0)
			printf("%ld, the last of %ld bytes\n", count, last);
	}
	DO(setsockopt(s, IPPROTO_UDP, UDP_SEGMENT, &(int){ 10 }, sizeof(int)));
	DO(send(s, data, 1281, 0));
	DO(setsockopt(s, IPPROTO_UDP, UDP_SEGMENT, &(int){ 0 }, sizeof(int)));
	DO(send(s, data, 1281, 0));
	DO(recv(r, data, sizeof(data), 0));
	close(r);
	close(s);
}

static void devices(void)
{
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	char name[IFNAMSIZ] = "";
	socklen_t len = sizeof(name);

	puts("- devices");
	DO(option_of(s, SOL_SOCKET, SO_BINDTOIFINDEX));
	DO(setsockopt(s, SOL_SOCKET, SO_BINDTOIFINDEX, &(int){ -1 }, sizeof(int)));
	DO(setsockopt(s, SOL_SOCKET, SO_BINDTOIFINDEX, &(int){ (int)if_nametoindex("lo") }, sizeof(int)));
	DO(getsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, name, &len));
	printf("%s, %u bytes\n", name, len);
	DO(setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, "nonesuch", 8));
	DO(setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, "", 0));
	DO(option_of(s, SOL_SOCKET, SO_BINDTOIFINDEX));
	puts("- what is wrapped into UDP");
	DO(option_of(s, IPPROTO_UDP, UDP_ENCAP));
	DO(setsockopt(s, IPPROTO_UDP, UDP_ENCAP, &(int){ 0 }, sizeof(int)));
	DO(setsockopt(s, IPPROTO_UDP, UDP_ENCAP, &(int){ 1 }, sizeof(int)));
	close(s);
}

static void others(void)
{
	struct sockaddr_in a;
	struct timeval tv = { 0, 20000 };
	socklen_t len = sizeof(a);
	char options[40];
	int s[2];

	puts("- others");
	connection(s);
	DO(getsockopt(s[0], SOL_SOCKET, SO_PEERNAME, &a, &len));
	DO(a.sin_family == AF_INET && ntohs(a.sin_port) == port_of(s[1]));
	len = sizeof(a) + 1;
	DO(getsockopt(s[0], SOL_SOCKET, SO_PEERNAME, &(struct sockaddr_in6){ 0 }, &len));
	DO(setsockopt(s[0], IPPROTO_TCP, 31 /* TCP_ULP */, "tls", 4));
	DO(setsockopt(s[0], IPPROTO_TCP, 31 /* TCP_ULP */, "nonesuch", 8));
	len = sizeof(options);
	DO(getsockopt(s[0], IPPROTO_IP, IP_OPTIONS, options, &len));
	printf("%u bytes\n", len);
	DO(setsockopt(s[0], IPPROTO_IP, IP_OPTIONS, NULL, 0));
	DO(setsockopt(s[0], SOL_SOCKET, 66 /* SO_RCVTIMEO_NEW */, &tv, sizeof(tv)));
	DO(recv(s[0], options, 1, 0));
	DO(setsockopt(s[0], SOL_SOCKET, SO_LOCK_FILTER, &(int){ 1 }, sizeof(int)));
	DO(option_of(s[0], SOL_SOCKET, SO_LOCK_FILTER));
	close(s[0]);
	close(s[1]);
}

int main(void)
{
	kind("TCP", AF_INET, SOCK_STREAM);
	kind("TCP, IPv6", AF_INET6, SOCK_STREAM);
	kind("UDP", AF_INET, SOCK_DGRAM);
	kind("UDP, IPv6", AF_INET6, SOCK_DGRAM);
	free_bind(SOCK_STREAM, IP_FREEBIND);
	free_bind(SOCK_DGRAM, IP_FREEBIND);
	free_bind(SOCK_STREAM, IP_TRANSPARENT);
	segments(false);
	segments(true);
	devices();
	others();
	unicast_if(AF_INET, SOCK_DGRAM, IPPROTO_IP, IP_UNICAST_IF);
	unicast_if(AF_INET, SOCK_STREAM, IPPROTO_IP, IP_UNICAST_IF);
	unicast_if(AF_INET6, SOCK_DGRAM, IPPROTO_IPV6, IPV6_UNICAST_IF);
	unicast_if(AF_INET6, SOCK_DGRAM, IPPROTO_IP, IP_UNICAST_IF);
	return 0;
}
