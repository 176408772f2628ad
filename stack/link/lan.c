/* A member of a lan. What it speaks with the switch is in lan_proto.h. */
#include "link/lan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "link/lan_bell.h"
#include "link/lan_dir.h"
#include "link/lan_hub.h"
#include "link/lan_proto.h"
#include "link/sharedmem.h"

#define FIRST_RETRY_NS (5 * NS_PER_MS)
#define RETRY_NS (500 * NS_PER_MS)

enum { DEFAULT_MTU = 1500, MIN_MTU = 68, NET_LEN_MIN = 8, NET_LEN_MAX = 30, WAIT_MS = 5000, RETRY_WAIT_MS = 100 };

/**
 * struct lan - @shm: the rings, NULL while there is no switch
 * @sock: to the switch; @ring_fd: wakes it; @ear_fd: its waking us
 * @epoll_fd: has @sock and @ear_fd: what the embedder waits for, whatever becomes of them
 */
struct lan {
	struct link link;
	struct link_sink sink;
	struct link *shm;
	int sock, ring_fd, ear_fd, epoll_fd, dirfd;
	struct timer retry;
	struct clock *clock;
	struct pkt_pool *pool;
	char name[LAN_NAME_MAX + 1];
	struct addr_prefix net;
	uint32_t mtu;
	struct lan_lease lease;
};

static int fail(char *error, const char *name, const char *what, int err)
{
	if (error)
		snprintf(error, LAN_ERROR_MAX, "%.40s: %s: %s", name, what, strerror(-err));
	return err;
}

/* The descriptors that came along with a message, -1 where there are none. More than fit the kernel has closed. */
static void take_passed(struct msghdr *m, int passed[LAN_JOIN_FDS])
{
	struct cmsghdr *c = CMSG_FIRSTHDR(m);
	size_t n = c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS ? (c->cmsg_len - CMSG_LEN(0)) / sizeof(int)
										  : 0;

	for (size_t i = 0; i < LAN_JOIN_FDS; i++)
		passed[i] = -1;
	if (n)
		memcpy(passed, CMSG_DATA(c), n * sizeof(int));
}

static void close_passed(const int passed[LAN_JOIN_FDS])
{
	for (size_t i = 0; i < LAN_JOIN_FDS; i++)
		if (passed[i] >= 0)
			close(passed[i]);
}

