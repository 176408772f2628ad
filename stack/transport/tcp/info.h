/* What SOCKOPT_TCP_INFO tells of a connection. */
#ifndef STACK_TRANSPORT_TCP_INFO_H
#define STACK_TRANSPORT_TCP_INFO_H

#include <stddef.h>
#include <stdint.h>

/** enum tcp_info_opt - bits of options; values of Linux's TCPI_OPT_* */
enum tcp_info_opt {
	TCP_INFO_TIMESTAMPS = 1, TCP_INFO_SACK = 2, TCP_INFO_WSCALE = 4, TCP_INFO_ECN = 8,
	TCP_INFO_ECN_SEEN = 16,
	TCP_INFO_SYN_DATA = 32,
	TCP_INFO_FAST_OPEN_CHILD = 128,
};

/**
 * struct tcp_conn_info - byte for byte Linux's struct tcp_info, in the length kernel 6.18 sends
 *
 * Under a name of its own, so that it can be included beside <netinet/tcp.h>. Times are in microseconds
 * unless the name says _ms, rates in bytes a second.
 */
struct tcp_conn_info {
	uint8_t state, ca_state, retransmits, probes, backoff, options;
	uint8_t wscale;			/* low four bits: send, high four: receive */
	uint8_t flags;			/* bit 0: the delivery rate was limited by the application */

	uint32_t rto, ato, snd_mss, rcv_mss;
	uint32_t unacked, sacked, lost, retrans, fackets;
	uint32_t last_data_sent_ms, last_ack_sent_ms, last_data_recv_ms, last_ack_recv_ms;
	uint32_t pmtu, rcv_ssthresh, rtt, rttvar, snd_ssthresh, snd_cwnd, advmss, reordering;
	uint32_t rcv_rtt, rcv_space, total_retrans;

	uint64_t pacing_rate, max_pacing_rate, bytes_acked, bytes_received;
	uint32_t segs_out, segs_in;

	uint32_t notsent_bytes, min_rtt, data_segs_in, data_segs_out;
	uint64_t delivery_rate;
	uint64_t busy_time, rwnd_limited, sndbuf_limited;
	uint32_t delivered, delivered_ce;
	uint64_t bytes_sent, bytes_retrans;
	uint32_t dsack_dups, reord_seen;
	uint32_t rcv_ooopack, snd_wnd;
	uint32_t rcv_wnd, rehash;
	uint16_t total_rto, total_rto_recoveries;
	uint32_t total_rto_time_ms;
	uint32_t received_ce, delivered_e1_bytes, delivered_e0_bytes, delivered_ce_bytes;
	uint32_t received_e1_bytes, received_e0_bytes, received_ce_bytes;
	uint32_t accecn;
};

_Static_assert(sizeof(struct tcp_conn_info) == 280, "the kernel's ABI");
_Static_assert(offsetof(struct tcp_conn_info, pacing_rate) == 104, "where tcp_info is padded");

struct tcp_conn;

/** tcp_fill_info() - all of it */
void tcp_fill_info(struct tcp_conn *c, struct tcp_conn_info *out);

#endif
