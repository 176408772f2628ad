/* switch_calls.c - a switch of the program's own: filters, statistics, table, as socktest specifies them. */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unit.h"
#include "sockshim.h"
#include "switch/switch.h"

/* The library's own switch is not linked here. */
struct sockshim_switch *sockshim_default_switch(void) { return NULL; }

#define TCP sockshim_cookie_make(AF_INET, SOCK_STREAM, IPPROTO_TCP)

static struct sockshim_switch *sw;

static void setup(void) { cr_assert_eq(sockshim_switch_new(&sw), 0); }
static void teardown(void) { sockshim_switch_free(sw); }

static struct sockshim_stat stat_of(sockshim_cookie c)
{
	struct sockshim_stat all[16], none = { .cookie = c };
	size_t n = sockshim_stats(sw, all, 16);

	for (size_t i = 0; i < n; i++)
		if (all[i].cookie == c)
			return all[i];
	return none;
}

static uint64_t counts_in_all(sockshim_cookie c)
{
	struct sockshim_stat s = stat_of(c);

	return s.opened + s.connected + s.listened + s.accepted + s.closed + s.open_failed + s.connect_failed +
	       s.listen_failed + s.accept_failed + s.close_failed;
}

static int fail_filter(const struct sockshim_status *st, struct sockshim_after *after, void *user)
{
	return *(int *)user;
}

static struct sockshim_status seen;

static int see_outcome(const struct sockshim_status *st, void *user)
{
	seen = *st;
	return user ? *(int *)user : 0;
}

/* Hands back an after-filter that gets the filter's user data. */
static int watch_filter(const struct sockshim_status *st, struct sockshim_after *after, void *user)
{
	after->fn = see_outcome;
	after->user = user;
	return 0;
}

static int listener(struct sockaddr_in *addr)
{
	socklen_t len = sizeof(*addr);
	int fd = sockshim_socket(sw, AF_INET, SOCK_STREAM, IPPROTO_TCP);

	cr_assert_geq(fd, 0);
	memset(addr, 0, sizeof(*addr));
	addr->sin_family = AF_INET;
	addr->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	cr_assert_eq(bind(fd, (struct sockaddr *)addr, sizeof(*addr)), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)addr, &len), 0);
	cr_assert_eq(sockshim_listen(sw, fd, 8), 0);
	return fd;
}

TestSuite(switch_calls, .init = setup, .fini = teardown, .timeout = 20);

Test(switch_calls, a_connection_is_counted_at_every_step)
{
	struct sockaddr_in addr;
	int l = listener(&addr), c = sockshim_socket(sw, AF_INET, SOCK_STREAM, IPPROTO_TCP), a;
	struct sockshim_stat s;

	cr_assert_eq(sockshim_connect(sw, c, (struct sockaddr *)&addr, sizeof(addr)), 0);
	a = sockshim_accept(sw, l, NULL, NULL);
	cr_assert_geq(a, 0);
	cr_assert_eq(sockshim_close(sw, a), 0);
	cr_assert_eq(sockshim_close(sw, c), 0);
	cr_assert_eq(sockshim_close(sw, l), 0);
	s = stat_of(TCP);
	cr_assert_eq(s.opened, 2);
	cr_assert_eq(s.connected, 1);
	cr_assert_eq(s.listened, 1);
	cr_assert_eq(s.accepted, 1);
	cr_assert_eq(s.closed, 3);
	cr_assert_eq(counts_in_all(TCP), 8);
	cr_assert_eq(sockshim_sockets(sw, NULL, 0), 0);
}

