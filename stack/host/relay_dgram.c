/* Datagram sockets: a header before each datagram, both ways. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <poll.h>
#include <stdlib.h>

#include "host/bell.h"
#include "host/ring.h"

enum { BATCH = 64 };

/** struct held - a datagram for which there was no room; @msg with @len bytes after it */
struct held {
	struct stack_dgram head;
	size_t len;
	uint8_t data[];
};

static const int send_flags = MSG_DONTWAIT | MSG_NOSIGNAL;

static bool put_addr(const struct stack_addr *a, struct sockaddr_storage *out, socklen_t *len)
{
	*len = a->len;
	if (a->len > sizeof(a->bytes) || (a->len && a->len < sizeof(sa_family_t)))
		return false;
	memset(out, 0, sizeof(*out));
	memcpy(out, a->bytes, a->len);
	return true;
}

static void take_addr(struct stack_addr *out, const struct sockaddr_storage *a, socklen_t len)
{
	out->len = len <= sizeof(out->bytes) ? len : 0;
	memcpy(out->bytes, a, out->len);
}

/* From the pair's header; false: no program's library wrote that. */
static bool parse_head(const struct stack_dgram *d, size_t n, struct sock_msg *m, int *flags)
{
	socklen_t local_len;

	if (n < sizeof(*d) || d->size != sizeof(*d) || d->nip_opts > sizeof(m->ip_opts) || !put_addr(&d->peer, &m->addr, &m->addr_len) ||
	    !put_addr(&d->local, &m->local, &local_len) || d->tos > 255 || d->ttl > 255)
		return false;
	m->flags = 0;
	if (d->flags & STACK_DGRAM_PKTINFO)
		m->flags |= SOCK_MSG_PKTINFO;
	if (d->flags & STACK_DGRAM_TOS)
		m->flags |= SOCK_MSG_TOS;
	if (d->flags & STACK_DGRAM_TTL)
		m->flags |= SOCK_MSG_TTL;
	if (d->flags & STACK_DGRAM_RETOPTS)
		m->flags |= SOCK_MSG_RETOPTS;
	if (d->flags & STACK_DGRAM_STAMP)
		m->flags |= SOCK_MSG_STAMP;
	m->stamping = d->stamping;
	m->nip_opts = (uint8_t)d->nip_opts;
	memcpy(m->ip_opts, d->ip_opts, d->nip_opts);
	m->ifindex = d->ifindex;
	m->segment = d->segment;
	m->tos = (int)d->tos;
	m->ttl = (int)d->ttl;
	*flags = (d->flags & STACK_DGRAM_MORE ? MSG_MORE : 0) |
		 (d->flags & STACK_DGRAM_CONFIRM ? MSG_CONFIRM : 0);
	return true;
}

/* One datagram from the program. False: there is none. */
static bool up_one(struct relay *r)
{
	struct host *h = r->host;
	struct stack_dgram *d = (struct stack_dgram *)h->scratch;
	ssize_t n = recv(r->fd, h->scratch, HOST_SCRATCH, MSG_DONTWAIT);
	bool bound = r->k->bound;
	struct sock_msg m;
	struct iovec iov;
	int flags;

	if (n < 0 || (n == 0 && (r->ready & RELAY_PAIR_CLOSED || r->shut & RELAY_SHUT_RD))) {
		r->ready &= ~(uint32_t)RELAY_PAIR_IN;
		return false;
	}
	if (!parse_head(d, (size_t)n, &m, &flags)) {
		h->counters.datagrams_malformed++;
		return true;
	}
	iov = (struct iovec){ h->scratch + sizeof(*d), (size_t)n - sizeof(*d) };
	if (sock_send(r->k, &iov, 1, &m, flags) < 0)
		h->counters.datagrams_not_sent++;
	else if (!bound)
		relay_show(r);
	return true;
}

uint32_t relay_dgram_flags(uint32_t flags)
{
	static const struct {
		uint32_t sock, dgram;
	} same[] = {
		{ SOCK_MSG_PKTINFO, STACK_DGRAM_PKTINFO }, { SOCK_MSG_TOS, STACK_DGRAM_TOS }, { SOCK_MSG_TTL, STACK_DGRAM_TTL },
		{ SOCK_MSG_TIME, STACK_DGRAM_TIME }, { SOCK_MSG_TIME_NS, STACK_DGRAM_TIME_NS },
		{ SOCK_MSG_TIME_NEW, STACK_DGRAM_TIME_NEW }, { SOCK_MSG_STAMP, STACK_DGRAM_STAMP },
		{ SOCK_MSG_DST, STACK_DGRAM_DST },
		{ SOCK_MSG_RECVOPTS, STACK_DGRAM_RECVOPTS }, { SOCK_MSG_RETOPTS, STACK_DGRAM_RETOPTS },
	};
	uint32_t r = 0;

	for (size_t i = 0; flags && i < sizeof(same) / sizeof(same[0]); i++)
		r |= flags & same[i].sock ? same[i].dgram : 0;
	return r;
}

