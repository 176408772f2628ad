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

/** struct source - one place to read from */
struct source {
	const char *name;
	enum source_kind kind;
	struct diag_conn conn; /* open from source_connect() on, unless @kind is SOURCE_RECORDING */
	void *recording;       /* its bytes, allocated */
	size_t recording_len;
};

/**
 * source_find - finds out what @name names, which is borrowed as long as the source is used
 *
 * A recording is read; nothing else is opened yet.
 *
 * Return: DIAG_OK, or kind DIAG_ERR_SYS.
 */
struct diag_err source_find(struct source *s, const char *name);

/** source_connect - begins a conversation, a new one when an error ended the last; as diag_conn_open() */
struct diag_err source_connect(struct source *s);

/** source_close - ends it */
void source_close(struct source *s);

#endif
