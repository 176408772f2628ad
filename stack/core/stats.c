/* The tree of counters, walked by name. */
#include "core/stats.h"

#include <stddef.h>

struct stat_row {
	const char *name;
	size_t off;
};

#define ROW(prefix, member, field) \
	{ prefix "." #field, offsetof(struct stats, member) + offsetof(__typeof__(((struct stats *)0)->member), field) },

#define ROW_V4S(f) ROW("icmp.v4_sent", icmp.v4_sent, f)
#define ROW_V4R(f) ROW("icmp.v4_received", icmp.v4_received, f)
#define ROW_V6S(f) ROW("icmp.v6_sent", icmp.v6_sent, f)
#define ROW_V6R(f) ROW("icmp.v6_received", icmp.v6_received, f)
#define ROW_IGS(f) ROW("igmp.sent", igmp.sent, f)
#define ROW_IGR(f) ROW("igmp.received", igmp.received, f)
#define ROW_IP(f) ROW("ip", ip, f)
#define ROW_TCP(f) ROW("tcp", tcp, f)
#define ROW_UDP(f) ROW("udp", udp, f)
#define ROW_RAW(f) ROW("raw", raw, f)
#define ROW_PKT(f) ROW("packet", packet, f)
#define ROW_ARP(f) ROW("arp", arp, f)
#define ROW_NIC(f) ROW("nics", nics, f)
#define ROW_ONE(name, field) { name, offsetof(struct stats, field) },

static const struct stat_row stat_rows[] = {
	ROW_ONE("unknown_protocol_rcvd_packets", unknown_protocol_rcvd_packets)
	ROW_ONE("malformed_rcvd_packets", malformed_rcvd_packets)
	ROW_ONE("dropped_packets", dropped_packets)
	ICMPV4_COUNTERS(ROW_V4S)
	ROW_ONE("icmp.v4_sent.dropped", icmp.v4_dropped)
	ROW_ONE("icmp.v4_sent.rate_limited", icmp.v4_rate_limited)
	ICMPV4_COUNTERS(ROW_V4R)
	ROW_ONE("icmp.v4_received.invalid", icmp.v4_invalid)
	ICMPV6_COUNTERS(ROW_V6S)
	ROW_ONE("icmp.v6_sent.dropped", icmp.v6_dropped)
	ROW_ONE("icmp.v6_sent.rate_limited", icmp.v6_rate_limited)
	ICMPV6_COUNTERS(ROW_V6R)
	ROW_ONE("icmp.v6_received.invalid", icmp.v6_invalid)
	IGMP_COUNTERS(ROW_IGS)
	ROW_ONE("igmp.sent.dropped", igmp.dropped)
	IGMP_COUNTERS(ROW_IGR)
	ROW_ONE("igmp.received.invalid", igmp.invalid)
	IP_COUNTERS(ROW_IP)
	TCP_COUNTERS(ROW_TCP)
	UDP_COUNTERS(ROW_UDP)
	RAW_COUNTERS(ROW_RAW)
	PACKET_COUNTERS(ROW_PKT)
	ARP_COUNTERS(ROW_ARP)
	NIC_COUNTERS(ROW_NIC)
};

void stats_walk(const struct stats *s,
		void (*fn)(void *ctx, const char *name, const struct stat_counter *c), void *ctx)
{
	for (size_t i = 0; i < sizeof(stat_rows) / sizeof(stat_rows[0]); i++)
		fn(ctx, stat_rows[i].name,
		   (const struct stat_counter *)((const char *)s + stat_rows[i].off));
}
