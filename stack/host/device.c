/* The devices NICs are on. */
#include "host/device.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "link/lan.h"
#include "link/packet_link.h"
#include "link/slirp.h"

enum { TURN_PACKETS = 32 };

static void device_turn(struct source *s)
{
	struct device *d = container_of(s, struct device, src);

	/* A lone packet needs no second look for another; if there is one, that is an event again. */
	int budget = d->turn + 1 == d->host->loop.turns ? TURN_PACKETS : 1;

	s->events = 0;
	d->turn = d->host->loop.turns;
	if (d->rx(d->link, budget) >= 0)
		return;
	/* It was taken away: what is routed there has nowhere to go now. */
	loop_remove(&d->host->loop, d->fd, s);
	if (d->nic)
		nic_set_enabled(d->nic, false);
}

void device_attach(struct host *h, struct nic *nic)
{
	h->devices->nic = nic;
}

static int no_rights(const struct spec_nic *n, int err, const char *why, char *error)
{
	const char *hint = "";
	char make[128];

	if (err == -EPERM || err == -EACCES) {
		snprintf(make, sizeof(make), "; run it as root, or have the device made for you: "
			 "ip tuntap add mode %s user $USER name %s", n->link == SPEC_LINK_TUN ? "tun" : "tap",
			 n->device);
		hint = make;
	} else if (err == -EBUSY) {
		hint = "; another program has it: another name makes another device";
	} else if (err == -EINVAL) {
		hint = "; there is a device of another kind with that name: another name makes a device";
	} else if (err == -ENOENT || err == -ENODEV) {
		hint = "; the kernel's tun module is needed: modprobe tun";
	}
	snprintf(error, SPEC_ERROR_MAX, "%.160s%s", why, hint);
	return err;
}

/** struct opened - what opening a link gives: how to read it, and what the network gave */
struct opened {
	struct link *link;
	int fd;
	int (*rx)(struct link *l, int budget);
	void (*flush)(struct link *l);
	struct addr_prefix lease;
	struct link_addr mac;
};

static int rx_fd(struct link *l, int budget)
{
	return fdbased_rx(l, 0, budget);
}

static void opened_fd(struct opened *out, int fd)
{
	out->fd = fd;
	out->rx = rx_fd;
	if (fdbased_batch(out->link))
		out->flush = fdbased_flush;
}

/* The host of a run that has just ended keeps its device for a moment: for the next program, and for what is
 * still to be sent. */
enum { BUSY_TRIES = 100, BUSY_WAIT_US = 20000 };

static int open_tap_when_free(const struct tap_config *c, struct link **out, char *why)
{
	int err;

	for (int tries = 0; (err = tap_open(c, out, why)) == -EBUSY && tries < BUSY_TRIES; tries++)
		usleep(BUSY_WAIT_US);
	return err;
}

static int open_tap(struct host *h, const struct spec_nic *n, struct opened *out, char *error)
{
	struct tap_config c = {
		.name = n->device, .tun = n->link == SPEC_LINK_TUN, .mtu = n->mtu, .pool = h->stack->pool,
		/* A super-segment would be lost, or delayed, as one packet. */
		.offload = !n->impaired,
	};
	char why[TAP_ERROR_MAX];
	int err = open_tap_when_free(&c, &out->link, why);

	if (err)
		return no_rights(n, err, why, error);
	opened_fd(out, fdbased_fd(out->link, 0));
	return kernel_end_set_up(n, error);
}

/* A descriptor we were started with: a TAP or TUN queue, or a socket that keeps packets apart. */
static int open_fd(struct host *h, const struct spec_nic *n, struct opened *out, char *error)
{
	struct fdbased_config c = { .pool = h->stack->pool, .fds = { n->fd }, .nfds = 1,
				    .mtu = n->mtu ? n->mtu : 1500, .ethernet = true };
	struct ifreq ifr;
	int flags = fcntl(n->fd, F_GETFL), len = 0;

	if (flags < 0) {
		snprintf(error, SPEC_ERROR_MAX, "fd=%d: %s; the host has to be started with it open", n->fd,
			 strerror(errno));
		return -EBADF;
	}
	fcntl(n->fd, F_SETFL, flags | O_NONBLOCK);
	if (ioctl(n->fd, TUNGETIFF, &ifr) == 0) {
		c.ethernet = ifr.ifr_flags & IFF_TAP;
		if (ifr.ifr_flags & IFF_VNET_HDR && ioctl(n->fd, TUNGETVNETHDRSZ, &len) == 0)
			c.vnet_hdr_len = (uint8_t)len;
		c.tx_csum = c.vnet_hdr_len != 0;
	}
	out->link = fdbased_new(&c);
	if (!out->link) {
		snprintf(error, SPEC_ERROR_MAX, "fd=%d: not a descriptor that packets can be read from", n->fd);
		return -EINVAL;
	}
	opened_fd(out, n->fd);
	return 0;
}

static int open_packet(struct host *h, const struct spec_nic *n, struct opened *out, char *error)
{
	struct addr addrs[SPEC_ADDRS];
	struct packet_link_config c = {
		.iface = n->device, .pool = h->stack->pool, .share = n->share, .addrs = addrs,
		.naddrs = (int)n->naddrs, .mac = n->mac,
	};
	char why[PACKET_LINK_ERROR_MAX];
	int err;

	for (size_t i = 0; i < n->naddrs; i++)
		addrs[i] = n->addrs[i].addr;
	err = packet_link_open(&c, &out->link, why);
	if (err) {
		snprintf(error, SPEC_ERROR_MAX, "packet=%s: %s", n->device, why);
		return err;
	}
	out->fd = packet_link_fd(out->link);
	out->rx = packet_link_rx;
	out->mac = out->link->addr;
	return 0;
}

