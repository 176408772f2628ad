/* Where sockets are read from: a conversation in sock_diag, or a recording of one. */
#ifndef DIAG_CLI_SOURCE_H
#define DIAG_CLI_SOURCE_H

#include <stdbool.h>

#include "client/conn.h"
#include "client/dump.h"

/*
 * A source is named on the command line. "kernel" is the kernel's sock_diag; a path to a socket is
 * whoever listens there with SOCK_SEQPACKET and answers netlink messages as the kernel does; a
 * path to a file is a recording. Anything else that has sockets to show (a stack in a process of
 * its own) only has to be such a socket.
 */
enum source_kind {
	SOURCE_KERNEL,
	SOURCE_SOCKET,
	SOURCE_RECORDING,
};

/** struct source - one place to read from; zeroed by source_open() */
struct source {
	const char *name;
	enum source_kind kind;
	struct diag_conn conn; /* open unless @kind is SOURCE_RECORDING */
	void *recording;       /* its bytes, allocated */
	size_t recording_len;
};

/**
 * source_open - opens what @name names, borrowed as long as the source is open
 *
 * Return: DIAG_OK, or kind DIAG_ERR_SYS.
 */
struct diag_err source_open(struct source *s, const char *name);

/** source_reopen - begins a new conversation after one that an error ended */
struct diag_err source_reopen(struct source *s);

/** source_close - ends it */
void source_close(struct source *s);

#endif
