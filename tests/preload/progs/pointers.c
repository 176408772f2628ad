/* pointers.c - each pointer of each call: leading nowhere, NULL, and to memory that can be read and not written.
 * What it prints is the same with the library and without. */
#include "report.h"

#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

static void *forbidden;			/* a page that can't be read or written */
static char *readonly;			/* a page that can be read */

static void bad_pointers(void *bad)
{
	struct sockaddr_storage ss;
	struct sockaddr_in a, b = loopback(9);
	socklen_t n = sizeof(ss);
	char buf[64] = "some bytes to be sent";
	struct iovec v = { buf, 8 }, badv = { bad, 8 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	struct mmsghdr mm[2] = { { .msg_hdr = m }, { .msg_hdr = m } };
	int l = listener(&a), u = socket(AF_INET, SOCK_DGRAM, 0), tcp[2], v4;
	int ep = epoll_of(here[0]);

	tcp_pair(tcp);
	current = "bad";
	DO("socketpair", socketpair(AF_UNIX, SOCK_STREAM, 0, bad));
	DO("bind", bind(u, bad, sizeof(b)));
	DO("connect", connect(u, bad, sizeof(b)));
	connect_to(l);
	DO("accept addr", v4 = accept(l, bad, &n));
	close(v4);
	connect_to(l);
	DO("accept len", v4 = accept(l, (struct sockaddr *)&ss, bad));
	close(v4);
	connect_to(l);
	DO("accept4", v4 = accept4(l, bad, bad, SOCK_CLOEXEC));
	close(v4);
	for (int fd = here[0], i = 0; i < 3; fd = i ? u : tcp[0], i++) {
		DO("getsockopt value", getsockopt(fd, SOL_SOCKET, SO_ERROR, bad, &n));
		DO("getsockopt len", getsockopt(fd, SOL_SOCKET, SO_ERROR, &v4, bad));
		DO("setsockopt", setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, bad, sizeof(int)));
		DO("getsockname", getsockname(fd, bad, &n));
		DO("getsockname len", getsockname(fd, (struct sockaddr *)&ss, bad));
		DO("getpeername", getpeername(fd, bad, &n));
		DO("getpeername len", getpeername(fd, (struct sockaddr *)&ss, bad));
		DO("send", send(fd, bad, 8, 0));
		DO("sendto", sendto(fd, bad, 8, 0, NULL, 0));
		DO("sendto addr", sendto(fd, buf, 8, 0, bad, sizeof(b)));
		DO("sendmsg", sendmsg(fd, bad, 0));
		m.msg_iov = bad;
		DO("sendmsg vector", sendmsg(fd, &m, 0));
		m.msg_iov = &badv;
		DO("sendmsg data", sendmsg(fd, &m, 0));
		m.msg_iov = &v;
		m.msg_control = bad;
		m.msg_controllen = 32;
		DO("sendmsg control", sendmsg(fd, &m, 0));
		m.msg_control = NULL;
		m.msg_controllen = 0;
		m.msg_name = bad;
		m.msg_namelen = sizeof(b);
		DO("sendmsg name", sendmsg(fd, &m, 0));
		m.msg_name = NULL;
		m.msg_namelen = 0;
		DO("sendmmsg", sendmmsg(fd, bad, 2, 0));
		DO("write", write(fd, bad, 8));
		DO("writev", writev(fd, bad, 1));
		DO("writev data", writev(fd, &badv, 1));
		DO("sendfile", sendfile(fd, file, bad == NULL ? (void *)8 : bad, 3));
		drain(fd == here[0] ? here[1] : tcp[1]);
	}
	for (int fd = here[0], peer = here[1], i = 0; i < 2; fd = tcp[0], peer = tcp[1], i++) {
		put(peer, "0123456789abcdef");
		await(fd, POLLIN);
		DO("recv", recv(fd, bad, 8, MSG_DONTWAIT));
		DO("recvfrom", recvfrom(fd, bad, 8, MSG_DONTWAIT, NULL, NULL));
		DO("recvmsg", recvmsg(fd, bad, MSG_DONTWAIT));
		m.msg_iov = bad;
		DO("recvmsg vector", recvmsg(fd, &m, MSG_DONTWAIT));
		m.msg_iov = &badv;
		DO("recvmsg data", recvmsg(fd, &m, MSG_DONTWAIT));
		m.msg_iov = &v;
		DO("recvmmsg", recvmmsg(fd, bad, 2, MSG_DONTWAIT, NULL));
		mm[0].msg_hdr.msg_iov = bad;
		DO("recvmmsg vector", recvmmsg(fd, mm, 2, MSG_DONTWAIT, NULL));
		mm[0].msg_hdr.msg_iov = &v;
		DO("read", read(fd, bad, 8));
		DO("readv", readv(fd, bad, 1));
		DO("readv data", readv(fd, &badv, 1));
		drain(fd);
	}
	DO("ioctl", ioctl(here[0], FIONREAD, bad));
	DO("fcntl", fcntl(file, F_SETLK, bad));
	DO("poll", poll(bad, 1, 0));
	DO("ppoll", ppoll(bad, 1, &(struct timespec){ 0, 0 }, NULL));
	DO("ppoll mask", ppoll(NULL, 0, &(struct timespec){ 0, 0 }, bad));
	DO("select", select(here[0] + 1, bad, NULL, NULL, &(struct timeval){ 0, 0 }));
	DO("epoll_wait", epoll_wait(ep, bad, 1, 0));
	DO("epoll_ctl", epoll_ctl(ep, EPOLL_CTL_DEL, here[0], bad));
	close(ep);
	close(l);
	close(u);
	close(tcp[0]);
	close(tcp[1]);
}

static void map_bad(void)
{
	forbidden = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	readonly = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(forbidden != MAP_FAILED && readonly != MAP_FAILED);
	signal(SIGPIPE, SIG_IGN);
}

static void pass_bad_pointers(int argc, char **argv)
{
	map_bad();
	step = "null";
	fresh();
	bad_pointers(NULL);
	stale();
	step = "unmapped";
	fresh();
	bad_pointers((void *)4096);		/* below what may be mapped */
	stale();
	step = "forbidden";
	fresh();
	bad_pointers(forbidden);
	stale();
	step = "noncanonical";
	fresh();
	bad_pointers((void *)0x8000000000000000ul);
	stale();
	step = "readonly";
	fresh();
	bad_pointers(readonly);
	stale();
}

/* Headers that may be read and not written: what the kernel would have to write there can't be. */
static void pass_readonly_headers(int argc, char **argv)
{
	static char buf[16];
	struct iovec v = { buf, 8 };
	struct mmsghdr mm = { .msg_hdr = { .msg_iov = &v, .msg_iovlen = 1 } };

	map_bad();
	fresh();
	step = "header";
	current = "readonly";
	CHECK(mprotect(readonly, 4096, PROT_READ | PROT_WRITE) == 0);
	memcpy(readonly, &mm, sizeof(mm));
	CHECK(mprotect(readonly, 4096, PROT_READ) == 0);
	put(here[1], "0123456789abcdef");
	DO("recvmsg", recvmsg(here[0], (struct msghdr *)readonly, 0));
	DO("recvmmsg", recvmmsg(here[0], (struct mmsghdr *)readonly, 1, 0, NULL));
	DO("sendmmsg", sendmmsg(here[0], (struct mmsghdr *)readonly, 1, 0));
}

PROG({ "pointers", pass_bad_pointers }, { "headers", pass_readonly_headers })
