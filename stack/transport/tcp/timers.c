/*
 * A connection's timers: retransmission (RFC 6298, 5), zero window probes (RFC 9293, 3.8.6.1), keepalive
 * (3.8.4), user timeout (RFC 5482), FIN-WAIT-2.
 *
 * One timer of the clock serves all; moving a deadline later costs a store, and an early run that finds
 * nothing due.
 */
#include "transport/tcp/impl.h"

enum { RETRIES1 = 3, ORPHAN_RETRIES = 8 };

void tcp_timer_kick(struct tcp_conn *c, int64_t at)
{
	if (at < c->timer.when)
		timer_arm(c->ep.stack->clock, &c->timer, at);
}

void tcp_arm_rtx(struct tcp_conn *c, enum tcp_rtx_kind kind, int64_t at)
{
	c->rtx_kind = (uint8_t)kind;
	c->rtx_at = at;
	tcp_timer_kick(c, at);
}

/* The interval doubles like the RTO, but is never so short that a window update can't be seen. */
void tcp_arm_persist(struct tcp_conn *c)
{
	int64_t wait = rtt_rto(&c->rtt);

	if (wait < TCP_RTO_MIN_NS)
		wait = TCP_RTO_MIN_NS;
	if (c->user_timeout_ns && c->probe_start_ns) {
		int64_t left = c->probe_start_ns + c->user_timeout_ns - tcp_now(c);

		if (left < TCP_TIMER_MIN_NS)
			left = TCP_TIMER_MIN_NS;
		if (wait > left)
			wait = left;
	}
	tcp_arm_rtx(c, RTX_PERSIST, tcp_now(c) + wait);
}

int64_t tcp_keep_idle_ns(const struct tcp_conn *c)
{
	return (c->keep_idle_s ? c->keep_idle_s : c->proto->set.keep_idle_s) * NS_PER_SEC;
}

int64_t tcp_keep_intvl_ns(const struct tcp_conn *c)
{
	return (c->keep_intvl_s ? c->keep_intvl_s : c->proto->set.keep_intvl_s) * NS_PER_SEC;
}

void tcp_arm_keepalive(struct tcp_conn *c)
{
	if (c->orphan && c->state == TCPS_FIN_WAIT2)
		return;
	if (!c->keepalive || !TCPS_IN(c->state, TCPS_SYNCHRONIZED)) {
		c->keep_at = CLOCK_NEVER;
		return;
	}
	c->keep_at = tcp_now(c) + tcp_keep_idle_ns(c);
	tcp_timer_kick(c, c->keep_at);
}

void tcp_arm_fin_wait2(struct tcp_conn *c)
{
	c->keep_at = tcp_now(c) + (c->linger2_ns ? c->linger2_ns : c->proto->set.fin_ns);
	tcp_timer_kick(c, c->keep_at);
}

/* The user gets ETIMEDOUT, or what ICMP said was the reason. */
static void give_up(struct tcp_conn *c)
{
	tcp_done(c, c->soft_err ? c->soft_err : NS_ERR_TIMEOUT);
}

/* How long @n retransmissions take with the RTO at its least: Linux's reading of RFC 1122's R2. */
static int64_t time_of_retries(const struct tcp_conn *c, unsigned n)
{
	int64_t rto = TCP_RTO_MIN_NS, sum = 0, max = c->proto->set.max_rto_ns;

	for (unsigned i = 0; i <= n; i++) {
		sum += rto;
		rto = rto * 2 < max ? rto * 2 : max;
	}
	return sum;
}

static bool retried_longer_than(const struct tcp_conn *c, unsigned n, int64_t limit_ns)
{
	if (!c->retransmits)
		return false;
	if (!limit_ns)
		limit_ns = time_of_retries(c, n);
	return tcp_now(c) - c->retrans_ns >= limit_ns;
}