Test(switch_calls, failures_are_counted_as_such)
{
	struct sockaddr_in addr;
	int l = listener(&addr), c;

	sockshim_close(sw, l);
	c = sockshim_socket(sw, AF_INET, SOCK_STREAM, IPPROTO_TCP);
	cr_assert_eq(sockshim_connect(sw, c, (struct sockaddr *)&addr, sizeof(addr)), -ECONNREFUSED);
	cr_assert_eq(sockshim_accept4(sw, c, NULL, NULL, 0), -EINVAL);
	cr_assert_eq(sockshim_socket(sw, AF_INET, SOCK_STREAM, 255), -EPROTONOSUPPORT);
	cr_assert_eq(stat_of(TCP).connect_failed, 1);
	cr_assert_eq(stat_of(TCP).accept_failed, 1);
	cr_assert_eq(stat_of(sockshim_cookie_make(AF_INET, SOCK_STREAM, 255)).open_failed, 1);
	sockshim_close(sw, c);
}

Test(switch_calls, a_filter_cancels_the_call_and_is_in_no_counter_but_injected)
{
	int refuse = ECONNREFUSED;
	struct sockaddr_in addr;
	int l = listener(&addr), c = sockshim_socket(sw, AF_INET, SOCK_STREAM, IPPROTO_TCP);
	struct sockshim_stat before = stat_of(TCP), after;
	struct pollfd p = { .fd = l, .events = POLLIN };

	cr_assert_eq(sockshim_set(sw, SOCKSHIM_CONNECT, fail_filter, &refuse), 0);
	cr_assert_eq(sockshim_connect(sw, c, (struct sockaddr *)&addr, sizeof(addr)), -ECONNREFUSED);
	cr_assert_eq(poll(&p, 1, 0), 0, "the call was made");
	after = stat_of(TCP);
	cr_assert_eq(after.injected[SOCKSHIM_CONNECT], 1);
	after.injected[SOCKSHIM_CONNECT] = 0;
	cr_assert_eq(memcmp(&before, &after, sizeof(after)), 0);
	cr_assert_eq(sockshim_set(sw, SOCKSHIM_CONNECT, NULL, NULL), 0);
	cr_assert_eq(sockshim_connect(sw, c, (struct sockaddr *)&addr, sizeof(addr)), 0);
	sockshim_close(sw, c);
	sockshim_close(sw, l);
}

Test(switch_calls, a_negative_errno_from_a_filter_is_the_same_error)
{
	int err = -EMFILE;

	sockshim_set(sw, SOCKSHIM_SOCKET, fail_filter, &err);
	cr_assert_eq(sockshim_socket(sw, AF_INET, SOCK_STREAM, 0), -EMFILE);
}

Test(switch_calls, an_after_filter_sees_the_outcome)
{
	struct sockaddr_in addr;
	int l = listener(&addr), c = sockshim_socket(sw, AF_INET, SOCK_STREAM, IPPROTO_TCP);

	sockshim_close(sw, l);
	sockshim_set(sw, SOCKSHIM_CONNECT, watch_filter, NULL);
	cr_assert_eq(sockshim_connect(sw, c, (struct sockaddr *)&addr, sizeof(addr)), -ECONNREFUSED);
	cr_assert_eq(seen.cookie, TCP);
	cr_assert_eq(seen.err, ECONNREFUSED);
	sockshim_close(sw, c);
}

Test(switch_calls, an_after_filter_that_fails_socket_closes_the_descriptor)
{
	int err = ENOBUFS, next, fd;

	next = dup(0);
	close(next);
	sockshim_set(sw, SOCKSHIM_SOCKET, watch_filter, &err);
	cr_assert_eq(sockshim_socket(sw, AF_INET, SOCK_STREAM, IPPROTO_TCP), -ENOBUFS);
	fd = dup(0);
	cr_assert_eq(fd, next, "a descriptor was left open");
	cr_assert_eq(stat_of(TCP).injected[SOCKSHIM_SOCKET], 1);
	cr_assert_eq(counts_in_all(TCP), 0);
	close(fd);
}

