/* tcp_stamps.c - time stamps of streams: when what is read came, when what was written went out and was acknowledged; and how
 * much is left to be read (TCP_INQ).
 */
#include "stamps.h"

#include <poll.h>
#include <sys/epoll.h>

enum { TIME_NEW = 63, TIME_NS_NEW, ID_TCP = 1 << 16 };

static void set_stamping(int s, int flags)
{
	printf("flags %x: ", flags);
	DO(setsockopt(s, SOL_SOCKET, SO_TIMESTAMPING, &flags, sizeof(flags)));
}

static void set_int(int s, int level, int option, int value)
{
	printf("option %d of %d, %d: ", option, level, value);
	log_result("set", setsockopt(s, level, option, &value, sizeof(value)));
	printf("  now %d\n", option_of(s, level, option));
}

static bool is_nearer(struct timespec t, double before, double after)
{
	double at = (double)t.tv_sec + (double)t.tv_nsec / 1e9;

	return at >= before - .002 && at <= after - .01;
}

static double wall(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* A message of a stream: its control messages; the time must lie between `before` and ten milliseconds before now. */
static long receive(int s, size_t want, int flags, size_t room, double before)
{
	char control[256];
	struct iovec v = { buf, want };
	struct sockaddr_storage name;
	struct msghdr m = { .msg_name = &name, .msg_namelen = sizeof(name), .msg_iov = &v, .msg_iovlen = 1,
			    .msg_control = room ? control : NULL, .msg_controllen = room };
	long r = DO(recvmsg(s, &m, flags));
	int left;

	if (r < 0)
		return r;
	printf("  flags %x name %u control %zu\n", m.msg_flags, m.msg_namelen, m.msg_controllen);
	for (struct cmsghdr *c = m.msg_controllen ? CMSG_FIRSTHDR(&m) : NULL; c; c = CMSG_NXTHDR(&m, c)) {
		struct timespec ts[3];
		struct timeval tv;

		printf("  level %d type %d length %zu", c->cmsg_level, c->cmsg_type, c->cmsg_len);
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_len >= CMSG_LEN(sizeof(ts[0]))) {
			memcpy(ts, CMSG_DATA(c), sizeof(ts[0]));
			if (c->cmsg_type == SO_TIMESTAMP || c->cmsg_type == TIME_NEW) {
				memcpy(&tv, CMSG_DATA(c), sizeof(tv));
				ts[0].tv_nsec = tv.tv_usec * 1000;
			}
			printf(" when it came: %d", is_nearer(ts[0], before, wall()));
		} else if (c->cmsg_level == IPPROTO_TCP) {
			memcpy(&left, CMSG_DATA(c), sizeof(left));
			printf(" left %d", left);
		}
		puts("");
	}
	return r;
}

static void arrive(int from, int to, int n, int all)
{
	send(from, buf, (size_t)n, 0);
	wait_bytes(to, all);
	usleep(30000);
}

static void received(void)
{
	static const struct { int option, value; } how[] = {
		{ SO_TIMESTAMP, 1 }, { SO_TIMESTAMPNS, 1 }, { TIME_NEW, 1 }, { TIME_NS_NEW, 1 }, { SO_TIMESTAMPING, RX | SOFT },
		{ TIMESTAMPING_NEW, RX | SOFT }, { SO_TIMESTAMP, 0 }, { SO_TIMESTAMPING, SOFT }, { SO_TIMESTAMPING, SOFT | FILTER },
		{ SO_TIMESTAMPING, RX }, { SO_TIMESTAMPING, 0 },
	};
	double before;
	int s[2];

	puts("- received");
	connection(s);
	for (size_t i = 0; i < sizeof(how) / sizeof(how[0]); i++) {
		set_int(s[1], SOL_SOCKET, how[i].option, how[i].value);
		before = wall();
		arrive(s[0], s[1], 10, 10);
		receive(s[1], 4, MSG_PEEK, 256, before);
		receive(s[1], 4, 0, 256, before);
		receive(s[1], 3, 0, 0, before);
		receive(s[1], 1, 0, 20, before);
		receive(s[1], 1, 0, 8, before);
		receive(s[1], 100, 0, 256, before);
		receive(s[1], 100, MSG_DONTWAIT, 256, before);
	}
	close(s[0]);
	close(s[1]);
}

