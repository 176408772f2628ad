/* Rings of packet sockets through the host: what is laid out in them, when, and what is refused. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "peer.h"

enum { BLOCK = 8192, FRAME = 2048, LO = 1 };

static struct peer p;
static struct sockp sender, sink;	/* no ICMP errors are to be among what is seen */
static uint8_t *mem;
static size_t bytes;

static void start(void)
{
	peer_start(&p, "lo");
	sender = peer_socket(&p, AF_INET, SOCK_DGRAM);
	sink = peer_socket(&p, AF_INET, SOCK_DGRAM);
	cr_assert_eq(peer_bind(&p, &sink, &(struct sockaddr_in[]){ v4("127.0.0.1", 9) }[0]), 0);
}

static void stop(void)
{
	close(sender.fd);
	close(sink.fd);
	peer_stop(&p);
}

TestSuite(ring, .init = start, .fini = stop);

static int set(const struct sockp *s, int level, int name, const void *value, size_t len)
{
	return peer_call(&p, STACK_OP_SETOPT, s->cookie, level, name, 0, value, len);
}

static struct sockp packet_socket(int version)
{
	struct sockp s = peer_socket(&p, AF_PACKET, SOCK_RAW);

	cr_assert_eq(set(&s, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)), 0);
	return s;
}

/* From now on it sees what passes. */
static void listen_on(const struct sockp *s)
{
	struct sockaddr_ll ll = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP), .sll_ifindex = LO };
	int one = 1;

	cr_assert_eq(set(s, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)), 0);
	cr_assert_eq(peer_call(&p, STACK_OP_BIND, s->cookie, 0, 0, 0, &ll, sizeof(ll)), 0);
}

static void map_ring(const struct sockp *s)
{
	cr_assert_eq(peer_call(&p, STACK_OP_RING, s->cookie, 0, 0, 0, NULL, 0), 0);
	bytes = (size_t)p.reply.arg[0];
	mem = mmap(NULL, bytes + 4096, PROT_READ | PROT_WRITE, MAP_SHARED, p.reply_fd, 0);
	cr_assert_neq(mem, MAP_FAILED);
	/* Else we could kill the host by cutting its memory off. */
	cr_assert_eq(ftruncate(p.reply_fd, 0), -1);
	close(p.reply_fd);
}

static uint32_t last_status(void)
{
	const struct stack_ring_control *c = (const struct stack_ring_control *)(mem + bytes);

	cr_assert_leq(c->status_off, bytes - 4);
	return __atomic_load_n((uint32_t *)(mem + c->status_off), __ATOMIC_ACQUIRE);
}

/* Datagrams over the loopback, each of @len bytes with its number first. */
static void send_some(int n, size_t len)
{
	struct sockaddr_in to = v4("127.0.0.1", 9);
	uint8_t data[4000] = { 0 };

	for (int i = 0; i < n; i++) {
		data[0] = (uint8_t)i;
		cr_assert_eq(dgram_send(sender.fd, &to, data, len), (ssize_t)len);
	}
}

static void wait_word(const struct sockp *s)
{
	struct stack_dgram d;

	cr_assert(wait_events(s->fd, POLLIN));
	cr_assert_eq(recv(s->fd, &d, sizeof(d), 0), (ssize_t)sizeof(d));
	cr_assert(d.flags & STACK_DGRAM_ERROR);
}

static int make(const struct sockp *s, unsigned block, unsigned blocks, unsigned frame, unsigned frames)
{
	struct tpacket_req3 q = { .tp_block_size = block, .tp_block_nr = blocks, .tp_frame_size = frame, .tp_frame_nr = frames,
				  .tp_retire_blk_tov = 20 };

	return set(s, SOL_PACKET, PACKET_RX_RING, &q, sizeof(q));
}

Test(ring, layouts_that_cannot_be)
{
	struct sockp s = packet_socket(TPACKET_V2), udp = peer_socket(&p, AF_INET, SOCK_DGRAM);

	cr_assert_eq(make(&s, BLOCK, 1, FRAME, 3), -EINVAL, "frames and blocks do not fit one another");
	cr_assert_eq(make(&s, BLOCK + 1, 1, FRAME, 4), -EINVAL, "a block is of whole pages");
	cr_assert_eq(make(&s, 0, 1, FRAME, 4), -EINVAL);
	cr_assert_eq(make(&s, BLOCK, 1, 16, 512), -EINVAL, "no room for a header");
	cr_assert_eq(make(&s, BLOCK, 1, FRAME + 1, 3), -EINVAL);
	cr_assert_eq(make(&s, BLOCK, 1, 2 * BLOCK, 0), -EINVAL, "a frame longer than a block");
	cr_assert_eq(make(&s, 1u << 30, 1u << 10, FRAME, 1u << 29), -ENOMEM, "too much memory");
	cr_assert_eq(make(&s, 0, 0, 0, 1), -EINVAL);
	cr_assert_eq(set(&s, SOL_PACKET, PACKET_RX_RING, &s, 4), -EINVAL);
	cr_assert_eq(peer_call(&p, STACK_OP_RING, s.cookie, 0, 0, 0, NULL, 0), -EINVAL, "there is none");
	cr_assert_eq(make(&udp, BLOCK, 1, FRAME, 4), -ENOPROTOOPT);
	cr_assert_eq(make(&s, BLOCK, 1, FRAME, 4), 0);
	cr_assert_eq(make(&s, BLOCK, 1, FRAME, 4), -EBUSY, "a second one");
	cr_assert_eq(set(&s, SOL_PACKET, PACKET_VERSION, &(int){ TPACKET_V3 }, sizeof(int)), -EBUSY);
	cr_assert_eq(make(&s, 0, 0, 0, 0), 0);
	cr_assert_eq(make(&s, BLOCK, 1, FRAME, 4), 0);
	close(s.fd);
	close(udp.fd);
}

