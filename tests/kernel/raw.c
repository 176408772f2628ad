/* Raw and packet endpoints, redirects, options and group sources against the kernel, over a TAP. */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/byteorder.h"
#include "base/cksum.h"
#include "header/eth.h"
#include "header/icmp.h"
#include "rig.h"

static char out[65536];
static uint8_t buf[70000], data[70000];
static struct read_msg msg;

static struct addr parse(const char *s)
{
	struct addr a;

	if (!addr_parse(s, &a))
		abort();
	return a;
}

static bool ep_readable(void *ctx)
{
	return endpoint_readiness(ctx, WAIT_IN) & WAIT_IN;
}

static bool take(struct endpoint *ep)
{
	static struct iovec iov = { buf, sizeof(buf) };

	msg = (struct read_msg){ .iov = &iov, .iovcnt = 1 };
	return endpoint_read(ep, &msg) == NS_OK;
}

static enum ns_err put(struct endpoint *ep, const char *to, const void *p, size_t len)
{
	struct full_addr a = { .addr = parse(to), .port = 9 };
	struct write_opts o = { .to = &a };
	struct iovec iov = { (void *)p, len };
	size_t n;

	return endpoint_write(ep, &iov, 1, &o, &n);
}

static size_t echo_request(uint8_t type, size_t n, uint16_t seq)
{
	struct icmp_hdr h = { .type = type, .rest = icmp_echo_rest(0x77, seq) };
	uint16_t sum;

	icmp_emit(&h, data);
	for (size_t i = 0; i < n; i++)
		data[ICMP_HDR_LEN + i] = (uint8_t)(i + seq);
	sum = (uint16_t)~cksum_add(0, data, ICMP_HDR_LEN + n);
	memcpy(data + ICMP_CKSUM_OFF, &sum, 2);
	return ICMP_HDR_LEN + n;
}

/* As ping does as root. */
static void raw_ping(struct rig *r, bool v6)
{
	static const size_t sizes[] = { 0, 56, 1464, 1465, 8000, 60000 };
	size_t hdr = v6 ? 0 : IPV4_HDR_LEN;
	struct endpoint *ep;
	bool ok = true;

	if (endpoint_new_raw(r->stack, v6 ? NET_IPV6 : NET_IPV4, v6 ? IP_PROTO_ICMPV6 : IP_PROTO_ICMP, &ep))
		abort();
	for (size_t i = 0; ok && i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t n = echo_request(v6 ? ICMPV6_ECHO_REQUEST : ICMPV4_ECHO, sizes[i], (uint16_t)i);
		uint8_t want = v6 ? ICMPV6_ECHO_REPLY : ICMPV4_ECHO_REPLY;

		ok = put(ep, v6 ? KERNEL_V6 : KERNEL_V4, data, n) == NS_OK;
		do
			ok = ok && rig_for(r, 2000, ep_readable, ep) && take(ep);
		while (ok && buf[hdr] != want);		/* neighbours speak ICMPv6 too */
		ok = ok && msg.n == hdr + n && memcmp(buf + hdr + 4, data + 4, n - 4) == 0;
	}
	result(ok, "raw ICMP echo to the kernel, all sizes, IPv%d", v6 ? 6 : 4);
	endpoint_close(ep);
}

