/*
 * Watches TCP on the wire and says when a rule is broken.
 *
 * It sees what each host sends and what arrives at it. Rules, for each direction of a connection: no data
 * beyond the window that arrived; a byte sent again is the byte sent before; nothing after a FIN; no segment
 * over the peer's MSS; acknowledgements never go back and are of what was sent; the window's right edge does
 * not go back; selective acknowledgements are of what was sent; checksums are right.
 */
#ifndef TESTS_SIM_WIRE_H
#define TESTS_SIM_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wire *wire_new(void);
void wire_free(struct wire *w);

/** wire_sent() - a frame a host sent, with an address of its own as its source */
void wire_sent(struct wire *w, const uint8_t *frame, size_t len);

/** wire_arrived() - a frame that arrived at the host it is for */
void wire_arrived(struct wire *w, const uint8_t *frame, size_t len);

/** wire_failure() - what was broken first, with the segment; NULL nothing */
const char *wire_failure(const struct wire *w);

/** struct wire_tcp - a TCP segment's addresses in a frame */
struct wire_addrs {
	const uint8_t *src, *dst;
	uint8_t len;
};

/** wire_tcp() - whether @frame carries a whole TCP segment, and its network addresses */
bool wire_tcp(const uint8_t *frame, size_t len, struct wire_addrs *a);

#endif
