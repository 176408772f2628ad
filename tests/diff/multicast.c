/* multicast.c - groups over the loopback interface. */
#include "log.h"

static char buf[100];

int main(void)
{
	struct sockaddr_in any = in4("0.0.0.0", 0), group = in4("239.1.2.3", 0), from;
	struct ip_mreqn m = { .imr_multiaddr = group.sin_addr, .imr_address = in4("127.0.0.1", 0).sin_addr };
	struct in_addr via = m.imr_address;
	int s = FD(socket(AF_INET, SOCK_DGRAM, 0)), c = FD(socket(AF_INET, SOCK_DGRAM, 0));
	socklen_t len = sizeof(from);
	struct timeval tv = { 0, 100000 };

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
	return 0;
}