/* Segments that came at different times are told of by the last that was read from, and so are those that were put together. */
static void several(void)
{
	double first, second;
	static char large[40000];
	int s[2];

	puts("- several");
	connection(s);
	set_int(s[1], SOL_SOCKET, SO_TIMESTAMPNS, 1);
	first = wall();
	send(s[0], large, sizeof(large), 0);
	wait_bytes(s[1], sizeof(large));
	usleep(50000);
	second = wall();
	send(s[0], large, 30000, 0);
	wait_bytes(s[1], sizeof(large) + 30000);
	usleep(30000);
	for (int i = 0; i < 13; i++)
		receive(s[1], 3000, 0, 100, first);
	receive(s[1], 3000, 0, 100, second);
	for (int i = 0; i < 8; i++)
		receive(s[1], 3000, 0, 100, second);
	receive(s[1], 3000, 0, 100, second);
	send(s[0], large, 10, 0);
	wait_bytes(s[1], 10);
	receive(s[1], 0, 0, 100, first);
	DO(read(s[1], buf, 4));
	close(s[0]);
	close(s[1]);
}

static void inherited(void)
{
	double before = wall();
	int l = listener(5), c, s;

	puts("- inherited");
	set_int(l, SOL_SOCKET, SO_TIMESTAMPNS, 1);
	set_int(l, SOL_SOCKET, SO_TIMESTAMPING, RX | SOFT);
	set_int(l, IPPROTO_TCP, TCP_INQ, 1);
	c = connect_to(port_of(l));
	s = accept(l, NULL, NULL);
	printf("  %d %x %d\n", option_of(s, SOL_SOCKET, SO_TIMESTAMPNS), option_of(s, SOL_SOCKET, SO_TIMESTAMPING),
	       option_of(s, IPPROTO_TCP, TCP_INQ));
	arrive(c, s, 5, 5);
	receive(s, 3, 0, 256, before);
	shutdown(c, SHUT_WR);
	POLL(s, POLLRDHUP);
	usleep(30000);
	receive(s, 100, 0, 256, before);
	receive(s, 100, 0, 256, before);
	close(c);
	close(s);
	close(l);
}

static void left(void)
{
	static const int values[] = { 1, 2, -1, 0, 1 };
	int s[2], t = socket(AF_INET, SOCK_STREAM, 0);

	puts("- left");
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		set_int(t, IPPROTO_TCP, TCP_INQ, values[i]);
	close(t);
	connection(s);
	set_int(s[1], IPPROTO_TCP, TCP_INQ, 1);
	arrive(s[0], s[1], 10, 10);
	receive(s[1], 4, 0, 256, 0);
	receive(s[1], 4, MSG_PEEK, 256, 0);
	receive(s[1], 4, MSG_TRUNC, 256, 0);
	receive(s[1], 2, MSG_WAITALL, 256, 0);
	receive(s[1], 2, MSG_DONTWAIT, 256, 0);
	send(s[0], buf, 5, 0);
	shutdown(s[0], SHUT_WR);
	POLL(s[1], POLLRDHUP);
	receive(s[1], 2, 0, 256, 0);
	receive(s[1], 3, 0, 256, 0);
	receive(s[1], 3, 0, 256, 0);
	receive(s[1], 3, 0, 0, 0);
	receive(s[1], 3, 0, 18, 0);
	close(s[0]);
	close(s[1]);
}

/* That many entries of the error queue, and no more. */
static void take(int s, int n)
{
	for (int i = 0; i < n; i++) {
		POLL(s, POLLERR);
		show(s, MSG_ERRQUEUE, sizeof(buf));
	}
	show(s, MSG_ERRQUEUE, sizeof(buf));
	SO_ERROR_OF(s);
	POLL(s, POLLOUT);
}

static int entries(int flags)
{
	return !!(flags & TX) + !!(flags & SCHED) + !!(flags & ACK);
}

static void pair(int domain, int s[2])
{
	struct sockaddr_in6 a = in6("::1", 0);
	socklen_t len = sizeof(a);
	int l;

	if (domain == AF_INET) {
		connection(s);
		return;
	}
	l = socket(AF_INET6, SOCK_STREAM, 0);
	bind(l, ADDR(&a), sizeof(a));
	listen(l, 1);
	getsockname(l, ADDR(&a), &len);
	s[0] = socket(AF_INET6, SOCK_STREAM, 0);
	connect(s[0], ADDR(&a), sizeof(a));
	s[1] = accept(l, NULL, NULL);
	close(l);
}

