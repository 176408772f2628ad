/* One stack and its wire, segment by segment: the test is the peer. */
#include "peer.h"

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/byteorder.h"
#include "base/cksum.h"
#include "header/ipv6.h"
#include "header/tcp.h"

enum { PEER_ISN = 1000000 };

struct stack *peer_stack;
struct endpoint *peer_ep;

static struct clock clk;
static struct pkt_pool *pool;
static struct link *chan;
static struct peer_config cfg;
static struct addr here, there;
static uint16_t lport, rport;
static uint32_t local_isn, peer_isn;
static bool have_isn;
static uint8_t last_tos;
static uint32_t last_ts;
static const uint8_t *next_bytes;
static struct endpoint *the_listener;
static bool spoil_cksum, spoil_off;

static struct addr parse_addr(const char *s)
{
	struct addr a;

	cr_assert(addr_parse(s, &a));
	return a;
}

void peer_new(const struct peer_config *c)
{
	struct stack_config sc = netstack_config();
	struct channel_config cc = { .depth = 4096 };
	struct addr_prefix ap;
	struct route_row row = { .nic = 1 };
	struct nic *nic;

	cfg = c ? *c : (struct peer_config){ 0 };
	clock_init(&clk, 100 * NS_PER_SEC, 1798000000ll * NS_PER_SEC);
	pool = pkt_pool_new();
	sc.clock = &clk;
	sc.pool = pool;
	memset(sc.seed, 7, sizeof(sc.seed));
	cc.mtu = cfg.mtu ? cfg.mtu : 1500;
	if (cfg.tso) {
		cc.caps = LINK_CAP_TX_CSUM | LINK_CAP_TSO4 | LINK_CAP_TSO6;
		cc.gso_max = 65535;
	}
	cr_assert_eq(stack_new(&sc, &peer_stack), NS_OK);
	chan = channel_new(&cc);
	chan->rx_queue_pkts = cfg.rx_queue_pkts;
	cr_assert_eq(nic_create(peer_stack, 1, NULL, chan, &nic), NS_OK);
	addr_prefix_parse(cfg.v6 ? "fd00::1/64" : "10.0.0.1/24", &ap);
	nic_add_addr(nic, &ap, ADDR_MANUAL, NULL);
	row.destination = subnet_of(&ap);
	cr_assert_eq(route_add(peer_stack, &row), NS_OK);
	here = ap.addr;
	there = parse_addr(cfg.v6 ? "fd00::2" : "10.0.0.2");
	lport = rport = 0;
	have_isn = false;
	peer_isn = PEER_ISN;
	next_bytes = NULL;
	the_listener = NULL;
	if (cfg.v6) {		/* DAD and router solicitations are no subject here */
		peer_pass(20000);
		peer_drop();
	}
}

void peer_free(void)
{
	stack_free(peer_stack);
	cr_assert_eq(pkt_pool_live(pool), 0, "packets left");
	cr_assert_eq(clock_next(&clk), CLOCK_NEVER, "timers left");
	pkt_pool_unref(pool);
}

void peer_port(uint16_t port)
{
	rport = port;
	have_isn = false;
}

struct endpoint *peer_listen(uint16_t port, int backlog)
{
	struct full_addr fa = { .port = port };
	struct endpoint *ep;

	cr_assert_eq(endpoint_new(peer_stack, cfg.v6 ? NET_IPV6 : NET_IPV4, IP_PROTO_TCP, &ep), NS_OK);
	cr_assert_eq(endpoint_bind(ep, &fa), NS_OK);
	cr_assert_eq(endpoint_listen(ep, backlog), NS_OK);
	lport = port;
	rport = 40000;
	the_listener = ep;
	return ep;
}

struct endpoint *peer_connect(void)
{
	struct full_addr to = { .addr = there, .port = 8080 }, local;

	cr_assert_eq(endpoint_new(peer_stack, cfg.v6 ? NET_IPV6 : NET_IPV4, IP_PROTO_TCP, &peer_ep), NS_OK);
	cr_assert_eq(endpoint_connect(peer_ep, &to), NS_ERR_CONNECT_STARTED);
	endpoint_local_addr(peer_ep, &local);
	lport = local.port;
	rport = 8080;
	have_isn = false;
	return peer_ep;
}

struct endpoint *peer_passive(const char *opts, unsigned wnd)
{
	char text[200];

	if (!the_listener)
		peer_listen(80, 8);
	snprintf(text, sizeof(text), "S 0:0(0) win %u <%s>", wnd, opts);
	peer_in(text);
	cr_assert(peer_next());
	peer_pass(30);
	snprintf(text, sizeof(text), ". 1:1(0) ack 1 win %u%s", wnd,
		 strstr(opts, "TS") ? " <TS 101 0>" : "");
	peer_in(text);
	cr_assert_eq(endpoint_accept(the_listener, &peer_ep, NULL), NS_OK);
	peer_none();
	return peer_ep;
}

