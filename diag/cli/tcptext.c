/* TCP internals as -i prints them. */
#include "cli/tcptext.h"

#include <linux/sock_diag.h>
#include <math.h>

#include "wire/state.h"
#include "wire/tcpinfo.h"

/* The initial RTO, which says nothing about the connection, and what stands for "no threshold". */
#define RTO_INITIAL_US 3000000
#define SSTHRESH_INFINITE 0xffff
#define RTT_UNKNOWN 0x7fffffff
#define REORDERING_DEFAULT 3

#define NUMBER(o, literal, v)             \
	do {                              \
		if (v) {                  \
			out_lit(o, literal); \
			out_u64(o, v);    \
		}                         \
	} while (0)

#define MILLISECONDS(o, literal, us)            \
	do {                                    \
		if (us) {                       \
			out_lit(o, literal);    \
			out_thousandth(o, us);  \
		}                               \
	} while (0)

/* Three digits and a unit, as "%.3g" with k, M, G, T. */
static void put_rate(struct out *o, double bps, bool numeric)
{
	static const char units[] = "kMGT";
	int unit = -1;
	unsigned int scaled;

	if (numeric || bps < 1000) {
		if (bps < 1e18)
			out_u64(o, (uint64_t)llrint(bps));
		else
			out_printf(o, "%.0f", bps); /* more than 64 bits hold */
		out_lit(o, "bps");
		return;
	}
	while (bps >= 1000 && unit < 3) {
		bps /= 1000;
		unit++;
	}
	if (bps >= 99.95) {
		out_u64(o, (uint64_t)llrint(bps));
	} else {
		unsigned int per = bps >= 9.995 ? 10 : 100;

		scaled = (unsigned int)lrint(bps * per);
		out_u64(o, scaled / per);
		if (scaled % per) {
			out_lit(o, ".");
			if (per == 100 && scaled % per < 10)
				out_lit(o, "0");
			out_u64(o, per == 100 && scaled % 10 == 0 ? scaled % per / 10 : scaled % per);
		}
	}
	out_bytes(o, &units[unit], 1);
	out_lit(o, "bps");
}

static void put_options(struct out *o, const struct diag_tcp_info *ti)
{
	if (ti->options & DIAG_TCPI_TIMESTAMPS)
		out_lit(o, " ts");
	if (ti->options & DIAG_TCPI_SACK)
		out_lit(o, " sack");
	if (ti->options & DIAG_TCPI_ECN)
		out_lit(o, " ecn");
	if (ti->options & DIAG_TCPI_ECN_SEEN)
		out_lit(o, " ecnseen");
	if (ti->options & DIAG_TCPI_SYN_DATA)
		out_lit(o, " fastopen");
}

static void put_timing(struct out *o, const struct diag_tcp_info *ti)
{
	if (ti->options & DIAG_TCPI_WSCALE) {
		out_lit(o, " wscale:");
		out_u64(o, ti->wscale & 15);
		out_lit(o, ",");
		out_u64(o, ti->wscale >> 4);
	}
	if (ti->rto != RTO_INITIAL_US)
		MILLISECONDS(o, " rto:", ti->rto);
	NUMBER(o, " backoff:", ti->backoff);
	if (ti->rtt) {
		out_lit(o, " rtt:");
		out_thousandth(o, ti->rtt);
		out_lit(o, "/");
		out_thousandth(o, ti->rttvar);
	}
	MILLISECONDS(o, " ato:", ti->ato);
	NUMBER(o, " mss:", ti->snd_mss);
	NUMBER(o, " pmtu:", ti->pmtu);
	NUMBER(o, " rcvmss:", ti->rcv_mss);
	NUMBER(o, " advmss:", ti->advmss);
	NUMBER(o, " cwnd:", ti->snd_cwnd);
	if (ti->snd_ssthresh < SSTHRESH_INFINITE)
		NUMBER(o, " ssthresh:", ti->snd_ssthresh);
}

