/* trace.c - recording calls in the process's ring. */
#include "interpose/trace.h"

#include <string.h>
#include <time.h>

#include "run/clock.h"
#include "run/sys.h"

struct ring {
	struct run_event *events;
	uint32_t mask;
	uint64_t *next;
};

/* The trace ring of this process, made when it is first needed. NULL: it can't be made. */
static struct run_trace *trace_ring(void)
{
	static struct run_trace *ring;
	static int32_t tried_by;	/* pid that made it, or failed to */
	int32_t pid = hook.run.file->pid, before = __atomic_load_n(&tried_by, __ATOMIC_ACQUIRE);

	if (before == pid)
		return __atomic_load_n(&ring, __ATOMIC_ACQUIRE);
	if (__atomic_compare_exchange_n(&tried_by, &before, pid, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		__atomic_store_n(&ring, run_writer_trace(&hook.run), __ATOMIC_RELEASE);
	return __atomic_load_n(&ring, __ATOMIC_ACQUIRE);
}

static struct ring ring_of(void)
{
	struct run_trace *t = __atomic_load_n(&hook.run.control->flags, __ATOMIC_RELAXED) & RUN_TRACE ?
		trace_ring() : NULL;

	if (t)
		return (struct ring){ (struct run_event *)(t + 1), t->capacity - 1, &t->next };
	return (struct ring){ hook.run.file->events, RUN_EVENTS - 1, &hook.run.file->events_next };
}

static int32_t thread_id(void)
{
	static __thread int32_t tid, pid;

	if (UNLIKELY(pid != hook.run.file->pid)) {
		tid = hook_sandboxed ? hook.run.file->pid : (int32_t)sys(SYS_gettid, 0);
		pid = hook.run.file->pid;
	}
	return tid;
}

void trace_begin(struct trace_mark *m, bool fired)
{
	m->on = fired || (__atomic_load_n(&hook.run.control->flags, __ATOMIC_RELAXED) & RUN_TRACE);
	if (m->on) {
		m->time_ns = run_clock_ns(CLOCK_REALTIME);
		m->start_ns = run_clock_ns(CLOCK_MONOTONIC);
	}
}

void trace_end(const struct trace_mark *m, const struct call *c)
{
	struct run_event *e;
	struct ring r;
	uint64_t n, end_ns;

	if (!m->on)
		return;
	end_ns = run_clock_ns(CLOCK_MONOTONIC);		/* ahead of making the ring, which takes long */
	r = ring_of();
	n = __atomic_fetch_add(r.next, 1, __ATOMIC_RELAXED);
	e = &r.events[n & r.mask];
	__atomic_store_n(&e->seq, 0, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	e->time_ns = m->time_ns;
	e->duration_ns = end_ns - m->start_ns;
	e->ret = c->ret;
	memcpy(e->args, c->a, sizeof(e->args));
	e->tid = thread_id();
	e->err = c->err;
	e->call = (uint16_t)c->id;
	e->rule = (uint16_t)c->rule;
	e->fd = c->fd;
	e->addr = c->addr;
	__atomic_store_n(&e->seq, n + 1, __ATOMIC_RELEASE);
}
