/*
 * The switch of a lan.
 *
 * One thread, one epoll. A member's socket is readable when it asks something or is gone, its bell when it has put
 * something into its ring. That is passed on in turns of BUDGET frames, so that one member that floods does not keep
 * the others waiting. Nothing here waits for a member: sends do not block, nor do bells, and a full ring drops.
 */
#include "link/lan_hub.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/hash.h"
#include "link/lan_advert.h"
#include "link/lan_bell.h"
#include "link/lan_dir.h"
#include "link/lan_proto.h"
#include "link/lan_switch.h"
#include "link/sharedmem.h"

enum {
	BUDGET = 64, EVENTS = 64, ADVERT_S = 200, FIRST_MEMBER_S = 10, RETRY_MS = 100, MAX_PEERS = LAN_MAX_MEMBERS + 32,
	QUEUE_PKTS_MAX = 65536,
};

/** struct source - what the epoll has of a member: his socket or his bell */
struct source {
	struct member *member;
	bool bell;
};

/**
 * struct member - somebody who is connected
 * @number: 0 until he has joined
 * @hung_up: his socket has ended, but there may be frames of his; @gone: done with
 */
struct member {
	struct list node;
	struct hub *hub;
	int fd;
	struct lan_bells bells;
	struct source socket, bell;
	uint32_t number;
	struct link *shm;
	struct lan_port *port;
	bool hung_up, gone;
};

struct hub {
	struct lan_hub_config config;
	struct clock clock;
	struct pkt_pool *pool;
	struct lan_switch *sw;
	int epoll_fd;
	struct list members;
	uint32_t peers, joined;
	bool ever_joined;
	int64_t started_ns;
	struct timer advert;
	struct link_addr mac;
	struct addr prefix;
};

static void set_clock(struct hub *h)
{
	struct timespec m, w;

	clock_gettime(CLOCK_MONOTONIC, &m);
	clock_gettime(CLOCK_REALTIME, &w);
	clock_set(&h->clock, m.tv_sec * NS_PER_SEC + m.tv_nsec, w.tv_sec * NS_PER_SEC + w.tv_nsec);
}

/* The same name gives the same addresses, whoever starts the switch. */
static void choose_addresses(struct hub *h)
{
	static const struct hash_key key = { { 0x736f636b7368696dull, 0x6c616e } };
	uint64_t x = siphash(&key, h->config.name, strlen(h->config.name));

	h->mac = (struct link_addr){ { 2, 's', 's', (uint8_t)x, (uint8_t)(x >> 8), 0 }, LINK_ADDR_LEN };
	h->prefix = (struct addr){ .len = ADDR_LEN_V6 };
	h->prefix.b[0] = 0xfd;			/* RFC 4193 */
	memcpy(h->prefix.b + 1, &x, 5);
	h->prefix.b[7] = 1;
}

static struct link_addr member_mac(const struct hub *h, uint32_t number)
{
	struct link_addr mac = h->mac;

	mac.b[5] = (uint8_t)number;
	return mac;
}

static struct member *find(struct hub *h, uint32_t number)
{
	list_for_each(n, &h->members) {
		struct member *m = container_of(n, struct member, node);

		if (m->number == number && number && !m->gone)
			return m;
	}
	return NULL;
}

static uint32_t last_number(const struct hub *h)
{
	uint32_t hosts = h->config.net.prefix_len < 24 ? 254 : (1u << (32 - h->config.net.prefix_len)) - 2;

	return hosts < LAN_MAX_MEMBERS ? hosts : LAN_MAX_MEMBERS;
}

/* A number for who joins: what he wants, if it is free; 0: there is none. */
static uint32_t free_number(struct hub *h, uint32_t wanted)
{
	if (wanted)
		return wanted <= last_number(h) && !find(h, wanted) ? wanted : 0;
	for (uint32_t n = 1; n <= last_number(h); n++)
		if (!find(h, n))
			return n;
	return 0;
}

