/* Blocks of a pcapng file in memory. */
#include "link/pcapng_block.h"

#include <string.h>

enum {
	BLOCK_SECTION = 0x0a0d0d0a, BLOCK_INTERFACE = 1, BLOCK_STATS = 5, BLOCK_PACKET = 6,
	OPT_END = 0, OPT_COMMENT = 1, OPT_IF_NAME = 2, OPT_TSRESOL = 9, OPT_PKT_FLAGS = 2,
	OPT_IF_RECV = 4, OPT_IF_DROP = 5,
	FLAG_INBOUND = 1, FLAG_OUTBOUND = 2,
	MACS_LEN = 12, TAG_LEN = 4,
};

static uint8_t *put(uint8_t *to, const void *from, size_t n)
{
	memcpy(to, from, n);
	return to + n;
}

static uint8_t *put_opt(uint8_t *to, uint16_t code, const void *val, uint16_t len)
{
	to = put(to, &code, 2);
	to = put(to, &len, 2);
	if (len)
		to = put(to, val, len);
	for (; len % 4; len++)
		*to++ = 0;
	return to;
}

static uint8_t *put_text(uint8_t *to, uint16_t code, const char *s)
{
	return s ? put_opt(to, code, s, (uint16_t)strnlen(s, PCAPNG_TEXT_MAX)) : to;
}

/* Ends the options and the block that began at @start; its length goes to both ends. */
static uint8_t *end_block(uint8_t *start, uint8_t *to)
{
	uint32_t total;

	to = put_opt(to, OPT_END, NULL, 0);
	total = (uint32_t)(to - start) + 4;
	put(start + 4, &total, 4);
	return put(to, &total, 4);
}

size_t pcapng_block_begin(uint8_t *to, uint16_t link_type, uint32_t snaplen, const char *name,
			  const char *comment)
{
	static const struct {
		uint32_t type, total, magic;
		uint16_t major, minor;
		uint64_t section_len;
	} section = { BLOCK_SECTION, 0, 0x1a2b3c4d, 1, 0, UINT64_MAX };
	struct {
		uint32_t type, total;
		uint16_t link_type, reserved;
		uint32_t snaplen;
	} interface = { BLOCK_INTERFACE, 0, link_type, 0, snaplen };
	const uint8_t nanoseconds = 9;
	uint8_t *start = to, *p = put(to, &section, sizeof(section));

	p = end_block(start, put_text(p, OPT_COMMENT, comment));
	start = p;
	p = put_text(put(p, &interface, sizeof(interface)), OPT_IF_NAME, name);
	p = end_block(start, put_opt(p, OPT_TSRESOL, &nanoseconds, 1));
	return (size_t)(p - to);
}

size_t pcapng_block_packet(uint8_t *to, const struct pcapng_packet *p)
{
	const bool tagged = p->tag && p->cap_len >= MACS_LEN;
	const uint32_t extra = tagged ? TAG_LEN : 0, captured = p->cap_len + extra, padding = -captured & 3;
	const uint32_t total = 28 + captured + padding + 12 + 4;
	const struct {
		uint32_t type, total, interface, ts_high, ts_low, captured, original;
	} head = { BLOCK_PACKET, total, 0, (uint32_t)((uint64_t)p->ns >> 32), (uint32_t)p->ns, captured,
		   p->len + extra };
	const struct {
		uint16_t flags, flags_len;
		uint32_t value, end, total;
	} tail = { OPT_PKT_FLAGS, 4, p->outbound ? FLAG_OUTBOUND : FLAG_INBOUND, OPT_END, total };
	uint8_t *t = put(to, &head, sizeof(head));

	if (tagged) {
		t = put(t, p->data, MACS_LEN);
		t = put(t, p->tag, TAG_LEN);
		t = put(t, p->data + MACS_LEN, p->cap_len - MACS_LEN);
	} else {
		t = put(t, p->data, p->cap_len);
	}
	memset(t, 0, 4);
	put(t + padding, &tail, sizeof(tail));
	return total;
}

void pcapng_block_stats(uint8_t *to, int64_t ns, uint64_t received, uint64_t dropped)
{
	const struct {
		uint32_t type, total, interface, ts_high, ts_low;
	} head = { BLOCK_STATS, 0, 0, (uint32_t)((uint64_t)ns >> 32), (uint32_t)ns };
	uint8_t *p = put(to, &head, sizeof(head));

	p = put_opt(p, OPT_IF_RECV, &received, 8);
	p = put_opt(p, OPT_IF_DROP, &dropped, 8);
	end_block(to, p);
}
