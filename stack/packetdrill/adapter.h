/*
 * The adapter: a stack on a channel link, as packetdrill's shared-object interface wants it.
 *
 * Time is virtual. It starts at the wall clock's and moves when packetdrill waits: in usleep() by what it
 * asks for, in netdev_receive() to the next packet, in gettimeofday() by a microsecond (packetdrill spins
 * on it). So a script takes no longer than its packets, and nothing the machine does shows in it.
 *
 * packetdrill makes calls that a script expects to block on a second thread, which must sleep in the
 * kernel meanwhile: it waits on @changed. When the stack makes such a call ready, time stands still until
 * the thread has come back and asked what time it is. A call that blocks on the first thread lets time
 * pass itself; so does one on the second if for a while nobody else calls.
 *
 * Descriptors are real ones (of eventfds), because packetdrill closes what a script left open itself.
 */
#ifndef STACK_PACKETDRILL_ADAPTER_H
#define STACK_PACKETDRILL_ADAPTER_H

#include <pthread.h>

#include "netstack.h"
#include "packetdrill/table.h"

enum { PD_MAX_FD = 1024, PD_MAX_STAMPS = 64 };

enum pd_kind { PD_SOCKET, PD_EPOLL };

/** struct pd_stamped - a write whose times are wanted; @end: its position in all that was written */
struct pd_stamped {
	uint64_t end;
	bool sent;
};

/** struct pd_stamp - a time to be told: @what is SCM_TSTAMP_* */
struct pd_stamp {
	uint32_t what, key;
	int64_t at_ns;
};

/**
 * struct pd_file - what a descriptor stands for
 * @items: epoll: what it watches; socket: who watches it (struct pd_item)
 * @inq:   TCP_INQ: recvmsg() tells how much is left
 * @rcv_timeout_ns, @snd_timeout_ns: SO_RCVTIMEO, SO_SNDTIMEO; 0 none
 * @port_min, @port_max: IP_LOCAL_PORT_RANGE, 0 none
 * @refs:  the table's and those of calls under way: a call on another thread may outlive close()
 */
struct pd_file {
	enum pd_kind kind;
	int fd, domain, type, protocol, mark;
	bool nonblock, listening, inq;
	struct endpoint *ep;
	struct list items;
	int64_t rcv_timeout_ns, snd_timeout_ns;
	uint16_t port_min, port_max;
	struct pd_zerocopy {		/* @ends of @pending sends, as positions in what was @written; then
					 * numbers @first and on, @unread of them, that were acknowledged */
		bool enabled;
		uint64_t written, *ends;
		size_t pending;
		uint32_t first, unread;
	} zc;
	struct {			/* SO_TIMESTAMPING, keys counted from @base */
		uint32_t flags;
		uint64_t base;
		int pending, queued;
		struct pd_stamped writes[PD_MAX_STAMPS];
		struct pd_stamp queue[PD_MAX_STAMPS];
	} ts;
	int refs;
};

/**
 * struct pd_sleeper - a call that waits
 * @ready: what it waits for has come
 * @deadline_ns: CLOCK_NEVER for none
 */
struct pd_sleeper {
	struct list node;
	int64_t deadline_ns;
	bool ready;
};

/** struct pd_packet - a packet that left the stack, and when */
struct pd_packet {
	struct list node;
	struct pkt *pkt;
	int64_t at_ns;
};

/**
 * struct pd - the adapter; everything under @lock
 * @changed:  a sleeper may be ready, or one has settled
 * @settling: woken calls whose threads have not asked for the time yet
 * @settled_tid: the thread that just has, and may still note what its call returned; 0: none
 * @calls:    counts calls, so that a sleeper sees whether packetdrill is still at it
 */
struct pd {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_t first_thread;
	struct stack *stack;
	struct link *link;
	int64_t now_ns;			/* since the epoch */
	struct list sent;		/* struct pd_packet */
	struct list sleepers;
	int settling;
	pid_t settled_tid;
	uint64_t calls;
	bool errors;			/* some socket has asked for messages in its error queue */
	struct pd_file *files[PD_MAX_FD];
	struct pd_limits {
		int64_t rmem_max, wmem_max;
	} limits;
};

/** pd_current - there is one: for calls that come without the table's @userdata */
extern struct pd *pd_current;

/** pd_enter(), pd_leave() - around every call; pd_leave() also runs what is due, and keeps errno */
struct pd *pd_enter(void *userdata);
void pd_leave(struct pd *pd);

/* clock.c */

/** pd_run() - let the stack do what is due now, and note what it sent */
void pd_run(struct pd *pd);

/** pd_advance() - let time pass until @to_ns */
void pd_advance(struct pd *pd, int64_t to_ns);

/** pd_settle() - wait for the calls that may go on, and let the stack do what they brought */
void pd_settle(struct pd *pd);

/** pd_step() - let time pass until the next timer or deadline, @limit_ns at most; false if that is
 * where it ended without any */
bool pd_step(struct pd *pd, int64_t limit_ns);

/** pd_sleep() - wait until @s is ready or its deadline has come; false if neither can ever be */
bool pd_sleep(struct pd *pd, struct pd_sleeper *s);