/* Raw sockets of both sides, the stack's with a header of its own. */
static void raw_both_ways(struct rig *r)
{
	struct ipv4_hdr h = { .hdr_len = 20, .ttl = 17, .proto = 253, .id = 0x4321,
			      .src = parse(STACK_V4), .dst = parse(KERNEL_V4) };
	struct sockaddr_in to = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 253);
	struct endpoint *send, *recv_ep;
	ssize_t n;

	if (fd < 0 || endpoint_new_raw(r->stack, NET_IPV4, IP_PROTO_RAW, &send) ||
	    endpoint_new_raw(r->stack, NET_IPV4, 253, &recv_ep))
		abort();
	ipv4_emit(&h, data);
	memcpy(data + 20, "hello", 5);
	put(send, KERNEL_V4, data, 25);
	rig_for(r, 100, NULL, NULL);
	n = recv(fd, buf, sizeof(buf), 0);
	result(n == 25 && buf[8] == 17 && be16_load(buf + 4) == 0x4321 && memcmp(buf + 20, "hello", 5) == 0,
	       "the kernel's raw socket gets a header of our writing");
	inet_pton(AF_INET, STACK_V4, &to.sin_addr);
	result(sendto(fd, "world!", 6, 0, (struct sockaddr *)&to, sizeof(to)) == 6 &&
	       rig_for(r, 1000, ep_readable, recv_ep) && take(recv_ep) && msg.n == 26 &&
	       memcmp(buf + 20, "world!", 6) == 0, "a raw endpoint gets what the kernel's raw socket sends");
	endpoint_close(send);
	endpoint_close(recv_ep);
	close(fd);
}

/* What a packet endpoint sees of a ping from the kernel. */
static void packet_sees(struct rig *r)
{
	struct endpoint *ep;
	int in = 0, back = 0;

	if (endpoint_new_packet(r->stack, false, ETH_TYPE_IPV4, &ep))
		abort();
	rig_run(r, "ping -n -c 3 -i 0.05 -W 2 " STACK_V4, out, sizeof(out));
	while (take(ep)) {
		bool icmp = msg.n == 14 + 84 && buf[14 + 9] == IP_PROTO_ICMP;

		in += icmp && msg.link.type == PKT_HOST && buf[34] == ICMPV4_ECHO;
		back += icmp && msg.link.type == PKT_OUTGOING && buf[34] == ICMPV4_ECHO_REPLY;
	}
	result(in == 3 && back == 3, "a packet endpoint sees both ways of a ping (%d, %d)", in, back);
	endpoint_close(ep);
}

/* An ARP request by hand, as arping does. */
static void arping(struct rig *r)
{
	uint8_t req[28] = { 0, 1, 8, 0, 6, 4, 0, 1 };
	struct packet_addr to = { .nic = 1, .proto = ETH_TYPE_ARP, .addr = link_addr_broadcast };
	struct write_opts o = { .link = &to };
	struct iovec iov = { req, sizeof(req) };
	struct addr us = parse(STACK_V4), them = parse(KERNEL_V4);
	struct endpoint *ep;
	bool ok;
	size_t n;

	if (endpoint_new_packet(r->stack, true, ETH_TYPE_ARP, &ep))
		abort();
	memcpy(req + 8, r->nic->link->addr.b, 6);
	memcpy(req + 14, us.b, 4);
	memcpy(req + 24, them.b, 4);
	ok = endpoint_write(ep, &iov, 1, &o, &n) == NS_OK && rig_for(r, 1000, ep_readable, ep) &&
	     take(ep) && msg.n >= 28 && buf[7] == 2 && memcmp(buf + 14, them.b, 4) == 0;
	result(ok, "the kernel answers an ARP request of a packet endpoint");
	endpoint_close(ep);
}

static void options(struct rig *r)
{
	if (!have("ping")) {
		skip("record route and timestamps", "ping is not installed");
		return;
	}
	rig_run(r, "ping -n -R -c 1 -W 2 " STACK_V4, out, sizeof(out));
	result(strstr(out, " 0% packet loss") && strstr(out, "RR:") &&
	       strstr(strstr(out, "RR:"), STACK_V4), "ping -R: the stack records its route");
	rig_run(r, "ping -n -T tsandaddr -c 1 -W 2 " STACK_V4, out, sizeof(out));
	result(strstr(out, " 0% packet loss") && strstr(out, "TS:") &&
	       strstr(strstr(out, "TS:"), STACK_V4), "ping -T: the stack records its time");
}

