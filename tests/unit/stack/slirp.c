/* The link to libslirp, as an ordinary user: the user's loopback is the world. */
#include "link/slirp.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "net.h"

static struct clock clk;
static struct pkt_pool *pool;
static struct stack *stack;
static struct link *dev;
static struct nic *nic;
static char error[SLIRP_ERROR_MAX];
static int dns_fd = -1;

static void set_clock(void)
{
	struct timespec m, w;

	clock_gettime(CLOCK_MONOTONIC, &m);
	clock_gettime(CLOCK_REALTIME, &w);
	clock_set(&clk, m.tv_sec * NS_PER_SEC + m.tv_nsec, w.tv_sec * NS_PER_SEC + w.tv_nsec);
}

static struct sockaddr_in loopback(uint16_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port),
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

/* A socket of the kernel's at the loopback; *port 0: any, which is set. */
static int kernel_socket(int type, uint16_t *port)
{
	struct sockaddr_in a = loopback(*port);
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) || getsockname(fd, (struct sockaddr *)&a, &len))
		return -1;
	*port = ntohs(a.sin_port);
	return fd;
}

/* With root's rights for once: a namespace of our own, where questions for names come to us. */
static void own_world(void)
{
	char path[] = "/tmp/slirp-test-XXXXXX";
	uint16_t port = 53;
	int fd;

	if (geteuid() || unshare(CLONE_NEWNET | CLONE_NEWNS) || system("ip link set lo up") ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return;
	fd = mkstemp(path);
	if (fd >= 0 && write(fd, "nameserver 127.0.0.1\n", 21) == 21 && fchmod(fd, 0644) == 0 &&
	    mount(path, "/etc/resolv.conf", NULL, MS_BIND, NULL) == 0)
		dns_fd = kernel_socket(SOCK_DGRAM, &port);
	close(fd);
	unlink(path);
}

static void init(void)
{
	own_world();
	if (geteuid() == 0 && (setgroups(0, NULL) || setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534)))
		cr_skip_test("no other user here");
	clock_init(&clk, 0, 0);
	set_clock();
	pool = pkt_pool_new();
}

static void fini(void)
{
	if (stack)
		stack_free(stack);
	cr_assert_eq(pkt_pool_live(pool), 0);
	pkt_pool_unref(pool);
}

TestSuite(slirp, .init = init, .fini = fini);
TestSuite(slirp_forward);

static void open_stack(struct slirp_config c)
{
	struct stack_config sc = netstack_config();
	struct route_row row = { .nic = 1, .gateway = sim_parse(SLIRP_ROUTER_V4) };

	c.clock = &clk;
	c.pool = pool;
	cr_assert_eq(slirp_link_open(&c, &dev, error), 0, "%s", error);
	sc.clock = &clk;
	sc.pool = pool;
	cr_assert_eq(stack_new(&sc, &stack), NS_OK);
	cr_assert_eq(nic_create(stack, 1, "user", ether_new(dev, &dev->addr), &nic), NS_OK);
	sim_addr(nic, SLIRP_STACK_V4);
	cr_assert(subnet_parse("0.0.0.0/0", &row.destination));
	cr_assert_eq(route_add(stack, &row), NS_OK);
}

/* One turn of what an embedder does. */
static void turn(void)
{
	struct pollfd p = { .fd = slirp_link_fd(dev), .events = POLLIN };
	int64_t next = stack_next(stack), ms = 20;

	if (next != CLOCK_NEVER && (next - clk.now_ns) / NS_PER_MS + 1 < ms)
		ms = next <= clk.now_ns ? 0 : (next - clk.now_ns) / NS_PER_MS + 1;
	poll(&p, 1, (int)ms);
	set_clock();
	if (p.revents)
		cr_assert_geq(slirp_link_rx(dev, 64), 0);
	stack_run(stack);
}

