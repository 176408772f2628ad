/* tcp_connect_failed.c - connect: an attempt that was not waited for has failed, and the next call is told of it. */
#include <sys/epoll.h>

#include "log.h"

static int fresh(void)
{
	return socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
}

/* A stream whose attempt to connect has just been refused. */
static int refused(struct sockaddr_in *a)
{
	int s = fresh();

	*a = in4("127.0.0.1", closed_port());
	DO(connect(s, ADDR(a), sizeof(*a)));
	POLL(s, POLLERR | POLLHUP);
	return s;
}

static void log_epoll(int fd)
{
	int ep = epoll_create1(0);
	struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP }, out = { 0 };

	epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
	DO(epoll_wait(ep, &out, 1, 0));
	log_events("epoll", (int)out.events);
	close(ep);
}

static void in_turn(void)
{
	struct sockaddr_in6 six = in6("::1", closed_port());
	struct sockaddr_in a = in4("127.0.0.1", closed_port());
	int s = fresh(), s6 = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);

	puts("- in turn");
	for (int i = 0; i < 4; i++) {
		DO(connect(s, ADDR(&a), sizeof(a)));
		POLL(s, POLLHUP);
		log_epoll(s);
		log_name("peer", s, true, 0);
	}
	for (int i = 0; i < 4; i++) {
		DO(connect(s6, ADDR(&six), sizeof(six)));
		POLL(s6, POLLHUP);
		log_name("peer", s6, true, 0);
	}
	close(s);
	close(s6);
}

/* What is left to be told when the error was taken by another call. */
static void taken(void)
{
	struct sockaddr_in a;
	int s = refused(&a);

	puts("- taken by SO_ERROR");
	SO_ERROR_OF(s);
	POLL(s, POLLHUP);
	DO(connect(s, ADDR(&a), sizeof(a)));
	POLL(s, POLLHUP);
	log_epoll(s);
	SO_ERROR_OF(s);
	DO(send(s, "x", 1, MSG_NOSIGNAL));
	DO(recv(s, (char[1]){ 0 }, 1, 0));
	DO(connect(s, ADDR(&a), sizeof(a)));
	close(s);
	s = refused(&a);
	puts("- by send");
	DO(send(s, "x", 1, MSG_NOSIGNAL));
	DO(send(s, "x", 1, MSG_NOSIGNAL));
	DO(connect(s, ADDR(&a), sizeof(a)));
	DO(connect(s, ADDR(&a), sizeof(a)));
	close(s);
	s = refused(&a);
	puts("- by recv");
	DO(recv(s, (char[1]){ 0 }, 1, 0));
	DO(recv(s, (char[1]){ 0 }, 1, 0));
	DO(connect(s, ADDR(&a), sizeof(a)));
	DO(recv(s, (char[1]){ 0 }, 1, 0));
	DO(connect(s, ADDR(&a), sizeof(a)));
	close(s);
}

static void waiting(void)
{
	struct sockaddr_in a;
	int s = refused(&a);

	puts("- by a call that waits");
	nonblocking(s, false);
	DO(connect(s, ADDR(&a), sizeof(a)));
	DO(connect(s, ADDR(&a), sizeof(a)));
	DO(connect(s, ADDR(&a), sizeof(a)));
	SO_ERROR_OF(s);
	nonblocking(s, true);
	DO(connect(s, ADDR(&a), sizeof(a)));
	POLL(s, POLLERR | POLLHUP);
	DO(connect(s, ADDR(&a), sizeof(a)));
	close(s);
}

/* The next address is looked at once the last attempt has been told of. */
static void elsewhere(void)
{
	int l = listener(5), s;
	struct sockaddr_in a, yes = in4("127.0.0.1", port_of(l)), far = in4("10.11.12.13", 1);
	struct sockaddr_in6 six = in6("::1", 1);

	s = refused(&a);
	puts("- elsewhere");
	DO(connect(s, ADDR(&a), 1));
	DO(connect(s, ADDR(&yes), sizeof(yes)));
	connect(s, ADDR(&yes), sizeof(yes));
	POLL(s, POLLOUT);
	DO(connect(s, ADDR(&yes), sizeof(yes)));
	DO(connect(s, ADDR(&yes), sizeof(yes)));
	DO(send(s, "x", 1, 0));
	close(s);
	s = refused(&a);
	DO(connect(s, ADDR(&six), sizeof(six)));
	DO(connect(s, ADDR(&six), sizeof(six)));
	DO(connect(s, ADDR(&far), sizeof(far)));
	DO(connect(s, ADDR(&far), sizeof(far)));
	POLL(s, POLLHUP);
	SO_ERROR_OF(s);
	close(s);
	s = refused(&a);
	DO(connect(s, ADDR(&a), 4));
	DO(connect(s, ADDR(&a), 4));
	close(s);
	close(l);
}

