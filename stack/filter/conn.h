/*
 * Connection tracking.
 *
 * Theory of operation. A connection is known by two tuples: the one its first packet had, and the one
 * its answers will have as they arrive, which differs from the first one's inverse only by translation.
 * Both are in one hash table, so that a packet of either direction finds it with one look-up. A new
 * connection is pending until its first packet has passed the last hook: only then is it entered, so
 * packets that are dropped leave nothing behind. Those few that are pending lie in a ring; when the
 * work at hand is done, what is still in it was dropped on the way.
 *
 * States and timeouts are Netfilter's, but that TCP's windows are not looked at. When the table is
 * full, the oldest connection that is not assured makes room.
 */
#ifndef STACK_FILTER_CONN_H
#define STACK_FILTER_CONN_H

#include "filter/filter.h"
#include "filter/packet.h"

enum { CONN_PENDING_MAX = 16, CONN_LIMIT = 65536 };

/** struct tuple - ports in host order; ICMP: the identifier, and type << 8 | code; 0 for what has none */
struct tuple {
	struct addr src, dst;
	uint16_t sport, dport;
	uint8_t net, proto;
};

/** enum conn_status - beside enum filter_conn_status: translation is settled (even if it is none) */
enum conn_status { CONN_SNAT_DONE = 1 << 7, CONN_DNAT_DONE = 1 << 8 };

/** enum conn_tcp_state - as Netfilter's */
enum conn_tcp_state {
	CT_NONE, CT_SYN_SENT, CT_SYN_RECV, CT_ESTABLISHED, CT_FIN_WAIT, CT_CLOSE_WAIT, CT_LAST_ACK,
	CT_TIME_WAIT, CT_CLOSE, CT_SYN_SENT2, CT_STATES,
};

/** struct conn_way - one direction; @reply: 1 in the answers' */
struct conn_way {
	struct htab_node node;
	struct tuple tuple;
	uint64_t packets, bytes;
	uint8_t reply;
};

/**
 * struct conn - a tracked connection
 * @by_source: if its source is translated: what it was
 * @all:       in the order in which they began
 * @unassured: those that may have to make room, likewise
 * @timeout_ns: from its last packet on
 * @stream_ns: UDP: from when on an answer makes it a stream
 * @masq_nic:  masqueraded to the address of this NIC, 0 if not
 */
struct conn {
	struct conn_way way[2];
	struct htab_node by_id, by_source;
	struct list all, unassured;
	struct tracker *tracker;
	struct timer timer;
	uint32_t id, status, masq_nic;
	uint8_t tcp_state;
	bool in_sources;
	int64_t timeout_ns, stream_ns;
};

/**
 * struct tracker - of a stack
 * @last:      found last
 */
struct tracker {
	struct stack *stack;
	struct htab table, ids, sources;
	struct list all, unassured;
	struct conn *pending[CONN_PENDING_MAX], *last;
	struct task purge;
	uint32_t limit, count, next_id, nat_counter;
	uint64_t created, early_drop, drop, invalid;
};

struct tracker *tracker_new(struct stack *s);
void tracker_free(struct tracker *t);

/** tracker_flush() - forget all connections */
void tracker_flush(struct tracker *t);

/** conn_track() - at a packet's first hook: find or begin its connection, note what it is to it; false
 * if it must be dropped */
bool conn_track(struct tracker *t, struct filter_pkt *k);

/** conn_attach() - at a later hook: what conn_track() found */
void conn_attach(struct tracker *t, struct filter_pkt *k);

/** conn_confirm() - at the last hook: enter a new connection; false if the packet must be dropped */
bool conn_confirm(struct tracker *t, struct filter_pkt *k);

/** conn_dropped() - the packet goes no further: forget a connection that it would have begun */
void conn_dropped(struct tracker *t, const struct pkt *pkt);

/** conn_note() - write @k's connection and state into the packet */
void conn_note(struct filter_pkt *k);

/** conn_expire() - let it end as soon as time is next looked at */
void conn_expire(struct conn *c);

/** conn_set_assured() - it need not make room any more */
void conn_set_assured(struct conn *c);

/** conn_tuple_taken() - whether a connection other than @but has this tuple, in either direction */
bool conn_tuple_taken(struct tracker *t, const struct tuple *x, const struct conn *but);

/** conn_find_source() - a translated connection with the source of @x; @after: the one after that */
struct conn *conn_find_source(struct tracker *t, const struct tuple *x, struct conn *after);

/** tuple_of_packet() - false if its protocol's header is not all there, or begins no connection */
bool tuple_of_packet(struct filter_pkt *k, struct tuple *out);

/** tuple_of_bytes() - the same of a quoted packet: @n bytes of its transport header */
bool tuple_of_bytes(struct tuple *out, const struct addr *src, const struct addr *dst, uint8_t proto,
		    const uint8_t *l4, size_t n);

/** tuple_invert() - what answers to @x have; false for ICMP types that have none */
bool tuple_invert(const struct tuple *x, struct tuple *out);
bool tuple_equal(const struct tuple *a, const struct tuple *b);
uint64_t tuple_hash(const struct stack *s, const struct tuple *x);

/** struct quoted - a packet in an ICMP error; offsets count from the ICMP header */
struct quoted {
	struct tuple tuple;
	size_t net_off, l4_off, l4_len;
};

/** conn_quoted() - the packet that an ICMP error quotes; false if it is none, or cut too short */
bool conn_quoted(struct filter_pkt *k, struct quoted *q);

/** conn_is_error() - whether the packet is an ICMP error */
bool conn_is_error(const struct filter_pkt *k);

/** enum conn_tcp_verdict - @CONN_TCP_AGAIN: the old connection is over: begin a new one with this packet */
enum conn_tcp_verdict { CONN_TCP_OK, CONN_TCP_INVALID, CONN_TCP_AGAIN };

/** conn_tcp_new() - whether a segment can be a connection's first; sets its state */
bool conn_tcp_new(struct conn *c, const struct filter_pkt *k);

/** conn_tcp_packet() - a segment of a known connection */
enum conn_tcp_verdict conn_tcp_packet(struct conn *c, const struct filter_pkt *k);

/** conn_tcp_name() - of a state, as conntrack(8) has it */
const char *conn_tcp_name(uint8_t state);

#endif
