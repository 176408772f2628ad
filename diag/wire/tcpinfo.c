/* tcp_info: the table of its fields, and reading one of any length. */
#include "wire/tcpinfo.h"

#include <string.h>

#include "wire/copy.h"

#define WHOLE(field) \
	{ #field, offsetof(struct diag_tcp_info, field), sizeof(((struct diag_tcp_info *)0)->field), 0, \
	  8 * sizeof(((struct diag_tcp_info *)0)->field) }
#define NAMED(name, field) \
	{ name, offsetof(struct diag_tcp_info, field), sizeof(((struct diag_tcp_info *)0)->field), 0, \
	  8 * sizeof(((struct diag_tcp_info *)0)->field) }
#define BITS(name, field, shift, width) \
	{ name, offsetof(struct diag_tcp_info, field), sizeof(((struct diag_tcp_info *)0)->field), shift, width }

const struct diag_tcp_field diag_tcp_fields[DIAG_TCP_FIELDS] = {
	WHOLE(state),
	WHOLE(ca_state),
	WHOLE(retransmits),
	WHOLE(probes),
	WHOLE(backoff),
	WHOLE(options),
	BITS("snd_wscale", wscale, 0, 4),
	BITS("rcv_wscale", wscale, 4, 4),
	BITS("delivery_rate_app_limited", flags, 0, 1),
	BITS("fastopen_client_fail", flags, 1, 2),
	WHOLE(rto),
	WHOLE(ato),
	WHOLE(snd_mss),
	WHOLE(rcv_mss),
	WHOLE(unacked),
	WHOLE(sacked),
	WHOLE(lost),
	WHOLE(retrans),
	WHOLE(fackets),
	NAMED("last_data_sent", last_data_sent_ms),
	NAMED("last_ack_sent", last_ack_sent_ms),
	NAMED("last_data_recv", last_data_recv_ms),
	NAMED("last_ack_recv", last_ack_recv_ms),
	WHOLE(pmtu),
	WHOLE(rcv_ssthresh),
	WHOLE(rtt),
	WHOLE(rttvar),
	WHOLE(snd_ssthresh),
	WHOLE(snd_cwnd),
	WHOLE(advmss),
	WHOLE(reordering),
	WHOLE(rcv_rtt),
	WHOLE(rcv_space),
	WHOLE(total_retrans),
	WHOLE(pacing_rate),
	WHOLE(max_pacing_rate),
	WHOLE(bytes_acked),
	WHOLE(bytes_received),
	WHOLE(segs_out),
	WHOLE(segs_in),
	WHOLE(notsent_bytes),
	WHOLE(min_rtt),
	WHOLE(data_segs_in),
	WHOLE(data_segs_out),
	WHOLE(delivery_rate),
	WHOLE(busy_time),
	WHOLE(rwnd_limited),
	WHOLE(sndbuf_limited),
	WHOLE(delivered),
	WHOLE(delivered_ce),
	WHOLE(bytes_sent),
	WHOLE(bytes_retrans),
	WHOLE(dsack_dups),
	WHOLE(reord_seen),
	WHOLE(rcv_ooopack),
	WHOLE(snd_wnd),
	WHOLE(rcv_wnd),
	WHOLE(rehash),
	WHOLE(total_rto),
	WHOLE(total_rto_recoveries),
	NAMED("total_rto_time", total_rto_time_ms),
	WHOLE(received_ce),
	WHOLE(delivered_e1_bytes),
	WHOLE(delivered_e0_bytes),
	WHOLE(delivered_ce_bytes),
	WHOLE(received_e1_bytes),
	WHOLE(received_e0_bytes),
	WHOLE(received_ce_bytes),
	BITS("ecn_mode", accecn, 0, 2),
	BITS("accecn_opt_seen", accecn, 2, 2),
	BITS("accecn_fail_mode", accecn, 4, 4),
	BITS("options2", accecn, 8, 24),
};

size_t diag_tcp_info_read(struct diag_tcp_info *out, const void *data, size_t len)
{
	if (!data)
		len = 0;
	if (len > sizeof(*out))
		len = sizeof(*out);
	if (len)
		diag_copy(out, data, len);
	if (len < sizeof(*out))
		memset((uint8_t *)out + len, 0, sizeof(*out) - len);
	return len;
}

uint64_t diag_tcp_field_value(const struct diag_tcp_info *info, const struct diag_tcp_field *f)
{
	const uint8_t *p = (const uint8_t *)info + f->offset;
	uint64_t v = 0;
	uint16_t v16;
	uint32_t v32;

	switch (f->size) {
	case 1:
		v = *p;
		break;
	case 2:
		memcpy(&v16, p, sizeof(v16));
		v = v16;
		break;
	case 4:
		memcpy(&v32, p, sizeof(v32));
		v = v32;
		break;
	default:
		memcpy(&v, p, sizeof(v));
		return v;
	}
	return (v >> f->shift) & ((UINT64_C(1) << f->bits) - 1);
}
