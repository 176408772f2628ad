/*
 * Streams: bytes both ways, and how they end.
 *
 * Theory of operation. Up: bytes are read from the pair straight into chunks of the stack's pool and
 * written as a packet; what the stack has no room for yet is kept in @pending, and nothing more is
 * read while there is any. Down: sent from where they lie in the endpoint's receive queue, and
 * consumed as far as the pair took them. So a slow side stops the other: the pair fills up and the
 * program waits, or the receive queue does and the window closes.
 *
 * Ends. The program's end of file is passed on as a FIN once all before it was. Its close looks the
 * same, with a hang-up; if it left anything unread the kernel makes it ECONNRESET, which is passed on
 * as a reset, as close(2) on a TCP socket would. The peer's FIN shuts down the pair towards the
 * program; its reset shuts it down both ways, with the error on the board.
 */
#include <errno.h>
#include <string.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <linux/sockios.h>

#include "host/bell.h"
#include "host/relay.h"
#include "host/rx.h"
#include "host/times.h"

static const int pair_flags = MSG_DONTWAIT | MSG_NOSIGNAL;

enum { TURN_BYTES = 512 * 1024, SUPER_SEGMENT = 65535 - 80 };

static bool closed(const struct relay *r)
{
	return r->ready & RELAY_PAIR_CLOSED;
}

/* The program has closed the socket and will see no more of it. */
static void finish(struct relay *r, bool reset)
{
	if (reset)
		sock_abort(r->k, 0);
	relay_close(r);
}

/* As many bytes as make whole segments, one super-segment of them at most. */
static size_t whole_segments(const struct relay *r)
{
	int64_t mss = 0;

	if (endpoint_get_int(r->k->ep, SOCKOPT_MAX_SEGMENT, &mss) || mss <= 0 || mss > SUPER_SEGMENT)
		return RX_MAX;
	return (size_t)(SUPER_SEGMENT / mss * mss);
}

/* A packet from the pair, in @pending; none at its end. -EAGAIN, or another. */
static int fill_pending(struct relay *r)
{
	const uint32_t more = RELAY_PAIR_END | RELAY_PAIR_URGENT | RELAY_PAIR_CLOSED;
	size_t max = r->bulk ? whole_segments(r) : RX_HEAD;
	int err = rx_read(&r->host->rx, r->host->stack->pool, r->fd, max, &r->pending);

	if (err == -ENOMEM)
		r->host->counters.out_of_memory++;
	if (r->pending)
		r->bulk = r->pending->len >= RX_HEAD;
	/* Less than asked for is all there is: what comes later is an event of its own. */
	if (r->pending && r->pending->len < max && !(r->ready & more) && !(r->shut & RELAY_SHUT_RD))
		r->ready &= ~(uint32_t)RELAY_PAIR_IN;
	return err;
}

static void end_up(struct relay *r)
{
	r->up_ended = true;
	r->ready &= ~(uint32_t)RELAY_PAIR_IN;
	if (!closed(r)) {
		r->shut |= RELAY_SHUT_RD;
		sock_shutdown(r->k, SHUT_WR);
	}
}

/* The stack takes no more: the program is to see that it writes for nothing. */
static void refuse_up(struct relay *r)
{
	pkt_free(r->pending);
	r->pending = NULL;
	r->up_ended = true;
	if (!closed(r))
		relay_shut_pair(r, RELAY_SHUT_RD);
}

/* False: stop. */
static bool write_pending(struct relay *r, size_t *moved)
{
	struct pkt *rest = NULL;
	size_t n = 0;
	enum ns_err err = endpoint_write_pkt(r->k->ep, r->pending, NULL, &n, &rest);

	r->pending = rest;
	*moved += n;
	/* TCP_FASTOPEN_CONNECT: this was the first data, and the connection is only being made. */
	if (err && err != NS_ERR_WOULD_BLOCK && err != NS_ERR_CONNECT_STARTED) {
		if (err != NS_ERR_CLOSED_FOR_SEND)
			r->failed = ns_err_errno(err);
		r->ready |= RELAY_STACK_ERR;
		refuse_up(r);
		return false;
	}
	if (rest)
		r->ready &= ~(uint32_t)RELAY_STACK_OUT;
	return !rest;
}

