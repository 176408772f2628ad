/*
 * UDP packets per second echoed over a TAP: by the stack, by a bare read/write loop on the same
 * device, and by the kernel over veth. Rounds take turns; medians of 7, and ratios to the bare loop.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "header/eth.h"
#include "rig.h"

enum { ROUNDS = 7, ROUND_MS = 400, WINDOW = 128, BATCH = 32 };
enum kind { BARE, STACK, VETH, KINDS };

static const char *const names[KINDS] = { "bare read/write loop", "stack", "kernel over veth" };

static double *shared;		/* where the flooding child leaves its figure */

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Keeps WINDOW datagrams under way; what is lost is made up for after a while. */
static double flood(const char *ip, size_t size)
{
	static char out[2048], in[BATCH][2048];
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(7) };
	struct mmsghdr tx[BATCH] = { 0 }, rx[BATCH] = { 0 };
	struct iovec txv = { out, size }, rxv[BATCH];
	int fd = socket(AF_INET, SOCK_DGRAM, 0), under_way = 0;
	struct timeval tv = { .tv_usec = 2000 };
	double start, end;
	long got = 0;

	inet_pton(AF_INET, ip, &to.sin_addr);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)))
		return 0;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	for (int i = 0; i < BATCH; i++) {
		rxv[i] = (struct iovec){ in[i], sizeof(in[i]) };
		tx[i].msg_hdr.msg_iov = &txv;
		rx[i].msg_hdr.msg_iov = &rxv[i];
		tx[i].msg_hdr.msg_iovlen = rx[i].msg_hdr.msg_iovlen = 1;
	}
	start = now_s();
	end = start + ROUND_MS / 1e3;
	while (now_s() < end) {
		int n = WINDOW - under_way < BATCH ? WINDOW - under_way : BATCH;

		if (n > 0 && sendmmsg(fd, tx, (unsigned)n, 0) == n)
			under_way += n;
		n = recvmmsg(fd, rx, BATCH, MSG_WAITFORONE, NULL);
		if (n > 0) {
			got += n;
			under_way -= n;
		} else {
			under_way = 0;
		}
		if (under_way < 0)
			under_way = 0;
	}
	close(fd);
	return (double)got / (now_s() - start);
}

static pid_t start_flood(const char *ip, size_t size)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		*shared = flood(ip, size);
		_exit(0);
	}
	return pid;
}

static bool gone(pid_t pid)
{
	return waitpid(pid, NULL, WNOHANG) == pid;
}

static void swap(uint8_t *a, uint8_t *b, int n)
{
	for (int i = 0; i < n; i++) {
		uint8_t t = a[i];

		a[i] = b[i];
		b[i] = t;
	}
}

/* The least that can echo: swap addresses and ports, write back. Sums stay right. */
static double bare(struct rig *r, size_t size)
{
	int fd = fdbased_fd(r->fd_link, 0);
	pid_t pid = start_flood(STACK_V4, size);
	static uint8_t f[2048];
	int idle = 0;

	while (idle < 64 || !gone(pid)) {
		ssize_t n = read(fd, f, sizeof(f));

		if (n < 0) {
			idle++;
			usleep(50);
			continue;
		}
		idle = 0;
		if (n < 42 || f[12] != 8 || f[13] != 0 || f[23] != IP_PROTO_UDP)
			continue;
		swap(f, f + 6, 6);
		swap(f + 26, f + 30, 4);
		swap(f + 34, f + 36, 2);
		if (write(fd, f, (size_t)n) < 0)
			continue;
	}
	return *shared;
}

static struct endpoint *ep;

