/* Congestion control: the algorithms by name, and what they share. */
#include "transport/tcp/cc.h"

#include <string.h>

static const struct tcp_cc_ops *const algorithms[] = { &tcp_cc_reno, &tcp_cc_cubic };

const struct tcp_cc_ops *tcp_cc_find(const char *name)
{
	for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++)
		if (!strcmp(algorithms[i]->name, name))
			return algorithms[i];
	return NULL;
}

const char *tcp_cc_available(void)
{
	return "reno cubic";
}

void tcp_cc_init(struct tcp_cc *cc, const struct tcp_cc_ops *ops)
{
	memset(cc, 0, sizeof(*cc));
	cc->cwnd = TCP_CC_INIT_CWND;
	cc->ssthresh = TCP_SSTHRESH_INFINITE;
	cc->ops = ops;
	ops->init(cc);
}

void tcp_cc_change(struct tcp_cc *cc, const struct tcp_cc_ops *ops)
{
	if (cc->ops == ops)
		return;
	cc->ops = ops;
	cc->cwnd_cnt = 0;
	memset(&cc->priv, 0, sizeof(cc->priv));
	ops->init(cc);
}

/* RFC 5681, 3.1, with RFC 3465's byte counting in whole segments. No limit to what one ACK may add:
 * receivers merge segments before they acknowledge, and Linux has none either. */
uint32_t tcp_cc_slow_start(struct tcp_cc *cc, uint32_t acked)
{
	uint32_t room = cc->ssthresh > cc->cwnd ? cc->ssthresh - cc->cwnd : 0;
	uint32_t n = acked < room ? acked : room;

	if (cc->cwnd + n > TCP_CC_MAX_CWND)
		n = cc->cwnd < TCP_CC_MAX_CWND ? TCP_CC_MAX_CWND - cc->cwnd : 0;
	cc->cwnd += n;
	return acked < room ? 0 : acked - room;
}

void tcp_cc_avoid(struct tcp_cc *cc, uint32_t per, uint32_t acked)
{
	uint64_t cnt = cc->cwnd_cnt;

	/* Credit earned while more was asked for is spent as one segment, no burst. */
	if (cnt >= per) {
		cnt = 0;
		cc->cwnd++;
	}
	cnt += acked;
	cc->cwnd += (uint32_t)(cnt / per);
	cc->cwnd_cnt = (uint32_t)(cnt % per);
	if (cc->cwnd > TCP_CC_MAX_CWND)
		cc->cwnd = TCP_CC_MAX_CWND;
}

void tcp_cc_reduce(struct tcp_cc *cc, uint32_t ssthresh, enum tcp_cc_event e)
{
	cc->prior_cwnd = cc->cwnd;
	cc->prior_ssthresh = cc->ssthresh;
	cc->ssthresh = ssthresh > 2 ? ssthresh : 2;
	cc->cwnd_cnt = 0;
	if (e == TCP_CC_RTO)
		cc->cwnd = 1;		/* RFC 5681, 3.1: the loss window */
}

void tcp_cc_restore(struct tcp_cc *cc)
{
	if (cc->prior_cwnd > cc->cwnd)
		cc->cwnd = cc->prior_cwnd;
	if (cc->prior_ssthresh > cc->ssthresh)
		cc->ssthresh = cc->prior_ssthresh;
	cc->prior_cwnd = 0;
}

void tcp_cc_leave(struct tcp_cc *cc)
{
	if (cc->ssthresh < TCP_SSTHRESH_INFINITE)
		cc->cwnd = cc->ssthresh;
}

/* RFC 2861 as Linux has it: cwnd halves for each RTO of silence, down to the initial window; ssthresh
 * remembers three quarters of what it was. */
void tcp_cc_restart(struct tcp_cc *cc, int64_t idle_ns, int64_t rto_ns)
{
	uint32_t floor = cc->cwnd < TCP_CC_INIT_CWND ? cc->cwnd : TCP_CC_INIT_CWND;
	uint32_t three_quarters = (cc->cwnd >> 1) + (cc->cwnd >> 2);

	if (idle_ns <= rto_ns || rto_ns <= 0)
		return;
	if (cc->ssthresh < three_quarters)
		cc->ssthresh = three_quarters;
	for (idle_ns -= rto_ns; idle_ns > 0 && cc->cwnd > floor; idle_ns -= rto_ns)
		cc->cwnd >>= 1;
	if (cc->cwnd < floor)
		cc->cwnd = floor;
	cc->cwnd_cnt = 0;
}
