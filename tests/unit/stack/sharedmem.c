/* The link over shared memory: order, wake-ups, full rings, and another side that writes nonsense. */
#include "link/sharedmem.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include "link/sharedmem_ring.h"
#include "net.h"

static struct pkt_pool *pool;
static struct link *end[2];
static uint8_t bytes[20000], got[20000];
static int ngot;
static size_t got_len, sum_len;

static void sink_rx(struct link_sink *k, struct pkt *p)
{
	got_len = p->len;
	sum_len += p->len;
	pkt_copy_out(p, 0, got, p->len);
	ngot++;
	pkt_free(p);
}

static struct link_sink sink = { sink_rx };

static void init(void)
{
	pool = pkt_pool_new();
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 31 + (i >> 8));
	cr_assert_eq(sharedmem_pair(pool, 1500, SHAREDMEM_RING_MIN, end), 0);
	link_attach(end[0], &sink);
	link_attach(end[1], &sink);
}

static void fini(void)
{
	link_close(end[0]);
	link_close(end[1]);
	cr_assert_eq(pkt_pool_live(pool), 0);
	pkt_pool_unref(pool);
}

TestSuite(sharedmem, .init = init, .fini = fini);

static enum ns_err send_from(int i, size_t off, size_t len)
{
	return link_write(end[i], pkt_from_bytes(pool, bytes + off, len));
}

