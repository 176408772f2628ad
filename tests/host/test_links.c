/* Links without privileges: networks that hosts join by name, and the user's own sockets. */
#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "peer.h"

/* The address the network gave: the second interface's first. */
static struct sockaddr_in given(struct peer *p)
{
	struct stack_ifaddr e;
	struct sockaddr_in a = { 0 };

	cr_assert_eq(peer_call(p, STACK_OP_IFADDRS, 0, 0, 0, 0, NULL, 0), 0);
	for (int i = 0; i < p->reply.arg[0]; i++) {
		memcpy(&e, p->reply.data + (size_t)i * sizeof(e), sizeof(e));
		if (strcmp(e.name, "lo") && e.addr.len == sizeof(a))
			memcpy(&a, e.addr.bytes, sizeof(a));
	}
	cr_assert_neq(a.sin_addr.s_addr, 0, "no address");
	return a;
}

Test(links, two_hosts_meet_in_a_lan)
{
	char dir[] = "/tmp/sockshim-test-XXXXXX", buf[16], path[200];
	struct peer a, b;
	struct sockp server, client;
	struct sockaddr_in name, from;
	struct stack_dgram d;

	cr_assert(mkdtemp(dir) != NULL);
	setenv("XDG_RUNTIME_DIR", dir, 1);
	peer_start(&a, "lan=hosts");
	peer_start(&b, "lan=hosts");
	name = given(&a);
	cr_assert_neq(name.sin_addr.s_addr, given(&b).sin_addr.s_addr);
	name.sin_port = htons(9);
	server = peer_socket(&a, AF_INET, SOCK_DGRAM);
	cr_assert_eq(peer_bind(&a, &server, &name), 0);
	client = peer_socket(&b, AF_INET, SOCK_DGRAM);
	cr_assert_eq(dgram_send(client.fd, &name, "hello", 5), 5);
	cr_assert_eq(dgram_recv(server.fd, &d, buf, sizeof(buf)), 5);
	memcpy(&from, d.peer.bytes, sizeof(from));
	cr_assert_eq(from.sin_addr.s_addr, given(&b).sin_addr.s_addr);
	cr_assert_eq(dgram_send(server.fd, &from, "there", 5), 5);
	cr_assert_eq(dgram_recv(client.fd, &d, buf, sizeof(buf)), 5);
	close(server.fd);
	close(client.fd);
	peer_stop(&a);
	peer_stop(&b);
	snprintf(path, sizeof(path), "rm -rf %s", dir);
	cr_assert_eq(system(path), 0);
}

Test(links, user_reaches_the_loopback_of_the_user)
{
	struct sockaddr_in a = v4("127.0.0.1", 0), to = v4("10.0.2.2", 0), from;
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct stack_dgram d;
	struct sockp s;
	struct peer p;
	char buf[16];

	cr_assert_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	to.sin_port = a.sin_port;
	peer_start(&p, "user");
	s = peer_socket(&p, AF_INET, SOCK_DGRAM);
	cr_assert_eq(dgram_send(s.fd, &to, "out", 3), 3);
	cr_assert(wait_events(fd, POLLIN) & POLLIN);
	len = sizeof(from);
	cr_assert_eq(recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *)&from, &len), 3);
	cr_assert_eq(sendto(fd, "back", 4, 0, (struct sockaddr *)&from, len), 4);
	cr_assert_eq(dgram_recv(s.fd, &d, buf, sizeof(buf)), 4);
	close(s.fd);
	close(fd);
	peer_stop(&p);
}
