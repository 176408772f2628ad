/* Data received: in order, ahead of its turn, twice; and when to acknowledge it (RFC 9293, 3.8.6.3; RFC 5681, 4.2). */
#include "transport/tcp/impl.h"

enum { COALESCE_MAX = 1024 };

static void event_quick(struct tcp_conn *c, uint32_t max)
{
	uint32_t n = c->rcv_wnd / (2 * c->rcv_mss);

	if (!n)
		n = 2;
	if (n > max)
		n = max;
	if (n > c->quick)
		c->quick = (uint8_t)n;
}

void tcp_quickack_mode(struct tcp_conn *c)
{
	event_quick(c, TCP_MAX_QUICKACKS);
	c->pingpong = 0;
	c->ato_ns = TCP_ATO_MIN_NS;
}

static void measure_mss(struct tcp_conn *c, const struct tcp_rx *rx)
{
	uint32_t len = rx->segs > 1 && rx->pkt && rx->pkt->gso_size ? rx->pkt->gso_size : rx->len;

	if (len >= c->rcv_mss) {
		c->rcv_mss = len < c->advmss ? len : c->advmss;
		if (c->rcv_mss < TCP_MIN_MSS)
			c->rcv_mss = TCP_MIN_MSS;
		return;
	}
	if (c->ack_pending & ACK_PUSHED)
		c->ack_pending |= ACK_PUSHED2;
	c->ack_pending |= ACK_PUSHED;
}

void tcp_data_event(struct tcp_conn *c, const struct tcp_rx *rx)
{
	int64_t now = tcp_now(c), gap = now - c->last_rx_ns;

	c->ack_pending |= ACK_SCHED;
	measure_mss(c, rx);
	tcp_rcv_rtt_sample(c, rx);
	if (!c->ato_ns) {
		/* The first data: acknowledge at once while the peer's window opens. */
		event_quick(c, TCP_MAX_QUICKACKS);
		c->ato_ns = TCP_ATO_MIN_NS;
	} else if (gap <= TCP_ATO_MIN_NS / 2) {
		c->ato_ns = c->ato_ns / 2 + TCP_ATO_MIN_NS / 2;
	} else if (gap < c->ato_ns) {
		c->ato_ns = c->ato_ns / 2 + gap;
		if (c->ato_ns > rtt_rto(&c->rtt))
			c->ato_ns = rtt_rto(&c->rtt);
	} else if (gap > rtt_rto(&c->rtt)) {
		/* The sender starts anew after a pause. */
		event_quick(c, TCP_MAX_QUICKACKS);
	}
	c->last_rx_ns = now;
	tcp_ecn_check_ce(c, rx);
	if (rx->len >= 128)
		tcp_grow_window(c, rx->len);
}

/* A short packet goes into the room behind the one before: else many would cost many times their bytes. */
static bool coalesce(struct tcp_conn *c, struct pkt *pkt)
{
	struct pkt *tail;
	uint8_t *room;

	if (list_empty(&c->rcvq) || pkt->len > COALESCE_MAX)
		return false;
	tail = container_of(c->rcvq.prev, struct pkt, node);
	room = pkt_put(tail, pkt->len);
	if (!room)
		return false;
	pkt_copy_out(pkt, 0, room, pkt->len);
	tail->rx_wall_ns = pkt->rx_wall_ns;
	pkt_free(pkt);
	return true;
}

void tcp_queue_data(struct tcp_conn *c, struct pkt *pkt)
{
	uint32_t len = pkt->len;

	c->rcv_nxt += len;
	c->rcv_bytes += len;
	c->n.bytes_received += len;
	if (coalesce(c, pkt))
		return;
	/* Counted as it is now: reading takes fragments away. */
	pkt->frag_off = (uint32_t)ooo_cost(pkt);
	c->rcv_truesize += pkt->frag_off;
	list_init(&pkt->node);
	list_push_back(&c->rcvq, &pkt->node);
}

void tcp_fin_received(struct tcp_conn *c)
{
	c->rcv_nxt++;
	c->ooo.has_fin = false;		/* no block of its own any more */
	c->n.bytes_received++;		/* as Linux counts (tcpEStatsAppHCThruOctetsReceived) */
	c->ack_pending |= ACK_SCHED;
	c->rx_shut = true;
	switch (c->state) {
	case TCPS_SYN_RECV:
	case TCPS_ESTABLISHED:
		tcp_set_state(c, TCPS_CLOSE_WAIT);
		c->pingpong = 3;
		break;
	case TCPS_FIN_WAIT1:
		/* Simultaneous close (RFC 9293, 3.6, figure 13). */
		tcp_send_ack(c);
		tcp_set_state(c, TCPS_CLOSING);
		break;
	case TCPS_FIN_WAIT2:
		tcp_send_ack(c);
		ooo_fini(&c->ooo);
		tcp_time_wait(c);
		return;
	default:
		break;
	}
	ooo_fini(&c->ooo);
	tcp_wake(c, WAIT_IN | WAIT_OUT | (c->tx_shut ? WAIT_HUP : 0));
}

