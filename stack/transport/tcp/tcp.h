/*
 * TCP (RFC 9293) as the rest of the stack and its users see it.
 *
 * Theory of operation
 * -------------------
 *
 * Objects. What a packet can be for has one entry in the protocol's table of tuples, found with one
 * probe: a connection (struct tcp_conn, with its endpoint), a handshake that a listener has under way
 * (struct tcp_req), or a connection that only TIME-WAIT is left of (struct tcp_tw). The latter two are
 * small, and what a flood of SYNs or of short connections makes. Listeners are in the core's
 * demultiplexer, like any endpoint without a peer.
 *
 * Data to be sent waits in one queue of packets (sndq.c), the rope, from snd_una to write_seq. Nothing
 * is copied or moved again: what goes out is a packet of its own whose fragments share the rope's
 * chunks. For each range that was sent and is not yet acknowledged there is a struct tcp_seg: when it
 * was last sent, and whether it is known to be received (SACKed), lost, or sent again. One record
 * stands for up to 64 KiB; a selective acknowledgement of a part splits it. A record is in the list of
 * the sequence space, and in one of: the list by time of transmission, on which RACK looks for losses,
 * the list of what is to be sent again, or (SACKed) none. So each acknowledgement costs what it changes.
 *
 * Data received stays in the packets it came in until it is read (rcv.c); what came out of order waits
 * in ooo.c.
 *
 * A segment's way: tcp.c checks it and finds whom it is for; input.c goes through RFC 9293 3.10.7 in
 * its order; ack.c takes what it acknowledges and sack.c what it selects; rack.c finds losses;
 * recovery.c decides what follows from that for the window and what is sent again; rcv.c takes the data.
 * At the end output.c sends what the windows then allow (push.c says where PSH goes along), and an acknowledgement, if one is due, goes
 * along or on its own.
 *
 * Timers. A connection has one timer of the clock, armed for the earliest of its own deadlines (timers.c):
 * one for retransmission, loss probe, reordering and zero window, which exclude one another; one for
 * delayed acknowledgements; one for keepalive and FIN-WAIT-2.
 *
 * Counting. Windows are in bytes; congestion control counts segments of the size they were cut to, as
 * Linux does.
 *
 * COMPLIANCE.md says which requirement is met where.
 */
#ifndef STACK_TRANSPORT_TCP_TCP_H
#define STACK_TRANSPORT_TCP_TCP_H

#include "core/transproto.h"
#include "transport/tcp/info.h"
#include "transport/tcp/state.h"

extern const struct trans_proto_ops tcp_proto;

/** tcp_half_open_count(), tcp_time_wait_count(), tcp_orphan_count() - for diagnosis */
size_t tcp_half_open_count(struct stack *s);
size_t tcp_time_wait_count(struct stack *s);
size_t tcp_orphan_count(struct stack *s);

/** struct tcp_mini - a handshake or a TIME-WAIT, for diagnosis: they have no endpoint */
struct tcp_mini {
	enum tcp_state state;
	enum net_index net;		/* of the socket it is or was of */
	struct full_addr local, remote;
	int64_t expires_in_ns;
	uint32_t bind_nic, mark;
	uint8_t retransmits;
};

#endif
