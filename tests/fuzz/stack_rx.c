/*
 * The whole receive path of a live stack. Input: records of a byte that says how (see below), two
 * of length, and a packet. Two NICs, one Ethernet and one without, forward between them; endpoints
 * echo what reaches them, so that the way out is walked too. Afterwards nothing may be left.
 */
#include <stdlib.h>
#include <string.h>

#include "netstack.h"

enum { MERGED = 128, TO_TUN = 1, KEEP_CKSUM = 2, TIME = 4, LONG_TIME = 8, SPLIT = 16, SMALL = 32, SHUT_NIC = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct world {
	struct clock clock;
	struct pkt_pool *pool;
	struct stack *stack;
	struct link *frames, *packets;
	struct endpoint *eps[4], *raw[4];
};

static void must(int ok)
{
	if (!ok)
		abort();
}

static void address(struct nic *nic, const char *text)
{
	struct route_row row = { .nic = nic->id };
	struct addr_prefix ap;

	must(addr_prefix_parse(text, &ap));
	must(nic_add_addr(nic, &ap, ADDR_MANUAL, NULL) == NS_OK);
	row.destination = subnet_of(&ap);
	must(route_add(nic->stack, &row) == NS_OK);
}

static void world_init(struct world *w)
{
	struct channel_config fc = { .depth = 512, .mtu = 1500, .caps = LINK_CAP_ETHERNET };
	struct channel_config pc = { .depth = 512, .mtu = 1280 };
	const struct link_addr mac = { { 2, 0, 0, 0, 0, 1 }, 6 };
	struct stack_config c = netstack_config();
	struct full_addr any = { .port = 7 };
	struct sockopt_membership m = { .nic = 1 };
	struct route_row by_default = { .destination = { addr_v6_any, addr_v6_any }, .nic = 1 };
	struct nic *eth, *tun;

	clock_init(&w->clock, 1, 1);
	w->pool = pkt_pool_new();
	c.clock = &w->clock;
	c.pool = w->pool;
	must(stack_new(&c, &w->stack) == NS_OK);
	w->frames = channel_new(&fc);
	w->packets = channel_new(&pc);
	must(nic_create(w->stack, 1, NULL, ether_new(w->frames, &mac), &eth) == NS_OK);
	must(nic_create(w->stack, 2, NULL, w->packets, &tun) == NS_OK);
	address(eth, "10.0.0.1/24");
	address(eth, "2001:db8::1/64");
	address(tun, "10.0.1.1/24");
	address(tun, "2001:db8:1::1/64");
	must(addr_parse("fe80::8", &by_default.gateway));	/* whose redirects are believed */
	must(route_add(w->stack, &by_default) == NS_OK);
	nic_set_forwarding(eth, NET_IPV4, true);
	nic_set_forwarding(tun, NET_IPV4, true);
	nic_set_forwarding(tun, NET_IPV6, true);
	for (int i = 0; i < 4; i++) {
		static const uint8_t proto[4] = { IP_PROTO_UDP, IP_PROTO_UDP, IP_PROTO_ICMP,
						  IP_PROTO_ICMPV6 };
		enum net_index net = i & 1 ? NET_IPV6 : NET_IPV4;

		must(endpoint_new(w->stack, net, proto[i], &w->eps[i]) == NS_OK);
		if (i < 2)
			endpoint_set_int(w->eps[i], SOCKOPT_V6_ONLY, 1);
		must(endpoint_bind(w->eps[i], &any) == NS_OK);
	}
	must(endpoint_new_raw(w->stack, NET_IPV4, IP_PROTO_ICMP, &w->raw[0]) == NS_OK);
	must(endpoint_new_raw(w->stack, NET_IPV6, IP_PROTO_UDP, &w->raw[1]) == NS_OK);
	must(endpoint_new_packet(w->stack, false, PACKET_PROTO_ALL, &w->raw[2]) == NS_OK);
	must(endpoint_new_packet(w->stack, true, 0x86dd, &w->raw[3]) == NS_OK);
	must(addr_parse("239.0.0.1", &m.group));
	endpoint_set_option(w->eps[0], SOCKOPT_ADD_MEMBERSHIP, &m, sizeof(m));
	must(addr_parse("ff05::1", &m.group));
	endpoint_set_option(w->eps[1], SOCKOPT_ADD_MEMBERSHIP, &m, sizeof(m));
	clock_set(&w->clock, 5 * NS_PER_SEC, 5);
	stack_run(w->stack);
}

/* The network header's checksum, so that mutations reach what lies behind. */
static void fix(uint8_t *p, size_t n)
{
	if (n >= 20 && p[0] >> 4 == 4 && (p[0] & 0xfu) * 4 <= n)
		ipv4_set_cksum(p, (p[0] & 0xfu) * 4);
}

static struct pkt *make(struct world *w, const uint8_t *p, size_t n, uint8_t how)
{
	size_t head = how & SPLIT && n > 14 ? 14 : n;
	struct pkt *pkt = pkt_from_bytes(w->pool, p, head);

