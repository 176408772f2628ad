/*
 * Simulated networks: stacks on Ethernet segments, virtual time, everything from one seed.
 *
 *	struct sim *sim = sim_new(7);
 *	struct sim_segment *lan = sim_segment(sim);
 *	struct sim_host *a = sim_host(sim, "a"), *b = sim_host(sim, "b");
 *	sim_attach(a, lan, "10.0.0.1/24", NULL);
 *	sim_attach(b, lan, "10.0.0.2/24", NULL);
 *	... endpoints on a->stack and b->stack ...
 *	sim_run(sim, 5 * NS_PER_SEC);
 *	sim_free(sim);
 */
#ifndef TESTS_SIM_NET_H
#define TESTS_SIM_NET_H

#include <stdio.h>

#include "link/impair.h"
#include "netstack.h"

enum { SIM_MAX_NICS = 4 };

struct sim_host;

/** struct sim - one clock, one pool, one capture */
struct sim {
	struct clock clock;
	struct pkt_pool *pool;
	uint64_t seed;
	struct list hosts, segments;
	FILE *capture;
	uint32_t next_mac;
	uint64_t frames;
	void (*tap)(void *ctx, const uint8_t *frame, size_t len);	/* sees every frame, or NULL */
	void *tap_ctx;
	/* sees what each host sends, before anything is impaired, and receives; or NULL */
	void (*watch)(void *ctx, struct sim_host *h, bool sent, const uint8_t *frame, size_t len);
	void *watch_ctx;
};

/** struct sim_segment - an Ethernet everybody on it hears */
struct sim_segment {
	struct list list;
	struct sim *sim;
	struct list ports;
};

struct sim_port {
	struct list list;		/* of the segment */
	struct sim_segment *segment;
	struct link *channel, *impair;
	struct nic *nic;
	struct link_addr mac;
};

struct sim_host {
	struct list list;
	struct sim *sim;
	const char *name;
	struct stack *stack;
	struct sim_port *ports[SIM_MAX_NICS];
	int nports;
};

struct sim *sim_new(uint64_t seed);
void sim_free(struct sim *sim);

/** sim_capture() - write all frames to a pcapng file from now on */
bool sim_capture(struct sim *sim, const char *path);

struct sim_segment *sim_segment(struct sim *sim);
struct sim_host *sim_host(struct sim *sim, const char *name);

/** struct sim_link - how a host hangs on a segment; zeros are defaults */
struct sim_link {
	uint32_t mtu;			/* 1500 */
	bool offload;			/* the device takes super-segments */
	struct impair_dir out, in;
};

/** sim_attach() - one more NIC, id from 1 on, with address and the row for its subnet; returns it */
struct nic *sim_attach(struct sim_host *h, struct sim_segment *s, const char *addr,
		       const struct sim_link *l);

/** sim_addr() - one more address for a NIC, and the row for its subnet */
void sim_addr(struct nic *nic, const char *addr);

/** sim_route() - "10.1.0.0/16" or "::/0" via @gateway on the NIC with id @nic */
void sim_route(struct sim_host *h, const char *dest, const char *gateway, uint32_t nic);

/** sim_run() - let @ns of virtual time pass */
void sim_run(struct sim *sim, int64_t ns);

/** sim_settle() - do what is to be done now, without time passing */
void sim_settle(struct sim *sim);

/** sim_udp() - an endpoint bound to @addr (or "" for any) and @port */
struct endpoint *sim_udp(struct sim_host *h, const char *addr, uint16_t port);

/** sim_send() - write to an address; sim_recv() - read, -1 with the error in *@err if given */
enum ns_err sim_send(struct endpoint *ep, const char *addr, uint16_t port, const void *data,
		     size_t len);
ssize_t sim_recv(struct endpoint *ep, void *buf, size_t len, struct full_addr *from,
		 enum ns_err *err);

struct addr sim_parse(const char *s);

#endif
