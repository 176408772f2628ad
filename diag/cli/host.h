/* Addresses and ports in filters: text to conditions. */
#ifndef DIAG_CLI_HOST_H
#define DIAG_CLI_HOST_H

#include <stdbool.h>
#include <stddef.h>

#include "wire/expr.h"

/* A host name stands for all its addresses; more than these are not looked at. */
#define HOST_MAX 32

/**
 * struct host_list - what one address text stands for, any of it
 * @only_ipv4: it said "inet:", which no IPv6 socket is, whatever it carries
 */
struct host_list {
	struct diag_expr_host hosts[HOST_MAX];
	size_t count;
	bool only_ipv4;
};

/**
 * host_parse - reads "[inet:|inet6:]ADDRESS[/PREFIX][:PORT]"
 * @text: the address: 10.0.0.1, 10/8, 10/255.0.0.0, 10.0.0.0/8:443, [::1]:80, ::1, *, *:80, :80, :https, or a host name
 * @out:  receives what it stands for
 *
 * Return: NULL, or what was expected instead, a static string.
 */
const char *host_parse(const char *text, struct host_list *out);

/** host_port - a port number or a service's name; "*" is no port. -1 when it is none */
int host_port(const char *text);

/** host_is_unix - whether an address text is a unix socket's name: "unix:...", or one with '/', '@' or a pattern first */
bool host_is_unix(const char *text);

/** host_unix_pattern - the pattern in such a text, borrowed from it */
const char *host_unix_pattern(const char *text);

#endif
