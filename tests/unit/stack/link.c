/* Links: sniffer, impairment, waitable, descriptors with and without virtio-net headers. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "header/vnet.h"
#include "net.h"

static struct clock clk;
static struct pkt_pool *pool;
static uint8_t got[70000];
static size_t got_len[4096];
static int ngot;
static struct pkt *last;

static void sink_rx(struct link_sink *k, struct pkt *p)
{
	if (ngot < 4096) {
		got_len[ngot] = p->len;
		pkt_copy_out(p, 0, got, p->len);
	}
	ngot++;
	pkt_free(last);
	last = p;
}

static struct link_sink sink = { sink_rx };

static void setup(void)
{
	clock_init(&clk, 0, 0);
	pool = pkt_pool_new();
}

static void teardown(void)
{
	pkt_free(last);
	cr_assert_eq(pkt_pool_live(pool), 0);
	pkt_pool_unref(pool);
}

TestSuite(link, .init = setup, .fini = teardown);

static struct link *channel(void)
{
	struct channel_config cc = { .depth = 5000, .mtu = 1500 };

	return channel_new(&cc);
}

static uint8_t file[10000];
static size_t file_len;

static bool to_file(void *ctx, const struct iovec *iov, int n)
{
	for (int i = 0; i < n; i++) {
		memcpy(file + file_len, iov[i].iov_base, iov[i].iov_len);
		file_len += iov[i].iov_len;
	}
	return true;
}

Test(link, sniffer_writes_whole_blocks_and_passes_packets_on)
{
	struct sniffer_config c = { .write = to_file, .clock = &clk, .name = "x", .comment = "why" };
	struct link *ch = channel(), *l = sniffer_new(ch, &c);
	uint32_t type, len, tail;
	int packets = 0;

	link_attach(l, &sink);
	clk.wall_ns = 0x123456789abcdefll;
	channel_inject(ch, pkt_from_bytes(pool, "abcde", 5));
	cr_assert_eq(link_write(l, pkt_from_bytes(pool, "xyz", 3)), NS_OK);
	cr_assert(ngot == 1 && channel_count(ch) == 1);
	for (size_t at = 0; at < file_len; at += len) {
		memcpy(&type, file + at, 4);
		memcpy(&len, file + at + 4, 4);
		cr_assert(len % 4 == 0 && len >= 12 && at + len <= file_len);
		memcpy(&tail, file + at + len - 4, 4);
		cr_assert_eq(tail, len);
		if (type == 6) {
			static const uint8_t want[2][8] = { "abcde", "xyz" };

			memcpy(&tail, file + at + 12, 4);
			cr_assert_eq(tail, 0x01234567);
			memcpy(&tail, file + at + 20, 4);
			cr_assert_eq(tail, packets ? 3 : 5);
			cr_assert(memcmp(file + at + 28, want[packets], tail) == 0);
			packets++;
		} else {
			cr_assert(type == 1 || type == 0x0a0d0d0a);
		}
	}
	cr_assert_eq(packets, 2);
	link_close(l);
}

static struct link *impaired(struct link *ch, struct impair_dir in, uint64_t seed)
{
	struct impair_config c = { .clock = &clk, .seed = seed, .in = in };
	struct link *l = impair_new(ch, &c);

	link_attach(l, &sink);
	return l;
}

static void run_to(int64_t t)
{
	int64_t next;

	while ((next = clock_next(&clk)) <= t) {
		clock_set(&clk, next, 0);
		clock_run(&clk);
	}
	clock_set(&clk, t, 0);
}

Test(link, impair_loses_about_what_it_was_told_to_and_the_same_for_a_seed)
{
	int first = 0;

	for (int round = 0; round < 3; round++) {
		struct link *ch = channel();
		struct link *l = impaired(ch, (struct impair_dir){ .loss = 200000 }, round == 2 ? 6 : 5);

		ngot = 0;
		for (int i = 0; i < 2000; i++)
			channel_inject(ch, pkt_from_bytes(pool, "x", 1));
		cr_assert(ngot > 1500 && ngot < 1700, "%d", ngot);
		if (round == 0)
			first = ngot;
		else if (round == 1)
			cr_assert_eq(ngot, first);
		cr_assert_eq(impair_get_stats(l, false).lost, 2000u - (unsigned)ngot);
		link_close(l);
	}
}

Test(link, impair_delay_keeps_order_and_rate_spaces_packets)
{
	struct impair_dir d = { .delay_ns = 10 * NS_PER_MS, .jitter_ns = 5 * NS_PER_MS,
				.rate_bps = 8000000, .queue_pkts = 50 };
	struct link *ch = channel(), *l = impaired(ch, d, 1);

	for (size_t i = 1; i <= 60; i++)
		channel_inject(ch, pkt_from_bytes(pool, file, i * 10));
	cr_assert_eq(impair_get_stats(l, false).overflowed, 10);
	run_to(10 * NS_PER_MS - 1);
	cr_assert_eq(ngot, 0);
	run_to(100 * NS_PER_MS);
	cr_assert_eq(ngot, 50);
	for (int i = 1; i < 50; i++)
		cr_assert_gt(got_len[i], got_len[i - 1]);
	link_close(l);
}

Test(link, impair_reorders_duplicates_and_flips_single_bits)
{
	struct impair_dir d = { .reorder = 500000, .reorder_ns = NS_PER_MS };
	struct link *ch = channel(), *l = impaired(ch, d, 1);
	int inversions = 0, bits = 0;

	for (size_t i = 1; i <= 100; i++)
		channel_inject(ch, pkt_from_bytes(pool, file, i));
	run_to(NS_PER_SEC);
	cr_assert_eq(ngot, 100);
	for (int i = 1; i < 100; i++)
		inversions += got_len[i] < got_len[i - 1];
	cr_assert_gt(inversions, 0);
	d = (struct impair_dir){ .duplicate = 1000000 };
	impair_set(l, NULL, &d);
	ngot = 0;
	channel_inject(ch, pkt_from_bytes(pool, "x", 1));
	run_to(2 * NS_PER_SEC);
	cr_assert_eq(ngot, 2);
	d = (struct impair_dir){ .corrupt = 1000000 };
	impair_set(l, NULL, &d);
	memset(file, 0, 100);
	channel_inject(ch, pkt_from_bytes(pool, file, 100));
	for (int i = 0; i < 100; i++)
		bits += __builtin_popcount(got[i]);
	cr_assert_eq(bits, 1);
	link_close(l);
}

Test(link, waitable_stops_each_direction)
{
	struct link *ch = channel(), *l = waitable_new(ch);

	link_attach(l, &sink);
	cr_assert(waitable_stop_writes(l));
	cr_assert_eq(link_write(l, pkt_from_bytes(pool, "x", 1)), NS_ERR_WOULD_BLOCK);
	channel_inject(ch, pkt_from_bytes(pool, "x", 1));
	cr_assert_eq(ngot, 1);
	cr_assert(waitable_stop_delivery(l) && waitable_idle(l));
	channel_inject(ch, pkt_from_bytes(pool, "x", 1));
	cr_assert_eq(ngot, 1);
	waitable_resume(l);
	channel_inject(ch, pkt_from_bytes(pool, "x", 1));
	cr_assert_eq(link_write(l, pkt_from_bytes(pool, "x", 1)), NS_OK);
	cr_assert(ngot == 2 && channel_count(ch) == 1);
	link_close(l);
}

static bool batch;

static struct link *over_socket(int vnet, int *other)
{
	struct fdbased_config c = { .pool = pool, .nfds = 1, .mtu = 65535,
				    .vnet_hdr_len = (uint8_t)vnet, .tx_csum = vnet, .tso = vnet };
	int fds[2], size = 1 << 20;
	struct link *l;

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	c.fds[0] = fds[0];
	*other = fds[1];
	l = fdbased_new(&c);
	cr_assert_not_null(l);
	if (batch && !fdbased_batch(l))
		cr_skip("the kernel gives no ring");
	link_attach(l, &sink);
	return l;
}

/* What was written to the link, whether it goes at once or in company. */
static ssize_t read_other(struct link *l, int other, void *to, size_t size)
{
	fdbased_flush(l);
	return read(other, to, size);
}

