/* The ring in shared memory between two threads: nothing is lost, nothing torn, and nobody sleeps for ever. */
#include "link/sharedmem_ring.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "unit.h"

enum { MESSAGES = 50000 };

static void *mem;
static int bell;

static void *writer(void *arg)
{
	struct sharedmem_ring r;
	uint32_t words[64];
	bool wake;

	sharedmem_ring_init(&r, mem, SHAREDMEM_RING_MIN);
	for (uint32_t i = 0; i < MESSAGES; i++) {
		uint32_t n = 1 + i % 64;
		struct iovec iov = { words, n * 4 };

		for (uint32_t k = 0; k < n; k++)
			words[k] = i + k;
		while (sharedmem_ring_put(&r, &iov, 1, iov.iov_len, &wake))
			sched_yield();
		if (wake)
			eventfd_write(bell, 1);
	}
	return NULL;
}

Test(sharedmem_threads, one_writes_one_reads)
{
	struct sharedmem_ring r;
	uint32_t words[64], i = 0, end;
	pthread_t t;

	mem = aligned_alloc(4096, SHAREDMEM_RING_HEAD + SHAREDMEM_RING_MIN);
	memset(mem, 0, SHAREDMEM_RING_HEAD + SHAREDMEM_RING_MIN);
	bell = eventfd(0, EFD_NONBLOCK);
	sharedmem_ring_init(&r, mem, SHAREDMEM_RING_MIN);
	sharedmem_ring_sleep(&r);
	cr_assert_eq(pthread_create(&t, NULL, writer, NULL), 0);
	while (i < MESSAGES) {
		struct pollfd p = { .fd = bell, .events = POLLIN };
		eventfd_t v;

		cr_assert_eq(poll(&p, 1, 20000), 1, "woken");
		eventfd_read(bell, &v);
		end = sharedmem_ring_sleep(&r);
		for (; sharedmem_ring_before(&r, end); i++) {
			int64_t len = sharedmem_ring_next(&r);

			cr_assert_eq(len, 4 * (1 + i % 64));
			sharedmem_ring_take(&r, words, (size_t)len, (size_t)len);
			for (uint32_t k = 0; k < len / 4; k++)
				cr_assert_eq(words[k], i + k);
		}
	}
	pthread_join(t, NULL);
	cr_assert_eq(sharedmem_ring_next(&r), 0);
	free(mem);
}
