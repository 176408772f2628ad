/* Explicit congestion notification (RFC 3168). */
#include "transport/tcp/impl.h"

enum { ECN_ECT0 = 2 };

/* 6.1.5: not on retransmissions; 6.1.4: not on pure acknowledgements. */
uint8_t tcp_ecn_data_tos(const struct tcp_conn *c, bool retransmit)
{
	return c->ecn & ECN_OK && !retransmit ? ECN_ECT0 : 0;
}

/* 6.1.3: CE is echoed until CWR comes. */
void tcp_ecn_check_ce(struct tcp_conn *c, const struct tcp_rx *rx)
{
	if (!(c->ecn & ECN_OK))
		return;
	if (rx->flags & TCP_CWR)
		c->ecn &= (uint8_t)~ECN_DEMAND_CWR;
	if (rx->ce) {
		if (!(c->ecn & ECN_DEMAND_CWR)) {
			tcp_quickack_mode(c);
			c->ecn |= ECN_DEMAND_CWR;
		}
		c->ecn |= ECN_SEEN;
		c->n.received_ce += rx->segs;
	} else if (rx->ect) {
		c->ecn |= ECN_SEEN;
	} else if (c->ecn & ECN_SEEN) {
		/* Not marked as capable: a retransmission, of which something was lost on the way. */
		tcp_quickack_mode(c);
	}
}
