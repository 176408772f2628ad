/* The stack against the kernel over a TAP: ping, UDP, errors, neighbours, multicast, routers. */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "header/icmp.h"
#include "rig.h"

static char out[65536];
static uint8_t buf[70000], data[70000];

static struct addr parse(const char *s)
{
	struct addr a;

	if (!addr_parse(s, &a))
		abort();
	return a;
}

static socklen_t to_sockaddr(const char *ip, uint16_t port, struct sockaddr_storage *ss)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)ss;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ss;

	memset(ss, 0, sizeof(*ss));
	if (inet_pton(AF_INET, ip, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		return sizeof(*v4);
	}
	inet_pton(AF_INET6, ip, &v6->sin6_addr);
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(port);
	return sizeof(*v6);
}

static int kernel_udp(const char *ip)
{
	struct sockaddr_storage ss;
	socklen_t len = to_sockaddr(ip, 0, &ss);
	int fd = socket(ss.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), size = 1 << 20;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (bind(fd, (struct sockaddr *)&ss, len))
		abort();
	return fd;
}

static struct endpoint *echo_ep;

/* What tun_udp_echo does: everything received goes back. */
static void echo_idle(struct rig *r)
{
	struct iovec iov = { buf, sizeof(buf) };
	struct read_msg m = { .iov = &iov, .iovcnt = 1 };
	struct write_opts o = { .to = &m.from };
	size_t n;

	(void)r;
	while (endpoint_read(echo_ep, &m) == NS_OK) {
		struct iovec back = { buf, m.n };

		endpoint_write(echo_ep, &back, 1, &o, &n);
	}
}

struct wait_fd {
	int fd;
	ssize_t n;
};

