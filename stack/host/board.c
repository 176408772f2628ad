/* The board. */
#include "host/board.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static size_t board_bytes(uint32_t entries)
{
	return sizeof(struct stack_board) + (size_t)entries * sizeof(struct stack_board_entry);
}

static void watch_thread(struct board *b)
{
	/* One entry, in a list of its own: nothing here uses the C library's robust mutexes. */
	b->robust.list.next = &b->robust_entry;
	b->robust_entry.next = &b->robust.list;
	b->robust.futex_offset = (char *)&b->head->alive - (char *)&b->robust_entry;
	__atomic_store_n(&b->head->alive, (uint32_t)syscall(SYS_gettid) | FUTEX_WAITERS, __ATOMIC_RELEASE);
	if (syscall(SYS_set_robust_list, &b->robust, sizeof(b->robust)) < 0)
		__atomic_store_n(&b->head->alive, 0, __ATOMIC_RELEASE);
}

int board_init(struct board *b, uint32_t entries)
{
	size_t bytes = board_bytes(entries);
	void *map = MAP_FAILED;

	*b = (struct board){ .fd = memfd_create("sockshim-board", MFD_CLOEXEC | MFD_ALLOW_SEALING) };
	b->free = malloc(entries * sizeof(*b->free));
	if (b->fd >= 0 && b->free && ftruncate(b->fd, (off_t)bytes) == 0)
		map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, b->fd, 0);
	/* Only after our own mapping: later ones can be for reading only. */
	if (map == MAP_FAILED ||
	    fcntl(b->fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
		int err = b->free ? -errno : -ENOMEM;

		if (map != MAP_FAILED)
			munmap(map, bytes);
		if (b->fd >= 0)
			close(b->fd);
		free(b->free);
		return err;
	}
	b->head = map;
	b->entry = (struct stack_board_entry *)(b->head + 1);
	b->entries = entries;
	*b->head = (struct stack_board){
		.magic = STACK_BOARD_MAGIC, .version = STACK_PROTO_VERSION, .entries = entries,
		.entry_size = sizeof(struct stack_board_entry), .entries_off = sizeof(struct stack_board),
		.host_pid = getpid(),
	};
	watch_thread(b);
	return 0;
}

void board_leave(struct board *b)
{
	__atomic_store_n(&b->head->gone, 1, __ATOMIC_RELEASE);
	__atomic_store_n(&b->head->alive, 0, __ATOMIC_RELEASE);
	syscall(SYS_futex, &b->head->alive, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
	for (uint32_t i = 0; i < b->fresh; i++)
		if (b->entry[i].cookie) {
			board_edit(b, i);
			board_set_state(b, i, STACK_BOARD_CLOSED);
			board_done(b, i);
			board_wake(b, i);
		}
}

void board_fini(struct board *b)
{
	if (!b->head)
		return;
	/* Nothing of it may be in the kernel's list once it is unmapped. */
	syscall(SYS_set_robust_list, NULL, sizeof(struct robust_list_head));
	munmap(b->head, board_bytes(b->entries));
	close(b->fd);
	free(b->free);
}

struct stack_board_entry *board_edit(struct board *b, uint32_t i)
{
	struct stack_board_entry *e = &b->entry[i];

	__atomic_store_n(&e->seq, e->seq + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);	/* odd is seen before any of what follows */
	return e;
}

void board_done(struct board *b, uint32_t i)
{
	struct stack_board_entry *e = &b->entry[i];

	__atomic_store_n(&e->seq, e->seq + 1, __ATOMIC_RELEASE);
}

uint32_t board_get(struct board *b, uint64_t cookie, uint32_t flags)
{
	uint32_t i = b->nfree ? b->free[--b->nfree] : b->fresh < b->entries ? b->fresh++ : BOARD_NONE;
	struct stack_board_entry *e;

	if (i == BOARD_NONE)
		return i;
	e = board_edit(b, i);
	e->cookie = cookie;
	e->flags = flags;
	board_set_state(b, i, STACK_BOARD_NEW);
	board_done(b, i);
	return i;
}

void board_put(struct board *b, uint32_t i)
{
	struct stack_board_entry *e = board_edit(b, i);

	e->cookie = 0;
	e->error = 0;
	e->flags = e->asks = e->asks6 = 0;
	e->local.len = e->peer.len = 0;
	board_set_state(b, i, STACK_BOARD_FREE);
	board_done(b, i);
	board_wake(b, i);
	b->free[b->nfree++] = i;
}

void board_set_state(struct board *b, uint32_t i, enum stack_board_state state)
{
	struct stack_board_entry *e = &b->entry[i];
	uint32_t changes = (e->state >> 8) + 1;

	__atomic_store_n(&e->state, changes << 8 | state, __ATOMIC_RELEASE);
}

void board_wake(struct board *b, uint32_t i)
{
	syscall(SYS_futex, &b->entry[i].state, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}
