/*
 * Random TCP scenarios: hosts, bad networks, connections with random plans, all from one seed.
 *
 *	random-tcp [-n SEEDS] [-s FIRST] [-c CAPTURE]
 *
 * What is checked: whatever is read is what was written, from the first byte on; an end of stream comes
 * after the last byte; without trouble everything arrives and nothing fails; every connection ends, and at the
 * end nothing is left of it, not even TIME-WAIT; and the rules of tcp_check.h hold throughout.
 */
#include "base/hash.h"
#include "net.h"
#include "seeds.h"
#include "tcp_app.h"
#include "tcp_check.h"

enum { MAX_HOSTS = 4, CONNS = 6 };

/* When a scenario must be over: all timeouts of all retransmissions, several times. */
#define DEADLINE (6 * 3600 * NS_PER_SEC)

struct scenario {
	struct sim *sim;
	struct tcp_check *check;
	struct rand rand;
	struct sim_host *hosts[MAX_HOSTS];
	int nhosts;
	char addrs[MAX_HOSTS][2][ADDR_STR_MAX];
	struct app_conn conns[CONNS];
	int nconns;
	bool calm;		/* little is lost, nothing is taken down, nobody aborts */
	bool corrupts;
	bool v4_only;		/* and links too narrow for IPv6 */
	uint64_t digest;
};

static uint32_t pick(struct scenario *sc, uint32_t n)
{
	return rand_below(&sc->rand, n);
}

static void digest_frame(void *ctx, const uint8_t *frame, size_t len)
{
	static const struct hash_key key = { { 1, 2 } };
	struct scenario *sc = ctx;

	sc->digest = hash_mix(sc->digest ^ siphash(&key, frame, len), 0x9e3779b97f4a7c15ull) +
		     (uint64_t)sc->sim->clock.now_ns;
}

static bool has_addr(const struct sim_host *h, const struct addr *a)
{
	for (int i = 0; i < h->nports; i++)
		if (nic_find_addr(h->ports[i]->nic, a))
			return true;
	return false;
}

/* Routers pass on what others said. */
static void watch_frame(void *ctx, struct sim_host *h, bool sent, const uint8_t *frame, size_t len)
{
	struct scenario *sc = ctx;
	struct tcp_check_addrs a;
	struct addr own;

	if (!tcp_check_addrs_of(frame, len, &a))
		return;
	own = addr_from_bytes(sent ? a.src : a.dst, a.len);
	if (!has_addr(h, &own))
		return;
	if (sent)
		tcp_check_sent(sc->check, frame, len);
	else
		tcp_check_arrived(sc->check, frame, len);
}

static struct impair_dir random_impairment(struct scenario *sc)
{
	uint32_t worst = sc->calm ? 20000 : 300000;
	struct impair_dir d = { 0 };

	d.loss = pick(sc, 3) ? pick(sc, worst) : 0;
	d.duplicate = pick(sc, 2) ? pick(sc, worst / 3) : 0;
	d.reorder = pick(sc, 2) ? pick(sc, worst) : 0;
	d.delay_ns = pick(sc, 60) * NS_PER_MS;
	d.jitter_ns = pick(sc, 20) * NS_PER_MS;
	d.reorder_ns = pick(sc, 60) * NS_PER_MS;
	d.rate_bps = pick(sc, 3) ? 0 : 1000000ull << pick(sc, 8);
	return d;
}

static void attach(struct scenario *sc, int i, struct sim_segment *seg, int net)
{
	static const uint32_t mtus[] = { 1280, 1400, 1500, 1500, 4000, 9000 }, narrow[] = { 296, 576, 1006 };
	struct sim_link l = { .mtu = sc->v4_only ? narrow[pick(sc, 3)] : mtus[pick(sc, 6)], .offload = pick(sc, 2) };
	char *v4 = sc->addrs[i][0], *v6 = sc->addrs[i][1], text[ADDR_STR_MAX + 8];

	l.out = random_impairment(sc);
	l.in = random_impairment(sc);
	/* One bit per segment: two may cancel out in a 16-bit sum. So only the senders' side flips them. */
	if (sc->corrupts && i > 0)
		l.out.corrupt = pick(sc, 100000);
	snprintf(v4, ADDR_STR_MAX, "10.0.%d.%d", net, i + 1);
	snprintf(v6, ADDR_STR_MAX, "2001:db8:%d::%d", net, i + 1);
	snprintf(text, sizeof(text), "%s/24", v4);
	sim_attach(sc->hosts[i], seg, text, &l);
	snprintf(text, sizeof(text), "%s/64", v6);
	if (!sc->v4_only)
		sim_addr(sc->hosts[i]->ports[sc->hosts[i]->nports - 1]->nic, text);
}

