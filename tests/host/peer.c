/* A program's side of the control protocol. */
#include "peer.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_MS = 10000 };

static const char *stackd(void)
{
	return HOST_PROGRAM;
}

short wait_events(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	poll(&p, 1, PATIENCE_MS);
	return p.revents;
}

void peer_start(struct peer *p, const char *spec)
{
	peer_start_limited(p, spec, 0);
}

void peer_start_limited(struct peer *p, const char *spec, unsigned nofile)
{
	const struct rlimit files = { nofile, nofile };
	char number[16];
	int sv[2];

	memset(p, 0, sizeof(*p));
	p->reply_fd = -1;
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv), 0);
	p->pid = fork();
	cr_assert_geq(p->pid, 0);
	if (p->pid == 0) {
		if (nofile)
			setrlimit(RLIMIT_NOFILE, &files);
		snprintf(number, sizeof(number), "%d", dup(sv[1]));
		/* HOST_LOG: a file for what a host that goes wrong has to say. */
		execl(stackd(), stackd(), "--foreground", "--fd", number, spec, getenv("HOST_LOG") ? "--log" : NULL,
		      getenv("HOST_LOG"), NULL);
		_exit(127);
	}
	close(sv[1]);
	p->ctl = sv[0];
	peer_hello(p);
}

void peer_hello(struct peer *p)
{
	struct stack_board *b;

	cr_assert_eq(peer_call(p, STACK_OP_HELLO, 0, STACK_PROTO_VERSION, getpid(), 0, NULL, 0), 0);
	cr_assert_geq(p->reply_fd, 0);
	b = mmap(NULL, sizeof(*b) + (size_t)p->reply.arg[2] * sizeof(struct stack_board_entry), PROT_READ,
		 MAP_SHARED, p->reply_fd, 0);
	cr_assert_neq(b, MAP_FAILED);
	cr_assert_eq(b->magic, STACK_BOARD_MAGIC);
	/* Nobody but the host may write to it. */
	cr_assert_eq(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, p->reply_fd, 0), MAP_FAILED);
	close(p->reply_fd);
	p->board = b;
}

void peer_stop(struct peer *p)
{
	int status = -1;

	close(p->ctl);
	for (int i = 0; i < PATIENCE_MS; i++) {
		if (waitpid(p->pid, &status, WNOHANG) == p->pid)
			break;
		usleep(1000);
	}
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the host ended with status %#x", status);
}

void peer_send(struct peer *p, int op, uint64_t cookie, int64_t a0, int64_t a1, int64_t a2,
	       const void *data, size_t len)
{
	struct stack_msg m = { .version = STACK_PROTO_VERSION, .op = (uint16_t)op, .seq = ++p->seq,
			       .cookie = cookie, .arg = { a0, a1, a2 }, .len = (uint32_t)len };

	if (len)
		memcpy(m.data, data, len);
	cr_assert_eq(send(p->ctl, &m, STACK_MSG_HEAD + len, MSG_NOSIGNAL), (ssize_t)(STACK_MSG_HEAD + len));
}

void peer_send_fd(struct peer *p, int op, uint64_t cookie, int fd)
{
	struct stack_msg m = { .version = STACK_PROTO_VERSION, .op = op, .cookie = cookie, .seq = ++p->seq };
	struct iovec iov = { &m, STACK_MSG_HEAD };
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .head = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
			    .msg_controllen = sizeof(control.room) };

	memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	cr_assert_gt(sendmsg(p->ctl, &h, 0), 0);
}

int peer_wait(struct peer *p)
{
	struct iovec iov = { &p->reply, sizeof(p->reply) };
	char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *c;
	ssize_t n;

	cr_assert(wait_events(p->ctl, POLLIN), "no reply");
	n = recvmsg(p->ctl, &h, MSG_CMSG_CLOEXEC);
	cr_assert_geq(n, (ssize_t)STACK_MSG_HEAD, "the connection ended");
	cr_assert_eq((size_t)n, STACK_MSG_HEAD + p->reply.len);
	cr_assert_eq(p->reply.seq, p->seq);
	p->reply_fd = -1;
	c = CMSG_FIRSTHDR(&h);
	if (c)
		memcpy(&p->reply_fd, CMSG_DATA(c), sizeof(int));
	return p->reply.err;
}

