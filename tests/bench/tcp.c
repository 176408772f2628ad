/*
 * TCP over a TAP against a kernel peer, beside the kernel against itself over veth: streams, round trips,
 * connections. Rounds take turns; medians of 7, and the median of the ratios to the round before over veth.
 *
 *	stack-tcp [idle connections]
 */
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rig.h"
#include "tcp_peer.h"

enum { ROUNDS = 7, ROUND_MS = 600, PARALLEL = 32, OPEN = 10000, IDLE = 100000, HELD_EACH = 15000, CHUNK = 256 << 10,
	PART = 64 << 10 };

#define VETH_IP "10.78.0.2"

static double *shared;		/* where a measuring child leaves its figure */

/* The stack's services. */

struct service {
	struct waiter w;
	struct endpoint *listener;
	int port;
};

struct conn {
	struct waiter w;
	struct list ready;
	struct endpoint *ep;
	int port;
};

static struct service services[3];
static struct list ready;
static bool accepting;
static long nconns;

static void conn_event(struct waiter *w, uint32_t events)
{
	struct conn *c = container_of(w, struct conn, w);

	(void)events;
	if (list_empty(&c->ready))
		list_push_back(&ready, &c->ready);
}

static void listener_event(struct waiter *w, uint32_t events)
{
	(void)w;
	(void)events;
	accepting = true;
}

static void conn_end(struct conn *c)
{
	waiter_remove(&c->w);
	list_remove(&c->ready);
	endpoint_close(c->ep);
	free(c);
	nconns--;
}

static struct chunk *data[CHUNK / PART];

/* Without copies, as a program does whose data lies in the stack's memory; otherwise what the kernel's side does: the
 * same 256 KiB over and over, and as much at a time. */
static bool write_for_ever(struct endpoint *ep)
{
	struct pkt_pool *pool = ep->stack->pool;
	enum ns_err err;

	do {
		struct pkt *pkt = pkt_alloc(pool, 0, 0), *rest = NULL;
		size_t n;

		for (int i = 0; i < CHUNK / PART; i++) {
			if (!data[i])
				data[i] = chunk_alloc(pool, PART);
			pkt_add_frag(pkt, data[i], 0, PART);
		}
		err = endpoint_write_pkt(ep, pkt, NULL, &n, &rest);
		pkt_free(rest);
	} while (!err);
	return err == NS_ERR_WOULD_BLOCK;
}

/* Where it lies, likewise. */
static bool read_all(struct endpoint *ep)
{
	struct iovec iov[16];
	bool end = false;
	int n;

	while ((n = endpoint_peek_iov(ep, iov, 16, &end)) > 0) {
		size_t bytes = 0;

		for (int i = 0; i < n; i++)
			bytes += iov[i].iov_len;
		endpoint_consume(ep, bytes);
		endpoint_moderate_recv_buf(ep, bytes);
	}
	return !end;
}

/* False when the connection is over. */
static bool conn_serve(struct conn *c)
{
	static char chunk[CHUNK];
	struct iovec iov = { chunk, sizeof(chunk) };
	struct read_msg m = { .iov = &iov, .iovcnt = 1 };
	enum ns_err err;
	size_t n;

	if (c->port == PORT_SOURCE)
		return write_for_ever(c->ep);
	if (c->port == PORT_SINK)
		return read_all(c->ep);
	while (!(err = endpoint_read(c->ep, &m))) {
		endpoint_moderate_recv_buf(c->ep, m.n);
		iov.iov_len = m.n;
		endpoint_write(c->ep, &iov, 1, NULL, &n);
		iov.iov_len = sizeof(chunk);
	}
	return err == NS_ERR_WOULD_BLOCK;
}

static void accept_all(void)
{
	accepting = false;
	for (int i = 0; i < 3; i++) {
		struct endpoint *ep;

		while (endpoint_accept(services[i].listener, &ep, NULL) == NS_OK) {
			struct conn *c = calloc(1, sizeof(*c));

			c->ep = ep;
			c->port = services[i].port;
			c->w = (struct waiter){ .mask = c->port == PORT_SOURCE ? WAIT_OUT : WAIT_IN, .fn = conn_event };
			waiter_add(&ep->wq, &c->w);
			endpoint_set_int(ep, SOCKOPT_NO_DELAY, 1);
			list_init(&c->ready);
			list_push_back(&ready, &c->ready);
			nconns++;
		}
	}
}