/* Sends a request and waits for its reply; descriptors that come along are the caller's. */
static int ask(int sock, struct lan_request *q, struct lan_reply *r, int passed[LAN_JOIN_FDS])
{
	union {
		struct cmsghdr h;
		char space[CMSG_SPACE(LAN_JOIN_FDS * sizeof(int))];
	} control;
	struct iovec iov = { r, sizeof(*r) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
			    .msg_controllen = sizeof(control) };
	ssize_t n;

	for (size_t i = 0; i < LAN_JOIN_FDS; i++)
		passed[i] = -1;
	q->magic = LAN_MAGIC;
	q->version = LAN_VERSION;
	if (send(sock, q, sizeof(*q), MSG_NOSIGNAL) < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	do
		n = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	take_passed(&m, passed);
	if (n == (ssize_t)sizeof(*r) && r->magic == LAN_MAGIC && r->version == LAN_VERSION && r->op == q->op)
		return r->err > 0 && r->err < 4096 ? -r->err : r->err ? -EPROTO : 0;
	return n == 0 ? -ECONNRESET : -EPROTO;
}

static void kick(void *ctx)
{
	lan_bell_ring(((struct lan *)ctx)->ring_fd);
}

/* The ear is there for its edges, and this takes them; what there is to read on the socket is its end. */
static bool drain(void *ctx)
{
	struct epoll_event ev[2];
	int n = epoll_wait(((struct lan *)ctx)->epoll_fd, ev, 2, 0);

	for (int i = 0; i < n; i++)
		if (ev[i].data.fd == ((struct lan *)ctx)->sock)
			return false;
	return true;
}

/* What the switch says is checked like anything from another process. */
static bool lease_ok(const struct lan_reply *r)
{
	struct link_addr mac = link_addr_from_bytes(r->mac);

	return r->number > 0 && r->number <= LAN_MAX_MEMBERS && link_addr_is_unicast(&mac) &&
	       r->net_len >= NET_LEN_MIN && r->net_len <= NET_LEN_MAX && r->mtu >= MIN_MTU && r->mtu <= SHAREDMEM_MTU_MAX;
}

static void set_lease(struct lan *l, const struct lan_reply *r)
{
	l->lease = (struct lan_lease){
		.number = r->number, .mac = link_addr_from_bytes(r->mac), .mtu = r->mtu,
		.v4 = { addr_from_bytes(r->v4, ADDR_LEN_V4), r->net_len },
		.v6 = { { .len = ADDR_LEN_V6 }, 64 },
	};
	memcpy(l->lease.v6.addr.b, r->v6_prefix, 8);
	l->link.addr = l->lease.mac;
	l->link.mtu = r->mtu;
}

static void unlink_from_switch(struct lan *l)
{
	link_close(l->shm);
	l->shm = NULL;
	if (l->sock >= 0)
		close(l->sock);
	if (l->ring_fd >= 0)
		close(l->ring_fd);
	if (l->ear_fd >= 0) {
		/* The switch may have it, too: closing alone would leave it in there. */
		epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, l->ear_fd, NULL);
		close(l->ear_fd);
	}
	l->sock = l->ring_fd = l->ear_fd = -1;
}

static int listen_to_switch(struct lan *l)
{
	struct epoll_event sock = { .events = EPOLLIN, .data.fd = l->sock };
	struct epoll_event ear = { .events = EPOLLIN | EPOLLET, .data.fd = l->ear_fd };

	if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, l->sock, &sock) < 0 ||
	    epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, l->ear_fd, &ear) < 0)
		return -errno;
	return 0;
}

/* Asks the switch at @sock, the link's from now on, for a port. */
static int join(struct lan *l, int sock)
{
	struct lan_request q = { .op = LAN_OP_JOIN, .number = l->lease.number, .net_len = l->net.prefix_len };
	struct sharedmem_config c = { .pool = l->pool, .kick = kick, .drain = drain, .ctx = l, .fd = l->epoll_fd };
	struct lan_reply r;
	int passed[LAN_JOIN_FDS], err;

	memcpy(q.net, l->net.addr.b, 4);
	err = ask(sock, &q, &r, passed);
	if (!err && (passed[LAN_JOIN_FDS - 1] < 0 || !lease_ok(&r)))
		err = -EPROTO;
	if (err) {
		close_passed(passed);
		close(sock);
		return err;
	}
	l->sock = sock;
	l->ring_fd = passed[LAN_FD_RING];
	l->ear_fd = passed[LAN_FD_EAR];
	err = sharedmem_region_map(&c.region, passed[LAN_FD_REGION]);
	if (!err) {
		c.mtu = r.mtu;
		l->shm = sharedmem_new(&c);
		if (!l->shm) {
			sharedmem_region_free(&c.region);
			err = -EPROTO;
		}
	}
	if (!err)
		err = listen_to_switch(l);
	if (err) {
		unlink_from_switch(l);
		return err;
	}
	set_lease(l, &r);
	link_attach(l->shm, &l->sink);
	return 0;
}

static int start_switch(struct lan *l)
{
	struct lan_hub_config h = { .name = l->name, .dirfd = l->dirfd, .net = l->net, .mtu = l->mtu };
	int err;

	if (h.net.prefix_len == 0)
		h.net = (struct addr_prefix){ { .b = { 10, 77, 0, 0 }, .len = ADDR_LEN_V4 }, 24 };
	h.listen_fd = lan_dir_listen(l->dirfd, l->name);
	if (h.listen_fd < 0)
		return h.listen_fd;
	err = lan_hub_start(&h);
	close(h.listen_fd);
	return err;
}

