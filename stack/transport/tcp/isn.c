/*
 * Initial sequence numbers, timestamp offsets and SYN cookies.
 *
 * A cookie is the sequence number of a SYN-ACK. Its top byte counts minutes (so that cookies age), its
 * other 24 bits are a keyed hash of the pair and that minute plus an index into a table of MSS values; the
 * whole is shifted by a second hash and by the peer's sequence number. The final ACK brings it back: taking
 * the hashes off leaves the minute and the index, and a number that nobody who has not seen the SYN-ACK
 * could have made. Window scale, SACK and ECN do not fit; they go into the low bits of the SYN-ACK's
 * timestamp, if the peer uses those.
 */
#include "transport/tcp/isn.h"

#include <string.h>

#include "base/clock.h"

enum {
	ISN_TICK_NS = 64,
	COOKIE_SHIFT = 24,
	COOKIE_MASK = (1 << COOKIE_SHIFT) - 1,
	COOKIE_MAX_AGE = 2,		/* counts that may have passed */
	COOKIE_COUNT_SECONDS = 60,
	TS_BITS = 6,
	TS_WSCALE_NONE = 0xf,		/* above the largest shift */
	TS_SACK = 1 << 4,
	TS_ECN = 1 << 5,
};

/* MSS values seen most: least, default, with and without tunnels, jumbo frames, loopback. */
static const uint16_t cookie_mss4[] = { 88, 536, 1300, 1440, 1460, 8960, 16344, 65495 };
static const uint16_t cookie_mss6[] = { 88, 536, 1220, 1420, 1440, 8940, 16324, 65475 };

enum { COOKIE_MSS_COUNT = sizeof(cookie_mss4) / sizeof(cookie_mss4[0]) };

/* What the hashes are made of: without padding, so that every byte is set. */
struct hash_input {
	uint64_t local[2], remote[2];
	uint32_t ports;
	uint32_t count;
	uint32_t seq;
	uint32_t use_and_lens;
};

enum hash_use { USE_ISN = 1, USE_TS, USE_COOKIE_BASE, USE_COOKIE_DATA };

static uint64_t hash_pair(const struct hash_key *key, const struct addr *local,
			  const struct addr *remote, enum hash_use use, uint32_t ports,
			  uint32_t count, uint32_t seq)
{
	struct hash_input in = {
		.ports = ports, .count = count, .seq = seq,
		.use_and_lens = (uint32_t)use << 16 | (uint32_t)local->len << 8 | remote->len,
	};

	memcpy(in.local, local->q, sizeof(in.local));
	memcpy(in.remote, remote->q, sizeof(in.remote));
	return siphash(key, &in, sizeof(in));
}

static uint32_t hash_conn(const struct hash_key *key, const struct isn_pair *p, enum hash_use use,
			  uint32_t count, uint32_t seq)
{
	return (uint32_t)hash_pair(key, &p->local, &p->remote, use,
				   (uint32_t)p->lport << 16 | p->rport, count, seq);
}

uint32_t isn_make(const struct hash_key *key, const struct isn_pair *p, int64_t now_ns)
{
	/* RFC 6528 speaks of 4 us ticks; faster ones let a pair be used again sooner after a fast
	 * transfer, because the new number is above what the old connection sent. */
	return hash_conn(key, p, USE_ISN, 0, 0) + (uint32_t)(now_ns / ISN_TICK_NS);
}

uint32_t isn_ts_offset(const struct hash_key *key, const struct addr *local,
		       const struct addr *remote)
{
	return (uint32_t)hash_pair(key, local, remote, USE_TS, 0, 0, 0);
}

static const uint16_t *mss_table(const struct isn_pair *p)
{
	return p->remote.len == ADDR_LEN_V4 ? cookie_mss4 : cookie_mss6;
}

static uint32_t cookie_count(int64_t now_ns)
{
	return (uint32_t)(now_ns / (COOKIE_COUNT_SECONDS * NS_PER_SEC));
}

uint32_t isn_cookie(const struct hash_key *key, const struct isn_pair *p, uint32_t peer_isn,
		    uint16_t *mss, int64_t now_ns)
{
	const uint16_t *table = mss_table(p);
	uint32_t count = cookie_count(now_ns), i = COOKIE_MSS_COUNT - 1;

	while (i > 0 && table[i] > *mss)
		i--;
	*mss = table[i];
	return hash_conn(key, p, USE_COOKIE_BASE, 0, 0) + peer_isn + (count << COOKIE_SHIFT) +
	       ((hash_conn(key, p, USE_COOKIE_DATA, count, peer_isn) + i) & COOKIE_MASK);
}

uint16_t isn_cookie_check(const struct hash_key *key, const struct isn_pair *p, uint32_t peer_isn,
			  uint32_t cookie, int64_t now_ns)
{
	uint32_t count = cookie_count(now_ns), age, i;

	/* What is left: the count above, the data's hash and the index below. */
	cookie -= hash_conn(key, p, USE_COOKIE_BASE, 0, 0) + peer_isn;
	age = (count - (cookie >> COOKIE_SHIFT)) & 0xff;
	if (age >= COOKIE_MAX_AGE)
		return 0;
	i = (cookie - hash_conn(key, p, USE_COOKIE_DATA, count - age, peer_isn)) & COOKIE_MASK;
	return i < COOKIE_MSS_COUNT ? mss_table(p)[i] : 0;
}

uint32_t isn_cookie_ts(uint32_t ts_now, const struct isn_cookie_opts *o)
{
	uint32_t bits = o->has_wscale ? o->wscale & 0xf : TS_WSCALE_NONE;
	uint32_t ts;

	bits |= (o->sack_permitted ? TS_SACK : 0) | (o->ecn ? TS_ECN : 0);
	ts = (ts_now & ~((1u << TS_BITS) - 1)) | bits;
	return (int32_t)(ts - ts_now) > 0 ? ts - (1u << TS_BITS) : ts;
}

struct isn_cookie_opts isn_cookie_ts_opts(uint32_t ts)
{
	uint8_t wscale = ts & 0xf;

	return (struct isn_cookie_opts){
		.has_wscale = wscale != TS_WSCALE_NONE,
		.wscale = wscale != TS_WSCALE_NONE ? wscale : 0,
		.sack_permitted = ts & TS_SACK,
		.ecn = ts & TS_ECN,
	};
}
