/*
 * Reporting multicast memberships.
 *
 * Theory of operation. A group is reported when joined and ROBUSTNESS - 1 times more at random
 * moments, in case the first report was lost; it is reported at a random moment after a query. In
 * version 1 and 2 of IGMP (1 of MLD) hearing another host's report makes ours needless, and only
 * who reported last says that it leaves. In IGMPv3 and MLDv2 everybody speaks for itself. An older
 * querier makes us speak its version for a while. We have no source filters, so the only filter
 * mode is EXCLUDE {} while in a group.
 */
#include "network/member.h"

#include <stdlib.h>

enum { ROBUSTNESS = 2 };		/* RFC 3376, 8.1; RFC 3810, 9.1 */

#define UNSOLICITED_OLD_NS (10 * NS_PER_SEC)	/* RFC 2236, 8.10; RFC 2710, 7.10 */
#define UNSOLICITED_NEW_NS (1 * NS_PER_SEC)	/* RFC 3376, 8.11; RFC 3810, 9.11 */
#define OLDER_QUERIER_NS ((ROBUSTNESS * 125 + 10) * NS_PER_SEC)	/* RFC 3376, 8.12 */

/** struct member - a group; @leaving: nobody is in it, but its leave is still to be repeated */
struct member {
	struct list list;
	struct member_nic *owner;
	struct addr group;
	struct timer timer;
	uint8_t repeats;
	bool leaving, last_reporter;
	enum member_msg msg;
};

void member_init(struct member_nic *m, struct nic *nic, enum net_index net,
		 const struct member_ops *ops)
{
	*m = (struct member_nic){ .ops = ops, .nic = nic, .net = net };
	list_init(&m->members);
}

static void member_free(struct member *g)
{
	timer_fini(g->owner->nic->stack->clock, &g->timer);
	list_remove(&g->list);
	free(g);
}

void member_fini(struct member_nic *m)
{
	while (!list_empty(&m->members))
		member_free(container_of(m->members.next, struct member, list));
}

uint8_t member_version(struct member_nic *m)
{
	if (m->older && m->nic->stack->clock->now_ns >= m->older_until_ns)
		m->older = 0;
	return m->older ? m->older : m->ops->newest;
}

static int64_t random_delay(struct member_nic *m, int64_t max_ns)
{
	return max_ns > 0 ? (int64_t)(rand_u64(&m->nic->stack->rand) % (uint64_t)max_ns) : 0;
}

static int64_t repeat_interval(struct member_nic *m)
{
	return member_version(m) == m->ops->newest ? UNSOLICITED_NEW_NS : UNSOLICITED_OLD_NS;
}

static void member_say(struct member *g)
{
	struct member_nic *m = g->owner;

	g->last_reporter = true;
	m->ops->send(m->nic, &g->group, g->msg, member_version(m));
	if (g->repeats == 0) {
		g->msg = MEMBER_CURRENT;
		return;
	}
	g->repeats--;
	timer_arm_in(m->nic->stack->clock, &g->timer, random_delay(m, repeat_interval(m)));
}

static void member_timeout(struct timer *t)
{
	struct member *g = container_of(t, struct member, timer);

	member_say(g);
	if (g->leaving && !timer_armed(&g->timer))
		member_free(g);
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

static void member_announce(struct member *g, enum member_msg msg)
{
	g->msg = msg;
	g->repeats = ROBUSTNESS - 1;
	timer_disarm(&g->timer);
	member_say(g);
}

void member_joined(struct member_nic *m, const struct addr *group)
{
	struct member *g = member_find(m, group);

	if (!m->ops->reportable(group))
		return;
	if (!g) {
		g = calloc(1, sizeof(*g));
		if (!g)
			return;
		g->owner = m;
		g->group = *group;
		timer_init(&g->timer, member_timeout);
		list_init(&g->list);
		list_push_back(&m->members, &g->list);
	}
	g->leaving = false;
	if (m->nic->enabled)
		member_announce(g, MEMBER_JOIN);
}

void member_left(struct member_nic *m, const struct addr *group)
{
	struct member *g = member_find(m, group);

	if (!g)
		return;
	g->leaving = true;
	timer_disarm(&g->timer);
	if (!m->nic->enabled) {
		member_free(g);
		return;
	}
	if (member_version(m) == m->ops->newest) {
		member_announce(g, MEMBER_LEAVE);
		return;
	}
	/* RFC 2236, 6: only the last to report need say that it goes. */
	if (g->last_reporter)
		m->ops->send(m->nic, group, MEMBER_LEAVE, member_version(m));
	member_free(g);
}

void member_enabled(struct member_nic *m, bool enabled)
{
	list_for_each_safe(n, &m->members) {
		struct member *g = container_of(n, struct member, list);

		timer_disarm(&g->timer);
		if (g->leaving)
			member_free(g);
		else if (enabled)
			member_announce(g, MEMBER_JOIN);
	}
}

void member_query(struct member_nic *m, const struct group_query *q)
{
	struct clock *clock = m->nic->stack->clock;

	if (q->version < m->ops->newest) {
		m->older = q->version;
		m->older_until_ns = clock->now_ns + OLDER_QUERIER_NS;
	}
	list_for_each(n, &m->members) {
		struct member *g = container_of(n, struct member, list);
		int64_t when = clock->now_ns + random_delay(m, (int64_t)q->max_resp_ms * NS_PER_MS);

		if (g->leaving || (!addr_is_any(&q->group) && !addr_equal(&q->group, &g->group)))
			continue;
		/* A pending report that comes sooner answers the query too. */
		if (timer_armed(&g->timer) && g->timer.when <= when)
			continue;
		timer_arm(clock, &g->timer, when);
	}
}

void member_heard(struct member_nic *m, const struct addr *group)
{
	struct member *g = member_find(m, group);

	if (!g || g->leaving || member_version(m) == m->ops->newest)
		return;
	timer_disarm(&g->timer);
	g->repeats = 0;
	g->last_reporter = false;
}
