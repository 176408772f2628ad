/* raw_wrong.c - raw and packet sockets, and calls that make no sense on them. */
#include "log.h"
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>

enum { ICMP_FILTER = 1 };		/* of linux/icmp.h, which collides with libc's */

static char buf[70000];

static long set(int fd, int level, int option, int v)
{
	return setsockopt(fd, level, option, &v, sizeof(v));
}

static void made(void)
{
	FD(socket(AF_INET, SOCK_RAW, 0));
	FD(socket(AF_INET, SOCK_RAW, -1));
	FD(socket(AF_INET6, SOCK_RAW, 0));
	FD(socket(AF_INET6, SOCK_RAW, 300));
	FD(socket(AF_PACKET, SOCK_STREAM, 0));
	FD(socket(AF_PACKET, SOCK_SEQPACKET, 0));
	FD(socket(AF_INET, SOCK_DGRAM, 99));
	FD(socket(AF_INET, SOCK_STREAM, IPPROTO_ICMP));
}

static void of_streams(int fd)
{
	bool packet = option_of(fd, SOL_SOCKET, SO_DOMAIN) == AF_PACKET;
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	int left = -1;

	DO(listen(fd, 1));
	DO(accept(fd, NULL, NULL));
	DO(getpeername(fd, ADDR(&ss), &len));
	if (!packet) {
		DO(send(fd, "x", 1, MSG_OOB));
		DO(recv(fd, buf, 1, MSG_OOB | MSG_DONTWAIT));
	}
	DO(recv(fd, buf, 1, MSG_DONTWAIT));
	if (packet)
		DO(shutdown(fd, SHUT_RDWR));
	DO(ioctl(fd, FIONREAD, &left));
	printf("%d\n", left);
	POLL(fd, POLLOUT);
}

static void four(void)
{
	struct sockaddr_in lo = in4("127.0.0.1", 0), far = in4("127.0.0.1", 0), other = in4("10.1.2.3", 0);
	struct icmphdr echo = { .type = ICMP_ECHO, .checksum = 0xfff7 };
	struct iphdr ip = { .ihl = 5, .version = 4, .ttl = 9, .protocol = 99, .daddr = htonl(INADDR_LOOPBACK) };
	int fd = FD(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
	uint32_t filter = 0xffffffff;
	socklen_t len = sizeof(filter);
	char wide[8] = { 0 };

	of_streams(fd);
	DO(send(fd, &echo, sizeof(echo), 0));
	DO(sendto(fd, &echo, sizeof(echo), 0, ADDR(&lo), 4));
	far.sin_family = AF_INET6;
	DO(sendto(fd, &echo, sizeof(echo), 0, ADDR(&far), sizeof(far)));
	DO(sendto(fd, &echo, sizeof(echo), 0, ADDR(&other), sizeof(other)));
	other = in4("255.255.255.255", 0);
	DO(sendto(fd, &echo, sizeof(echo), 0, ADDR(&other), sizeof(other)));
	DO(sendto(fd, buf, 65536, 0, ADDR(&lo), sizeof(lo)));
	other = in4("10.1.2.3", 0);
	DO(bind(fd, ADDR(&other), sizeof(other)));
	DO(bind(fd, ADDR(&lo), sizeof(lo)));
	log_name("name", fd, false, 1);
	DO(connect(fd, ADDR(&lo), sizeof(lo)));
	log_name("peer", fd, true, 0);
	DO(send(fd, &echo, sizeof(echo), 0));
	DO(recv(fd, buf, sizeof(buf), 0));
	DO(getsockopt(fd, SOL_RAW, ICMP_FILTER, &filter, &len));
	printf("%u %u\n", filter, len);
	filter = 1 << ICMP_ECHO | 1 << ICMP_ECHOREPLY;
	DO(setsockopt(fd, SOL_RAW, ICMP_FILTER, &filter, 2));
	DO(setsockopt(fd, SOL_RAW, ICMP_FILTER, &filter, sizeof(filter)));
	DO(setsockopt(fd, SOL_RAW, ICMP_FILTER, wide, sizeof(wide)));
	DO(setsockopt(fd, SOL_RAW, 9, wide, sizeof(wide)));
	DO(getsockopt(fd, SOL_RAW, 9, wide, &len));
	close(fd);
	fd = FD(socket(AF_INET, SOCK_RAW, 99));
	DO(setsockopt(fd, SOL_RAW, ICMP_FILTER, &filter, sizeof(filter)));
	DO(set(fd, IPPROTO_IP, IP_HDRINCL, 1));
	DO(option_of(fd, IPPROTO_IP, IP_HDRINCL));
	DO(sendto(fd, &ip, 19, 0, ADDR(&lo), sizeof(lo)));
	DO(sendto(fd, &ip, sizeof(ip), 0, ADDR(&lo), sizeof(lo)));
	DO(recv(fd, buf, sizeof(buf), MSG_TRUNC));
	printf("ttl %d protocol %d\n", buf[8], buf[9]);
	close(fd);
	fd = FD(socket(AF_INET, SOCK_RAW, IPPROTO_RAW));
	DO(option_of(fd, IPPROTO_IP, IP_HDRINCL));
	DO(recv(fd, buf, sizeof(buf), MSG_DONTWAIT));
	close(fd);
}

static void six(void)
{
	struct sockaddr_in6 lo = in6("::1", 0), odd = in6("::1", 0);
	struct icmp6_hdr echo = { .icmp6_type = ICMP6_ECHO_REQUEST };
	int fd = FD(socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6));
	struct icmp6_filter filter;
	socklen_t len = sizeof(filter);

	DO(send(fd, &echo, sizeof(echo), 0));
	odd = in6("::ffff:127.0.0.1", 0);
	DO(sendto(fd, &echo, sizeof(echo), 0, ADDR(&odd), sizeof(odd)));
	odd = in6("2001:db8::1", 0);
	DO(sendto(fd, &echo, sizeof(echo), 0, ADDR(&odd), sizeof(odd)));
	DO(bind(fd, ADDR(&odd), sizeof(odd)));
	DO(sendto(fd, &echo, sizeof(echo), 0, ADDR(&lo), sizeof(lo)));
	DO(recv(fd, buf, sizeof(buf), 0));
	printf("type %d\n", (uint8_t)buf[0]);
	DO(recv(fd, buf, sizeof(buf), 0));
	printf("type %d\n", (uint8_t)buf[0]);
	DO(option_of(fd, SOL_RAW, IPV6_CHECKSUM));
	DO(getsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, &len));
	printf("%u\n", len);
	DO(setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, 4));
	close(fd);
	fd = FD(socket(AF_INET6, SOCK_RAW, 99));
	printf("%d\n", option_of(fd, IPPROTO_IPV6, IPV6_CHECKSUM));
	DO(set(fd, IPPROTO_IPV6, IPV6_CHECKSUM, 1));
	DO(set(fd, IPPROTO_IPV6, IPV6_CHECKSUM, 2));
	DO(sendto(fd, "abc", 3, 0, ADDR(&lo), sizeof(lo)));
	DO(sendto(fd, "abcdef", 6, 0, ADDR(&lo), sizeof(lo)));
	DO(recv(fd, buf, sizeof(buf), 0));
	DO(set(fd, IPPROTO_IPV6, IPV6_CHECKSUM, -1));
	DO(sendto(fd, "abc", 3, 0, ADDR(&lo), sizeof(lo)));
	DO(recv(fd, buf, sizeof(buf), 0));
	close(fd);
}

