/* ioctl(2) on sockets: queues (tcp(7), udp(7)) and interfaces (netdevice(7)). */
#include <errno.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>

#include "socket/impl.h"

static const struct nic_addr *first_v4(const struct nic *nic)
{
	list_for_each(n, &nic->addrs) {
		const struct nic_addr *a = container_of(n, struct nic_addr, list);

		if (a->addr.len == ADDR_LEN_V4)
			return a;
	}
	return NULL;
}

static void put_v4(struct sockaddr *out, const struct addr *a)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET };

	memcpy(&v4.sin_addr, a->b, ADDR_LEN_V4);
	memcpy(out, &v4, sizeof(v4));
}

uint32_t sock_nic_flags(const struct nic *nic)
{
	uint32_t flags = IFF_RUNNING;

	if (nic->enabled)
		flags |= IFF_UP;
	if (nic->promiscuous)
		flags |= IFF_PROMISC;
	if (nic_is_loopback(nic))
		return flags | IFF_LOOPBACK;
	return flags | (nic->link->addr.len ? IFF_BROADCAST | IFF_MULTICAST
					    : IFF_POINTOPOINT | IFF_NOARP | IFF_MULTICAST);
}

static int if_addr(const struct nic *nic, struct ifreq *r)
{
	const struct nic_addr *a = first_v4(nic);

	if (!a)
		return -EADDRNOTAVAIL;
	put_v4(&r->ifr_addr, &a->addr);
	return 0;
}

static int if_netmask(const struct nic *nic, struct ifreq *r)
{
	const struct nic_addr *a = first_v4(nic);
	struct addr ones = addr_v4(255, 255, 255, 255), mask;

	if (!a)
		return -EADDRNOTAVAIL;
	mask = addr_prefix_bits(&ones, a->prefix_len);
	put_v4(&r->ifr_netmask, &mask);
	return 0;
}

static int if_broadcast(const struct nic *nic, struct ifreq *r)
{
	const struct nic_addr *a = first_v4(nic);
	struct addr none = addr_v4(0, 0, 0, 0);

	if (!a)
		return -EADDRNOTAVAIL;
	put_v4(&r->ifr_broadaddr, a->broadcast ? &a->broadcast->addr : &none);
	return 0;
}

static int if_flags(const struct nic *nic, struct ifreq *r)
{
	r->ifr_flags = (short)sock_nic_flags(nic);
	return 0;
}

static int if_mtu(const struct nic *nic, struct ifreq *r)
{
	r->ifr_mtu = (int)nic_mtu(nic, NET_IPV4);
	return 0;
}

static int if_hwaddr(const struct nic *nic, struct ifreq *r)
{
	memset(&r->ifr_hwaddr, 0, sizeof(r->ifr_hwaddr));
	r->ifr_hwaddr.sa_family = sock_nic_hatype(nic);
	memcpy(r->ifr_hwaddr.sa_data, nic->link->addr.b, nic->link->addr.len);
	return 0;
}

uint16_t sock_nic_hatype(const struct nic *nic)
{
	if (nic_is_loopback(nic))
		return ARPHRD_LOOPBACK;
	return nic->link->addr.len ? ARPHRD_ETHER : ARPHRD_NONE;
}

static int if_index(const struct nic *nic, struct ifreq *r)
{
	r->ifr_ifindex = (int)nic->id;
	return 0;
}

static int if_metric(const struct nic *nic, struct ifreq *r)
{
	(void)nic;
	r->ifr_metric = 0;
	return 0;
}

static const struct {
	unsigned long request;
	int (*get)(const struct nic *nic, struct ifreq *r);
} if_requests[] = {
	{ SIOCGIFADDR, if_addr }, { SIOCGIFNETMASK, if_netmask }, { SIOCGIFBRDADDR, if_broadcast },
	{ SIOCGIFFLAGS, if_flags }, { SIOCGIFMTU, if_mtu }, { SIOCGIFHWADDR, if_hwaddr },
	{ SIOCGIFINDEX, if_index }, { SIOCGIFMETRIC, if_metric },
};

/* SIOCGIFCONF: a row for each IPv4 address. */
static int if_conf(struct stack *s, void *data, size_t *len)
{
	size_t n = 0;

	list_for_each(node, &s->nics) {
		const struct nic *nic = container_of(node, struct nic, list);

		list_for_each(an, &nic->addrs) {
			const struct nic_addr *a = container_of(an, struct nic_addr, list);
			struct ifreq r = { 0 };

			if (a->addr.len != ADDR_LEN_V4 || n + sizeof(r) > *len)
				continue;
			memcpy(r.ifr_name, nic->name, sizeof(nic->name));
			put_v4(&r.ifr_addr, &a->addr);
			memcpy((char *)data + n, &r, sizeof(r));
			n += sizeof(r);
		}
	}
	*len = n;
	return 0;
}

static int if_name(struct stack *s, struct ifreq *r)
{
	struct nic *nic = r->ifr_ifindex > 0 ? nic_find(s, (uint32_t)r->ifr_ifindex) : NULL;

	if (!nic)
		return -ENODEV;
	memcpy(r->ifr_name, nic->name, sizeof(nic->name));
	return 0;
}

static int if_request(struct stack *s, unsigned long request, void *data, size_t *len)
{
	struct ifreq r;
	struct nic *nic;
	int err;

	if (request == SIOCGIFCONF)
		return if_conf(s, data, len);
	if (*len < sizeof(r))
		return -EINVAL;
	memcpy(&r, data, sizeof(r));
	r.ifr_name[sizeof(r.ifr_name) - 1] = 0;
	*len = sizeof(r);
	if (request == SIOCGIFNAME) {
		err = if_name(s, &r);
		memcpy(data, &r, sizeof(r));
		return err;
	}
	for (size_t i = 0; i < sizeof(if_requests) / sizeof(if_requests[0]); i++) {
		if (if_requests[i].request != request)
			continue;
		nic = nic_find_name(s, r.ifr_name);
		if (!nic)
			return -ENODEV;
		err = if_requests[i].get(nic, &r);
		memcpy(data, &r, sizeof(r));
		return err;
	}
	return -ENOTTY;
}

static int get_queue(struct sock *k, unsigned long request, int *v)
{
	enum sockopt opt;
	int64_t n = 0;
	enum ns_err err;

	switch (request) {
	case FIONREAD:
		if (k->listening)
			return -EINVAL;
		opt = SOCKOPT_RECEIVE_QUEUE_SIZE;
		break;
	case SIOCOUTQ:
		if (k->listening)
			return -EINVAL;
		opt = SOCKOPT_SEND_QUEUE_SIZE;
		break;
	case SIOCOUTQNSD:
		opt = SOCKOPT_SEND_QUEUE_UNSENT;
		break;
	case SIOCATMARK:
		opt = SOCKOPT_AT_MARK;
		break;
	default:
		return -ENOTTY;
	}
	err = endpoint_get_int(k->ep, opt, &n);
	if (err == NS_ERR_UNKNOWN_PROTOCOL_OPTION)
		return -ENOTTY;
	*v = (int)n;
	return -ns_err_errno(err);
}

int sock_ioctl(struct stack *s, struct sock *k, unsigned long request, void *data, size_t *len)
{
	int v, r;

	if (k) {
		r = get_queue(k, request, &v);
		if (r != -ENOTTY) {
			if (!r && *len < sizeof(v))
				return -EINVAL;
			*len = sizeof(v);
			if (!r)
				memcpy(data, &v, sizeof(v));
			return r;
		}
	}
	return if_request(s, request, data, len);
}
