/* Connection tracking: the table, and what becomes of a packet in it. See conn.h. */
#include "filter/conn.h"

#include <stdlib.h>

#include "base/cksum.h"
#include "header/icmp.h"

#define UDP_TIMEOUT_NS (30 * NS_PER_SEC)
#define UDP_STREAM_TIMEOUT_NS (120 * NS_PER_SEC)
#define UDP_STREAM_AFTER_NS (2 * NS_PER_SEC)
#define ICMP_TIMEOUT_NS (30 * NS_PER_SEC)
#define GENERIC_TIMEOUT_NS (600 * NS_PER_SEC)

enum { INFO_STATE = 7, INFO_REPLY = 8 };	/* struct pkt's flow_info */

static struct conn *conn_of_way(struct conn_way *w)
{
	return container_of(w - w->reply, struct conn, way[0]);
}

static uint64_t id_hash(const struct tracker *t, uint32_t id)
{
	return hash_mix(id ^ t->stack->key.k[0], t->stack->key.k[1] | 1);
}

static void conn_free(struct conn *c)
{
	struct tracker *t = c->tracker;

	if (c->status & FILTER_CONN_CONFIRMED) {
		for (int i = 0; i < 2; i++)
			htab_remove(&t->table, &c->way[i].node);
		htab_remove(&t->ids, &c->by_id);
	}
	if (c->in_sources)
		htab_remove(&t->sources, &c->by_source);
	for (int i = 0; i < CONN_PENDING_MAX; i++)
		if (t->pending[i] == c)
			t->pending[i] = NULL;
	if (t->last == c)
		t->last = NULL;
	list_remove(&c->all);
	list_remove(&c->unassured);
	timer_fini(t->stack->clock, &c->timer);
	t->count--;
	free(c);
}

static void conn_timeout(struct timer *timer)
{
	conn_free(container_of(timer, struct conn, timer));
}

static void forget_pending(struct tracker *t)
{
	for (int i = 0; i < CONN_PENDING_MAX; i++)
		if (t->pending[i])
			conn_free(t->pending[i]);
}

static void purge_run(struct task *task)
{
	forget_pending(container_of(task, struct tracker, purge));
}

struct tracker *tracker_new(struct stack *s)
{
	struct tracker *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->stack = s;
	t->limit = CONN_LIMIT;
	t->next_id = rand_u32(&s->rand);	/* packets may still have numbers of a table before this one */
	htab_init(&t->table);
	htab_init(&t->ids);
	htab_init(&t->sources);
	list_init(&t->all);
	list_init(&t->unassured);
	task_init(&t->purge, purge_run);
	return t;
}

void tracker_flush(struct tracker *t)
{
	forget_pending(t);
	while (!list_empty(&t->all))
		conn_free(container_of(t->all.next, struct conn, all));
}

void tracker_free(struct tracker *t)
{
	if (!t)
		return;
	tracker_flush(t);
	task_cancel(&t->purge);
	htab_fini(&t->table);
	htab_fini(&t->ids);
	htab_fini(&t->sources);
	free(t);
}

static struct conn_way *find_way(struct tracker *t, const struct tuple *x)
{
	htab_for_each_match(n, &t->table, tuple_hash(t->stack, x)) {
		struct conn_way *w = container_of(n, struct conn_way, node);

		if (tuple_equal(&w->tuple, x))
			return w;
	}
	return NULL;
}

bool conn_tuple_taken(struct tracker *t, const struct tuple *x, const struct conn *but)
{
	htab_for_each_match(n, &t->table, tuple_hash(t->stack, x)) {
		struct conn_way *w = container_of(n, struct conn_way, node);

		if (conn_of_way(w) != but && tuple_equal(&w->tuple, x))
			return true;
	}
	return false;
}

static uint64_t source_hash(const struct tracker *t, const struct tuple *x)
{
	return hash_addr(&t->stack->secret, &x->src,
			 (uint64_t)x->sport | (uint64_t)x->proto << 16 | (uint64_t)x->net << 24);
}

