/* poll() and epoll on the stack's sockets. */
#include "packetdrill/adapter.h"

#include <errno.h>
#include <stdlib.h>

enum { EVENTS = WAIT_ALL | WAIT_RDHUP };

static short poll_now(struct pd *pd, const struct pollfd *p)
{
	struct pd_file *f = pd_file_get(pd, p->fd);
	short r;

	if (!f)
		return POLLNVAL;
	r = f->kind == PD_SOCKET
	  ? (short)endpoint_readiness(f->ep, (uint32_t)p->events & EVENTS) : 0;
	if (p->events & POLLRDNORM && f->kind == PD_SOCKET && endpoint_readiness(f->ep, WAIT_IN) & WAIT_IN)
		r |= POLLRDNORM;
	if (p->events & POLLWRNORM && f->kind == PD_SOCKET && endpoint_readiness(f->ep, WAIT_OUT) & WAIT_OUT)
		r |= POLLWRNORM;
	if (f->zc.unread || f->ts.queued)
		r |= POLLERR;
	pd_file_put(f);
	return r;
}

static int poll_all(struct pd *pd, struct pollfd *fds, nfds_t n)
{
	int hits = 0;

	for (nfds_t i = 0; i < n; i++) {
		fds[i].revents = fds[i].fd < 0 ? 0 : poll_now(pd, &fds[i]);
		hits += fds[i].revents != 0;
	}
	return hits;
}

struct poll_entry {
	struct waiter w;
	struct pd_sleeper *s;
	struct pd_file *f;
};

static void poll_event(struct waiter *w, uint32_t events)
{
	(void)events;
	container_of(w, struct poll_entry, w)->s->ready = true;
}

int pd_poll(void *u, struct pollfd *fds, nfds_t n, int timeout_ms)
{
	struct pd *pd = pd_enter(u);
	struct poll_entry *es = calloc(n ? n : 1, sizeof(*es));
	int64_t deadline = timeout_ms < 0 ? CLOCK_NEVER : pd->now_ns + timeout_ms * NS_PER_MS;
	int hits = es ? poll_all(pd, fds, n) : pd_errno(ENOMEM);

	while (!hits && pd->now_ns < deadline) {
		struct pd_sleeper s = { .deadline_ns = deadline };

		for (nfds_t i = 0; i < n; i++) {
			es[i] = (struct poll_entry){
				.w = { .mask = WAIT_ALL, .fn = poll_event }, .s = &s,
				.f = fds[i].fd < 0 ? NULL : pd_file_get(pd, fds[i].fd),
			};
			list_init(&es[i].w.node);
			if (es[i].f && es[i].f->kind == PD_SOCKET)
				waiter_add(&es[i].f->ep->wq, &es[i].w);
		}
		if (!pd_sleep(pd, &s))
			deadline = pd->now_ns;
		for (nfds_t i = 0; i < n; i++) {
			waiter_remove(&es[i].w);
			if (es[i].f)
				pd_file_put(es[i].f);
		}
		hits = poll_all(pd, fds, n);
	}
	free(es);
	pd_leave(pd);
	return hits;
}

/**
 * struct pd_item - an epoll watching a socket
 * @of_epoll, @of_socket: in their lists
 * @edge: something happened since it was last reported
 */
struct pd_item {
	struct list of_epoll, of_socket;
	struct waiter w;
	struct pd_file *epoll, *socket;
	struct epoll_event ev;
	struct pd_sleeper *sleeper;
	bool edge, disabled;
};

static void item_event(struct waiter *w, uint32_t events)
{
	struct pd_item *it = container_of(w, struct pd_item, w);

	(void)events;
	it->edge = true;
	if (it->sleeper)
		it->sleeper->ready = true;
}

void pd_epoll_error(struct pd_file *f)
{
	list_for_each(n, &f->items)
		item_event(&container_of(n, struct pd_item, of_socket)->w, WAIT_ERR);
}

static void item_free(struct pd_item *it)
{
	waiter_remove(&it->w);
	list_remove(&it->of_epoll);
	list_remove(&it->of_socket);
	free(it);
}

void pd_epoll_forget(struct pd_file *f)
{
	while (!list_empty(&f->items)) {
		struct list *n = f->items.next;

		item_free(f->kind == PD_EPOLL ? container_of(n, struct pd_item, of_epoll)
					      : container_of(n, struct pd_item, of_socket));
	}
}

