/* The kernel and the server beside one another: sockets in the same state, the same request to both. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netns.h"
#include "versus.h"
#include "wire/attr.h"
#include "wire/inet.h"
#include "wire/req.h"
#include "wire/state.h"

struct table table;
struct diag_session session;
struct answer from_kernel, from_server;
static int kernel_fd = -1;

static int on_port(int family, int type, const char *ip, uint16_t port)
{
	int on = 1;
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(family, type, 0);

	inet_pton(family, ip, family == AF_INET ? (void *)&in.sin_addr : (void *)&in6.sin6_addr);
	cr_assert_geq(fd, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)); /* ports 4008 and 4009 have two */
	if (family == AF_INET)
		cr_assert_eq(bind(fd, (void *)&in, sizeof(in)), 0);
	else
		cr_assert_eq(bind(fd, (void *)&in6, sizeof(in6)), 0);
	return fd;
}

static int listening(int family, const char *ip, uint16_t port, int backlog)
{
	int fd = on_port(family, SOCK_STREAM, ip, port);

	cr_assert_eq(listen(fd, backlog), 0);
	return fd;
}

static int connected(int family, int type, const char *ip, uint16_t port)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(family, type, 0), on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	inet_pton(family, ip, family == AF_INET ? (void *)&in.sin_addr : (void *)&in6.sin6_addr);
	if (family == AF_INET)
		cr_assert_eq(connect(fd, (void *)&in, sizeof(in)), 0);
	else
		cr_assert_eq(connect(fd, (void *)&in6, sizeof(in6)), 0);
	return fd;
}

void open_kernel(void)
{
	struct sockaddr_nl nl = { .nl_family = AF_NETLINK };
	socklen_t len = sizeof(nl);

	if (kernel_fd >= 0)
		close(kernel_fd);
	kernel_fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	cr_assert_eq(bind(kernel_fd, (void *)&nl, sizeof(nl)), 0);
	cr_assert_eq(getsockname(kernel_fd, (void *)&nl, &len), 0);
	diag_session_end(&session);
	diag_session_init(&session, &table_ops, &table, nl.nl_pid, geteuid() == 0);
}

/* The entry of a socket without an owner: only the kernel knows its cookie and its timer. */
static void adopt(uint8_t state, enum sock_kind kind, uint16_t port);

static void set(int fd, int level, int name, int v)
{
	cr_assert_eq(setsockopt(fd, level, name, &v, sizeof(v)), 0);
}

/* Waits until all @fd sent is acknowledged and it is in @state, so that nothing moves while it is compared. */
static void settle(int fd, uint8_t state)
{
	struct diag_tcp_info ti;

	do {
		socklen_t len = sizeof(ti);

		sched_yield();
		cr_assert_eq(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &ti, &len), 0);
	} while (ti.state != state || (state != DIAG_TCP_LISTEN && ti.unacked));
}

/* TIME-WAIT; a connection being asked for; one that is bound only. */
static void populate_tcp_leftovers(int l4)
{
	int fd, a, b;

	a = connected(AF_INET, SOCK_STREAM, "127.0.0.1", 4001);
	b = accept(l4, NULL, NULL);
	close(a);
	close(b);
	adopt(DIAG_TCP_TIME_WAIT, SOCK_KIND_TIMEWAIT, 0);
	fd = listening(AF_INET, "127.0.0.2", 4003, 3);
	set(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, 60);
	table_add(&table, fd, DIAG_TCP_LISTEN)->e.msg.idiag_wqueue = 3;
	a = connected(AF_INET, SOCK_STREAM, "127.0.0.2", 4003);
	settle(a, DIAG_TCP_ESTABLISHED);
	table_add(&table, a, DIAG_TCP_ESTABLISHED);
	adopt(DIAG_TCP_SYN_RECV, SOCK_KIND_REQUEST, 4003);
	fd = on_port(AF_INET, SOCK_STREAM, "127.0.0.1", 4004);
	table_add(&table, fd, DIAG_TCP_CLOSE)->e.kind = SOCK_KIND_BOUND;
}

