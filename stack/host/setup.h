/* Making a stack what its specification says: NICs, addresses, routes. */
#ifndef STACK_HOST_SETUP_H
#define STACK_HOST_SETUP_H

#include "host/host.h"

enum { LOOPBACK_NIC = 1 };

/** setup_stack() - open the devices and configure @h->stack by @h->spec; 0 or -errno with @error */
int setup_stack(struct host *h, char error[SPEC_ERROR_MAX]);

/** setup_free() - what setup_stack() made beside the stack, which has been released */
void setup_free(struct host *h);

#endif
