/*
 * Reporting multicast memberships.
 *
 * Theory of operation. A group's state is a filter: EXCLUDE or INCLUDE with a list of sources, and
 * INCLUDE {} means not being in it. A change of state is reported at once and ROBUSTNESS - 1 times more
 * at random moments, in case a report was lost (RFC 3376, 5.1): a change of mode by a record of the whole
 * new filter, else the sources allowed and blocked. Changes meanwhile are merged: each source has
 * its own count of reports still due. A query is answered at a random moment (5.2), one about
 * sources with what is wanted of them.
 *
 * In version 1 and 2 of IGMP (1 of MLD) there are no sources: one is in a group or not. Hearing
 * another host's report makes ours needless, and only who reported last says that it leaves. An older
 * querier makes us speak its version for a while.
 */
#include "network/member.h"

#include <stdlib.h>

enum {
	ROBUSTNESS = 2,				/* RFC 3376, 8.1; RFC 3810, 9.1 */
	MAX_KNOWN = 2 * GROUP_MAX_SOURCES,	/* those in the filter, and others being spoken of */
};

#define UNSOLICITED_OLD_NS (10 * NS_PER_SEC)	/* RFC 2236, 8.10; RFC 2710, 7.10 */
#define UNSOLICITED_NEW_NS (1 * NS_PER_SEC)	/* RFC 3376, 8.11; RFC 3810, 9.11 */
#define OLDER_QUERIER_NS ((ROBUSTNESS * 125 + 10) * NS_PER_SEC)	/* RFC 3376, 8.12 */

/**
 * struct member_source - a source that matters to a group
 * @listed: in the filter's list
 * @allow_left, @block_left: reports still due that it is allowed or blocked now
 * @asked:  a query about it is to be answered
 */
struct member_source {
	struct addr addr;
	bool listed, asked;
	uint8_t allow_left, block_left;
};

/**
 * struct member - a group
 * @timer:     the next report of a change
 * @answer:    the answer to a query, about those @asked or, @asked_all, about the group
 * @mode_left: reports still due of a change of mode or, in old versions, of having joined
 * @exclude, @n, @sources: the filter, and what else is known of sources; memory for @room
 */
struct member {
	struct list list;
	struct member_nic *owner;
	struct addr group;
	struct timer timer, answer;
	uint8_t mode_left;
	bool exclude, asked_all, last_reporter;
	uint16_t n, room;
	struct member_source *sources;
};

void member_init(struct member_nic *m, struct nic *nic, enum net_index net,
		 const struct member_ops *ops)
{
	*m = (struct member_nic){ .ops = ops, .nic = nic, .net = net };
	list_init(&m->members);
}

static struct clock *clock_of(const struct member_nic *m)
{
	return m->nic->stack->clock;
}

static void member_free(struct member *g)
{
	timer_fini(clock_of(g->owner), &g->timer);
	timer_fini(clock_of(g->owner), &g->answer);
	list_remove(&g->list);
	free(g->sources);
	free(g);
}

void member_fini(struct member_nic *m)
{
	while (!list_empty(&m->members))
		member_free(container_of(m->members.next, struct member, list));
}

uint8_t member_version(struct member_nic *m)
{
	if (m->older && clock_of(m)->now_ns >= m->older_until_ns)
		m->older = 0;
	return m->older ? m->older : m->ops->newest;
}

static bool speaks_newest(struct member_nic *m)
{
	return member_version(m) == m->ops->newest;
}

static int64_t random_delay(struct member_nic *m, int64_t max_ns)
{
	return max_ns > 0 ? (int64_t)(rand_u64(&m->nic->stack->rand) % (uint64_t)max_ns) : 0;
}

/* Whether the filter is anything but INCLUDE {}. */
static bool member_in(const struct member *g)
{
	for (uint16_t i = 0; i < g->n; i++)
		if (g->sources[i].listed)
			return true;
	return g->exclude;
}

