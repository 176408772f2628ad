/* The stack's sockets among the kernel's: a program's netlink socket, and a host that serves made-up sockets. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "interpose/netlink.h"
#include "netns.h"
#include "proto/stack_proto.h"
#include "server/session.h"
#include "wire/state.h"

#define SOCKETS 300u	/* more than one datagram of them */
#define HOST_PORT 7777
#define KERNEL_PORT 5555

static uint32_t destroyed;	/* cookie of the last one */
static int dies;		/* the host leaves after the first datagram of a dump */
static bool any_protocol;	/* the host has a table of each */
static int host_end = -1, bell = -1;

static int host_next(void *source, uint32_t protocol, struct sock_cursor *c, struct sock_entry *e)
{
	uint32_t i = (uint32_t)c->at[0]++;

	if ((protocol != IPPROTO_TCP && !any_protocol) || i >= SOCKETS)
		return 0;
	e->msg.idiag_family = AF_INET;
	e->msg.idiag_state = DIAG_TCP_ESTABLISHED;
	e->msg.id.idiag_src[0] = htonl(0x0a000001);
	e->msg.id.idiag_sport = htons(HOST_PORT);
	e->msg.id.idiag_dst[0] = htonl(0x0a000002);
	e->msg.id.idiag_dport = htons((uint16_t)(10000 + i));
	e->msg.id.idiag_cookie[0] = i + 1;
	e->msg.id.idiag_cookie[1] = 0x80000000;
	return 1;
}

static void host_info(void *source, const struct sock_entry *e, struct diag_tcp_info *ti)
{
	memset(ti, 0, sizeof(*ti));
}

static void host_memory(void *source, const struct sock_entry *e, uint32_t mem[SK_MEMINFO_VARS])
{
}

static int host_destroy(void *source, const struct sock_entry *e)
{
	destroyed = e->msg.id.idiag_cookie[0];
	return 0;
}

static const struct sock_source_ops host_ops = {
	.next = host_next, .info = host_info, .memory = host_memory, .destroy = host_destroy,
};

static void host_reply(const void *data, size_t len, void *arg)
{
	if (send(*(int *)arg, data, len, MSG_NOSIGNAL) < 0)
		cr_assert_eq(errno, EPIPE);
}

static void *host_run(void *arg)
{
	static _Thread_local _Alignas(8) uint8_t in[65536], out[SESSION_DATAGRAM]; /* the last host may still be there */
	struct diag_session s;
	int fd = (int)(intptr_t)arg;
	ssize_t n;

	diag_session_init(&s, &host_ops, NULL, 0, true);
	while ((n = recv(fd, in, sizeof(in), 0)) > 0) {
		diag_session_receive(&s, in, (size_t)n, host_reply, &fd);
		for (size_t len; diag_session_dumping(&s) && (len = diag_session_continue(&s, out, sizeof(out)));) {
			if (send(fd, out, len, MSG_NOSIGNAL) < 0 || dies)
				break;
		}
		if (dies)
			break;
	}
	diag_session_end(&s);
	close(fd);
	return NULL;
}

/* A conversation: served by a thread, or for events by the test itself. */
static int host_open(uint32_t groups, int bell_fd)
{
	pthread_t t;
	int pair[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	if (groups)
		host_end = pair[1];
	else
		pthread_create(&t, NULL, host_run, (void *)(intptr_t)pair[1]);
	bell = groups ? bell_fd : bell;
	return pair[0];
}

static int netlink_fd, listener;
static uint32_t portid;

static void begin(void)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(KERNEL_PORT) };
	struct sockaddr_nl nl = { .nl_family = AF_NETLINK };
	socklen_t len = sizeof(nl);

	netns_enter();
	listener = socket(AF_INET, SOCK_STREAM, 0);
	cr_assert_eq(bind(listener, (void *)&in, sizeof(in)), 0);
	cr_assert_eq(listen(listener, 1), 0);
	netlink_fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	cr_assert_eq(bind(netlink_fd, (void *)&nl, sizeof(nl)), 0);
	cr_assert_eq(getsockname(netlink_fd, (void *)&nl, &len), 0);
	portid = nl.nl_pid;
	netlink_host = host_open;
}

