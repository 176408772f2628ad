/* clock.h - the time, also where reading the processor's counter would be fatal.
 *
 * seccomp's strict mode and prctl(PR_SET_TSC) make the kernel trap RDTSC, which clock_gettime(2) uses without
 * a system call. The coarse clocks do without: they are right to a timer tick.
 */
#ifndef SHIM_RUN_CLOCK_H
#define SHIM_RUN_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Nanoseconds of CLOCK_REALTIME, CLOCK_MONOTONIC or CLOCK_BOOTTIME. Safe in signal handlers. */
uint64_t run_clock_ns(clockid_t clock);

/* The processor's counter itself, which costs less than any clock: of a steady rate that nobody knows but by comparison. */
static inline uint64_t run_clock_counter(void)
{
#if defined(__x86_64__)
	return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
	uint64_t v;

	__asm__ volatile("mrs %0, cntvct_el0" : "=r"(v));
	return v;
#endif
}

/* The same, 0 where it is forbidden. */
uint64_t run_clock_ticks(void);

/* The counter is about to be forbidden, for this process and those it forks. */
void run_clock_forgo_counter(void);

#endif