static void advertise(struct hub *h, struct lan_port *port)
{
	struct pkt *pkt = lan_advert_new(h->pool, &h->mac, &h->prefix, h->config.mtu);

	if (!pkt)
		return;
	if (port)
		lan_port_send(port, pkt);
	else
		lan_switch_send(h->sw, pkt);
}

static void advert_timeout(struct timer *t)
{
	struct hub *h = container_of(t, struct hub, advert);

	advertise(h, NULL);
	timer_arm_in(&h->clock, &h->advert, ADVERT_S * NS_PER_SEC);
}

static void switch_rx(void *ctx, struct lan_port *port, struct pkt *pkt)
{
	if (lan_advert_is_solicited(pkt))
		advertise(ctx, port);
}

/* @pass: LAN_JOIN_FDS descriptors, or NULL */
static void reply(struct member *m, struct lan_reply *r, const int *pass)
{
	const size_t bytes = LAN_JOIN_FDS * sizeof(int);
	union {
		struct cmsghdr h;
		char space[CMSG_SPACE(LAN_JOIN_FDS * sizeof(int))];
	} control = { .h = { .cmsg_len = CMSG_LEN(bytes), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
	struct iovec iov = { r, sizeof(*r) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	r->magic = LAN_MAGIC;
	r->version = LAN_VERSION;
	if (pass) {
		memcpy(CMSG_DATA(&control.h), pass, bytes);
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control.space);
	}
	if (sendmsg(m->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)sizeof(*r))
		m->gone = true;
}

static void member_kick(void *ctx)
{
	lan_bell_ring(((struct member *)ctx)->bells.to);
}

static bool member_hush(void *ctx)
{
	struct member *m = ctx;

	return lan_bell_hush(m->bells.from) && !m->hung_up;
}

static int bells_add(struct hub *h, struct member *m)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = &m->bell };
	int err = lan_bells_new(&m->bells);

	if (!err && epoll_ctl(h->epoll_fd, EPOLL_CTL_ADD, m->bells.from, &ev) < 0)
		err = -errno;
	return err;
}

static void bells_remove(struct hub *h, struct member *m)
{
	/* The member has it, too: closing alone would leave it in there. */
	if (m->bells.from >= 0)
		epoll_ctl(h->epoll_fd, EPOLL_CTL_DEL, m->bells.from, NULL);
	lan_bells_free(&m->bells);
}

static int attach(struct hub *h, struct member *m, uint32_t number, struct lan_reply *r)
{
	struct link_addr mac = member_mac(h, number);
	struct sharedmem_config c = {
		.first = true, .pool = h->pool, .mtu = h->config.mtu, .kick = member_kick, .drain = member_hush, .ctx = m,
	};
	uint32_t v4;
	int err = bells_add(h, m);

	if (!err)
		err = sharedmem_region_new(&c.region, LAN_RING_BYTES);
	if (err) {
		bells_remove(h, m);
		return err;
	}
	c.fd = m->bells.from;
	m->shm = sharedmem_new(&c);
	if (!m->shm) {
		sharedmem_region_free(&c.region);
		bells_remove(h, m);
		return -ENOMEM;
	}
	m->port = lan_switch_add(h->sw, m->shm, &mac);
	if (!m->port) {
		m->shm = NULL;
		bells_remove(h, m);
		return -ENOMEM;
	}
	m->number = number;
	h->joined++;
	h->ever_joined = true;
	memcpy(&v4, h->config.net.addr.b, 4);
	v4 = __builtin_bswap32(__builtin_bswap32(v4) | number);
	memcpy(r->v4, &v4, 4);
	memcpy(r->mac, mac.b, LINK_ADDR_LEN);
	memcpy(r->v6_prefix, h->prefix.b, 8);
	r->number = number;
	r->net_len = h->config.net.prefix_len;
	r->mtu = h->config.mtu;
	reply(m, r, (int[LAN_JOIN_FDS]){ c.region.fd, m->bells.from, m->bells.ear });
	advertise(h, m->port);
	return 0;
}

