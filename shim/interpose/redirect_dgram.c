/* redirect_dgram.c - sending and receiving on redirected datagram, raw and packet sockets.
 *
 * Each datagram has a struct stack_dgram before it, both ways. Errors that sendmsg reports at once (no route, not
 * allowed, too long) are asked for ahead of the first datagram to a destination, and again when the host's routes
 * have changed.
 */
#include "interpose/redirect.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <linux/if_packet.h>
#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <string.h>
#include <time.h>

#include "interpose/memory.h"
#include "interpose/redirect_control.h"
#include "run/sys.h"

#define SMALL_VECTOR	16
#define VECTOR_MAX	1024
#define SEGMENTS_MAX	128	/* UDP_SEGMENT: Linux's UDP_MAX_SEGMENTS */
#define DATAGRAM_MAX	65507
#define FITS_ALWAYS	1232	/* a datagram that no path is too narrow for: the least MTU of IPv6 less its headers */

enum { ORIGDSTADDR6 = 74 };	/* IPV6_ORIGDSTADDR */

static int take_error(const struct target *t)
{
	return UNLIKELY(t->e && __atomic_load_n(&t->e->error, __ATOMIC_ACQUIRE)) ? redirect_take_error(t) : 0;
}

/* The header's place and the program's vector behind it. */
static bool copy_vector(struct iovec *v, struct stack_dgram *d, const struct msghdr *m)
{
	size_t bytes = m->msg_iovlen * sizeof(*v);

	v[0] = (struct iovec){ d, sizeof(*d) };
	if (!bytes)
		return true;
	if (!(m->msg_flags & REDIRECT_OWN))
		return memory_read(v + 1, m->msg_iov, bytes);
	memcpy(v + 1, m->msg_iov, bytes);
	return true;
}

/* --- control messages of the program's */

static bool int_value(const struct cmsghdr *c, uint32_t *out)
{
	int v;

	if (c->cmsg_len < CMSG_LEN(sizeof(v))) {
		if (c->cmsg_len != CMSG_LEN(1))
			return false;
		*out = *CMSG_DATA(c);	/* IP_TOS of a byte is taken as well */
		return true;
	}
	memcpy(&v, CMSG_DATA(c), sizeof(v));
	*out = (uint32_t)v;
	return true;
}

static int take_pktinfo(struct stack_dgram *d, const struct cmsghdr *c)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	struct in_pktinfo p4;
	struct in6_pktinfo p6;

	if (c->cmsg_level == IPPROTO_IP && c->cmsg_len == CMSG_LEN(sizeof(p4))) {
		memcpy(&p4, CMSG_DATA(c), sizeof(p4));
		in.sin_addr = p4.ipi_spec_dst;
		d->ifindex = (uint32_t)p4.ipi_ifindex;
		memcpy(d->local.bytes, &in, d->local.len = sizeof(in));
	} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_len >= CMSG_LEN(sizeof(p6))) {
		memcpy(&p6, CMSG_DATA(c), sizeof(p6));
		in6.sin6_addr = p6.ipi6_addr;
		d->ifindex = p6.ipi6_ifindex;
		memcpy(d->local.bytes, &in6, d->local.len = sizeof(in6));
	} else {
		return -EINVAL;
	}
	d->flags |= STACK_DGRAM_PKTINFO;
	return 0;
}

static int take_control_message(void *ctx, const struct cmsghdr *c)
{
	struct stack_dgram *d = ctx;
	bool v4 = c->cmsg_level == IPPROTO_IP, v6 = c->cmsg_level == IPPROTO_IPV6;

	if ((v4 && c->cmsg_type == IP_PKTINFO) || (v6 && c->cmsg_type == IPV6_PKTINFO))
		return take_pktinfo(d, c);
	if ((v4 && c->cmsg_type == IP_TTL) || (v6 && c->cmsg_type == IPV6_HOPLIMIT)) {
		d->flags |= STACK_DGRAM_TTL;
		return int_value(c, &d->ttl) && d->ttl <= 255 && (d->ttl || v6) ? 0 : -EINVAL;
	}
	if ((v4 && c->cmsg_type == IP_TOS) || (v6 && c->cmsg_type == IPV6_TCLASS)) {
		d->flags |= STACK_DGRAM_TOS;
		return int_value(c, &d->tos) && d->tos <= 255 ? 0 : -EINVAL;
	}
	if (c->cmsg_level == SOL_SOCKET && (c->cmsg_type == SCM_TIMESTAMPING || c->cmsg_type == NEW_STAMP)) {
		d->flags |= STACK_DGRAM_STAMP;
		return control_take_stamping(c, &d->stamping);
	}
	if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_SEGMENT) {
		uint16_t bytes;

		if (c->cmsg_len != CMSG_LEN(sizeof(bytes)))
			return -EINVAL;
		memcpy(&bytes, CMSG_DATA(c), sizeof(bytes));
		d->segment = bytes;
		return 0;
	}
	if (v4 && c->cmsg_type == IP_RETOPTS) {
		d->flags |= STACK_DGRAM_RETOPTS;
		d->nip_opts = (uint32_t)(c->cmsg_len - CMSG_LEN(0));
		if (d->nip_opts > sizeof(d->ip_opts))
			d->nip_opts = sizeof(d->ip_opts);
		memcpy(d->ip_opts, CMSG_DATA(c), d->nip_opts);
		return 0;
	}
	return v4 || v6 || c->cmsg_level == IPPROTO_UDP ? -EINVAL : 0;	/* of SOL_SOCKET: nothing that a datagram could not do without */
}