/* A byte sent with MSG_OOB: its place is where reading the pair stops. False: not now. */
static bool up_urgent(struct relay *r)
{
	int at_mark = 0;
	uint8_t byte;
	struct iovec iov = { &byte, 1 };
	ssize_t n;

	if (ioctl(r->fd, SIOCATMARK, &at_mark) < 0 || !at_mark)
		return true;
	if (recv(r->fd, &byte, 1, MSG_OOB | MSG_PEEK | MSG_DONTWAIT) != 1) {
		r->ready &= ~(uint32_t)RELAY_PAIR_URGENT;
		return true;
	}
	n = sock_send(r->k, &iov, 1, NULL, MSG_OOB);
	if (n == -EAGAIN) {
		r->ready &= ~(uint32_t)RELAY_STACK_OUT;
		return false;
	}
	if (n < 0 && n != -EPIPE) {
		r->failed = (int)-n;
		r->ready |= RELAY_STACK_ERR;
	}
	recv(r->fd, &byte, 1, MSG_OOB | MSG_DONTWAIT);
	r->ready &= ~(uint32_t)RELAY_PAIR_URGENT;
	return true;
}

/* Moves bytes from the program to the stack. -ECONNRESET: the program closed with bytes unread. */
static int up(struct relay *r, size_t *moved)
{
	int err;

	if (r->pending && !write_pending(r, moved))
		return 0;
	while (!r->up_ended && *moved < TURN_BYTES && (r->ready & RELAY_PAIR_IN)) {
		if (!endpoint_readiness(r->k->ep, WAIT_OUT)) {
			r->ready &= ~(uint32_t)RELAY_STACK_OUT;
			return 0;
		}
		if ((r->ready & RELAY_PAIR_URGENT) && !up_urgent(r))
			return 0;
		err = fill_pending(r);
		if (err == -EAGAIN) {
			r->ready &= ~(uint32_t)RELAY_PAIR_IN;
			return 0;
		}
		if (err == -ENOMEM) {
			relay_retry_in(r, 10 * NS_PER_MS);
			return 0;
		}
		if (err < 0)
			return -ECONNRESET;
		if (!r->pending)
			end_up(r);
		else if (!write_pending(r, moved))
			return 0;
	}
	return 0;
}

/* All that the peer sent is with the program, and no more will come. */
static void end_down(struct relay *r)
{
	r->ready &= ~(uint32_t)RELAY_STACK_IN;
	if (r->shut & RELAY_SHUT_WR)
		return;
	relay_flag(r, STACK_BOARD_RCV_EOF, 0);
	relay_shut_pair(r, RELAY_SHUT_WR);
}

/* The urgent byte, which is next; also where the program reads it in line: the pair does that too. */
static bool urgent_byte(struct relay *r, uint8_t *byte, bool *in_line)
{
	struct iovec iov = { byte, 1 }, first[RX_IOV];
	int64_t v = 0;
	bool end;

	*in_line = !endpoint_get_int(r->k->ep, SOCKOPT_OOB_INLINE, &v) && v;
	if (!*in_line)
		return sock_recv(r->k, &iov, 1, NULL, MSG_OOB | MSG_PEEK) == 1;
	if (!rx_peek(r->k, first, &end))
		return false;
	*byte = *(uint8_t *)first[0].iov_base;
	return true;
}

/* The peer's urgent byte, once what was before it is in the pair. False: no room. */
static bool down_urgent(struct relay *r)
{
	int64_t at_mark = 0;
	uint8_t byte, taken;
	struct iovec iov = { &taken, 1 };
	bool in_line;

	if (endpoint_get_int(r->k->ep, SOCKOPT_AT_MARK, &at_mark) || !at_mark)
		return true;
	r->ready &= ~(uint32_t)RELAY_STACK_URGENT;
	if (!urgent_byte(r, &byte, &in_line))
		return true;
	if (!(r->shut & RELAY_SHUT_WR) && send(r->fd, &byte, 1, MSG_OOB | MSG_DONTWAIT | MSG_NOSIGNAL) < 0 &&
	    errno == EAGAIN) {
		r->ready |= RELAY_STACK_URGENT;
		relay_full(r);
		return false;
	}
	if (in_line)
		rx_consume(r->k, 1);
	else
		sock_recv(r->k, &iov, 1, NULL, MSG_OOB);
	return true;
}

static void see_send_error(struct relay *r, int err)
{
	const int wide = RELAY_WIDE;

	if (err == EAGAIN && !r->widened) {
		r->widened = true;
		setsockopt(r->fd, SOL_SOCKET, SO_SNDBUF, &wide, sizeof(wide));
		loop_wake(&r->host->loop, &r->src);
		return;
	}
	if (err == EAGAIN)
		relay_full(r);
	else if (err == ENOBUFS || err == ENOMEM)
		relay_retry_in(r, 10 * NS_PER_MS);
	else
		relay_try(r, RELAY_PAIR_IN);	/* closed: reading tells how */
	r->ready &= ~(uint32_t)RELAY_PAIR_OUT;
}

