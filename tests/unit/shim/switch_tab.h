/* switch_tab.h - a table of sockets in memory of the test's own; its chunks are shared with a forked child, as those of a run file are. */
#ifndef TESTS_SWITCH_TAB_H
#define TESTS_SWITCH_TAB_H

#include <sys/mman.h>

#include "switch/socktab.h"

/* The library's own switch is not linked here. */
struct sockshim_switch *sockshim_default_switch(void);
struct sockshim_switch *sockshim_default_switch(void) { return NULL; }

#define COOKIE(n) sockshim_cookie_make(AF_INET, SOCK_STREAM, n)

static struct run_socket *chunks[SOCKTAB_CHUNKS];

static struct run_socket *make_chunk(void *ctx, unsigned i)
{
	struct run_socket *none = NULL, *p = mmap(NULL, RUN_CHUNK_BYTES, PROT_READ | PROT_WRITE,
						  MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (!__atomic_compare_exchange_n(&chunks[i], &none, p, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
		munmap(p, RUN_CHUNK_BYTES);
		return none;
	}
	return p;
}

static struct run_stat tab_stats[RUN_STATS];
static struct run_takes tab_takes;
static struct socktab tab = { .alone = "", .stats = tab_stats, .takes = &tab_takes, .chunk = chunks, .new_chunk = make_chunk };

#endif
