/*
 * Probing of the path MTU (RFC 4821, packetization layer path MTU discovery), as Linux does it.
 *
 * Between a size that gets through and one that may, the middle is tried with data, in one segment larger than the
 * others: only where enough follows it that its loss is found without a timeout, and at most one at a time. If it
 * arrives, it is what is sent from then on; if it alone is lost, that was no congestion. What is left between the
 * two is small at some time, and the search is over; after ten minutes it begins anew.
 */
#include "transport/tcp/impl.h"

enum {
	PROBE_MIN_CWND = 11,
	PROBE_STEP = 8,		/* bytes: less is not worth it (Linux's tcp_probe_threshold) */
};

static uint32_t headers(const struct tcp_conn *c)
{
	return (c->remote.addr.len == ADDR_LEN_V4 ? 20u : 40u) + c->hdr_len;
}

static uint16_t at_most(uint32_t mtu)
{
	return mtu < UINT16_MAX ? (uint16_t)mtu : UINT16_MAX;
}

void tcp_probe_init(struct tcp_conn *c)
{
	uint32_t ip = headers(c) - c->hdr_len;

	c->probe_size = 0;
	if (c->proto->set.mtu_probing < 2)
		return;
	c->probe_mtu = at_most(c->proto->set.base_mss + TCP_HDR_LEN + ip);
	c->probe_high = at_most(c->mss_clamp + TCP_HDR_LEN + ip);
	c->probe_mtu_ns = tcp_now(c);
}

/* RFC 4821, 7.7 */
static void search_again(struct tcp_conn *c)
{
	if (tcp_now(c) - c->probe_mtu_ns <= TCP_PROBE_AGAIN_NS)
		return;
	c->probe_high = at_most(c->mss_clamp + headers(c) - c->hdr_len + TCP_HDR_LEN);
	c->probe_mtu_ns = tcp_now(c);
	tcp_sync_mss(c);
}

enum tcp_probe tcp_probe_mtu(struct tcp_conn *c, uint32_t *len)
{
	uint32_t size, needed, in_flight = tcp_in_flight(c);

	if (c->probe_size || c->ca != TCP_CA_OPEN || c->cc.cwnd < PROBE_MIN_CWND || !ooo_empty(&c->ooo) || c->ooo.has_dsack)
		return TCP_PROBE_NONE;
	size = ((uint32_t)c->probe_mtu + c->probe_high) / 2;
	if (c->probe_high < (uint32_t)c->probe_mtu + PROBE_STEP) {
		search_again(c);
		return TCP_PROBE_NONE;
	}
	*len = size - headers(c);
	/* As many segments after it as show a loss, and one that may be overtaken. */
	needed = *len + (c->reordering + 1u) * c->mss;
	if (tcp_record_left(c) < needed || c->snd_wnd < needed)
		return TCP_PROBE_NONE;
	if (seq_gt(c->snd_nxt + needed, tcp_wnd_end(c)))
		return TCP_PROBE_WAIT;
	if (in_flight + 2 > c->cc.cwnd)
		return in_flight ? TCP_PROBE_WAIT : TCP_PROBE_NONE;
	return TCP_PROBE_SEND;
}

void tcp_probe_sent(struct tcp_conn *c, uint32_t start, uint32_t len)
{
	c->cc.cwnd--;		/* it is larger than a segment of the window */
	c->probe_size = (uint16_t)(len + headers(c));
	c->probe_start = start;
}

void tcp_probe_acked(struct tcp_conn *c)
{
	uint32_t mtu = c->mss + headers(c), cwnd = (uint32_t)((uint64_t)c->cc.cwnd * mtu / c->probe_size);

	if (seq_lt(c->snd_una, c->probe_start + c->probe_size - headers(c)))
		return;
	/* As many bytes as before. */
	c->cc.cwnd = cwnd ? cwnd : 1;
	c->probe_mtu = c->probe_size;
	c->probe_size = 0;
	tcp_sync_mss(c);
}