static void sent(int domain)
{
	static const int flags[] = {
		TX | SOFT | ONLY, TX | ID | SOFT | ONLY, TX | SCHED | ACK | ID | SOFT | ONLY, ACK | SOFT | ID | ONLY, TX | SOFT, ACK | SOFT,
		TX | SCHED | SOFT | CMSG, TX | ACK, ID | SOFT, ID | ID_TCP | TX | ACK | SOFT | ONLY, 0,
	};
	int s[2];

	puts("- sent");
	pair(domain, s);
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		set_stamping(s[0], flags[i]);
		DO(send(s[0], "abcd", 4, 0));
		wait_bytes(s[1], 4);
		take(s[0], entries(flags[i]));
		DO(write(s[0], "efg", 3));
		wait_bytes(s[1], 7);
		DO(recv(s[1], buf, sizeof(buf), 0));
		take(s[0], entries(flags[i]));
	}
	close(s[0]);
	close(s[1]);
}

/* A large one is stamped once, at its end; and what comes after it has its own. */
static void large(void)
{
	static char bytes[100000];
	int s[2];

	puts("- large");
	connection(s);
	set_stamping(s[0], ACK | ID | SOFT | ONLY);
	DO(send(s[0], bytes, sizeof(bytes), 0));
	DO(recv(s[1], bytes, sizeof(bytes), MSG_WAITALL));
	take(s[0], 1);
	DO(send(s[0], bytes, 3, 0));
	take(s[0], 1);
	close(s[0]);
	close(s[1]);
}

/* What did not fit is not waited for. */
static void partly(void)
{
	static char bytes[8 << 20];
	unsigned long sum = 0;
	long n, r;
	int s[2];

	puts("- partly");
	connection(s);
	set_stamping(s[0], ACK | ID | SOFT | ONLY);
	n = send(s[0], bytes, sizeof(bytes), MSG_DONTWAIT);
	printf("less: %d\n", n > 0 && n < (long)sizeof(bytes));
	while ((long)sum < n && (r = recv(s[1], bytes, sizeof(bytes), 0)) > 0)
		sum += (unsigned long)r;
	POLL(s[0], POLLERR);
	{
		char control[256];
		struct msghdr m = { .msg_control = control, .msg_controllen = sizeof(control) };
		struct sock_extended_err e = { 0 };

		DO(recvmsg(s[0], &m, MSG_ERRQUEUE));
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
			if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR)
				memcpy(&e, CMSG_DATA(c), sizeof(e));
		printf("the last that fitted: %d\n", e.ee_data == (uint32_t)n - 1);
	}
	DO(send(s[0], bytes, 0, 0));
	show(s[0], MSG_ERRQUEUE, 0);
	close(s[0]);
	close(s[1]);
}

/* Flags of one write. */
static void for_one(int level, int type, int value, size_t len)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec v = { buf, 3 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE(len) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	static int s[2];

	if (!s[1]) {
		connection(s);
		set_stamping(s[0], SOFT | ID | ONLY);
	}
	*c = (struct cmsghdr){ CMSG_LEN(len), level, type };
	memcpy(CMSG_DATA(c), &value, len);
	printf("- for one: level %d type %d, %x of %zu\n", level, type, value, len);
	if (DO(sendmsg(s[0], &m, 0)) < 0)
		return;
	wait_bytes(s[1], 3);
	DO(recv(s[1], buf, sizeof(buf), 0));
	take(s[0], level == SOL_SOCKET ? entries(value) : 0);
}

/* Sends a little later, from another process. */
static pid_t later(int s, const char *what, int ms)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	usleep((useconds_t)ms * 1000);
	_exit(send(s, what, 1, 0) != 1);
}

static void wait_for(pid_t pid)
{
	int status = -1;

	waitpid(pid, &status, 0);
	printf("sent: %d\n", status == 0);
}

