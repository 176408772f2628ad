/* tcp_accept.c - listening and accepting: flags, addresses, backlog, readiness, listening again. */
#include "log.h"
#include <sys/epoll.h>

static void flags(void)
{
	int l = listener(5), port = port_of(l), s, c;
	struct sockaddr_in a = in4("127.0.0.1", port);
	struct sockaddr_storage ss;
	socklen_t len;

	puts("- flags and addresses");
	for (int flag = 0; flag < 4; flag++) {
		int f = (flag & 1 ? SOCK_NONBLOCK : 0) | (flag & 2 ? SOCK_CLOEXEC : 0);

		s = connect_to(port);
		len = sizeof(ss);
		c = FD(accept4(l, ADDR(&ss), &len, f));
		log_addr("from", ADDR(&ss), len, port_of(s));
		DO(fcntl(c, F_GETFL) & O_NONBLOCK);
		DO(fcntl(c, F_GETFD));
		close(c);
		close(s);
	}
	s = connect_to(port);
	len = 4;
	c = FD(accept(l, ADDR(&a), &len));
	printf("length %u\n", len);
	close(c);
	close(s);
	s = connect_to(port);
	DO(accept4(l, NULL, NULL, 1));
	len = (socklen_t)-1;
	DO(accept(l, ADDR(&ss), &len));
	close(s);
	close(l);
}

static void readiness(void)
{
	int l = listener(5), s, c;

	puts("- readiness");
	POLL(l, 0);
	nonblocking(l, true);
	DO(accept(l, NULL, NULL));
	s = connect_to(port_of(l));
	POLL(l, POLLIN);
	c = FD(accept(l, NULL, NULL));
	POLL(l, 0);
	DO(fcntl(c, F_GETFL) & O_NONBLOCK);
	DO(option_of(l, SOL_SOCKET, SO_ACCEPTCONN));
	DO(option_of(c, SOL_SOCKET, SO_ACCEPTCONN));
	DO(option_of(c, SOL_SOCKET, SO_TYPE));
	DO(option_of(c, SOL_SOCKET, SO_PROTOCOL));
	DO(option_of(c, SOL_SOCKET, SO_DOMAIN));
	close(c);
	close(s);
	close(l);
}

static void timeout(void)
{
	struct timeval tv = { 0, 50000 };
	int l = listener(5);

	puts("- timeout");
	DO(setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	DO(accept(l, NULL, NULL));
	close(l);
}

static void again(void)
{
	int l = listener(1), s;
	struct sockaddr_in a = in4("127.0.0.1", port_of(l));
	int other = socket(AF_INET, SOCK_STREAM, 0);

	puts("- listening again, and twice");
	DO(listen(l, 10));
	DO(bind(other, ADDR(&a), sizeof(a)));
	DO(setsockopt(other, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int)));
	DO(bind(other, ADDR(&a), sizeof(a)));
	close(other);
	s = socket(AF_INET, SOCK_STREAM, 0);
	DO(listen(s, 5));
	log_name("name", s, false, 0);
	DO(getsockopt(s, SOL_SOCKET, SO_ACCEPTCONN, &(int){ 0 }, &(socklen_t){ 4 }));
	close(s);
	close(l);
	s = socket(AF_INET, SOCK_STREAM, 0);
	DO(bind(s, ADDR(&a), sizeof(a)));
	close(s);
	s = socket(AF_INET, SOCK_DGRAM, 0);
	DO(listen(s, 5));
	DO(accept(s, NULL, NULL));
	close(s);
}

static void shut(void)
{
	int l = listener(5), s, c, port;

	puts("- shut down while listening");
	DO(shutdown(l, SHUT_RD));
	nonblocking(l, true);
	DO(accept(l, NULL, NULL));
	DO(listen(l, 5));
	port = port_of(l);
	DO(port > 0);
	c = connect_to(port);
	POLL(l, POLLIN);
	s = FD(accept(l, NULL, NULL));
	close(s);
	close(c);
	close(l);
}

/* A connection that is dissolved leaves a socket that can be used again. */
static void dissolved(void)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	struct sockaddr_in a;
	int l = listener(5), s, c;

	puts("- dissolved, and connected again");
	a = in4("127.0.0.1", port_of(l));
	s = connect_to(port_of(l));
	c = accept(l, NULL, NULL);
	DO(connect(s, &none, sizeof(none)));
	POLL(s, POLLHUP);
	log_name("peer", s, true, 0);
	DO(send(s, "x", 1, MSG_NOSIGNAL));
	POLL(c, POLLHUP);
	DO(recv(c, (char[1]){ 0 }, 1, 0));
	close(c);
	DO(connect(s, ADDR(&a), sizeof(a)));
	c = FD(accept(l, NULL, NULL));
	DO(send(s, "x", 1, 0));
	DO(recv(c, (char[1]){ 0 }, 1, 0));
	close(c);
	close(s);
	close(l);
}

static void many(void)
{
	int l = listener(64), port = port_of(l), s[40], n = 0;

	puts("- many");
	for (int i = 0; i < 40; i++)
		s[i] = connect_to(port);
	for (int i = 0; i < 40; i++) {
		int c = accept(l, NULL, NULL);

		n += c >= 0;
		close(c);
	}
	printf("%d\n", n);
	for (int i = 0; i < 40; i++)
		close(s[i]);
	close(l);
}

