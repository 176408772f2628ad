/* Ping endpoints: ICMP and ICMPv6 echo, as Linux's ping sockets have it. */
#ifndef STACK_TRANSPORT_PING_H
#define STACK_TRANSPORT_PING_H

#include "core/transproto.h"

extern const struct trans_proto_ops ping_proto;

#endif