/* What was waiting for the hole to be filled. */
static void take_from_ooo(struct tcp_conn *c)
{
	struct pkt *pkt;

	if (ooo_empty(&c->ooo))
		return;
	while ((pkt = ooo_pop(&c->ooo, c->rcv_nxt)))
		tcp_queue_data(c, pkt);
	if (!c->has_sack)
		c->ooo.has_dsack = false;
	/* RFC 5681, 4.2: at once when all or part of a gap is filled. */
	if (c->ooo.nruns == 0)
		c->ack_pending |= ACK_NOW;
	if (ooo_fin_at(&c->ooo, c->rcv_nxt))
		tcp_fin_received(c);
}

/* Memory, not bytes, is what a hostile sender uses up. */
static bool memory_ok(struct tcp_conn *c, const struct pkt *pkt)
{
	/* A window is promised in bytes, and kept though the buffer has been made smaller since (RFC 9293, SHLD-14). */
	uint32_t promised = c->rcv_bytes + tcp_rcv_window(c);
	size_t limit = 2 * (size_t)(promised > c->rcvbuf ? promised : c->rcvbuf) + 4 * CHUNK_MAX;

	if (pkt->len <= COALESCE_MAX || c->rcv_truesize + ooo_truesize(&c->ooo) + ooo_cost(pkt) <= limit)
		return true;
	if (c->rcv_truesize > 2 * (size_t)c->rcv_bytes)
		tcp_collapse(c);
	ooo_prune(&c->ooo, limit > c->rcv_truesize ? (limit - c->rcv_truesize) / 2 : 0);
	return c->rcv_truesize + ooo_truesize(&c->ooo) + ooo_cost(pkt) <= limit;
}

static void out_of_window(struct tcp_conn *c)
{
	tcp_quickack_mode(c);
	c->ack_pending |= ACK_SCHED;
}

static void dsack(struct tcp_conn *c, uint32_t left, uint32_t right)
{
	if (c->has_sack)
		ooo_dsack(&c->ooo, left, right);
}

static void in_order(struct tcp_conn *c, struct tcp_rx *rx, bool fin)
{
	struct pkt *pkt = rx->pkt;
	bool empty = !c->rcv_bytes;

	if (rx->len && !memory_ok(c, pkt)) {
		stat_inc(&c->ep.stats.receive_errors.receive_buffer_overflow);
		out_of_window(c);
		return;
	}
	/* A FIN that did not wait for the window to open would come again and again. */
	if (!tcp_rcv_window(c))
		c->ack_pending |= ACK_SCHED | ACK_NOW;
	if (rx->len) {
		tcp_data_event(c, rx);
		rx->pkt = NULL;
		tcp_queue_data(c, pkt);
	}
	if (fin)
		tcp_fin_received(c);
	else
		take_from_ooo(c);
	if (c->state == TCPS_CLOSE)
		return;
	if (rx->len && (empty || c->rcv_bytes >= c->rcv_lowat))
		tcp_wake(c, WAIT_IN);
}

static void ahead(struct tcp_conn *c, struct tcp_rx *rx, bool fin)
{
	size_t limit = 2 * (size_t)c->rcvbuf;
	struct pkt *pkt = rx->pkt;
	enum ooo_result r;

	tcp_ecn_check_ce(c, rx);
	measure_mss(c, rx);
	c->ack_pending |= ACK_SCHED;
	c->n.rcv_ooo += rx->segs;
	if (rx->len >= c->rcv_mss)
		tcp_grow_window(c, rx->len);
	limit = limit > c->rcv_truesize ? limit - c->rcv_truesize : 0;
	if (limit < (size_t)c->rcvbuf / 2)
		limit = (size_t)c->rcvbuf / 2;
	rx->pkt = NULL;
	r = ooo_insert(&c->ooo, rx->len ? pkt : (pkt_free(pkt), NULL), rx->seq, fin, limit);
	if (r == OOO_DROPPED)
		stat_inc(&c->ep.stats.receive_errors.receive_buffer_overflow);
	if (!c->has_sack)
		c->ooo.has_dsack = false;
}

/* RFC 9293, 3.10.7.4: cut to the window; but what begins in it is taken whole where nothing waits to be read. */
static void trim(struct tcp_conn *c, struct tcp_rx *rx, bool *fin)
{
	uint32_t end = c->rcv_nxt + tcp_rcv_window(c), data_end = rx->seq + rx->len;

	if (seq_lt(rx->seq, end) && !c->rcv_bytes)
		return;
	if (seq_gt(data_end, end)) {
		uint32_t len = seq_gt(end, rx->seq) ? end - rx->seq : 0;

		pkt_trim(rx->pkt, len);
		rx->len = len;
		*fin = false;
		rx->end_seq = rx->seq + len;
	}
}

