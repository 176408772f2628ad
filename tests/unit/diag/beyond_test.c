/* What the server does beyond the kernel's sock_diag: histories, events by request, who made a socket. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <string.h>

#include "server/session.h"
#include "wire/inet.h"
#include "wire/req.h"
#include "wire/stack.h"
#include "wire/state.h"

#define SOCKETS 20u

static unsigned ends, completed, found;

static int made_next(void *source, uint32_t protocol, struct sock_cursor *c, struct sock_entry *e)
{
	uint32_t i = (uint32_t)c->at[0]++;

	if (i >= SOCKETS)
		return 0;
	e->msg.idiag_family = AF_INET;
	e->msg.idiag_state = DIAG_TCP_ESTABLISHED;
	e->msg.id.idiag_sport = htons(80);
	e->msg.id.idiag_dport = htons((uint16_t)(1000 + i));
	e->msg.id.idiag_cookie[0] = i;
	if (i % 2)
		e->process = (struct diag_stack_process){ .pid = 100 + i, .comm = "a-name" };
	return 1;
}

static void made_end(void *source, struct sock_cursor *c)
{
	ends++;
}

static void made_complete(void *source, struct sock_entry *e, uint8_t ext)
{
	completed++;
	e->msg.idiag_rqueue = 4711;
}

static int made_find(void *source, uint32_t protocol, const struct sock_key *k, struct sock_cursor *c,
		     struct sock_entry *e)
{
	found++;
	if (c->at[0]++)
		return 0;
	cr_assert_eq(k->family, AF_INET);
	cr_assert_eq(ntohs(k->pport_be), 1003);
	cr_assert_eq(k->cookie, 3);
	return made_next(source, protocol, &(struct sock_cursor){ .at = { 3 } }, e);
}

static int made_past(void *source, struct sock_cursor *c, struct sock_entry *e, struct sock_past *p)
{
	if (c->at[0] >= 5)
		return 0;
	made_next(source, IPPROTO_TCP, &(struct sock_cursor){ .at = { c->at[0] } }, e);
	e->msg.idiag_state = DIAG_TCP_CLOSE;
	memset(p, 0, sizeof(*p));
	p->info.bytes_acked = c->at[0]++;
	p->ended = (struct diag_stack_ended){ 10, 20 };
	return 1;
}

static void made_info(void *source, const struct sock_entry *e, struct diag_tcp_info *ti)
{
	memset(ti, 0, sizeof(*ti));
}

static void made_memory(void *source, const struct sock_entry *e, uint32_t mem[SK_MEMINFO_VARS])
{
}

static const struct sock_source_ops full_ops = {
	.next = made_next, .end = made_end, .complete = made_complete, .find = made_find, .past = made_past,
	.info = made_info, .memory = made_memory,
}, plain_ops = {
	.next = made_next, .info = made_info, .memory = made_memory,
};

static _Alignas(8) uint8_t got[65536];
static size_t got_len;
static struct diag_session session;

static void append(const void *data, size_t len, void *arg)
{
	cr_assert_leq(got_len + len, sizeof(got));
	memcpy(got + got_len, data, len);
	got_len += NLMSG_ALIGN(len);
}

static void ask(const struct sock_source_ops *ops, uint32_t portid, const void *req, size_t len)
{
	static _Alignas(8) uint8_t buf[SESSION_DATAGRAM];

	got_len = 0;
	diag_session_init(&session, ops, NULL, portid, true);
	diag_session_receive(&session, req, len, append, NULL);
	while (diag_session_dumping(&session))
		append(buf, diag_session_continue(&session, buf, sizeof(buf)), NULL);
}

/* The n-th message. */
static const struct nlmsghdr *message(unsigned n)
{
	size_t at = 0;

	while (n-- && at < got_len)
		at += NLMSG_ALIGN(((struct nlmsghdr *)(got + at))->nlmsg_len);
	return at < got_len ? (const void *)(got + at) : NULL;
}

static int error_of(const struct nlmsghdr *nlh)
{
	int error;

	cr_assert(nlh && (nlh->nlmsg_type == NLMSG_ERROR || nlh->nlmsg_type == NLMSG_DONE));
	memcpy(&error, NLMSG_DATA(nlh), sizeof(error));
	return error;
}

static _Alignas(4) uint8_t room[DIAG_REQ_ROOM];
static struct diag_req r;

