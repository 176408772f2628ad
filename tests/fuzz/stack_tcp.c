/*
 * TCP: packets into connections in every state, mixed with calls and time.
 *
 * Input: records of eight bytes, the first of which says what they are. Packets are made from what the stack
 * sent last in a connection, so that most of them are near what it expects; the record says how far off they
 * are, and may add any options and data. Afterwards nothing may be left.
 */
#include <stdlib.h>
#include <string.h>

#include "base/byteorder.h"
#include "base/cksum.h"
#include "header/tcp.h"
#include "netstack.h"

enum { EPS = 6, FLOWS = 8, RECORD = 8, PORTS = 3, STEPS_MAX = 600 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** struct flow - a connection as seen from the peer: what the stack sent up to, and acknowledged */
struct flow {
	bool v6;
	uint16_t stack_port, peer_port;
	uint32_t stack_end, stack_ack, ts_val;
	bool has_ts;
};

struct world {
	struct clock clock;
	struct pkt_pool *pool;
	struct stack *stack;
	struct link *wire;
	struct endpoint *eps[EPS];
	struct flow flows[FLOWS];
	int nflows;
	struct addr ours[2], theirs[2];
};

static void must(int ok)
{
	if (!ok)
		abort();
}

static void address(struct world *w, struct nic *nic, const char *text)
{
	struct route_row row = { .nic = nic->id };
	struct addr_prefix ap;

	must(addr_prefix_parse(text, &ap));
	must(nic_add_addr(nic, &ap, ADDR_MANUAL, NULL) == NS_OK);
	row.destination = subnet_of(&ap);
	must(route_add(w->stack, &row) == NS_OK);
}

static void world_init(struct world *w, uint8_t how)
{
	struct channel_config cc = { .depth = 512, .mtu = how & 1 ? 1500 : 1280 };
	struct stack_config c = netstack_config();
	struct nic *nic, *lo;

	if (how & 2) {
		cc.caps = LINK_CAP_TX_CSUM | LINK_CAP_TSO4 | LINK_CAP_TSO6;
		cc.gso_max = 65535;
	}
	clock_init(&w->clock, NS_PER_SEC, 1);
	w->pool = pkt_pool_new();
	c.clock = &w->clock;
	c.pool = w->pool;
	must(stack_new(&c, &w->stack) == NS_OK);
	w->wire = channel_new(&cc);
	must(nic_create(w->stack, 1, NULL, w->wire, &nic) == NS_OK);
	must(nic_create(w->stack, 2, "lo", loopback_new(&w->clock), &lo) == NS_OK);
	address(w, nic, "10.0.0.1/24");
	address(w, nic, "2001:db8::1/64");
	address(w, lo, "127.0.0.1/8");
	for (int i = 0; i < 2; i++) {
		must(addr_parse(i ? "2001:db8::1" : "10.0.0.1", &w->ours[i]));
		must(addr_parse(i ? "2001:db8::2" : "10.0.0.2", &w->theirs[i]));
	}
}

static struct flow *flow_of(struct world *w, bool v6, uint16_t stack_port, uint16_t peer_port)
{
	struct flow *f;

