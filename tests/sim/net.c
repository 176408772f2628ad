/* Simulated networks. */
#include "net.h"

#include <stdlib.h>

#include "link/pcapng.h"
#include "watch.h"

/* The wall clock starts in 2026, so that captures look like captures. */
#define WALL_START (1798000000ll * NS_PER_SEC)

static void die(const char *what, const char *arg)
{
	fprintf(stderr, "sim: %s: %s\n", what, arg);
	abort();
}

struct addr sim_parse(const char *s)
{
	struct addr a;

	if (!addr_parse(s, &a))
		die("bad address", s);
	return a;
}

struct sim *sim_new(uint64_t seed)
{
	struct sim *sim = calloc(1, sizeof(*sim));

	clock_init(&sim->clock, NS_PER_SEC, WALL_START);
	sim->pool = pkt_pool_new();
	sim->seed = seed;
	list_init(&sim->hosts);
	list_init(&sim->segments);
	return sim;
}

void sim_free(struct sim *sim)
{
	struct list *n;

	while ((n = list_pop_front(&sim->hosts))) {
		struct sim_host *h = container_of(n, struct sim_host, list);

		stack_free(h->stack);
		for (int i = 0; i < h->nports; i++)
			free(h->ports[i]);
		free(h);
	}
	while ((n = list_pop_front(&sim->segments)))
		free(container_of(n, struct sim_segment, list));
	if (sim->capture)
		fclose(sim->capture);
	if (pkt_pool_live(sim->pool))
		die("packets left", "leak");
	if (clock_next(&sim->clock) != CLOCK_NEVER)
		die("timers left", "leak");
	pkt_pool_unref(sim->pool);
	free(sim);
}

static bool capture_write(void *ctx, const struct iovec *iov, int n)
{
	for (int i = 0; i < n; i++)
		if (iov[i].iov_len && fwrite(iov[i].iov_base, iov[i].iov_len, 1, ctx) != 1)
			return false;
	return true;
}

bool sim_capture(struct sim *sim, const char *path)
{
	char comment[64];
	struct pcapng p = { .write = capture_write };

	sim->capture = fopen(path, "w");
	if (!sim->capture)
		return false;
	p.ctx = sim->capture;
	snprintf(comment, sizeof(comment), "simulation, seed %llu", (unsigned long long)sim->seed);
	pcapng_begin(&p, PCAPNG_LINK_ETHERNET, "sim", comment);
	return !p.failed;
}

struct sim_segment *sim_segment(struct sim *sim)
{
	struct sim_segment *s = calloc(1, sizeof(*s));

	s->sim = sim;
	list_init(&s->list);
	list_init(&s->ports);
	list_push_back(&sim->segments, &s->list);
	return s;
}

struct sim_host *sim_host(struct sim *sim, const char *name)
{
	struct sim_host *h = calloc(1, sizeof(*h));
	struct stack_config c = netstack_config();
	uint64_t seed[2] = { sim->seed, (uint64_t)(unsigned char)name[0] << 8 | (unsigned char)name[1] };
	enum ns_err err;

	memcpy(c.seed, seed, sizeof(seed));
	c.clock = &sim->clock;
	c.pool = sim->pool;
	h->sim = sim;
	h->name = name;
	list_init(&h->list);
	list_push_back(&sim->hosts, &h->list);
	err = stack_new(&c, &h->stack);
	if (err)
		die("stack", ns_err_str(err));
	return h;
}

void sim_addr(struct nic *nic, const char *text)
{
	struct addr_prefix ap;
	struct route_row row = { .nic = nic->id };
	enum ns_err err;

	if (!addr_prefix_parse(text, &ap))
		die("bad address", text);
	err = nic_add_addr(nic, &ap, ADDR_MANUAL, NULL);
	if (err)
		die(text, ns_err_str(err));
	row.destination = subnet_of(&ap);
	err = route_add(nic->stack, &row);
	if (err)
		die("route", ns_err_str(err));
}

void sim_route(struct sim_host *h, const char *dest, const char *gateway, uint32_t nic)
{
	struct route_row row = { .nic = nic, .gateway = sim_parse(gateway) };
	enum ns_err err;

	if (!subnet_parse(dest, &row.destination))
		die("bad subnet", dest);
	err = route_add(h->stack, &row);
	if (err)
		die("route", ns_err_str(err));
}

static void host_frame(void *ctx, bool sent, const uint8_t *frame, size_t len)
{
	struct sim_host *h = ctx;

	if (h->sim->watch)
		h->sim->watch(h->sim->watch_ctx, h, sent, frame, len);
}

