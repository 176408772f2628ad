/* The error queue of IP_RECVERR and IPV6_RECVERR (ip(7)). */
#include "socket/impl.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <stdlib.h>

enum { ERRQUEUE_MAX = 64 };

struct sock_errqueue {
	uint32_t first, count;
	struct sock_error e[ERRQUEUE_MAX];
};

static bool wants_errors(const struct sock *k, const struct net_error *e)
{
	return k->type != SOCK_STREAM && (e->local.len == ADDR_LEN_V4 ? k->recverr : k->recverr6);
}

/* The transport header is the stack's in UDP, and the program's own in ICMP and raw sockets. */
static size_t header_len(const struct sock *k, const struct net_error *e)
{
	bool own = k->type == SOCK_RAW || k->protocol == IPPROTO_ICMP || k->protocol == IPPROTO_ICMPV6;

	return own ? 0 : e->hdr_len < 8 ? e->hdr_len : 8;
}

/* The destination as the program named it, and the bytes of its datagram that the error quotes. */
static void fill(const struct sock *k, const struct net_error *e, struct sock_error *out)
{
	struct full_addr dest = { .addr = e->remote, .port = e->rport };
	struct full_addr offender = { .addr = e->offender };
	size_t skip = header_len(k, e);

	*out = (struct sock_error){
		.ee_errno = (uint32_t)ns_err_errno(e->err), .type = e->type, .code = e->code,
		.origin = e->kind == NET_ERROR_LINK_FAILED ? SO_EE_ORIGIN_LOCAL :
			  e->local.len == ADDR_LEN_V4 ? SO_EE_ORIGIN_ICMP : SO_EE_ORIGIN_ICMP6,
		.info = e->kind == NET_ERROR_TOO_BIG ? e->mtu : 0,
		.ttl = e->ttl,
		.wall_ns = e->kind == NET_ERROR_LINK_FAILED ? 0 : k->stack->clock->wall_ns,
		.len = e->hdr_len - skip,
	};
	if (out->len > sizeof(out->payload))
		out->len = sizeof(out->payload);
	memcpy(out->payload, e->hdr + skip, out->len);
	out->dest_len = sock_addr_from_full(&dest, k->domain, &out->dest);
	if (e->offender.len)
		out->offender_len = sock_addr_from_full(&offender, k->domain, &out->offender);
}

struct sock_error *sock_new_error(struct sock *k)
{
	struct sock_errqueue *q;

	if (!k->errors)
		k->errors = calloc(1, sizeof(*k->errors));
	q = k->errors;
	return q && q->count < ERRQUEUE_MAX ? &q->e[(q->first + q->count++) % ERRQUEUE_MAX] : NULL;
}

/* As ip_local_error(): the path's MTU, or of who probes the link's, and nothing of the datagram. */
void sock_note_too_long(struct sock *k, const struct full_addr *to)
{
	struct route_key key = { .nic = k->ep->opts.bind_nic };
	struct sock_error *e;
	struct full_addr peer;
	struct route r;
	bool v4;

	if (!to && endpoint_remote_addr(k->ep, &peer))
		return;
	to = to ? to : &peer;
	key.remote = addr_unmap(&to->addr);
	v4 = key.remote.len == ADDR_LEN_V4;
	if (!(v4 ? k->recverr : k->recverr6) || route_find(k->stack, &key, &r))
		return;
	e = sock_new_error(k);
	if (e) {
		*e = (struct sock_error){
			.ee_errno = EMSGSIZE, .origin = SO_EE_ORIGIN_LOCAL,
			.info = k->pmtud == NET_PMTUD_PROBE ? nic_mtu(r.nic, v4 ? NET_IPV4 : NET_IPV6) : route_mtu(&r),
		};
		e->dest_len = sock_addr_from_full(to, k->domain, &e->dest);
		waiter_notify(&k->ep->wq, WAIT_ERR);
	}
	route_release(&r);
}

void sock_note_error(struct endpoint *ep, const struct net_error *e)
{
	struct sock *k = ep->owner;
	struct sock_error *entry = k && wants_errors(k, e) ? sock_new_error(k) : NULL;

	if (!entry)
		return;
	fill(k, e, entry);
	/* With IP_RECVERR all errors are passed on, also of sockets that are not connected. */
	k->error = ns_err_errno(e->err);
	waiter_notify(&ep->wq, WAIT_ERR);
}

bool sock_is_error(const struct sock_error *e)
{
	return e->origin != SO_EE_ORIGIN_TIMESTAMPING && e->origin != SO_EE_ORIGIN_ZEROCOPY;
}

/* The entry is the pending error as well, or was. */
static bool is_pending(const struct sock_error *e)
{
	return e->origin != SO_EE_ORIGIN_LOCAL && sock_is_error(e);
}

/* Continues the last entry's numbers, if that is another like it, as skb_zerocopy_notify_extend(). */
void sock_note_copied(struct sock *k)
{
	uint32_t number = k->copied++;
	struct sock_errqueue *q = k->errors;
	struct sock_error *e = q && q->count ? &q->e[(q->first + q->count - 1) % ERRQUEUE_MAX] : NULL;

	if (!e || e->origin != SO_EE_ORIGIN_ZEROCOPY || e->data + 1 != number) {
		e = sock_new_error(k);
		if (!e)
			return;
		*e = (struct sock_error){ .origin = SO_EE_ORIGIN_ZEROCOPY, .code = SO_EE_CODE_ZEROCOPY_COPIED, .info = number };
	}
	e->data = number;
	waiter_notify(&k->ep->wq, WAIT_ERR);
}

/* What else is told of it, by what is wanted now. ipv4_datagram_support_cmsg(): of what was sent, where from and by which
 * interface only where OPT_CMSG is set; IPv6 does not ask. */
static void tell(const struct sock *k, struct sock_error *e)
{
	bool v6 = k->domain == AF_INET6;

	if (!(k->recv_flags & (WANT_TTL | WANT_HOPLIMIT)))
		e->ttl = 0;
	e->flags = sock_time_flags(k, false);
	if (!e->wall_ns)
		e->flags &= ~(uint32_t)SOCK_MSG_STAMP;
	if (e->origin != SO_EE_ORIGIN_TIMESTAMPING)
		return;
	if (k->domain == AF_PACKET || !e->ifindex || (!v6 && !(k->stamping & SOF_TIMESTAMPING_OPT_CMSG)))
		e->offender_len = 0;
	else if (k->recv_flags & (v6 ? WANT_PKTINFO6 : WANT_PKTINFO))
		e->flags |= SOCK_MSG_PKTINFO;
}

int sock_error_pop(struct sock *k, struct sock_error *out)
{
	struct sock_errqueue *q = k->errors;

	if (!q || !q->count)
		return -EAGAIN;
	*out = q->e[q->first];
	q->first = (q->first + 1) % ERRQUEUE_MAX;
	q->count--;
	/* The error of an entry that has been read is no more news (ip(7)); the next one's is. */
	if (q->count && is_pending(&q->e[q->first]))
		k->error = (int)q->e[q->first].ee_errno;
	else if (sock_is_error(out))
		k->error = 0;
	tell(k, out);
	return 0;
}

bool sock_errors_pending(const struct sock *k)
{
	return k->errors && k->errors->count;
}

void sock_errors_free(struct sock *k)
{
	free(k->errors);
	k->errors = NULL;
}

int sock_take_error(struct sock *k)
{
	int err = k->error;

	if (err) {
		k->error = 0;
		return err;
	}
	return ns_err_errno(endpoint_take_error(k->ep));
}
