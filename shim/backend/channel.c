/* channel.c - connections to the stack host's control socket; the theory of operation is in the header. */
#include "backend/channel.h"

#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/un.h>

#include "backend/board.h"
#include "backend/hatch.h"
#include "run/sys.h"

#define CHANNELS 32
#define PATIENCE_MS 250	/* how long a host may take to answer before the program's signals are let in */

enum { NONE, IDLE, BUSY };

static struct channel channels[CHANNELS];
static struct stack_msg hatch_room;
struct channel_host channel_host;
void (*channel_opened)(int fd);
bool (*channel_wanted)(void);
bool channel_sandboxed;

uint64_t channel_cookie_of(int fd)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	return sys(SYS_getsockopt, fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) == 0 ? cookie : 0;
}

/* Moves a descriptor to where programs do not look for theirs. */
static int move_high(int fd)
{
	struct rlimit limit = { CHANNEL_FDS_TOP, CHANNEL_FDS_TOP };
	int high = -1, least;

	sys(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit);
	least = (int)(limit.rlim_cur < CHANNEL_FDS_TOP ? limit.rlim_cur : CHANNEL_FDS_TOP) - 2 * CHANNELS;
	if (least > 3)
		high = (int)sys(SYS_fcntl, fd, F_DUPFD_CLOEXEC, least);
	if (high < 0 && fd <= 2)
		high = (int)sys(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 3);
	if (high >= 0)
		sys(SYS_close, fd);
	return high >= 0 ? high : fd > 2 ? fd : high;
}

/* connect(2) to a path of any length: a long one by its directory's descriptor. */
static int connect_path(int fd, const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	const char *slash = strrchr(path, '/');
	char dir[512];
	int at, err;

	if (strlen(path) < sizeof(sun.sun_path)) {
		strcpy(sun.sun_path, path);
		return (int)sys(SYS_connect, fd, &sun, sizeof(sun));
	}
	if (!slash || (size_t)(slash - path) >= sizeof(dir) || strlen(slash) > 64)
		return -ENAMETOOLONG;
	memcpy(dir, path, (size_t)(slash - path));
	dir[slash - path] = 0;
	at = (int)sys(SYS_openat, AT_FDCWD, dir, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
	if (at < 0)
		return at;
	strcpy(sun.sun_path, "/proc/self/fd/");
	for (int div = 1000000, seen = 0; div; div /= 10) {
		char digit[2] = { (char)('0' + at / div % 10), 0 };

		seen |= at / div || div == 1;
		if (seen)
			strcat(sun.sun_path, digit);
	}
	strcat(sun.sun_path, slash);
	err = (int)sys(SYS_connect, fd, &sun, sizeof(sun));
	sys(SYS_close, at);
	return err;
}

int channel_transmit(int fd, const struct stack_msg *m, int send_fd)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .head = { .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET,
				.cmsg_type = SCM_RIGHTS } };
	struct iovec iov = { (void *)m, STACK_MSG_HEAD + m->len };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };
	long n;

	if (channel_sandboxed) {
		n = sys(SYS_write, fd, m, iov.iov_len);
		return n < 0 ? (int)n : 0;
	}
	if (send_fd >= 0) {
		memcpy(CMSG_DATA(&control.head), &send_fd, sizeof(send_fd));
		h.msg_control = &control;
		h.msg_controllen = sizeof(control.room);
	}
	do
		n = sys(SYS_sendmsg, fd, &h, MSG_NOSIGNAL);
	while (n == -EINTR);
	return n < 0 ? (int)n : 0;
}

/* The descriptors that came with a message: the first is kept, others are closed. */
static int take_fd(struct msghdr *h)
{
	int kept = -1;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = sys_cmsg_next(h, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
			if (kept < 0)
				kept = fd;
			else
				sys(SYS_close, fd);
		}
	}
	return kept;
}

/* The host is stopped, or far behind: waits on, with the signals that the program takes, so that it can be
 * interrupted and ended meanwhile. A handler that does not come back keeps this channel for good. */
