/* fault_threads.c - rules that several threads ask at once: each call has a number of its own. */
#include "fault_rules.h"

#include <pthread.h>

#define THREADS 4
#define CALLS 20000

static struct rules r;

static void *ask(void *fired)
{
	struct fault_call call = CALL(CONNECT, connect);

	for (int i = 0; i < CALLS; i++)
		*(int *)fired += rules_fire(&r, &call);
	return NULL;
}

/* How often a rule fires in all threads together. */
static int ask_in_threads(const char *text)
{
	pthread_t threads[THREADS];
	int fired[THREADS] = { 0 }, sum = 0;

	rules_good(&r, text);
	for (int i = 0; i < THREADS; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, ask, &fired[i]), 0);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		sum += fired[i];
	}
	cr_assert_eq(r.counts[1].matched, THREADS * CALLS);
	cr_assert_eq(r.counts[1].fired, (uint64_t)sum);
	return sum;
}

Test(fault_threads, every_nth_of_all_threads)
{
	cr_assert_eq(ask_in_threads("fail connect every 100th"), THREADS * CALLS / 100);
}

Test(fault_threads, one_thread_gets_the_one_that_is_meant)
{
	cr_assert_eq(ask_in_threads("fail connect on 30000th"), 1);
	cr_assert_eq(ask_in_threads("fail connect on 10001st..20000th"), 10000);
}

Test(fault_threads, no_more_than_the_first_n)
{
	for (int i = 0; i < 20; i++)
		cr_assert_eq(ask_in_threads("fail connect first 777"), 777);
}

static pthread_barrier_t both;

/* Where a rule that stands behind another asks for the call site, it is known that the first is due, but it
 * has not been counted. Here the threads wait for each other. */
static bool meet(const struct fault_call *call, const char *module, const char *function)
{
	pthread_barrier_wait(&both);
	return false;
}

static void *ask_together(void *fired)
{
	struct fault_call call = CALL(CONNECT, connect);

	call.from_site = meet;
	*(bool *)fired = rules_fire(&r, &call);
	return NULL;
}

Test(fault_threads, the_one_firing_that_is_left_is_had_by_one_thread)
{
	bool a = false, b = false;
	pthread_t other;

	rules_good(&r, "fail connect first 1\ndelay connect by 1s at x");
	pthread_barrier_init(&both, NULL, 2);
	cr_assert_eq(pthread_create(&other, NULL, ask_together, &a), 0);
	ask_together(&b);
	pthread_join(other, NULL);
	cr_assert(a != b);
	cr_assert_eq(r.counts[1].fired, 1);
	pthread_barrier_destroy(&both);
}

Test(fault_threads, chance_is_drawn_once_per_call)
{
	struct fault_call call = CALL(CONNECT, connect);
	int together = ask_in_threads("fail connect probability 10%"), alone = 0;

	memset(r.counts, 0, sizeof(r.counts));
	for (int i = 0; i < THREADS * CALLS; i++)
		alone += rules_fire(&r, &call);
	cr_assert_eq(together, alone);
}
