/* The adapter's table, its stack, and packets in and out. */
#include "packetdrill/adapter.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	PD_NIC = 1,
	GSO_MAX = 65535,		/* what an IPv4 packet can say */
	QUEUE = 4096,
};

/* How long a packet is waited for: beyond any timer but keepalive's, which takes two hours. */
#define RECEIVE_NS (4 * 3600 * NS_PER_SEC)

struct pd *pd_current;

struct pd *pd_enter(void *userdata)
{
	struct pd *pd = userdata;

	pthread_mutex_lock(&pd->lock);
	pd->calls++;
	clock_set(pd->stack->clock, pd->now_ns, pd->now_ns);
	return pd;
}

void pd_leave(struct pd *pd)
{
	int err = errno;

	pd_run(pd);
	pthread_mutex_unlock(&pd->lock);
	errno = err;
}

static int pd_netdev_send(void *u, const void *buf, size_t count)
{
	struct pd *pd = pd_enter(u);
	struct pkt *pkt = pkt_from_bytes(pd->stack->pool, buf, count);

	if (pkt)
		channel_inject(pd->link, pkt);
	pd_leave(pd);
	return pkt ? 0 : pd_errno(ENOBUFS);
}

static int pd_netdev_receive(void *u, void *buf, size_t *count, long long *time_usecs)
{
	struct pd *pd = pd_enter(u);
	int64_t deadline = pd->now_ns + RECEIVE_NS;
	size_t room = *count;
	struct list *node;

	*count = 0;
	pd_run(pd);
	while (list_empty(&pd->sent) && pd->now_ns < deadline) {
		/* What a call that has been woken sends comes before time goes on. */
		pd_settle(pd);
		if (!list_empty(&pd->sent) || !pd_step(pd, deadline))
			break;
	}
	node = list_pop_front(&pd->sent);
	if (node) {
		struct pd_packet *p = container_of(node, struct pd_packet, node);

		*count = p->pkt->len < room ? p->pkt->len : room;
		pkt_copy_out(p->pkt, 0, buf, *count);
		*time_usecs = p->at_ns / NS_PER_US;
		pkt_free(p->pkt);
		free(p);
	}
	pd_leave(pd);
	return 0;
}

static int pd_usleep(void *u, useconds_t usecs)
{
	struct pd *pd = pd_enter(u);

	pd_advance(pd, pd->now_ns + usecs * NS_PER_US);
	pd_leave(pd);
	return 0;
}

static int pd_gettimeofday(void *u, struct timeval *tv, struct timezone *tz)
{
	struct pd *pd = pd_enter(u);

	(void)tz;
	pd_settled(pd);
	pd->now_ns += NS_PER_US;
	if (tv) {
		tv->tv_sec = pd->now_ns / NS_PER_SEC;
		tv->tv_usec = pd->now_ns % NS_PER_SEC / NS_PER_US;
	}
	pd_leave(pd);
	return 0;
}

static void pd_free(void *u)
{
	struct pd *pd = u;

	pd_unredirect();
	pthread_mutex_lock(&pd->lock);
	for (int fd = 0; fd < PD_MAX_FD; fd++)
		if (pd->files[fd])
			pd_file_put(pd->files[fd]);
	stack_free(pd->stack);
	while (!list_empty(&pd->sent)) {
		struct pd_packet *p = container_of(list_pop_front(&pd->sent), struct pd_packet, node);

		pkt_free(p->pkt);
		free(p);
	}
	pthread_mutex_unlock(&pd->lock);
	pd_current = NULL;
	free(pd);
}

/* packetdrill has no way to be told that init failed. */
static void die(const char *what, const char *why)
{
	fprintf(stderr, "libsockstack-packetdrill: %s: %s\n", what, why);
	exit(1);
}

static void must(enum ns_err err, const char *what)
{
	if (err)
		die(what, ns_err_str(err));
}

struct flags {
	struct addr_prefix addrs[4];
	struct addr gateways[4];
	int naddrs, ngateways;
	uint32_t mtu;
};

static void parse_flag(struct flags *f, char *word)
{
	char *value = strchr(word, '=');

	if (!value)
		die("--so_flags: expected NAME=VALUE", word);
	*value++ = '\0';
	if (!strcmp(word, "addr") && f->naddrs < 4) {
		if (!addr_prefix_parse(value, &f->addrs[f->naddrs++]))
			die("--so_flags: not an address with its prefix length", value);
	} else if (!strcmp(word, "gw") && f->ngateways < 4) {
		if (!addr_parse(value, &f->gateways[f->ngateways++]))
			die("--so_flags: not an address", value);
	} else if (!strcmp(word, "mtu")) {
		f->mtu = (uint32_t)strtoul(value, NULL, 10);
	} else {
		die("--so_flags: unknown, or too many", word);
	}
}

