/* memory.h - reading and writing memory that a caller passed and that may not be there. */
#ifndef SHIM_INTERPOSE_MEMORY_H
#define SHIM_INTERPOSE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Copies n bytes; false if some can't be read (or it can't be known here), in which case `to` is
 * undefined. Costs a system call. */
bool memory_read(void *to, const void *from, size_t n);

/* Whether n bytes can be read; signals are held (sys_hold_signals). *page, 0 at first, is the page that was asked
 * about last: it is not asked about again. */
bool memory_readable_held(const void *from, size_t n, uintptr_t *page);

/* The other way: false if some can't be written, in which case a part of it may have been. */
bool memory_write(void *to, const void *from, size_t n);

/* Two such in one system call. */
bool memory_write_two(void *to, const void *from, size_t n, void *to2, const void *from2, size_t n2);

#endif