/* Turns until it is so, ten seconds at most. */
#define turns_until(what) do { \
	int64_t end_ = clk.now_ns + 10 * NS_PER_SEC; \
	while (!(what) && clk.now_ns < end_) \
		turn(); \
	cr_assert(clk.now_ns < end_, #what); \
} while (0)

static ssize_t stack_recv(struct endpoint *ep, char *buf, size_t size, struct full_addr *from)
{
	return sim_recv(ep, buf, size, from, NULL);
}

Test(slirp, udp_goes_out_and_comes_back)
{
	struct sockaddr_in peer;
	socklen_t len = sizeof(peer);
	struct full_addr from;
	struct endpoint *ep;
	char buf[3000];
	uint16_t port = 0;
	int fd = kernel_socket(SOCK_DGRAM, &port);
	ssize_t n;

	open_stack((struct slirp_config){ 0 });
	ep = NULL;
	cr_assert_eq(endpoint_new(stack, NET_IPV4, IP_PROTO_UDP, &ep), NS_OK);
	cr_assert_eq(sim_send(ep, "10.0.2.2", port, "out", 3), NS_OK);
	turns_until((n = recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *)&peer, &len)) >= 0);
	cr_assert(n == 3 && memcmp(buf, "out", 3) == 0);
	memset(buf, 'b', sizeof(buf));
	cr_assert_eq(sendto(fd, buf, 1400, 0, (struct sockaddr *)&peer, len), 1400);
	turns_until((n = stack_recv(ep, buf, sizeof(buf), &from)) >= 0);
	cr_assert(n == 1400 && buf[1399] == 'b' && from.port == port);
	endpoint_close(ep);
	close(fd);
}

Test(slirp, udp_of_a_forwarded_port)
{
	struct slirp_forward f = { .udp = true, .guest_port = 7 };
	struct full_addr local = { .port = 7 }, from;
	struct sockaddr_in to;
	uint16_t port = 0;
	int fd = kernel_socket(SOCK_DGRAM, &port);
	struct endpoint *ep;
	char buf[100];
	ssize_t n = 0;

	close(fd);	/* a port that is free */
	f.host_port = port;
	open_stack((struct slirp_config){ .forwards = &f, .nforwards = 1 });
	cr_assert_eq(endpoint_new(stack, NET_IPV4, IP_PROTO_UDP, &ep), NS_OK);
	cr_assert_eq(endpoint_bind(ep, &local), NS_OK);
	port = 0;
	fd = kernel_socket(SOCK_DGRAM, &port);
	to = loopback(f.host_port);
	cr_assert_eq(sendto(fd, "in", 2, 0, (struct sockaddr *)&to, sizeof(to)), 2);
	turns_until((n = stack_recv(ep, buf, sizeof(buf), &from)) >= 0);
	cr_assert(n == 2 && memcmp(buf, "in", 2) == 0);
	{
		struct iovec back = { (void *)"back", 4 };
		struct write_opts o = { .to = &from };
		size_t wrote;

		cr_assert_eq(endpoint_write(ep, &back, 1, &o, &wrote), NS_OK);
	}
	turns_until((n = recv(fd, buf, sizeof(buf), 0)) >= 0);
	cr_assert(n == 4 && memcmp(buf, "back", 4) == 0);
	endpoint_close(ep);
	close(fd);
}

/* Sends @total bytes of a pattern on the endpoint as room comes; true once all are gone. */
static bool push(struct endpoint *ep, size_t *sent, size_t total)
{
	static uint8_t block[16384];

	while (*sent < total) {
		struct write_opts o = { 0 };
		struct iovec iov = { block, total - *sent < sizeof(block) ? total - *sent : sizeof(block) };
		size_t n = 0;

		for (size_t i = 0; i < iov.iov_len; i++)
			block[i] = (uint8_t)((*sent + i) * 131 >> 3);
		if (endpoint_write(ep, &iov, 1, &o, &n) || n == 0)
			break;
		*sent += n;
	}
	return *sent == total;
}

