/* Bells of a lan. */
#include "link/lan_bell.h"

#include <errno.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>

int lan_bells_new(struct lan_bells *b)
{
	/* By its edges: nobody reads it. */
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET };
	int err = 0;

	b->from = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	b->to = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	b->ear = epoll_create1(EPOLL_CLOEXEC);
	if (b->from < 0 || b->to < 0 || b->ear < 0 || epoll_ctl(b->ear, EPOLL_CTL_ADD, b->to, &ev) < 0)
		err = -errno;
	if (err)
		lan_bells_free(b);
	return err;
}

void lan_bells_free(struct lan_bells *b)
{
	if (b->from >= 0)
		close(b->from);
	if (b->to >= 0)
		close(b->to);
	if (b->ear >= 0)
		close(b->ear);
	*b = (struct lan_bells){ -1, -1, -1 };
}

void lan_bell_ring(int fd)
{
	const uint64_t one = 1;

	/* Full is rung, too. */
	while (write(fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

bool lan_bell_hush(int fd)
{
	uint64_t n;
	struct iovec iov = { &n, sizeof(n) };

	return preadv2(fd, &iov, 1, -1, RWF_NOWAIT) >= 0 || errno == EAGAIN || errno == EINTR;
}
