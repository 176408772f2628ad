/*
 * The server held to this kernel: the same request to both, on sockets in the same state, in a
 * network namespace of the test's own. Everything that state decides must agree to the byte.
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
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

static size_t dump(uint8_t family, uint32_t protocol, uint32_t states, uint8_t ext, const char *what)
{
	_Alignas(4) uint8_t room[DIAG_REQ_ROOM];
	struct diag_req r;

	diag_req_inet(&r, room, sizeof(room), family, protocol);
	diag_req_inet_body(&r)->idiag_states = states;
	diag_req_inet_body(&r)->idiag_ext = ext;
	r.nlh->nlmsg_seq = 77;
	return agree(r.nlh, r.nlh->nlmsg_len, what);
}

Test(server, dumps_agree_in_every_state_and_extension)
{
	size_t sockets = 0;

	populate();
	for (int v6 = 0; v6 < 2; v6++) {
		uint8_t family = v6 ? AF_INET6 : AF_INET;

		sockets += dump(family, IPPROTO_TCP, UINT32_MAX, 0, "all TCP") - 1;
		sockets += dump(family, IPPROTO_UDP, UINT32_MAX, 0, "all UDP") - 1;
		for (int bit = 0; bit < 32; bit++) {
			char what[64];

			snprintf(what, sizeof(what), "%s, state bit %d", v6 ? "IPv6" : "IPv4", bit);
			dump(family, IPPROTO_TCP, 1u << bit, 0xff, what);
			dump(family, IPPROTO_UDP, 1u << bit, 0xff, what);
		}
		for (int bit = 0; bit < 8; bit++) {
			char what[64];

			snprintf(what, sizeof(what), "%s, extension bit %d", v6 ? "IPv6" : "IPv4", bit);
			dump(family, IPPROTO_TCP, UINT32_MAX, (uint8_t)(1 << bit), what);
			dump(family, IPPROTO_UDP, UINT32_MAX, (uint8_t)(1 << bit), what);
		}
		dump(family, IPPROTO_TCP, 0, 0xff, "no states");
	}
	cr_assert_eq(sockets, (size_t)table.count, "every socket was seen");
}

Test(server, dumps_agree_for_one_without_rights)
{
	populate();
	netns_drop_rights();
	open_kernel();
	dump(AF_INET, IPPROTO_TCP, UINT32_MAX, 0xff, "TCP, unprivileged");
	dump(AF_INET6, IPPROTO_UDP, UINT32_MAX, 0xff, "UDP over IPv6, unprivileged");
	netns_regain_rights(); /* a leak check at exit wants them back */
}

Test(server, dumps_filter_by_port)
{
	_Alignas(4) uint8_t room[DIAG_REQ_ROOM];
	struct diag_req r;

	populate();
	for (uint32_t protocol = IPPROTO_TCP; protocol <= IPPROTO_UDP; protocol += IPPROTO_UDP - IPPROTO_TCP)
		for (uint16_t port = 4000; port < 4009; port++)
			for (int side = 0; side < 3; side++) {
				diag_req_inet(&r, room, sizeof(room), port % 2 ? AF_INET : AF_INET6, protocol);
				if (side != 1)
					diag_req_inet_body(&r)->id.idiag_sport = htons(port);
				if (side != 0)
					diag_req_inet_body(&r)->id.idiag_dport = htons(port);
				agree(r.nlh, r.nlh->nlmsg_len, "dump by port");
			}
}

Test(server, v1_dumps_give_both_families)
{
	_Alignas(4) uint8_t room[DIAG_REQ_ROOM];
	struct diag_req r;
	size_t n;

	populate();
	diag_req_inet_v1(&r, room, sizeof(room), AF_INET);
	diag_req_inet_v1_body(&r)->idiag_ext = DIAG_EXT_INFO;
	n = agree(r.nlh, r.nlh->nlmsg_len, "v1 dump");
	cr_assert_gt(n, 8);
	r.nlh->nlmsg_len -= 4;
	agree(r.nlh, r.nlh->nlmsg_len, "v1, too short");
}