/* Who waits, for whatever it may be, is woken; in epoll also if the registration is older than the wish for stamps. */
static void waited(void)
{
	static const uint32_t how[] = { EPOLLIN, 0, EPOLLIN | EPOLLET, EPOLLIN | EPOLLONESHOT, EPOLLIN | EPOLLPRI | EPOLLRDHUP };
	struct epoll_event e;
	struct timespec limit = { 5, 0 };
	struct pollfd p;
	fd_set in;
	int s[2], ep;
	pid_t pid;

	puts("- waited for");
	connection(s);
	set_stamping(s[0], TX | SOFT | ID | ONLY);
	for (int i = 0; i < 4; i++) {
		pid = later(s[0], "x", 30);
		p = (struct pollfd){ s[0], i == 1 ? POLLIN : 0, 0 };
		if (i < 2)
			DO(poll(&p, 1, 5000));
		else if (i == 2)
			DO(ppoll(&p, 1, &limit, NULL));
		else
			DO(poll(&p, 1, -1));
		log_events("poll", p.revents);
		wait_for(pid);
		show(s[0], MSG_ERRQUEUE, 0);
		DO(poll(&p, 1, 0));
		pid = later(s[0], "x", 30);
		FD_ZERO(&in);
		FD_SET(s[0], &in);
		if (i < 2)
			DO(select(s[0] + 1, &in, NULL, NULL, i ? NULL : &(struct timeval){ 5, 0 }));
		else
			DO(pselect(s[0] + 1, &in, NULL, NULL, i == 2 ? NULL : &limit, NULL));
		printf("  set %d\n", FD_ISSET(s[0], &in) != 0);
		wait_for(pid);
		show(s[0], MSG_ERRQUEUE, 0);
		FD_ZERO(&in);
		FD_SET(s[0], &in);
		DO(select(s[0] + 1, &in, NULL, NULL, &(struct timeval){ 0, 1000 }));
		printf("  set %d\n", FD_ISSET(s[0], &in) != 0);
	}
	close(s[0]);
	close(s[1]);
	for (size_t i = 0; i < sizeof(how) / sizeof(how[0]); i++) {
		printf("epoll %x\n", how[i]);
		connection(s);
		ep = epoll_create1(0);
		e = (struct epoll_event){ .events = how[i], .data.u64 = 77 };
		if (i % 2)
			set_stamping(s[0], TX | SOFT | ID | ONLY);
		DO(epoll_ctl(ep, EPOLL_CTL_ADD, s[0], &e));
		if (i % 2 == 0)
			set_stamping(s[0], TX | SOFT | ID | ONLY);
		for (int k = 0; k < 3; k++) {
			pid = later(s[0], "y", 30);
			e.events = 0;
			if (DO(epoll_wait(ep, &e, 1, how[i] & EPOLLONESHOT && k == 1 ? 200 : 5000)) > 0)
				printf("  data %d ", (int)e.data.u64), log_events("epoll", (int)e.events);
			wait_for(pid);
			DO(epoll_wait(ep, &e, 1, 0));
			show(s[0], MSG_ERRQUEUE, 0);
			DO(epoll_wait(ep, &e, 1, 0));
			if (k == 1 && how[i] & EPOLLONESHOT) {
				e = (struct epoll_event){ .events = how[i], .data.u64 = 78 };
				DO(epoll_ctl(ep, EPOLL_CTL_MOD, s[0], &e));
			}
		}
		DO(epoll_ctl(ep, EPOLL_CTL_DEL, s[0], &e));
		pid = later(s[0], "y", 0);
		wait_for(pid);
		POLL(s[0], POLLERR);
		DO(epoll_wait(ep, &e, 1, 50));
		close(ep);
		close(s[0]);
		close(s[1]);
	}
}

/* With bytes to read at the same time: one event says both. */
static void both(void)
{
	struct epoll_event e[4] = { { .events = EPOLLIN, .data.u64 = 5 } };
	int s[2], ep = epoll_create1(0);

	puts("- both");
	connection(s);
	set_stamping(s[0], TX | SOFT | ID | ONLY);
	DO(epoll_ctl(ep, EPOLL_CTL_ADD, s[0], e));
	DO(send(s[1], "abc", 3, 0));
	POLL(s[0], POLLIN);
	DO(send(s[0], "abc", 3, 0));
	POLL(s[0], POLLERR);
	DO(epoll_wait(ep, e, 4, 1000));
	printf("  data %d ", (int)e[0].data.u64);
	log_events("epoll", (int)e[0].events);
	DO(recv(s[0], buf, 10, 0));
	DO(epoll_wait(ep, e, 4, 1000));
	log_events("epoll", (int)e[0].events);
	show(s[0], MSG_ERRQUEUE, 0);
	DO(epoll_wait(ep, e, 4, 10));
	DO(send(s[1], "abc", 3, 0));
	DO(epoll_wait(ep, e, 4, 1000));
	log_events("epoll", (int)e[0].events);
	close(ep);
	close(s[0]);
	close(s[1]);
}

int main(void)
{
	settle();
	received();
	several();
	inherited();
	left();
	sent(AF_INET);
	sent(AF_INET6);
	large();
	partly();
	for_one(SOL_SOCKET, SO_TIMESTAMPING, TX, 4);
	for_one(SOL_SOCKET, SO_TIMESTAMPING, TX | ACK, 4);
	for_one(SOL_SOCKET, TIMESTAMPING_NEW, ACK, 4);
	for_one(SOL_SOCKET, SO_TIMESTAMPING, 0, 4);
	for_one(SOL_SOCKET, SO_TIMESTAMPING, TX | SOFT, 4);
	for_one(SOL_SOCKET, SO_TIMESTAMPING, TX, 3);
	for_one(SOL_SOCKET, 1000, TX, 4);
	for_one(IPPROTO_IP, 1000, TX, 4);
	waited();
	both();
	return 0;
}
