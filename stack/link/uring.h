/*
 * Several reads and writes in one system call, by io_uring(7).
 *
 * For descriptors where a call costs more than what it does, as with packets. Nothing is ever under way
 * between two calls of uring_run(): it is a system call that takes a list. The ring can do nothing but read and
 * write the descriptors it is for (IORING_REGISTER_RESTRICTIONS), so that a process which gave up its rights
 * gains none by it. A process that is killed leaves them open for as long as the kernel takes to clear the ring away.
 */
#ifndef STACK_LINK_URING_H
#define STACK_LINK_URING_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

enum { URING_ENTRIES = 64 };

/** uring_open() - for @n descriptors; NULL if the kernel is older than 6.1, or does not let us. Used by the
 * thread that opened it, and not by a child of it. */
struct uring *uring_open(const int *fds, unsigned n);

/** uring_close() - NULL is allowed */
void uring_close(struct uring *u);

/** uring_read(), uring_write() - to be done by the next uring_run(), without waiting; URING_ENTRIES at most.
 * @i is the descriptor's place among those the ring is for; @result is then what read(2) or write(2) would return, or -errno. */
void uring_read(struct uring *u, int i, void *buf, size_t len, int32_t *result);
void uring_write(struct uring *u, int i, const void *buf, size_t len, int32_t *result);

/** uring_writev() - the same for a vector, which stays until uring_run() is back */
void uring_writev(struct uring *u, int i, const struct iovec *iov, int iovcnt, int32_t *result);

/** uring_run() - do what was asked for, in that order. What the kernel refuses to do in this way has the
 * result -ECANCELED; the ring is of no further use then. */
void uring_run(struct uring *u);

/** uring_works() - false: there is none, or it is of no further use */
bool uring_works(const struct uring *u);

#endif
