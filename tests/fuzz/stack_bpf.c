/*
 * Classic BPF: whatever program is taken ends, reads nothing outside of the packet, and says the same each time. The first
 * two bytes say how long the program is; the rest is the packet, in two pieces, behind a header that was passed.
 */
#include <linux/filter.h>
#include <stdlib.h>
#include <string.h>

#include "core/bpf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PASSED = 14 };

static struct pkt *packet(struct pkt_pool *pool, const uint8_t *data, size_t len)
{
	size_t head = len < PASSED ? len : PASSED + (len - PASSED) / 2;
	struct pkt *p = pkt_from_bytes(pool, data, head);
	struct chunk *c;

	if (!p)
		abort();
	if (head < len) {
		c = chunk_alloc(pool, len - head);
		memcpy(c->data, data + head, len - head);
		if (!pkt_add_frag(p, c, 0, len - head))
			abort();
		chunk_unref(c);
	}
	if (len >= PASSED)
		pkt_pull(p, PASSED);
	return p;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pkt_pool *pool;
	struct bpf_prog *prog;
	struct bpf_view v = { .net = 0, .link = -PASSED, .ifindex = 1, .proto = 0x0800 };
	size_t len;

	if (size < 2)
		return 0;
	len = (size_t)(data[0] | data[1] << 8) * sizeof(struct sock_filter);
	data += 2;
	size -= 2;
	if (len > size)
		len = size;
	if (bpf_new(data, len, &prog))
		return 0;
	pool = pkt_pool_new();
	v.pkt = packet(pool, data + len, size - len);
	if (bpf_run(prog, &v) != bpf_run(prog, &v))
		abort();
	pkt_free((struct pkt *)v.pkt);
	pkt_pool_unref(pool);
	bpf_free(prog);
	return 0;
}
