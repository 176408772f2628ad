/* Sockets: sending, receiving, readiness. */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>

#include "socket/impl.h"

enum { LINUX_TCP_CLOSE = 7, LINUX_TCP_CLOSE_WAIT = 8, LINUX_TCP_LAST_ACK = 9, LINUX_TCP_CLOSING = 11,
       LINUX_TCP_TIME_WAIT = 6 };

enum { SEGMENT_IOV = 8, SEGMENTS_MAX = 128, DATAGRAM_MAX = 65507 };

static int send_err(const struct sock *k, enum ns_err err)
{
	if (err == NS_ERR_CLOSED_FOR_SEND)
		return -EPIPE;
	if (k->type == SOCK_STREAM && !k->connecting &&
	    (err == NS_ERR_NOT_CONNECTED || err == NS_ERR_INVALID_ENDPOINT_STATE))
		return -EPIPE;		/* as Linux: a stream that is not connected is a broken pipe */
	if (k->connecting && err == NS_ERR_NOT_CONNECTED)
		return -EAGAIN;
	if (k->domain == AF_PACKET && err == NS_ERR_UNKNOWN_DEVICE)
		return -ENXIO;
	return -ns_err_errno(err);
}

void sock_unicast_if(const struct sock *k, struct full_addr *to)
{
	struct addr a = addr_unmap(&to->addr);

	if (k->type != SOCK_STREAM && !to->nic && !k->ep->opts.bind_nic && !addr_is_multicast(&a))
		to->nic = a.len == ADDR_LEN_V4 ? k->unicast_if : k->unicast_if6;
}

/* Where to and where from, as the stack has it. */
static int make_write_opts(const struct sock *k, const struct sock_msg *m, struct write_opts *o,
			   struct full_addr *to, struct full_addr *src, struct packet_addr *link)
{
	int r;

	if (!m)
		return 0;
	if (k->domain == AF_PACKET && m->addr_len) {
		r = sock_addr_to_link((const struct sockaddr *)&m->addr, m->addr_len, link);
		o->link = link;
		return r;
	}
	/* tcp(7): a stream that is connected pays no heed to an address. */
	if (m->addr_len && (k->type != SOCK_STREAM || o->fast_open)) {
		const struct sockaddr *a = (const struct sockaddr *)&m->addr;

		/* udp(7): an IPv6 socket takes IPv4 addresses too; but a raw one. */
		r = sock_addr_to_full(a, m->addr_len,
				      k->domain == AF_INET6 && a->sa_family == AF_INET && k->type != SOCK_RAW ?
				      AF_INET : k->domain,
				      to);
		if (r)
			return r;
		if (k->domain == AF_INET6 && !o->fast_open)
			to->addr = addr_map(&to->addr);
		o->to = to;
	}
	if (m->flags & SOCK_MSG_PKTINFO) {
		if (o->to && m->ifindex)
			to->nic = m->ifindex;
		if (m->local.ss_family == k->domain &&
		    !sock_addr_to_full((const struct sockaddr *)&m->local, sizeof(m->local), k->domain, src) &&
		    !addr_is_any(&src->addr))
			o->src = &src->addr;
	}
	if (o->to)
		sock_unicast_if(k, to);
	return 0;
}

/* Options that hold for one datagram: set for the call, then set back by restore_opts(). */
static int swap_opts(struct sock *k, const struct sock_msg *m, struct sock_opts *saved)
{
	struct sock_opts *o = &k->ep->opts;

	*saved = *o;
	if ((m->flags & SOCK_MSG_RETOPTS) && !ipv4_opts_make(m->ip_opts, m->nip_opts, o->ip_opts, &o->nip_opts)) {
		*o = *saved;
		return -EINVAL;
	}
	if (m->flags & SOCK_MSG_TOS)
		o->tos = o->traffic_class = (uint8_t)m->tos;
	if (m->flags & SOCK_MSG_TTL)
		o->ttl = o->hops = o->multicast_ttl = (uint8_t)m->ttl;
	return 0;
}

static void restore_opts(struct sock *k, const struct sock_opts *saved)
{
	struct sock_opts *o = &k->ep->opts;

	o->tos = saved->tos;
	o->traffic_class = saved->traffic_class;
	o->ttl = saved->ttl;
	o->hops = saved->hops;
	o->multicast_ttl = saved->multicast_ttl;
	o->nip_opts = saved->nip_opts;
	memcpy(o->ip_opts, saved->ip_opts, sizeof(o->ip_opts));
}

