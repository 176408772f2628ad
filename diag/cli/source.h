/* Where sockets are read from: conversations in sock_diag, or a recording of one. */
#ifndef DIAG_CLI_SOURCE_H
#define DIAG_CLI_SOURCE_H

#include <stdbool.h>
#include <stddef.h>

#include "client/conn.h"
#include "client/dump.h"

struct run;

/*
 * A source is named on the command line. "kernel" is the kernel's sock_diag; "stack:NAME" the stack host of
 * that name, which listens at BASE/stack/NAME.diag; a path to a socket is whoever listens there with
 * SOCK_SEQPACKET and answers netlink messages as the kernel does; a path to a file is a recording. "all" is the
 * kernel and every stack that is up, "run:ID" what the processes of a run have among those. BASE is
 * $SOCKSHIM_DIR, else $XDG_RUNTIME_DIR/sockshim, else /tmp/sockshim-UID.
 */
enum source_kind {
	SOURCE_KERNEL,
	SOURCE_SOCKET,
	SOURCE_RECORDING,
};

/**
 * struct source - one place to read from
 * @name: as it is shown
 * @conn: open from source_connect() on, unless @kind is SOURCE_RECORDING
 * @side: a second conversation, beside a dump that goes on in the first
 * @recording: its bytes, allocated
 * @dead: it could not be reached; @error says why
 */
struct source {
	char *name;
	char *path;
	enum source_kind kind;
	struct diag_conn conn, side;
	void *recording;
	size_t recording_len;
	bool dead;
	struct diag_err error;
};

/* What is to be said of a dump with NLM_F_DUMP_INTR. */
#define SOURCE_CHANGED "the tables changed during the dump: sockets may be missing or listed twice"

/** struct sources - all that is read from; @run: only what processes of a run have, or NULL */
struct sources {
	struct source *v;
	size_t n;
	struct run *run;
};

/**
 * sources_find - finds out what @name stands for, or says on standard error why it cannot be
 *
 * A recording is read; nothing else is opened yet.
 *
 * Return: 0, or an exit status.
 */
int sources_find(struct sources *s, const char *name);

/** sources_close - ends all conversations and frees everything */
void sources_close(struct sources *s);

/**
 * sources_connect - begins a conversation with each, saying on standard error which cannot be reached
 *
 * Return: whether there is any to go on with.
 */
bool sources_connect(struct sources *s);

/** source_connect - begins a conversation, a new one when an error ended the last; as diag_conn_open() */
struct diag_err source_connect(struct source *s);

/** source_connect_side - the same for the second one, if it is not open; source_drop_side() ends it */
struct diag_err source_connect_side(struct source *s);
void source_drop_side(struct source *s);

#endif