static bool got_datagram(void *ctx)
{
	struct wait_fd *w = ctx;

	w->n = recv(w->fd, buf, sizeof(buf), 0);
	return w->n >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

static void udp_echo(struct rig *r, const char *kernel_ip, const char *stack_ip, const char *what,
		     size_t max)
{
	static const size_t sizes[] = { 0, 1, 64, 548, 1400, 1472, 1473, 4000, 16000, 40000, 65507 };
	struct full_addr any = { .port = 7 };
	struct sockaddr_storage ss;
	struct wait_fd w = { .fd = kernel_udp(kernel_ip) };
	bool v6 = strchr(stack_ip, ':') != NULL, ok = true;
	socklen_t len = to_sockaddr(stack_ip, 7, &ss);
	size_t at = 0;

	any.addr = v6 ? addr_v6_any : addr_v4_any;
	if (endpoint_new(r->stack, v6 ? NET_IPV6 : NET_IPV4, IP_PROTO_UDP, &echo_ep) ||
	    endpoint_set_int(echo_ep, SOCKOPT_RECEIVE_BUFFER_SIZE, 1 << 20) ||
	    endpoint_bind(echo_ep, &any))
		abort();
	r->idle = echo_idle;
	for (size_t i = 0; ok && i < sizeof(sizes) / sizeof(sizes[0]) && sizes[i] <= max; i++) {
		at = sizes[i];
		for (size_t j = 0; j < at; j++)
			data[j] = (uint8_t)(j * 7 + at);
		ok = sendto(w.fd, data, at, 0, (struct sockaddr *)&ss, len) == (ssize_t)at &&
		     rig_for(r, 2000, got_datagram, &w) && w.n == (ssize_t)at &&
		     memcmp(buf, data, at) == 0;
	}
	result(ok, "udp echo, %s, %s (to %zu bytes)", what, stack_ip, at);
	r->idle = NULL;
	endpoint_close(echo_ep);
	close(w.fd);
}

static void pings(struct rig *r, const char *what)
{
	static const int sizes[] = { 0, 56, 1472, 1473, 8000, 65507 };
	char cmd[256];

	if (!have("ping")) {
		skip("ping from the kernel", "ping is not installed");
		return;
	}
	for (int v6 = 0; v6 < 2; v6++) {
		bool ok = true;

		for (size_t i = 0; ok && i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			snprintf(cmd, sizeof(cmd), "ping -%d -n -c 1 -W 3 -s %d %s", v6 ? 6 : 4,
				 sizes[i], v6 ? STACK_V6 : STACK_V4);
			ok = rig_run(r, cmd, out, sizeof(out)) == 0 && strstr(out, " 0% packet loss");
		}
		result(ok, "ping%s from the kernel, all sizes, %s", v6 ? "6" : "", what);
		if (!ok)
			printf("%s", out);
	}
}

static bool ep_readable(void *ctx)
{
	return endpoint_readiness(ctx, WAIT_IN) & WAIT_IN;
}

static void ping_out(struct rig *r, const char *kernel_ip, const char *what)
{
	static const size_t sizes[] = { 0, 56, 1464, 1465, 8000, 60000 };
	struct full_addr to = { .addr = parse(kernel_ip) };
	struct write_opts o = { .to = &to };
	struct endpoint *ep;
	bool ok = true, v6 = to.addr.len == ADDR_LEN_V6;

	if (endpoint_new(r->stack, v6 ? NET_IPV6 : NET_IPV4, v6 ? IP_PROTO_ICMPV6 : IP_PROTO_ICMP,
			 &ep))
		abort();
	for (size_t i = 0; ok && i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct icmp_hdr h = { .type = v6 ? ICMPV6_ECHO_REQUEST : ICMPV4_ECHO,
				      .rest = icmp_echo_rest(0, (uint16_t)i) };
		struct iovec iov = { data, ICMP_HDR_LEN + sizes[i] }, in = { buf, sizeof(buf) };
		struct read_msg m = { .iov = &in, .iovcnt = 1 };
		size_t n;

		icmp_emit(&h, data);
		memset(data + ICMP_HDR_LEN, (int)i + 1, sizes[i]);
		ok = endpoint_write(ep, &iov, 1, &o, &n) == NS_OK &&
		     rig_for(r, 2000, ep_readable, ep) && endpoint_read(ep, &m) == NS_OK &&
		     m.n == iov.iov_len && buf[0] == (v6 ? ICMPV6_ECHO_REPLY : ICMPV4_ECHO_REPLY) &&
		     memcmp(buf + ICMP_HDR_LEN, data + ICMP_HDR_LEN, sizes[i]) == 0;
	}
	result(ok, "ping%s to the kernel, all sizes, %s", v6 ? "6" : "", what);
	endpoint_close(ep);
}

static void refusals(struct rig *r)
{
	struct full_addr to = { .addr = parse(KERNEL_V4), .port = 9 };
	struct sockaddr_storage ss;
	struct iovec iov = { data, 5 };
	struct endpoint *ep;
	struct wait_fd w;
	int64_t err = 0;
	size_t n;

	for (int v6 = 0; v6 < 2; v6++) {
		socklen_t len = to_sockaddr(v6 ? STACK_V6 : STACK_V4, 9, &ss);

		w.fd = kernel_udp(v6 ? KERNEL_V6 : KERNEL_V4);
		if (connect(w.fd, (struct sockaddr *)&ss, len) || send(w.fd, "x", 1, 0) != 1)
			abort();
		result(rig_for(r, 2000, got_datagram, &w) && errno == ECONNREFUSED,
		       "closed port refuses the kernel, IPv%d", v6 ? 6 : 4);
		close(w.fd);
		to.addr = parse(v6 ? KERNEL_V6 : KERNEL_V4);
		if (endpoint_new(r->stack, v6 ? NET_IPV6 : NET_IPV4, IP_PROTO_UDP, &ep) ||
		    endpoint_connect(ep, &to) || endpoint_write(ep, &iov, 1, NULL, &n))
			abort();
		rig_for(r, 2000, ep_readable, ep);
		endpoint_get_int(ep, SOCKOPT_ERROR, &err);
		result(err == NS_ERR_CONNECTION_REFUSED, "the kernel's closed port refuses, IPv%d",
		       v6 ? 6 : 4);
		endpoint_close(ep);
	}
}

static void neighbours(struct rig *r)
{
	struct addr k4 = parse(KERNEL_V4), k6 = parse(KERNEL_V6);
	struct neigh *n4 = neigh_find(&r->nic->neigh[NET_IPV4], &k4);
	struct neigh *n6 = neigh_find(&r->nic->neigh[NET_IPV6], &k6);

	rig_run(r, "ip neigh show dev ss0", out, sizeof(out));
	result(strstr(out, STACK_V4 " lladdr 02:00:00:00:77:02") != NULL, "ip neigh shows the stack, IPv4");
	result(strstr(out, STACK_V6 " lladdr 02:00:00:00:77:02") != NULL, "ip neigh shows the stack, IPv6");
	result(n4 && n4->link_addr.len && n6 && n6->link_addr.len, "the stack knows the kernel");
}

static bool stack_heard(void *ctx)
{
	return ep_readable(ctx);
}

static void multicast(struct rig *r, const char *group, const char *kernel_ip)
{
	struct sockopt_membership m = { .nic = 1, .group = parse(group) };
	bool v6 = m.group.len == ADDR_LEN_V6;
	struct full_addr any = { .addr = v6 ? addr_v6_any : addr_v4_any, .port = 6000 };
	struct full_addr to = { .nic = 1, .addr = m.group, .port = 6001 };
	struct write_opts o = { .to = &to };
	struct iovec iov = { data, 3 }, in = { buf, sizeof(buf) };
	struct read_msg msg = { .iov = &in, .iovcnt = 1 };
	struct sockaddr_storage ss, any_ss;
	socklen_t len = to_sockaddr(group, 6000, &ss);
	struct wait_fd w = { .fd = kernel_udp(kernel_ip) };
	int rx = socket(ss.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	unsigned ifindex = if_nametoindex("ss0");
	struct endpoint *ep;
	size_t n;

	if (endpoint_new(r->stack, v6 ? NET_IPV6 : NET_IPV4, IP_PROTO_UDP, &ep) ||
	    endpoint_bind(ep, &any) ||
	    endpoint_set_option(ep, SOCKOPT_ADD_MEMBERSHIP, &m, sizeof(m)))
		abort();
	rig_for(r, 50, NULL, NULL);
	if (v6) {
		struct ipv6_mreq mr = { .ipv6mr_interface = ifindex };

		inet_pton(AF_INET6, group, &mr.ipv6mr_multiaddr);
		setsockopt(w.fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &ifindex, sizeof(ifindex));
		setsockopt(rx, IPPROTO_IPV6, IPV6_JOIN_GROUP, &mr, sizeof(mr));
	} else {
		struct ip_mreqn mr = { .imr_ifindex = (int)ifindex };

		inet_pton(AF_INET, group, &mr.imr_multiaddr);
		setsockopt(w.fd, IPPROTO_IP, IP_MULTICAST_IF, &mr, sizeof(mr));
		setsockopt(rx, IPPROTO_IP, IP_ADD_MEMBERSHIP, &mr, sizeof(mr));
	}
	sendto(w.fd, "abc", 3, 0, (struct sockaddr *)&ss, len);
	result(rig_for(r, 2000, stack_heard, ep) && endpoint_read(ep, &msg) == NS_OK && msg.n == 3,
	       "multicast from the kernel to a member, %s", group);
	len = to_sockaddr(v6 ? "::" : "0.0.0.0", 6001, &any_ss);
	if (bind(rx, (struct sockaddr *)&any_ss, len))
		abort();
	w.fd = (close(w.fd), rx);
	endpoint_write(ep, &iov, 1, &o, &n);
	result(rig_for(r, 2000, got_datagram, &w) && w.n == 3,
	       "multicast from the stack to a member, %s", group);
	if (endpoint_set_option(ep, SOCKOPT_REMOVE_MEMBERSHIP, &m, sizeof(m)))
		abort();
	rig_for(r, 50, NULL, NULL);
	result(r->stack->stats.icmp.v6_sent.mldv2_report.value > 0 &&
	       r->stack->stats.igmp.sent.v3_report.value > 0, "memberships are reported, %s", group);
	endpoint_close(ep);
	close(rx);
}

static void routers(struct rig *r)
{
	if (!have("traceroute")) {
		skip("traceroute", "traceroute is not installed");
	} else {
		rig_run(r, "traceroute -n -q 1 -w 2 -m 3 " STACK_V4, out, sizeof(out));
		result(strstr(out, " 1  " STACK_V4) != NULL, "traceroute reaches the stack, IPv4");
		rig_run(r, "traceroute -6 -n -q 1 -w 2 -m 3 " STACK_V6, out, sizeof(out));
		result(strstr(out, " 1  " STACK_V6) != NULL, "traceroute reaches the stack, IPv6");
	}
	if (!have("tracepath")) {
		skip("tracepath", "tracepath is not installed");
		return;
	}
	rig_run(r, "tracepath -n -m 3 " STACK_V4, out, sizeof(out));
	result(strstr(out, "reached") && strstr(out, "pmtu 1500"), "tracepath reaches the stack, IPv4");
	rig_run(r, "tracepath -6 -n -m 3 " STACK_V6, out, sizeof(out));
	result(strstr(out, "reached") && strstr(out, "pmtu 1500"), "tracepath reaches the stack, IPv6");
}

/* A second stack behind the first, which forwards; the link between is narrower. */
struct inner {
	struct stack *stack;
	struct link *near, *far;
};

static struct inner inner;

static void inner_idle(struct rig *r)
{
	struct pkt *p;

	for (int i = 0; i < 2; i++) {
		while ((p = channel_read(inner.near)))
			channel_inject(inner.far, p);
		while ((p = channel_read(inner.far)))
			channel_inject(inner.near, p);
		stack_run(r->stack);
	}
}

static void addr_and_rows(struct stack *s, struct nic *nic, const char *a, const char *gateway)
{
	struct route_row row = { .nic = nic->id };
	struct addr_prefix ap;

	addr_prefix_parse(a, &ap);
	nic_add_addr(nic, &ap, ADDR_MANUAL, NULL);
	row.destination = subnet_of(&ap);
	route_add(s, &row);
	if (!gateway)
		return;
	row.gateway = parse(gateway);
	row.destination = (struct subnet){ { .len = ap.addr.len }, { .len = ap.addr.len } };
	route_add(s, &row);
}

/* Packets pass the channel with all their metadata; on a wire only the bytes would. */
static void forwarding(struct rig *r)
{
	struct channel_config cc = { .depth = 256, .mtu = 1300 };
	struct stack_config sc = netstack_config();
	struct nic *near, *far;

	sc.clock = &r->clock;
	sc.pool = r->stack->pool;
	inner.near = channel_new(&cc);
	inner.far = channel_new(&cc);
	if (stack_new(&sc, &inner.stack) || nic_create(r->stack, 2, "in", inner.near, &near) ||
	    nic_create(inner.stack, 1, "out", inner.far, &far))
		abort();
	addr_and_rows(r->stack, near, "10.88.0.1/24", NULL);
	addr_and_rows(r->stack, near, "fd00:88::1/64", NULL);
	addr_and_rows(inner.stack, far, "10.88.0.2/24", "10.88.0.1");
	addr_and_rows(inner.stack, far, "fd00:88::2/64", "fd00:88::1");
	for (int i = 0; i < NET_FAMILIES; i++) {
		nic_set_forwarding(r->nic, (enum net_index)i, true);
		nic_set_forwarding(near, (enum net_index)i, true);
	}
	sh("ip route add 10.88.0.0/24 via " STACK_V4 "; ip route add fd00:88::/64 via " STACK_V6);
	r->idle = inner_idle;
	if (have("ping")) {
		result(rig_run(r, "ping -n -c 1 -W 3 -s 4000 10.88.0.2", out, sizeof(out)) == 0,
		       "ping through the forwarding stack, fragments, IPv4");
		result(rig_run(r, "ping -6 -n -c 1 -W 3 -s 1000 fd00:88::2", out, sizeof(out)) == 0,
		       "ping through the forwarding stack, IPv6");
	}
	if (have("traceroute")) {
		rig_run(r, "traceroute -n -q 1 -w 2 -m 4 10.88.0.2", out, sizeof(out));
		result(strstr(out, " 1  " STACK_V4) && strstr(out, " 2  10.88.0.2"),
		       "traceroute sees both hops, IPv4");
		rig_run(r, "traceroute -6 -n -q 1 -w 2 -m 4 fd00:88::2", out, sizeof(out));
		result(strstr(out, " 1  " STACK_V6) && strstr(out, " 2  fd00:88::2"),
		       "traceroute sees both hops, IPv6");
	}
	if (have("tracepath")) {
		rig_run(r, "tracepath -n -m 4 10.88.0.2", out, sizeof(out));
		result(strstr(out, "pmtu 1300") && strstr(out, "reached"),
		       "tracepath finds the narrow link, IPv4");
		rig_run(r, "tracepath -6 -n -m 4 fd00:88::2", out, sizeof(out));
		result(strstr(out, "pmtu 1300") && strstr(out, "reached"),
		       "tracepath finds the narrow link, IPv6");
	}
	r->idle = NULL;
	stack_free(inner.stack);
	nic_remove(r->stack, 2);
}

/* Wireshark's own reading: all packets, none malformed or with an error, sums checked, and the comment. */
static void tshark(const char *path)
{
	char cmd[400];
	FILE *p;
	int packets = 0, bad = 0;
	bool comment = false;

	if (!have("tshark") || !have("capinfos")) {
		skip("tshark reads the capture", "tshark is not installed");
		return;
	}
	snprintf(cmd, sizeof(cmd), "tshark -r %s -T fields -e frame.number -e _ws.malformed "
		 "-e _ws.expert.severity -o ip.check_checksum:TRUE -o udp.check_checksum:TRUE "
		 "2>/dev/null", path);
	p = popen(cmd, "r");
	while (p && fgets(out, sizeof(out), p)) {
		packets++;
		/* The severity "error", 0x800000, or the name of a malformed protocol. */
		if (strstr(out, "8388608") || strstr(out, "alformed")) {
			bad++;
			printf("%s", out);
		}
	}
	result(p && pclose(p) == 0 && packets > 20 && bad == 0, "tshark reads the capture");
	snprintf(cmd, sizeof(cmd), "capinfos -k %s 2>/dev/null", path);
	p = popen(cmd, "r");
	while (p && fgets(out, sizeof(out), p))
		comment |= strstr(out, "against the kernel") != NULL;
	result(p && pclose(p) == 0 && comment, "tshark's tools read the capture's comment");
}

static void captures(const char *path)
{
	char cmd[256];
	FILE *p;
	int packets = 0, bad = 0;

	if (!have("tcpdump")) {
		skip("tcpdump reads the capture", "tcpdump is not installed");
		return;
	}
	snprintf(cmd, sizeof(cmd), "tcpdump -nvv -r %s 2>&1", path);
	p = popen(cmd, "r");
	while (p && fgets(out, sizeof(out), p)) {
		packets += strstr(out, "IP") != NULL;
		if (strstr(out, "bad ") || strstr(out, "[|") || strstr(out, "incorrect") ||
		    strstr(out, "invalid")) {
			bad++;
			printf("%s", out);
		}
	}
	result(p && pclose(p) == 0 && packets > 20 && bad == 0, "tcpdump reads the capture");
	tshark(path);
}

static bool has_slaac(void *ctx)
{
	struct rig *r = ctx;

	list_for_each(n, &r->nic->addrs) {
		struct nic_addr *a = container_of(n, struct nic_addr, list);

		if (a->origin == ADDR_SLAAC && a->state == ADDR_PREFERRED)
			return true;
	}
	return false;
}

static void slaac(void)
{
	struct rig_config c = { .mtu = 1500, .no_addresses = true };
	struct addr far = parse("2001:db8::1");
	struct route_key key = { .remote = far };
	struct route route;
	struct rig r;
	char dir[] = "/tmp/radvd-XXXXXX", cmd[512];
	bool got, routed;

	if (!have("radvd")) {
		skip("slaac from radvd", "radvd is not installed");
		return;
	}
	if (!mkdtemp(dir))
		abort();
	rig_open(&r, &c);
	snprintf(cmd, sizeof(cmd),
		 "printf 'interface ss0 { AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4;"
		 " AdvLinkMTU 1400; prefix fd00:99::/64 { AdvValidLifetime 600; AdvPreferredLifetime 300; }; };'"
		 " >%s/conf && chmod 755 %s && echo 1 >/proc/sys/net/ipv6/conf/all/forwarding"
		 " && exec radvd -n -C %s/conf -p %s/pid -m stderr", dir, dir, dir, dir);
	{
		pid_t pid = fork();

		if (pid == 0) {
			if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr))
				_exit(1);
			execl("/bin/sh", "sh", "-c", cmd, NULL);
			_exit(127);
		}
		got = rig_for(&r, 12000, has_slaac, &r);
		routed = route_find(r.stack, &key, &route) == NS_OK;
		result(got, "slaac from radvd: an address in its prefix");
		result(routed && route.next_hop.len && addr_is_link_local(&route.next_hop) &&
		       addr_is_link_local(&route.next_hop), "slaac from radvd: a default route");
		result(nic_mtu(r.nic, NET_IPV6) == 1400, "slaac from radvd: the link's MTU");
		if (routed)
			route_release(&route);
		kill(pid, 15);
		waitpid(pid, NULL, 0);
	}
	if (got && have("ping")) {
		struct nic_addr *a = nic_primary_addr(r.nic, NET_IPV6, &far);
		char text[ADDR_STR_MAX];

		sh("ip addr add fd00:99::1/64 dev ss0 nodad");
		snprintf(cmd, sizeof(cmd), "ping -6 -n -c 1 -W 2 %s", addr_format(&a->addr, text));
		result(rig_run(&r, cmd, out, sizeof(out)) == 0, "slaac from radvd: the address answers");
	}
	rig_close(&r);
	snprintf(cmd, sizeof(cmd), "rm -r %s", dir);
	sh("%s", cmd);
}

