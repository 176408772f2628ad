/* calls.c - every interposed call, under every name that it has, answers as it does without the library. */
#include "preload/child.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Rules that are looked at on every call of every type, and never fire. */
#define NEVER(call, err) "fail " call " with " err " on 1000000th;"
#define ARMED \
	NEVER("socket", "EMFILE") NEVER("connect", "ENETUNREACH") NEVER("listen", "EADDRINUSE") \
	NEVER("accept", "EMFILE") NEVER("getsockopt", "EBADF") NEVER("close", "EIO") \
	NEVER("bind", "EADDRINUSE") NEVER("shutdown", "ENOTCONN") NEVER("setsockopt", "ENOMEM") \
	NEVER("send", "EPIPE") NEVER("recv", "ENOMEM") NEVER("poll", "ENOMEM") \
	"fail resolve with EAI_AGAIN on 1000000th"
#define ADDRESSES \
	"fail connect with ENETUNREACH to 10.9.9.9:9; fail bind with EADDRINUSE from 10.9.9.9:9;" \
	"fail send with EPIPE to 10.9.9.9:9; fail recv with ENOMEM from 10.9.9.9:9;" \
	"fail recv with ENOMEM to 10.9.9.9:9; fail setsockopt with ENOMEM from 10.9.9.9:9"

static void same(const char *prog, const char *scenario, const char *rules, const char *env)
{
	struct child c = { .prog = prog, .args = { scenario }, .rules = rules, .env = { env } };

	child_compare(&c);
	child_done(&c);
}

Test(calls, answer_as_without_the_library)
{
	same("calls", "everything", NULL, NULL);
}

Test(calls, answer_as_without_the_library_while_rules_look_on)
{
	same("calls", "everything", ARMED, NULL);
}

Test(calls, answer_as_without_the_library_while_address_rules_look_on)
{
	same("calls", "everything", ADDRESSES, NULL);
}

Test(calls, answer_as_without_the_library_while_traced)
{
	same("calls", "everything", NULL, "SOCKSHIM_TRACE=1");
}

Test(calls, answer_as_without_the_library_while_openers_are_traced_back)
{
	same("calls", "everything", NULL, "SOCKSHIM_BACKTRACE=12");
}

Test(pointers, fail_as_the_kernel_says)
{
	same("pointers", "pointers", NULL, NULL);
}

Test(pointers, fail_as_the_kernel_says_while_rules_look_on)
{
	same("pointers", "pointers", ARMED, NULL);
}

Test(pointers, fail_as_the_kernel_says_while_address_rules_look_on)
{
	same("pointers", "pointers", ADDRESSES, NULL);
}

Test(pointers, fail_as_the_kernel_says_while_traced)
{
	same("pointers", "pointers", NULL, "SOCKSHIM_TRACE=1");
}

Test(pointers, readonly_headers_are_written_by_nobody)
{
	same("pointers", "headers", NULL, NULL);
	same("pointers", "headers", ARMED, NULL);
}

/* Results differ where a rule fires, but a bad pointer ends no program. */
static void survives(const char *scenario, const char *rules)
{
	struct child c = { .prog = "pointers", .args = { scenario }, .rules = rules };

	child_ok(&c);
	child_done(&c);
}

Test(pointers, end_no_program_whose_transfers_are_cut_short)
{
	survives("pointers", "short send to 1..4; short recv to 1..4");
	survives("headers", "short send to 1..4; short recv to 1..4");
}

Test(pointers, end_no_program_whose_data_is_corrupted)
{
	survives("pointers", "corrupt send; corrupt recv");
	survives("headers", "corrupt send; corrupt recv");
}

Test(pointers, end_no_program_whose_data_is_dropped)
{
	survives("pointers", "drop send every 2nd; drop recv every 3rd");
	survives("headers", "drop send; drop recv every 2nd");
}

Test(calls, fortified_variant_ends_the_program_that_overflows)
{
	struct child c = { .prog = "calls", .args = { "overflow" } };

	child_compare(&c);
	cr_assert_eq(c.signal, SIGABRT);
	cr_assert(strstr(c.err, "buffer overflow detected"));
	child_done(&c);
}

