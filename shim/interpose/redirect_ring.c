/* redirect_ring.c - rings of packet sockets: mapping them, and whether there is something in them. */
#include "interpose/redirect_ring.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <sys/mman.h>

#include "run/sys.h"

#define RINGS 64
#define PAGE 4096
#define TAKEN 1		/* as a cookie: the slot is being filled */

/* What this process has mapped. A forked child has its parent's. */
static struct ring {
	uint64_t cookie;		/* 0: free */
	uint8_t *mem;
	uint64_t bytes;			/* the page of struct stack_ring_control is behind them */
} rings[RINGS];

static struct ring *find(uint64_t cookie)
{
	for (int i = 0; i < RINGS; i++)
		if (__atomic_load_n(&rings[i].cookie, __ATOMIC_ACQUIRE) == cookie)
			return &rings[i];
	return NULL;
}

/* A mapping to read, kept. -ENOMEM: there is none, or no place to remember it. */
static int remember(uint64_t cookie, int fd, uint64_t bytes)
{
	struct ring *r;
	uint64_t none;
	long p;

	if (find(cookie))
		return 0;
	do {
		r = find(0);
		none = 0;
	} while (r && !__atomic_compare_exchange_n(&r->cookie, &none, TAKEN, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
	if (!r)
		return -ENOMEM;
	p = sys(SYS_mmap, NULL, bytes + PAGE, PROT_READ, MAP_SHARED, fd, 0);
	if (p < 0 && p > -4096) {
		__atomic_store_n(&r->cookie, 0, __ATOMIC_RELEASE);
		return -ENOMEM;
	}
	r->mem = (uint8_t *)p;
	r->bytes = bytes;
	__atomic_store_n(&r->cookie, cookie, __ATOMIC_RELEASE);
	return 0;
}

long redirect_mmap(int fd, void *addr, size_t len, int prot, int flags, int64_t offset)
{
	struct run_socket *s = hook_socket(fd);
	struct client_request q = { .op = STACK_OP_RING, .want_fd = true };
	long r;

	if (!redirect_is(s) || sockshim_cookie_family(s->cookie) != AF_PACKET)
		return sys(SYS_mmap, addr, len, prot, flags, fd, offset);	/* says why not */
	q.cookie = s->stack_cookie;
	r = client_ask(&q);
	if (r)
		return r;
	if (q.fd < 0)
		return -ENFILE;
	/* As packet_mmap(): all of it or nothing. */
	r = offset || q.arg[0] <= 0 || len != (size_t)q.arg[0] ? -EINVAL : remember(s->stack_cookie, q.fd, (uint64_t)q.arg[0]);
	if (!r)
		r = sys(SYS_mmap, addr, len, prot, flags, q.fd, 0);
	sys(SYS_close, q.fd);
	if (r >= 0 || r < -4095)
		__atomic_fetch_or(&s->stack_flags, REDIRECT_RING, __ATOMIC_RELAXED);
	return r;
}

/* The host says where to look; the program may have written what it likes, so that is checked. */
static bool filled(const struct ring *r)
{
	const struct stack_ring_control *c = (const struct stack_ring_control *)(r->mem + r->bytes);
	uint32_t at = __atomic_load_n(&c->status_off, __ATOMIC_ACQUIRE);

	return at % sizeof(uint32_t) == 0 && (uint64_t)at + sizeof(uint32_t) <= r->bytes &&
	       (__atomic_load_n((const uint32_t *)(r->mem + at), __ATOMIC_ACQUIRE) & TP_STATUS_USER);
}

bool redirect_ring_ready(int fd, const struct run_socket *s)
{
	const struct ring *r = find(s->stack_cookie);

	if (!r)
		return false;
	if (filled(r))
		return true;
	while (redirect_is_news(fd, true))
		;
	/* The word comes after what it is about: if one was taken that was news, it is to be seen now. */
	return filled(r);
}

void redirect_ring_closing(const struct run_socket *s)
{
	struct ring *r = redirect_has_ring(s) ? find(s->stack_cookie) : NULL;

	if (!r)
		return;
	sys(SYS_munmap, r->mem, r->bytes + PAGE);
	__atomic_store_n(&r->cookie, 0, __ATOMIC_RELEASE);
}

int redirect_ring_header(uint32_t version)
{
	switch (version) {
	case TPACKET_V1: return sizeof(struct tpacket_hdr);
	case TPACKET_V2: return sizeof(struct tpacket2_hdr);
	case TPACKET_V3: return sizeof(struct tpacket3_hdr);
	default: return -EINVAL;
	}
}
