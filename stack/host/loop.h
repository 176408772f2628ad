/*
 * The event loop: descriptors, what was noted about them, and turns.
 *
 * Theory of operation. Events are only noted when they come: each source that had any joins the queue,
 * and then every source in the queue has its turn, in which it does a bounded amount of work and, if
 * there is more, joins the queue again. So nobody starves, and since things are released only in
 * turns, no event can be for something that is gone. Devices are the exception: they release
 * nothing, and what they deliver is to be there when the sockets have their turn.
 */
#ifndef STACK_HOST_LOOP_H
#define STACK_HOST_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "base/list.h"
#include "netstack.h"

/**
 * struct source - something that has turns; embedded in what it is of
 * @node:   in the queue
 * @events: of epoll, noted since the last turn
 * @turn:   takes what is in @events, and may release what it is embedded in
 * @device: has its turn at once
 */
struct source {
	struct list node;
	uint32_t events;
	bool device;
	void (*turn)(struct source *s);
};

/**
 * struct loop
 * @busy_poll_ns: how long to look for more before sleeping
 * @turns, @sleeps: counts
 */
struct loop {
	int epoll;
	struct stack *stack;
	struct list queue;
	int64_t busy_poll_ns;
	uint64_t turns, sleeps;
};

static inline void source_init(struct source *s, void (*turn)(struct source *s))
{
	*s = (struct source){ .turn = turn };
	list_init(&s->node);
}

/** loop_init() - 0 or -errno */
int loop_init(struct loop *l, struct stack *stack);
void loop_fini(struct loop *l);

/** loop_add(), loop_remove() - watch @fd for @events (EPOLLIN, EPOLLET, ...); 0 or -errno */
int loop_add(struct loop *l, int fd, uint32_t events, struct source *s);
int loop_modify(struct loop *l, int fd, uint32_t events, struct source *s);
void loop_remove(struct loop *l, int fd, struct source *s);

/** loop_wake() - a turn for @s, soon */
static inline void loop_wake(struct loop *l, struct source *s)
{
	if (list_empty(&s->node))
		list_push_back(&l->queue, &s->node);
}

/** loop_set_clock() - the stack's time is now */
void loop_set_clock(struct loop *l);

/** loop_once() - wait at most @max_ns (CLOCK_NEVER: as long as it takes), and a turn for everybody */
void loop_once(struct loop *l, int64_t max_ns);

#endif
