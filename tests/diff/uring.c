/* uring.c - io_uring on connected streams, which nothing of ours sees. */
#include "log.h"

#if __has_include(<linux/io_uring.h>)
#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>

static struct io_uring_params p;
static int ring;
static unsigned *sq_tail, *sq_mask, *sq_array, *cq_head, *cq_tail, *cq_mask;
static struct io_uring_sqe *sqes;
static struct io_uring_cqe *cqes;

static bool set_up(void)
{
	char *sq, *cq;

	ring = (int)syscall(SYS_io_uring_setup, 8, &p);
	if (ring < 0)
		return false;
	sq = mmap(NULL, p.sq_off.array + p.sq_entries * sizeof(unsigned), PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
	cq = mmap(NULL, p.cq_off.cqes + p.cq_entries * sizeof(*cqes), PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_CQ_RING);
	sqes = mmap(NULL, p.sq_entries * sizeof(*sqes), PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES);
	if (sq == MAP_FAILED || cq == MAP_FAILED || (void *)sqes == MAP_FAILED)
		return false;
	sq_tail = (unsigned *)(sq + p.sq_off.tail);
	sq_mask = (unsigned *)(sq + p.sq_off.ring_mask);
	sq_array = (unsigned *)(sq + p.sq_off.array);
	cq_head = (unsigned *)(cq + p.cq_off.head);
	cq_tail = (unsigned *)(cq + p.cq_off.tail);
	cq_mask = (unsigned *)(cq + p.cq_off.ring_mask);
	cqes = (struct io_uring_cqe *)(cq + p.cq_off.cqes);
	return true;
}

/* One operation, waited for. */
static int operate(int op, int fd, void *buf, unsigned len)
{
	unsigned tail = *sq_tail, i = tail & *sq_mask, head;
	int r;

	sqes[i] = (struct io_uring_sqe){ .opcode = (uint8_t)op, .fd = fd, .addr = (uint64_t)(uintptr_t)buf, .len = len };
	sq_array[i] = i;
	__atomic_store_n(sq_tail, tail + 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
		return -errno;
	head = *cq_head;
	if (head == __atomic_load_n(cq_tail, __ATOMIC_ACQUIRE))
		return -EAGAIN;
	r = cqes[head & *cq_mask].res;
	__atomic_store_n(cq_head, head + 1, __ATOMIC_RELEASE);
	return r;
}

int main(void)
{
	char buf[100] = "";
	int s[2];

	if (!set_up()) {
		puts("there is no io_uring");
		return 0;
	}
	connection(s);
	DO(operate(IORING_OP_SEND, s[0], (char[]){ "by ring" }, 7));
	DO(recv(s[1], buf, 100, 0));
	DO(send(s[1], "answer", 6, 0));
	DO(operate(IORING_OP_RECV, s[0], buf, 100));
	printf("%.6s\n", buf);
	DO(operate(IORING_OP_WRITE, s[1], (char[]){ "more" }, 4));
	DO(operate(IORING_OP_READ, s[0], buf, 100));
	DO(shutdown(s[1], SHUT_WR));
	DO(operate(IORING_OP_RECV, s[0], buf, 100));
	close(s[0]);
	close(s[1]);
	return 0;
}
#else
int main(void)
{
	puts("there is no io_uring");
	return 0;
}
#endif