int pd_epoll_create(void *u, int size)
{
	struct pd *pd = pd_enter(u);
	struct pd_file *f;
	int fd = size > 0 ? pd_file_new(pd, PD_EPOLL, &f) : pd_errno(EINVAL);

	pd_leave(pd);
	return fd;
}

static struct pd_item *item_find(struct pd_file *ep, const struct pd_file *s)
{
	list_for_each(n, &ep->items) {
		struct pd_item *it = container_of(n, struct pd_item, of_epoll);

		if (it->socket == s)
			return it;
	}
	return NULL;
}

static int item_add(struct pd_file *ep, struct pd_file *s, const struct epoll_event *ev)
{
	struct pd_item *it = calloc(1, sizeof(*it));

	if (!it)
		return pd_errno(ENOMEM);
	it->epoll = ep;
	it->socket = s;
	it->ev = *ev;
	it->edge = true;
	it->w = (struct waiter){ .mask = WAIT_ALL, .fn = item_event };
	list_push_back(&ep->items, &it->of_epoll);
	list_push_back(&s->items, &it->of_socket);
	waiter_add(&s->ep->wq, &it->w);
	return 0;
}

static int epoll_change(struct pd_file *ep, struct pd_file *s, int op, const struct epoll_event *ev)
{
	struct pd_item *it = item_find(ep, s);

	if (op != EPOLL_CTL_DEL && !ev)
		return pd_errno(EFAULT);
	switch (op) {
	case EPOLL_CTL_ADD:
		return it ? pd_errno(EEXIST) : item_add(ep, s, ev);
	case EPOLL_CTL_MOD:
		if (!it)
			return pd_errno(ENOENT);
		it->ev = *ev;
		it->edge = true;
		it->disabled = false;
		return 0;
	case EPOLL_CTL_DEL:
		if (!it)
			return pd_errno(ENOENT);
		item_free(it);
		return 0;
	default:
		return pd_errno(EINVAL);
	}
}

int pd_epoll_ctl(void *u, int epfd, int op, int fd, struct epoll_event *ev)
{
	struct pd *pd = pd_enter(u);
	struct pd_file *ep = pd_file_get(pd, epfd), *s = pd_file_get(pd, fd);
	int rc = -1;

	if (ep && s) {
		if (ep->kind != PD_EPOLL)
			rc = pd_errno(EINVAL);
		else if (s->kind != PD_SOCKET)
			rc = pd_errno(EPERM);
		else
			rc = epoll_change(ep, s, op, ev);
	}
	if (ep)
		pd_file_put(ep);
	if (s)
		pd_file_put(s);
	pd_leave(pd);
	return rc;
}

static int epoll_collect(struct pd_file *ep, struct epoll_event *evs, int max)
{
	int n = 0;

	list_for_each(node, &ep->items) {
		struct pd_item *it = container_of(node, struct pd_item, of_epoll);
		uint32_t hit;

		if (n == max || it->disabled || (it->ev.events & EPOLLET && !it->edge))
			continue;
		hit = endpoint_readiness(it->socket->ep, it->ev.events & EVENTS);
		if (it->socket->zc.unread || it->socket->ts.queued)
			hit |= EPOLLERR;
		it->edge = false;
		if (!hit)
			continue;
		evs[n].events = hit;
		evs[n++].data = it->ev.data;
		it->disabled = it->ev.events & EPOLLONESHOT;
	}
	return n;
}

static void set_sleeper(struct pd_file *ep, struct pd_sleeper *s)
{
	list_for_each(n, &ep->items)
		container_of(n, struct pd_item, of_epoll)->sleeper = s;
}

int pd_epoll_wait(void *u, int epfd, struct epoll_event *evs, int max, int timeout_ms)
{
	struct pd *pd = pd_enter(u);
	struct pd_file *ep = pd_file_get(pd, epfd);
	int64_t deadline = timeout_ms < 0 ? CLOCK_NEVER : pd->now_ns + timeout_ms * NS_PER_MS;
	int n = -1;

	if (ep && (ep->kind != PD_EPOLL || max <= 0)) {
		n = pd_errno(EINVAL);
	} else if (ep) {
		n = epoll_collect(ep, evs, max);
		while (!n && pd->now_ns < deadline) {
			struct pd_sleeper s = { .deadline_ns = deadline };

			set_sleeper(ep, &s);
			if (!pd_sleep(pd, &s))
				deadline = pd->now_ns;
			set_sleeper(ep, NULL);
			n = epoll_collect(ep, evs, max);
		}
	}
	if (ep)
		pd_file_put(ep);
	pd_leave(pd);
	return n;
}
