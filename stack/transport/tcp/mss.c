/* The sender's MSS: from the path MTU, the peer's option, and the options every segment carries. */
#include "header/ipv4.h"
#include "header/ipv6.h"
#include "transport/tcp/impl.h"

static uint32_t net_hdr_len(const struct tcp_conn *c)
{
	return c->remote.addr.len == ADDR_LEN_V4 ? IPV4_HDR_LEN + c->ep.opts.nip_opts : IPV6_HDR_LEN;
}

/* Linux's tcp_bound_to_half_wnd(): a peer whose whole window is one segment would be sent lock step. */
static uint32_t bound_to_half_window(const struct tcp_conn *c, uint32_t mss)
{
	uint32_t cutoff = c->max_window > TCP_DEFAULT_MSS ? c->max_window / 2 : c->max_window;
	uint32_t floor = 68u - c->hdr_len;

	if (!cutoff || mss <= cutoff)
		return mss;
	return cutoff > floor ? cutoff : floor;
}

void tcp_sync_mss(struct tcp_conn *c)
{
	uint32_t mtu, mss;

	if (tcp_get_route(c)) {
		if (!c->mss)
			c->mss = TCP_DEFAULT_MSS;
		return;
	}
	mtu = route_mtu(&c->route);
	if (c->route.loop)
		mtu = tcp_loop_mtu(c->remote.addr.len);
	/* RFC 4821, 7.7: what was taken for a black hole may be gone. */
	if (c->probe_mtu && c->proto->set.mtu_probing < 2 && tcp_now(c) - c->probe_mtu_ns > TCP_PROBE_AGAIN_NS)
		c->probe_mtu = 0;
	if (c->probe_high > mtu)
		c->probe_high = (uint16_t)mtu;
	if (c->probe_mtu && c->probe_mtu < mtu)
		mtu = c->probe_mtu;
	c->pmtu = mtu;
	mss = mtu > net_hdr_len(c) + TCP_HDR_LEN ? mtu - net_hdr_len(c) - TCP_HDR_LEN : 0;
	if (mss > c->mss_clamp)
		mss = c->mss_clamp;
	if (mss < TCP_MIN_SND_MSS)
		mss = TCP_MIN_SND_MSS;
	mss -= (uint32_t)c->hdr_len - TCP_HDR_LEN;
	c->mss = bound_to_half_window(c, mss);
	c->pmtu_gen = c->ep.stack->pmtu.gen;
	c->route_gen = c->ep.stack->route_gen;
}

uint32_t tcp_mss(struct tcp_conn *c)
{
	uint32_t mss, blocks;

	if (c->probe_mtu && c->proto->set.mtu_probing < 2 && tcp_now(c) - c->probe_mtu_ns > TCP_PROBE_AGAIN_NS)
		c->mss = 0;
	if (!route_is_set(&c->route) || c->pmtu_gen != c->ep.stack->pmtu.gen || c->route_gen != c->ep.stack->route_gen || !c->mss)
		tcp_sync_mss(c);
	mss = c->mss;
	if (!c->has_sack || (!c->ooo.has_dsack && ooo_empty(&c->ooo)))
		return mss;
	blocks = c->ooo.nruns + c->ooo.has_dsack + (c->ooo.has_fin && !c->ooo.nruns);
	if (blocks > (c->has_ts ? TCP_MAX_SACK - 1u : TCP_MAX_SACK))
		blocks = c->has_ts ? TCP_MAX_SACK - 1 : TCP_MAX_SACK;
	return mss > 4 + 8 * blocks ? mss - 4 - 8 * blocks : mss;
}

static uint32_t mss_of_mtu(uint8_t addr_len, const struct route *r, uint32_t mtu, uint32_t user_mss)
{
	uint32_t hdrs = (addr_len == ADDR_LEN_V4 ? IPV4_HDR_LEN : IPV6_HDR_LEN) + TCP_HDR_LEN, mss;

	if (r->loop)
		mtu = tcp_loop_mtu(addr_len);
	mss = mtu > hdrs + TCP_MIN_MSS ? mtu - hdrs : TCP_MIN_MSS;
	if (user_mss && mss > user_mss)
		mss = user_mss;
	return mss > UINT16_MAX ? UINT16_MAX : mss;
}

uint32_t tcp_local_mss(uint8_t addr_len, const struct route *r, uint32_t user_mss)
{
	/* What can be received: the way there may be narrower than the way back (RFC 9293, 3.7.1). */
	return mss_of_mtu(addr_len, r, nic_mtu(r->nic, addr_len == ADDR_LEN_V4 ? NET_IPV4 : NET_IPV6), user_mss);
}

uint32_t tcp_path_mss(struct tcp_conn *c)
{
	return mss_of_mtu(c->remote.addr.len, &c->route, route_mtu(&c->route), c->user_mss);
}

/*
 * Linux's tcp_tso_autosize(): no more at once than a millisecond of the rate at which the window goes out;
 * but two segments, and on short paths, where bursts do no harm, all there is room for.
 */
static uint32_t autosize(const struct tcp_conn *c, uint32_t max, uint32_t mss)
{
	int64_t srtt = c->rtt.srtt_ns, least = rtt_min(&c->rtt);
	uint32_t ratio = c->cc.cwnd < c->cc.ssthresh / 2 ? 200 : 120;
	uint64_t bytes, segs = c->cc.cwnd > c->packets_out ? c->cc.cwnd : c->packets_out;

	if (!srtt)
		return max;
	bytes = segs * mss * ratio / 100 * 1000000 / (uint64_t)(srtt / 1000 + 1) >> 10;
	if (least >= 0 && least / 1000 >> 9 < 32)
		bytes += max >> (least / 1000 >> 9);
	if (bytes < c->proto->set.min_tso_segs * mss)
		bytes = c->proto->set.min_tso_segs * mss;
	return bytes < max ? (uint32_t)bytes : max;
}

uint32_t tcp_gso_payload(const struct tcp_conn *c, uint32_t mss)
{
	uint32_t max = route_is_set(&c->route) ? route_gso_max(&c->route) : 0;
	uint32_t hdrs = net_hdr_len(c) + c->hdr_len + 40u;

	if (max > UINT16_MAX)
		max = UINT16_MAX;
	if (max < mss + hdrs)
		return mss;
	max -= hdrs;
	if (c->max_window && max > c->max_window / 2 && c->max_window / 2 > mss)
		max = c->max_window / 2;
	max = autosize(c, max, mss);
	return max - max % mss;
}
