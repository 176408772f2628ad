/* Translation of addresses and ports. See nat.h. */
#include "filter/nat.h"

#include "base/byteorder.h"
#include "filter/rewrite.h"

enum { MAPPINGS_MAX = 8 };			/* of a source, how many are looked at */
enum { ATTEMPTS_MAX = 128, ATTEMPTS_MIN = 16 };	/* of ports, as Netfilter tries them */

static struct tracker *tracker_of(const struct filter_pkt *k)
{
	return k->conn->tracker;
}

/* PREROUTING and OUTPUT are about destinations, INPUT and POSTROUTING about sources. */
static bool about_dst(const struct filter_pkt *k)
{
	return k->at == HOOK_PREROUTING || k->at == HOOK_OUTPUT;
}

/* Whether a connection whose packets leave as @x, translated, would be confused with another one. */
static bool is_used(const struct filter_pkt *k, const struct tuple *x)
{
	struct tuple answer;

	tuple_invert(x, &answer);
	return conn_tuple_taken(tracker_of(k), &answer, k->conn);
}

static unsigned __int128 addr_value(const struct addr *a)
{
	unsigned __int128 v = 0;

	for (int i = 0; i < a->len; i++)
		v = v << 8 | a->b[i];
	return v;
}

static void addr_add(struct addr *a, uint64_t n)
{
	unsigned __int128 v = addr_value(a) + n;

	for (int i = a->len; i-- > 0; v >>= 8)
		a->b[i] = (uint8_t)v;
}

/* An address of the range: the same for the same two hosts, or for one, as long as the range is. */
static struct addr pick_addr(const struct filter_pkt *k, const struct nat_range *r,
			     const struct tuple *x)
{
	static const struct addr none;
	const struct stack *s = k->stack;
	unsigned __int128 span = addr_value(&r->max) - addr_value(&r->min);
	uint64_t h = hash_addr(&s->secret, &x->src,
			       hash_addr(&s->key, r->persistent ? &none : &x->dst, x->net));
	struct addr a = r->min;

	if (!span)
		return a;
	addr_add(&a, span >= UINT64_MAX ? h : h % ((uint64_t)span + 1));
	return a;
}

/** struct port_place - the port to be changed, and what it may become */
struct port_place {
	uint16_t *port;
	uint16_t first, last;
};

static bool in_place(const struct port_place *p)
{
	return *p->port >= p->first && *p->port <= p->last;
}

/* Netfilter's classes: a privileged port becomes a privileged one. */
static void default_ports(struct port_place *p, uint8_t proto)
{
	if (proto == IP_PROTO_ICMP || proto == IP_PROTO_ICMPV6) {
		p->first = 0;
		p->last = 65535;
	} else if (*p->port < 512) {
		p->first = 1;
		p->last = 511;
	} else if (*p->port < 1024) {
		p->first = 600;
		p->last = 1023;
	} else {
		p->first = 1024;
		p->last = 65535;
	}
}

/* RFC 6056, algorithm 3: from an offset nobody outside can tell, for this source and peer, onwards. */
static uint32_t start_offset(struct filter_pkt *k, const struct nat_range *r, const struct tuple *x)
{
	struct tracker *t = tracker_of(k);
	uint8_t key[37];

	if (r->random)
		return rand_u32(&k->stack->rand);
	memcpy(key, x->src.b, 16);
	memcpy(key + 16, x->dst.b, 16);
	be16_store(key + 32, x->dport);
	be16_store(key + 34, x->sport);
	key[36] = x->proto;
	return (uint32_t)siphash(&k->stack->secret, key, sizeof(key)) + t->nat_counter++;
}

/* Tries ports; halves the tries and jumps somewhere else when a stretch is taken. */
static bool search_port(struct filter_pkt *k, const struct nat_range *r, struct tuple *x,
			struct port_place *p)
{
	uint32_t size = (uint32_t)p->last - p->first + 1, off, n;

	if (r->has_base)
		off = (uint32_t)(*p->port - r->base);
	else
		off = start_offset(k, r, x);
	n = size < ATTEMPTS_MAX ? size : ATTEMPTS_MAX;
	for (;;) {
		for (uint32_t i = 0; i < n; i++, off++) {
			*p->port = (uint16_t)(p->first + off % size);
			if (!is_used(k, x))
				return true;
		}
		if (n >= size || n < ATTEMPTS_MIN)
			return false;
		n /= 2;
		off = rand_u32(&k->stack->rand);
	}
}

static bool has_ports(uint8_t proto)
{
	return proto == IP_PROTO_TCP || proto == IP_PROTO_UDP || proto == IP_PROTO_ICMP ||
	       proto == IP_PROTO_ICMPV6;
}

