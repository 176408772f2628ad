/* stat.c - reading the statistics out. */
#include "run/stat.h"

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