struct request {
	struct nlmsghdr nlh;
	struct inet_diag_req_v2 body;
	struct rtattr attr;
	uint8_t code[12];
};

static struct request request(uint16_t type, uint16_t flags, uint32_t seq)
{
	struct request r = {
		.nlh = { .nlmsg_len = NLMSG_LENGTH(sizeof(r.body)), .nlmsg_type = type,
			 .nlmsg_flags = NLM_F_REQUEST | flags, .nlmsg_seq = seq },
		.body = { .sdiag_family = AF_INET, .sdiag_protocol = IPPROTO_TCP, .idiag_states = ~0u },
	};

	r.body.id.idiag_cookie[0] = r.body.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
	return r;
}

/* As a wrapper does: the kernel first. In two pieces, as ss sends it. */
static void ask(struct request *r)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct iovec iov[2] = { { r, 20 }, { (char *)r + 20, r->nlh.nlmsg_len - 20 } };
	struct msghdr msg = { .msg_name = &kernel, .msg_namelen = sizeof(kernel), .msg_iov = iov, .msg_iovlen = 2 };
	ssize_t n = sendmsg(netlink_fd, &msg, 0);

	cr_assert_eq(n, (ssize_t)r->nlh.nlmsg_len);
	netlink_sent(netlink_fd, &msg, (size_t)n);
}

static ssize_t receive(void *buf, size_t len, int flags, bool *ours)
{
	struct sockaddr_nl from = { .nl_pid = 77 };
	socklen_t from_len = sizeof(from);
	ssize_t n;

	*ours = netlink_receive_bytes(netlink_fd, buf, len, flags, (void *)&from, &from_len, &n);
	if (!*ours)
		n = recvfrom(netlink_fd, buf, len, flags, (void *)&from, &from_len);
	if (n >= 0) {
		cr_assert_eq(from_len, sizeof(from));
		cr_assert_eq(from.nl_family, AF_NETLINK);
		cr_assert_eq(from.nl_pid, 0);
	}
	return n;
}

struct seen {
	unsigned kernel, host, acks;
	int error;
	bool done;
};

/* Reads until DONE, an error or a look-up's answer, as ss does: its length first. */
static struct seen read_until(uint32_t seq, bool until_ack)
{
	static _Alignas(8) uint8_t buf[65536];
	struct seen seen = { 0 };
	struct pollfd p = { .fd = netlink_fd, .events = POLLIN };
	bool ours;

	while (!seen.done) {
		ssize_t len, n;

		cr_assert_eq(poll(&p, 1, 5000), 1, "there is more, and poll says so");
		len = receive(NULL, 0, MSG_PEEK | MSG_TRUNC, &ours);
		n = receive(buf, sizeof(buf), 0, &ours);
		cr_assert_gt(n, 0);
		cr_assert_eq(n, len);
		for (struct nlmsghdr *h = (void *)buf; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
			const struct inet_diag_msg *m = NLMSG_DATA(h);

			cr_assert_eq(h->nlmsg_seq, seq);
			cr_assert_eq(h->nlmsg_pid, portid);
			if (h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR) {
				memcpy(&seen.error, NLMSG_DATA(h), sizeof(int));
				seen.done = true;
			} else if (m->id.idiag_cookie[1] & 0x80000000) {
				cr_assert(ours);
				seen.host++;
			} else {
				seen.kernel++;
			}
			if (!(h->nlmsg_flags & NLM_F_MULTI) && h->nlmsg_type == SOCK_DIAG_BY_FAMILY && !until_ack)
				seen.done = true;
		}
	}
	cr_assert_eq(poll(&p, 1, 0), 0, "and then there is nothing more");
	return seen;
}