/* What becomes of connections that nobody has accepted, when nobody will any more. */
static void left(bool shut_down)
{
	int l = listener(5), port = port_of(l), s[3], c;

	printf("- left when the listener is %s\n", shut_down ? "shut down" : "closed");
	for (int i = 0; i < 3; i++)
		s[i] = connect_to(port);
	c = FD(accept(l, NULL, NULL));
	POLL(l, POLLIN);
	DO(send(c, "hello", 5, 0));
	DO(shut_down ? shutdown(l, SHUT_RD) : close(l));
	for (int i = 1; i < 3; i++) {
		POLL(s[i], POLLHUP);
		DO(recv(s[i], (char[1]){ 0 }, 1, 0));
		DO(recv(s[i], (char[1]){ 0 }, 1, 0));
		close(s[i]);
	}
	/* One that was accepted is none of them. */
	DO(recv(s[0], (char[8]){ 0 }, 8, 0));
	DO(send(s[0], "x", 1, 0));
	DO(recv(c, (char[8]){ 0 }, 8, 0));
	close(c);
	POLL(s[0], POLLIN | POLLRDHUP);
	DO(recv(s[0], (char[8]){ 0 }, 8, 0));
	close(s[0]);
	if (shut_down)
		close(l);
}

/* Accepted and closed, with and without words, before the listener is. */
static void accepted_and_left(void)
{
	int l = listener(5), port = port_of(l), s = connect_to(port), c = accept(l, NULL, NULL);

	puts("- accepted, answered and left");
	DO(send(c, "hello", 5, 0));
	close(c);
	close(l);
	POLL(s, POLLIN | POLLRDHUP);
	DO(recv(s, (char[8]){ 0 }, 8, 0));
	DO(recv(s, (char[8]){ 0 }, 8, 0));
	close(s);
	l = listener(5);
	s = connect_to(port_of(l));
	close(accept(l, NULL, NULL));
	close(l);
	POLL(s, POLLIN | POLLRDHUP);
	DO(recv(s, (char[8]){ 0 }, 8, 0));
	close(s);
}

/* Of a process that was killed, too. */
static void killed(void)
{
	int l = listener(5), s = connect_to(port_of(l)), ready[2];
	pid_t child;

	puts("- left by a process that was killed");
	DO(pipe(ready));
	child = fork();
	if (child == 0) {
		write(ready[1], "", 1);
		pause();
	}
	close(l);
	read(ready[0], (char[1]){ 0 }, 1);
	POLL(s, 0);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	POLL(s, POLLHUP);
	DO(recv(s, (char[1]){ 0 }, 1, 0));
	close(s);
}

/* The SYN's headers, if they were asked for, can be had once. */
static void saved_syn(int family, int value)
{
	struct sockaddr_in a = in4("127.0.0.1", 0);
	struct sockaddr_in6 a6 = in6("::1", 0);
	bool v4 = family == AF_INET;
	int l = socket(family, SOCK_STREAM, 0), c = socket(family, SOCK_STREAM, 0), s;
	unsigned char syn[300];
	socklen_t len = sizeof(a6);

	printf("- saved SYN %d %d\n", family, value);
	DO(option_of(l, IPPROTO_TCP, TCP_SAVE_SYN));
	DO(setsockopt(l, IPPROTO_TCP, TCP_SAVE_SYN, &value, sizeof(value)));
	DO(option_of(l, IPPROTO_TCP, TCP_SAVE_SYN));
	DO(setsockopt(l, IPPROTO_TCP, TCP_SAVED_SYN, &value, sizeof(value)));
	bind(l, v4 ? ADDR(&a) : ADDR(&a6), v4 ? sizeof(a) : sizeof(a6));
	listen(l, 1);
	a.sin_port = a6.sin6_port = htons((uint16_t)port_of(l));
	DO(connect(c, v4 ? ADDR(&a) : ADDR(&a6), v4 ? sizeof(a) : sizeof(a6)));
	s = accept(l, NULL, NULL);
	DO(option_of(s, IPPROTO_TCP, TCP_SAVE_SYN));
	len = 5;
	DO(getsockopt(s, IPPROTO_TCP, TCP_SAVED_SYN, syn, &len));
	for (int i = 0; i < 2; i++) {
		len = sizeof(syn);
		DO(getsockopt(s, IPPROTO_TCP, TCP_SAVED_SYN, syn, &len));
		printf("  %u bytes", len);
		if (len > 50 && value) {
			const unsigned char *ip = syn + (value == 2 ? 14 : 0), *tcp = ip + (v4 ? 20 : 40);

			printf(", version %d, TTL %d, flags %02x, %d words", ip[0] >> 4, v4 ? ip[8] : ip[7], tcp[13], tcp[12] >> 4);
			printf(", to the port %d, acknowledges %d", (tcp[2] << 8 | tcp[3]) == port_of(l), (tcp[8] | tcp[9] | tcp[10] | tcp[11]) != 0);
			for (int k = 0; value == 2 && k < 14; k++)
				printf(" %02x", syn[k]);
		}
		puts("");
	}
	len = sizeof(syn);
	DO(getsockopt(c, IPPROTO_TCP, TCP_SAVED_SYN, syn, &len));
	printf("  %u\n", len);
	len = sizeof(syn);
	DO(getsockopt(l, IPPROTO_TCP, TCP_SAVED_SYN, syn, &len));
	printf("  %u\n", len);
	close(s);
	close(c);
	close(l);
}

int main(void)
{
	flags();
	left(false);
	left(true);
	accepted_and_left();
	killed();
	readiness();
	timeout();
	again();
	shut();
	dissolved();
	many();
	for (int value = -1; value < 4; value++)
		saved_syn(AF_INET, value);
	saved_syn(AF_INET6, 1);
	saved_syn(AF_INET6, 2);
	return 0;
}