/* Reads what is there; false if a byte is wrong. */
static bool pull(int fd, size_t *got)
{
	static uint8_t block[65536];
	ssize_t n;

	while ((n = recv(fd, block, sizeof(block), 0)) > 0)
		for (ssize_t i = 0; i < n; i++, (*got)++)
			if (block[i] != (uint8_t)(*got * 131 >> 3))
				return false;
	return true;
}

Test(slirp, tcp_out_carries_a_megabyte_and_ends)
{
	enum { TOTAL = 1 << 20 };
	struct full_addr to = { .addr = sim_parse("10.0.2.2") };
	struct endpoint *ep;
	size_t sent = 0, got = 0;
	uint16_t port = 0;
	int listener = kernel_socket(SOCK_STREAM, &port), fd;
	char c;

	cr_assert_eq(listen(listener, 1), 0);
	open_stack((struct slirp_config){ .mtu = 9000 });
	cr_assert_eq(endpoint_new(stack, NET_IPV4, IP_PROTO_TCP, &ep), NS_OK);
	to.port = port;
	cr_assert_eq(endpoint_connect(ep, &to), NS_ERR_CONNECT_STARTED);
	turns_until((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0);
	turns_until(push(ep, &sent, TOTAL) && pull(fd, &got) && got == TOTAL);
	cr_assert_eq(endpoint_shutdown(ep, SHUTDOWN_WRITE), NS_OK);
	turns_until(recv(fd, &c, 1, 0) == 0);
	endpoint_close(ep);
	close(fd);
	close(listener);
}

Test(slirp, tcp_of_a_forwarded_port)
{
	struct slirp_forward f = { .guest_port = 80 };
	struct full_addr local = { .port = 80 };
	struct endpoint *ep, *conn = NULL;
	struct sockaddr_in to;
	size_t sent = 0, got = 0;
	uint16_t port = 0;
	int fd = kernel_socket(SOCK_STREAM, &port);

	close(fd);
	f.host_port = port;
	open_stack((struct slirp_config){ .forwards = &f, .nforwards = 1 });
	cr_assert_eq(endpoint_new(stack, NET_IPV4, IP_PROTO_TCP, &ep), NS_OK);
	cr_assert_eq(endpoint_bind(ep, &local), NS_OK);
	cr_assert_eq(endpoint_listen(ep, 5), NS_OK);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	to = loopback(f.host_port);
	cr_assert(connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 || errno == EINPROGRESS);
	turns_until(endpoint_accept(ep, &conn, NULL) == NS_OK);
	turns_until(push(conn, &sent, 100000) && pull(fd, &got) && got == 100000);
	endpoint_close(conn);
	endpoint_close(ep);
	close(fd);
}

Test(slirp, questions_for_names_are_passed_on)
{
	static const char question[] = "\x12\x34\1\0\0\1\0\0\0\0\0\0\3www\7example\0\0\1\0\1";
	struct sockaddr_in peer;
	socklen_t len = sizeof(peer);
	struct endpoint *ep;
	struct full_addr from;
	char buf[512];
	ssize_t n = 0;

	if (dns_fd < 0)
		cr_skip_test("needs root's rights to have a resolv.conf of its own");
	open_stack((struct slirp_config){ 0 });
	cr_assert_eq(endpoint_new(stack, NET_IPV4, IP_PROTO_UDP, &ep), NS_OK);
	cr_assert_eq(sim_send(ep, SLIRP_DNS_V4, 53, question, sizeof(question) - 1), NS_OK);
	turns_until((n = recvfrom(dns_fd, buf, sizeof(buf), 0, (struct sockaddr *)&peer, &len)) >= 0);
	cr_assert(n == sizeof(question) - 1 && memcmp(buf, question, (size_t)n) == 0);
	buf[2] |= (char)0x80;
	cr_assert_eq(sendto(dns_fd, buf, (size_t)n, 0, (struct sockaddr *)&peer, len), n);
	turns_until((n = stack_recv(ep, buf, sizeof(buf), &from)) >= 0);
	cr_assert(n == sizeof(question) - 1 && buf[2] & 0x80 && from.port == 53);
	endpoint_close(ep);
}

static bool has_v6(void)
{
	struct subnet net;

	subnet_parse("fec0::/64", &net);
	list_for_each(n, &nic->addrs) {
		struct nic_addr *a = container_of(n, struct nic_addr, list);

		if (subnet_contains(&net, &a->addr) && a->state == ADDR_PREFERRED)
			return true;
	}
	return false;
}

Test(slirp, ipv6_addresses_come_by_advertisement)
{
	open_stack((struct slirp_config){ 0 });
	turns_until(has_v6());
}

Test(slirp, isolated_does_not_reach_the_users_loopback)
{
	struct full_addr to = { .addr = sim_parse("10.0.2.2") };
	struct endpoint *ep;
	uint16_t port = 0;
	int listener = kernel_socket(SOCK_STREAM, &port);

	cr_assert_eq(listen(listener, 1), 0);
	open_stack((struct slirp_config){ .isolated = true, .no_ipv6 = true });
	cr_assert_eq(endpoint_new(stack, NET_IPV4, IP_PROTO_TCP, &ep), NS_OK);
	to.port = port;
	cr_assert_eq(endpoint_connect(ep, &to), NS_ERR_CONNECT_STARTED);
	turns_until(endpoint_readiness(ep, 0));
	cr_assert_neq(endpoint_take_error(ep), NS_OK);
	cr_assert_lt(accept(listener, NULL, NULL), 0);
	endpoint_close(ep);
	close(listener);
}

Test(slirp, opening_says_what_is_wrong)
{
	struct slirp_forward f = { .guest_port = 80 };
	struct slirp_config c = { .clock = &clk, .pool = pool, .forwards = &f, .nforwards = 1 };
	uint16_t port = 0;
	int fd = kernel_socket(SOCK_STREAM, &port);
	char want[SLIRP_ERROR_MAX];

	cr_assert_eq(listen(fd, 1), 0);
	f.host_port = port;
	cr_assert_eq(slirp_link_open(&c, &dev, error), -EADDRINUSE);
	snprintf(want, sizeof(want), "cannot forward tcp port %u: Address already in use", port);
	cr_assert_str_eq(error, want);
	cr_assert_null(dev);
	c.nforwards = 0;
	c.mtu = 1000;
	cr_assert_eq(slirp_link_open(&c, &dev, error), -EINVAL);
	c.mtu = 65521;
	cr_assert_eq(slirp_link_open(&c, &dev, error), -EINVAL);
	close(fd);
}

Test(slirp_forward, texts)
{
	static const char *const wrong[] = {
		"", "80", ":", "80:", ":80", "0:80", "80:65536", "80:80x", "x:80", "1.2.3:80:80", "::1:80:80",
		"sctp:80:80", "tcp:80", "127.0.0.1:80", "1.2.3.4:5:6:7", "-1:80", "99999999999:1",
	};
	struct slirp_forward f;

	cr_assert(slirp_forward_parse("8080:80", &f, error));
	cr_assert(!f.udp && f.host.len == 0 && f.host_port == 8080 && f.guest_port == 80);
	cr_assert(slirp_forward_parse("udp:53:5353", &f, error));
	cr_assert(f.udp && f.host_port == 53 && f.guest_port == 5353);
	cr_assert(slirp_forward_parse("tcp:0.0.0.0:1:65535", &f, error));
	cr_assert(!f.udp && f.host.len == 4 && addr_is_any(&f.host) && f.guest_port == 65535);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		error[0] = 0;
		cr_assert_not(slirp_forward_parse(wrong[i], &f, error), "%s", wrong[i]);
		cr_assert(strstr(error, "forward \""));
	}
}
