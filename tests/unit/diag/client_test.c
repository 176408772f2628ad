/* The client against this kernel, in a network namespace of its own, and against peers that misbehave. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sys/un.h>
#include <unistd.h>

#include "client/conn.h"
#include "client/dump.h"
#include "client/inet.h"
#include "client/unix.h"
#include "netns.h"
#include "wire/inet.h"
#include "wire/state.h"

static struct sockaddr_in loopback(void)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static int listener(struct sockaddr_in *at)
{
	socklen_t len = sizeof(*at);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	*at = loopback();
	cr_assert_eq(bind(fd, (struct sockaddr *)at, sizeof(*at)), 0);
	cr_assert_eq(listen(fd, 5), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)at, &len), 0);
	return fd;
}

static uint64_t cookie_of(int fd)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len);
	return cookie;
}

static size_t tapped;

static void count_bytes(const void *data, size_t len, void *arg)
{
	tapped += len;
}

Test(kernel, connections_lists_a_listener)
{
	struct inet_diag_msg *list;
	struct sockaddr_in at;
	size_t n;
	int fd;

	netns_enter();
	fd = listener(&at);
	cr_assert_not(diag_failed(diag_inet_connections(AF_INET, IPPROTO_TCP, &list, &n)));
	cr_assert_eq(n, 1);
	cr_assert_eq(list[0].idiag_state, DIAG_TCP_LISTEN);
	cr_assert_eq(list[0].id.idiag_sport, at.sin_port);
	cr_assert_eq(diag_inet_cookie(&list[0]), cookie_of(fd));
	cr_assert_eq(list[0].idiag_wqueue, 5, "the backlog");
	free(list);
	cr_assert_not(diag_failed(diag_inet_connections(AF_INET6, IPPROTO_TCP, &list, &n)));
	cr_assert_eq(n, 0);
	cr_assert_null(list);
}

Test(kernel, a_dump_uses_the_callers_buffer_and_shows_the_tap_every_byte)
{
	_Alignas(4) uint8_t room[DIAG_REQ_ROOM], buf[16384];
	struct inet_diag_msg *list;
	struct sockaddr_in at;
	struct diag_req r;
	size_t n;

	netns_enter();
	listener(&at);
	tapped = 0;
	memset(buf, 0, sizeof(buf));
	diag_req_inet(&r, room, sizeof(room), AF_INET, IPPROTO_TCP);
	cr_assert_not(diag_failed(diag_inet_list(&r, buf, sizeof(buf), count_bytes, NULL, &list, &n)));
	cr_assert_eq(n, 1);
	cr_assert_gt(tapped, sizeof(struct inet_diag_msg) + 20);
	cr_assert_eq(((struct nlmsghdr *)buf)->nlmsg_type, NLMSG_DONE, "the last datagram read is in it");
	free(list);
}

Test(kernel, unix_connections_keep_nameless_and_abstract_ones)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX, .sun_path = "\0a\0b" };
	struct diag_unix_conn *list;
	size_t n, nameless = 0, abstract = 0;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), pair[2];

	netns_enter();
	close(fd);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	cr_assert_eq(bind(fd, (struct sockaddr *)&sun, offsetof(struct sockaddr_un, sun_path) + 4), 0);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	cr_assert_not(diag_failed(diag_unix_connections(&list, &n)));
	for (size_t i = 0; i < n; i++) {
		nameless += list[i].path_len == 0;
		abstract += list[i].path_len == 4 && !memcmp(list[i].path, "\0a\0b", 4);
	}
	cr_assert_eq(abstract, 1);
	cr_assert_geq(nameless, 2);
	free(list);
}

static struct inet_diag_msg got;

static int keep(const struct nlmsghdr *nlh, void *arg)
{
	struct diag_inet s;

	cr_assert_not(diag_failed(diag_inet_parse(NLMSG_DATA(nlh), nlh->nlmsg_len - NLMSG_HDRLEN, &s)));
	got = s.msg;
	return 0;
}

Test(kernel, one_socket_by_its_identity_tcp_and_udp)
{
	struct sockaddr_in at;
	struct inet_diag_sockid id;
	struct inet_diag_msg *list;
	struct diag_conn c;
	struct diag_err e;
	socklen_t len = sizeof(at);
	size_t n;
	int tcp, udp;

	netns_enter();
	tcp = listener(&at);
	udp = socket(AF_INET, SOCK_DGRAM, 0);
	at = loopback();
	cr_assert_eq(bind(udp, (struct sockaddr *)&at, sizeof(at)), 0);
	cr_assert_eq(getsockname(udp, (struct sockaddr *)&at, &len), 0);
	cr_assert_not(diag_failed(diag_conn_open(&c)));

	cr_assert_not(diag_failed(diag_inet_connections(AF_INET, IPPROTO_TCP, &list, &n)));
	cr_assert_not(diag_failed(diag_inet_get(&c, AF_INET, IPPROTO_TCP, &list[0].id, 0, keep, NULL)));
	cr_assert_eq(diag_inet_cookie(&got), cookie_of(tcp));
	id = list[0].id;
	id.idiag_cookie[0] ^= 1;
	e = diag_inet_get(&c, AF_INET, IPPROTO_TCP, &id, 0, keep, NULL);
	cr_assert(e.kind == DIAG_ERR_KERNEL && e.code == ENOENT);
	free(list);

	cr_assert_not(diag_failed(diag_inet_connections(AF_INET, IPPROTO_UDP, &list, &n)));
	cr_assert_eq(n, 1);
	cr_assert_not(diag_failed(diag_inet_get(&c, AF_INET, IPPROTO_UDP, &list[0].id, 0, keep, NULL)));
	cr_assert_eq(diag_inet_cookie(&got), cookie_of(udp));
	free(list);
	diag_conn_close(&c);
}

Test(kernel, a_destroyed_connection_fails_with_econnaborted)
{
	struct inet_diag_msg *list;
	struct sockaddr_in at;
	struct diag_conn c, events;
	size_t n;
	int lfd, fd, err = 0;
	socklen_t len = sizeof(err);
	_Alignas(4) uint8_t buf[8192];
	size_t got_len;

	netns_enter();
	lfd = listener(&at);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	cr_assert_eq(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	cr_assert_not(diag_failed(diag_conn_open(&c)));
	cr_assert_not(diag_failed(diag_conn_open_events(&events, 1 << (SKNLGRP_INET_TCP_DESTROY - 1))));
	cr_assert_not(diag_failed(diag_inet_connections(AF_INET, IPPROTO_TCP, &list, &n)));
	for (size_t i = 0; i < n; i++)
		if (diag_inet_cookie(&list[i]) == cookie_of(fd))
			cr_assert_not(diag_failed(diag_inet_destroy(&c, AF_INET, IPPROTO_TCP, &list[i].id)));
	free(list);
	cr_assert_eq(getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len), 0);
	cr_assert_eq(err, ECONNABORTED);
	close(fd);
	cr_assert_not(diag_failed(diag_conn_recv(&events, buf, sizeof(buf), &got_len)));
	cr_assert_eq(((struct nlmsghdr *)buf)->nlmsg_type, SOCK_DIAG_BY_FAMILY);
	diag_conn_close(&events);
	diag_conn_close(&c);
	close(lfd);
}

Test(kernel, errors_inside_done_are_errors)
{
	_Alignas(4) uint8_t room[DIAG_REQ_ROOM];
	struct inet_diag_msg *list;
	struct diag_req r;
	struct diag_err e;
	size_t n;

	diag_req_inet(&r, room, sizeof(room), AF_INET, IPPROTO_ICMP); /* no kernel has a handler for it */
	e = diag_inet_list(&r, NULL, 0, NULL, NULL, &list, &n);
	cr_assert(e.kind == DIAG_ERR_KERNEL && e.code == ENOENT);
	cr_assert_eq(n, 0);
}