static void populate_tcp(void)
{
	struct known *k;
	int fd, l4, l6, a, b;

	l4 = listening(AF_INET, "127.0.0.1", 4001, 7);
	set(l4, IPPROTO_IP, IP_FREEBIND, 1);
	table_add(&table, l4, DIAG_TCP_LISTEN)->e.msg.idiag_wqueue = 7;
	l6 = listening(AF_INET6, "::", 4002, 9);
	table_add(&table, l6, DIAG_TCP_LISTEN)->e.msg.idiag_wqueue = 9;
	fd = socket(AF_INET6, SOCK_STREAM, 0);
	set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	close(fd);

	/* One port at any address and at one: a look-up finds the closer one. */
	table_add(&table, listening(AF_INET, "0.0.0.0", 4008, 2), DIAG_TCP_LISTEN)->e.msg.idiag_wqueue = 2;
	table_add(&table, listening(AF_INET, "127.0.0.9", 4008, 2), DIAG_TCP_LISTEN)->e.msg.idiag_wqueue = 2;

	/* Both ends of a connection with unread bytes at one of them. */
	a = connected(AF_INET, SOCK_STREAM, "127.0.0.1", 4001);
	set(a, SOL_SOCKET, SO_MARK, 0x17);
	set(a, IPPROTO_IP, IP_TOS, 0x10);
	b = accept(l4, NULL, NULL);
	cr_assert_eq(send(a, "unread", 6, 0), 6);
	settle(a, DIAG_TCP_ESTABLISHED);
	table_add(&table, a, DIAG_TCP_ESTABLISHED);
	table_add(&table, b, DIAG_TCP_ESTABLISHED)->e.msg.idiag_rqueue = 6;

	/* IPv6 with a traffic class; IPv4 mapped into IPv6, half closed. */
	a = connected(AF_INET6, SOCK_STREAM, "::1", 4002);
	set(a, IPPROTO_IPV6, IPV6_TCLASS, 0x20);
	b = accept(l6, NULL, NULL);
	table_add(&table, a, DIAG_TCP_ESTABLISHED);
	table_add(&table, b, DIAG_TCP_ESTABLISHED);
	a = connected(AF_INET, SOCK_STREAM, "127.0.0.1", 4002);
	b = accept(l6, NULL, NULL);
	cr_assert_eq(shutdown(a, SHUT_WR), 0);
	settle(a, DIAG_TCP_FIN_WAIT2);
	k = table_add(&table, a, DIAG_TCP_FIN_WAIT2);
	k->e.shutdown = 2;
	k = table_add(&table, b, DIAG_TCP_CLOSE_WAIT);
	k->e.shutdown = 1;
	k->e.msg.idiag_rqueue = 1; /* the FIN takes a sequence number */
	populate_tcp_leftovers(l4);
}

/* UDP: bound, connected, IPv6 only, open to both. */
static void populate_udp(void)
{
	int fd;

	fd = on_port(AF_INET, SOCK_DGRAM, "127.0.0.1", 4005);
	set(fd, IPPROTO_IP, IP_RECVERR, 1);
	table_add(&table, fd, DIAG_TCP_CLOSE);
	fd = connected(AF_INET, SOCK_DGRAM, "127.0.0.1", 4005);
	table_add(&table, fd, DIAG_TCP_ESTABLISHED);
	fd = on_port(AF_INET6, SOCK_DGRAM, "::1", 4006);
	table_add(&table, fd, DIAG_TCP_CLOSE);
	table_add(&table, on_port(AF_INET, SOCK_DGRAM, "0.0.0.0", 4009), DIAG_TCP_CLOSE);
	table_add(&table, on_port(AF_INET, SOCK_DGRAM, "127.0.0.9", 4009), DIAG_TCP_CLOSE);
	fd = on_port(AF_INET6, SOCK_DGRAM, "::", 4007);
	table_add(&table, fd, DIAG_TCP_CLOSE);
}

void populate(void)
{
	netns_enter();
	table.count = 0;
	table.destroyed = -1;
	open_kernel();
	populate_tcp();
	populate_udp();
}

void append(const void *data, size_t len, void *arg)
{
	struct answer *a = arg;

	cr_assert_leq(a->len + len, sizeof(a->bytes));
	memcpy(a->bytes + a->len, data, len);
	a->len += NLMSG_ALIGN(len);
}

