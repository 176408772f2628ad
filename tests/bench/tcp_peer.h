/* The kernel's side of TCP benchmarks: what measures, and a server to measure the kernel itself against. */
#ifndef TESTS_BENCH_TCP_PEER_H
#define TESTS_BENCH_TCP_PEER_H

#include <stdint.h>

/* Services: one that reads all, one that writes for ever, one that sends back. */
enum { PORT_SINK = 9001, PORT_SOURCE, PORT_ECHO };

/** peer_bulk() - bytes a second to the sink or from the source at @ip, for @ms */
double peer_bulk(const char *ip, uint16_t port, int ms);

/** peer_rr() - median time of a byte there and back, in microseconds */
double peer_rr(const char *ip, int ms);

/** peer_crr() - connections a second that open, echo a byte and close, @parallel at a time */
double peer_crr(const char *ip, int parallel, int ms);

/** peer_open() - seconds it takes to open @n connections, @parallel being opened at any time */
double peer_open(const char *ip, int parallel, int n);

/** peer_hold() - open @n connections from the address @from, say so by a byte on @fd, and keep them until it
 * is closed */
void peer_hold(const char *ip, const char *from, int n, int fd);

/** peer_server() - the three services, by the kernel; does not return */
void peer_server(int ready_fd) __attribute__((noreturn));

#endif
