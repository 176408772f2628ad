/* early.c - a program whose dependency, and whose own array of early functions, call before any constructor.
 * Linked with lib/early.so. */
#include "prog.h"

#include "lib/early.h"

static int before_all = -2;

static void preinit(void)
{
	before_all = socket(AF_INET, SOCK_DGRAM, 0);
}

__attribute__((section(".preinit_array"), used)) static void (*const entry)(void) = preinit;

static void constructed(int argc, char **argv)
{
	char c;

	printf("preinit %d, errors %d, pair %d %d\n", before_all, early_errors, early_fd[0], early_fd[1]);
	CHECK(send(early_fd[0], "x", 1, 0) == 1 && recv(early_fd[1], &c, 1, 0) == 1);
	CHECK(close(early_fd[0]) == 0 && close(early_fd[1]) == 0);
}

PROG({ "constructed", constructed })
