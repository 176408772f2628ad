/* address.h - what `to` and `from` compare a socket's address with. */
#ifndef SHIM_FAULT_ADDRESS_H
#define SHIM_FAULT_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "fault/word.h"

enum fault_address_kind {
	FAULT_ADDRESS_ANY,	/* any IPv4 or IPv6 address: only the port counts */
	FAULT_ADDRESS_INET,
	FAULT_ADDRESS_INET6,
	FAULT_ADDRESS_UNIX,
};

struct fault_address {
	enum fault_address_kind kind;
	uint16_t port_min, port_max;	/* 0..65535: any */
	/* IPv6 in network order; IPv4 in the first four bytes. Bits outside of the mask are 0. */
	uint8_t bits[16], mask[16];
	/* unix: pattern of the path; abstract names begin with '@'. */
	const char *path;
};

/* What was wrong with an address. */
enum fault_address_error {
	FAULT_ADDRESS_OK,
	FAULT_ADDRESS_FORM,
	FAULT_ADDRESS_PREFIX,	/* the length is not a number or too large */
	FAULT_ADDRESS_PORT,	/* not a port or a range of ports */
	FAULT_ADDRESS_PORT_ORDER, /* a range that ends before it begins */
	FAULT_ADDRESS_BRACKET,	/* '[' without ']' */
	FAULT_ADDRESS_PATH,	/* unix: without a path, or with a quote not closed */
};

/* Reads
 *	10.0.0.1  10.0.0.0/8  2001:db8::1  2001:db8::/32	any port
 *	10.0.0.1:80  10.0.0.0/8:8000-8099  [2001:db8::1]:80  [2001:db8::/32]:80  [2001:db8::]/32:80
 *	:80  *:80  :8000-8099					any address
 *	unix:/run/x.sock  unix:@abstract, where the path is a pattern
 * A unix pattern's path is put in `path`, which has room for w->n bytes. On an error, *at is the part of
 * w that is wrong. */
enum fault_address_error fault_address_parse(const struct fault_word *w, struct fault_address *a,
					     char *path, struct fault_word *at);

/* Whether a socket address is one of those. An IPv4-mapped IPv6 address is the IPv4 address it maps. */
bool fault_address_match(const struct fault_address *a, const struct sockaddr *sa, socklen_t len);

#endif
