/* TCP against the kernel's over a TAP: every way to open, send and end, with every option off in turn. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "duplex.h"

enum { PORT = 5000, MANY = 10000, WAIT_MS = 60000, BULK = 3 << 20 };

static char out[65536];

/* The kernel's side of a connection, in a process that exits with 0 if all went well. */
static pid_t kernel_start(void (*run)(const void *arg), const void *arg)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		alarm(WAIT_MS / 1000);
		run(arg);
		_exit(99);
	}
	return pid;
}

struct child {
	pid_t pid;
	int status;
	bool gone;
};

static bool child_gone(void *ctx)
{
	struct child *c = ctx;

	if (!c->gone)
		c->gone = waitpid(c->pid, &c->status, WNOHANG) == c->pid;
	return c->gone;
}

static bool child_ok(struct rig *r, struct child *c)
{
	rig_for(r, WAIT_MS, child_gone, c);
	return c->gone && WIFEXITED(c->status) && WEXITSTATUS(c->status) == 0;
}

/** struct plan - one transfer; @listen: a descriptor on which the kernel accepts, -1: it connects */
struct plan {
	const char *kernel_ip, *stack_ip;
	struct duplex d;
	int listen;
	uint16_t port;
};

static void kernel_duplex(const void *arg)
{
	const struct plan *p = arg;
	struct sockaddr_storage ss;
	socklen_t len = sockaddr_of(p->stack_ip, p->port, &ss);
	int fd;

	if (p->listen >= 0) {
		fd = accept(p->listen, NULL, NULL);
	} else {
		fd = socket(ss.ss_family, SOCK_STREAM, 0);
		setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5);
		if (connect(fd, (struct sockaddr *)&ss, len))
			_exit(1);
	}
	_exit(fd < 0 ? 2 : duplex_kernel(fd, &p->d));
}

static int kernel_listen(const char *ip, uint16_t *port)
{
	struct sockaddr_storage ss;
	socklen_t len = sockaddr_of(ip, 0, &ss);
	int fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5);
	if (bind(fd, (struct sockaddr *)&ss, len) || listen(fd, 64) ||
	    getsockname(fd, (struct sockaddr *)&ss, &len))
		abort();
	*port = ntohs(ss.ss_family == AF_INET ? ((struct sockaddr_in *)&ss)->sin_port
					      : ((struct sockaddr_in6 *)&ss)->sin6_port);
	return fd;
}

static struct endpoint *stack_ep(struct rig *r, const char *ip)
{
	struct endpoint *ep;

	if (endpoint_new(r->stack, strchr(ip, ':') ? NET_IPV6 : NET_IPV4, IP_PROTO_TCP, &ep))
		abort();
	return ep;
}

static struct endpoint *stack_listen(struct rig *r, const char *ip, int backlog)
{
	struct full_addr any = { .port = PORT };
	struct endpoint *ep = stack_ep(r, ip);

	if (endpoint_set_int(ep, SOCKOPT_REUSE_ADDRESS, 1) || endpoint_bind(ep, &any) ||
	    endpoint_listen(ep, backlog))
		abort();
	return ep;
}

static struct endpoint *stack_connect(struct rig *r, const char *ip, uint16_t port)
{
	struct full_addr to = { .port = port };
	struct endpoint *ep = stack_ep(r, ip);
	enum ns_err err;

	if (!addr_parse(ip, &to.addr))
		abort();
	err = endpoint_connect(ep, &to);
	if (err && err != NS_ERR_CONNECT_STARTED)
		result(false, "connect to %s: %s", ip, ns_err_str(err));
	return ep;
}

struct accepting {
	struct endpoint *listener, *ep;
};

static bool accepted(void *ctx)
{
	struct accepting *a = ctx;

	return a->ep || endpoint_accept(a->listener, &a->ep, NULL) == NS_OK;
}

static bool stack_done(void *ctx)
{
	return duplex_step(ctx);
}

