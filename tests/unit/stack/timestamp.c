/* Time stamps of what is sent, where sending takes its time: on a simulated segment. */
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <time.h>

#include <linux/errqueue.h>
#include <linux/net_tstamp.h>

#include "net.h"
#include "socket/sock.h"

static struct sim *sim;
static struct sim_host *a, *b;
static char bytes[3000];

static void setup(void)
{
	struct sim_segment *lan;

	sim = sim_new(7);
	a = sim_host(sim, "a");
	b = sim_host(sim, "b");
	lan = sim_segment(sim);
	sim_attach(a, lan, "10.0.0.1/24", NULL);
	sim_attach(b, lan, "10.0.0.2/24", NULL);
	sim_run(sim, 5 * NS_PER_SEC);
}

static void teardown(void)
{
	sim_free(sim);
}

TestSuite(timestamp, .init = setup, .fini = teardown);

static struct sock *stamping(int flags)
{
	struct sock *k;

	cr_assert_eq(sock_new(a->stack, AF_INET, SOCK_DGRAM, 0, &k), 0);
	cr_assert_eq(sock_setopt(k, SOL_SOCKET, SO_TIMESTAMPING, &flags, sizeof(flags)), 0);
	return k;
}

static ssize_t send_to(struct sock *k, uint32_t host, size_t n)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr = { htonl(host) } };
	struct iovec iov = { bytes, n };
	struct sock_msg m = { .addr_len = sizeof(to) };

	memcpy(&m.addr, &to, sizeof(to));
	return sock_send(k, &iov, 1, &m, 0);
}

enum { HOST_B = 0x0a000002, HOST_NOBODY = 0x0a000009, SENT = SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE };

Test(timestamp, is_of_the_moment_at_which_it_goes_not_of_the_write)
{
	struct sock *k = stamping(SENT | SOF_TIMESTAMPING_OPT_ID);
	int64_t written = a->stack->clock->wall_ns;
	struct sock_error e;

	cr_assert_eq(send_to(k, HOST_B, 10), 10);
	cr_assert_eq(sock_error_pop(k, &e), -EAGAIN, "stamped before the neighbour is known");
	sim_run(sim, NS_PER_SEC);
	cr_assert(sock_poll(k) & POLLERR);
	cr_assert_eq(sock_error_pop(k, &e), 0);
	cr_assert_eq(e.origin, SO_EE_ORIGIN_TIMESTAMPING);
	cr_assert_eq(e.ee_errno, ENOMSG);
	cr_assert_eq(e.info, SCM_TSTAMP_SND);
	cr_assert_geq(e.wall_ns, written);
	cr_assert_eq(e.len, 14 + 20 + 8 + 10);
	cr_assert_arr_eq(e.payload, b->ports[0]->mac.b, 6);
	cr_assert_arr_eq(e.payload + 6, a->ports[0]->mac.b, 6);
	cr_assert_eq(sock_poll(k) & POLLERR, 0);
	sock_close(k);
}

Test(timestamp, of_fragments_the_first_is_stamped)
{
	struct sock *k = stamping(SENT | SOF_TIMESTAMPING_OPT_ID);
	struct sock_error e;

	cr_assert_eq(send_to(k, HOST_B, sizeof(bytes)), sizeof(bytes));
	cr_assert_eq(send_to(k, HOST_B, 1), 1);
	sim_run(sim, NS_PER_SEC);
	cr_assert_eq(sock_error_pop(k, &e), 0);
	cr_assert_eq(e.data, 0);
	cr_assert_eq(e.payload[14 + 6] & 0x3f, 0x20, "more fragments, from 0");
	cr_assert_eq(e.payload[14 + 7], 0);
	cr_assert_eq(sock_error_pop(k, &e), 0);
	cr_assert_eq(e.data, 1);
	cr_assert_eq(sock_error_pop(k, &e), -EAGAIN);
	sock_close(k);
}

Test(timestamp, is_not_of_what_never_goes)
{
	struct sock *k = stamping(SENT);
	struct sock_error e;

	cr_assert_eq(send_to(k, HOST_NOBODY, 1), 1);
	sim_run(sim, 10 * NS_PER_SEC);
	cr_assert_eq(sock_error_pop(k, &e), -EAGAIN);
	sock_close(k);
}

Test(timestamp, finds_nobody_after_close)
{
	struct sock *k = stamping(SENT), *other = stamping(SENT);
	struct sock_error e;

	cr_assert_eq(send_to(k, HOST_B, 1), 1);
	sock_close(k);
	sim_run(sim, NS_PER_SEC);
	cr_assert_eq(sock_error_pop(other, &e), -EAGAIN);
	sock_close(other);
}
