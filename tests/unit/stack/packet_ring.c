/* The packet handler: against the kernel, on a pair of virtual Ethernets. */
#include "link/packet_ring.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/sysinfo.h>

#include "veth.h"

/* Each is over when it has read what was sent; the timeout is for one that fails. */
static struct packet_ring *ring;
static struct packet_ring_info info;
static uint8_t *data;
static char error[PACKET_RING_ERROR_MAX];
static uint8_t frame[1514] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xb5 };

enum { OUR_TYPE = 0x88b5 };

static struct packet_ring *open_on(const char *iface, struct packet_ring_config c)
{
	struct packet_ring *r;
	int err = packet_ring_open(iface, &c, &r, error);

	cr_assert_eq(err, 0, "%s", error);
	return r;
}

/* Hands packets over at once, so that no test waits for a block to fill. */
static struct packet_ring_config immediate(void)
{
	struct packet_ring_config c = packet_ring_default_config();

	c.immediate = true;
	c.read_timeout_ms = 5000;
	return c;
}

static struct packet_ring_config blocks(void)
{
	struct packet_ring_config c = packet_ring_default_config();

	c.buffer_timeout_ms = 1;
	c.read_timeout_ms = 5000;
	return c;
}

/* Sends a frame that ends in @mark out of @iface. */
static void send_on(const char *iface, size_t len, uint8_t mark)
{
	struct packet_ring_config c = packet_ring_default_config();
	struct packet_ring *w;

	c.proto = 0x1234;	/* to write with: receives nothing */
	c.immediate = true;
	c.buffer_size = 1;
	w = open_on(iface, c);
	frame[len - 1] = mark;
	cr_assert_eq(packet_ring_write(w, frame, len, 0, OUR_TYPE), (int64_t)len);
	packet_ring_free(w);
}

static void read_one(size_t len, uint8_t mark)
{
	int n = packet_ring_read(ring, true, &data, &info);

	cr_assert_eq(n, 1, "%s", packet_ring_strerror(n));
	cr_assert_eq(info.cap_len, len);
	cr_assert_eq(info.len, len);
	cr_assert_eq(data[len - 1], mark);
}

static void init(void)
{
	veth_enter();
}

static void fini(void)
{
	packet_ring_free(ring);
}

TestSuite(packet_ring, .init = init, .fini = fini);
TestSuite(packet_ring_help);

Test(packet_ring_help, default_config_is_as_documented_and_sound)
{
	struct packet_ring_config c = packet_ring_default_config();

	cr_assert(c.read_timeout_ms == 0 && c.buffer_size == 2 << 20 && c.buffer_timeout_ms == 0);
	cr_assert(!c.immediate && !c.promiscuous && !c.nonblock && !c.no_link_layer && !c.vnet_hdr);
	cr_assert(c.proto == ETH_P_ALL && c.tstamp == PACKET_RING_NANO && c.direction == PACKET_RING_IN_OUT);
	cr_assert(packet_ring_config_check(&c));
	c.read_timeout_ms = c.buffer_timeout_ms = c.buffer_size = -1;
	cr_assert(packet_ring_config_check(&c), "negative values mean the default");
}

Test(packet_ring_help, integrity_check_finds_each_wrong_value)
{
	const struct packet_ring_config good = packet_ring_default_config();
	struct sock_filter all = BPF_STMT(BPF_RET | BPF_K, 0xffff);
	struct packet_ring_config c = good;

	c.filter = &all;
	c.filter_len = 1;
	cr_assert(packet_ring_config_check(&c));
	c.filter_len = BPF_MAXINSNS + 1;
	cr_assert_not(packet_ring_config_check(&c));
	c = good;
	c.filter_len = 1;
	cr_assert_not(packet_ring_config_check(&c), "a length without a program");
	c = good;
	c.proto = 0;
	cr_assert_not(packet_ring_config_check(&c));
	c = good;
	c.direction = 3;
	cr_assert_not(packet_ring_config_check(&c));
	c = good;
	c.direction = PACKET_RING_OUT;
	cr_assert(packet_ring_config_check(&c));
	c.proto = PACKET_RING_PROTO_IPV4;
	cr_assert_not(packet_ring_config_check(&c), "never shown");
	c = good;
	c.tstamp = 2;
	cr_assert_not(packet_ring_config_check(&c));
	c = good;
	c.buffer_size = INT64_MAX;
	cr_assert_not(packet_ring_config_check(&c));
	c = good;
	c.vnet_hdr = c.no_link_layer = true;
	cr_assert_not(packet_ring_config_check(&c));
}

