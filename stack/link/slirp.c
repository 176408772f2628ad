/*
 * The link to libslirp.
 *
 * Theory of operation. libslirp wants to be asked before each poll which of its sockets to wait for, and told
 * afterwards which are ready. Here they are in an epoll set of the link's own, which the embedder waits for like
 * for any descriptor; after whatever may have changed the answer (a packet sent to it, sockets ready, a timer)
 * a deferred task asks again and brings the set up to date: only differences cost a system call. What libslirp
 * wants to be called for at a time is a timer of the stack's clock.
 *
 * What it does about a packet of ours, it does in part only when it is told of what is ready after that: so it is,
 * once for all the packets of a turn.
 *
 * It sends packets from within any call, also from one that takes a packet of ours; so these are queued, and
 * delivered by the task.
 */
#include "link/slirp.h"

#include <errno.h>
#include <slirp/libslirp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "header/eth.h"

enum { DEFAULT_MTU = 1500, EVENTS = 256, MAX_FD = 1 << 20, QUEUE_PKTS = 4096, CHUNK = 128 };

/**
 * struct watched - a descriptor libslirp waits for
 * @fd:     also its place in the table of descriptors
 * @events: in the epoll set now, 0: is not
 * @wanted: by the last question
 * @ready:  what epoll said, for the next answer
 */
struct watched {
	uint32_t events, wanted, ready;
};

/**
 * struct slirp_link - @queue: packets to deliver; @queued: how many came since slirp_link_rx() began
 * @input: it was given packets since it was last told what is ready, which was at @told_ns
 */
struct slirp_link {
	struct link link;
	Slirp *slirp;
	struct clock *clock;
	struct pkt_pool *pool;
	int epoll_fd;
	struct watched *fds;
	int nfds;			/* places in the table */
	struct pkt_queue queue;
	struct task task;
	struct timer poll_timer;
	int queued;
	bool input;
	int64_t told_ns;
};

/** struct slirp_timer - one of libslirp's own */
struct slirp_timer {
	struct timer timer;
	struct slirp_link *owner;
	SlirpTimerId id;
	void *cb_opaque;
};

/* Makes the table reach to @fd. */
static struct watched *watched_of(struct slirp_link *s, int fd)
{
	if (fd < 0 || fd >= MAX_FD)
		return NULL;
	if (fd >= s->nfds) {
		int n = (fd / CHUNK + 1) * CHUNK;
		struct watched *t = realloc(s->fds, (size_t)n * sizeof(*t));

		if (!t)
			return NULL;
		memset(t + s->nfds, 0, (size_t)(n - s->nfds) * sizeof(*t));
		s->fds = t;
		s->nfds = n;
	}
	return &s->fds[fd];
}

static ssize_t send_packet(const void *buf, size_t len, void *opaque)
{
	struct slirp_link *s = opaque;
	struct pkt *pkt = NULL;

	/* Like a full queue of a device: it sends again. */
	if (s->queue.count < QUEUE_PKTS)
		pkt = pkt_from_bytes(s->pool, buf, len);
	if (pkt) {
		pkt_queue_push(&s->queue, pkt);
		s->queued++;
		clock_defer(s->clock, &s->task);
	}
	return (ssize_t)len;
}

static void guest_error(const char *msg, void *opaque)
{
	/* What the stack sent made no sense to it: the packet is gone. */
}

static int64_t clock_get_ns(void *opaque)
{
	return ((struct slirp_link *)opaque)->clock->now_ns;
}

static void slirp_timeout(struct timer *t)
{
	struct slirp_timer *st = container_of(t, struct slirp_timer, timer);

	slirp_handle_timer(st->owner->slirp, st->id, st->cb_opaque);
	clock_defer(st->owner->clock, &st->owner->task);
}

static void *timer_new_opaque(SlirpTimerId id, void *cb_opaque, void *opaque)
{
	struct slirp_timer *t = calloc(1, sizeof(*t));

	/* libslirp has no way to hear of it, and makes one timer when it is set up. */
	if (!t)
		abort();
	t->owner = opaque;
	t->id = id;
	t->cb_opaque = cb_opaque;
	timer_init(&t->timer, slirp_timeout);
	return t;
}

static void slirp_timer_free(void *timer, void *opaque)
{
	struct slirp_timer *t = timer;

	timer_fini(t->owner->clock, &t->timer);
	free(t);
}

static void timer_mod(void *timer, int64_t expire_ms, void *opaque)
{
	struct slirp_timer *t = timer;

	timer_arm(t->owner->clock, &t->timer, expire_ms * NS_PER_MS);
}

/* A number that comes back may be another socket: what epoll knew of it is gone with the old one. */
static void forget_fd(int fd, void *opaque)
{
	struct slirp_link *s = opaque;

	if (fd >= 0 && fd < s->nfds && s->fds[fd].events) {
		epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
		s->fds[fd] = (struct watched){ 0 };
	}
}

