/*
 * Packets through loaded rules: matches, tracking, translation, rejection. Input: a byte that chooses the
 * rules, then records of a byte that says how, two of length, and a packet. Afterwards nothing may be left.
 */
#include <stdlib.h>
#include <string.h>

#include "netstack.h"

enum { SECOND_NIC = 1, KEEP_CKSUM = 2, TIME = 4, LONG_TIME = 8, SPLIT = 16, PARTIAL = 32, SEND = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Both families are given the same text, but for those that begin with a digit. */
static const char *const rules[] = {
	"*nat\n-A POSTROUTING -o nic2 -j MASQUERADE\nCOMMIT\n",
	"*nat\n-A PREROUTING -i nic2 -p tcp -j REDIRECT --to-ports 7\n"
	"-A PREROUTING -i nic2 -p udp -j REDIRECT --to-ports 7-9 --random\n"
	"-A OUTPUT -p udp -j REDIRECT --to-ports 7\n-A POSTROUTING -j MASQUERADE --random\nCOMMIT\n",
	"4*nat\n-A PREROUTING -i nic2 -p udp -j DNAT --to-destination 10.0.0.2-10.0.0.9:7-900\n"
	"-A PREROUTING -i nic2 -j DNAT --to-destination 10.0.0.7\n"
	"-A OUTPUT -j DNAT --to-destination 10.0.1.9\n"
	"-A POSTROUTING -p udp -j SNAT --to-source 10.0.1.1-10.0.1.3:100-101\nCOMMIT\n",
	"6*nat\n-A PREROUTING -i nic2 -p udp -j DNAT --to-destination [2001:db8::2-2001:db8::ff]:7-900\n"
	"-A PREROUTING -i nic2 -j DNAT --to-destination 2001:db8::7\n"
	"-A POSTROUTING -j SNAT --to-source 2001:db8:1::1\nCOMMIT\n",
	"*filter\n-A INPUT -p tcp -j REJECT --reject-with tcp-reset\n-A INPUT -p udp -j REJECT\n"
	"-A FORWARD -p tcp -j REJECT --reject-with tcp-reset\n-A FORWARD -j REJECT\n"
	"-A OUTPUT -p udp -j REJECT\nCOMMIT\n*nat\n-A PREROUTING -p udp -j REDIRECT --to-ports 9\nCOMMIT\n",
	"*raw\n-A PREROUTING -p udp -m udp --sport 1:5 -j NOTRACK\nCOMMIT\n"
	"*mangle\n-A PREROUTING -p tcp -m tcp --tcp-option 2 -j MARK --set-mark 1\n"
	"-A POSTROUTING -m mark --mark 1 -j RETURN\nCOMMIT\n"
	"*filter\n:X - [0:0]\n-A INPUT -p tcp --tcp-flags SYN,ACK SYN -j X\n"
	"-A FORWARD -p tcp -m multiport --ports 1:9,80 -j X\n-A FORWARD -m limit -j X\n"
	"-A FORWARD -m addrtype --dst-type LOCAL,BROADCAST -j X\n-A OUTPUT -m owner --uid-owner 5 -j X\n"
	"-A FORWARD -m conntrack --ctstate NEW --ctorigdstport 1:9 -j X\n-A X -m state --state INVALID -j DROP\n"
	"COMMIT\n",
};

struct world {
	struct clock clock;
	struct pkt_pool *pool;
	struct stack *stack;
	struct link *link[2];
	struct endpoint *eps[2];
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

static void load(struct world *w, const char *text)
{
	struct filter_error e;

	for (int net = 0; net < NET_FAMILIES; net++) {
		int only = text[0] == '4' || text[0] == '6' ? text[0] - '0' : 0;

		if (only && only != (net == NET_IPV4 ? 4 : 6))
			continue;
		must(filter_load(w->stack, (enum net_index)net, text + !!only, strlen(text + !!only), 0,
				 &e) == NS_OK);
	}
}

static void world_init(struct world *w, const char *text)
{
	static const char *const addrs[2][2] = { { "10.0.0.1/24", "2001:db8::1/64" },
						 { "10.0.1.1/24", "2001:db8:1::1/64" } };
	struct channel_config cc = { .depth = 512, .mtu = 1500 };
	struct stack_config c = netstack_config();
	struct full_addr any = { .port = 7 };

	clock_init(&w->clock, 1, 1);
	w->pool = pkt_pool_new();
	c.clock = &w->clock;
	c.pool = w->pool;
	must(stack_new(&c, &w->stack) == NS_OK);
	for (uint32_t i = 0; i < 2; i++) {
		struct nic *nic;

		w->link[i] = channel_new(&cc);
		must(nic_create(w->stack, i + 1, NULL, w->link[i], &nic) == NS_OK);
		address(nic, addrs[i][0]);
		address(nic, addrs[i][1]);
		nic_set_forwarding(nic, NET_IPV4, true);
		nic_set_forwarding(nic, NET_IPV6, true);
		must(endpoint_new(w->stack, i ? NET_IPV6 : NET_IPV4, IP_PROTO_UDP, &w->eps[i]) == NS_OK);
		endpoint_set_int(w->eps[i], SOCKOPT_V6_ONLY, 1);
		must(endpoint_bind(w->eps[i], &any) == NS_OK);
		endpoint_set_cred(w->eps[i], 5, 5);
	}
	clock_set(&w->clock, 5 * NS_PER_SEC, 5);
	stack_run(w->stack);
	load(w, text);
	if (text != rules[0])
		filter_conn_set_limit(w->stack, 4);
}

static void fix(uint8_t *p, size_t n)
{
	if (n >= 20 && p[0] >> 4 == 4 && (p[0] & 0xfu) * 4 <= n)
		ipv4_set_cksum(p, (p[0] & 0xfu) * 4);
}

static struct pkt *make(struct world *w, const uint8_t *p, size_t n, uint8_t how)
{
	size_t head = how & SPLIT && n > 21 ? 21 : n;
	struct pkt *pkt = pkt_from_bytes(w->pool, p, head);