static void set_proto(struct sim_host *h, enum sockopt opt, int64_t v)
{
	if (stack_set_trans_option(h->stack, IP_PROTO_TCP, opt, &v, sizeof(v)))
		seeds_fail("TCP does not take setting %d", opt);
}

static void random_settings(struct scenario *sc, struct sim_host *h)
{
	if (!pick(sc, 4))
		set_proto(h, SOCKOPT_SACK_ENABLED, 0);
	/*
	 * Without them, and without SACK, a queue of tiny segments is sent again one by one with no round trip time
	 * to be had: the timer stays backed off (RFC 6298, 5), and a host that was left alone may give up.
	 */
	if (!sc->calm && !pick(sc, 4))
		set_proto(h, SOCKOPT_TIMESTAMPS_ENABLED, 0);
	if (!pick(sc, 4))
		set_proto(h, SOCKOPT_WINDOW_SCALING_ENABLED, 0);
	set_proto(h, SOCKOPT_ECN, pick(sc, 3));
	/* A cookie cannot send its SYN-ACK again: a client that only listens may never learn that it is on. */
	if (!sc->calm && !pick(sc, 5)) {
		set_proto(h, SOCKOPT_SYN_COOKIES, 2);
		tcp_check_revivals(sc->check);
	}
	if (!pick(sc, 6))
		set_proto(h, SOCKOPT_RECOVERY, 0);
	set_proto(h, SOCKOPT_MTU_PROBING, pick(sc, 3));
}