Test(packet_ring_help, errors_are_told_apart)
{
	static const int temporary[] = { PACKET_RING_WOULD_POLL, PACKET_RING_BREAK_LOOP, -ETIMEDOUT, -EAGAIN, -EINTR };

	for (size_t i = 0; i < sizeof(temporary) / sizeof(temporary[0]); i++) {
		cr_assert(packet_ring_temporary(temporary[i]));
		cr_assert_eq(packet_ring_timeout(temporary[i]), temporary[i] == -ETIMEDOUT);
	}
	cr_assert_not(packet_ring_temporary(-EINVAL));
	cr_assert_not(packet_ring_temporary(-ENETDOWN));
	cr_assert_not(packet_ring_temporary(0));
	cr_assert_str_neq(packet_ring_strerror(PACKET_RING_WOULD_POLL), packet_ring_strerror(PACKET_RING_BREAK_LOOP));
	cr_assert_str_eq(packet_ring_strerror(-EINVAL), strerror(EINVAL));
}

Test(packet_ring_help, status_tells_who_stamped_and_whether_there_was_a_tag)
{
	cr_assert_eq(packet_ring_tstamp_valid(TP_STATUS_USER | TP_STATUS_TS_SOFTWARE), 0);
	cr_assert_eq(packet_ring_tstamp_valid(TP_STATUS_USER | TP_STATUS_TS_RAW_HARDWARE), 1);
	cr_assert_eq(packet_ring_tstamp_valid(TP_STATUS_USER), -1);
	cr_assert(packet_ring_vlan_valid(TP_STATUS_USER | TP_STATUS_VLAN_VALID));
	cr_assert_not(packet_ring_vlan_valid(TP_STATUS_USER));
}

Test(packet_ring_help, kernel_and_platform)
{
	int major, minor;

	packet_ring_kernel_version(&major, &minor);
	cr_assert(major >= 5 && minor >= 0);
	cr_assert_eq(packet_ring_is_supported(), major > 5 || minor >= 10);
}

Test(packet_ring, link_types)
{
	cr_assert_eq(packet_ring_interface_link_type("va"), ARPHRD_ETHER);
	cr_assert_eq(packet_ring_interface_link_type("lo"), ARPHRD_LOOPBACK);
	cr_assert_eq(packet_ring_interface_link_type("nosuch"), PACKET_RING_LINK_NONE);
	cr_assert_eq(packet_ring_interface_link_type("a-name-longer-than-any-interface-has"), PACKET_RING_LINK_NONE);
	cr_assert_eq(packet_ring_interface_link_type(NULL), PACKET_RING_LINK_NONE);
	ring = open_on("va", immediate());
	cr_assert_eq(packet_ring_link_type(ring), ARPHRD_ETHER);
	cr_assert_eq(packet_ring_ifindex(ring), (int)if_nametoindex("va"));
}

Test(packet_ring, reads_what_the_other_side_wrote_in_both_modes)
{
	static const size_t sizes[] = { 60, 61, 1000, 1514 };

	for (int mode = 0; mode < 2; mode++) {
		struct timespec before, after;

		ring = open_on("vb", mode ? immediate() : blocks());
		clock_gettime(CLOCK_REALTIME, &before);
		for (uint8_t i = 0; i < 4; i++)
			send_on("va", sizes[i], i);
		for (uint8_t i = 0; i < 4; i++) {
			read_one(sizes[i], i);
			cr_assert(memcmp(data, frame, 14) == 0);
			cr_assert_eq(info.ifindex, (int)if_nametoindex("vb"));
			cr_assert(info.link.proto == OUR_TYPE && info.link.hatype == ARPHRD_ETHER);
			cr_assert(info.link.pkttype == PACKET_OTHERHOST && info.link.addr_len == 6);
			cr_assert(memcmp(info.link.addr, frame + 6, 6) == 0);
			cr_assert_not(packet_ring_vlan_valid(info.status));
			cr_assert_neq(packet_ring_tstamp_valid(info.status), 1, "no adapter here");
			clock_gettime(CLOCK_REALTIME, &after);
			cr_assert(info.time.tv_sec >= before.tv_sec && info.time.tv_sec <= after.tv_sec);
			cr_assert(info.time.tv_nsec >= 0 && info.time.tv_nsec < 1000000000);
		}
		cr_assert_eq(packet_ring_read(ring, false, &data, &info), PACKET_RING_WOULD_POLL);
		cr_assert_null(data);
		packet_ring_free(ring);
	}
	ring = NULL;
}