/* With the lock held, so that no switch leaves and no two are started: connect, if need be to a new one. */
static int connect_and_join(struct lan *l, bool wait)
{
	const int limit_ms = wait ? WAIT_MS : RETRY_WAIT_MS;	/* a stack that runs is not to be held up */
	int lock = lan_dir_lock(l->dirfd, l->name, wait), sock, err = 0;

	if (lock < 0)
		return lock == -EWOULDBLOCK ? -ETIMEDOUT : lock;
	sock = lan_dir_connect(l->dirfd, l->name, limit_ms);
	if (sock == -ENOENT || sock == -ECONNREFUSED) {
		err = start_switch(l);
		sock = err ? err : lan_dir_connect(l->dirfd, l->name, limit_ms);
	}
	err = sock < 0 ? sock : join(l, sock);
	close(lock);
	return err;
}

static void lose(struct lan *l)
{
	unlink_from_switch(l);
	/* Not all at once. */
	timer_arm_in(l->clock, &l->retry, FIRST_RETRY_NS * (1 + l->lease.number % 16));
}

static void retry_timeout(struct timer *t)
{
	struct lan *l = container_of(t, struct lan, retry);
	struct lan_lease had = l->lease;

	if (connect_and_join(l, false)) {
		l->lease = had;
		timer_arm_in(l->clock, &l->retry, RETRY_NS);
	}
}

static void lan_shm_rx(struct link_sink *sink, struct pkt *pkt)
{
	link_deliver(&container_of(sink, struct lan, sink)->link, pkt);
}

int lan_fd(const struct link *link)
{
	return container_of(link, struct lan, link)->epoll_fd;
}

bool lan_is_joined(const struct link *link)
{
	return container_of(link, struct lan, link)->shm != NULL;
}

int lan_rx(struct link *link, int budget)
{
	struct lan *l = container_of(link, struct lan, link);
	int n = l->shm ? sharedmem_rx(l->shm, budget) : 0;

	if (n >= 0)
		return n;
	lose(l);
	return 0;
}

static enum ns_err lan_write(struct link *link, struct pkt *pkt)
{
	struct lan *l = container_of(link, struct lan, link);

	if (l->shm)
		return link_write(l->shm, pkt);
	pkt_free(pkt);
	return NS_ERR_NETWORK_UNREACHABLE;
}

static void lan_close(struct link *link)
{
	struct lan *l = container_of(link, struct lan, link);

	timer_fini(l->clock, &l->retry);
	unlink_from_switch(l);
	if (l->epoll_fd >= 0)
		close(l->epoll_fd);
	if (l->dirfd >= 0)
		close(l->dirfd);
	pkt_pool_unref(l->pool);
	free(l);
}

static const struct link_ops lan_ops = {
	.name = "lan",
	.write = lan_write,
	.close = lan_close,
};

/* The subnet without host bits; -EINVAL if it will not do. */
static int set_net(struct lan *l, const struct addr_prefix *net)
{
	uint32_t v4;

	if (net->prefix_len == 0)
		return 0;
	if (net->addr.len != ADDR_LEN_V4 || net->prefix_len < NET_LEN_MIN || net->prefix_len > NET_LEN_MAX)
		return -EINVAL;
	memcpy(&v4, net->addr.b, 4);
	v4 &= __builtin_bswap32(~0u << (32 - net->prefix_len));
	l->net = (struct addr_prefix){ { .len = ADDR_LEN_V4 }, net->prefix_len };
	memcpy(l->net.addr.b, &v4, 4);
	return 0;
}

