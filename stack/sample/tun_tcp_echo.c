/*
 * Sample: a TCP echo server on a stack of its own over a TUN or TAP device.
 *
 *	tun_tcp_echo [-t] [-o] [-g GATEWAY] DEVICE ADDRESS/PREFIX PORT
 *
 * For instance, as root:
 *
 *	ip tuntap add mode tun tun0 && ip addr add 10.1.0.1/24 dev tun0 && ip link set tun0 up
 *	tun_tcp_echo tun0 10.1.0.2/24 7 &
 *	nc 10.1.0.2 7
 *
 * A connection whose peer does not read what comes back is not
 * read either, until it does. A wait queue's callback only notes that there is something to do.
 */
#include <stdlib.h>

#include "sample/host.h"

enum { BUFFER = 65536 };

/**
 * struct conn - one connection
 * @ready: in the list of those with something to do
 * @buf, @len, @off: read and not yet written back
 */
struct conn {
	struct list ready;
	struct waiter waiter;
	struct endpoint *ep;
	size_t len, off;
	char buf[BUFFER];
};

static struct list ready;

static void on_event(struct waiter *w, uint32_t events)
{
	struct conn *c = container_of(w, struct conn, waiter);

	(void)events;
	if (list_empty(&c->ready))
		list_push_back(&ready, &c->ready);
}

static void conn_end(struct conn *c)
{
	waiter_remove(&c->waiter);
	list_remove(&c->ready);
	endpoint_close(c->ep);
	free(c);
}

/* Until one side blocks. False: it is over. */
static bool conn_echo(struct conn *c)
{
	enum ns_err err;
	size_t n;

	for (;;) {
		struct iovec in = { c->buf, sizeof(c->buf) }, out = { c->buf + c->off, c->len - c->off };
		struct read_msg m = { .iov = &in, .iovcnt = 1 };

		if (c->off < c->len) {
			err = endpoint_write(c->ep, &out, 1, NULL, &n);
			if (err)
				return err == NS_ERR_WOULD_BLOCK;
			c->off += n;
			continue;
		}
		err = endpoint_read(c->ep, &m);
		if (err)
			return err == NS_ERR_WOULD_BLOCK;
		endpoint_moderate_recv_buf(c->ep, m.n);
		c->len = m.n;
		c->off = 0;
	}
}

static void accept_all(struct endpoint *listener)
{
	struct endpoint *ep;

	while (endpoint_accept(listener, &ep, NULL) == NS_OK) {
		struct conn *c = calloc(1, sizeof(*c));

		if (!c) {
			endpoint_close(ep);
			continue;
		}
		c->ep = ep;
		c->waiter = (struct waiter){ .mask = WAIT_IN | WAIT_OUT, .fn = on_event };
		waiter_add(&ep->wq, &c->waiter);
		list_init(&c->ready);
		list_push_back(&ready, &c->ready);
	}
}

int main(int argc, char **argv)
{
	struct full_addr local = { .addr = addr_v6_any };	/* both families */
	struct endpoint *listener;
	struct list *n;
	struct host h;
	int i = host_open(&h, argc, argv, "tun_tcp_echo " HOST_USAGE " PORT", 1);

	list_init(&ready);
	local.port = (uint16_t)atoi(argv[i]);
	host_must(endpoint_new(h.stack, NET_IPV6, IP_PROTO_TCP, &listener), "endpoint");
	host_must(endpoint_set_int(listener, SOCKOPT_REUSE_ADDRESS, 1), "reuse");
	host_must(endpoint_bind(listener, &local), argv[i]);
	host_must(endpoint_listen(listener, 1024), "listen");
	for (;;) {
		host_round(&h, -1, 0);
		accept_all(listener);
		while ((n = list_pop_front(&ready))) {
			struct conn *c = container_of(n, struct conn, ready);

			if (!conn_echo(c))
				conn_end(c);
		}
	}
}