	if (head < n) {
		struct chunk *c = chunk_alloc(w->pool, n - head);

		memcpy(c->data, p + head, n - head);
		pkt_add_frag(pkt, c, 0, n - head);
		chunk_unref(c);
	}
	if (how & MERGED) {		/* as from a TAP with offload; the Ethernet one */
		pkt->gso = how & SMALL ? PKT_GSO_TCP6 : PKT_GSO_TCP4;
		pkt->gso_size = 100;
	}
	if (!(how & KEEP_CKSUM))
		pkt->csum = PKT_CSUM_VALID;
	return pkt;
}

static void answer(struct world *w)
{
	static uint8_t buf[65536];

	stack_run(w->stack);
	for (int i = 0; i < 4; i++) {
		struct iovec iov = { buf, sizeof(buf) };
		struct read_msg m = { .iov = &iov, .iovcnt = 1 };

		while (endpoint_read(w->raw[i], &m) == NS_OK)
			;
	}
	for (int i = 0; i < 4; i++) {
		struct iovec iov = { buf, sizeof(buf) };
		struct read_msg m = { .iov = &iov, .iovcnt = 1 };
		struct write_opts o = { .to = &m.from };
		size_t n;

		for (int k = 0; k < 4 && endpoint_read(w->eps[i], &m) == NS_OK; k++) {
			struct iovec back = { buf, m.n };

			endpoint_write(w->eps[i], &back, 1, &o, &n);
		}
	}
	stack_run(w->stack);
	for (struct pkt *p; (p = channel_read(w->frames)) || (p = channel_read(w->packets));)
		pkt_free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world w;

	world_init(&w);
	while (size >= 3) {
		uint8_t how = data[0];
		size_t n = (size_t)data[1] << 8 | data[2];
		uint8_t *copy;

		data += 3;
		size -= 3;
		if (n > size)
			n = size;
		copy = malloc(n + 1);
		memcpy(copy, data, n);
		if (!(how & KEEP_CKSUM) && how & TO_TUN)
			fix(copy, n);
		else if (!(how & KEEP_CKSUM) && n > 14)
			fix(copy + 14, n - 14);
		channel_inject(how & TO_TUN ? w.packets : w.frames, make(&w, copy, n, how));
		free(copy);
		answer(&w);
		if (how & SHUT_NIC) {
			struct nic *nic = nic_find(w.stack, how & TO_TUN ? 2 : 1);

			nic_set_enabled(nic, !nic->enabled);
		}
		if (how & (TIME | LONG_TIME)) {
			clock_set(&w.clock, w.clock.now_ns + (how & LONG_TIME ? 100 : 1) * NS_PER_SEC, 0);
			answer(&w);
		}
		data += n;
		size -= n;
	}
	stack_free(w.stack);
	must(pkt_pool_live(w.pool) == 0);
	must(clock_next(&w.clock) == CLOCK_NEVER);
	pkt_pool_unref(w.pool);
	return 0;
}