/* A peer whose whole answer is written before the question: what it says about the question is its seq. */
struct peer {
	struct diag_conn c;
	int fd;
	_Alignas(4) uint8_t out[4096];
	size_t len;
};

static void peer_open(struct peer *p)
{
	int fds[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
	p->fd = fds[1];
	p->len = 0;
	cr_assert_not(diag_failed(diag_conn_from_fd(&p->c, fds[0])));
}

static struct nlmsghdr *peer_put(struct peer *p, uint16_t type, uint16_t flags, const void *body, size_t size)
{
	struct nlmsghdr *nlh = (void *)(p->out + p->len);

	*nlh = (struct nlmsghdr){ .nlmsg_len = (uint32_t)(NLMSG_HDRLEN + size), .nlmsg_type = type,
				  .nlmsg_flags = flags, .nlmsg_seq = p->c.seq + 1 };
	if (size)
		memcpy(NLMSG_DATA(nlh), body, size);
	p->len += NLMSG_ALIGN(nlh->nlmsg_len);
	return nlh;
}

static void peer_flush(struct peer *p)
{
	cr_assert_eq(send(p->fd, p->out, p->len, 0), (ssize_t)p->len);
	p->len = 0;
}

static int tally(const struct nlmsghdr *nlh, void *arg)
{
	++*(int *)arg;
	return 0;
}

static struct diag_err ask(struct peer *p, int *count, struct diag_dump_result *result)
{
	_Alignas(4) uint8_t room[DIAG_REQ_ROOM], buf[2048];
	struct diag_req r;

	*count = 0;
	diag_req_inet(&r, room, sizeof(room), AF_INET, IPPROTO_TCP);
	return diag_dump(&p->c, &r, buf, sizeof(buf), tally, count, result);
}

static const struct inet_diag_msg a_socket = { .idiag_family = AF_INET };

Test(peer, what_answers_something_else_is_skipped)
{
	struct diag_dump_result res;
	struct peer p;
	int n;

	peer_open(&p);
	peer_put(&p, SOCK_DIAG_BY_FAMILY, NLM_F_MULTI, &a_socket, sizeof(a_socket))->nlmsg_seq += 9;
	peer_put(&p, 77, NLM_F_MULTI, &a_socket, sizeof(a_socket));
	peer_put(&p, NLMSG_NOOP, 0, NULL, 0);
	peer_put(&p, SOCK_DIAG_BY_FAMILY, NLM_F_MULTI, &a_socket, sizeof(a_socket));
	peer_put(&p, NLMSG_DONE, NLM_F_MULTI, "\0\0\0", 4);
	peer_flush(&p);
	cr_assert_not(diag_failed(ask(&p, &n, &res)));
	cr_assert_eq(n, 1);
	cr_assert(res.complete && !res.interrupted && res.messages == 1);
}

Test(peer, what_never_answers_is_given_up, .timeout = 20)
{
	struct diag_dump_result res;
	struct diag_err e;
	struct peer p;
	pid_t pid;
	int n;

	peer_open(&p);
	peer_put(&p, SOCK_DIAG_BY_FAMILY, NLM_F_MULTI, &a_socket, sizeof(a_socket));
	peer_flush(&p);
	peer_put(&p, SOCK_DIAG_BY_FAMILY, NLM_F_MULTI, &a_socket, sizeof(a_socket))->nlmsg_seq += 9;
	pid = fork();
	if (pid == 0) {
		close(p.c.fd);
		while (send(p.fd, p.out, p.len, MSG_NOSIGNAL) > 0)
			;
		_exit(0);
	}
	e = ask(&p, &n, &res);
	cr_assert(e.kind == DIAG_ERR_NLE && e.code == DIAG_NLE_SEQ_MISMATCH);
	cr_assert(n == 1 && !res.complete);
	diag_conn_close(&p.c);
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
}

Test(peer, an_error_ends_the_dump_and_keeps_what_came)
{
	static const int eperm = -EPERM;
	struct diag_dump_result res;
	struct diag_err e;
	struct peer p;
	int n;

	peer_open(&p);
	peer_put(&p, SOCK_DIAG_BY_FAMILY, NLM_F_MULTI, &a_socket, sizeof(a_socket));
	peer_put(&p, NLMSG_ERROR, 0, &eperm, 4);
	peer_put(&p, SOCK_DIAG_BY_FAMILY, NLM_F_MULTI, &a_socket, sizeof(a_socket));
	peer_flush(&p);
	e = ask(&p, &n, &res);
	cr_assert(e.kind == DIAG_ERR_KERNEL && e.code == EPERM);
	cr_assert_eq(n, 1);
	cr_assert_not(res.complete);
}

Test(peer, interruption_is_told)
{
	struct diag_dump_result res;
	struct peer p;
	int n;

	peer_open(&p);
	peer_put(&p, SOCK_DIAG_BY_FAMILY, NLM_F_MULTI | NLM_F_DUMP_INTR, &a_socket, sizeof(a_socket));
	peer_put(&p, NLMSG_DONE, NLM_F_MULTI, NULL, 0);
	peer_flush(&p);
	cr_assert_not(diag_failed(ask(&p, &n, &res)));
	cr_assert(res.complete && res.interrupted);
}

Test(peer, gone_in_the_middle)
{
	struct diag_dump_result res;
	struct diag_err e;
	struct peer p;
	int n;

	peer_open(&p);
	peer_put(&p, SOCK_DIAG_BY_FAMILY, NLM_F_MULTI, &a_socket, sizeof(a_socket));
	peer_flush(&p);
	cr_assert_eq(shutdown(p.fd, SHUT_WR), 0);
	e = ask(&p, &n, &res);
	cr_assert(e.kind == DIAG_ERR_SYS && e.code == ECONNRESET);
	cr_assert_eq(n, 1);
	cr_assert_not(res.complete);
}

Test(peer, lengths_that_lie)
{
	static const uint32_t lengths[] = { 0, 1, 15, 200, UINT32_MAX };
	struct diag_dump_result res;
	int n;

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct diag_err e;
		struct peer p;

		peer_open(&p);
		peer_put(&p, SOCK_DIAG_BY_FAMILY, NLM_F_MULTI, &a_socket, sizeof(a_socket))->nlmsg_len = lengths[i];
		p.len = 88;
		peer_flush(&p);
		e = ask(&p, &n, &res);
		cr_assert(e.kind == DIAG_ERR_NLE && e.code == DIAG_NLE_MSG_TOOSHORT, "length %u", lengths[i]);
		cr_assert_eq(n, 0);
		diag_conn_close(&p.c);
		close(p.fd);
	}
}

