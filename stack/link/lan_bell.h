/*
 * Bells: how a member of a lan and its switch wake one another.
 *
 * Theory of operation. Each way is an eventfd. Whether a write to one blocks, and whether there is anything to be
 * read, is up to all who hold it, so a member could make the switch wait for ever by the one it is woken by. It is
 * not given that one, but an epoll instance with it inside (an "ear"): enough to wait for it, and no way to
 * anything else. The one it rings itself it holds, and the switch reads it without waiting whatever has been done
 * to it (RWF_NOWAIT).
 */
#ifndef STACK_LINK_LAN_BELL_H
#define STACK_LINK_LAN_BELL_H

#include <stdbool.h>

/** struct lan_bells - of one member, at the switch: @from, @to: eventfds; @ear: what becomes readable with @to */
struct lan_bells {
	int from, to, ear;
};

/** lan_bells_new() - 0 or -errno; to be released with lan_bells_free() */
int lan_bells_new(struct lan_bells *b);

/** lan_bells_free() - harmless on those of which all are -1 */
void lan_bells_free(struct lan_bells *b);

/** lan_bell_ring() - an eventfd: wake who waits for it */
void lan_bell_ring(int fd);

/** lan_bell_hush() - an eventfd: let it be unreadable, without ever waiting; false: it is no eventfd */
bool lan_bell_hush(int fd);

#endif
