/*
 * Sample: a UDP echo server on a stack of its own over a TUN or TAP device.
 *
 *	tun_udp_echo [-t] [-o] [-g GATEWAY] DEVICE ADDRESS/PREFIX PORT
 *
 * For instance, as root:
 *
 *	ip tuntap add mode tun tun0 && ip addr add 10.1.0.1/24 dev tun0 && ip link set tun0 up
 *	tun_udp_echo tun0 10.1.0.2/24 7 &
 *	echo hello | nc -u -w1 10.1.0.2 7
 */
#include <stdlib.h>

#include "sample/host.h"

static void echo_all(struct endpoint *ep)
{
	static char buf[65536];
	struct iovec iov = { buf, sizeof(buf) };
	struct read_msg m = { .iov = &iov, .iovcnt = 1 };
	struct write_opts o = { .to = &m.from };
	size_t n;

	while (endpoint_read(ep, &m) == NS_OK) {
		struct iovec back = { buf, m.n };

		endpoint_write(ep, &back, 1, &o, &n);
	}
}

int main(int argc, char **argv)
{
	struct full_addr local = { .addr = addr_v6_any };	/* both families */
	struct endpoint *ep;
	struct host h;
	int i = host_open(&h, argc, argv, "tun_udp_echo " HOST_USAGE " PORT", 1);

	local.port = (uint16_t)atoi(argv[i]);
	host_must(endpoint_new(h.stack, NET_IPV6, IP_PROTO_UDP, &ep), "endpoint");
	host_must(endpoint_bind(ep, &local), argv[i]);
	for (;;) {
		host_round(&h, -1, 0);
		echo_all(ep);
	}
}
