/*
 * The kernel's TCP through the stack as a router between two TAPs: super-segments come in from the
 * first, and go out of the second whole, or cut up in software where it has no offload. And the same
 * with both ends translated on the way.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rig.h"

enum { TOTAL = 8 << 20, PORT = 5000 };

static struct link *far_link;
static char chunk[65536];

static char pattern(size_t at)
{
	return (char)(at * 7 + at / 65536);
}

static void far_idle(struct rig *r)
{
	if (fdbased_rx(far_link, 0, 64) > 0)
		stack_run(r->stack);
}

/* The far side, in a namespace of its own: takes all, answers with the number of right bytes. */
static void far_side(int ready, int go)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_port = htons(PORT) };
	uint32_t good = 0, at = 0;
	int fd, conn;
	ssize_t n;
	char c;

	if (unshare(CLONE_NEWNET) || write(ready, "x", 1) != 1 || read(go, &c, 1) != 1)
		_exit(1);
	sh("ip addr add 10.88.0.2/24 dev ss1 && ip link set ss1 up && ip route add default via 10.88.0.1");
	sh("ip addr add fd00:88::2/64 dev ss1 nodad && ip -6 route add default via fd00:88::1");
	fd = socket(AF_INET6, SOCK_STREAM, 0);
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, 1) || write(ready, "x", 1) != 1)
		_exit(1);
	conn = accept(fd, NULL, NULL);
	while ((n = read(conn, chunk, sizeof(chunk))) > 0)
		for (ssize_t i = 0; i < n; i++, at++)
			good += chunk[i] == pattern(at);
	if (write(conn, &good, sizeof(good)) != sizeof(good))
		_exit(1);
	_exit(0);
}

/* An address and ports that the far side knows nothing of. */
static const char translation[] = "*nat\n"
	"-A PREROUTING -d %s -p tcp -m tcp --dport 5000 -j DNAT --to-destination %s\n"
	"-A POSTROUTING -o nic2 -p tcp -j MASQUERADE --to-ports 20000-20010\nCOMMIT\n"
	"*filter\n:FORWARD DROP [0:0]\n-A FORWARD -m conntrack --ctstate ESTABLISHED -j ACCEPT\n"
	"-A FORWARD ! -i nic2 -p tcp -m conntrack --ctstate NEW -j ACCEPT\nCOMMIT\n";

static void translate(struct rig *r, bool v6)
{
	struct filter_error e;
	char text[1000];

	snprintf(text, sizeof(text), translation, v6 ? "fd00:88::77" : "10.88.0.77",
		 v6 ? "fd00:88::2" : "10.88.0.2");
	if (filter_load(r->stack, v6 ? NET_IPV6 : NET_IPV4, text, strlen(text), 0, &e))
		abort();
}

struct seen {
	int translated;
};

static void look(void *ctx, const struct filter_conn_info *i)
{
	struct seen *s = ctx;

	s->translated += i->status & FILTER_CONN_SNAT && i->status & FILTER_CONN_DNAT &&
			 i->status & FILTER_CONN_ASSURED && i->dst[1].port >= 20000 &&
			 i->dst[1].port <= 20010;
}

static int connect_near(bool v6, bool translated)
{
	struct sockaddr_in v4a = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	struct sockaddr_in6 v6a = { .sin6_family = AF_INET6, .sin6_port = htons(PORT) };
	int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), rc;

	inet_pton(AF_INET, translated ? "10.88.0.77" : "10.88.0.2", &v4a.sin_addr);
	inet_pton(AF_INET6, translated ? "fd00:88::77" : "fd00:88::2", &v6a.sin6_addr);
	rc = v6 ? connect(fd, (struct sockaddr *)&v6a, sizeof(v6a))
		: connect(fd, (struct sockaddr *)&v4a, sizeof(v4a));
	if (rc && errno != EINPROGRESS)
		abort();
	return fd;
}

