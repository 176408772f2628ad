/*
 * How much TCP gets through a bad path: the stack in simulation, the stack over an impaired TAP to a kernel,
 * and the kernel to itself over the same impairment. One line for each point of loss, delay and rate.
 *
 *	stack-loss [seconds for each figure [only this point]]
 *
 * A figure is the median of several runs, which differ in what is lost; all columns' runs are equally long, for
 * the first slow start, before anything is lost, tells in the mean. Those in real time go on side by side.
 *
 * The kernel's two sides are in two namespaces with a TAP each, and this program carries the frames between
 * them through the stack's impairing link (netem is not in every kernel). Data flows towards who measures, so
 * that what counts is what arrived.
 */
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "rig.h"
#include "tcp_peer.h"

enum { MTU = 1500, SECONDS = 20, RUNS = 7, FIRST_SEED = 100, CHUNK = 1 << 16 };

#define NEAR_IP "10.79.0.1"
#define FAR_IP "10.79.0.2"
#define OWN_IP "10.79.0.3"

struct point {
	uint32_t loss_ppm, rtt_ms, mbit;
};

static const struct point points[] = {
	{ 0, 20, 100 }, { 1000, 20, 100 }, { 3000, 20, 100 }, { 10000, 20, 100 }, { 30000, 20, 100 },
	{ 100000, 20, 100 }, { 10000, 2, 100 }, { 10000, 100, 100 }, { 10000, 20, 10 }, { 1000, 20, 1000 },
};

static double *shared;		/* what came in, of each run that is going on; in a run: its own */

/* The direction data flows in; the other only delays. */
static struct impair_dir data_dir(const struct point *p)
{
	return (struct impair_dir){
		.loss = p->loss_ppm, .delay_ns = p->rtt_ms * NS_PER_MS / 2, .rate_bps = p->mbit * 1000000ull,
		.queue_pkts = 100 + p->mbit * p->rtt_ms / 8,
	};
}

static struct impair_dir ack_dir(const struct point *p)
{
	return (struct impair_dir){ .delay_ns = p->rtt_ms * NS_PER_MS / 2 };
}

static void add(struct stack *s, struct nic *nic, const char *ip)
{
	struct addr_prefix ap = { .prefix_len = 24 };
	struct route_row row = { .nic = nic->id };

	if (!addr_parse(ip, &ap.addr) || nic_add_addr(nic, &ap, ADDR_MANUAL, NULL))
		abort();
	row.destination = subnet_of(&ap);
	if (route_add(s, &row))
		abort();
}

/* Sends for ever on what a listener accepts. */
struct source {
	struct endpoint *listener, *ep;
};

static void source_open(struct source *src, struct stack *s)
{
	struct full_addr any = { .port = PORT_SOURCE };

	*src = (struct source){ 0 };
	if (endpoint_new(s, NET_IPV4, IP_PROTO_TCP, &src->listener) || endpoint_bind(src->listener, &any) ||
	    endpoint_listen(src->listener, 4))
		abort();
}

static void source_step(struct source *src)
{
	static char chunk[CHUNK];
	struct iovec iov = { chunk, sizeof(chunk) };
	size_t n;

	if (!src->ep && endpoint_accept(src->listener, &src->ep, NULL))
		src->ep = NULL;
	while (src->ep && endpoint_write(src->ep, &iov, 1, NULL, &n) == NS_OK)
		;
}

/* In simulation: virtual time. */

struct sim_side {
	struct stack *stack;
	struct link *wire, *impair;
	struct nic *nic;
};

static void sim_side(struct sim_side *x, struct clock *clock, struct pkt_pool *pool, const char *ip,
		     const struct impair_dir *out, uint64_t seed)
{
	struct channel_config cc = { .depth = 65536, .mtu = MTU };
	struct impair_config ic = { .clock = clock, .seed = seed, .out = *out };
	struct stack_config sc = netstack_config();

	memcpy(sc.seed, &seed, sizeof(seed));
	sc.clock = clock;
	sc.pool = pool;
	x->wire = channel_new(&cc);
	x->impair = impair_new(x->wire, &ic);
	if (stack_new(&sc, &x->stack) || nic_create(x->stack, 1, NULL, x->impair, &x->nic))
		abort();
	add(x->stack, x->nic, ip);
}

static void carry(struct sim_side *from, struct sim_side *to, struct pkt_pool *pool)
{
	static uint8_t buf[65536];
	struct pkt *p;

	while ((p = channel_read(from->wire))) {
		size_t len = p->len;

		pkt_copy_out(p, 0, buf, len);
		pkt_free(p);
		channel_inject(to->wire, pkt_from_bytes(pool, buf, len));
	}
}

static size_t drain(struct endpoint *ep)
{
	static char chunk[CHUNK];
	struct iovec iov = { chunk, sizeof(chunk) };
	struct read_msg m = { .iov = &iov, .iovcnt = 1 };
	size_t n = 0;

	while (endpoint_read(ep, &m) == NS_OK) {
		endpoint_moderate_recv_buf(ep, m.n);
		n += m.n;
	}
	return n;
}