static const char *reason(int err)
{
	switch (err) {
	case -EEXIST: return "cannot join: it has another subnet";
	case -ENOSPC: return "cannot join: it has no room for another member";
	case -EPROTO: return "cannot join: what listens there is no switch of this version";
	default: return "cannot join";
	}
}

int lan_join(const struct lan_config *c, struct link **out, struct lan_lease *lease, char error[LAN_ERROR_MAX])
{
	struct lan *l;
	int err;

	*out = NULL;
	if (!lan_name_ok(c->name))
		return fail(error, c->name ? c->name : "", "not a network's name", -EINVAL);
	l = calloc(1, sizeof(*l));
	if (!l)
		return fail(error, c->name, "cannot make a link", -ENOMEM);
	l->clock = c->clock;
	l->pool = pkt_pool_ref(c->pool);
	l->sock = l->ring_fd = l->ear_fd = l->dirfd = -1;
	l->sink.rx = lan_shm_rx;
	l->link.ops = &lan_ops;
	l->link.caps = LINK_CAP_ETHERNET;
	l->mtu = c->mtu ? c->mtu : DEFAULT_MTU;
	timer_init(&l->retry, retry_timeout);
	memcpy(l->name, c->name, strlen(c->name) + 1);
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	err = l->epoll_fd < 0 ? fail(error, c->name, "cannot make a link", -errno) : 0;
	if (!err && (set_net(l, &c->net) || l->mtu < MIN_MTU || l->mtu > SHAREDMEM_MTU_MAX))
		err = fail(error, c->name, "a subnet or MTU that makes no sense", -EINVAL);
	if (!err && (l->dirfd = lan_dir_open(c->dir)) < 0)
		err = fail(error, c->name, "cannot use the directory of networks", l->dirfd);
	if (!err && (err = connect_and_join(l, true)))
		fail(error, c->name, reason(err), err);
	if (err) {
		lan_close(&l->link);
		return err;
	}
	*out = &l->link;
	*lease = l->lease;
	return 0;
}

/* One request to a running network. */
static int about_port(const char *dir, const char *name, struct lan_request *q, struct lan_reply *r)
{
	int dirfd, sock, passed[LAN_JOIN_FDS], err;

	if (!lan_name_ok(name))
		return -EINVAL;
	dirfd = lan_dir_open(dir);
	if (dirfd < 0)
		return dirfd;
	sock = lan_dir_connect(dirfd, name, WAIT_MS);
	close(dirfd);
	if (sock < 0)
		return sock == -ECONNREFUSED ? -ENOENT : sock;
	err = ask(sock, q, r, passed);
	close_passed(passed);
	close(sock);
	return err;
}

static struct lan_impair impair_of(const struct impair_dir *d)
{
	if (!d)
		return (struct lan_impair){ .leave = 1 };
	return (struct lan_impair){
		.loss = d->loss, .duplicate = d->duplicate, .corrupt = d->corrupt, .reorder = d->reorder,
		.delay_ns = d->delay_ns, .jitter_ns = d->jitter_ns, .reorder_ns = d->reorder_ns,
		.rate_bps = d->rate_bps, .queue_pkts = d->queue_pkts,
	};
}

int lan_impair(const char *dir, const char *name, uint32_t number, const struct impair_dir *out,
	       const struct impair_dir *in)
{
	struct lan_request q = { .op = LAN_OP_IMPAIR, .number = number, .out = impair_of(out), .in = impair_of(in) };
	struct lan_reply r;

	return about_port(dir, name, &q, &r);
}

int lan_get_info(const char *dir, const char *name, uint32_t number, struct lan_info *info)
{
	struct lan_request q = { .op = LAN_OP_INFO, .number = number };
	struct lan_reply r;
	int err = about_port(dir, name, &q, &r);

	if (!err)
		*info = (struct lan_info){
			.members = r.members, .sent = r.sent, .received = r.received, .full = r.full, .lost = r.lost,
			.refused = r.refused, .forged = r.forged,
		};
	return err;
}
