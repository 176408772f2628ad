/* The socket layer: the same calls on a kernel socket and on one of the stack must have the same results. */
#include "socket/sock.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <linux/errqueue.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

static struct stack *lo_stack(void)
{
	struct stack_config config = netstack_config();
	struct addr_prefix v4, v6;
	struct route_row row = { 0 };
	struct stack *s;
	struct nic *nic;

	cr_assert_eq(stack_new(&config, &s), NS_OK);
	clock_set(s->clock, 1000000000, 1700000000000000000);
	cr_assert_eq(nic_create(s, 1, "lo", loopback_new(s->clock), &nic), NS_OK);
	addr_prefix_parse("127.0.0.1/8", &v4);
	addr_prefix_parse("::1/128", &v6);
	cr_assert_eq(nic_add_addr(nic, &v4, ADDR_MANUAL, NULL), NS_OK);
	cr_assert_eq(nic_add_addr(nic, &v6, ADDR_MANUAL, NULL), NS_OK);
	row.destination = subnet_of(&v4);
	row.nic = 1;
	cr_assert_eq(route_add(s, &row), NS_OK);
	row.destination = subnet_of(&v6);
	cr_assert_eq(route_add(s, &row), NS_OK);
	return s;
}

struct both {
	int domain, type;
	int fd;
	struct sock *k;
};

static struct both make_both(struct stack *s, int domain, int type)
{
	struct both b = { .domain = domain, .type = type, .fd = socket(domain, type, 0) };

	cr_assert_geq(b.fd, 0);
	cr_assert_eq(sock_new(s, domain, type, 0, &b.k), 0);
	return b;
}

static void drop_both(struct both *b)
{
	close(b->fd);
	sock_close(b->k);
}

struct opt_name {
	int level, name;
	const char *text;
	bool stream_only;
};

#define O(level, name) { level, name, #name, false }
#define T(name) { IPPROTO_TCP, name, #name, true }

static const struct opt_name opts[] = {
	O(SOL_SOCKET, SO_TYPE), O(SOL_SOCKET, SO_DOMAIN), O(SOL_SOCKET, SO_PROTOCOL),
	O(SOL_SOCKET, SO_ACCEPTCONN), O(SOL_SOCKET, SO_ERROR), O(SOL_SOCKET, SO_REUSEADDR),
	O(SOL_SOCKET, SO_REUSEPORT), O(SOL_SOCKET, SO_BROADCAST), O(SOL_SOCKET, SO_KEEPALIVE),
	O(SOL_SOCKET, SO_OOBINLINE), O(SOL_SOCKET, SO_LINGER), O(SOL_SOCKET, SO_RCVLOWAT),
	O(SOL_SOCKET, SO_SNDLOWAT), O(SOL_SOCKET, SO_RCVTIMEO), O(SOL_SOCKET, SO_SNDTIMEO),
	O(SOL_SOCKET, SO_DONTROUTE), O(SOL_SOCKET, SO_TIMESTAMP), O(SOL_SOCKET, SO_TIMESTAMPNS),
	O(SOL_SOCKET, SO_PRIORITY), O(SOL_SOCKET, 12345),
	O(IPPROTO_IP, IP_TOS), O(IPPROTO_IP, IP_TTL), O(IPPROTO_IP, IP_MULTICAST_TTL),
	O(IPPROTO_IP, IP_MULTICAST_LOOP), O(IPPROTO_IP, IP_MTU_DISCOVER), O(IPPROTO_IP, IP_MTU),
	O(IPPROTO_IP, IP_PKTINFO), O(IPPROTO_IP, IP_RECVTOS), O(IPPROTO_IP, IP_RECVTTL),
	O(IPPROTO_IP, IP_RECVERR), O(IPPROTO_IP, 12345),
	O(IPPROTO_IPV6, IPV6_V6ONLY), O(IPPROTO_IPV6, IPV6_UNICAST_HOPS),
	O(IPPROTO_IPV6, IPV6_MULTICAST_HOPS), O(IPPROTO_IPV6, IPV6_MULTICAST_LOOP),
	O(IPPROTO_IPV6, IPV6_TCLASS), O(IPPROTO_IPV6, IPV6_MTU_DISCOVER),
	O(IPPROTO_IPV6, IPV6_RECVPKTINFO), O(IPPROTO_IPV6, IPV6_RECVTCLASS),
	O(IPPROTO_IPV6, IPV6_RECVHOPLIMIT), O(IPPROTO_IPV6, IPV6_RECVERR), O(IPPROTO_IPV6, 12345),
	T(TCP_NODELAY), T(TCP_CORK), T(TCP_QUICKACK), T(TCP_KEEPIDLE), T(TCP_KEEPINTVL),
	T(TCP_KEEPCNT), T(TCP_SYNCNT), T(TCP_LINGER2), T(TCP_DEFER_ACCEPT), T(TCP_USER_TIMEOUT),
	T(TCP_NOTSENT_LOWAT), T(12345),
};

