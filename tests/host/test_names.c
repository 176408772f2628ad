/* Names: files, and a DNS server that is a program on the stack. */
#include <criterion/criterion.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "peer.h"

static struct peer p;
static struct sockp server;

static void start(void)
{
	struct sockaddr_in a = v4("127.0.0.1", 53);

	peer_start(&p, "lo,dns=127.0.0.1");
	server = peer_socket(&p, AF_INET, SOCK_DGRAM);
	cr_assert_eq(peer_bind(&p, &server, &a), 0);
}

static void stop(void)
{
	close(server.fd);
	peer_stop(&p);
}

TestSuite(names, .init = start, .fini = stop);

/* Answers @n queries: A records for web.test, NXDOMAIN for the rest. */
static void serve(int n)
{
	static const uint8_t record[] = { 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 7 };
	static const uint8_t wanted[] = "\3web\4test";
	uint8_t q[512], from[STACK_ADDR_MAX];
	struct sockaddr_in to;
	struct stack_dgram d;

	while (n--) {
		ssize_t len = dgram_recv(server.fd, &d, q, sizeof(q) - sizeof(record));
		bool known, a;

		cr_assert_gt(len, 17);
		memcpy(from, d.peer.bytes, sizeof(from));
		memcpy(&to, from, sizeof(to));
		known = !memcmp(q + 12, wanted, sizeof(wanted));
		a = q[len - 3] == 1;
		q[2] = 0x81;
		q[3] = known ? 0x80 : 0x83;
		q[7] = known && a;
		if (q[7]) {
			memcpy(q + len, record, sizeof(record));
			len += (ssize_t)sizeof(record);
		}
		cr_assert_eq(dgram_send(server.fd, &to, q, (size_t)len), len);
	}
}

static void ask(const char *name, const char *service, int family, int flags)
{
	char data[300];
	size_t n = strlen(name) + 1, m = strlen(service) + 1;

	memcpy(data, name, n);
	memcpy(data + n, service, m);
	peer_send(&p, STACK_OP_RESOLVE, 0, flags, family, 0, data, n + m);
}

static struct sockaddr_in answer(int i)
{
	struct sockaddr_in a;

	cr_assert_lt(i, p.reply.arg[0]);
	memcpy(&a, p.reply.data + p.reply.arg[1] + i * STACK_ADDR_MAX, sizeof(a));
	return a;
}

Test(names, from_the_dns_over_the_stack)
{
	ask("web.test", "http", AF_INET, 0);
	serve(1);
	cr_assert_eq(peer_wait(&p), 0);
	cr_assert_eq(p.reply.arg[0], 1);
	cr_assert_str_eq((char *)p.reply.data, "web.test");
	cr_assert_eq(answer(0).sin_addr.s_addr, inet_addr("192.0.2.7"));
	cr_assert_eq(ntohs(answer(0).sin_port), 80);
}

Test(names, both_families_are_asked_for)
{
	ask("web.test", "", AF_UNSPEC, 0);
	serve(2);
	cr_assert_eq(peer_wait(&p), 0);
	cr_assert_eq(p.reply.arg[0], 1);
	cr_assert_eq(answer(0).sin_family, AF_INET);
}

Test(names, that_are_not_there)
{
	ask("no.such", "", AF_INET, 0);
	serve(1);
	cr_assert_eq(peer_wait(&p), EAI_NONAME);
	cr_assert_eq(p.reply.arg[2], 1);
}

Test(names, numbers_are_not_looked_up)
{
	ask("192.0.2.9", "8080", AF_UNSPEC, 0);
	cr_assert_eq(peer_wait(&p), 0);
	cr_assert_eq(answer(0).sin_addr.s_addr, inet_addr("192.0.2.9"));
	cr_assert_eq(ntohs(answer(0).sin_port), 8080);
	ask("web.test", "", AF_UNSPEC, AI_NUMERICHOST);
	cr_assert_eq(peer_wait(&p), EAI_NONAME);
	ask("127.0.0.1", "no-such-service", AF_UNSPEC, 0);
	cr_assert_eq(peer_wait(&p), EAI_SERVICE);
	ask("::1", "", AF_INET, 0);
	cr_assert_eq(peer_wait(&p), EAI_ADDRFAMILY);
}

Test(names, etc_hosts_comes_first)
{
	struct sockaddr_in a = v4("127.0.0.1", 0);

	ask("localhost", "", AF_INET, 0);
	cr_assert_eq(peer_wait(&p), 0);
	cr_assert_eq(answer(0).sin_addr.s_addr, htonl(INADDR_LOOPBACK));
	cr_assert_eq(peer_call(&p, STACK_OP_NAMEINFO, 0, 0, 0, 0, &a, sizeof(a)), 0);
	cr_assert_str_eq((char *)p.reply.data, "localhost");
	cr_assert_eq(peer_call(&p, STACK_OP_NAMEINFO, 0, NI_NUMERICHOST, 0, 0, &a, sizeof(a)), 0);
	cr_assert_str_eq((char *)p.reply.data, "127.0.0.1");
}

Test(names, passive_and_loopback_without_a_name)
{
	ask("", "7", AF_INET, AI_PASSIVE);
	cr_assert_eq(peer_wait(&p), 0);
	cr_assert_eq(answer(0).sin_addr.s_addr, htonl(INADDR_ANY));
	ask("", "7", AF_INET, 0);
	cr_assert_eq(peer_wait(&p), 0);
	cr_assert_eq(answer(0).sin_addr.s_addr, htonl(INADDR_LOOPBACK));
}

Test(names, of_addresses_without_any)
{
	struct sockaddr_in a = v4("192.0.2.7", 0);

	peer_send(&p, STACK_OP_NAMEINFO, 0, 0, 0, 0, &a, sizeof(a));
	serve(1);
	cr_assert_eq(peer_wait(&p), 0);
	cr_assert_str_eq((char *)p.reply.data, "192.0.2.7");
	peer_send(&p, STACK_OP_NAMEINFO, 0, NI_NAMEREQD, 0, 0, &a, sizeof(a));
	serve(1);
	cr_assert_eq(peer_wait(&p), EAI_NONAME);
}

Test(names, a_client_may_go_while_it_waits)
{
	struct stack_dgram d;
	char buf[512];

	ask("web.test", "", AF_INET, 0);
	cr_assert_gt(dgram_recv(server.fd, &d, buf, sizeof(buf)), 0);
	/* Never answered: the host ends well all the same. */
}