static void bad_devices(void)
{
	struct tap_config c = { .name = "much-too-long-a-name" };
	struct pkt_pool *pool = pkt_pool_new();
	char error[TAP_ERROR_MAX];
	struct link *l;
	pid_t pid;
	int status;

	c.pool = pool;
	result(tap_open(&c, &l, error) == -EINVAL && strstr(error, "much-too-long-a-name"),
	       "a bad device name is named");
	c.name = "ss9";
	c.queues = 99;
	result(tap_open(&c, &l, error) == -EINVAL && strstr(error, "99"), "too many queues are named");
	c.queues = 1;
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		int rc;

		if (setgid(65534) || setuid(65534))
			_exit(77);
		rc = tap_open(&c, &l, error);
		_exit((rc == -EPERM || rc == -EACCES) && strstr(error, "ss9") ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip("opening without rights", "no other user to become");
	else
		result(status == 0, "opening without rights is an error that names the device");
	pkt_pool_unref(pool);
}

/* The sample, as a user runs it: a TUN device made beforehand, both families. */
static void sample(void)
{
	const char *b = getenv("B");
	struct sockaddr_storage ss;
	char cmd[256];
	pid_t pid;
	int ok = 0;

	snprintf(cmd, sizeof(cmd), "%s/sample/tun_udp_echo", b ? b : "build");
	sh("ip tuntap add mode tun ss8 && ip addr add 10.79.0.1/24 dev ss8 && ip link set ss8 up");
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		execl(cmd, cmd, "ss8", "10.79.0.2/24", "7", NULL);
		_exit(127);
	}
	/* It may not have opened its device yet: ask until it answers. */
	for (int i = 0; i < 100 && !ok; i++) {
		socklen_t len = to_sockaddr("10.79.0.2", 7, &ss);
		int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		struct timeval tv = { .tv_usec = 50000 };

		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
		if (connect(fd, (struct sockaddr *)&ss, len) == 0 && send(fd, "hello", 5, 0) == 5)
			ok = recv(fd, buf, sizeof(buf), 0) == 5 && memcmp(buf, "hello", 5) == 0;
		close(fd);
	}
	result(ok, "the sample tun_udp_echo echoes");
	kill(pid, 15);
	waitpid(pid, NULL, 0);
}