static void join(struct hub *h, struct member *m, const struct lan_request *q, struct lan_reply *r)
{
	bool other_net = q->net_len && (q->net_len != h->config.net.prefix_len ||
					memcmp(q->net, h->config.net.addr.b, 4) != 0);
	uint32_t number = m->number || other_net ? 0 : free_number(h, q->number);

	r->err = m->number ? EISCONN : other_net ? EEXIST : !number ? q->number ? EADDRINUSE : ENOSPC
	       : -attach(h, m, number, r);
	if (r->err)
		reply(m, r, NULL);
}

static struct impair_dir impair_of(const struct lan_impair *i)
{
	return (struct impair_dir){
		.loss = i->loss, .duplicate = i->duplicate, .corrupt = i->corrupt, .reorder = i->reorder,
		.delay_ns = i->delay_ns, .jitter_ns = i->jitter_ns, .reorder_ns = i->reorder_ns,
		.rate_bps = i->rate_bps, .queue_pkts = i->queue_pkts,
	};
}

static bool impair_ok(const struct lan_impair *i)
{
	const int64_t most = 3600 * NS_PER_SEC;

	return i->delay_ns >= 0 && i->delay_ns <= most && i->jitter_ns >= 0 && i->jitter_ns <= most &&
	       i->reorder_ns >= 0 && i->reorder_ns <= most && i->queue_pkts <= QUEUE_PKTS_MAX;
}

/* About a port: INFO, IMPAIR. */
static void about_port(struct hub *h, struct member *m, const struct lan_request *q, struct lan_reply *r)
{
	struct member *of = find(h, q->number);
	struct lan_port_stats s;

	r->err = !of ? ENOENT : q->op == LAN_OP_IMPAIR && !(impair_ok(&q->out) && impair_ok(&q->in)) ? EINVAL : 0;
	if (!r->err && q->op == LAN_OP_IMPAIR) {
		struct impair_dir out = impair_of(&q->out), in = impair_of(&q->in);


		lan_port_impair(of->port, q->out.leave ? NULL : &out, q->in.leave ? NULL : &in);
	} else if (!r->err) {
		s = lan_port_get_stats(of->port);
		r->members = h->joined;
		r->sent = s.sent;
		r->received = s.received;
		r->full = s.full;
		r->lost = s.lost;
		r->refused = s.refused;
		r->forged = s.forged;
	}
	reply(m, r, NULL);
}

static void serve(struct member *m, const struct lan_request *q)
{
	struct lan_reply r = { .op = q->op };

	if (q->magic != LAN_MAGIC || q->version != LAN_VERSION) {
		r.err = EPROTONOSUPPORT;
		reply(m, &r, NULL);
		m->gone = true;
	} else if (q->op == LAN_OP_JOIN) {
		join(m->hub, m, q, &r);
	} else if (q->op == LAN_OP_IMPAIR || q->op == LAN_OP_INFO) {
		about_port(m->hub, m, q, &r);
	} else {
		r.err = EOPNOTSUPP;
		reply(m, &r, NULL);
	}
}

/* Reads what a member sent until there is no more. */
static void serve_all(struct member *m)
{
	struct lan_request q;
	ssize_t n;

	for (int i = 0; i < BUDGET && !m->gone && !m->hung_up; i++) {
		n = recv(m->fd, &q, sizeof(q), MSG_DONTWAIT | MSG_TRUNC);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (n == (ssize_t)sizeof(q))
			serve(m, &q);
		else if (n <= 0)
			m->hung_up = true;
		else
			m->gone = true;		/* he speaks nonsense */
	}
}

static void member_free(struct member *m)
{
	struct hub *h = m->hub;

	list_remove(&m->node);
	if (m->port)
		lan_switch_remove(m->port);
	h->joined -= m->number != 0;
	h->peers--;
	bells_remove(h, m);
	close(m->fd);
	free(m);
}

static struct member *member_new(struct hub *h, int fd)
{
	struct member *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->hub = h;
	m->fd = fd;
	m->bells = (struct lan_bells){ -1, -1, -1 };
	m->socket.member = m->bell.member = m;
	m->bell.bell = true;
	return m;
}

