/* tcp_wait.c - waiting: poll, ppoll, select, epoll level, edge, one shot, on sockets as they change. */
#include "log.h"
#include <dlfcn.h>
#include <sys/epoll.h>
#include <sys/select.h>

static char buf[65536];

static void log_found(const char *what, const struct epoll_event *e, int n)
{
	printf("%s: %d", what, n);
	for (int i = 0; i < n; i++)
		printf(" [%d", e[i].data.fd >= 0 ? 0 : 1);
	printf("%s\n", n > 0 ? "]" : "");
	for (int i = 0; i < n; i++)
		log_events("  events", (int)(e[i].events & 0xffff));
}

static void log_epoll(const char *what, int ep, int timeout)
{
	struct epoll_event e[4];

	log_found(what, e, epoll_wait(ep, e, 4, timeout));
}

/* By epoll_pwait2, where it is: glibc has it since 2.35, Linux since 5.11. */
static void log_epoll_fine(const char *what, int ep)
{
	int (*fn)(int, struct epoll_event *, int, const struct timespec *, const sigset_t *) = dlsym(RTLD_DEFAULT, "epoll_pwait2");
	struct timespec ts = { 2, 0 };
	struct epoll_event e[4];

	log_found(what, e, fn ? fn(ep, e, 4, &ts, NULL) : epoll_wait(ep, e, 4, 2000));
}

static void add(int ep, int op, int fd, unsigned events)
{
	struct epoll_event e = { .events = events, .data.fd = fd };

	log_result("epoll_ctl", epoll_ctl(ep, op, fd, &e));
}

/* Waits until poll would say so, so that what epoll has seen is over. */
static void until(int fd, int events)
{
	struct pollfd p = { fd, (short)events, 0 };

	poll(&p, 1, 2000);
}

static void level(void)
{
	int s[2], ep = epoll_create1(0);

	puts("- level");
	connection(s);
	add(ep, EPOLL_CTL_ADD, s[1], EPOLLIN);
	add(ep, EPOLL_CTL_ADD, s[1], EPOLLIN);
	log_epoll("nothing", ep, 0);
	send(s[0], "x", 1, 0);
	log_epoll("data", ep, 2000);
	log_epoll("still", ep, 0);
	recv(s[1], buf, 10, 0);
	log_epoll("read", ep, 0);
	add(ep, EPOLL_CTL_MOD, s[1], EPOLLIN | EPOLLOUT | EPOLLRDHUP);
	log_epoll("writable", ep, 0);
	close(s[0]);
	until(s[1], POLLRDHUP);
	log_epoll("closed", ep, 2000);
	close(s[1]);
	log_epoll("gone", ep, 0);
	close(ep);
}

static void edge(void)
{
	int s[2], ep = epoll_create1(0);

	puts("- edge");
	connection(s);
	add(ep, EPOLL_CTL_ADD, s[1], EPOLLIN | EPOLLET);
	send(s[0], "x", 1, 0);
	log_epoll("data", ep, 2000);
	log_epoll("no other edge", ep, 0);
	send(s[0], "y", 1, 0);
	log_epoll("more", ep, 2000);
	recv(s[1], buf, 10, 0);
	add(ep, EPOLL_CTL_MOD, s[1], EPOLLIN | EPOLLONESHOT);
	send(s[0], "z", 1, 0);
	log_epoll("one shot", ep, 2000);
	send(s[0], "z", 1, 0);
	wait_bytes(s[1], 2);
	log_epoll("spent", ep, 0);
	add(ep, EPOLL_CTL_MOD, s[1], EPOLLIN | EPOLLONESHOT);
	log_epoll("armed again", ep, 2000);
	close(s[0]);
	close(s[1]);
	close(ep);
}

static void connecting(void)
{
	int l = listener(5), ep = epoll_create1(0), s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	struct sockaddr_in a = in4("127.0.0.1", port_of(l)), no = in4("127.0.0.1", closed_port());

	puts("- connecting");
	connect(s, ADDR(&a), sizeof(a));
	add(ep, EPOLL_CTL_ADD, s, EPOLLOUT | EPOLLET);
	log_epoll("connected", ep, 2000);
	SO_ERROR_OF(s);
	log_epoll("once", ep, 0);
	close(s);
	s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	connect(s, ADDR(&no), sizeof(no));
	until(s, POLLOUT);
	add(ep, EPOLL_CTL_ADD, s, EPOLLIN | EPOLLOUT);
	log_epoll("refused", ep, 2000);
	SO_ERROR_OF(s);
	log_epoll("after SO_ERROR", ep, 0);
	close(s);
	add(ep, EPOLL_CTL_ADD, l, EPOLLIN | EPOLLOUT);
	recv(l, buf, 1, 0);
	s = accept(l, NULL, NULL);
	close(s);
	log_epoll("listening", ep, 0);
	s = connect_to(port_of(l));
	log_epoll("a connection", ep, 2000);
	close(s);
	close(l);
	close(ep);
}

