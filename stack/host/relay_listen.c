/*
 * Listening sockets: connections are accepted ahead of the program and put into the pair.
 *
 * Theory of operation. Each is one struct stack_accept with the descriptor; how many are in the pair is
 * seen by the memory they take there, since each takes the same, and each that is taken out is an
 * event. Those that wait in the pair count towards the backlog, so the stack's socket is told of a
 * backlog that is smaller by so many.
 *
 * Those that nobody will accept any more are reset (Linux's inet_csk_listen_stop()). While we have our
 * end of the pair it says how many there are, and they are the last that were put there. When it is the
 * program that has closed its end, the kernel has thrown them away, and says only whether there were any:
 * which of the last few had been accepted just before is seen by what went over them. One over which
 * nothing went, and which is closed now, is taken for one that was not.
 */
#include <errno.h>
#include <string.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "host/diag.h"
#include "host/maker.h"

enum { PUSH_MAX = 64 };

static const int64_t retry_ns = 10 * NS_PER_MS;

static uint32_t push_limit(const struct relay *r)
{
	uint32_t backlog = r->backlog < 0 ? PUSH_MAX : (uint32_t)r->backlog;

	return backlog < 1 ? 1 : backlog < PUSH_MAX ? backlog : PUSH_MAX;
}

static int stack_backlog(const struct relay *r)
{
	if (r->backlog < 0)
		return r->backlog;
	return r->backlog > (int)r->pushed ? r->backlog - (int)r->pushed : 0;
}

/* Those that have been accepted, or are not there any more, are in the list no longer. */
static void forget_accepted(struct relay *r)
{
	uint32_t n = 0;

	list_for_each(o, &r->offered)
		n++;
	for (; n > r->pushed; n--)
		list_pop_front(&r->offered);
}

static void count_pushed(struct relay *r)
{
	uint32_t before = r->pushed;
	int bytes = 0;

	ioctl(r->fd, SIOCOUTQ, &bytes);
	r->pushed = r->push_unit ? (uint32_t)bytes / r->push_unit : 0;
	/* If there are fewer because the program has closed it, the event is still to come. */
	if (r->pushed < before && !relay_hung_up(r))
		forget_accepted(r);
}

static void see_accepted(struct relay *r)
{
	uint32_t before = r->pushed;

	count_pushed(r);
	if (r->pushed != before && r->state == STACK_BOARD_LISTENING)
		sock_listen(r->k, stack_backlog(r));
}

static int send_accept(struct relay *r, struct relay *child, int fd)
{
	struct stack_accept a = { .cookie = child->cookie, .board = child->board,
				  .peer = board_look(&r->host->board, child->board)->peer };
	struct iovec iov = { &a, sizeof(a) };
	union {
		struct cmsghdr h;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .h = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
			    .msg_controllen = sizeof(control.bytes) };

	memcpy(CMSG_DATA(&control.h), &fd, sizeof(fd));
	return sendmsg(r->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* Hands @k to the program. -EAGAIN: not now, @k is still the caller's. */
static int push(struct relay *r, struct sock *k)
{
	struct relay *child;
	int fd, err;

	if (!maker_may(r->host, r->maker))
		return -EAGAIN;
	err = relay_new(r->host, k, true, &fd, &child);
	if (err)
		return -EAGAIN;
	maker_own(r->maker, child);
	child->owner = r->owner;
	child->nholders = r->nholders;
	memcpy(child->holders, r->holders, sizeof(child->holders));
	diag_attach(child, fd, NULL, r);
	relay_connected(child);
	err = send_accept(r, child, fd);
	close(fd);
	if (err) {
		/* Too many descriptors in flight, or no memory: the pair is made again later. Or the program has
		 * closed the socket, which is an event. */
		if (err == -ECONNRESET)
			r->failed = ECONNRESET;
		relay_disown(child);
		return -EAGAIN;
	}
	list_push_back(&r->offered, &child->offered);
	r->host->counters.connections_accepted++;
	return 0;
}

static void accept_all(struct relay *r)
{
	while (r->pushed < push_limit(r)) {
		struct sock *k = r->extra;
		int bytes = 0;

		r->extra = NULL;
		if (!k && sock_accept(r->k, &k, NULL, NULL)) {
			r->ready &= ~(uint32_t)RELAY_STACK_IN;
			return;
		}
		if (push(r, k)) {
			r->host->counters.accepts_put_off++;
			r->extra = k;
			relay_retry_in(r, retry_ns);
			return;
		}
		if (!r->push_unit && !ioctl(r->fd, SIOCOUTQ, &bytes) && bytes > 0)
			r->push_unit = (uint32_t)bytes;
		r->pushed++;
		sock_listen(r->k, stack_backlog(r));
	}
}

static void listen_turn(struct relay *r)
{
	if (r->ready & RELAY_PAIR_CLOSED) {
		relay_close(r);
		return;
	}
	see_accepted(r);
	if (r->state == STACK_BOARD_LISTENING && (r->ready & RELAY_STACK_IN || r->extra))
		accept_all(r);
}

/* Whether there were connections in the pair when the program closed it. */
static bool left_any(struct relay *r)
{
	int err = 0;
	socklen_t len = sizeof(err);

	return r->failed || (getsockopt(r->fd, SOL_SOCKET, SO_ERROR, &err, &len) == 0 && err);
}

static void listen_end(struct relay *r)
{
	bool closed = r->ready & RELAY_PAIR_CLOSED, any = !closed || left_any(r);
	struct list *n;

	if (r->extra) {
		sock_abort(r->extra, 0);
		sock_close(r->extra);
	}
	r->extra = NULL;
	if (!closed)
		count_pushed(r);
	while ((n = list_pop_front(&r->offered))) {
		struct relay *child = container_of(n, struct relay, offered);

		if (closed)
			child->left = any;
		else
			relay_kill(child, ECONNRESET);
	}
}

const struct relay_ops relay_listen_ops = {
	.name = "listening",
	.turn = listen_turn,
	.end = listen_end,
};

int relay_listen(struct relay *r, int backlog)
{
	int before = r->backlog, err;

	r->backlog = backlog;
	err = sock_listen(r->k, stack_backlog(r));
	if (err) {
		r->backlog = before;
		return err;
	}
	if (r->state == STACK_BOARD_LISTENING)
		return 0;
	r->ops = &relay_listen_ops;
	relay_set_state(r, STACK_BOARD_LISTENING);
	/* Each connection that is taken is an event. */
	relay_full(r);
	relay_try(r, RELAY_STACK_IN);
	return 0;
}