static double in_simulation(const struct point *p, int ms, uint64_t seed)
{
	struct impair_dir data = data_dir(p), acks = ack_dir(p);
	struct pkt_pool *pool = pkt_pool_new();
	struct full_addr to = { .port = PORT_SOURCE };
	struct sim_side a, b;
	struct endpoint *ep;
	struct source src;
	struct clock clock;
	int64_t end;
	double got = 0;

	clock_init(&clock, NS_PER_SEC, NS_PER_SEC);
	sim_side(&a, &clock, pool, NEAR_IP, &acks, seed);
	sim_side(&b, &clock, pool, FAR_IP, &data, seed + 1);
	source_open(&src, b.stack);
	addr_parse(FAR_IP, &to.addr);
	if (endpoint_new(a.stack, NET_IPV4, IP_PROTO_TCP, &ep) || endpoint_connect(ep, &to) != NS_ERR_CONNECT_STARTED)
		abort();
	for (end = clock.now_ns + ms * NS_PER_MS; clock.now_ns < end;) {
		int64_t next;

		clock_run(&clock);
		carry(&a, &b, pool);
		carry(&b, &a, pool);
		clock_run(&clock);
		/* The users act before time goes on: who accepts or reads late gets less. */
		source_step(&src);
		got += (double)drain(ep);
		next = clock_next(&clock);
		if (channel_count(a.wire) || channel_count(b.wire))
			next = clock.now_ns;
		clock_set(&clock, next < end ? next : end, next);
	}
	stack_free(a.stack);
	stack_free(b.stack);
	pkt_pool_unref(pool);
	return got * 8 / ms / 1e3;
}

/* In real time. */

struct side {
	pid_t keeper;		/* of the namespace */
	struct link *tap;
};

static int own_ns;

