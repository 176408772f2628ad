/* io_uring(7), as far as reads and writes that do not wait need it. */
#include "link/uring.h"

#include <errno.h>
#include <linux/fs.h>
#include <linux/io_uring.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

struct uring {
	int fd;
	bool failed;
	unsigned queued;		/* not yet answered */
	unsigned sq_tail, sq_mask, cq_head, cq_mask;
	unsigned *sq_tail_shared, *cq_head_shared;
	const unsigned *cq_tail_shared;
	struct io_uring_sqe *sqes;
	const struct io_uring_cqe *cqes;
	void *rings;
	size_t rings_len, sqes_len;
};

#ifdef IORING_SETUP_DEFER_TASKRUN	/* headers of 6.1 */

/* Also what tells a kernel of 6.1 or later, where reads that are not to wait do not, on devices either. */
static const unsigned setup_flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_R_DISABLED;

#else

static const unsigned setup_flags = 1u << 12 | 1u << 13 | IORING_SETUP_R_DISABLED;

#endif

static long uring_register(int fd, unsigned what, const void *arg, unsigned n)
{
	return syscall(SYS_io_uring_register, fd, what, arg, n);
}

static bool allow_and_enable(int fd, const int *fds, unsigned n)
{
	static const uint8_t ops[] = { IORING_OP_READ, IORING_OP_WRITE, IORING_OP_WRITEV };
	struct io_uring_restriction r[sizeof(ops) + 2];
	unsigned i;

	memset(r, 0, sizeof(r));
	for (i = 0; i < sizeof(ops); i++) {
		r[i].opcode = IORING_RESTRICTION_SQE_OP;
		r[i].sqe_op = ops[i];
	}
	r[i].opcode = IORING_RESTRICTION_SQE_FLAGS_REQUIRED;
	r[i++].sqe_flags = IOSQE_FIXED_FILE;
	r[i].opcode = IORING_RESTRICTION_REGISTER_OP;
	r[i++].register_op = IORING_UNREGISTER_FILES;
	return uring_register(fd, IORING_REGISTER_FILES, fds, n) == 0 &&
		uring_register(fd, IORING_REGISTER_RESTRICTIONS, r, i) == 0 &&
		uring_register(fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0) == 0;
}

static void *map(int fd, size_t len, off_t what)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, what);

	return p == MAP_FAILED ? NULL : p;
}

static bool map_rings(struct uring *u, const struct io_uring_params *p)
{
	size_t sq = p->sq_off.array + p->sq_entries * sizeof(unsigned);
	size_t cq = p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe);
	unsigned *array;
	char *at;

	u->rings_len = sq > cq ? sq : cq;
	u->sqes_len = p->sq_entries * sizeof(struct io_uring_sqe);
	u->rings = map(u->fd, u->rings_len, IORING_OFF_SQ_RING);
	u->sqes = map(u->fd, u->sqes_len, IORING_OFF_SQES);
	if (!u->rings || !u->sqes)
		return false;
	at = u->rings;
	u->sq_tail_shared = (unsigned *)(at + p->sq_off.tail);
	u->cq_head_shared = (unsigned *)(at + p->cq_off.head);
	u->cq_tail_shared = (unsigned *)(at + p->cq_off.tail);
	u->cqes = (struct io_uring_cqe *)(at + p->cq_off.cqes);
	u->sq_mask = p->sq_entries - 1;
	u->cq_mask = p->cq_entries - 1;
	array = (unsigned *)(at + p->sq_off.array);
	for (unsigned i = 0; i < p->sq_entries; i++)
		array[i] = i;
	return true;
}

struct uring *uring_open(const int *fds, unsigned n)
{
	struct io_uring_params p = { .flags = setup_flags };
	struct uring *u = calloc(1, sizeof(*u));

	if (!u)
		return NULL;
	u->fd = (int)syscall(SYS_io_uring_setup, URING_ENTRIES, &p);
	if (u->fd >= 0 && p.features & IORING_FEAT_SINGLE_MMAP && map_rings(u, &p) && allow_and_enable(u->fd, fds, n))
		return u;
	uring_close(u);
	return NULL;
}

void uring_close(struct uring *u)
{
	if (!u)
		return;
	if (u->rings)
		munmap(u->rings, u->rings_len);
	if (u->sqes)
		munmap(u->sqes, u->sqes_len);
	if (u->fd >= 0) {
		/* Else they would stay open until the kernel comes round to it. */
		uring_register(u->fd, IORING_UNREGISTER_FILES, NULL, 0);
		close(u->fd);
	}
	free(u);
}

bool uring_works(const struct uring *u)
{
	return u && !u->failed;
}

static void queue(struct uring *u, uint8_t op, int i, const void *addr, size_t len, int32_t *result)
{
	*result = -ECANCELED;
	u->sqes[u->sq_tail++ & u->sq_mask] = (struct io_uring_sqe){
		.opcode = op, .flags = IOSQE_FIXED_FILE, .fd = i, .addr = (uintptr_t)addr, .len = (uint32_t)len,
		.rw_flags = RWF_NOWAIT, .user_data = (uintptr_t)result,
	};
	u->queued++;
}

void uring_read(struct uring *u, int i, void *buf, size_t len, int32_t *result)
{
	queue(u, IORING_OP_READ, i, buf, len, result);
}

void uring_write(struct uring *u, int i, const void *buf, size_t len, int32_t *result)
{
	queue(u, IORING_OP_WRITE, i, buf, len, result);
}

void uring_writev(struct uring *u, int i, const struct iovec *iov, int iovcnt, int32_t *result)
{
	queue(u, IORING_OP_WRITEV, i, iov, (size_t)iovcnt, result);
}

static void take_answers(struct uring *u)
{
	unsigned tail = __atomic_load_n(u->cq_tail_shared, __ATOMIC_ACQUIRE);

	while (u->cq_head != tail) {
		const struct io_uring_cqe *c = &u->cqes[u->cq_head++ & u->cq_mask];

		/* Before 6.3 the kernel cannot tell whether a TAP would make it wait. */
		u->failed |= c->res == -EOPNOTSUPP;
		*(int32_t *)(uintptr_t)c->user_data = c->res == -EOPNOTSUPP ? -ECANCELED : c->res;
		u->queued--;
	}
	__atomic_store_n(u->cq_head_shared, u->cq_head, __ATOMIC_RELEASE);
}

void uring_run(struct uring *u)
{
	unsigned submit = u->queued;

	__atomic_store_n(u->sq_tail_shared, u->sq_tail, __ATOMIC_RELEASE);
	while (u->queued) {
		long n = syscall(SYS_io_uring_enter, u->fd, submit, u->queued, IORING_ENTER_GETEVENTS, NULL, 0);

		bool refused = n < 0 && errno != EINTR;

		if (n > 0)
			submit -= (unsigned)n;
		take_answers(u);
		if (refused) {
			u->failed = true;
			u->queued = 0;
		}
	}
}
