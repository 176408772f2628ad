/* run_fixture.h - makes run directories and files as the library would, for tests that spoil them. */
#ifndef TESTS_RUN_FIXTURE_H
#define TESTS_RUN_FIXTURE_H

#include <stddef.h>
#include <stdint.h>

#include "run/layout.h"

/* A directory in $TMPDIR; a descriptor of it. fixture_path is its path; removed at exit. */
int fixture_dir(void);
const char *fixture_path(void);

/* A run file in memory: a header and `chunks` chunks of free sockets, alive, of this process. */
struct fixture {
	struct run_file file;
	struct run_socket sockets[2 * RUN_CHUNK_SOCKETS];
	size_t bytes;			/* of what is written; less cuts it short */
};

struct fixture *fixture_new(unsigned chunks);

/* A socket of the fixture in slot i. */
struct run_socket *fixture_socket(struct fixture *f, unsigned i, int family, int type, int protocol);

/* Adds counts of a cookie in entry i. */
struct run_stat *fixture_stat(struct fixture *f, unsigned i, int family, int type, int protocol);

/* Writes it as `name`, and frees it. */
void fixture_write(int dir, const char *name, struct fixture *f);

/* Writes bytes as a file. */
void fixture_bytes(int dir, const char *name, const void *bytes, size_t n);

/* A pid that no process has: of a child that has been waited for. */
int fixture_dead_pid(void);

/* An address as a run file holds it. */
struct run_addr fixture_inet(const char *ip, unsigned port);

#endif
