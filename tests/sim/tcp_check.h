/*
 * Watches TCP on the wire and says when a rule is broken.
 *
 * It sees what each host sends and what arrives at it. Rules, for each direction of a connection: no data
 * beyond the window that arrived; a byte sent again is the byte sent before; nothing after a FIN; no segment
 * over the peer's MSS; acknowledgements never go back and are of what was sent; the window's right edge does
 * not go back; selective acknowledgements are of what was sent; checksums are right.
 */
#ifndef TESTS_SIM_TCP_CHECK_H
#define TESTS_SIM_TCP_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tcp_check *tcp_check_new(void);
void tcp_check_free(struct tcp_check *w);

/** tcp_check_revivals() - somebody uses SYN cookies: a connection that its host has forgotten may come to life
 * again with the same numbers, acknowledge from the start and have another window. Its end, a reset, may not have got out. */
void tcp_check_revivals(struct tcp_check *w);

/** tcp_check_sent() - a frame a host sent, with an address of its own as its source */
void tcp_check_sent(struct tcp_check *w, const uint8_t *frame, size_t len);

/** tcp_check_arrived() - a frame that arrived at the host it is for */
void tcp_check_arrived(struct tcp_check *w, const uint8_t *frame, size_t len);

/** tcp_check_failure() - what was broken first, with the segment; NULL nothing */
const char *tcp_check_failure(const struct tcp_check *w);

/** struct tcp_check_tcp - a TCP segment's addresses in a frame */
struct tcp_check_addrs {
	const uint8_t *src, *dst;
	uint8_t len;
};

/** tcp_check_addrs_of() - whether @frame carries a whole TCP segment, and its network addresses */
bool tcp_check_addrs_of(const uint8_t *frame, size_t len, struct tcp_check_addrs *a);

#endif
