/* The board: the shared file in which everybody may read what is known of each socket. */
#ifndef STACK_HOST_BOARD_H
#define STACK_HOST_BOARD_H

#include <linux/futex.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/stack_proto.h"

enum { BOARD_ENTRIES = 65536, BOARD_NONE = UINT32_MAX };

/**
 * struct board
 * @fd:   sealed: whoever gets it can map it for reading only
 * @free: indices given back; entries from @fresh on were never used
 * @robust: the thread's list of robust futexes (set_robust_list(2)), with one in it: @head->alive
 */
struct board {
	int fd;
	uint32_t entries, fresh, nfree;
	uint32_t *free;
	struct stack_board *head;
	struct stack_board_entry *entry;
	struct robust_list_head robust;
	struct robust_list robust_entry;
};

/** board_init() - 0 or -errno; the kernel says on the board, and wakes who waits, when this thread is killed */
int board_init(struct board *b, uint32_t entries);

/** board_leave() - say in the file that the host is gone, to all who wait for something */
void board_leave(struct board *b);
void board_fini(struct board *b);

/** board_get() - an entry for a new socket, state NEW; BOARD_NONE if all are in use */
uint32_t board_get(struct board *b, uint64_t cookie, uint32_t flags);
void board_put(struct board *b, uint32_t i);

/** board_edit() - the entry, to be changed; board_done() when it is */
struct stack_board_entry *board_edit(struct board *b, uint32_t i);
void board_done(struct board *b, uint32_t i);

/** board_set_state() - between the two: the new state; board_wake() afterwards wakes who waits for one */
void board_set_state(struct board *b, uint32_t i, enum stack_board_state state);
void board_wake(struct board *b, uint32_t i);

static inline const struct stack_board_entry *board_look(const struct board *b, uint32_t i)
{
	return &b->entry[i];
}

#endif
