/* redirect_bell.h - bells: waiting for errors of redirected sockets that the pair does not tell of.
 *
 * Theory of operation. A datagram socket's pair can tell of an error only what looks like a datagram, and a stream's
 * nothing at all. Who waits for such a socket waits for an eventfd of the host's beside it, a bell. Where poll or select
 * wait, it is fetched for the time that they do. In epoll it is registered with the socket's own data, and its descriptor
 * closed: the registration lasts until the host closes its own. What epoll then says of either is looked up on the pair
 * and the board, and is one event.
 *
 * Those who need none are datagram sockets that are waited for with POLLIN, and streams that send without time stamps.
 */
#ifndef SHIM_INTERPOSE_REDIRECT_BELL_H
#define SHIM_INTERPOSE_REDIRECT_BELL_H

#include <sys/epoll.h>

#include "interpose/redirect.h"

/* Whether who waits for `events` of s would not be woken by an error. */
bool redirect_needs_bell(const struct run_socket *s, const struct stack_board_entry *e, uint32_t events);

/* The bell of a socket, for the caller to close; or -errno. */
int redirect_bell(const struct run_socket *s);

/* After epoll_ctl: a bell is registered where one is needed, and taken away where there was one. */
void redirect_bell_note(int epfd, int op, int fd, const struct run_socket *s, const struct epoll_event *event);

/* From now on s needs bells: in epoll, too, where it is registered already. */
void redirect_bells_for(const struct run_socket *s);

/* Whether any were ever registered. */
bool redirect_bells_used(void);

/* Of n events of epfd those that a bell may have made are put right. How many are left. */
int redirect_bell_events(int epfd, struct epoll_event *events, int n);

#endif