Test(peer, a_datagram_beyond_the_buffer_is_truncated_not_misread)
{
	static uint8_t big[3000];
	struct diag_dump_result res;
	struct diag_err e;
	struct peer p;
	int n;

	peer_open(&p);
	peer_put(&p, SOCK_DIAG_BY_FAMILY, NLM_F_MULTI, &a_socket, sizeof(a_socket));
	peer_put(&p, SOCK_DIAG_BY_FAMILY, NLM_F_MULTI, big, sizeof(big));
	peer_flush(&p);
	e = ask(&p, &n, &res);
	cr_assert(e.kind == DIAG_ERR_NLE && e.code == DIAG_NLE_MSG_TRUNC);
	cr_assert_eq(n, 1);
}

Test(peer, short_errors_and_overruns)
{
	struct diag_dump_result res;
	struct diag_err e;
	struct peer p;
	int n;

	peer_open(&p);
	peer_put(&p, NLMSG_ERROR, 0, "\0\0", 2);
	peer_flush(&p);
	e = ask(&p, &n, &res);
	cr_assert(e.kind == DIAG_ERR_NLE && e.code == DIAG_NLE_MSG_TOOSHORT);
	peer_put(&p, NLMSG_OVERRUN, 0, NULL, 0);
	peer_flush(&p);
	e = ask(&p, &n, &res);
	cr_assert(e.kind == DIAG_ERR_NLE && e.code == DIAG_NLE_MSG_OVERFLOW);
}

Test(peer, nobody_at_the_path)
{
	struct diag_conn c;
	char longer[200];

	cr_assert_eq(diag_conn_open_path(&c, "/nonexistent/socket").code, ENOENT);
	memset(longer, 'x', sizeof(longer));
	longer[199] = '\0';
	cr_assert_eq(diag_conn_open_path(&c, longer).code, ENAMETOOLONG);
}
