/* Endpoint operations: read, write, readiness (RFC 9293, 3.10.2 and 3.10.3). */
#include "transport/tcp/impl.h"

static uint32_t queued(const struct tcp_conn *c)
{
	return c->write_seq - c->snd_una;
}

static bool has_space(const struct tcp_conn *c)
{
	uint32_t used = queued(c);

	/* A third free, as Linux's sk_stream_is_writeable(): a writer is not woken for crumbs. */
	return used < c->sndbuf && c->sndbuf - used >= used / 2 && tcp_unsent(c) < c->notsent_lowat;
}

void tcp_wrote_space(struct tcp_conn *c)
{
	if (!c->want_space || !has_space(c))
		return;
	c->want_space = false;
	tcp_chrono(c, CHRONO_SNDBUF, false);
	tcp_wake(c, WAIT_OUT);
}

/* Two windows' worth, with what packets cost beside their bytes (Linux: tcp_sndbuf_expand()). */
void tcp_sndbuf_expand(struct tcp_conn *c)
{
	uint32_t per = 1024, segs = c->cc.cwnd > TCP_CC_INIT_CWND ? c->cc.cwnd : TCP_CC_INIT_CWND;
	uint64_t want;

	if (c->sndbuf_locked || c->sndbuf >= c->proto->set.wmem.max)
		return;
	if (segs < c->reordering + 1u)
		segs = c->reordering + 1u;
	while (per < c->mss + 640)
		per *= 2;
	want = 2ull * segs * (per + 256);
	if (want > c->proto->set.wmem.max)
		want = c->proto->set.wmem.max;
	if (want > c->sndbuf)
		c->sndbuf = (uint32_t)want;
}

static enum ns_err write_check(struct tcp_conn *c, const struct write_opts *o)
{
	struct endpoint *ep = &c->ep;

	if (ep->err)
		return endpoint_take_error(ep);
	if (tcp_connecting(c)) {
		c->write_waits = o->waits;
		return NS_ERR_WOULD_BLOCK;
	}
	if (c->state == TCPS_LISTEN || (c->state == TCPS_CLOSE && !c->tx_shut)) {
		stat_inc(&ep->stats.write_errors.invalid_endpoint_state);
		return NS_ERR_CLOSED_FOR_SEND;
	}
	if (c->tx_shut || (!TCPS_IN(c->state, TCPS_CAN_SEND) && c->state != TCPS_SYN_RECV)) {
		stat_inc(&ep->stats.write_errors.write_closed);
		return NS_ERR_CLOSED_FOR_SEND;
	}
	return NS_OK;
}

static void note_app_limited(struct tcp_conn *c)
{
	if (tcp_unsent(c) < c->mss && tcp_in_flight(c) < c->cc.cwnd && c->lost_out <= c->retrans_out)
		c->app_limited = c->n.delivered + tcp_in_flight(c) ? c->n.delivered + tcp_in_flight(c) : 1;
}

enum ns_err tcp_write(struct endpoint *ep, struct payload *p, const struct write_opts *o, size_t *n)
{
	struct tcp_conn *c = tcp_of(ep);
	enum ns_err err;
	size_t room, len = p->len;

	if (c->state == TCPS_CLOSE && !ep->err && (o->fast_open || c->fo_deferred))
		return tcp_fo_write(c, p, o, n);
	/* One connection is all there can be. */
	if (o->fast_open && tcp_connecting(c))
		return NS_ERR_ALREADY_CONNECTING;
	err = write_check(c, o);
	if (err)
		return err;
	room = tcp_write_room(c);
	if (tcp_unsent(c) >= c->notsent_lowat)
		room = 0;
	if (room < len && (o->atomic || !room)) {
		c->want_space = true;
		if (!tcp_unsent(c) && !c->is_cwnd_limited)
			tcp_chrono(c, CHRONO_SNDBUF, true);
		return NS_ERR_WOULD_BLOCK;
	}
	if (len > room)
		len = room;
	note_app_limited(c);
	tcp_hold(c);
	tcp_chrono(c, CHRONO_BUSY, true);
	*n = tcp_write_pieces(c, p, len);
	/* What was sent meanwhile has made room in the last piece. */
	while (p->len && *n >= len && (room = tcp_write_room(c))) {
		size_t more = tcp_write_pieces(c, p, p->len < room ? p->len : room);

		if (!more)
			break;
		len += more;
		*n += more;
	}
	c->want_space |= p->len != 0;
	if (!*n && len) {
		tcp_put(c);
		return NS_ERR_NO_MEMORY;
	}
	if (o->oob && *n && !p->len) {
		c->urg_out = true;
		c->snd_up = c->write_seq;
	}
	if (o->end_of_record && *n && !p->len)
		tcp_end_record(c);
	if (!o->more)
		tcp_push_end(c);
	c->more = o->more;
	tcp_output(c, false);
	c->more = false;
	tcp_put(c);
	return NS_OK;
}