/* One datagram becomes several (udp(7), UDP_SEGMENT): the bytes of @iov from @from on, @bytes of them. */
static int slice(const struct iovec *iov, int iovcnt, size_t from, size_t bytes, struct iovec *out)
{
	int n = 0;

	for (int i = 0; i < iovcnt && bytes; i++) {
		size_t skip = from < iov[i].iov_len ? from : iov[i].iov_len, part = iov[i].iov_len - skip;

		from -= skip;
		if (part > bytes)
			part = bytes;
		if (part)
			out[n++] = (struct iovec){ (char *)iov[i].iov_base + skip, part };
		bytes -= part;
	}
	return n;
}

static enum ns_err write_all(struct sock *k, const struct iovec *iov, int iovcnt, const struct write_opts *o, uint32_t segment,
			     size_t *n)
{
	struct iovec part[SEGMENT_IOV];
	size_t total = 0, one = 0;
	enum ns_err err = NS_OK;

	for (int i = 0; i < iovcnt; i++)
		total += iov[i].iov_len;
	if (!segment || k->type != SOCK_DGRAM || total <= segment || iovcnt > SEGMENT_IOV)
		return endpoint_write(k->ep, iov, iovcnt, o, n);
	for (*n = 0; *n < total && !err; *n += err ? 0 : one) {
		size_t bytes = total - *n < segment ? total - *n : segment;

		err = endpoint_write(k->ep, part, slice(iov, iovcnt, *n, bytes, part), o, &one);
	}
	return *n ? NS_OK : err;
}

ssize_t sock_send(struct sock *k, const struct iovec *iov, int iovcnt, const struct sock_msg *m,
		  int flags)
{
	struct write_opts o = {
		.more = (flags & MSG_MORE) || k->cork, .end_of_record = flags & MSG_EOR,
		.oob = flags & MSG_OOB, .fast_open = flags & MSG_FASTOPEN,
	};
	struct full_addr to, src;
	struct packet_addr link;
	struct pkt_stamp stamp;
	struct sock_opts saved;
	bool swap = m && m->flags & (SOCK_MSG_TOS | SOCK_MSG_TTL | SOCK_MSG_RETOPTS);
	enum ns_err err;
	size_t n;
	int r = make_write_opts(k, m, &o, &to, &src, &link);

	if (r)
		return r;
	/* Linux looks for a pending error only where it makes the transport header: raw sockets go on sending. */
	if (k->error && k->type != SOCK_RAW)
		return -sock_take_error(k);
	if ((flags & MSG_OOB) && k->type != SOCK_STREAM)
		return -EOPNOTSUPP;
	if (swap)
		r = swap_opts(k, m, &saved);
	if (r)
		return r;
	sock_want_stamp(k, m, &stamp);
	if (stamp.taker)
		o.stamp = &stamp;
	err = write_all(k, iov, iovcnt, &o, m && m->segment ? m->segment : k->segment, &n);
	if (o.stamp)
		sock_stamp_taken(k, !err && !stamp.taker);
	if (swap)
		restore_opts(k, &saved);
	if (o.fast_open && (!err || err == NS_ERR_CONNECT_STARTED))
		k->connecting = true;
	return err ? send_err(k, err) : (ssize_t)n;
}

uint32_t sock_asks(const struct sock *k, bool v6)
{
	uint32_t want = k->recv_flags, r = sock_time_flags(k, true);

	r |= want & (v6 ? WANT_PKTINFO6 : WANT_PKTINFO) ? SOCK_MSG_PKTINFO : 0;
	r |= want & (v6 ? WANT_DST6 : WANT_DST) ? SOCK_MSG_DST : 0;
	r |= want & (v6 ? WANT_TCLASS : WANT_TOS) ? SOCK_MSG_TOS : 0;
	r |= want & (v6 ? WANT_HOPLIMIT : WANT_TTL) ? SOCK_MSG_TTL : 0;
	r |= !v6 && want & WANT_RECVOPTS ? SOCK_MSG_RECVOPTS : 0;
	r |= !v6 && want & WANT_RETOPTS ? SOCK_MSG_RETOPTS : 0;
	return r;
}