static void all_sizes(void)
{
	static const size_t sizes[] = { 1, 60, 1514, 1920, 1921, 4000, 18304, 40000, 65535 };
	int other;
	struct link *l = over_socket(0, &other);

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint8_t data[65535];

		for (size_t j = 0; j < sizes[i]; j++)
			data[j] = (uint8_t)(j * 13 + i);
		cr_assert_eq(write(other, data, sizes[i]), (ssize_t)sizes[i]);
		cr_assert_eq(fdbased_rx(l, 0, 10), 1);
		cr_assert_eq(got_len[i], sizes[i]);
		cr_assert(memcmp(got, data, sizes[i]) == 0);
		if (sizes[i] <= 1514)
			cr_assert_lt(pkt_truesize(last), 3000, "a small packet holds no more than a frame");
		cr_assert_eq(link_write(l, pkt_clone(last)), NS_OK);
		cr_assert_eq(read_other(l, other, data, sizeof(data)), (ssize_t)sizes[i]);
		cr_assert(memcmp(got, data, sizes[i]) == 0);
	}
	cr_assert_eq(fdbased_rx(l, 0, 10), 0);
	cr_assert_eq(fdbased_rx(l, 1, 10), -EINVAL);
	close(other);
	link_close(l);
}

Test(link, fdbased_reads_packets_of_all_sizes_into_few_chunks)
{
	all_sizes();
}

Test(link, fdbased_reads_packets_of_all_sizes_from_a_ring)
{
	batch = true;
	all_sizes();
}

