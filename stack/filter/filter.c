/* Loading rules, and what happens at each hook. See filter.h. */
#include "filter/filter.h"

#include <stdio.h>
#include <stdlib.h>

#include "filter/filter_impl.h"
#include "filter/nat.h"
#include "filter/parse.h"

static struct filter *filter_of(const struct stack *s)
{
	return s->hooks.state;
}

/* Whether the packet may go on; a connection it would have begun is forgotten if not. */
static bool passes(struct filter *f, enum filter_table_id id, struct filter_pkt *k)
{
	struct table *t = f->tables[k->net][id];

	return !t || !t->builtin[k->at] || table_eval(t, k) == V_ACCEPT;
}

static bool nat_passes(struct filter *f, struct filter_pkt *k)
{
	if (!k->conn)
		return true;
	if (k->state == CONN_NEW && f->tables[k->net][TABLE_NAT] && !nat_settled(k)) {
		if (!passes(f, TABLE_NAT, k))
			return false;
		if (!nat_settled(k) && !nat_settle_none(k))
			return false;
	}
	return nat_packet(k);
}

/* What Netfilter calls at a hook, in the order of its priorities. */
static bool walk_hook(struct filter *f, struct filter_pkt *k)
{
	bool first = k->at == HOOK_PREROUTING || k->at == HOOK_OUTPUT;
	bool last = k->at == HOOK_INPUT || k->at == HOOK_POSTROUTING;

	if (first && !passes(f, TABLE_RAW, k))
		return false;
	if (f->tracks[k->net]) {
		if (!first)
			conn_attach(f->tracker, k);
		else if (!conn_track(f->tracker, k))
			return false;
	}
	if (!passes(f, TABLE_MANGLE, k) || (first && !nat_passes(f, k)) ||
	    !passes(f, TABLE_FILTER, k) || (last && !nat_passes(f, k)))
		return false;
	return !last || !k->conn || conn_confirm(f->tracker, k);
}

static enum hook_verdict filter_hook(struct hook *h, enum hook_point at, struct pkt *pkt,
				     struct nic *in, struct nic *out)
{
	struct filter *f = container_of(h - at, struct filter, hooks[0]);
	struct filter_pkt k;

	/* Only what went round inside the stack, and answers, keep what was noted: a number of ours means
	 * nothing in a packet from elsewhere, and an echo is written into the packet that asked for it. */
	if (at == HOOK_OUTPUT || (at == HOOK_PREROUTING && !pkt->looped && !nic_is_loopback(in))) {
		pkt->mark = 0;
		if (at == HOOK_PREROUTING || !(pkt->flow_info & PKT_FLOW_ANSWER))
			pkt->flow = pkt->flow_info = 0;
	}
	if (!packet_open(&k, f->stack, pkt, at, in, out))
		return HOOK_DROP;
	k.filter = f;
	if (walk_hook(f, &k))
		return HOOK_ACCEPT;
	if (f->tracker)
		conn_dropped(f->tracker, pkt);
	return HOOK_DROP;
}

static void filter_release(void *state)
{
	struct filter *f = state;

	for (int net = 0; net < NET_FAMILIES; net++)
		for (int id = 0; id < TABLE_COUNT; id++)
			table_free(f->tables[net][id]);
	tracker_free(f->tracker);
	for (int i = 0; f->hooked && i < HOOK_COUNT; i++)
		hook_remove(&f->hooks[i]);
	free(f);
}

static struct filter *filter_get(struct stack *s)
{
	struct filter *f = filter_of(s);

	if (f)
		return f;
	f = calloc(1, sizeof(*f));
	if (!f)
		return NULL;
	f->stack = s;
	s->hooks.state = f;
	s->hooks.release = filter_release;
	return f;
}

/* After tables came or went: hooks, tracking and reassembly are there if and only if they are needed. */
static void filter_settle(struct stack *s)
{
	struct filter *f = filter_of(s);
	bool any = false;

	for (int net = 0; net < NET_FAMILIES; net++) {
		f->tracks[net] = false;
		for (int id = 0; id < TABLE_COUNT; id++) {
			const struct table *t = f->tables[net][id];

			any |= t != NULL;
			f->tracks[net] |= t && (t->tracks || id == TABLE_NAT);
		}
		s->hooks.defrag[net] = f->tracks[net];
	}
	if (!f->tracks[NET_IPV4] && !f->tracks[NET_IPV6]) {
		tracker_free(f->tracker);
		f->tracker = NULL;
	}
	if (!any) {
		s->hooks.state = NULL;
		s->hooks.release = NULL;
		filter_release(f);
		return;
	}
	for (int i = 0; !f->hooked && i < HOOK_COUNT; i++) {
		list_init(&f->hooks[i].node);
		f->hooks[i].fn = filter_hook;
		hook_add(&s->hooks, (enum hook_point)i, &f->hooks[i]);
	}
	f->hooked = true;
}

