/* tcp_data.c - data on streams: flags of receiving and sending, vectors, queues, limits. */
#include "log.h"
#include <sys/uio.h>

static char buf[1 << 20];

static void flags(void)
{
	int s[2];

	puts("- flags");
	connection(s);
	DO(recv(s[1], buf, 10, MSG_DONTWAIT));
	DO(send(s[0], "0123456789", 10, 0));
	wait_bytes(s[1], 10);
	DO(recv(s[1], buf, 4, MSG_PEEK));
	printf("%.4s\n", buf);
	DO(recv(s[1], buf, 4, 0));
	printf("%.4s\n", buf);
	DO(recv(s[1], NULL, 3, MSG_TRUNC));
	DO(recv(s[1], buf, 10, 0));
	printf("%.3s\n", buf);
	DO(send(s[0], "abc", 3, MSG_MORE));
	DO(send(s[0], "def", 3, 0));
	DO(recv(s[1], buf, 6, MSG_WAITALL));
	printf("%.6s\n", buf);
	DO(send(s[0], "short", 5, 0));
	DO(shutdown(s[0], SHUT_WR));
	DO(recv(s[1], buf, 100, MSG_WAITALL));
	DO(recv(s[1], buf, 0, 0));
	DO(send(s[1], buf, 0, 0));
	DO(recv(s[0], buf, 0, MSG_DONTWAIT));
	close(s[0]);
	close(s[1]);
}

static void vectors(void)
{
	struct iovec out[3] = { { (char *)"one", 3 }, { (char *)"", 0 }, { (char *)"three", 5 } };
	char a[4] = "", b[8] = "";
	struct iovec in[2] = { { a, 3 }, { b, 5 } };
	struct sockaddr_in name;
	struct msghdr m = { .msg_iov = in, .msg_iovlen = 2, .msg_name = &name, .msg_namelen = sizeof(name) };
	struct msghdr o = { .msg_iov = out, .msg_iovlen = 3 };
	struct mmsghdr mm[2] = { { .msg_hdr = o }, { .msg_hdr = o } };
	int s[2];

	puts("- vectors");
	connection(s);
	DO(writev(s[0], out, 3));
	wait_bytes(s[1], 8);
	DO(readv(s[1], in, 2));
	printf("%s %s\n", a, b);
	DO(sendmsg(s[0], &o, 0));
	wait_bytes(s[1], 8);
	DO(recvmsg(s[1], &m, 0));
	printf("%s %s flags %x name %u\n", a, b, m.msg_flags, m.msg_namelen);
	DO(sendmmsg(s[0], mm, 2, 0));
	printf("%u %u\n", mm[0].msg_len, mm[1].msg_len);
	wait_bytes(s[1], 16);
	DO(read(s[1], buf, 100));
	DO(writev(s[0], out, -1));
	DO(writev(s[0], out, 2000));
	DO(readv(s[1], in, -1));
	DO(write(s[0], (void *)8, 5));
	DO(sendto(s[0], "with an address", 15, 0, ADDR(&(struct sockaddr_in){ .sin_family = AF_INET }), sizeof(struct sockaddr_in)));
	wait_bytes(s[1], 15);
	m.msg_namelen = sizeof(name);
	DO(recvfrom(s[1], buf, 100, 0, ADDR(&name), &m.msg_namelen));
	printf("name %u\n", m.msg_namelen);
	close(s[0]);
	close(s[1]);
}

static void queues(void)
{
	int s[2], n = -1;

	puts("- queues");
	connection(s);
	DO(ioctl(s[1], FIONREAD, &n));
	printf("%d\n", n);
	DO(send(s[0], buf, 1000, 0));
	wait_bytes(s[1], 1000);
	DO(ioctl(s[1], FIONREAD, &n));
	printf("%d\n", n);
	for (int i = 0; i < 1000 && ioctl(s[0], TIOCOUTQ, &n) == 0 && n; i++)
		usleep(2000);
	printf("unacknowledged %d\n", n);
	close(s[0]);
	close(s[1]);
	n = listener(1);
	DO(ioctl(n, FIONREAD, &s[0]));
	close(n);
}

/* What a full connection does, and that it goes on when there is room again. */
static void full(void)
{
	long sent = 0, got = 0, r;
	int s[2];

	puts("- full");
	connection(s);
	nonblocking(s[0], true);
	while ((r = send(s[0], buf, sizeof(buf), 0)) > 0)
		sent += r;
	log_result("send", r);
	for (int i = 0; i < 100; i++) {		/* what the window takes in still */
		usleep(3000);
		while ((r = send(s[0], buf, sizeof(buf), 0)) > 0)
			sent += r;
	}
	POLL(s[0], 0);
	while (got < sent) {
		r = recv(s[1], buf, sizeof(buf), 0);
		if (r <= 0)
			break;
		got += r;
	}
	printf("all: %d\n", got == sent);
	POLL(s[0], POLLOUT);
	DO(send(s[0], "more", 4, 0));
	close(s[0]);
	close(s[1]);
}

static void timeouts(void)
{
	struct timeval tv = { 0, 60000 }, none = { 0, 0 }, got;
	socklen_t len = sizeof(got);
	long r;
	int s[2];

	puts("- timeouts");
	connection(s);
	DO(setsockopt(s[1], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	DO(recv(s[1], buf, 10, 0));
	DO(getsockopt(s[1], SOL_SOCKET, SO_RCVTIMEO, &got, &len));
	DO(setsockopt(s[1], SOL_SOCKET, SO_RCVTIMEO, &tv, 4));
	tv.tv_usec = 2000000;
	DO(setsockopt(s[1], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	tv.tv_usec = 300000;
	DO(setsockopt(s[0], SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)));
	while ((r = send(s[0], buf, sizeof(buf), 0)) > 0)
		;
	log_result("send", r);
	DO(setsockopt(s[1], SOL_SOCKET, SO_RCVTIMEO, &none, sizeof(none)));
	close(s[0]);
	close(s[1]);
}

static void lowat(void)
{
	int s[2];

	puts("- SO_RCVLOWAT");
	connection(s);
	DO(setsockopt(s[1], SOL_SOCKET, SO_RCVLOWAT, &(int){ 5 }, sizeof(int)));
	DO(option_of(s[1], SOL_SOCKET, SO_RCVLOWAT));
	DO(send(s[0], "abcde", 5, 0));
	DO(recv(s[1], buf, 10, 0));
	close(s[0]);
	close(s[1]);
}

int main(void)
{
	flags();
	vectors();
	queues();
	full();
	timeouts();
	lowat();
	return 0;
}