void tcp_data(struct tcp_conn *c, struct tcp_rx *rx)
{
	bool fin = rx->flags & TCP_FIN;

	if (seq_le(rx->end_seq, c->rcv_nxt)) {
		dsack(c, rx->seq, rx->end_seq);
		out_of_window(c);
		return;
	}
	if (seq_lt(rx->seq, c->rcv_nxt)) {
		uint32_t old = c->rcv_nxt - rx->seq;

		dsack(c, rx->seq, c->rcv_nxt);
		if (old > rx->len)
			old = rx->len;
		pkt_pull(rx->pkt, old);
		rx->len -= old;
		rx->seq += old;
		tcp_quickack_mode(c);
		c->ack_pending |= ACK_SCHED;
	}
	trim(c, rx, &fin);
	if (!rx->len && !fin) {
		out_of_window(c);	/* a probe of a closed window */
		return;
	}
	if (rx->seq == c->rcv_nxt)
		in_order(c, rx, fin);
	else if (seq_lt(rx->seq, c->rcv_nxt + tcp_rcv_window(c)))
		ahead(c, rx, fin);
	else
		out_of_window(c);
}

void tcp_send_dsack_ack(struct tcp_conn *c, const struct tcp_rx *rx)
{
	if (rx->end_seq != rx->seq && seq_lt(rx->seq, c->rcv_nxt)) {
		tcp_quickack_mode(c);
		dsack(c, rx->seq, seq_min(rx->end_seq, c->rcv_nxt));
	}
	tcp_send_ack(c);
}

void tcp_ack_sent(struct tcp_conn *c, uint32_t segs)
{
	if (c->quick) {
		c->quick = c->quick > segs ? (uint8_t)(c->quick - segs) : 0;
		if (!c->quick)
			c->ato_ns = TCP_ATO_MIN_NS;
	}
	c->ack_pending = 0;
	c->delack_at = CLOCK_NEVER;
}

static void delay_ack(struct tcp_conn *c)
{
	int64_t ato = c->ato_ns, now = tcp_now(c), at, max = 500 * NS_PER_MS;

	if (ato > TCP_ATO_MIN_NS) {
		if (c->pingpong || c->ack_pending & ACK_PUSHED)
			max = TCP_DELACK_MAX_NS;
		if (c->rtt.srtt_ns && c->rtt.srtt_ns < max)
			max = c->rtt.srtt_ns > TCP_ATO_MIN_NS ? c->rtt.srtt_ns : TCP_ATO_MIN_NS;
		if (ato > max)
			ato = max;
	}
	if (ato > TCP_DELACK_MAX_NS)
		ato = TCP_DELACK_MAX_NS;
	at = now + ato;
	if (c->ack_pending & ACK_TIMER) {
		/* Nearly due anyway. */
		if (c->delack_at <= now + ato / 4) {
			tcp_send_ack(c);
			return;
		}
		if (at >= c->delack_at)
			at = c->delack_at;
	}
	c->ack_pending |= ACK_SCHED | ACK_TIMER;
	c->delack_at = at;
	tcp_timer_kick(c, at);
}

void tcp_check_ack(struct tcp_conn *c, bool ooo)
{
	if (!(c->ack_pending & ACK_SCHED))
		return;
	/* RFC 9293, 3.8.6.3: at least every second full segment; and when the window can move on. */
	if ((c->rcv_nxt - c->rcv_wup > c->rcv_mss &&
	     (c->rcv_bytes < c->rcv_lowat || tcp_calc_window(c) >= c->rcv_wnd)) ||
	    (c->quick && !c->pingpong) || c->quick_lock || c->ack_pending & ACK_NOW ||
	    (ooo && !ooo_empty(&c->ooo)) || c->ooo.has_dsack) {
		tcp_send_ack(c);
		return;
	}
	delay_ack(c);
}

void tcp_delack_timeout(struct tcp_conn *c)
{
	if (!(c->ack_pending & ACK_SCHED) || c->state == TCPS_CLOSE)
		return;
	if (!c->pingpong) {
		/* A wrong guess: wait longer the next time. */
		c->ato_ns = c->ato_ns * 2 < rtt_rto(&c->rtt) ? c->ato_ns * 2 : rtt_rto(&c->rtt);
	} else {
		c->pingpong = 0;
		c->ato_ns = TCP_ATO_MIN_NS;
	}
	tcp_send_ack(c);
}

/* RFC 9293, 3.8.5, RFC 6093: the mark, and the byte before it for those who read it apart. */
void tcp_urgent(struct tcp_conn *c, struct tcp_rx *rx)
{
	uint32_t mark = rx->seq + rx->h.urg;

	if (!rx->h.urg)
		return;
	/* As Linux and BSD: the pointer is of the byte after. */
	mark--;
	if (seq_gt(c->copied_seq, mark) || seq_lt(mark, c->rcv_nxt))
		goto byte;
	if (c->urg_state != URG_NONE && seq_le(mark, c->rcv_up))
		goto byte;
	c->urg_state = URG_NOTYET;
	c->rcv_up = mark;
	tcp_wake(c, WAIT_PRI);
byte:
	if (c->urg_state == URG_NOTYET && rx->len && seq_ge(c->rcv_up, rx->seq) &&
	    seq_lt(c->rcv_up, rx->seq + rx->len)) {
		pkt_copy_out(rx->pkt, c->rcv_up - rx->seq, &c->urg_byte, 1);
		c->urg_state = URG_VALID;
		tcp_wake(c, WAIT_PRI);
	}
}