/* One or two segments; with two, host 0 is the router between them. */
static void build(struct scenario *sc)
{
	static const char *const names[MAX_HOSTS] = { "ra", "hb", "hc", "hd" };
	int segments = 1 + (pick(sc, 3) == 0);
	struct sim_segment *seg[2];

	sc->nhosts = 2 + segments - 1 + (int)pick(sc, 2);
	for (int i = 0; i < segments; i++)
		seg[i] = sim_segment(sc->sim);
	for (int i = 0; i < sc->nhosts; i++) {
		sc->hosts[i] = sim_host(sc->sim, names[i]);
		random_settings(sc, sc->hosts[i]);
	}
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

/* Some hosts track connections, and drop what they find invalid: nobody may notice. */
static void load_rules(struct scenario *sc)
{
	static const char rules[] = "*nat\nCOMMIT\n*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n"
		"-A INPUT -m conntrack --ctstate NEW,ESTABLISHED,RELATED,UNTRACKED -j ACCEPT\n"
		"-A FORWARD -m conntrack --ctstate NEW,ESTABLISHED,RELATED -j ACCEPT\nCOMMIT\n";
	struct filter_error e;

	for (int i = 0; i < sc->nhosts; i++)
		for (int net = 0; net < NET_FAMILIES; net++)
			if ((sc->sim->seed + (uint64_t)i) % 3 == 0 &&
			    filter_load(sc->hosts[i]->stack, (enum net_index)net, rules, strlen(rules), 0, &e))
				seeds_fail("rules: %s", e.text);
}

static void open_conns(struct scenario *sc)
{
	sc->nconns = 1 + (int)pick(sc, CONNS);
	for (int i = 0; i < sc->nconns; i++) {
		int a = (int)pick(sc, (uint32_t)sc->nhosts), b = (int)pick(sc, (uint32_t)sc->nhosts);
		int v6 = sc->v4_only ? 0 : (int)pick(sc, 2);
		struct full_addr to = { .addr = sim_parse(sc->addrs[b][v6]), .port = (uint16_t)(1000 + i) };

		app_open(&sc->conns[i], (uint32_t)i, &sc->rand, sc->hosts[a], sc->hosts[b], &to, sc->calm);
	}
}

/* Things that happen to networks. None of them in a calm scenario, but that paths change their MTU. */
static void trouble(struct scenario *sc)
{
	struct sim_host *h = sc->hosts[pick(sc, (uint32_t)sc->nhosts)];
	struct sim_port *p = h->ports[pick(sc, (uint32_t)h->nports)];
	struct impair_dir out, in;
	uint32_t kind = pick(sc, 8);

	if (sc->calm)
		return;
	switch (kind) {
	case 0:
		nic_set_enabled(p->nic, false);
		break;
	case 1:
	case 2:
		nic_set_enabled(p->nic, true);
		break;
	case 3:
		out = random_impairment(sc);
		in = random_impairment(sc);
		impair_set(p->impair, &out, &in);
		break;
	case 4:
		nic_set_mtu(p->nic, (sc->v4_only ? 296 : 1280) + pick(sc, 3000));
		break;
	case 5:
		neigh_clear(&p->nic->neigh[pick(sc, NET_FAMILIES)]);
		break;
	default:
		break;
	}
}

static void nothing_left(struct scenario *sc)
{
	for (int i = 0; i < sc->nhosts; i++) {
		struct stack *s = sc->hosts[i]->stack;

		if (tcp_half_open_count(s) || tcp_time_wait_count(s) || tcp_orphan_count(s))
			seeds_fail("host %d: %zu handshakes, %zu in TIME-WAIT, %zu orphans are left", i,
				   tcp_half_open_count(s), tcp_time_wait_count(s), tcp_orphan_count(s));
		if (!list_empty(&s->endpoints))
			seeds_fail("host %d: an endpoint is left", i);
	}
}

/* Until all connections are over; time goes faster while nothing happens. */
static void live(struct scenario *sc)
{
	int64_t start = sc->sim->clock.now_ns;
	uint32_t quiet = 0;
	bool busy = true;

	while (busy && !tcp_check_failure(sc->check)) {
		int64_t step = (1 + pick(sc, 20)) * NS_PER_MS;
		bool moved = false;

		busy = false;
		for (int i = 0; i < sc->nconns; i++) {
			moved |= app_step(&sc->conns[i]);
			busy |= !app_over(&sc->conns[i]);
		}
		quiet = moved ? 0 : quiet + 1;
		if (quiet < 200 && pick(sc, 20) == 0)
			trouble(sc);
		sim_run(sc->sim, quiet > 400 ? step * 100 : quiet > 100 ? step * 10 : step);
		if (sc->sim->clock.now_ns - start > DEADLINE) {
			seeds_fail("a connection does not end");
			return;
		}
	}
}

static uint64_t run_seed(uint64_t seed, const char *capture)
{
	struct scenario sc = { .rand = { { { seed, 78 } }, 0 } };
	uint64_t digest;

	sc.sim = sim_new(seed);
	sc.check = tcp_check_new();
	sc.sim->tap = digest_frame;
	sc.sim->watch = watch_frame;
	sc.sim->tap_ctx = sc.sim->watch_ctx = &sc;
	sc.calm = pick(&sc, 3) == 0;
	/* Not in a calm one: ARP has no checksum, and a flipped bit there sends all astray. */
	sc.v4_only = pick(&sc, 5) == 0;
	sc.corrupts = !sc.calm && pick(&sc, 2);
	if (capture && !sim_capture(sc.sim, capture))
		seeds_fail("cannot write the capture");
	build(&sc);
	load_rules(&sc);
	sim_run(sc.sim, 4 * NS_PER_SEC);
	open_conns(&sc);
	live(&sc);
	for (int i = 0; i < sc.nconns; i++)
		app_close(&sc.conns[i]);
	/* Links up again, and time for what was closed: orphans give up, TIME-WAIT ends. */
	for (int i = 0; i < sc.nhosts; i++)
		for (int k = 0; k < sc.hosts[i]->nports; k++)
			nic_set_enabled(sc.hosts[i]->ports[k]->nic, true);
	sim_run(sc.sim, 3600 * NS_PER_SEC);
	if (tcp_check_failure(sc.check))
		seeds_fail("%s", tcp_check_failure(sc.check));
	nothing_left(&sc);
	digest = sc.digest ^ sc.sim->frames;
	tcp_check_free(sc.check);
	sim_free(sc.sim);
	return digest;
}

int main(int argc, char **argv)
{
	return seeds_main(argc, argv, "TCP scenarios", "build/tcp", run_seed);
}