Test(beyond, history_has_the_ended_with_their_times)
{
	struct diag_stack_process made;
	struct diag_stack_ended ended;
	struct diag_inet s;

	diag_req_inet(&r, room, sizeof(room), AF_INET, IPPROTO_TCP);
	diag_req_history(&r);
	diag_req_inet_body(&r)->idiag_states = 0; /* nothing it heeds */
	ask(&full_ops, 9, room, r.nlh->nlmsg_len);
	for (unsigned i = 0; i < 5; i++) {
		const struct nlmsghdr *m = message(i);
		size_t len = m->nlmsg_len - NLMSG_HDRLEN;

		cr_assert_eq(m->nlmsg_type, SOCK_DIAG_BY_FAMILY);
		cr_assert_eq(m->nlmsg_flags, NLM_F_MULTI);
		cr_assert_not(diag_failed(diag_inet_parse(NLMSG_DATA(m), len, &s)));
		cr_assert_eq(s.msg.idiag_state, DIAG_TCP_CLOSE);
		cr_assert_eq(s.attrs[INET_DIAG_INFO].len, sizeof(struct diag_tcp_info));
		cr_assert(diag_stack_ended_read(NLMSG_DATA(m), len, &ended));
		cr_assert(ended.opened_ns == 10 && ended.ended_ns == 20);
		cr_assert_eq(diag_stack_process_read(NLMSG_DATA(m), len, &made), i % 2 == 1);
	}
	cr_assert_eq(error_of(message(5)), 0);
	diag_req_inet_body(&r)->id.idiag_dport = htons(1002);
	ask(&full_ops, 9, room, r.nlh->nlmsg_len);
	cr_assert_eq(error_of(message(1)), 0, "filters hold");
	diag_req_inet_body(&r)->sdiag_family = AF_INET6;
	ask(&full_ops, 9, room, r.nlh->nlmsg_len);
	cr_assert_eq(error_of(message(0)), 0);
}

Test(beyond, history_where_none_is_kept_or_asked_wrongly)
{
	diag_req_inet(&r, room, sizeof(room), AF_INET, IPPROTO_TCP);
	diag_req_history(&r);
	ask(&plain_ops, 9, room, r.nlh->nlmsg_len);
	cr_assert_eq(error_of(message(0)), -EOPNOTSUPP);
	r.nlh->nlmsg_flags = NLM_F_REQUEST;
	ask(&full_ops, 9, room, r.nlh->nlmsg_len);
	cr_assert_eq(error_of(message(0)), -EINVAL);
	r.nlh->nlmsg_flags |= NLM_F_DUMP;
	ask(&full_ops, 9, room, r.nlh->nlmsg_len - 8);
	cr_assert_eq(got_len, 0, "a length beyond what was sent");
	r.nlh->nlmsg_len -= 8;
	ask(&full_ops, 9, room, r.nlh->nlmsg_len);
	cr_assert_eq(error_of(message(0)), -EINVAL);
}

Test(beyond, who_made_a_socket_is_told_to_those_who_ask)
{
	struct diag_stack_process made;

	diag_req_inet(&r, room, sizeof(room), AF_INET, IPPROTO_TCP);
	ask(&full_ops, 9, room, r.nlh->nlmsg_len);
	cr_assert_not(diag_stack_process_read(NLMSG_DATA(message(1)), message(1)->nlmsg_len - NLMSG_HDRLEN, &made));
	diag_req_want(&r, DIAG_STACK_WANT_PROCESS);
	ask(&full_ops, 9, room, r.nlh->nlmsg_len);
	cr_assert(diag_stack_process_read(NLMSG_DATA(message(1)), message(1)->nlmsg_len - NLMSG_HDRLEN, &made));
	cr_assert(made.pid == 101 && !strcmp(made.comm, "a-name"));
	cr_assert_not(diag_stack_process_read(NLMSG_DATA(message(2)), message(2)->nlmsg_len - NLMSG_HDRLEN, &made));
}