/* All of it, asked for or not: the program may ask before it receives. */
static void make_head(const struct sock_msg *m, struct stack_dgram *d)
{
	*d = (struct stack_dgram){ .size = sizeof(*d), .len = (uint32_t)m->msg_len };
	take_addr(&d->peer, &m->addr, m->addr_len);
	d->flags = (uint16_t)relay_dgram_flags(m->flags);
	d->ifindex = m->ifindex;
	if (m->local.ss_family)
		take_addr(&d->local, &m->local, m->local.ss_family == AF_INET ? sizeof(struct sockaddr_in)
								       : sizeof(struct sockaddr_in6));
	d->nip_opts = m->nip_opts;
	memcpy(d->ip_opts, m->ip_opts, m->nip_opts);
	d->tos = (uint32_t)m->tos;
	d->ttl = (uint32_t)m->ttl;
	d->wall_ns = m->wall_ns;
}

/* What PACKET_AUXDATA tells. */
static void add_aux(const struct sock_msg *m, size_t captured, struct stack_dgram *d)
{
	d->flags |= STACK_DGRAM_AUX | (m->csum == PKT_CSUM_VALID ? STACK_DGRAM_CHECKED : 0) |
		    (m->csum == PKT_CSUM_PARTIAL ? STACK_DGRAM_UNSUMMED : 0);
	d->ttl = m->net_off;
	d->tos = (uint32_t)captured;
}

/* To the program. False: no room; it is held. */
static bool push(struct relay *r, struct stack_dgram *d, uint8_t *data, size_t len)
{
	struct iovec iov[] = { { d, sizeof(*d) }, { data, len } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };
	struct held *held;

	if (sendmsg(r->fd, &m, send_flags) >= 0 || errno != EAGAIN)
		return true;	/* what cannot be sent at all is lost, as datagrams may be */
	relay_full(r);
	held = malloc(sizeof(*held) + len);
	if (!held) {
		r->host->counters.out_of_memory++;
		return false;
	}
	held->head = *d;
	held->len = len;
	memcpy(held->data, data, len);
	r->extra = held;
	return false;
}

static bool push_held(struct relay *r)
{
	struct held *held = r->extra;
	bool done;

	if (!held)
		return true;
	r->extra = NULL;
	done = push(r, &held->head, held->data, held->len);
	free(held);
	return done;
}

static bool down_one(struct relay *r)
{
	struct iovec iov = { r->host->scratch, HOST_SCRATCH };
	struct stack_dgram d;
	struct sock_msg m = { 0 };
	ssize_t n;

	if (r->ring)
		return ring_take(r);
	n = sock_recv(r->k, &iov, 1, &m, 0);
	if (n < 0) {
		if (n != -EAGAIN) {
			relay_put_error(r, (int)-n);
			bell_ring(r, true);
		}
		r->ready &= ~(uint32_t)RELAY_STACK_IN;
		return false;
	}
	make_head(&m, &d);
	if (r->k->domain == AF_PACKET)
		add_aux(&m, (size_t)n, &d);
	return push(r, &d, r->host->scratch, (size_t)n);
}

void relay_dgram_wake(struct relay *r)
{
	struct stack_dgram d = { .size = sizeof(d), .flags = STACK_DGRAM_ERROR };

	if (!r->extra)
		push(r, &d, r->host->scratch, 0);
}

static bool has_failed(const struct relay *r)
{
	const struct stack_board_entry *e = board_look(&r->host->board, r->board);

	return e->error || (e->flags & STACK_BOARD_ERRQUEUE);
}

/* Something has happened to the socket: say so on the board, and wake readers once. It may be on the board already, which is
 * no word to anybody. */
static void tell_error(struct relay *r)
{
	bool more = has_failed(r), before = r->told_error && more;

	r->ready &= ~(uint32_t)RELAY_STACK_ERR;
	relay_note_error(r);
	relay_show(r);
	r->told_error = has_failed(r);
	if (!before && r->told_error)
		relay_dgram_wake(r);
	bell_ring(r, more);
}

static void dgram_turn(struct relay *r)
{
	int n = 0;

	if (r->ready & RELAY_STACK_ERR)
		tell_error(r);
	while ((r->ready & RELAY_PAIR_IN) && n < BATCH && up_one(r))
		n++;
	if (r->ready & RELAY_PAIR_CLOSED) {
		/* What was written before the close has been sent, unless there is more of it. */
		if (n == BATCH)
			loop_wake(&r->host->loop, &r->src);
		else
			relay_close(r);
		return;
	}
	if (r->ready & RELAY_PAIR_OUT && push_held(r))
		for (int i = 0; i < BATCH && (r->ready & RELAY_STACK_IN) && down_one(r); i++)
			n = i + 1 == BATCH ? BATCH : n;
	if (n == BATCH)
		loop_wake(&r->host->loop, &r->src);
}

static void dgram_end(struct relay *r)
{
	free(r->extra);
	r->extra = NULL;
}

const struct relay_ops relay_dgram_ops = {
	.name = "datagrams",
	.turn = dgram_turn,
	.end = dgram_end,
};
