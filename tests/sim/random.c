/*
 * Random scenarios: networks, impairments, traffic and trouble, all from one seed.
 *
 *	random [-n SEEDS] [-s FIRST] [-c CAPTURE]
 *
 * What is checked: whatever an endpoint reads was written by somebody, to it, whole and unchanged;
 * without impairment everything arrives; packet endpoints see whole frames; multicast comes only from
 * sources that are wanted; at the end no packet and no timer is left.
 */

#include "base/hash.h"
#include "header/icmp.h"
#include "net.h"
#include "seeds.h"

enum { MAX_HOSTS = 5, FLOWS = 6, STEPS = 120, RAW_PROTO = 253, GROUP_PORT = 700 };

struct flow {
	struct endpoint *from, *to;
	const char *addr;
	uint16_t port;
	uint32_t sent, received;
	struct sim_host *receiver;
};

/* What each host has besides: taps of both kinds, and an endpoint in groups. */
struct extras {
	struct endpoint *raw, *frames, *member;
	uint32_t sent, received;
	int wanted;		/* the host whose multicast alone is wanted, -1: not in the group */
};

struct scenario {
	struct sim *sim;
	struct rand rand;
	struct sim_host *hosts[MAX_HOSTS];
	int nhosts;
	struct flow flows[FLOWS];
	int nflows;
	struct extras extras[MAX_HOSTS];
	char addrs[MAX_HOSTS][2][ADDR_STR_MAX];
	bool clean;		/* nothing impaired, nothing taken down */
	bool corrupts;		/* bits are flipped */
	uint64_t digest;
};

static void digest_frame(void *ctx, const uint8_t *frame, size_t len)
{
	static const struct hash_key key = { { 1, 2 } };
	struct scenario *sc = ctx;

	sc->digest = hash_mix(sc->digest ^ siphash(&key, frame, len), 0x9e3779b97f4a7c15ull) +
		     (uint64_t)sc->sim->clock.now_ns;
}

static uint32_t pick(struct scenario *sc, uint32_t n)
{
	return rand_below(&sc->rand, n);
}

static struct impair_dir random_impairment(struct scenario *sc)
{
	struct impair_dir d = { 0 };

	if (sc->clean)
		return d;
	d.loss = pick(sc, 3) ? pick(sc, 300000) : 0;
	d.duplicate = pick(sc, 2) ? pick(sc, 100000) : 0;
	d.reorder = pick(sc, 2) ? pick(sc, 200000) : 0;
	d.delay_ns = pick(sc, 50) * NS_PER_MS;
	d.jitter_ns = pick(sc, 20) * NS_PER_MS;
	d.reorder_ns = pick(sc, 50) * NS_PER_MS;
	d.rate_bps = pick(sc, 3) ? 0 : 1000000ull << pick(sc, 8);
	return d;
}

static void attach(struct scenario *sc, int i, struct sim_segment *seg, int net)
{
	static const uint32_t mtus[] = { 1280, 1400, 1500, 1500, 4000, 9000 };
	struct sim_link l = { .mtu = mtus[pick(sc, 6)] };
	char *v4 = sc->addrs[i][0], *v6 = sc->addrs[i][1], text[ADDR_STR_MAX + 8];

	l.out = random_impairment(sc);
	l.in = random_impairment(sc);
	/*
	 * One bit per datagram: two may cancel out in a 16-bit sum, which is then nobody's fault. So only
	 * the senders' side flips them, and what is sent then fits into one packet.
	 */
	if (sc->corrupts && i > 0)
		l.out.corrupt = pick(sc, 100000);
	snprintf(v4, ADDR_STR_MAX, "10.0.%d.%d", net, i + 1);
	snprintf(v6, ADDR_STR_MAX, "2001:db8:%d::%d", net, i + 1);
	snprintf(text, sizeof(text), "%s/24", v4);
	sim_attach(sc->hosts[i], seg, text, &l);
	snprintf(text, sizeof(text), "%s/64", v6);
	sim_addr(sc->hosts[i]->ports[sc->hosts[i]->nports - 1]->nic, text);
}