static int open_lan(struct host *h, const struct spec_nic *n, struct opened *out, char *error)
{
	struct lan_config c = { .name = n->device, .clock = h->stack->clock, .pool = h->stack->pool, .mtu = n->mtu };
	char why[LAN_ERROR_MAX];
	struct lan_lease lease;
	int err = lan_join(&c, &out->link, &lease, why);

	if (err) {
		snprintf(error, SPEC_ERROR_MAX, "lan=%s: %s", n->device, why);
		return err;
	}
	out->fd = lan_fd(out->link);
	out->rx = lan_rx;
	out->mac = lease.mac;
	out->lease = lease.v4;
	return 0;
}

static bool write_capture(void *ctx, const struct iovec *iov, int iovcnt)
{
	return writev((int)(intptr_t)ctx, iov, iovcnt) >= 0;
}

static int wrap_sniffer(struct host *h, const struct spec_nic *n, struct link **link, char *error)
{
	struct sniffer_config c = { .write = write_capture, .clock = h->stack->clock, .name = n->name };
	int fd;

	if (!n->pcap[0])
		return 0;
	fd = open(n->pcap, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0) {
		int err = -errno;

		snprintf(error, SPEC_ERROR_MAX, "pcap=%.200s: %s", n->pcap, strerror(-err));
		return err;
	}
	c.ctx = (void *)(intptr_t)fd;
	*link = sniffer_new(*link, &c);
	return *link ? 0 : -ENOMEM;
}

static int wrap_impair(struct host *h, const struct spec_nic *n, struct link **link)
{
	struct impair_config c = {
		.clock = h->stack->clock, .seed = n->seed ? n->seed : rand_u64(&h->stack->rand),
		.out = n->impair, .in = n->impair,
	};

	if (!n->impaired)
		return 0;
	*link = impair_new(*link, &c);
	return *link ? 0 : -ENOMEM;
}

static int open_user(struct host *h, const struct spec_nic *n, struct opened *out, char *error)
{
	struct slirp_config c = { .clock = h->stack->clock, .pool = h->stack->pool, .mtu = n->mtu,
				  .forwards = n->forwards, .nforwards = (int)n->nforwards };
	char why[SLIRP_ERROR_MAX];
	int err = slirp_link_open(&c, &out->link, why);

	if (err) {
		snprintf(error, SPEC_ERROR_MAX, "user: %s", why);
		return err;
	}
	out->fd = slirp_link_fd(out->link);
	out->rx = slirp_link_rx;
	return 0;
}

/* The same each time, so that who knew us before need not learn it anew; locally administered. */
static struct link_addr make_mac(const struct spec_nic *n)
{
	static const struct hash_key key = { { 0x736f636b7368696d, 0x6d6163 } };
	uint64_t v = siphash(&key, n->device, strlen(n->device));
	struct link_addr mac = { .len = LINK_ADDR_LEN };

	if (n->naddrs)
		v ^= siphash(&key, n->addrs[0].addr.b, sizeof(n->addrs[0].addr.b));
	memcpy(mac.b, &v, LINK_ADDR_LEN);
	mac.b[0] = 2;
	return n->mac.len ? n->mac : mac;
}

static int wrap(struct host *h, const struct spec_nic *n, const struct link_addr *mac, struct link **link,
		char *error)
{
	int err = wrap_impair(h, n, link);

	if (!err)
		err = wrap_sniffer(h, n, link, error);
	if (!err && (*link)->caps & LINK_CAP_ETHERNET) {
		*link = ether_new(*link, mac);
		err = *link ? 0 : -ENOMEM;
	}
	return err;
}

static int open_link(struct host *h, const struct spec_nic *n, struct opened *o, char *error)
{
	static int (*const opens[])(struct host *, const struct spec_nic *, struct opened *, char *) = {
		[SPEC_LINK_TAP] = open_tap, [SPEC_LINK_TUN] = open_tap, [SPEC_LINK_FD] = open_fd,
		[SPEC_LINK_PACKET] = open_packet, [SPEC_LINK_LAN] = open_lan,
		[SPEC_LINK_USER] = open_user,
	};

	return opens[n->link](h, n, o, error);
}

int device_open(struct host *h, const struct spec_nic *n, struct link **out, struct addr_prefix *lease,
		char error[SPEC_ERROR_MAX])
{
	struct opened o = { .mac = make_mac(n) };
	struct device *d = calloc(1, sizeof(*d));
	int err = d ? open_link(h, n, &o, error) : -ENOMEM;

	*out = o.link;
	*lease = o.lease;
	if (!err) {
		source_init(&d->src, device_turn);
		d->src.device = true;
		d->host = h;
		d->link = o.link;
		d->rx = o.rx;
		d->flush = o.flush;
		d->fd = o.fd;
		err = loop_add(&h->loop, o.fd, EPOLLIN, &d->src);
	}
	if (!err)
		err = wrap(h, n, &o.mac, out, error);
	if (err) {
		if (!error[0])
			snprintf(error, SPEC_ERROR_MAX, "%s: %s", n->device, strerror(-err));
		if (*out)
			link_close(*out);
		free(d);
		return err;
	}
	d->next = h->devices;
	h->devices = d;
	return 0;
}

void device_flush_all(struct host *h)
{
	for (struct device *d = h->devices; d; d = d->next)
		if (d->flush)
			d->flush(d->link);
}

void device_close_all(struct host *h)
{
	while (h->devices) {
		struct device *d = h->devices;

		h->devices = d->next;
		free(d);
	}
}