struct conn *conn_find_source(struct tracker *t, const struct tuple *x, struct conn *after)
{
	struct htab_node *n = after ? after->by_source.next
				    : htab_find(&t->sources, source_hash(t, x));

	for (; n; n = n->next) {
		struct conn *c = container_of(n, struct conn, by_source);
		const struct tuple *y = &c->way[0].tuple;

		if (y->sport == x->sport && y->proto == x->proto && addr_equal(&y->src, &x->src))
			return c;
	}
	return NULL;
}

static struct conn *find_id(struct tracker *t, uint32_t id)
{
	if (t->last && t->last->id == id)
		return t->last;
	for (int i = 0; i < CONN_PENDING_MAX; i++)
		if (t->pending[i] && t->pending[i]->id == id)
			return t->pending[i];
	htab_for_each_match(n, &t->ids, id_hash(t, id)) {
		struct conn *c = container_of(n, struct conn, by_id);

		if (c->id == id)
			return c;
	}
	return NULL;
}

void conn_note(struct filter_pkt *k)
{
	k->pkt->flow = k->conn ? k->conn->id : 0;
	k->pkt->flow_info = (uint8_t)(k->state | (k->reply ? INFO_REPLY : 0));
}

void conn_attach(struct tracker *t, struct filter_pkt *k)
{
	k->state = k->pkt->flow_info & INFO_STATE;
	k->reply = k->pkt->flow_info & INFO_REPLY;
	k->conn = k->pkt->flow ? find_id(t, k->pkt->flow) : NULL;
	if (!k->conn && k->state != CONN_UNTRACKED && k->state != CONN_NONE)
		k->state = CONN_INVALID;
}

void conn_expire(struct conn *c)
{
	c->timeout_ns = 0;
	if (c->status & FILTER_CONN_CONFIRMED)
		timer_arm_in(c->tracker->stack->clock, &c->timer, 0);
}

void conn_set_assured(struct conn *c)
{
	c->status |= FILTER_CONN_ASSURED;
	list_remove(&c->unassured);
}

static void set_pending(struct tracker *t, struct conn *c)
{
	uint32_t slot = 0;

	for (uint32_t i = 0; i < CONN_PENDING_MAX; i++) {
		if (!t->pending[i]) {
			slot = i;
			break;
		}
		/* All in use: the oldest one's packet is gone, or its caller very deep. */
		if ((int32_t)(t->pending[i]->id - t->pending[slot]->id) < 0)
			slot = i;
	}
	if (t->pending[slot])
		conn_free(t->pending[slot]);
	t->pending[slot] = c;
	clock_defer(t->stack->clock, &t->purge);
}

static bool make_room(struct tracker *t)
{
	if (t->count < t->limit)
		return true;
	if (list_empty(&t->unassured)) {
		t->drop++;
		return false;
	}
	t->early_drop++;
	conn_free(container_of(t->unassured.next, struct conn, unassured));
	return true;
}

/* Whether a packet of this kind can begin a connection; with the timeout it then has. */
static bool conn_begin(struct conn *c, const struct filter_pkt *k)
{
	uint8_t type;

	switch (k->proto) {
	case IP_PROTO_TCP:
		return conn_tcp_new(c, k);
	case IP_PROTO_UDP:
		c->timeout_ns = UDP_TIMEOUT_NS;
		c->stream_ns = c->tracker->stack->clock->now_ns + UDP_STREAM_AFTER_NS;
		return true;
	case IP_PROTO_ICMP:
	case IP_PROTO_ICMPV6:
		c->timeout_ns = ICMP_TIMEOUT_NS;
		type = (uint8_t)(c->way[0].tuple.dport >> 8);
		if (k->proto == IP_PROTO_ICMPV6)
			return type == ICMPV6_ECHO_REQUEST;
		return type == ICMPV4_ECHO || type == ICMPV4_TIMESTAMP ||
		       type == ICMPV4_INFO_REQUEST || type == 17;
	default:
		c->timeout_ns = GENERIC_TIMEOUT_NS;
		return true;
	}
}

