/*
 * What a packet costs in memory, and whether look-ups stay flat.
 *
 * Prints one line per figure: name, value, unit. Medians of 7 rounds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/byteorder.h"
#include "base/cksum.h"
#include "header/udp.h"
#include "netstack.h"

enum { ROUNDS = 7, PACKETS = 200000, PROBES = 2000000, FEW = 10, MANY = 100000,
       MISS_WORDS = 8 << 20 };	/* 32 MiB: what so many entries need, and more */

static double now_ns(void)
{
	struct timespec t;

	/* Our own time only: the machine may be busy with others. */
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double (*round)(void *), void *ctx)
{
	double v[ROUNDS];

	for (int i = 0; i < ROUNDS; i++)
		v[i] = round(ctx);
	qsort(v, ROUNDS, sizeof(v[0]), by_value);
	return v[ROUNDS / 2];
}

struct rig {
	struct clock clock;
	struct stack *stack;
	struct nic *nic;
	struct link *link;
	struct endpoint *ep;
	uint8_t packet[1600];
	size_t len;
	uint32_t used, stride;		/* of the entries, every stride-th is looked up */
	uint32_t seed;
};

static void must(enum ns_err err, const char *what)
{
	if (err) {
		fprintf(stderr, "%s: %s\n", what, ns_err_str(err));
		exit(1);
	}
}

static void rig_init(struct rig *r)
{
	struct stack_config c = netstack_config();
	struct channel_config cc = { .depth = 1024, .mtu = 1500 };
	struct addr_prefix ap = { addr_v4(10, 0, 0, 1), 24 };
	struct route_row row = { .nic = 1 };

	memset(r, 0, sizeof(*r));
	clock_init(&r->clock, 0, 0);
	c.clock = &r->clock;
	must(stack_new(&c, &r->stack), "stack");
	r->link = channel_new(&cc);
	must(nic_create(r->stack, 1, NULL, r->link, &r->nic), "nic");
	must(nic_add_addr(r->nic, &ap, ADDR_MANUAL, NULL), "address");
	row.destination = subnet_of(&ap);
	must(route_add(r->stack, &row), "route");
	clock_run(&r->clock);
}

static void rig_packet(struct rig *r, size_t payload)
{
	struct ipv4_hdr ip = {
		.hdr_len = 20, .ttl = 64, .proto = IP_PROTO_UDP,
		.total_len = (uint16_t)(28 + payload), .src = addr_v4(10, 0, 0, 2),
		.dst = addr_v4(10, 0, 0, 1),
	};
	struct udp_hdr udp = { 5000, 7, (uint16_t)(8 + payload), 0 };
	uint16_t sum;

	ipv4_emit(&ip, r->packet);
	udp_emit(&udp, r->packet + 20);
	memset(r->packet + 28, 0x5a, payload);
	sum = cksum_add(cksum_pseudo(&ip.src, &ip.dst, IP_PROTO_UDP, udp.len), r->packet + 20,
			udp.len);
	sum = (uint16_t)~sum;
	memcpy(r->packet + 20 + UDP_CKSUM_OFF, &sum, 2);
	r->len = 28 + payload;
}

/* One packet in, read by the application, written back, out. */
static double echo_round(void *ctx)
{
	struct rig *r = ctx;
	char buf[2048];
	double start = now_ns();

	for (int i = 0; i < PACKETS; i++) {
		struct iovec iov = { buf, sizeof(buf) };
		struct read_msg m = { .iov = &iov, .iovcnt = 1 };
		struct write_opts o = { .to = &m.from };
		size_t n;
		struct pkt *p;

		channel_inject(r->link, pkt_from_bytes(r->stack->pool, r->packet, r->len));
		must(endpoint_read(r->ep, &m), "read");
		iov.iov_len = m.n;
		must(endpoint_write(r->ep, &iov, 1, &o, &n), "write");
		p = channel_read(r->link);
		if (!p || p->len != r->len) {
			fprintf(stderr, "no echo\n");
			exit(1);
		}
		pkt_free(p);
	}
	return (now_ns() - start) / PACKETS;
}

static void bench_echo(size_t payload)
{
	struct full_addr local = { .port = 7 };
	struct rig r;

	rig_init(&r);
	rig_packet(&r, payload);
	must(endpoint_new(r.stack, NET_IPV4, IP_PROTO_UDP, &r.ep), "endpoint");
	local.addr = addr_v4(10, 0, 0, 1);
	must(endpoint_bind(r.ep, &local), "bind");
	printf("channel-to-channel UDP echo, %zu bytes: %.0f ns\n", payload,
	       median(echo_round, &r));
	stack_free(r.stack);
}

static struct addr nth(uint32_t i)
{
	return addr_v4(20, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i);
}

