/* Operations for time stamps and the like, and for those who wait for errors. */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "host/bell.h"
#include "host/ops.h"
#include "host/times.h"

int op_bell(struct request *q)
{
	struct relay *r = q->relay;
	uint32_t id = 0;
	int fd;

	if (q->in->arg[0] < STACK_BELL_FOR_ALL || q->in->arg[0] > STACK_BELL_NONE || q->in->arg[1] < 0 || q->in->arg[1] > UINT32_MAX)
		return -EINVAL;
	bell_remove(r, (uint32_t)q->in->arg[1]);
	if (q->in->arg[0] == STACK_BELL_NONE)
		return 0;
	fd = q->in->arg[0] == STACK_BELL_FOR_ALL ? bell_for_all(r) : bell_new(r, &id);
	if (fd < 0)
		return fd;
	q->out->arg[0] = id;
	q->fd_out = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return q->fd_out < 0 ? -ENFILE : 0;
}

int op_stamp(struct request *q)
{
	struct sock_stamp_write w = { .what = SOCK_STAMP_AS_SET };
	struct relay *r = q->relay;
	uint32_t byte = 0;
	int err;

	if (q->in->arg[0] < 0 || q->in->arg[3] < 0 || q->in->arg[3] > q->in->arg[0])
		return -EINVAL;
	if (r->k->type != SOCK_STREAM || r->state != STACK_BOARD_CONNECTED)
		return -ENOTCONN;
	w.len = (size_t)q->in->arg[0];
	w.less = (size_t)q->in->arg[3];
	if (q->in->arg[1] >= 0)
		w.what = (uint32_t)q->in->arg[1];
	w.instead = q->in->arg[2] >= 0;
	w.was = (uint32_t)q->in->arg[2];
	err = sock_stamp_write(r->k, relay_unread(r), &w, &byte);
	/* From now on there may be something in its error queue. */
	if (!err)
		relay_flag(r, STACK_BOARD_STAMPS, 0);
	q->out->arg[0] = byte;
	return err;
}

int op_copied(struct request *q)
{
	if (sock_copies(q->relay->k))
		sock_note_copied(q->relay->k);
	return 0;
}

int op_times(struct request *q)
{
	struct relay *r = q->relay;
	int unread = 0;

	if (q->fd_in < 0 || q->in->arg[0] < 0)
		return -EINVAL;
	if (ioctl(q->fd_in, FIONREAD, &unread) < 0 || unread < 0)
		return -EINVAL;
	q->out->arg[0] = relay_dgram_flags(sock_time_flags(r->k, true));
	q->out->arg[1] = times_of(r, (size_t)unread, (size_t)q->in->arg[0]);
	q->out->arg[2] = unread + !!(board_look(&r->host->board, r->board)->flags & STACK_BOARD_RCV_EOF);
	q->out->arg[3] = sock_tells_left(r->k);
	return 0;
}
