/*
 * What members of a lan and its switch say to one another, over a SOCK_SEQPACKET socket: requests and replies of
 * fixed size. What wakes the other side to look at the rings comes with the reply to JOIN (lan_bell.h).
 */
#ifndef STACK_LINK_LAN_PROTO_H
#define STACK_LINK_LAN_PROTO_H

#include <stdint.h>

enum { LAN_MAGIC = 0x4e414c73, LAN_VERSION = 2, LAN_RING_BYTES = 1 << 20, LAN_MAX_MEMBERS = 253 };

/* What a member is given: the rings' memory, the eventfd it rings, and what becomes readable when the switch does. */
enum { LAN_FD_REGION, LAN_FD_RING, LAN_FD_EAR, LAN_JOIN_FDS };

enum lan_op { LAN_OP_JOIN = 1, LAN_OP_IMPAIR = 2, LAN_OP_INFO = 3 };

/** struct lan_impair - struct impair_dir with fixed sizes; @leave: as it is, whatever the rest says */
struct lan_impair {
	uint32_t loss, duplicate, corrupt, reorder;
	int64_t delay_ns, jitter_ns, reorder_ns;
	uint64_t rate_bps;
	uint32_t queue_pkts, leave;
};

/**
 * struct lan_request - @number: JOIN: the member's number that is wanted, 0: any; else of the port that is meant
 * @net, @net_len: JOIN: the IPv4 subnet it expects; length 0: any
 * @out, @in: IMPAIR
 */
struct lan_request {
	uint32_t magic;
	uint16_t version, op;
	uint32_t number;
	uint8_t net[4];
	uint32_t net_len, mtu;
	struct lan_impair out, in;
};

/**
 * struct lan_reply - @err: 0 or a positive errno
 * @number, @mac, @v4, @net_len, @v6_prefix, @mtu: JOIN: the lease; LAN_JOIN_FDS come along (SCM_RIGHTS)
 * @members, and the rest: INFO: of the switch, and of the port
 */
struct lan_reply {
	uint32_t magic;
	uint16_t version, op;
	int32_t err;
	uint32_t number;
	uint8_t mac[6], v4[4], v6_prefix[8];
	uint8_t net_len, reserved[5];
	uint32_t mtu, members;
	uint64_t sent, received, full, lost, refused, forged;
};

#endif