/* The next target, out of those in use, in turn or at random. */
static struct addr next_target(struct rig *r)
{
	if (r->used == FEW)
		return nth(r->seed++ % FEW * r->stride);
	r->seed = r->seed * 1664525 + 1013904223;
	return nth((uint32_t)((uint64_t)r->seed * r->used >> 32) * r->stride);
}

static double route_round(void *ctx)
{
	struct rig *r = ctx;
	double start = now_ns();

	for (int i = 0; i < PROBES; i++) {
		struct route_key k = { .remote = next_target(r) };
		struct route out;

		must(route_find(r->stack, &k, &out), "route_find");
		route_release(&out);
	}
	return (now_ns() - start) / PROBES;
}

static double neigh_round(void *ctx)
{
	struct rig *r = ctx;
	double start = now_ns();

	for (int i = 0; i < PROBES; i++) {
		struct addr a = next_target(r);

		if (!neigh_find(&r->nic->neigh[NET_IPV4], &a))
			exit(1);
	}
	return (now_ns() - start) / PROBES;
}

static double demux_round(void *ctx)
{
	struct rig *r = ctx;
	double start = now_ns();

	for (int i = 0; i < PROBES; i++) {
		struct demux_key k = { addr_v4(10, 0, 0, 1), next_target(r), 7, 9, 1,
				       NET_IPV4, IP_PROTO_UDP };

		if (!demux_find(r->stack, &k))
			exit(1);
	}
	return (now_ns() - start) / PROBES;
}

static void fill(struct rig *r, size_t n)
{
	static struct endpoint dummy;
	static struct demux_node *nodes;
	struct link_addr mac = { { 2, 0, 0, 0, 0, 1 }, 6 };

	r->nic->neigh[NET_IPV4].config.max_entries = MANY + 1;
	nodes = calloc(n, sizeof(*nodes));
	for (size_t i = 0; i < n; i++) {
		struct route_row row = { .nic = 1 };
		struct addr_prefix ap = { nth((uint32_t)i), 32 };

		row.destination = subnet_of(&ap);
		must(route_add(r->stack, &row), "route_add");
		neigh_probe(&r->nic->neigh[NET_IPV4], &ap.addr, &mac);
		nodes[i] = (struct demux_node){ .ep = &dummy, .local = addr_v4(10, 0, 0, 1),
			.remote = ap.addr, .lport = 7, .rport = 9, .net = NET_IPV4,
			.proto = IP_PROTO_UDP };
		must(demux_add(r->stack, &nodes[i]), "demux_add");
	}
}

/* What a load costs that the caches have not got: each says where the next is. */
static double miss_round(void *ctx)
{
	enum { LOADS = 1 << 20 };
	const uint32_t *mem = ctx;
	uint32_t at = 1, sum = 0;
	double start = now_ns();

	for (int i = 0; i < LOADS; i++) {
		at = (at * 1664525 + 1013904223 + sum) & (MISS_WORDS - 1);
		sum += mem[at];
	}
	return (now_ns() - start + (sum ? 1 : 0)) / LOADS;
}

/*
 * With a hundred thousand entries the same few are looked up first, so that what is compared is the table and
 * not the caches; then all of them at random, which cannot cost less than waiting for the memory of
 * one entry, and should not cost much more.
 */
static int bench_lookups(void)
{
	static const struct {
		const char *name;
		double (*round)(void *);
	} lookups[] = {
		{ "route", route_round }, { "neighbour", neigh_round }, { "demux", demux_round },
	};
	uint32_t *mem = calloc(MISS_WORDS, sizeof(*mem));
	struct rig few, many;
	double miss;
	int bad = 0;

	/* Written to, as pages that were not are all the same one. */
	for (size_t i = 0; i < MISS_WORDS; i += 1024)
		((volatile uint32_t *)mem)[i] = 0;
	miss = median(miss_round, mem);
	rig_init(&few);
	rig_init(&many);
	fill(&few, FEW);
	fill(&many, MANY);
	free(mem);
	few.used = FEW;
	few.stride = 1;
	printf("a load from far memory: %.1f ns\n", miss);
	for (size_t i = 0; i < 3; i++) {
		double f = median(lookups[i].round, &few), m, all;

		many.used = FEW;
		many.stride = MANY / FEW;
		m = median(lookups[i].round, &many);
		many.used = MANY;
		many.stride = 1;
		all = median(lookups[i].round, &many);
		printf("%s look-up: %.1f ns with %d entries, %.1f ns with %d (ratio %.2f), "
		       "%.1f ns at random among these\n",
		       lookups[i].name, f, FEW, m, MANY, m / f, all);
		bad |= m / f > 1.5 || all > 1.5 * f + miss;
	}
	return bad;
}

int main(void)
{
	bench_echo(64);
	bench_echo(1400);
	return bench_lookups();
}