static void accept_all(struct hub *h)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	int fd;

	while ((fd = accept4(h->config.listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
		struct epoll_event ev = { .events = EPOLLIN };
		struct member *m = NULL;

		if (h->peers < MAX_PEERS && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
		    peer.uid == geteuid())
			m = member_new(h, fd);
		ev.data.ptr = m ? &m->socket : NULL;
		if (!m || epoll_ctl(h->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0) {
			free(m);
			close(fd);
			continue;
		}
		h->peers++;
		list_push_back(&h->members, &m->node);
	}
}

static void member_ready(const struct source *s)
{
	struct member *m = s->member;

	if (!s->bell)
		serve_all(m);
	/* Who hung up has said all he will: it is passed on before he goes. */
	if (m->shm && (s->bell || m->hung_up) && sharedmem_rx(m->shm, BUDGET) < 0)
		m->gone = true;
	if (m->hung_up && !m->shm)
		m->gone = true;
}

/* Whether the switch is to end now: nobody is there, and nobody is about to come. */
static bool leave(struct hub *h)
{
	int lock;

	if (h->peers || (!h->ever_joined && h->clock.now_ns - h->started_ns < FIRST_MEMBER_S * NS_PER_SEC))
		return false;
	lock = lan_dir_lock(h->config.dirfd, h->config.name, false);
	if (lock < 0)
		return false;	/* somebody joins */
	accept_all(h);
	if (!h->peers)
		lan_dir_unlink(h->config.dirfd, h->config.name);
	close(lock);
	return !h->peers;
}

static int timeout_ms(struct hub *h)
{
	int64_t next = clock_next(&h->clock), ms = next == CLOCK_NEVER ? 60000 : (next - h->clock.now_ns) / NS_PER_MS + 1;

	if (next <= h->clock.now_ns)
		return 0;
	if (!h->peers && ms > RETRY_MS)
		return RETRY_MS;
	return ms > 60000 ? 60000 : (int)ms;
}

static void turn(struct hub *h)
{
	struct epoll_event ev[EVENTS];
	int n = epoll_wait(h->epoll_fd, ev, EVENTS, timeout_ms(h));

	set_clock(h);
	for (int i = 0; i < n; i++) {
		if (ev[i].data.ptr)
			member_ready(ev[i].data.ptr);
		else
			accept_all(h);
	}
	clock_run(&h->clock);
	/* Not before: frames may be on their way to them. */
	list_for_each_safe(node, &h->members) {
		struct member *m = container_of(node, struct member, node);

		if (m->gone)
			member_free(m);
	}
}

int lan_hub_run(const struct lan_hub_config *c)
{
	struct epoll_event ev = { .events = EPOLLIN };
	struct hub h = { .config = *c };
	struct lan_switch_config sc = { .clock = &h.clock, .rx = switch_rx, .ctx = &h };
	int err = 0;

	if (getrandom(&sc.seed, sizeof(sc.seed), 0) != sizeof(sc.seed))
		return -EIO;
	clock_init(&h.clock, 0, 0);
	set_clock(&h);
	h.started_ns = h.clock.now_ns;
	list_init(&h.members);
	choose_addresses(&h);
	timer_init(&h.advert, advert_timeout);
	timer_arm_in(&h.clock, &h.advert, ADVERT_S * NS_PER_SEC);
	h.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	h.pool = pkt_pool_new();
	h.sw = lan_switch_new(&sc);
	if (h.epoll_fd < 0 || !h.pool || !h.sw || epoll_ctl(h.epoll_fd, EPOLL_CTL_ADD, c->listen_fd, &ev) < 0)
		err = -ENOMEM;
	while (!err && !leave(&h))
		turn(&h);
	lan_switch_free(h.sw);
	timer_fini(&h.clock, &h.advert);
	if (h.pool)
		pkt_pool_unref(h.pool);
	close(h.epoll_fd);
	close(c->listen_fd);
	close(c->dirfd);
	return err;
}