/* --- sending */

static uint64_t hash_of(const struct stack_addr *a, uint32_t gen, size_t bytes)
{
	uint64_t h = 0xcbf29ce484222325ull ^ gen ^ (bytes > FITS_ALWAYS ? bytes << 32 : 0);

	for (uint32_t i = 0; i < a->len; i++)
		h = (h ^ a->bytes[i]) * 0x100000001b3ull;
	return h | 1;
}

/* What sendmsg would say at once. */
static int check(const struct target *t, const struct stack_addr *to, size_t bytes)
{
	uint64_t h = hash_of(to, board.head ? __atomic_load_n(&board.head->route_gen, __ATOMIC_RELAXED) : 0, bytes);
	struct client_request q = { .op = STACK_OP_CHECK, .cookie = t->s->stack_cookie, .arg = { (int64_t)bytes },
				    .data = to->bytes, .len = to->len };
	int err;

	if (LIKELY(h == t->s->stack_checked))
		return 0;
	err = client_ask(&q);
	t->s->stack_checked = err ? 0 : h;
	return err;
}

static int destination(const struct target *t, const struct msghdr *m, struct stack_addr *to)
{
	struct sockaddr_storage ss;
	int err;

	if (!m->msg_name || !m->msg_namelen)
		return 0;
	err = redirect_get_addr(&ss, m->msg_name, (int)m->msg_namelen);
	if (err)
		return err;
	to->len = m->msg_namelen < STACK_ADDR_MAX ? m->msg_namelen : STACK_ADDR_MAX;
	memcpy(to->bytes, &ss, to->len);
	if (UNLIKELY(!traffic_is_all(&client.traffic)) && !traffic_takes(&client.traffic, (struct sockaddr *)&ss, to->len)) {
		err = redirect_to_kernel(t);
		return err ? err : 1;
	}
	return 0;
}

static long send_with(const struct target *t, struct iovec *v, size_t n, int flags)
{
	struct msghdr h = { .msg_iov = v, .msg_iovlen = n };
	ssize_t r = LIBC(sendmsg)(t->fd, &h, flags), head = sizeof(struct stack_dgram);

	if (r < 0)
		return (errno == EPIPE || errno == ECONNRESET) && client_host_gone() ? -ENETDOWN : -errno;
	return r >= head ? r - head : -EMSGSIZE;
}