static struct addr kernel_link_local(const struct rig *r)
{
	char cmd[128], line[128] = "";
	struct addr a;
	FILE *p;

	snprintf(cmd, sizeof(cmd), "ip -6 -o addr show dev %s scope link | sed 's,.*inet6 \\([^/]*\\)/.*,\\1,'",
		 r->device);
	p = popen(cmd, "r");
	if (!p || !fgets(line, sizeof(line), p))
		abort();
	pclose(p);
	line[strcspn(line, "\n")] = 0;
	if (!addr_parse(line, &a))
		abort();
	return a;
}

static void default_route(struct rig *r, const struct addr *gateway)
{
	struct addr any = gateway->len == ADDR_LEN_V4 ? addr_v4_any : addr_v6_any;
	struct route_row row = { .destination = { any, any }, .gateway = *gateway, .nic = 1 };

	if (route_add(r->stack, &row))
		abort();
}

static bool goes_by(struct rig *r, const char *dst, const char *gateway)
{
	struct route_key key = { .remote = parse(dst) };
	struct addr want = parse(gateway);
	struct route route;
	bool same;

	if (route_find(r->stack, &key, &route))
		return false;
	same = addr_equal(&route.next_hop, &want);
	route_release(&route);
	return same;
}

/* A kernel that forwards tells of the better router on the same link. */
static void redirects(struct rig *r)
{
	struct addr gw4 = parse(KERNEL_V4), gw6 = kernel_link_local(r);
	struct endpoint *ep4, *ep6;

	sh("echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding");
	sh("echo 1 >/proc/sys/net/ipv4/conf/all/send_redirects; echo 1 >/proc/sys/net/ipv4/conf/%s/send_redirects",
	   r->device);
	sh("ip neigh add 10.77.0.9 lladdr 02:00:00:00:00:99 dev %s nud permanent", r->device);
	sh("ip -6 neigh add fe80::99 lladdr 02:00:00:00:00:99 dev %s nud permanent", r->device);
	sh("ip route add 192.0.2.0/24 via 10.77.0.9; ip -6 route add 2001:db8:9::/48 via fe80::99 dev %s",
	   r->device);
	default_route(r, &gw4);
	default_route(r, &gw6);
	if (endpoint_new(r->stack, NET_IPV4, IP_PROTO_UDP, &ep4) ||
	    endpoint_new(r->stack, NET_IPV6, IP_PROTO_UDP, &ep6))
		abort();
	put(ep4, "192.0.2.1", "x", 1);
	put(ep6, "2001:db8:9::1", "x", 1);
	rig_for(r, 300, NULL, NULL);
	result(r->stack->stats.icmp.v4_received.redirect.value && goes_by(r, "192.0.2.1", "10.77.0.9"),
	       "the kernel's redirect is followed, IPv4");
	result(r->stack->stats.icmp.v6_received.redirect_msg.value &&
	       goes_by(r, "2001:db8:9::1", "fe80::99"), "the kernel's redirect is followed, IPv6");
	endpoint_close(ep4);
	endpoint_close(ep6);
}

static int multicast_from(const char *group)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(777) };
	int fd, n = 0;
	static const char *const sources[] = { "10.77.0.31", "10.77.0.32" };

	inet_pton(AF_INET, group, &to.sin_addr);
	for (int i = 0; i < 2; i++) {
		struct sockaddr_in from = { .sin_family = AF_INET };
		struct in_addr via;

		inet_pton(AF_INET, sources[i], &from.sin_addr);
		via = from.sin_addr;
		fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &via, sizeof(via));
		if (bind(fd, (struct sockaddr *)&from, sizeof(from)) == 0 &&
		    sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)) == 1)
			n++;
		close(fd);
	}
	return n;
}