static uint32_t new_id(struct tracker *t)
{
	do
		t->next_id++;
	while (!t->next_id || find_id(t, t->next_id));
	return t->next_id;
}

/* Begins a connection with this packet; false if it must be dropped, else @k says what it is. */
static bool conn_create(struct tracker *t, struct filter_pkt *k, const struct tuple *x)
{
	struct conn *c;

	k->state = CONN_INVALID;
	if (!make_room(t))
		return false;
	c = calloc(1, sizeof(*c));
	if (!c)
		return false;
	c->tracker = t;
	list_init(&c->all);
	list_init(&c->unassured);
	timer_init(&c->timer, conn_timeout);
	t->count++;
	c->way[0].tuple = *x;
	c->way[1].reply = 1;
	if (!tuple_invert(x, &c->way[1].tuple) || !conn_begin(c, k)) {
		conn_free(c);
		t->invalid++;
		return true;
	}
	c->id = new_id(t);
	set_pending(t, c);
	k->conn = t->last = c;
	k->state = CONN_NEW;
	k->reply = false;
	return true;
}

static void conn_refresh(struct conn *c)
{
	if (c->status & FILTER_CONN_CONFIRMED)
		timer_arm_in(c->tracker->stack->clock, &c->timer, c->timeout_ns);
}

static void udp_packet(struct conn *c)
{
	bool stream = c->status & FILTER_CONN_SEEN_REPLY &&
		      c->tracker->stack->clock->now_ns > c->stream_ns;

	if (!stream)
		return;
	c->timeout_ns = UDP_STREAM_TIMEOUT_NS;
	conn_set_assured(c);
}

/* A packet of a connection that is known. */
static bool conn_packet(struct tracker *t, struct filter_pkt *k, struct conn_way *w,
			const struct tuple *x)
{
	struct conn *c = conn_of_way(w);

	k->conn = t->last = c;
	k->reply = w->reply;
	k->state = w->reply || c->status & FILTER_CONN_SEEN_REPLY ? CONN_ESTABLISHED : CONN_NEW;
	if (k->proto == IP_PROTO_TCP) {
		enum conn_tcp_verdict v = conn_tcp_packet(c, k);

		if (v == CONN_TCP_AGAIN) {
			k->conn = NULL;
			conn_free(c);
			return conn_create(t, k, x);
		}
		if (v == CONN_TCP_INVALID) {
			k->conn = NULL;
			k->reply = false;
			k->state = CONN_INVALID;
			t->invalid++;
			return true;
		}
	} else if (k->proto == IP_PROTO_UDP) {
		udp_packet(c);
	}
	conn_refresh(c);
	if (k->reply)
		c->status |= FILTER_CONN_SEEN_REPLY;
	return true;
}

/* Whether an ICMP error's own checksum holds: what is quoted in a broken one is to be believed no more. */
static bool error_cksum_ok(const struct filter_pkt *k)
{
	const struct pkt *pkt = k->pkt;
	uint16_t sum = 0;

	if (pkt->csum != PKT_CSUM_NONE)
		return true;
	if (k->net == NET_IPV6)
		sum = cksum_pseudo(&pkt->src, &pkt->dst, k->proto, (uint32_t)packet_l4_total(k));
	return pkt_cksum(pkt, pkt->net_off + k->l4_off - pkt->off, sum) == 0xffff;
}

static void track_error(struct tracker *t, struct filter_pkt *k)
{
	struct conn_way *w = NULL;
	struct tuple answer;
	struct quoted q;

	/* It goes where answers to the packet it quotes would go. */
	if (conn_quoted(k, &q) && error_cksum_ok(k) && tuple_invert(&q.tuple, &answer))
		w = find_way(t, &answer);
	if (!w || !addr_equal(&w->tuple.dst, &k->pkt->dst)) {
		k->state = CONN_INVALID;
		t->invalid++;
		return;
	}
	k->conn = t->last = conn_of_way(w);
	k->reply = w->reply;
	k->state = CONN_RELATED;
}

