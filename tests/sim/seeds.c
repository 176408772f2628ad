/* Runs random scenarios by number. */
#include "seeds.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SEED_SECONDS = 120 };	/* longer, and it has not ended */

static char failure[500];

void seeds_fail(const char *fmt, ...)
{
	va_list ap;

	if (failure[0])
		return;
	va_start(ap, fmt);
	vsnprintf(failure, sizeof(failure), fmt, ap);
	va_end(ap);
}

/* In a child: a seed that crashes must not end the others. */
static bool seed_ok(uint64_t seed, const char *capture, uint64_t (*run)(uint64_t, const char *))
{
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		uint64_t first;

		alarm(SEED_SECONDS);
		first = run(seed, capture);
		if (!failure[0] && !capture && run(seed, NULL) != first)
			seeds_fail("two runs differ");
		if (failure[0])
			fprintf(stderr, "seed %llu: %s\n", (unsigned long long)seed, failure);
		_exit(failure[0] != '\0');
	}
	waitpid(pid, &status, 0);
	if (WIFSIGNALED(status))
		fprintf(stderr, "seed %llu: signal %d\n", (unsigned long long)seed, WTERMSIG(status));
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int seeds_main(int argc, char **argv, const char *what, const char *where,
	       uint64_t (*run)(uint64_t seed, const char *capture))
{
	unsigned long long n = 100, first = 1, bad = 0;
	const char *capture = NULL;
	char path[64];
	int opt;

	while ((opt = getopt(argc, argv, "n:s:c:")) != -1) {
		if (opt == 'n')
			n = strtoull(optarg, NULL, 10);
		else if (opt == 's')
			first = strtoull(optarg, NULL, 10);
		else if (opt == 'c')
			capture = optarg;
		else
			return 2;
	}
	if (capture)
		return !seed_ok(first, capture, run);
	for (unsigned long long seed = first; seed < first + n; seed++) {
		if (seed_ok(seed, NULL, run))
			continue;
		bad++;
		snprintf(path, sizeof(path), "%s-%llu.pcapng", where, seed);
		seed_ok(seed, path, run);
		printf("not ok seed %llu: see %s; again with: %s -s %llu -c %s\n", seed, path, argv[0],
		       seed, path);
	}
	if (!bad)
		printf("ok %llu random %s, seeds %llu to %llu\n", n, what, first, first + n - 1);
	return bad != 0;
}