long dgram_send(const struct target *t, struct msghdr *m, int flags)
{
	struct stack_dgram d = { .size = sizeof(d) };
	struct iovec small[SMALL_VECTOR + 1], *v = small;
	size_t bytes = 0;
	ssize_t r;
	int err;

	if (!t->e || client.gone)
		return -ENETDOWN;
	if (flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (m->msg_iovlen > VECTOR_MAX)
		return -EMSGSIZE;
	err = destination(t, m, &d.peer);
	if (err > 0) {		/* it is the kernel's from now on */
		r = LIBC(sendmsg)(t->fd, m, flags);
		return r < 0 ? -errno : r;
	}
	if (!err)
		err = control_each(m, take_control_message, &d);
	/* As Linux: raw sockets go on sending. */
	if (!err && !redirect_is_raw(t->s))
		err = -take_error(t);
	if (err)
		return err;
	if (m->msg_iovlen > SMALL_VECTOR)
		v = __builtin_alloca((m->msg_iovlen + 1) * sizeof(*v));
	if (!copy_vector(v, &d, m))
		return -EFAULT;
	for (size_t i = 1; i <= m->msg_iovlen; i++)
		bytes += v[i].iov_len;
	if (d.segment && bytes > (size_t)d.segment * SEGMENTS_MAX)
		return -EINVAL;
	err = check(t, &d.peer, d.segment && bytes > d.segment && bytes <= DATAGRAM_MAX ? d.segment : bytes);
	if (err)
		return err;
	if (flags & MSG_MORE)
		d.flags |= STACK_DGRAM_MORE;
	if (flags & MSG_CONFIRM)
		d.flags |= STACK_DGRAM_CONFIRM;
	d.len = (uint32_t)bytes;
	r = send_with(t, v, m->msg_iovlen + 1, flags & (MSG_DONTWAIT | MSG_NOSIGNAL));
	if (UNLIKELY(flags & MSG_ZEROCOPY) && r > 0 && (__atomic_load_n(&t->e->flags, __ATOMIC_ACQUIRE) & STACK_BOARD_COPIES))
		redirect_ask(t, STACK_OP_COPIED, 0, 0);
	return r;
}

/* --- control messages to the program */

/* ipv4_pktinfo_prepare(): which interface it was is looked up when an IPv4 datagram is queued, if it is asked for by then. */
static void put_pktinfo4(struct control *c, const struct stack_dgram *d)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)d->local.bytes;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)d->local.bytes;
	struct in_pktinfo p = { .ipi_addr = in->sin_addr };

	if (d->local.len >= sizeof(*in6))
		memcpy(&p.ipi_addr, &in6->sin6_addr.s6_addr[12], sizeof(p.ipi_addr));
	if (d->flags & STACK_DGRAM_PKTINFO) {
		p.ipi_ifindex = (int)d->ifindex;
		p.ipi_spec_dst = p.ipi_addr;
	}
	control_put(c, IPPROTO_IP, IP_PKTINFO, &p, sizeof(p));
}

static void put_pktinfo6(struct control *c, const struct stack_dgram *d)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)d->local.bytes;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)d->local.bytes;
	struct in6_pktinfo p = { 0 };

	if (d->local.len >= sizeof(*in6)) {
		p.ipi6_addr = in6->sin6_addr;
	} else {
		p.ipi6_addr.s6_addr[10] = p.ipi6_addr.s6_addr[11] = 0xff;
		memcpy(&p.ipi6_addr.s6_addr[12], &in->sin_addr, 4);
	}
	if (d->flags & STACK_DGRAM_PKTINFO || !IN6_IS_ADDR_V4MAPPED(&p.ipi6_addr))
		p.ipi6_ifindex = d->ifindex;
	control_put(c, IPPROTO_IPV6, IPV6_PKTINFO, &p, sizeof(p));
}

/* PACKET_AUXDATA */
static void put_aux(struct control *c, const struct stack_dgram *d)
{
	struct tpacket_auxdata aux = {
		.tp_status = TP_STATUS_USER | (d->flags & STACK_DGRAM_CHECKED ? TP_STATUS_CSUM_VALID : 0) |
			     (d->flags & STACK_DGRAM_UNSUMMED ? TP_STATUS_CSUMNOTREADY : 0),
		.tp_len = d->len, .tp_snaplen = d->tos, .tp_net = (uint16_t)d->ttl,
	};

	control_put(c, SOL_PACKET, PACKET_AUXDATA, &aux, sizeof(aux));
}

/* IP_RETOPTS: of the options that came, those that an answer carries too, padded to whole words. */
static void put_retopts(struct control *c, const struct stack_dgram *d)
{
	uint8_t out[sizeof(d->ip_opts)] = { 0 };
	size_t n = 0, len;

	for (size_t at = 0; at + 1 < d->nip_opts && d->ip_opts[at] != IPOPT_EOL; at += len) {
		len = d->ip_opts[at] == IPOPT_NOOP ? 1 : d->ip_opts[at + 1];
		if (len < 1 || at + len > d->nip_opts)
			break;
		if (d->ip_opts[at] != IPOPT_RR && d->ip_opts[at] != IPOPT_TIMESTAMP)
			continue;
		memcpy(out + n, d->ip_opts + at, len);
		n += len;
	}
	control_put(c, IPPROTO_IP, IP_RETOPTS, out, (n + 3) / 4 * 4);
}

/* An IPv4 datagram on an IPv6 socket. */
static bool is_mapped(const struct stack_addr *a)
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)a->bytes;

	return in6->sin6_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr);
}

