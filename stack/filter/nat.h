/*
 * Translation of addresses and ports.
 *
 * Theory of operation. At the first packet of a connection a rule, or nothing, settles what becomes of
 * its destination (PREROUTING, OUTPUT) and of its source (POSTROUTING, INPUT): the tuple that answers
 * will have is changed accordingly. From then on each packet is rewritten, at the hooks of either
 * kind, to the inverse of what the other direction has. Two connections never share a tuple: a
 * source port that is taken is exchanged for another one, even where no rule asked for anything. One
 * source looks the same to all its peers as far as that can be (RFC 4787, REQ-1).
 */
#ifndef STACK_FILTER_NAT_H
#define STACK_FILTER_NAT_H

#include "filter/conn.h"

/**
 * struct nat_range - what an end may become
 * @min, @max:   addresses, @min.len 0: the one it has
 * @port, @base: ports, if @has_ports; DNAT: @base's offset to the port it had is kept (@has_base)
 * @random:      any port, even if the one it has is free
 * @persistent:  the same address for all of a source's connections
 */
struct nat_range {
	struct addr min, max;
	uint16_t port[2], base;
	bool has_ports, has_base, random, persistent;
};

/** nat_setup() - settle one end of @k's new connection; false: drop, there is no tuple left */
bool nat_setup(struct filter_pkt *k, const struct nat_range *r, bool dst);

/** nat_settled() - whether the end that this hook is about is settled */
bool nat_settled(const struct filter_pkt *k);

/** nat_settle_none() - settle it without a rule; false: drop */
bool nat_settle_none(struct filter_pkt *k);

/** nat_packet() - rewrite what this hook is about; false: drop */
bool nat_packet(struct filter_pkt *k);

#endif
