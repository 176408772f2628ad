/* When the bytes that are in a stream's pair came. */
#include "host/times.h"

#include <stdlib.h>

#include "host/relay.h"
#include "host/rx.h"

enum { TIMES_MAX = 256 };

/**
 * struct times - pieces, one after the other
 * @pushed: bytes that have gone into the pair
 * @start:  where the oldest piece starts
 * @end:    where a piece ends. Where there are too many the oldest has the time of the next: as of segments that Linux has
 *          put together
 */
struct times {
	uint64_t pushed, start;
	uint32_t first, count;
	struct piece {
		uint64_t end;
		int64_t wall_ns;
	} pieces[TIMES_MAX];
};

static struct piece *piece(struct times *t, uint32_t i)
{
	return &t->pieces[(t->first + i) % TIMES_MAX];
}

static void drop_oldest(struct times *t)
{
	t->first = (t->first + 1) % TIMES_MAX;
	t->count--;
}

void times_start(struct relay *r)
{
	if (!r->times)
		r->times = calloc(1, sizeof(*r->times));
	if (!r->times)
		r->host->counters.out_of_memory++;
}

void times_free(struct relay *r)
{
	free(r->times);
	r->times = NULL;
}

void times_note(struct relay *r, size_t n)
{
	struct times *t = r->times;
	struct rx_time came[RX_IOV];
	int pieces = endpoint_peek_times(r->k->ep, n, came, RX_IOV);

	if (!t->count)
		t->start = t->pushed;
	for (int i = 0; i < pieces; i++) {
		if (t->count == TIMES_MAX)
			drop_oldest(t);
		t->pushed += came[i].bytes;
		*piece(t, t->count++) = (struct piece){ t->pushed, came[i].wall_ns };
	}
}

int64_t times_of(struct relay *r, size_t unread, size_t peeked)
{
	struct times *t = r->times;
	uint64_t read;

	if (!t || unread > t->pushed)
		return 0;
	read = t->pushed - unread;
	while (t->count && piece(t, 0)->end < read) {
		t->start = piece(t, 0)->end;
		drop_oldest(t);
	}
	if (read + peeked <= t->start)
		return 0;
	for (uint32_t i = 0; i < t->count; i++)
		if (piece(t, i)->end >= read + peeked)
			return piece(t, i)->wall_ns;
	return 0;
}