bool tcp_at_mark(const struct tcp_conn *c)
{
	return c->urg_state != URG_NONE && c->copied_seq == c->rcv_up;
}

static enum ns_err read_oob(struct tcp_conn *c, struct read_msg *m)
{
	/* tcp(7): also when it was read already, or is in line. */
	if (c->oob_inline || c->urg_state == URG_NONE || c->urg_state == URG_READ)
		return NS_ERR_INVALID_OPTION_VALUE;
	if (c->urg_state != URG_VALID)
		return c->rx_shut ? NS_ERR_CLOSED_FOR_RECEIVE : NS_ERR_WOULD_BLOCK;
	m->n = 0;
	for (int i = 0; i < m->iovcnt; i++) {
		if (!m->iov[i].iov_len)
			continue;
		*(uint8_t *)m->iov[i].iov_base = c->urg_byte;
		m->n = 1;
		break;
	}
	m->msg_len = m->n;
	if (!m->peek)
		c->urg_state = URG_READ;
	return NS_OK;
}

static enum ns_err nothing_to_read(struct tcp_conn *c)
{
	struct endpoint *ep = &c->ep;

	if (ep->err)
		return endpoint_take_error(ep);
	if (c->fo_deferred)
		return NS_ERR_WOULD_BLOCK;
	if (c->state == TCPS_LISTEN || (c->state == TCPS_CLOSE && !c->rx_shut)) {
		stat_inc(&ep->stats.read_errors.invalid_endpoint_state);
		return NS_ERR_NOT_CONNECTED;
	}
	if (c->rx_shut) {
		stat_inc(&ep->stats.read_errors.read_closed);
		return NS_ERR_CLOSED_FOR_RECEIVE;
	}
	return NS_ERR_WOULD_BLOCK;
}

/* Drops @n bytes from the front of the queue. */
static void consume(struct tcp_conn *c, uint32_t n)
{
	c->copied_seq += n;
	c->rcv_bytes -= n;
	while (n) {
		struct pkt *pkt = container_of(c->rcvq.next, struct pkt, node);

		if (n < pkt->len) {
			pkt_pull(pkt, n);
			break;
		}
		n -= pkt->len;
		list_remove(&pkt->node);
		c->rcv_truesize -= pkt->frag_off;
		pkt_free(pkt);
	}
}

struct cursor {
	const struct iovec *iov;
	int cnt;
	size_t off;
};

/* Copies up to @max bytes of @pkt from @off on to where the cursor stands. */
static size_t copy_pkt(const struct pkt *pkt, size_t off, size_t max, struct cursor *to)
{
	size_t done = 0, n = pkt->len - off;

	if (n > max)
		n = max;
	while (to->cnt && done < n) {
		size_t room = to->iov->iov_len - to->off, m = n - done < room ? n - done : room;

		pkt_copy_out(pkt, off + done, (uint8_t *)to->iov->iov_base + to->off, m);
		to->off += m;
		done += m;
		if (to->off == to->iov->iov_len) {
			to->iov++;
			to->cnt--;
			to->off = 0;
		}
	}
	return done;
}

/* How far a read may go in one piece: it stops before the urgent byte (RFC 9293, 3.8.5). */
uint32_t tcp_readable(const struct tcp_conn *c)
{
	if (c->urg_state == URG_NONE || seq_lt(c->rcv_up, c->copied_seq) ||
	    c->rcv_up - c->copied_seq >= c->rcv_bytes)
		return c->rcv_bytes;
	return c->rcv_up - c->copied_seq;
}

static void skip_urgent(struct tcp_conn *c)
{
	if (c->urg_state == URG_NONE || c->copied_seq != c->rcv_up || !c->rcv_bytes)
		return;
	if (!c->oob_inline)
		consume(c, 1);
}

static void forget_mark(struct tcp_conn *c)
{
	if (c->urg_state != URG_NONE && seq_gt(c->copied_seq, c->rcv_up) && c->urg_state != URG_VALID)
		c->urg_state = URG_NONE;
	else if (c->oob_inline && c->urg_state == URG_VALID && seq_gt(c->copied_seq, c->rcv_up))
		c->urg_state = URG_NONE;
}

