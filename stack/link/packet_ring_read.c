/*
 * Packet handler: reading.
 *
 * A unit of the ring (a block of packets, or one packet's slot) is the kernel's or ours, as its status word
 * says. Ours it stays until the read that leaves it, so that the caller may use the packet in place. What the
 * kernel says of offsets and lengths is checked against the unit before it is used.
 */
#include "link/packet_ring_impl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static uint8_t *unit_at(const struct packet_ring *r, uint32_t i)
{
	if (r->per_block)
		return r->map + (size_t)(i / r->per_block) * r->block_size + (size_t)(i % r->per_block) * r->unit_size;
	return r->map + (size_t)i * r->unit_size;
}

static volatile uint32_t *unit_status(const struct packet_ring *r, uint8_t *unit)
{
	return r->config.immediate ? (uint32_t *)(void *)&((struct tpacket2_hdr *)(void *)unit)->tp_status
				   : (uint32_t *)(void *)&((struct tpacket_block_desc *)(void *)unit)->hdr.bh1.block_status;
}

static void give_back(struct packet_ring *r)
{
	if (!r->held)
		return;
	__atomic_store_n(unit_status(r, unit_at(r, r->cur)), TP_STATUS_KERNEL, __ATOMIC_RELEASE);
	r->held = false;
	r->cur = r->cur + 1 == r->units ? 0 : r->cur + 1;
}

/* The next unit, if it is ours. */
static uint8_t *take(struct packet_ring *r)
{
	uint8_t *unit = unit_at(r, r->cur);

	if (!(__atomic_load_n(unit_status(r, unit), __ATOMIC_ACQUIRE) & TP_STATUS_USER))
		return NULL;
	r->held = true;
	return unit;
}

static void set_link(struct packet_ring_info *info, const struct sockaddr_ll *from)
{
	info->ifindex = from->sll_ifindex;
	info->link.proto = ntohs(from->sll_protocol);
	info->link.hatype = from->sll_hatype;
	info->link.pkttype = from->sll_pkttype;
	info->link.addr_len = from->sll_halen < sizeof(info->link.addr) ? from->sll_halen : sizeof(info->link.addr);
	memcpy(info->link.addr, from->sll_addr, sizeof(info->link.addr));
}

/* Where the bytes begin: @off from the header, with the virtio-net header in front. False if they do not lie
 * between the header and @end. */
static bool set_data(const struct packet_ring *r, uint8_t *hdr, const uint8_t *end, uint32_t off,
		     uint32_t cap_len, uint8_t **data, struct packet_ring_info *info)
{
	const uint32_t vnet = r->config.vnet_hdr ? 10 : 0;

	if (off < vnet + TPACKET2_HDRLEN - sizeof(struct sockaddr_ll) || off > (size_t)(end - hdr) ||
	    cap_len > (size_t)(end - hdr) - off)
		return false;
	*data = hdr + off - vnet;
	info->cap_len = cap_len + vnet;
	info->len += vnet;
	return true;
}

/* The next packet of the block that is read; -EIO if it does not lie in it. */
static int block_packet(struct packet_ring *r, uint8_t **data, struct packet_ring_info *info)
{
	const uint8_t *end = unit_at(r, r->cur) + r->unit_size;
	struct tpacket3_hdr *h = (struct tpacket3_hdr *)(void *)r->next;
	size_t room = (size_t)(end - r->next);

	if (room < TPACKET3_HDRLEN)
		return -EIO;
	*info = (struct packet_ring_info){
		.time = { h->tp_sec, h->tp_nsec }, .len = h->tp_len, .status = h->tp_status,
		.vlan = { (uint16_t)h->hv1.tp_vlan_tci, h->hv1.tp_vlan_tpid },
	};
	set_link(info, (struct sockaddr_ll *)(void *)(r->next + TPACKET_ALIGN(sizeof(*h))));
	if (!set_data(r, r->next, end, r->config.no_link_layer ? h->tp_net : h->tp_mac, h->tp_snaplen, data, info))
		return -EIO;
	r->left--;
	if (r->left && (h->tp_next_offset < sizeof(*h) || h->tp_next_offset > room))
		return -EIO;
	if (r->left)
		r->next += h->tp_next_offset;
	return 1;
}

