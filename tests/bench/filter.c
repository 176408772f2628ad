/*
 * What rules cost a packet that is forwarded from channel to channel: none, a few, many, tracking,
 * translation; and that tracking costs the same with ten connections and with a hundred thousand.
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

enum { ROUNDS = 7, PACKETS = 200000, FEW = 10, MANY = 100000 };

struct rig {
	struct clock clock;
	struct stack *stack;
	struct link *link[2];
	uint8_t packet[128];
	size_t len;
};

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

static void must(enum ns_err err, const char *what)
{
	if (!err)
		return;
	fprintf(stderr, "%s: %s\n", what, ns_err_str(err));
	exit(1);
}

static void rig_init(struct rig *r)
{
	struct stack_config c = netstack_config();
	struct channel_config cc = { .depth = 1024, .mtu = 1500 };

	memset(r, 0, sizeof(*r));
	clock_init(&r->clock, 0, 0);
	c.clock = &r->clock;
	must(stack_new(&c, &r->stack), "stack");
	for (uint32_t i = 0; i < 2; i++) {
		struct addr_prefix ap = { addr_v4(10, 0, (uint8_t)i, 1), 24 };
		struct route_row row = { .nic = i + 1, .destination = subnet_of(&ap) };
		struct nic *nic;

		r->link[i] = channel_new(&cc);
		must(nic_create(r->stack, i + 1, NULL, r->link[i], &nic), "nic");
		must(nic_add_addr(nic, &ap, ADDR_MANUAL, NULL), "address");
		must(route_add(r->stack, &row), "route");
		nic_set_forwarding(nic, NET_IPV4, true);
	}
	clock_run(&r->clock);
	for (int i = 0; i < 2; i++)
		while (channel_count(r->link[i]))
			pkt_free(channel_read(r->link[i]));
}

static void rig_packet(struct rig *r, uint16_t sport, uint16_t dport)
{
	struct ipv4_hdr ip = {
		.hdr_len = 20, .ttl = 64, .proto = IP_PROTO_UDP, .total_len = 92,
		.src = addr_v4(10, 0, 0, 2), .dst = addr_v4(10, 0, 1, 2),
	};
	struct udp_hdr udp = { sport, dport, 72, 0 };
	uint16_t sum;

	ipv4_emit(&ip, r->packet);
	udp_emit(&udp, r->packet + 20);
	sum = (uint16_t)~cksum_add(cksum_pseudo(&ip.src, &ip.dst, IP_PROTO_UDP, 72), r->packet + 20, 72);
	memcpy(r->packet + 20 + UDP_CKSUM_OFF, &sum, 2);
	r->len = 92;
}

static void forward(struct rig *r)
{
	struct pkt *p;

	channel_inject(r->link[0], pkt_from_bytes(r->stack->pool, r->packet, r->len));
	p = channel_read(r->link[1]);
	if (!p) {
		fprintf(stderr, "nothing was forwarded\n");
		exit(1);
	}
	pkt_free(p);
}

static void measure(struct rig *r, const char *what)
{
	double v[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		double start = now_ns();

		for (int k = 0; k < PACKETS; k++)
			forward(r);
		v[i] = (now_ns() - start) / PACKETS;
	}
	qsort(v, ROUNDS, sizeof(v[0]), by_value);
	printf("forwarding, %s: %.0f ns\n", what, v[ROUNDS / 2]);
}

/* @n rules that do not match, of the tables in @text behind. */
static void load(struct rig *r, int n, const char *behind)
{
	char *text = malloc((size_t)n * 80 + strlen(behind) + 100);
	size_t at = (size_t)sprintf(text, "*filter\n");
	struct filter_error e;

	for (int i = 0; i < n; i++)
		at += (size_t)sprintf(text + at, "-A FORWARD -s 10.9.%d.0/24 -p udp --dport %d -j DROP\n",
				      i % 256, i + 1);
	sprintf(text + at, "COMMIT\n%s", behind);
	must(filter_load(r->stack, NET_IPV4, text, strlen(text), 0, &e), e.text);
	free(text);
}

int main(void)
{
	struct rig r;

	rig_init(&r);
	rig_packet(&r, 1000, 53);
	measure(&r, "no rules");
	load(&r, 1, "");
	measure(&r, "1 rule");
	load(&r, 100, "");
	measure(&r, "100 rules");
	load(&r, 1, "*mangle\n-A FORWARD -m state --state INVALID -j DROP\nCOMMIT\n");
	measure(&r, "1 rule and tracking");
	load(&r, 1, "*nat\n-A POSTROUTING -j MASQUERADE\nCOMMIT\n");
	filter_conn_flush(r.stack);
	measure(&r, "1 rule and masquerading");
	must(filter_conn_set_limit(r.stack, MANY + FEW), "limit");
	for (int i = 0; i < MANY; i++) {
		rig_packet(&r, (uint16_t)(2000 + i % 50000), (uint16_t)(60 + i / 50000));
		forward(&r);
	}
	measure(&r, "the same among 100000 connections");
	stack_free(r.stack);
	return 0;
}