enum { NOPTS = sizeof(opts) / sizeof(opts[0]) };

/* Compares what getsockopt tells; returns whether it is the same. */
static bool same_value(const struct both *b, const struct opt_name *o, socklen_t room, const char *when)
{
	uint8_t kernel[64], ours[64];
	socklen_t klen = room, olen = room;
	int kr, or;

	memset(kernel, 0xee, sizeof(kernel));
	memset(ours, 0xee, sizeof(ours));
	kr = getsockopt(b->fd, o->level, o->name, kernel, &klen) ? -errno : 0;
	or = sock_getopt(b->k, o->level, o->name, ours, &olen);
	if (kr == or && (kr || (klen == olen && !memcmp(kernel, ours, sizeof(ours)))))
		return true;
	fprintf(stderr, "%s%s get %s room %u %s: kernel %d len %u %02x%02x%02x%02x, stack %d len %u %02x%02x%02x%02x\n",
		b->domain == AF_INET ? "inet" : "inet6", b->type == SOCK_STREAM ? " stream" : " dgram",
		o->text, room, when, kr, klen, kernel[0], kernel[1], kernel[2], kernel[3],
		or, olen, ours[0], ours[1], ours[2], ours[3]);
	return false;
}

static bool same_set(const struct both *b, const struct opt_name *o, const void *val, socklen_t len)
{
	int kr = setsockopt(b->fd, o->level, o->name, val, len) ? -errno : 0;
	int or = sock_setopt(b->k, o->level, o->name, val, len);
	char when[64];
	int v = 0;

	memcpy(&v, val, len < 4 ? len : 4);
	snprintf(when, sizeof(when), "after setting %d, length %u", v, len);
	if (kr != or) {
		fprintf(stderr, "%s%s set %s %d, length %u: kernel %d, stack %d\n",
			b->domain == AF_INET ? "inet" : "inet6",
			b->type == SOCK_STREAM ? " stream" : " dgram", o->text, v, len, kr, or);
		return false;
	}
	return same_value(b, o, 64, when);
}

static int compare_option(struct both *b, const struct opt_name *o)
{
	static const int values[] = { -1, 0, 1, 2, 3, 5, 6, 7, 64, 127, 128, 255, 256, 32767, 32768, 1 << 20 };
	static const socklen_t lens[] = { 0, 1, 3, 4 };
	int bad = 0;

	for (socklen_t room = 0; room <= 20; room += room < 5 ? 1 : 5)
		bad += !same_value(b, o, room, "at first");
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		int v[4] = { values[i] };

		/* Hop limit 0 is taken, and the default stands: nothing could be sent with it. */
		if (o->name == IPV6_UNICAST_HOPS && o->level == IPPROTO_IPV6 && values[i] == 0)
			continue;
		/* The kernel's limit is half of tcp_rmem, which differs between machines. */
		if (o->name == SO_RCVLOWAT && o->level == SOL_SOCKET && b->type == SOCK_STREAM && values[i] < 0)
			continue;
		for (size_t j = 0; j < sizeof(lens) / sizeof(lens[0]); j++)
			bad += !same_set(b, o, v, lens[j]);
		v[1] = 3;
		bad += !same_set(b, o, v, 8);
		bad += !same_set(b, o, v, 16);
	}
	return bad;
}

static void compare_options(int domain, int type)
{
	struct stack *s = lo_stack();
	int bad = 0;

	for (size_t i = 0; i < NOPTS; i++) {
		struct both b;

		if (opts[i].stream_only && type != SOCK_STREAM)
			continue;
		b = make_both(s, domain, type);
		bad += compare_option(&b, &opts[i]);
		drop_both(&b);
	}
	stack_free(s);
	cr_assert_eq(bad, 0, "%d differences", bad);
}

Test(socket, udp_options_as_the_kernels)
{
	compare_options(AF_INET, SOCK_DGRAM);
}

Test(socket, udp6_options_as_the_kernels)
{
	compare_options(AF_INET6, SOCK_DGRAM);
}

Test(socket, tcp_options_as_the_kernels)
{
	compare_options(AF_INET, SOCK_STREAM);
}

Test(socket, tcp6_options_as_the_kernels)
{
	compare_options(AF_INET6, SOCK_STREAM);
}

