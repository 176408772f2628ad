/* Reno: additive increase, halving on loss (RFC 5681, RFC 6582). */
#include "transport/tcp/cc.h"

static void reno_init(struct tcp_cc *cc)
{
	(void)cc;
}

static void reno_on_ack(struct tcp_cc *cc, const struct tcp_cc_ack *a)
{
	uint32_t acked = a->acked_segs;

	if (a->in_recovery || !a->is_cwnd_limited)
		return;
	if (tcp_cc_in_slow_start(cc)) {
		acked = tcp_cc_slow_start(cc, acked);
		if (!acked)
			return;
	}
	tcp_cc_avoid(cc, cc->cwnd, acked);
}

/* RFC 5681, (4), with cwnd for FlightSize: it grows only while it is used (RFC 7661). */
static void reno_on_loss(struct tcp_cc *cc, enum tcp_cc_event e, int64_t now_ns)
{
	(void)now_ns;
	tcp_cc_reduce(cc, cc->cwnd / 2, e);
}

const struct tcp_cc_ops tcp_cc_reno = {
	.name = "reno",
	.init = reno_init,
	.on_ack = reno_on_ack,
	.on_loss = reno_on_loss,
	.on_undo = tcp_cc_restore,
	.on_exit_recovery = tcp_cc_leave,
	.on_idle = tcp_cc_restart,
};
