/* facts.c - what differs from call to call on the long way. */
#include "interpose/facts.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <time.h>

#include "interpose/memory.h"
#include "interpose/outcome.h"
#include "interpose/netlink.h"
#include "interpose/redirect.h"
#include "interpose/site.h"
#include "run/clock.h"
#include "run/sys.h"

sockshim_cookie facts_cookie(const struct call *c)
{
	return c->id == CALL_socket || c->id == CALL_socketpair ?
		sockshim_cookie_make((int)c->a[0], (int)c->a[1], (int)c->a[2]) : 0;
}

static void copy_addr(struct run_addr *to, const void *from, size_t n)
{
	if (n > sizeof(to->data))
		n = sizeof(to->data);
	to->len = from && n && memory_read(to->data, from, n) ? (uint8_t)n : 0;
}

static void copy_host(struct call *c)
{
	const char *p = (const char *)c->a[0];

	for (size_t i = 0; p && i < sizeof(c->host) - 1; i++)
		if (!memory_read(&c->host[i], p + i, 1) || !c->host[i])
			break;
	memcpy(c->addr.data, c->host, sizeof(c->addr.data) - 1);
	c->addr.len = (uint8_t)strnlen(c->host, sizeof(c->addr.data) - 1);
}

void facts_addr(struct call *c)
{
	struct msghdr m;

	switch (c->id) {
	case CALL_bind:
	case CALL_connect:
		copy_addr(&c->addr, (const void *)c->a[1], (socklen_t)c->a[2]);
		break;
	case CALL_sendto:
		copy_addr(&c->addr, (const void *)c->a[4], (socklen_t)c->a[5]);
		break;
	case CALL_sendmsg:
		if (memory_read(&m, (const void *)c->a[1], sizeof(m)))
			copy_addr(&c->addr, m.msg_name, m.msg_namelen);
		break;
	case CALL_getaddrinfo:
		copy_host(c);
		break;
	default:
		break;
	}
}

static void known_by_stack(const struct run_socket *s, bool peer, struct sockaddr_storage *ss, socklen_t *len)
{
	const struct stack_board_entry *e = board_entry(s->stack_board, s->stack_cookie);
	struct stack_board_entry copy;
	const struct stack_addr *a = peer ? &copy.peer : &copy.local;

	*len = 0;
	if (e && board_read(e, &copy))
		memcpy(ss, a->bytes, *len = a->len);
}

void facts_name(int fd, const struct run_socket *s, bool peer, struct sockaddr_storage *ss, socklen_t *len)
{
	const struct run_addr *known = peer ? &s->peer : &s->local;

	*len = sizeof(*ss);
	if (redirect_is(s))
		known_by_stack(s, peer, ss, len);
	else if (hook_sandboxed)
		memcpy(ss, known->data, *len = s->flags & (peer ? RUN_SOCK_PEER : RUN_SOCK_LOCAL) ? known->len : 0);
	else if (sys(peer ? SYS_getpeername : SYS_getsockname, fd, ss, len) != 0)
		*len = 0;
}

static bool from_site(const struct fault_call *f, const char *module, const char *function)
{
	return site_is(f->pc, module, function);
}

static uint64_t age_ns(void)
{
	return run_clock_ns(CLOCK_BOOTTIME) - hook.run.file->boot_ns;
}

