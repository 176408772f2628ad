/* sockshim.h - the public interface: switches, filters, cookies, status, statistics.
 *
 * A switch is a point that socket calls pass through. It keeps a table of the sockets made through
 * it, runs filters before and after each call, and counts outcomes per cookie. The semantics are
 * those of Go's net/internal/socktest; what is added to them is said where it is.
 *
 *	struct sockshim_switch *sw;
 *	sockshim_switch_new(&sw);
 *	sockshim_set(sw, SOCKSHIM_CONNECT, refuse, NULL);	// see sockshim_filter below
 *	int fd = sockshim_socket(sw, AF_INET, SOCK_STREAM, 0);
 *	int err = sockshim_connect(sw, fd, addr, len);		// -ECONNREFUSED
 *
 * The preloaded library is one such switch, which a program under it finds with
 *	sw = ((struct sockshim_switch *(*)(void))dlsym(RTLD_DEFAULT, "sockshim_default_switch"))();
 *
 * Errors: functions return 0 (or a descriptor, or a count) on success and a negative errno value
 * otherwise; `errno` itself is left alone. All functions may be called from any thread, and a filter
 * may call back into the switch it is called from.
 */
#ifndef SOCKSHIM_H
#define SOCKSHIM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* A socket's address family, type and protocol as they were given to socket(2):
 * family<<48 | (type & 0xffffffff)<<16 | (protocol & 0xffff). The type keeps SOCK_NONBLOCK and
 * SOCK_CLOEXEC. An accepted socket has its listener's cookie. */
typedef uint64_t sockshim_cookie;

static inline sockshim_cookie sockshim_cookie_make(int family, int type, int protocol)
{
	return (uint64_t)(uint16_t)family << 48 | (uint64_t)(uint32_t)type << 16 | (uint16_t)protocol;
}

static inline int sockshim_cookie_family(sockshim_cookie c) { return (int)(c >> 48); }
static inline int sockshim_cookie_type(sockshim_cookie c) { return (int)(uint32_t)(c >> 16); }
static inline int sockshim_cookie_protocol(sockshim_cookie c) { return (int)(c & 0xffff); }

/* What a filter is for. The first six are socktest's; the others carry the same machine further. */
enum sockshim_filter_type {
	SOCKSHIM_SOCKET,	/* socket, socketpair: runs always, there is no table entry yet */
	SOCKSHIM_CONNECT,
	SOCKSHIM_LISTEN,
	SOCKSHIM_ACCEPT,	/* accept, accept4 */
	SOCKSHIM_GETSOCKOPT_INT,
	SOCKSHIM_CLOSE,
	SOCKSHIM_BIND,
	SOCKSHIM_SHUTDOWN,
	SOCKSHIM_SETSOCKOPT,
	SOCKSHIM_SEND,		/* send, sendto, sendmsg, sendmmsg, write, writev, sendfile */
	SOCKSHIM_RECV,		/* recv, recvfrom, recvmsg, recvmmsg, read, readv */
	SOCKSHIM_POLL,		/* poll, ppoll, select, pselect, epoll_wait, epoll_pwait, epoll_pwait2 */
	SOCKSHIM_RESOLVE,	/* getaddrinfo: runs always, there is no socket */
	SOCKSHIM_FILTER_TYPES
};

/* "socket", "connect", ... "resolve"; NULL for a value that is none. */
const char *sockshim_filter_name(enum sockshim_filter_type t);

/* The status of a socket: what the last call on it returned. */
struct sockshim_status {
	sockshim_cookie cookie;
	int err;	/* errno of the system call, 0 if it succeeded (before the call: 0) */
	int socket_err;	/* what SO_ERROR said, when it was asked for */
};

/* An after-filter sees the outcome of a call and may replace it: a non-zero return (an errno value,
 * positive or negative) becomes the call's result. When it fails a socket or accept that had
 * succeeded, the new descriptor is closed. */
typedef int (*sockshim_after_filter)(const struct sockshim_status *st, void *user);

struct sockshim_after {
	sockshim_after_filter fn;
	void *user;
};

/* A filter runs before a call on a socket that is in the table. A non-zero return (an errno value,
 * positive or negative) cancels the call and becomes its result. To look at the outcome as well it
 * fills in *after (all zero when it is called). `user` is what sockshim_set was given. */
typedef int (*sockshim_filter)(const struct sockshim_status *st, struct sockshim_after *after,
			       void *user);

/* Statistics of all the sockets with one cookie. A call that a filter cancels, or whose after-filter
 * fails, is in none of the first ten but in `injected`, by filter type. */
