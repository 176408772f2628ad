/* UDP as a transport protocol. */
#ifndef STACK_TRANSPORT_UDP_H
#define STACK_TRANSPORT_UDP_H

#include "core/transproto.h"

extern const struct trans_proto_ops udp_proto;

#endif