/* Options agreed on in the last transfer (enum tcp_info_opt). */
static uint8_t agreed;

static void note_agreed(struct endpoint *ep)
{
	struct tcp_conn_info info = { 0 };
	size_t len = sizeof(info);

	if (endpoint_get_option(ep, SOCKOPT_TCP_INFO, &info, &len))
		abort();
	agreed = info.options & (TCP_INFO_TIMESTAMPS | TCP_INFO_SACK | TCP_INFO_WSCALE | TCP_INFO_ECN);
}

/* A stream each way; @active: the stack connects. */
static bool transfer(struct rig *r, bool v6, bool active, size_t to_stack, size_t to_kernel)
{
	struct plan p = {
		.kernel_ip = v6 ? KERNEL_V6 : KERNEL_V4, .stack_ip = v6 ? STACK_V6 : STACK_V4,
		.d = { 7, to_stack, to_kernel }, .listen = -1, .port = PORT,
	};
	struct duplex_stack s = { .d = { 7, to_kernel, to_stack } };
	struct accepting a = { 0 };
	struct child c = { 0 };
	bool ok;

	if (active) {
		p.listen = kernel_listen(p.kernel_ip, &p.port);
		c.pid = kernel_start(kernel_duplex, &p);
		s.ep = stack_connect(r, p.kernel_ip, p.port);
	} else {
		a.listener = stack_listen(r, p.stack_ip, 8);
		c.pid = kernel_start(kernel_duplex, &p);
		rig_for(r, WAIT_MS, accepted, &a);
		s.ep = a.ep;
	}
	if (s.ep)
		rig_for(r, WAIT_MS, stack_done, &s);
	ok = child_ok(r, &c) && s.ep && duplex_ok(&s);
	if (!ok)
		printf("# child %d (exit %d), stack: %s, %zu of %zu received, %zu of %zu sent%s\n", c.gone,
		       WEXITSTATUS(c.status), ns_err_str(s.err), s.received, s.d.expect, s.sent, s.d.send,
		       s.bad ? ", bytes are wrong" : "");
	if (s.ep) {
		note_agreed(s.ep);
		endpoint_close(s.ep);
	}
	if (a.listener)
		endpoint_close(a.listener);
	if (p.listen >= 0)
		close(p.listen);
	return ok;
}

enum { USUAL = TCP_INFO_TIMESTAMPS | TCP_INFO_SACK | TCP_INFO_WSCALE };

static void four_ways(struct rig *r, const char *what, size_t bytes, uint8_t options)
{
	for (int v6 = 0; v6 < 2; v6++)
		for (int active = 0; active < 2; active++)
			result(transfer(r, v6, active, bytes, bytes) && transfer(r, v6, active, 0, 1000) &&
			       transfer(r, v6, active, 1000, 0) && agreed == options,
			       "streams both ways, %s connects, IPv%d, %s", active ? "the stack" : "the kernel",
			       v6 ? 6 : 4, what);
}

static void set_proto(struct rig *r, enum sockopt opt, int64_t v)
{
	if (stack_set_trans_option(r->stack, IP_PROTO_TCP, opt, &v, sizeof(v)))
		abort();
}

/* Each option off at the kernel, then at the stack. */
static void options(struct rig *r)
{
	static const struct { const char *sysctl; enum sockopt opt; uint8_t bit; } rows[] = {
		{ "tcp_sack", SOCKOPT_SACK_ENABLED, TCP_INFO_SACK },
		{ "tcp_timestamps", SOCKOPT_TIMESTAMPS_ENABLED, TCP_INFO_TIMESTAMPS },
		{ "tcp_window_scaling", SOCKOPT_WINDOW_SCALING_ENABLED, TCP_INFO_WSCALE },
	};
	char what[80];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		sh("echo 0 >/proc/sys/net/ipv4/%s", rows[i].sysctl);
		snprintf(what, sizeof(what), "the kernel without %s", rows[i].sysctl);
		four_ways(r, what, BULK, USUAL & (uint8_t)~rows[i].bit);
		sh("echo 1 >/proc/sys/net/ipv4/%s", rows[i].sysctl);
		set_proto(r, rows[i].opt, 0);
		snprintf(what, sizeof(what), "the stack without %s", rows[i].sysctl);
		four_ways(r, what, BULK, USUAL & (uint8_t)~rows[i].bit);
		set_proto(r, rows[i].opt, 1);
	}
}