Test(beyond, what_a_hostile_server_says_of_processes_is_checked)
{
	struct {
		struct inet_diag_msg m;
		struct rtattr a;
		struct diag_stack_process p;
	} body = { .a = { .rta_len = sizeof(body.a) + sizeof(body.p), .rta_type = DIAG_STACK_PROCESS } };
	struct diag_stack_process made;

	memset(body.p.comm, 'x', sizeof(body.p.comm));
	cr_assert_not(diag_stack_process_read(&body, sizeof(body), &made), "no process has number 0");
	body.p.pid = UINT32_MAX;
	cr_assert_not(diag_stack_process_read(&body, sizeof(body), &made));
	body.p.pid = 7;
	cr_assert(diag_stack_process_read(&body, sizeof(body), &made));
	cr_assert_eq(strlen(made.comm), sizeof(made.comm) - 1, "it is terminated");
	cr_assert_not(diag_stack_process_read(&body, sizeof(body) - 1, &made));
	body.a.rta_len = 8;
	cr_assert_not(diag_stack_process_read(&body, sizeof(body), &made));
	cr_assert_not(diag_stack_process_read(&body, 10, &made));
}

Test(beyond, joining_brings_the_groups_asked_for)
{
	struct {
		struct nlmsghdr nlh;
		uint32_t groups;
	} m = { .nlh = { sizeof(m), DIAG_STACK_JOIN, NLM_F_REQUEST | NLM_F_ACK, 3, 0 }, .groups = 1 };

	ask(&full_ops, 9, &m, sizeof(m));
	cr_assert_eq(error_of(message(0)), 0);
	cr_assert(diag_session_hears(&session, SKNLGRP_INET_TCP_DESTROY));
	cr_assert_not(diag_session_hears(&session, SKNLGRP_INET_UDP_DESTROY));
	cr_assert_not(diag_session_hears(&session, SKNLGRP_NONE));
	m.nlh.nlmsg_len = NLMSG_HDRLEN + 2;
	ask(&full_ops, 9, &m, sizeof(m));
	cr_assert_eq(error_of(message(0)), -EINVAL);
	cr_assert_not(diag_session_hears(&session, SKNLGRP_INET_TCP_DESTROY));
}

Test(beyond, answers_carry_the_requests_port_id_where_there_is_no_other)
{
	diag_req_inet(&r, room, sizeof(room), AF_INET, IPPROTO_TCP);
	r.nlh->nlmsg_pid = 1234;
	ask(&full_ops, 0, room, r.nlh->nlmsg_len);
	cr_assert_eq(message(0)->nlmsg_pid, 1234);
	cr_assert_eq(message(SOCKETS)->nlmsg_type, NLMSG_DONE);
	cr_assert_eq(message(SOCKETS)->nlmsg_pid, 1234);
	ask(&full_ops, 9, room, r.nlh->nlmsg_len);
	cr_assert_eq(message(0)->nlmsg_pid, 9);
	r.nlh->nlmsg_type = 99;
	ask(&full_ops, 0, room, r.nlh->nlmsg_len);
	cr_assert_eq(message(0)->nlmsg_pid, 1234);
}

Test(beyond, only_what_is_shown_is_completed_and_every_cursor_is_ended)
{
	diag_req_inet(&r, room, sizeof(room), AF_INET, IPPROTO_TCP);
	diag_req_inet_body(&r)->id.idiag_dport = htons(1003);
	ask(&full_ops, 9, room, r.nlh->nlmsg_len);
	cr_assert_eq(completed, 1);
	cr_assert_eq(((struct inet_diag_msg *)NLMSG_DATA(message(0)))->idiag_rqueue, 4711);
	cr_assert_eq(ends, 1);
	/* One that is given up in the middle. */
	diag_session_receive(&session, room, r.nlh->nlmsg_len, append, NULL);
	cr_assert(diag_session_dumping(&session));
	diag_session_end(&session);
	cr_assert_eq(ends, 2);
}

Test(beyond, look_up_asks_the_tables_index)
{
	diag_req_inet(&r, room, sizeof(room), AF_INET, IPPROTO_TCP);
	diag_req_exact(&r);
	diag_req_inet_body(&r)->id = (struct inet_diag_sockid){ .idiag_sport = htons(80), .idiag_dport = htons(1003),
								.idiag_cookie = { 3, 0 } };
	ask(&full_ops, 9, room, r.nlh->nlmsg_len);
	cr_assert_eq(message(0)->nlmsg_type, SOCK_DIAG_BY_FAMILY);
	cr_assert_eq(found, 2);
	cr_assert_eq(completed, 1);
}