static void wait_open(int fd, const uint64_t *signals)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	if (!channel_sandboxed)
		sys(SYS_ppoll, &p, 1, NULL, signals, 8);
}

/* Reads the reply to a request whose op and seq are still in m. signals: the program's mask, NULL if it is in force. */
static int receive(int fd, struct stack_msg *m, int *got_fd, const uint64_t *signals)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(4 * sizeof(int))];
	} control;
	struct iovec iov = { m, sizeof(*m) };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
			    .msg_controllen = sizeof(control) };
	uint32_t seq = m->seq;
	uint16_t op = m->op;
	long n;

	if (channel_sandboxed)
		h.msg_controllen = 0;
	do {
		n = channel_sandboxed ? sys(SYS_read, fd, m, sizeof(*m)) : sys(SYS_recvmsg, fd, &h, MSG_CMSG_CLOEXEC);
		if (n == -EAGAIN)
			wait_open(fd, signals);
	} while (n == -EINTR || n == -EAGAIN);
	*got_fd = n > 0 ? take_fd(&h) : -1;
	if (n < 0)
		return (int)n;
	if (n == 0)
		return -ECONNRESET;
	if (n >= (long)STACK_MSG_HEAD && m->op == op && m->seq == seq && m->len == (uint64_t)n - STACK_MSG_HEAD &&
	    m->err <= 0 && m->err > -4096 && (m->version == STACK_PROTO_VERSION || op == STACK_OP_HELLO))
		return 0;
	if (*got_fd >= 0)
		sys(SYS_close, *got_fd);
	*got_fd = -1;
	return -EPROTO;
}

/* Who sits at the other end: nobody but our user, or root, is to be talked to. */
static int check_peer(int fd, int *pid)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	int err = (int)sys(SYS_getsockopt, fd, SOL_SOCKET, SO_PEERCRED, &peer, &len);

	if (err)
		return err;
	if (peer.uid != 0 && peer.uid != (uid_t)sys(SYS_geteuid, 0) && peer.uid != (uid_t)sys(SYS_getuid, 0))
		return -EPERM;
	*pid = peer.pid;
	return 0;
}

/* The first message of a connection, which is to be a hatch or not. m is room for it. */
static int hello(int fd, struct stack_msg *m, bool hatch, int pid, const uint64_t *signals)
{
	int board_fd = -1, err;

	memset(m, 0, STACK_MSG_HEAD);
	m->version = STACK_PROTO_VERSION;
	m->op = STACK_OP_HELLO;
	m->arg[0] = STACK_PROTO_VERSION;
	m->arg[1] = sys(SYS_getpid, 0);
	m->arg[2] = hatch;
	if (sys(SYS_prctl, PR_GET_NAME, m->data) == 0)
		m->len = (uint32_t)strnlen((char *)m->data, 15);
	err = channel_transmit(fd, m, -1);
	if (!err)
		err = receive(fd, m, &board_fd, signals);
	if (err)
		return err;
	channel_host.version = m->arg[0];
	if (m->err || m->arg[0] != STACK_PROTO_VERSION) {
		err = m->arg[0] != STACK_PROTO_VERSION ? -EPROTONOSUPPORT : m->err;
	} else if (!board.head) {
		size_t n = m->len < sizeof(channel_host.name) - 1 ? m->len : sizeof(channel_host.name) - 1;

		memcpy(channel_host.name, m->data, n);
		channel_host.name[n] = 0;
		channel_host.pid = pid;
		err = board_fd >= 0 ? board_map(board_fd, (uint64_t)m->arg[2]) : -EPROTO;
	}
	if (board_fd >= 0)
		sys(SYS_close, board_fd);
	return err;
}

/* A connection by the host's socket; *pid is the host's. A descriptor or -errno. */
static int connect_host(const char *path, int *pid)
{
	int fd = (int)sys(SYS_socket, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), err;

	if (fd < 0)
		return fd;
	do
		err = connect_path(fd, path);
	while (err == -EINTR || err == -EAGAIN);
	if (!err)
		err = check_peer(fd, pid);
	if (err)
		sys(SYS_close, fd);
	return err ? err : fd;
}

