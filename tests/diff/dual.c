/* dual.c - IPv6 sockets: mapped addresses, both families on one socket, V6ONLY, ports that are shared. */
#include "log.h"

static char buf[100];

static void tcp(void)
{
	struct sockaddr_in6 any = in6("::", 0), mapped;
	int l = socket(AF_INET6, SOCK_STREAM, 0), port, s, c, v4;
	struct sockaddr_in a;

	puts("- TCP");
	DO(option_of(l, IPPROTO_IPV6, IPV6_V6ONLY));
	DO(bind(l, ADDR(&any), sizeof(any)));
	DO(listen(l, 5));
	port = port_of(l);
	log_name("name", l, false, port);
	s = connect_to(port);
	c = FD(accept(l, NULL, NULL));
	log_name("accepted name", c, false, port);
	log_name("accepted peer", c, true, port_of(s));
	close(c);
	close(s);
	mapped = in6("::ffff:127.0.0.1", port);
	s = socket(AF_INET6, SOCK_STREAM, 0);
	DO(connect(s, ADDR(&mapped), sizeof(mapped)));
	log_name("name", s, false, 0);
	log_name("peer", s, true, port);
	close(s);
	s = socket(AF_INET6, SOCK_STREAM, 0);
	any = in6("::1", port);
	DO(connect(s, ADDR(&any), sizeof(any)));
	log_name("name", s, false, 0);
	DO(setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &(int){ 1 }, sizeof(int)));
	close(s);
	v4 = socket(AF_INET, SOCK_STREAM, 0);
	a = in4("0.0.0.0", port);
	DO(bind(v4, ADDR(&a), sizeof(a)));
	close(v4);
	close(l);
	puts("- V6ONLY");
	l = socket(AF_INET6, SOCK_STREAM, 0);
	DO(setsockopt(l, IPPROTO_IPV6, IPV6_V6ONLY, &(int){ 1 }, sizeof(int)));
	any = in6("::", 0);
	DO(bind(l, ADDR(&any), sizeof(any)));
	DO(listen(l, 5));
	v4 = socket(AF_INET, SOCK_STREAM, 0);
	a = in4("0.0.0.0", port_of(l));
	DO(bind(v4, ADDR(&a), sizeof(a)));
	a = in4("127.0.0.1", port_of(l));
	s = socket(AF_INET, SOCK_STREAM, 0);
	DO(connect(s, ADDR(&a), sizeof(a)));
	close(s);
	s = socket(AF_INET6, SOCK_STREAM, 0);
	DO(setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &(int){ 1 }, sizeof(int)));
	mapped = in6("::ffff:127.0.0.1", port_of(l));
	DO(connect(s, ADDR(&mapped), sizeof(mapped)));
	close(s);
	close(v4);
	close(l);
}

static void udp(void)
{
	struct sockaddr_in6 any = in6("::", 0), from;
	int s = socket(AF_INET6, SOCK_DGRAM, 0), c = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in a;
	socklen_t len = sizeof(from);

	puts("- UDP");
	DO(bind(s, ADDR(&any), sizeof(any)));
	a = in4("127.0.0.1", port_of(s));
	DO(sendto(c, "x", 1, 0, ADDR(&a), sizeof(a)));
	DO(recvfrom(s, buf, sizeof(buf), 0, ADDR(&from), &len));
	log_addr("from", ADDR(&from), len, port_of(c));
	DO(sendto(s, "back", 4, 0, ADDR(&from), len));
	DO(recv(c, buf, sizeof(buf), 0));
	DO(sendto(s, "four", 4, 0, ADDR(&a), sizeof(a)));
	close(s);
	close(c);
}

static void reuseport(void)
{
	struct sockaddr_in a = in4("127.0.0.1", 0);
	int l[3], got = 0, c;

	puts("- SO_REUSEPORT");
	for (int i = 0; i < 3; i++) {
		l[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		if (i != 2)
			DO(setsockopt(l[i], SOL_SOCKET, SO_REUSEPORT, &(int){ 1 }, sizeof(int)));
		DO(bind(l[i], ADDR(&a), sizeof(a)));
		a = in4("127.0.0.1", port_of(l[0]));
		if (i != 2)
			DO(listen(l[i], 100));
	}
	for (int i = 0; i < 64; i++)
		close(connect_to(port_of(l[0])));
	usleep(50000);
	for (int i = 0; i < 2; i++) {
		int n = 0;

		while ((c = accept(l[i], NULL, NULL)) >= 0) {
			close(c);
			n++;
		}
		got += n;
		printf("some: %d\n", n > 0);
	}
	printf("all: %d\n", got);
	for (int i = 0; i < 3; i++)
		close(l[i]);
}

int main(void)
{
	tcp();
	udp();
	reuseport();
	return 0;
}
