/* redirect_move.c - moving a socket from the stack to the kernel, when an address shows that it is meant for there
 * (--only, --except): a socket of the kernel's takes the pair's place under all its descriptors, with the options that
 * it had been given. */
#include "interpose/redirect.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <string.h>

#include "run/sys.h"

/* What programs set before they connect or bind. Sizes of buffers are left to the kernel. */
static const struct {
	int level, option;
} carried[] = {
	{ SOL_SOCKET, SO_REUSEADDR }, { SOL_SOCKET, SO_REUSEPORT }, { SOL_SOCKET, SO_KEEPALIVE },
	{ SOL_SOCKET, SO_BROADCAST }, { SOL_SOCKET, SO_OOBINLINE }, { SOL_SOCKET, SO_TIMESTAMP },
	{ SOL_SOCKET, SO_TIMESTAMPNS }, { SOL_SOCKET, SO_TIMESTAMPING }, { SOL_SOCKET, SO_RCVLOWAT },
	{ IPPROTO_TCP, TCP_NODELAY }, { IPPROTO_TCP, TCP_CORK }, { IPPROTO_TCP, TCP_KEEPIDLE },
	{ IPPROTO_TCP, TCP_KEEPINTVL }, { IPPROTO_TCP, TCP_KEEPCNT }, { IPPROTO_TCP, TCP_USER_TIMEOUT },
	{ IPPROTO_TCP, TCP_DEFER_ACCEPT },
	{ IPPROTO_IP, IP_TOS }, { IPPROTO_IP, IP_PKTINFO }, { IPPROTO_IP, IP_RECVTTL }, { IPPROTO_IP, IP_RECVTOS },
	{ IPPROTO_IP, IP_RECVERR }, { IPPROTO_IP, IP_MULTICAST_TTL }, { IPPROTO_IP, IP_MULTICAST_LOOP },
	{ IPPROTO_IPV6, IPV6_V6ONLY }, { IPPROTO_IPV6, IPV6_TCLASS }, { IPPROTO_IPV6, IPV6_RECVPKTINFO },
	{ IPPROTO_IPV6, IPV6_RECVHOPLIMIT }, { IPPROTO_IPV6, IPV6_RECVTCLASS }, { IPPROTO_IPV6, IPV6_RECVERR },
};

static void carry(const struct target *t, int to, int level, int option)
{
	int v = 0, fresh = 0;
	socklen_t len = sizeof(fresh);
	struct client_request q = { .op = STACK_OP_GETOPT, .cookie = t->s->stack_cookie, .out = &v, .room = sizeof(v),
				    .arg = { level, option, sizeof(v) } };

	if (client_ask(&q) != 0 || q.out_len != sizeof(v))
		return;
	if (sys(SYS_getsockopt, to, level, option, &fresh, &len) == 0 && fresh != v)
		sys(SYS_setsockopt, to, level, option, &v, sizeof(v));
}

static void carry_bytes(int from, int to, int option, size_t n)
{
	uint8_t value[32];
	socklen_t len = (socklen_t)n;

	if (sys(SYS_getsockopt, from, SOL_SOCKET, option, value, &len) == 0)
		sys(SYS_setsockopt, to, SOL_SOCKET, option, value, len);
}

static bool fits(int level, int family, bool stream)
{
	return level == SOL_SOCKET || (level == IPPROTO_TCP && stream) || level == IPPROTO_IP ||
	       (level == IPPROTO_IPV6 && family == AF_INET6);
}

int redirect_to_kernel(const struct target *t)
{
	int family = sockshim_cookie_family(t->s->cookie), type = sockshim_cookie_type(t->s->cookie);
	struct client_request q = { .op = STACK_OP_GETOPT, .cookie = t->s->stack_cookie,
				    .arg = { SOL_SOCKET, SO_LINGER, sizeof(struct linger) } };
	struct stack_board_entry e;
	struct linger l = { 0 };
	int fd = (int)sys(SYS_socket, family, (type & ~SOCK_NONBLOCK) | SOCK_CLOEXEC,
			  sockshim_cookie_protocol(t->s->cookie));

	if (fd < 0)
		return fd;
	for (size_t i = 0; i < sizeof(carried) / sizeof(carried[0]); i++)
		if (fits(carried[i].level, family, redirect_is_stream(t->s)))
			carry(t, fd, carried[i].level, carried[i].option);
	q.out = &l;
	q.room = sizeof(l);
	if (client_ask(&q) == 0 && l.l_onoff)
		sys(SYS_setsockopt, fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	carry_bytes(t->fd, fd, SO_RCVTIMEO, sizeof(struct timeval));
	carry_bytes(t->fd, fd, SO_SNDTIMEO, sizeof(struct timeval));
	/* A port that it has been given (on every address: others would have shown where it belongs). */
	if (t->e && board_read(t->e, &e) && (e.flags & STACK_BOARD_BOUND) && e.local.len)
		sys(SYS_bind, fd, e.local.bytes, e.local.len);
	return redirect_replace(t, fd, 0, 0);
}