Test(switch_calls, an_after_filter_that_fails_accept_closes_the_descriptor)
{
	struct sockaddr_in addr;
	int err = ECONNABORTED, l = listener(&addr), c = sockshim_socket(sw, AF_INET, SOCK_STREAM, IPPROTO_TCP);
	char byte;

	cr_assert_eq(sockshim_connect(sw, c, (struct sockaddr *)&addr, sizeof(addr)), 0);
	sockshim_set(sw, SOCKSHIM_ACCEPT, watch_filter, &err);
	cr_assert_eq(sockshim_accept(sw, l, NULL, NULL), -ECONNABORTED);
	cr_assert_eq(read(c, &byte, 1), 0, "the accepted socket is still open");
	cr_assert_eq(stat_of(TCP).accepted, 0);
	sockshim_close(sw, c);
	sockshim_close(sw, l);
}

Test(switch_calls, sockets_not_in_the_table_pass_unfiltered)
{
	int err = EPERM, fd = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);

	sockshim_set(sw, SOCKSHIM_LISTEN, fail_filter, &err);
	sockshim_set(sw, SOCKSHIM_CLOSE, fail_filter, &err);
	cr_assert_eq(sockshim_listen(sw, fd, 1), 0);
	cr_assert_eq(sockshim_close(sw, fd), 0);
	cr_assert_eq(counts_in_all(TCP), 0);
}

Test(switch_calls, a_cancelled_close_leaves_the_socket_open_and_in_the_table)
{
	int err = EIO, fd = sockshim_socket(sw, AF_INET, SOCK_STREAM, IPPROTO_TCP);

	sockshim_set(sw, SOCKSHIM_CLOSE, fail_filter, &err);
	cr_assert_eq(sockshim_close(sw, fd), -EIO);
	cr_assert_eq(sockshim_sockets(sw, NULL, 0), 1);
	sockshim_set(sw, SOCKSHIM_CLOSE, NULL, NULL);
	cr_assert_eq(sockshim_close(sw, fd), 0);
	cr_assert_eq(stat_of(TCP).closed, 1);
}

Test(switch_calls, a_connect_in_progress_is_pending_until_so_error_says_so)
{
	struct sockaddr_in addr;
	int l = listener(&addr), value = 99;
	int c = sockshim_socket(sw, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, IPPROTO_TCP);
	sockshim_cookie cookie = sockshim_cookie_make(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, IPPROTO_TCP);
	struct pollfd p = { .fd = c, .events = POLLOUT };
	int r = sockshim_connect(sw, c, (struct sockaddr *)&addr, sizeof(addr));

	cr_assert_eq(r, -EINPROGRESS);
	cr_assert_eq(stat_of(cookie).connected, 0);
	cr_assert_eq(stat_of(cookie).connect_failed, 0);
	cr_assert_eq(poll(&p, 1, 10000), 1);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(sockshim_getsockopt_int(sw, c, SOL_SOCKET, SO_ERROR, &value), 0);
	cr_assert_eq(value, 0);
	cr_assert_eq(stat_of(cookie).connected, 1, "counted more than once");
	sockshim_close(sw, c);
	sockshim_close(sw, l);
}

Test(switch_calls, a_connect_in_progress_that_is_refused_fails_once)
{
	struct sockaddr_in addr;
	int l = listener(&addr), value = 0;
	int c = sockshim_socket(sw, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, IPPROTO_TCP);
	sockshim_cookie cookie = sockshim_cookie_make(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, IPPROTO_TCP);
	struct pollfd p = { .fd = c, .events = POLLOUT };
	struct sockshim_socket_status st;

	sockshim_close(sw, l);
	cr_assert_eq(sockshim_connect(sw, c, (struct sockaddr *)&addr, sizeof(addr)), -EINPROGRESS);
	cr_assert_eq(poll(&p, 1, 10000), 1);
	cr_assert_eq(sockshim_getsockopt_int(sw, c, SOL_SOCKET, SO_ERROR, &value), 0);
	cr_assert_eq(value, ECONNREFUSED);
	cr_assert_eq(sockshim_getsockopt_int(sw, c, SOL_SOCKET, SO_ERROR, &value), 0);
	cr_assert_eq(stat_of(cookie).connect_failed, 1);
	cr_assert_eq(stat_of(cookie).connected, 0);
	cr_assert_eq(sockshim_sockets(sw, &st, 1), 1);
	cr_assert_eq(st.fd, c);
	cr_assert_eq(st.status.cookie, cookie);
	sockshim_close(sw, c);
}

