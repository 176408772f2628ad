/*
 * A stack between two wires without link addresses, and packets made and looked at by hand.
 *
 *	struct wire *w = wire_new();			// 10.0.0.1/24 and 2001:db8::1/64 on nic1,
 *							// 10.0.1.1/24 and 2001:db8:1::1/64 on nic2
 *	struct wire_pkt p = { "10.0.0.2", "10.0.1.2", IP_PROTO_UDP,
 *				.sport = 1000, .dport = 53 }, q;
 *	wire_in(w, 0, &p);
 *	cr_assert(wire_out(w, 1, &q));			// checksums are looked at, too
 *	wire_free(w);
 */
#ifndef TESTS_SIM_WIRE_H
#define TESTS_SIM_WIRE_H

#include "net.h"

enum { WIRE_DATA_MAX = 66000 };
enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };

/**
 * struct wire_pkt - a packet in few words
 * @sport, @dport: ports; ICMP: @sport identifier, @type and @code
 * @n:    payload bytes, counting up from 0
 * @raw:  payload bytes rather than these; received: always the payload
 * @text: of addresses received, where @src and @dst then point
 */
struct wire_pkt {
	const char *src, *dst;
	uint8_t proto;
	uint16_t sport, dport;
	uint8_t flags, type, code, ttl;
	uint32_t seq, ack;
	size_t n;
	const uint8_t *raw;
	uint16_t id, frag_off;
	bool more, bad_cksum, no_cksum;
	char text[2][ADDR_STR_MAX];
};

struct wire {
	struct sim *sim;
	struct stack *s;
	struct link *link[2];
	struct nic *nic[2];
	uint8_t bytes[WIRE_DATA_MAX];	/* the last packet out */
	size_t len;
};

struct wire *wire_new(void);
void wire_free(struct wire *w);

/** wire_build() - the packet's bytes; how many */
size_t wire_build(const struct wire_pkt *p, uint8_t *out);

/** wire_in() - receive it on a wire; wire_in_bytes() - these bytes */
void wire_in(struct wire *w, int side, const struct wire_pkt *p);
void wire_in_bytes(struct wire *w, int side, const uint8_t *p, size_t n);

/** wire_out() - the next packet sent on a wire; false if there is none. Dies if a checksum is wrong. */
bool wire_out(struct wire *w, int side, struct wire_pkt *p);

/** wire_apart() - take the bytes of a packet apart; dies if a checksum is wrong */
void wire_apart(const uint8_t *b, size_t n, struct wire_pkt *p);

/** wire_quoted() - what the ICMP error @p quotes; its header checksum is looked at, and that of the
 * transport if all of it is there */
void wire_quoted(const struct wire_pkt *p, struct wire_pkt *q);

/** wire_rules() - load iptables text, IPv6 if @six; dies if it is wrong */
void wire_rules(struct stack *s, bool six, const char *text);

#endif