static struct seen read_answers(uint32_t seq)
{
	return read_until(seq, false);
}

Test(netlink, dump_has_the_hosts_sockets_before_its_end)
{
	struct request r = request(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, 41);
	struct seen s;

	begin();
	for (int again = 0; again < 3; again++) {
		ask(&r);
		s = read_answers(41);
		cr_assert_eq(s.kernel, 1);
		cr_assert_eq(s.host, SOCKETS);
		cr_assert_eq(s.error, 0);
	}
}

Test(netlink, filter_goes_to_the_host_too)
{
	struct request r = request(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, 42);
	/* dport >= 10299, which is the last of the host's */
	uint8_t code[12] = { INET_DIAG_BC_D_GE, 8, 16, 0, 0, 0, 0x3b, 0x28 };
	struct seen s;

	begin();
	code[2] = 12;
	memcpy(r.code, code, 8);
	r.attr = (struct rtattr){ .rta_len = RTA_LENGTH(8), .rta_type = INET_DIAG_REQ_BYTECODE };
	r.nlh.nlmsg_len += RTA_LENGTH(8);
	ask(&r);
	s = read_answers(42);
	cr_assert_eq(s.kernel, 0);
	cr_assert_eq(s.host, 1);
}

Test(netlink, refused_dump_leaves_nothing_behind)
{
	struct request bad = request(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, 43), good = request(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, 44);
	struct seen s;

	begin();
	bad.attr = (struct rtattr){ .rta_len = RTA_LENGTH(3), .rta_type = INET_DIAG_REQ_BYTECODE };
	bad.nlh.nlmsg_len += RTA_LENGTH(3);
	ask(&bad);
	cr_assert_eq(read_answers(43).error, -EINVAL);
	ask(&good);
	s = read_answers(44);
	cr_assert_eq(s.host, SOCKETS);
}

Test(netlink, dump_of_a_table_that_the_kernel_has_not_is_its_error_alone)
{
	struct request r = request(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, 52), good = request(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, 53);
	struct seen s;

	begin();
	any_protocol = true;
	r.body.sdiag_protocol = IPPROTO_RAW; /* which some kernels have */
	ask(&r);
	s = read_answers(52);
	cr_assert(s.error == 0 || s.error == -ENOENT);
	cr_assert_eq(s.host, s.error ? 0 : SOCKETS);
	ask(&good);
	s = read_answers(53);
	cr_assert_eq(s.host, SOCKETS);
	cr_assert_eq(s.error, 0);
}

Test(netlink, other_families_are_the_kernels_alone)
{
	struct request r = request(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, 45);
	bool ours;
	char buf[32768];

	begin();
	r.body.sdiag_family = AF_UNIX;
	ask(&r);
	cr_assert_gt(receive(buf, sizeof(buf), 0, &ours), 0);
	cr_assert_not(ours);
}

static void name_host_socket(struct request *r, uint32_t i)
{
	r->body.id = (struct inet_diag_sockid){
		.idiag_sport = htons(HOST_PORT), .idiag_dport = htons((uint16_t)(10000 + i)),
		.idiag_src = { htonl(0x0a000001) }, .idiag_dst = { htonl(0x0a000002) },
		.idiag_cookie = { i + 1, 0x80000000 },
	};
}

Test(netlink, look_up_finds_sockets_of_both)
{
	struct request r = request(SOCK_DIAG_BY_FAMILY, 0, 46);
	struct seen s;

	begin();
	name_host_socket(&r, 7);
	ask(&r);
	s = read_answers(46);
	cr_assert_eq(s.host, 1);
	r.body.id.idiag_cookie[0]++;
	ask(&r);
	cr_assert_eq(read_answers(46).error, -ENOENT);
	r = request(SOCK_DIAG_BY_FAMILY, 0, 47);
	r.body.id.idiag_sport = htons(KERNEL_PORT);
	ask(&r);
	s = read_answers(47);
	cr_assert_eq(s.kernel, 1);
	cr_assert_eq(s.host, 0);
}

