/*
 * An Ethernet switch between links.
 *
 * The table of stations has a fixed size, in buckets of four: a new station takes a free place, else that of
 * the one not heard of for longest. So whoever invents addresses makes the switch flood, and no more. Where a
 * bucket is, is hashed with a secret.
 */
#include "link/lan_switch.h"

#include <stdlib.h>

#include "base/hash.h"
#include "header/eth.h"

enum { WAYS = 4, BUCKETS = LAN_SWITCH_STATIONS / WAYS };

struct station {
	struct lan_port *port;		/* NULL: free */
	struct link_addr mac;
	int64_t seen_ns;
};

struct lan_port {
	struct list node;
	struct lan_switch *owner;
	struct link *impair;		/* around its link */
	struct link_sink sink;
	struct link_addr mac;		/* that belongs to it; length 0: none */
	struct lan_port_stats stats;
};

struct lan_switch {
	struct lan_switch_config config;
	struct hash_key key;
	uint64_t next_seed;
	struct list ports;
	struct station stations[BUCKETS][WAYS];
};

static struct station *bucket_of(struct lan_switch *s, const struct link_addr *mac)
{
	return s->stations[siphash(&s->key, mac->b, LINK_ADDR_LEN) % BUCKETS];
}

static bool expired(const struct lan_switch *s, const struct station *st)
{
	return s->config.clock->now_ns - st->seen_ns > LAN_SWITCH_AGE_S * NS_PER_SEC;
}

static struct lan_port *find(struct lan_switch *s, const struct link_addr *mac)
{
	struct station *b = bucket_of(s, mac);

	list_for_each(n, &s->ports) {
		struct lan_port *p = container_of(n, struct lan_port, node);

		if (link_addr_equal(&p->mac, mac))
			return p;
	}
	for (int i = 0; i < WAYS; i++)
		if (b[i].port && link_addr_equal(&b[i].mac, mac) && !expired(s, &b[i]))
			return b[i].port;
	return NULL;
}

static void learn(struct lan_switch *s, struct lan_port *port, const struct link_addr *mac)
{
	struct station *b = bucket_of(s, mac), *place = &b[0];

	for (int i = 0; i < WAYS; i++) {
		if (b[i].port && link_addr_equal(&b[i].mac, mac)) {
			place = &b[i];
			break;
		}
		if (!b[i].port)
			place = &b[i];
		else if (place->port && b[i].seen_ns < place->seen_ns)
			place = &b[i];
	}
	*place = (struct station){ port, *mac, s->config.clock->now_ns };
}

void lan_port_send(struct lan_port *port, struct pkt *pkt)
{
	link_write(port->impair, pkt);	/* the impairment counts what becomes of it */
}

static void flood(struct lan_switch *s, const struct lan_port *from, struct pkt *pkt)
{
	list_for_each(n, &s->ports) {
		struct lan_port *p = container_of(n, struct lan_port, node);
		struct pkt *copy = p == from ? NULL : pkt_clone(pkt);

		if (copy)
			lan_port_send(p, copy);
	}
	pkt_free(pkt);
}

void lan_switch_send(struct lan_switch *s, struct pkt *pkt)
{
	flood(s, NULL, pkt);
}

/* Whether the sender may be who he says, and is no other port's. */
static bool sender_ok(struct lan_port *port, const struct link_addr *src)
{
	if (!link_addr_is_unicast(src)) {
		port->stats.refused++;
		return false;
	}
	list_for_each(n, &port->owner->ports) {
		struct lan_port *p = container_of(n, struct lan_port, node);

		if (p != port && link_addr_equal(&p->mac, src)) {
			port->stats.forged++;
			return false;
		}
	}
	return true;
}

static void port_rx(struct link_sink *sink, struct pkt *pkt)
{
	struct lan_port *port = container_of(sink, struct lan_port, sink), *to;
	struct lan_switch *s = port->owner;
	struct link_addr dst, src;

	if (!pkt_pullup(pkt, ETH_HDR_LEN)) {
		port->stats.refused++;
		pkt_free(pkt);
		return;
	}
	dst = link_addr_from_bytes(pkt_data(pkt));
	src = link_addr_from_bytes(pkt_data(pkt) + LINK_ADDR_LEN);
	if (!sender_ok(port, &src)) {
		pkt_free(pkt);
		return;
	}
	port->stats.sent++;
	if (!link_addr_equal(&src, &port->mac))
		learn(s, port, &src);
	if (s->config.rx)
		s->config.rx(s->config.ctx, port, pkt);
	to = dst.b[0] & 1 ? NULL : find(s, &dst);
	if (!to)
		flood(s, port, pkt);
	else if (to != port)
		lan_port_send(to, pkt);
	else
		pkt_free(pkt);
}

struct lan_switch *lan_switch_new(const struct lan_switch_config *c)
{
	struct lan_switch *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->config = *c;
	s->key = (struct hash_key){ { c->seed, ~c->seed } };
	s->next_seed = c->seed;
	list_init(&s->ports);
	return s;
}

void lan_switch_free(struct lan_switch *s)
{
	if (!s)
		return;
	while (!list_empty(&s->ports))
		lan_switch_remove(container_of(s->ports.next, struct lan_port, node));
	free(s);
}

struct lan_port *lan_switch_add(struct lan_switch *s, struct link *link, const struct link_addr *mac)
{
	/* Seen from the switch, which it is around, what the station sends comes in. */
	struct impair_config ic = { .clock = s->config.clock, .seed = s->next_seed++ };
	struct lan_port *p = calloc(1, sizeof(*p));

	if (!p) {
		link_close(link);
		return NULL;
	}
	p->owner = s;
	p->impair = impair_new(link, &ic);
	if (!p->impair) {
		free(p);
		return NULL;
	}
	if (mac)
		p->mac = *mac;
	p->sink.rx = port_rx;
	link_attach(p->impair, &p->sink);
	list_push_back(&s->ports, &p->node);
	return p;
}

void lan_switch_remove(struct lan_port *port)
{
	struct lan_switch *s = port->owner;

	for (int b = 0; b < BUCKETS; b++)
		for (int i = 0; i < WAYS; i++)
			if (s->stations[b][i].port == port)
				s->stations[b][i].port = NULL;
	list_remove(&port->node);
	link_close(port->impair);
	free(port);
}

void lan_port_impair(struct lan_port *port, const struct impair_dir *out, const struct impair_dir *in)
{
	impair_set(port->impair, in, out);
}

struct lan_port_stats lan_port_get_stats(const struct lan_port *port)
{
	struct impair_stats out = impair_get_stats(port->impair, true), in = impair_get_stats(port->impair, false);
	struct lan_port_stats s = port->stats;

	s.received = out.passed;
	s.full = out.overflowed + in.overflowed;
	s.lost = out.lost + in.lost;
	return s;
}

size_t lan_switch_stations(const struct lan_switch *s)
{
	size_t n = 0;

	for (int b = 0; b < BUCKETS; b++)
		for (int i = 0; i < WAYS; i++)
			n += s->stations[b][i].port && !expired(s, &s->stations[b][i]);
	return n;
}
