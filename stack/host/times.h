/* When the bytes that are in a stream's pair came: for programs that asked for it (SO_TIMESTAMP and the like). */
#ifndef STACK_HOST_TIMES_H
#define STACK_HOST_TIMES_H

#include <stddef.h>
#include <stdint.h>

struct relay;
struct times;

/** times_start() - from now on; without memory nothing is told. times_free(): no more */
void times_start(struct relay *r);
void times_free(struct relay *r);

/** times_note() - the first @n bytes of the receive queue go into the pair */
void times_note(struct relay *r, size_t n);

/** times_of() - when the byte came up to which the program has read, or, if @peeked is not 0, peeked: @unread bytes are in
 * the pair. Nanoseconds of the wall clock, 0: not known */
int64_t times_of(struct relay *r, size_t unread, size_t peeked);

#endif
