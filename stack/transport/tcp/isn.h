/* Numbers a peer sees and nobody else may guess: initial sequence numbers (RFC 6528), timestamp
 * offsets, SYN cookies (RFC 4987, 3.6). */
#ifndef STACK_TRANSPORT_TCP_ISN_H
#define STACK_TRANSPORT_TCP_ISN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/hash.h"

/** struct isn_pair - a connection's two ends; the port fields in host order */
struct isn_pair {
	struct addr local, remote;
	uint16_t lport, rport;
};

/** isn_make() - RFC 6528, 3: a clock of 64 ns ticks, and for each pair a place of its own on it */
uint32_t isn_make(const struct hash_key *key, const struct isn_pair *p, int64_t now_ns);

/** isn_ts_offset() - what to add to timestamps between two addresses (RFC 7323, 7.1): the ports do
 * not count, so that timestamps grow from one connection to the next (RFC 6191) */
uint32_t isn_ts_offset(const struct hash_key *key, const struct addr *local,
		       const struct addr *remote);

/** struct isn_cookie_opts - what of the SYN's options a cookie's timestamp brings back;
 * @has_wscale, @wscale: the peer's */
struct isn_cookie_opts {
	bool has_wscale, sack_permitted, ecn;
	uint8_t wscale;
};

/** isn_cookie() - the sequence number of a SYN-ACK for which nothing is kept
 * @peer_isn: the SYN's sequence number
 * @mss:      in: the peer's; out: the nearest a cookie can say, not above it unless it is the least */
uint32_t isn_cookie(const struct hash_key *key, const struct isn_pair *p, uint32_t peer_isn,
		    uint16_t *mss, int64_t now_ns);

/** isn_cookie_check() - the MSS in a cookie made at most two minutes ago; 0 if it is none of ours.
 * @cookie: what the peer acknowledged, less one */
uint16_t isn_cookie_check(const struct hash_key *key, const struct isn_pair *p, uint32_t peer_isn,
			  uint32_t cookie, int64_t now_ns);

/** isn_cookie_ts() - the timestamp, before its offset is added, that carries @o in its low bits; never
 * after @ts_now */
uint32_t isn_cookie_ts(uint32_t ts_now, const struct isn_cookie_opts *o);

/** isn_cookie_ts_opts() - the options in an echoed timestamp whose offset was taken off */
struct isn_cookie_opts isn_cookie_ts_opts(uint32_t ts);

#endif
