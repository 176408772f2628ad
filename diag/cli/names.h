/* Names for numbers: services, hosts, devices, protocols. */
#ifndef DIAG_CLI_NAMES_H
#define DIAG_CLI_NAMES_H

#include <stdint.h>

/**
 * names_service - a port's service name
 * @protocol: "tcp" or "udp"
 * @port:     host order
 *
 * /etc/services is read once, at the first call, so that a name costs no look-up.
 *
 * Return: the name, or NULL without one.
 */
const char *names_service(const char *protocol, uint16_t port);

/** names_host - the name of an address, looked up once; NULL without one. Valid until the program ends */
const char *names_host(uint8_t family, const uint32_t addr_be[4]);

/** names_device - a network device's name, or its number as text. Valid until the next call */
const char *names_device(uint32_t ifindex);

/** names_protocol - an IP protocol's name, or NULL. Valid until the next call */
const char *names_protocol(uint32_t protocol);

/** names_sockopt - the option at a bit of struct inet_diag_sockopt; NULL beyond those that are known */
const char *names_sockopt(unsigned int bit);

/** names_timer - "on", "keepalive", "timewait", "persist", ... for idiag_timer */
const char *names_timer(uint8_t timer);

#endif
