/* Path MTU discovery (RFC 1191, RFC 8201), and what to do when its messages do not come (RFC 4821, RFC 2923). */
#include "transport/tcp/impl.h"

enum { PROBE_FLOOR = 48 };

/* What was sent in segments too large will not arrive: send it again now, smaller (RFC 1191, 6.4). */
static void mark_large(struct tcp_conn *c)
{
	uint32_t mss = tcp_mss(c);

	list_for_each(n, &c->segs) {
		struct tcp_seg *s = container_of(n, struct tcp_seg, node);

		if (s->mss > mss && s->len > mss && !(s->flags & (SEG_SACKED | SEG_LOST)))
			tcp_mark_lost(c, s);
	}
}

static void send_again(struct tcp_conn *c)
{
	if (!c->has_sack && c->sacked_out + c->lost_out > c->packets_out)
		c->sacked_out = c->packets_out - c->lost_out;
	/* It was no congestion: the window stays. */
	if (c->ca != TCP_CA_LOSS) {
		c->high_seq = c->snd_nxt;
		c->prior_ssthresh = 0;
		c->undo_marker = 0;
		c->ca = TCP_CA_LOSS;
		c->frto = false;
	}
	tcp_xmit_retransmits(c);
}

static void simple_retransmit(struct tcp_conn *c)
{
	uint32_t prior = c->lost_out;

	mark_large(c);
	if (c->lost_out != prior)
		send_again(c);
}

/* The data did not fit; the SYN itself does, so it need not wait for its timer (as Linux). */
static void resend_syn(struct tcp_conn *c)
{
	c->retransmits = 1;
	tcp_xmit_syn(c);
	tcp_arm_rtx(c, RTX_RTO, tcp_now(c) + rtt_rto(&c->rtt));
}

void tcp_pmtu_changed(struct tcp_conn *c, const struct net_error *e)
{
	struct pmtu_cache *cache = &c->ep.stack->pmtu;

	if (c->ep.opts.pmtu_discover == NET_PMTUD_DONT || c->ep.opts.pmtu_discover == NET_PMTUD_PROBE)
		return;
	/* Larger than what we send: it says nothing about these packets (RFC 8201, 4). */
	if (!e->mtu || (c->pmtu && e->mtu >= c->pmtu))
		return;
	pmtu_update(cache, &c->remote.addr, e->mtu);
	tcp_sync_mss(c);
	if (TCPS_IN(c->state, TCPS_SYNCHRONIZED))
		simple_retransmit(c);
	else if (c->state == TCPS_SYN_SENT && c->syn_len && !c->retransmits)
		resend_syn(c);
}

bool tcp_black_hole(struct tcp_conn *c)
{
	const struct tcp_settings *set = &c->proto->set;
	uint32_t hdrs = (c->remote.addr.len == ADDR_LEN_V4 ? 20u : 40u) + TCP_HDR_LEN;
	struct tcp_seg *head = tcp_first_seg(c);
	uint32_t mss;

	/* Only if what gets lost is large: small segments get lost for other reasons. */
	if (!set->mtu_probing || !head || head->len < c->mss || c->mss <= PROBE_FLOOR)
		return false;
	if (!c->probe_mtu) {
		mss = set->base_mss;
	} else {
		mss = ((uint32_t)c->probe_mtu - hdrs) / 2;
		if (mss > set->base_mss)
			mss = set->base_mss;
	}
	if (mss < PROBE_FLOOR + 20)
		mss = PROBE_FLOOR + 20;
	if (c->remote.addr.len == ADDR_LEN_V6 && mss < 1280 - hdrs && c->pmtu > 1280)
		mss = 1280 - hdrs;	/* every link carries that (RFC 8200, 5) */
	if (mss + hdrs >= c->pmtu)
		return false;
	if (!c->probe_mtu)
		c->probe_high = (uint16_t)(c->pmtu < UINT16_MAX ? c->pmtu : UINT16_MAX);
	c->probe_mtu = (uint16_t)(mss + hdrs);
	c->probe_mtu_ns = tcp_now(c);
	c->probe_size = 0;
	tcp_sync_mss(c);
	return true;
}

void tcp_probe_failed(struct tcp_conn *c)
{
	c->probe_high = (uint16_t)(c->probe_size - 1);
	c->probe_size = 0;
	c->cc.cwnd++;		/* what the probe took of it: it was no congestion (RFC 4821, 7.5) */
	tcp_sync_mss(c);
	mark_large(c);
	send_again(c);
}