Test(ring, all_memory_together_is_limited)
{
	struct sockp s[5];
	int made = 0;

	for (int i = 0; i < 5; i++) {
		s[i] = packet_socket(TPACKET_V2);
		made += make(&s[i], 1 << 20, 63, 1 << 20, 63) == 0;
	}
	cr_assert_eq(made, 4);
	for (int i = 0; i < 5; i++)
		close(s[i].fd);
}

static struct tpacket2_hdr *frame(int i)
{
	return (struct tpacket2_hdr *)(mem + i * FRAME);
}

Test(ring, frames_one_after_the_other)
{
	struct sockp s = packet_socket(TPACKET_V2);
	const struct sockaddr_ll *from;

	cr_assert_eq(make(&s, BLOCK, 1, FRAME, 4), 0);
	map_ring(&s);
	listen_on(&s);
	send_some(6, 100);
	for (int i = 0; i < 4; i++)
		wait_word(&s);
	for (int i = 0; i < 4; i++) {
		struct tpacket2_hdr *h = frame(i);

		cr_assert(h->tp_status & TP_STATUS_USER, "frame %d", i);
		cr_assert_eq(h->tp_len, 14 + 20 + 8 + 100);
		cr_assert_eq(h->tp_snaplen, h->tp_len);
		cr_assert_eq(h->tp_net - h->tp_mac, 14);
		cr_assert_eq(((uint8_t *)h)[h->tp_net], 0x45);
		cr_assert_eq(((uint8_t *)h)[h->tp_net + 28], i, "out of order");
		cr_assert_gt(h->tp_sec, 1000000000u);
	}
	from = (const struct sockaddr_ll *)((uint8_t *)frame(0) + TPACKET_ALIGN(sizeof(struct tpacket2_hdr)));
	cr_assert_eq(from->sll_ifindex, LO);
	cr_assert_eq(from->sll_hatype, 772);
	/* Two wait for room, which nobody tells the host of. */
	cr_assert(last_status() & TP_STATUS_USER);
	for (int i = 0; i < 4; i++)
		__atomic_store_n(&frame(i)->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
	wait_word(&s);
	wait_word(&s);
	cr_assert_eq(((uint8_t *)frame(1))[frame(1)->tp_net + 28], 5);
	cr_assert_eq(frame(2)->tp_status, TP_STATUS_KERNEL);
	close(s.fd);
}

Test(ring, frames_of_the_first_version)
{
	struct sockp s = packet_socket(TPACKET_V1);
	struct tpacket_hdr *h;

	cr_assert_eq(make(&s, BLOCK, 1, FRAME, 4), 0);
	map_ring(&s);
	listen_on(&s);
	send_some(2, 100);
	wait_word(&s);
	wait_word(&s);
	h = (struct tpacket_hdr *)(mem + FRAME);
	cr_assert(h->tp_status & TP_STATUS_USER);
	cr_assert_eq(h->tp_snaplen, 14 + 20 + 8 + 100);
	cr_assert_eq(((uint8_t *)h)[h->tp_net + 28], 1);
	cr_assert_lt(h->tp_usec, 1000000u);
	close(s.fd);
}

Test(ring, a_frame_is_cut_to_what_there_is_room_for)
{
	struct sockp s = packet_socket(TPACKET_V2);

	cr_assert_eq(make(&s, BLOCK, 1, FRAME, 4), 0);
	map_ring(&s);
	listen_on(&s);
	send_some(1, 3000);
	wait_word(&s);
	cr_assert_eq(frame(0)->tp_len, 14 + 20 + 8 + 3000);
	cr_assert_eq(frame(0)->tp_snaplen + frame(0)->tp_mac, FRAME);
	close(s.fd);
}

static struct tpacket_hdr_v1 *block(int i)
{
	return &((struct tpacket_block_desc *)(mem + i * BLOCK))->hdr.bh1;
}

Test(ring, blocks_are_handed_over_full_or_after_a_time)
{
	struct sockp s = packet_socket(TPACKET_V3);
	struct tpacket3_hdr *h = NULL;
	int seen = 0;

	cr_assert_eq(make(&s, BLOCK, 3, BLOCK, 3), 0);
	map_ring(&s);
	listen_on(&s);
	send_some(10, 1000);
	wait_word(&s);
	/* Seven of them fill a block; the others come when its time is over. */
	cr_assert_eq(block(0)->block_status, TP_STATUS_USER);
	cr_assert_eq(block(0)->num_pkts, 7);
	wait_word(&s);
	cr_assert_eq(block(1)->block_status, TP_STATUS_USER | TP_STATUS_BLK_TMO, "%#x, %u packets", block(1)->block_status, block(1)->num_pkts);
	cr_assert_eq(block(1)->num_pkts, 3);
	cr_assert_eq(block(1)->seq_num, block(0)->seq_num + 1);
	for (int b = 0; b < 2; b++) {
		size_t at = block(b)->offset_to_first_pkt;

		for (uint32_t i = 0; i < block(b)->num_pkts; i++, seen++) {
			cr_assert_lt(at, BLOCK - sizeof(*h));
			h = (struct tpacket3_hdr *)(mem + b * BLOCK + at);
			cr_assert_eq(h->tp_snaplen, 14 + 20 + 8 + 1000);
			cr_assert_leq(at + h->tp_mac + h->tp_snaplen, block(b)->blk_len);
			cr_assert_eq(((uint8_t *)h)[h->tp_net + 28], seen);
			at += h->tp_next_offset;
		}
		cr_assert(h && h->tp_next_offset == 0);
	}
	close(s.fd);
}

Test(ring, what_finds_no_room_is_dropped_and_counted)
{
	struct sockp s = packet_socket(TPACKET_V3);
	struct tpacket_stats_v3 st;
	int buffer = 4096;

	cr_assert_eq(set(&s, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer)), 0);
	cr_assert_eq(make(&s, BLOCK, 1, BLOCK, 1), 0);
	map_ring(&s);
	listen_on(&s);
	send_some(200, 1000);
	wait_word(&s);
	do {
		cr_assert_eq(peer_call(&p, STACK_OP_GETOPT, s.cookie, SOL_PACKET, PACKET_STATISTICS, sizeof(st), NULL, 0), 0);
		cr_assert_eq(p.reply.len, sizeof(st));
		memcpy(&st, p.reply.data, sizeof(st));
	} while (!st.tp_drops);
	cr_assert_leq(st.tp_drops, st.tp_packets);
	/* Nonsense in the ring is the program's own affair. */
	memset(mem, 0xff, bytes);
	memset(mem, 0, bytes);
	send_some(20, 1000);
	wait_word(&s);
	cr_assert_gt(block(0)->num_pkts, 0);
	close(s.fd);
}