/* Every socket by its own identity, and by ones that are not quite. */
static void look_up(struct diag_req *r, const struct known *k, bool v1)
{
	_Alignas(4) uint8_t copy[DIAG_REQ_ROOM];
	struct inet_diag_sockid *id = v1 ? &diag_req_inet_v1_body(r)->id : &diag_req_inet_body(r)->id;
	bool swap = k->protocol == IPPROTO_UDP;

	for (int variant = 0; variant < 8; variant++) {
		char what[80];

		*id = k->e.msg.id;
		if (swap) {
			id->idiag_sport = k->e.msg.id.idiag_dport;
			id->idiag_dport = k->e.msg.id.idiag_sport;
			memcpy(id->idiag_src, k->e.msg.id.idiag_dst, 16);
			memcpy(id->idiag_dst, k->e.msg.id.idiag_src, 16);
		}
		switch (variant) {
		case 1:
			id->idiag_cookie[0] = id->idiag_cookie[1] = DIAG_NOCOOKIE;
			break;
		case 2:
			id->idiag_cookie[0] = id->idiag_cookie[1] = 0;
			break;
		case 3:
			id->idiag_cookie[1] ^= 1;
			break;
		case 4:
			id->idiag_sport ^= 1;
			break;
		case 5:
			id->idiag_dport ^= 1;
			break;
		case 6:
			id->idiag_if = 1;
			break;
		case 7: /* a peer nobody knows: a listener answers for it */
			id->idiag_dst[0] = inet_addr("10.9.8.7");
			id->idiag_cookie[0] = id->idiag_cookie[1] = DIAG_NOCOOKIE;
			break;
		default:
			break;
		}
		memcpy(copy, r->nlh, r->nlh->nlmsg_len);
		snprintf(what, sizeof(what), "look-up of socket %d, variant %d%s", (int)(k - table.socks), variant,
			 v1 ? ", v1" : "");
		agree(copy, r->nlh->nlmsg_len, what);
	}
}

Test(server, look_ups_agree)
{
	_Alignas(4) uint8_t room[DIAG_REQ_ROOM];
	struct diag_req r;

	populate();
	for (int i = 0; i < table.count; i++) {
		const struct known *k = &table.socks[i];

		if (k->e.kind == SOCK_KIND_BOUND)
			continue;
		diag_req_inet(&r, room, sizeof(room), k->e.msg.idiag_family, k->protocol);
		diag_req_inet_body(&r)->idiag_states = 0; /* nothing a look-up heeds */
		diag_req_inet_body(&r)->idiag_ext = 0xff;
		diag_req_exact(&r);
		look_up(&r, k, false);
		r.nlh->nlmsg_flags |= NLM_F_ACK;
		look_up(&r, k, false);
		if (k->protocol != IPPROTO_TCP)
			continue;
		diag_req_inet_v1(&r, room, sizeof(room), k->e.msg.idiag_family);
		diag_req_exact(&r);
		look_up(&r, k, true);
	}
}

/* A request of the test's making: a v2 dump of TCP over IPv4 with a program in hexadecimal. */
static size_t with_code(uint8_t *room, const char *code)
{
	_Alignas(4) uint8_t bytes[256];
	struct diag_req r;
	size_t n = 0;

	for (const char *p = code; *p; p++) {
		unsigned int byte;

		if (*p == ' ')
			continue;
		sscanf(p, "%2x", &byte);
		bytes[n++] = (uint8_t)byte;
		p++;
	}
	diag_req_inet(&r, room, 1024, AF_INET, IPPROTO_TCP);
	diag_req_inet_body(&r)->idiag_states = UINT32_MAX;
	if (n)
		diag_req_bytecode(&r, bytes, n);
	else
		mnl_attr_put(r.nlh, INET_DIAG_REQ_BYTECODE, 0, NULL);
	return r.nlh->nlmsg_len;
}