/* IP_ORIGDSTADDR: the address and port that it was sent to. */
static void put_destination(struct control *c, const struct stack_dgram *d)
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)d->local.bytes;
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = in6->sin6_port };

	if (is_mapped(&d->local)) {
		memcpy(&in.sin_addr, &in6->sin6_addr.s6_addr[12], sizeof(in.sin_addr));
		control_put(c, IPPROTO_IP, IP_ORIGDSTADDR, &in, sizeof(in));
	} else if (in6->sin6_family == AF_INET6) {
		control_put(c, IPPROTO_IPV6, ORIGDSTADDR6, in6, sizeof(*in6));
	} else {
		control_put(c, IPPROTO_IP, IP_ORIGDSTADDR, d->local.bytes, sizeof(in));
	}
}

/* What is asked for now, whenever the datagram came. */
static void put_all_messages(struct control *c, const struct target *t, const struct stack_dgram *d, uint32_t asks, uint32_t asks6)
{
	bool family6 = sockshim_cookie_family(t->s->cookie) == AF_INET6, v6 = family6 && !is_mapped(&d->peer);
	int ttl = (int)d->ttl, tos = (int)d->tos;
	uint8_t tos_byte = (uint8_t)d->tos;
	uint32_t tell = v6 ? asks6 : asks;

	control_put_times(c, tell, d->wall_ns);
	if (d->flags & STACK_DGRAM_AUX) {
		if (tell & STACK_DGRAM_AUX)
			put_aux(c, d);
		return;
	}
	if (family6 && (asks6 & STACK_DGRAM_PKTINFO))
		put_pktinfo6(c, d);
	if (!v6 && (tell & STACK_DGRAM_PKTINFO))
		put_pktinfo4(c, d);
	if (tell & STACK_DGRAM_TTL)
		control_put(c, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_HOPLIMIT : IP_TTL, &ttl, sizeof(ttl));
	if ((tell & STACK_DGRAM_TOS) && v6)
		control_put(c, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof(tos));
	else if (tell & STACK_DGRAM_TOS)
		control_put(c, IPPROTO_IP, IP_TOS, &tos_byte, sizeof(tos_byte));
	if (d->nip_opts > sizeof(d->ip_opts))
		return;
	if (d->nip_opts && (tell & STACK_DGRAM_RECVOPTS))
		control_put(c, IPPROTO_IP, IP_RECVOPTS, d->ip_opts, d->nip_opts);
	if (d->nip_opts && (tell & STACK_DGRAM_RETOPTS))
		put_retopts(c, d);
	if (tell & STACK_DGRAM_DST)
		put_destination(c, d);
}

/* --- receiving */

static size_t put_name(struct msghdr *m, const struct stack_addr *from)
{
	size_t n = from->len <= STACK_ADDR_MAX ? from->len : 0;

	if (m->msg_name) {
		size_t room = m->msg_namelen;

		if (n && !memory_write(m->msg_name, from->bytes, n < room ? n : room))
			return 0;
		m->msg_namelen = (socklen_t)n;
	}
	return n;
}

/* The error queue's entry, of which `n` bytes of payload follow: as many as there is room for. How many, or -EFAULT. */
static long put_payload(struct msghdr *m, const uint8_t *payload, size_t n)
{
	size_t at = 0;

	for (size_t i = 0; i < m->msg_iovlen && at < n; i++) {
		struct iovec v;
		size_t part;

		if (!memory_read(&v, &m->msg_iov[i], sizeof(v)))
			return -EFAULT;
		part = n - at < v.iov_len ? n - at : v.iov_len;
		if (part && !memory_write(v.iov_base, payload + at, part))
			return -EFAULT;
		at += part;
	}
	if (at < n)
		m->msg_flags |= MSG_TRUNC;
	return (long)at;
}

static void put_error_messages(struct control *c, const struct stack_errqueue *got, int family)
{
	struct { struct sock_extended_err ee; uint8_t offender[sizeof(struct sockaddr_in6)]; } e = {
		.ee = { .ee_errno = got->ee_errno, .ee_origin = got->origin, .ee_type = got->type, .ee_code = got->code,
			.ee_info = got->info, .ee_data = got->data },
	};
	struct stack_dgram way = { .flags = STACK_DGRAM_PKTINFO, .local = got->dest, .ifindex = got->ifindex };
	bool v6 = family == AF_INET6;
	int ttl = got->ttl;

	control_put_times(c, got->flags, got->wall_ns);
	if (family == AF_PACKET) {
		control_put(c, SOL_PACKET, PACKET_TX_TIMESTAMP, &e.ee, sizeof(e.ee));
		return;
	}
	memcpy(e.offender, got->offender.bytes, got->offender.len < sizeof(e.offender) ? got->offender.len : sizeof(e.offender));
	if ((got->flags & STACK_DGRAM_PKTINFO) && v6)
		put_pktinfo6(c, &way);
	else if (got->flags & STACK_DGRAM_PKTINFO)
		put_pktinfo4(c, &way);
	if (got->ttl)
		control_put(c, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_HOPLIMIT : IP_TTL, &ttl, sizeof(ttl));
	control_put(c, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_RECVERR : IP_RECVERR, &e,
		    sizeof(e.ee) + (v6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in)));
}

