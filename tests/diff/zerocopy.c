/* zerocopy.c - SO_ZEROCOPY and MSG_ZEROCOPY: who asks is told that what he sent is done with, and that it was copied. */
#include "stamps.h"

#include <linux/errqueue.h>
#include <sys/epoll.h>

static void values(int domain, int type, int protocol)
{
	static const int value[] = { 1, 2, -1, 0 };
	int s = socket(domain, type, protocol);

	printf("- %d %d\n", domain, type);
	for (size_t i = 0; s >= 0 && i < sizeof(value) / sizeof(value[0]); i++) {
		DO(option_of(s, SOL_SOCKET, SO_ZEROCOPY));
		DO(setsockopt(s, SOL_SOCKET, SO_ZEROCOPY, &value[i], sizeof(value[i])));
	}
	close(s);
}

static void pair(int type, int s[2])
{
	struct sockaddr_in a = in4("127.0.0.1", 0);

	if (type == SOCK_STREAM) {
		connection(s);
		return;
	}
	s[0] = socket(AF_INET, SOCK_DGRAM, 0);
	s[1] = socket(AF_INET, SOCK_DGRAM, 0);
	bind(s[1], ADDR(&a), sizeof(a));
	a = in4("127.0.0.1", port_of(s[1]));
	connect(s[0], ADDR(&a), sizeof(a));
}

static void copied(int type)
{
	static char bytes[5000];
	struct epoll_event e = { .events = 0, .data.u64 = 7 };
	int s[2], ep = epoll_create1(0);

	printf("- copied, %d\n", type);
	pair(type, s);
	DO(epoll_ctl(ep, EPOLL_CTL_ADD, s[0], &e));
	DO(send(s[0], bytes, sizeof(bytes), MSG_ZEROCOPY));
	DO(recv(s[1], bytes, sizeof(bytes), 0));
	show(s[0], MSG_ERRQUEUE, 100);
	DO(setsockopt(s[0], SOL_SOCKET, SO_ZEROCOPY, &(int){ 1 }, sizeof(int)));
	DO(send(s[0], bytes, 100, 0));
	DO(recv(s[1], bytes, sizeof(bytes), 0));
	show(s[0], MSG_ERRQUEUE, 100);
	for (int i = 0; i < 3; i++) {
		DO(send(s[0], bytes, 4000, MSG_ZEROCOPY));
		DO(recv(s[1], bytes, sizeof(bytes), 0));
		DO(epoll_wait(ep, &e, 1, 5000));
		log_events("epoll", (int)e.events);
		POLL(s[0], POLLERR);
		show(s[0], MSG_ERRQUEUE, 100);
		DO(epoll_wait(ep, &e, 1, 0));
		show(s[0], MSG_ERRQUEUE, 100);
		SO_ERROR_OF(s[0]);
	}
	/* Several are told of as one. */
	for (int i = 0; i < 3; i++) {
		DO(send(s[0], bytes, 4000, MSG_ZEROCOPY));
		DO(recv(s[1], bytes, sizeof(bytes), 0));
		POLL(s[0], POLLERR);
	}
	show(s[0], MSG_ERRQUEUE, 100);
	show(s[0], MSG_ERRQUEUE, 100);
	POLL(s[0], POLLOUT);
	close(ep);
	close(s[0]);
	close(s[1]);
}

int main(void)
{
	values(AF_INET, SOCK_STREAM, 0);
	values(AF_INET6, SOCK_DGRAM, 0);
	values(AF_INET, SOCK_RAW, 253);
	values(AF_PACKET, SOCK_RAW, 0);
	copied(SOCK_STREAM);
	copied(SOCK_DGRAM);
	return 0;
}
