/* A link on an interface of the kernel, over the packet handler. */
#include "link/packet_link.h"

#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "header/vnet.h"
#include "link/packet_link_filter.h"
#include "link/packet_ring.h"
#include "link/vnet_pkt.h"

enum { DEFAULT_BUFFER = 8 << 20 };

struct packet_link {
	struct link link;
	struct pkt_pool *pool;
	struct packet_ring *ring;
	char iface[IFNAMSIZ];
	bool share;
	uint64_t refused;
};

static int fail(char *error, const char *iface, const char *what, int err)
{
	snprintf(error, PACKET_LINK_ERROR_MAX, "%.20s: %s: %s", iface, what, strerror(-err));
	return err;
}

static bool is_on(const char *format, const char *iface)
{
	char path[128], value = '0';
	int fd;

	snprintf(path, sizeof(path), format, iface);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (read(fd, &value, 1) != 1)
		value = '0';
	close(fd);
	return value != '0';
}

static bool same(const struct addr *a, const struct sockaddr *sa)
{
	if (sa->sa_family == AF_INET)
		return a->len == ADDR_LEN_V4 && memcmp(a->b, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, 4) == 0;
	return sa->sa_family == AF_INET6 && a->len == ADDR_LEN_V6 &&
	       memcmp(a->b, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, 16) == 0;
}

/* Whether the kernel would leave what is for these addresses alone. */
static int check_addrs(const char *iface, const struct addr *addrs, int n, char *error)
{
	bool v4 = false, v6 = false;
	struct ifaddrs *all;
	int err = 0;

	if (n < 0 || n > PACKET_LINK_MAX_ADDRS)
		return fail(error, iface, "too many addresses", -E2BIG);
	if (getifaddrs(&all) < 0)
		return fail(error, iface, "cannot ask for the kernel's addresses", -errno);
	for (int i = 0; i < n && !err; i++) {
		v4 |= addrs[i].len == ADDR_LEN_V4;
		v6 |= addrs[i].len == ADDR_LEN_V6;
		for (const struct ifaddrs *a = all; a && !err; a = a->ifa_next)
			if (a->ifa_addr && same(&addrs[i], a->ifa_addr))
				err = fail(error, iface, "the kernel has an address of the stack and would answer for it",
					   -EADDRINUSE);
	}
	freeifaddrs(all);
	if (!err && ((v4 && is_on("/proc/sys/net/ipv4/conf/%s/forwarding", iface)) ||
		     (v6 && is_on("/proc/sys/net/ipv6/conf/all/forwarding", iface))))
		err = fail(error, iface, "the kernel forwards packets and would answer for the stack's addresses", -EBUSY);
	return err;
}

static int device_facts(struct packet_link *p, const struct packet_link_config *c, char *error)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err = 0;
	struct ifreq ifr = { 0 };

	if (fd < 0)
		return fail(error, c->iface, "cannot ask for the MTU", -errno);
	memcpy(ifr.ifr_name, p->iface, sizeof(p->iface));
	if (ioctl(fd, SIOCGIFMTU, &ifr) < 0)
		err = fail(error, c->iface, "no such interface", -errno);
	p->link.mtu = (uint32_t)ifr.ifr_mtu;
	if (!err && ioctl(fd, SIOCGIFHWADDR, &ifr) < 0)
		err = fail(error, c->iface, "cannot ask for the link address", -errno);
	if (!err && ifr.ifr_hwaddr.sa_family != PACKET_RING_LINK_ETHERNET)
		err = fail(error, c->iface, "no Ethernet", -EINVAL);
	close(fd);
	if (err)
		return err;
	if (c->share) {
		p->link.addr.len = LINK_ADDR_LEN;
		memcpy(p->link.addr.b, ifr.ifr_hwaddr.sa_data, LINK_ADDR_LEN);
	} else if (c->mac.len) {
		p->link.addr = c->mac;
	} else {
		p->link.addr.len = LINK_ADDR_LEN;
		if (getrandom(p->link.addr.b, LINK_ADDR_LEN, 0) != LINK_ADDR_LEN)
			return fail(error, c->iface, "no random link address", -EIO);
		p->link.addr.b[0] = (uint8_t)((p->link.addr.b[0] & ~1) | 2);	/* a station's, locally made */
	}
	return link_addr_is_unicast(&p->link.addr) ? 0 : fail(error, c->iface, "not a station's link address", -EINVAL);
}

static int open_ring(struct packet_link *p, const struct packet_link_config *c, char *error)
{
	struct packet_ring_config rc = packet_ring_default_config();
	struct sock_filter filter[PACKET_LINK_FILTER_MAX];
	char why[PACKET_RING_ERROR_MAX];
	int err;

	rc.immediate = rc.vnet_hdr = rc.nonblock = true;
	rc.direction = PACKET_RING_IN;
	rc.promiscuous = !c->share;
	rc.buffer_size = c->buffer_bytes ? c->buffer_bytes : DEFAULT_BUFFER;
	rc.filter = filter;
	rc.filter_len = c->share ? packet_link_filter_share(filter, &p->link.addr, c->addrs, c->naddrs)
				 : packet_link_filter_own(filter, &p->link.addr);
	err = packet_ring_open(c->iface, &rc, &p->ring, why);
	if (err)
		snprintf(error, PACKET_LINK_ERROR_MAX, "%s", why);
	return err;
}

/* Groups of IPv6 neighbours are no groups of the kernel's: without promiscuous mode the interface may not let
 * them in. */
