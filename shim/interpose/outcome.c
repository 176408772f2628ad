/* outcome.c - what the outcome of a call does to table and statistics. */
#include "interpose/outcome.h"

#include <errno.h>
#include <string.h>

#include "interpose/facts.h"
#include "interpose/redirect.h"
#include "run/sys.h"

static void set_flags(struct run_socket *s, uint32_t set, uint32_t clear)
{
	if (clear)
		__atomic_fetch_and(&s->flags, ~clear, __ATOMIC_RELAXED);
	if (set)
		__atomic_fetch_or(&s->flags, set, __ATOMIC_RELAXED);
}

static void set_err(struct run_socket *s, int err)
{
	__atomic_store_n(&s->err, err, __ATOMIC_RELAXED);
}

/* One of the two addresses of s, as `flag` says which. */
static void set_addr(struct run_socket *s, uint32_t flag, const struct sockaddr *addr, socklen_t len)
{
	struct run_addr *to = flag == RUN_SOCK_PEER ? &s->peer : &s->local;

	if (!addr || len < sizeof(addr->sa_family))
		return;
	if (len > sizeof(to->data))
		len = sizeof(to->data);
	memcpy(to->data, addr, len);
	to->len = (uint8_t)len;
	if (!(__atomic_load_n(&s->flags, __ATOMIC_RELAXED) & flag))
		set_flags(s, flag, 0);
}

struct run_stat *outcome_find_stat(sockshim_cookie cookie)
{
	struct run_stat *st;

	hook_alive();	/* in a child that was forked while the call was made */
	st = run_stat(hook.tab.stats, cookie);
	__atomic_store_n(hook_last_stat(cookie), st, __ATOMIC_RELAXED);
	return st;
}

void outcome_more(struct run_socket *s)
{
	if (run_stat_noted_much(s))
		socktab_take(&hook.tab, s);
	if (hook_times())
		s->opened_ticks = run_clock_counter();
}

bool outcome_undo(struct run_socket *s, int fd)
{
	if (hook_is_alive())
		return false;
	run_stat_unnote(&s->opened);
	socktab_detached_remove(&hook.tab, fd);
	return true;
}

struct run_socket *outcome_opened(int fd, sockshim_cookie cookie, const void *pc, enum run_count count, uint32_t flags)
{
	sockshim_cookie stale;
	struct run_socket *s;

	hook_alive();	/* in a child that was forked while the call was made */
	outcome_count(cookie, count, hook_alone());
	s = hook.unusual & (HOOK_BACKTRACES | HOOK_STACK) ? NULL : socktab_enter_apart(&hook.tab, fd, cookie, flags, pc);
	if (LIKELY(s)) {
		s->opened_ticks = hook_times() ? run_clock_ticks() : 0;
		if (UNLIKELY(!site_is_noted(pc)))
			site_note_module(pc);
		return s;
	}
	s = socktab_add(&hook.tab, fd, cookie, flags, &stale);
	if (UNLIKELY(stale))
		outcome_count(stale, RUN_CLOSED, hook_alone());
	if (UNLIKELY(!s)) {
		if (hook.run.file)
			__atomic_fetch_add(&hook.run.file->sockets_untracked, 1, __ATOMIC_RELAXED);
		return NULL;
	}
	s->opener = (uint64_t)(uintptr_t)pc;
	if (UNLIKELY(hook_times()))
		s->opened_ticks = run_clock_ticks();
	site_note(s, pc);
	redirect_enter(fd, s);
	return s;
}

void outcome_connected(struct run_socket *s)
{
	uint32_t before = __atomic_load_n(&s->flags, __ATOMIC_RELAXED);

	if ((before & (RUN_SOCK_CONNECTED | RUN_SOCK_PENDING)) == RUN_SOCK_CONNECTED)
		return;
	before = __atomic_fetch_or(&s->flags, RUN_SOCK_CONNECTED, __ATOMIC_RELAXED);
	if (before & RUN_SOCK_PENDING)
		set_flags(s, 0, RUN_SOCK_PENDING);
	if (!(before & RUN_SOCK_CONNECTED))
		outcome_count(s->cookie, RUN_CONNECTED, hook_alone());
}

void outcome_connect(struct run_socket *s, int err, const struct sockaddr *addr, socklen_t len)
{
	set_err(s, err);
	switch (err) {
	case 0:
		set_addr(s, RUN_SOCK_PEER, addr, len);
		/* connect to AF_UNSPEC dissolves an association. */
		if (addr && len >= sizeof(addr->sa_family) && addr->sa_family != AF_UNSPEC)
			outcome_connected(s);
		break;
	case EINPROGRESS:
	case EINTR:
		set_addr(s, RUN_SOCK_PEER, addr, len);
		set_flags(s, RUN_SOCK_PENDING, 0);
		break;
	case EALREADY:
		break;
	case EISCONN:
		if (s->flags & RUN_SOCK_PENDING) {
			outcome_connected(s);
			break;
		}
		/* fall through */
	default:
		set_flags(s, 0, RUN_SOCK_PENDING);
		outcome_count(s->cookie, RUN_CONNECT_FAILED, hook_alone());
	}
}