struct nic *sim_attach(struct sim_host *h, struct sim_segment *s, const char *addr,
		       const struct sim_link *l)
{
	static const struct sim_link plain;
	struct sim_port *p = calloc(1, sizeof(*p));
	struct channel_config cc = { .depth = 65536, .caps = LINK_CAP_ETHERNET };
	struct impair_config ic = { .clock = &h->sim->clock };
	uint32_t n = ++h->sim->next_mac;
	enum ns_err err;

	l = l ? l : &plain;
	cc.mtu = l->mtu ? l->mtu : 1500;
	ic.seed = h->sim->seed * 1000003 + n;
	ic.out = l->out;
	ic.in = l->in;
	p->segment = s;
	p->mac = (struct link_addr){ { 2, 0, 0, 0, (uint8_t)(n >> 8), (uint8_t)n }, LINK_ADDR_LEN };
	p->channel = channel_new(&cc);
	p->impair = impair_new(p->channel, &ic);
	err = nic_create(h->stack, (uint32_t)h->nports + 1, NULL,
			 ether_new(watch_new(p->impair, l->offload, host_frame, h), &p->mac), &p->nic);
	if (err)
		die("nic", ns_err_str(err));
	list_init(&p->list);
	list_push_back(&s->ports, &p->list);
	h->ports[h->nports++] = p;
	if (addr)
		sim_addr(p->nic, addr);
	return p->nic;
}

static void spread(struct sim_segment *s, struct sim_port *from, struct pkt *pkt)
{
	struct sim *sim = s->sim;
	uint8_t *bytes = malloc(pkt->len);
	size_t len = pkt->len;

	pkt_copy_out(pkt, 0, bytes, len);
	sim->frames++;
	if (sim->capture) {
		struct pcapng p = { .write = capture_write, .ctx = sim->capture };

		pcapng_packet(&p, pkt, sim->clock.wall_ns, true, NULL);
	}
	if (sim->tap)
		sim->tap(sim->tap_ctx, bytes, len);
	pkt_free(pkt);
	/* Each hears a copy: nothing but bytes crosses the wire. */
	list_for_each(n, &s->ports) {
		struct sim_port *to = container_of(n, struct sim_port, list);

		if (to != from)
			channel_inject(to->channel, pkt_from_bytes(sim->pool, bytes, len));
	}
	free(bytes);
}

static bool drain(struct sim *sim)
{
	bool any = false;

	list_for_each(n, &sim->segments) {
		struct sim_segment *s = container_of(n, struct sim_segment, list);

		list_for_each(m, &s->ports) {
			struct sim_port *p = container_of(m, struct sim_port, list);
			struct pkt *pkt;

			while ((pkt = channel_read(p->channel))) {
				spread(s, p, pkt);
				any = true;
			}
		}
	}
	return any;
}

void sim_settle(struct sim *sim)
{
	do
		clock_run(&sim->clock);
	while (drain(sim));
}

void sim_run(struct sim *sim, int64_t ns)
{
	int64_t end = sim->clock.now_ns + ns, next;

	for (;;) {
		sim_settle(sim);
		next = clock_next(&sim->clock);
		if (next > end)
			next = end;
		clock_set(&sim->clock, next, WALL_START + next);
		if (next == end)
			break;
	}
	sim_settle(sim);
}

struct endpoint *sim_udp(struct sim_host *h, const char *addr, uint16_t port)
{
	bool v6 = strchr(addr, ':') != NULL;
	struct full_addr a = { .port = port };
	struct endpoint *ep;
	enum ns_err err = endpoint_new(h->stack, v6 ? NET_IPV6 : NET_IPV4, IP_PROTO_UDP, &ep);

	if (err)
		die("udp", ns_err_str(err));
	if (addr[0])
		a.addr = sim_parse(addr);
	else
		a.addr = addr_v4_any;
	err = endpoint_bind(ep, &a);
	if (err)
		die("bind", ns_err_str(err));
	return ep;
}

enum ns_err sim_send(struct endpoint *ep, const char *addr, uint16_t port, const void *data,
		     size_t len)
{
	struct full_addr to = { .port = port };
	struct write_opts o = { .to = addr ? &to : NULL };
	struct iovec iov = { (void *)data, len };
	size_t n;

	if (addr)
		to.addr = sim_parse(addr);
	return endpoint_write(ep, &iov, 1, &o, &n);
}

ssize_t sim_recv(struct endpoint *ep, void *buf, size_t len, struct full_addr *from,
		 enum ns_err *err)
{
	struct iovec iov = { buf, len };
	struct read_msg m = { .iov = &iov, .iovcnt = 1 };
	enum ns_err e = endpoint_read(ep, &m);

	if (err)
		*err = e;
	if (e)
		return -1;
	if (from)
		*from = m.from;
	return (ssize_t)m.n;
}
