/* Neighbour discovery (RFC 4861) and address autoconfiguration (RFC 4862) of a NIC. */
#ifndef STACK_NETWORK_NDP_H
#define STACK_NETWORK_NDP_H

#include "core/stack.h"
#include "header/icmp.h"
#include "header/ndp.h"

enum { NDP_MAX_ROUTERS = 8, NDP_MAX_PREFIXES = 16 };

/** struct ndp_router - a default router; @until_ns: its lifetime's end; unused if @addr.len is 0 */
struct ndp_router {
	struct addr addr;
	int64_t until_ns;
};

/** struct ndp_learnt_prefix - an on-link prefix; CLOCK_NEVER: for ever; unused if @prefix.len is 0 */
struct ndp_learnt_prefix {
	struct addr prefix;
	uint8_t len;
	int64_t until_ns;
};

/**
 * struct ndp_nic - of a NIC
 * @rs_timer, @rs_left: router solicitations still to send
 * @life_timer:         the next lifetime that ends
 * @addrs:              struct ndp_addr of our addresses
 */
struct ndp_nic {
	struct nic *nic;
	struct timer rs_timer, life_timer;
	uint8_t rs_left;
	struct ndp_router routers[NDP_MAX_ROUTERS];
	struct ndp_learnt_prefix prefixes[NDP_MAX_PREFIXES];
	struct list addrs;
};

/**
 * struct ndp_addr - what NDP keeps for an address of ours
 * @probes:    DAD solicitations sent
 * @valid_until_ns, @preferred_until_ns: CLOCK_NEVER: for ever
 */
struct ndp_addr {
	struct list list;
	struct ndp_nic *owner;
	struct nic_addr *addr;
	struct timer dad_timer;
	uint8_t probes;
	int64_t valid_until_ns, preferred_until_ns;
};

void ndp_nic_init(struct ndp_nic *n, struct nic *nic);
void ndp_nic_fini(struct ndp_nic *n);

/** ndp_nic_enabled() - the NIC came up: autoconfigure; or went down: forget what was learnt */
void ndp_nic_enabled(struct ndp_nic *n, bool enabled);

void ndp_addr_added(struct ndp_nic *n, struct nic_addr *a);
void ndp_addr_removed(struct ndp_nic *n, struct nic_addr *a);

/** ndp_rx() - borrows @pkt, an NDP message with a good checksum; false if it is not valid */
bool ndp_rx(struct nic *nic, struct pkt *pkt, const struct icmp_hdr *h);

/** ndp_solicit() - the protocol's solicit operation */
void ndp_solicit(struct nic *nic, const struct addr *target, const struct link_addr *to);

/* Between the files of this module. */

/** ndp_send() - takes @pkt, a message with checksum zero: send it with hop limit 255 */
void ndp_send(struct nic *nic, const struct addr *from, const struct addr *to, struct pkt *pkt);

/** ndp_rs_start(), ndp_rs_stop() - ask for routers, or no more */
void ndp_rs_start(struct ndp_nic *n);

/** ndp_ra_rx() - a router advertisement, checked; @pkt pulled up whole */
void ndp_ra_rx(struct ndp_nic *n, struct pkt *pkt);

/** ndp_router_init(), ndp_router_clear() - the timers of ndp_router.c; forget all that was learnt */
void ndp_router_init(struct ndp_nic *n);
void ndp_router_clear(struct ndp_nic *n);

/** ndp_eui64() - @prefix with the interface identifier of a link address (RFC 4291, A) */
struct addr ndp_eui64(const struct addr *prefix, const struct link_addr *link);

#endif
