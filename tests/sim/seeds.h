/*
 * Runs random scenarios by number.
 *
 *	PROGRAM [-n SEEDS] [-s FIRST] [-c CAPTURE]
 *
 * Each seed runs in a process of its own, twice: both runs must give the same digest. A seed that fails
 * runs once more with a capture, and the line printed says how to run it again.
 */
#ifndef TESTS_SIM_SEEDS_H
#define TESTS_SIM_SEEDS_H

#include <stdint.h>

/** seeds_fail() - the present scenario is a failure; the first that is said counts */
void seeds_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/**
 * seeds_main() - what main() does
 * @what:    of what there is one for each seed
 * @capture: path of the captures of failures, without "-SEED.pcapng"
 * @run:     one scenario, with its frames written to @capture unless that is NULL; returns a digest
 */
int seeds_main(int argc, char **argv, const char *what, const char *capture,
	       uint64_t (*run)(uint64_t seed, const char *capture));

#endif
