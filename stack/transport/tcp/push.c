/*
 * Where PSH is due (RFC 9293, 3.9.1.2): with the end of a write, and before more than half the peer's window
 * waits for one.
 *
 * Linux has the flag on its buffers, each up to a super-segment long: bytes written go to the last one while
 * there is room, and its end takes the flag along. Which segments of a long write carry it follows from that,
 * and scripts written for Linux tell; so the pieces are kept count of here, though there are none.
 */
#include "transport/tcp/impl.h"

enum {
	MARKS = 4,
	PIECE_MAX = 65215,	/* Linux's sk_gso_max_size */
	PIECE_COST = 640,	/* about what one takes of the send buffer beside its bytes */
};

void tcp_push_init(struct tcp_conn *c)
{
	c->pushed_seq = c->piece_seq = c->snd_una;
	for (int i = 0; i < MARKS; i++)
		c->push_marks[i] = c->snd_una;
	c->piece_push = false;
}

/* Remembers that the piece that ends at @seq ends with PSH, in place of one that was sent; further ones than
 * there is room for do without. */
static void mark(struct tcp_conn *c, uint32_t seq)
{
	for (int i = 0; i < MARKS; i++) {
		if (seq_le(c->push_marks[i], c->snd_nxt)) {
			c->push_marks[i] = seq;
			return;
		}
	}
}

static uint32_t piece_max(struct tcp_conn *c)
{
	uint32_t mss = tcp_mss(c), max = PIECE_MAX;

	if (c->max_window && max > c->max_window / 2)
		max = c->max_window / 2;
	return max > mss ? max - max % mss : mss;
}

/* Room in the last piece; a new one if there is none. What was sent of a piece is no longer part of it. */
static uint32_t piece_room(struct tcp_conn *c, uint32_t max)
{
	uint32_t start = seq_max(c->piece_seq, c->snd_nxt), used = c->write_seq - start;

	if (tcp_unsent(c) && used < max && !tcp_at_record_end(c))
		return max - used;
	if (tcp_unsent(c) && c->piece_push)
		mark(c, c->write_seq);
	c->piece_seq = c->write_seq;
	c->piece_push = false;
	return max;
}

size_t tcp_write_room(struct tcp_conn *c)
{
	uint32_t used = c->write_seq - c->snd_una, start = seq_max(c->piece_seq, c->snd_nxt), max, last;
	size_t room = 0;

	if (used >= c->sndbuf + 2ull * PIECE_MAX)
		return 0;
	max = piece_max(c);
	last = c->write_seq - start;
	if (tcp_unsent(c) && last < max && !tcp_at_record_end(c))
		room = max - last;
	while (used + room + (used + room) / max * PIECE_COST < c->sndbuf)
		room += max;
	return room;
}

size_t tcp_write_pieces(struct tcp_conn *c, struct payload *p, size_t n)
{
	uint32_t max = piece_max(c);
	size_t done = 0;

	while (done < n) {
		uint32_t room = piece_room(c, max);
		size_t m = n - done < room ? n - done : room, got;

		if (!done)
			c->piece_push = false;
		got = tcp_write_bytes(c, p, m);
		done += got;
		if (got < m)
			break;
		if ((done == n && !p->len) || m < room)
			continue;
		if (seq_gt(c->write_seq, c->pushed_seq + c->max_window / 2)) {
			tcp_push_end(c);
			tcp_output(c, true);
		} else if (seq_ge(c->snd_nxt, c->piece_seq)) {
			tcp_output_some(c, true, 1);
		}
	}
	return done;
}

void tcp_push_end(struct tcp_conn *c)
{
	c->piece_push = true;
	c->pushed_seq = c->write_seq;
}

bool tcp_push_due(struct tcp_conn *c, uint32_t end)
{
	if (end == c->write_seq)
		return c->piece_push;
	for (int i = 0; i < MARKS; i++)
		if (c->push_marks[i] == end)
			return true;
	return false;
}
