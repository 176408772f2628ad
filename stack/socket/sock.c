/* Sockets: how they come, get their names, and go. */
#include "socket/sock.h"

#include <errno.h>
#include <linux/if_arp.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>

#include "socket/opt.h"

/* What socket(2) takes: 0 in @protocol stands for @number, where @number is not 0. */
struct sock_kind {
	int type, protocol[NET_FAMILIES];
};

static const struct sock_kind sock_kinds[] = {
	{ SOCK_STREAM, { IPPROTO_TCP, IPPROTO_TCP } },
	{ SOCK_DGRAM, { IPPROTO_UDP, IPPROTO_UDP } },
	{ SOCK_DGRAM, { IPPROTO_ICMP, IPPROTO_ICMPV6 } },
};

static int find_protocol(enum net_index net, int type, int protocol)
{
	bool type_known = false;

	if (protocol < 0 || protocol > 255)
		return -EINVAL;
	/* raw(7): any protocol, but one has to be named. */
	if (type == SOCK_RAW)
		return protocol ? protocol : -EPROTONOSUPPORT;
	for (size_t i = 0; i < sizeof(sock_kinds) / sizeof(sock_kinds[0]); i++) {
		const struct sock_kind *k = &sock_kinds[i];

		if (k->type != type)
			continue;
		type_known = true;
		if (protocol == 0 || protocol == k->protocol[net])
			return k->protocol[net];
	}
	return type_known ? -EPROTONOSUPPORT : -ESOCKTNOSUPPORT;
}

struct sock *sock_wrap(struct stack *s, struct endpoint *ep, int domain, int type, int protocol)
{
	struct sock *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	*k = (struct sock){
		.ep = ep, .stack = s, .domain = domain, .type = type, .protocol = protocol,
		.rcv_lowat = 1, .pmtud = NET_PMTUD_WANT, .incoming_cpu = UINT32_MAX, .pacing_rate = UINT32_MAX,
		.kept = OPT_KEPT_FIRST,
	};
	ep->owner = k;
	ep->error_fn = sock_note_error;
	return k;
}

/* packet(7): the protocol is an Ethernet type in network byte order. */
static enum ns_err new_packet(struct stack *s, int type, int protocol, struct endpoint **ep)
{
	if (type != SOCK_RAW && type != SOCK_DGRAM)
		return NS_ERR_NOT_SUPPORTED;
	return endpoint_new_packet(s, type == SOCK_DGRAM, ntohs((uint16_t)protocol), ep);
}

int sock_new(struct stack *s, int domain, int type, int protocol, struct sock **out)
{
	enum net_index net = domain == AF_INET ? NET_IPV4 : NET_IPV6;
	struct endpoint *ep;
	enum ns_err err;
	int number = protocol;

	if (domain == AF_PACKET) {
		err = new_packet(s, type, protocol, &ep);
		if (err == NS_ERR_NOT_SUPPORTED)
			return -ESOCKTNOSUPPORT;
	} else if (domain == AF_INET || domain == AF_INET6) {
		number = find_protocol(net, type, protocol);
		if (number < 0)
			return number;
		err = type == SOCK_RAW ? endpoint_new_raw(s, net, (uint8_t)number, &ep)
				       : endpoint_new(s, net, (uint8_t)number, &ep);
	} else {
		return -EAFNOSUPPORT;
	}
	if (err)
		return err == NS_ERR_UNKNOWN_PROTOCOL ? -EPROTONOSUPPORT : -ns_err_errno(err);
	*out = sock_wrap(s, ep, domain, type, number);
	if (!*out) {
		endpoint_close(ep);
		return -ENOMEM;
	}
	return 0;
}

static void sock_free(struct sock *k)
{
	k->ep->owner = NULL;
	k->ep->error_fn = NULL;
	tx_stamper_remove(&k->stamper);
	endpoint_close(k->ep);
	sock_errors_free(k);
	free(k);
}

void sock_close(struct sock *k)
{
	sock_free(k);
}

void sock_abort(struct sock *k, int err)
{
	if (k->ep->ops->abort)
		k->ep->ops->abort(k->ep);
	k->error = err;
	waiter_notify(&k->ep->wq, WAIT_ERR | WAIT_HUP | WAIT_IN | WAIT_OUT);
}

int sock_bind(struct sock *k, const struct sockaddr *a, socklen_t len)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct full_addr f;
	enum ns_err err;
	int r;

	/* ip(7): AF_UNSPEC is taken for AF_INET if the address is INADDR_ANY. */
	if (k->domain == AF_INET && len >= sizeof(v4) && a->sa_family == AF_UNSPEC) {
		memcpy(&v4, a, sizeof(v4));
		if (v4.sin_addr.s_addr != INADDR_ANY)
			return -EAFNOSUPPORT;
		v4.sin_family = AF_INET;
		a = (const struct sockaddr *)&v4;
	}
	r = sock_addr_to_full(a, len, k->domain, &f);
	if (r)
		return r;
	err = endpoint_bind(k->ep, &f);
	if (!err)
		k->bound = true;
	if (err == NS_ERR_ALREADY_BOUND || err == NS_ERR_INVALID_ENDPOINT_STATE)
		return -EINVAL;
	return -ns_err_errno(err);
}