/* IPv4's UDP to port 9, of which 30 bytes are wanted. */
static const struct sock_filter port_9[] = {
	BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 14 + 20 + 2), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 9, 0, 1),
	BPF_STMT(BPF_RET | BPF_K, 30), BPF_STMT(BPF_RET | BPF_K, 0),
};

Test(ring, a_filter_decides_what_comes_and_how_much_of_it)
{
	struct sockp s = packet_socket(TPACKET_V2), other = peer_socket(&p, AF_INET, SOCK_DGRAM);
	struct sockaddr_in to = v4("127.0.0.1", 10);
	struct sock_filter bad[] = { BPF_STMT(BPF_LD | BPF_IMM, 0) };

	cr_assert_eq(make(&s, BLOCK, 1, FRAME, 4), 0);
	map_ring(&s);
	cr_assert_eq(set(&s, SOL_SOCKET, SO_ATTACH_FILTER, bad, sizeof(bad)), -EINVAL);
	cr_assert_eq(set(&s, SOL_SOCKET, SO_ATTACH_FILTER, port_9, sizeof(port_9)), 0);
	cr_assert_eq(set(&s, SOL_SOCKET, SO_LOCK_FILTER, &(int){ 1 }, sizeof(int)), 0);
	cr_assert_eq(set(&s, SOL_SOCKET, SO_DETACH_FILTER, &(int){ 0 }, sizeof(int)), -EPERM);
	listen_on(&s);
	cr_assert_eq(dgram_send(other.fd, &to, "other", 5), 5);
	send_some(1, 100);
	wait_word(&s);
	cr_assert_eq(frame(0)->tp_len, 14 + 20 + 8 + 100);
	cr_assert_eq(frame(0)->tp_snaplen, 30);
	cr_assert_eq(frame(1)->tp_status, TP_STATUS_KERNEL);
	close(s.fd);
	close(other.fd);
}
