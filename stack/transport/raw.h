/* Raw endpoints (raw(7)): IP packets of one protocol. */
#ifndef STACK_TRANSPORT_RAW_H
#define STACK_TRANSPORT_RAW_H

#include "core/endpoint.h"

/**
 * endpoint_new_raw() - an endpoint that gets a copy of every packet of IP protocol @proto for this
 * stack, and sends such; it goes with endpoint_close()
 *
 * Over IPv4 what is read starts with the IP header, over IPv6 with what follows the headers. What is
 * written gets a header put on it unless SOCKOPT_HDR_INCLUDED; IP_PROTO_RAW includes it from the
 * start and receives nothing. bind() and connect() filter what is received by destination and
 * source, ports mean nothing. Other options: SOCKOPT_ICMP_FILTER for ICMP, SOCKOPT_IPV6_CHECKSUM
 * over IPv6 (always on for ICMPv6), and those of datagram endpoints, multicast included.
 *
 * UNKNOWN_PROTOCOL if the stack has not got family @net, NO_MEMORY.
 */
enum ns_err endpoint_new_raw(struct stack *s, enum net_index net, uint8_t proto,
			     struct endpoint **out);

#endif
