/*
 * Sample: a UDP echo server on a stack of its own over a TUN or TAP device.
 *
 *	tun_udp_echo [-t] [-o] [-g GATEWAY] DEVICE ADDRESS/PREFIX PORT
 *
 * -t: DEVICE is a TAP; -o: with offload; -g: default route. For instance, as root:
 *
 *	ip tuntap add mode tun tun0 && ip addr add 10.1.0.1/24 dev tun0 && ip link set tun0 up
 *	tun_udp_echo tun0 10.1.0.2/24 7 &
 *	echo hello | nc -u -w1 10.1.0.2 7
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "netstack.h"

static void die(const char *what, const char *why)
{
	fprintf(stderr, "tun_udp_echo: %s: %s\n", what, why);
	exit(1);
}

static void must(enum ns_err err, const char *what)
{
	if (err)
		die(what, ns_err_str(err));
}

static void set_clock(struct clock *c)
{
	struct timespec m, w;

	clock_gettime(CLOCK_MONOTONIC, &m);
	clock_gettime(CLOCK_REALTIME, &w);
	clock_set(c, m.tv_sec * NS_PER_SEC + m.tv_nsec, w.tv_sec * NS_PER_SEC + w.tv_nsec);
}

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

static void serve(struct stack *s, struct link *device, struct endpoint *ep)
{
	struct pollfd p = { .fd = fdbased_fd(device, 0), .events = POLLIN };

	for (;;) {
		int64_t next = stack_next(s), wait = -1;

		if (next != CLOCK_NEVER)
			wait = next <= s->clock->now_ns ? 0
							 : (next - s->clock->now_ns) / NS_PER_MS + 1;
		if (wait > 60000)
			wait = 60000;
		poll(&p, 1, (int)wait);
		set_clock(s->clock);
		if (p.revents && fdbased_rx(device, 0, 256) < 0)
			die("device", "gone");
		stack_run(s);
		echo_all(ep);
	}
}

static void configure(struct stack *s, struct nic *nic, const char *address, const char *gateway)
{
	struct route_row row = { .nic = 1 };
	struct addr_prefix ap;

	if (!addr_prefix_parse(address, &ap))
		die(address, "not an address with prefix length");
	must(nic_add_addr(nic, &ap, ADDR_MANUAL, NULL), address);
	row.destination = subnet_of(&ap);
	must(route_add(s, &row), address);
	if (!gateway)
		return;
	if (!addr_parse(gateway, &row.gateway))
		die(gateway, "not an address");
	row.destination = (struct subnet){ { .len = ap.addr.len }, { .len = ap.addr.len } };
	must(route_add(s, &row), gateway);
}

int main(int argc, char **argv)
{
	const struct link_addr mac = { { 2, 0, 0, 0x55, 0x44, 0x33 }, 6 };
	struct stack_config config = netstack_config();
	struct tap_config tap = { .tun = true };
	struct full_addr local = { 0 };
	const char *gateway = NULL;
	char error[TAP_ERROR_MAX];
	struct endpoint *ep;
	struct stack *stack;
	struct link *device;
	struct nic *nic;
	int opt;

	while ((opt = getopt(argc, argv, "tog:")) != -1) {
		if (opt == 't')
			tap.tun = false;
		else if (opt == 'o')
			tap.offload = true;
		else if (opt == 'g')
			gateway = optarg;
		else
			return 2;
	}
	if (argc - optind != 3)
		die("usage", "tun_udp_echo [-t] [-o] [-g GATEWAY] DEVICE ADDRESS/PREFIX PORT");
	if (getrandom(config.seed, sizeof(config.seed), 0) != sizeof(config.seed))
		die("getrandom", "no random bytes");
	must(stack_new(&config, &stack), "stack");
	set_clock(stack->clock);
	tap.name = argv[optind];
	tap.pool = stack->pool;
	if (tap_open(&tap, &device, error))
		die("device", error);
	must(nic_create(stack, 1, NULL, tap.tun ? device : ether_new(device, &mac), &nic), "nic");
	configure(stack, nic, argv[optind + 1], gateway);
	local.port = (uint16_t)atoi(argv[optind + 2]);
	local.addr = addr_v6_any;	/* both families */
	must(endpoint_new(stack, NET_IPV6, IP_PROTO_UDP, &ep), "endpoint");
	must(endpoint_bind(ep, &local), argv[optind + 2]);
	serve(stack, device, ep);
}
