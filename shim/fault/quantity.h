/* quantity.h - numbers in rules: counts, ordinals, times, sizes, probabilities, and ranges of them. */
#ifndef SHIM_FAULT_QUANTITY_H
#define SHIM_FAULT_QUANTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "fault/word.h"

enum fault_quantity { FAULT_ORDINAL, FAULT_TIME, FAULT_SIZE };

/* Why a quantity was refused; FAULT_QUANTITY_OK is 0. */
enum fault_quantity_error {
	FAULT_QUANTITY_OK,
	FAULT_QUANTITY_FORM,	/* not a number with such a unit */
	FAULT_QUANTITY_NO_UNIT,	/* a time without a unit */
	FAULT_QUANTITY_LARGE,	/* more than 2^62 */
};

/* Reads a whole word:
 *	ordinal	3rd, 3
 *	time	200ms, 1.5s: ns us ms s m h; in nanoseconds
 *	size	512, 64KiB, 1.5MB, 10B: B kB KB MB GB KiB MiB GiB; in bytes, *unit tells if it had one
 * unit may be NULL. */
enum fault_quantity_error fault_quantity_parse(const struct fault_word *w, enum fault_quantity kind,
					       uint64_t *value, bool *unit);

/* Reads decimal digits only, at most `max`. */
bool fault_number_parse(const struct fault_word *w, uint64_t max, uint64_t *value);

/* Reads 5%, 0.5% or 0.005 as a threshold for 64 random bits: 0 never, UINT64_MAX always, else the bits
 * must be below it. 0, or FAULT_QUANTITY_FORM, or FAULT_QUANTITY_LARGE above 100% or 1. */
enum fault_quantity_error fault_probability_parse(const struct fault_word *w, uint64_t *threshold);

/* Cuts "A..B" in two. Without "..", both are the whole word. Returns whether it was a range. */
bool fault_range_split(const struct fault_word *w, struct fault_word *from, struct fault_word *to);

#endif
