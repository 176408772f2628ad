/* Opening TAP and TUN devices. */
#include "link/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "header/vnet.h"
#include "link/fdbased.h"

enum { DEFAULT_QUEUE = 1000 };

static const char tun_path[] = "/dev/net/tun";

static int fail(char *error, const char *what, const char *name)
{
	int err = errno;

	snprintf(error, TAP_ERROR_MAX, "%s: %s: %s", name, what, strerror(err));
	return -err;
}

static int queue_open(const struct tap_config *c, int *out, char *error)
{
	struct ifreq ifr = { 0 };
	int hdr_len = VNET_HDR_LEN, fd, err;

	fd = open(tun_path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return fail(error, c->name, tun_path);
	ifr.ifr_flags = (short)((c->tun ? IFF_TUN : IFF_TAP) | IFF_NO_PI |
				(c->offload ? IFF_VNET_HDR : 0) |
				(c->queues > 1 ? IFF_MULTI_QUEUE : 0));
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", c->name);
	if (ioctl(fd, TUNSETIFF, &ifr) < 0)
		err = fail(error, "cannot attach", c->name);
	else if (c->offload && ioctl(fd, TUNSETVNETHDRSZ, &hdr_len) < 0)
		err = fail(error, "cannot set the header size", c->name);
	else if (c->offload && ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6) < 0)
		err = fail(error, "cannot enable offload", c->name);
	else
		err = 0;
	if (err) {
		close(fd);
		return err;
	}
	*out = fd;
	return 0;
}

static int device_mtu(const char *name, uint32_t *mtu, char *error)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err = 0;
	struct ifreq ifr = { 0 };

	if (fd < 0)
		return fail(error, "cannot ask for the MTU", name);
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (ioctl(fd, SIOCGIFMTU, &ifr) < 0)
		err = fail(error, "cannot ask for the MTU", name);
	else
		*mtu = (uint32_t)ifr.ifr_mtu;
	close(fd);
	return err;
}

/* How many packets the kernel keeps for us; if it does not say, its default for TAP devices. */
static uint32_t device_queue(const char *name)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = { 0 };
	uint32_t len = DEFAULT_QUEUE;

	if (fd < 0)
		return len;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (ioctl(fd, SIOCGIFTXQLEN, &ifr) == 0 && ifr.ifr_qlen > 0)
		len = (uint32_t)ifr.ifr_qlen;
	close(fd);
	return len;
}

static int check(const struct tap_config *c, char *error)
{
	if (!c->name || !c->name[0] || strlen(c->name) >= IFNAMSIZ) {
		snprintf(error, TAP_ERROR_MAX, "\"%.40s\": not a device name",
			 c->name ? c->name : "");
		return -EINVAL;
	}
	if (c->queues < 0 || c->queues > FDBASED_MAX_QUEUES) {
		snprintf(error, TAP_ERROR_MAX, "%s: %d queues: at most %d", c->name, c->queues,
			 FDBASED_MAX_QUEUES);
		return -EINVAL;
	}
	return 0;
}

int tap_open(const struct tap_config *c, struct link **out, char error[TAP_ERROR_MAX])
{
	struct fdbased_config f = {
		.pool = c->pool, .mtu = c->mtu, .ethernet = !c->tun,
		.vnet_hdr_len = c->offload ? VNET_HDR_LEN : 0, .tx_csum = c->offload, .tso = c->offload,
	};
	int queues = c->queues ? c->queues : 1, err = check(c, error);

	if (err)
		return err;
	while (!err && f.nfds < queues) {
		err = queue_open(c, &f.fds[f.nfds], error);
		f.nfds += !err;
	}
	if (!err && !f.mtu)
		err = device_mtu(c->name, &f.mtu, error);
	if (!err)
		f.rx_queue_pkts = device_queue(c->name);
	*out = err ? NULL : fdbased_new(&f);
	if (!err && !*out) {
		errno = ENOMEM;
		err = fail(error, "cannot make a link", c->name);
	}
	if (err)
		for (int i = 0; i < f.nfds; i++)
			close(f.fds[i]);
	return err;
}