/** pd_settled() - this thread asks for the time: its call is over */
void pd_settled(struct pd *pd);

/* file.c */
int pd_file_new(struct pd *pd, enum pd_kind kind, struct pd_file **out);

/** pd_file_get() - the file, with a reference; NULL and EBADF. pd_socket_get(): ENOTSOCK too */
struct pd_file *pd_file_get(struct pd *pd, int fd);
struct pd_file *pd_socket_get(struct pd *pd, int fd);
void pd_file_put(struct pd_file *f);

/** pd_fail() - sets errno from the stack's error; -1 */
int pd_fail(enum ns_err err);
int pd_errno(int err);

bool pd_addr_in(const struct pd_file *f, const struct sockaddr *sa, socklen_t len,
		struct full_addr *out);
void pd_addr_out(const struct pd_file *f, const struct full_addr *a, struct sockaddr *sa,
		 socklen_t *len);

/** pd_wait_for() - wait for @events of @f; 0, or -1 with EAGAIN when @timeout_ns (0 none) is over */
int pd_wait_for(struct pd *pd, struct pd_file *f, uint32_t events, int64_t timeout_ns);

/** pd_await_connect() - a connect under way: until it has succeeded or failed */
int pd_await_connect(struct pd *pd, struct pd_file *f);

int pd_close(void *u, int fd);
int pd_socket(void *u, int domain, int type, int protocol);
int pd_bind(void *u, int fd, const struct sockaddr *sa, socklen_t len);
int pd_listen(void *u, int fd, int backlog);
int pd_accept(void *u, int fd, struct sockaddr *sa, socklen_t *len);
int pd_connect(void *u, int fd, const struct sockaddr *sa, socklen_t len);
int pd_shutdown(void *u, int fd, int how);

/* io.c */
ssize_t pd_read(void *u, int fd, void *buf, size_t n);
ssize_t pd_readv(void *u, int fd, const struct iovec *iov, int cnt);
ssize_t pd_recv(void *u, int fd, void *buf, size_t n, int flags);
ssize_t pd_recvfrom(void *u, int fd, void *buf, size_t n, int flags, struct sockaddr *sa,
		    socklen_t *len);
ssize_t pd_recvmsg(void *u, int fd, struct msghdr *msg, int flags);
ssize_t pd_write(void *u, int fd, const void *buf, size_t n);
ssize_t pd_writev(void *u, int fd, const struct iovec *iov, int cnt);
ssize_t pd_send(void *u, int fd, const void *buf, size_t n, int flags);
ssize_t pd_sendto(void *u, int fd, const void *buf, size_t n, int flags, const struct sockaddr *sa,
		  socklen_t len);
ssize_t pd_sendmsg(void *u, int fd, const struct msghdr *msg, int flags);
int pd_pipe(void *u, int fds[2]);
ssize_t pd_splice(void *u, int in, loff_t *off_in, int out, loff_t *off_out, size_t n, unsigned flags);
ssize_t pd_sendfile(int out, int in, off_t *off, size_t n);

/* opt.c */
int pd_getsockopt(void *u, int fd, int level, int name, void *val, socklen_t *len);
int pd_setsockopt(void *u, int fd, int level, int name, const void *val, socklen_t len);
int pd_fcntl(void *u, int fd, int cmd, ...);
int pd_ioctl(void *u, int fd, unsigned long req, ...);

/* poll.c */
int pd_poll(void *u, struct pollfd *fds, nfds_t n, int timeout_ms);
int pd_epoll_create(void *u, int size);
int pd_epoll_ctl(void *u, int epfd, int op, int fd, struct epoll_event *ev);
int pd_epoll_wait(void *u, int epfd, struct epoll_event *evs, int max, int timeout_ms);

/** pd_epoll_forget() - @f is closed: nobody watches it any more, and it watches nobody */
void pd_epoll_forget(struct pd_file *f);

/** pd_epoll_error() - there is something new in @f's error queue */
void pd_epoll_error(struct pd_file *f);

/* zerocopy.c */

/** pd_zerocopy_sent() - a call with MSG_ZEROCOPY is done, its bytes counted as written */
void pd_zerocopy_sent(struct pd_file *f);

/** pd_zerocopy_run() - look what was acknowledged meanwhile */
void pd_zerocopy_run(struct pd *pd);

/** pd_zerocopy_report() - the message for MSG_ERRQUEUE; false if there is none */
bool pd_zerocopy_report(struct pd_file *f, struct msghdr *msg);

/* timestamp.c: likewise for SO_TIMESTAMPING */
void pd_timestamp_set(struct pd *pd, struct pd_file *f, uint32_t flags);
void pd_timestamp_sent(struct pd_file *f);
void pd_timestamp_run(const struct pd *pd, struct pd_file *f);
bool pd_timestamp_report(struct pd_file *f, struct msghdr *msg);

/* sysctl.c */

/** pd_sysctls() - give the stack the machine's settings of TCP, as they are now */
void pd_sysctls(struct pd *pd);

/* redirect.c */

/** pd_redirect() - lead packetdrill's own calls of getsockopt() and sendfile() here; pd_unredirect() - undo it */
void pd_redirect(void);
void pd_unredirect(void);

#endif
