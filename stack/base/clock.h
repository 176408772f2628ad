/* Time as the stack sees it: set from outside, with timers and deferred work that run when told to. */
#ifndef STACK_BASE_CLOCK_H
#define STACK_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

#define NS_PER_US 1000ll
#define NS_PER_MS 1000000ll
#define NS_PER_SEC 1000000000ll
#define CLOCK_NEVER INT64_MAX

/**
 * struct timer - calls @fn once @when has come
 *
 * Embedded in what it belongs to, which container_of() finds. Allocates nothing, so arming cannot
 * fail. Arming it again for later, and disarming it, cost a store: the heap learns of it when the
 * old deadline comes. So a timer must pass timer_fini() before its memory goes away.
 */
struct timer {
	void (*fn)(struct timer *t);
	int64_t when;			/* the deadline, CLOCK_NEVER when not armed */
	int64_t key;			/* the deadline the heap knows, <= @when */
	uint64_t seq;			/* timers of one deadline run in the order of arming */
	struct timer *child, *sibling, *prev;
	bool queued;
};

/** struct task - work put off until the calls on the stack's stack have returned */
struct task {
	struct list node;
	void (*fn)(struct task *t);
};

/**
 * struct clock - wall and monotonic time, and what waits for them
 * @now_ns:  monotonic; the stack's timekeeping uses nothing else
 * @wall_ns: nanoseconds since the Unix epoch; only for time that applications see
 *
 * Several stacks and links may share one, as a simulation does.
 */
struct clock {
	int64_t now_ns;
	int64_t wall_ns;
	struct timer *root;
	uint64_t seq;
	struct list tasks;
};

void clock_init(struct clock *c, int64_t now_ns, int64_t wall_ns);

/** clock_set() - time has moved on to this; @now_ns never goes back. Runs nothing. */
void clock_set(struct clock *c, int64_t now_ns, int64_t wall_ns);

/** clock_run() - run every due timer and all deferred work, also what these add for now */
void clock_run(struct clock *c);

/** clock_run_tasks() - run the deferred work alone */
void clock_run_tasks(struct clock *c);

/** clock_next() - when clock_run() is wanted next; CLOCK_NEVER if nothing waits */
int64_t clock_next(struct clock *c);

/** clock_defer() - run @t's function at the next clock_run(); once, however often it is deferred */
void clock_defer(struct clock *c, struct task *t);

static inline void task_init(struct task *t, void (*fn)(struct task *))
{
	list_init(&t->node);
	t->fn = fn;
}

/** task_cancel() - forget deferred work; before its memory goes away */
static inline void task_cancel(struct task *t)
{
	list_remove(&t->node);
}

void timer_init(struct timer *t, void (*fn)(struct timer *));

/** timer_arm() - call the timer's function at @when_ns, instead of when it was armed for */
void timer_arm(struct clock *c, struct timer *t, int64_t when_ns);

/** timer_arm_in() - timer_arm() @delay_ns from now */
static inline void timer_arm_in(struct clock *c, struct timer *t, int64_t delay_ns)
{
	timer_arm(c, t, c->now_ns + delay_ns);
}

static inline void timer_disarm(struct timer *t)
{
	t->when = CLOCK_NEVER;
}

static inline bool timer_armed(const struct timer *t)
{
	return t->when != CLOCK_NEVER;
}

/** timer_fini() - disarm and take it out of the clock: its memory may go away */
void timer_fini(struct clock *c, struct timer *t);

#endif
