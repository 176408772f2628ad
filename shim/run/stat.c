/* stat.c - reading the statistics out. */
#include "run/stat.h"

void run_stat_take(struct run_stat *stats, struct run_socket *s)
{
	static const enum run_count which[] = { RUN_OPENED, RUN_CLOSED, RUN_ACCEPT_FAILED };
	uint32_t *from[] = { &s->opened, &s->closed, &s->accept_failed };
	const sockshim_cookie owner = run_stat_owner(s);

	for (unsigned i = 0; owner && i < sizeof(which) / sizeof(which[0]); i++)
		if (__atomic_load_n(from[i], __ATOMIC_RELAXED))
			__atomic_fetch_add(&run_stat(stats, owner)->count[which[i]],
					   __atomic_exchange_n(from[i], 0, __ATOMIC_RELAXED), __ATOMIC_RELAXED);
}

size_t run_stats_copy(const struct run_stat *stats, struct sockshim_stat *out, size_t n)
{
	size_t found = 0;

	for (unsigned i = 0; i < RUN_STATS; i++) {
		const struct run_stat *s = &stats[i];
		uint64_t key = __atomic_load_n(&s->cookie_plus_one, __ATOMIC_RELAXED);
		uint64_t c[RUN_COUNTS];

		if (key == 0)
			continue;
		if (found++ >= n)
			continue;
		for (unsigned k = 0; k < RUN_COUNTS; k++)
			c[k] = __atomic_load_n(&s->count[k], __ATOMIC_RELAXED);
		out[found - 1] = (struct sockshim_stat){
			.cookie = key - 1,
			.opened = c[RUN_OPENED], .connected = c[RUN_CONNECTED],
			.listened = c[RUN_LISTENED], .accepted = c[RUN_ACCEPTED], .closed = c[RUN_CLOSED],
			.open_failed = c[RUN_OPEN_FAILED], .connect_failed = c[RUN_CONNECT_FAILED],
			.listen_failed = c[RUN_LISTEN_FAILED], .accept_failed = c[RUN_ACCEPT_FAILED],
			.close_failed = c[RUN_CLOSE_FAILED],
		};
		for (unsigned k = 0; k < SOCKSHIM_FILTER_TYPES; k++)
			out[found - 1].injected[k] = __atomic_load_n(&s->injected[k], __ATOMIC_RELAXED);
	}
	return found;
}

void run_stats_copy_place(const struct run_socket *s, struct sockshim_stat *out, size_t n)
{
	uint32_t opened = __atomic_load_n(&s->opened, __ATOMIC_RELAXED), closed = __atomic_load_n(&s->closed, __ATOMIC_RELAXED);
	uint32_t failed = __atomic_load_n(&s->accept_failed, __ATOMIC_RELAXED);
	const sockshim_cookie owner = run_stat_owner(s);
	size_t i = 0;

	if (!run_stat_noted(s))
		return;
	while (i < n && out[i].cookie != owner)
		i++;
	if (i == n && n < RUN_STATS)
		return;
	i = i < n ? i : n - 1;		/* the last takes those that found no place */
	out[i].opened += opened;
	out[i].closed += closed;
	out[i].accept_failed += failed;
}