static int open_connection(const char *path, struct stack_msg *room, bool hatch, const uint64_t *signals)
{
	const struct timeval patience = { 0, PATIENCE_MS * 1000 };
	int pid = 0, fd = connect_host(path, &pid), err, high;

	if (fd == -EACCES || fd == -EPERM || fd == -ENOENT) {
		high = hatch_join(&pid);
		fd = high == -ENOENT ? fd : high;
	}
	if (fd < 0)
		return fd;
	err = (int)sys(SYS_setsockopt, fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (!err)
		err = hello(fd, room, hatch, pid, signals);
	if (err) {
		sys(SYS_close, fd);
		return err;
	}
	high = move_high(fd);
	return high;
}

static int channel_open(struct channel *c, const char *path, const uint64_t *signals)
{
	int fd = open_connection(path, &c->msg, false, signals);

	if (fd < 0)
		return fd;
	c->fd = fd;
	c->cookie = channel_cookie_of(fd);
	if (channel_opened)
		channel_opened(fd);
	return 0;
}

bool channel_is_ours(const struct channel *c)
{
	return channel_sandboxed || channel_cookie_of(c->fd) == c->cookie;
}

static struct channel *claim_in(uint32_t state)
{
	for (int i = 0; i < CHANNELS; i++) {
		uint32_t want = state;

		if (__atomic_load_n(&channels[i].state, __ATOMIC_RELAXED) == state &&
		    __atomic_compare_exchange_n(&channels[i].state, &want, BUSY, 0, __ATOMIC_ACQUIRE,
						__ATOMIC_RELAXED))
			return &channels[i];
	}
	return NULL;
}

static bool any_open(void)
{
	for (int i = 0; i < CHANNELS; i++)
		if (__atomic_load_n(&channels[i].state, __ATOMIC_RELAXED) != NONE)
			return true;
	return false;
}

struct channel *channel_claim(const char *path, bool only_open, int *err)
{
	struct channel *c;
	uint64_t signals = 0;

	if (!channel_sandboxed)
		sys_hold_signals(&signals);
	for (;;) {
		while ((c = claim_in(IDLE))) {
			if (channel_is_ours(c)) {
				c->signals = signals;
				return c;
			}
			__atomic_store_n(&c->state, NONE, __ATOMIC_RELEASE);
		}
		*err = -EMFILE;
		c = only_open || channel_sandboxed ? NULL : claim_in(NONE);
		if (c) {
			*err = channel_open(c, path, channel_sandboxed ? NULL : &signals);
			if (!*err) {
				c->signals = signals;
				return c;
			}
			__atomic_store_n(&c->state, NONE, __ATOMIC_RELEASE);
		}
		/* All are in use, or no more can be made (another user by now, no descriptors): wait for one. */
		if (!any_open() || (*err != -EMFILE && *err != -ENFILE && *err != -EACCES && *err != -EPERM))
			break;
		if (!(channel_wanted && channel_wanted()) && !channel_sandboxed)
			sys(SYS_sched_yield, 0);
	}
	if (!channel_sandboxed)
		sys_release_signals(&signals);
	return NULL;
}

static int drop_if(struct channel *c, int err)
{
	if (err) {
		if (channel_is_ours(c))
			sys(SYS_close, c->fd);
		c->fd = -1;
	}
	return err;
}

int channel_send(struct channel *c, int send_fd)
{
	c->msg.version = STACK_PROTO_VERSION;
	c->msg.seq = ++c->seq;
	return drop_if(c, channel_transmit(c->fd, &c->msg, send_fd));
}

int channel_receive(struct channel *c, int *fd)
{
	return drop_if(c, receive(c->fd, &c->msg, fd, &c->signals));
}

int channel_call(struct channel *c, int send_fd, int *fd)
{
	int err = channel_send(c, send_fd);

	*fd = -1;
	return err ? err : channel_receive(c, fd);
}

void channel_release(struct channel *c)
{
	uint64_t signals = c->signals;

	__atomic_store_n(&c->state, c->fd < 0 ? NONE : IDLE, __ATOMIC_RELEASE);
	if (!channel_sandboxed)
		sys_release_signals(&signals);
}

int channel_call_apart(const char *path, struct stack_msg msg[2], int *fd)
{
	int conn = open_connection(path, &msg[1], false, NULL), err;

	*fd = -1;
	if (conn < 0)
		return conn;
	msg->version = STACK_PROTO_VERSION;
	msg->seq = 1;
	err = channel_transmit(conn, msg, -1);
	if (!err)
		err = receive(conn, msg, fd, NULL);
	sys(SYS_close, conn);
	return err;
}

bool channel_owns(int fd)
{
	for (int i = 0; i < CHANNELS; i++)
		if (__atomic_load_n(&channels[i].state, __ATOMIC_RELAXED) != NONE && channels[i].fd == fd)
			return true;
	return hatch_owns(fd);
}

bool channel_hung_up(void)
{
	for (int i = 0; i < CHANNELS && !channel_sandboxed; i++) {
		struct pollfd p = { .fd = channels[i].fd };
		struct timespec now = { 0, 0 };

		if (__atomic_load_n(&channels[i].state, __ATOMIC_RELAXED) == NONE || !channel_is_ours(&channels[i]))
			continue;
		if (sys(SYS_ppoll, &p, 1, &now, NULL, 0) == 1)
			return p.revents & POLLHUP;
		return false;
	}
	return false;
}

bool channel_next(unsigned first, unsigned last, unsigned *fd)
{
	bool found = hatch_next(first, last, fd);

	for (int i = 0; i < CHANNELS; i++) {
		unsigned have = (unsigned)channels[i].fd;

		if (__atomic_load_n(&channels[i].state, __ATOMIC_RELAXED) == NONE || have < first || have > last ||
		    (found && have > *fd))
			continue;
		*fd = have;
		found = true;
	}
	return found;
}

void channel_give_way(int fd)
{
	hatch_give_way(fd);
	for (int i = 0; i < CHANNELS; i++) {
		uint32_t idle = IDLE;
		int other;

		/* One that is in use stays: its descriptor is compared before the next use. */
		if (channels[i].fd != fd || !__atomic_compare_exchange_n(&channels[i].state, &idle, BUSY, 0, __ATOMIC_ACQUIRE,
									 __ATOMIC_RELAXED))
			continue;
		other = (int)sys(SYS_fcntl, fd, F_DUPFD_CLOEXEC, fd + 1);
		channels[i].fd = other;
		__atomic_store_n(&channels[i].state, other < 0 ? NONE : IDLE, __ATOMIC_RELEASE);
	}
}

void channel_after_fork(void)
{
	for (int i = 0; i < CHANNELS; i++) {
		struct channel *c = &channels[i];

		if (c->state != NONE && c->fd > 2 && channel_is_ours(c))
			sys(SYS_close, c->fd);
		c->fd = -1;
		c->state = NONE;
	}
}

void channel_prepare(const char *path, int n)
{
	for (int i = 0; i < CHANNELS && n > 0; i++, n--) {
		uint32_t none = NONE;

		if (!__atomic_compare_exchange_n(&channels[i].state, &none, BUSY, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			continue;
		if (channel_open(&channels[i], path, NULL) == 0)
			__atomic_store_n(&channels[i].state, IDLE, __ATOMIC_RELEASE);
		else
			__atomic_store_n(&channels[i].state, NONE, __ATOMIC_RELEASE);
	}
}

void channel_keep_hatch(const char *path)
{
	int fd = hatch_is_open() ? -1 : open_connection(path, &hatch_room, true, NULL);

	if (fd >= 0)
		hatch_keep(fd);
}
