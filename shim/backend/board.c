/* board.c - the stack host's board, mapped and read. Nothing on it is trusted. */
#include "backend/board.h"

#include <linux/futex.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

#define ENTRIES_MAX	(1u << 22)
#define TRIES		10000		/* a writer is done after a few stores */
#define CHECK_NS	200000000	/* how often a host is looked for whose death the kernel does not tell */

struct board board;

/* futex_waitv(2), which headers before 5.16 do not have. */
struct waiter {
	uint64_t val, uaddr;
	uint32_t flags, reserved;
};

int board_map(int fd, uint64_t entries)
{
	const struct stack_board *head;
	struct stat st;
	long p;

	if (__atomic_load_n(&board.head, __ATOMIC_ACQUIRE))
		return 0;
	if (fstat(fd, &st) != 0 || st.st_size < (off_t)sizeof(*head) || entries > ENTRIES_MAX)
		return -EPROTO;
	p = sys(SYS_mmap, NULL, st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (p < 0 && p > -4096)
		return (int)p;
	head = (const struct stack_board *)p;
	if (head->magic != STACK_BOARD_MAGIC || head->version != STACK_PROTO_VERSION ||
	    head->entry_size < sizeof(struct stack_board_entry) || head->entry_size % 8 || head->entries_off % 8 ||
	    head->entries_off > (uint64_t)st.st_size ||
	    entries * head->entry_size > (uint64_t)st.st_size - head->entries_off) {
		sys(SYS_munmap, p, st.st_size);
		return -EPROTO;
	}
	/* Two threads may be here with the same board: the second mapping is a waste and no harm. */
	board.entry_size = head->entry_size;
	board.entries = (uint32_t)entries;
	__atomic_store_n(&board.head, head, __ATOMIC_RELEASE);
	return 0;
}

bool board_read(const struct stack_board_entry *e, struct stack_board_entry *out)
{
	for (int i = 0; i < TRIES; i++) {
		uint32_t seq = __atomic_load_n(&e->seq, __ATOMIC_ACQUIRE);

		if (seq & 1)
			continue;
		memcpy(out, e, sizeof(*out));
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (__atomic_load_n(&e->seq, __ATOMIC_RELAXED) != seq)
			continue;
		if (out->local.len > STACK_ADDR_MAX)
			out->local.len = 0;
		if (out->peer.len > STACK_ADDR_MAX)
			out->peer.len = 0;
		return true;
	}
	return false;
}

int board_host_alive(void)
{
	const struct stack_board *head = __atomic_load_n(&board.head, __ATOMIC_ACQUIRE);
	uint32_t alive;

	if (!head)
		return -1;
	if (__atomic_load_n(&head->gone, __ATOMIC_ACQUIRE))
		return 0;
	alive = __atomic_load_n(&head->alive, __ATOMIC_ACQUIRE);
	return alive ? !(alive & FUTEX_OWNER_DIED) : -1;
}

static bool past(const struct timespec *t)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec > t->tv_sec || (now.tv_sec == t->tv_sec && now.tv_nsec >= t->tv_nsec);
}

/* Where the host's death wakes nobody. A handler's SA_RESTART has no effect here. */
static int wait_a_while(const struct stack_board_entry *e, uint32_t seen)
{
	struct timespec step = { 0, CHECK_NS };
	long err = sys(SYS_futex, &e->state, FUTEX_WAIT, seen, &step);

	return err == -EINTR ? -EINTR : err == -ETIMEDOUT ? -EAGAIN : 0;
}

int board_wait(const struct stack_board_entry *e, uint32_t seen, const struct timespec *deadline)
{
	static bool no_waitv;

	while (__atomic_load_n(&e->state, __ATOMIC_ACQUIRE) == seen && board_host_alive() != 0) {
		uint32_t alive = __atomic_load_n(&board.head->alive, __ATOMIC_ACQUIRE);
		struct waiter w[2] = {
			{ seen, (uint64_t)(uintptr_t)&e->state, 2 /* 32 bits, shared */, 0 },
			{ alive, (uint64_t)(uintptr_t)&board.head->alive, 2, 0 },
		};
		long err;

		if (deadline && past(deadline))
			return -ETIMEDOUT;
		if (!alive || no_waitv)
			return wait_a_while(e, seen);
		err = sys(SYS_futex_waitv, w, 2, 0, deadline, CLOCK_MONOTONIC);
		if (err == -ENOSYS)
			no_waitv = true;
		else if (err == -EINTR || err == -ETIMEDOUT)
			return (int)err;
	}
	/* The kernel wakes one waiter of a dead host; each wakes the next. */
	if (board_host_alive() == 0)
		sys(SYS_futex, &board.head->alive, FUTEX_WAKE, 1);
	return 0;
}
