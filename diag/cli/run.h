/* The processes of a run of the shim, and which sockets are theirs. */
#ifndef DIAG_CLI_RUN_H
#define DIAG_CLI_RUN_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "wire/stack.h"

struct run;

/**
 * run_find - finds the run @id and its living processes, or says on standard error why it cannot
 * @out: receives it, for run_free()
 *
 * A run is a directory with a file N-PID for each process that made a socket. Which sockets those hold is read
 * from /proc, once.
 *
 * Return: 0, or an exit status.
 */
int run_find(struct run **out, const char *id);

/** run_has - whether a socket is of the run: by who made it (NULL: not known), or by who holds its inode */
bool run_has(const struct run *r, uint32_t inode, const struct diag_stack_process *made);

/** run_free - frees it; NULL is none */
void run_free(struct run *r);

/** source_base - the directory of runs and stacks; false when its name is too long */
bool source_base(char path[PATH_MAX]);

#endif