	if (head < n) {
		struct chunk *c = chunk_alloc(w->pool, n - head);

		memcpy(c->data, p + head, n - head);
		pkt_add_frag(pkt, c, 0, n - head);
		chunk_unref(c);
	}
	if (!(how & KEEP_CKSUM))
		pkt->csum = PKT_CSUM_VALID;
	if (how & PARTIAL && head == n && n > 60) {
		pkt->csum = PKT_CSUM_PARTIAL;
		pkt->csum_start = (uint16_t)(pkt->off + (p[0] >> 4 == 6 ? 40 : 20));
		pkt->csum_off = 6;
	}
	return pkt;
}

static void settle(struct world *w)
{
	static uint8_t buf[65536];

	stack_run(w->stack);
	for (int i = 0; i < 2; i++) {
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
	for (struct pkt *p; (p = channel_read(w->link[0])) || (p = channel_read(w->link[1]));)
		pkt_free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world w;

	if (!size)
		return 0;
	world_init(&w, rules[data[0] % (sizeof(rules) / sizeof(rules[0]))]);
	data++;
	size--;
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
		if (!(how & KEEP_CKSUM))
			fix(copy, n);
		if (how & SEND) {
			struct full_addr to = { .addr = addr_v4(10, 0, (uint8_t)(n & 1), 2), .port = 9 };
			struct write_opts o = { .to = &to };
			struct iovec iov = { copy, n };
			size_t sent;

			endpoint_write(w.eps[0], &iov, 1, &o, &sent);
		} else {
			channel_inject(w.link[how & SECOND_NIC], make(&w, copy, n, how));
		}
		free(copy);
		settle(&w);
		if (how & (TIME | LONG_TIME)) {
			clock_set(&w.clock, w.clock.now_ns + (how & LONG_TIME ? 100 : 1) * NS_PER_SEC, 0);
			settle(&w);
		}
		data += n;
		size -= n;
	}
	filter_clear(w.stack, NET_IPV6);
	stack_free(w.stack);
	must(pkt_pool_live(w.pool) == 0);
	must(clock_next(&w.clock) == CLOCK_NEVER);
	pkt_pool_unref(w.pool);
	return 0;
}
