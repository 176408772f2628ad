/*
 * The receive window: what to announce, how it grows, and the buffer behind it (RFC 9293, 3.8.6.2.2;
 * RFC 7323, 2). Half of the buffer is for payload, as Linux counts: the rest is what packets cost beside it.
 */
#include "transport/tcp/impl.h"

static uint32_t win_from_space(uint32_t space)
{
	return space / 2;
}

uint32_t tcp_full_space(const struct tcp_conn *c)
{
	return win_from_space(c->rcvbuf);
}

/* What is left of it. */
static uint32_t free_space(const struct tcp_conn *c)
{
	uint64_t used = c->rcv_bytes + ooo_bytes(&c->ooo);
	uint32_t full = tcp_full_space(c);

	return used < full ? full - (uint32_t)used : 0;
}

static uint32_t align_up(uint32_t v, unsigned shift)
{
	uint32_t unit = 1u << shift;

	return (v + unit - 1) & ~(unit - 1);
}

/* A window larger than the queue in front of the link would only have packets dropped there. */
uint32_t tcp_queue_clamp(const struct tcp_conn *c, uint32_t mss)
{
	const struct link *l = c->route.nic && !c->route.loop ? c->route.nic->link : NULL;
	uint32_t cap = c->remote.addr.len == ADDR_LEN_V4 ? LINK_CAP_TSO4 : LINK_CAP_TSO6;
	uint64_t clamp;

	if (!l || !l->rx_queue_pkts)
		return UINT32_MAX;
	if (l->caps & cap)
		mss = l->gso_max;
	clamp = (uint64_t)l->rx_queue_pkts * mss * 3 / 4;
	if (clamp < TCP_WINDOW_MAX)
		clamp = TCP_WINDOW_MAX;
	return clamp < UINT32_MAX ? (uint32_t)clamp : UINT32_MAX;
}

struct tcp_initial_window tcp_initial_window(const struct tcp_conn *c, uint32_t mss, bool wscale_ok)
{
	const struct tcp_proto *p = c->proto;
	struct tcp_initial_window w = {
		.clamp = c->user_clamp ? c->user_clamp : (uint32_t)TCP_WINDOW_MAX << 14,
	};
	uint32_t space = win_from_space(c->rcvbuf);

	/* A size the user set is not going to grow. */
	if (c->rcvbuf_locked && w.clamp > space)
		w.clamp = space;
	if (space > w.clamp)
		space = w.clamp;
	if (space > mss)
		space -= space % mss;
	/* With scaling the first segment after the SYN can tell of all of it. */
	w.wnd = space < TCP_WINDOW_MAX || wscale_ok ? space : TCP_WINDOW_MAX;
	if (wscale_ok) {
		/* For what the buffer may grow to, since the shift cannot. */
		if (space < p->set.rmem.max)
			space = p->set.rmem.max;
		if (space > w.clamp)
			space = w.clamp;
		while (space > TCP_WINDOW_MAX && w.wscale < TCP_MAX_WSCALE) {
			space >>= 1;
			w.wscale++;
		}
	}
	if (w.clamp > (uint32_t)TCP_WINDOW_MAX << w.wscale)
		w.clamp = (uint32_t)TCP_WINDOW_MAX << w.wscale;
	return w;
}

uint32_t tcp_calc_window(struct tcp_conn *c)
{
	uint32_t mss = c->rcv_mss, space = free_space(c), allowed = tcp_full_space(c);
	uint32_t full = c->window_clamp < allowed ? c->window_clamp : allowed, wnd;

	if (mss > full)
		mss = full;
	if (!mss)
		return 0;
	if (space < full / 2) {
		c->quick = 0;
		space &= ~((1u << c->rcv_wscale) - 1);
		/* Rather none than a silly one. */
		if (space < allowed / 16 || space < mss)
			return 0;
	}
	if (space > c->rcv_ssthresh)
		space = c->rcv_ssthresh;
	if (c->rcv_wscale)
		return align_up(space, c->rcv_wscale);
	wnd = c->rcv_wnd;
	if (wnd + mss <= space || wnd > space)
		wnd = space - space % mss;
	else if (mss == full && space > wnd + full / 2)
		wnd = space;
	return wnd;
}

uint16_t tcp_select_window(struct tcp_conn *c)
{
	uint32_t cur = tcp_rcv_window(c), wnd = tcp_calc_window(c);
	uint32_t max = (uint32_t)TCP_WINDOW_MAX << c->rcv_wscale;

	/* RFC 9293, 3.8.6: never take back what was promised. */
	if (wnd < cur)
		wnd = align_up(cur, c->rcv_wscale);
	if (wnd > max)
		wnd = max;
	c->rcv_wnd = wnd;
	c->rcv_wup = c->rcv_nxt;
	return (uint16_t)(wnd >> c->rcv_wscale);
}

