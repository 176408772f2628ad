/* The tree of counters. */
#ifndef STACK_CORE_STATS_H
#define STACK_CORE_STATS_H

#include "base/stat.h"

/*
 * One list per group: the structures, the names in dumps and the walk over all of them come from it.
 * X(field): see RFC 4293, 4022 and 4113 for the SNMP counters that most mirror.
 */
#define ICMPV4_COUNTERS(X) \
	X(echo) X(echo_reply) X(dst_unreachable) X(src_quench) X(redirect) X(time_exceeded) \
	X(param_problem) X(timestamp) X(timestamp_reply) X(info_request) X(info_reply)

#define ICMPV6_COUNTERS(X) \
	X(echo_request) X(echo_reply) X(dst_unreachable) X(packet_too_big) X(time_exceeded) \
	X(param_problem) X(router_solicit) X(router_advert) X(neighbor_solicit) X(neighbor_advert) \
	X(redirect_msg) X(mld_query) X(mld_report) X(mld_done) X(mldv2_report)

#define IGMP_COUNTERS(X) \
	X(query) X(v1_report) X(v2_report) X(v3_report) X(leave)

/* packets_received .. malformed_fragments_received are the specification's; the rest is finer. */
#define IP_COUNTERS(X) \
	X(packets_received) X(invalid_addresses_received) X(packets_delivered) X(packets_sent) \
	X(outgoing_packet_errors) X(malformed_packets_received) X(malformed_fragments_received) \
	X(invalid_source_addresses_received) X(packets_forwarded) X(forwarding_errors) \
	 X(hook_dropped) X(fragments_created) X(fragments_received) \
	X(reassembled) X(reassembly_timeouts) X(reassembly_dropped) X(options_unknown_received) \
	X(redirects_followed)

#define TCP_COUNTERS(X) \
	X(active_connection_openings) X(passive_connection_openings) X(current_established) \
	X(established_resets) X(listen_overflow_syn_drop) X(listen_overflow_ack_drop) \
	X(listen_overflow_syn_cookie_sent) X(listen_overflow_syn_cookie_rcvd) \
	X(listen_overflow_invalid_syn_cookie_rcvd) X(failed_connection_attempts) \
	X(valid_segments_received) X(invalid_segments_received) X(segments_sent) \
	X(segment_send_errors) X(resets_sent) X(resets_received) X(retransmits) X(fast_recovery) \
	X(sack_recovery) X(slow_start_retransmits) X(fast_retransmit) X(timeouts) \
	X(checksum_errors)

#define UDP_COUNTERS(X) \
	X(packets_received) X(unknown_port_errors) X(receive_buffer_errors) \
	X(malformed_packets_received) X(packets_sent) X(packet_send_errors) X(checksum_errors)

#define RAW_COUNTERS(X) \
	X(packets_received) X(receive_buffer_errors) X(checksum_errors) X(filtered) \
	X(packets_sent) X(packet_send_errors)

#define PACKET_COUNTERS(X) \
	X(packets_received) X(receive_buffer_errors) X(packets_sent) X(packet_send_errors)

#define ARP_COUNTERS(X) \
	X(packets_received) X(conflicts_received) X(malformed_packets_received) \
	X(requests_received) X(requests_received_unknown_target) X(replies_received) \
	X(outgoing_requests_sent) X(outgoing_requests_dropped) X(outgoing_replies_sent) \
	X(outgoing_replies_dropped)

#define NIC_COUNTERS(X) \
	X(tx_packets) X(tx_bytes) X(tx_dropped) X(rx_packets) X(rx_bytes) X(rx_disabled) \
	X(rx_unknown_protocol) X(rx_other_host) X(neigh_pending_dropped) \
	X(neigh_table_full)

#define STAT_FIELD(name) struct stat_counter name;

struct icmpv4_packet_stats { ICMPV4_COUNTERS(STAT_FIELD) };
struct icmpv6_packet_stats { ICMPV6_COUNTERS(STAT_FIELD) };

/**
 * struct icmp_stats - ICMP of both versions, by direction and type
 * @v4_invalid, @v6_invalid:         received, and not to be parsed
 * @v4_dropped, @v6_dropped:         not sent because of an error of the link layer
 * @v4_rate_limited, @v6_rate_limited: not sent because of the rate limit
 */
struct icmp_stats {
	struct icmpv4_packet_stats v4_sent, v4_received;
	struct icmpv6_packet_stats v6_sent, v6_received;
	struct stat_counter v4_invalid, v4_dropped, v4_rate_limited;
	struct stat_counter v6_invalid, v6_dropped, v6_rate_limited;
};

struct igmp_packet_stats { IGMP_COUNTERS(STAT_FIELD) };
struct igmp_stats {
	struct igmp_packet_stats sent, received;
	struct stat_counter invalid, dropped;
};

struct ip_stats { IP_COUNTERS(STAT_FIELD) };
struct tcp_stats { TCP_COUNTERS(STAT_FIELD) };
struct raw_stats { RAW_COUNTERS(STAT_FIELD) };
struct packet_stats { PACKET_COUNTERS(STAT_FIELD) };
struct udp_stats { UDP_COUNTERS(STAT_FIELD) };
struct arp_stats { ARP_COUNTERS(STAT_FIELD) };
struct nic_stats { NIC_COUNTERS(STAT_FIELD) };

/**
 * struct stats - of a whole stack
 * @unknown_protocol_rcvd_packets: for a protocol the stack has not
 * @malformed_rcvd_packets:        counted by whichever layer found them so
 * @dropped_packets:               for full queues
 * @nics:                          sums over all NICs, those removed included
 */
struct stats {
	struct stat_counter unknown_protocol_rcvd_packets;
	struct stat_counter malformed_rcvd_packets;
	struct stat_counter dropped_packets;
	struct icmp_stats icmp;
	struct igmp_stats igmp;
	struct ip_stats ip;
	struct tcp_stats tcp;
	struct udp_stats udp;
	struct raw_stats raw;
	struct packet_stats packet;
	struct arp_stats arp;
	struct nic_stats nics;
};

/** stats_malformed() - a packet was found to be so: in its layer's counter @c, and in that of the whole stack */
static inline void stats_malformed(struct stats *s, struct stat_counter *c)
{
	stat_inc(c);
	stat_inc(&s->malformed_rcvd_packets);
}

/** stats_walk() - call @fn with the dotted name ("udp.packets_sent") and counter of each */
void stats_walk(const struct stats *s,
		void (*fn)(void *ctx, const char *name, const struct stat_counter *c), void *ctx);

#endif