/* Netlink answers while it is asked, and a dump goes on while it is read: what there is, is there. */
void ask_kernel(const void *req, size_t len)
{
	static _Alignas(8) uint8_t buf[65536];
	struct sockaddr_nl nl = { .nl_family = AF_NETLINK };
	ssize_t n;

	from_kernel.len = 0;
	cr_assert_eq(sendto(kernel_fd, req, len, 0, (void *)&nl, sizeof(nl)), (ssize_t)len);
	while ((n = recv(kernel_fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0)
		append(buf, (size_t)n, &from_kernel);
}

void ask_server(const void *req, size_t len)
{
	static _Alignas(8) uint8_t buf[SESSION_DATAGRAM];
	size_t n;

	from_server.len = 0;
	diag_session_receive(&session, req, len, append, &from_server);
	while (diag_session_dumping(&session)) {
		n = diag_session_continue(&session, buf, sizeof(buf));
		if (n)
			append(buf, n, &from_server);
	}
}

size_t split(struct answer *a, struct nlmsghdr *list[MESSAGES])
{
	size_t n = 0;

	for (size_t at = 0; at + NLMSG_HDRLEN <= a->len; n++) {
		cr_assert_lt(n, MESSAGES);
		list[n] = (void *)(a->bytes + at);
		cr_assert_geq(list[n]->nlmsg_len, NLMSG_HDRLEN);
		at += NLMSG_ALIGN(list[n]->nlmsg_len);
	}
	return n;
}

static bool is_socket(const struct nlmsghdr *nlh)
{
	return nlh->nlmsg_type == SOCK_DIAG_BY_FAMILY || nlh->nlmsg_type == TCPDIAG_GETSOCK;
}

/* Sockets by cookie, and everything else behind them: no table promises an order. */
int by_cookie(const void *a, const void *b)
{
	const struct nlmsghdr *x = *(struct nlmsghdr *const *)a, *y = *(struct nlmsghdr *const *)b;
	uint64_t cx = is_socket(x) ? diag_inet_cookie(NLMSG_DATA(x)) : UINT64_MAX;
	uint64_t cy = is_socket(y) ? diag_inet_cookie(NLMSG_DATA(y)) : UINT64_MAX;

	return cx < cy ? -1 : cx > cy;
}

/* Blanks out what time decides: timers, and in tcp_info the ages of the last packets. */
static void blank(struct nlmsghdr *nlh)
{
	struct inet_diag_msg *m = NLMSG_DATA(nlh);
	const uint8_t *pos = (const uint8_t *)(m + 1);
	size_t left = nlh->nlmsg_len - NLMSG_HDRLEN - sizeof(*m);
	struct diag_attr a;

	m->idiag_expires = m->idiag_expires != 0;
	if (m->idiag_timer == 1) /* answering a connection request again runs out and restarts */
		m->idiag_expires = m->idiag_retrans = 0;
	while (diag_attr_next(&pos, &left, &a) > 0)
		if (a.type == INET_DIAG_INFO && a.len == sizeof(struct diag_tcp_info))
			memset((uint8_t *)a.data + offsetof(struct diag_tcp_info, last_data_sent_ms), 0, 16);
}

static void hex(const char *who, const struct nlmsghdr *nlh)
{
	fprintf(stderr, "%s:", who);
	for (size_t i = 0; i < nlh->nlmsg_len; i++)
		fprintf(stderr, "%s%02x", i % 4 ? "" : " ", ((const uint8_t *)nlh)[i]);
	fputc('\n', stderr);
}

/* Asks both; gives how many messages each sent. */
size_t agree(const void *req, size_t len, const char *what)
{
	struct nlmsghdr *k[MESSAGES], *s[MESSAGES];
	size_t nk, ns;

	ask_kernel(req, len);
	ask_server(req, len);
	nk = split(&from_kernel, k);
	ns = split(&from_server, s);
	if (nk != ns && nk)
		hex("kernel", k[0]);
	if (nk != ns && ns)
		hex("server", s[0]);
	cr_assert_eq(nk, ns, "%s: the kernel sent %zu messages, the server %zu", what, nk, ns);
	qsort(k, nk, sizeof(k[0]), by_cookie);
	qsort(s, ns, sizeof(s[0]), by_cookie);
	for (size_t i = 0; i < nk; i++) {
		if (is_socket(k[i]) && is_socket(s[i])) {
			blank(k[i]);
			blank(s[i]);
		}
		if (k[i]->nlmsg_len == s[i]->nlmsg_len && !memcmp(k[i], s[i], k[i]->nlmsg_len))
			continue;
		hex("kernel", k[i]);
		hex("server", s[i]);
		cr_assert_fail("%s: message %zu of %zu differs", what, i, nk);
	}
	return nk;
}

static void adopt(uint8_t state, enum sock_kind kind, uint16_t port)
{
	_Alignas(4) uint8_t room[DIAG_REQ_ROOM];
	struct nlmsghdr *list[MESSAGES];
	struct known *k = &table.socks[table.count++];
	struct diag_inet s;
	struct diag_req r;

	diag_req_inet(&r, room, sizeof(room), AF_INET, IPPROTO_TCP);
	diag_req_inet_body(&r)->idiag_states = DIAG_STATE_BIT(state);
	diag_req_inet_body(&r)->id.idiag_sport = htons(port);
	ask_kernel(r.nlh, r.nlh->nlmsg_len);
	cr_assert_eq(split(&from_kernel, list), 2, "one socket in state %u and the end", state);
	diag_inet_parse(NLMSG_DATA(list[0]), list[0]->nlmsg_len - NLMSG_HDRLEN, &s);
	memset(k, 0, sizeof(*k));
	k->fd = -1;
	k->protocol = IPPROTO_TCP;
	k->e.kind = kind;
	k->e.msg = s.msg;
	cr_assert_eq(s.msg.idiag_state, state);
}
