/* board.h - the stack host's board: what may be known of a redirected socket without asking. */
#ifndef SHIM_BACKEND_BOARD_H
#define SHIM_BACKEND_BOARD_H

#include <stdbool.h>

#include "proto/stack_proto.h"
#include "run/sys.h"

struct board {
	const struct stack_board *head;		/* NULL: not mapped yet */
	uint32_t entries, entry_size;
};

/* The board of the process's one host. */
extern struct board board;

/* Maps the board that fd is, of at most `entries` entries, unless it is mapped already. 0 or -errno; fd is
 * the caller's to close. */
int board_map(int fd, uint64_t entries);

/* The entry of a socket, NULL if it has none (any more). Its fields change under the reader's hands: one of
 * them may be read as it is, several with board_read. */
static inline const struct stack_board_entry *board_entry(uint32_t index, uint64_t cookie)
{
	const struct stack_board *head = __atomic_load_n(&board.head, __ATOMIC_ACQUIRE);
	const struct stack_board_entry *e;

	if (!head || index >= board.entries)
		return NULL;
	e = (const struct stack_board_entry *)((const char *)head + head->entries_off +
					       (uint64_t)index * board.entry_size);
	return __atomic_load_n(&e->cookie, __ATOMIC_RELAXED) == cookie ? e : NULL;
}

static inline enum stack_board_state board_state(const struct stack_board_entry *e)
{
	return __atomic_load_n(&e->state, __ATOMIC_ACQUIRE) & 0xff;
}

/* A copy whose fields belong together. False if the host has left it half written. */
bool board_read(const struct stack_board_entry *e, struct stack_board_entry *out);

/* What the board says of the host: 1: it is there, 0: it has left or was killed, -1: the board doesn't say. */
int board_host_alive(void);

/* Waits until the state word of an entry is no longer `seen`, or the host has gone. deadline: of
 * CLOCK_MONOTONIC, NULL: none. 0, -EINTR (no handler asked for a restart), -ETIMEDOUT; or -EAGAIN every now and then, if
 * nothing wakes us when the host is killed, and it is to be looked for. */
int board_wait(const struct stack_board_entry *e, uint32_t seen, const struct timespec *deadline);

#endif