static void ecn(struct rig *r)
{
	sh("echo 1 >/proc/sys/net/ipv4/tcp_ecn");
	set_proto(r, SOCKOPT_ECN, 1);
	four_ways(r, "ECN", BULK, USUAL | TCP_INFO_ECN);
	set_proto(r, SOCKOPT_ECN, 0);
	sh("echo 2 >/proc/sys/net/ipv4/tcp_ecn");
}

/* Resets. */
static void kernel_reset(const void *arg)
{
	const struct plan *p = arg;
	struct linger l = { 1, 0 };
	struct sockaddr_storage ss;
	socklen_t len = sockaddr_of(p->stack_ip, PORT, &ss);
	int fd = socket(ss.ss_family, SOCK_STREAM, 0);
	char c;

	if (connect(fd, (struct sockaddr *)&ss, len) || read(fd, &c, 1) != 1)
		_exit(1);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	_exit(close(fd));
}

static void kernel_is_reset(const void *arg)
{
	const struct plan *p = arg;
	struct sockaddr_storage ss;
	socklen_t len = sockaddr_of(p->stack_ip, PORT, &ss);
	int fd = socket(ss.ss_family, SOCK_STREAM, 0);
	char c;

	if (connect(fd, (struct sockaddr *)&ss, len) || write(fd, "x", 1) != 1)
		_exit(1);
	_exit(read(fd, &c, 1) == -1 && errno == ECONNRESET ? 0 : 2);
}

static bool readable(void *ctx)
{
	return endpoint_readiness(ctx, WAIT_IN) & WAIT_IN;
}

static bool failed(void *ctx)
{
	return endpoint_readiness(ctx, WAIT_ERR) & WAIT_ERR;
}

static void resets(struct rig *r, bool v6)
{
	struct plan p = { .stack_ip = v6 ? STACK_V6 : STACK_V4 };
	struct accepting a = { .listener = stack_listen(r, p.stack_ip, 8) };
	struct sockopt_linger l = { true, 0 };
	struct iovec iov = { out, 1 };
	struct child c = { 0 };
	int64_t err = 0;
	size_t n;

	c.pid = kernel_start(kernel_reset, &p);
	rig_for(r, WAIT_MS, accepted, &a);
	endpoint_write(a.ep, &iov, 1, NULL, &n);
	rig_for(r, WAIT_MS, failed, a.ep);
	endpoint_get_int(a.ep, SOCKOPT_ERROR, &err);
	result(child_ok(r, &c) && err == NS_ERR_CONNECTION_RESET, "the kernel resets, IPv%d", v6 ? 6 : 4);
	endpoint_close(a.ep);

	a.ep = NULL;
	c = (struct child){ .pid = kernel_start(kernel_is_reset, &p) };
	rig_for(r, WAIT_MS, accepted, &a);
	rig_for(r, WAIT_MS, readable, a.ep);
	endpoint_set_option(a.ep, SOCKOPT_LINGER, &l, sizeof(l));
	endpoint_close(a.ep);
	result(child_ok(r, &c), "the stack resets, IPv%d", v6 ? 6 : 4);
	endpoint_close(a.listener);
}