static void notify(void *opaque)
{
	struct slirp_link *s = opaque;

	clock_defer(s->clock, &s->task);
}

static const SlirpCb callbacks = {
	.send_packet = send_packet,
	.guest_error = guest_error,
	.clock_get_ns = clock_get_ns,
	.timer_new_opaque = timer_new_opaque,
	.timer_free = slirp_timer_free,
	.timer_mod = timer_mod,
	.register_poll_fd = forget_fd,
	.unregister_poll_fd = forget_fd,
	.notify = notify,
};

static int add_poll(int fd, int events, void *opaque)
{
	struct watched *w = watched_of(opaque, fd);

	if (!w)
		return -1;
	/* Urgent data goes with EPOLLPRI alone; errors and hang-ups are always told. */
	w->wanted |= (events & SLIRP_POLL_IN ? EPOLLIN : 0u) | (events & SLIRP_POLL_OUT ? EPOLLOUT : 0u) |
		     (events & SLIRP_POLL_PRI ? EPOLLPRI : 0u);
	if (!w->wanted)
		w->wanted = EPOLLERR;
	return fd;
}

static int get_revents(int fd, void *opaque)
{
	struct slirp_link *s = opaque;
	uint32_t e = fd >= 0 && fd < s->nfds ? s->fds[fd].ready : 0;

	return (e & EPOLLIN ? SLIRP_POLL_IN : 0) | (e & EPOLLOUT ? SLIRP_POLL_OUT : 0) |
	       (e & EPOLLPRI ? SLIRP_POLL_PRI : 0) | (e & EPOLLERR ? SLIRP_POLL_ERR : 0) |
	       (e & EPOLLHUP ? SLIRP_POLL_HUP : 0);
}

static void watch(struct slirp_link *s, int fd)
{
	struct watched *w = &s->fds[fd];
	struct epoll_event ev = { .events = w->wanted, .data.fd = fd };
	int op = !w->wanted ? EPOLL_CTL_DEL : w->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	if (w->wanted == w->events)
		return;
	if (epoll_ctl(s->epoll_fd, op, fd, &ev) < 0 && op == EPOLL_CTL_MOD && errno == ENOENT)
		epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &ev);
	w->events = w->wanted;
}

/* Asks what libslirp waits for now. */
static void ask(struct slirp_link *s)
{
	uint32_t timeout_ms = UINT32_MAX;

	for (int fd = 0; fd < s->nfds; fd++)
		s->fds[fd].wanted = 0;
	slirp_pollfds_fill(s->slirp, &timeout_ms, add_poll, s);
	for (int fd = 0; fd < s->nfds; fd++)
		watch(s, fd);
	if (timeout_ms == UINT32_MAX)
		timer_disarm(&s->poll_timer);
	else
		timer_arm_in(s->clock, &s->poll_timer, timeout_ms * NS_PER_MS);
}

/* Tells it what is ready, which may be nothing, and the time: it looks at the clock here only. */
static void answer(struct slirp_link *s)
{
	struct epoll_event ev[EVENTS];
	int n = epoll_wait(s->epoll_fd, ev, EVENTS, 0);

	for (int i = 0; i < n; i++)
		s->fds[ev[i].data.fd].ready = ev[i].events;
	slirp_pollfds_poll(s->slirp, 0, get_revents, s);
	s->told_ns = s->clock->now_ns;
	for (int i = 0; i < n; i++)
		s->fds[ev[i].data.fd].ready = 0;
	clock_defer(s->clock, &s->task);
}

static void poll_timeout(struct timer *t)
{
	answer(container_of(t, struct slirp_link, poll_timer));
}

static void slirp_task(struct task *t)
{
	struct slirp_link *s = container_of(t, struct slirp_link, task);
	struct pkt_queue now;
	struct pkt *pkt;

	/* Those that come while these are delivered are for the next turn. */
	pkt_queue_init(&now);
	while ((pkt = pkt_queue_pop(&s->queue)))
		pkt_queue_push(&now, pkt);
	while ((pkt = pkt_queue_pop(&now)))
		link_deliver(&s->link, pkt);
	ask(s);
	if (s->input) {
		s->input = false;
		answer(s);
	}
}

int slirp_link_fd(const struct link *l)
{
	return container_of(l, struct slirp_link, link)->epoll_fd;
}

int slirp_link_rx(struct link *l, int budget)
{
	struct slirp_link *s = container_of(l, struct slirp_link, link);

	s->queued = 0;
	answer(s);
	return s->queued;
}

static enum ns_err slirp_write(struct link *l, struct pkt *pkt)
{
	struct slirp_link *s = container_of(l, struct slirp_link, link);