static const char *const programs[] = {
	"", "00", "0004", "00040800", "00040000", "0004ffff", "00040800 00", "0e040800", "ff040800", "00000800", "00030800",
	"00060800 0000", "00080800", "00080800 00040800", "01040000", "01040400", "01040500", "01040600", "01040700", "01040800", "01040900", "01040c00",
	"01048000", "01040800 00040400", "01040c00 00040400", "01040800 07101400 02080000 ffffffff 7f000000",
	"01041400 07101400 02080000 ffffffff 7f000000",
	/* ports */
	"02040800", "02080c00", "02080c00 0000a10f", "03080c00 0000a10f", "04080c00 0000a10f", "05080c00 0000a20f",
	"0b080c00 0000a10f", "0c080c00 0000a10f", "0b080800 0000a10f", "0b0c0c00 0000a10f",
	/* autobound */
	"06040800", "06040400",
	/* hosts */
	"07080c00 00000000", "070c1000 00000000 ffffffff", "070c1000 00000000 a10f0000", "080c1000 00000000 a10f0000",
	"070c1000 00010000 ffffffff", "07101400 02080000 ffffffff 7f000000", "07101400 02200000 ffffffff 7f000001",
	"07101400 02210000 ffffffff 7f000001", "07101400 02000000 a10f0000 00000000", "07101400 63080000 ffffffff 7f000000",
	"07101400 0a080000 ffffffff 7f000000", "071c2000 0a800000 ffffffff 00000000 00000000 00000000 00000001",
	"071c2000 0a810000 ffffffff 00000000 00000000 00000000 00000001", "07100c00 02080000 ffffffff 7f000000",
	/* device, mark, cgroup */
	"09040800", "09080c00 00000000", "09080c00 01000000", "0a080c00 17000000", "0a0c1000 17000000 ff000000",
	"0a0c1000 01000000 01000000", "0d080c00 01000000", "0d0c1000 01000000 00000000",
	"0d0c1000 ffffffff ffffffff",
	/* what ss sends for "( dport = :4001 or src 10/8 )" */
	"08101400 00000000 a10f0000 00000000 01041400 07101400 02080000 ffffffff 0a000000",
};

Test(server, programs_are_accepted_refused_and_run_alike)
{
	_Alignas(4) uint8_t room[1024];

	populate();
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
		agree(room, with_code(room, programs[i]), programs[i]);
	netns_drop_rights();
	open_kernel();
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
		agree(room, with_code(room, programs[i]), programs[i]);
	netns_regain_rights();
}

Test(server, what_ss_never_sends_gets_the_same_error)
{
	static const struct {
		const char *what;
		int type, flags, len, family, protocol; /* -1: as it should be */
	} cases[] = {
		{ "no REQUEST flag", -1, 0x300, -1, -1, -1 },
		{ "no REQUEST flag but ACK", -1, 0x304, -1, -1, -1 },
		{ "ROOT alone", -1, 0x101, -1, -1, -1 },
		{ "MATCH alone", -1, 0x201, -1, -1, -1 },
		{ "ACK on a dump", -1, 0x305, -1, -1, -1 },
		{ "type below 16", 15, -1, -1, -1, -1 },
		{ "type below 16 with ACK", 3, 5, -1, -1, -1 },
		{ "type 17", 17, -1, -1, -1, -1 },
		{ "type 19 (DCCP)", 19, -1, -1, -1, -1 },
		{ "type 22", 22, -1, -1, -1, -1 },
		{ "type 65535", 65535, -1, -1, -1, -1 },
		{ "header alone", -1, -1, 16, -1, -1 },
		{ "one byte of body", -1, -1, 17, -1, -1 },
		{ "body without its end", -1, -1, 71, -1, -1 },
		{ "destroy, short", 21, 5, 40, -1, -1 },
		{ "family 0", -1, -1, -1, 0, -1 },
		{ "family 3", -1, -1, -1, 3, -1 },
		{ "family 45", -1, -1, -1, 45, -1 },
		{ "family 46", -1, -1, -1, 46, -1 },
		{ "family 99", -1, -1, -1, 99, -1 },
		{ "family 255", -1, -1, -1, 255, -1 },
		{ "protocol 0", -1, -1, -1, -1, 0 },
		{ "protocol ICMP", -1, -1, -1, -1, 1 },
		{ "protocol 99, get", -1, 1, -1, -1, 99 },
		{ "protocol 99, destroy", 21, 5, -1, -1, 99 },
		{ "nothing found, get", -1, 1, -1, -1, -1 },
		{ "nothing found, destroy", 21, 5, -1, -1, -1 },
		{ "destroy with DUMP", 21, 0x301, -1, -1, -1 },
		{ "UDP, nothing found", -1, 1, -1, -1, IPPROTO_UDP },
	};

	populate();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_Alignas(4) uint8_t room[DIAG_REQ_ROOM];
		struct diag_req r;

		diag_req_inet(&r, room, sizeof(room), cases[i].family < 0 ? AF_INET : (uint8_t)cases[i].family,
			      cases[i].protocol < 0 ? IPPROTO_TCP : (uint32_t)cases[i].protocol);
		r.nlh->nlmsg_seq = 0x01020304;
		if (cases[i].type >= 0)
			r.nlh->nlmsg_type = (uint16_t)cases[i].type;
		if (cases[i].flags >= 0)
			r.nlh->nlmsg_flags = (uint16_t)cases[i].flags;
		if (cases[i].len >= 0)
			r.nlh->nlmsg_len = (uint32_t)cases[i].len;
		agree(room, r.nlh->nlmsg_len, cases[i].what);
	}
}

