/* Blocks of a pcapng file (draft-ietf-opsawg-pcapng) in memory: one interface, native byte order, nanoseconds. */
#ifndef STACK_LINK_PCAPNG_BLOCK_H
#define STACK_LINK_PCAPNG_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	PCAPNG_BEGIN_MAX = 2304,	/* what pcapng_block_begin() writes at most */
	PCAPNG_PACKET_EXTRA = 64,	/* what pcapng_block_packet() writes beside the packet, at most */
	PCAPNG_STATS_LEN = 52,
	PCAPNG_TEXT_MAX = 1024,
};

/**
 * struct pcapng_packet - one packet
 * @data, @cap_len: what was captured of it
 * @len:      what it had
 * @tag:      a VLAN tag of four bytes to put behind the first twelve, or NULL; both lengths grow by it
 * @ns:       wall clock
 */
struct pcapng_packet {
	const uint8_t *data;
	uint32_t cap_len, len;
	const uint8_t *tag;
	int64_t ns;
	bool outbound;
};

/** pcapng_block_begin() - the section header and the interface; @name and @comment may be NULL and are cut at
 * PCAPNG_TEXT_MAX bytes; returns how many bytes of PCAPNG_BEGIN_MAX it wrote */
size_t pcapng_block_begin(uint8_t *to, uint16_t link_type, uint32_t snaplen, const char *name,
			  const char *comment);

/** pcapng_block_packet() - returns how many bytes of @cap_len + PCAPNG_PACKET_EXTRA it wrote */
size_t pcapng_block_packet(uint8_t *to, const struct pcapng_packet *p);

/** pcapng_block_stats() - what was received and dropped until @ns; writes PCAPNG_STATS_LEN bytes */
void pcapng_block_stats(uint8_t *to, int64_t ns, uint64_t received, uint64_t dropped);

#endif
