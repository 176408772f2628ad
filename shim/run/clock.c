/* clock.c - see clock.h. */
#include "run/clock.h"

#include <stdbool.h>

static bool coarse;
static uint64_t boot_ahead_ns;	/* CLOCK_BOOTTIME has no coarse form: how far it is ahead of CLOCK_MONOTONIC */

static uint64_t read_ns(clockid_t clock)
{
	struct timespec ts = { 0, 0 };

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t run_clock_ns(clockid_t clock)
{
	if (__builtin_expect(!__atomic_load_n(&coarse, __ATOMIC_ACQUIRE), 1))
		return read_ns(clock);
	if (clock == CLOCK_REALTIME)
		return read_ns(CLOCK_REALTIME_COARSE);
	return read_ns(CLOCK_MONOTONIC_COARSE) + (clock == CLOCK_BOOTTIME ? boot_ahead_ns : 0);
}

uint64_t run_clock_ticks(void)
{
	return __atomic_load_n(&coarse, __ATOMIC_ACQUIRE) ? 0 : run_clock_counter();
}

void run_clock_forgo_counter(void)
{
	boot_ahead_ns = read_ns(CLOCK_BOOTTIME) - read_ns(CLOCK_MONOTONIC);
	__atomic_store_n(&coarse, true, __ATOMIC_RELEASE);
}
