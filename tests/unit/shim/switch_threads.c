/* switch_threads.c - table and statistics under many threads at once. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "unit.h"
#include "run/stat.h"
#include "switch_tab.h"

static struct run_stat stats[RUN_STATS];

#define THREADS 8
#define ROUNDS 20000

static void *churn(void *arg)
{
	int me = (int)(intptr_t)arg;

	for (int i = 0; i < ROUNDS; i++) {
		/* Each thread has numbers of its own, as the kernel deals them out, some in one leaf, some not. */
		int fd = me + THREADS * (i % 900), copy = 20000 + fd;
		sockshim_cookie stale, c = 0;
		struct run_socket *s = socktab_add(&tab, fd, COOKIE(me), 0, &stale);

		if (!s || stale)
			abort();
		run_count(stats, COOKIE(me), RUN_OPENED);
		socktab_dup(&tab, fd, copy, &stale);
		if (!socktab_remove(&tab, fd, &c) || c != 0)
			abort();
		if (socktab_find(&tab, copy) != s || !socktab_remove(&tab, copy, &c) || c != COOKIE(me))
			abort();
		run_count(stats, c, RUN_CLOSED);
		run_count(stats, COOKIE(1000), RUN_ACCEPTED);
		socktab_ref(&tab, (i * 7) % 8000);
	}
	return NULL;
}

Test(switch_threads, threads_lose_no_socket_and_no_count)
{
	pthread_t t[THREADS];
	struct sockshim_stat out[RUN_STATS];
	size_t n;

	for (int i = 0; i < THREADS; i++)
		cr_assert_eq(pthread_create(&t[i], NULL, churn, (void *)(intptr_t)i), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	n = run_stats_copy(stats, out, RUN_STATS);
	cr_assert_eq(n, THREADS + 1);
	for (size_t i = 0; i < n; i++) {
		bool common = out[i].cookie == COOKIE(1000);

		cr_assert_eq(out[i].opened, common ? 0 : ROUNDS);
		cr_assert_eq(out[i].closed, common ? 0 : ROUNDS);
		cr_assert_eq(out[i].accepted, common ? THREADS * ROUNDS : 0);
	}
}

/* Four threads dup and close the same descriptor's duplicates while a third reads. */
#define SHARED_FD 15000

static atomic_bool stop;

static void *look(void *arg)
{
	while (!atomic_load(&stop)) {
		struct run_socket *s = socktab_find(&tab, SHARED_FD);

		if (s && __atomic_load_n(&s->refs, __ATOMIC_RELAXED) == 0)
			abort();
	}
	return NULL;
}

static void *dup_and_close(void *arg)
{
	int to = (int)(intptr_t)arg;
	sockshim_cookie dropped;

	for (int i = 0; i < ROUNDS; i++) {
		socktab_dup(&tab, SHARED_FD, to, &dropped);
		if (!socktab_remove(&tab, to, NULL))
			abort();
	}
	return NULL;
}

Test(switch_threads, duplicates_made_and_closed_by_threads_leave_one_reference)
{
	pthread_t t[4], reader;
	sockshim_cookie stale;

	cr_assert_not_null(socktab_add(&tab, SHARED_FD, COOKIE(1), 0, &stale));
	pthread_create(&reader, NULL, look, NULL);
	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, dup_and_close, (void *)(intptr_t)(SHARED_FD + 1 + i));
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	atomic_store(&stop, true);
	pthread_join(reader, NULL);
	cr_assert_eq(socktab_find(&tab, SHARED_FD)->refs, 1);
}
