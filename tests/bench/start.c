/* start.c - what starting a process costs with and without something preloaded.
 *
 * Usage: start ROUNDS PROGRAM LIBRARY... Starts PROGRAM in turn with nothing and with each LIBRARY preloaded,
 * ROUNDS times; prints the median microseconds of each, and of the differences to nothing in the same round.
 */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define KINDS_MAX 8
#define ROUNDS_MAX 2000

static double once(const char *program, const char *library)
{
	char preload[4096], *argv[] = { (char *)program, NULL }, *env[] = { preload, NULL };
	struct timespec a, b;
	pid_t pid;
	int status;

	snprintf(preload, sizeof(preload), "LD_PRELOAD=%s", library);
	clock_gettime(CLOCK_MONOTONIC, &a);
	if (posix_spawn(&pid, program, NULL, NULL, argv, env) != 0 || waitpid(pid, &status, 0) < 0)
		exit(1);
	clock_gettime(CLOCK_MONOTONIC, &b);
	return (double)(b.tv_sec - a.tv_sec) * 1e6 + (double)(b.tv_nsec - a.tv_nsec) / 1e3;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	static double t[KINDS_MAX][ROUNDS_MAX], more[KINDS_MAX][ROUNDS_MAX];
	int rounds = argc > 3 ? atoi(argv[1]) : 0, kinds = argc - 2;

	if (rounds < 1 || rounds > ROUNDS_MAX || kinds > KINDS_MAX)
		return 2;
	for (int r = -1; r < rounds; r++) {	/* the first is to warm up */
		for (int i = 0; i < kinds; i++) {
			double us = once(argv[2], i ? argv[2 + i] : "");

			if (r >= 0) {
				t[i][r] = us;
				more[i][r] = us - t[0][r];
			}
		}
	}
	for (int i = 0; i < kinds; i++) {
		qsort(t[i], (size_t)rounds, sizeof(double), by_value);
		qsort(more[i], (size_t)rounds, sizeof(double), by_value);
		printf("%s\t%.0f\t%.0f\n", i ? argv[2 + i] : "nothing", t[i][rounds / 2], more[i][rounds / 2]);
	}
	return 0;
}