int main(void)
{
	static const uint32_t mtus[] = { 576, 1280, 1500, 9000, 65521 };
	char capture[] = "/tmp/sockstack-XXXXXX", what[64];
	const char *why = rig_namespace();
	struct rig_config c = { .mtu = 1500, .capture = capture };
	struct rig r;

	if (why) {
		skip("against the kernel", why);
		return 0;
	}
	close(mkstemp(capture));
	bad_devices();
	sample();
	rig_open(&r, &c);
	pings(&r, "plain");
	ping_out(&r, KERNEL_V4, "plain");
	ping_out(&r, KERNEL_V6, "plain");
	refusals(&r);
	neighbours(&r);
	multicast(&r, "239.7.7.7", KERNEL_V4);
	multicast(&r, "ff05::777", KERNEL_V6);
	routers(&r);
	forwarding(&r);
	rig_close(&r);
	captures(capture);
	unlink(capture);
	c.capture = NULL;
	for (int offload = 0; offload < 2; offload++)
		for (size_t i = 0; i < sizeof(mtus) / sizeof(mtus[0]); i++) {
			c.mtu = mtus[i];
			c.offload = offload;
			c.queues = offload && mtus[i] == 1500 ? 2 : 0;
			snprintf(what, sizeof(what), "mtu %u%s%s", c.mtu, offload ? ", offload" : "",
				 c.queues ? ", two queues" : "");
			rig_open(&r, &c);
			udp_echo(&r, KERNEL_V4, STACK_V4, what, 65507);
			if (c.mtu >= 1280)
				udp_echo(&r, KERNEL_V6, STACK_V6, what, 65507);
			if (offload && mtus[i] == 1500)
				pings(&r, what);
			rig_close(&r);
		}
	slaac();
	return failures != 0;
}