static int all_groups(struct packet_link *p, char *error)
{
	struct packet_mreq m = { .mr_ifindex = packet_ring_ifindex(p->ring), .mr_type = PACKET_MR_ALLMULTI };

	if (p->share &&
	    setsockopt(packet_ring_fd(p->ring), SOL_PACKET, PACKET_ADD_MEMBERSHIP, &m, sizeof(m)) < 0)
		return fail(error, p->iface, "cannot receive all groups", -errno);
	return 0;
}

int packet_link_fd(const struct link *l)
{
	return packet_ring_fd(container_of(l, struct packet_link, link)->ring);
}

static struct pkt *take(struct packet_link *p, const uint8_t *data, const struct packet_ring_info *info)
{
	struct pkt *pkt;

	if (info->cap_len < info->len || packet_ring_vlan_valid(info->status)) {
		p->refused++;
		return NULL;
	}
	pkt = pkt_from_bytes(p->pool, data, info->cap_len);
	if (pkt && !vnet_pkt_take(pkt, VNET_HDR_LEN)) {
		p->refused++;
		pkt_free(pkt);
		pkt = NULL;
	}
	return pkt;
}

int packet_link_rx(struct link *l, int budget)
{
	struct packet_link *p = container_of(l, struct packet_link, link);
	struct packet_ring_info info;
	int n = 0, r = 0;
	uint8_t *data;

	while (n < budget && (r = packet_ring_read(p->ring, false, &data, &info)) > 0) {
		struct pkt *pkt = take(p, data, &info);

		n++;
		if (pkt)
			link_deliver(&p->link, pkt);
	}
	if (n == 0 && r == PACKET_RING_WOULD_POLL) {
		socklen_t len = sizeof(int);
		int err = 0;

		/* Readable and nothing to read: the interface went down or away. */
		if (getsockopt(packet_link_fd(l), SOL_SOCKET, SO_ERROR, &err, &len) == 0 && err)
			return -err;
	}
	return n || r == PACKET_RING_WOULD_POLL ? n : r;
}

static enum ns_err packet_link_write(struct link *l, struct pkt *pkt)
{
	struct packet_link *p = container_of(l, struct packet_link, link);
	struct iovec iov[PKT_MAX_FRAGS + 1];
	enum ns_err err = NS_OK;
	int64_t r;

	if (!vnet_pkt_push(pkt, VNET_HDR_LEN)) {
		pkt_free(pkt);
		return NS_ERR_NO_MEMORY;
	}
	do
		r = packet_ring_writev(p->ring, iov, pkt_iov(pkt, iov), 0, 0);
	while (r == -EINTR);
	if (r < 0)
		err = r == -EAGAIN ? NS_ERR_WOULD_BLOCK
		      : r == -ENOBUFS || r == -ENOMEM ? NS_ERR_NO_BUFFER_SPACE
		      : r == -EMSGSIZE ? NS_ERR_MESSAGE_TOO_LONG : NS_ERR_NETWORK_UNREACHABLE;
	pkt_free(pkt);
	return err;
}

static void packet_link_close(struct link *l)
{
	struct packet_link *p = container_of(l, struct packet_link, link);

	packet_ring_free(p->ring);
	pkt_pool_unref(p->pool);
	free(p);
}

static const struct link_ops packet_link_ops = {
	.name = "packet",
	.write = packet_link_write,
	.close = packet_link_close,
};

static int set_up(struct packet_link *p, const struct packet_link_config *c, char *error)
{
	int err = device_facts(p, c, error);

	if (!err && c->share)
		err = check_addrs(p->iface, c->addrs, c->naddrs, error);
	if (!err)
		err = open_ring(p, c, error);
	if (!err)
		err = all_groups(p, error);
	return err;
}

int packet_link_open(const struct packet_link_config *c, struct link **out, char error[PACKET_LINK_ERROR_MAX])
{
	struct packet_link *p;
	int err;

	*out = NULL;
	if (!c->iface || !c->iface[0] || strlen(c->iface) >= IFNAMSIZ)
		return fail(error, c->iface ? c->iface : "", "no such interface", -ENODEV);
	p = calloc(1, sizeof(*p));
	if (!p)
		return fail(error, c->iface, "cannot make a link", -ENOMEM);
	memcpy(p->iface, c->iface, strlen(c->iface));
	p->pool = pkt_pool_ref(c->pool);
	p->share = c->share;
	p->link.ops = &packet_link_ops;
	p->link.hdr_len = VNET_HDR_LEN;
	/* The kernel finishes checksums and cuts super-segments, if the interface does not. */
	p->link.caps = LINK_CAP_ETHERNET | LINK_CAP_TX_CSUM | LINK_CAP_TSO4 | LINK_CAP_TSO6;
	p->link.gso_max = 65535;
	err = set_up(p, c, error);
	if (err)
		packet_link_close(&p->link);
	else
		*out = &p->link;
	return err;
}

int packet_link_set_addrs(struct link *l, const struct addr *addrs, int naddrs, char error[PACKET_LINK_ERROR_MAX])
{
	struct packet_link *p = container_of(l, struct packet_link, link);
	struct sock_filter filter[PACKET_LINK_FILTER_MAX];
	int err;

	if (!p->share)
		return 0;
	err = check_addrs(p->iface, addrs, naddrs, error);
	if (!err)
		err = packet_ring_set_bpf(p->ring, filter, packet_link_filter_share(filter, &p->link.addr, addrs, naddrs));
	return err;
}

struct packet_link_stats packet_link_get_stats(struct link *l)
{
	struct packet_link *p = container_of(l, struct packet_link, link);
	struct packet_ring_stats s = packet_ring_get_stats(p->ring, true);

	return (struct packet_link_stats){ s.recvs - s.drops, s.drops, p->refused };
}
