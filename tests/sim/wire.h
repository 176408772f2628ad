/*
 * One stack and its wire, segment by segment, in virtual time: tests in the manner of packetdrill.
 *
 *	wire_new(NULL);
 *	ep = wire_listen(80, 4);
 *	wire_in("S 0:0(0) win 65535 <mss 1460>");
 *	wire_out("S. 0:0(0) ack 1 win 64240 <mss 1460>");
 *	wire_in(". 1:1(0) ack 1 win 65535");
 *
 * Sequence numbers are relative to each side's SYN. The stack is 10.0.0.1 (fd00::1), the peer 10.0.0.2. Time
 * stands still but in wire_run() and wire_out_at().
 */
#ifndef TESTS_SIM_WIRE_H
#define TESTS_SIM_WIRE_H

#include "netstack.h"

/**
 * struct wire_config
 * @v6:   over IPv6
 * @tso:  the link takes super-segments
 * @ts:   shown segments have their timestamps left out, and <TS> stands for the option
 */
struct wire_config {
	bool v6, tso;
	uint32_t mtu;
	uint16_t rport;
	uint32_t rx_queue_pkts;
};

extern struct stack *wire_stack;
extern struct endpoint *wire_ep;		/* of the latest connection */

void wire_new(const struct wire_config *c);
void wire_free(void);

/** wire_listen() - a listener; wire_connect() - an endpoint in SYN-SENT, its SYN still to be seen */
struct endpoint *wire_listen(uint16_t port, int backlog);
struct endpoint *wire_connect(void);

/** wire_passive() - a whole handshake of 30 ms with these options of the peer's SYN; returns what was
 * accepted */
struct endpoint *wire_passive(const char *opts, unsigned wnd);

/** wire_port() - the peer's port from now on, with a new SYN's numbers */
void wire_port(uint16_t port);

/** wire_in() - a segment comes in: "SF.PRUEW seq:end(len) ack n win n urg n <mss n,sackOK,wscale n,TS v e,
 * sack a:b>"; the letter C before it: CE marked, T: ECT(0) */
void wire_in(const char *text);

/** wire_in_bytes() - the payload of the next wire_in() */
void wire_in_bytes(const void *bytes);

/** wire_out() - the next segment that went out, compared with @text; wire_none() - there is none */
void wire_out(const char *text);
void wire_none(void);

/** wire_out_at() - the next segment goes out after exactly @ms, and is @text */
void wire_out_at(int64_t ms, const char *text);

/** wire_run() - let time pass; nothing may go out */
void wire_run(int64_t ms);

/** wire_pass() - let time pass, whatever goes out is kept; wire_drop() - and dropped */
void wire_pass(int64_t ms);
unsigned wire_drop(void);

/** wire_next() - text of the next segment that went out, NULL if there is none */
const char *wire_next(void);

/** wire_icmp() - an ICMP(v4) error about a segment of the stack's with number @seq */
void wire_icmp(uint8_t type, uint8_t code, uint16_t mtu, uint32_t seq);

/** wire_tos() - the TOS of the segment seen last */
uint8_t wire_tos(void);

/** wire_ts() - the timestamp in the segment seen last */
uint32_t wire_ts(void);

/** wire_write() - write @n bytes of a pattern; how many were taken, negative: the error */
long wire_write(struct endpoint *ep, size_t n);
long wire_write_more(struct endpoint *ep, size_t n);
/** wire_read() - read at most @n; how many, negative: the error */
long wire_read(struct endpoint *ep, size_t n);
int64_t wire_opt(struct endpoint *ep, enum sockopt opt);
struct tcp_conn_info wire_info(struct endpoint *ep);
void wire_set(int opt, int64_t v);

#endif