static double stack(struct rig *r, size_t size)
{
	static char buf[2048];
	pid_t pid = start_flood(STACK_V4, size);
	int idle = 0;

	while (idle < 64 || !gone(pid)) {
		struct iovec iov = { buf, sizeof(buf) };
		struct read_msg m = { .iov = &iov, .iovcnt = 1 };
		struct write_opts o = { .to = &m.from };
		size_t k;
		int n = fdbased_rx(r->fd_link, 0, 32);

		if (n <= 0) {
			idle++;
			usleep(50);
			continue;
		}
		idle = 0;
		stack_run(r->stack);
		while (endpoint_read(ep, &m) == NS_OK) {
			struct iovec back = { buf, m.n };

			endpoint_write(ep, &back, 1, &o, &k);
		}
		fdbased_flush(r->fd_link);
	}
	return *shared;
}

static pid_t veth_peer;

/* A kernel socket in another namespace that echoes, at the other end of a veth pair. */
static void veth_setup(void)
{
	int ready[2], go[2];
	char c;

	if (pipe(ready) || pipe(go))
		abort();
	veth_peer = fork();
	if (veth_peer == 0) {
		struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(7) }, from;
		static char buf[2048];
		int fd;

		if (unshare(CLONE_NEWNET) || write(ready[1], "x", 1) != 1 || read(go[0], &c, 1) != 1)
			_exit(1);
		sh("ip addr add 10.78.0.2/24 dev bench1 && ip link set bench1 up");
		fd = socket(AF_INET, SOCK_DGRAM, 0);
		if (bind(fd, (struct sockaddr *)&a, sizeof(a)) || write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;) {
			socklen_t len = sizeof(from);
			ssize_t n = recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *)&from, &len);

			if (n >= 0)
				sendto(fd, buf, (size_t)n, 0, (struct sockaddr *)&from, len);
		}
	}
	if (read(ready[0], &c, 1) != 1)
		abort();
	sh("ip link add bench0 type veth peer name bench1 && ip link set bench1 netns %d"
	   " && ip addr add 10.78.0.1/24 dev bench0 && ip link set bench0 up", veth_peer);
	if (write(go[1], "x", 1) != 1 || read(ready[0], &c, 1) != 1)
		abort();
	usleep(200000);
}

static double veth(struct rig *r, size_t size)
{
	pid_t pid = start_flood("10.78.0.2", size);

	(void)r;
	waitpid(pid, NULL, 0);
	return *shared;
}

/* Processor time this process has used: unlike the rate, it does not depend on who else is busy. */
static double cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
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

static void compare(struct rig *r, size_t size)
{
	static double (*const run[KINDS])(struct rig *, size_t) = { bare, stack, veth };
	double v[KINDS][ROUNDS], ratio[KINDS][ROUNDS], cpu[KINDS][ROUNDS];

	for (int i = 0; i < ROUNDS; i++)
		for (int k = 0; k < KINDS; k++) {
			double start = cpu_ns();

			v[k][i] = run[k](r, size);
			cpu[k][i] = (cpu_ns() - start) / (v[k][i] * ROUND_MS / 1e3);
			ratio[k][i] = v[k][i] / v[BARE][i];
		}
	for (int k = 0; k < KINDS; k++)
		printf("UDP echo, %zu bytes, %s: %.0f packets/s (ratio %.2f), %.0f ns of our time each\n",
		       size, names[k], median_of(v[k]), median_of(ratio[k]), median_of(cpu[k]));
	fflush(stdout);
}

int main(void)
{
	struct rig_config c = { .mtu = 1500 };
	struct full_addr any = { .addr = addr_v4_any, .port = 7 };
	const char *why = rig_namespace();
	struct rig r;

	if (why) {
		skip("UDP echo over TAP", why);
		return 0;
	}
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	rig_open(&r, &c);
	sh("ip neigh replace " STACK_V4 " lladdr 02:00:00:00:77:02 dev ss0");
	veth_setup();
	if (endpoint_new(r.stack, NET_IPV4, IP_PROTO_UDP, &ep) || endpoint_bind(ep, &any))
		abort();
	compare(&r, 64);
	compare(&r, 1400);
	kill(veth_peer, 9);
	waitpid(veth_peer, NULL, 0);
	rig_close(&r);
	return 0;
}