void facts_gather(struct call *c, struct fault_call *f, uint32_t needs)
{
	/* Read by the rules while the call is decided, which the same thread does at once. */
	static __thread struct sockaddr_storage peer, local;
	static __thread char comm[16];

	f->name = call_infos[c->id].name;
	f->has_socket = c->s || c->id == CALL_socket || c->id == CALL_socketpair;
	f->cookie = c->cookie;
	f->host = c->id == CALL_getaddrinfo && c->a[0] ? c->host : NULL;
	f->pc = c->pc;
	f->from_site = from_site;
	if (c->s) {
		f->rx_bytes = __atomic_load_n(&c->s->rx_bytes, __ATOMIC_RELAXED);
		f->tx_bytes = __atomic_load_n(&c->s->tx_bytes, __ATOMIC_RELAXED);
	}
	if (needs & FAULT_NEED_PEER) {
		if (c->addr.len && c->id != CALL_bind && c->id != CALL_getaddrinfo)
			memcpy(&peer, c->addr.data, f->peer_len = c->addr.len);
		else if (c->s)
			facts_name(c->fd, c->s, true, &peer, &f->peer_len);
		f->peer = f->peer_len ? (struct sockaddr *)&peer : NULL;
	}
	if (needs & FAULT_NEED_LOCAL) {
		if (c->addr.len && c->id == CALL_bind)
			memcpy(&local, c->addr.data, f->local_len = c->addr.len);
		else if (c->s)
			facts_name(c->fd, c->s, false, &local, &f->local_len);
		f->local = f->local_len ? (struct sockaddr *)&local : NULL;
	}
	if ((needs & FAULT_NEED_THREAD) && !hook_sandboxed) {
		f->tid = (int)sys(SYS_gettid, 0);
		sys(SYS_prctl, 16 /* PR_GET_NAME */, comm);
		f->thread = comm;
	}
	if (needs & FAULT_NEED_TIME)
		f->age_ns = age_ns();
}

static void buffer_facts(const struct call *c, struct plugin_facts *p)
{
	switch (c->id) {
	case CALL_send: case CALL_sendto: case CALL_recv: case CALL_recvfrom:
		p->flags = (int)c->a[3];
		/* fall through */
	case CALL_write: case CALL_read:
		p->buf = (const void *)c->a[1];
		p->len = c->a[2];
		break;
	case CALL_sendmsg: case CALL_recvmsg:
		p->flags = (int)c->a[2];
		break;
	default:
		break;
	}
}

/* The innermost frame of this thread that is asking a function. A frame that was left by a jump stays
 * here, but what it held is overwritten before long. */
struct asking {
	uint64_t mark;
};

static __thread volatile struct asking *asking;
static __thread uint64_t asked;

/* Whether we are called from inside such a frame: a function that a rule calls may itself make socket calls,
 * which are not asked about. */
static bool inside_asking(void)
{
	volatile struct asking *a = asking;

	return a && (uintptr_t)a > (uintptr_t)__builtin_frame_address(0) && a->mark == asked;
}

static int ask(const struct plugin *p, const struct plugin_facts *f)
{
	volatile struct asking here = { .mark = ++asked };
	int err;

	asking = &here;
	err = plugin_call(p, f);
	asking = NULL;
	return err;
}

int facts_ask(struct call *c, const struct plugin *p)
{
	struct sockaddr_storage ss = { 0 };
	struct plugin_facts f = {
		.fd = c->fd, .call = call_infos[c->id].name, .host = c->host,
		.family = sockshim_cookie_family(c->cookie),
		.type = sockshim_cookie_type(c->cookie) & ~(SOCK_NONBLOCK | SOCK_CLOEXEC),
		.protocol = sockshim_cookie_protocol(c->cookie),
		.result = c->ret, .err = c->err, .program = hook.run.file->program,
		.pid = hook.run.file->pid, .tid = (int)sys(SYS_gettid, 0),
	};

	if (!p || inside_asking())
		return 0;
	if (c->addr.len && c->id != CALL_getaddrinfo)
		memcpy(&ss, c->addr.data, f.addr_len = c->addr.len);
	else if (c->s)
		facts_name(c->fd, c->s, true, &ss, &f.addr_len);
	f.addr = (struct sockaddr *)&ss;
	buffer_facts(c, &f);
	return ask(p, &f);
}

bool facts_failed(const struct call *c)
{
	return c->id == CALL_getaddrinfo ? c->ret != 0 : c->ret == -1;
}

void facts_make(struct call *c)
{
	if (UNLIKELY(redirect_takes(c->id, c->s, c->a)))
		c->ret = redirect_call(c->id, c->fd, c->s, c->a);
	else if (UNLIKELY(c->s && netlink_watched(c->s->cookie)))
		c->ret = netlink_call(c->id, c->fd, c->a);
	else
		c->ret = libc_call(c->id, c->a);
	c->err = !facts_failed(c) ? 0 : c->id == CALL_getaddrinfo ? (int)c->ret : errno;
}

static bool reads_so_error(const struct call *c)
{
	return c->id == CALL_getsockopt && (int)c->a[1] == SOL_SOCKET && (int)c->a[2] == SO_ERROR;
}