static void other_calls(void)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	struct sockaddr_in a, any = in4("127.0.0.1", 0);
	int s = refused(&a);

	puts("- listen");
	DO(listen(s, 1));
	DO(connect(s, ADDR(&a), sizeof(a)));
	DO(listen(s, 1));
	close(s);
	s = refused(&a);
	puts("- bind");
	DO(bind(s, ADDR(&any), sizeof(any)));
	DO(connect(s, ADDR(&a), sizeof(a)));
	close(s);
	s = refused(&a);
	puts("- disconnect");
	DO(connect(s, &none, sizeof(none)));
	POLL(s, POLLHUP);
	SO_ERROR_OF(s);
	DO(connect(s, ADDR(&a), sizeof(a)));
	POLL(s, POLLERR | POLLHUP);
	DO(connect(s, ADDR(&a), sizeof(a)));
	close(s);
	s = refused(&a);
	puts("- shutdown");
	DO(shutdown(s, SHUT_WR));
	POLL(s, POLLHUP);
	DO(connect(s, ADDR(&a), sizeof(a)));
	SO_ERROR_OF(s);
	DO(connect(s, ADDR(&a), sizeof(a)));
	DO(connect(s, &none, sizeof(none)));
	DO(connect(s, ADDR(&a), sizeof(a)));
	close(s);
}

static void fast(void)
{
	struct sockaddr_in a;
	int s = refused(&a);

	puts("- MSG_FASTOPEN");
	DO(sendto(s, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL, ADDR(&a), sizeof(a)));
	POLL(s, POLLHUP);
	DO(sendto(s, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL, ADDR(&a), sizeof(a)));
	POLL(s, POLLERR | POLLHUP);
	SO_ERROR_OF(s);
	DO(sendto(s, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL, ADDR(&a), sizeof(a)));
	DO(connect(s, ADDR(&a), sizeof(a)));
	POLL(s, POLLERR | POLLHUP);
	DO(connect(s, ADDR(&a), sizeof(a)));
	close(s);
}

/* It has succeeded, and the connection is over, before connect was asked again. */
static void over(bool reset, bool told)
{
	int l = listener(5), s = fresh(), c, r;
	struct sockaddr_in a = in4("127.0.0.1", port_of(l));
	struct linger none = { 1, 0 };

	printf("- over by a %s%s\n", reset ? "reset" : "close", told ? ", and it was told" : "");
	nonblocking(s, !told);
	DO(connect(s, ADDR(&a), sizeof(a)) < 0 && errno != EINPROGRESS);
	nonblocking(s, true);
	POLL(s, POLLOUT);
	c = accept(l, NULL, NULL);
	if (reset)
		setsockopt(c, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
	close(c);
	POLL(s, POLLIN | POLLRDHUP);
	if (!reset) {
		send(s, "x", 1, MSG_NOSIGNAL);
		POLL(s, POLLHUP);
	}
	DO(connect(s, ADDR(&a), sizeof(a)));
	POLL(s, POLLHUP);
	SO_ERROR_OF(s);
	DO(recv(s, (char[1]){ 0 }, 1, 0));
	r = connect(s, ADDR(&a), sizeof(a));
	printf("connect: %s\n", r == 0 || errno == EINPROGRESS ? "well" : strerrorname_np(errno));
	close(s);
	close(l);
}

static void timed_out(void)
{
	int l = listener(0), port = port_of(l), one[4], s = fresh();
	struct sockaddr_in a = in4("127.0.0.1", port);

	puts("- timed out");
	for (int i = 0; i < 4; i++) {
		one[i] = fresh();
		connect(one[i], ADDR(&a), sizeof(a));
	}
	usleep(50000);
	setsockopt(s, IPPROTO_TCP, TCP_SYNCNT, &(int){ 1 }, sizeof(int));
	DO(connect(s, ADDR(&a), sizeof(a)));
	DO(connect(s, ADDR(&a), sizeof(a)));
	for (int i = 0; i < 3; i++)
		poll(&(struct pollfd){ s, POLLOUT, 0 }, 1, 5000);
	POLL(s, POLLERR | POLLHUP);
	DO(connect(s, ADDR(&a), sizeof(a)));
	DO(connect(s, ADDR(&a), sizeof(a)));
	for (int i = 0; i < 4; i++)
		close(one[i]);
	close(s);
	close(l);
}

static void by_child(void)
{
	struct sockaddr_in a;
	int s = refused(&a), status;

	puts("- by a child");
	if (!fork()) {
		DO(connect(s, ADDR(&a), sizeof(a)));
		_exit(0);
	}
	wait(&status);
	POLL(s, POLLHUP);
	DO(recv(s, (char[1]){ 0 }, 1, 0));
	DO(connect(s, ADDR(&a), sizeof(a)));
	POLL(s, POLLERR | POLLHUP);
	DO(connect(s, ADDR(&a), sizeof(a)));
	close(s);
}

int main(void)
{
	in_turn();
	taken();
	waiting();
	elsewhere();
	other_calls();
	fast();
	over(false, false);
	over(false, true);
	over(true, false);
	over(true, true);
	timed_out();
	by_child();
	return 0;
}