static const char *parse_opts(const char *s, struct tcp_opts *o)
{
	while (*s && *s != '>') {
		unsigned a, b;
		int n = 0;

		if (*s == ',' || *s == ' ') {
			s++;
			continue;
		}
		if (sscanf(s, "mss %u%n", &a, &n) == 1) {
			o->has_mss = true;
			o->mss = (uint16_t)a;
		} else if (sscanf(s, "wscale %u%n", &a, &n) == 1) {
			o->has_wscale = true;
			o->wscale = (uint8_t)a;
		} else if (sscanf(s, "TS %u %u%n", &a, &b, &n) == 2) {
			o->has_ts = true;
			o->ts_val = a;
			o->ts_ecr = b;
		} else if (sscanf(s, "sack %u:%u%n", &a, &b, &n) == 2) {
			o->sack[o->nsack++] = (struct tcp_sack_range){ a + local_isn, b + local_isn };
		} else if (!strncmp(s, "sackOK", 6)) {
			o->sack_permitted = true;
			n = 6;
		} else if (!strncmp(s, "nop", 3)) {
			n = 3;
		}
		cr_assert(n, "option: %s", s);
		s += n;
	}
	return s;
}

static uint8_t parse_flags(const char **s)
{
	static const char letters[] = "FSRP.UEW";
	uint8_t f = 0;

	for (; **s && **s != ' '; (*s)++) {
		const char *p = strchr(letters, **s);

		cr_assert(p, "flag %c", **s);
		f |= (uint8_t)(1 << (p - letters));
	}
	return f;
}

void peer_in_bytes(const void *bytes)
{
	next_bytes = bytes;
}

size_t peer_packets_held(void)
{
	return pkt_pool_live(pool);
}

void peer_bad_checksum(void)
{
	spoil_cksum = true;
}

void peer_bad_offset(void)
{
	spoil_off = true;
}

static struct pkt *ip_wrap(struct pkt *pkt, uint8_t proto, uint8_t tos)
{
	uint8_t *p;

	if (cfg.v6) {
		struct ipv6_hdr h = { .traffic_class = tos, .payload_len = (uint16_t)pkt->len, .next = proto,
				      .hop_limit = 64, .src = there, .dst = here };

		p = pkt_push(pkt, IPV6_HDR_LEN);
		ipv6_emit(&h, p);
	} else {
		struct ipv4_hdr h = { .hdr_len = IPV4_HDR_LEN, .tos = tos, .ttl = 64, .proto = proto,
				      .total_len = (uint16_t)(pkt->len + IPV4_HDR_LEN), .src = there,
				      .dst = here };

		p = pkt_push(pkt, IPV4_HDR_LEN);
		ipv4_emit(&h, p);
	}
	return pkt;
}

void peer_in(const char *text)
{
	struct tcp_hdr h = { 0 };
	struct tcp_opts o = { 0 };
	unsigned seq, end, len, v;
	struct pkt *pkt;
	const char *s = text;
	uint8_t tos = 0, *p;
	uint16_t sum;
	size_t opts;
	int n = 0;

	if (*s == 'C' || *s == 'T')
		tos = *s++ == 'C' ? 3 : 2;
	h.flags = parse_flags(&s);
	cr_assert_eq(sscanf(s, " %u:%u(%u)%n", &seq, &end, &len, &n), 3, "%s", text);
	s += n;
	if (sscanf(s, " ack %u%n", &v, &n) == 1) {
		h.ack = v + local_isn;
		s += n;
	}
	if (sscanf(s, " win %u%n", &v, &n) == 1) {
		h.wnd = (uint16_t)v;
		s += n;
	}
	if (sscanf(s, " urg %u%n", &v, &n) == 1) {
		h.urg = (uint16_t)v;
		s += n;
	}
	s = strchr(s, '<');
	if (s)
		parse_opts(s + 1, &o);
	h.seq = peer_isn + seq;
	h.sport = rport;
	h.dport = lport;
	pkt = pkt_alloc(pool, PKT_HEADROOM, len);
	p = pkt_put(pkt, len);
	for (unsigned i = 0; i < len; i++)
		p[i] = next_bytes ? next_bytes[i] : (uint8_t)(seq + i);
	next_bytes = NULL;
	opts = tcp_opts_len(&o, h.flags & TCP_SYN);
	p = pkt_push(pkt, TCP_HDR_LEN + opts);
	h.off_bytes = (uint8_t)(TCP_HDR_LEN + opts);
	tcp_emit(&h, p);
	tcp_opts_emit(&o, h.flags & TCP_SYN, p + TCP_HDR_LEN);
	sum = (uint16_t)~pkt_cksum(pkt, 0, cksum_pseudo(&there, &here, IP_PROTO_TCP, pkt->len));
	if (spoil_cksum)
		sum ^= 0x55;
	memcpy(p + TCP_CKSUM_OFF, &sum, 2);
	if (spoil_off)
		p[12] = 0x40;
	spoil_cksum = spoil_off = false;
	channel_inject(chan, ip_wrap(pkt, IP_PROTO_TCP, tos));
	clock_run(&clk);
}

