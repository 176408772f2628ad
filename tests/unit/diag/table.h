/* A table of sockets for the server, filled from what a test knows of its own kernel sockets. */
#ifndef TESTS_DIAG_TABLE_H
#define TESTS_DIAG_TABLE_H

#include "server/source.h"

#define TABLE_MAX 64

struct known {
	struct sock_entry e;
	uint32_t protocol;
	int fd;        /* -1: nobody holds it any more */
	char cong[16];
};

struct table {
	struct known socks[TABLE_MAX];
	int count;
	int destroyed; /* index of the last one closed, -1: none */
};

extern const struct sock_source_ops table_ops;

/** table_add - adds the socket @fd, in state @state, to a table; returns its entry */
struct known *table_add(struct table *t, int fd, uint8_t state);

#endif
