/* Sequences of endpoint calls in any order with any arguments, over loopback addresses and a channel. */
#include <stdlib.h>
#include <string.h>

#include "netstack.h"

enum { EPS = 6 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const addrs[] = {
	"127.0.0.1", "10.0.0.1", "10.0.0.9", "0.0.0.0", "255.255.255.255", "10.0.0.255", "239.1.1.1",
	"::1", "::", "fe80::1", "ff02::5", "::ffff:10.0.0.1", "::ffff:0.0.0.0", "2001:db8::7",
	"224.0.0.1", "8.8.8.8",
};

static struct full_addr name(const uint8_t *d)
{
	struct full_addr a = { .port = (uint16_t)(d[1] & 3 ? d[1] : 0), .nic = d[1] >> 6 };

	if (d[0] != 0xff && !addr_parse(addrs[d[0] % (sizeof(addrs) / sizeof(addrs[0]))], &a.addr))
		abort();
	return a;
}

/* Options with a structure of sources: their number and which, from few, so that they meet. */
static bool source_option(struct endpoint *ep, enum sockopt opt, const uint8_t *d)
{
	struct sockopt_source_membership m = { .nic = d[2] & 3, .group = name(d).addr };
	struct sockopt_mcast_filter f = { .nic = m.nic, .group = m.group, .exclude = d[2] & 4,
					  .n = d[1] % (GROUP_MAX_SOURCES + 2) };
	struct sockopt_icmp_filter icmp = { .blocked = { d[1], d[2] } };
	size_t len = sizeof(f);

	if (opt == SOCKOPT_ICMP_FILTER) {
		endpoint_set_option(ep, opt, &icmp, sizeof(icmp));
		return true;
	}
	if (opt == SOCKOPT_IP_OPTIONS) {
		uint8_t opts[44] = { d[2] & 1 ? IPV4_OPT_RR : IPV4_OPT_TS, d[1] & 63, d[2] & 1 ? 4 : 5, d[2] >> 1 & 3 };

		endpoint_set_option(ep, opt, opts, d[2] & 8 ? sizeof(opts) : d[1] & 63 & ~3);
		return true;
	}
	m.source = m.group.len == ADDR_LEN_V4 ? addr_v4(10, 0, 0, d[1]) : addr_v6_all_nodes;
	if (m.source.len == ADDR_LEN_V6)
		m.source.b[0] = 0x20, m.source.b[15] = d[1];
	for (int i = 0; i < f.n && i < GROUP_MAX_SOURCES; i++) {
		f.sources[i] = m.source;
		f.sources[i].b[m.source.len - 1] += (uint8_t)i;
	}
	if (opt == SOCKOPT_MULTICAST_FILTER) {
		endpoint_set_option(ep, opt, &f, sizeof(f));
		endpoint_get_option(ep, opt, &f, &len);
	} else if (opt >= SOCKOPT_ADD_SOURCE_MEMBERSHIP && opt <= SOCKOPT_UNBLOCK_SOURCE) {
		endpoint_set_option(ep, opt, &m, sizeof(m));
	} else {
		return false;
	}
	return true;
}

static void option(struct endpoint *ep, const uint8_t *d)
{
	enum sockopt opt = (enum sockopt)(d[0] % (SOCKOPT_COUNT + 1));
	struct full_addr a = name(d + 1);
	struct sockopt_membership m = { .nic = d[2] & 3, .group = a.addr };
	struct sockopt_mcast_if mif = { .nic = d[2] & 3, .addr = a.addr };
	uint8_t back[64];
	size_t len = d[2] & 63;

	if (source_option(ep, opt, d + 1))
		return;
	if (opt == SOCKOPT_ADD_MEMBERSHIP || opt == SOCKOPT_REMOVE_MEMBERSHIP)
		endpoint_set_option(ep, opt, &m, sizeof(m));
	else if (opt == SOCKOPT_MULTICAST_INTERFACE)
		endpoint_set_option(ep, opt, &mif, sizeof(mif));
	else
		endpoint_set_int(ep, opt, (int8_t)d[1]);
	endpoint_get_option(ep, opt, back, &len);
}

static void transfer(struct endpoint *ep, const uint8_t *d)
{
	static uint8_t buf[70000];
	struct full_addr to = name(d);
	struct iovec iov[2] = { { buf, d[2] * 250u }, { buf, d[2] } };
	struct packet_addr link = { .nic = d[1] & 3, .proto = 0x0800, .addr = { { 2 }, d[1] & 4 ? 6 : 0 } };
	struct write_opts o = { .to = d[2] & 1 ? &to : NULL, .more = d[2] & 2,
				.link = d[2] & 8 ? &link : NULL };
	struct read_msg m = { .iov = iov, .iovcnt = 2, .peek = d[2] & 4 };
	size_t n;

	buf[0] = d[0] & 1 ? 8 : d[0] & 2 ? 128 : d[0] & 4 ? 0x45 : 0x60;
	buf[12] = 8;
	endpoint_write(ep, iov, 2, &o, &n);
	endpoint_read(ep, &m);
}

static void make(struct stack *s, struct endpoint **ep, const uint8_t *d)
{
	static const uint8_t protos[] = { IP_PROTO_UDP, IP_PROTO_ICMP, IP_PROTO_ICMPV6, 99,
					  IP_PROTO_TCP, IP_PROTO_TCP, IP_PROTO_TCP, IP_PROTO_TCP };
	static const uint8_t raws[] = { IP_PROTO_ICMP, IP_PROTO_ICMPV6, IP_PROTO_UDP, IP_PROTO_RAW };
	enum net_index net = (enum net_index)(d[0] & 1);
	enum ns_err err;

	if (d[0] & 0x80)
		err = endpoint_new_raw(s, net, raws[d[0] >> 1 & 3], ep);
	else if (d[0] & 0x40)
		err = endpoint_new_packet(s, net, d[0] & 0x20 ? 0x0800 : PACKET_PROTO_ALL, ep);
	else
		err = endpoint_new(s, net, protos[d[0] >> 1 & 7], ep);
	if (err)
		*ep = NULL;
}

static void call(struct stack *s, struct endpoint **ep, const uint8_t *d)
{
	struct full_addr a = name(d + 1);
	struct endpoint_info info;
	struct addr_prefix ap;

	if (!*ep) {
		make(s, ep, d + 1);
		return;
	}
	switch (d[0] >> 3) {
	case 0: endpoint_bind(*ep, &a); break;
	case 1: endpoint_connect(*ep, &a); break;
	case 2: endpoint_disconnect(*ep); break;
	case 3: endpoint_shutdown(*ep, d[1]); break;
	case 4: option(*ep, d + 1); break;
	case 5: endpoint_info(*ep, &info); endpoint_readiness(*ep, WAIT_ALL); break;
	case 6: endpoint_close(*ep); *ep = NULL; break;
	case 7:
		ap = (struct addr_prefix){ a.addr, (uint8_t)(d[2] & 31) };
		nic_add_addr(nic_find(s, 1), &ap, ADDR_MANUAL, NULL);
		break;
	case 8: nic_remove_addr(nic_find(s, 1), &a.addr); break;
	case 9: nic_set_enabled(nic_find(s, 1), d[1] & 1); break;
	case 10: clock_set(s->clock, s->clock->now_ns + d[1] * NS_PER_SEC, 0); break;
	default: transfer(*ep, d + 1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct channel_config cc = { .depth = 64, .mtu = 1500 };
	const struct link_addr mac = { { 2, 0, 0, 0, 0, 1 }, 6 };
	struct stack_config c = netstack_config();
	struct pkt_pool *pool = pkt_pool_new();
	struct endpoint *eps[EPS] = { 0 };
	struct addr_prefix ap;
	struct nic *nic, *lo;
	struct link *wire = channel_new(&cc);
	struct clock clock;
	struct stack *s;

	clock_init(&clock, 1, 1);
	c.clock = &clock;
	c.pool = pool;
	if (stack_new(&c, &s) || nic_create(s, 1, NULL, ether_new(wire, &mac), &nic) ||
	    nic_create(s, 2, "lo", loopback_new(&clock), &lo))
		abort();
	addr_prefix_parse("10.0.0.1/24", &ap);
	nic_add_addr(nic, &ap, ADDR_MANUAL, NULL);
	addr_prefix_parse("127.0.0.1/8", &ap);
	nic_add_addr(lo, &ap, ADDR_MANUAL, NULL);
	addr_prefix_parse("::1/128", &ap);
	nic_add_addr(lo, &ap, ADDR_MANUAL, NULL);
	for (; size >= 6; data += 6, size -= 6) {
		call(s, &eps[data[0] % EPS], data + 1);
		stack_run(s);
		for (struct pkt *p; (p = channel_read(wire));)
			pkt_free(p);
	}
	for (int i = 0; i < EPS / 2; i++)
		if (eps[i])
			endpoint_close(eps[i]);
	stack_free(s);
	if (pkt_pool_live(pool) || clock_next(&clock) != CLOCK_NEVER)
		abort();
	pkt_pool_unref(pool);
	return 0;
}