static void say(char *out, size_t room, const char *fmt, ...)
{
	size_t n = strlen(out);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(out + n, room - n, fmt, ap);
	va_end(ap);
}

static void say_opts(char *out, size_t room, const struct tcp_opts *o, uint8_t flags)
{
	const char *sep = " <";

	if (o->has_mss) {
		say(out, room, "%smss %u", sep, o->mss);
		sep = ",";
	}
	if (o->sack_permitted) {
		say(out, room, "%ssackOK", sep);
		sep = ",";
	}
	if (o->has_ts) {
		say(out, room, "%sTS", sep);
		last_ts = o->ts_val;
		sep = ",";
	}
	if (o->has_wscale) {
		say(out, room, "%swscale %u", sep, o->wscale);
		sep = ",";
	}
	for (int i = 0; i < o->nsack; i++) {
		say(out, room, "%ssack %u:%u", sep, o->sack[i].left - peer_isn, o->sack[i].right - peer_isn);
		sep = ",";
	}
	if (*sep == ',')
		say(out, room, ">");
	(void)flags;
}

static bool outbound_tcp(struct pkt *pkt)
{
	struct ipv4_hdr h4;
	struct ipv6_hdr h6;

	if (cfg.v6) {
		if (pkt->len < IPV6_HDR_LEN || pkt_data(pkt)[6] != IP_PROTO_TCP)
			return false;
		ipv6_parse(&h6, pkt_data(pkt), pkt->len);
		last_tos = h6.traffic_class;
		pkt_pull(pkt, IPV6_HDR_LEN);
		return true;
	}
	cr_assert(ipv4_parse(&h4, pkt_data(pkt), pkt->len));
	last_tos = h4.tos;
	pkt_pull(pkt, h4.hdr_len);
	return h4.proto == IP_PROTO_TCP;
}

const char *peer_next(void)
{
	static char text[400];
	static const char letters[] = "FSRP.UEW";
	struct tcp_hdr h;
	struct tcp_opts o = { 0 };
	struct pkt *pkt;
	uint32_t len;

	do {
		pkt = channel_read(chan);
		if (!pkt)
			return NULL;
		if (outbound_tcp(pkt))
			break;
		pkt_free(pkt);
	} while (1);
	cr_assert(pkt_pullup(pkt, TCP_HDR_LEN));
	cr_assert(pkt_pullup(pkt, (size_t)(pkt_data(pkt)[12] >> 4) * 4));
	cr_assert(tcp_parse(&h, pkt_data(pkt), pkt->head_len));
	if (!cfg.tso)
		cr_assert_eq(pkt_cksum(pkt, 0, cksum_pseudo(&here, &there, IP_PROTO_TCP, pkt->len)), 0xffff);
	tcp_opts_parse(&o, pkt_data(pkt) + TCP_HDR_LEN, h.off_bytes - (size_t)TCP_HDR_LEN, h.flags & TCP_SYN);
	if (h.flags & TCP_SYN && (!have_isn || h.seq != local_isn)) {
		local_isn = h.seq;
		have_isn = true;
	}
	text[0] = 0;
	for (int i = 0; i < 8; i++)
		if (h.flags & 1 << i)
			say(text, sizeof(text), "%c", letters[i]);
	len = pkt->len - h.off_bytes;
	h.seq -= have_isn ? local_isn : 0;
	say(text, sizeof(text), " %u:%u(%u)", h.seq, h.seq + len, len);
	if (h.flags & TCP_ACK)
		say(text, sizeof(text), " ack %u", h.ack - peer_isn);
	say(text, sizeof(text), " win %u", h.wnd);
	if (h.flags & TCP_URG)
		say(text, sizeof(text), " urg %u", h.urg);
	say_opts(text, sizeof(text), &o, h.flags);
	pkt_free(pkt);
	return text;
}

/* In @want, "win *" matches any window. */
static bool same(const char *got, const char *want)
{
	while (*got && *want) {
		if (*want == '*') {
			while (*got >= '0' && *got <= '9')
				got++;
			want++;
		} else if (*got++ != *want++) {
			return false;
		}
	}
	return !*got && !*want;
}

