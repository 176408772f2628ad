/* run.c - runs a program: the directory of its run, the control block, the program, what is left of it. */
#include "launch/run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "backend/traffic.h"
#include "launch/child.h"
#include "launch/control.h"
#include "launch/library.h"
#include "launch/message.h"
#include "launch/stack.h"
#include "launch/symbol.h"
#include "launch/target.h"

#define TRACE_POLL_MS	3

void run_request_init(struct run_request *q, const char *command)
{
	memset(q, 0, sizeof(*q));
	q->command = command;
	rules_init(&q->rules, 1);
	trace_options_init(&q->tracing);
}

static int wrong_value(const char *command, const char *option, const char *value, const char *expected)
{
	message_usage(command, "%s %s: expected %s", option, value, expected);
	return EXIT_OURS;
}

/* Adds to a list of addresses. */
static int take_traffic(char list[RUN_TRAFFIC], const char *command, const char *option, const char *value)
{
	struct traffic_pattern patterns[TRAFFIC_PATTERNS];
	size_t n, len = strlen(list);
	const char *wrong = traffic_parse(patterns, &n, value);

	if (wrong || !n)
		return wrong_value(command, option, value, "ADDRESS, ADDRESS/LENGTH or ADDRESS/LENGTH:PORT");
	if (snprintf(list + len, RUN_TRAFFIC - len, "%s%s", len ? "," : "", value) >= (int)(RUN_TRAFFIC - len) ||
	    traffic_parse(patterns, &n, list))
		return wrong_value(command, option, value, "no more than 32 of them");
	return 0;
}

int run_request_option(struct run_request *q, const char *command, int option, const char *value)
{
	char *end;

	switch (option) {
	case 'f':
		return rules_add(&q->rules, "--fault", value, strlen(value)) < 0 ? EXIT_OURS : 0;
	case 'R':
		return rules_add_file(&q->rules, value) < 0 ? EXIT_OURS : 0;
	case 'l':
		q->library = value;
		return 0;
	case RUN_OPTION_STACK:
		q->stack = value;
		return value[0] ? 0 : wrong_value(command, "--stack", value, "a specification or a name");
	case RUN_OPTION_ONLY:
		return take_traffic(q->only, command, "--only", value);
	case RUN_OPTION_EXCEPT:
		return take_traffic(q->except, command, "--except", value);
	case 'S':
		errno = 0;
		q->seed = strtoull(value, &end, 0);
		q->has_seed = true;
		if (errno || end == value || *end || strchr(value, '-')) {
			message_usage(command, "--seed %s: expected a number from 0 to 18446744073709551615", value);
			return EXIT_OURS;
		}
		return 0;
	}
	return 0;
}

static int write_control(const struct run_request *q, const struct rundir *run)
{
	struct run_control *block = malloc(sizeof(*block));
	int rc;

	if (!block)
		return -ENOMEM;
	control_init(block, q->seed);
	block->flags = RUN_TIMES | (q->trace ? RUN_TRACE : 0);
	block->backtrace = q->backtrace;
	block->next_rule = q->rules.next;
	block->rules_bytes = (uint32_t)q->rules.bytes;
	memcpy(block->rules, q->rules.text, q->rules.bytes);
	rc = control_create(run->fd, block);
	free(block);
	return rc;
}

static int write_meta(const struct run_request *q, const struct rundir *run, char *const argv[])
{
	struct meta meta = { .seed = q->seed, .launcher = getpid() };
	const char *slash = strrchr(argv[0], '/');
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	meta.started_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
	meta_set_command(&meta, argv);
	snprintf(meta.program, sizeof(meta.program), "%s", slash ? slash + 1 : argv[0]);
	run_text_clean(meta.program, sizeof(meta.program));
	if (getcwd(meta.cwd, sizeof(meta.cwd)))
		run_text_clean(meta.cwd, sizeof(meta.cwd));
	else
		meta.cwd[0] = '\0';
	return meta_write(run->fd, &meta);
}

/* Makes the run's directory with what belongs into it. 0, or -1 after saying what is wrong. */
static int make_run(const struct run_request *q, struct rundir *run, char *const argv[])
{
	const char *slash = strrchr(argv[0], '/');
	char base[PATH_MAX];
	int rc;

	if (!rundir_base(base)) {
		message_error("the directory for runs has too long a name; set SOCKSHIM_DIR to a shorter one");
		return -1;
	}
	if (rundir_make(run, base, slash ? slash + 1 : argv[0]) < 0)
		return -1;
	rc = write_control(q, run);
	if (rc == 0)
		rc = write_meta(q, run, argv);
	if (rc < 0) {
		message_error("%s: cannot write the run's files: %s", run->path, strerror(-rc));
		rundir_remove(run);
		return -1;
	}
	rundir_prune(RUNDIR_KEEP + 1);	/* this one, too */
	return 0;
}

