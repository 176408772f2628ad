/* Packet hooks: where filters and connection tracking look at packets on their way. */
#ifndef STACK_CORE_HOOK_H
#define STACK_CORE_HOOK_H

#include "base/list.h"
#include "core/netproto.h"

/** enum hook_point - as in Netfilter */
enum hook_point {
	HOOK_PREROUTING, HOOK_INPUT, HOOK_FORWARD, HOOK_OUTPUT, HOOK_POSTROUTING, HOOK_COUNT
};

enum hook_verdict { HOOK_ACCEPT, HOOK_DROP };

/**
 * struct hook - a function to be asked; its owner's memory, until hook_remove()
 * @priority: lower ones first
 * @fn: borrows @pkt, network header first at pkt_net_hdr(). @in or @out is NULL where there is none.
 *      It may rewrite headers; when it changed the destination, then in @pkt->dst too: what comes from
 *      this stack (OUTPUT) is routed again.
 */
struct hook {
	struct list node;
	int priority;
	enum hook_verdict (*fn)(struct hook *h, enum hook_point at, struct pkt *pkt,
				struct nic *in, struct nic *out);
};

/**
 * struct hook_table
 * @defrag: per family: whoever asks wants whole datagrams, put together before PREROUTING
 * @state:  of the filter that a stack may have; @release is called as the stack goes away, after its
 *          endpoints and NICs
 */
struct hook_table {
	struct list points[HOOK_COUNT];
	bool defrag[NET_FAMILIES];
	void *state;
	void (*release)(void *state);
};

void hook_table_init(struct hook_table *t);
void hook_add(struct hook_table *t, enum hook_point at, struct hook *h);
void hook_remove(struct hook *h);

/** hook_ask() - the first verdict that is not ACCEPT, else ACCEPT */
enum hook_verdict hook_ask(struct hook_table *t, enum hook_point at, struct pkt *pkt,
			   struct nic *in, struct nic *out);

/** hook_any() - whether anybody is to be asked: the cheap test on the way of every packet */
static inline bool hook_any(const struct hook_table *t, enum hook_point at)
{
	return !list_empty(&t->points[at]);
}

#endif