/* An error, or a reset, that we send ourselves: RELATED, in the other direction. */
static bool track_answer(struct tracker *t, struct filter_pkt *k)
{
	uint8_t info = k->pkt->flow_info;

	if (!(info & PKT_FLOW_ANSWER))
		return false;
	k->conn = k->pkt->flow ? find_id(t, k->pkt->flow) : NULL;
	k->reply = !(info & INFO_REPLY);
	k->state = CONN_RELATED;
	return k->conn != NULL;
}

/* Neighbours and group membership are between hosts on one link: no connections (RFC 4861, 2710). */
static bool is_link_talk(const struct filter_pkt *k)
{
	uint8_t type;

	if (k->proto != IP_PROTO_ICMPV6 || k->later_fragment || k->l4_len < ICMP_HDR_LEN)
		return false;
	type = packet_l4(k)[0];
	return (type >= ICMPV6_MLD_QUERY && type <= ICMPV6_REDIRECT) || type == ICMPV6_MLDV2_REPORT;
}

bool conn_track(struct tracker *t, struct filter_pkt *k)
{
	struct conn_way *w;
	struct tuple x;
	bool ok = true;

	if (track_answer(t, k)) {
		conn_note(k);
		return true;
	}
	conn_attach(t, k);
	if (k->conn || k->state == CONN_UNTRACKED)
		return true;		/* it came round by the loopback, or a rule said so */
	k->reply = false;
	if (is_link_talk(k)) {
		k->state = CONN_UNTRACKED;
	} else if (conn_is_error(k)) {
		track_error(t, k);
	} else if (!tuple_of_packet(k, &x)) {
		k->state = CONN_INVALID;
		t->invalid++;
	} else {
		w = find_way(t, &x);
		ok = w ? conn_packet(t, k, w, &x) : conn_create(t, k, &x);
	}
	if (k->conn && k->state != CONN_RELATED) {
		k->conn->way[k->reply].packets++;
		k->conn->way[k->reply].bytes += k->bytes;
	}
	conn_note(k);
	return ok;
}

bool conn_confirm(struct tracker *t, struct filter_pkt *k)
{
	struct conn *c = k->conn;

	if (!c || c->status & FILTER_CONN_CONFIRMED || k->state == CONN_RELATED)
		return true;
	for (int i = 0; i < CONN_PENDING_MAX; i++)
		if (t->pending[i] == c)
			t->pending[i] = NULL;
	if (conn_tuple_taken(t, &c->way[0].tuple, c) || conn_tuple_taken(t, &c->way[1].tuple, c) ||
	    !htab_insert(&t->ids, &c->by_id, id_hash(t, c->id)))
		goto fail;
	for (int i = 0; i < 2; i++) {
		if (htab_insert(&t->table, &c->way[i].node, tuple_hash(t->stack, &c->way[i].tuple)))
			continue;
		if (i)
			htab_remove(&t->table, &c->way[0].node);
		htab_remove(&t->ids, &c->by_id);
		goto fail;
	}
	c->status |= FILTER_CONN_CONFIRMED;
	/* Without memory for this one, its source's next connection may look different: no harm. */
	if (c->status & FILTER_CONN_SNAT)
		c->in_sources = htab_insert(&t->sources, &c->by_source,
					    source_hash(t, &c->way[0].tuple));
	t->created++;
	list_push_back(&t->all, &c->all);
	if (!(c->status & FILTER_CONN_ASSURED))
		list_push_back(&t->unassured, &c->unassured);
	conn_refresh(c);
	return true;
fail:
	k->conn = NULL;
	k->pkt->flow = 0;
	conn_free(c);
	return false;
}

void conn_dropped(struct tracker *t, const struct pkt *pkt)
{
	for (int i = 0; pkt->flow && i < CONN_PENDING_MAX; i++)
		if (t->pending[i] && t->pending[i]->id == pkt->flow &&
		    (pkt->flow_info & INFO_STATE) == CONN_NEW)
			conn_free(t->pending[i]);
}