static int connect_err(enum ns_err err)
{
	switch (err) {
	case NS_ERR_CONNECT_STARTED:
		return -EINPROGRESS;
	case NS_ERR_ALREADY_CONNECTING:
		return -EALREADY;
	case NS_ERR_ALREADY_CONNECTED:
		return -EISCONN;
	default:
		return -ns_err_errno(err);
	}
}

int sock_connect(struct sock *k, const struct sockaddr *a, socklen_t len)
{
	struct full_addr f;
	enum ns_err err;
	int r;

	if (!a || len < sizeof(a->sa_family))
		return -EINVAL;
	if (k->domain == AF_PACKET)
		return -EOPNOTSUPP;
	if (a->sa_family == AF_UNSPEC) {
		err = endpoint_disconnect(k->ep);
		if (!err)
			k->connected = k->connecting = false;
		return -ns_err_errno(err);
	}
	r = sock_addr_to_full(a, len, k->domain, &f);
	if (r)
		return r;
	if (k->error)
		return -sock_take_error(k);
	sock_unicast_if(k, &f);
	err = endpoint_connect(k->ep, &f);
	k->connecting = err == NS_ERR_CONNECT_STARTED || err == NS_ERR_ALREADY_CONNECTING;
	if (!err || err == NS_ERR_ALREADY_CONNECTED)
		k->connected = true;
	return connect_err(err);
}

int sock_listen(struct sock *k, int backlog)
{
	enum ns_err err;

	if (k->type != SOCK_STREAM)
		return -EOPNOTSUPP;
	err = endpoint_listen(k->ep, backlog);
	if (!err)
		k->listening = true;
	return err == NS_ERR_INVALID_ENDPOINT_STATE ? -EINVAL : -ns_err_errno(err);
}

static void put_addr(const struct full_addr *f, int domain, struct sockaddr *a, socklen_t *len)
{
	struct sockaddr_storage ss;
	socklen_t full = sock_addr_from_full(f, domain, &ss);

	if (a)
		memcpy(a, &ss, *len < full ? *len : full);
	*len = full;
}

int sock_accept(struct sock *k, struct sock **out, struct sockaddr *peer, socklen_t *len)
{
	struct full_addr f;
	struct endpoint *ep;
	enum ns_err err;

	if (k->type != SOCK_STREAM)
		return -EOPNOTSUPP;
	err = endpoint_accept(k->ep, &ep, &f);
	if (err)
		return err == NS_ERR_INVALID_ENDPOINT_STATE ? -EINVAL : -ns_err_errno(err);
	*out = sock_wrap(k->stack, ep, k->domain, k->type, k->protocol);
	if (!*out) {
		endpoint_close(ep);
		return -ENOMEM;
	}
	(*out)->connected = true;
	(*out)->rcv_timeout = k->rcv_timeout;
	(*out)->snd_timeout = k->snd_timeout;
	(*out)->rcv_lowat = k->rcv_lowat;
	(*out)->linger = k->linger;
	(*out)->stamping = k->stamping;
	(*out)->recv_flags = k->recv_flags & (WANT_TIME | WANT_TIME_NS | WANT_TIME_NEW);
	(*out)->kept = k->kept;
	(*out)->sndbuf = k->sndbuf;
	(*out)->rcvbuf = k->rcvbuf;
	if (len)
		put_addr(&f, k->domain, peer, len);
	return 0;
}

int sock_shutdown(struct sock *k, int how)
{
	static const int hows[] = {
		[SHUT_RD] = SHUTDOWN_READ, [SHUT_WR] = SHUTDOWN_WRITE,
		[SHUT_RDWR] = SHUTDOWN_READ | SHUTDOWN_WRITE,
	};

	if (k->domain == AF_PACKET)
		return -EOPNOTSUPP;
	if (how < SHUT_RD || how > SHUT_RDWR)
		return -EINVAL;
	return -ns_err_errno(endpoint_shutdown(k->ep, hows[how]));
}

int sock_name(struct sock *k, bool peer, struct sockaddr *a, socklen_t *len)
{
	struct sockaddr_storage ss;
	struct full_addr f;
	socklen_t full;
	enum ns_err err = peer ? endpoint_remote_addr(k->ep, &f) : endpoint_local_addr(k->ep, &f);

	if (k->domain == AF_PACKET && peer)
		return -EOPNOTSUPP;
	if (err)
		return -ns_err_errno(err);
	if (k->domain == AF_PACKET) {
		struct packet_addr link = { .nic = f.nic, .proto = f.port };
		struct nic *nic = f.nic ? nic_find(k->stack, f.nic) : NULL;

		if (nic) {
			link.hatype = packet_hatype(nic);
			link.addr = nic->link->addr;
		}
		/* The kernel's loopback has an address, of zeros. */
		if (link.hatype == ARPHRD_LOOPBACK)
			link.addr.len = LINK_ADDR_LEN;
		sock_addr_from_link(&link, &ss);
		full = (socklen_t)offsetof(struct sockaddr_ll, sll_addr) + link.addr.len;
		memcpy(a, &ss, *len < full ? *len : full);
		*len = full;
		return 0;
	}
	/* inet_getname(): without a port it has no peer. */
	if (peer && k->type == SOCK_RAW && !f.port)
		return -ENOTCONN;
	put_addr(&f, k->domain, a, len);
	return 0;
}