static void kernel_is_refused(const void *arg)
{
	const struct plan *p = arg;
	struct sockaddr_storage ss;
	socklen_t len = sockaddr_of(p->stack_ip, 9, &ss);
	int fd = socket(ss.ss_family, SOCK_STREAM, 0);

	_exit(connect(fd, (struct sockaddr *)&ss, len) == -1 && errno == ECONNREFUSED ? 0 : 1);
}

static void refusals(struct rig *r, bool v6)
{
	struct plan p = { .stack_ip = v6 ? STACK_V6 : STACK_V4 };
	struct child c = { .pid = kernel_start(kernel_is_refused, &p) };
	struct endpoint *ep;
	int64_t err = 0;

	result(child_ok(r, &c), "a closed port refuses the kernel, IPv%d", v6 ? 6 : 4);
	ep = stack_connect(r, v6 ? KERNEL_V6 : KERNEL_V4, 9);
	rig_for(r, WAIT_MS, failed, ep);
	endpoint_get_int(ep, SOCKOPT_ERROR, &err);
	result(err == NS_ERR_CONNECTION_REFUSED, "the kernel's closed port refuses, IPv%d", v6 ? 6 : 4);
	endpoint_close(ep);
}

/* Ten thousand at a time: the kernel opens them all, each says a byte and hears it back, then all close. */
static void kernel_many(const void *arg)
{
	const struct plan *p = arg;
	struct sockaddr_storage ss;
	socklen_t len = sockaddr_of(p->stack_ip, PORT, &ss);
	int *fds = calloc(MANY, sizeof(*fds));

	for (int i = 0; i < MANY; i++) {
		fds[i] = socket(ss.ss_family, SOCK_STREAM, 0);
		if (fds[i] < 0 || connect(fds[i], (struct sockaddr *)&ss, len))
			_exit(1);
	}
	for (int i = 0; i < MANY; i++)
		if (write(fds[i], &i, sizeof(i)) != sizeof(i))
			_exit(2);
	for (int i = 0; i < MANY; i++) {
		int back = -1;

		if (recv(fds[i], &back, sizeof(back), MSG_WAITALL) != sizeof(back) || back != i)
			_exit(3);
	}
	for (int i = 0; i < MANY; i++)
		close(fds[i]);
	_exit(0);
}

struct many {
	struct child c;
	struct endpoint *listener, *eps[MANY];
	int accepted, closed;
};

static void many_echo(struct many *m, int i)
{
	int v;
	struct iovec iov = { &v, sizeof(v) };
	struct read_msg rm = { .iov = &iov, .iovcnt = 1 };
	enum ns_err err = endpoint_read(m->eps[i], &rm);
	size_t n;

	if (err == NS_ERR_WOULD_BLOCK)
		return;
	if (!err) {
		endpoint_write(m->eps[i], &iov, 1, NULL, &n);
		return;
	}
	endpoint_close(m->eps[i]);
	m->eps[i] = NULL;
	m->closed++;
}

static bool many_done(void *ctx)
{
	struct many *m = ctx;

	while (m->accepted < MANY && endpoint_accept(m->listener, &m->eps[m->accepted], NULL) == NS_OK)
		m->accepted++;
	/* Nothing is said before all are there. */
	for (int i = 0; m->accepted == MANY && i < MANY; i++)
		if (m->eps[i])
			many_echo(m, i);
	return child_gone(&m->c) && (m->closed == MANY || m->c.status);
}

static void many(struct rig *r)
{
	struct rlimit lim = { MANY + 100, MANY + 100 };
	struct plan p = { .stack_ip = STACK_V4 };
	struct many *m = calloc(1, sizeof(*m));

	if (setrlimit(RLIMIT_NOFILE, &lim)) {
		skip("10000 connections at a time", "no right to so many descriptors");
		free(m);
		return;
	}
	m->listener = stack_listen(r, STACK_V4, 1024);
	m->c.pid = kernel_start(kernel_many, &p);
	rig_for(r, WAIT_MS, many_done, m);
	result(m->c.gone && m->c.status == 0 && m->closed == MANY,
	       "%d connections at a time (%d accepted, %d closed)", MANY, m->accepted, m->closed);
	for (int i = 0; i < MANY; i++)
		if (m->eps[i])
			endpoint_close(m->eps[i]);
	endpoint_close(m->listener);
	free(m);
}