	if (!pkt_pullup(pkt, pkt->len)) {
		pkt_free(pkt);
		return NS_ERR_NO_MEMORY;
	}
	/* When a new association ends, it reckons from the time it knows. */
	if (s->clock->now_ns - s->told_ns > NS_PER_SEC)
		answer(s);
	slirp_input(s->slirp, pkt_data(pkt), (int)pkt->len);
	pkt_free(pkt);
	s->input = true;
	clock_defer(s->clock, &s->task);
	return NS_OK;
}

static void slirp_close(struct link *l)
{
	struct slirp_link *s = container_of(l, struct slirp_link, link);

	if (s->slirp)
		slirp_cleanup(s->slirp);
	task_cancel(&s->task);
	timer_fini(s->clock, &s->poll_timer);
	pkt_queue_purge(&s->queue);
	if (s->epoll_fd >= 0)
		close(s->epoll_fd);
	free(s->fds);
	pkt_pool_unref(s->pool);
	free(s);
}

static const struct link_ops slirp_ops = {
	.name = "slirp",
	.write = slirp_write,
	.close = slirp_close,
};

static struct in_addr v4(const char *text)
{
	struct in_addr a;

	inet_pton(AF_INET, text, &a);
	return a;
}

static struct in6_addr v6(const char *text)
{
	struct in6_addr a;

	inet_pton(AF_INET6, text, &a);
	return a;
}

static Slirp *start(struct slirp_link *s, const struct slirp_config *c)
{
	SlirpConfig sc = {
		.version = 4, .in_enabled = true, .vnetwork = v4("10.0.2.0"), .vnetmask = v4("255.255.255.0"),
		.vhost = v4(SLIRP_ROUTER_V4), .in6_enabled = !c->no_ipv6, .vprefix_addr6 = v6("fec0::"),
		.vprefix_len = 64, .vhost6 = v6("fec0::2"), .vdhcp_start = v4("10.0.2.15"),
		.vnameserver = v4(SLIRP_DNS_V4), .vnameserver6 = v6(SLIRP_DNS_V6), .if_mtu = s->link.mtu,
		.if_mru = s->link.mtu, .disable_host_loopback = c->isolated,
	};

	return slirp_new(&sc, &callbacks, s);
}

static int forward(struct slirp_link *s, const struct slirp_forward *f, char *error)
{
	struct in_addr host = v4("127.0.0.1"), guest = v4("10.0.2.15");
	int err;

	if (f->host.len == ADDR_LEN_V4)
		memcpy(&host, f->host.b, ADDR_LEN_V4);
	errno = 0;
	if (slirp_add_hostfwd(s->slirp, f->udp, host, f->host_port, guest, f->guest_port) == 0)
		return 0;
	err = errno ? -errno : -EADDRINUSE;
	snprintf(error, SLIRP_ERROR_MAX, "cannot forward %s port %u: %s", f->udp ? "udp" : "tcp", f->host_port,
		 strerror(-err));
	return err;
}

int slirp_link_open(const struct slirp_config *c, struct link **out, char error[SLIRP_ERROR_MAX])
{
	struct slirp_link *s;
	int err = 0;

	*out = NULL;
	if (c->mtu > SLIRP_MTU_MAX || (c->mtu && c->mtu < 1280)) {
		snprintf(error, SLIRP_ERROR_MAX, "MTU %u: expected 1280 to %d", c->mtu, SLIRP_MTU_MAX);
		return -EINVAL;
	}
	s = calloc(1, sizeof(*s));
	if (!s) {
		snprintf(error, SLIRP_ERROR_MAX, "cannot make a link: %s", strerror(ENOMEM));
		return -ENOMEM;
	}
	s->clock = c->clock;
	s->pool = pkt_pool_ref(c->pool);
	s->link.ops = &slirp_ops;
	s->link.mtu = c->mtu ? c->mtu : DEFAULT_MTU;
	s->link.caps = LINK_CAP_ETHERNET;
	/* The address libslirp thinks its guest has until it hears of it. */
	s->link.addr = (struct link_addr){ { 0x52, 0x55, 0x0a, 0x00, 0x02, 0x0f }, LINK_ADDR_LEN };
	pkt_queue_init(&s->queue);
	task_init(&s->task, slirp_task);
	timer_init(&s->poll_timer, poll_timeout);
	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	s->slirp = s->epoll_fd < 0 ? NULL : start(s, c);
	if (!s->slirp) {
		snprintf(error, SLIRP_ERROR_MAX, "cannot start libslirp");
		err = -ENOMEM;
	}
	for (int i = 0; i < c->nforwards && !err; i++)
		err = forward(s, &c->forwards[i], error);
	if (err) {
		slirp_close(&s->link);
		return err;
	}
	answer(s);
	*out = &s->link;
	return 0;
}
