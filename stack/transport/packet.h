/* Packet endpoints (packet(7)): frames of NICs, in and out. */
#ifndef STACK_TRANSPORT_PACKET_H
#define STACK_TRANSPORT_PACKET_H

#include "core/endpoint.h"

enum { PACKET_PROTO_ALL = 0x0003, PACKET_PROTO_NONE = 0 };	/* ETH_P_ALL; none: send only */
enum { HATYPE_ETHER = 1, HATYPE_LOOPBACK = 772, HATYPE_NONE = 65534 };	/* linux/if_arp.h */

/**
 * endpoint_new_packet() - an endpoint that gets a copy of the frames that NICs receive and send; it
 * goes with endpoint_close()
 * @cooked: without link headers (SOCK_DGRAM), else with them (SOCK_RAW)
 * @proto:  Ethernet type in host order, PACKET_PROTO_ALL, PACKET_PROTO_NONE
 *
 * bind() chooses by @nic (0: all) and @port: the Ethernet type, 0 for the one there is. read() fills
 * in @link; the address has NIC and, as port, Ethernet type. write() sends on the NIC that
 * @link names or, without it, that bind() did: a cooked one puts the header for @link->addr and
 * @link->proto on it; a raw one sends what it gets. Loopback NICs have Ethernet headers of zeros here.
 */
enum ns_err endpoint_new_packet(struct stack *s, bool cooked, uint16_t proto, struct endpoint **out);

/** packet_hatype() - the ARP hardware type of a NIC */
uint16_t packet_hatype(const struct nic *nic);

#endif