static struct sockaddr_ll link_of(int index, int protocol)
{
	return (struct sockaddr_ll){ .sll_family = AF_PACKET, .sll_protocol = htons((uint16_t)protocol), .sll_ifindex = index,
				     .sll_halen = 6 };
}

static void packets(int type)
{
	int fd = FD(socket(AF_PACKET, type, 0)), lo = (int)if_nametoindex("lo");
	struct sockaddr_ll a = link_of(9999, ETH_P_IP), got;
	struct packet_mreq m = { .mr_ifindex = 9999 };
	struct tpacket_req ring = { 1, 1, 1, 1 };
	struct tpacket_stats stats;
	socklen_t len = sizeof(got);

	DO(bind(fd, ADDR(&a), sizeof(a)));
	a = link_of(lo, 0x88b5);
	DO(bind(fd, ADDR(&a), 8));
	a.sll_family = AF_INET;
	DO(bind(fd, ADDR(&a), sizeof(a)));
	a.sll_family = AF_PACKET;
	DO(send(fd, buf, 60, 0));
	DO(connect(fd, ADDR(&a), sizeof(a)));
	DO(bind(fd, ADDR(&a), sizeof(a)));
	DO(getsockname(fd, ADDR(&got), &len));
	printf("%u bytes, protocol %x, index %d, type %d, address of %d\n", len, ntohs(got.sll_protocol), got.sll_ifindex == lo,
	       got.sll_hatype, got.sll_halen);
	of_streams(fd);
	a.sll_ifindex = 9999;
	DO(sendto(fd, buf, 60, 0, ADDR(&a), sizeof(a)));
	DO(sendto(fd, buf, 60, 0, ADDR(&a), 10));
	a.sll_ifindex = lo;
	a.sll_halen = 20;
	DO(sendto(fd, buf, 60, 0, ADDR(&a), sizeof(a)));
	a.sll_halen = 6;
	DO(sendto(fd, buf, 10, 0, ADDR(&a), sizeof(a)));
	DO(sendto(fd, buf, 69000, 0, ADDR(&a), sizeof(a)));
	DO(setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &m, sizeof(m)));
	m.mr_ifindex = lo;
	m.mr_type = 77;
	DO(setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &m, sizeof(m)));
	m.mr_type = PACKET_MR_PROMISC;
	DO(setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &m, 3));
	DO(setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &m, sizeof(m)));
	DO(setsockopt(fd, SOL_PACKET, PACKET_DROP_MEMBERSHIP, &m, sizeof(m)));
	DO(setsockopt(fd, SOL_PACKET, PACKET_DROP_MEMBERSHIP, &m, sizeof(m)));
	DO(set(fd, SOL_PACKET, PACKET_VERSION, 9));
	DO(set(fd, SOL_PACKET, 99, 1));
	DO(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &ring, sizeof(ring)));
	DO(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &ring, 3));
	len = sizeof(stats);
	DO(getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &stats, &len));
	printf("%u\n", len);
	close(fd);
}

int main(void)
{
	made();
	four();
	six();
	packets(SOCK_RAW);
	packets(SOCK_DGRAM);
	return 0;
}