static uint32_t transfer(struct rig *r, int fd)
{
	uint32_t good = 0;
	size_t sent = 0;

	for (int round = 0; round < 200000; round++) {
		if (sent < TOTAL) {
			size_t len = TOTAL - sent < sizeof(chunk) ? TOTAL - sent : sizeof(chunk);
			ssize_t n;

			for (size_t i = 0; i < len; i++)
				chunk[i] = pattern(sent + i);
			n = send(fd, chunk, len, MSG_NOSIGNAL);
			if (n > 0)
				sent += (size_t)n;
			else if (errno != EAGAIN && errno != ENOTCONN)
				break;
			if (sent == TOTAL)
				shutdown(fd, SHUT_WR);
		} else if (recv(fd, &good, sizeof(good), 0) == sizeof(good)) {
			break;
		}
		rig_round(r, sent < TOTAL ? 0 : 1);
	}
	return good;
}

static void add_net(struct rig *r, struct nic *nic, const char *text)
{
	struct route_row row = { .nic = nic->id };
	struct addr_prefix ap;

	if (!addr_prefix_parse(text, &ap) || nic_add_addr(nic, &ap, ADDR_MANUAL, NULL))
		abort();
	row.destination = subnet_of(&ap);
	if (route_add(r->stack, &row))
		abort();
}

static void routed(bool v6, bool far_offload, bool translated)
{
	const struct link_addr mac = { { 2, 0, 0, 0, 0x88, 1 }, 6 };
	struct rig_config c = { .mtu = 1500, .offload = true };
	struct tap_config tc = { .name = "ss1", .offload = far_offload, .mtu = 1500 };
	char error[TAP_ERROR_MAX], x;
	int ready[2], go[2], fd;
	struct seen seen = { 0 };
	struct nic *far;
	struct rig r;
	uint32_t good;
	pid_t pid;

	rig_open(&r, &c);
	tc.pool = r.stack->pool;
	if (tap_open(&tc, &far_link, error) || pipe2(ready, O_CLOEXEC) || pipe2(go, O_CLOEXEC) ||
	    nic_create(r.stack, 2, NULL, ether_new(far_link, &mac), &far))
		abort();
	add_net(&r, far, "10.88.0.1/24");
	add_net(&r, far, "fd00:88::1/64");
	for (int i = 0; i < NET_FAMILIES; i++) {
		nic_set_forwarding(r.nic, (enum net_index)i, true);
		nic_set_forwarding(far, (enum net_index)i, true);
	}
	pid = fork();
	if (pid == 0)
		far_side(ready[1], go[0]);
	if (read(ready[0], &x, 1) != 1)
		abort();
	sh("ip link set ss1 netns %d", pid);
	sh("ip route add 10.88.0.0/24 via " STACK_V4 "; ip route add fd00:88::/64 via " STACK_V6);
	if (write(go[1], "x", 1) != 1 || read(ready[0], &x, 1) != 1)
		abort();
	r.idle = far_idle;
	if (translated)
		translate(&r, v6);
	fd = connect_near(v6, translated);
	good = transfer(&r, fd);
	filter_conn_walk(r.stack, look, &seen);
	result(good == TOTAL && seen.translated == translated,
	       "TCP of the kernel's through the stack, IPv%d, %s%s", v6 ? 6 : 4,
	       far_offload ? "super-segments passed on" : "super-segments cut up",
	       translated ? ", both ends translated" : "");
	close(fd);
	kill(pid, 9);
	waitpid(pid, NULL, 0);
	r.idle = NULL;
	for (int i = 0; i < 2; i++) {
		close(ready[i]);
		close(go[i]);
	}
	rig_close(&r);
}

int main(void)
{
	const char *why = rig_namespace();

	if (why) {
		skip("the stack as a router", why);
		return 0;
	}
	for (int v6 = 0; v6 < 2; v6++)
		for (int offload = 0; offload < 2; offload++)
			for (int translated = 0; translated < 2; translated++)
				routed(v6, offload, translated);
	return failures != 0;
}
