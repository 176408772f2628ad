/* Tracked connections for whoever asks: listings, counters, limits. */
#include "filter/filter.h"
#include "filter/filter_impl.h"

static struct tracker *tracker_of(const struct stack *s)
{
	const struct filter *f = s->hooks.state;

	return f ? f->tracker : NULL;
}

static void fill(const struct conn *c, struct filter_conn_info *i)
{
	*i = (struct filter_conn_info){
		.net = (enum net_index)c->way[0].tuple.net, .proto = c->way[0].tuple.proto,
		.status = c->status & 0x3e,
		.state = c->way[0].tuple.proto == IP_PROTO_TCP ? conn_tcp_name(c->tcp_state) : "",
		.expires_ns = c->timer.when - c->tracker->stack->clock->now_ns,
	};
	for (int w = 0; w < 2; w++) {
		const struct tuple *t = &c->way[w].tuple;
		bool icmp = t->proto == IP_PROTO_ICMP || t->proto == IP_PROTO_ICMPV6;

		i->src[w] = (struct filter_endpoint){ t->src, t->sport };
		i->dst[w] = (struct filter_endpoint){ t->dst, icmp ? t->sport : t->dport };
		i->packets[w] = c->way[w].packets;
		i->bytes[w] = c->way[w].bytes;
	}
}

void filter_conn_walk(struct stack *s, void (*fn)(void *ctx, const struct filter_conn_info *i),
		      void *ctx)
{
	struct tracker *t = tracker_of(s);

	if (!t)
		return;
	list_for_each(n, &t->all) {
		struct filter_conn_info i;

		fill(container_of(n, struct conn, all), &i);
		fn(ctx, &i);
	}
}

void filter_conn_stats(struct stack *s, struct filter_conn_stats *out)
{
	const struct tracker *t = tracker_of(s);

	*out = (struct filter_conn_stats){ 0 };
	if (t)
		*out = (struct filter_conn_stats){ t->count, t->limit, t->created, t->early_drop,
						   t->drop, t->invalid };
}

enum ns_err filter_conn_set_limit(struct stack *s, uint32_t limit)
{
	struct tracker *t = tracker_of(s);

	if (!limit)
		return NS_ERR_INVALID_OPTION_VALUE;
	if (!t)
		return NS_ERR_INVALID_ENDPOINT_STATE;
	t->limit = limit;
	return NS_OK;
}

void filter_conn_flush(struct stack *s)
{
	struct tracker *t = tracker_of(s);

	if (t)
		tracker_flush(t);
}