static struct member_source *source_find(struct member *g, const struct addr *a)
{
	for (uint16_t i = 0; i < g->n; i++)
		if (addr_equal(&g->sources[i].addr, a))
			return &g->sources[i];
	return NULL;
}

/* The source, entered if need be; NULL if there are too many, or no memory. */
static struct member_source *source_get(struct member *g, const struct addr *a)
{
	struct member_source *x = source_find(g, a);

	if (x || g->n == MAX_KNOWN)
		return x;
	if (g->n == g->room) {
		uint16_t room = g->room ? (uint16_t)(2 * g->room) : 4;

		x = realloc(g->sources, room * sizeof(*x));
		if (!x)
			return NULL;
		g->sources = x;
		g->room = room;
	}
	x = &g->sources[g->n++];
	*x = (struct member_source){ .addr = *a };
	return x;
}

/* Forgets sources of which nothing is left to say. */
static void sources_prune(struct member *g)
{
	uint16_t n = 0;

	for (uint16_t i = 0; i < g->n; i++) {
		const struct member_source *x = &g->sources[i];

		if (x->listed || x->asked || x->allow_left || x->block_left)
			g->sources[n++] = *x;
	}
	g->n = n;
}

/* Room for a message of @len bytes at *@p; NULL also on the loopback, where no router is. */
static struct pkt *message_new(struct member_nic *m, size_t len, uint8_t **p)
{
	struct pkt *pkt = nic_is_loopback(m->nic) ? NULL : pkt_alloc(m->nic->stack->pool, PKT_HEADROOM, len);

	if (pkt)
		*p = pkt_put(pkt, len);
	return pkt;
}

/* In the newest version: one record of at most GROUP_MAX_SOURCES sources. */
static void report(struct member *g, enum group_record type, const struct addr *sources, uint16_t n)
{
	struct member_nic *m = g->owner;
	uint8_t *p;
	struct pkt *pkt = message_new(m, group_report_len(&g->group, n), &p);

	if (!pkt)
		return;
	group_report_emit(m->ops->report_type, type, &g->group, sources, n, p);
	m->ops->send(m->nic, pkt, m->ops->report_type, m->ops->report_to);
}

/* In an older version: that we are in the group or that we leave it. */
static void old_report(struct member *g, bool leave)
{
	struct member_nic *m = g->owner;
	uint8_t type = m->ops->old_type(leave, member_version(m)), *p;
	struct pkt *pkt = type ? message_new(m, m->ops->old_len, &p) : NULL;

	if (!pkt)
		return;
	m->ops->old_emit(type, 0, &g->group, p);
	m->ops->send(m->nic, pkt, type, leave ? m->ops->old_leave_to : &g->group);
}

/* Reports the sources that @pick takes, if there are any; with @always, also if there are none. */
static void report_picked(struct member *g, enum group_record type, bool always,
			  bool (*pick)(struct member *g, struct member_source *x))
{
	struct addr list[GROUP_MAX_SOURCES];
	uint16_t n = 0;

	for (uint16_t i = 0; i < g->n; i++) {
		if (!pick(g, &g->sources[i]))
			continue;
		if (n == GROUP_MAX_SOURCES) {
			report(g, type, list, n);
			n = 0;
		}
		list[n++] = g->sources[i].addr;
	}
	if (n || always)
		report(g, type, list, n);
}

static bool pick_listed(struct member *g, struct member_source *x)
{
	(void)g;
	return x->listed;
}

static bool pick_allow(struct member *g, struct member_source *x)
{
	(void)g;
	return x->allow_left && x->allow_left--;
}

static bool pick_block(struct member *g, struct member_source *x)
{
	(void)g;
	return x->block_left && x->block_left--;
}

/* RFC 3376, 5.2: of those asked for, the ones that are wanted. */
static bool pick_asked(struct member *g, struct member_source *x)
{
	bool asked = x->asked;

	x->asked = false;
	return asked && x->listed != g->exclude;
}

