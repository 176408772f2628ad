/* plugin_closure.c - functions that capture values, as filters and after-filters. */
#include <errno.h>
#include <stddef.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"
#include "sockshim.h"

#define FN(f) ((void (*)(void))(f))

static const struct sockshim_status status = { .cookie = 7, .err = EAGAIN };

/* What the functions were given last. */
static const struct sockshim_status *seen_status;
static struct sockshim_after *seen_after;
static char seen_name[32];
static double seen_sum;

static int deny_port(const struct sockshim_status *st, uint16_t port, const char *name)
{
	seen_status = st;
	strncpy(seen_name, name ? name : "(null)", sizeof(seen_name) - 1);
	return port == 6379 ? ECONNREFUSED : 0;
}

Test(plugin_closure, captures_as_an_after_filter)
{
	struct sockshim_closure *c;
	char name[] = "redis";

	cr_assert_eq(sockshim_closure_new(&c, FN(deny_port), "(status: ptr, port: u16, name: cstr) -> errno", 6379, name), 0);
	memset(name, 'x', sizeof(name) - 1);	/* captured is the string, not where it stands */
	cr_assert_eq(sockshim_closure_after(c)(&status, NULL), ECONNREFUSED);
	cr_assert_eq(seen_status, &status);
	cr_assert_str_eq(seen_name, "redis");
	sockshim_closure_free(c);
}

Test(plugin_closure, captures_as_a_filter)
{
	struct sockshim_after after = { 0 };
	struct sockshim_closure *c;

	cr_assert_eq(sockshim_closure_new(&c, FN(deny_port), "(status: ptr, port: u16, name: cstr) -> errno", 6379, NULL), 0);
	cr_assert_eq(sockshim_closure_filter(c)(&status, &after, NULL), ECONNREFUSED);
	cr_assert_str_eq(seen_name, "(null)");
	cr_assert_null(after.fn);
	sockshim_closure_free(c);
}

Test(plugin_closure, each_has_values_of_its_own)
{
	struct sockshim_closure *a, *b;

	cr_assert_eq(sockshim_closure_new(&a, FN(deny_port), "(status: ptr, port: u16, name: cstr) -> errno", 80, "a"), 0);
	cr_assert_eq(sockshim_closure_new(&b, FN(deny_port), "(status: ptr, port: u16, name: cstr) -> errno", 6379, "b"), 0);
	cr_assert_eq(sockshim_closure_after(a)(&status, NULL), 0);
	cr_assert_str_eq(seen_name, "a");
	cr_assert_eq(sockshim_closure_after(b)(&status, NULL), ECONNREFUSED);
	cr_assert_str_eq(seen_name, "b");
	sockshim_closure_free(a);
	cr_assert_eq(sockshim_closure_after(b)(&status, NULL), ECONNREFUSED);
	sockshim_closure_free(b);
	sockshim_closure_free(NULL);
}

static int set_after(const struct sockshim_status *st, struct sockshim_after *after, int32_t err)
{
	seen_after = after;
	if (after)
		after->user = (void *)st;
	return -err;
}

Test(plugin_closure, a_filter_that_wants_an_after_filter)
{
	struct sockshim_after after = { 0 };
	struct sockshim_closure *c;

	cr_assert_eq(sockshim_closure_new(&c, FN(set_after), "(status: ptr, after: ptr, err: i32) -> errno", EACCES), 0);
	cr_assert_eq(sockshim_closure_filter(c)(&status, &after, NULL), -EACCES);
	cr_assert_eq(after.user, &status);
	cr_assert_eq(seen_after, &after);
	cr_assert_eq(sockshim_closure_after(c)(&status, NULL), -EACCES);
	cr_assert_null(seen_after);
	sockshim_closure_free(c);
}

static int sum(const struct sockshim_status *st, int8_t a, uint8_t b, int16_t c, uint32_t d, int64_t e, uint64_t f,
	       float g, double h, const void *p)
{
	seen_status = st;
	seen_sum = a + b + c + (double)d + (double)e + (double)f + (double)g + h;
	return p == &seen_sum ? 0 : EFAULT;
}

Test(plugin_closure, values_of_all_types)
{
	struct sockshim_closure *c;

	cr_assert_eq(sockshim_closure_new(&c, FN(sum), "(s: ptr, a: i8, b: u8, c: i16, d: u32, e: i64, f: u64, g: f32, h: f64, "
		     "p: ptr) -> errno", -1, 200, -300, 4000000000u, (int64_t)-5000000000, (uint64_t)6000000000, 0.5f, 0.25,
		     &seen_sum), 0);
	cr_assert_eq(sockshim_closure_after(c)(&status, NULL), 0);
	cr_assert(seen_sum == -1 + 200 - 300 + 4000000000.0 - 5000000000.0 + 6000000000.0 + 0.5 + 0.25, "%f", seen_sum);
	sockshim_closure_free(c);
}

static void look(const struct sockshim_status *st)
{
	seen_status = st;
}

Test(plugin_closure, a_function_without_a_result_passes_the_call)
{
	struct sockshim_closure *c;

	cr_assert_eq(sockshim_closure_new(&c, FN(look), "(status: ptr) -> void"), 0);
	cr_assert_eq(sockshim_closure_after(c)(&status, NULL), 0);
	cr_assert_eq(seen_status, &status);
	sockshim_closure_free(c);
}

static int32_t seven(const struct sockshim_status *st)
{
	return 7;
}

Test(plugin_closure, a_result_that_is_no_errno_passes_the_call)
{
	struct sockshim_closure *c;

	cr_assert_eq(sockshim_closure_new(&c, FN(seven), "(status: ptr) -> i32"), 0);
	cr_assert_eq(sockshim_closure_after(c)(&status, NULL), 0);
	cr_assert_eq(sockshim_closure_filter(c)(&status, NULL, NULL), 0);
	sockshim_closure_free(c);
}

Test(plugin_closure, wrong_signatures)
{
	struct sockshim_closure *c = (void *)1;

	cr_assert_eq(sockshim_closure_new(&c, FN(look), "(status: ptr"), -EINVAL);
	cr_assert_eq(sockshim_closure_new(&c, FN(look), "() -> errno"), -EINVAL);
	cr_assert_eq(sockshim_closure_new(&c, FN(look), "(status: i32) -> errno", 1), -EINVAL);
	cr_assert_eq(c, (void *)1);
}

/* From here on nothing can be mapped or made executable, as under a hardened kernel. */
static int forbid_executable_memory(void)
{
#define ARG(n) (uint32_t)offsetof(struct seccomp_data, args[n])
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARG(2)),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EACCES),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = sizeof(code) / sizeof(code[0]), .filter = code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		return -1;
	return 0;
}

Test(plugin_closure, no_executable_memory)
{
	struct sockshim_closure *c;
	int wait_status;
	pid_t pid = fork();

	if (!pid) {
		if (forbid_executable_memory())
			_exit(77);
		if (mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
			_exit(78);
		_exit(sockshim_closure_new(&c, FN(look), "(status: ptr) -> void") == -ENOSYS ? 0 : 1);
	}
	cr_assert_eq(waitpid(pid, &wait_status, 0), pid);
	if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 77)
		cr_skip("seccomp is not to be had here");
	cr_assert(WIFEXITED(wait_status), "died of signal %d", WTERMSIG(wait_status));
	cr_assert_eq(WEXITSTATUS(wait_status), 0, "%d", WEXITSTATUS(wait_status));
}
