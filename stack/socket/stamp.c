/*
 * Time stamps: SO_TIMESTAMP, SO_TIMESTAMPNS, SO_TIMESTAMPING (socket(7), Documentation/networking/timestamping.rst of Linux).
 *
 * Received datagrams bring the time at which they came. Of those sent a stamper (core/txstamp.h) is told when they go out; the
 * error queue tells the program. Nothing lies between the queue of a NIC and its link: scheduled and sent are one moment. There
 * is no hardware to stamp anything.
 *
 * Of a stream the last byte of each write is stamped, whose offset from where SOF_TIMESTAMPING_OPT_ID was set is its number,
 * and besides it is told when the peer has acknowledged it.
 */
#include <errno.h>
#include <stddef.h>
#include <time.h>

#include <linux/errqueue.h>
#include <linux/net_tstamp.h>

#include "header/eth.h"
#include "socket/opt.h"
#include "transport/packet.h"

enum {
	/* Of newer kernels' headers. */
	OPT_ID_TCP = 1 << 16, OPT_RX_FILTER = 1 << 17, TX_COMPLETION = 1 << 18, FLAGS_ALL = (1 << 19) - 1,
	RECORD = SOF_TIMESTAMPING_TX_HARDWARE | SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_TX_SCHED | SOF_TIMESTAMPING_TX_ACK |
		 TX_COMPLETION,
	LINUX_TCP_CLOSE = 7, LINUX_TCP_LISTEN = 10,
};

/* The newer numbers' form, which one option decides for all. */
static void set_form(struct sock *k, const struct opt_row *row)
{
	k->recv_flags = (k->recv_flags & ~(uint32_t)WANT_TIME_NEW) | (row->bit & WANT_TIME_NEW);
}

int opt_set_time(struct sock *k, const struct opt_row *row, const void *val, socklen_t len)
{
	int v, r = opt_take_int(row, val, len, &v);

	if (r)
		return r;
	k->recv_flags &= ~(uint32_t)(WANT_TIME | WANT_TIME_NS);
	if (v) {
		k->recv_flags |= row->bit & (WANT_TIME | WANT_TIME_NS);
		set_form(k, row);
	}
	return 0;
}

int opt_get_time(struct sock *k, const struct opt_row *row, void *val, socklen_t *len)
{
	uint32_t have = k->recv_flags & (WANT_TIME | WANT_TIME_NS | WANT_TIME_NEW);

	return opt_put_int(row, val, len, have == row->bit);
}

/* sock_set_timestamping() */
static int check_flags(const struct sock *k, uint32_t flags)
{
	bool starts = flags & SOF_TIMESTAMPING_OPT_ID && !(k->stamping & SOF_TIMESTAMPING_OPT_ID);

	if (flags & ~(uint32_t)FLAGS_ALL)
		return -EINVAL;
	if (flags & OPT_ID_TCP && !(flags & SOF_TIMESTAMPING_OPT_ID))
		return -EINVAL;
	if (starts && k->type == SOCK_STREAM) {
		uint32_t state = endpoint_state(k->ep);

		if (k->listening || state == LINUX_TCP_CLOSE || state == LINUX_TCP_LISTEN)
			return -EINVAL;
	}
	if (flags & SOF_TIMESTAMPING_OPT_STATS && !(flags & SOF_TIMESTAMPING_OPT_TSONLY))
		return -EINVAL;
	/* No NIC has a clock that could be bound to. */
	if (flags & SOF_TIMESTAMPING_BIND_PHC)
		return k->ep->opts.bind_nic ? -EINVAL : -EOPNOTSUPP;
	return 0;
}

/* Where the numbers of a stream's stamps start. */
static uint32_t first_key(struct sock *k, uint32_t flags)
{
	int64_t seq = 0, queued = 0;

	if (k->type != SOCK_STREAM || endpoint_get_int(k->ep, SOCKOPT_WRITE_SEQ, &seq))
		return 0;
	if (!(flags & OPT_ID_TCP))
		endpoint_get_int(k->ep, SOCKOPT_SEND_QUEUE_SIZE, &queued);
	return (uint32_t)(seq - queued);
}

