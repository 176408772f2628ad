/* Hosts that join one network by name. */
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

Test(lan, two_hosts_meet)
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