static void enter(pid_t keeper)
{
	char path[64];
	int fd = own_ns;

	if (keeper) {
		snprintf(path, sizeof(path), "/proc/%d/ns/net", keeper);
		fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	if (setns(fd, CLONE_NEWNET))
		abort();
	if (keeper)
		close(fd);
}

static void side_open(struct side *s, const char *ip, struct pkt_pool *pool)
{
	struct tap_config tc = { .name = "loss0", .mtu = MTU, .pool = pool };
	char error[TAP_ERROR_MAX], c;
	int fds[2];

	if (pipe(fds))
		abort();
	s->keeper = fork();
	if (s->keeper == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (unshare(CLONE_NEWNET) || write(fds[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	if (read(fds[0], &c, 1) != 1)
		abort();
	close(fds[0]);
	close(fds[1]);
	enter(s->keeper);
	if (tap_open(&tc, &s->tap, error)) {
		fprintf(stderr, "%s\n", error);
		exit(2);
	}
	sh("ip link set lo up; ip link set loss0 mtu %d txqueuelen 10000; ip addr add %s/24 dev loss0; "
	   "ip link set loss0 up; echo '4096 131072 16777216' >/proc/sys/net/ipv4/tcp_rmem; "
	   "echo '4096 131072 16777216' >/proc/sys/net/ipv4/tcp_wmem", MTU, ip);
	enter(0);
}

static void side_close(struct side *s)
{
	kill(s->keeper, SIGKILL);
	waitpid(s->keeper, NULL, 0);
}

static void set_clock(struct clock *c)
{
	struct timespec m;

	clock_gettime(CLOCK_MONOTONIC, &m);
	clock_set(c, m.tv_sec * NS_PER_SEC + m.tv_nsec, m.tv_sec * NS_PER_SEC);
}

static pid_t child_in(pid_t keeper)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		enter(keeper);
	}
	return pid;
}

static pid_t measure_in(const struct side *s, const char *ip, int ms)
{
	pid_t pid = child_in(s->keeper);

	*shared = 0;
	if (pid == 0) {
		*shared = peer_bulk(ip, PORT_SOURCE, ms) * 8 / 1e6;
		_exit(0);
	}
	return pid;
}

/* Frames that come through the impairment at one TAP go out at the other. */
struct relay {
	struct link_sink sink;
	struct link *to;
};

static void relay_rx(struct link_sink *sink, struct pkt *pkt)
{
	link_write(container_of(sink, struct relay, sink)->to, pkt);
}

static void wait_round(struct clock *clock, struct link *const *taps, int n)
{
	struct pollfd p[2];
	int64_t next = clock_next(clock);
	struct timespec ts = { 0, 5000000 };

	if (next != CLOCK_NEVER && next - clock->now_ns < ts.tv_nsec)
		ts.tv_nsec = next > clock->now_ns ? next - clock->now_ns : 0;
	for (int i = 0; i < n; i++)
		p[i] = (struct pollfd){ .fd = fdbased_fd(taps[i], 0), .events = POLLIN };
	ppoll(p, (nfds_t)n, &ts, NULL);
	set_clock(clock);
	for (int i = 0; i < n; i++)
		fdbased_rx(taps[i], 0, 256);
	clock_run(clock);
}

static double kernel_to_kernel(const struct point *p, int ms, uint64_t seed)
{
	struct pkt_pool *pool = pkt_pool_new();
	struct clock clock;
	struct impair_config ic = { .clock = &clock, .seed = seed, .in = data_dir(p) };
	struct relay to_near = { .sink.rx = relay_rx }, to_far = { .sink.rx = relay_rx };
	struct side near, far;
	struct link *taps[2], *impaired;
	pid_t server, client;
	int up[2];
	char c;

	clock_init(&clock, 0, 0);
	set_clock(&clock);
	side_open(&near, NEAR_IP, pool);
	side_open(&far, FAR_IP, pool);
	/* Around the far TAP: what comes from there is data, what goes there are acknowledgements. */
	ic.out = ack_dir(p);
	impaired = impair_new(far.tap, &ic);
	to_near.to = near.tap;
	to_far.to = impaired;
	link_attach(impaired, &to_near.sink);
	link_attach(near.tap, &to_far.sink);
	taps[0] = near.tap;
	taps[1] = far.tap;
	if (pipe(up))
		abort();
	server = child_in(far.keeper);
	if (server == 0)
		peer_server(up[1]);
	if (read(up[0], &c, 1) != 1)
		abort();
	client = measure_in(&near, FAR_IP, ms);
	while (waitpid(client, NULL, WNOHANG) != client)
		wait_round(&clock, taps, 2);
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	link_close(impaired);
	link_close(near.tap);
	side_close(&near);
	side_close(&far);
	pkt_pool_unref(pool);
	close(up[0]);
	close(up[1]);
	return *shared;
}

static double stack_to_kernel(const struct point *p, int ms, uint64_t seed)
{
	const struct link_addr mac = { { 2, 0, 0, 0, 0x79, 3 }, 6 };
	struct pkt_pool *pool = pkt_pool_new();
	struct stack_config sc = netstack_config();
	struct impair_config ic = { .seed = seed, .out = data_dir(p), .in = ack_dir(p) };
	struct clock clock;
	struct source src;
	struct stack *s;
	struct side near;
	struct nic *nic;
	pid_t client;

	clock_init(&clock, 0, 0);
	set_clock(&clock);
	ic.clock = sc.clock = &clock;
	sc.pool = pool;
	side_open(&near, NEAR_IP, pool);
	if (stack_new(&sc, &s) || nic_create(s, 1, NULL, ether_new(impair_new(near.tap, &ic), &mac), &nic))
		abort();
	add(s, nic, OWN_IP);
	source_open(&src, s);
	client = measure_in(&near, OWN_IP, ms);
	while (waitpid(client, NULL, WNOHANG) != client) {
		wait_round(&clock, &near.tap, 1);
		source_step(&src);
		stack_run(s);
	}
	stack_free(s);
	side_close(&near);
	pkt_pool_unref(pool);
	return *shared;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double v[RUNS])
{
	qsort(v, RUNS, sizeof(v[0]), by_value);
	return v[RUNS / 2];
}

/* The median of runs in real time, all at once: each is a process with namespaces of its own. */
static double side_by_side(double (*run)(const struct point *, int, uint64_t), const struct point *p, int ms)
{
	pid_t pids[RUNS];

	fflush(stdout);
	for (int i = 0; i < RUNS; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			shared += i;
			run(p, ms, FIRST_SEED + (uint64_t)i);
			_exit(0);
		}
	}
	for (int i = 0; i < RUNS; i++) {
		int status;

		if (waitpid(pids[i], &status, 0) != pids[i] || status) {
			fprintf(stderr, "a run failed\n");
			exit(2);
		}
	}
	return median(shared);
}

int main(int argc, char **argv)
{
	int ms = (argc > 1 ? atoi(argv[1]) : SECONDS) * 1000;
	int only = argc > 2 ? atoi(argv[2]) : -1;
	const char *why = rig_namespace();

	if (why) {
		skip("throughput against loss", why);
		return 0;
	}
	own_ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	printf("| loss | round trip | rate | kernel | stack to kernel | stack in simulation |\n|---|---|---|---|---|---|\n");
	for (int i = 0; i < (int)(sizeof(points) / sizeof(points[0])); i++) {
		const struct point *p = &points[i];
		double k, s, v[RUNS];

		if (only >= 0 && i != only)
			continue;
		k = side_by_side(kernel_to_kernel, p, ms);
		s = side_by_side(stack_to_kernel, p, ms);
		for (int j = 0; j < RUNS; j++)
			v[j] = in_simulation(p, ms, FIRST_SEED + (uint64_t)j);
		printf("| %g%% | %u ms | %u Mbit/s | %.1f Mbit/s | %.1f | %.1f |\n", p->loss_ppm / 1e4, p->rtt_ms, p->mbit,
		       k, s, median(v));
		fflush(stdout);
	}
	return 0;
}