/* RFC 9293, 3.8.3: R1 and R2. True: the connection was given up. */
static bool write_timeout(struct tcp_conn *c)
{
	const struct tcp_settings *set = &c->proto->set;
	unsigned retries = set->retries;

	if (retried_longer_than(c, RETRIES1, 0) || c->retransmits >= RETRIES1)
		tcp_black_hole(c);
	if (c->orphan) {
		bool alive = rtt_rto(&c->rtt) < set->max_rto_ns;

		retries = set->orphan_retries ? set->orphan_retries : alive ? ORPHAN_RETRIES : 0;
		if (c->soft_err && !alive)
			retries = 0;
		if (c->proto->norphans > set->max_orphans) {
			/* Too many of them: this one goes, and says so if the peer may hear. */
			if (alive)
				tcp_send_reset(c);
			tcp_done(c, NS_ERR_TIMEOUT);
			return true;
		}
	}
	if (!retried_longer_than(c, retries, c->user_timeout_ns))
		return false;
	give_up(c);
	return true;
}

static void rto_again(struct tcp_conn *c)
{
	int64_t wait;

	rtt_back_off(&c->rtt);
	wait = rtt_rto(&c->rtt);
	/* RFC 5482: not beyond the time at which the user's patience ends. */
	if (c->user_timeout_ns && c->retrans_ns) {
		int64_t left = c->retrans_ns + c->user_timeout_ns - tcp_now(c);

		if (left < TCP_TIMER_MIN_NS)
			left = TCP_TIMER_MIN_NS;
		if (wait > left)
			wait = left;
	}
	tcp_arm_rtx(c, RTX_RTO, tcp_now(c) + wait);
}

/* Linux's tcp_update_rto_stats(). */
static void count_timeout(struct tcp_conn *c)
{
	if (!c->retransmits) {
		c->n.total_rto_recoveries++;
		c->n.rto_start_ns = tcp_now(c) ? tcp_now(c) : 1;
	}
	if (c->retransmits < UINT8_MAX)
		c->retransmits++;
	c->n.total_rto++;
}

static void syn_timeout(struct tcp_conn *c)
{
	uint8_t retries = c->syn_retries ? c->syn_retries : c->proto->set.syn_retries;
	bool user = c->user_timeout_ns && c->retrans_ns &&
		    tcp_now(c) - c->retrans_ns >= c->user_timeout_ns;

	if (c->fast_open)
		retries = c->proto->set.synack_retries;
	stat_inc(&tcp_stats(c)->timeouts);
	if (c->retransmits >= retries || user) {
		give_up(c);
		return;
	}
	count_timeout(c);
	c->n.total_retrans++;
	if (!c->retrans_ns)
		c->retrans_ns = tcp_now(c);
	stat_inc(&tcp_stats(c)->retransmits);
	tcp_xmit_syn(c);
	rto_again(c);
}

static void retransmit_timeout(struct tcp_conn *c)
{
	struct tcp_seg *head;

	if (TCPS_IN(c->state, TCPS_BIT(TCPS_SYN_SENT) | TCPS_BIT(TCPS_SYN_RECV))) {
		syn_timeout(c);
		return;
	}
	if (list_empty(&c->segs))
		return;
	if (!c->snd_wnd && !c->orphan) {
		/* The window was taken back: what is sent again are probes, and they go on while the peer
		 * answers (RFC 9293, 3.8.6.1). */
		if (tcp_now(c) - c->last_ack_rx_ns > c->proto->set.max_rto_ns * 2 &&
		    retried_longer_than(c, c->proto->set.retries, c->user_timeout_ns)) {
			give_up(c);
			return;
		}
	} else if (write_timeout(c)) {
		return;
	}
	stat_inc(&tcp_stats(c)->timeouts);
	if (!c->retransmits)
		c->retrans_ns = tcp_now(c);
	tcp_enter_loss(c);
	count_timeout(c);
	head = tcp_first_seg(c);
	if (!tcp_retransmit_seg(c, head, 1)) {
		tcp_arm_rtx(c, RTX_RTO, tcp_now(c) + NS_PER_SEC / 2);
		return;
	}
	rto_again(c);
	if (retried_longer_than(c, RETRIES1 + 1, 0))
		route_release(&c->route);	/* look for another way (RFC 1122, 3.3.1.4) */
}

static void tlp_timeout(struct tcp_conn *c)
{
	/* One probe a flight (RFC 8985, 7.3). */
	if (!c->tlp_high_seq && tcp_send_tlp(c))
		c->tlp_high_seq = c->snd_nxt ? c->snd_nxt : 1;
	c->rtx_kind = RTX_NONE;
	tcp_arm_rtx(c, RTX_RTO, tcp_now(c) + rtt_rto(&c->rtt));
}