/* Whether the source may stay as it is. */
static bool in_range(const struct nat_range *r, const struct tuple *x)
{
	if (r->min.len && (memcmp(x->src.b, r->min.b, r->min.len) < 0 ||
			   memcmp(x->src.b, r->max.b, r->max.len) > 0))
		return false;
	return !r->has_ports || (x->sport >= r->port[0] && x->sport <= r->port[1]);
}

/* The source as it is, or as another of its connections has it already, if that will do. */
static bool keep_source(struct filter_pkt *k, const struct nat_range *r, struct tuple *x)
{
	struct conn *c = NULL;
	struct tuple mapped;

	if (in_range(r, x))
		return !is_used(k, x);
	for (int i = 0; i < MAPPINGS_MAX; i++) {
		c = conn_find_source(tracker_of(k), &k->conn->way[0].tuple, c);
		if (!c)
			return false;
		tuple_invert(&c->way[1].tuple, &mapped);
		mapped.dst = x->dst;
		mapped.dport = x->dport;
		if (!in_range(r, &mapped))
			continue;
		if (is_used(k, &mapped))
			return false;
		*x = mapped;
		return true;
	}
	return false;
}

/* Makes @x, which packets have now, what they shall have; false if all that is allowed is taken. A
 * destination may be taken: the source, which is settled later, then gets another port. */
static bool choose(struct filter_pkt *k, const struct nat_range *r, bool dst, struct tuple *x)
{
	bool icmp = x->proto == IP_PROTO_ICMP || x->proto == IP_PROTO_ICMPV6;
	struct port_place p = { dst && !icmp ? &x->dport : &x->sport, r->port[0], r->port[1] };
	struct addr *addr = dst ? &x->dst : &x->src;

	if (!dst && !r->random && keep_source(k, r, x))
		return true;
	if (r->min.len)
		*addr = pick_addr(k, r, x);
	if (!has_ports(x->proto))
		return !is_used(k, x);
	if (!r->has_ports) {
		if (!r->random && !is_used(k, x))
			return true;
		if (dst && !icmp)
			return !is_used(k, x);
		default_ports(&p, x->proto);
	} else if (!r->random && !r->has_base && in_place(&p) &&
		   (p.first == p.last || !is_used(k, x))) {
		return !is_used(k, x);
	}
	return search_port(k, r, x, &p);
}

bool nat_setup(struct filter_pkt *k, const struct nat_range *r, bool dst)
{
	struct conn *c = k->conn;
	struct tuple now, then;

	tuple_invert(&c->way[1].tuple, &now);
	then = now;
	if (!choose(k, r, dst, &then) && !dst)
		return false;
	if (!tuple_equal(&now, &then)) {
		tuple_invert(&then, &c->way[1].tuple);
		c->status |= dst ? FILTER_CONN_DNAT : FILTER_CONN_SNAT;
	}
	c->status |= dst ? CONN_DNAT_DONE : CONN_SNAT_DONE;
	return true;
}

bool nat_settled(const struct filter_pkt *k)
{
	return k->conn->status & (about_dst(k) ? CONN_DNAT_DONE : CONN_SNAT_DONE);
}

bool nat_settle_none(struct filter_pkt *k)
{
	static const struct nat_range as_it_is;

	return nat_setup(k, &as_it_is, about_dst(k));
}

/* A masqueraded connection ends when it would leave by another NIC, or without its address. */
static bool masquerade_holds(struct filter_pkt *k)
{
	struct conn *c = k->conn;

	if (!c->masq_nic || k->reply || k->at != HOOK_POSTROUTING || !k->out)
		return true;
	if (k->out->id == c->masq_nic && nic_find_addr(k->out, &c->way[1].tuple.dst))
		return true;
	conn_expire(c);
	return false;
}

bool nat_packet(struct filter_pkt *k)
{
	struct conn *c = k->conn;
	const struct tuple *other = &c->way[!k->reply].tuple;
	bool dst = about_dst(k);
	/* What was done to one end going out is undone on the other end coming back. */
	uint32_t bit = dst != k->reply ? FILTER_CONN_DNAT : FILTER_CONN_SNAT;
	struct tuple target;

	if (!masquerade_holds(k))
		return false;
	if (!(c->status & bit))
		return true;
	tuple_invert(other, &target);
	if (k->state == CONN_RELATED && conn_is_error(k)) {
		/* The quoted packet went the other way: its source is where the error goes. */
		return rewrite_error(k, dst, dst ? &target.dst : &target.src,
				     dst ? &other->src : &other->dst,
				     dst || other->proto == IP_PROTO_ICMP ||
				     other->proto == IP_PROTO_ICMPV6 ? other->sport : other->dport);
	}
	if (target.proto == IP_PROTO_ICMP || target.proto == IP_PROTO_ICMPV6)
		target.dport = target.sport;
	return rewrite_end(k, dst, dst ? &target.dst : &target.src,
			   dst ? target.dport : target.sport);
}
