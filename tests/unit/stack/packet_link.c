/* The packet link: a stack beside the kernel on one virtual Ethernet, speaking to the kernel on the other. */
#include "link/packet_link.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "link/packet_link_filter.h"
#include "net.h"
#include "veth.h"

static struct clock clk;
static struct pkt_pool *pool;
static struct stack *stack;
static struct link *dev;
static struct nic *nic;
static char error[PACKET_LINK_ERROR_MAX];

static void set_clock(void)
{
	struct timespec m, w;

	clock_gettime(CLOCK_MONOTONIC, &m);
	clock_gettime(CLOCK_REALTIME, &w);
	clock_set(&clk, m.tv_sec * NS_PER_SEC + m.tv_nsec, w.tv_sec * NS_PER_SEC + w.tv_nsec);
}

static void init(void)
{
	veth_enter();
	cr_assert_eq(system("ip addr add 10.77.0.1/24 dev va"), 0);
	pool = pkt_pool_new();
}

static void fini(void)
{
	if (stack)
		stack_free(stack);
	pkt_pool_unref(pool);
}

TestSuite(packet_link, .init = init, .fini = fini);

static void open_stack(struct packet_link_config c)
{
	struct stack_config sc = netstack_config();
	struct addr_prefix ap;
	struct route_row row = { .nic = 1 };

	c.pool = pool;
	cr_assert_eq(packet_link_open(&c, &dev, error), 0, "%s", error);
	clock_init(&clk, 0, 0);
	set_clock();
	sc.clock = &clk;
	sc.pool = pool;
	cr_assert_eq(stack_new(&sc, &stack), NS_OK);
	cr_assert_eq(nic_create(stack, 1, "vb", ether_new(dev, &dev->addr), &nic), NS_OK);
	cr_assert(addr_prefix_parse("10.77.0.2/24", &ap));
	cr_assert_eq(nic_add_addr(nic, &ap, ADDR_MANUAL, NULL), NS_OK);
	row.destination = subnet_of(&ap);
	cr_assert_eq(route_add(stack, &row), NS_OK);
}

static void stack_round(int other_fd)
{
	struct pollfd p[2] = { { .fd = packet_link_fd(dev), .events = POLLIN }, { .fd = other_fd, .events = POLLIN } };

	poll(p, 2, 20);
	set_clock();
	if (p[0].revents)
		packet_link_rx(dev, 64);
	stack_run(stack);
}

