/* The kernel's end of a device: addresses (rtnetlink), MTU and queue, up. */
#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "host/device.h"

static int fail(const struct spec_nic *n, const char *what, int err, char *error)
{
	snprintf(error, SPEC_ERROR_MAX, "%s: %s: %s%s", n->device, what, strerror(-err),
		 err == -EPERM ? "; it takes CAP_NET_ADMIN: run it as root, or set the device up beforehand "
				 "and leave out peer= and mtu=" : "");
	return err;
}

static int request(struct mnl_socket *nl, struct nlmsghdr *h)
{
	char buf[4096];
	ssize_t n;

	if (mnl_socket_sendto(nl, h, h->nlmsg_len) < 0)
		return -errno;
	n = mnl_socket_recvfrom(nl, buf, sizeof(buf));
	if (n < 0 || mnl_cb_run(buf, (size_t)n, h->nlmsg_seq, mnl_socket_get_portid(nl), NULL, NULL) < 0)
		return -errno;
	return 0;
}

static int add_addr(struct mnl_socket *nl, unsigned index, const struct addr_prefix *a)
{
	char buf[256];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct ifaddrmsg *m;

	h->nlmsg_type = RTM_NEWADDR;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE;
	h->nlmsg_seq = 1;
	m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	m->ifa_family = a->addr.len == ADDR_LEN_V4 ? AF_INET : AF_INET6;
	m->ifa_prefixlen = a->prefix_len;
	/* Usable at once: nobody else is on this link but us. */
	m->ifa_flags = a->addr.len == ADDR_LEN_V6 ? IFA_F_NODAD : 0;
	m->ifa_index = index;
	mnl_attr_put(h, IFA_LOCAL, a->addr.len, a->addr.b);
	mnl_attr_put(h, IFA_ADDRESS, a->addr.len, a->addr.b);
	if (a->addr.len == ADDR_LEN_V4 && a->prefix_len < 31) {
		struct subnet s = subnet_of(a);
		struct addr b = subnet_broadcast(&s);

		mnl_attr_put(h, IFA_BROADCAST, b.len, b.b);
	}
	return request(nl, h);
}

static int add_addrs(const struct spec_nic *n, char *error)
{
	unsigned index = if_nametoindex(n->device);
	struct mnl_socket *nl;
	char text[ADDR_STR_MAX], what[ADDR_STR_MAX + 40];
	int err = 0;

	if (!n->npeers)
		return 0;
	nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!nl || mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0)
		err = -errno;
	for (size_t i = 0; i < n->npeers && !err; i++) {
		err = add_addr(nl, index, &n->peers[i]);
		if (err) {
			snprintf(what, sizeof(what), "peer=%s", addr_prefix_format(&n->peers[i], text));
			fail(n, what, err, error);
		}
	}
	if (nl)
		mnl_socket_close(nl);
	if (err && !error[0])
		fail(n, "cannot speak to the kernel (rtnetlink)", err, error);
	return err;
}

static int if_request(int fd, const struct spec_nic *n, unsigned long request_nr, struct ifreq *ifr)
{
	snprintf(ifr->ifr_name, sizeof(ifr->ifr_name), "%.15s", n->device);
	return ioctl(fd, request_nr, ifr) < 0 ? -errno : 0;
}

static int bring_up(int fd, const struct spec_nic *n)
{
	struct ifreq ifr = { 0 };
	int err = if_request(fd, n, SIOCGIFFLAGS, &ifr);

	if (err || (ifr.ifr_flags & IFF_UP))
		return err;
	ifr.ifr_flags |= IFF_UP;
	return if_request(fd, n, SIOCSIFFLAGS, &ifr);
}

int kernel_end_set_up(const struct spec_nic *n, char error[SPEC_ERROR_MAX])
{
	/* The default of 500 packets overflows when a window of full-size ones comes at once. */
	struct ifreq queue = { .ifr_qlen = n->txqueuelen ? (int)n->txqueuelen : 10000 };
	struct ifreq mtu = { .ifr_mtu = (int)n->mtu };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err;

	if (fd < 0)
		return fail(n, "socket", -errno, error);
	err = if_request(fd, n, SIOCSIFTXQLEN, &queue);
	/* Only what was asked for has to be. */
	if (err && n->txqueuelen)
		err = fail(n, "txqueuelen=", err, error);
	else
		err = 0;
	if (!err && n->mtu) {
		err = if_request(fd, n, SIOCSIFMTU, &mtu);
		if (err)
			fail(n, err == -EINVAL ? "mtu=: more than the kernel has for such a device (65521 for a TAP)" : "mtu=",
			     err, error);
	}
	if (!err)
		err = add_addrs(n, error);
	if (!err && n->npeers) {
		err = bring_up(fd, n);
		if (err)
			fail(n, "cannot bring it up", err, error);
	}
	close(fd);
	return err;
}