static size_t read_queue(struct tcp_conn *c, struct read_msg *m, size_t limit)
{
	struct cursor to = { m->iov, m->iovcnt, 0 };
	size_t done = 0;

	list_for_each(n, &c->rcvq) {
		const struct pkt *pkt = container_of(n, struct pkt, node);
		size_t got = copy_pkt(pkt, 0, limit - done, &to);

		if (got) {
			m->has_timestamp = true;
			m->timestamp_ns = pkt->rx_wall_ns;
		}
		done += got;
		if (done == limit || got < pkt->len)
			break;
	}
	return done;
}

enum ns_err tcp_read(struct endpoint *ep, struct read_msg *m)
{
	struct tcp_conn *c = tcp_of(ep);
	uint32_t limit;
	size_t n;

	if (m->oob)
		return read_oob(c, m);
	m->at_mark = tcp_at_mark(c);
	if (!m->peek)
		skip_urgent(c);
	if (!c->rcv_bytes)
		return nothing_to_read(c);
	limit = tcp_readable(c);
	if (!limit)
		limit = c->rcv_bytes;	/* in line: it starts with the urgent byte */
	n = read_queue(c, m, limit);
	m->n = m->msg_len = n;
	if (!m->peek && n) {
		consume(c, (uint32_t)n);
		forget_mark(c);
		tcp_space_adjust(c);
		tcp_cleanup_rbuf(c, n);
	}
	m->has_inq = true;
	m->inq = (int32_t)c->rcv_bytes;
	return NS_OK;
}

int tcp_peek_iov(struct endpoint *ep, struct iovec *iov, int max, bool *end)
{
	struct tcp_conn *c = tcp_of(ep);
	uint32_t left;
	int n = 0;

	skip_urgent(c);
	*end = !c->rcv_bytes && c->rx_shut;
	left = tcp_readable(c);
	if (!left)
		left = c->rcv_bytes;
	list_for_each(node, &c->rcvq) {
		const struct pkt *pkt = container_of(node, struct pkt, node);
		struct iovec parts[PKT_MAX_FRAGS + 1];
		int nparts = pkt_iov(pkt, parts);

		for (int i = 0; i < nparts && n < max && left; i++) {
			iov[n] = parts[i];
			if (iov[n].iov_len > left)
				iov[n].iov_len = left;
			left -= (uint32_t)iov[n++].iov_len;
		}
		if (n == max || !left)
			break;
	}
	return n;
}

int tcp_peek_times(struct endpoint *ep, size_t bytes, struct rx_time *out, int max)
{
	struct tcp_conn *c = tcp_of(ep);
	int n = 0;

	list_for_each(node, &c->rcvq) {
		const struct pkt *pkt = container_of(node, struct pkt, node);
		size_t part = pkt->len < bytes ? pkt->len : bytes;

		if (!part || n == max)
			break;
		out[n++] = (struct rx_time){ part, pkt->rx_wall_ns };
		bytes -= part;
	}
	return n;
}

void tcp_consume(struct endpoint *ep, size_t n)
{
	struct tcp_conn *c = tcp_of(ep);

	if (n > c->rcv_bytes)
		n = c->rcv_bytes;
	if (!n)
		return;
	consume(c, (uint32_t)n);
	forget_mark(c);
	tcp_space_adjust(c);
	tcp_cleanup_rbuf(c, n);
}

uint32_t tcp_readiness(struct endpoint *ep)
{
	struct tcp_conn *c = tcp_of(ep);
	uint32_t r = 0;

	if (c->state == TCPS_LISTEN)
		return tcp_listen_ready(c) ? WAIT_IN : 0;
	if (c->fo_deferred)
		return WAIT_OUT;
	if ((c->rx_shut && c->tx_shut) || c->state == TCPS_CLOSE)
		r |= WAIT_HUP;
	if (c->rx_shut || c->rcv_bytes >= c->rcv_lowat || ep->err)
		r |= WAIT_IN;
	if (c->rx_shut)
		r |= WAIT_RDHUP;
	if (!tcp_connecting(c) && (c->tx_shut || has_space(c)))
		r |= WAIT_OUT;
	else if (!tcp_connecting(c))
		c->want_space = true;
	if (c->urg_state == URG_VALID)
		r |= WAIT_PRI;
	return r;
}
