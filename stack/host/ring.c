/*
 * Rings of packet sockets.
 *
 * Theory of operation. The ring is a memory file, sealed against changes of its size. What the program maps of it is laid
 * out as the kernel would (af_packet.c): frames in TPACKET_V1 and V2, blocks in V3. A page more, at its end, is for the
 * library: struct stack_ring_control says where the status of what was filled last is, so that poll can tell
 * whether there is something to read. The program may write wherever it likes; we read nothing back but whether a
 * frame's or block's status says that it is ours again, and keep our place ourselves.
 *
 * Packets wait in the socket's queue while there is no room, and are dropped and counted there. Nobody tells us of
 * room: with packets waiting it is looked for again after a while. Whenever a frame or block is handed over, a
 * message without a datagram is put on the pair, for poll to wake up by.
 */
#include "host/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "proto/stack_proto.h"

enum {
	PAGE = 4096, V3_ALIGN = 8, LINK_ROOM = 16,
	DEFAULT_BLOCK_MS = 8,		/* tp_retire_blk_tov of 0 */
	LOOK_NS = 2000000,		/* while there is no room */
};

/**
 * struct ring
 * @reserve:  PACKET_RESERVE
 * @priv:     V3: bytes of a block that are the program's
 * @at:       the frame or block that is filled next, or now
 * @open:     V3: block @at is ours and being filled, up to @used; @last: its last packet; @npkts of them
 * @retire_ns: V3: a block with packets in it is handed over that long after it was opened
 */
struct ring {
	struct relay *relay;
	uint8_t *mem;
	size_t bytes, map_bytes;
	int fd;
	uint32_t version, reserve, priv;
	uint32_t block_size, blocks, frame_size, frames_per_block, frames;
	uint32_t at;
	bool open;
	uint32_t used, last, npkts;
	uint64_t seq;
	int64_t retire_ns;
	struct timer retire;
};

static uint32_t align(uint32_t n, uint32_t to)
{
	return (n + to - 1) & ~(to - 1);
}

static uint32_t header_len(uint32_t version)
{
	switch (version) {
	case TPACKET_V1: return TPACKET_HDRLEN;
	case TPACKET_V2: return TPACKET2_HDRLEN;
	default: return TPACKET3_HDRLEN;
	}
}

/* The head of a V3 block, with what is the program's after it. */
static uint32_t block_head(const struct ring *g)
{
	return align(sizeof(struct tpacket_block_desc), V3_ALIGN) + align(g->priv, V3_ALIGN);
}

/* Checks as packet_set_ring() does. */
static int take_layout(struct ring *g, const struct tpacket_req3 *q)
{
	uint64_t bytes = (uint64_t)q->tp_block_size * q->tp_block_nr;
	uint64_t least = header_len(g->version) + (uint64_t)g->reserve;

	if (g->reserve > UINT16_MAX || !q->tp_block_size || q->tp_block_size % PAGE || q->tp_block_size > INT32_MAX)
		return -EINVAL;
	if (g->version == TPACKET_V3) {
		if (q->tp_sizeof_priv >= q->tp_block_size)
			return -EINVAL;
		g->priv = q->tp_sizeof_priv;
		if (q->tp_block_size < block_head(g) + least)
			return -EINVAL;
	}
	if (q->tp_frame_size < least || q->tp_frame_size % TPACKET_ALIGNMENT || q->tp_frame_size > q->tp_block_size)
		return -EINVAL;
	g->frames_per_block = q->tp_block_size / q->tp_frame_size;
	if ((uint64_t)g->frames_per_block * q->tp_block_nr != q->tp_frame_nr)
		return -EINVAL;
	if (bytes > RING_BYTES_MAX)
		return -ENOMEM;
	g->block_size = q->tp_block_size;
	g->blocks = q->tp_block_nr;
	g->frame_size = q->tp_frame_size;
	g->frames = q->tp_frame_nr;
	g->map_bytes = (size_t)bytes;
	g->bytes = g->map_bytes + PAGE;
	g->retire_ns = (q->tp_retire_blk_tov ? q->tp_retire_blk_tov : DEFAULT_BLOCK_MS) * NS_PER_MS;
	return 0;
}