static void put_counts(struct out *o, const struct diag_tcp_info *ti)
{
	NUMBER(o, " bytes_sent:", ti->bytes_sent);
	NUMBER(o, " bytes_retrans:", ti->bytes_retrans);
	NUMBER(o, " bytes_acked:", ti->bytes_acked);
	NUMBER(o, " bytes_received:", ti->bytes_received);
	NUMBER(o, " segs_out:", ti->segs_out);
	NUMBER(o, " segs_in:", ti->segs_in);
	NUMBER(o, " data_segs_out:", ti->data_segs_out);
	NUMBER(o, " data_segs_in:", ti->data_segs_in);
}

/* What the congestion control says of itself. */
static void put_congestion(struct out *o, const struct diag_inet *s, bool numeric)
{
	const struct diag_attr *dctcp = &s->attrs[INET_DIAG_DCTCPINFO], *bbr = &s->attrs[INET_DIAG_BBRINFO];
	struct tcp_dctcp_info d;
	struct tcp_bbr_info b;

	if (dctcp->data && dctcp->len >= sizeof(d)) {
		memcpy(&d, dctcp->data, sizeof(d));
		if (d.dctcp_enabled)
			out_printf(o, " dctcp:(ce_state:%u,alpha:%u,ab_ecn:%u,ab_tot:%u)", d.dctcp_ce_state,
				   d.dctcp_alpha, d.dctcp_ab_ecn, d.dctcp_ab_tot);
		else
			out_lit(o, " dctcp:fallback_mode");
	}
	if (bbr->data && bbr->len >= sizeof(b)) {
		memcpy(&b, bbr->data, sizeof(b));
		out_lit(o, " bbr:(bw:");
		put_rate(o, (double)(b.bbr_bw_lo | (uint64_t)b.bbr_bw_hi << 32) * 8, numeric);
		out_lit(o, ",mrtt:");
		out_thousandth(o, b.bbr_min_rtt);
		if (b.bbr_pacing_gain)
			out_printf(o, ",pacing_gain:%g", b.bbr_pacing_gain / 256.);
		if (b.bbr_cwnd_gain)
			out_printf(o, ",cwnd_gain:%g", b.bbr_cwnd_gain / 256.);
		out_lit(o, ")");
	}
}

/* Vegas measures its own round trips. */
static uint32_t round_trip(const struct diag_inet *s, const struct diag_tcp_info *ti)
{
	const struct diag_attr *a = &s->attrs[INET_DIAG_VEGASINFO];
	struct tcpvegas_info v;

	if (!a->data || a->len < sizeof(v))
		return ti->rtt;
	memcpy(&v, a->data, sizeof(v));
	return v.tcpv_enabled && v.tcpv_rttcnt && v.tcpv_rtt != RTT_UNKNOWN ? v.tcpv_rtt : ti->rtt;
}

static void put_rates(struct out *o, const struct diag_tcp_info *ti, uint32_t rtt, bool numeric)
{
	if (rtt && ti->snd_mss && ti->snd_cwnd) {
		out_lit(o, " send ");
		put_rate(o, (double)ti->snd_cwnd * ti->snd_mss * 8000000. / rtt, numeric);
	}
	NUMBER(o, " lastsnd:", ti->last_data_sent_ms);
	NUMBER(o, " lastrcv:", ti->last_data_recv_ms);
	NUMBER(o, " lastack:", ti->last_ack_recv_ms);
	if (ti->pacing_rate && ti->pacing_rate != UINT64_MAX) {
		out_lit(o, " pacing_rate ");
		put_rate(o, (double)ti->pacing_rate * 8, numeric);
		if (ti->max_pacing_rate && ti->max_pacing_rate != UINT64_MAX) {
			out_lit(o, "/");
			put_rate(o, (double)ti->max_pacing_rate * 8, numeric);
		}
	}
	if (ti->delivery_rate) {
		out_lit(o, " delivery_rate ");
		put_rate(o, (double)ti->delivery_rate * 8, numeric);
	}
	NUMBER(o, " delivered:", ti->delivered);
	NUMBER(o, " delivered_ce:", ti->delivered_ce);
	if (ti->flags & 1)
		out_lit(o, " app_limited");
}