Test(server, attributes_that_are_odd_are_ignored_as_there)
{
	static const uint8_t odd[][16] = {
		{ 8, 0, 99, 0, 1, 2, 3, 4 },                        /* unknown */
		{ 3, 0, 1, 0 },                                     /* shorter than its header */
		{ 60, 0, 1, 0 },                                    /* beyond the message */
		{ 8, 0, 3, 0, 6, 0, 0, 0 },                         /* PROTOCOL: TCP */
		{ 8, 0, 3, 0, 17, 0, 0, 0 },                        /* PROTOCOL: UDP instead of the body's */
		{ 8, 0, 3, 0, 6, 1, 0, 0 },                         /* PROTOCOL: MPTCP */
		{ 8, 0, 3, 0, 255, 255, 255, 255 },                 /* PROTOCOL: none */
		{ 6, 0, 3, 0, 6, 0, 0, 0 },                         /* PROTOCOL of two bytes */
		{ 8, 0, 1, 0, 1, 4, 8, 0 },                         /* a program that lets nothing pass */
		{ 8, 0, 1, 0x80, 1, 4, 8, 0 },                      /* the same, marked nested */
		{ 8, 0, 1, 0, 1, 4, 8, 0, 8, 0, 1, 0, 0, 4, 8, 0 }, /* two: the last counts */
	};

	populate();
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
		for (size_t n = 0; n <= sizeof(odd[0]); n += 2)
			for (uint16_t flags = 1; flags <= 0x301; flags += 0x300) {
				_Alignas(4) uint8_t room[DIAG_REQ_ROOM] = { 0 };
				struct diag_req r;
				char what[64];

				if (i == 5 && n >= 8)
					continue; /* kernels have MPTCP, stacks here do not */
				diag_req_inet(&r, room, sizeof(room), AF_INET, IPPROTO_TCP);
				r.nlh->nlmsg_flags = flags;
				memcpy(room + r.nlh->nlmsg_len, odd[i], n);
				r.nlh->nlmsg_len += (uint32_t)n;
				snprintf(what, sizeof(what), "odd attribute %zu, %zu bytes, flags %x", i, n, flags);
				agree(room, r.nlh->nlmsg_len, what);
			}
}