static void down(struct relay *r, size_t *moved)
{
	while (*moved < TURN_BYTES && (r->ready & RELAY_STACK_IN)) {
		struct iovec iov[RX_IOV];
		struct msghdr m = { .msg_iov = iov };
		bool end;
		ssize_t n;

		if ((r->ready & RELAY_STACK_URGENT) && !down_urgent(r))
			return;
		m.msg_iovlen = (size_t)rx_peek(r->k, iov, &end);
		if (!m.msg_iovlen) {
			r->ready &= ~(uint32_t)RELAY_STACK_IN;
			/* The end of a connection that failed is seen to with its error. */
			if (end && endpoint_state(r->k->ep) == TCP_CLOSE)
				r->ready |= RELAY_STACK_ERR;
			else if (end)
				end_down(r);
			return;
		}
		if (r->shut & RELAY_SHUT_WR) {	/* nobody will read it */
			n = 0;
			for (size_t i = 0; i < m.msg_iovlen; i++)
				n += (ssize_t)iov[i].iov_len;
		} else if (!(r->ready & RELAY_PAIR_OUT)) {
			return;
		} else {
			n = m.msg_iovlen == 1 ? send(r->fd, iov[0].iov_base, iov[0].iov_len, pair_flags)
					      : sendmsg(r->fd, &m, pair_flags);
		}
		if (n < 0) {
			see_send_error(r, errno);
			return;
		}
		if (r->times)
			times_note(r, (size_t)n);
		rx_consume(r->k, (size_t)n);
		*moved += (size_t)n;
	}
}

/* SO_LINGER with a time of zero: close(2) is a reset. */
static bool lingers_not(const struct relay *r)
{
	return r->k->linger.l_onoff && r->k->linger.l_linger == 0;
}

static void see_errors(struct relay *r)
{
	bool over = endpoint_state(r->k->ep) == TCP_CLOSE;
	int err;

	/* Stamps of what was sent. */
	if (r->k->errors) {
		bool more = board_look(&r->host->board, r->board)->flags & STACK_BOARD_ERRQUEUE;

		relay_show(r);
		bell_ring(r, more);
	}

	/* What came before the end is for the program to read first: the pair may be full, or have just been
	 * widened, or this turn's share is used up. */
	if (over && (r->ready & RELAY_STACK_IN) && !closed(r))
		return;
	r->ready &= ~(uint32_t)RELAY_STACK_ERR;
	err = relay_note_error(r);
	if (over && !err)
		err = r->failed;
	r->failed = 0;
	if (over && err)
		relay_fail(r, err, true);
	else if (over)
		end_down(r);
	/* After both FINs there is no peer any more. */
	if (over && !err)
		relay_show(r);
}

/* The program has closed it, or never accepted it. Which of them the listening socket's turn tells, which is next at
 * the latest. */
static void end_closed(struct relay *r)
{
	if (!r->moved && !list_empty(&r->offered) && !r->put_off) {
		r->put_off = true;
		loop_wake(&r->host->loop, &r->src);
		return;
	}
	finish(r, r->left && !r->moved);
}

static void pump(struct relay *r)
{
	size_t went_up = 0, went_down = 0;
	int err;

	if (closed(r) && lingers_not(r)) {
		finish(r, true);
		return;
	}
	err = up(r, &went_up);
	if (err) {
		finish(r, true);
		return;
	}
	if (!closed(r))
		down(r, &went_down);
	r->moved |= went_up || went_down;
	if (closed(r) && r->up_ended) {
		end_closed(r);
		return;
	}
	if (r->ready & RELAY_STACK_ERR)
		see_errors(r);
	if (went_up >= TURN_BYTES || went_down >= TURN_BYTES)
		loop_wake(&r->host->loop, &r->src);
}

static void see_connecting(struct relay *r)
{
	uint32_t state = endpoint_state(r->k->ep);
	int err;

	if (state == TCP_SYN_SENT || state == TCP_SYN_RECV)
		return;
	if (state != TCP_CLOSE) {
		relay_connected(r);
		return;
	}
	err = relay_note_error(r);
	relay_fail(r, err ? err : ECONNREFUSED, false);
}

static void stream_turn(struct relay *r)
{
	if (r->state == STACK_BOARD_CONNECTED) {
		pump(r);
	} else if (closed(r)) {
		finish(r, false);
	} else if (r->state == STACK_BOARD_CONNECTING) {
		see_connecting(r);
	}
}

const struct relay_ops relay_stream_ops = {
	.name = "stream",
	.turn = stream_turn,
};
