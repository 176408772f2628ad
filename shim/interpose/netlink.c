/* netlink.c - sock_diag under the shim; the theory of operation is in the header. */
#include "interpose/netlink.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/time.h>
#include <sys/uio.h>

#include "interpose/netlink_answer.h"
#include "proto/stack_proto.h"
#include "run/sys.h"

#define TALKS		8
#define IOVS		16	/* a request in more pieces is the kernel's alone */
#define EXACT_MAX	512	/* so is a look-up that is longer */

/* What the program waits for. */
enum waiting {
	IDLE,
	DUMP,		/* the end of a dump */
	EXACT,		/* the kernel's answer to a look-up or a destroy */
	ANSWERING,	/* the host's answer, served in place of the kernel's that is next */
	LOST,		/* the host is gone: the kernel's DONE that is next will say so */
};

struct line {
	int fd;			/* -1: closed */
	uint64_t cookie;	/* SO_COOKIE: the program may have closed it and be using the number */
};

struct talk {
	uint32_t claimed;	/* 0: the slot is free */
	uint64_t cookie;	/* of the program's netlink socket; 0: it is being set up */
	int fd;			/* what that was seen as */
	int pid;
	struct line host;
	struct line events;
	uint32_t groups;
	enum waiting waiting;
	uint32_t seq;
	bool ack;		/* the request wants one */
	size_t request_len;
	_Alignas(4) uint8_t request[EXACT_MAX];
};

#define DONE_LEN offsetof(struct head, of)

int (*netlink_host)(uint32_t groups, int bell);
static struct talk talks[TALKS];

static uint64_t cookie_of(int fd)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	return sys(SYS_getsockopt, fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) == 0 ? cookie : 0;
}

static void line_close(struct line *l)
{
	if (l->fd >= 0 && cookie_of(l->fd) == l->cookie)
		sys(SYS_close, l->fd);
	l->fd = -1;
}

static bool line_open(struct line *l, uint32_t groups, int bell)
{
	if (l->fd >= 0 && cookie_of(l->fd) == l->cookie)
		return true;
	l->fd = netlink_host(groups, bell);
	l->cookie = l->fd >= 0 ? cookie_of(l->fd) : 0;
	return l->fd >= 0;
}

static void talk_end(struct talk *t)
{
	line_close(&t->host);
	line_close(&t->events);
	__atomic_store_n(&t->cookie, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&t->claimed, 0, __ATOMIC_RELEASE);
}