Test(server, destroy_agrees_and_reaches_the_table)
{
	_Alignas(4) uint8_t room[DIAG_REQ_ROOM];
	struct diag_req r;

	populate();
	netns_drop_rights();
	open_kernel();
	diag_req_inet(&r, room, sizeof(room), AF_INET, IPPROTO_TCP);
	diag_req_destroy(&r);
	diag_req_inet_body(&r)->id = table.socks[2].e.msg.id;
	agree(room, r.nlh->nlmsg_len, "destroy, unprivileged");
	cr_assert_eq(table.destroyed, -1);
	netns_regain_rights();
	open_kernel();
	for (int i = table.count - 1; i >= 0; i--) {
		if (table.socks[i].e.kind == SOCK_KIND_BOUND)
			continue;
		diag_req_inet(&r, room, sizeof(room), table.socks[i].e.msg.idiag_family, table.socks[i].protocol);
		diag_req_destroy(&r);
		diag_req_inet_body(&r)->id = table.socks[i].e.msg.id;
		table.destroyed = -1;
		/* Closing one end ends the other, so only live ones are compared. */
		ask_kernel(room, r.nlh->nlmsg_len);
		ask_server(room, r.nlh->nlmsg_len);
		cr_assert_eq(table.destroyed, i);
		if (from_kernel.len == 36)
			cr_assert_arr_eq(from_kernel.bytes, from_server.bytes, 36);
	}
}

static uint32_t rnd_state;

static uint32_t rnd(uint32_t below)
{
	rnd_state = rnd_state * 1664525 + 1013904223;
	return (rnd_state >> 8) % below;
}

/* Families and protocols a kernel answers for and a stack's server does not. */
static bool beyond_the_server(const uint8_t *room, size_t len)
{
	const struct nlmsghdr *nlh = (const void *)room;
	struct diag_inet_query q;
	uint8_t family = room[16];

	if (len > 16 && nlh->nlmsg_type >= SOCK_DIAG_BY_FAMILY && family != AF_INET && family != AF_INET6 && family < 46)
		return true;
	if (nlh->nlmsg_type == SOCK_DESTROY)
		return true; /* would empty the kernel's table */
	if (nlh->nlmsg_len < NLMSG_HDRLEN || nlh->nlmsg_len > len || diag_inet_query_parse(nlh, &q))
		return false;
	return q.protocol != IPPROTO_TCP && q.protocol != IPPROTO_UDP && q.protocol < 263;
}

Test(server, requests_with_random_damage_agree)
{
	populate();
	rnd_state = 4711;
	for (int round = 0; round < 2500; round++) {
		_Alignas(4) uint8_t room[1024] = { 0 };
		size_t len = with_code(room, programs[rnd(sizeof(programs) / sizeof(programs[0]))]);
		char what[32];

		if (rnd(4) == 0) {
			const struct known *k = &table.socks[rnd((uint32_t)table.count)];
			struct diag_req r;

			diag_req_inet(&r, room, sizeof(room), k->e.msg.idiag_family, k->protocol);
			diag_req_exact(&r);
			diag_req_inet_body(&r)->id = k->e.msg.id;
			len = r.nlh->nlmsg_len;
		}
		/* The port id (bytes 12 to 15) is echoed and the device beyond a look-up's rules; the rest may change. */
		for (uint32_t flips = rnd(4); flips; flips--) {
			size_t at = rnd((uint32_t)len);

			if (at < 12 || (at >= 16 && (at < 60 || at >= 72)))
				room[at] ^= (uint8_t)(1u << rnd(8));
		}
		if (rnd(8) == 0)
			len -= rnd((uint32_t)len);
		if (!len || beyond_the_server(room, len))
			continue;
		snprintf(what, sizeof(what), "round %d", round);
		agree(room, len, what);
	}
}

