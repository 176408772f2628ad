/*
 * What one socket of a stack costs from the server to the client, with tcp_info: found among the endpoints,
 * filled in, written, sent over a unix socket, received and parsed. One thread does both sides in
 * turn, so that the figure is work and not the scheduler's.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "client/conn.h"
#include "host/diag.h"
#include "wire/inet.h"
#include "wire/state.h"

#define ROUNDS 9

/* Connections from one address: fewer than it has ports. */
#define CONNECTIONS_EACH 20000

static struct host *host;

static void die(const char *what)
{
	fprintf(stderr, "%s\n", what);
	exit(1);
}

/* Connections of the stack with itself, both ends of each: @n sockets and the listening one. */
static void connect_all(uint64_t n)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(80) };
	struct sock *listening, *k;

	if (sock_new(host->stack, AF_INET, SOCK_STREAM, 0, &listening) ||
	    sock_bind(listening, (struct sockaddr *)&to, sizeof(to)) || sock_listen(listening, 100))
		die("no listening socket");
	for (uint64_t i = 0; i < n / 2; i++) {
		to.sin_addr.s_addr = htonl((uint32_t)(INADDR_LOOPBACK + i / CONNECTIONS_EACH));
		if (sock_new(host->stack, AF_INET, SOCK_STREAM, 0, &k) ||
		    sock_connect(k, (struct sockaddr *)&to, sizeof(to)) != -EINPROGRESS)
			die("no connection");
		for (int j = 0; j < 4; j++)
			stack_run(host->stack);
		if (sock_accept(listening, &k, NULL, NULL))
			die("no connection arrived");
	}
}

static uint64_t sockets, sum;

static void parse(const uint8_t *p, size_t len)
{
	struct diag_tcp_info ti;
	struct diag_inet s;

	while (len >= NLMSG_HDRLEN) {
		const struct nlmsghdr *nlh = (const void *)p;

		if (nlh->nlmsg_type == SOCK_DIAG_BY_FAMILY &&
		    !diag_failed(diag_inet_parse(NLMSG_DATA(nlh), nlh->nlmsg_len - NLMSG_HDRLEN, &s))) {
			diag_tcp_info_read(&ti, s.attrs[INET_DIAG_INFO].data, s.attrs[INET_DIAG_INFO].len);
			sum += ti.bytes_acked;
			sockets++;
		}
		p += NLMSG_ALIGN(nlh->nlmsg_len);
		len -= NLMSG_ALIGN(nlh->nlmsg_len);
	}
}

static void no_reply(const void *data, size_t len, void *arg)
{
}

static double cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double one_dump(struct diag_session *s, struct diag_conn *c, int fd, double *longest_step)
{
	static _Alignas(8) uint8_t out[DIAG_BUF_SIZE], in[DIAG_BUF_SIZE];
	_Alignas(4) uint8_t room[DIAG_REQ_ROOM];
	struct diag_req r;
	double start = cpu_ns();
	size_t len;

	sockets = 0;
	diag_req_inet(&r, room, sizeof(room), AF_INET, IPPROTO_TCP);
	diag_req_inet_body(&r)->idiag_ext = DIAG_EXT_INFO;
	diag_session_receive(s, room, r.nlh->nlmsg_len, no_reply, NULL);
	while (diag_session_dumping(s)) {
		double step = longest_step ? cpu_ns() : 0;

		len = diag_session_continue(s, out, sizeof(out));
		if (send(fd, out, len, 0) < 0)
			exit(1);
		if (longest_step && cpu_ns() - step > *longest_step)
			*longest_step = cpu_ns() - step;
		if (diag_failed(diag_conn_recv(c, in, sizeof(in), &len)))
			exit(1);
		parse(in, len);
	}
	return (cpu_ns() - start) / (double)sockets;
}

int main(int argc, char **argv)
{
	char error[SPEC_ERROR_MAX];
	static struct spec spec;
	double ns[ROUNDS], longest = 0;
	struct diag_session s;
	struct diag_conn c;
	int fds[2];

	if (spec_parse("lo", &spec, error) || host_new(&spec, "bench", &host, error))
		die(error);
	connect_all(argc > 1 ? strtoull(argv[1], NULL, 10) : 10000);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds) || diag_failed(diag_conn_from_fd(&c, fds[0])))
		return 1;
	diag_session_init(&s, &diag_table_ops, host->diag, 0, true);
	one_dump(&s, &c, fds[1], NULL);
	for (int i = 0; i < ROUNDS; i++)
		ns[i] = one_dump(&s, &c, fds[1], NULL);
	one_dump(&s, &c, fds[1], &longest); /* asking the clock twice a step would tell on the others */
	qsort(ns, ROUNDS, sizeof(ns[0]), by_value);
	printf("%llu %.0f %.0f\n", (unsigned long long)sockets, ns[ROUNDS / 2], longest / 1000);
	return 0;
}