Test(packet_ring, goes_round_the_ring_many_times)
{
	for (int mode = 0; mode < 2; mode++) {
		struct packet_ring_config c = mode ? immediate() : blocks(), wc = immediate();
		struct packet_ring *w;
		int64_t bytes = 0;
		uint32_t sent = 0, got = 0;

		/* Many small blocks, or few large slots. Were the timeout short, a busy machine would make the
		 * kernel hand over block after block while this test waits for its turn, until none is left. */
		c.buffer_size = mode ? 1 : 1 << 20;
		c.buffer_timeout_ms = 20;
		wc.proto = 0x1234;
		ring = open_on("vb", c);
		w = open_on("va", wc);
		while (bytes < 4 * packet_ring_get_config(ring)->buffer_size || got < sent) {
			for (int i = 0; i < (mode ? 8 : 64) && bytes < 4 * packet_ring_get_config(ring)->buffer_size; i++) {
				size_t len = 64 + sent * 37 % 1400;

				memcpy(frame + 20, &sent, 4);
				cr_assert_eq(packet_ring_write(w, frame, len, 0, 0), (int64_t)len);
				bytes += (int64_t)len;
				sent++;
			}
			for (; got < sent; got++) {
				uint32_t n;

				cr_assert_eq(packet_ring_read(ring, true, &data, &info), 1);
				memcpy(&n, data + 20, 4);
				cr_assert(n == got && info.cap_len == 64 + n * 37 % 1400);
			}
		}
		cr_assert_eq(packet_ring_get_stats(ring, true).drops, 0);
		packet_ring_free(w);
		packet_ring_free(ring);
	}
	ring = NULL;
}

Test(packet_ring, vlan_tag_is_in_the_info)
{
	uint8_t tagged[64] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x81, 0x00, 0x60, 0x07, 0x88, 0xb5 };

	for (int mode = 0; mode < 2; mode++) {
		struct packet_ring *w = open_on("va", immediate());

		ring = open_on("vb", mode ? immediate() : blocks());
		cr_assert_eq(packet_ring_write(w, tagged, sizeof(tagged), 0, ETH_P_8021Q), 64);
		cr_assert_eq(packet_ring_read(ring, true, &data, &info), 1);
		cr_assert(packet_ring_vlan_valid(info.status));
		cr_assert_eq(info.vlan.tci, 0x6007);
		cr_assert_eq(info.vlan.tpid, ETH_P_8021Q);
		cr_assert_eq(info.cap_len, 60);
		cr_assert(data[12] == 0x88 && data[13] == 0xb5);
		packet_ring_free(ring);
		packet_ring_free(w);
	}
	ring = NULL;
}

Test(packet_ring, direction_in_shows_no_packet_out)
{
	struct packet_ring_config c = immediate();

	c.direction = PACKET_RING_IN;
	ring = open_on("va", c);
	send_on("va", 60, 1);
	send_on("vb", 60, 2);
	read_one(60, 2);
	cr_assert_eq(packet_ring_read(ring, false, &data, &info), PACKET_RING_WOULD_POLL);
}

Test(packet_ring, direction_out_returns_nothing_after_too_long_a_run_of_the_other)
{
	for (int mode = 0; mode < 2; mode++) {
		struct packet_ring_config c = mode ? immediate() : blocks();

		c.direction = PACKET_RING_OUT;
		c.max_nil_read = 3;
		ring = open_on("va", c);
		for (uint8_t i = 0; i < 5; i++)
			send_on("vb", 60, i);
		send_on("va", 60, 9);
		cr_assert_eq(packet_ring_read(ring, true, &data, &info), 0);
		cr_assert_null(data);
		read_one(60, 9);
		cr_assert_eq(info.link.pkttype, PACKET_OUTGOING);
		packet_ring_free(ring);
	}
	ring = NULL;
}