/* One or two segments; with two, host 0 is the router between them. */
static void build(struct scenario *sc)
{
	static const char *const names[MAX_HOSTS] = { "ra", "hb", "hc", "hd", "he" };
	int segments = 1 + (int)pick(sc, 2);
	struct sim_segment *seg[2];

	sc->nhosts = 2 + segments - 1 + (int)pick(sc, 3);
	for (int i = 0; i < segments; i++)
		seg[i] = sim_segment(sc->sim);
	for (int i = 0; i < sc->nhosts; i++)
		sc->hosts[i] = sim_host(sc->sim, names[i]);
	for (int i = 0; i < sc->nhosts; i++) {
		int net = segments == 1 ? 0 : i & 1;

		attach(sc, i, seg[net], net);
		if (segments == 1 || i == 0)
			continue;
		sim_route(sc->hosts[i], "0.0.0.0/0", net ? "10.0.1.1" : "10.0.0.1", 1);
		sim_route(sc->hosts[i], "::/0", net ? "2001:db8:1::1" : "2001:db8:0::1", 1);
	}
	if (segments == 1)
		return;
	attach(sc, 0, seg[1], 1);
	for (int nic = 0; nic < 2; nic++)
		for (int net = 0; net < NET_FAMILIES; net++)
			nic_set_forwarding(sc->hosts[0]->ports[nic]->nic, (enum net_index)net, true);
}

/* Some hosts track, and the router translates: nobody may notice. */
static void load_rules(struct scenario *sc)
{
	static const char rules[] = "*nat\n-A POSTROUTING -o nic2 -j MASQUERADE\nCOMMIT\n"
		"*filter\n-A INPUT -m conntrack --ctstate NEW,ESTABLISHED,RELATED -j ACCEPT\nCOMMIT\n";
	struct filter_error e;

	for (int i = 0; i < sc->nhosts; i++)
		for (int net = 0; net < NET_FAMILIES; net++)
			if ((sc->sim->seed + (uint64_t)i) % 3 == 0 &&
			    filter_load(sc->hosts[i]->stack, (enum net_index)net, rules,
					strlen(rules), 0, &e))
				seeds_fail("%s", e.text);
}

static void open_flows(struct scenario *sc)
{
	sc->nflows = 1 + (int)pick(sc, FLOWS);
	for (int i = 0; i < sc->nflows; i++) {
		struct flow *f = &sc->flows[i];
		int a = (int)pick(sc, (uint32_t)sc->nhosts), b = (int)pick(sc, (uint32_t)sc->nhosts);
		int v6 = (int)pick(sc, 2);

		f->addr = sc->addrs[b][v6];
		f->port = (uint16_t)(1000 + i);
		f->receiver = sc->hosts[b];
		f->from = sim_udp(sc->hosts[a], v6 ? "::" : "0.0.0.0", 0);
		f->to = sim_udp(sc->hosts[b], v6 ? "::" : "0.0.0.0", f->port);
		endpoint_set_int(f->to, SOCKOPT_RECEIVE_BUFFER_SIZE, 4 << 20);
	}
}

/* Flow, number and length say what every byte must be. */
static void fill(uint8_t *p, size_t len, uint32_t flow, uint32_t n)
{
	uint32_t head[2] = { flow, n };
	uint8_t x = (uint8_t)(flow * 31 + n * 7 + len);

	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)(x + i);
	memcpy(p, head, len < sizeof(head) ? len : sizeof(head));
}

static void send_some(struct scenario *sc, struct flow *f)
{
	static uint8_t buf[65507];
	size_t len = sc->corrupts ? 8 + pick(sc, 1200)
		     : pick(sc, 4) ? 8 + pick(sc, 1500) : 8 + pick(sc, 20000);

	fill(buf, len, (uint32_t)(f - sc->flows), f->sent);
	if (sim_send(f->from, f->addr, f->port, buf, len) == NS_OK)
		f->sent++;
}

