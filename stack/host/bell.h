/*
 * Bells: what wakes a program to an error of a socket of its, where the pair cannot.
 *
 * Theory of operation. A bell is an eventfd(2) that the program waits for beside the pair; it can be read from while the
 * socket has an error pending or something in its error queue. One is for all who wait once (poll, select); an epoll
 * registration has one of its own, which the program closes as soon as it is registered: it goes from the epoll instance
 * when we close ours, so nothing has to be kept in the program.
 */
#ifndef STACK_HOST_BELL_H
#define STACK_HOST_BELL_H

#include <stdbool.h>
#include <stdint.h>

struct relay;

/** bell_for_all() - the bell that all share: @r keeps it. Its descriptor, or -errno */
int bell_for_all(struct relay *r);

/** bell_new() - one more, with a number that tells it from @r's others; the oldest goes where there are too many. Its
 * descriptor, which @r keeps, or -errno */
int bell_new(struct relay *r, uint32_t *id);

/** bell_remove() - @id may be gone already; bell_free(): all of them */
void bell_remove(struct relay *r, uint32_t id);
void bell_free(struct relay *r);

/** bell_ring() - if the board says that there is something; @again: also those that ring already, for who waits for edges.
 * Readers of a datagram socket have been woken before: they are to find the word of it */
void bell_ring(struct relay *r, bool again);

/** bell_still() - if the board says that there is nothing any more */
void bell_still(struct relay *r);

#endif