static long recv_error(const struct target *t, struct msghdr *m)
{
	struct { struct stack_errqueue head; uint8_t payload[1536]; } got;
	struct client_request q = { .op = STACK_OP_ERRQUEUE, .cookie = t->s->stack_cookie, .out = &got,
				    .room = sizeof(got), .arg = { sizeof(got.payload) } };
	struct control c = { .m = m, .room = m->msg_control ? m->msg_controllen : 0 };
	int err;
	long n;

	/* If there is more of them the host says so again. */
	redirect_error_taken(t);
	err = client_ask(&q);
	if (err)
		return err;
	if (q.out_len < sizeof(got.head) || q.out_len > sizeof(got))
		return -EAGAIN;
	m->msg_flags = MSG_ERRQUEUE;
	n = put_payload(m, got.payload, q.out_len - sizeof(got.head));
	if (n < 0)
		return n;
	if (got.head.origin == SO_EE_ORIGIN_TIMESTAMPING)
		m->msg_namelen = 0;
	else
		put_name(m, &got.head.dest);
	put_error_messages(&c, &got.head, sockshim_cookie_family(t->s->cookie));
	m->msg_controllen = c.used;
	return n;
}

/* One message from the pair, its header apart. Its payload's length (with MSG_TRUNC: all of it), or -errno; 1 in *news: it was
 * none, but the word that there is an error. */
static long recv_with(const struct target *t, struct stack_dgram *d, struct msghdr *m, int flags, bool *news)
{
	struct iovec small[SMALL_VECTOR + 1], *v = small;
	struct msghdr h = { .msg_iovlen = m->msg_iovlen + 1 };
	ssize_t r;

	*news = false;
	if (m->msg_iovlen > SMALL_VECTOR)
		v = __builtin_alloca((m->msg_iovlen + 1) * sizeof(*v));
	if (!copy_vector(v, d, m))
		return -EFAULT;
	h.msg_iov = v;
	r = LIBC(recvmsg)(t->fd, &h, flags & (MSG_DONTWAIT | MSG_PEEK | MSG_TRUNC));
	if (r < 0)
		return (errno == EPIPE || errno == ECONNRESET) && client_host_gone() ? redirect_down(t->s) : -errno;
	if (r == 0)
		return client_host_gone() ? redirect_down(t->s) : 0;	/* shut down for receiving */
	if (r < (ssize_t)sizeof(*d) || d->size != sizeof(*d))
		return -EPROTO;
	if (d->flags & STACK_DGRAM_ERROR) {
		if (flags & MSG_PEEK)
			redirect_is_news(t->fd, true);
		*news = true;
		return 0;
	}
	m->msg_flags = h.msg_flags & MSG_TRUNC;
	return r - (ssize_t)sizeof(*d);
}

long dgram_recv(const struct target *t, struct msghdr *m, int flags)
{
	struct control c = { .m = m, .room = m->msg_control ? m->msg_controllen : 0 };
	uint32_t asks = 0, asks6 = 0;
	struct stack_dgram d;
	bool news;
	long r;
	int err;

	if (m->msg_iovlen > VECTOR_MAX)
		return -EMSGSIZE;
	if (flags & MSG_ERRQUEUE)
		return recv_error(t, m);
	if ((flags & MSG_OOB) && redirect_is_raw(t->s))
		return -EOPNOTSUPP;
	do {
		err = take_error(t);
		if (err)
			return -err;
		d = (struct stack_dgram){ 0 };
		r = recv_with(t, &d, m, flags, &news);
	} while (news);
	if (r < 0)
		return r;
	put_name(m, &d.peer);
	if (t->e) {
		asks = __atomic_load_n(&t->e->asks, __ATOMIC_ACQUIRE);
		asks6 = __atomic_load_n(&t->e->asks6, __ATOMIC_RELAXED);
	}
	if (UNLIKELY(asks | asks6))
		put_all_messages(&c, t, &d, asks, asks6);
	m->msg_controllen = c.used;
	if ((flags & MSG_TRUNC) && d.len > (uint64_t)r)
		r = d.len;
	return r;
}
