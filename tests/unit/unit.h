/* unit.h - Criterion; in a build for ThreadSanitizer, as much of it as these tests use.
 *
 * Criterion runs each test in a process of its own with an arena at a fixed address, which is where
 * ThreadSanitizer has its shadow memory. So there tests run one after the other in one process, and the
 * first assertion that fails ends it; the summary is Criterion's.
 */
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

#ifndef __SANITIZE_THREAD__
#include <criterion/criterion.h>
#else

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct unit_test {
	const char *suite, *name;
	void (*run)(void);
	struct unit_test *next;
};

static struct unit_test *unit_tests;

#define Test(suite_, name_) \
	static void suite_##_##name_(void); \
	__attribute__((constructor)) static void suite_##_##name_##_register(void) \
	{ \
		static struct unit_test t = { .suite = #suite_, .name = #name_, .run = suite_##_##name_ }; \
		t.next = unit_tests; \
		unit_tests = &t; \
	} \
	static void suite_##_##name_(void)

#define cr_assert(condition, ...) \
	do { \
		if (!(condition)) { \
			printf("%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			exit(1); \
		} \
	} while (0)
#define cr_assert_not(c, ...) cr_assert(!(c))
#define cr_assert_eq(a, b, ...) cr_assert((a) == (b))
#define cr_assert_neq(a, b, ...) cr_assert((a) != (b))
#define cr_assert_leq(a, b, ...) cr_assert((a) <= (b))
#define cr_assert_null(a, ...) cr_assert(!(a))
#define cr_assert_not_null(a, ...) cr_assert(a)
#define cr_assert_str_eq(a, b, ...) cr_assert(!strcmp(a, b))
#define cr_skip(why) do { printf("[SKIP] %s\n", why); return; } while (0)

int main(void)
{
	int n = 0;

	for (struct unit_test *t = unit_tests; t; t = t->next, n++)
		t->run();
	printf("[====] Synthesis: Tested: %d | Passing: %d | Failing: 0 | Crashing: 0\n", n, n);
	return 0;
}

#endif
#endif