int facts_socket_error(const struct call *c)
{
	int v = 0;
	socklen_t n;

	/* Less than an int says nothing. */
	if (reads_so_error(c) && !c->err && memory_read(&n, (const void *)c->a[4], sizeof(n)) && n >= sizeof(v))
		memory_read(&v, (const void *)c->a[3], sizeof(v));
	return v;
}

static void outcome_of_pair(struct call *c)
{
	int fds[2];

	if (c->err) {
		outcome_count(c->cookie, RUN_OPEN_FAILED, hook_alone());
		return;
	}
	if (memory_read(fds, (const void *)c->a[3], sizeof(fds)))
		for (int i = 0; i < 2; i++)
			outcome_opened(fds[i], c->cookie, c->pc, RUN_OPENED,
				       RUN_SOCK_PAIR | RUN_SOCK_CONNECTED | outcome_type_flags((int)c->a[1]));
}

/* The calls that are on a socket. */
static void outcome_on_socket(struct call *c)
{
	struct run_socket *s = c->s;
	const struct sockaddr *addr = (const struct sockaddr *)c->a[1];

	switch (c->id) {
	case CALL_connect:
		outcome_connect(s, c->err, c->err ? NULL : addr, (socklen_t)c->a[2]);
		break;
	case CALL_bind:
		outcome_bind(c->fd, s, c->err, addr, (socklen_t)c->a[2]);
		break;
	case CALL_listen:
		outcome_listen(s, c->err);
		break;
	case CALL_accept:
	case CALL_accept4:
		outcome_accept(s, (int)c->ret, c->err, addr, (const socklen_t *)c->a[2], c->pc,
			       c->id == CALL_accept4 ? (int)c->a[3] : 0, false);
		s = c->err ? NULL : socktab_find(&hook.tab, (int)c->ret);
		if (s && (s->flags & RUN_SOCK_PEER))
			c->addr = s->peer;
		break;
	case CALL_getsockopt:
		if (reads_so_error(c) && !c->err && *(const socklen_t *)c->a[4] >= sizeof(int))
			outcome_so_error(s, facts_socket_error(c));
		break;
	case CALL_getpeername:
		if (!c->err && (s->flags & RUN_SOCK_PENDING))
			outcome_connected(s);
		break;
	case CALL_recvmsg:
		if (!c->err)
			outcome_rights((const struct msghdr *)c->a[1]);
		break;
	case CALL_recvmmsg:
		for (long i = 0; i < c->ret; i++)
			outcome_rights(&((const struct mmsghdr *)c->a[1])[i].msg_hdr);
		break;
	default:
		break;
	}
}

static int recv_flags(const struct call *c)
{
	switch (c->id) {
	case CALL_recv:
	case CALL_recvfrom: return (int)c->a[3];
	case CALL_recvmsg: return (int)c->a[2];
	default: return 0;
	}
}

void facts_outcome(struct call *c)
{
	enum sockshim_filter_type t = call_infos[c->id].filter;

	if (c->id == CALL_socket) {
		if (c->err)
			outcome_count(c->cookie, RUN_OPEN_FAILED, hook_alone());
		else
			outcome_opened((int)c->ret, c->cookie, c->pc, RUN_OPENED,
				       outcome_type_flags((int)c->a[1]));
	} else if (c->id == CALL_socketpair) {
		outcome_of_pair(c);
	} else if (c->id == CALL_close) {
		outcome_closed(c->closing, c->err);
	} else if (c->s) {
		long r = c->err ? -(long)c->err : c->ret;

		if (t == SOCKSHIM_RECV && c->id != CALL_recvmmsg)
			outcome_rx(c->s, r, recv_flags(c), hook_alone());
		else if (t == SOCKSHIM_SEND && c->id != CALL_sendmmsg)
			outcome_tx(c->s, r, hook_alone());
		outcome_on_socket(c);
	}
}

void facts_undo(struct call *c)
{
	int fds[2];

	if (facts_failed(c))
		return;
	if (c->id == CALL_socket || c->id == CALL_accept || c->id == CALL_accept4)
		LIBC(close)((int)c->ret);
	else if (c->id == CALL_socketpair && memory_read(fds, (const void *)c->a[3], sizeof(fds)))
		for (int i = 0; i < 2; i++)
			LIBC(close)(fds[i]);
}