static int count_lines(const char *fmt, const char *path)
{
	char cmd[400], line[4096];
	int n = 0;
	FILE *p;

	snprintf(cmd, sizeof(cmd), fmt, path);
	p = popen(cmd, "r");
	while (p && fgets(line, sizeof(line), p))
		n++;
	if (p)
		pclose(p);
	return n;
}

static void captures(const char *path)
{
	if (!have("tcpdump")) {
		skip("tcpdump reads the capture", "tcpdump is not installed");
	} else {
		int n = count_lines("tcpdump -nr %s tcp 2>/dev/null", path);
		/* Ports may be those of a protocol that tcpdump knows: what it says of the payload does not count. */
		int bad = count_lines("tcpdump -nvvr %s tcp 2>/dev/null | grep -E '\\(incorrect|bad (cksum|hdr|len|opt)|bad-len|\\[\\|(ip6?|tcp)\\]'",
				      path);

		result(n > 1000 && bad == 0, "tcpdump reads %d segments without a complaint (%d bad)", n, bad);
	}
	if (!have("tshark")) {
		skip("tshark reads the capture", "tshark is not installed");
		return;
	}
	result(count_lines("tshark -r %s -Y tcp 2>/dev/null", path) > 1000 &&
	       count_lines("tshark --only-protocols eth,arp,ip,ipv6,tcp -r %s -o tcp.check_checksum:TRUE -o ip.check_checksum:TRUE -Y "
			   "'tcp.checksum.status==0 || ip.checksum.status==0 || _ws.malformed' 2>/dev/null",
			   path) == 0, "tshark reads the capture without a complaint");
}

static void mtus(void)
{
	static const uint32_t sizes[] = { 576, 1280, 1500, 4000, 9000, 20000, 65521 };
	char what[80];

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		for (int offload = 0; offload < 2; offload++) {
			struct rig_config c = { .mtu = sizes[i], .queues = 1, .offload = offload };
			bool ok = true;
			struct rig r;

			rig_open(&r, &c);
			for (int v6 = 0; v6 < (sizes[i] < 1280 ? 1 : 2); v6++)
				for (int active = 0; active < 2; active++)
					ok &= transfer(&r, v6, active, BULK, BULK);
			snprintf(what, sizeof(what), "MTU %u%s", sizes[i], offload ? ", offload" : "");
			result(ok, "streams both ways, %s", what);
			rig_close(&r);
			sh("ip link del ss0 2>/dev/null || true");
		}
}

int main(void)
{
	const char *why = rig_namespace();
	char capture[64];
	struct rig r;

	if (why) {
		skip("TCP against the kernel", why);
		return 0;
	}
	snprintf(capture, sizeof(capture), "/tmp/sockstack-tcp-%d.pcapng", (int)getpid());
	{
		struct rig_config c = { .mtu = 1500, .queues = 1, .capture = capture };

		rig_open(&r, &c);
		four_ways(&r, "as it comes", 300000, USUAL);
		for (int v6 = 0; v6 < 2; v6++) {
			resets(&r, v6);
			refusals(&r, v6);
		}
		rig_close(&r);
		captures(capture);
		if (!failures)
			unlink(capture);
		sh("ip link del ss0 2>/dev/null || true");
	}
	{
		struct rig_config c = { .mtu = 1500, .queues = 1, .offload = true };

		rig_open(&r, &c);
		options(&r);
		ecn(&r);
		many(&r);
		rig_close(&r);
		sh("ip link del ss0 2>/dev/null || true");
	}
	mtus();
	return failures != 0;
}
