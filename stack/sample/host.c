/* A stack on a TUN or TAP device, and its loop. */
#include "sample/host.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

void host_die(const char *what, const char *why)
{
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, why);
	exit(1);
}

void host_must(enum ns_err err, const char *what)
{
	if (err)
		host_die(what, ns_err_str(err));
}

static void set_clock(struct clock *c)
{
	struct timespec m, w;

	clock_gettime(CLOCK_MONOTONIC, &m);
	clock_gettime(CLOCK_REALTIME, &w);
	clock_set(c, m.tv_sec * NS_PER_SEC + m.tv_nsec, w.tv_sec * NS_PER_SEC + w.tv_nsec);
}

static void configure(struct host *h, const char *address, const char *gateway)
{
	struct route_row row = { .nic = 1 };
	struct addr_prefix ap;

	if (!addr_prefix_parse(address, &ap))
		host_die(address, "not an address with prefix length");
	host_must(nic_add_addr(h->nic, &ap, ADDR_MANUAL, NULL), address);
	row.destination = subnet_of(&ap);
	host_must(route_add(h->stack, &row), address);
	if (!gateway)
		return;
	if (!addr_parse(gateway, &row.gateway))
		host_die(gateway, "not an address");
	row.destination = (struct subnet){ { .len = ap.addr.len }, { .len = ap.addr.len } };
	host_must(route_add(h->stack, &row), gateway);
}

int host_open(struct host *h, int argc, char **argv, const char *usage, int nargs)
{
	const struct link_addr mac = { { 2, 0, 0, 0x55, 0x44, 0x33 }, 6 };
	struct stack_config config = netstack_config();
	struct tap_config tap = { .tun = true };
	const char *gateway = NULL;
	char error[TAP_ERROR_MAX];
	int opt;

	while ((opt = getopt(argc, argv, "tog:")) != -1) {
		if (opt == 't')
			tap.tun = false;
		else if (opt == 'o')
			tap.offload = true;
		else if (opt == 'g')
			gateway = optarg;
		else
			host_die("usage", usage);
	}
	if (argc - optind != 2 + nargs)
		host_die("usage", usage);
	if (getrandom(config.seed, sizeof(config.seed), 0) != sizeof(config.seed))
		host_die("getrandom", "no random bytes");
	host_must(stack_new(&config, &h->stack), "stack");
	set_clock(h->stack->clock);
	tap.name = argv[optind];
	tap.pool = h->stack->pool;
	if (tap_open(&tap, &h->device, error))
		host_die("device", error);
	fdbased_batch(h->device);
	host_must(nic_create(h->stack, 1, NULL, tap.tun ? h->device : ether_new(h->device, &mac), &h->nic), "nic");
	configure(h, argv[optind + 1], gateway);
	return optind + 2;
}

bool host_round(struct host *h, int fd, short events)
{
	struct pollfd p[2] = { { .fd = fdbased_fd(h->device, 0), .events = POLLIN }, { .fd = fd, .events = events } };
	int64_t next, wait = 60000;

	/* What was done since the last round may have left work, or armed timers. */
	stack_run(h->stack);
	fdbased_flush(h->device);
	next = stack_next(h->stack);
	if (next <= h->stack->clock->now_ns)
		wait = 0;
	else if (next != CLOCK_NEVER && (next - h->stack->clock->now_ns) / NS_PER_MS < wait)
		wait = (next - h->stack->clock->now_ns) / NS_PER_MS + 1;
	poll(p, 2, (int)wait);
	set_clock(h->stack->clock);
	if (p[0].revents && fdbased_rx(h->device, 0, 256) < 0)
		host_die("device", "gone");
	stack_run(h->stack);
	return p[1].revents != 0;
}