static void put_limits(struct out *o, const struct diag_tcp_info *ti)
{
	if (!ti->busy_time)
		return;
	out_printf(o, " busy:%llums", (unsigned long long)ti->busy_time / 1000);
	if (ti->rwnd_limited)
		out_printf(o, " rwnd_limited:%llums(%.1f%%)", (unsigned long long)ti->rwnd_limited / 1000,
			   100. * (double)ti->rwnd_limited / (double)ti->busy_time);
	if (ti->sndbuf_limited)
		out_printf(o, " sndbuf_limited:%llums(%.1f%%)", (unsigned long long)ti->sndbuf_limited / 1000,
			   100. * (double)ti->sndbuf_limited / (double)ti->busy_time);
}

static void put_loss(struct out *o, const struct diag_tcp_info *ti, bool listening)
{
	NUMBER(o, " unacked:", ti->unacked);
	if (ti->retrans || ti->total_retrans) {
		out_lit(o, " retrans:");
		out_u64(o, ti->retrans);
		out_lit(o, "/");
		out_u64(o, ti->total_retrans);
	}
	NUMBER(o, " lost:", ti->lost);
	/* A listener keeps its backlog in the field. */
	if (!listening)
		NUMBER(o, " sacked:", ti->sacked);
	NUMBER(o, " dsack_dups:", ti->dsack_dups);
	NUMBER(o, " fackets:", ti->fackets);
	if (ti->reordering != REORDERING_DEFAULT)
		NUMBER(o, " reordering:", ti->reordering);
	NUMBER(o, " reord_seen:", ti->reord_seen);
}

static void put_receive(struct out *o, const struct diag_tcp_info *ti)
{
	MILLISECONDS(o, " rcv_rtt:", ti->rcv_rtt);
	NUMBER(o, " rcv_space:", ti->rcv_space);
	NUMBER(o, " rcv_ssthresh:", ti->rcv_ssthresh);
	NUMBER(o, " notsent:", ti->notsent_bytes);
	if (ti->min_rtt != UINT32_MAX)
		MILLISECONDS(o, " minrtt:", ti->min_rtt);
	NUMBER(o, " rcv_ooopack:", ti->rcv_ooopack);
	NUMBER(o, " snd_wnd:", ti->snd_wnd);
	NUMBER(o, " rcv_wnd:", ti->rcv_wnd);
	NUMBER(o, " rehash:", ti->rehash);
}

void tcptext_put(struct out *o, const struct diag_inet *s, bool options, bool numeric)
{
	const struct diag_attr *info = &s->attrs[INET_DIAG_INFO], *cong = &s->attrs[INET_DIAG_CONG];
	struct diag_tcp_info ti;

	if (!info->data)
		return;
	diag_tcp_info_read(&ti, info->data, info->len);
	if (options)
		put_options(o, &ti);
	if (cong->data && cong->len > 1) {
		out_lit(o, " ");
		out_bytes(o, cong->data, strnlen((const char *)cong->data, cong->len));
	}
	put_timing(o, &ti);
	put_counts(o, &ti);
	put_congestion(o, s, numeric);
	put_rates(o, &ti, round_trip(s, &ti), numeric);
	put_limits(o, &ti);
	put_loss(o, &ti, s->msg.idiag_state == DIAG_TCP_LISTEN);
	put_receive(o, &ti);
}

void tcptext_memory(struct out *o, const struct diag_attr *skmem, const struct diag_attr *mem)
{
	static const char *const names[] = { "r", ",rb", ",t", ",tb", ",f", ",w", ",o", ",bl", ",d" };
	uint32_t v[SK_MEMINFO_VARS];
	size_t n;

	if (!skmem->data || skmem->len < 4) {
		struct inet_diag_meminfo m;

		if (mem && mem->data && mem->len >= sizeof(m)) {
			memcpy(&m, mem->data, sizeof(m));
			out_printf(o, "mem:(r%u,w%u,f%u,t%u)", m.idiag_rmem, m.idiag_wmem, m.idiag_fmem,
				   m.idiag_tmem);
		}
		return;
	}
	n = skmem->len / 4u < SK_MEMINFO_VARS ? skmem->len / 4u : SK_MEMINFO_VARS;
	memcpy(v, skmem->data, 4 * n);
	out_lit(o, "skmem:(");
	for (size_t i = 0; i < n; i++) {
		out_str(o, names[i]);
		out_u64(o, v[i]);
	}
	out_lit(o, ")");
}
