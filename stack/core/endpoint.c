/* Transport endpoints: what all protocols have in common. */
#include "core/endpoint.h"

#include "core/stack.h"

void endpoint_init(struct endpoint *ep, const struct endpoint_ops *ops, struct stack *s,
		   const struct trans_proto_ops *proto, enum net_index net)
{
	ep->ops = ops;
	ep->stack = s;
	ep->proto = proto;
	ep->net = net;
	waiter_queue_init(&ep->wq);
	sock_opts_init(&ep->opts);
	list_push_back(&s->endpoints, &ep->all);
}

void endpoint_fini(struct endpoint *ep)
{
	struct stack *s = ep->stack;

	if (s->endpoint_gone)
		s->endpoint_gone(s->endpoint_gone_ctx, ep);
	list_for_each(n, &s->endpoint_cursors) {
		struct endpoint_cursor *c = container_of(n, struct endpoint_cursor, list);

		if (c->next == &ep->all)
			c->next = ep->all.next;
	}
	list_remove(&ep->all);
}

void endpoint_cursor_init(struct endpoint_cursor *c, struct stack *s)
{
	c->stack = s;
	c->next = s->endpoints.next;
	list_push_back(&s->endpoint_cursors, &c->list);
}

void endpoint_cursor_fini(struct endpoint_cursor *c)
{
	list_remove(&c->list);
}

struct endpoint *endpoint_cursor_next(struct endpoint_cursor *c)
{
	struct list *n = c->next;

	if (n == &c->stack->endpoints)
		return NULL;
	c->next = n->next;
	return container_of(n, struct endpoint, all);
}

int endpoint_cursor_ahead(const struct endpoint_cursor *c, const struct endpoint **out, int max)
{
	const struct list *l = c->next;
	int n = 0;

	/* Of the last nothing is read. */
	while (n < max && l != &c->stack->endpoints) {
		out[n++] = container_of(l, struct endpoint, all);
		if (n < max)
			l = l->next;
	}
	return n;
}

void endpoint_set_error(struct endpoint *ep, enum ns_err err)
{
	ep->err = err;
	waiter_notify(&ep->wq, WAIT_ERR | WAIT_IN | WAIT_OUT);
}

enum ns_err endpoint_take_error(struct endpoint *ep)
{
	enum ns_err err = ep->err;

	ep->err = NS_OK;
	return err;
}

enum ns_err endpoint_new(struct stack *s, enum net_index net, uint8_t trans_proto,
			 struct endpoint **out)
{
	struct stack_trans *t = stack_trans(s, trans_proto);

	if (!t || (int)net >= NET_FAMILIES || !stack_has_net(s, net) || !t->ops->endpoint_new)
		return NS_ERR_UNKNOWN_PROTOCOL;
	return t->ops->endpoint_new(s, net, out);
}

void endpoint_close(struct endpoint *ep)
{
	/* Nobody is called back after this; waiters need not have removed themselves. */
	while (list_pop_front(&ep->wq.list))
		;
	ep->dangling = true;
	ep->ops->close(ep);
}

void endpoint_set_cred(struct endpoint *ep, uint32_t uid, uint32_t gid)
{
	ep->has_cred = true;
	ep->uid = uid;
	ep->gid = gid;
}

void endpoint_walk(struct stack *s, void (*fn)(void *ctx, struct endpoint *ep), void *ctx)
{
	list_for_each(n, &s->endpoints)
		fn(ctx, container_of(n, struct endpoint, all));
}

enum ns_err endpoint_read(struct endpoint *ep, struct read_msg *m)
{
	return ep->ops->read ? ep->ops->read(ep, m) : NS_ERR_NOT_SUPPORTED;
}

enum ns_err endpoint_peek(struct endpoint *ep, struct read_msg *m)
{
	m->peek = true;
	return endpoint_read(ep, m);
}

int endpoint_peek_iov(struct endpoint *ep, struct iovec *iov, int max, bool *end)
{
	*end = !ep->ops->peek_iov;
	return ep->ops->peek_iov ? ep->ops->peek_iov(ep, iov, max, end) : 0;
}

int endpoint_peek_times(struct endpoint *ep, size_t bytes, struct rx_time *out, int max)
{
	return ep->ops->peek_times ? ep->ops->peek_times(ep, bytes, out, max) : 0;
}

void endpoint_consume(struct endpoint *ep, size_t n)
{
	if (ep->ops->consume)
		ep->ops->consume(ep, n);
}

static enum ns_err endpoint_write_payload(struct endpoint *ep, struct payload *p,
					  const struct write_opts *o, size_t *n)
{
	static const struct write_opts none;

	*n = 0;
	return ep->ops->write ? ep->ops->write(ep, p, o ? o : &none, n) : NS_ERR_NOT_SUPPORTED;
}

enum ns_err endpoint_write(struct endpoint *ep, const struct iovec *iov, int iovcnt,
			   const struct write_opts *o, size_t *n)
{
	struct payload p = payload_from_iov(iov, iovcnt);

	return endpoint_write_payload(ep, &p, o, n);
}

enum ns_err endpoint_write_pkt(struct endpoint *ep, struct pkt *pkt, const struct write_opts *o,
			       size_t *n, struct pkt **rest)
{
	struct payload p = payload_from_pkt(pkt);
	enum ns_err err = endpoint_write_payload(ep, &p, o, n);

	if (rest && p.pkt && p.len) {
		*rest = p.pkt;
		return err;
	}
	if (rest)
		*rest = NULL;
	payload_release(&p);
	return err;
}

