/* A stack on a TAP whose other side is the kernel's. */
#include "rig.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int failures;

void result(bool ok, const char *fmt, ...)
{
	va_list ap;

	printf(ok ? "ok " : "not ok ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
	failures += !ok;
}

void skip(const char *name, const char *why)
{
	printf("skip %s: %s\n", name, why);
	fflush(stdout);
}

void sh(const char *fmt, ...)
{
	char cmd[1024];
	va_list ap;
	int rc;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	rc = system(cmd);
	if (rc) {
		fprintf(stderr, "failed (%d): %s\n", rc, cmd);
		exit(2);
	}
}

bool have(const char *cmd)
{
	char line[256];

	snprintf(line, sizeof(line), "command -v %s >/dev/null 2>&1", cmd);
	return system(line) == 0;
}

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return ok;
}

const char *rig_namespace(void)
{
	char map[64];
	unsigned uid = getuid(), gid = getgid();

	if (uid == 0) {
		if (unshare(CLONE_NEWNET))
			return "no right to make a network namespace";
	} else {
		if (unshare(CLONE_NEWUSER | CLONE_NEWNET))
			return "no right to make a user namespace";
		snprintf(map, sizeof(map), "0 %u 1", uid);
		if (!write_file("/proc/self/setgroups", "deny") ||
		    !write_file("/proc/self/uid_map", map))
			return "cannot map the user";
		snprintf(map, sizeof(map), "0 %u 1", gid);
		if (!write_file("/proc/self/gid_map", map))
			return "cannot map the group";
	}
	if (access("/dev/net/tun", R_OK | W_OK))
		return "no /dev/net/tun";
	if (!have("ip"))
		return "iproute2 is not installed";
	if (system("ip link set lo up"))
		return "cannot configure the namespace";
	return NULL;
}

static void set_clock(struct rig *r)
{
	struct timespec m, w;

	clock_gettime(CLOCK_MONOTONIC, &m);
	clock_gettime(CLOCK_REALTIME, &w);
	clock_set(&r->clock, m.tv_sec * NS_PER_SEC + m.tv_nsec,
		  w.tv_sec * NS_PER_SEC + w.tv_nsec);
}

static bool capture_write(void *ctx, const struct iovec *iov, int n)
{
	for (int i = 0; i < n; i++)
		if (iov[i].iov_len && fwrite(iov[i].iov_base, iov[i].iov_len, 1, ctx) != 1)
			return false;
	return true;
}

static void add_addr(struct rig *r, const char *text)
{
	struct addr_prefix ap;
	struct route_row row = { .nic = 1 };

	if (!addr_prefix_parse(text, &ap) || nic_add_addr(r->nic, &ap, ADDR_MANUAL, NULL))
		abort();
	row.destination = subnet_of(&ap);
	if (route_add(r->stack, &row))
		abort();
}

static void kernel_side(const struct rig *r, const struct rig_config *c)
{
	sh("ip link set %s mtu %u", r->device, c->mtu);
	/* accept_dad is per device; without detection addresses are there at once. */
	sh("{ echo 0 >/proc/sys/net/ipv6/conf/%s/accept_dad; } 2>/dev/null || true", r->device);
	sh("ip addr add %s/24 dev %s", KERNEL_V4, r->device);
	sh("ip link set %s up", r->device);
	if (c->mtu >= 1280)
		sh("ip addr add %s/64 dev %s nodad", KERNEL_V6, r->device);
}

