/*
 * Packet handler: the ring's shape.
 *
 * Block mode (TPACKET_V3): packets are put one after the other into blocks, and a block is handed over whole:
 * one wake-up for many packets, no room wasted. A block must hold the largest packet there can be, 64 KiB
 * when the kernel has merged it. Frame mode (TPACKET_V2), for immediate mode: a slot for each packet, handed
 * over as it is filled; TPACKET_V3 has nothing like it, its shortest timeout is a millisecond.
 */
#include "link/packet_ring_impl.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/sysinfo.h>
#include <unistd.h>

enum {
	BLOCK_MIN = 128 << 10, BLOCK_MAX = 256 << 10, BLOCKS_WANTED = 8, BLOCKS_MIN = 4,
	SLOT_BLOCK_MIN = 64 << 10, SLOT_BLOCK_MAX = 2 << 20,
	LARGEST_PACKET = 65535 + 64,	/* a merged packet, link layer header, tag, virtio-net header */
	LINK_ROOM = 64,
};

static int set_ring(struct packet_ring *r, struct tpacket_req3 *req, int version)
{
	uint64_t bytes = (uint64_t)req->tp_block_size * req->tp_block_nr;
	socklen_t len = version == TPACKET_V3 ? sizeof(*req) : sizeof(struct tpacket_req);
	struct sysinfo si;

	/* The memory cannot be paged out: what asks for half of the machine's is a mistake. */
	if (sysinfo(&si) == 0 && bytes > (uint64_t)si.totalram * si.mem_unit / 2)
		return -ENOMEM;
	if (setsockopt(r->fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) < 0 ||
	    setsockopt(r->fd, SOL_PACKET, PACKET_RX_RING, req, len) < 0)
		return -errno;
	r->map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, 0);
	if (r->map == MAP_FAILED) {
		r->map = NULL;
		return -errno;
	}
	r->map_len = bytes;
	r->config.buffer_size = (int64_t)bytes;
	return 0;
}

static int map_blocks(struct packet_ring *r)
{
	int64_t want = r->config.buffer_size, timeout = r->config.buffer_timeout_ms;
	struct tpacket_req3 req = { .tp_block_size = BLOCK_MAX };
	int64_t blocks;

	while (req.tp_block_size > BLOCK_MIN && want < (int64_t)req.tp_block_size * BLOCKS_WANTED)
		req.tp_block_size /= 2;
	blocks = (want + req.tp_block_size - 1) / req.tp_block_size;
	/* One is the reader's, one is filled; others may be handed over half empty meanwhile, by the timeout. When the
	 * kernel finds none that is free, it drops packets. */
	if (blocks < BLOCKS_MIN)
		blocks = BLOCKS_MIN;
	if (blocks > UINT32_MAX / 2)
		return -ENOMEM;
	req.tp_block_nr = (unsigned)blocks;
	req.tp_frame_size = req.tp_block_size;	/* no more than a bound for a packet, here */
	req.tp_frame_nr = req.tp_block_nr;
	/* To the kernel 0 means its own choice; "never" it does not know: the most it can count. */
	req.tp_retire_blk_tov = timeout > UINT32_MAX || timeout == 0 ? UINT32_MAX
				: timeout < 0 ? 0 : (unsigned)timeout;
	r->unit_size = req.tp_block_size;
	r->units = req.tp_block_nr;
	return set_ring(r, &req, TPACKET_V3);
}

static int map_slots(struct packet_ring *r, uint32_t mtu)
{
	uint32_t packet = r->config.vnet_hdr || mtu > LARGEST_PACKET ? LARGEST_PACKET : mtu + LINK_ROOM;
	/* TPACKET2_HDRLEN with room for the longest link layer header the kernel aligns the rest to. */
	uint32_t slot = TPACKET_ALIGN(TPACKET2_HDRLEN + LINK_ROOM + packet), block = SLOT_BLOCK_MIN;
	struct tpacket_req3 req = { 0 };
	int64_t blocks;

	while (block < SLOT_BLOCK_MAX && (block < slot || block % slot > block / 16))
		block *= 2;
	r->block_size = block;
	r->per_block = block / slot;
	blocks = (r->config.buffer_size + block - 1) / block;
	if (blocks * r->per_block > UINT32_MAX)
		return -ENOMEM;
	req.tp_block_size = block;
	req.tp_block_nr = (unsigned)blocks;
	req.tp_frame_size = slot;
	req.tp_frame_nr = req.tp_block_nr * r->per_block;
	r->unit_size = slot;
	r->units = req.tp_frame_nr;
	return set_ring(r, &req, TPACKET_V2);
}

int packet_ring_map(struct packet_ring *r, uint32_t mtu)
{
	return r->config.immediate ? map_slots(r, mtu) : map_blocks(r);
}