Test(server, a_second_dump_is_busy_and_the_first_goes_on)
{
	_Alignas(8) uint8_t room[DIAG_REQ_ROOM], buf[FILL_MAX];
	struct nlmsghdr *list[MESSAGES];
	struct diag_req r;
	size_t n;
	int err;

	for (table.count = 0; table.count < 9; table.count++) {
		struct known *k = &table.socks[table.count];

		*k = (struct known){ .protocol = IPPROTO_TCP, .fd = -1 };
		k->e.msg.idiag_family = AF_INET;
		k->e.msg.idiag_state = DIAG_TCP_ESTABLISHED;
		k->e.msg.id.idiag_cookie[0] = (uint32_t)table.count;
	}
	diag_session_init(&session, &table_ops, &table, 0, true);
	diag_req_inet(&r, room, sizeof(room), AF_INET, IPPROTO_TCP);
	from_server.len = 0;
	diag_session_receive(&session, room, r.nlh->nlmsg_len, append, &from_server);
	cr_assert_eq(from_server.len, 0);
	diag_session_receive(&session, room, r.nlh->nlmsg_len, append, &from_server);
	cr_assert_eq(split(&from_server, list), 1);
	memcpy(&err, NLMSG_DATA(list[0]), sizeof(err));
	cr_assert_eq(err, -EBUSY);
	/* One socket a datagram, as small as they get. */
	from_server.len = 0;
	while (diag_session_dumping(&session)) {
		n = diag_session_continue(&session, buf, sizeof(buf));
		cr_assert_leq(n, sizeof(buf));
		append(buf, n, &from_server);
	}
	n = split(&from_server, list);
	cr_assert_eq(n, 10);
	cr_assert_eq(list[n - 1]->nlmsg_type, NLMSG_DONE);
	cr_assert_eq(list[n - 1]->nlmsg_len, 20);
	for (size_t i = 0; i < n - 1; i++)
		for (size_t j = 0; j < i; j++)
			cr_assert_neq(by_cookie(&list[i], &list[j]), 0, "no socket twice");
}

Test(server, destroy_events_agree)
{
	_Alignas(8) uint8_t buf[FILL_MAX], got[8192];
	struct sockaddr_nl nl = { .nl_family = AF_NETLINK, .nl_groups = 15 };
	struct diag_tcp_info ti;
	struct diag_inet ev, ours;
	int fd, on;
	ssize_t n;

	populate();
	cr_assert_eq(diag_event_group(AF_INET, IPPROTO_TCP), SKNLGRP_INET_TCP_DESTROY);
	cr_assert_eq(diag_event_group(AF_INET6, IPPROTO_UDP), SKNLGRP_INET6_UDP_DESTROY);
	cr_assert_eq(diag_event_group(AF_UNIX, IPPROTO_UDP), SKNLGRP_NONE);
	fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG);
	cr_assert_eq(bind(fd, (void *)&nl, sizeof(nl)), 0);
	for (on = 0; on < 2; on++) { /* a TCP socket, then a UDP socket */
		struct known *k = NULL;
		uint8_t protocol = on ? IPPROTO_UDP : IPPROTO_TCP;

		for (int i = 0; i < table.count; i++)
			if (table.socks[i].protocol == protocol && table.socks[i].e.msg.idiag_state == DIAG_TCP_LISTEN)
				k = &table.socks[i];
		for (int i = 0; i < table.count && on; i++)
			if (table.socks[i].protocol == protocol)
				k = &table.socks[i];
		memset(&ti, 0, sizeof(ti));
		close(k->fd);
		n = recv(fd, got, sizeof(got), 0);
		cr_assert_gt(n, 0);
		cr_assert_eq(((struct nlmsghdr *)got)->nlmsg_type, SOCK_DIAG_BY_FAMILY);
		k->e.msg.idiag_state = DIAG_TCP_CLOSE;
		cr_assert_eq(diag_event_build(buf, &k->e, protocol, on ? NULL : &ti), (size_t)n);
		cr_assert_eq(memcmp(buf, got, NLMSG_HDRLEN), 0, "headers");
		diag_inet_parse(NLMSG_DATA(buf), (size_t)n - NLMSG_HDRLEN, &ours);
		diag_inet_parse(NLMSG_DATA(got), (size_t)n - NLMSG_HDRLEN, &ev);
		for (int i = 0; i < DIAG_INET_ATTRS; i++)
			cr_assert_eq(ours.attrs[i].len, ev.attrs[i].len, "attribute %d", i);
		cr_assert_eq(ev.attrs[INET_DIAG_PROTOCOL].data[0], protocol);
		cr_assert_eq(ev.msg.idiag_state, ours.msg.idiag_state);
	}
}
