/* Port manager: who has which port, and ephemeral ports (RFC 6056). */
#ifndef STACK_CORE_PORTS_H
#define STACK_CORE_PORTS_H

#include "base/htab.h"
#include "core/netproto.h"

/**
 * struct port_claim - what an endpoint wants, then has
 * @nets:   bit mask of the families (1 << enum net_index)
 * @addr:   local address, length 0 for any
 * @nic:    only on this NIC, 0 for any
 * @remote, @rport: the peer, for ports that connect() chose: claims with different peers share a
 *          port. Length 0 for claims by bind(), which share with nobody who has not agreed.
 * @reuse_address, @reuse_port: agreed to share with those who agreed too
 * @exclusive: (set by listen()) reuse_address does not apply: TCP listeners
 */
struct port_claim {
	uint8_t proto;
	uint8_t nets;
	bool reuse_address, reuse_port, exclusive;
	struct addr addr, remote;
	uint16_t port, rport;
	uint32_t nic;
	/* the manager's */
	struct list list;
	struct port_entry *entry;
};

/** struct port_manager - entries by protocol and port */
struct port_manager {
	struct htab table;
	uint16_t first, last;		/* ephemeral range, both included */
	uint32_t counter;
};

void ports_init(struct port_manager *m);
void ports_fini(struct port_manager *m);

/** ports_set_range() - the ephemeral range; INVALID_OPTION_VALUE if empty or from 0 */
enum ns_err ports_set_range(struct stack *s, uint16_t first, uint16_t last);

/**
 * ports_claim() - have the port @c->port, or with 0 an ephemeral one, which is written there
 *
 * With a peer given, the ephemeral ports tried start at a keyed hash of local and remote address and
 * port plus a counter (RFC 6056, algorithm 3), else at a random one (algorithm 1).
 * PORT_IN_USE, NO_PORT_AVAILABLE, NO_MEMORY.
 */
enum ns_err ports_claim(struct stack *s, struct port_claim *c);

/** ports_can_claim() - whether ports_claim() would find @c->port free */
bool ports_can_claim(struct stack *s, const struct port_claim *c);

/** ports_set_exclusive() - a claimed port starts to listen; PORT_IN_USE if one listens already
 * that it would have to share with */
enum ns_err ports_set_exclusive(struct stack *s, struct port_claim *c);

/** ports_share() - @c, all but the manager's part filled in, holds the port of @parent as well: what a
 * listener accepted. Asks nobody, so it costs the same however many there are. */
void ports_share(const struct port_claim *parent, struct port_claim *c);

/** ports_move() - @to takes the place of @from, which has none afterwards */
void ports_move(struct port_claim *from, struct port_claim *to);

/** ports_release() - give it back; harmless on a claim that has none */
void ports_release(struct stack *s, struct port_claim *c);

#endif
