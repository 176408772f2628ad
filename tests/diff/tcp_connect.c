/* tcp_connect.c - connect: at once, in progress, refused, again, by sockets in every state. */
#include "log.h"

static void refused(void)
{
	struct sockaddr_in a = in4("127.0.0.1", closed_port());
	int s = FD(socket(AF_INET, SOCK_STREAM, 0));

	puts("- refused");
	DO(connect(s, ADDR(&a), sizeof(a)));
	SO_ERROR_OF(s);
	log_name("peer", s, true, 0);
	DO(send(s, "x", 1, MSG_NOSIGNAL));
	DO(recv(s, (char[1]){ 0 }, 1, 0));
	close(s);
}

static void refused_later(void)
{
	struct sockaddr_in a = in4("127.0.0.1", closed_port());
	int s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	puts("- refused, not waited for");
	DO(connect(s, ADDR(&a), sizeof(a)));
	POLL(s, POLLERR | POLLHUP);
	SO_ERROR_OF(s);
	SO_ERROR_OF(s);
	DO(recv(s, (char[1]){ 0 }, 1, 0));
	close(s);
	s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	DO(connect(s, ADDR(&a), sizeof(a)));
	POLL(s, POLLERR | POLLHUP);
	DO(recv(s, (char[1]){ 0 }, 1, 0));
	SO_ERROR_OF(s);
	close(s);
}

static void states(void)
{
	int l = listener(5), port = port_of(l), s = socket(AF_INET, SOCK_STREAM, 0), c;
	struct sockaddr_in a = in4("127.0.0.1", port);
	struct sockaddr_in6 six = in6("::1", port);

	puts("- states");
	POLL(s, POLLHUP);
	log_name("name", s, false, 0);
	log_name("peer", s, true, 0);
	DO(connect(s, ADDR(&six), sizeof(six)));
	DO(connect(s, ADDR(&a), 4));
	DO(connect(s, NULL, sizeof(a)));
	DO(send(s, "x", 1, MSG_NOSIGNAL));
	DO(recv(s, (char[1]){ 0 }, 1, 0));
	DO(shutdown(s, SHUT_WR));
	DO(accept(s, NULL, NULL));
	DO(connect(s, ADDR(&a), sizeof(a)));
	POLL(s, POLLOUT);
	log_name("name", s, false, port);
	log_name("peer", s, true, port);
	DO(connect(s, ADDR(&a), sizeof(a)));
	DO(listen(s, 5));
	DO(bind(s, ADDR(&a), sizeof(a)));
	c = FD(accept(l, NULL, NULL));
	log_name("accepted name", c, false, port);
	DO(connect(l, ADDR(&a), sizeof(a)));
	DO(send(l, "x", 1, MSG_NOSIGNAL));
	DO(recv(l, (char[1]){ 0 }, 1, 0));
	DO(shutdown(c, 7));
	close(c);
	close(s);
	close(l);
}

static void in_progress(void)
{
	int l = listener(5), s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), r;
	struct sockaddr_in a = in4("127.0.0.1", port_of(l));

	puts("- in progress");
	r = connect(s, ADDR(&a), sizeof(a));
	printf("connect: %s\n", r == 0 || errno == EINPROGRESS ? "well" : strerrorname_np(errno));
	POLL(s, POLLOUT);
	SO_ERROR_OF(s);
	DO(connect(s, ADDR(&a), sizeof(a)));
	DO(connect(s, ADDR(&a), sizeof(a)));
	DO(send(s, "x", 1, 0));
	close(s);
	close(l);
}

static void again(void)
{
	struct sockaddr_in no = in4("127.0.0.1", closed_port()), yes;
	int l = listener(5), s = socket(AF_INET, SOCK_STREAM, 0), c;

	puts("- again after it failed");
	yes = in4("127.0.0.1", port_of(l));
	DO(connect(s, ADDR(&no), sizeof(no)));
	DO(connect(s, ADDR(&no), sizeof(no)));
	DO(connect(s, ADDR(&yes), sizeof(yes)));
	c = FD(accept(l, NULL, NULL));
	DO(send(s, "hello", 5, 0));
	DO(recv(c, (char[8]){ 0 }, 8, 0));
	POLL(s, POLLOUT);
	close(c);
	close(s);
	close(l);
}

int main(void)
{
	refused();
	refused_later();
	states();
	in_progress();
	again();
	return 0;
}
