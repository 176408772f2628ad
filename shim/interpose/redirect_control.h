/* redirect_control.h - control messages to the program: what comes with what it receives. */
#ifndef SHIM_INTERPOSE_REDIRECT_CONTROL_H
#define SHIM_INTERPOSE_REDIRECT_CONTROL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum { NEW_TIME = 63, NEW_TIME_NS, NEW_STAMP };	/* SO_TIMESTAMP_NEW and so on: with 64-bit times, as ours are */

/* Where they go: the program's buffer, of which `used` bytes have been written. */
struct control {
	struct msghdr *m;
	size_t room, used;
};

/* One more, as put_cmsg(): what does not fit is cut, and said to be. At most 128 bytes of data. */
void control_put(struct control *c, int level, int type, const void *data, size_t n);

/* A time, as enum stack_dgram_flag in `flags` says that it is told. */
void control_put_times(struct control *c, uint32_t flags, int64_t ns);

/* Calls fn with each control message that the program has put into the header m, until it returns an error. That, or
 * -ENOBUFS, -EFAULT, -EINVAL (one is none). */
int control_each(const struct msghdr *m, int (*fn)(void *ctx, const struct cmsghdr *c), void *ctx);

/* SO_TIMESTAMPING of one message: what is to be recorded. 0 or -EINVAL. */
int control_take_stamping(const struct cmsghdr *c, uint32_t *what);

#endif