int opt_set_stamping(struct sock *k, const struct opt_row *row, const void *val, socklen_t len)
{
	int v, r = opt_take_int(row, val, len, &v);	/* of a struct so_timestamping the first member */

	if (!r)
		r = check_flags(k, (uint32_t)v);
	if (r)
		return r;
	if (v & SOF_TIMESTAMPING_OPT_ID && !(k->stamping & SOF_TIMESTAMPING_OPT_ID))
		k->stamp_key = first_key(k, (uint32_t)v);
	k->stamping = (uint32_t)v;
	set_form(k, row);
	return 0;
}

int opt_get_stamping(struct sock *k, const struct opt_row *row, void *val, socklen_t *len)
{
	struct so_timestamping v = { 0, 0 };

	if (!row->bit || k->recv_flags & WANT_TIME_NEW)
		v.flags = (int)k->stamping;
	return opt_put(val, len, &v, sizeof(v));
}

uint32_t sock_time_flags(const struct sock *k, bool received)
{
	uint32_t r = 0;

	if (k->recv_flags & (WANT_TIME | WANT_TIME_NS))
		r |= SOCK_MSG_TIME;
	if (k->recv_flags & WANT_TIME_NS)
		r |= SOCK_MSG_TIME_NS;
	/* __sock_recv_timestamp(): what others had stamped is told as well, unless that is filtered. */
	if (k->stamping & SOF_TIMESTAMPING_SOFTWARE &&
	    (!received || k->stamping & SOF_TIMESTAMPING_RX_SOFTWARE || !(k->stamping & OPT_RX_FILTER)))
		r |= SOCK_MSG_STAMP;
	return r && k->recv_flags & WANT_TIME_NEW ? r | SOCK_MSG_TIME_NEW : r;
}

/* The frame, as far as there is room. What goes over the loopback has a header for show. */
static size_t copy_frame(const struct nic *nic, const struct pkt *pkt, uint8_t *to, size_t room)
{
	static const struct link_addr zero = { .len = LINK_ADDR_LEN };
	bool lo = pkt->looped || nic_is_loopback(nic);
	struct eth_hdr h = { lo ? zero : pkt->link_dst, lo ? zero : nic->link->addr, pkt->net_proto };
	size_t head = !lo && (pkt->framed || packet_hatype(nic) == HATYPE_NONE) ? 0 : ETH_HDR_LEN;
	struct iovec rest = { to + head, room - head };

	if (head)
		eth_emit(&h, to);
	return head + pkt_copy_iov(pkt, 0, &rest, 1);
}

static struct sock_error *new_entry(struct sock *k, const struct pkt_stamp *stamp, uint32_t info)
{
	struct sock_error *e = sock_new_error(k);

	if (e)
		*e = (struct sock_error){
			.ee_errno = ENOMSG, .origin = SO_EE_ORIGIN_TIMESTAMPING, .info = info,
			.data = k->stamping & SOF_TIMESTAMPING_OPT_ID ? stamp->key : 0, .wall_ns = k->stack->clock->wall_ns,
		};
	return e;
}

/* __skb_tstamp_tx() */
static void queue(struct sock *k, const struct nic *nic, const struct pkt *pkt, uint32_t info)
{
	struct sock_error *e = new_entry(k, &pkt->stamp, info);
	struct full_addr src = { .addr = pkt->src }, dst = { .addr = pkt->dst };

	if (!e || k->stamping & SOF_TIMESTAMPING_OPT_TSONLY)
		return;
	e->ifindex = nic->id;
	e->len = copy_frame(nic, pkt, e->payload, sizeof(e->payload));
	if (k->domain == AF_PACKET || !pkt->src.len)
		return;
	e->offender_len = sock_addr_from_full(&src, k->domain, &e->offender);
	e->dest_len = sock_addr_from_full(&dst, k->domain, &e->dest);
}