static bool readable(int i)
{
	struct pollfd p = { .fd = sharedmem_fd(end[i]), .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

Test(sharedmem, carries_frames_both_ways_many_times_round)
{
	for (size_t i = 0; i < 2000; i++) {
		size_t len = 14 + i * 7 % 1500, off = i % 1000;
		int from = (int)(i & 1);

		cr_assert_eq(send_from(from, off, len), NS_OK);
		cr_assert_eq(sharedmem_rx(end[!from], 10), 1);
		cr_assert_eq(got_len, len);
		cr_assert(memcmp(got, bytes + off, len) == 0, "%zu", i);
	}
	cr_assert_eq(ngot, 2000);
}

Test(sharedmem, a_packet_in_pieces_arrives_whole)
{
	struct pkt *p = pkt_from_bytes(pool, bytes, 100);
	struct chunk *c = chunk_alloc(pool, CHUNK_FRAME);

	memcpy(c->data, bytes + 100, 900);
	cr_assert(pkt_add_frag(p, c, 0, 900));
	chunk_unref(c);
	cr_assert_eq(link_write(end[0], p), NS_OK);
	cr_assert_eq(sharedmem_rx(end[1], 10), 1);
	cr_assert(got_len == 1000 && memcmp(got, bytes, 1000) == 0);
}

Test(sharedmem, wakes_a_sleeper_once_and_stays_readable_while_there_are_packets)
{
	cr_assert_not(readable(1));
	cr_assert_eq(sharedmem_rx(end[1], 10), 0);
	for (int i = 0; i < 5; i++)
		send_from(0, 0, 60);
	cr_assert(readable(1));
	cr_assert_not(readable(0));
	cr_assert_eq(sharedmem_rx(end[1], 3), 3);
	cr_assert(readable(1), "two are left");
	cr_assert_eq(sharedmem_rx(end[1], 3), 2);
	cr_assert_not(readable(1));
	send_from(0, 0, 60);
	cr_assert(readable(1));
}

Test(sharedmem, the_first_message_wakes_whoever_comes_later)
{
	struct sharedmem_region a, b;
	struct sharedmem_ring w;
	struct iovec iov = { bytes, 60 };
	bool wake;

	cr_assert_eq(sharedmem_region_new(&a, SHAREDMEM_RING_MIN), 0);
	sharedmem_ring_init(&w, a.mem, a.ring_bytes);
	cr_assert_eq(sharedmem_ring_put(&w, &iov, 1, 60, &wake), 0);
	cr_assert(wake);
	cr_assert_eq(sharedmem_region_map(&b, dup(a.fd)), 0);
	cr_assert_eq(b.ring_bytes, a.ring_bytes);
	sharedmem_ring_init(&w, b.mem, b.ring_bytes);
	cr_assert_eq(sharedmem_ring_next(&w), 60);
	sharedmem_region_free(&a);
	sharedmem_region_free(&b);
}

Test(sharedmem, what_does_not_fit_is_dropped_and_counted)
{
	unsigned sent = 0;

	while (send_from(0, 0, 1514) == NS_OK)
		sent++;
	cr_assert(sent > 35 && sent < 44, "%u", sent);
	cr_assert_eq(send_from(0, 0, 1514), NS_ERR_NO_BUFFER_SPACE);
	cr_assert_eq(sharedmem_get_stats(end[0]).full, 2);
	cr_assert_eq(sharedmem_get_stats(end[0]).sent, sent);
	cr_assert_eq(sharedmem_rx(end[1], 1), 1);
	cr_assert_eq(send_from(0, 0, 1514), NS_OK);
	cr_assert_eq(sharedmem_rx(end[1], 1000), (int)sent);
	cr_assert_eq(sharedmem_get_stats(end[1]).received, sent + 1);
}

Test(sharedmem, larger_than_the_mtu_is_refused)
{
	cr_assert_eq(send_from(0, 0, 1515), NS_OK);
	cr_assert_eq(sharedmem_rx(end[1], 1), 1);
	cr_assert_eq(ngot, 0);
	cr_assert_eq(sharedmem_get_stats(end[1]).refused, 1);
	cr_assert_eq(send_from(0, 0, 16385), NS_ERR_MESSAGE_TOO_LONG, "more than a quarter of the ring");
	send_from(0, 0, 60);
	cr_assert_eq(sharedmem_rx(end[1], 1), 1);
	cr_assert_eq(ngot, 1);
}

Test(sharedmem, sizes_that_make_no_sense)
{
	struct link *l[2];
	struct sharedmem_region r;

	cr_assert_eq(sharedmem_pair(pool, 1500, SHAREDMEM_RING_MIN + 8, l), -EINVAL);
	cr_assert_eq(sharedmem_pair(pool, 1500, SHAREDMEM_RING_MIN / 2, l), -EINVAL);
	cr_assert_eq(sharedmem_pair(pool, 1500, SHAREDMEM_RING_MAX * 2u, l), -EINVAL);
	cr_assert_eq(sharedmem_pair(pool, SHAREDMEM_MTU_MAX + 1, SHAREDMEM_RING_MAX, l), -EINVAL);
	cr_assert_eq(sharedmem_region_map(&r, memfd_create("x", 0)), -EINVAL);
	cr_assert_eq(sharedmem_region_map(&r, -1), -EINVAL);
}

Test(sharedmem, memory_that_could_shrink_is_refused_and_ours_cannot)
{
	struct sharedmem_region r, other;
	int fd = memfd_create("x", MFD_ALLOW_SEALING);

	cr_assert_eq(ftruncate(fd, 2 * (SHAREDMEM_RING_HEAD + SHAREDMEM_RING_MIN)), 0);
	cr_assert_eq(sharedmem_region_map(&r, dup(fd)), -EINVAL);
	cr_assert_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	cr_assert_eq(sharedmem_region_map(&r, fd), 0);
	sharedmem_region_free(&r);
	cr_assert_eq(sharedmem_region_new(&other, SHAREDMEM_RING_MIN), 0);
	cr_assert_eq(ftruncate(other.fd, 0), -1);
	cr_assert_eq(errno, EPERM);
	sharedmem_region_free(&other);
}

/* One end and, beside it, the memory: what the other side would do. */
static struct link *lone;
static struct sharedmem_region theirs;
static bool hung_up;
static int kicks;

static void lone_kick(void *ctx)
{
	kicks++;
}

static bool lone_drain(void *ctx)
{
	return !hung_up;
}

static void lone_new(void)
{
	struct sharedmem_config c = { .pool = pool, .mtu = 1500, .fd = -1, .kick = lone_kick, .drain = lone_drain };

	cr_assert_eq(sharedmem_region_new(&c.region, SHAREDMEM_RING_MIN), 0);
	cr_assert_eq(sharedmem_region_map(&theirs, dup(c.region.fd)), 0);
	lone = sharedmem_new(&c);
	link_attach(lone, &sink);
}

static struct sharedmem_ring_shared *shared(bool to_lone)
{
	return (void *)(theirs.mem + (to_lone ? 0 : SHAREDMEM_RING_HEAD + theirs.ring_bytes));
}

static void lone_free(void)
{
	link_close(lone);
	sharedmem_region_free(&theirs);
}

Test(sharedmem, nonsense_indexes_break_the_link_and_nothing_else)
{
	static const uint32_t tails[] = { SHAREDMEM_RING_MIN + 8, UINT32_MAX, 4, 0x80000000 };

	for (size_t i = 0; i < 4; i++) {
		lone_new();
		shared(true)->tail = tails[i];
		cr_assert_eq(sharedmem_rx(lone, 10), -EPROTO);
		shared(true)->tail = 0;
		cr_assert_eq(sharedmem_rx(lone, 10), -EPROTO, "for good");
		shared(false)->head = 4711;
		cr_assert_eq(link_write(lone, pkt_from_bytes(pool, bytes, 60)), NS_ERR_NETWORK_UNREACHABLE);
		lone_free();
	}
	cr_assert_eq(ngot, 0);
}

Test(sharedmem, nonsense_lengths_break_the_link_and_nothing_else)
{
	static const uint32_t lens[] = { 0, 57, UINT32_MAX, UINT32_MAX - 8, 0x80000000, SHAREDMEM_RING_MIN / 4 + 1 };

	for (size_t i = 0; i < sizeof(lens) / 4; i++) {
		lone_new();
		memcpy(theirs.mem + SHAREDMEM_RING_HEAD, &lens[i], 4);
		shared(true)->tail = 64;	/* header, 56 bytes */
		cr_assert_eq(sharedmem_rx(lone, 10), -EPROTO, "%u", lens[i]);
		lone_free();
	}
	cr_assert_eq(ngot, 0);
}

Test(sharedmem, the_other_side_may_fill_the_ring_with_what_it_likes)
{
	uint32_t len = 1514;

	lone_new();
	/* It claims the whole ring, and lies about nothing: 43 frames of the same bytes. */
	for (uint32_t at = 0; at + 1528 <= SHAREDMEM_RING_MIN; at += 1528) {
		memcpy(theirs.mem + SHAREDMEM_RING_HEAD + at, &len, 4);
		shared(true)->tail = at + 1528;
	}
	cr_assert_eq(sharedmem_rx(lone, 1), 1);
	/* And takes its index back while it is read. */
	shared(true)->tail = 8;
	cr_assert_eq(sharedmem_rx(lone, 1000), -EPROTO);
	lone_free();
}

Test(sharedmem, hang_up_is_told_after_the_last_packet)
{
	lone_new();
	memcpy(theirs.mem + SHAREDMEM_RING_HEAD, &(uint32_t){ 60 }, 4);
	shared(true)->tail = 72;
	hung_up = true;
	cr_assert_eq(sharedmem_rx(lone, 10), 1);
	cr_assert_eq(sharedmem_rx(lone, 10), -EPIPE);
	lone_free();
}

Test(sharedmem, kicks_only_who_sleeps)
{
	lone_new();
	for (int i = 0; i < 3; i++)
		cr_assert_eq(link_write(lone, pkt_from_bytes(pool, bytes, 60)), NS_OK);
	cr_assert_eq(kicks, 1);
	shared(false)->sleeping = 0xffffffff;
	cr_assert_eq(link_write(lone, pkt_from_bytes(pool, bytes, 60)), NS_OK);
	cr_assert_eq(kicks, 2);
	lone_free();
}

/* Two stacks on the two ends, one of them behind a network that loses, reorders and duplicates. */
Test(sharedmem, two_stacks_speak_through_it_with_faults)
{
	struct impair_dir bad = { .loss = 100000, .duplicate = 50000, .reorder = 50000, .reorder_ns = NS_PER_MS };
	struct sim *sim = sim_new(3);
	struct impair_config ic = { .clock = &sim->clock, .seed = 3, .out = bad, .in = bad };
	struct stack *stacks[2];
	struct endpoint *ep[2];
	struct link *raw[2];
	int answers = 0;

	cr_assert_eq(sharedmem_pair(pool, 1500, SHAREDMEM_RING_MIN, raw), 0);
	for (int i = 0; i < 2; i++) {
		const struct link_addr mac = { { 2, 0, 0, 0, 0, (uint8_t)(i + 1) }, 6 };
		struct stack_config sc = netstack_config();
		struct full_addr local = { .port = 7 };
		struct nic *nic;

		sc.clock = &sim->clock;
		sc.pool = pool;
		cr_assert_eq(stack_new(&sc, &stacks[i]), NS_OK);
		cr_assert_eq(nic_create(stacks[i], 1, NULL, ether_new(i ? raw[i] : impair_new(raw[i], &ic), &mac), &nic), NS_OK);
		sim_addr(nic, i ? "10.0.0.2/24" : "10.0.0.1/24");
		cr_assert_eq(endpoint_new(stacks[i], NET_IPV4, IP_PROTO_UDP, &ep[i]), NS_OK);
		cr_assert_eq(endpoint_bind(ep[i], &local), NS_OK);
	}
	for (int round = 0; round < 200; round++) {
		struct full_addr from;
		uint8_t buf[2000];
		ssize_t n;

		sim_send(ep[0], "10.0.0.2", 7, bytes, 1000);
		for (int k = 0; k < 4; k++) {
			sim_run(sim, NS_PER_MS);
			for (int i = 0; i < 2; i++) {
				if (readable(0))
					continue;
				sharedmem_rx(raw[i], 100);
				stack_run(stacks[i]);
			}
			while ((n = sim_recv(ep[1], buf, sizeof(buf), &from, NULL)) > 0)
				sim_send(ep[1], "10.0.0.1", 7, buf, (size_t)n);
		}
		while (sim_recv(ep[0], buf, sizeof(buf), &from, NULL) == 1000)
			answers++;
	}
	cr_assert(answers > 130 && answers < 200, "%d", answers);
	for (int i = 0; i < 2; i++) {
		endpoint_close(ep[i]);
		stack_free(stacks[i]);
	}
	sim_free(sim);
}