int peer_call(struct peer *p, int op, uint64_t cookie, int64_t a0, int64_t a1, int64_t a2,
	      const void *data, size_t len)
{
	peer_send(p, op, cookie, a0, a1, a2, data, len);
	return peer_wait(p);
}

struct sockp peer_socket(struct peer *p, int domain, int type)
{
	int err = peer_call(p, STACK_OP_SOCKET, 0, domain, type, 0, NULL, 0);
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	cr_assert_eq(err, 0, "socket: %s", strerror(-err));
	cr_assert_geq(p->reply_fd, 0);
	cr_assert_eq(getsockopt(p->reply_fd, SOL_SOCKET, SO_COOKIE, &cookie, &len), 0);
	cr_assert_eq(cookie, p->reply.cookie);
	return (struct sockp){ p->reply_fd, cookie, (uint32_t)p->reply.arg[0] };
}

int peer_bind(struct peer *p, const struct sockp *s, const struct sockaddr_in *a)
{
	return peer_call(p, STACK_OP_BIND, s->cookie, 0, 0, 0, a, sizeof(*a));
}

struct sockaddr_in peer_name(struct peer *p, const struct sockp *s, bool remote)
{
	struct sockaddr_in a = { 0 };

	cr_assert_eq(peer_call(p, STACK_OP_GETNAME, s->cookie, remote, 0, 0, NULL, 0), 0);
	cr_assert_eq(p->reply.len, sizeof(a));
	memcpy(&a, p->reply.data, sizeof(a));
	return a;
}

static const struct stack_board_entry *entry(const struct peer *p, const struct sockp *s)
{
	return (const struct stack_board_entry *)((const char *)p->board + p->board->entries_off) + s->board;
}

struct stack_board_entry peer_entry(const struct peer *p, const struct sockp *s)
{
	const struct stack_board_entry *e = entry(p, s);
	struct stack_board_entry copy;
	uint32_t before;

	do {
		before = __atomic_load_n(&e->seq, __ATOMIC_ACQUIRE);
		memcpy(&copy, e, sizeof(copy));
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while ((before & 1) || __atomic_load_n(&e->seq, __ATOMIC_RELAXED) != before);
	return copy;
}

void peer_wait_state(const struct peer *p, const struct sockp *s, enum stack_board_state state)
{
	const struct stack_board_entry *e = entry(p, s);

	for (int i = 0; i < PATIENCE_MS / 100; i++) {
		struct timespec t = { 0, 100 * 1000000l };
		uint32_t now = __atomic_load_n(&e->state, __ATOMIC_ACQUIRE);

		if ((now & 0xff) == state)
			return;
		syscall(SYS_futex, &e->state, FUTEX_WAIT, now, &t, NULL, 0);
	}
	cr_assert(false, "the state stayed %u", e->state & 0xff);
}

ssize_t dgram_send(int fd, const struct sockaddr_in *to, const void *data, size_t len)
{
	struct stack_dgram d = { .size = sizeof(d) };
	struct iovec iov[] = { { &d, sizeof(d) }, { (void *)data, len } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };

	if (to) {
		d.peer.len = sizeof(*to);
		memcpy(d.peer.bytes, to, sizeof(*to));
	}
	return sendmsg(fd, &m, MSG_NOSIGNAL) < 0 ? -errno : (ssize_t)len;
}

ssize_t dgram_recv(int fd, struct stack_dgram *head, void *data, size_t room)
{
	struct iovec iov[] = { { head, sizeof(*head) }, { data, room } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };
	ssize_t n;

	if (!wait_events(fd, POLLIN))
		return -ETIMEDOUT;
	n = recvmsg(fd, &m, 0);
	if (n < 0)
		return -errno;
	cr_assert_geq(n, (ssize_t)sizeof(*head));
	cr_assert_eq(head->size, sizeof(*head));
	return n - (ssize_t)sizeof(*head);
}
