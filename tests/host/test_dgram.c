/* Datagram sockets through the host. */
#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "peer.h"

static struct peer p;

static void start(void)
{
	peer_start(&p, "lo");
}

static void stop(void)
{
	peer_stop(&p);
}

TestSuite(dgram, .init = start, .fini = stop);

static struct sockp bound(const char *addr, struct sockaddr_in *name)
{
	struct sockp s = peer_socket(&p, AF_INET, SOCK_DGRAM);
	struct sockaddr_in a = v4(addr, 0);

	cr_assert_eq(peer_bind(&p, &s, &a), 0);
	*name = peer_name(&p, &s, false);
	return s;
}

Test(dgram, echo_between_two_sockets)
{
	struct sockaddr_in server_name, from;
	struct sockp server = bound("127.0.0.1", &server_name), client = peer_socket(&p, AF_INET, SOCK_DGRAM);
	struct stack_dgram d;
	char buf[64];

	cr_assert_eq(dgram_send(client.fd, &server_name, "ping", 4), 4);
	cr_assert_eq(dgram_recv(server.fd, &d, buf, sizeof(buf)), 4);
	cr_assert_arr_eq(buf, "ping", 4);
	cr_assert_eq(d.peer.len, sizeof(from));
	memcpy(&from, d.peer.bytes, sizeof(from));
	cr_assert_eq(from.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
	cr_assert_eq(dgram_send(server.fd, &from, "pong!", 5), 5);
	cr_assert_eq(dgram_recv(client.fd, &d, buf, sizeof(buf)), 5);
	cr_assert_arr_eq(buf, "pong!", 5);
	/* The socket was bound by sending, and the board says so. */
	cr_assert_eq(peer_entry(&p, &client).local.len, sizeof(from));
	close(server.fd);
	close(client.fd);
}

/* What is asked for is on the board; what is there to be told comes with every datagram. */
Test(dgram, all_is_told_of_one_that_came_before_it_was_asked_for)
{
	struct sockaddr_in name, to;
	struct sockp server = bound("127.0.0.1", &name), client = peer_socket(&p, AF_INET, SOCK_DGRAM);
	struct stack_dgram d;
	char buf[8];
	int on = 1;

	cr_assert_eq(dgram_send(client.fd, &name, "x", 1), 1);
	cr_assert(wait_events(server.fd, POLLIN) & POLLIN);
	cr_assert_eq(peer_entry(&p, &server).asks, 0);
	cr_assert_eq(peer_call(&p, STACK_OP_SETOPT, server.cookie, IPPROTO_IP, IP_PKTINFO, 0, &on, sizeof(on)), 0);
	cr_assert_eq(peer_call(&p, STACK_OP_SETOPT, server.cookie, IPPROTO_IP, IP_RECVTTL, 0, &on, sizeof(on)), 0);
	cr_assert_eq(peer_entry(&p, &server).asks, STACK_DGRAM_PKTINFO | STACK_DGRAM_TTL);
	cr_assert_eq(peer_entry(&p, &server).asks6, 0);
	cr_assert_eq(dgram_recv(server.fd, &d, buf, sizeof(buf)), 1);
	cr_assert_eq(d.flags, 0);
	cr_assert_eq(d.ttl, 64);
	cr_assert_eq(d.ifindex, 1);
	cr_assert_neq(d.wall_ns, 0);
	cr_assert_eq(d.local.len, sizeof(to));
	memcpy(&to, d.local.bytes, sizeof(to));
	cr_assert_eq(to.sin_port, name.sin_port);
	cr_assert_eq(dgram_send(client.fd, &name, "x", 1), 1);
	cr_assert_eq(dgram_recv(server.fd, &d, buf, sizeof(buf)), 1);
	cr_assert_eq(d.flags, STACK_DGRAM_PKTINFO | STACK_DGRAM_TTL);
	close(server.fd);
	close(client.fd);
}

Test(dgram, boundaries_and_empty_datagrams_are_kept)
{
	struct sockaddr_in name;
	struct sockp server = bound("127.0.0.1", &name), client = peer_socket(&p, AF_INET, SOCK_DGRAM);
	static char big[65507], got[65536];
	struct stack_dgram d;

	memset(big, 'x', sizeof(big));
	cr_assert_eq(dgram_send(client.fd, &name, "", 0), 0);
	cr_assert_eq(dgram_send(client.fd, &name, big, sizeof(big)), (ssize_t)sizeof(big));
	cr_assert_eq(dgram_send(client.fd, &name, "a", 1), 1);
	cr_assert_eq(dgram_recv(server.fd, &d, got, sizeof(got)), 0);
	cr_assert_eq(dgram_recv(server.fd, &d, got, sizeof(got)), (ssize_t)sizeof(big));
	cr_assert_arr_eq(got, big, sizeof(big));
	cr_assert_eq(dgram_recv(server.fd, &d, got, sizeof(got)), 1);
	close(server.fd);
	close(client.fd);
}

Test(dgram, connected_to_a_closed_port_is_refused)
{
	struct sockaddr_in name, gone;
	struct sockp s = bound("127.0.0.1", &name), closed = bound("127.0.0.1", &gone);
	struct stack_dgram d;
	char buf[8];
	int err = 0;

	close(closed.fd);
	while (peer_call(&p, STACK_OP_LOOKUP, closed.cookie, 0, 0, 0, NULL, 0) == 0)
		;
	cr_assert_eq(p.reply.err, -ENOENT);
	cr_assert_eq(peer_call(&p, STACK_OP_CONNECT, s.cookie, 0, 0, 0, &gone, sizeof(gone)), 0);
	cr_assert_eq(peer_entry(&p, &s).peer.len, sizeof(gone));
	cr_assert_eq(dgram_send(s.fd, NULL, "x", 1), 1);
	cr_assert_eq(dgram_recv(s.fd, &d, buf, sizeof(buf)), 0);
	cr_assert_eq(d.flags, STACK_DGRAM_ERROR);
	cr_assert_eq(peer_entry(&p, &s).error, ECONNREFUSED);
	cr_assert_eq(peer_call(&p, STACK_OP_GETOPT, s.cookie, SOL_SOCKET, SO_ERROR, sizeof(err), NULL, 0), 0);
	memcpy(&err, p.reply.data, sizeof(err));
	cr_assert_eq(err, ECONNREFUSED);
	cr_assert_eq(peer_entry(&p, &s).error, 0);
	close(s.fd);
}

Test(dgram, check_says_what_sending_would)
{
	struct sockp s = peer_socket(&p, AF_INET, SOCK_DGRAM);
	struct sockaddr_in far = v4("192.0.2.1", 9), near = v4("127.0.0.1", 9);

	cr_assert_eq(peer_call(&p, STACK_OP_CHECK, s.cookie, 10, 0, 0, &near, sizeof(near)), 0);
	cr_assert_eq(peer_call(&p, STACK_OP_CHECK, s.cookie, 10, 0, 0, &far, sizeof(far)), -ENETUNREACH);
	cr_assert_eq(peer_call(&p, STACK_OP_CHECK, s.cookie, 70000, 0, 0, &near, sizeof(near)), -EMSGSIZE);
	close(s.fd);
}

Test(dgram, what_no_library_writes_is_dropped)
{
	struct sockaddr_in name;
	struct sockp server = bound("127.0.0.1", &name), client = peer_socket(&p, AF_INET, SOCK_DGRAM);
	struct stack_dgram d = { .size = sizeof(d), .peer = { .len = 4000 } };
	char buf[8];

	cr_assert_eq(send(client.fd, "garbage", 7, 0), 7);
	cr_assert_eq(send(client.fd, &d, sizeof(d), 0), (ssize_t)sizeof(d));
	d.peer.len = 0;
	d.nip_opts = 41;
	cr_assert_eq(send(client.fd, &d, sizeof(d), 0), (ssize_t)sizeof(d));
	d.nip_opts = 0;
	d.size = 4;
	cr_assert_eq(send(client.fd, &d, sizeof(d), 0), (ssize_t)sizeof(d));
	cr_assert_eq(dgram_send(client.fd, &name, "good", 4), 4);
	cr_assert_eq(dgram_recv(server.fd, &d, buf, sizeof(buf)), 4);
	close(server.fd);
	close(client.fd);
}

Test(dgram, a_reader_that_does_not_read_costs_nobody_else)
{
	struct sockaddr_in slow_name, name;
	struct sockp slow = bound("127.0.0.1", &slow_name), server = bound("127.0.0.1", &name);
	struct sockp client = peer_socket(&p, AF_INET, SOCK_DGRAM);
	static char data[1000];
	struct stack_dgram d;
	int got = 0;

	for (int i = 0; i < 3000; i++)
		cr_assert_eq(dgram_send(client.fd, &slow_name, data, sizeof(data)), (ssize_t)sizeof(data));
	cr_assert_eq(dgram_send(client.fd, &name, "next", 4), 4);
	cr_assert_eq(dgram_recv(server.fd, &d, data, sizeof(data)), 4);
	/* What there was room for is there; the rest was dropped, as by any socket. */
	while (wait_events(slow.fd, POLLIN) && dgram_recv(slow.fd, &d, data, sizeof(data)) == sizeof(data))
		if (++got == 100)
			break;
	cr_assert_eq(got, 100);
	close(slow.fd);
	close(server.fd);
	close(client.fd);
}