static bool change_due(const struct member *g)
{
	for (uint16_t i = 0; i < g->n; i++)
		if (g->sources[i].allow_left || g->sources[i].block_left)
			return true;
	return g->mode_left != 0;
}

/* Says what changed, once, and arms the timer for the next time. */
static void say_change(struct member *g)
{
	struct member_nic *m = g->owner;
	bool newest = speaks_newest(m);

	g->last_reporter = true;
	if (!newest) {
		old_report(g, !member_in(g));
		for (uint16_t i = 0; i < g->n; i++)
			g->sources[i].allow_left = g->sources[i].block_left = 0;
	} else if (g->mode_left) {
		report_picked(g, g->exclude ? GROUP_TO_EXCLUDE : GROUP_TO_INCLUDE, true, pick_listed);
	} else {
		report_picked(g, GROUP_ALLOW, false, pick_allow);
		report_picked(g, GROUP_BLOCK, false, pick_block);
	}
	if (g->mode_left)
		g->mode_left--;
	sources_prune(g);
	if (change_due(g))
		timer_arm_in(clock_of(m), &g->timer,
			     random_delay(m, newest ? UNSOLICITED_NEW_NS : UNSOLICITED_OLD_NS));
	else
		timer_disarm(&g->timer);
}

static void member_timeout(struct timer *t)
{
	struct member *g = container_of(t, struct member, timer);

	say_change(g);
	if (!change_due(g) && !member_in(g))
		member_free(g);
}

static void answer_timeout(struct timer *t)
{
	struct member *g = container_of(t, struct member, answer);
	struct member_nic *m = g->owner;

	g->last_reporter = true;
	if (!speaks_newest(m)) {
		old_report(g, false);
	} else if (g->asked_all) {
		report_picked(g, g->exclude ? GROUP_MODE_IS_EXCLUDE : GROUP_MODE_IS_INCLUDE, true,
			      pick_listed);
	} else {
		report_picked(g, GROUP_MODE_IS_INCLUDE, false, pick_asked);
	}
	for (uint16_t i = 0; i < g->n; i++)
		g->sources[i].asked = false;
	g->asked_all = false;
	sources_prune(g);
}

static struct member *member_find(struct member_nic *m, const struct addr *group)
{
	list_for_each(n, &m->members) {
		struct member *g = container_of(n, struct member, list);

		if (addr_equal(&g->group, group))
			return g;
	}
	return NULL;
}

static struct member *member_new(struct member_nic *m, const struct addr *group)
{
	struct member *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	g->owner = m;
	g->group = *group;
	timer_init(&g->timer, member_timeout);
	timer_init(&g->answer, answer_timeout);
	list_init(&g->list);
	list_push_back(&m->members, &g->list);
	return g;
}

/* A change of mode is told by the whole new filter: nothing is due for single sources. */
static void change_mode(struct member *g, const struct source_filter *f)
{
	g->exclude = f->exclude;
	g->mode_left = ROBUSTNESS;
	for (uint16_t i = 0; i < g->n; i++) {
		g->sources[i].listed = false;
		g->sources[i].allow_left = g->sources[i].block_left = 0;
	}
	sources_prune(g);
	for (uint16_t i = 0; i < f->n; i++) {
		struct member_source *x = source_get(g, &f->sources[i]);

		if (x)
			x->listed = true;
	}
}

/* The new list of sources, the mode being the same; whether it differs (RFC 3376, 5.1). */
static bool change_sources(struct member *g, const struct source_filter *f)
{
	bool any = false;

	for (uint16_t i = 0; i < g->n; i++) {
		struct member_source *x = &g->sources[i];

		if (!x->listed || group_wants(f, &x->addr) != f->exclude)
			continue;
		x->listed = false;
		x->allow_left = f->exclude ? ROBUSTNESS : 0;
		x->block_left = f->exclude ? 0 : ROBUSTNESS;
		any = true;
	}
	for (uint16_t i = 0; i < f->n; i++) {
		struct member_source *x = source_get(g, &f->sources[i]);

		if (!x || x->listed)
			continue;
		x->listed = true;
		x->allow_left = f->exclude ? 0 : ROBUSTNESS;
		x->block_left = f->exclude ? ROBUSTNESS : 0;
		any = true;
	}
	return any;
}

