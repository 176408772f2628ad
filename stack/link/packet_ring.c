/* Packet handler: opening, writing, filters, statistics, closing. Reading is in packet_ring_read.c. */
#include "link/packet_ring.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "link/packet_ring_impl.h"

/* Says what failed, and returns the error. */
static int fail(char *error, const char *iface, const char *what, int err)
{
	if (error)
		snprintf(error, PACKET_RING_ERROR_MAX, "%.20s: %s: %s", iface && iface[0] ? iface : "all interfaces",
			 what, packet_ring_strerror(err));
	return err;
}

static int fail_errno(char *error, const char *iface, const char *what)
{
	return fail(error, iface, what, -errno);
}

static int attach(int fd, const struct sock_filter *filter, size_t len)
{
	struct sock_fprog prog = { .len = (unsigned short)len, .filter = (struct sock_filter *)filter };
	int none = 0;

	if (len > BPF_MAXINSNS)
		return -EINVAL;
	if (len)
		return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) < 0 ? -errno : 0;
	return setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof(none)) < 0 && errno != ENOENT ? -errno : 0;
}

static int find_interface(struct packet_ring *r, const char *iface, uint32_t *mtu, char *error)
{
	struct ifreq ifr = { 0 };

	if (!iface || !iface[0]) {
		r->config.no_link_layer = true;
		r->link_type = PACKET_RING_LINK_NONE;
		return 0;
	}
	if (strlen(iface) >= IFNAMSIZ)
		return fail(error, iface, "no such interface", -ENODEV);
	memcpy(ifr.ifr_name, iface, strlen(iface));
	if (ioctl(r->fd, SIOCGIFINDEX, &ifr) < 0)
		return fail_errno(error, iface, "no such interface");
	r->ifindex = ifr.ifr_ifindex;
	if (ioctl(r->fd, SIOCGIFHWADDR, &ifr) < 0)
		return fail_errno(error, iface, "cannot ask for the link type");
	r->link_type = ifr.ifr_hwaddr.sa_family;
	if (ioctl(r->fd, SIOCGIFMTU, &ifr) < 0)
		return fail_errno(error, iface, "cannot ask for the MTU");
	*mtu = (uint32_t)ifr.ifr_mtu;
	return 0;
}

static int open_socket(struct packet_ring *r, const char *iface, uint32_t *mtu, char *error)
{
	int flags = SOCK_CLOEXEC | (r->config.nonblock ? SOCK_NONBLOCK : 0), err;
	bool cooked = r->config.no_link_layer || !iface || !iface[0];

	/* Protocol 0 receives nothing: not before the filter and the ring are in place. */
	r->fd = socket(AF_PACKET, (cooked ? SOCK_DGRAM : SOCK_RAW) | flags, 0);
	if (r->fd < 0)
		return fail_errno(error, iface, "cannot open a packet socket");
	err = find_interface(r, iface, mtu, error);
	if (err)
		return err;
	r->break_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return r->break_fd < 0 ? fail_errno(error, iface, "cannot make an event descriptor") : 0;
}

static int set_options(struct packet_ring *r, const char *iface, char *error)
{
	struct packet_mreq promiscuous = { .mr_ifindex = r->ifindex, .mr_type = PACKET_MR_PROMISC };
	int one = 1, err;

	if (r->config.filter_len) {
		err = attach(r->fd, r->config.filter, r->config.filter_len);
		if (err)
			return fail(error, iface, "the filter is refused", err);
	}
	if (r->config.vnet_hdr && setsockopt(r->fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)) < 0)
		return fail_errno(error, iface, "virtio-net headers are refused");
	/* Only packets in: the kernel need not even show us the others. */
	if (r->config.direction == PACKET_RING_IN &&
	    setsockopt(r->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) < 0)
		return fail_errno(error, iface, "cannot choose the direction");
	if (r->config.promiscuous && r->ifindex == 0)
		return fail(error, iface, "promiscuous mode needs an interface", -EINVAL);
	if (r->config.promiscuous &&
	    setsockopt(r->fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof(promiscuous)) < 0)
		return fail_errno(error, iface, "promiscuous mode is refused");
	return 0;
}

static int start(struct packet_ring *r, const char *iface, char *error)
{
	struct sockaddr_ll sll = { .sll_family = AF_PACKET, .sll_protocol = htons(r->config.proto) };
	uint32_t mtu = 65535;
	int err;

	err = open_socket(r, iface, &mtu, error);
	if (!err)
		err = set_options(r, iface, error);
	if (err)
		return err;
	err = packet_ring_map(r, mtu);
	if (err)
		return fail(error, iface, err == -ENOMEM ? "the ring is too large" : "cannot make the ring", err);
	sll.sll_ifindex = r->ifindex;
	if (bind(r->fd, (struct sockaddr *)&sll, sizeof(sll)) < 0)
		return fail_errno(error, iface, "cannot bind");
	r->open = true;
	return 0;
}

/* The configuration becomes the handler's own; -ENOMEM. */
static int copy_config(struct packet_ring *r, const struct packet_ring_config *config)
{
	struct sock_filter *filter;

	r->config = *config;
	r->config.filter = NULL;
	if (r->config.buffer_size <= 0)
		r->config.buffer_size = packet_ring_default_config().buffer_size;
	if (!config->filter_len)
		return 0;
	filter = calloc(config->filter_len, sizeof(*filter));
	if (!filter)
		return -ENOMEM;
	memcpy(filter, config->filter, config->filter_len * sizeof(*filter));
	r->config.filter = filter;
	return 0;
}