static void serve(struct rig *r)
{
	struct list *n, turn;

	if (accepting)
		accept_all();
	/* Those that become ready meanwhile have their turn in the next round. */
	list_init(&turn);
	while ((n = list_pop_front(&ready)))
		list_push_back(&turn, n);
	while ((n = list_pop_front(&turn)))
		if (!conn_serve(container_of(n, struct conn, ready)))
			conn_end(container_of(n, struct conn, ready));
	stack_run(r->stack);
}

static void services_open(struct rig *r)
{
	list_init(&ready);
	for (int i = 0; i < 3; i++) {
		struct full_addr any = { .port = (uint16_t)(PORT_SINK + i) };
		struct service *s = &services[i];

		s->port = any.port;
		if (endpoint_new(r->stack, NET_IPV4, IP_PROTO_TCP, &s->listener) ||
		    endpoint_bind(s->listener, &any) || endpoint_listen(s->listener, 4096))
			abort();
		s->w = (struct waiter){ .mask = WAIT_IN, .fn = listener_event };
		waiter_add(&s->listener->wq, &s->w);
	}
	r->idle = serve;
}

static void services_close(struct rig *r)
{
	r->idle = NULL;
	for (int i = 0; i < 3; i++) {
		waiter_remove(&services[i].w);
		endpoint_close(services[i].listener);
	}
	for (size_t i = 0; i < sizeof(data) / sizeof(data[0]); i++) {
		if (data[i])
			chunk_unref(data[i]);
		data[i] = NULL;
	}
}

/* Measuring, in a child. */

struct row {
	const char *what;
	double (*measure)(const char *ip);
	const char *unit;
	double scale;
	bool less_is_better;
};

static double m_up(const char *ip) { return peer_bulk(ip, PORT_SINK, ROUND_MS) * 8; }
static double m_down(const char *ip) { return peer_bulk(ip, PORT_SOURCE, ROUND_MS) * 8; }
static double m_rr(const char *ip) { return peer_rr(ip, ROUND_MS); }
static double m_crr(const char *ip) { return peer_crr(ip, PARALLEL, ROUND_MS); }
static double m_open(const char *ip) { return peer_open(ip, PARALLEL, OPEN); }

static const struct row offload_rows[] = {
	{ "stream to the stack", m_up, "Gbit/s", 1e-9, false },
	{ "stream from the stack", m_down, "Gbit/s", 1e-9, false },
	{ "a byte there and back", m_rr, "us", 1, true },
	{ "connect, echo, close, 32 at a time", m_crr, "/s", 1, false },
	{ "10,000 connections opened, 32 at a time", m_open, "s", 1, true },
};

struct child {
	pid_t pid;
};

static bool child_gone(void *ctx)
{
	const struct child *c = ctx;
	int status;

	if (waitpid(c->pid, &status, WNOHANG) != c->pid)
		return false;
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		*shared = 0;
	return true;
}

static double run(struct rig *r, const struct row *row, const char *ip)
{
	struct child c;

	fflush(stdout);
	*shared = 0;
	c.pid = fork();
	if (c.pid == 0) {
		double v = row->measure(ip);

		*shared = v;
		_exit(0);
	}
	/* The stack lives on meanwhile even when the kernel is measured: it costs nothing when idle. */
	do
		rig_round(r, 5);
	while (r->worked || !child_gone(&c));
	return *shared;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median_of(const double *v)
{
	double s[ROUNDS];

	memcpy(s, v, sizeof(s));
	qsort(s, ROUNDS, sizeof(s[0]), by_value);
	return s[ROUNDS / 2];
}

static void compare(struct rig *r, const struct row *row, const char *how)
{
	double kernel[ROUNDS], stack[ROUNDS], ratio[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		kernel[i] = run(r, row, VETH_IP) * row->scale;
		stack[i] = run(r, row, STACK_V4) * row->scale;
		ratio[i] = kernel[i] > 0 ? stack[i] / kernel[i] : 0;
	}
	printf("TCP, %s, %s: %.3g %s (kernel over veth %.3g, ratio %.2f)\n", row->what, how, median_of(stack),
	       row->unit, median_of(kernel), median_of(ratio));
	fflush(stdout);
}

static pid_t veth_peer;

static void veth_setup(void)
{
	int up[2], go[2];
	char c;

	if (pipe(up) || pipe(go))
		abort();
	veth_peer = fork();
	if (veth_peer == 0) {
		if (unshare(CLONE_NEWNET) || write(up[1], "x", 1) != 1 || read(go[0], &c, 1) != 1)
			_exit(1);
		sh("ip addr add " VETH_IP "/24 dev bench1 && ip link set bench1 up");
		peer_server(up[1]);
	}
	if (read(up[0], &c, 1) != 1)
		abort();
	sh("ip link add bench0 type veth peer name bench1 && ip link set bench1 netns %d"
	   " && ip addr add 10.78.0.1/24 dev bench0 && ip link set bench0 up", veth_peer);
	if (write(go[1], "x", 1) != 1 || read(up[0], &c, 1) != 1)
		abort();
}

static double heap_bytes(void)
{
	struct mallinfo2 m = mallinfo2();

	return (double)(m.uordblks + m.hblkhd);
}

/* Processes that hold connections: one may not have descriptors for all of them, nor one address ports. */
struct holder {
	pid_t pid;
	int fd;
};

static bool holding(void *ctx)
{
	const struct holder *h = ctx;
	char c;

	return recv(h->fd, &c, 1, MSG_DONTWAIT) == 1;
}

static bool hold(struct rig *r, struct holder *h, int index, int n)
{
	char from[32];
	int fds[2];

	snprintf(from, sizeof(from), "10.77.0.%d", 101 + index);
	sh("ip addr add %s/32 dev ss0", from);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds))
		abort();
	h->pid = fork();
	if (h->pid == 0) {
		close(fds[0]);
		peer_hold(STACK_V4, from, n, fds[1]);
		_exit(0);
	}
	close(fds[1]);
	h->fd = fds[0];
	return rig_for(r, 60000, holding, h);
}

