/*
 * Packet filtering, address translation and connection tracking, as iptables has them.
 *
 *	struct filter_error e;
 *	if (filter_load(stack, NET_IPV4, text, len, 0, &e))
 *		... e.line, e.column, e.text ...
 *	filter_print(stack, NET_IPV4, true, write, ctx);
 *
 * The language is that of iptables-save and ip6tables-save. A stack without rules has none of this: no
 * memory, and one branch per hook and packet.
 *
 * Theory of operation. Rules are read into tables (model.h), checked as a whole (check.c), and then take
 * the place of the tables they name. Per hook and family one function (filter.c) walks what Netfilter
 * would have called there, in its order: raw, tracking, mangle, nat, filter, and at the last hook of a
 * packet's way nat for sources and the confirmation of a new connection. Tracking (conn.h) and the
 * reassembly that it needs come with the first rule that asks for them: a nat table, or a match or
 * target on connections. It knows a packet's connection by a number in the packet, never by a pointer:
 * packets wait in queues while connections end.
 *
 * Everything runs on the stack's clock and random numbers.
 */
#ifndef STACK_FILTER_FILTER_H
#define STACK_FILTER_FILTER_H

#include "core/stack.h"

enum { FILTER_TEXT_MAX = 1 << 24 };	/* bytes of rules in one text */

/** enum filter_flags - @FILTER_COUNTERS: begin with the counters in the text (iptables-restore -c);
 * @FILTER_TEST: read and check only (iptables-restore -t) */
enum filter_flags { FILTER_COUNTERS = 1 << 0, FILTER_TEST = 1 << 1 };

/** struct filter_error - what is wrong with a text, and where; both count from 1, 0 if at no place */
struct filter_error {
	unsigned line, column;
	char text[200];
};

/**
 * filter_load() - replace the tables that @text names, of one family; all of them or, in error, none
 *
 * Connections that are tracked already stay so. INVALID_OPTION_VALUE with *@e filled in; NO_MEMORY;
 * UNKNOWN_PROTOCOL if the stack has not got the family.
 */
enum ns_err filter_load(struct stack *s, enum net_index net, const char *text, size_t len,
			unsigned flags, struct filter_error *e);

/** filter_print() - the tables of one family as iptables-save does, with counters before each rule if
 * they are wanted (-c); NO_MEMORY */
enum ns_err filter_print(struct stack *s, enum net_index net, bool counters,
			 void (*write)(void *ctx, const char *text, size_t len), void *ctx);

/** filter_clear() - remove all tables of one family; tracking ends with the last one that needs it */
void filter_clear(struct stack *s, enum net_index net);

/** filter_zero() - set a family's counters to zero (iptables -Z) */
void filter_zero(struct stack *s, enum net_index net);

/** struct filter_endpoint - one end of a tracked connection; ICMP has its identifier as @port of both */
struct filter_endpoint {
	struct addr addr;
	uint16_t port;
};

/** enum filter_conn_status - as in Netfilter */
enum filter_conn_status {
	FILTER_CONN_SEEN_REPLY = 1 << 1, FILTER_CONN_ASSURED = 1 << 2,
	FILTER_CONN_CONFIRMED = 1 << 3, FILTER_CONN_SNAT = 1 << 4, FILTER_CONN_DNAT = 1 << 5,
};

/**
 * struct filter_conn_info - a tracked connection, for listings
 * @src, @dst: of its packets as they were first seen, [0], and as those of the answer come in, [1]
 * @state:     of TCP, as conntrack(8) names it, else ""
 * @expires_ns: from now
 */
struct filter_conn_info {
	enum net_index net;
	uint8_t proto;
	struct filter_endpoint src[2], dst[2];
	uint64_t packets[2], bytes[2];
	uint32_t status;		/* enum filter_conn_status */
	const char *state;
	int64_t expires_ns;
};

/** struct filter_conn_stats - @drop: refused, the table was full; @early_drop: made room */
struct filter_conn_stats {
	uint32_t count, limit;
	uint64_t created, early_drop, drop, invalid;
};

/** filter_conn_walk() - call @fn for each tracked connection, the oldest first */
void filter_conn_walk(struct stack *s, void (*fn)(void *ctx, const struct filter_conn_info *i),
		      void *ctx);

/** filter_conn_stats() - all zero while nothing is tracked */
void filter_conn_stats(struct stack *s, struct filter_conn_stats *out);

/** filter_conn_set_limit() - how many connections may be tracked (65536); INVALID_OPTION_VALUE for 0;
 * INVALID_ENDPOINT_STATE while no rules are loaded that track */
enum ns_err filter_conn_set_limit(struct stack *s, uint32_t limit);

/** filter_conn_flush() - forget all connections (conntrack -F) */
void filter_conn_flush(struct stack *s);

#endif