static void persist_timeout(struct tcp_conn *c)
{
	const struct tcp_settings *set = &c->proto->set;
	unsigned max = set->retries;
	int64_t now = tcp_now(c);

	if (c->packets_out || !tcp_to_send(c)) {
		c->probes = 0;
		c->probe_start_ns = 0;
		return;
	}
	if (!c->probe_start_ns) {
		c->probe_start_ns = now ? now : 1;
	} else if (c->user_timeout_ns && now - c->probe_start_ns >= c->user_timeout_ns) {
		give_up(c);
		return;
	}
	if (c->orphan) {
		bool alive = rtt_rto(&c->rtt) < set->max_rto_ns;

		max = set->orphan_retries ? set->orphan_retries : alive ? ORPHAN_RETRIES : 0;
		if (!alive && c->rtt.backoff >= max) {
			give_up(c);
			return;
		}
	}
	if (c->probes >= max) {
		give_up(c);
		return;
	}
	c->probes++;
	tcp_probe(c);
	if (c->packets_out) {
		c->probes = 0;
		rtt_reset_backoff(&c->rtt);
		return;
	}
	if (c->rtt.backoff < set->retries)
		rtt_back_off(&c->rtt);
	tcp_arm_persist(c);
}

static void keep_timeout(struct tcp_conn *c)
{
	int64_t now = tcp_now(c), idle, when = tcp_keep_idle_ns(c), last;
	uint8_t count = c->keep_count ? c->keep_count : c->proto->set.keep_count;

	if (c->state == TCPS_FIN_WAIT2 && c->orphan) {
		tcp_done(c, NS_OK);
		return;
	}
	if (!c->keepalive || !TCPS_IN(c->state, TCPS_SYNCHRONIZED))
		return;
	c->keep_at = now + when;
	if (c->packets_out || tcp_to_send(c))
		return;		/* retransmission says whether the peer lives */
	last = c->last_rx_ns > c->last_ack_rx_ns ? c->last_rx_ns : c->last_ack_rx_ns;
	idle = now - last;
	if (idle < when) {
		c->keep_at = last + when;
		return;
	}
	if (c->user_timeout_ns ? idle >= c->user_timeout_ns && c->keep_probes
			       : c->keep_probes >= count) {
		tcp_send_reset(c);
		give_up(c);
		return;
	}
	c->keep_probes++;
	tcp_send_probe(c, c->snd_una - 1);
	c->keep_at = now + tcp_keep_intvl_ns(c);
}

static void rtx_timeout(struct tcp_conn *c)
{
	uint8_t kind = c->rtx_kind;

	c->rtx_at = CLOCK_NEVER;
	if (kind != RTX_TLP && kind != RTX_REO)
		c->rtx_kind = RTX_NONE;
	switch (kind) {
	case RTX_RTO:
		retransmit_timeout(c);
		break;
	case RTX_TLP:
		tlp_timeout(c);
		break;
	case RTX_REO:
		tcp_rack_timeout(c);
		break;
	case RTX_PERSIST:
		persist_timeout(c);
		break;
	default:
		break;
	}
}

static void timeout(struct timer *t)
{
	struct tcp_conn *c = container_of(t, struct tcp_conn, timer);
	int64_t now = tcp_now(c), at;

	tcp_hold(c);
	if (c->delack_at <= now) {
		c->delack_at = CLOCK_NEVER;
		tcp_delack_timeout(c);
	}
	if (c->rtx_at <= now)
		rtx_timeout(c);
	if (c->keep_at <= now) {
		c->keep_at = CLOCK_NEVER;
		keep_timeout(c);
	}
	if (!c->dead) {
		at = c->rtx_at < c->delack_at ? c->rtx_at : c->delack_at;
		if (c->keep_at < at)
			at = c->keep_at;
		if (at != CLOCK_NEVER)
			tcp_timer_kick(c, at);
	}
	tcp_put(c);
}

void tcp_timer_init(struct tcp_conn *c)
{
	timer_init(&c->timer, timeout);
	c->rtx_at = c->delack_at = c->keep_at = CLOCK_NEVER;
}
