/* Writing pcapng: native byte order, nanosecond timestamps. */
#include "link/pcapng.h"

#include "link/pcapng_block.h"

enum { BLOCK_PACKET = 6, OPT_END = 0, OPT_COMMENT = 1, OPT_PKT_FLAGS = 2 };

/** struct opts - options under construction: after the packet, so each block is fixed part, data,
 * options, length */
struct opts {
	uint8_t buf[PCAPNG_TEXT_MAX + 64];
	uint32_t len;
};

static void opt_add(struct opts *o, uint16_t code, const void *val, uint16_t len)
{
	memcpy(o->buf + o->len, &code, 2);
	memcpy(o->buf + o->len + 2, &len, 2);
	o->len += 4;
	if (len)
		memcpy(o->buf + o->len, val, len);
	o->len += len;
	while (o->len % 4)
		o->buf[o->len++] = 0;
}

static void opt_text(struct opts *o, uint16_t code, const char *s)
{
	if (s)
		opt_add(o, code, s, (uint16_t)strnlen(s, PCAPNG_TEXT_MAX));
}

static void emit(struct pcapng *p, const struct iovec *iov, int n)
{
	if (!p->failed && !p->write(p->ctx, iov, n))
		p->failed = true;
}

void pcapng_begin(struct pcapng *p, uint16_t link_type, const char *name, const char *comment)
{
	uint8_t blocks[PCAPNG_BEGIN_MAX];
	struct iovec iov = { blocks, pcapng_block_begin(blocks, link_type, 0, name, comment) };

	emit(p, &iov, 1);
}

void pcapng_packet(struct pcapng *p, const struct pkt *pkt, int64_t ns, bool outbound,
		   const char *comment)
{
	static const uint8_t pad[4];
	struct iovec iov[PKT_MAX_FRAGS + 6];
	uint32_t flags = outbound ? 2 : 1, padding = -pkt->len & 3;
	struct opts o = { .len = 0 };
	struct {
		uint32_t type, total, interface, ts_high, ts_low, captured, original;
	} head = { BLOCK_PACKET, 0, 0, (uint32_t)((uint64_t)ns >> 32), (uint32_t)ns, pkt->len,
		   pkt->len };
	int n = 0;

	opt_add(&o, OPT_PKT_FLAGS, &flags, 4);
	opt_text(&o, OPT_COMMENT, comment);
	opt_add(&o, OPT_END, NULL, 0);
	head.total = (uint32_t)sizeof(head) + pkt->len + padding + o.len + 4;
	iov[n++] = (struct iovec){ &head, sizeof(head) };
	n += pkt_iov(pkt, iov + n);
	iov[n++] = (struct iovec){ (void *)pad, padding };
	iov[n++] = (struct iovec){ o.buf, o.len };
	iov[n++] = (struct iovec){ &head.total, 4 };
	emit(p, iov, n);
}
