/* What the files of the packet handler share. */
#ifndef STACK_LINK_PACKET_RING_IMPL_H
#define STACK_LINK_PACKET_RING_IMPL_H

#include <linux/if_packet.h>

#include "link/packet_ring.h"

/**
 * struct packet_ring
 * @config:     its filter is a copy of our own
 * @unit_size, @units: blocks of block mode, slots of frame mode
 * @cur:        the unit that is read
 * @left, @next: block mode: packets left of the block, and the next one
 * @held:       the unit belongs to us, and goes back with the next read that leaves it
 * @per_block, @block_size: frame mode: slots do not cross blocks
 * @broken:     packet_ring_break_loop() was called; break_fd is readable, too
 */
struct packet_ring {
	struct packet_ring_config config;
	int fd, break_fd;
	bool open;
	int ifindex;
	uint16_t link_type;
	uint8_t *map;
	size_t map_len;
	uint32_t unit_size, units, cur;
	uint32_t block_size, per_block;
	uint32_t left;
	uint8_t *next;
	bool held;
	int broken;
	struct packet_ring_stats total, last;
};

/** packet_ring_map() - choose the ring's shape from the configuration, and map it */
int packet_ring_map(struct packet_ring *r, uint32_t mtu);

#endif
