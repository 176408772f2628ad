/* redirect.h - redirected sockets: the calls that are made by the stack host in place of the kernel.
 *
 * Theory of operation. What the program holds is one end of a unix pair whose other end the host has
 * (proto/stack_proto.h). Its entry in the table is marked SOCKTAB_STACK, so wrappers send calls on it the long way,
 * and at the bottom of that, below filters, rules and statistics, libc_call() looks here first. Everything
 * about the socket that the pair does not say itself is on the host's board, or is asked for.
 *
 * A descriptor that came from elsewhere is recognised by SO_PEERCRED (the host made it) and named by
 * SO_COOKIE. Nothing here is locked or allocates, but for name look-ups.
 */
#ifndef SHIM_INTERPOSE_REDIRECT_H
#define SHIM_INTERPOSE_REDIRECT_H

#include "backend/client.h"
#include "interpose/hook.h"

/* A redirected socket that a call is on. */
struct target {
	int fd;
	struct run_socket *s;
	const struct stack_board_entry *e;	/* NULL: the host does not know it any more */
};

/* Makes the call; its result, or -errno. */
typedef long redirect_op(enum call_id id, const struct target *t, const uint64_t *a);

redirect_op redirect_bind, redirect_connect, redirect_listen, redirect_accept, redirect_shutdown, redirect_name,
	redirect_getsockopt, redirect_setsockopt, redirect_ioctl, redirect_send, redirect_recv, redirect_sendfile,
	redirect_many, redirect_wait;

/* The operations for streams and for datagrams behind redirect_send and redirect_recv. `m` is a copy of the program's
 * header; its msg_flags are REDIRECT_OWN if the vector is not the program's, and can be read without a doubt. */
#define REDIRECT_OWN 1

/* Bits of run_socket.stack_flags. */
#define REDIRECT_FAILED		(1u << 31)	/* a datagram socket that has had an error */
#define REDIRECT_RING		(1u << 27)	/* a packet socket whose ring has been mapped */
#define REDIRECT_DOWN		(1u << 26)	/* has told that the host is gone */
#define REDIRECT_WIDENED	(1u << 29)	/* a stream whose pair has been given a larger buffer */
#define REDIRECT_TOLD		(1u << 28)	/* a stream whose connect has waited, and said that it is connected */

long stream_send(const struct target *t, struct msghdr *m, int flags);

/* With MSG_FASTOPEN. */
long stream_send_fastopen(const struct target *t, struct msghdr *m, int flags);
long stream_recv(const struct target *t, struct msghdr *m, int flags);
long dgram_send(const struct target *t, struct msghdr *m, int flags);
long dgram_recv(const struct target *t, struct msghdr *m, int flags);

/* socket(2) in the stack: a descriptor or -errno. */
int redirect_socket(int family, int type, int protocol);

/* Whether a call is to be made by the stack: on a redirected socket, or one that makes one. */
bool redirect_takes(enum call_id id, const struct run_socket *s, const uint64_t *a);

/* The socket as a target. */
struct target redirect_target(int fd, struct run_socket *s);

/* A stream that is neither connected, connecting, listening, nor at the end of a connection. */
bool redirect_is_idle(const struct stack_board_entry *e);

/* Makes it: result as libc has it, errno set. */
long redirect_call(enum call_id id, int fd, struct run_socket *s, const uint64_t *a);

/* Whether socket(2) of a family goes to the stack. */
static inline bool redirect_family(int family)
{
	return UNLIKELY(client.on) && (family == AF_INET || family == AF_INET6 || family == AF_PACKET);
}

static inline bool redirect_is(const struct run_socket *s)
{
	return s && s->stack_cookie;
}

/* Whether a unix descriptor is a redirected socket's; then its cookie goes to *cookie. */
bool redirect_recognize(int fd, sockshim_cookie *cookie);

/* The descriptor that redirect_socket, redirect_accept or redirect_recognize has just come upon has been entered into the
 * table as s: marks it. */
void redirect_enter(int fd, struct run_socket *s);

/* This thread has just got fd, a redirected socket that is still to be entered. */
void redirect_note_fresh(int fd, uint64_t cookie, uint32_t index);

/* The client's `holder`: a descriptor of a redirected socket, or -1. */
int redirect_holder(uint64_t cookie);

/* Nothing but what is asked by reading and writing can be asked from now on: shows the host what is held. */
void redirect_prepare_sandbox(void);

/* -ENETDOWN, of a socket that has become readable for good because its host is gone. Servers ask again at once and write to their
 * log, for ever: the second time it takes a while. */
int redirect_down(struct run_socket *s);

/* After fork, when the table is the child's own. */
void redirect_after_fork(void);

/* A socket is about to be closed. `last`: under its last descriptor. */
void redirect_closing(int fd, const struct run_socket *s, bool last);

/* An RST is to be sent. */
void redirect_abort(int fd, struct run_socket *s);

/* Puts another descriptor in the place of every one that names s, and closes it. cookie 0: it is of the
 * kernel. 0 or -errno. */
int redirect_replace(const struct target *t, int by, uint64_t cookie, uint32_t index);

/* Moves a socket to the kernel: an address that does not go to the stack has come up. 0 or -errno. */
int redirect_to_kernel(const struct target *t);

/* Whether what stands first on a datagram socket's pair is the word that there is an error, and no datagram. With `take` it
 * is taken away. */
bool redirect_is_news(int fd, bool take);

/* The same, and whether nothing is behind it. */
bool redirect_only_news(int fd, bool take);

/* Takes the pending error (SO_ERROR): positive, 0: none. */
int redirect_take_error(const struct target *t);

/* The pending error has been taken. */
void redirect_error_taken(const struct target *t);

/* Asks about t: a request with two words. */
int redirect_ask(const struct target *t, enum stack_op op, int64_t arg0, int64_t arg1);

/* Blocks until a connection attempt has ended, or SO_SNDTIMEO is over (-ETIMEDOUT), or a signal came (-EINTR). */
int redirect_wait_connected(const struct target *t);

/* Waits for what a connection attempt of t, which is `now` (its pair may be another), comes to, and reports it as connect does: 0
 * or -errno; err (-EINPROGRESS, -EALREADY) when SO_SNDTIMEO is over. */
int redirect_finish_connect(const struct target *t, const struct target *now, int err);

/* Whether an address that the program has given is not for the stack. */
bool redirect_is_elsewhere(const struct sockaddr_storage *ss, socklen_t len);

bool redirect_is_stream(const struct run_socket *s);

/* SOCK_RAW, but of packet sockets. */
bool redirect_is_raw(const struct run_socket *s);
bool redirect_nonblocking(int fd);

/* Copies an address from the program; -EFAULT, -EINVAL. */
int redirect_get_addr(void *to, const void *from, int64_t len);
/* Copies one to the program as the kernel does: as much as fits, and its full length. A NULL addr: nothing. */
int redirect_put_addr(void *addr, socklen_t *len, const struct stack_addr *from);

/* epoll: which descriptor an event's data belongs to. */
/* The same for streams that are not connected; and what epoll would say of those that are registered with epfd: how many events,
 * at most `room`, or -EFAULT. Without `events`: whether there are any. */
void redirect_idle_note(int epfd, int op, int fd, const struct run_socket *s, const struct epoll_event *event);
int redirect_idle_events(int epfd, struct epoll_event *events, int room);
void redirect_note_epoll(int epfd, int op, int fd, const struct epoll_event *event);

#endif
