/* Virtual time, and calls that wait in it. */
#include "packetdrill/adapter.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	SETTLE_MS = 200,		/* real time granted to a woken thread */
	IDLE_MS = 300,			/* without calls: packetdrill waits for this thread */
};

static __thread bool settling;

static void in_real_ms(struct timespec *ts, int ms)
{
	clock_gettime(CLOCK_MONOTONIC, ts);
	ts->tv_nsec += ms % 1000 * NS_PER_MS;
	ts->tv_sec += ms / 1000 + ts->tv_nsec / NS_PER_SEC;
	ts->tv_nsec %= NS_PER_SEC;
}

static bool wakes(const struct pd *pd, const struct pd_sleeper *s)
{
	return s->ready || s->deadline_ns <= pd->now_ns;
}

static void collect(struct pd *pd)
{
	struct pkt *pkt;

	while ((pkt = channel_read(pd->link))) {
		struct pd_packet *p = malloc(sizeof(*p));

		if (!p || !pkt_finish_cksum(pkt)) {
			free(p);
			pkt_free(pkt);
			continue;
		}
		p->pkt = pkt;
		p->at_ns = pd->now_ns;
		list_push_back(&pd->sent, &p->node);
	}
}

void pd_run(struct pd *pd)
{
	clock_set(pd->stack->clock, pd->now_ns, pd->now_ns);
	stack_run(pd->stack);
	collect(pd);
	pd_zerocopy_run(pd);
	list_for_each(n, &pd->sleepers)
		if (wakes(pd, container_of(n, struct pd_sleeper, node))) {
			pthread_cond_broadcast(&pd->changed);
			break;
		}
}

static bool asleep(pid_t tid)
{
	char path[64], state = 'S';
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	f = fopen(path, "re");
	if (!f)
		return true;
	if (fscanf(f, "%*d %*[^)]) %c", &state) != 1)
		state = 'S';
	fclose(f);
	return state == 'S';
}

/* A thread that has asked for the time goes on to note what its call returned: time waits for that, too. */
static void let_note(struct pd *pd)
{
	pid_t tid = pd->settled_tid;

	pd->settled_tid = 0;
	if (!tid || tid == gettid())
		return;
	pthread_mutex_unlock(&pd->lock);
	for (int i = 0, calm = 0; i < 100 && calm < 2; i++) {
		calm = asleep(tid) ? calm + 1 : 0;
		usleep(100);
	}
	pthread_mutex_lock(&pd->lock);
}

/* Until no call that may go on is still here, and those that went have asked for the time. */
static void settle(struct pd *pd)
{
	struct timespec until;

	in_real_ms(&until, SETTLE_MS);
	for (;;) {
		bool busy = pd->settling > 0;

		list_for_each(n, &pd->sleepers)
			busy |= wakes(pd, container_of(n, struct pd_sleeper, node));
		if (!busy) {
			let_note(pd);
			return;
		}
		pthread_cond_broadcast(&pd->changed);
		if (pthread_cond_timedwait(&pd->changed, &pd->lock, &until) == ETIMEDOUT) {
			pd->settling = 0;
			return;
		}
	}
}

void pd_settle(struct pd *pd)
{
	settle(pd);
	pd_run(pd);
}

bool pd_step(struct pd *pd, int64_t limit_ns)
{
	int64_t next;

	settle(pd);
	next = stack_next(pd->stack);
	list_for_each(n, &pd->sleepers) {
		const struct pd_sleeper *s = container_of(n, struct pd_sleeper, node);

		if (s->deadline_ns < next)
			next = s->deadline_ns;
	}
	if (next > limit_ns || next == CLOCK_NEVER) {
		if (limit_ns != CLOCK_NEVER && limit_ns > pd->now_ns)
			pd->now_ns = limit_ns;
		pd_run(pd);
		return false;
	}
	if (next > pd->now_ns)
		pd->now_ns = next;
	pd_run(pd);
	return true;
}

void pd_advance(struct pd *pd, int64_t to_ns)
{
	while (pd_step(pd, to_ns))
		;
}

/* On the first thread nobody else can let time pass. */
static bool sleep_alone(struct pd *pd, struct pd_sleeper *s)
{
	while (!wakes(pd, s))
		if (!pd_step(pd, s->deadline_ns) && s->deadline_ns == CLOCK_NEVER)
			return false;
	return true;
}

static bool sleep_aside(struct pd *pd, struct pd_sleeper *s)
{
	uint64_t seen = pd->calls;
	bool can_wake = true;

	pd_settled(pd);		/* woken for nothing */
	list_push_back(&pd->sleepers, &s->node);
	while (!wakes(pd, s) && can_wake) {
		struct timespec until;

		in_real_ms(&until, IDLE_MS);
		if (pthread_cond_timedwait(&pd->changed, &pd->lock, &until) != ETIMEDOUT ||
		    wakes(pd, s))
			continue;
		if (pd->calls == seen)
			can_wake = pd_step(pd, CLOCK_NEVER);
		seen = pd->calls;
	}
	list_remove(&s->node);
	if (!settling) {
		settling = true;
		pd->settling++;
	}
	return can_wake || wakes(pd, s);
}

bool pd_sleep(struct pd *pd, struct pd_sleeper *s)
{
	list_init(&s->node);
	pd_run(pd);
	if (wakes(pd, s))
		return true;
	return pthread_equal(pthread_self(), pd->first_thread) ? sleep_alone(pd, s)
							       : sleep_aside(pd, s);
}

void pd_settled(struct pd *pd)
{
	if (!settling)
		return;
	settling = false;
	pd->settled_tid = gettid();
	if (pd->settling > 0)
		pd->settling--;
	pthread_cond_broadcast(&pd->changed);
}
