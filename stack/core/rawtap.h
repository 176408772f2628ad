/* Taps: where raw and packet endpoints get copies of what passes. */
#ifndef STACK_CORE_RAWTAP_H
#define STACK_CORE_RAWTAP_H

#include "base/list.h"
#include "core/netproto.h"

/**
 * struct frame_tap - sees the packets of NICs at the link layer, in and out (packet(7))
 * @proto: only this Ethernet type, 0 for all
 * @nic:   only on this NIC, 0 for all
 * @fn:    borrows @pkt: network header first; received ones have their link header at @link_off,
 *         outgoing ones have it to come, unless @framed. It may send, but add and remove no taps.
 */
struct frame_tap {
	struct list node;
	uint16_t proto;
	uint32_t nic;
	void (*fn)(struct frame_tap *t, struct nic *nic, const struct pkt *pkt, bool outgoing);
};

/**
 * struct raw_tap - sees the packets of one IP protocol that are for this stack (raw(7))
 * @rx:    borrows @pkt: whole, transport header first, network header at pkt_net_hdr(); returns
 *         whether it wanted it
 * @error: an ICMP error about a packet of this protocol
 */
struct raw_tap {
	struct list node;
	uint8_t net, proto;
	bool (*rx)(struct raw_tap *t, struct nic *nic, const struct pkt *pkt);
	void (*error)(struct raw_tap *t, const struct net_error *e);
};

/** struct tap_table - of a stack; @raw_count: taps by family and protocol, so that most packets cost
 * one look */
struct tap_table {
	struct list frames;
	struct list raw;
	uint32_t raw_count[NET_FAMILIES][256];
};

void tap_table_init(struct tap_table *t);
void frame_tap_add(struct tap_table *t, struct frame_tap *tap);
void frame_tap_remove(struct frame_tap *tap);
void raw_tap_add(struct tap_table *t, struct raw_tap *tap);
void raw_tap_remove(struct tap_table *t, struct raw_tap *tap);

void frame_taps_run(struct tap_table *t, struct nic *nic, const struct pkt *pkt, bool outgoing);
bool raw_taps_run(struct tap_table *t, enum net_index net, struct nic *nic, const struct pkt *pkt);

/** frame_taps() - borrows: show a packet to the taps, if there are any */
static inline void frame_taps(struct tap_table *t, struct nic *nic, const struct pkt *pkt,
			      bool outgoing)
{
	if (!list_empty(&t->frames))
		frame_taps_run(t, nic, pkt, outgoing);
}

/** raw_taps() - borrows: show a packet to the taps of @pkt->trans_proto; whether one wanted it */
static inline bool raw_taps(struct tap_table *t, enum net_index net, struct nic *nic,
			    const struct pkt *pkt)
{
	return t->raw_count[net][pkt->trans_proto] && raw_taps_run(t, net, nic, pkt);
}

/** raw_taps_error() - tell the taps of @proto of an ICMP error */
void raw_taps_error(struct tap_table *t, uint8_t proto, const struct net_error *e);

#endif