void outcome_so_error(struct run_socket *s, int value)
{
	__atomic_store_n(&s->socket_err, value, __ATOMIC_RELAXED);
	if (!(s->flags & RUN_SOCK_PENDING))
		return;
	if (value == 0 || value == EISCONN) {
		outcome_connected(s);
	} else {
		set_flags(s, 0, RUN_SOCK_PENDING);
		outcome_count(s->cookie, RUN_CONNECT_FAILED, hook_alone());
	}
}

void outcome_io_failed(struct run_socket *s, int err)
{
	if (!(s->flags & RUN_SOCK_PENDING))
		return;
	switch (err) {
	case ECONNREFUSED:
	case ECONNRESET:
	case ECONNABORTED:
	case ETIMEDOUT:
	case ENETUNREACH:
	case EHOSTUNREACH:
	case EHOSTDOWN:
	case ENETDOWN:
		outcome_so_error(s, err);
		break;
	default:
		break;
	}
}

static bool without_port(const struct sockaddr *addr, socklen_t len)
{
	return len >= sizeof(struct sockaddr_in) && (addr->sa_family == AF_INET || addr->sa_family == AF_INET6) &&
	       ((const struct sockaddr_in *)addr)->sin_port == 0;
}

void outcome_bind(int fd, struct run_socket *s, int err, const struct sockaddr *addr, socklen_t len)
{
	struct sockaddr_storage chosen;

	set_err(s, err);
	if (err)
		return;
	set_addr(s, RUN_SOCK_LOCAL, addr, len);
	if (without_port(addr, len)) {
		facts_name(fd, s, false, &chosen, &len);
		set_addr(s, RUN_SOCK_LOCAL, (struct sockaddr *)&chosen, len);
	}
}

void outcome_listen(struct run_socket *s, int err)
{
	set_err(s, err);
	if (!err)
		set_flags(s, RUN_SOCK_LISTENING, 0);
	outcome_count(s->cookie, err ? RUN_LISTEN_FAILED : RUN_LISTENED, hook_alone());
}

void outcome_accepted(struct run_socket *s, int fd, const struct sockaddr *addr, const socklen_t *len,
		      const void *pc, int flags, bool shortest)
{
	uint32_t named = __atomic_load_n(&s->flags, __ATOMIC_RELAXED) & RUN_SOCK_LOCAL;
	uint32_t all = RUN_SOCK_ACCEPTED | RUN_SOCK_CONNECTED | outcome_type_flags(flags);
	struct run_socket *ns = shortest ? outcome_enter_again(fd, s->cookie, all, pc) : NULL;

	if (LIKELY(ns)) {
		outcome_count(s->cookie, RUN_ACCEPTED, true);
		if (UNLIKELY(run_stat_noted_much(ns)) || UNLIKELY(hook_times()))
			outcome_more(ns);
	} else {
		ns = outcome_opened(fd, s->cookie, pc, RUN_ACCEPTED, all);
	}
	if (!ns)
		return;
	if (named) {
		ns->local = s->local;
		set_flags(ns, RUN_SOCK_LOCAL, 0);
	}
	if (addr && len)
		set_addr(ns, RUN_SOCK_PEER, addr, *len);
}

void outcome_closed(sockshim_cookie cookie, int err)
{
	if (cookie)
		outcome_count(cookie, err ? RUN_CLOSE_FAILED : RUN_CLOSED, hook_alone());
}

void outcome_dup_socket(int from, int to)
{
	sockshim_cookie dropped;

	if (hook_vforked)
		return;
	if (UNLIKELY(!hook_is_alive()) && hook_detached()) {
		socktab_detached_dup(&hook.tab, from, to);
		return;
	}
	if (socktab_dup(&hook.tab, from, to, &dropped))
		outcome_closed(dropped, 0);
}

void outcome_rights(const struct msghdr *msg)
{
	if (!msg->msg_control || msg->msg_controllen < sizeof(struct cmsghdr))
		return;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = sys_cmsg_next(msg, c)) {
		size_t n = c->cmsg_len >= CMSG_LEN(0) ? (c->cmsg_len - CMSG_LEN(0)) / sizeof(int) : 0;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
			socktab_set_unknown(&hook.tab, fd);
		}
	}
}
