/* Fast Open, the active side (RFC 7413, 4.2.1): cookies of servers, and data in the SYN. */
#include "transport/tcp/impl.h"

static struct tcp_fo_entry *find(struct tcp_proto *p, const struct addr *remote)
{
	for (int i = 0; i < TCP_FO_CACHE; i++)
		if (p->fo_cache[i].remote.len && addr_equal(&p->fo_cache[i].remote, remote))
			return &p->fo_cache[i];
	return NULL;
}

/* In place of the one that was of use the longest ago. */
static struct tcp_fo_entry *add(struct tcp_proto *p, const struct addr *remote)
{
	struct tcp_fo_entry *e = &p->fo_cache[0];

	for (int i = 1; i < TCP_FO_CACHE && e->remote.len; i++)
		if (!p->fo_cache[i].remote.len || p->fo_cache[i].used_ns < e->used_ns)
			e = &p->fo_cache[i];
	*e = (struct tcp_fo_entry){ .remote = *remote };
	return e;
}

static bool without_cookie(const struct tcp_conn *c)
{
	return c->fo_no_cookie || c->proto->set.fastopen & FASTOPEN_CLIENT_NO_COOKIE;
}

bool tcp_fo_can_defer(const struct tcp_conn *c, const struct addr *remote)
{
	const struct tcp_fo_entry *e = find(c->proto, remote);

	return c->proto->set.fastopen & FASTOPEN_CLIENT && (without_cookie(c) || (e && e->opt.len));
}

void tcp_fo_fill(struct tcp_conn *c, struct payload *p)
{
	const struct tcp_fo_entry *e = find(c->proto, &c->remote.addr);
	uint32_t mss = e && e->mss ? e->mss : c->advmss;
	size_t n;

	if (!p || !tcp_fo_can_defer(c, &c->remote.addr))
		return;
	/* Middleboxes add options of their own to SYNs: room is left for as many as there can be. */
	if (mss > tcp_path_mss(c))
		mss = tcp_path_mss(c);
	n = mss > TCP_MAX_OPTS ? mss - TCP_MAX_OPTS : 0;
	if (n > p->len)
		n = p->len;
	if (!n)
		return;
	tcp_push_init(c);
	c->syn_len = (uint16_t)tcp_write_bytes(c, p, n);
	tcp_push_end(c);
}

void tcp_fo_syn_opt(const struct tcp_conn *c, struct tcp_fo_opt *out)
{
	const struct tcp_fo_entry *e = find(c->proto, &c->remote.addr);

	*out = (struct tcp_fo_opt){ .present = !without_cookie(c) };
	if (e && out->present)
		*out = e->opt;
	out->present = !without_cookie(c);
}

void tcp_fo_synack(struct tcp_conn *c, const struct tcp_rx *rx)
{
	struct tcp_fo_entry *e = find(c->proto, &c->remote.addr);
	uint32_t acked = rx->ack - (c->iss + 1);

	if (!e)
		e = add(c->proto, &c->remote.addr);
	e->mss = rx->o.has_mss ? rx->o.mss : TCP_DEFAULT_MSS;
	e->used_ns = tcp_now(c);
	if (rx->o.fo.present && rx->o.fo.len && !without_cookie(c))	/* not one unasked for */
		e->opt = rx->o.fo;
	else if (!e->opt.len && !c->retransmits && !without_cookie(c))
		e->opt.exp = !e->opt.exp;	/* asked in vain: with the other kind the next time */
	c->syn_data = c->syn_len && acked == c->syn_len;
	/* What is not acknowledged is sent again as if for the first time. */
	tcp_rope_skip(c, acked);
	c->snd_una = rx->ack;
	tcp_rope_acked(c);
	c->syn_len = 0;
	c->fo_client = false;
}

void tcp_fo_sent_again(struct tcp_conn *c, uint32_t end)
{
	c->snd_sml = c->snd_una;	/* nor does it hold back what is written now (Nagle) */
	list_for_each(n, &c->segs) {
		struct tcp_seg *s = container_of(n, struct tcp_seg, node);

		if (seq_ge(s->seq, end))
			break;
		s->flags |= SEG_LOST | SEG_RETRANS | SEG_EVER_RETRANS;
		c->lost_out += s->segs;
		c->retrans_out += s->segs;
		c->n.total_retrans += s->segs;
		c->n.bytes_retrans += s->len;
		stat_add(&tcp_stats(c)->retransmits, s->segs);
	}
}

enum ns_err tcp_fo_write(struct tcp_conn *c, struct payload *p, const struct write_opts *o, size_t *n)
{
	struct full_addr to;
	enum ns_err err;

	if (!(c->proto->set.fastopen & FASTOPEN_CLIENT))
		return NS_ERR_NOT_SUPPORTED;
	if (!c->fo_deferred && !o->to)
		return NS_ERR_DESTINATION_REQUIRED;
	to = c->fo_deferred ? c->remote : *o->to;
	c->fo_deferred = false;
	err = tcp_connect_with(c, &to, p);
	if (err != NS_ERR_CONNECT_STARTED)
		return err;
	*n = c->syn_len;
	c->write_waits = o->waits && p->len;
	return *n ? NS_OK : err;
}