static void idle(struct rig *r, int n)
{
	static const struct row rr = { "", m_rr, "us", 1, true };
	struct holder h[IDLE / HELD_EACH + 1] = { 0 };
	double few[ROUNDS], many[ROUNDS], before, each;
	int k = 0;

	for (int i = 0; i < ROUNDS; i++)
		few[i] = run(r, &rr, STACK_V4);
	before = heap_bytes();
	for (int left = n; left > 0; left -= HELD_EACH, k++)
		if (!hold(r, &h[k], k, left < HELD_EACH ? left : HELD_EACH)) {
			printf("# only %ld connections could be opened\n", nconns);
			break;
		}
	/* The server's own structure is not the stack's. */
	each = (heap_bytes() - before) / (double)nconns - (double)sizeof(struct conn);
	printf("TCP, %ld idle connections: %.0f bytes each\n", nconns, each);
	for (int i = 0; i < ROUNDS; i++)
		many[i] = run(r, &rr, STACK_V4);
	printf("TCP, a byte there and back with %ld connections open: %.3g us (%.3g with none, ratio %.2f)\n", nconns,
	       median_of(many), median_of(few), median_of(many) / median_of(few));
	fflush(stdout);
	while (k-- > 0) {
		kill(h[k].pid, SIGKILL);
		waitpid(h[k].pid, NULL, 0);
		close(h[k].fd);
	}
}

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : IDLE;
	struct rlimit lim;
	const char *why = rig_namespace();
	struct rig r;

	if (why) {
		skip("TCP over TAP", why);
		return 0;
	}
	getrlimit(RLIMIT_NOFILE, &lim);
	lim.rlim_cur = lim.rlim_max;
	setrlimit(RLIMIT_NOFILE, &lim);
	if (n > IDLE)
		n = IDLE;
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	sh("echo '1024 65535' >/proc/sys/net/ipv4/ip_local_port_range; echo 1 >/proc/sys/net/ipv4/tcp_tw_reuse");
	veth_setup();
	for (int offload = 1; offload >= 0; offload--) {
		struct rig_config c = { .mtu = 1500, .offload = offload };

		rig_open(&r, &c);
		/* As the stack's host does: 10,000 SYNs at once are more than the 1000 packets a TAP holds. */
		sh("ip link set ss0 txqueuelen 10000");
		sh("ip neigh replace " STACK_V4 " lladdr 02:00:00:00:77:02 dev ss0");
		services_open(&r);
		for (size_t i = 0; i < (offload ? sizeof(offload_rows) / sizeof(offload_rows[0]) : 2); i++)
			compare(&r, &offload_rows[i], offload ? "segmentation offload" : "MTU 1500, no offload");
		if (offload && n)
			idle(&r, n);
		services_close(&r);
		rig_close(&r);
		sh("ip link del ss0 2>/dev/null || true");
	}
	kill(veth_peer, SIGKILL);
	waitpid(veth_peer, NULL, 0);
	return 0;
}