/* The same socket, connected again after an attempt that failed, and after a connection that ended: it is still registered. */
static void again(void)
{
	int l = listener(5), ep = epoll_create1(0), c, s = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in a = in4("127.0.0.1", port_of(l)), no = in4("127.0.0.1", closed_port());

	puts("- again");
	add(ep, EPOLL_CTL_ADD, s, EPOLLIN | EPOLLRDHUP);
	DO(connect(s, ADDR(&no), sizeof(no)));
	for (int i = 0; i < 2; i++) {
		DO(connect(s, ADDR(&a), sizeof(a)));
		c = accept(l, NULL, NULL);
		log_epoll("connected", ep, 0);
		send(c, "x", 1, 0);
		log_epoll("data", ep, 2000);
		recv(s, buf, 1, 0);
		log_epoll("read", ep, 0);
		DO(connect(s, &(struct sockaddr){ .sa_family = AF_UNSPEC }, sizeof(struct sockaddr)));
		close(c);
	}
	add(ep, EPOLL_CTL_DEL, s, 0);
	close(s);
	close(l);
	close(ep);
}

static void log_select(const char *what, int fd, int ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };
	fd_set r, w, x;
	int n;

	FD_ZERO(&r);
	FD_ZERO(&w);
	FD_ZERO(&x);
	FD_SET(fd, &r);
	FD_SET(fd, &w);
	FD_SET(fd, &x);
	n = select(fd + 1, &r, &w, &x, &tv);
	printf("%s: %d read %d write %d except %d\n", what, n, FD_ISSET(fd, &r) != 0, FD_ISSET(fd, &w) != 0,
	       FD_ISSET(fd, &x) != 0);
}

static void selected(void)
{
	int s[2], fd = socket(AF_INET, SOCK_STREAM, 0), l = listener(1);
	struct timespec ts = { 0, 1000000 };
	struct pollfd p[2];

	puts("- select, ppoll");
	log_select("not connected", fd, 1000);
	close(fd);
	log_select("listening", l, 0);
	close(l);
	connection(s);
	log_select("connected", s[1], 0);
	send(s[0], "x", 1, 0);
	wait_bytes(s[1], 1);
	log_select("data", s[1], 0);
	close(s[0]);
	recv(s[1], buf, 1, 0);
	until(s[1], POLLIN);
	log_select("closed", s[1], 0);
	p[0] = (struct pollfd){ s[1], POLLIN, 0 };
	p[1] = (struct pollfd){ -1, POLLIN, 0 };
	DO(ppoll(p, 2, &ts, NULL));
	log_events("ppoll", p[0].revents);
	close(s[1]);
	p[0].fd = s[1];
	DO(poll(p, 1, 0));
	log_events("poll of none", p[0].revents);
}

/* A stream that is not connected has hung up. */
static void fresh(void)
{
	int l = listener(5), ep = epoll_create1(0), s = socket(AF_INET, SOCK_STREAM, 0), t;
	struct sockaddr_in a = in4("127.0.0.1", port_of(l));

	puts("- not connected");
	add(ep, EPOLL_CTL_ADD, s, EPOLLIN | EPOLLOUT | EPOLLRDHUP);
	log_epoll("level", ep, 2000);
	log_epoll("again", ep, 2000);
	log_epoll("for ever", ep, -1);
	log_epoll_fine("to the nanosecond", ep);
	add(ep, EPOLL_CTL_MOD, s, EPOLLIN);
	log_epoll("hung up alone", ep, 2000);
	add(ep, EPOLL_CTL_MOD, s, EPOLLIN | EPOLLOUT | EPOLLET);
	log_epoll("edge", ep, 2000);
	log_epoll("no other", ep, 0);
	add(ep, EPOLL_CTL_MOD, s, EPOLLIN | EPOLLOUT | EPOLLONESHOT);
	log_epoll("one shot", ep, 2000);
	log_epoll("is over", ep, 0);
	add(ep, EPOLL_CTL_MOD, s, EPOLLIN | EPOLLOUT);
	t = dup(s);
	log_epoll("of two descriptors", ep, 2000);
	DO(connect(t, ADDR(&a), sizeof(a)));
	close(t);
	log_epoll("connected", ep, 2000);
	t = socket(AF_INET, SOCK_STREAM, 0);
	add(ep, EPOLL_CTL_ADD, t, EPOLLOUT | EPOLLET);
	DO(listen(t, 5));
	add(ep, EPOLL_CTL_DEL, s, 0);
	log_epoll("listening", ep, 0);
	close(t);
	t = socket(AF_INET, SOCK_STREAM, 0);
	log_epoll("another in its place", ep, 0);
	add(ep, EPOLL_CTL_ADD, t, EPOLLOUT);
	add(ep, EPOLL_CTL_DEL, t, 0);
	log_epoll("taken out", ep, 0);
	close(t);
	close(s);
	close(ep);
	close(l);
}

int main(void)
{
	level();
	edge();
	connecting();
	again();
	fresh();
	selected();
	return 0;
}