static int make_file(struct ring *g)
{
	void *p;

	g->fd = memfd_create("sockshim-ring", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (g->fd < 0)
		return -ENFILE;
	if (ftruncate(g->fd, (off_t)g->bytes) < 0 ||
	    fcntl(g->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return -ENOMEM;
	p = mmap(NULL, g->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, g->fd, 0);
	if (p == MAP_FAILED)
		return -ENOMEM;
	g->mem = p;
	return 0;
}

static void destroy(struct ring *g)
{
	timer_fini(g->relay->host->stack->clock, &g->retire);
	if (g->mem)
		munmap(g->mem, g->bytes);
	if (g->fd >= 0)
		close(g->fd);
	free(g);
}

static void retire_timer(struct timer *t);

int ring_set(struct relay *r, const void *val, size_t len)
{
	struct tpacket_req3 q = { 0 };
	size_t need = r->k->ring_version == TPACKET_V3 ? sizeof(q) : sizeof(struct tpacket_req);
	struct ring *g;
	int err;

	if (len < need)
		return -EINVAL;
	memcpy(&q, val, need);
	if (!q.tp_block_nr) {
		if (q.tp_frame_nr)
			return -EINVAL;
		ring_free(r);
		return 0;
	}
	if (r->ring)
		return -EBUSY;
	g = calloc(1, sizeof(*g));
	if (!g)
		return -ENOMEM;
	*g = (struct ring){ .relay = r, .fd = -1, .version = r->k->ring_version, .reserve = r->k->ring_reserve };
	timer_init(&g->retire, retire_timer);
	err = take_layout(g, &q);
	if (!err && r->host->ring_bytes + g->bytes > RINGS_BYTES_MAX)
		err = -ENOMEM;
	if (!err)
		err = make_file(g);
	if (err) {
		destroy(g);
		return err;
	}
	r->ring = g;
	r->host->ring_bytes += g->bytes;
	relay_try(r, RELAY_STACK_IN);
	return 0;
}

void ring_free(struct relay *r)
{
	if (!r->ring)
		return;
	r->host->ring_bytes -= r->ring->bytes;
	destroy(r->ring);
	r->ring = NULL;
}

int ring_fd(const struct relay *r, int64_t *bytes)
{
	if (!r->ring)
		return -EINVAL;
	*bytes = (int64_t)r->ring->map_bytes;
	return r->ring->fd;
}

/* What lies at an offset of ours, which are all in bounds. */
static void *mem(const struct ring *g, size_t off)
{
	return g->mem + off;
}

static size_t frame_off(const struct ring *g, uint32_t i)
{
	return (size_t)(i / g->frames_per_block) * g->block_size + (size_t)(i % g->frames_per_block) * g->frame_size;
}

static size_t block_off(const struct ring *g)
{
	return (size_t)g->at * g->block_size;
}

/* Where the status of frame or block @at is; V1's is a long, of which the first half will do on these machines. */
static size_t status_off(const struct ring *g)
{
	return g->version == TPACKET_V3 ? block_off(g) + offsetof(struct tpacket_block_desc, hdr.bh1.block_status)
					: frame_off(g, g->at);
}

static bool ours(const struct ring *g)
{
	return !(__atomic_load_n((uint32_t *)mem(g, status_off(g)), __ATOMIC_ACQUIRE) & TP_STATUS_USER);
}

/* Frame or block @at is the program's from now on. */
static void hand_over(struct ring *g, uint32_t status)
{
	struct stack_ring_control *c = mem(g, g->map_bytes);
	struct stack_dgram news = { .size = sizeof(news), .flags = STACK_DGRAM_ERROR };
	size_t off = status_off(g);

	__atomic_store_n((uint32_t *)mem(g, off), status | TP_STATUS_USER, __ATOMIC_RELEASE);
	__atomic_store_n(&c->status_off, (uint32_t)off, __ATOMIC_RELEASE);
	g->at = (g->at + 1) % (g->version == TPACKET_V3 ? g->blocks : g->frames);
	/* If there is no room on the pair, enough of these are there already. */
	send(g->relay->fd, &news, sizeof(news), MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* --- TPACKET_V3 */

static void block_times(struct ring *g, bool first, int64_t wall_ns)
{
	struct tpacket_block_desc *b = mem(g, block_off(g));
	struct tpacket_bd_ts ts = { .ts_sec = (uint32_t)(wall_ns / NS_PER_SEC),
				    .ts_nsec = (uint32_t)(wall_ns % NS_PER_SEC) };

	memcpy(first ? &b->hdr.bh1.ts_first_pkt : &b->hdr.bh1.ts_last_pkt, &ts, sizeof(ts));
}

static void block_open(struct ring *g, int64_t wall_ns)
{
	struct tpacket_block_desc *b = mem(g, block_off(g));

	g->open = true;
	g->used = block_head(g);
	g->npkts = 0;
	b->version = TPACKET_V3;
	b->offset_to_priv = align(sizeof(*b), V3_ALIGN);
	b->hdr.bh1.offset_to_first_pkt = g->used;
	b->hdr.bh1.seq_num = ++g->seq;
	block_times(g, true, wall_ns);
	timer_arm_in(g->relay->host->stack->clock, &g->retire, g->retire_ns);
}

static void block_close(struct ring *g, uint32_t status)
{
	struct tpacket_block_desc *b = mem(g, block_off(g));

	((struct tpacket3_hdr *)mem(g, block_off(g) + g->last))->tp_next_offset = 0;
	b->hdr.bh1.num_pkts = g->npkts;
	b->hdr.bh1.blk_len = g->used;
	g->open = false;
	timer_disarm(&g->retire);
	hand_over(g, status);
}

static void retire_timer(struct timer *t)
{
	struct ring *g = container_of(t, struct ring, retire);

	if (g->open && g->npkts)
		block_close(g, TP_STATUS_BLK_TMO);
	else if (g->open)
		timer_arm_in(g->relay->host->stack->clock, t, g->retire_ns);
}

/**
 * struct slot - where a packet goes
 * @head:  offset of its header in the ring
 * @mac, @net: of the packet and of its network header, counted from there
 * @len:   how much of it
 */
struct slot {
	size_t head;
	uint32_t mac, net, len;
};

/* As tpacket_rcv(): the network header is aligned, with at least 16 bytes of room in front of it. */
static void slot_offsets(const struct ring *g, const struct sock_msg *m, bool cooked, struct slot *s)
{
	uint32_t head = header_len(g->version), link = m->net_off;

	if (cooked) {
		s->mac = s->net = TPACKET_ALIGN(head) + LINK_ROOM + g->reserve;
		return;
	}
	s->net = TPACKET_ALIGN(head + (link < LINK_ROOM ? LINK_ROOM : link)) + g->reserve;
	s->mac = s->net - link;
}

/* Cuts the packet to what frame or block can hold. */
static void slot_cut(struct slot *s, uint32_t room)
{
	if (s->mac > room)
		s->len = 0;
	else if (s->len > room - s->mac)
		s->len = room - s->mac;
}

/* Room in a block; false: all are the program's. The slot must be cut by now. */
static bool block_slot(struct ring *g, struct slot *s, int64_t wall_ns)
{
	uint32_t need = align((s->len ? s->mac : header_len(g->version)) + s->len, V3_ALIGN);

	if (g->open && need > g->block_size - g->used)
		block_close(g, 0);
	if (!g->open && !ours(g))
		return false;
	if (!g->open)
		block_open(g, wall_ns);
	if (need > g->block_size - g->used)	/* its alignment is just too much: less than a word of it */
		return false;
	s->head = block_off(g) + g->used;
	g->last = g->used;
	g->used += need;
	g->npkts++;
	block_times(g, false, wall_ns);
	((struct tpacket3_hdr *)mem(g, s->head))->tp_next_offset = need;
	return true;
}

/* --- headers */

static void fill_v1(const struct slot *s, const struct sock_msg *m, struct tpacket_hdr *h)
{
	h->tp_len = (uint32_t)m->msg_len;
	h->tp_snaplen = s->len;
	h->tp_mac = (uint16_t)s->mac;
	h->tp_net = (uint16_t)s->net;
	h->tp_sec = (uint32_t)(m->wall_ns / NS_PER_SEC);
	h->tp_usec = (uint32_t)(m->wall_ns % NS_PER_SEC / 1000);
}

static void fill_v2(const struct slot *s, const struct sock_msg *m, struct tpacket2_hdr *h)
{
	h->tp_len = (uint32_t)m->msg_len;
	h->tp_snaplen = s->len;
	h->tp_mac = (uint16_t)s->mac;
	h->tp_net = (uint16_t)s->net;
	h->tp_sec = (uint32_t)(m->wall_ns / NS_PER_SEC);
	h->tp_nsec = (uint32_t)(m->wall_ns % NS_PER_SEC);
	h->tp_vlan_tci = h->tp_vlan_tpid = 0;
}

static void fill_v3(const struct slot *s, const struct sock_msg *m, uint32_t status, struct tpacket3_hdr *h)
{
	h->tp_len = (uint32_t)m->msg_len;
	h->tp_snaplen = s->len;
	h->tp_mac = (uint16_t)s->mac;
	h->tp_net = (uint16_t)s->net;
	h->tp_sec = (uint32_t)(m->wall_ns / NS_PER_SEC);
	h->tp_nsec = (uint32_t)(m->wall_ns % NS_PER_SEC);
	h->tp_status = status;
	memset(&h->hv1, 0, sizeof(h->hv1));
}

static uint32_t status_of(const struct sock_msg *m)
{
	return m->csum == PKT_CSUM_PARTIAL ? TP_STATUS_CSUMNOTREADY : m->csum == PKT_CSUM_VALID ? TP_STATUS_CSUM_VALID : 0;
}

static void put_sender(struct ring *g, const struct slot *s, const struct sock_msg *m)
{
	size_t at = TPACKET_ALIGN(header_len(g->version) - sizeof(struct sockaddr_ll));

	memcpy(mem(g, s->head + at), &m->addr, sizeof(struct sockaddr_ll));
}

/* Puts a packet into the ring, for which ring_has_room() has said yes. */
static bool put(struct ring *g, const struct sock_msg *m, const uint8_t *data, size_t len, bool cooked)
{
	struct slot s = { .len = (uint32_t)len };
	uint32_t status = status_of(m);

	slot_offsets(g, m, cooked, &s);
	if (g->version == TPACKET_V3) {
		slot_cut(&s, (g->block_size - block_head(g)) & ~(uint32_t)(V3_ALIGN - 1));
		if (!block_slot(g, &s, m->wall_ns))
			return false;
		fill_v3(&s, m, status, mem(g, s.head));
	} else {
		slot_cut(&s, g->frame_size);
		s.head = frame_off(g, g->at);
		if (g->version == TPACKET_V1)
			fill_v1(&s, m, mem(g, s.head));
		else
			fill_v2(&s, m, mem(g, s.head));
	}
	memcpy(mem(g, s.head + s.mac), data, s.len);
	put_sender(g, &s, m);
	if (g->version != TPACKET_V3)
		hand_over(g, status);
	return true;
}

/* Whether the next packet finds room. V3: in the open block, or in the next one. */
static bool has_room(struct ring *g, const struct sock *k)
{
	int64_t next = 0;

	if (!g->open)
		return ours(g);
	endpoint_get_int(k->ep, SOCKOPT_RECEIVE_QUEUE_SIZE, &next);
	/* Rather too little is taken for room than too much. */
	if (align((uint32_t)next + header_len(g->version) + 2 * LINK_ROOM + g->reserve, 2 * LINK_ROOM) <=
	    g->block_size - g->used)
		return true;
	if (!g->npkts)
		return true;		/* it is cut */
	block_close(g, 0);
	return ours(g);
}

bool ring_take(struct relay *r)
{
	struct iovec iov = { r->host->scratch, HOST_SCRATCH };
	struct sock_msg m = { 0 };
	int64_t waiting = 0;
	ssize_t n;

	if (!has_room(r->ring, r->k)) {
		r->ready &= ~(uint32_t)RELAY_STACK_IN;
		endpoint_get_int(r->k->ep, SOCKOPT_RECEIVE_QUEUE_SIZE, &waiting);
		if (waiting)
			relay_retry_in(r, LOOK_NS);
		return false;
	}
	n = sock_recv(r->k, &iov, 1, &m, 0);
	if (n < 0) {
		if (n != -EAGAIN)
			relay_put_error(r, (int)-n);
		r->ready &= ~(uint32_t)RELAY_STACK_IN;
		return false;
	}
	put(r->ring, &m, r->host->scratch, (size_t)n, r->k->type == SOCK_DGRAM);
	return true;
}