static int next_of_blocks(struct packet_ring *r, uint8_t **data, struct packet_ring_info *info)
{
	struct tpacket_block_desc *b;

	while (r->left == 0) {
		give_back(r);
		b = (struct tpacket_block_desc *)(void *)take(r);
		if (!b)
			return 0;
		r->left = b->hdr.bh1.num_pkts;	/* none, if the timeout came first */
		r->next = (uint8_t *)b + b->hdr.bh1.offset_to_first_pkt;
		if (b->hdr.bh1.offset_to_first_pkt > r->unit_size)
			return -EIO;
	}
	return block_packet(r, data, info);
}

static int next_of_slots(struct packet_ring *r, uint8_t **data, struct packet_ring_info *info)
{
	struct tpacket2_hdr *h;
	uint8_t *unit;

	give_back(r);
	unit = take(r);
	if (!unit)
		return 0;
	h = (struct tpacket2_hdr *)(void *)unit;
	*info = (struct packet_ring_info){
		.time = { h->tp_sec, h->tp_nsec }, .len = h->tp_len, .status = h->tp_status,
		.vlan = { h->tp_vlan_tci, h->tp_vlan_tpid },
	};
	set_link(info, (struct sockaddr_ll *)(void *)(unit + TPACKET_ALIGN(sizeof(*h))));
	return set_data(r, unit, unit + r->unit_size, r->config.no_link_layer ? h->tp_net : h->tp_mac,
			h->tp_snaplen, data, info) ? 1 : -EIO;
}

static bool wanted(const struct packet_ring *r, const struct packet_ring_info *info)
{
	switch (r->config.direction) {
	case PACKET_RING_IN: return info->link.pkttype != PACKET_OUTGOING;
	case PACKET_RING_OUT: return info->link.pkttype == PACKET_OUTGOING;
	default: return true;
	}
}

/* The flag says it; the descriptor only wakes, so that a wake-up left over does no harm. */
static bool take_break(struct packet_ring *r)
{
	return __atomic_exchange_n(&r->broken, 0, __ATOMIC_ACQ_REL);
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int socket_error(const struct packet_ring *r)
{
	socklen_t len = sizeof(int);
	int err = 0;

	if (getsockopt(r->fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
		err = errno;
	return err ? -err : -EIO;
}

/* Waits until something is to be read; 0 or why there is not. @end_ms: when to give up, or 0. */
static int wait_readable(struct packet_ring *r, int64_t end_ms)
{
	struct pollfd p[2] = { { .fd = r->fd, .events = POLLIN }, { .fd = r->break_fd, .events = POLLIN } };
	int64_t ms = -1;
	uint64_t n;

	if (end_ms) {
		ms = end_ms - now_ms();
		if (ms <= 0)
			return -ETIMEDOUT;
		if (ms > INT32_MAX)
			ms = INT32_MAX;
	}
	if (poll(p, 2, (int)ms) < 0)
		return errno == EINTR && take_break(r) ? PACKET_RING_BREAK_LOOP : -errno;
	/* Before the flag is looked at, which whoever breaks the loop sets before he writes. */
	if (p[1].revents && read(r->break_fd, &n, sizeof(n)) < 0 && errno != EAGAIN)
		return -errno;
	if (take_break(r))
		return PACKET_RING_BREAK_LOOP;
	if (p[0].revents & (POLLERR | POLLNVAL))
		return socket_error(r);
	return 0;
}

int packet_ring_read(struct packet_ring *r, bool wait, uint8_t **data, struct packet_ring_info *info)
{
	int64_t end_ms = 0;
	uint64_t run = 0;
	int n, err;

	*data = NULL;
	if (!r->open)
		return -EINVAL;
	if (wait && __atomic_load_n(&r->broken, __ATOMIC_RELAXED) && take_break(r))
		return PACKET_RING_BREAK_LOOP;
	for (;;) {
		n = r->config.immediate ? next_of_slots(r, data, info) : next_of_blocks(r, data, info);
		if (n > 0 && wanted(r, info)) {
			if (r->config.tstamp == PACKET_RING_MICRO)
				info->time.tv_nsec -= info->time.tv_nsec % 1000;
			return n;
		}
		*data = NULL;
		if (n < 0)
			return n;
		if (n > 0) {
			if (++run > r->config.max_nil_read)
				return 0;
			continue;
		}
		if (!wait || r->config.nonblock)
			return wait ? -EAGAIN : PACKET_RING_WOULD_POLL;
		if (!end_ms && r->config.read_timeout_ms > 0)
			end_ms = now_ms() + r->config.read_timeout_ms;
		err = wait_readable(r, end_ms);
		if (err)
			return err;
	}
}
