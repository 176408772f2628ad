/*
 * Sample: a TCP client on a stack of its own over a TUN or TAP device: what it reads it sends, what it receives
 * it prints, as nc(1) does.
 *
 *	tun_tcp_connect [-t] [-o] [-g GATEWAY] DEVICE ADDRESS/PREFIX REMOTE PORT
 *
 * For instance, as root:
 *
 *	ip tuntap add mode tun tun0 && ip addr add 10.1.0.1/24 dev tun0 && ip link set tun0 up
 *	nc -l 8080 &
 *	echo hello | tun_tcp_connect tun0 10.1.0.2/24 10.1.0.1 8080
 */
#include <stdlib.h>
#include <unistd.h>

#include "sample/host.h"

enum { BUFFER = 65536 };

/** struct pipe - from standard input to the connection: what was read and not yet written */
struct pipe {
	char buf[BUFFER];
	size_t len, off;
	bool eof, shut;
};

static struct pipe in;

static void connect_to(struct host *h, struct endpoint *ep, const struct full_addr *to)
{
	enum ns_err err = endpoint_connect(ep, to);
	int64_t pending = 0;

	if (err && err != NS_ERR_CONNECT_STARTED)
		host_must(err, "connect");
	while (!endpoint_readiness(ep, WAIT_OUT))
		host_round(h, -1, 0);
	endpoint_get_int(ep, SOCKOPT_ERROR, &pending);
	host_must((enum ns_err)pending, "connect");
}

static void send_some(struct endpoint *ep)
{
	while (in.off < in.len) {
		struct iovec iov = { in.buf + in.off, in.len - in.off };
		enum ns_err err;
		size_t n;

		err = endpoint_write(ep, &iov, 1, NULL, &n);
		if (err == NS_ERR_WOULD_BLOCK)
			return;
		host_must(err, "send");
		in.off += n;
	}
	if (in.eof && !in.shut) {
		host_must(endpoint_shutdown(ep, SHUTDOWN_WRITE), "shutdown");
		in.shut = true;
	}
}

static void write_out(const char *p, size_t n)
{
	while (n) {
		ssize_t k = write(1, p, n);

		if (k <= 0)
			exit(1);
		p += k;
		n -= (size_t)k;
	}
}

/* False at the end of the peer's stream. */
static bool print_some(struct endpoint *ep)
{
	static char buf[BUFFER];
	struct iovec iov = { buf, sizeof(buf) };
	struct read_msg m = { .iov = &iov, .iovcnt = 1 };
	enum ns_err err;

	while (!(err = endpoint_read(ep, &m))) {
		write_out(buf, m.n);
		endpoint_moderate_recv_buf(ep, m.n);
	}
	if (err == NS_ERR_CLOSED_FOR_RECEIVE)
		return false;
	if (err != NS_ERR_WOULD_BLOCK)
		host_must(err, "receive");
	return true;
}

static void read_in(void)
{
	ssize_t n = read(0, in.buf, sizeof(in.buf));

	in.off = 0;
	in.len = n > 0 ? (size_t)n : 0;
	in.eof = n <= 0;
}

int main(int argc, char **argv)
{
	struct full_addr to = { 0 };
	struct endpoint *ep;
	int64_t unsent = 1;
	struct host h;
	int i = host_open(&h, argc, argv, "tun_tcp_connect " HOST_USAGE " REMOTE PORT", 2);

	if (!addr_parse(argv[i], &to.addr))
		host_die(argv[i], "not an address");
	to.port = (uint16_t)atoi(argv[i + 1]);
	host_must(endpoint_new(h.stack, to.addr.len == ADDR_LEN_V4 ? NET_IPV4 : NET_IPV6, IP_PROTO_TCP, &ep),
		  "endpoint");
	connect_to(&h, ep, &to);
	while (print_some(ep) || !in.shut) {
		bool wants = !in.eof && in.off == in.len;

		if (host_round(&h, wants ? 0 : -1, POLLIN))
			read_in();
		send_some(ep);
	}
	/* The last acknowledgement. */
	while (endpoint_get_int(ep, SOCKOPT_SEND_QUEUE_SIZE, &unsent) == NS_OK && unsent)
		host_round(&h, -1, 0);
	endpoint_close(ep);
	stack_run(h.stack);
	return 0;
}