enum ns_err endpoint_bind(struct endpoint *ep, const struct full_addr *a)
{
	return ep->ops->bind ? ep->ops->bind(ep, a) : NS_ERR_NOT_SUPPORTED;
}

enum ns_err endpoint_connect(struct endpoint *ep, const struct full_addr *a)
{
	if (a->addr.len == 0)
		return ep->ops->disconnect ? ep->ops->disconnect(ep)
					   : NS_ERR_ADDRESS_FAMILY_NOT_SUPPORTED;
	return ep->ops->connect ? ep->ops->connect(ep, a) : NS_ERR_NOT_SUPPORTED;
}

enum ns_err endpoint_disconnect(struct endpoint *ep)
{
	return ep->ops->disconnect ? ep->ops->disconnect(ep) : NS_ERR_NOT_SUPPORTED;
}

enum ns_err endpoint_shutdown(struct endpoint *ep, int how)
{
	if (how == 0 || how & ~(SHUTDOWN_READ | SHUTDOWN_WRITE))
		return NS_ERR_INVALID_OPTION_VALUE;
	return ep->ops->shutdown ? ep->ops->shutdown(ep, how) : NS_ERR_NOT_SUPPORTED;
}

enum ns_err endpoint_listen(struct endpoint *ep, int backlog)
{
	return ep->ops->listen ? ep->ops->listen(ep, backlog) : NS_ERR_NOT_SUPPORTED;
}

enum ns_err endpoint_accept(struct endpoint *ep, struct endpoint **out, struct full_addr *peer)
{
	return ep->ops->accept ? ep->ops->accept(ep, out, peer) : NS_ERR_NOT_SUPPORTED;
}

enum ns_err endpoint_local_addr(struct endpoint *ep, struct full_addr *out)
{
	return ep->ops->local_addr ? ep->ops->local_addr(ep, out) : NS_ERR_NOT_SUPPORTED;
}

enum ns_err endpoint_remote_addr(struct endpoint *ep, struct full_addr *out)
{
	return ep->ops->remote_addr ? ep->ops->remote_addr(ep, out) : NS_ERR_NOT_CONNECTED;
}

uint32_t endpoint_readiness(struct endpoint *ep, uint32_t mask)
{
	uint32_t r = ep->ops->readiness(ep);

	if (ep->err)
		r |= WAIT_ERR;
	return r & (mask | WAIT_ERR | WAIT_HUP);
}

uint32_t endpoint_state(struct endpoint *ep)
{
	return ep->ops->state ? ep->ops->state(ep) : 0;
}

void endpoint_moderate_recv_buf(struct endpoint *ep, size_t copied)
{
	if (ep->ops->moderate_recv_buf)
		ep->ops->moderate_recv_buf(ep, copied);
}

void endpoint_info(struct endpoint *ep, struct endpoint_info *out)
{
	*out = (struct endpoint_info){
		.proto = ep->proto->name, .net = ep->net, .trans_proto = ep->proto->number,
		.state = endpoint_state(ep), .bind_nic = ep->opts.bind_nic,
		.rx_buffer_bytes = ep->opts.receive_buffer_bytes,
		.tx_buffer_bytes = ep->opts.send_buffer_bytes,
		.rx_dropped = stat_value(&ep->stats.receive_errors.receive_buffer_overflow),
	};
	endpoint_local_addr(ep, &out->local);
	endpoint_remote_addr(ep, &out->remote);
	if (ep->ops->info)
		ep->ops->info(ep, out);
}

enum ns_err endpoint_set_int(struct endpoint *ep, enum sockopt opt, int64_t v)
{
	return endpoint_set_option(ep, opt, &v, sizeof(v));
}

enum ns_err endpoint_get_int(struct endpoint *ep, enum sockopt opt, int64_t *v)
{
	size_t len = sizeof(*v);

	return endpoint_get_option(ep, opt, v, &len);
}

enum ns_err endpoint_set_option(struct endpoint *ep, enum sockopt opt, const void *val, size_t len)
{
	int64_t v;

	if ((unsigned)opt <= SOCKOPT_COMMON_END) {
		if (len < sizeof(v))
			return NS_ERR_INVALID_OPTION_VALUE;
		memcpy(&v, val, sizeof(v));
		return sock_opts_set(ep, opt, v);
	}
	if (opt == SOCKOPT_IP_OPTIONS)
		return sock_opts_set_ip(ep, val, len);
	return ep->ops->set_option ? ep->ops->set_option(ep, opt, val, len)
				   : NS_ERR_UNKNOWN_PROTOCOL_OPTION;
}

enum ns_err endpoint_get_option(struct endpoint *ep, enum sockopt opt, void *val, size_t *len)
{
	int64_t v;

	if (opt == SOCKOPT_IP_OPTIONS) {
		sock_opts_get_ip(ep, val, len);
		return NS_OK;
	}
	if ((unsigned)opt > SOCKOPT_ERROR)
		return ep->ops->get_option ? ep->ops->get_option(ep, opt, val, len)
					   : NS_ERR_UNKNOWN_PROTOCOL_OPTION;
	if (*len < sizeof(v))
		return NS_ERR_INVALID_OPTION_VALUE;
	if (opt == SOCKOPT_ERROR)
		v = endpoint_take_error(ep);
	else
		sock_opts_get(ep, opt, &v);
	memcpy(val, &v, sizeof(v));
	*len = sizeof(v);
	return NS_OK;
}
