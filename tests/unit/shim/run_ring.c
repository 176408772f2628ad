/* run_ring.c - the reader of trace rings, against a writer that laps it, stalls, dies, or lies. */
#include "run/reader.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "run_fixture.h"

#define CAPACITY 64

static int dir, fd;
static struct run_ring ring;
static struct run_event out[2 * CAPACITY];

static void set_next(uint64_t next)
{
	cr_assert_eq(pwrite(fd, &next, sizeof(next), offsetof(struct run_trace, next)), (ssize_t)sizeof(next));
}

/* Writes event `number` into its slot, as complete or not. */
static void put(uint64_t number, bool complete)
{
	struct run_event e = { .seq = complete ? number + 1 : 0, .args = { number } };

	cr_assert_eq(pwrite(fd, &e, sizeof(e), (off_t)(sizeof(struct run_trace) + number % CAPACITY * sizeof(e))),
		     (ssize_t)sizeof(e));
}

static void put_all(uint64_t from, uint64_t to)
{
	for (uint64_t n = from; n < to; n++)
		put(n, true);
	set_next(to);
}

static void setup(void)
{
	struct run_trace t = { .magic = RUN_TRACE_MAGIC, .version = RUN_VERSION, .capacity = CAPACITY };
	struct run_error err;

	dir = fixture_dir();
	fixture_bytes(dir, "0-1.trace", &t, sizeof(t));
	fd = openat(dir, "0-1.trace", O_RDWR);
	cr_assert_eq(ftruncate(fd, (off_t)(sizeof(t) + CAPACITY * sizeof(struct run_event))), 0);
	cr_assert_eq(run_ring_open(&ring, dir, "0-1.trace", &err), 0, "%s", err.text);
}

TestSuite(run_ring, .init = setup);

Test(run_ring, events_come_once_and_in_order)
{
	cr_assert_eq(run_ring_read(&ring, out, 10, false), 0);
	put_all(0, 5);
	cr_assert_eq(run_ring_read(&ring, out, 3, false), 3);
	cr_assert_eq(out[2].args[0], 2);
	cr_assert_eq(run_ring_read(&ring, out, 10, false), 2);
	cr_assert_eq(out[0].args[0], 3);
	cr_assert_eq(run_ring_read(&ring, out, 10, false), 0);
	cr_assert_eq(ring.lost, 0);
}

Test(run_ring, reading_goes_round)
{
	put_all(0, 60);
	cr_assert_eq(run_ring_read(&ring, out, 100, false), 60);
	put_all(60, 70);
	cr_assert_eq(run_ring_read(&ring, out, 100, false), 4);
	cr_assert_eq(run_ring_read(&ring, out, 100, false), 6);
	cr_assert_eq(out[5].args[0], 69);
}

Test(run_ring, a_lapped_reader_counts_what_it_lost)
{
	put_all(0, 200);
	cr_assert_eq(run_ring_read(&ring, out, 100, false), 56);
	cr_assert_eq(out[0].args[0], 136);
	cr_assert_eq(run_ring_read(&ring, out, 100, false), 8);
	cr_assert_eq(out[7].args[0], 199);
	cr_assert_eq(ring.lost, 136);
}

Test(run_ring, an_event_being_written_is_waited_for)
{
	put_all(0, 3);
	put(1, false);
	cr_assert_eq(run_ring_read(&ring, out, 10, false), 1);
	cr_assert_eq(run_ring_read(&ring, out, 10, false), 0);
	put(1, true);
	cr_assert_eq(run_ring_read(&ring, out, 10, false), 2);
	cr_assert_eq(ring.lost, 0);
}

Test(run_ring, an_event_that_a_dead_process_left_is_lost)
{
	put_all(0, 3);
	put(0, false);
	cr_assert_eq(run_ring_read(&ring, out, 10, true), 2);
	cr_assert_eq(out[0].args[0], 1);
	cr_assert_eq(ring.lost, 1);
}

Test(run_ring, a_writer_that_stalled_does_not_stop_the_others_for_ever)
{
	put_all(0, 40);
	put(0, false);
	cr_assert_eq(run_ring_read(&ring, out, 100, false), 39);
	cr_assert_eq(ring.lost, 1);
}

Test(run_ring, an_older_lap_in_a_slot_is_not_taken)
{
	put_all(0, 64);
	cr_assert_eq(run_ring_read(&ring, out, 100, false), 64);
	set_next(66);				/* claimed, the slots still hold events 0 and 1 */
	cr_assert_eq(run_ring_read(&ring, out, 100, false), 0);
}

Test(run_ring, lies_about_next_are_survived)
{
	put_all(0, 5);
	set_next(UINT64_MAX);
	cr_assert_geq(run_ring_read(&ring, out, 10, true), 0);
	set_next(0);				/* backwards */
	cr_assert_leq(run_ring_read(&ring, out, 10, true), 0);
}

Test(run_ring, a_file_that_shrinks_is_damaged)
{
	put_all(0, 5);
	cr_assert_eq(ftruncate(fd, sizeof(struct run_trace) + 10), 0);
	cr_assert_eq(run_ring_read(&ring, out, 10, false), -EBADMSG);
	cr_assert_eq(ftruncate(fd, 8), 0);
	cr_assert_eq(run_ring_read(&ring, out, 10, false), -EBADMSG);
}

Test(run_ring, wrong_headers_are_refused)
{
	struct run_trace t = { .magic = RUN_TRACE_MAGIC, .version = RUN_VERSION, .capacity = 63 };
	struct run_error err;
	struct run_ring r;

	fixture_bytes(dir, "1-1.trace", &t, sizeof(t));
	cr_assert_eq(run_ring_open(&r, dir, "1-1.trace", &err), -EBADMSG);
	t.capacity = 0;
	fixture_bytes(dir, "1-1.trace", &t, sizeof(t));
	cr_assert_eq(run_ring_open(&r, dir, "1-1.trace", &err), -EBADMSG);
	t.version = 9;
	fixture_bytes(dir, "1-1.trace", &t, sizeof(t));
	cr_assert_eq(run_ring_open(&r, dir, "1-1.trace", &err), -EPROTONOSUPPORT);
	t.magic = 0;
	fixture_bytes(dir, "1-1.trace", &t, sizeof(t));
	cr_assert_eq(run_ring_open(&r, dir, "1-1.trace", &err), -EAGAIN);
	fixture_bytes(dir, "1-1.trace", &t, 5);
	cr_assert_eq(run_ring_open(&r, dir, "1-1.trace", &err), -EBADMSG);
}