Test(socket, datagrams_carry_what_options_ask_for)
{
	struct stack *s = lo_stack();
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr_storage name;
	struct sock_msg m = { .flags = SOCK_MSG_TOS | SOCK_MSG_TTL, .tos = 0x20, .ttl = 9 };
	struct sock *rx, *tx;
	socklen_t len = sizeof(name);
	char buf[16];
	char hello[] = "hello";
	struct iovec iov = { hello, 5 }, in = { buf, sizeof(buf) };
	int on = 1;

	cr_assert_eq(sock_new(s, AF_INET6, SOCK_DGRAM, 0, &rx), 0);
	cr_assert_eq(sock_new(s, AF_INET6, SOCK_DGRAM, 0, &tx), 0);
	cr_assert_eq(sock_bind(rx, (struct sockaddr *)&a, sizeof(a)), 0);
	cr_assert_eq(sock_name(rx, false, (struct sockaddr *)&name, &len), 0);
	cr_assert_eq(sock_setopt(rx, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on)), 0);
	cr_assert_eq(sock_setopt(rx, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, &on, sizeof(on)), 0);
	cr_assert_eq(sock_poll(rx) & POLLIN, 0);
	memcpy(&m.addr, &name, len);
	m.addr_len = len;
	cr_assert_eq(sock_send(tx, &iov, 1, &m, 0), 5);
	stack_run(s);
	cr_assert(sock_poll(rx) & POLLIN);
	cr_assert_eq(sock_recv(rx, &in, 1, &m, 0), 5);
	cr_assert_eq(m.flags, SOCK_MSG_PKTINFO | SOCK_MSG_TTL);
	cr_assert_eq(m.ttl, 9);
	cr_assert_eq(m.ifindex, 1);
	cr_assert(tx->ep->opts.ttl == 0 && tx->ep->opts.hops == 0, "an option of one datagram stayed");
	sock_close(rx);
	sock_close(tx);
	stack_free(s);
}

/* Two ways to the same place, of which the first would be taken. */
Test(socket, unicast_leaves_by_the_interface_asked_for)
{
	static const char *const addrs[] = { "10.0.2.1/24", "10.0.3.1/24" };
	struct stack *s = lo_stack();
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0000209), .sin_port = htons(9) };
	struct sock_msg m = { .addr_len = sizeof(to) };
	struct iovec iov = { (char[]){ 'x' }, 1 };
	struct nic *nic[2];
	struct sock *k;
	int index = 0;

	for (uint32_t i = 0; i < 2; i++) {
		struct route_row row = { .nic = i + 2 };
		struct addr_prefix p;

		cr_assert_eq(nic_create(s, i + 2, NULL, loopback_new(s->clock), &nic[i]), NS_OK);
		addr_prefix_parse(addrs[i], &p);
		cr_assert_eq(nic_add_addr(nic[i], &p, ADDR_MANUAL, NULL), NS_OK);
		addr_prefix_parse("192.0.2.0/24", &p);
		row.destination = subnet_of(&p);
		cr_assert_eq(route_add(s, &row), NS_OK);
	}
	memcpy(&m.addr, &to, sizeof(to));
	cr_assert_eq(sock_new(s, AF_INET, SOCK_DGRAM, 0, &k), 0);
	for (int i = 0; i < 4; i++) {
		index = (int)htonl(i == 1 ? 3 : 2);
		if (i && i < 3)
			cr_assert_eq(sock_setopt(k, IPPROTO_IP, IP_UNICAST_IF, &index, sizeof(index)), 0);
		if (i == 3) {
			index = (int)htonl(3);
			cr_assert_eq(sock_setopt(k, IPPROTO_IP, IP_UNICAST_IF, &index, sizeof(index)), 0);
			cr_assert_eq(sock_connect(k, (struct sockaddr *)&to, sizeof(to)), 0);
		}
		cr_assert_eq(sock_send(k, &iov, 1, i < 3 ? &m : NULL, 0), 1);
		stack_run(s);
		cr_assert_eq(nic[0]->stats.tx_packets.value, i == 0 ? 1 : i == 1 ? 1 : 2);
		cr_assert_eq(nic[1]->stats.tx_packets.value, i == 0 ? 0 : i < 3 ? 1 : 2);
	}
	sock_close(k);
	stack_free(s);
}