Test(packet_ring, filter_holds_from_the_first_packet_and_can_be_changed)
{
	/* Frames whose last byte of 60 is 7; 30 bytes of them. */
	struct sock_filter seven[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 59), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 7, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 30), BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_filter loop[] = { BPF_STMT(BPF_JMP | BPF_JA, 5) };
	struct packet_ring_config c = immediate();

	c.filter = seven;
	c.filter_len = 4;
	ring = open_on("vb", c);
	cr_assert(packet_ring_get_config(ring)->filter != seven && packet_ring_get_config(ring)->filter_len == 4);
	send_on("va", 60, 1);
	send_on("va", 60, 7);
	cr_assert_eq(packet_ring_read(ring, true, &data, &info), 1);
	cr_assert(info.cap_len == 30 && info.len == 60, "cut by the filter");
	cr_assert_eq(packet_ring_get_stats(ring, true).recvs, 1, "those refused do not count");
	seven[1].k = 8;
	cr_assert_eq(packet_ring_set_bpf(ring, seven, 4), 0);
	send_on("va", 60, 7);
	send_on("va", 60, 8);
	cr_assert_eq(packet_ring_read(ring, true, &data, &info), 1);
	cr_assert_eq(packet_ring_read(ring, false, &data, &info), PACKET_RING_WOULD_POLL);
	cr_assert_eq(packet_ring_set_bpf(ring, loop, 1), -EINVAL);
	cr_assert_eq(packet_ring_set_bpf(ring, loop, BPF_MAXINSNS + 1), -EINVAL);
	send_on("va", 60, 7);
	cr_assert_eq(packet_ring_read(ring, false, &data, &info), PACKET_RING_WOULD_POLL, "the old one is still there");
	cr_assert_eq(packet_ring_set_bpf(ring, NULL, 0), 0);
	cr_assert_eq(packet_ring_set_bpf(ring, NULL, 0), 0, "there is none to detach");
	send_on("va", 60, 1);
	read_one(60, 1);
}

Test(packet_ring, timeout_and_would_block_are_distinct)
{
	struct packet_ring_config c = packet_ring_default_config();

	c.read_timeout_ms = 1;
	ring = open_on("vb", c);
	cr_assert_eq(packet_ring_read(ring, false, &data, &info), PACKET_RING_WOULD_POLL);
	cr_assert_eq(packet_ring_read(ring, true, &data, &info), -ETIMEDOUT);
	packet_ring_free(ring);
	c.nonblock = true;
	ring = open_on("vb", c);
	cr_assert_eq(packet_ring_read(ring, true, &data, &info), -EAGAIN);
	cr_assert_eq(packet_ring_read(ring, false, &data, &info), PACKET_RING_WOULD_POLL);
	cr_assert(fcntl(packet_ring_fd(ring), F_GETFL) & O_NONBLOCK);
}

static void *breaker(void *arg)
{
	cr_assert_eq(packet_ring_break_loop(arg), 0);
	return NULL;
}

Test(packet_ring, break_loop_ends_the_read_that_waits_or_the_next)
{
	struct packet_ring_config c = packet_ring_default_config();
	pthread_t t;

	ring = open_on("vb", c);	/* without a timeout: only a break ends it */
	cr_assert_eq(pthread_create(&t, NULL, breaker, ring), 0);
	cr_assert_eq(packet_ring_read(ring, true, &data, &info), PACKET_RING_BREAK_LOOP);
	pthread_join(t, NULL);
	packet_ring_break_loop(ring);
	packet_ring_break_loop(ring);
	cr_assert_eq(packet_ring_read(ring, false, &data, &info), PACKET_RING_WOULD_POLL, "this one waits for nothing");
	cr_assert_eq(packet_ring_read(ring, true, &data, &info), PACKET_RING_BREAK_LOOP);
	packet_ring_free(ring);
	ring = open_on("vb", immediate());
	packet_ring_break_loop(ring);
	cr_assert_eq(packet_ring_read(ring, true, &data, &info), PACKET_RING_BREAK_LOOP);
	send_on("va", 60, 1);
	read_one(60, 1);
}

Test(packet_ring, stats_since_last_and_in_total)
{
	struct packet_ring_config c = immediate();
	struct packet_ring *w = open_on("va", c);
	struct packet_ring_stats s;
	int read = 0;

	c.buffer_size = 1;
	ring = open_on("vb", c);
	for (uint8_t i = 0; i < 3; i++)
		packet_ring_write(w, frame, 60, 0, 0);
	s = packet_ring_get_stats(ring, false);
	cr_assert(s.recvs == 3 && s.drops == 0);
	s = packet_ring_get_stats(ring, false);
	cr_assert(s.recvs == 0 && s.drops == 0);
	for (int i = 0; i < 200; i++)
		packet_ring_write(w, frame, 60, 0, 0);
	packet_ring_free(w);
	s = packet_ring_get_stats(ring, true);
	while (packet_ring_read(ring, false, &data, &info) == 1)
		read++;
	cr_assert_eq(s.recvs, 203);
	cr_assert_gt(s.drops, 0);
	cr_assert_eq((int)(s.recvs - s.drops), read);
	s = packet_ring_get_stats(ring, false);
	cr_assert_eq(s.recvs, 200, "a total in between takes nothing away");
}