static char *win_any(const char *want, char *buf, size_t room)
{
	const char *ins = strstr(want, " win ");
	const char *urg = strstr(want, " urg "), *opt = strstr(want, " <"), *at = urg ? urg : opt;
	size_t n = at ? (size_t)(at - want) : strlen(want);

	if (ins) {
		snprintf(buf, room, "%s", want);
		return buf;
	}
	snprintf(buf, room, "%.*s win *%s", (int)n, want, want + n);
	return buf;
}

void peer_out(const char *text)
{
	const char *got = peer_next();
	char want[400];

	cr_assert(got, "nothing went out instead of %s", text);
	cr_assert(same(got, win_any(text, want, sizeof(want))), "went out: %s\n         wanted: %s", got, text);
}

void peer_none(void)
{
	const char *got = peer_next();

	cr_assert(!got, "went out: %s", got ? got : "");
}

static void run(int64_t until, bool stop)
{
	for (;;) {
		int64_t next;

		clock_run(&clk);
		if (stop && channel_count(chan))
			return;
		next = clock_next(&clk);
		if (next > until)
			next = until;
		clock_set(&clk, next, clk.wall_ns + (next - clk.now_ns));
		if (next == until) {
			clock_run(&clk);
			return;
		}
	}
}

void peer_out_at(int64_t ms, const char *text)
{
	int64_t start = clk.now_ns, took;

	peer_none();
	run(start + 3600 * NS_PER_SEC * 3, true);
	took = (clk.now_ns - start + NS_PER_MS / 2) / NS_PER_MS;
	cr_assert(took >= ms - 1 && took <= ms + 1, "%s: after %lld ms, not %lld", text, (long long)took,
		  (long long)ms);
	peer_out(text);
}

void peer_pass(int64_t ms)
{
	run(clk.now_ns + ms * NS_PER_MS, false);
}

void peer_run(int64_t ms)
{
	peer_pass(ms);
	peer_none();
}

unsigned peer_drop(void)
{
	unsigned n = 0;

	while (peer_next())
		n++;
	return n;
}

void peer_icmp(uint8_t type, uint8_t code, uint16_t mtu, uint32_t seq)
{
	struct tcp_hdr t = { .seq = seq + local_isn, .sport = lport, .dport = rport, .off_bytes = 20 };
	struct ipv4_hdr h = { .hdr_len = IPV4_HDR_LEN, .ttl = 64, .proto = IP_PROTO_TCP, .total_len = 1500,
			      .src = here, .dst = there };
	uint8_t b[8 + IPV4_HDR_LEN + TCP_HDR_LEN] = { type, code, 0, 0, 0, 0, (uint8_t)(mtu >> 8), (uint8_t)mtu };
	uint16_t sum;

	ipv4_emit(&h, b + 8);
	tcp_emit(&t, b + 8 + IPV4_HDR_LEN);
	sum = (uint16_t)~cksum_add(0, b, sizeof(b));
	memcpy(b + 2, &sum, 2);
	channel_inject(chan, ip_wrap(pkt_from_bytes(pool, b, sizeof(b)), IP_PROTO_ICMP, 0));
	clock_run(&clk);
}

uint8_t peer_tos(void)
{
	return last_tos;
}

uint32_t peer_ts(void)
{
	return last_ts;
}

static long do_write(struct endpoint *ep, size_t n, bool more)
{
	static uint8_t bytes[1 << 20];
	struct iovec iov = { bytes, n };
	struct write_opts o = { .more = more };
	size_t done;
	enum ns_err err = endpoint_write(ep, &iov, 1, &o, &done);

	clock_run_tasks(&clk);
	return err ? -(long)err : (long)done;
}

long peer_write(struct endpoint *ep, size_t n)
{
	return do_write(ep, n, false);
}

long peer_write_more(struct endpoint *ep, size_t n)
{
	return do_write(ep, n, true);
}

long peer_read(struct endpoint *ep, size_t n)
{
	static uint8_t bytes[1 << 20];
	struct iovec iov = { bytes, n };
	struct read_msg m = { .iov = &iov, .iovcnt = 1 };
	enum ns_err err = endpoint_read(ep, &m);

	clock_run_tasks(&clk);
	return err ? -(long)err : (long)m.n;
}

int64_t peer_opt(struct endpoint *ep, enum sockopt opt)
{
	int64_t v = 0;

	cr_assert_eq(endpoint_get_int(ep, opt, &v), NS_OK);
	return v;
}

struct tcp_conn_info peer_info(struct endpoint *ep)
{
	struct tcp_conn_info i;
	size_t len = sizeof(i);

	cr_assert_eq(endpoint_get_option(ep, SOCKOPT_TCP_INFO, &i, &len), NS_OK);
	return i;
}

void peer_set(int opt, int64_t v)
{
	cr_assert_eq(stack_set_trans_option(peer_stack, IP_PROTO_TCP, opt, &v, sizeof(v)), NS_OK);
}
