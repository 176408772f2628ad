/* The event loop. */
#include "host/loop.h"

#include <errno.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

enum { EVENTS = 256 };

int loop_init(struct loop *l, struct stack *stack)
{
	*l = (struct loop){ .stack = stack };
	list_init(&l->queue);
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	return l->epoll < 0 ? -errno : 0;
}

void loop_fini(struct loop *l)
{
	if (l->epoll >= 0)
		close(l->epoll);
	l->epoll = -1;
}

int loop_add(struct loop *l, int fd, uint32_t events, struct source *s)
{
	struct epoll_event e = { .events = events, .data.ptr = s };

	return epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &e) < 0 ? -errno : 0;
}

int loop_modify(struct loop *l, int fd, uint32_t events, struct source *s)
{
	struct epoll_event e = { .events = events, .data.ptr = s };

	return epoll_ctl(l->epoll, EPOLL_CTL_MOD, fd, &e) < 0 ? -errno : 0;
}

void loop_remove(struct loop *l, int fd, struct source *s)
{
	epoll_ctl(l->epoll, EPOLL_CTL_DEL, fd, NULL);
	list_remove(&s->node);
	s->events = 0;
}

static int64_t ns_of(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * NS_PER_SEC + t.tv_nsec;
}

void loop_set_clock(struct loop *l)
{
	clock_set(l->stack->clock, ns_of(CLOCK_MONOTONIC), ns_of(CLOCK_REALTIME));
}

static int64_t how_long(struct loop *l, int64_t max_ns)
{
	int64_t next = list_empty(&l->queue) ? stack_next(l->stack) : 0;
	int64_t wait = next == CLOCK_NEVER ? CLOCK_NEVER : next - l->stack->clock->now_ns;

	if (wait > max_ns)
		wait = max_ns;
	return wait < 0 ? 0 : wait;
}

static int wait_events(struct loop *l, struct epoll_event *ev, int64_t wait_ns)
{
	struct timespec t = { wait_ns / NS_PER_SEC, wait_ns % NS_PER_SEC };
	int n = 0;

	if (wait_ns > 0 && l->busy_poll_ns > 0) {
		int64_t until = ns_of(CLOCK_MONOTONIC) + (wait_ns < l->busy_poll_ns ? wait_ns
										   : l->busy_poll_ns);

		/* Who was woken by what we sent may have to run where we do. */
		while ((n = epoll_wait(l->epoll, ev, EVENTS, 0)) == 0 && ns_of(CLOCK_MONOTONIC) < until)
			sched_yield();
	}
	if (n == 0 && wait_ns == 0)
		return epoll_wait(l->epoll, ev, EVENTS, 0);
	if (n == 0) {
		l->sleeps++;
		n = epoll_pwait2(l->epoll, ev, EVENTS, wait_ns == CLOCK_NEVER ? NULL : &t, NULL);
	}
	return n;
}

void loop_once(struct loop *l, int64_t max_ns)
{
	struct epoll_event ev[EVENTS];
	int n = wait_events(l, ev, how_long(l, max_ns));
	struct list turn;

	loop_set_clock(l);
	l->turns++;
	for (int i = 0; i < n; i++) {
		struct source *s = ev[i].data.ptr;

		s->events |= ev[i].events;
		if (s->device)
			s->turn(s);
		else
			loop_wake(l, s);
	}
	stack_run(l->stack);
	/* Who joins the queue from now on has to wait for the next round. */
	list_init(&turn);
	if (!list_empty(&l->queue)) {
		list_insert_before(l->queue.next, &turn);
		list_remove(&l->queue);
	}
	for (struct list *node; (node = list_pop_front(&turn)) != NULL;) {
		struct source *s = container_of(node, struct source, node);

		s->turn(s);
	}
	stack_run(l->stack);
}
