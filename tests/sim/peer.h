/*
 * One stack and its wire, segment by segment, in virtual time: tests in the manner of packetdrill.
 *
 *	peer_new(NULL);
 *	ep = peer_listen(80, 4);
 *	peer_in("S 0:0(0) win 65535 <mss 1460>");
 *	peer_out("S. 0:0(0) ack 1 win 64240 <mss 1460>");
 *	peer_in(". 1:1(0) ack 1 win 65535");
 *
 * Sequence numbers are relative to each side's SYN. The stack is 10.0.0.1 (fd00::1), the peer 10.0.0.2. Time
 * stands still but in peer_run() and peer_out_at().
 */
#ifndef TESTS_SIM_PEER_H
#define TESTS_SIM_PEER_H

#include "netstack.h"

/**
 * struct peer_config
 * @v6:   over IPv6
 * @tso:  the link takes super-segments
 * @ts:   shown segments have their timestamps left out, and <TS> stands for the option
 */
struct peer_config {
	bool v6, tso;
	uint32_t mtu;
	uint16_t rport;
	uint32_t rx_queue_pkts;
};

extern struct stack *peer_stack;
extern struct endpoint *peer_ep;		/* of the latest connection */

void peer_new(const struct peer_config *c);
void peer_free(void);

/** peer_listen() - a listener; peer_connect() - an endpoint in SYN-SENT, its SYN still to be seen */
struct endpoint *peer_listen(uint16_t port, int backlog);
struct endpoint *peer_connect(void);

/** peer_passive() - a whole handshake of 30 ms with these options of the peer's SYN; returns what was
 * accepted */
struct endpoint *peer_passive(const char *opts, unsigned wnd);

/** peer_port() - the peer's port from now on, with a new SYN's numbers */
void peer_port(uint16_t port);

/** peer_in() - a segment comes in: "SF.PRUEW seq:end(len) ack n win n urg n <mss n,sackOK,wscale n,TS v e,
 * sack a:b>"; the letter C before it: CE marked, T: ECT(0) */
void peer_in(const char *text);

/** peer_in_bytes() - the payload of the next peer_in() */
void peer_in_bytes(const void *bytes);

/** peer_out() - the next segment that went out, compared with @text; peer_none() - there is none */
void peer_out(const char *text);
void peer_none(void);

/** peer_out_at() - the next segment goes out after exactly @ms, and is @text */
void peer_out_at(int64_t ms, const char *text);

/** peer_run() - let time pass; nothing may go out */
void peer_run(int64_t ms);

/** peer_pass() - let time pass, whatever goes out is kept; peer_drop() - and dropped */
void peer_pass(int64_t ms);
unsigned peer_drop(void);

/** peer_next() - text of the next segment that went out, NULL if there is none */
const char *peer_next(void);

/** peer_packets_held() - packets the stack keeps; peer_bad_checksum(), peer_bad_offset() - spoil the next
 * segment that comes in */
size_t peer_packets_held(void);
void peer_bad_checksum(void);
void peer_bad_offset(void);

/** peer_icmp() - an ICMP(v4) error about a segment of the stack's with number @seq */
void peer_icmp(uint8_t type, uint8_t code, uint16_t mtu, uint32_t seq);

/** peer_tos() - the TOS of the segment seen last */
uint8_t peer_tos(void);

/** peer_ts() - the timestamp in the segment seen last */
uint32_t peer_ts(void);

/** peer_write() - write @n bytes of a pattern; how many were taken, negative: the error */
long peer_write(struct endpoint *ep, size_t n);
long peer_write_more(struct endpoint *ep, size_t n);
/** peer_read() - read at most @n; how many, negative: the error */
long peer_read(struct endpoint *ep, size_t n);
int64_t peer_opt(struct endpoint *ep, enum sockopt opt);
struct tcp_conn_info peer_info(struct endpoint *ep);
void peer_set(int opt, int64_t v);

#endif