Test(socket, recverr_keeps_the_error_and_the_datagram)
{
	struct stack *s = lo_stack();
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr = { htonl(INADDR_LOOPBACK) } };
	char abc[] = "abc";
	struct iovec iov = { abc, 3 };
	struct sock_msg m = { .addr_len = sizeof(a) };
	struct sock_error e;
	struct sock *k;
	int on = 1, err;
	socklen_t len = sizeof(err);

	memcpy(&m.addr, &a, sizeof(a));
	cr_assert_eq(sock_new(s, AF_INET, SOCK_DGRAM, 0, &k), 0);
	cr_assert_eq(sock_error_pop(k, &e), -EAGAIN);
	cr_assert_eq(sock_setopt(k, IPPROTO_IP, IP_RECVERR, &on, sizeof(on)), 0);
	cr_assert_eq(sock_send(k, &iov, 1, &m, 0), 3);
	stack_run(s);
	cr_assert(sock_poll(k) & POLLERR);
	cr_assert_eq(sock_getopt(k, SOL_SOCKET, SO_ERROR, &err, &len), 0);
	cr_assert_eq(err, ECONNREFUSED);
	cr_assert_eq(sock_error_pop(k, &e), 0);
	cr_assert_eq(e.ee_errno, ECONNREFUSED);
	cr_assert_eq(e.origin, SO_EE_ORIGIN_ICMP);
	cr_assert_eq(e.len, 3);
	cr_assert_arr_eq(e.payload, "abc", 3);
	cr_assert_eq(((struct sockaddr_in *)&e.dest)->sin_port, htons(9));
	cr_assert_eq(sock_poll(k) & POLLERR, 0);
	sock_close(k);
	stack_free(s);
}

Test(socket, raw_icmp_is_filtered_as_asked)
{
	struct stack *s = lo_stack();
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	uint8_t echo[8] = { 8, 0, 0xf7, 0xff }, buf[64];
	struct iovec out = { echo, sizeof(echo) }, in = { buf, sizeof(buf) };
	struct sock_msg m = { .addr_len = sizeof(a) };
	uint32_t block_echo = 1u << 8;
	struct sock *k;

	memcpy(&m.addr, &a, sizeof(a));
	cr_assert_eq(sock_new(s, AF_INET, SOCK_RAW, 0, &k), -EPROTONOSUPPORT);
	cr_assert_eq(sock_new(s, AF_INET, SOCK_RAW, IPPROTO_ICMP, &k), 0);
	cr_assert_eq(sock_setopt(k, SOL_RAW, 1, &block_echo, sizeof(block_echo)), 0);
	cr_assert_eq(sock_send(k, &out, 1, &m, 0), 8);
	stack_run(s);
	stack_run(s);
	/* The request is filtered, the reply comes with its IP header. */
	cr_assert_eq(sock_recv(k, &in, 1, &m, 0), 28);
	cr_assert_eq(buf[20], 0, "an echo reply, type 0, not %d", buf[20]);
	cr_assert_eq(sock_recv(k, &in, 1, &m, 0), -EAGAIN);
	sock_close(k);
	stack_free(s);
}

Test(socket, packet_sockets_tell_where_frames_came_from)
{
	struct stack *s = lo_stack();
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct sockaddr_ll ll = { .sll_family = AF_PACKET, .sll_ifindex = 1, .sll_protocol = htons(ETH_P_IP) };
	char abc[] = "abc", buf[256];
	struct iovec out = { abc, 3 }, in = { buf, sizeof(buf) };
	struct sock_msg m = { .addr_len = sizeof(a) };
	struct sock *k, *udp;

	cr_assert_eq(sock_new(s, AF_PACKET, SOCK_STREAM, 0, &k), -ESOCKTNOSUPPORT);
	cr_assert_eq(sock_new(s, AF_PACKET, SOCK_DGRAM, htons(ETH_P_ALL), &k), 0);
	cr_assert_eq(sock_bind(k, (struct sockaddr *)&ll, 4), -EINVAL);
	cr_assert_eq(sock_bind(k, (struct sockaddr *)&ll, sizeof(ll)), 0);
	cr_assert_eq(sock_new(s, AF_INET, SOCK_DGRAM, 0, &udp), 0);
	memcpy(&m.addr, &a, sizeof(a));
	cr_assert_eq(sock_send(udp, &out, 1, &m, 0), 3);
	stack_run(s);
	cr_assert_eq(sock_recv(k, &in, 1, &m, 0), 31);
	memcpy(&ll, &m.addr, sizeof(ll));
	cr_assert_eq(ll.sll_family, AF_PACKET);
	cr_assert_eq(ll.sll_ifindex, 1);
	cr_assert_eq(ll.sll_protocol, htons(ETH_P_IP));
	sock_close(k);
	sock_close(udp);
	stack_free(s);
}