static struct talk *talk_new(int fd, uint64_t cookie, int pid)
{
	for (int i = 0; i < TALKS; i++) {
		struct talk *t = &talks[i];
		uint32_t none = 0;

		if (!__atomic_compare_exchange_n(&t->claimed, &none, 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			continue;
		t->fd = fd;
		t->pid = pid;
		t->host.fd = t->events.fd = -1;
		t->groups = 0;
		t->waiting = IDLE;
		__atomic_store_n(&t->cookie, cookie, __ATOMIC_RELEASE);
		return t;
	}
	return NULL;
}

/* The slot of a socket; with `make`, a new one if it has none. */
static struct talk *talk_of(int fd, bool make)
{
	int pid = (int)sys(SYS_getpid, 0);
	uint64_t cookie = cookie_of(fd);

	for (int i = 0; i < TALKS && cookie; i++) {
		struct talk *t = &talks[i];
		uint64_t its = __atomic_load_n(&t->cookie, __ATOMIC_ACQUIRE);

		if (its && t->pid != pid)
			talk_end(t);
		else if (its == cookie)
			return t;
		else if (make && its && cookie_of(t->fd) != its)
			talk_end(t);
	}
	return make && cookie ? talk_new(fd, cookie, pid) : NULL;
}

/* Copies out of a message that may be in pieces; how many bytes there were, at most n. */
static size_t gather(const struct msghdr *msg, void *to, size_t n)
{
	size_t got = 0;

	for (size_t i = 0; i < msg->msg_iovlen && got < n; i++) {
		size_t part = msg->msg_iov[i].iov_len < n - got ? msg->msg_iov[i].iov_len : n - got;

		if (part)
			memcpy((char *)to + got, msg->msg_iov[i].iov_base, part);
		got += part;
	}
	return got;
}

static size_t scatter(const struct msghdr *msg, const void *from, size_t n)
{
	size_t put = 0;

	for (size_t i = 0; i < msg->msg_iovlen && put < n; i++) {
		size_t part = msg->msg_iov[i].iov_len < n - put ? msg->msg_iov[i].iov_len : n - put;

		if (part)
			memcpy(msg->msg_iov[i].iov_base, (const char *)from + put, part);
		put += part;
	}
	return put;
}

/* The request's own bytes, with another header before them. */
static bool with_header(const struct msghdr *msg, struct nlmsghdr *nlh, struct iovec *iov, size_t *count)
{
	size_t skip = sizeof(*nlh), left = nlh->nlmsg_len - sizeof(*nlh), n = 1;

	iov[0] = (struct iovec){ nlh, sizeof(*nlh) };
	for (size_t i = 0; i < msg->msg_iovlen && left; i++) {
		const struct iovec *from = &msg->msg_iov[i];
		size_t cut = skip < from->iov_len ? skip : from->iov_len;
		size_t part = from->iov_len - cut < left ? from->iov_len - cut : left;

		skip -= cut;
		if (!part)
			continue;
		if (n == IOVS)
			return false;
		iov[n++] = (struct iovec){ (char *)from->iov_base + cut, part };
		left -= part;
	}
	*count = n;
	return !left;
}

static bool is_inet(uint16_t type, uint8_t family)
{
	if (type == TCPDIAG_GETSOCK)
		return true;
	return (type == SOCK_DIAG_BY_FAMILY || type == SOCK_DESTROY) && (family == AF_INET || family == AF_INET6);
}

static bool tell(struct talk *t, const struct msghdr *h)
{
	return sys(SYS_sendmsg, t->host.fd, h, MSG_NOSIGNAL | MSG_DONTWAIT) > 0;
}

static void begin_dump(struct talk *t, const struct msghdr *msg, struct nlmsghdr *nlh)
{
	struct iovec iov[IOVS];
	struct msghdr h = { .msg_iov = iov };
	size_t count;

	/* What an earlier dump left unread is not for this one. */
	if (t->waiting != IDLE)
		line_close(&t->host);
	t->waiting = IDLE;
	if (!with_header(msg, nlh, iov, &count) || !line_open(&t->host, 0, -1))
		return;
	h.msg_iovlen = count;
	if (tell(t, &h))
		t->waiting = DUMP;
	else
		line_close(&t->host);
}

void netlink_sent(int fd, const struct msghdr *msg, size_t len)
{
	struct {
		struct nlmsghdr nlh;
		uint8_t family;
	} r;
	struct sockaddr_nl self = { 0 };
	socklen_t self_len = sizeof(self);
	struct talk *t;

	if (gather(msg, &r, sizeof(r.nlh) + 1) < sizeof(r.nlh) + 1 || r.nlh.nlmsg_len < sizeof(r.nlh) + 1 ||
	    r.nlh.nlmsg_len > len || !(r.nlh.nlmsg_flags & NLM_F_REQUEST) || !is_inet(r.nlh.nlmsg_type, r.family))
		return;
	t = talk_of(fd, true);
	if (!t)
		return;
	sys(SYS_getsockname, fd, &self, &self_len);
	r.nlh.nlmsg_pid = self.nl_pid;
	t->seq = r.nlh.nlmsg_seq;
	t->ack = r.nlh.nlmsg_flags & NLM_F_ACK;
	if (r.nlh.nlmsg_type != SOCK_DESTROY && (r.nlh.nlmsg_flags & NLM_F_DUMP)) {
		begin_dump(t, msg, &r.nlh);
		return;
	}
	t->waiting = IDLE;
	if (r.nlh.nlmsg_len > sizeof(t->request))
		return;
	t->request_len = gather(msg, t->request, r.nlh.nlmsg_len);
	memcpy(t->request, &r.nlh, sizeof(r.nlh));
	t->waiting = EXACT;
}

/* The beginning of what is next in a queue. */
static bool peek(int fd, int flags, struct head *h)
{
	memset(h, 0, sizeof(*h));
	return sys(SYS_recvfrom, fd, h, sizeof(*h), MSG_PEEK | flags, NULL, NULL) >= (long)sizeof(h->nlh);
}

static void drop(int fd)
{
	char byte;

	sys(SYS_recvfrom, fd, &byte, sizeof(byte), MSG_DONTWAIT, NULL, NULL);
}

/* Waits for the host's next datagram, and looks at it; false when there will be none. */
static bool peek_host(struct talk *t, struct head *h)
{
	struct pollfd p = { .fd = t->host.fd, .events = POLLIN };
	struct timespec patience = { NETLINK_PATIENCE_MS / 1000, NETLINK_PATIENCE_MS % 1000 * 1000000 };
	long n;

	/* The rest of the time is kept there by the kernel. */
	do
		n = sys(SYS_ppoll, &p, 1, &patience, NULL, 0);
	while (n == -EINTR);
	return n == 1 && cookie_of(t->host.fd) == t->host.cookie && peek(t->host.fd, MSG_DONTWAIT, h);
}

/* The sender is the kernel, to whom it may concern. */
static void put_sender(struct msghdr *msg)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	socklen_t room = msg->msg_namelen < sizeof(kernel) ? msg->msg_namelen : sizeof(kernel);

	if (!msg->msg_name)
		return;
	memcpy(msg->msg_name, &kernel, room);
	msg->msg_namelen = sizeof(kernel);
}

static ssize_t result(long n)
{
	if (n >= 0)
		return n;
	errno = (int)-n;
	return -1;
}

/* Reads from one of our descriptors what the program reads from its own. */
static ssize_t pass(int from, struct msghdr *msg, int flags)
{
	struct msghdr h = { .msg_iov = msg->msg_iov, .msg_iovlen = msg->msg_iovlen };
	long n = sys(SYS_recvmsg, from, &h, (flags & (MSG_PEEK | MSG_TRUNC)) | MSG_DONTWAIT);

	if (n < 0)
		return result(n);
	put_sender(msg);
	msg->msg_controllen = 0;
	msg->msg_flags = h.msg_flags & MSG_TRUNC;
	return n;
}

/* The kernel's DONE, which is next, with an error in it. */
static ssize_t pass_lost(struct talk *t, int fd, struct msghdr *msg, int flags)
{
	struct head h;
	long n = sys(SYS_recvfrom, fd, &h, sizeof(h), (flags & MSG_PEEK) | MSG_DONTWAIT, NULL, NULL);
	size_t put;

	if (n < (long)DONE_LEN)
		return result(n < 0 ? n : -EIO);
	h.error = -ECONNRESET;
	put = scatter(msg, &h, DONE_LEN);
	put_sender(msg);
	msg->msg_controllen = 0;
	msg->msg_flags = put < DONE_LEN ? MSG_TRUNC : 0;
	if (!(flags & MSG_PEEK))
		t->waiting = IDLE;
	return flags & MSG_TRUNC ? (ssize_t)DONE_LEN : (ssize_t)put;
}

/* The kernel's part of a dump is read. Returns whether *r is the result. */
static bool serve_dump(struct talk *t, int fd, const struct head *done, struct msghdr *msg, int flags, ssize_t *r)
{
	struct head h;

	/* A kernel that has no such table is asked for it in another way: of /proc/net/raw, where the stack's are too. */
	if (done->error) {
		line_close(&t->host);
		t->waiting = IDLE;
		return false;
	}
	if (!peek_host(t, &h)) {
		line_close(&t->host);
		t->waiting = LOST;
		*r = pass_lost(t, fd, msg, flags);
		return true;
	}
	if (h.nlh.nlmsg_type == NLMSG_DONE || h.nlh.nlmsg_type == NLMSG_ERROR) {
		drop(t->host.fd);
		t->waiting = IDLE;
		return false;
	}
	*r = pass(t->host.fd, msg, flags);
	return true;
}

/* Whether a look-up may mean a socket of the kernel's as well as one of the stack's. */
static bool is_ambiguous(const struct talk *t)
{
	bool v1 = ((const struct nlmsghdr *)t->request)->nlmsg_type == TCPDIAG_GETSOCK;
	size_t at = NLMSG_HDRLEN + (v1 ? offsetof(struct inet_diag_req, id) : offsetof(struct inet_diag_req_v2, id));
	struct inet_diag_sockid id;

	if (t->request_len < at + sizeof(id))
		return false;
	memcpy(&id, t->request + at, sizeof(id));
	return netlink_is_any_cookie(&id);
}

/* The kernel knows no such socket, or perhaps one that is not meant: does the host? */
static bool ask_host(struct talk *t, const struct head *kernel)
{
	struct iovec iov = { t->request, t->request_len };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct head head;

	if (!line_open(&t->host, 0, -1))
		return false;
	if (!tell(t, &h) || !peek_host(t, &head)) {
		line_close(&t->host);
		return false;
	}
	if (kernel->nlh.nlmsg_type == NLMSG_ERROR) {
		if (head.nlh.nlmsg_type != NLMSG_ERROR || !head.error)
			return true;
	} else if (head.nlh.nlmsg_type != NLMSG_ERROR && netlink_is_better(&head, kernel)) {
		return true;
	}
	/* With it goes the acknowledgement. */
	line_close(&t->host);
	return false;
}

/* Whether the host is to be asked, given the kernel's answer. */
static bool is_open(const struct talk *t, const struct head *kernel)
{
	return kernel->nlh.nlmsg_type == NLMSG_ERROR ? kernel->error : is_ambiguous(t);
}

static ssize_t serve_answer(struct talk *t, int fd, const struct head *kernel, struct msghdr *msg, int flags)
{
	struct head h;
	ssize_t r;
	bool last;

	if (!peek_host(t, &h)) {
		line_close(&t->host);
		t->waiting = IDLE;
		return result(-EIO);
	}
	r = pass(t->host.fd, msg, flags);
	if (r < 0 || (flags & MSG_PEEK))
		return r;
	last = !t->ack || h.nlh.nlmsg_type == NLMSG_ERROR;
	/* One of the kernel's goes for each of the host's; but its error is all that there is of it. */
	if (last || kernel->nlh.nlmsg_type != NLMSG_ERROR)
		drop(fd);
	if (last)
		t->waiting = IDLE;
	return r;
}

/* How long a receive waits, -1: for ever. */
static int patience_of(int fd, int flags)
{
	struct timeval tv = { 0 };
	socklen_t len = sizeof(tv);

	if ((flags & MSG_DONTWAIT) || (sys(SYS_fcntl, fd, F_GETFL, 0) & O_NONBLOCK))
		return 0;
	sys(SYS_getsockopt, fd, SOL_SOCKET, SO_RCVTIMEO, &tv, &len);
	return tv.tv_sec || tv.tv_usec ? (int)(tv.tv_sec * 1000 + tv.tv_usec / 1000) : -1;
}

static bool is_bell(const struct head *h)
{
	return h->nlh.nlmsg_type == NLMSG_ERROR && !h->error && h->of.nlmsg_type == NLMSG_NOOP &&
	       h->of.nlmsg_seq == STACK_DIAG_BELL;
}

/* An event of the host's. False: there is none. */
static bool pass_event(struct talk *t, struct msghdr *msg, int flags, ssize_t *r)
{
	if (t->events.fd < 0 || cookie_of(t->events.fd) != t->events.cookie)
		return false;
	*r = pass(t->events.fd, msg, flags);
	if (*r > 0)
		return true;
	/* The host has gone; the kernel has not. */
	if (*r == 0 || errno != EAGAIN)
		line_close(&t->events);
	return false;
}

/* The bell is next, and stands for an event. False: for one that was read before it rang, so that it is gone. */
static bool serve_bell(struct talk *t, int fd, struct msghdr *msg, int flags, ssize_t *r)
{
	bool served = pass_event(t, msg, flags, r);

	if (!served || !(flags & MSG_PEEK))
		drop(fd);
	return served;
}

/* An event, from whichever of the two has one first. */
static bool receive_event(struct talk *t, int fd, struct msghdr *msg, int flags, ssize_t *r)
{
	int ms = patience_of(fd, flags);
	/* The rest of the time is kept there by the kernel. */
	struct timespec patience = { ms / 1000, ms % 1000 * 1000000 };
	struct head h;

	for (;;) {
		struct pollfd p[2] = { { .fd = fd, .events = POLLIN }, { .fd = t->events.fd, .events = POLLIN } };
		long n = sys(SYS_ppoll, p, 2, ms < 0 ? NULL : &patience, NULL, 0);

		if (n == -EINTR || (n == 0 && ms > 0)) {
			*r = result(n ? n : -EAGAIN);
			return true;
		}
		if (n <= 0)
			return false;
		if (p[0].revents == POLLIN && peek(fd, MSG_DONTWAIT, &h) && is_bell(&h)) {
			if (serve_bell(t, fd, msg, flags, r))
				return true;
			continue;
		}
		if (p[0].revents || pass_event(t, msg, flags, r))
			return !p[0].revents;
	}
}

bool netlink_receive(int fd, struct msghdr *msg, int flags, ssize_t *r)
{
	struct talk *t = talk_of(fd, false);
	struct head h;

	if (!t || (flags & (MSG_ERRQUEUE | MSG_OOB)))
		return false;
	if (t->waiting == IDLE)
		return t->events.fd >= 0 && receive_event(t, fd, msg, flags, r);
	/* What fails here fails again when the program's own call is made. */
	do {
		if (!peek(fd, flags & MSG_DONTWAIT, &h))
			return false;
		if (is_bell(&h) && serve_bell(t, fd, msg, flags, r))
			return true;
	} while (is_bell(&h));
	if (h.nlh.nlmsg_seq != t->seq)
		return false;
	switch (t->waiting) {
	case LOST:
		*r = pass_lost(t, fd, msg, flags);
		return true;
	case DUMP:
		if (h.nlh.nlmsg_type == NLMSG_DONE)
			return serve_dump(t, fd, &h, msg, flags, r);
		if (h.nlh.nlmsg_type != NLMSG_ERROR)
			return false;
		/* The kernel refuses it: the host does too, and need not say so. */
		line_close(&t->host);
		break;
	case EXACT:
		if (!is_open(t, &h) || !ask_host(t, &h))
			break;
		t->waiting = ANSWERING;
		/* fall through */
	case ANSWERING:
		*r = serve_answer(t, fd, &h, msg, flags);
		return true;
	case IDLE:
		break;
	}
	t->waiting = IDLE;
	return false;
}

void netlink_joined(int fd, uint32_t groups)
{
	struct talk *t = groups ? talk_of(fd, true) : NULL;

	if (!t || (t->groups & groups) == groups)
		return;
	t->groups |= groups;
	line_close(&t->events);
	line_open(&t->events, t->groups, fd);
}

/* Until the host has let go of the bell, the port id is not free. */
static void wait_for_end(const struct line *l)
{
	struct pollfd p = { .fd = l->fd, .events = POLLRDHUP };
	struct timespec patience = { NETLINK_PATIENCE_MS / 1000, 0 };

	if (l->fd < 0 || cookie_of(l->fd) != l->cookie)
		return;
	sys(SYS_shutdown, l->fd, SHUT_WR);
	while (sys(SYS_ppoll, &p, 1, &patience, NULL, 0) == -EINTR)
		;
}

void netlink_closing(int fd)
{
	struct talk *t = talk_of(fd, false);

	if (!t)
		return;
	wait_for_end(&t->events);
	talk_end(t);
}

void netlink_sent_bytes(int fd, const void *buf, size_t len)
{
	struct iovec iov = { (void *)buf, len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	netlink_sent(fd, &msg, len);
}

bool netlink_receive_bytes(int fd, void *buf, size_t len, int flags, struct sockaddr *addr, socklen_t *addrlen,
			   ssize_t *r)
{
	struct iovec iov = { buf, len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (addr && addrlen) {
		msg.msg_name = addr;
		msg.msg_namelen = *addrlen;
	}
	if (!netlink_receive(fd, &msg, flags, r))
		return false;
	if (*r >= 0 && addr && addrlen)
		*addrlen = msg.msg_namelen;
	return true;
}

void netlink_bound(int fd, const struct sockaddr *addr, socklen_t len)
{
	struct sockaddr_nl nl;

	if (len < sizeof(nl))
		return;
	memcpy(&nl, addr, sizeof(nl));
	netlink_joined(fd, nl.nl_groups);
}

void netlink_option(int fd, int level, int option, const void *value, socklen_t len)
{
	uint32_t group;

	if (level != SOL_NETLINK || option != NETLINK_ADD_MEMBERSHIP || len < sizeof(group))
		return;
	memcpy(&group, value, sizeof(group));
	if (group >= 1 && group <= 32)
		netlink_joined(fd, 1u << (group - 1));
}
