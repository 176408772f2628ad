/* multicast.c - groups over the loopback interface. */
#include "log.h"

static char buf[100];

static struct timeval tv = { 0, 100000 };

/* A socket that has joined nothing gets what others of the port have joined, unless it says that it does not want to. */
static void of_others(void)
{
	struct sockaddr_in group = in4("239.1.2.4", 0);
	struct ip_mreqn m = { .imr_multiaddr = group.sin_addr, .imr_address = in4("127.0.0.1", 0).sin_addr };
	struct in_addr via = m.imr_address;
	int s[2], c = socket(AF_INET, SOCK_DGRAM, 0);

	puts("- joined by another");
	for (int i = 0; i < 2; i++) {
		struct sockaddr_in any = in4("0.0.0.0", i ? port_of(s[0]) : 0);

		s[i] = socket(AF_INET, SOCK_DGRAM, 0);
		setsockopt(s[i], SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
		setsockopt(s[i], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
		DO(bind(s[i], ADDR(&any), sizeof(any)));
	}
	group.sin_port = htons((uint16_t)port_of(s[0]));
	DO(setsockopt(s[0], IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof(m)));
	DO(setsockopt(c, IPPROTO_IP, IP_MULTICAST_IF, &via, sizeof(via)));
	for (int all = 1; all >= 0; all--) {
		DO(setsockopt(s[1], IPPROTO_IP, IP_MULTICAST_ALL, &all, sizeof(all)));
		DO(option_of(s[1], IPPROTO_IP, IP_MULTICAST_ALL));
		DO(sendto(c, "to all", 6, 0, ADDR(&group), sizeof(group)));
		DO(recv(s[0], buf, sizeof(buf), 0));
		DO(recv(s[1], buf, sizeof(buf), 0));
	}
	DO(setsockopt(s[1], IPPROTO_IP, IP_MULTICAST_ALL, &(int){ 2 }, sizeof(int)));
	close(s[0]);
	close(s[1]);
	close(c);
}

int main(void)
{
	struct sockaddr_in any = in4("0.0.0.0", 0), group = in4("239.1.2.3", 0), from;
	struct ip_mreqn m = { .imr_multiaddr = group.sin_addr, .imr_address = in4("127.0.0.1", 0).sin_addr };
	struct in_addr via = m.imr_address;
	int s = FD(socket(AF_INET, SOCK_DGRAM, 0)), c = FD(socket(AF_INET, SOCK_DGRAM, 0));
	socklen_t len = sizeof(from);

	DO(bind(s, ADDR(&any), sizeof(any)));
	group.sin_port = htons((uint16_t)port_of(s));
	DO(setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof(m)));
	DO(setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof(m)));
	DO(setsockopt(c, IPPROTO_IP, IP_MULTICAST_IF, &via, sizeof(via)));
	DO(setsockopt(c, IPPROTO_IP, IP_MULTICAST_LOOP, &(int){ 1 }, sizeof(int)));
	DO(sendto(c, "to all", 6, 0, ADDR(&group), sizeof(group)));
	DO(setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	DO(recvfrom(s, buf, sizeof(buf), 0, ADDR(&from), &len));
	log_addr("from", ADDR(&from), len, port_of(c));
	DO(setsockopt(s, IPPROTO_IP, IP_DROP_MEMBERSHIP, &m, sizeof(m)));
	DO(setsockopt(s, IPPROTO_IP, IP_DROP_MEMBERSHIP, &m, sizeof(m)));
	of_others();
	return 0;
}
