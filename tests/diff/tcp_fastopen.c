/* tcp_fastopen.c - Fast Open as a host has it that has not been told otherwise: servers give no cookies. */
#include "log.h"

#ifndef TCP_FASTOPEN_NO_COOKIE
#define TCP_FASTOPEN_NO_COOKIE 34
#endif

static void options(void)
{
	static const struct { int option; const char *name; } all[] = {
		{ TCP_FASTOPEN, "TCP_FASTOPEN" }, { TCP_FASTOPEN_CONNECT, "TCP_FASTOPEN_CONNECT" },
		{ TCP_FASTOPEN_NO_COOKIE, "TCP_FASTOPEN_NO_COOKIE" },
	};
	static const int values[] = { 1, 0, 5, -1 };
	int s[3] = { socket(AF_INET, SOCK_STREAM, 0), listener(5) };

	s[2] = connect_to(port_of(s[1]));
	puts("- options of a new socket, a listening and a connected one");
	for (int k = 0; k < 3; k++)
		for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
			printf("%s: %d\n", all[i].name, option_of(s[k], IPPROTO_TCP, all[i].option));
			for (size_t v = 0; v < sizeof(values) / sizeof(values[0]); v++) {
				DO(setsockopt(s[k], IPPROTO_TCP, all[i].option, &values[v], sizeof(int)));
				printf("%d: %d\n", values[v], option_of(s[k], IPPROTO_TCP, all[i].option));
			}
		}
	for (int k = 0; k < 3; k++)
		close(s[k]);
}

static void with_address(int type)
{
	int l = listener(5), s = socket(AF_INET, type, 0), c, r;
	struct sockaddr_in a = in4("127.0.0.1", port_of(l)), no = in4("127.0.0.1", closed_port());
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	char buf[16] = "";

	printf("- MSG_FASTOPEN, %s\n", type & SOCK_NONBLOCK ? "not waited for" : "waited for");
	DO(sendto(s, "hello", 5, MSG_FASTOPEN | MSG_NOSIGNAL, NULL, 0));
	DO(sendto(s, "hello", 5, MSG_FASTOPEN | MSG_NOSIGNAL, &none, sizeof(none)));
	DO(sendto(s, "hello", 5, MSG_FASTOPEN | MSG_NOSIGNAL, ADDR(&a), 7));
	r = (int)sendto(s, "hello", 5, MSG_FASTOPEN, ADDR(&a), sizeof(a));
	if (type & SOCK_NONBLOCK) {
		DO(r < 0 && errno == EINPROGRESS);
		POLL(s, POLLOUT);
		SO_ERROR_OF(s);
		DO(send(s, "hello", 5, 0));
	} else {
		DO(r);
	}
	c = FD(accept(l, NULL, NULL));
	DO(recv(c, buf, 5, MSG_WAITALL));
	puts(buf);
	DO(send(s, " world", 6, MSG_FASTOPEN));
	DO(sendto(s, " world", 6, MSG_FASTOPEN, ADDR(&a), sizeof(a)));
	DO(send(s, " world", 6, 0));
	DO(recv(c, buf, 6, MSG_WAITALL));
	DO(sendto(l, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL, ADDR(&a), sizeof(a)));
	close(c);
	close(s);
	close(l);
	s = socket(AF_INET, type, 0);
	r = (int)sendto(s, "hello", 5, MSG_FASTOPEN | MSG_NOSIGNAL, ADDR(&no), sizeof(no));
	if (type & SOCK_NONBLOCK) {
		DO(r < 0 && errno == EINPROGRESS);
		POLL(s, POLLERR | POLLHUP);
		SO_ERROR_OF(s);
	} else {
		log_result("refused", r);
	}
	close(s);
}

static void large(void)
{
	static char data[100000], got[100000];
	int l = listener(5), s = socket(AF_INET, SOCK_STREAM, 0), c;
	struct sockaddr_in a = in4("127.0.0.1", port_of(l));
	struct iovec v[3] = { { data, 1 }, { data + 1, 50000 }, { data + 50001, sizeof(data) - 50001 } };
	struct msghdr m = { .msg_name = &a, .msg_namelen = sizeof(a), .msg_iov = v, .msg_iovlen = 3 };

	puts("- much");
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i * 7 >> 3);
	DO(sendmsg(s, &m, MSG_FASTOPEN));
	c = accept(l, NULL, NULL);
	DO(recv(c, got, sizeof(got), MSG_WAITALL));
	DO(memcmp(got, data, sizeof(got)));
	close(c);
	close(s);
	close(l);
}

static void at_connect(int type)
{
	int l = listener(5), s = socket(AF_INET, type, 0), c, r;
	struct sockaddr_in a = in4("127.0.0.1", port_of(l));
	char buf[16] = "";

	puts("- TCP_FASTOPEN_CONNECT");
	DO(setsockopt(s, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &(int){ 1 }, sizeof(int)));
	r = connect(s, ADDR(&a), sizeof(a));
	DO(r == 0 || errno == EINPROGRESS);
	POLL(s, POLLOUT);
	DO(send(s, "hello", 5, 0));
	c = FD(accept(l, NULL, NULL));
	DO(recv(c, buf, 5, MSG_WAITALL));
	puts(buf);
	close(c);
	close(s);
	close(l);
}

int main(void)
{
	options();
	with_address(SOCK_STREAM);
	with_address(SOCK_STREAM | SOCK_NONBLOCK);
	large();
	at_connect(SOCK_STREAM);
	at_connect(SOCK_STREAM | SOCK_NONBLOCK);
	return 0;
}