static void note_sent(struct tx_stamper *t, struct nic *nic, const struct pkt *pkt)
{
	struct sock *k = container_of(t, struct sock, stamper);

	if (pkt->stamp.what & SOF_TIMESTAMPING_TX_SCHED)
		queue(k, nic, pkt, SCM_TSTAMP_SCHED);
	if (pkt->stamp.what & SOF_TIMESTAMPING_TX_SOFTWARE)
		queue(k, nic, pkt, SCM_TSTAMP_SND);
	if (pkt->stamp.what & (SOF_TIMESTAMPING_TX_SCHED | SOF_TIMESTAMPING_TX_SOFTWARE))
		waiter_notify(&k->ep->wq, WAIT_ERR);
}

/* What is in a stream's queue when it is acknowledged has no headers. */
static void queue_late(struct sock *k, const struct pkt_stamp *stamp, uint32_t info, const struct pkt *payload)
{
	struct sock_error *e = new_entry(k, stamp, info);
	struct iovec room = { e ? e->payload : NULL, e ? sizeof(e->payload) : 0 };

	if (e && payload && !(k->stamping & SOF_TIMESTAMPING_OPT_TSONLY))
		e->len = pkt_copy_iov(payload, 0, &room, 1);
}

static void note_late(struct tx_stamper *t, const struct pkt_stamp *stamp, bool acked, const struct pkt *payload)
{
	struct sock *k = container_of(t, struct sock, stamper);
	uint32_t what = stamp->what & (acked ? SOF_TIMESTAMPING_TX_ACK : SOF_TIMESTAMPING_TX_SCHED | SOF_TIMESTAMPING_TX_SOFTWARE);

	if (what & SOF_TIMESTAMPING_TX_SCHED)
		queue_late(k, stamp, SCM_TSTAMP_SCHED, payload);
	if (what & SOF_TIMESTAMPING_TX_SOFTWARE)
		queue_late(k, stamp, SCM_TSTAMP_SND, payload);
	if (what & SOF_TIMESTAMPING_TX_ACK)
		queue_late(k, stamp, SCM_TSTAMP_ACK, payload);
	if (what)
		waiter_notify(&k->ep->wq, WAIT_ERR);
}

static uint32_t taker(struct sock *k)
{
	if (!k->stamper.id) {
		k->stamper.fn = note_sent;
		k->stamper.late_fn = note_late;
		tx_stamper_add(&k->stack->tx_stamps, &k->stamper);
	}
	return k->stamper.id;
}

void sock_want_stamp(struct sock *k, const struct sock_msg *m, struct pkt_stamp *out)
{
	uint32_t what = m && m->flags & SOCK_MSG_STAMP ? m->stamping : k->stamping;

	*out = (struct pkt_stamp){ .what = what & RECORD & ~(uint32_t)SOF_TIMESTAMPING_TX_ACK, .key = k->stamp_key };
	if (!out->what || k->type == SOCK_STREAM)
		return;
	out->taker = taker(k);
}

bool sock_stamps_sending(const struct sock *k)
{
	return k->stamping & RECORD;
}

bool sock_tells_times(const struct sock *k)
{
	return sock_tells_left(k) || sock_time_flags(k, true);
}

bool sock_tells_left(const struct sock *k)
{
	return k->kept >> KEPT_INQ & 1;
}

int sock_stamp_write(struct sock *k, size_t ahead, const struct sock_stamp_write *w, uint32_t *byte)
{
	uint32_t what = (w->what == SOCK_STAMP_AS_SET ? k->stamping : w->what) & RECORD;
	struct sockopt_tx_stamp v = { .was = w->was, .instead = w->instead };
	int64_t seq;

	if (k->type != SOCK_STREAM || endpoint_get_int(k->ep, SOCKOPT_WRITE_SEQ, &seq))
		return -EOPNOTSUPP;
	v.seq = w->instead ? w->was - (uint32_t)w->less : (uint32_t)(seq + (int64_t)ahead + (int64_t)w->len - 1);
	if (what && (w->instead ? w->less < w->len : w->len > 0))
		v.stamp = (struct pkt_stamp){ taker(k), v.seq - k->stamp_key, what };
	*byte = v.seq;
	return -ns_err_errno(endpoint_set_option(k->ep, SOCKOPT_TX_STAMP, &v, sizeof(v)));
}

void sock_stamp_taken(struct sock *k, bool taken)
{
	k->stamp_key += taken && k->stamping & SOF_TIMESTAMPING_OPT_ID;
}