struct sockshim_stat {
	sockshim_cookie cookie;
	uint64_t opened, connected, listened, accepted, closed;
	uint64_t open_failed, connect_failed, listen_failed, accept_failed, close_failed;
	uint64_t injected[SOCKSHIM_FILTER_TYPES];
};

/* A socket in a switch's table. */
struct sockshim_socket_status {
	int fd;
	struct sockshim_status status;
};

struct sockshim_switch;

/* Makes a switch with no filters. The caller releases it with sockshim_switch_free. -ENOMEM. */
int sockshim_switch_new(struct sockshim_switch **sw);

/* Releases a switch; descriptors made through it stay open. The default switch is never released. */
void sockshim_switch_free(struct sockshim_switch *sw);

/* The preloaded library's own switch, the one that the program's plain socket calls pass through. */
struct sockshim_switch *sockshim_default_switch(void);

/* Deploys filter f for calls of type t in place of the one before; NULL removes it. -EINVAL if t is
 * no filter type. A call in flight in another thread may still finish with the old filter. */
int sockshim_set(struct sockshim_switch *sw, enum sockshim_filter_type t, sockshim_filter f, void *user);

/* The calls. Each wraps the system call of its name: filter, call, after-filter, count. */
int sockshim_socket(struct sockshim_switch *sw, int family, int type, int protocol);
int sockshim_connect(struct sockshim_switch *sw, int fd, const struct sockaddr *addr, socklen_t len);
int sockshim_listen(struct sockshim_switch *sw, int fd, int backlog);
/* addr and len as in accept(2), both may be NULL. */
int sockshim_accept(struct sockshim_switch *sw, int fd, struct sockaddr *addr, socklen_t *len);
int sockshim_accept4(struct sockshim_switch *sw, int fd, struct sockaddr *addr, socklen_t *len, int flags);
int sockshim_close(struct sockshim_switch *sw, int fd);
/* Reads an option that is an int into *value. With SO_ERROR it completes a pending connect. */
int sockshim_getsockopt_int(struct sockshim_switch *sw, int fd, int level, int option, int *value);

/* Copies up to n entries of the table, lowest descriptor first, into out; returns how many there
 * are in all, which may be more than n. */
size_t sockshim_sockets(struct sockshim_switch *sw, struct sockshim_socket_status *out, size_t n);

/* The same for the statistics, one entry per cookie. */
size_t sockshim_stats(struct sockshim_switch *sw, struct sockshim_stat *out, size_t n);

/* Texts. Each writes at most n bytes including the NUL and returns the length of the whole text,
 * as snprintf does.
 *	status	(inet4, stream, tcp): syscallerr=ECONNREFUSED socketerr=<nil>
 *	stat	(inet4, stream, tcp): opened=1 connected=1 listened=0 ... closefailed=0
 *	cookie	(inet4, stream|nonblock, tcp) */
int sockshim_cookie_format(char *buf, size_t n, sockshim_cookie c);
int sockshim_status_format(char *buf, size_t n, const struct sockshim_status *st);
int sockshim_stat_format(char *buf, size_t n, const struct sockshim_stat *st);

/* Closures: a C function that captures values, made into a filter or an after-filter.
 *
 * `fn` has any signature of the grammar in sockshim-rules(5), for example
 *	"(status: ptr, port: u16, name: cstr) -> errno"
 * whose first parameter is the struct sockshim_status *; the others are captured now, from the
 * variable arguments in order (integers narrower than int are passed as int, f32 as double). A cstr is
 * copied; what a ptr or sockaddr points to must live as long as the closure. A second parameter that is
 * called `after: ptr` is not captured: it is the struct sockshim_after * of a filter, NULL in an
 * after-filter. A result that is not errno lets the call pass. */
struct sockshim_closure;

/* -EINVAL: the signature is wrong; -ENOMEM; -ENOSYS: no executable memory is to be had here. */
int sockshim_closure_new(struct sockshim_closure **c, void (*fn)(void), const char *signature, ...);
void sockshim_closure_free(struct sockshim_closure *c);
/* The closure as an after-filter, to be put in struct sockshim_after (user is not used), and as a
 * filter. Valid until the closure is freed. */
sockshim_after_filter sockshim_closure_after(struct sockshim_closure *c);
sockshim_filter sockshim_closure_filter(struct sockshim_closure *c);

/* What the program asks the kernel about sockets (sock_diag, /proc/net) is from now on answered by the kernel
 * alone, also if it has a stack: for programs that ask the stack themselves. */
void sockshim_kernel_alone(void);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