static void sources(struct rig *r)
{
	struct sockopt_source_membership m = { .nic = 1, .group = parse("232.1.1.1"),
					       .source = parse("10.77.0.31") };
	struct full_addr any = { .addr = addr_v4_any, .port = 777 };
	struct endpoint *ep;
	bool first;

	sh("ip addr add 10.77.0.31/24 dev %s; ip addr add 10.77.0.32/24 dev %s", r->device, r->device);
	if (endpoint_new(r->stack, NET_IPV4, IP_PROTO_UDP, &ep) || endpoint_bind(ep, &any) ||
	    endpoint_set_option(ep, SOCKOPT_ADD_SOURCE_MEMBERSHIP, &m, sizeof(m)))
		abort();
	if (multicast_from("232.1.1.1") != 2)
		abort();
	rig_for(r, 100, NULL, NULL);
	first = take(ep) && addr_equal(&msg.from.addr, &m.source);
	result(first && !take(ep), "only the source that was joined is heard");
	endpoint_close(ep);
}

static void sources6(struct rig *r)
{
	struct sockopt_source_membership m = { .nic = 1, .group = parse("ff35::8000:1"),
					       .source = parse("fd00:77::31") };
	struct endpoint *ep;

	if (endpoint_new(r->stack, NET_IPV6, IP_PROTO_UDP, &ep) ||
	    endpoint_set_option(ep, SOCKOPT_ADD_SOURCE_MEMBERSHIP, &m, sizeof(m)))
		abort();
	rig_for(r, 100, NULL, NULL);
	endpoint_close(ep);
	rig_for(r, 1200, NULL, NULL);
}

/* Whether tshark, told to show @filter, prints @want for @field of a packet. */
static bool tshark_shows(const char *capture, const char *filter, const char *field, const char *want)
{
	char cmd[512];
	bool found = false;
	FILE *p;

	snprintf(cmd, sizeof(cmd), "tshark -r %s -Y '%s' -T fields -e %s 2>/dev/null", capture, filter, field);
	p = popen(cmd, "r");
	while (p && fgets(out, sizeof(out), p))
		found |= strstr(out, want) != NULL;
	return p && pclose(p) == 0 && found;
}

/* Reports as another reads them. */
static void reports(const char *capture)
{
	static const struct {
		const char *what, *filter, *field, *want;
	} rows[] = {
		{ "IGMPv3 allows the source", "igmp.record_type == 5", "igmp.saddr", "10.77.0.31" },
		{ "IGMPv3 blocks it when left", "igmp.record_type == 6", "igmp.maddr", "232.1.1.1" },
		{ "MLDv2 allows the source", "icmpv6.mldr.mar.record_type == 5",
		  "icmpv6.mldr.mar.source_address", "fd00:77::31" },
		{ "MLDv2 blocks it when left", "icmpv6.mldr.mar.record_type == 6",
		  "icmpv6.mldr.mar.multicast_address", "ff35::8000:1" },
	};

	if (!have("tshark")) {
		skip("tshark reads reports", "tshark is not installed");
		return;
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		result(tshark_shows(capture, rows[i].filter, rows[i].field, rows[i].want),
		       "tshark reads: %s", rows[i].what);
	result(!tshark_shows(capture, "_ws.malformed || _ws.expert.severity == error", "frame.number", ""),
	       "tshark finds no fault");
}

int main(void)
{
	char capture[] = "/tmp/sockstack-XXXXXX";
	const char *why = rig_namespace();
	struct rig_config c = { .mtu = 1500, .capture = capture };
	struct rig r;

	if (why) {
		skip("raw and packet endpoints against the kernel", why);
		return 0;
	}
	close(mkstemp(capture));
	rig_open(&r, &c);
	raw_ping(&r, false);
	raw_ping(&r, true);
	raw_both_ways(&r);
	packet_sees(&r);
	arping(&r);
	options(&r);
	sources(&r);
	sources6(&r);
	redirects(&r);
	rig_close(&r);
	reports(capture);
	unlink(capture);
	return failures != 0;
}
