/* switch_tab.h - a table of sockets in memory of the test's own. */
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
						  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (!__atomic_compare_exchange_n(&chunks[i], &none, p, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
		munmap(p, RUN_CHUNK_BYTES);
		return none;
	}
	return p;
}

static struct socktab tab = { .alone = "", .chunk = chunks, .new_chunk = make_chunk };

#endif