static bool wants_tracker(const struct parser *p)
{
	bool wants = p->tables[TABLE_NAT] != NULL;

	for (int id = 0; id < TABLE_COUNT; id++)
		wants |= p->tables[id] && p->tables[id]->tracks;
	return wants;
}

/* As iptables-restore: a chain whose policy the text does not name keeps the one it had. */
static void keep_policies(struct table *t, const struct table *old)
{
	for (int i = 0; old && i < HOOK_COUNT; i++)
		if (t->builtin[i] && !t->builtin[i]->named)
			t->builtin[i]->policy = old->builtin[i]->policy;
}

/* Everything that can fail comes before the first table is replaced. */
static enum ns_err install(struct stack *s, struct parser *p)
{
	struct filter *f = filter_get(s);

	if (f && !f->tracker && wants_tracker(p))
		f->tracker = tracker_new(s);
	if (!f || (!f->tracker && wants_tracker(p))) {
		if (f)
			filter_settle(s);
		return NS_ERR_NO_MEMORY;
	}
	for (int id = 0; id < TABLE_COUNT; id++) {
		if (!p->tables[id])
			continue;
		keep_policies(p->tables[id], f->tables[p->net][id]);
		table_free(f->tables[p->net][id]);
		f->tables[p->net][id] = p->tables[id];
		p->tables[id] = NULL;
	}
	filter_settle(s);
	return NS_OK;
}

enum ns_err filter_load(struct stack *s, enum net_index net, const char *text, size_t len,
			unsigned flags, struct filter_error *e)
{
	struct parser *p;
	enum ns_err err;

	*e = (struct filter_error){ 0 };
	if ((int)net >= NET_FAMILIES || !stack_has_net(s, net))
		return NS_ERR_UNKNOWN_PROTOCOL;
	if (len > FILTER_TEXT_MAX) {
		snprintf(e->text, sizeof(e->text), "expected at most %d bytes", FILTER_TEXT_MAX);
		return NS_ERR_INVALID_OPTION_VALUE;
	}
	p = calloc(1, sizeof(*p));
	if (!p)
		return NS_ERR_NO_MEMORY;
	p->e = e;
	p->net = net;
	p->flags = flags;
	if (parse_text(p, text, len))
		err = flags & FILTER_TEST ? NS_OK : install(s, p);
	else
		err = p->no_memory ? NS_ERR_NO_MEMORY : NS_ERR_INVALID_OPTION_VALUE;
	for (int id = 0; id < TABLE_COUNT; id++)
		table_free(p->tables[id]);
	free(p);
	return err;
}

enum ns_err filter_print(struct stack *s, enum net_index net, bool counters,
			 void (*write)(void *ctx, const char *text, size_t len), void *ctx)
{
	const struct filter *f = filter_of(s);
	struct text t = { 0 };
	bool failed;

	for (int id = 0; f && (int)net < NET_FAMILIES && id < TABLE_COUNT; id++)
		if (f->tables[net][id])
			table_print(f->tables[net][id], counters, &t);
	failed = t.failed;
	if (!failed && t.len)
		write(ctx, t.s, t.len);
	text_free(&t);
	return failed ? NS_ERR_NO_MEMORY : NS_OK;
}

void filter_clear(struct stack *s, enum net_index net)
{
	struct filter *f = filter_of(s);

	if (!f || (int)net >= NET_FAMILIES)
		return;
	for (int id = 0; id < TABLE_COUNT; id++) {
		table_free(f->tables[net][id]);
		f->tables[net][id] = NULL;
	}
	filter_settle(s);
}

static void zero_table(struct table *t)
{
	list_for_each(n, &t->chains) {
		struct chain *c = container_of(n, struct chain, list);

		c->count = (struct rule_count){ 0 };
		for (size_t i = 0; i < c->nrules; i++)
			c->rules[i].count = (struct rule_count){ 0 };
	}
}

void filter_zero(struct stack *s, enum net_index net)
{
	struct filter *f = filter_of(s);

	for (int id = 0; f && (int)net < NET_FAMILIES && id < TABLE_COUNT; id++)
		if (f->tables[net][id])
			zero_table(f->tables[net][id]);
}