static void tear_down(struct packet_ring *r)
{
	if (r->map)
		munmap(r->map, r->map_len);
	if (r->fd >= 0)
		close(r->fd);
	if (r->break_fd >= 0)
		close(r->break_fd);
	r->map = NULL;
	r->open = false;
}

int packet_ring_open(const char *iface, const struct packet_ring_config *config,
		     struct packet_ring **out, char error[PACKET_RING_ERROR_MAX])
{
	struct packet_ring_config defaults = packet_ring_default_config();
	struct packet_ring *r;
	int err;

	*out = NULL;
	if (!packet_ring_is_supported())
		return fail(error, iface, "Linux 5.10 or newer is needed", PACKET_RING_NOT_IMPLEMENTED);
	if (!config)
		config = &defaults;
	if (!packet_ring_config_check(config))
		return fail(error, iface, "the configuration makes no sense", -EINVAL);
	r = calloc(1, sizeof(*r));
	if (!r)
		return fail(error, iface, "cannot make a handler", -ENOMEM);
	r->fd = r->break_fd = -1;
	err = copy_config(r, config);
	if (err)
		fail(error, iface, "cannot make a handler", err);
	else
		err = start(r, iface, error);
	if (err) {
		tear_down(r);
		packet_ring_free(r);
		return err;
	}
	*out = r;
	return 0;
}

int64_t packet_ring_writev(struct packet_ring *r, const struct iovec *iov, int iovcnt, int ifindex, int proto)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_halen = ETH_ALEN };
	struct msghdr m = { .msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = (struct iovec *)iov,
			    .msg_iovlen = (size_t)iovcnt };
	ssize_t n;

	if (ifindex == 0)
		ifindex = r->ifindex;
	if (proto == 0)
		proto = r->config.proto;
	if (!r->open || ifindex <= 0 || proto <= 0 || proto > UINT16_MAX ||
	    (r->config.no_link_layer && proto == PACKET_RING_PROTO_ALL))
		return -EINVAL;
	to.sll_ifindex = ifindex;
	to.sll_protocol = htons((uint16_t)proto);
	/* Only used where the kernel makes the link layer header. */
	memset(to.sll_addr, 0xff, ETH_ALEN);
	n = sendmsg(r->fd, &m, 0);
	return n < 0 ? -errno : n;
}

int64_t packet_ring_write(struct packet_ring *r, const void *buf, size_t len, int ifindex, int proto)
{
	struct iovec iov = { (void *)buf, len };

	return packet_ring_writev(r, &iov, 1, ifindex, proto);
}

int packet_ring_fd(const struct packet_ring *r)
{
	return r->fd;
}

int packet_ring_break_loop(struct packet_ring *r)
{
	const uint64_t one = 1;
	int saved = errno;

	if (!r->open)
		return -EINVAL;
	__atomic_store_n(&r->broken, 1, __ATOMIC_RELEASE);
	/* EAGAIN: it is readable already. */
	while (write(r->break_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	errno = saved;
	return 0;
}

int packet_ring_set_bpf(struct packet_ring *r, const struct sock_filter *filter, size_t len)
{
	struct sock_filter *copy = NULL;
	int err;

	if (!r->open || len > BPF_MAXINSNS || (len && !filter))
		return -EINVAL;
	if (len) {
		copy = calloc(len, sizeof(*copy));
		if (!copy)
			return -ENOMEM;
		memcpy(copy, filter, len * sizeof(*copy));
	}
	err = attach(r->fd, copy, len);
	if (err) {
		free(copy);
		return err;
	}
	free((void *)r->config.filter);
	r->config.filter = copy;
	r->config.filter_len = len;
	return 0;
}

struct packet_ring_stats packet_ring_get_stats(struct packet_ring *r, bool total)
{
	struct tpacket_stats_v3 s = { 0 };
	socklen_t len = sizeof(s);
	struct packet_ring_stats since;

	if (!r->open || getsockopt(r->fd, SOL_PACKET, PACKET_STATISTICS, &s, &len) < 0)
		return (struct packet_ring_stats){ 0 };
	/* Asking the kernel sets its counters to zero. */
	r->total.recvs += s.tp_packets;
	r->total.drops += s.tp_drops;
	if (total)
		return r->total;
	since = (struct packet_ring_stats){ r->total.recvs - r->last.recvs, r->total.drops - r->last.drops };
	r->last = r->total;
	return since;
}

const struct packet_ring_config *packet_ring_get_config(const struct packet_ring *r)
{
	return &r->config;
}

uint16_t packet_ring_link_type(const struct packet_ring *r)
{
	return r->link_type;
}

int packet_ring_ifindex(const struct packet_ring *r)
{
	return r->ifindex;
}

int packet_ring_close(struct packet_ring *r)
{
	if (!r->open)
		return -EINVAL;
	tear_down(r);
	return 0;
}

void packet_ring_free(struct packet_ring *r)
{
	if (!r)
		return;
	if (r->open)
		tear_down(r);
	free((void *)r->config.filter);
	free(r);
}
