/* Who wants to know when a packet goes out: its transmit time stamp. */
#ifndef STACK_CORE_TXSTAMP_H
#define STACK_CORE_TXSTAMP_H

#include "base/list.h"
#include "buffer/pkt.h"

struct nic;

/**
 * struct tx_stamper - is told of packets whose stamp bears its @id, which tx_stamper_add() gives it
 * @fn: borrows @pkt: network header first, unless @framed; its link header is still to come. It may neither send
 *      nor remove stampers
 * @late_fn: streams: of a byte that went out before it was asked about, or, @acked, that the peer has acknowledged.
 *      @payload: what its segment holds, or NULL; borrowed
 */
struct tx_stamper {
	struct list node;
	uint32_t id;
	void (*fn)(struct tx_stamper *t, struct nic *nic, const struct pkt *pkt);
	void (*late_fn)(struct tx_stamper *t, const struct pkt_stamp *stamp, bool acked, const struct pkt *payload);
};

/** struct tx_stamp_table - of a stack; @last: the id given last. None comes twice while packets may be about */
struct tx_stamp_table {
	struct list stampers;
	uint32_t last;
};

void tx_stamp_table_init(struct tx_stamp_table *t);
void tx_stamper_add(struct tx_stamp_table *t, struct tx_stamper *s);

/** tx_stamper_remove() - allowed for one that never was added, and zero */
void tx_stamper_remove(struct tx_stamper *s);

/** tx_stamp_give() - tell @pkt's stamper that it goes out by @nic; afterwards it has none */
void tx_stamp_give(struct tx_stamp_table *t, struct nic *nic, struct pkt *pkt);

/** tx_stamp_late() - call the @late_fn of @stamp's stamper */
void tx_stamp_late(struct tx_stamp_table *t, const struct pkt_stamp *stamp, bool acked, const struct pkt *payload);

/** tx_stamp() - the same, of any packet */
static inline void tx_stamp(struct tx_stamp_table *t, struct nic *nic, struct pkt *pkt)
{
	if (pkt->stamp.taker)
		tx_stamp_give(t, nic, pkt);
}

#endif
