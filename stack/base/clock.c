/*
 * Timers and deferred work.
 *
 * Theory of operation. Timers wait in a pairing heap ordered by (key, seq). A TCP connection pushes
 * its retransmission timer back with every acknowledgement and an idle one disarms it, so moving a
 * timer later, or disarming it, only writes @when; when the heap's old key comes to the top, the
 * timer is put back under its true deadline or dropped. Only moving it earlier touches the heap.
 */
#include "base/clock.h"

#include <stddef.h>

void clock_init(struct clock *c, int64_t now_ns, int64_t wall_ns)
{
	*c = (struct clock){ .now_ns = now_ns, .wall_ns = wall_ns };
	list_init(&c->tasks);
}

void clock_set(struct clock *c, int64_t now_ns, int64_t wall_ns)
{
	if (now_ns > c->now_ns)
		c->now_ns = now_ns;
	c->wall_ns = wall_ns;
}

static bool timer_before(const struct timer *a, const struct timer *b)
{
	return a->key != b->key ? a->key < b->key : a->seq < b->seq;
}

/* Makes the later of two roots the first child of the other. */
static struct timer *heap_meld(struct timer *a, struct timer *b)
{
	struct timer *t;

	if (!a || !b)
		return a ? a : b;
	if (timer_before(b, a)) {
		t = a;
		a = b;
		b = t;
	}
	b->prev = a;
	b->sibling = a->child;
	if (b->sibling)
		b->sibling->prev = b;
	a->child = b;
	a->sibling = a->prev = NULL;
	return a;
}

/* The usual two passes: meld pairs from left to right, then the results from right to left. */
static struct timer *heap_meld_children(struct timer *first)
{
	struct timer *pairs = NULL, *root = NULL, *a, *b, *next;

	for (a = first; a; a = next) {
		b = a->sibling;
		next = b ? b->sibling : NULL;
		a->sibling = a->prev = NULL;
		if (b)
			b->sibling = b->prev = NULL;
		a = heap_meld(a, b);
		a->sibling = pairs;
		pairs = a;
	}
	for (a = pairs; a; a = next) {
		next = a->sibling;
		a->sibling = NULL;
		root = heap_meld(root, a);
	}
	return root;
}

static void heap_insert(struct clock *c, struct timer *t)
{
	t->key = t->when;
	t->seq = c->seq++;
	t->child = t->sibling = t->prev = NULL;
	t->queued = true;
	c->root = heap_meld(c->root, t);
}

static void heap_remove(struct clock *c, struct timer *t)
{
	struct timer *sub = heap_meld_children(t->child);

	if (t == c->root) {
		c->root = sub;
	} else {
		if (t->prev->child == t)
			t->prev->child = t->sibling;
		else
			t->prev->sibling = t->sibling;
		if (t->sibling)
			t->sibling->prev = t->prev;
		c->root = heap_meld(c->root, sub);
	}
	t->child = t->sibling = t->prev = NULL;
	t->queued = false;
}

void timer_init(struct timer *t, void (*fn)(struct timer *))
{
	*t = (struct timer){ .fn = fn, .when = CLOCK_NEVER };
}

void timer_arm(struct clock *c, struct timer *t, int64_t when_ns)
{
	t->when = when_ns;
	if (t->queued) {
		if (when_ns >= t->key)
			return;
		heap_remove(c, t);
	}
	heap_insert(c, t);
}

void timer_fini(struct clock *c, struct timer *t)
{
	t->when = CLOCK_NEVER;
	if (t->queued)
		heap_remove(c, t);
}

/* The timer due first, with a key that is true; NULL if none is armed. */
static struct timer *heap_top(struct clock *c)
{
	struct timer *t;

	while ((t = c->root) && t->key != t->when) {
		heap_remove(c, t);
		if (timer_armed(t))
			heap_insert(c, t);
	}
	return t;
}

int64_t clock_next(struct clock *c)
{
	struct timer *t;

	if (!list_empty(&c->tasks))
		return c->now_ns;
	t = heap_top(c);
	return t ? t->when : CLOCK_NEVER;
}

void clock_defer(struct clock *c, struct task *t)
{
	if (list_empty(&t->node))
		list_push_back(&c->tasks, &t->node);
}

void clock_run_tasks(struct clock *c)
{
	struct list *n;

	while ((n = list_pop_front(&c->tasks))) {
		struct task *t = container_of(n, struct task, node);

		t->fn(t);
	}
}

void clock_run(struct clock *c)
{
	struct timer *t;

	clock_run_tasks(c);
	while ((t = heap_top(c)) && t->when <= c->now_ns) {
		heap_remove(c, t);
		t->when = CLOCK_NEVER;
		t->fn(t);
		clock_run_tasks(c);
	}
}
