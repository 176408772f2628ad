/* Between the files of the socket layer. */
#ifndef STACK_SOCKET_IMPL_H
#define STACK_SOCKET_IMPL_H

#include "socket/sock.h"

/** enum sock_want - what sock_recv() is asked to tell, by options */
enum sock_want {
	WANT_PKTINFO = 1, WANT_TOS = 2, WANT_TTL = 4, WANT_TIME = 8, WANT_TIME_NS = 16,
	WANT_PKTINFO6 = 32, WANT_TCLASS = 64, WANT_HOPLIMIT = 128, WANT_TIME_NEW = 256,
	WANT_RECVOPTS = 512, WANT_RETOPTS = 1024, WANT_DST = 2048, WANT_DST6 = 4096,
};

/** sock_wrap() - a socket around @ep; NULL: no memory, and @ep stays the caller's */
struct sock *sock_wrap(struct stack *s, struct endpoint *ep, int domain, int type, int protocol);

/** sock_addr_to_link(), sock_addr_from_link() - between sockaddr_ll and the stack's (packet(7)) */
int sock_addr_to_link(const struct sockaddr *a, socklen_t len, struct packet_addr *out);
socklen_t sock_addr_from_link(const struct packet_addr *p, struct sockaddr_storage *out);

/** sock_take_error() - the pending error as a positive errno, then cleared */
int sock_take_error(struct sock *k);

/** sock_note_error() - an ICMP error about a packet of @ep: for the error queue, if asked for */
void sock_note_error(struct endpoint *ep, const struct net_error *e);

/** sock_note_too_long() - a datagram to @to (NULL: the peer) was too long to be sent: the error queue tells what is not */
void sock_note_too_long(struct sock *k, const struct full_addr *to);
void sock_errors_free(struct sock *k);

/** sock_errors_pending() - whether the error queue has entries */
bool sock_errors_pending(const struct sock *k);

/** sock_new_error() - a place in the error queue for one more entry; NULL: there is none. Who fills it notifies of WAIT_ERR */
struct sock_error *sock_new_error(struct sock *k);

/** sock_want_stamp() - what is to be recorded of a datagram about to be written: into @out, its taker 0 if nothing is.
 * @m may be NULL. sock_stamp_taken() when it has been written: whether its number was used up */
void sock_want_stamp(struct sock *k, const struct sock_msg *m, struct pkt_stamp *out);
void sock_stamp_taken(struct sock *k, bool taken);

/** sock_unicast_if() - @to's interface, if it has none and the socket has one for it (IP_UNICAST_IF) */
void sock_unicast_if(const struct sock *k, struct full_addr *to);

/** sock_set_membership() - multicast options of IP and IPv6. -ENOPROTOOPT if
 * @name is none of them */
int sock_set_membership(struct sock *k, int level, int name, const void *val, socklen_t len);

/** sock_set_raw(), sock_get_raw() - options of raw and packet sockets that are structures. -ENOPROTOOPT
 * if @name is none of them */
int sock_set_raw(struct sock *k, int level, int name, const void *val, socklen_t len);
int sock_get_raw(struct sock *k, int level, int name, void *val, socklen_t *len);

/** sock_get_mcast_if() - IP_MULTICAST_IF, IPV6_MULTICAST_IF */
int sock_get_mcast_if(struct sock *k, int level, void *val, socklen_t *len);

#endif
