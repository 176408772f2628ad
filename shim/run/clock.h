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

/* The counter is about to be forbidden, for this process and those it forks. */
void run_clock_forgo_counter(void);

#endif