/* The window follows what arrives: two segments for each, up to what the buffer holds. */
void tcp_grow_window(struct tcp_conn *c, uint32_t len)
{
	uint32_t limit = free_space(c), step = 2 * c->advmss;

	if (limit > c->window_clamp)
		limit = c->window_clamp;
	if (limit <= c->rcv_ssthresh)
		return;
	if (step < 2 * len)
		step = 2 * len;
	c->rcv_ssthresh += step < limit - c->rcv_ssthresh ? step : limit - c->rcv_ssthresh;
	c->quick |= 1;
}

static void rcv_rtt_update(struct tcp_conn *c, int64_t sample, bool least)
{
	if (sample <= 0)
		sample = 1;
	if (!c->rcv_rtt_ns)
		c->rcv_rtt_ns = sample;
	else if (!least)
		c->rcv_rtt_ns += (sample - c->rcv_rtt_ns) / 8;
	else if (sample < c->rcv_rtt_ns)
		c->rcv_rtt_ns = sample;
}

void tcp_rcv_rtt_sample(struct tcp_conn *c, const struct tcp_rx *rx)
{
	int64_t now = tcp_now(c);

	if (c->has_ts && rx->o.has_ts && rx->o.ts_ecr) {
		if (rx->len >= c->rcv_mss)
			rcv_rtt_update(c, (int64_t)(uint32_t)(tcp_ts_now(c) - rx->o.ts_ecr) * NS_PER_MS, false);
		return;
	}
	/* Without timestamps: as long as a window takes to come in. */
	if (c->rtt_seq_ns && seq_lt(c->rcv_nxt, c->rtt_seq))
		return;
	if (c->rtt_seq_ns)
		rcv_rtt_update(c, now - c->rtt_seq_ns, true);
	c->rtt_seq = c->rcv_nxt + c->rcv_wnd;
	c->rtt_seq_ns = now;
}

static void grow_buffer(struct tcp_conn *c, uint32_t copied)
{
	uint64_t want = (uint64_t)copied * 2 + 16ull * c->advmss, grow, buf;
	uint32_t clamp = tcp_queue_clamp(c, c->advmss);

	/* What comes in a round trip, doubled, and as much again as it has grown by: slow start doubles. */
	grow = want * (copied - c->space_bytes) / (c->space_bytes ? c->space_bytes : 1);
	want += grow * 2;
	buf = want * 2;
	if (buf > c->proto->set.rmem.max)
		buf = c->proto->set.rmem.max;
	if (buf / 2 > clamp)
		buf = (uint64_t)clamp * 2;
	if (buf > c->rcvbuf) {
		c->rcvbuf = (uint32_t)buf;
		c->window_clamp = win_from_space(c->rcvbuf);
		if (c->user_clamp && c->window_clamp > c->user_clamp)
			c->window_clamp = c->user_clamp;
		if (!c->has_wscale && c->window_clamp > TCP_WINDOW_MAX)
			c->window_clamp = TCP_WINDOW_MAX;
	}
}

void tcp_space_adjust(struct tcp_conn *c)
{
	int64_t now = tcp_now(c);
	uint32_t copied;

	if (!c->rcv_rtt_ns || now - c->space_ns < c->rcv_rtt_ns)
		return;
	copied = c->copied_seq - c->space_seq;
	if (copied > c->space_bytes) {
		if (c->moderate && !c->rcvbuf_locked)
			grow_buffer(c, copied);
		c->space_bytes = copied;
	}
	c->space_seq = c->copied_seq;
	c->space_ns = now;
}

/* The user read: an acknowledgement that waited for it, or news of a window that has grown a good deal. */
void tcp_cleanup_rbuf(struct tcp_conn *c, size_t copied)
{
	bool now = false;

	if (!TCPS_IN(c->state, TCPS_SYNCHRONIZED))
		return;
	if (c->ack_pending & ACK_SCHED)
		now = c->rcv_nxt - c->rcv_wup > c->rcv_mss ||
		      (copied && (c->ack_pending & ACK_PUSHED2 ||
				  (c->ack_pending & ACK_PUSHED && !c->pingpong)) && !c->rcv_bytes);
	if (copied && !now && !c->rx_shut) {
		uint32_t cur = tcp_rcv_window(c), wnd;

		if (2 * (uint64_t)cur <= c->window_clamp) {
			wnd = tcp_calc_window(c);
			now = wnd && wnd >= 2 * (uint64_t)cur;
		}
	}
	if (now)
		tcp_send_ack(c);
}