static void listen_in_kernel(uint16_t port)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	cr_assert_eq(bind(fd, (void *)&in, sizeof(in)), 0);
	cr_assert_eq(listen(fd, 1), 0);
}

Test(netlink, look_up_without_cookie_that_fits_both_finds_the_stacks)
{
	struct request r = request(SOCK_DIAG_BY_FAMILY, 0, 51);
	struct seen s;

	begin();
	/* A listener of the kernel's has any peer, the stack has the connection itself. */
	listen_in_kernel(HOST_PORT);
	name_host_socket(&r, 7);
	r.body.id.idiag_cookie[0] = r.body.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
	for (int ack = 0; ack < 2; ack++) {
		ask(&r);
		s = read_until(51, ack);
		cr_assert_eq(s.host, 1);
		cr_assert_eq(s.kernel, 0);
		cr_assert_eq(s.error, 0);
		r.nlh.nlmsg_flags |= NLM_F_ACK;
	}
	/* One that the stack has not is the kernel's all the same. */
	r.nlh.nlmsg_flags &= (uint16_t)~NLM_F_ACK;
	r.body.id.idiag_dport = htons(9);
	ask(&r);
	s = read_answers(51);
	cr_assert_eq(s.kernel, 1);
	cr_assert_eq(s.host, 0);
}

Test(netlink, destroy_reaches_the_owner)
{
	struct request r = request(SOCK_DESTROY, NLM_F_ACK, 48);
	struct seen s;

	begin();
	name_host_socket(&r, 9);
	ask(&r);
	s = read_answers(48);
	cr_assert(s.done);
	cr_assert_eq(s.error, 0);
	cr_assert_eq(destroyed, 10);
}

Test(netlink, look_up_with_acknowledgement_has_both_answers)
{
	struct request r = request(SOCK_DIAG_BY_FAMILY, NLM_F_ACK, 49);
	_Alignas(8) char buf[8192];
	struct nlmsghdr *h = (void *)buf;
	bool ours;

	begin();
	name_host_socket(&r, 3);
	ask(&r);
	cr_assert_gt(receive(buf, sizeof(buf), 0, &ours), 0);
	cr_assert(ours);
	cr_assert_eq(h->nlmsg_type, SOCK_DIAG_BY_FAMILY);
	cr_assert_gt(receive(buf, sizeof(buf), 0, &ours), 0);
	cr_assert_eq(h->nlmsg_type, NLMSG_ERROR);
	cr_assert_eq(*(int *)NLMSG_DATA(h), 0);
	cr_assert_eq(receive(buf, sizeof(buf), MSG_DONTWAIT, &ours), -1);
	cr_assert_eq(errno, EAGAIN);
}

Test(netlink, dump_whose_host_dies_ends_with_an_error)
{
	struct request r = request(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, 50);
	struct seen s;

	begin();
	dies = 1;
	ask(&r);
	s = read_answers(50);
	cr_assert_eq(s.kernel, 1);
	cr_assert_gt(s.host, 0);
	cr_assert_lt(s.host, SOCKETS);
	cr_assert_eq(s.error, -ECONNRESET);
	dies = 0;
	ask(&r);
	cr_assert_eq(read_answers(50).host, SOCKETS, "the next one asks another host");
}

static void join(void)
{
	uint32_t group = SKNLGRP_INET_TCP_DESTROY;

	begin();
	cr_assert_eq(setsockopt(netlink_fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)), 0);
	netlink_option(netlink_fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group));
	cr_assert_geq(host_end, 0);
	cr_assert_eq(bell, netlink_fd);
}

