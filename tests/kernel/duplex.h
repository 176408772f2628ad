/* A stream each way over one TCP connection, checked byte by byte: the kernel's side and the stack's. */
#ifndef TESTS_KERNEL_DUPLEX_H
#define TESTS_KERNEL_DUPLEX_H

#include <sys/socket.h>

#include "rig.h"

/** struct duplex - what to send, and how much to expect; each side's bytes are made from @seed */
struct duplex {
	uint32_t seed;
	size_t send, expect;
};

/** duplex_byte() - what byte @off of the stream made from @seed is */
uint8_t duplex_byte(uint32_t seed, size_t off);

/** sockaddr_of() - an address and port as a socket address; returns its length */
socklen_t sockaddr_of(const char *ip, uint16_t port, struct sockaddr_storage *ss);

/** duplex_kernel() - the kernel's side, until both streams have ended; in a process of its own.
 * Returns 0, or what to exit with */
int duplex_kernel(int fd, const struct duplex *d);

/** struct duplex_stack - the stack's side; zeroed but for @ep and @d */
struct duplex_stack {
	struct endpoint *ep;
	struct duplex d;
	size_t sent, received;
	bool shut, eof, bad;
	enum ns_err err;
};

/** duplex_step() - go on as far as it can; true when both streams have ended, or one failed */
bool duplex_step(struct duplex_stack *s);

/** duplex_ok() - all was as it should be */
bool duplex_ok(const struct duplex_stack *s);

#endif
