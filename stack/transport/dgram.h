/* What datagram endpoints (UDP, ping) have in common: names, ports, options, queues. */
#ifndef STACK_TRANSPORT_DGRAM_H
#define STACK_TRANSPORT_DGRAM_H

#include "core/stack.h"

/** enum dgram_state - as endpoint_state() tells; values of Linux's TCP_* for sockets of no connection */
enum dgram_state { DGRAM_INITIAL, DGRAM_BOUND, DGRAM_CONNECTED, DGRAM_CLOSED };

struct dgram;

/**
 * struct dgram_ops - the protocol's part
 * @proto:    IP protocol number for a family
 * @max_len:  longest payload
 * @hdr_len:  bytes the protocol adds
 * @needs_port: a destination has a port, not 0
 * @portless:   no ports, no entries in the demultiplexer: raw endpoints are found by their taps
 * @build:    borrows @pkt, the payload: put the header on it, with the checksum
 * @fill_tx:  say more about how the network layer is to send; may be NULL
 * @sent:     count: it went out, or it did not
 */
struct dgram_ops {
	uint8_t (*proto)(enum net_index net);
	uint32_t max_len;
	uint8_t hdr_len;
	bool needs_port, portless;
	enum ns_err (*build)(struct dgram *d, const struct route *r, struct pkt *pkt,
			     uint16_t dport);
	void (*fill_tx)(struct dgram *d, struct net_tx *tx);
	void (*sent)(struct dgram *d, enum ns_err err);
};

/** struct dgram_membership - a multicast group this endpoint joined, and from whom it wants it */
struct dgram_membership {
	struct list list;
	uint32_t nic;
	struct addr group;
	bool exclude;
	uint16_t n;
	struct addr sources[GROUP_MAX_SOURCES];
};

/**
 * struct dgram - a datagram endpoint; the protocol embeds it
 * @local:     what it was bound to; @remote: what it is connected to
 * @bound_nic: NIC that bind() named
 * @explicit_port: bind() chose the port: it outlives disconnect()
 * @nodes:     entries in the demultiplexer, by family
 * @route, @route_key: the route used last
 * @cork:      what MSG_MORE collects, and for whom
 */
struct dgram {
	struct endpoint ep;
	const struct dgram_ops *ops;
	enum dgram_state state;
	bool explicit_port, rx_shut, tx_shut, no_checksum;
	struct full_addr local, remote;
	struct port_claim claim;
	struct demux_node nodes[NET_FAMILIES];
	struct pkt_queue rxq;
	struct list memberships;
	struct route route;
	struct route_key route_key;
	struct pkt *cork;
	struct full_addr cork_to;
};

void dgram_init(struct dgram *d, const struct dgram_ops *ops);

/** dgram_fini() - release all it holds; for the protocol's close and destroy */
void dgram_fini(struct dgram *d);

/** dgram_rx() - takes @pkt, payload first: queue it; false if there was no room or nobody reads */
bool dgram_rx(struct dgram *d, struct pkt *pkt);

/* Operations for struct endpoint_ops; dgram_destroy(), for close too: of a protocol that has nothing more to release. */
void dgram_destroy(struct endpoint *ep);
void dgram_rx_error(struct endpoint *ep, const struct net_error *e);
enum ns_err dgram_read(struct endpoint *ep, struct read_msg *m);
enum ns_err dgram_write(struct endpoint *ep, struct payload *p, const struct write_opts *o,
			size_t *n);
enum ns_err dgram_check(struct endpoint *ep, const struct write_opts *o, size_t len);
enum ns_err dgram_bind(struct endpoint *ep, const struct full_addr *a);
enum ns_err dgram_connect(struct endpoint *ep, const struct full_addr *a);
enum ns_err dgram_disconnect(struct endpoint *ep);
enum ns_err dgram_shutdown(struct endpoint *ep, int how);
enum ns_err dgram_local_addr(struct endpoint *ep, struct full_addr *out);
enum ns_err dgram_remote_addr(struct endpoint *ep, struct full_addr *out);
uint32_t dgram_readiness(struct endpoint *ep);
uint32_t dgram_state_of(struct endpoint *ep);
void dgram_info(struct endpoint *ep, struct endpoint_info *out);
enum ns_err dgram_set_option(struct endpoint *ep, enum sockopt opt, const void *val, size_t len);
enum ns_err dgram_get_option(struct endpoint *ep, enum sockopt opt, void *val, size_t *len);
void dgram_option_changed(struct endpoint *ep, enum sockopt opt);

/* Between the files of this module. */

/** dgram_target() - @a as the endpoint may use it: v4-mapped become IPv4; checks the family */
enum ns_err dgram_target(const struct dgram *d, const struct full_addr *a, struct full_addr *out);

/** dgram_autobind() - have a port, if there is none yet; @remote as in struct port_claim, or NULL */
enum ns_err dgram_autobind(struct dgram *d, const struct full_addr *remote);

/** dgram_leave_groups() - leave all */
void dgram_leave_groups(struct dgram *d);

/** dgram_wants_source() - whether the endpoint's filter for @group lets @source through; groups that
 * others joined it gets whole (ip(7), IP_MULTICAST_ALL) */
bool dgram_wants_source(const struct dgram *d, const struct nic *nic, const struct addr *group,
			const struct addr *source);

/** dgram_set_membership(), dgram_get_filter() - the options about groups; UNKNOWN_PROTOCOL_OPTION
 * for others */
enum ns_err dgram_set_membership(struct dgram *d, enum sockopt opt, const void *val, size_t len);
enum ns_err dgram_get_filter(struct dgram *d, void *val, size_t *len);

/** dgram_show() - an address as the user of this endpoint sees it: IPv4 mapped on IPv6 endpoints */
struct addr dgram_show(const struct dgram *d, const struct addr *a);

static inline struct dgram *dgram_of(struct endpoint *ep)
{
	return container_of(ep, struct dgram, ep);
}

#endif
