/* What SOCKOPT_TCP_INFO tells of a connection. */
#include "transport/tcp/info.h"

#include "transport/tcp/impl.h"

/* In units of @unit_ns, as far as they go. */
static inline uint32_t in_units(int64_t ns, uint64_t unit_ns)
{
	uint64_t n = ns < 0 ? 0 : (uint64_t)ns / unit_ns;

	return n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

static uint32_t since_ms(int64_t now, int64_t at)
{
	return in_units(now - at, NS_PER_MS);
}

static uint32_t to_us(int64_t ns)
{
	return in_units(ns, NS_PER_US);
}

/* One that has been measured is not 0, which says that none has. */
static uint32_t round_trip_us(int64_t ns)
{
	return ns > 0 && ns < NS_PER_US ? 1 : to_us(ns);
}

void tcp_chrono(struct tcp_conn *c, unsigned kind, bool on)
{
	int64_t now = tcp_now(c);
	bool was = c->n.chrono & 1u << kind;

	if (was == on)
		return;
	if (on)
		c->n.chrono_start_ns[kind] = now;
	else
		c->n.chrono_ns[kind] += now - c->n.chrono_start_ns[kind];
	c->n.chrono ^= (uint8_t)(1u << kind);
}

static uint64_t chrono_us(const struct tcp_conn *c, unsigned kind)
{
	int64_t ns = c->n.chrono_ns[kind];

	if (c->n.chrono & 1u << kind)
		ns += tcp_now(c) - c->n.chrono_start_ns[kind];
	return (uint64_t)ns / NS_PER_US;
}

static uint64_t rate(uint64_t bytes, int64_t ns)
{
	if (ns > 0 && bytes <= UINT64_MAX / NS_PER_SEC)
		return bytes * NS_PER_SEC / (uint64_t)ns;
	return ns > 0 ? (uint64_t)((unsigned __int128)bytes * NS_PER_SEC / (uint64_t)ns) : 0;
}

static void fill_options(const struct tcp_conn *c, struct tcp_conn_info *o)
{
	if (c->has_ts)
		o->options |= TCP_INFO_TIMESTAMPS;
	if (c->has_sack)
		o->options |= TCP_INFO_SACK;
	if (c->has_wscale) {
		o->options |= TCP_INFO_WSCALE;
		o->wscale = (uint8_t)(c->snd_wscale | c->rcv_wscale << 4);
	}
	if (c->ecn & ECN_OK)
		o->options |= TCP_INFO_ECN;
	if (c->ecn & ECN_SEEN)
		o->options |= TCP_INFO_ECN_SEEN;
	if (c->fast_opened)
		o->options |= TCP_INFO_FAST_OPEN_CHILD;
	if (c->syn_data)
		o->options |= TCP_INFO_SYN_DATA;
}

static void fill_counts(const struct tcp_conn *c, struct tcp_conn_info *o)
{
	const struct tcp_count *n = &c->n;

	o->total_retrans = n->total_retrans;
	o->bytes_acked = n->bytes_acked;
	o->bytes_received = n->bytes_received;
	o->segs_out = n->segs_out;
	o->segs_in = n->segs_in;
	o->data_segs_in = n->data_segs_in;
	o->data_segs_out = n->data_segs_out;
	o->delivered = n->delivered;
	o->delivered_ce = n->delivered_ce;
	o->bytes_sent = n->bytes_sent;
	o->bytes_retrans = n->bytes_retrans;
	o->dsack_dups = n->dsack_dups;
	o->reord_seen = n->reord_seen;
	o->rcv_ooopack = n->rcv_ooo;
	o->total_rto = n->total_rto;
	o->total_rto_recoveries = n->total_rto_recoveries;
	o->total_rto_time_ms = n->total_rto_ms + (n->rto_start_ns ? since_ms(tcp_now(c), n->rto_start_ns) : 0);
	o->received_ce = n->received_ce;
	o->busy_time = chrono_us(c, CHRONO_BUSY);
	o->rwnd_limited = chrono_us(c, CHRONO_RWND);
	o->sndbuf_limited = chrono_us(c, CHRONO_SNDBUF);
	o->delivery_rate = rate((uint64_t)n->rate_delivered * c->mss, n->rate_interval_ns);
	o->flags = n->rate_app_limited;
}

static void fill_sender(const struct tcp_conn *c, int64_t now, struct tcp_conn_info *o)
{
	/* What would be paced: a window in a round trip, twice in slow start (Linux's tcp_pacing_ss_ratio). */
	unsigned ratio = c->cc.cwnd < c->cc.ssthresh / 2 ? 200 : 120;
	int64_t srtt_ns;

	o->retransmits = c->retransmits;
	o->probes = c->probes ? c->probes : c->keep_probes;
	o->backoff = (uint8_t)c->rtt.backoff;
	/* Probes are sent ever more seldom; the RTO stays as it is. */
	o->rto = to_us(c->rtx_kind == RTX_PERSIST ? c->rtt.base_rto_ns : rtt_rto(&c->rtt));
	o->rtt = round_trip_us(c->rtt.srtt_ns);
	/* As if the first RTO were of four deviations. */
	o->rttvar = to_us((c->rtt.srtt_ns ? c->rtt.mdev4_ns : c->rtt.limits.init_ns) / 4);
	o->min_rtt = rtt_min(&c->rtt) < 0 ? UINT32_MAX : round_trip_us(rtt_min(&c->rtt));
	o->unacked = c->packets_out;
	o->sacked = c->sacked_out;
	o->lost = c->lost_out;
	o->retrans = c->retrans_out;
	o->snd_ssthresh = c->cc.ssthresh;
	o->snd_cwnd = c->cc.cwnd;
	o->reordering = c->reordering;
	o->snd_mss = c->mss;
	o->pmtu = c->pmtu;
	o->snd_wnd = c->snd_wnd;
	o->notsent_bytes = tcp_unsent(c) + (c->fin_queued && !c->fin_sent);
	o->max_pacing_rate = UINT64_MAX;
	/* Linux's time is in eighths of a microsecond, and at least one. */
	srtt_ns = c->rtt.srtt_ns < NS_PER_US / 8 ? NS_PER_US / 8 : c->rtt.srtt_ns;
	o->pacing_rate = c->rtt.srtt_ns ? rate((uint64_t)c->cc.cwnd * c->mss * ratio / 100, srtt_ns) : UINT64_MAX;
	o->last_data_sent_ms = since_ms(now, c->last_tx_ns);
}

/* In Linux a SYN is sent like data, and lost like data; nothing is known yet of what the peer takes. */
static void fill_syn_sent(struct tcp_conn *c, struct tcp_conn_info *o)
{
	o->unacked = 1;
	if (c->retransmits) {
		o->ca_state = TCP_CA_LOSS;
		o->lost = o->retrans = o->snd_cwnd = 1;
	}
	o->snd_mss = c->remote.addr.len == ADDR_LEN_V4 ? TCP_DEFAULT_MSS : TCP_MIN_IPV6_MSS;
	o->snd_mss -= c->proto->set.timestamps ? 12 : 0;
	o->rcv_mss = TCP_MIN_MSS;
	if (route_is_set(&c->route))
		o->pmtu = c->route.loop ? tcp_loop_mtu(c->remote.addr.len) : route_mtu(&c->route);
}

/* By libc: of a length that it knows the compiler makes a "rep stos", whose start alone takes longer than all of it. */
static void clear(struct tcp_conn_info *o)
{
	size_t n = sizeof(*o);

	__asm__("" : "+r"(n)); /* nothing is known of it from here on */
	memset(o, 0, n);
}

void tcp_fill_info(struct tcp_conn *c, struct tcp_conn_info *o)
{
	int64_t now = tcp_now(c);

	clear(o);
	o->state = c->state;
	o->ca_state = c->ca;
	if (c->state == TCPS_LISTEN) {
		tcp_listen_info(c, o);
		o->pacing_rate = o->max_pacing_rate = UINT64_MAX;
		o->reordering = c->reordering;
		o->snd_cwnd = c->cc.cwnd;
		return;
	}
	fill_options(c, o);
	fill_sender(c, now, o);
	fill_counts(c, o);
	o->ato = to_us(c->ato_ns);
	o->rcv_mss = c->rcv_mss;
	o->advmss = c->advmss - (c->has_ts ? 12 : 0);	/* as Linux has it of a connection */
	o->rcv_ssthresh = c->rcv_ssthresh;
	o->rcv_rtt = to_us(c->rcv_rtt_ns);
	o->rcv_space = c->space_bytes;
	o->rcv_wnd = tcp_rcv_window(c);
	o->last_data_recv_ms = since_ms(now, c->last_rx_ns);
	o->last_ack_recv_ms = since_ms(now, c->last_ack_rx_ns);
	if (c->state == TCPS_SYN_SENT)
		fill_syn_sent(c, o);
}