Test(packet_ring, cooked_without_an_interface)
{
	struct packet_ring_config c = immediate();

	ring = open_on(NULL, c);
	cr_assert(packet_ring_get_config(ring)->no_link_layer);
	cr_assert_eq(packet_ring_link_type(ring), PACKET_RING_LINK_NONE);
	cr_assert_eq(packet_ring_write(ring, frame, 60, 0, OUR_TYPE), -EINVAL, "no interface");
	cr_assert_eq(packet_ring_write(ring, frame, 60, (int)if_nametoindex("va"), 0), -EINVAL, "no protocol");
	cr_assert_eq(packet_ring_write(ring, "hello", 5, (int)if_nametoindex("va"), OUR_TYPE), 5);
	cr_assert_eq(packet_ring_read(ring, true, &data, &info), 1);
	cr_assert(info.ifindex == (int)if_nametoindex("vb") && info.link.pkttype == PACKET_BROADCAST);
	cr_assert(info.link.proto == OUR_TYPE && info.cap_len == 5 && memcmp(data, "hello", 5) == 0);
	send_on("vb", 60, 1);
	cr_assert_eq(packet_ring_read(ring, true, &data, &info), 1);
	cr_assert(info.ifindex == (int)if_nametoindex("vb") && info.link.pkttype == PACKET_OUTGOING);
	cr_assert(info.cap_len == 46 && data[45] == 1);
}

Test(packet_ring, write_says_what_is_wrong)
{
	ring = open_on("va", immediate());
	cr_assert_eq(packet_ring_write(ring, frame, 60, -1, OUR_TYPE), -EINVAL);
	cr_assert_eq(packet_ring_write(ring, frame, 60, 0, -1), -EINVAL);
	cr_assert_eq(packet_ring_write(ring, frame, 60, 0, 0x10000), -EINVAL);
	cr_assert_eq(packet_ring_write(ring, frame, 60, 4711, OUR_TYPE), -ENXIO);
	cr_assert_eq(packet_ring_write(ring, frame, 60, 0, 0), 60, "both are those it is bound to");
}

Test(packet_ring, only_the_protocol_asked_for)
{
	struct packet_ring_config c = immediate();

	c.proto = OUR_TYPE;
	ring = open_on("vb", c);
	frame[13] = 0xb6;
	send_on("va", 60, 1);
	frame[13] = 0xb5;
	send_on("va", 60, 2);
	read_one(60, 2);
}

Test(packet_ring, microseconds_when_asked_for)
{
	struct packet_ring_config c = immediate();

	c.tstamp = PACKET_RING_MICRO;
	ring = open_on("vb", c);
	for (int i = 0; i < 10; i++) {
		send_on("va", 60, 1);
		read_one(60, 1);
		cr_assert_eq(info.time.tv_nsec % 1000, 0);
	}
}

Test(packet_ring, virtio_net_header_in_front)
{
	struct packet_ring_config c = immediate();
	uint8_t with[10 + 60] = { 0 };
	struct packet_ring *w;

	c.vnet_hdr = true;
	ring = open_on("vb", c);
	send_on("va", 60, 5);
	cr_assert_eq(packet_ring_read(ring, true, &data, &info), 1);
	cr_assert(info.cap_len == 70 && info.len == 70);
	cr_assert(memcmp(data, with, 10) == 0 && memcmp(data + 10, frame, 60) == 0);
	memcpy(with + 10, frame, 60);
	w = open_on("va", c);
	cr_assert_eq(packet_ring_write(w, with, 70, 0, 0), 70);
	cr_assert_eq(packet_ring_write(w, with, 9, 0, 0), -EINVAL, "cut short");
	cr_assert_eq(packet_ring_read(ring, true, &data, &info), 1);
	cr_assert(info.cap_len == 70 && memcmp(data, with, 70) == 0);
	packet_ring_free(w);
}

