/* redirect_ring.h - packet sockets of the stack with a ring (packet(7), PACKET_RX_RING).
 *
 * Theory of operation. The ring is a file that the host fills and that the program maps, by way of our mmap, in the place of
 * the socket. The pair carries no datagrams then, only words that something has been put into the ring, which wake
 * a poll up. Whether there is something to be read is for the ring to say: a word that is not news any more is
 * taken off the pair before a wait and after one. For that we keep a mapping of our own of each ring, to read.
 */
#ifndef SHIM_INTERPOSE_REDIRECT_RING_H
#define SHIM_INTERPOSE_REDIRECT_RING_H

#include "interpose/redirect.h"

/* mmap of fd, a redirected socket: the address or -errno. */
long redirect_mmap(int fd, void *addr, size_t len, int prot, int flags, int64_t offset);

static inline bool redirect_has_ring(const struct run_socket *s)
{
	return UNLIKELY(__atomic_load_n(&s->stack_flags, __ATOMIC_RELAXED) & REDIRECT_RING);
}

/* Whether there is something in the ring of a socket that has one; if not, the pair is emptied. */
bool redirect_ring_ready(int fd, const struct run_socket *s);

/* The socket is closed, under its last descriptor. */
void redirect_ring_closing(const struct run_socket *s);

/* PACKET_HDRLEN: the length of a ring's header in the version that the program asks about. -EINVAL */
int redirect_ring_header(uint32_t version);

#endif
