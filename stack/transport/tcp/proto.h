/* What TCP keeps for a stack, and its settings. */
#ifndef STACK_TRANSPORT_TCP_PROTO_H
#define STACK_TRANSPORT_TCP_PROTO_H

#include "core/stack.h"
#include "header/tcp.h"
#include "transport/tcp/cc.h"

/** struct tcp_settings - of all endpoints; the names in brackets are Linux's sysctls */
struct tcp_settings {
	bool sack, timestamps, wscale;
	uint8_t ecn;				/* 0 off, 1 on, 2 if the peer asks */
	struct sockopt_range rmem, wmem;
	const struct tcp_cc_ops *cc;
	bool rack;				/* else RFC 6675 by counting */
	bool moderate;				/* tune receive buffers */
	bool delay;				/* Nagle's algorithm in new endpoints */
	int64_t init_rto_ns, min_rto_ns, max_rto_ns;
	uint8_t syn_retries, synack_retries;	/* [tcp_syn_retries, tcp_synack_retries] */
	uint8_t retries, orphan_retries;	/* [tcp_retries2, tcp_orphan_retries] */
	uint8_t syncookies;			/* 0 never, 1 when full, 2 always */
	uint32_t max_syn_backlog, max_backlog;	/* [tcp_max_syn_backlog, somaxconn] */
	uint8_t tw_reuse;			/* 0 no, 1 yes, 2 loopback only */
	int64_t tw_reuse_delay_ns;		/* [tcp_tw_reuse_delay] */
	int64_t tw_ns, fin_ns;			/* TIME-WAIT; FIN-WAIT-2 of orphans [tcp_fin_timeout] */
	uint32_t max_tw, max_orphans;
	bool abort_on_overflow, rfc1337, slow_start_after_idle;
	int64_t invalid_ratelimit_ns;		/* [tcp_invalid_ratelimit] */
	uint32_t challenge_limit;		/* challenge ACKs a second, 0: no limit */
	uint8_t reordering;
	uint8_t init_cwnd;
	uint8_t min_tso_segs;			/* [tcp_min_tso_segs] */
	uint8_t mtu_probing;			/* 0 no, 1 where a black hole is suspected, 2 always [tcp_mtu_probing] */
	uint32_t base_mss;			/* where that starts [tcp_base_mss] */
	uint32_t fastopen;			/* enum tcp_fastopen [tcp_fastopen] */
	uint32_t keep_idle_s, keep_intvl_s;
	uint8_t keep_count;
};

enum { TCP_FO_KEY_LEN = 16 };

/** enum tcp_fastopen - bits of Linux's tcp_fastopen */
enum tcp_fastopen {
	FASTOPEN_CLIENT = 0x1,
	FASTOPEN_SERVER = 0x2,
	FASTOPEN_CLIENT_NO_COOKIE = 0x4,
	FASTOPEN_NO_COOKIE = 0x200,	/* data in a SYN is taken without one */
	FASTOPEN_ALL = 0x400,		/* of every listener, SOCKOPT_FASTOPEN or not */
};

/** struct tcp_fo_keys - what cookies are made with; and of the key before, @n is 2 */
struct tcp_fo_keys {
	uint8_t n, key[2][TCP_FO_KEY_LEN];
};

enum { TCP_FO_CACHE = 32 };

/** struct tcp_fo_entry - what is known of a server: @mss it announced, its cookie; @len of @remote 0: none */
struct tcp_fo_entry {
	struct addr remote;
	struct tcp_fo_opt opt;
	uint16_t mss;
	int64_t used_ns;
};

struct tcp_seg;

/** struct tcp_proto - at stack->trans[..].state */
struct tcp_proto {
	struct stack *stack;
	struct tcp_settings set;
	struct tcp_fo_keys fo_keys;		/* made at random when first asked for */
	struct tcp_fo_entry fo_cache[TCP_FO_CACHE];
	struct htab tuples;
	struct tcp_seg *free_segs;
	uint32_t nfree_segs;
	struct list timewaits;			/* struct tcp_tw, first to expire first */
	struct list tw_cursors;
	struct timer tw_timer;
	size_t ntimewaits, nreqs, norphans;
	struct ratelimit challenge;
	bool has_tw_timer;
};

static inline struct tcp_proto *tcp_proto_of(struct stack *s)
{
	return stack_trans(s, 6)->state;
}

#endif