static void fill_msg(const struct sock *k, const struct read_msg *r, struct sock_msg *m)
{
	bool v4;

	m->flags = 0;
	m->addr_len = 0;
	m->msg_len = r->msg_len;
	m->csum = r->csum;
	m->net_off = r->net_off;
	if (k->type == SOCK_STREAM)
		return;
	m->addr_len = k->domain == AF_PACKET ? sock_addr_from_link(&r->link, &m->addr)
					     : sock_addr_from_full(&r->from, k->domain, &m->addr);
	/* An IPv6 socket's datagrams of IPv4 are told of by IPv4's options. */
	v4 = k->domain == AF_INET || addr_unmap(&r->to.addr).len == ADDR_LEN_V4;
	if (k->recv_flags | k->stamping)
		m->flags = sock_asks(k, !v4) | (k->recv_flags & WANT_PKTINFO6 ? SOCK_MSG_PKTINFO : 0);
	if (!r->nip_opts)
		m->flags &= ~(uint32_t)(SOCK_MSG_RECVOPTS | SOCK_MSG_RETOPTS);
	if (k->domain != AF_PACKET)
		sock_addr_from_full(&r->to, k->domain, &m->local);
	m->ifindex = r->to.nic;
	m->tos = r->tos;
	m->ttl = r->ttl;
	m->nip_opts = r->nip_opts;
	memcpy(m->ip_opts, r->ip_opts, r->nip_opts);
	m->wall_ns = r->timestamp_ns;
}

static ssize_t recv_err(const struct sock *k, enum ns_err err)
{
	if (err == NS_ERR_CLOSED_FOR_RECEIVE)
		return 0;
	if (err == NS_ERR_INVALID_ENDPOINT_STATE && k->type == SOCK_STREAM)
		return -ENOTCONN;
	return -ns_err_errno(err);
}

ssize_t sock_recv(struct sock *k, const struct iovec *iov, int iovcnt, struct sock_msg *m, int flags)
{
	struct read_msg r = {
		.iov = iov, .iovcnt = iovcnt, .peek = flags & MSG_PEEK, .oob = flags & MSG_OOB,
	};
	enum ns_err err;

	if ((flags & MSG_OOB) && k->type != SOCK_STREAM)
		return -EOPNOTSUPP;
	if (k->error)
		return -sock_take_error(k);
	err = endpoint_read(k->ep, &r);
	if (err)
		return recv_err(k, err);
	if (m)
		fill_msg(k, &r, m);
	return (flags & MSG_TRUNC) && k->type != SOCK_STREAM ? (ssize_t)r.msg_len : (ssize_t)r.n;
}

int sock_check(struct sock *k, const struct sockaddr *a, socklen_t len, size_t bytes)
{
	struct sock_msg m = { .addr_len = len };
	struct write_opts o = { 0 };
	struct full_addr to = { 0 }, src;
	struct packet_addr link;
	int r;

	if (len > sizeof(m.addr))
		return -EINVAL;
	memcpy(&m.addr, a, len);
	r = make_write_opts(k, &m, &o, &to, &src, &link);
	if (r)
		return r;
	if (!k->ep->ops->check)
		return 0;
	if (k->segment && bytes > k->segment && bytes <= DATAGRAM_MAX) {
		if (bytes > (size_t)k->segment * SEGMENTS_MAX)
			return -EINVAL;
		bytes = k->segment;
	}
	r = send_err(k, k->ep->ops->check(k->ep, &o, bytes));
	if (r == -EMSGSIZE)
		sock_note_too_long(k, o.to);
	return r;
}

static uint32_t stream_poll(struct sock *k, uint32_t r)
{
	uint32_t state = endpoint_state(k->ep);

	if (k->listening)
		return r & (POLLIN | POLLRDNORM | POLLERR);
	if (state == LINUX_TCP_CLOSE)
		return r | POLLOUT | POLLHUP | (k->connected ? POLLIN | POLLRDHUP : 0);
	if (state == LINUX_TCP_CLOSE_WAIT || state == LINUX_TCP_LAST_ACK ||
	    state == LINUX_TCP_CLOSING || state == LINUX_TCP_TIME_WAIT)
		r |= POLLRDHUP | POLLIN;
	return r;
}

uint32_t sock_poll(struct sock *k)
{
	/* enum wait_event has the values of poll(2). */
	uint32_t r = endpoint_readiness(k->ep, WAIT_ALL);

	if (k->error || sock_errors_pending(k))
		r |= POLLERR;
	return k->type == SOCK_STREAM ? stream_poll(k, r) : r;
}

void sock_outq(struct sock *k, size_t *unacked, size_t *unsent)
{
	int64_t v = 0;

	endpoint_get_int(k->ep, SOCKOPT_SEND_QUEUE_SIZE, &v);
	*unacked = v > 0 ? (size_t)v : 0;
	v = 0;
	endpoint_get_int(k->ep, SOCKOPT_SEND_QUEUE_UNSENT, &v);
	*unsent = v > 0 ? (size_t)v : 0;
}
