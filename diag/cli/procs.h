/* Which process holds which socket, from /proc. */
#ifndef DIAG_CLI_PROCS_H
#define DIAG_CLI_PROCS_H

#include <stddef.h>
#include <stdint.h>

struct procs;

/** struct procs_user - one descriptor of one process; borrowed from the map */
struct procs_user {
	const char *name; /* the process's, at most 15 bytes */
	int pid;
	int fd;
};

/**
 * procs_load - looks through every process that may be looked at, or only through some
 * @pids: those; NULL: all
 *
 * Takes memory for each socket there is: the only part of a listing that grows with their number.
 *
 * Return: the map, for procs_free(); NULL without memory or /proc.
 */
struct procs *procs_load(const int *pids, size_t n);

/** procs_free - frees a map; NULL is none */
void procs_free(struct procs *p);

/**
 * procs_first, procs_next - the descriptors of a socket
 * @inode: the socket's; 0 has none
 * @at:    the position, from procs_first()
 * @u:     receives the user
 *
 * Return: a position to go on from, or 0 when there is no (further) user; @u is then untouched.
 */
uint32_t procs_first(const struct procs *p, uint32_t inode, struct procs_user *u);
uint32_t procs_next(const struct procs *p, uint32_t at, struct procs_user *u);

#endif