static void read_all(struct scenario *sc, struct flow *f)
{
	static uint8_t buf[70000], want[70000];
	ssize_t n;

	while ((n = sim_recv(f->to, buf, sizeof(buf), NULL, NULL)) >= 0) {
		uint32_t head[2];

		if (n < 8) {
			seeds_fail("a datagram nobody wrote");
			return;
		}
		memcpy(head, buf, sizeof(head));
		fill(want, (size_t)n, (uint32_t)(f - sc->flows), head[1]);
		if (head[0] != (uint32_t)(f - sc->flows) || head[1] >= f->sent ||
		    memcmp(buf, want, (size_t)n) != 0)
			seeds_fail("a datagram was changed, or is another endpoint's");
		f->received++;
	}
}

static void open_extras(struct scenario *sc)
{
	for (int i = 0; i < sc->nhosts; i++) {
		struct extras *x = &sc->extras[i];
		struct stack *s = sc->hosts[i]->stack;

		x->wanted = -1;
		x->member = sim_udp(sc->hosts[i], "0.0.0.0", GROUP_PORT);
		if (endpoint_new_raw(s, NET_IPV4, RAW_PROTO, &x->raw) ||
		    endpoint_new_packet(s, pick(sc, 2), PACKET_PROTO_ALL, &x->frames))
			seeds_fail("no raw or packet endpoint");
		endpoint_set_int(x->raw, SOCKOPT_RECEIVE_BUFFER_SIZE, 4 << 20);
		endpoint_set_int(x->frames, SOCKOPT_RECEIVE_BUFFER_SIZE, 1024 << pick(sc, 12));
	}
}

/* Joins the group from one source, or leaves it: on the first NIC, whose segment all sources are heard on. */
static void change_group(struct scenario *sc, int i)
{
	struct extras *x = &sc->extras[i];
	struct sockopt_source_membership m = { .nic = 1, .group = addr_v4(239, 1, 1, 1) };
	int host = x->wanted >= 0 ? x->wanted : (int)pick(sc, (uint32_t)sc->nhosts);

	m.source = sim_parse(sc->addrs[host][0]);
	if (endpoint_set_option(x->member, x->wanted >= 0 ? SOCKOPT_REMOVE_SOURCE_MEMBERSHIP
							  : SOCKOPT_ADD_SOURCE_MEMBERSHIP, &m, sizeof(m)))
		seeds_fail("a source cannot be joined or left");
	/* What came before is of another time. */
	while (sim_recv(x->member, &m, sizeof(m), NULL, NULL) >= 0)
		;
	x->wanted = x->wanted >= 0 ? -1 : host;
}

static void extras_send(struct scenario *sc, int i)
{
	struct extras *x = &sc->extras[i];
	int to = (int)pick(sc, (uint32_t)sc->nhosts);
	uint8_t buf[1200];
	size_t len = 8 + pick(sc, sizeof(buf) - 8);

	fill(buf, len, (uint32_t)i, x->sent);
	if (to != i && sim_send(x->raw, sc->addrs[to][0], 0, buf, len) == NS_OK)
		x->sent++;
	sim_send(x->member, "239.1.1.1", GROUP_PORT, buf, len);
	if (pick(sc, 10) == 0)
		change_group(sc, i);
}

