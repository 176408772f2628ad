/* ip.h - the text of an IP address, for functions that take it as a string. */
#ifndef SHIM_PLUGIN_IP_H
#define SHIM_PLUGIN_IP_H

#include <stdint.h>
#include <sys/socket.h>

#define IP_TEXT 40	/* eight groups of four digits, colons, NUL */

/* Writes the address ("127.0.0.1", "2001:db8::1" as RFC 5952 has it; of an IPv4-mapped address the IPv4
 * address) into buf and returns the port; "" and 0 if it is no IP address. inet_ntop(3) may use stdio, so
 * a signal handler could not. */
uint16_t ip_format(char buf[IP_TEXT], const struct sockaddr *sa, socklen_t len);

#endif
