/* Reassembly of fragments, for both families. */
#ifndef STACK_NETWORK_REASM_H
#define STACK_NETWORK_REASM_H

#include "base/clock.h"
#include "base/htab.h"
#include "buffer/pkt.h"
#include "core/stack.h"

/** struct reasm_key - what the fragments of one datagram have in common */
struct reasm_key {
	struct addr src, dst;
	uint32_t id;
	uint8_t proto;			/* IPv4 only: RFC 791; in IPv6 fragments may differ in it */
};

/**
 * struct reasm_frag - where a fragment belongs
 * @off, @len:   bytes of the fragmentable part
 * @more:        not the last one
 * @hdr_len:     bytes of header that come before it, to be kept if it is the first
 */
struct reasm_frag {
	uint32_t off, len;
	bool more;
	uint16_t hdr_len;
};

/**
 * struct reasm - datagrams under way
 * @limit:      bytes of memory they may hold; the oldest datagram goes first
 * @timeout_ns: for each, from its first fragment on
 * @expired:    a datagram timed out; @first: borrows its first fragment, if that came
 */
struct reasm {
	struct stack *stack;
	struct htab table;
	struct list order;
	size_t bytes, limit;
	int64_t timeout_ns;
	void (*expired)(struct reasm *r, struct pkt *first);
};

void reasm_init(struct reasm *r, struct stack *s, int64_t timeout_ns,
		void (*expired)(struct reasm *, struct pkt *first));
void reasm_fini(struct reasm *r);

/**
 * reasm_add() - takes @pkt, a fragment whose headers are pulled, and @net_off set
 *
 * Return: the whole datagram, if this completed it: the first fragment's header at @net_off,
 * pulled, its fields not adjusted. Else NULL.
 */
struct pkt *reasm_add(struct reasm *r, const struct reasm_key *key, const struct reasm_frag *frag,
		      struct pkt *pkt);

#endif