Test(switch_calls, a_filter_for_getsockopt_hides_the_value)
{
	int err = ENOPROTOOPT, value = 7, fd = sockshim_socket(sw, AF_INET, SOCK_STREAM, 0);

	sockshim_set(sw, SOCKSHIM_GETSOCKOPT_INT, fail_filter, &err);
	cr_assert_eq(sockshim_getsockopt_int(sw, fd, SOL_SOCKET, SO_TYPE, &value), -ENOPROTOOPT);
	cr_assert_eq(value, 7);
	sockshim_close(sw, fd);
}

Test(switch_calls, errno_is_left_alone)
{
	struct sockaddr_in none = { .sin_family = AF_INET };
	int fd;

	errno = E2BIG;
	fd = sockshim_socket(sw, AF_INET, SOCK_DGRAM, 0);
	sockshim_listen(sw, fd, 1);
	sockshim_connect(sw, -1, (struct sockaddr *)&none, sizeof(none));
	sockshim_accept(sw, fd, NULL, NULL);
	sockshim_close(sw, fd);
	sockshim_close(sw, fd);
	cr_assert_eq(errno, E2BIG);
}

/* A filter that uses the switch it is called from. */
static int nested_filter(const struct sockshim_status *st, struct sockshim_after *after, void *user)
{
	int fd = sockshim_socket(sw, AF_UNIX, SOCK_STREAM, 0);

	sockshim_set(sw, SOCKSHIM_CONNECT, NULL, NULL);
	return fd < 0 ? -fd : sockshim_close(sw, fd);
}

Test(switch_calls, a_filter_may_call_back_into_its_switch)
{
	struct sockaddr_in addr;
	int l = listener(&addr), c = sockshim_socket(sw, AF_INET, SOCK_STREAM, IPPROTO_TCP);

	sockshim_set(sw, SOCKSHIM_CONNECT, nested_filter, NULL);
	cr_assert_eq(sockshim_connect(sw, c, (struct sockaddr *)&addr, sizeof(addr)), 0);
	cr_assert_eq(stat_of(sockshim_cookie_make(AF_UNIX, SOCK_STREAM, 0)).closed, 1);
	sockshim_close(sw, c);
	sockshim_close(sw, l);
}

Test(switch_calls, a_filter_type_that_is_none_is_refused)
{
	cr_assert_eq(sockshim_set(sw, SOCKSHIM_FILTER_TYPES, fail_filter, NULL), -EINVAL);
	cr_assert_null(sockshim_filter_name(SOCKSHIM_FILTER_TYPES));
	cr_assert_str_eq(sockshim_filter_name(SOCKSHIM_RESOLVE), "resolve");
}

Test(switch_calls, two_switches_know_nothing_of_each_other)
{
	struct sockshim_switch *other;
	int fd = sockshim_socket(sw, AF_INET, SOCK_STREAM, IPPROTO_TCP);

	cr_assert_eq(sockshim_switch_new(&other), 0);
	cr_assert_eq(sockshim_sockets(other, NULL, 0), 0);
	cr_assert_eq(sockshim_stats(other, NULL, 0), 0);
	cr_assert_eq(sockshim_close(other, fd), 0);
	cr_assert_eq(sockshim_sockets(sw, NULL, 0), 1);
	sockshim_switch_free(other);
}

Test(switch_calls, more_cookies_than_entries_share_the_last)
{
	uint64_t opened = 0;
	struct sockshim_stat all[80];
	size_t n;

	for (int proto = 0; proto < 200; proto++)
		sockshim_socket(sw, AF_INET, SOCK_STREAM, proto + 300);
	n = sockshim_stats(sw, all, 80);
	cr_assert_eq(n, RUN_STATS);
	for (size_t i = 0; i < n; i++)
		opened += all[i].open_failed;
	cr_assert_eq(opened, 200);
}
