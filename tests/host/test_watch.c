/* Pairs that are shut down both ways, from within: a close whose event is lost is found out. */
#include <criterion/criterion.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "host/relay.h"

static struct host *start(void)
{
	static struct spec spec;
	char error[SPEC_ERROR_MAX];
	struct host *h;

	cr_assert_eq(spec_parse("lo", &spec, error), 0);
	cr_assert_eq(host_new(&spec, "test", &h, error), 0, "%s", error);
	return h;
}

static struct relay *make(struct host *h, int *fd)
{
	struct relay *r;
	struct sock *k;

	cr_assert_eq(sock_new(h->stack, AF_INET, SOCK_STREAM, 0, &k), 0);
	cr_assert_eq(relay_new(h, k, false, fd, &r), 0);
	return r;
}

static void turns(struct host *h, int64_t ns)
{
	int64_t until;

	loop_set_clock(&h->loop);
	until = h->stack->clock->now_ns + ns;
	while (h->nrelays && h->stack->clock->now_ns < until)
		loop_once(&h->loop, 10 * NS_PER_MS);
}

Test(watch, a_close_is_seen)
{
	struct host *h = start();
	int fd;
	struct relay *r = make(h, &fd);

	relay_shut_pair(r, RELAY_SHUT_BOTH);
	turns(h, 20 * NS_PER_MS);
	cr_assert_eq(h->nrelays, 1);
	close(fd);
	turns(h, NS_PER_SEC);
	cr_assert_eq(h->nrelays, 0);
	host_free(h);
}

Test(watch, a_close_before_is_seen)
{
	struct host *h = start();
	int fd;
	struct relay *r = make(h, &fd);

	close(fd);
	relay_shut_pair(r, RELAY_SHUT_BOTH);
	turns(h, NS_PER_SEC);
	cr_assert_eq(h->nrelays, 0);
	host_free(h);
}

Test(watch, a_close_whose_event_is_lost_is_asked_about)
{
	struct epoll_event ev[4];
	struct host *h = start();
	int fd;
	struct relay *r = make(h, &fd);

	if (h->diag_fd < 0)
		cr_skip_test("the kernel has no sock_diag for AF_UNIX");
	relay_shut_pair(r, RELAY_SHUT_BOTH);
	close(fd);
	cr_assert_eq(epoll_wait(h->watch_fd, ev, 4, 0), 1);
	turns(h, 10 * NS_PER_SEC);
	cr_assert_eq(h->nrelays, 0);
	host_free(h);
}