/* Many at once, some large, keep their order and their bytes; all of them take few calls. */
Test(link, fdbased_takes_many_packets_a_call)
{
	enum { MANY = 100 };
	uint8_t data[5000];
	int other, calls = 0;
	struct link *l;

	batch = true;
	l = over_socket(0, &other);
	for (int round = 0; round < 3; round++) {
		int n = 0;

		for (int i = 0; i < MANY; i++) {
			memset(data, i, sizeof(data));
			cr_assert_gt(write(other, data, i % 7 == 0 ? 5000 : 60), 0);
		}
		ngot = 0;
		for (calls = 0; n < MANY; calls++) {
			int r = fdbased_rx(l, 0, 64);

			cr_assert_gt(r, 0);
			n += r;
		}
		cr_assert_eq(ngot, MANY);
		for (int i = 0; i < MANY; i++)
			cr_assert_eq(got_len[i], i % 7 == 0 ? 5000 : 60);
	}
	cr_assert_lt(calls, MANY / 10);
	for (int i = 0; i < MANY; i++) {
		memset(data, i, sizeof(data));
		cr_assert_eq(link_write(l, pkt_from_bytes(pool, data, i % 5 ? 100 : 1800)), NS_OK);
	}
	fdbased_flush(l);
	for (int i = 0; i < MANY; i++) {
		cr_assert_eq(read(other, data, sizeof(data)), i % 5 ? 100 : 1800);
		cr_assert_eq(data[0], i);
	}
	cr_assert_eq(read(other, data, sizeof(data)), -1);
	close(other);
	link_close(l);
}

Test(link, fdbased_tells_an_error_of_writing_by_a_later_write)
{
	int other, size = 1;
	struct link *l;
	bool told = false;

	batch = true;
	l = over_socket(0, &other);
	setsockopt(fdbased_fd(l, 0), SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	for (int i = 0; i < 1000 && !told; i++) {
		enum ns_err err = link_write(l, pkt_from_bytes(pool, "x", 1));

		cr_assert(err == NS_OK || err == NS_ERR_WOULD_BLOCK);
		told = err == NS_ERR_WOULD_BLOCK;
	}
	cr_assert(told);
	link_close(l);
	close(other);
	cr_assert_eq(pkt_pool_live(pool), 0);
}

Test(link, fdbased_takes_over_what_the_virtio_header_says)
{
	struct vnet_hdr h = { .flags = VNET_NEEDS_CSUM, .gso_type = VNET_GSO_TCP4 | VNET_GSO_ECN,
			      .gso_size = 1000, .csum_start = 20, .csum_off = 16 };
	uint8_t f[VNET_HDR_LEN + 100] = { 0 }, large[4000];
	int other;
	struct link *l = over_socket(VNET_HDR_LEN, &other);

	vnet_emit(&h, f, VNET_HDR_LEN);
	cr_assert_eq(write(other, f, sizeof(f)), (ssize_t)sizeof(f));
	cr_assert_eq(fdbased_rx(l, 0, 1), 1);
	cr_assert(last->len == 100 && last->csum == PKT_CSUM_PARTIAL && last->gso == PKT_GSO_TCP4);
	cr_assert(last->gso_size == 1000 && last->ecn && last->csum_start == last->off + 20);
	last->trans_off = (uint16_t)(last->off + 20);
	pkt_data(last)[20 + 12] = 0x50;
	cr_assert_eq(link_write(l, pkt_clone(last)), NS_OK);
	cr_assert_eq(read(other, f, sizeof(f)), (ssize_t)sizeof(f));
	cr_assert(f[0] == VNET_NEEDS_CSUM && f[1] == (VNET_GSO_TCP4 | VNET_GSO_ECN));
	cr_assert(f[2] == 40 && f[6] == 20 && f[8] == 16);
	f[6] = 200;
	cr_assert_eq(write(other, f, sizeof(f)), (ssize_t)sizeof(f));
	ngot = 0;
	cr_assert_eq(fdbased_rx(l, 0, 1), 1);
	cr_assert_eq(ngot, 0, "a checksum beyond the frame is dropped");
	memset(large, 0, sizeof(large));
	h = (struct vnet_hdr){ .flags = VNET_NEEDS_CSUM, .csum_start = 3000, .csum_off = 16 };
	vnet_emit(&h, large, VNET_HDR_LEN);
	cr_assert_eq(write(other, large, sizeof(large)), (ssize_t)sizeof(large));
	cr_assert_eq(fdbased_rx(l, 0, 1), 1);
	cr_assert_eq(ngot, 0, "and one that is not among the headers");
	close(other);
	link_close(l);
}

Test(link, fdbased_refuses_nonsense)
{
	struct fdbased_config c = { .pool = pool, .nfds = 0 };

	cr_assert_null(fdbased_new(&c));
	c.nfds = 1;
	c.vnet_hdr_len = 7;
	cr_assert_null(fdbased_new(&c));
}