/* RFC 2236, 6: only the last to report need say that it goes, and says it once. */
static void left_old(struct member *g)
{
	if (g->last_reporter)
		old_report(g, true);
	member_free(g);
}

void member_changed(struct member_nic *m, const struct nic_group *ng)
{
	struct addr sources[GROUP_MAX_SOURCES];
	struct source_filter f = group_merged(ng, sources);
	struct member *g = member_find(m, &ng->addr);
	bool was_in = g && member_in(g), differs = true;

	if (!m->ops->reportable(&ng->addr) || (!g && !f.exclude && !f.n))
		return;
	if (!g)
		g = member_new(m, &ng->addr);
	if (!g)
		return;
	if (g->exclude != f.exclude)
		change_mode(g, &f);
	else
		differs = change_sources(g, &f);
	if (!m->nic->enabled) {
		if (!member_in(g))
			member_free(g);
		return;
	}
	if (!differs)
		return;
	if (!member_in(g))
		timer_disarm(&g->answer);
	if (speaks_newest(m)) {
		say_change(g);
	} else if (!member_in(g)) {
		left_old(g);
	} else if (!was_in) {
		g->mode_left = ROBUSTNESS;
		say_change(g);
	} else {
		g->mode_left = 0;		/* the old versions have no word for it */
	}
}

void member_enabled(struct member_nic *m, bool enabled)
{
	list_for_each_safe(n, &m->members) {
		struct member *g = container_of(n, struct member, list);

		timer_disarm(&g->timer);
		timer_disarm(&g->answer);
		if (!member_in(g)) {
			member_free(g);
			continue;
		}
		if (!enabled)
			continue;
		g->mode_left = g->exclude ? ROBUSTNESS : 0;
		for (uint16_t i = 0; i < g->n; i++) {
			g->sources[i].allow_left = g->sources[i].listed && !g->exclude ? ROBUSTNESS : 0;
			g->sources[i].block_left = 0;
		}
		say_change(g);
	}
}

/* Notes what a query asks, to be answered with what is asked already (RFC 3376, 5.2). */
static void note_asked(struct member *g, const struct group_query *q)
{
	bool pending = timer_armed(&g->answer);

	if (q->nsources == 0 || (pending && g->asked_all)) {
		g->asked_all = true;
		return;
	}
	for (uint16_t i = 0; i < q->nsources; i++) {
		struct addr a = group_query_source(q, i);
		struct member_source *x = g->exclude ? source_get(g, &a) : source_find(g, &a);

		if (x)
			x->asked = true;
		else if (g->exclude)
			g->asked_all = true;	/* too many to remember: say everything */
	}
}

void member_query(struct member_nic *m, const struct group_query *q)
{
	struct clock *clock = clock_of(m);

	if (q->version < m->ops->newest) {
		m->older = q->version;
		m->older_until_ns = clock->now_ns + OLDER_QUERIER_NS;
	}
	list_for_each(n, &m->members) {
		struct member *g = container_of(n, struct member, list);
		int64_t when = clock->now_ns + random_delay(m, (int64_t)q->max_resp_ms * NS_PER_MS);

		if (!member_in(g) || (!addr_is_any(&q->group) && !addr_equal(&q->group, &g->group)))
			continue;
		note_asked(g, q);
		/* A pending answer that comes sooner serves this query too. */
		if (timer_armed(&g->answer) && g->answer.when <= when)
			continue;
		timer_arm(clock, &g->answer, when);
	}
}

void member_heard(struct member_nic *m, const struct addr *group)
{
	struct member *g = member_find(m, group);

	if (!g || !member_in(g) || speaks_newest(m))
		return;
	timer_disarm(&g->timer);
	timer_disarm(&g->answer);
	g->mode_left = 0;
	g->last_reporter = false;
}
