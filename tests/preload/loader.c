/* loader.c - the library in the company of others: early constructors, other scopes, other allocators, another
 * libc. */
#include "preload/child.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define STREAM sockshim_cookie_make(AF_INET, SOCK_STREAM, 0)
#define DGRAM sockshim_cookie_make(AF_INET, SOCK_DGRAM, 0)
#define LOCAL sockshim_cookie_make(AF_UNIX, SOCK_STREAM, 0)
#define TCP sockshim_cookie_make(AF_INET, SOCK_STREAM, 6)

Test(early, calls_before_any_constructor_are_made_and_counted)
{
	struct child c = { .prog = "early", .args = { "constructed" } };

	child_compare(&c);
	cr_assert_eq(child_count(&c, STREAM, RUN_OPENED), 1);
	cr_assert_eq(child_count(&c, STREAM, RUN_CLOSED), 1);
	cr_assert_eq(child_count(&c, LOCAL, RUN_OPENED), 2);
	cr_assert_eq(child_count(&c, LOCAL, RUN_CLOSED), 2);
	cr_assert_eq(child_count(&c, DGRAM, RUN_OPENED), 1);
	child_done(&c);
}

Test(early, rules_hold_from_the_first_call_on)
{
	struct child c = { .prog = "early", .args = { "constructed" }, .rules = "fail socket with EMFILE type dgram" };

	child_run(&c);
	cr_assert_eq(strncmp(c.out, "preinit -1, errors 0", 20), 0, "%s%s", c.out, c.err);
	child_done(&c);
}

Test(early, cxx_statics_hold_sockets)
{
	struct child c = { .prog = "statics" };

	child_compare(&c);
	cr_assert_eq(child_count(&c, STREAM, RUN_OPENED), 3);
	cr_assert_eq(child_count(&c, STREAM, RUN_CLOSED), 3);
	cr_assert_eq(child_count(&c, LOCAL, RUN_OPENED), 1600);
	cr_assert_eq(child_open_sockets(&c, 0), 0);
	child_done(&c);
}

static struct child with_plugin(const char *how)
{
	struct child c = { .prog = "loader", .args = { how, child_prog("lib/plugin.so") } };

	child_compare(&c);
	cr_assert_eq(child_open_sockets(&c, 0), 0, "%s", how);
	return c;
}

Test(scope, shared_object_opened_later_is_seen)
{
	struct child c = with_plugin("plain");

	cr_assert_eq(child_count(&c, STREAM, RUN_OPENED), 5);
	cr_assert_eq(child_count(&c, STREAM, RUN_CLOSED), 6);
	child_done(&c);
}

/* What is made in another scope is not counted as opened, but is found when it is used. */
static void passed_by(const char *how)
{
	struct child c = with_plugin(how);

	cr_expect_eq(child_count(&c, STREAM, RUN_OPENED), 3, "%s", how);
	cr_expect_eq(child_count(&c, TCP, RUN_CONNECTED), 1, "%s", how);
	child_done(&c);
}

Test(scope, rtld_deepbind_works_as_without)
{
	passed_by("deepbind");
}

Test(scope, dlmopen_works_as_without)
{
	passed_by("namespace");
}

Test(scope, dlsym_on_libcs_handle_works_as_without)
{
	passed_by("libc");
}

Test(scope, shared_objects_come_and_go)
{
	struct child c = with_plugin("unload");

	cr_assert_eq(child_count(&c, STREAM, RUN_CLOSED), 50);
	child_done(&c);
}

Test(scope, interface_is_found_by_dlsym)
{
	struct child c = { .prog = "loader", .args = { "interface" } };

	child_ok(&c);
	cr_assert_str_eq(c.out, "interface 1\n");
	child_done(&c);
}

static void beside(const char *prog, const char *scenario, const char *first, const char *last, const char *rules)
{
	struct child c = { .prog = prog, .args = { scenario }, .preload_first = first, .preload_last = last,
			   .rules = rules };

	child_compare(&c);
	cr_expect_geq(c.n_files, 1);
	child_done(&c);
}

Test(company, other_interposer_in_both_orders)
{
	const char *other = child_prog("lib/wrapper.so");

	beside("loader", "wrapped", other, NULL, NULL);
	beside("loader", "wrapped", NULL, other, NULL);
	beside("signals", "fails", NULL, other, NULL);
}

Test(company, allocator_that_makes_calls_in_both_orders)
{
	const char *other = child_prog("lib/allocator.so");

	beside("loader", "allocator", other, NULL, NULL);
	beside("loader", "allocator", NULL, other, NULL);
	beside("loader", "allocator", NULL, other, "fail recv with ENOMEM to 10.9.9.9; fail send with EPIPE at nowhere:nothing");
	beside("calls", "everything", NULL, other, NULL);
}

static const char jemalloc[] = "libjemalloc.so.2";

static void need_jemalloc(void)
{
	if (access("/usr/lib/x86_64-linux-gnu/libjemalloc.so.2", R_OK) != 0 &&
	    access("/usr/lib/aarch64-linux-gnu/libjemalloc.so.2", R_OK) != 0)
		cr_skip_test("libjemalloc2 is not installed");
}

Test(company, jemalloc_before_the_library)
{
	need_jemalloc();
	beside("calls", "everything", jemalloc, NULL, NULL);
	beside("signals", "threads", jemalloc, NULL, NULL);
	beside("process", "vfork", jemalloc, NULL, NULL);
}

Test(company, jemalloc_after_the_library)
{
	need_jemalloc();
	beside("calls", "everything", NULL, jemalloc, NULL);
	beside("signals", "threads", NULL, jemalloc, NULL);
	beside("process", "vfork", NULL, jemalloc, NULL);
}

Test(company, programs_with_address_sanitizer)
{
	beside(child_prog("asan/simple"), "connections", NULL, NULL, NULL);
	beside(child_prog("asan/simple"), "processes", NULL, NULL, NULL);
	beside(child_prog("asan/signals"), "threads", NULL, NULL, NULL);
	beside(child_prog("asan/signals"), "threads", NULL, NULL, "fail recv with ENOMEM to 10.9.9.9; fail send with EPIPE at nowhere:nothing");
}

/* Programs for musl's loader. */
static void musl(const char *prog, const char *scenario)
{
	struct child c = { .prog = child_prog(prog), .args = { scenario } };

	if (access(c.prog, X_OK) != 0)
		cr_skip_test("musl-tools is not installed");
	child_compare(&c);
	cr_expect_geq(c.n_files, 1, "%s %s leaves no run file", prog, scenario);
	child_done(&c);
}

Test(musl, connections_are_made)
{
	musl("musl/simple", "connections");
}

Test(musl, faults_fire)
{
	struct child c = { .prog = child_prog("musl/simple"), .args = { "connections" },
			   .rules = "fail connect with ECONNREFUSED on 1st" };

	if (access(c.prog, X_OK) != 0)
		cr_skip_test("musl-tools is not installed");
	child_run(&c);
	cr_assert_eq(c.code, 99);
	cr_assert_eq(child_injected(&c, SOCKSHIM_CONNECT), 1);
	child_done(&c);
}

Test(musl, processes_fork_and_exec)
{
	musl("musl/simple", "processes");
}

Test(musl, handlers_and_threads_make_calls)
{
	musl("musl/signals", "first");
	musl("musl/signals", "fails");
	musl("musl/signals", "threads");
	musl("musl/signals", "longjmp");
	musl("musl/signals", "cancel");
}
