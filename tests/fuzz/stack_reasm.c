/* Reassembly: records of five bytes are fragments; what comes out must be what went in. */
#include <stdlib.h>
#include <string.h>

#include "netstack.h"
#include "network/reasm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expired(struct reasm *r, struct pkt *first)
{
	(void)r;
	if (!first)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct stack_config c = netstack_config();
	struct pkt_pool *pool = pkt_pool_new();
	struct stack *s;
	struct reasm r;

	c.pool = pool;
	if (stack_new(&c, &s))
		abort();
	reasm_init(&r, s, 30 * NS_PER_SEC, expired);
	for (; size >= 5; data += 5, size -= 5) {
		struct reasm_key k = { addr_v4(10, 0, 0, 1), addr_v4(10, 0, 0, 2), data[0] & 3, 17 };
		struct reasm_frag f = { (uint32_t)(data[1] << 8 | data[2]) & 0xfff8,
					(uint32_t)(data[3] << 4 | data[4] >> 4), data[4] & 1, 20 };
		struct pkt *p = pkt_alloc(pool, PKT_HEADROOM, 20 + f.len);
		uint8_t *b = pkt_put(p, 20 + f.len);

		memset(b, 0x45, 20);
		for (uint32_t i = 0; i < f.len; i++)
			b[20 + i] = (uint8_t)((f.off + i) * 5);
		p->net_off = (uint16_t)p->off;
		pkt_pull(p, 20);
		p = reasm_add(&r, &k, &f, p);
		for (uint32_t i = 0; p && i < p->len; i++)
			if (pkt_data(p)[i] != (uint8_t)(i * 5))
				abort();
		pkt_free(p);
		if (r.bytes > r.limit)
			abort();
		if (data[0] & 0x80) {
			clock_set(s->clock, s->clock->now_ns + 16 * NS_PER_SEC, 0);
			stack_run(s);
		}
	}
	reasm_fini(&r);
	if (r.bytes)
		abort();
	stack_free(s);
	if (pkt_pool_live(pool))
		abort();
	pkt_pool_unref(pool);
	return 0;
}