void rig_open(struct rig *r, const struct rig_config *c)
{
	const struct link_addr mac = { { 2, 0, 0, 0, 0x77, 2 }, 6 };
	struct stack_config sc = netstack_config();
	struct ipv6_config v6;
	char error[TAP_ERROR_MAX];
	struct link *top;

	memset(r, 0, sizeof(*r));
	r->device = "ss0";
	clock_init(&r->clock, 0, 0);
	set_clock(r);
	sc.clock = &r->clock;
	memcpy(sc.seed, "0123456789abcdef", 16);
	if (stack_new(&sc, &r->stack))
		abort();
	v6 = ipv6_config_get(r->stack);
	v6.dad_transmits = c->no_addresses;
	ipv6_config_set(r->stack, &v6);
	{
		struct tap_config tc = { .name = r->device, .offload = c->offload,
					 .queues = c->queues, .mtu = c->mtu,
					 .pool = r->stack->pool };

		if (tap_open(&tc, &r->fd_link, error)) {
			fprintf(stderr, "%s\n", error);
			exit(2);
		}
	}
	fdbased_batch(r->fd_link);
	top = r->fd_link;
	if (c->capture) {
		struct sniffer_config s = { .write = capture_write, .clock = &r->clock,
					    .name = r->device, .comment = "against the kernel" };

		r->capture = fopen(c->capture, "w");
		s.ctx = r->capture;
		top = sniffer_new(top, &s);
	}
	kernel_side(r, c);
	if (nic_create(r->stack, 1, r->device, ether_new(top, &mac), &r->nic))
		abort();
	add_addr(r, STACK_V4 "/24");
	if (c->mtu >= 1280 && !c->no_addresses)
		add_addr(r, STACK_V6 "/64");
}

void rig_close(struct rig *r)
{
	struct pkt_pool *pool = pkt_pool_ref(r->stack->pool);

	stack_free(r->stack);
	if (pkt_pool_live(pool))
		result(false, "no packets left after the stack");
	pkt_pool_unref(pool);
	if (r->capture)
		fclose(r->capture);
}

void rig_round(struct rig *r, int ms)
{
	struct pollfd p[FDBASED_MAX_QUEUES];
	int64_t next = stack_next(r->stack), wait = ms;
	bool ask = !r->worked;
	int n = 0;

	/* What was done since the last round. */
	fdbased_flush(r->fd_link);
	set_clock(r);
	if (next != CLOCK_NEVER && (next - r->clock.now_ns) / NS_PER_MS + 1 < wait)
		wait = next <= r->clock.now_ns ? 0 : (next - r->clock.now_ns) / NS_PER_MS + 1;
	while (n < FDBASED_MAX_QUEUES && fdbased_fd(r->fd_link, n) >= 0) {
		p[n] = (struct pollfd){ .fd = fdbased_fd(r->fd_link, n), .events = POLLIN };
		n++;
	}
	if (ask) {
		poll(p, (nfds_t)n, (int)wait);
		set_clock(r);
	}
	r->worked = false;
	for (int i = 0; i < n; i++)
		if (!ask || p[i].revents)
			r->worked |= fdbased_rx(r->fd_link, i, 64) > 0;
	stack_run(r->stack);
	if (r->idle)
		r->idle(r);
	fdbased_flush(r->fd_link);
}

bool rig_for(struct rig *r, int ms, bool (*done)(void *ctx), void *ctx)
{
	int64_t end;

	set_clock(r);
	end = r->clock.now_ns + ms * NS_PER_MS;
	for (;;) {
		if (done && done(ctx))
			return true;
		if (r->clock.now_ns >= end)
			return false;
		rig_round(r, 5);
	}
}

int rig_run(struct rig *r, const char *cmd, char *out, size_t size)
{
	int fds[2], status = 0;
	size_t have_bytes = 0;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK))
		abort();
	pid = fork();
	if (pid == 0) {
		dup2(fds[1], 1);
		dup2(fds[1], 2);
		execl("/bin/sh", "sh", "-c", cmd, NULL);
		_exit(127);
	}
	close(fds[1]);
	out[0] = 0;
	for (;;) {
		ssize_t n = read(fds[0], out + have_bytes, size - 1 - have_bytes);

		if (n > 0)
			have_bytes += (size_t)n;
		out[have_bytes] = 0;
		if (n == 0 || (n < 0 && errno != EAGAIN))
			break;
		rig_round(r, 5);
	}
	close(fds[0]);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