	for (int i = 0; i < w->nflows && i < FLOWS; i++) {
		f = &w->flows[i];
		if (f->v6 == v6 && f->stack_port == stack_port && f->peer_port == peer_port)
			return f;
	}
	f = &w->flows[w->nflows++ % FLOWS];
	*f = (struct flow){ .v6 = v6, .stack_port = stack_port, .peer_port = peer_port };
	return f;
}

static void learn(struct world *w, const uint8_t *p, size_t len)
{
	bool v6 = p[0] >> 4 == 6;
	size_t hdr = v6 ? 40 : (size_t)(p[0] & 15) * 4;
	struct tcp_opts o;
	struct tcp_hdr h;
	struct flow *f;

	if (len <= hdr || (v6 ? p[6] : p[9]) != IP_PROTO_TCP || !tcp_parse(&h, p + hdr, len - hdr))
		return;
	f = flow_of(w, v6, h.sport, h.dport);
	tcp_opts_parse(&o, p + hdr + TCP_HDR_LEN, h.off_bytes - (size_t)TCP_HDR_LEN, h.flags & TCP_SYN);
	f->stack_end = h.seq + (uint32_t)(len - hdr - h.off_bytes) + !!(h.flags & TCP_SYN) + !!(h.flags & TCP_FIN);
	if (h.flags & TCP_ACK)
		f->stack_ack = h.ack;
	f->has_ts = o.has_ts;
	f->ts_val = o.ts_val;
}

static void drain(struct world *w)
{
	static uint8_t buf[70000];

	/* What loopback connections say to one another has no end of its own. */
	for (int i = 0; i < 20; i++)
		stack_run(w->stack);
	for (struct pkt *p; (p = channel_read(w->wire)); pkt_free(p)) {
		must(p->len <= sizeof(buf) && pkt_finish_cksum(p));
		pkt_copy_out(p, 0, buf, p->len);
		learn(w, buf, p->len);
	}
}

static size_t put_ip(const struct world *w, const struct flow *f, uint8_t proto, uint8_t ecn, size_t len, uint8_t *p)
{
	uint16_t sum;

	if (f->v6) {
		memset(p, 0, 40);
		p[0] = 0x60;
		p[1] = (uint8_t)(ecn << 4);
		be16_store(p + 4, (uint16_t)len);
		p[6] = proto;
		p[7] = 64;
		memcpy(p + 8, w->theirs[1].b, 16);
		memcpy(p + 24, w->ours[1].b, 16);
		return 40;
	}
	memset(p, 0, 20);
	p[0] = 0x45;
	p[1] = ecn;
	be16_store(p + 2, (uint16_t)(len + 20));
	p[8] = 64;
	p[9] = proto;
	memcpy(p + 12, w->theirs[0].b, 4);
	memcpy(p + 16, w->ours[0].b, 4);
	sum = (uint16_t)~cksum_add(0, p, 20);
	memcpy(p + 10, &sum, 2);
	return 20;
}

static void inject(struct world *w, const uint8_t *p, size_t len)
{
	struct pkt *pkt = pkt_from_bytes(w->pool, p, len);

	if (pkt)
		channel_inject(w->wire, pkt);
}

/* How far off a number is: mostly not, else a little, or anything. */
static uint32_t off_by(uint8_t b)
{
	if (b < 128)
		return 0;
	if (b < 192)
		return (uint32_t)(int32_t)(int8_t)(b - 160) * 100;
	return b < 224 ? (uint32_t)(b - 208) : (uint32_t)b * 0x01234567u;
}

/* Options of a usual peer, or the bytes that follow in the input. */
static size_t options(const struct flow *f, uint8_t kind, uint8_t flags, const uint8_t *rest, size_t left, uint8_t *p)
{
	struct tcp_opts o = {
		.has_mss = kind & 1, .mss = (uint16_t)(kind * 40 + 20), .has_wscale = kind & 2, .wscale = kind >> 4,
		.sack_permitted = kind & 4, .has_ts = kind & 8 && (f->has_ts || flags & TCP_SYN),
		.ts_val = 1000u + kind, .ts_ecr = f->ts_val,
	};
	size_t n;

	if (kind >= 0xf0) {
		n = left < 40 ? left & ~3u : 40;
		memcpy(p, rest, n);
		return n;
	}
	if (kind & 0x40 && !(flags & TCP_SYN)) {
		o.nsack = 1 + (kind & 1);
		o.sack[0] = (struct tcp_sack_range){ f->stack_end - kind * 20u, f->stack_end - kind * 10u };
		o.sack[1] = (struct tcp_sack_range){ f->stack_end - kind * 40u, f->stack_end - kind * 30u };
	}
	return tcp_opts_emit(&o, flags & TCP_SYN, p);
}

/* d: flow, flags, seq, ack, window, options, length */
static void segment(struct world *w, const uint8_t *d, const uint8_t *rest, size_t left)
{
	static uint8_t buf[4096];
	struct flow fresh = { .v6 = d[0] & 0x40, .stack_port = (uint16_t)(1 + d[0] % PORTS),
			      .peer_port = (uint16_t)(100 + (d[0] >> 2 & 3)) };
	struct flow *f = d[0] & 0x80 || !w->nflows ? &fresh : &w->flows[d[0] % (w->nflows < FLOWS ? w->nflows : FLOWS)];
	uint8_t *p = buf + (f->v6 ? 40 : 20);
	size_t len = d[6] < 128 ? 0 : d[6] < 192 ? d[6] - 127u : (d[6] - 191u) * 20u, n;
	struct tcp_hdr h = {
		.sport = f->peer_port, .dport = f->stack_port, .seq = f->stack_ack + off_by(d[2]),
		.ack = f->stack_end - off_by(d[3]), .flags = d[1], .wnd = (uint16_t)(d[4] * d[4] / 4 * 4),
		.urg = d[1] & TCP_URG ? d[3] : 0,
	};
	uint16_t sum;

	n = options(f, d[5], d[1], rest, left, p + TCP_HDR_LEN);
	h.off_bytes = (uint8_t)(TCP_HDR_LEN + n);
	tcp_emit(&h, p);
	memset(p + h.off_bytes, d[6], len);
	len += h.off_bytes;
	sum = (uint16_t)~cksum_add(cksum_pseudo(&w->theirs[f->v6], &w->ours[f->v6], IP_PROTO_TCP, (uint32_t)len), p, len);
	memcpy(p + TCP_CKSUM_OFF, &sum, 2);
	inject(w, buf, len + put_ip(w, f, IP_PROTO_TCP, d[0] >> 4 & 3, len, buf));
}

/* An ICMP error about something the stack sent. */
static void icmp(struct world *w, const uint8_t *d)
{
	struct flow *f = &w->flows[d[0] % FLOWS];
	uint8_t buf[128], *p = buf + (f->v6 ? 40 : 20), *q = p + 8;
	size_t ip = f->v6 ? 40 : 20, len = 8 + ip + 20;
	struct tcp_hdr h = { .sport = f->stack_port, .dport = f->peer_port, .seq = f->stack_end - off_by(d[2]) };
	uint16_t sum = 0;

	memset(p, 0, len);
	p[0] = f->v6 ? 1 + d[1] % 4 : 3 + d[1] % 2 * 8;
	p[1] = d[3] % 8;
	be32_store(p + 4, (uint32_t)d[4] * 8);
	put_ip(w, f, IP_PROTO_TCP, 0, 20, q);
	/* The quoted packet went the other way. */
	memcpy(q + (f->v6 ? 8 : 12), w->ours[f->v6].b, w->ours[f->v6].len);
	memcpy(q + (f->v6 ? 24 : 16), w->theirs[f->v6].b, w->theirs[f->v6].len);
	tcp_emit(&h, q + ip);
	if (f->v6)
		sum = cksum_pseudo(&w->theirs[1], &w->ours[1], IP_PROTO_ICMPV6, (uint32_t)len);
	sum = (uint16_t)~cksum_add(sum, p, len);
	memcpy(p + 2, &sum, 2);
	inject(w, buf, len + put_ip(w, f, f->v6 ? IP_PROTO_ICMPV6 : IP_PROTO_ICMP, 0, len, buf));
}

static void open_ep(struct world *w, struct endpoint **ep, const uint8_t *d)
{
	struct full_addr a = { .port = (uint16_t)(1 + d[1] % PORTS) };
	bool v6 = d[0] & 1;

	if (*ep || endpoint_new(w->stack, v6 ? NET_IPV6 : NET_IPV4, IP_PROTO_TCP, ep)) {
		return;
	}
	if (d[0] & 2) {
		endpoint_bind(*ep, &a);
		endpoint_listen(*ep, d[2] % 8);
		return;
	}
	a.addr = d[0] & 4 ? w->ours[v6] : w->theirs[v6];
	endpoint_connect(*ep, &a);
}

static void option(struct endpoint *ep, const uint8_t *d)
{
	struct sockopt_linger l = { d[1] & 1, (int64_t)d[2] * NS_PER_SEC };
	enum sockopt opt = (enum sockopt)(d[0] % SOCKOPT_COUNT);
	uint8_t back[400];
	size_t len = d[2] * 2u % sizeof(back);

	if (opt == SOCKOPT_LINGER)
		endpoint_set_option(ep, opt, &l, sizeof(l));
	else if (opt == SOCKOPT_CONGESTION_CONTROL)
		endpoint_set_option(ep, opt, d[1] & 1 ? "reno" : "cubic", d[1] & 1 ? 4 : 5);
	else if (opt <= SOCKOPT_COMMON_END || opt >= SOCKOPT_NO_DELAY)
		endpoint_set_int(ep, opt, (int64_t)(int8_t)d[1] * (1ll << (d[2] & 31)));
	endpoint_get_option(ep, opt, back, &len);
}

static void setting(struct world *w, const uint8_t *d)
{
	int64_t v = (int64_t)d[1] << (d[2] & 15);
	struct sockopt_range r = { d[1] * 16u, d[1] * 256u, d[2] * 4096u };

	/* Limits of memory and time are the user's to set: these could ask for any amount of it. */
	if (stack_set_trans_option(w->stack, IP_PROTO_TCP, d[0] % SOCKOPT_COUNT, &v, sizeof(v)))
		stack_set_trans_option(w->stack, IP_PROTO_TCP, d[0] % SOCKOPT_COUNT, &r, sizeof(r));
}

static void transfer(struct endpoint *ep, const uint8_t *d)
{
	static uint8_t buf[20000];
	struct iovec iov = { buf, (size_t)d[1] * 70 };
	struct write_opts o = { .more = d[2] & 1, .oob = d[2] & 2, .end_of_record = d[2] & 4 };
	struct read_msg m = { .iov = &iov, .iovcnt = 1, .peek = d[2] & 8, .oob = d[2] & 16 };
	size_t n;

	if (d[2] & 0x80)
		endpoint_write(ep, &iov, 1, &o, &n);
	else if (endpoint_read(ep, &m) == NS_OK)
		endpoint_moderate_recv_buf(ep, m.n);
}

static void call(struct world *w, const uint8_t *d)
{
	struct endpoint **ep = &w->eps[d[0] % EPS], *child;
	struct endpoint_info info;
	struct full_addr peer;

	if (!*ep) {
		open_ep(w, ep, d + 2);
		return;
	}
	switch (d[1] % 10) {
	case 0:
		for (int i = 0; i < EPS; i++)
			if (!w->eps[i] && endpoint_accept(*ep, &child, &peer) == NS_OK)
				w->eps[i] = child;
		break;
	case 1: endpoint_shutdown(*ep, d[2] % 4); break;
	case 2: endpoint_close(*ep); *ep = NULL; break;
	case 3: option(*ep, d + 2); break;
	case 4: endpoint_disconnect(*ep); break;
	case 5: endpoint_info(*ep, &info); endpoint_readiness(*ep, WAIT_ALL); break;
	case 6: endpoint_local_addr(*ep, &peer); endpoint_remote_addr(*ep, &peer); break;
	case 7: nic_set_mtu(nic_find(w->stack, 1), 68 + d[2] * 6u); break;
	default: transfer(*ep, d + 2);
	}
}

static void pass_time(struct world *w, const uint8_t *d)
{
	static const int64_t units[] = { NS_PER_US, NS_PER_MS, 40 * NS_PER_MS, NS_PER_SEC, 60 * NS_PER_SEC };
	int64_t end = w->clock.now_ns + (d[0] + 1) * units[d[1] % 5];

	for (int i = 0; i < 300 && w->clock.now_ns < end; i++) {
		int64_t next = stack_next(w->stack);

		clock_set(&w->clock, next < end ? next : end, 1);
		drain(w);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world *w = calloc(1, sizeof(*w));

	world_init(w, size ? data[0] : 0);
	if (size)
		data++, size--;
	for (int i = 0; size >= RECORD && i < STEPS_MAX; data += RECORD, size -= RECORD, i++) {
		switch (data[0] % 8) {
		case 0:
		case 1:
			call(w, data + 1);
			break;
		case 2:
			pass_time(w, data + 1);
			break;
		case 3:
			icmp(w, data + 1);
			break;
		case 4:
			if (data[1] < 32)
				setting(w, data + 2);
			else
				inject(w, data + 1, size - 1 < 120 ? size - 1 : 120);
			break;
		default:
			segment(w, data + 1, data + RECORD, size - RECORD);
		}
		drain(w);
	}
	for (int i = 0; i < EPS / 2; i++)
		if (w->eps[i])
			endpoint_close(w->eps[i]);
	drain(w);
	stack_free(w->stack);
	must(!pkt_pool_live(w->pool) && clock_next(&w->clock) == CLOCK_NEVER);
	pkt_pool_unref(w->pool);
	free(w);
	return 0;
}