static FILE *open_output(const char *path)
{
	FILE *f = path ? fopen(path, "we") : stderr;

	if (!f)
		message_error("%s: cannot open for writing: %s", path, strerror(errno));
	return f;
}

static int no_program(const char *name, int err)
{
	if (err == ENOENT || err == ENOTDIR) {
		message_error("%s: program not found%s", name, strchr(name, '/') ? "" : " in $PATH");
		return EXIT_NOTFOUND;
	}
	message_error("%s: cannot be executed: %s", name, strerror(err));
	return EXIT_NOEXEC;
}

/* The program, the library, what to warn of. 0 or an exit status. */
static int prepare(struct run_request *q, char *const argv[], char library[PATH_MAX])
{
	char program[PATH_MAX], culprit[PATH_MAX], text[PATH_MAX + 512];
	int rc;

	if (library_find(library, q->library) < 0)
		return EXIT_OURS;
	rc = target_find(program, argv[0]);
	if (rc < 0)
		return no_program(argv[0], -rc);
	if (target_warning(text, sizeof(text), target_kind(program, culprit), culprit)) {
		if (q->stack) {
			message_error("%s; it would use the kernel's network and not the stack", text);
			return EXIT_OURS;
		}
		message_warning("%s", text);
	}
	if (!q->has_seed && getrandom(&q->seed, sizeof(q->seed), 0) != (ssize_t)sizeof(q->seed))
		q->seed = (uint64_t)time(NULL);
	return 0;
}

static void follow(struct run_request *q, struct child *child, const struct rundir *run)
{
	struct tracer *t = q->trace ? tracer_open(run, &q->tracing) : NULL;

	while (!child_wait(child, q->wait, t ? TRACE_POLL_MS : -1, t ? tracer_fd(t) : -1))
		if (t)
			tracer_step(t);
	if (t)
		tracer_finish(t);
}

/* The summary, and whether leaks are to be the exit status. */
static int conclude(const struct run_request *q, const struct rundir *run, FILE *summary)
{
	struct report r;
	size_t leaks;

	if ((!q->summary && !q->leak_status) || report_load(&r, run) < 0)
		return 0;
	leaks = report_leaks(&r);
	if (q->summary)
		report_summary(summary, &r, &q->report);
	else if (leaks)
		report_text_leaks(stderr, &r);
	report_free(&r);
	symbol_forget();
	if (q->summary && (fflush(summary) != 0 || ferror(summary)))
		message_error("%s: cannot write the summary: %s", q->summary_file ? q->summary_file : "stderr",
			      strerror(errno));
	return leaks ? q->leak_status : 0;
}

/* With the run's directory made. */
static int run_in(struct run_request *q, struct rundir *run, const char *library, char *const argv[],
		  FILE *summary)
{
	struct child_env env = { .library = library, .run = run->path, .only = q->only, .except = q->except };
	char path[PATH_MAX], stack[PATH_MAX + 8];
	struct stack_link link;
	struct child child;
	int rc, leak;

	if (q->stack) {
		if (stack_for_run(&link, path, q->stack, run->id) < 0) {
			rundir_remove(run);
			return EXIT_OURS;
		}
		snprintf(stack, sizeof(stack), "host:%s", path);
		env.stack = stack;
	}
	rc = child_start(&child, argv, &env);

	if (rc) {
		rundir_remove(run);
		return no_program(argv[0], rc);
	}
	meta_add_pid(run->fd, child.pid);
	follow(q, &child, run);
	leak = conclude(q, run, summary);
	if (q->no_keep && (rundir_unhold(run), !rundir_is_active(run)))
		rundir_remove(run);
	child_free(&child);
	if (leak && WIFEXITED(child.status) && WEXITSTATUS(child.status) == 0)
		return leak;
	child_pass_on(&child);
}

int run_program(struct run_request *q, char *const argv[])
{
	char library[PATH_MAX];
	FILE *summary = NULL;
	struct rundir run;
	int rc;

	if ((q->only[0] || q->except[0]) && !q->stack) {
		message_usage(q->command, "--only, --except: of which --stack?");
		return EXIT_OURS;
	}
	rc = prepare(q, argv, library);

	if (rc)
		return rc;
	if (q->summary && !(summary = open_output(q->summary_file)))
		return EXIT_OURS;
	if (q->trace && !(q->tracing.out = open_output(q->tracing.path)))
		return EXIT_OURS;
	if (make_run(q, &run, argv) < 0)
		return EXIT_OURS;
	return run_in(q, &run, library, argv, summary);
}
