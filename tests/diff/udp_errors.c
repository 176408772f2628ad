/* udp_errors.c - an error of a datagram socket wakes whoever waits for it, whatever else it is waited for, and nothing else does;
 * in epoll also when the registration has been changed, and while there are datagrams that nobody wants.
 */
#include "log.h"

#include <linux/errqueue.h>
#include <sys/epoll.h>

static char buf[100];

/* Sends to nobody a little later, from another process. */
static pid_t fail_later(int s)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	usleep(30000);
	_exit(send(s, "x", 1, 0) != 1);
}

static void wait_for(pid_t pid)
{
	int status = -1;

	waitpid(pid, &status, 0);
	printf("sent: %d\n", status == 0);
}

static int unwanted(void)
{
	struct sockaddr_in to = in4("127.0.0.1", closed_port());
	int s = socket(AF_INET, SOCK_DGRAM, 0);

	connect(s, ADDR(&to), sizeof(to));
	return s;
}

/* With its own port as its peer: what is sent comes back. Once its peer is another, that is unread. */
static int with_datagram(void)
{
	struct sockaddr_in a = in4("127.0.0.1", 0), to;
	int s = socket(AF_INET, SOCK_DGRAM, 0);

	bind(s, ADDR(&a), sizeof(a));
	a = in4("127.0.0.1", port_of(s));
	sendto(s, "abc", 3, 0, ADDR(&a), sizeof(a));
	POLL(s, POLLIN);
	to = in4("127.0.0.1", closed_port());
	connect(s, ADDR(&to), sizeof(to));
	return s;
}

static void polled(int s, short events)
{
	struct timespec limit = { 5, 0 };
	struct pollfd p = { s, events, 0 };
	pid_t pid;

	printf("- poll, %x\n", events);
	for (int i = 0; i < 3; i++) {
		DO(poll(&p, 1, 20));
		pid = fail_later(s);
		DO(i == 0 ? poll(&p, 1, 5000) : i == 1 ? ppoll(&p, 1, &limit, NULL) : poll(&p, 1, -1));
		log_events("events", p.revents);
		wait_for(pid);
		DO(poll(&p, 1, 0));
		SO_ERROR_OF(s);
	}
	DO(poll(&p, 1, 20));
	DO(recv(s, buf, sizeof(buf), MSG_DONTWAIT));
	close(s);
}

static void in_epoll(int s, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.u64 = 5 };
	int ep = epoll_create1(0);
	pid_t pid;

	printf("- epoll, %x\n", events);
	DO(epoll_ctl(ep, EPOLL_CTL_ADD, s, &e));
	for (int i = 0; i < 4; i++) {
		DO(epoll_wait(ep, &e, 1, 20));
		pid = fail_later(s);
		e.events = 0;
		if (DO(epoll_wait(ep, &e, 1, events & EPOLLONESHOT && i == 1 ? 200 : 5000)) > 0)
			printf("  data %d ", (int)e.data.u64), log_events("epoll", (int)e.events);
		wait_for(pid);
		DO(epoll_wait(ep, &e, 1, 0));
		SO_ERROR_OF(s);
		DO(epoll_wait(ep, &e, 1, 0));
		if (i) {
			e = (struct epoll_event){ .events = events, .data.u64 = 6 + (unsigned)i };
			DO(epoll_ctl(ep, EPOLL_CTL_MOD, s, &e));
		}
	}
	e.events = EPOLLIN;
	DO(epoll_ctl(ep, EPOLL_CTL_MOD, s, &e));
	pid = fail_later(s);
	wait_for(pid);
	POLL(s, POLLERR);
	DO(epoll_wait(ep, &e, 1, 5000));
	log_events("epoll", (int)e.events);
	SO_ERROR_OF(s);
	DO(epoll_ctl(ep, EPOLL_CTL_DEL, s, &e));
	pid = fail_later(s);
	wait_for(pid);
	POLL(s, POLLERR);
	DO(epoll_wait(ep, &e, 1, 20));
	close(ep);
	close(s);
}

static void queued(void)
{
	struct epoll_event e = { .events = 0, .data.u64 = 5 };
	struct iovec v = { buf, sizeof(buf) };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	int s = unwanted(), ep = epoll_create1(0);
	pid_t pid;

	puts("- error queue");
	DO(setsockopt(s, IPPROTO_IP, IP_RECVERR, &(int){ 1 }, sizeof(int)));
	DO(epoll_ctl(ep, EPOLL_CTL_ADD, s, &e));
	for (int i = 0; i < 3; i++) {
		pid = fail_later(s);
		DO(epoll_wait(ep, &e, 1, 5000));
		log_events("epoll", (int)e.events);
		wait_for(pid);
		DO(recvmsg(s, &m, MSG_ERRQUEUE));
		DO(epoll_wait(ep, &e, 1, 0));
	}
	close(ep);
	close(s);
}

/* An epoll instance in another, and in poll. */
static void nested(void)
{
	struct epoll_event e = { .events = 0, .data.u64 = 5 };
	int s = unwanted(), ep = epoll_create1(0), outer = epoll_create1(0);
	struct pollfd p = { ep, POLLIN, 0 };
	pid_t pid;

	puts("- nested");
	DO(epoll_ctl(ep, EPOLL_CTL_ADD, s, &e));
	e = (struct epoll_event){ .events = EPOLLIN, .data.u64 = 6 };
	DO(epoll_ctl(outer, EPOLL_CTL_ADD, ep, &e));
	pid = fail_later(s);
	DO(epoll_wait(outer, &e, 1, 5000));
	printf("  data %d ", (int)e.data.u64);
	log_events("epoll", (int)e.events);
	DO(poll(&p, 1, 5000));
	log_events("poll", p.revents);
	DO(epoll_wait(ep, &e, 1, 5000));
	printf("  data %d ", (int)e.data.u64);
	log_events("epoll", (int)e.events);
	wait_for(pid);
	close(outer);
	close(ep);
	close(s);
}

/* Many descriptors, more than are looked through at once. */
static void many(void)
{
	struct pollfd p[200];
	int s = unwanted();
	pid_t pid;

	puts("- many");
	for (int i = 0; i < 200; i++)
		p[i] = (struct pollfd){ -1, 0, 0 };
	p[150].fd = s;
	pid = fail_later(s);
	DO(poll(p, 200, 5000));
	log_events("poll", p[150].revents);
	wait_for(pid);
	close(s);
}

/* That a socket is writable is not waited for in epoll when its error is taken by another. */
static void selected(void)
{
	int s = unwanted();
	fd_set out, except;
	pid_t pid;

	puts("- select");
	FD_ZERO(&out);
	FD_SET(s, &out);
	DO(select(s + 1, NULL, &out, NULL, NULL));
	FD_ZERO(&except);
	FD_SET(s, &except);
	pid = fail_later(s);
	wait_for(pid);
	POLL(s, POLLERR);
	DO(select(s + 1, NULL, NULL, &except, &(struct timeval){ 0, 20000 }));
	FD_ZERO(&out);
	FD_SET(s, &out);
	DO(select(s + 1, &out, NULL, NULL, NULL));
	close(s);
}

int main(void)
{
	polled(unwanted(), 0);
	polled(unwanted(), POLLPRI);
	polled(unwanted(), POLLIN);
	polled(with_datagram(), 0);
	in_epoll(unwanted(), 0);
	in_epoll(unwanted(), EPOLLPRI | EPOLLET);
	in_epoll(unwanted(), EPOLLONESHOT);
	in_epoll(with_datagram(), 0);
	in_epoll(with_datagram(), EPOLLET);
	queued();
	nested();
	many();
	selected();
	return 0;
}
