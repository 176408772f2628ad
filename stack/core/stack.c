/* The stack. */
#include "core/stack.h"

#include <stdlib.h>

enum { ICMP_ERRORS_PER_SEC = 1000, ICMP_ERRORS_BURST = 50 };	/* as Linux's icmp_msgs_per_sec */

static enum ns_err add_net(struct stack *s, const struct net_proto_ops *ops)
{
	if (ops->index >= NET_COUNT || s->net[ops->index])
		return NS_ERR_INVALID_OPTION_VALUE;
	s->net[ops->index] = ops;
	if (ops->index < NET_FAMILIES)
		s->default_ttl[ops->index] = ops->default_ttl;
	if (!ops->stack_attach)
		return NS_OK;
	s->net_state[ops->index] = ops->stack_attach(s);
	return s->net_state[ops->index] ? NS_OK : NS_ERR_NO_MEMORY;
}

static enum ns_err add_trans(struct stack *s, const struct trans_proto_ops *ops)
{
	struct stack_trans *t = &s->trans[s->ntrans];

	if (s->ntrans == STACK_MAX_TRANS || s->trans_by_proto[ops->number] ||
	    s->trans_by_proto[ops->number6])
		return NS_ERR_INVALID_OPTION_VALUE;
	t->ops = ops;
	s->ntrans++;
	s->trans_by_proto[ops->number] = (uint8_t)s->ntrans;
	if (ops->number6)
		s->trans_by_proto[ops->number6] = (uint8_t)s->ntrans;
	if (!ops->stack_attach)
		return NS_OK;
	t->state = ops->stack_attach(s);
	return t->state ? NS_OK : NS_ERR_NO_MEMORY;
}

static void stack_init_keys(struct stack *s, const uint8_t seed[16])
{
	struct hash_key k;

	memcpy(&k, seed, sizeof(k));
	s->rand.key.k[0] = siphash(&k, "rand0", 5);
	s->rand.key.k[1] = siphash(&k, "rand1", 5);
	s->key.k[0] = siphash(&k, "table0", 6);
	s->key.k[1] = siphash(&k, "table1", 6);
	s->secret.k[0] = siphash(&k, "secret0", 7);
	s->secret.k[1] = siphash(&k, "secret1", 7);
}

enum ns_err stack_new(const struct stack_config *c, struct stack **out)
{
	struct stack *s = calloc(1, sizeof(*s));
	enum ns_err err = NS_OK;

	if (!s)
		return NS_ERR_NO_MEMORY;
	clock_init(&s->own_clock, 0, 0);
	s->clock = c->clock ? c->clock : &s->own_clock;
	stack_init_keys(s, c->seed);
	list_init(&s->nics);
	list_init(&s->endpoints);
	list_init(&s->endpoint_cursors);
	htab_init(&s->nics_by_id);
	htab_init(&s->addrs);
	htab_init(&s->demux);
	route_table_init(&s->routes);
	pmtu_init(&s->pmtu, s);
	redirect_init(&s->redirects, s);
	ports_init(&s->ports);
	hook_table_init(&s->hooks);
	tap_table_init(&s->taps);
	tx_stamp_table_init(&s->tx_stamps);
	ratelimit_init(&s->icmp_limit, ICMP_ERRORS_PER_SEC, ICMP_ERRORS_BURST);
	s->pool = c->pool ? pkt_pool_ref(c->pool) : pkt_pool_new();
	if (!s->pool)
		err = NS_ERR_NO_MEMORY;
	for (size_t i = 0; i < c->nnet && !err; i++)
		err = add_net(s, c->net[i]);
	for (size_t i = 0; i < c->ntrans && !err; i++)
		err = add_trans(s, c->trans[i]);
	if (err) {
		stack_free(s);
		return err;
	}
	*out = s;
	return NS_OK;
}

void stack_free(struct stack *s)
{
	while (!list_empty(&s->endpoints)) {
		struct endpoint *ep = container_of(s->endpoints.next, struct endpoint, all);

		ep->ops->destroy(ep);
	}
	while (!list_empty(&s->nics))
		nic_remove(s, container_of(s->nics.next, struct nic, list)->id);
	if (s->hooks.release)
		s->hooks.release(s->hooks.state);
	for (size_t i = 0; i < s->ntrans; i++)
		if (s->trans[i].state)
			s->trans[i].ops->stack_detach(s, s->trans[i].state);
	for (int i = 0; i < NET_COUNT; i++)
		if (s->net_state[i])
			s->net[i]->stack_detach(s, s->net_state[i]);
	route_table_fini(&s->routes);
	pmtu_fini(&s->pmtu);
	redirect_fini(&s->redirects);
	ports_fini(&s->ports);
	htab_fini(&s->demux);
	htab_fini(&s->addrs);
	htab_fini(&s->nics_by_id);
	if (s->pool)
		pkt_pool_unref(s->pool);
	free(s);
}

void stack_run(struct stack *s)
{
	clock_run(s->clock);
}

int64_t stack_next(struct stack *s)
{
	return clock_next(s->clock);
}

struct stack_trans *stack_trans(struct stack *s, uint8_t proto)
{
	uint8_t i = s->trans_by_proto[proto];

	return i ? &s->trans[i - 1] : NULL;
}

enum trans_rx stack_deliver(struct nic *nic, struct pkt *pkt, bool *unknown)
{
	struct stack *s = nic->stack;
	struct stack_trans *t = stack_trans(s, pkt->trans_proto);

	*unknown = !t;
	if (!t) {
		stat_inc(&s->stats.unknown_protocol_rcvd_packets);
		return TRANS_RX_NO_PORT;
	}
	stat_inc(&s->stats.ip.packets_delivered);
	return t->ops->rx(nic, pkt);
}

void stack_deliver_error(struct stack *s, uint8_t proto, struct net_error *e)
{
	struct stack_trans *t = stack_trans(s, proto);

	raw_taps_error(&s->taps, proto, e);
	if (t && t->ops->rx_error && e->hdr_len >= 8)
		t->ops->rx_error(s, e);
}

enum ns_err stack_set_default_ttl(struct stack *s, enum net_index net, unsigned ttl)
{
	if ((int)net >= NET_FAMILIES || ttl < 1 || ttl > 255)
		return NS_ERR_INVALID_OPTION_VALUE;
	s->default_ttl[net] = (uint8_t)ttl;
	return NS_OK;
}

enum ns_err stack_set_trans_option(struct stack *s, uint8_t proto, int opt, const void *val,
				   size_t len)
{
	struct stack_trans *t = stack_trans(s, proto);

	if (!t)
		return NS_ERR_UNKNOWN_PROTOCOL;
	return t->ops->set_option ? t->ops->set_option(s, opt, val, len)
				  : NS_ERR_UNKNOWN_PROTOCOL_OPTION;
}

enum ns_err stack_get_trans_option(struct stack *s, uint8_t proto, int opt, void *val, size_t len)
{
	struct stack_trans *t = stack_trans(s, proto);

	if (!t)
		return NS_ERR_UNKNOWN_PROTOCOL;
	return t->ops->get_option ? t->ops->get_option(s, opt, val, len)
				  : NS_ERR_UNKNOWN_PROTOCOL_OPTION;
}