static void extras_read(struct scenario *sc, int i)
{
	static uint8_t buf[70000], want[70000];
	struct extras *x = &sc->extras[i];
	struct full_addr from;
	uint32_t head[2];
	ssize_t n;

	while ((n = sim_recv(x->raw, buf, sizeof(buf), NULL, NULL)) >= 0) {
		if (n < 28) {
			seeds_fail("a raw packet without a header");
			return;
		}
		memcpy(head, buf + 20, sizeof(head));
		fill(want, (size_t)n - 20, head[0], head[1]);
		if (!sc->corrupts && (head[0] >= (uint32_t)sc->nhosts || memcmp(buf + 20, want, (size_t)n - 20)))
			seeds_fail("a raw packet was changed");
		x->received++;
	}
	while ((n = sim_recv(x->frames, buf, sizeof(buf), &from, NULL)) >= 0)
		if (n < 20 || !from.nic || !from.port)
			seeds_fail("a frame that is none");
	while ((n = sim_recv(x->member, buf, sizeof(buf), &from, NULL)) >= 0) {
		struct addr a = sim_parse(sc->addrs[x->wanted >= 0 ? x->wanted : 0][0]);

		/* Its own loop back too if it is the source; a router has another address on its other side. */
		if (x->wanted < 0 || (x->wanted && !addr_equal(&from.addr, &a)))
			seeds_fail("multicast from a source nobody wanted");
	}
}

/* Things that happen to networks. None of them in a clean scenario. */
static void trouble(struct scenario *sc)
{
	struct sim_host *h = sc->hosts[pick(sc, (uint32_t)sc->nhosts)];
	struct sim_port *p = h->ports[pick(sc, (uint32_t)h->nports)];
	struct impair_dir out, in;

	switch (pick(sc, 8)) {
	case 0:
		nic_set_enabled(p->nic, false);
		break;
	case 1:
		nic_set_enabled(p->nic, true);
		break;
	case 2:
		out = random_impairment(sc);
		in = random_impairment(sc);
		impair_set(p->impair, &out, &in);
		break;
	case 3:
		nic_set_mtu(p->nic, 1280 + pick(sc, 3000));
		break;
	case 4:
		neigh_clear(&p->nic->neigh[pick(sc, NET_FAMILIES)]);
		break;
	default:
		break;
	}
}

static uint64_t run_seed(uint64_t seed, const char *capture)
{
	struct scenario sc = { .rand = { { { seed, 77 } }, 0 } };
	uint64_t digest;

	sc.sim = sim_new(seed);
	sc.sim->tap = digest_frame;
	sc.sim->tap_ctx = &sc;
	sc.clean = pick(&sc, 4) == 0;
	sc.corrupts = !sc.clean && pick(&sc, 2);
	if (capture && !sim_capture(sc.sim, capture))
		seeds_fail("cannot write the capture");
	build(&sc);
	load_rules(&sc);
	sim_run(sc.sim, 4 * NS_PER_SEC);
	open_flows(&sc);
	open_extras(&sc);
	for (int step = 0; step < STEPS; step++) {
		for (int i = 0; i < sc.nflows; i++)
			if (pick(&sc, 2))
				send_some(&sc, &sc.flows[i]);
		if (pick(&sc, 4) == 0)
			extras_send(&sc, (int)pick(&sc, (uint32_t)sc.nhosts));
		if (!sc.clean && pick(&sc, 10) == 0)
			trouble(&sc);
		sim_run(sc.sim, (1 + pick(&sc, 40)) * NS_PER_MS);
		for (int i = 0; i < sc.nflows; i++)
			read_all(&sc, &sc.flows[i]);
		for (int i = 0; i < sc.nhosts; i++)
			extras_read(&sc, i);
	}
	sim_run(sc.sim, 70 * NS_PER_SEC);
	for (int i = 0; i < sc.nflows; i++) {
		read_all(&sc, &sc.flows[i]);
		/* Path MTU discovery may cost a datagram of each flow through the router. */
		if (sc.clean && sc.flows[i].received + 3 < sc.flows[i].sent)
			seeds_fail("datagrams lost on a perfect network");
	}
	digest = sc.digest ^ sc.sim->frames;
	sim_free(sc.sim);
	return digest;
}

int main(int argc, char **argv)
{
	return seeds_main(argc, argv, "networks", "build/sim", run_seed);
}