/* Runs a command while the stack lives; its exit status. */
static int run(const char *cmd)
{
	int status, fds[2];
	pid_t pid;

	cr_assert_eq(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		execl("/bin/sh", "sh", "-c", cmd, NULL);
		_exit(127);
	}
	close(fds[1]);
	while (waitpid(pid, &status, WNOHANG) == 0)
		stack_round(fds[0]);
	close(fds[0]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void echoes_udp(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(7) };
	struct full_addr local = { .port = 7 };
	static uint8_t out[5000], in[5000];
	struct timespec deadline, now;
	struct endpoint *ep;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	ssize_t n = -1;

	cr_assert_eq(endpoint_new(stack, NET_IPV4, IP_PROTO_UDP, &ep), NS_OK);
	cr_assert_eq(endpoint_bind(ep, &local), NS_OK);
	inet_pton(AF_INET, "10.77.0.2", &to.sin_addr);
	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (uint8_t)(i * 7);
	cr_assert_eq(sendto(fd, out, sizeof(out), 0, (struct sockaddr *)&to, sizeof(to)), (ssize_t)sizeof(out));
	clock_gettime(CLOCK_MONOTONIC, &deadline);
	do {
		struct full_addr from;

		stack_round(fd);
		n = sim_recv(ep, in, sizeof(in), &from, NULL);
		if (n > 0) {
			struct iovec back = { in, (size_t)n };
			struct write_opts o = { .to = &from };
			size_t wrote;

			endpoint_write(ep, &back, 1, &o, &wrote);
		}
		n = recv(fd, in, sizeof(in), 0);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (n < 0 && now.tv_sec < deadline.tv_sec + 10);
	cr_assert_eq(n, (ssize_t)sizeof(out));
	cr_assert(memcmp(in, out, sizeof(out)) == 0);
	close(fd);
	endpoint_close(ep);
}

Test(packet_link, with_an_address_of_its_own)
{
	open_stack((struct packet_link_config){ .iface = "vb" });
	cr_assert((dev->addr.b[0] & 3) == 2, "locally administered, a station's");
	cr_assert_eq(dev->mtu, 1500);
	cr_assert_eq(run("ping -q -c 3 -i 0.01 -W 5 10.77.0.2 >/dev/null"), 0);
	echoes_udp();
	cr_assert_gt(packet_link_get_stats(dev).received, 3);
	cr_assert_eq(packet_link_get_stats(dev).dropped, 0);
}

Test(packet_link, sharing_the_interfaces_address)
{
	struct addr a = sim_parse("10.77.0.2");

	open_stack((struct packet_link_config){ .iface = "vb", .share = true, .addrs = &a, .naddrs = 1 });
	cr_assert_eq(run("ping -q -c 3 -i 0.01 -W 5 10.77.0.2 >/dev/null"), 0);
	echoes_udp();
	cr_assert_eq(run("ip neigh show 10.77.0.2 | grep -q $(ip -br link show vb | awk '{ print $3 }')"), 0);
}

Test(packet_link, nobody_answers_for_a_closed_port_but_the_stack)
{
	struct addr a = sim_parse("10.77.0.2");

	/* The stack's own "port unreachable": one, and no second one by the kernel. */
	open_stack((struct packet_link_config){ .iface = "vb", .share = true, .addrs = &a, .naddrs = 1 });
	cr_assert_eq(run("bash -c 'exec 3<>/dev/udp/10.77.0.2/9; echo x >&3; read -t 5 -u 3 y 2>/dev/null; "
			 "[ $(awk \"/^Icmp:/ && \\$2 ~ /[0-9]/ { print \\$5 }\" /proc/net/snmp) = 1 ]'"), 0);
}

Test(packet_link, sharing_is_refused_where_the_kernel_would_answer)
{
	struct addr a[PACKET_LINK_MAX_ADDRS + 1] = { sim_parse("10.77.0.1") };
	struct packet_link_config c = { .iface = "vb", .share = true, .addrs = a, .naddrs = 1, .pool = pool };

	cr_assert_eq(packet_link_open(&c, &dev, error), -EADDRINUSE);
	cr_assert(strstr(error, "vb: the kernel has an address"));
	a[0] = sim_parse("10.77.0.2");
	cr_assert_eq(system("echo 1 >/proc/sys/net/ipv4/conf/vb/forwarding"), 0);
	cr_assert_eq(packet_link_open(&c, &dev, error), -EBUSY);
	cr_assert(strstr(error, "forwards"));
	cr_assert_eq(system("echo 0 >/proc/sys/net/ipv4/conf/vb/forwarding"), 0);
	cr_assert_eq(packet_link_open(&c, &dev, error), 0, "%s", error);
	cr_assert_eq(packet_link_set_addrs(dev, a, PACKET_LINK_MAX_ADDRS + 1, error), -E2BIG);
	a[0] = sim_parse("10.77.0.1");
	cr_assert_eq(packet_link_set_addrs(dev, a, 1, error), -EADDRINUSE);
	a[0] = sim_parse("10.77.0.3");
	cr_assert_eq(packet_link_set_addrs(dev, a, 1, error), 0);
	link_close(dev);
}

Test(packet_link, opening_says_what_is_wrong)
{
	struct packet_link_config c = { .iface = "nosuch", .pool = pool };

	cr_assert_eq(packet_link_open(&c, &dev, error), -ENODEV);
	cr_assert_str_eq(error, "nosuch: no such interface: No such device");
	cr_assert_null(dev);
	c.iface = "a-name-longer-than-any-interface-has";
	cr_assert_eq(packet_link_open(&c, &dev, error), -ENODEV);
	c.iface = "lo";
	cr_assert_eq(packet_link_open(&c, &dev, error), -EINVAL);
	cr_assert(strstr(error, "no Ethernet"));
	c.iface = "vb";
	c.mac = (struct link_addr){ { 1, 0, 0, 0, 0, 1 }, 6 };
	cr_assert_eq(packet_link_open(&c, &dev, error), -EINVAL);
	c.mac.len = 0;
	if (seteuid(65534) < 0)
		cr_skip_test("no other user here");
	cr_assert_eq(packet_link_open(&c, &dev, error), -EPERM);
	cr_assert_eq(seteuid(0), 0);
}

static int ngot;

static void sink_rx(struct link_sink *k, struct pkt *p)
{
	ngot++;
	pkt_free(p);
}

Test(packet_link, an_interface_that_goes_away_is_an_error)
{
	struct packet_link_config c = { .iface = "vb", .pool = pool };
	struct link_sink sink = { sink_rx };
	struct pollfd p;

	cr_assert_eq(packet_link_open(&c, &dev, error), 0, "%s", error);
	link_attach(dev, &sink);
	cr_assert_eq(packet_link_rx(dev, 10), 0);
	cr_assert_eq(system("ip link del vb"), 0);
	p = (struct pollfd){ .fd = packet_link_fd(dev), .events = POLLIN };
	cr_assert_eq(poll(&p, 1, 5000), 1);
	cr_assert_eq(packet_link_rx(dev, 10), -ENETDOWN);
	cr_assert_neq(link_write(dev, pkt_from_bytes(pool, "0123456789abcdef0123", 20)), NS_OK);
	link_close(dev);
}

/* What classic BPF does with a frame; no more of it than the filters use. */
static uint32_t bpf(const struct sock_filter *f, size_t n, const uint8_t *frame, size_t len)
{
	uint32_t a = 0;

	for (size_t i = 0; i < n; i++) {
		uint32_t k = f[i].k, size = BPF_SIZE(f[i].code) == BPF_W ? 4 : BPF_SIZE(f[i].code) == BPF_H ? 2 : 1;

		if (BPF_CLASS(f[i].code) == BPF_RET)
			return k;
		if (BPF_CLASS(f[i].code) == BPF_LD) {
			if (k + size > len)
				return 0;
			for (a = 0; size; size--)
				a = a << 8 | frame[k++];
		} else if (BPF_OP(f[i].code) == BPF_JA) {
			i += k;
		} else {
			bool yes = BPF_OP(f[i].code) == BPF_JSET ? a & k : a == k;

			i += yes ? f[i].jt : f[i].jf;
		}
	}
	cr_assert(false, "a program ends with a return");
	return 0;
}

TestSuite(packet_link_filter);

Test(packet_link_filter, picks_out_what_is_for_the_stack)
{
	const struct link_addr mac = { { 2, 0, 0, 0, 0, 9 }, 6 };
	struct addr addrs[PACKET_LINK_MAX_ADDRS];
	struct sock_filter own[PACKET_LINK_FILTER_MAX], share[PACKET_LINK_FILTER_MAX];
	uint8_t f[60] = { 2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 8, 0 };
	size_t nown, nshare;

	for (uint8_t i = 0; i < PACKET_LINK_MAX_ADDRS; i++) {
		addrs[i] = sim_parse(i % 2 ? "2001:db8::1" : "10.0.0.1");
		addrs[i].b[addrs[i].len - 1] = (uint8_t)(i + 1);
	}
	nown = packet_link_filter_own(own, &mac);
	nshare = packet_link_filter_share(share, &mac, addrs, PACKET_LINK_MAX_ADDRS);
	cr_assert(nown <= PACKET_LINK_FILTER_MAX && nshare <= PACKET_LINK_FILTER_MAX);
	cr_assert(bpf(own, nown, f, 60));
	cr_assert_not(bpf(share, nshare, f, 60), "0.0.0.0 is not the stack's");
	memcpy(f + 30, (uint8_t[]){ 10, 0, 0, 31 }, 4);
	cr_assert(bpf(share, nshare, f, 60));
	f[33] = 32;
	cr_assert_not(bpf(share, nshare, f, 60));
	f[12] = 0x86, f[13] = 0xdd;
	memcpy(f + 38, sim_parse("2001:db8::20").b, 16);
	cr_assert(bpf(share, nshare, f, 60));
	f[45] = 1;
	cr_assert_not(bpf(share, nshare, f, 60));
	f[12] = 8, f[13] = 6;
	cr_assert(bpf(share, nshare, f, 60), "ARP");
	f[12] = 0x88, f[13] = 0xcc;
	cr_assert_not(bpf(share, nshare, f, 60));
	f[0] = 1;
	cr_assert(bpf(share, nshare, f, 60) && bpf(own, nown, f, 60), "a group");
	memcpy(f + 6, mac.b, 6);
	cr_assert_not(bpf(share, nshare, f, 60) || bpf(own, nown, f, 60), "our own, come back");
	f[0] = 2, f[5] = 8, f[11] = 1;
	cr_assert_not(bpf(own, nown, f, 60), "another station's");
}
