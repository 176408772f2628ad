/* Packet handler: configuration, and questions that need no handler. */
#include "link/packet_ring.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

enum { DEFAULT_BUFFER = 2 << 20, DEFAULT_NIL_READ = 1024 };

struct packet_ring_config packet_ring_default_config(void)
{
	return (struct packet_ring_config){
		.buffer_size = DEFAULT_BUFFER, .proto = PACKET_RING_PROTO_ALL,
		.max_nil_read = DEFAULT_NIL_READ,
	};
}

bool packet_ring_config_check(const struct packet_ring_config *c)
{
	/* The ring's blocks are counted in 32 bits, and mapped in one piece. */
	if (c->buffer_size > INT64_C(1) << 40)
		return false;
	if (c->filter_len > BPF_MAXINSNS || (c->filter_len && !c->filter))
		return false;
	if (c->proto == 0 || (unsigned)c->tstamp > PACKET_RING_MICRO ||
	    (unsigned)c->direction > PACKET_RING_OUT)
		return false;
	/* What goes out is shown only to those that want every protocol. */
	if (c->direction == PACKET_RING_OUT && c->proto != PACKET_RING_PROTO_ALL)
		return false;
	/* Without a link layer header there is nothing the offsets in a virtio-net header could count from. */
	return !(c->vnet_hdr && c->no_link_layer);
}

void packet_ring_kernel_version(int *major, int *minor)
{
	static int known_major, known_minor;
	struct utsname u;

	if (known_major == 0 && (uname(&u) < 0 || sscanf(u.release, "%d.%d", &known_major, &known_minor) != 2))
		known_major = known_minor = -1;
	*major = known_major;
	*minor = known_minor;
}

bool packet_ring_is_supported(void)
{
	int major, minor;

	packet_ring_kernel_version(&major, &minor);
	return major > 5 || (major == 5 && minor >= 10);
}

uint16_t packet_ring_interface_link_type(const char *iface)
{
	struct ifreq ifr = { 0 };
	uint16_t type = PACKET_RING_LINK_NONE;
	int fd;

	if (!iface || !iface[0] || strlen(iface) >= IFNAMSIZ)
		return type;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return type;
	memcpy(ifr.ifr_name, iface, strlen(iface));
	if (ioctl(fd, SIOCGIFHWADDR, &ifr) == 0)
		type = ifr.ifr_hwaddr.sa_family;
	close(fd);
	return type;
}

int packet_ring_tstamp_valid(uint32_t status)
{
	if (status & TP_STATUS_TS_RAW_HARDWARE)
		return 1;
	return status & TP_STATUS_TS_SOFTWARE ? 0 : -1;
}

bool packet_ring_vlan_valid(uint32_t status)
{
	return status & TP_STATUS_VLAN_VALID;
}

bool packet_ring_timeout(int err)
{
	return err == -ETIMEDOUT;
}

bool packet_ring_temporary(int err)
{
	return err == PACKET_RING_WOULD_POLL || err == PACKET_RING_BREAK_LOOP || packet_ring_timeout(err) ||
	       err == -EAGAIN || err == -EWOULDBLOCK || err == -EINTR || err == -ENOBUFS;
}

const char *packet_ring_strerror(int err)
{
	switch (err) {
	case PACKET_RING_WOULD_POLL: return "no packet to read without waiting";
	case PACKET_RING_BREAK_LOOP: return "reading was told to stop";
	case PACKET_RING_NOT_IMPLEMENTED: return "not implemented by this kernel";
	default: return strerror(-err);
	}
}