Test(packet_ring, size_is_rounded_up_and_too_much_is_refused)
{
	struct packet_ring_config c = packet_ring_default_config();
	struct sysinfo si;

	c.buffer_size = 3000001;
	ring = open_on("va", c);
	cr_assert_geq(packet_ring_get_config(ring)->buffer_size, 3000001);
	cr_assert_lt(packet_ring_get_config(ring)->buffer_size, 3000001 + (256 << 10));
	sysinfo(&si);
	c.buffer_size = (int64_t)si.totalram * si.mem_unit;
	packet_ring_free(ring);
	cr_assert_eq(packet_ring_open("va", &c, &ring, error), -ENOMEM);
	cr_assert_str_eq(error, "va: the ring is too large: Cannot allocate memory");
	cr_assert_null(ring);
	c.immediate = true;
	cr_assert_eq(packet_ring_open("va", &c, &ring, error), -ENOMEM);
}

Test(packet_ring, opening_says_what_is_wrong)
{
	struct packet_ring_config c = packet_ring_default_config();
	struct sock_filter bad = BPF_STMT(0xffff, 0);

	cr_assert_eq(packet_ring_open("nosuch", NULL, &ring, error), -ENODEV);
	cr_assert_str_eq(error, "nosuch: no such interface: No such device");
	cr_assert_eq(packet_ring_open("a-name-longer-than-any-interface-has", NULL, &ring, error), -ENODEV);
	cr_assert_eq(packet_ring_open("nosuch", NULL, &ring, NULL), -ENODEV, "nobody has to ask why");
	c.filter = &bad;
	c.filter_len = 1;
	cr_assert_eq(packet_ring_open("va", &c, &ring, error), -EINVAL);
	c = packet_ring_default_config();
	c.promiscuous = true;
	cr_assert_eq(packet_ring_open(NULL, &c, &ring, error), -EINVAL);
	c.proto = 0;
	cr_assert_eq(packet_ring_open("va", &c, &ring, error), -EINVAL);
	if (seteuid(65534) < 0)
		cr_skip_test("no other user here");
	cr_assert_eq(packet_ring_open("va", NULL, &ring, error), -EPERM);
	cr_assert_str_eq(error, "va: cannot open a packet socket: Operation not permitted");
	cr_assert_eq(seteuid(0), 0);
}

Test(packet_ring, promiscuous_mode_lasts_as_long_as_the_handler)
{
	struct packet_ring_config c = immediate();

	c.promiscuous = true;
	ring = open_on("va", c);
	cr_assert_eq(system("ip -d link show va | grep -q 'promiscuity 1'"), 0);
	packet_ring_close(ring);
	cr_assert_eq(system("ip -d link show va | grep -q 'promiscuity 0'"), 0);
}

Test(packet_ring, an_interface_that_goes_down_is_an_error)
{
	ring = open_on("va", immediate());
	cr_assert_eq(system("ip link set va down"), 0);
	cr_assert_eq(packet_ring_read(ring, true, &data, &info), -ENETDOWN);
}

Test(packet_ring, after_close_everything_is_invalid)
{
	struct sock_filter all = BPF_STMT(BPF_RET | BPF_K, 0xffff);
	struct packet_ring_stats s;

	ring = open_on("va", immediate());
	send_on("vb", 60, 1);
	cr_assert_eq(packet_ring_close(ring), 0);
	cr_assert_eq(packet_ring_read(ring, true, &data, &info), -EINVAL);
	cr_assert_eq(packet_ring_read(ring, false, &data, &info), -EINVAL);
	cr_assert_eq(packet_ring_write(ring, frame, 60, 0, 0), -EINVAL);
	cr_assert_eq(packet_ring_set_bpf(ring, &all, 1), -EINVAL);
	cr_assert_eq(packet_ring_break_loop(ring), -EINVAL);
	cr_assert_eq(packet_ring_close(ring), -EINVAL);
	s = packet_ring_get_stats(ring, true);
	cr_assert(s.recvs == 0 && s.drops == 0);
	cr_assert(packet_ring_get_config(ring)->immediate);
}

Test(packet_ring, the_descriptor_is_readable_while_packets_wait_and_no_longer)
{
	for (int mode = 0; mode < 2; mode++) {
		struct pollfd p = { .events = POLLIN };

		ring = open_on("vb", mode ? immediate() : blocks());
		p.fd = packet_ring_fd(ring);
		cr_assert_eq(poll(&p, 1, 0), 0);
		send_on("va", 60, 1);
		cr_assert_eq(poll(&p, 1, 5000), 1);
		cr_assert_eq(packet_ring_read(ring, false, &data, &info), 1);
		cr_assert_eq(packet_ring_read(ring, false, &data, &info), PACKET_RING_WOULD_POLL);
		cr_assert_eq(poll(&p, 1, 0), 0);
		packet_ring_free(ring);
	}
	ring = NULL;
}