/* addr=ADDRESS/BITS, gw=ADDRESS, mtu=BYTES; the first two may come for each family. */
static struct flags parse_flags(const char *text)
{
	struct flags f = { .mtu = 1500 };
	char *copy = strdup(text ? text : ""), *save = NULL;

	for (char *w = strtok_r(copy, ",", &save); w; w = strtok_r(NULL, ",", &save))
		parse_flag(&f, w);
	free(copy);
	if (!f.naddrs) {
		addr_prefix_parse("192.168.0.1/16", &f.addrs[f.naddrs++]);
		addr_parse("192.168.0.2", &f.gateways[f.ngateways++]);
	}
	return f;
}

static void add_route(struct stack *s, const struct addr_prefix *dest, const struct addr *gw)
{
	struct route_row row = { .nic = PD_NIC, .destination = subnet_of(dest) };

	if (gw)
		row.gateway = *gw;
	must(route_add(s, &row), "a route");
}

static void build(struct pd *pd, const struct flags *f)
{
	struct stack_config config = netstack_config();
	struct channel_config channel = {
		.depth = QUEUE, .mtu = f->mtu, .gso_max = GSO_MAX,
		.caps = LINK_CAP_TX_CSUM | LINK_CAP_TSO4 | LINK_CAP_TSO6,
	};
	struct nic *nic;

	memcpy(config.seed, &pd->now_ns, sizeof(pd->now_ns));
	must(stack_new(&config, &pd->stack), "the stack");
	clock_set(pd->stack->clock, pd->now_ns, pd->now_ns);
	pd->link = channel_new(&channel);
	if (!pd->link)
		die("the link", "out of memory");
	must(nic_create(pd->stack, PD_NIC, "tun0", pd->link, &nic), "the interface");
	for (int i = 0; i < f->naddrs; i++) {
		struct addr_prefix dest = f->addrs[i];

		must(nic_add_addr(nic, &f->addrs[i], ADDR_MANUAL, NULL), "an address");
		dest.addr = addr_prefix_bits(&dest.addr, dest.prefix_len);
		add_route(pd->stack, &dest, NULL);
		dest.addr = addr_prefix_bits(&dest.addr, 0);
		dest.prefix_len = 0;
		/* Without a gateway all is on this link: scripts' peers have addresses of anywhere. */
		for (int k = 0; k < f->ngateways; k++)
			if (f->gateways[k].len == dest.addr.len)
				add_route(pd->stack, &dest, &f->gateways[k]);
		add_route(pd->stack, &dest, NULL);
	}
	/* Router solicitations and duplicate address detection are over before the script begins. */
	pd_advance(pd, pd->now_ns + 20 * NS_PER_SEC);
	while (!list_empty(&pd->sent)) {
		struct pd_packet *p = container_of(list_pop_front(&pd->sent), struct pd_packet, node);

		pkt_free(p->pkt);
		free(p);
	}
}

static const struct packetdrill_interface table = {
	.free = pd_free,
	.socket = pd_socket, .bind = pd_bind, .listen = pd_listen, .accept = pd_accept,
	.connect = pd_connect,
	.read = pd_read, .readv = pd_readv, .recv = pd_recv, .recvfrom = pd_recvfrom,
	.recvmsg = pd_recvmsg,
	.write = pd_write, .writev = pd_writev, .send = pd_send, .sendto = pd_sendto,
	.sendmsg = pd_sendmsg,
	.fcntl = pd_fcntl, .ioctl = pd_ioctl, .close = pd_close, .shutdown = pd_shutdown,
	.getsockopt = pd_getsockopt, .setsockopt = pd_setsockopt, .poll = pd_poll,
	.netdev_send = pd_netdev_send, .netdev_receive = pd_netdev_receive,
	.usleep = pd_usleep, .gettimeofday = pd_gettimeofday,
	.epoll_create = pd_epoll_create, .epoll_ctl = pd_epoll_ctl, .epoll_wait = pd_epoll_wait,
	.pipe = pd_pipe, .splice = pd_splice,
};

__attribute__((visibility("default")))
void packetdrill_interface_init(const char *flags, struct packetdrill_interface *out)
{
	struct flags f = parse_flags(flags);
	struct pd *pd = calloc(1, sizeof(*pd));
	pthread_condattr_t attr;
	struct timespec now;

	if (!pd)
		die("init", "out of memory");
	pthread_mutex_init(&pd->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&pd->changed, &attr);
	pd->first_thread = pthread_self();
	list_init(&pd->sent);
	list_init(&pd->sleepers);
	clock_gettime(CLOCK_REALTIME, &now);
	pd->now_ns = now.tv_sec * NS_PER_SEC + now.tv_nsec;
	pthread_mutex_lock(&pd->lock);
	build(pd, &f);
	pthread_mutex_unlock(&pd->lock);
	pd_current = pd;
	*out = table;
	out->userdata = pd;
	pd_redirect();
}