/* The host tells of a socket's end; its message's length. */
static ssize_t send_event(void)
{
	_Alignas(8) uint8_t buf[4096];
	struct sock_cursor c = { .family = 0 };
	struct sock_entry e;
	size_t len;

	memset(&e, 0, sizeof(e));
	host_next(NULL, IPPROTO_TCP, &c, &e);
	len = diag_event_build(buf, &e, IPPROTO_TCP, NULL);
	cr_assert_eq(send(host_end, buf, len, 0), (ssize_t)len);
	return (ssize_t)len;
}

static void ring(void)
{
	struct nlmsghdr m = {
		.nlmsg_len = sizeof(m), .nlmsg_type = NLMSG_NOOP, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
		.nlmsg_seq = STACK_DIAG_BELL,
	};

	cr_assert_eq(send(bell, &m, sizeof(m), 0), (ssize_t)sizeof(m));
}

static bool is_readable(void)
{
	struct pollfd p = { .fd = netlink_fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

Test(netlink, destroy_events_of_the_host_arrive)
{
	_Alignas(8) uint8_t buf[4096];
	ssize_t len;
	bool ours;

	join();
	len = send_event();
	cr_assert_eq(receive(buf, sizeof(buf), 0, &ours), len);
	cr_assert(ours);
	cr_assert_eq(receive(buf, sizeof(buf), MSG_DONTWAIT, &ours), -1);
	cr_assert_eq(errno, EAGAIN);
	close(host_end);
	cr_assert_eq(receive(buf, sizeof(buf), MSG_DONTWAIT, &ours), -1, "without the host the kernel goes on");
	cr_assert_eq(errno, EAGAIN);
}

Test(netlink, event_is_read_in_place_of_its_bell)
{
	_Alignas(8) uint8_t buf[4096];
	ssize_t len;
	bool ours;

	join();
	for (int i = 0; i < 3; i++) {
		len = send_event();
		ring();
	}
	for (int i = 0; i < 3; i++) {
		cr_assert(is_readable());
		cr_assert_eq(receive(NULL, 0, MSG_PEEK | MSG_TRUNC, &ours), len);
		cr_assert_eq(receive(buf, sizeof(buf), 0, &ours), len);
		cr_assert(ours);
	}
	cr_assert_not(is_readable());
}

Test(netlink, bell_without_an_event_is_nothing)
{
	_Alignas(8) uint8_t buf[4096];
	bool ours;

	join();
	ring();
	cr_assert_eq(receive(buf, sizeof(buf), MSG_DONTWAIT, &ours), -1);
	cr_assert_eq(errno, EAGAIN);
	cr_assert_not(is_readable());
	ring();
	close(host_end);
	cr_assert_eq(receive(buf, sizeof(buf), MSG_DONTWAIT, &ours), -1, "nor with the host gone");
	cr_assert_eq(errno, EAGAIN);
	cr_assert_not(is_readable());
}

Test(netlink, bell_before_answers_is_none_of_them)
{
	struct request r = request(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, 48);
	_Alignas(8) uint8_t buf[4096];
	struct seen s;
	bool ours;

	join();
	ring();
	send_event();
	ring();
	ask(&r);
	/* As from a kernel, events come between. */
	cr_assert_gt(receive(buf, sizeof(buf), 0, &ours), 0);
	cr_assert(ours && ((struct nlmsghdr *)buf)->nlmsg_seq == 0);
	s = read_answers(48);
	cr_assert_eq(s.kernel, 1);
	cr_assert_eq(s.host, SOCKETS);
}

Test(netlink, program_without_a_stack_is_left_alone)
{
	sockshim_cookie diag = sockshim_cookie_make(AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG);

	netlink_host = NULL;
	cr_assert_not(netlink_watched(diag));
	netlink_host = host_open;
	cr_assert(netlink_watched(diag));
	cr_assert(netlink_watched(sockshim_cookie_make(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)));
	cr_assert_not(netlink_watched(sockshim_cookie_make(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC)));
	cr_assert_not(netlink_watched(sockshim_cookie_make(AF_INET, SOCK_RAW, 4)));
}
