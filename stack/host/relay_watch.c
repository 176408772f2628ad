/*
 * Pairs that are shut down both ways.
 *
 * Theory of operation. Such a pair has hung up for good, so EPOLLHUP says nothing any more, but the
 * socket is still there: its error, its names and options may be asked for until the program closes
 * it. What the kernel still tells is one edge when the last descriptor of the other end is closed.
 * So these pairs are in an epoll instance of their own, in which every event but the first, which
 * stands for the state as it was, is a close.
 *
 * A close at the very moment in which the first event is taken would be lost in it. So a second
 * later, when the pair is still there, the kernel is asked once (sock_diag) whether it has a peer.
 */
#include "host/relay.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WATCH_EVENTS = 64 };

static const int64_t ask_after_ns = NS_PER_SEC;

static void take_events(struct host *h, const struct relay *not_this)
{
	struct epoll_event ev[WATCH_EVENTS];
	int n;

	do {
		n = epoll_wait(h->watch_fd, ev, WATCH_EVENTS, 0);
		for (int i = 0; i < n; i++) {
			struct relay *r = ev[i].data.ptr;

			if (r != not_this)
				relay_try(r, RELAY_PAIR_CLOSED | RELAY_PAIR_IN);
		}
	} while (n == WATCH_EVENTS);
}

static void watch_turn(struct source *s)
{
	struct host *h = container_of(s, struct host, watch);

	s->events = 0;
	take_events(h, NULL);
}

bool relay_hung_up(const struct relay *r)
{
	struct pollfd p = { .fd = r->fd };

	return poll(&p, 1, 0) == 1 && (p.revents & POLLHUP);
}

void relay_shut_pair(struct relay *r, uint8_t how)
{
	static const int hows[] = { 0, SHUT_RD, SHUT_WR, SHUT_RDWR };
	struct host *h = r->host;
	struct epoll_event e = { .events = EPOLLET | EPOLLRDHUP, .data.ptr = r };
	bool closed;

	how &= (uint8_t)~r->shut;
	if (!how || r->watched)
		return;
	/* Before we have shut down both, only the program's close hangs up. */
	closed = relay_hung_up(r);
	r->shut |= how;
	shutdown(r->fd, hows[how]);
	if (r->shut != RELAY_SHUT_BOTH)
		return;
	loop_remove(&h->loop, r->fd, &r->src);
	r->watched = true;
	if (epoll_ctl(h->watch_fd, EPOLL_CTL_ADD, r->fd, &e) < 0)
		closed = true;	/* no memory: better the socket goes than that it stays for ever */
	take_events(h, r);
	relay_try(r, closed ? RELAY_PAIR_CLOSED | RELAY_PAIR_IN : RELAY_PAIR_IN);
	r->watch_since_ns = h->stack->clock->now_ns;
	list_push_back(&h->watched, &r->waiting);
	if (!timer_armed(&h->watch_timer))
		timer_arm_in(h->stack->clock, &h->watch_timer, ask_after_ns);
}

/* Whether the other end of a pair is still there; true if it cannot be known. */
static bool peer_lives(const struct host *h, int fd)
{
	struct {
		struct nlmsghdr h;
		struct unix_diag_req r;
	} ask = { 0 };
	union {
		struct nlmsghdr h;
		char bytes[1024];
	} answer;
	struct unix_diag_msg *m;
	struct nlattr *a;
	struct stat st;
	uint32_t peer;
	ssize_t n;

	if (h->diag_fd < 0 || fstat(fd, &st) < 0)
		return true;
	ask.h = (struct nlmsghdr){ .nlmsg_len = sizeof(ask), .nlmsg_type = SOCK_DIAG_BY_FAMILY,
				   .nlmsg_flags = NLM_F_REQUEST };
	ask.r = (struct unix_diag_req){ .sdiag_family = AF_UNIX, .udiag_states = UINT32_MAX,
					.udiag_ino = (uint32_t)st.st_ino, .udiag_show = UDIAG_SHOW_PEER,
					.udiag_cookie = { ~0u, ~0u } };
	if (send(h->diag_fd, &ask, sizeof(ask), MSG_DONTWAIT) != (ssize_t)sizeof(ask))
		return true;
	n = recv(h->diag_fd, &answer, sizeof(answer), MSG_DONTWAIT);
	if (n < (ssize_t)(NLMSG_LENGTH(sizeof(*m)) + NLA_HDRLEN + sizeof(peer)) ||
	    answer.h.nlmsg_type != SOCK_DIAG_BY_FAMILY)
		return true;
	m = NLMSG_DATA(&answer.h);
	a = (struct nlattr *)(m + 1);
	if (m->udiag_ino != (uint32_t)st.st_ino || a->nla_type != UNIX_DIAG_PEER)
		return true;
	memcpy(&peer, (char *)a + NLA_HDRLEN, sizeof(peer));
	return peer != 0;
}

static void watch_ask(struct timer *t)
{
	struct host *h = container_of(t, struct host, watch_timer);

	/* A look-up is linear in the kernel, so not many at a time. */
	for (int i = 0; i < 16 && !list_empty(&h->watched); i++) {
		struct relay *r = container_of(h->watched.next, struct relay, waiting);

		if (r->watch_since_ns + ask_after_ns > h->stack->clock->now_ns)
			break;
		list_remove(&r->waiting);
		if (!peer_lives(h, r->fd))
			relay_try(r, RELAY_PAIR_CLOSED | RELAY_PAIR_IN);
	}
	if (!list_empty(&h->watched))
		timer_arm_in(h->stack->clock, t, 50 * NS_PER_MS);
}

int relay_watch_init(struct host *h)
{
	list_init(&h->watched);
	timer_init(&h->watch_timer, watch_ask);
	source_init(&h->watch, watch_turn);
	/* Without it (no module for it): then nothing is asked. */
	h->diag_fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	h->watch_fd = epoll_create1(EPOLL_CLOEXEC);
	if (h->watch_fd < 0)
		return -errno;
	return loop_add(&h->loop, h->watch_fd, EPOLLIN, &h->watch);
}

void relay_watch_fini(struct host *h)
{
	timer_fini(h->stack->clock, &h->watch_timer);
	if (h->watch_fd >= 0)
		close(h->watch_fd);
	if (h->diag_fd >= 0)
		close(h->diag_fd);
}