/* The functions that are interposed and are no socket calls, to follow processes by. */
static const char *const process_calls[] = {
	"fclose", "fork", "pthread_cancel", "__fork", "vfork", "__vfork", "syscall", "execve", "execv", "execvpe", "execvp", "fexecve",
	"execveat", "execl", "execlp", "execle", "posix_spawn", "posix_spawnp", "_exit", "_Exit", "setuid", "seteuid",
	"setreuid", "setresuid", "setgid", "setegid", "setregid", "setresgid", "setgroups", "initgroups", "chroot",
	"prctl",
	/* Names and interfaces, which are a stack's if there is one. */
	"freeaddrinfo", "getnameinfo", "gethostbyname", "gethostbyname2", "gethostbyname_r", "gethostbyname2_r",
	"gethostbyaddr", "gethostbyaddr_r", "getifaddrs", "freeifaddrs", "if_nametoindex", "if_indextoname",
	"if_nameindex", "if_freenameindex",
	/* Files, for those of /proc/net. */
	"open", "open64", "openat", "openat64", "__open_2", "__open64_2", "__openat_2", "__openat64_2", "fopen", "fopen64",
	/* Packet sockets of a stack have rings that are mapped. */
	"mmap", "mmap64",
	/* The run time of AddressSanitizer asks whether it may come behind the library. */
	"__asan_default_options",
};

static bool is_process_call(const char *name)
{
	for (size_t i = 0; i < sizeof(process_calls) / sizeof(process_calls[0]); i++)
		if (strcmp(process_calls[i], name) == 0)
			return true;
	return false;
}

/* Runs a command and returns what it prints, with a newline put before it. */
static char *output_of(const char *command)
{
	char *text = calloc(1, 65536);
	FILE *p = popen(command, "r");
	size_t n;

	cr_assert(p);
	text[0] = '\n';
	n = fread(text + 1, 1, 65534, p);
	cr_assert(n > 0, "%s prints nothing", command);
	pclose(p);
	return text;
}

static bool has_line(const char *text, const char *line)
{
	char want[128];

	snprintf(want, sizeof(want), "\n%s\n", line);
	return strstr(text, want) != NULL;
}

Test(exports, are_the_calls_of_the_list_and_those_that_follow_processes)
{
	char command[900];
	char *listed, *exported, *save = NULL;

	snprintf(command, sizeof(command), "%s names", child_prog("calls"));
	listed = output_of(command);
	snprintf(command, sizeof(command), "nm -D --defined-only %s | awk '{ print $3 }'", child_library());
	exported = output_of(command);

	for (size_t i = 0; i < sizeof(process_calls) / sizeof(process_calls[0]); i++)
		cr_expect(has_line(exported, process_calls[i]), "%s is not exported", process_calls[i]);
	for (char *copy = strdup(listed), *name = strtok_r(copy, "\n", &save); name; name = strtok_r(NULL, "\n", &save))
		cr_expect(has_line(exported, name), "%s is in calls.def and not exported", name);
	for (char *name = strtok_r(exported, "\n", &save); name; name = strtok_r(NULL, "\n", &save))
		cr_expect(strncmp(name, "sockshim_", 9) == 0 || has_line(listed, name) || is_process_call(name),
			  "%s is exported and in no list", name);
}

/* A library that imports what only one libc has does not load with another. */
Test(exports, nothing_is_imported_that_musl_lacks)
{
	char command[900];
	char *imported;

	snprintf(command, sizeof(command), "nm -D --undefined-only %s | awk '{ print $2 }'", child_library());
	imported = output_of(command);
	/* __stack_chk_fail they all have; libffi, as Debian builds it, wants it. */
	for (char *p = imported; (p = strstr(p, "_chk")); p++)
		cr_expect(strncmp(p, "_chk_fail", 9) == 0, "a fortified function is imported: ...%.20s", p);
}
