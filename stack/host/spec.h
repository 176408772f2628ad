/* What a stack is to be: the text users write, taken apart and checked. */
#ifndef STACK_HOST_SPEC_H
#define STACK_HOST_SPEC_H

#include <limits.h>

#include "base/subnet.h"
#include "core/route.h"
#include "link/impair.h"
#include "link/slirp.h"

enum {
	SPEC_NICS = 8, SPEC_ADDRS = 16, SPEC_GATEWAYS = 4, SPEC_ROUTES = 32, SPEC_FORWARDS = 32, SPEC_DNS = 4,
	SPEC_NAME_MAX = 16, SPEC_DEVICE_MAX = 33, SPEC_ERROR_MAX = 320, SPEC_FILE_MAX = 65536,
	SPEC_HISTORY = 1000,
};

/** enum spec_link - what a NIC is made of */
enum spec_link {
	SPEC_LINK_NONE, SPEC_LINK_TAP, SPEC_LINK_TUN, SPEC_LINK_FD, SPEC_LINK_PACKET, SPEC_LINK_LAN,
	SPEC_LINK_USER,
};

/** struct spec_route - @gateway.len 0: the destination is on the link */
struct spec_route {
	struct subnet to;
	struct addr gateway;
};

/**
 * struct spec_nic - one NIC beside the loopback
 * @name:    of the interface in the stack; "" for the device's
 * @device:  tap=, tun=, packet= and lan=
 * @share:   packet=: with the interface's link address
 * @fd:      fd=: a descriptor the host was started with
 * @forwards: user: ports of the user's that are for ports of the stack
 * @peers:   addresses for the kernel's end of the device
 * @mtu, @txqueuelen: 0 if not given
 * @mac:     length 0 if not given
 * @impair:  both directions; @impaired: whether there is anything to do
 * @pcap:    "" for none
 */
struct spec_nic {
	char name[SPEC_NAME_MAX];
	enum spec_link link;
	char device[SPEC_DEVICE_MAX];
	int fd;
	struct addr_prefix addrs[SPEC_ADDRS], peers[SPEC_ADDRS];
	size_t naddrs, npeers;
	struct addr gateways[SPEC_GATEWAYS];
	size_t ngateways;
	struct spec_route routes[SPEC_ROUTES];
	size_t nroutes;
	struct slirp_forward forwards[SPEC_FORWARDS];
	size_t nforwards;
	uint32_t mtu, txqueuelen;
	struct link_addr mac;
	struct impair_dir impair;
	bool impaired, forwarding, share;
	uint64_t seed;
	char pcap[PATH_MAX];
};

/**
 * struct spec - a stack
 * @text:  as it was written, for whoever asks
 * @dns:   servers; none: those of /etc/resolv.conf
 * @cc:    congestion control, "" for the default
 * @fastopen: as net.ipv4.tcp_fastopen, -1 for the default
 * @rules: files with the packet filter's rules, by family; "": none
 * @busy_poll_ns: spin so long before sleeping
 * @history: how many connections that have ended to keep the last of
 */
struct spec {
	char text[1024];
	struct spec_nic nics[SPEC_NICS];
	size_t nnics;
	struct addr dns[SPEC_DNS];
	size_t ndns;
	char cc[SPEC_NAME_MAX];
	char rules[NET_FAMILIES][PATH_MAX];
	int64_t fastopen, busy_poll_ns;
	uint32_t history;
};

/**
 * spec_parse() - from "tap=ss0,addr=10.0.0.2/24,...", "lo", "@FILE" or a path with a '/' first or
 * after dots
 * @error: on failure what is wrong, where, and what was expected
 *
 * A file has the same settings, one or more a line, '#' comments, and a line "[nic NAME]" before those
 * of each NIC. Return: 0 or -EINVAL, -errno if the file cannot be read.
 */
int spec_parse(const char *text, struct spec *out, char error[SPEC_ERROR_MAX]);

/** spec_time_ns(), spec_rate_bps(), spec_ppm() - "50us", "40ms", "2s"; "10mbit"; "1.5%"; false if it
 * is none */
bool spec_time_ns(const char *s, int64_t *out);
bool spec_rate_bps(const char *s, uint64_t *out);
bool spec_ppm(const char *s, uint32_t *out);

#endif
