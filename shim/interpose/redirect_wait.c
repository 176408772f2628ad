/* redirect_wait.c - waiting for redirected sockets. The pair's own readiness is right but where TCP or UDP say more: an
 * error, a socket that is not connected, one that listens. The descriptors are looked at before, since what is
 * ready for a reason that the pair does not know would not end the wait, and what was found is put right after.
 */
#include "interpose/redirect_wait.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "interpose/memory.h"
#include "interpose/redirect_bell.h"
#include "interpose/redirect_ring.h"
#include "run/sys.h"

/* Without SOCKTAB_STACK in the word: NULL. Descriptors that nothing is known of are left so. */
struct run_socket *redirect_socket_at(int fd)
{
	uint64_t ref = socktab_ref(&hook.tab, fd);

	return socktab_is_socket(ref) && (ref & SOCKTAB_STACK) ? hook_object(ref) : NULL;
}

static const struct stack_board_entry *entry_of(const struct run_socket *s)
{
	return board_entry(s->stack_board, s->stack_cookie);
}

static bool has_failed(const struct stack_board_entry *e)
{
	return __atomic_load_n(&e->error, __ATOMIC_ACQUIRE) ||
	       (__atomic_load_n(&e->flags, __ATOMIC_ACQUIRE) & STACK_BOARD_ERRQUEUE);
}

/* Ready at once, without the pair's saying so: tcp_poll() of a socket in TCP_CLOSE, a ring with something in it, a stream with
 * something in its error queue, and a datagram socket with an error, of which the pair has the word at most. */
static bool is_ready(int fd, struct run_socket *s, const struct stack_board_entry *e)
{
	if (UNLIKELY(redirect_has_ring(s)))
		return redirect_ring_ready(fd, s);
	if (!e || !redirect_is_stream(s))
		return e && has_failed(e);
	return redirect_is_idle(e) || (__atomic_load_n(&e->flags, __ATOMIC_ACQUIRE) & STACK_BOARD_ERRQUEUE);
}

static bool is_idle(int fd)
{
	struct run_socket *s = redirect_socket_at(fd);

	return s && is_ready(fd, s, entry_of(s));
}

/* Whether it is ready at once; *deaf is set if it is not, and an error would not end waiting for `events`. */
static bool look(int fd, uint32_t events, bool *deaf)
{
	struct run_socket *s = redirect_socket_at(fd);
	const struct stack_board_entry *e = s ? entry_of(s) : NULL;

	if (!s)
		return false;
	if (is_ready(fd, s, e))
		return true;
	*deaf |= redirect_needs_bell(s, e, events);
	return false;
}

/* Also if it is ready by now, which its bell will say. */
static bool is_deaf(int fd, uint32_t events)
{
	struct run_socket *s = redirect_socket_at(fd);

	return s && redirect_needs_bell(s, entry_of(s), events);
}

/* What poll is to say of a socket. `events`: what was asked for. */
short redirect_put_right(int fd, const struct run_socket *s, short events, short revents)
{
	const struct stack_board_entry *e = entry_of(s);
	bool failed;

	if (!e)
		return revents;
	failed = has_failed(e);
	if (failed)
		revents |= POLLERR;
	if (redirect_has_ring(s))
		return (short)((revents & ~(POLLIN | POLLRDNORM)) |
			       (redirect_ring_ready(fd, s) ? events & (POLLIN | POLLRDNORM) : 0));
	if (!redirect_is_stream(s)) {
		bool suspect = failed || (__atomic_load_n(&s->stack_flags, __ATOMIC_RELAXED) & REDIRECT_FAILED);

		if (suspect && (revents & POLLIN) && redirect_only_news(fd, !failed))
			revents &= (short)~(POLLIN | POLLRDNORM);
		return revents;
	}
	if (redirect_is_idle(e))
		return (short)((revents & POLLERR) | POLLHUP | (events & (POLLOUT | POLLWRNORM)));
	if (board_state(e) == STACK_BOARD_LISTENING)
		return revents & (short)~(POLLOUT | POLLWRNORM | POLLWRBAND);
	/* The host may be in the middle of shutting the pair. */
	if (board_state(e) == STACK_BOARD_CLOSED)
		return (short)(revents | POLLHUP | (events & (POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM | POLLRDHUP)));
	return revents;
}

/* --- poll, ppoll */

#define AT_ONCE 64

/* Whether one of them is idle; *deaf: one is deaf. The array may not be there. */
static bool any_idle(const struct pollfd *fds, nfds_t n, bool *deaf)
{
	struct pollfd copy[AT_ONCE];

	*deaf = false;

	for (nfds_t i = 0; i < n; i += AT_ONCE) {
		nfds_t some = n - i < AT_ONCE ? n - i : AT_ONCE;

		if (!memory_read(copy, fds + i, some * sizeof(*fds)))
			return false;
		for (nfds_t k = 0; k < some; k++) {
			if (copy[k].fd < 0)
				continue;
			if (look(copy[k].fd, (uint16_t)copy[k].events, deaf))
				return true;
		}
	}
	return false;
}

/* poll or ppoll, for no longer than `ns`. */
static long poll_for(enum call_id id, const uint64_t *a, int64_t ns)
{
	struct timespec ts = { ns / 1000000000, ns % 1000000000 };

	if (id == CALL_poll)
		return LIBC(poll)((struct pollfd *)a[0], (nfds_t)a[1], (int)((ns + 999999) / 1000000));
	return LIBC(ppoll)((struct pollfd *)a[0], (nfds_t)a[1], &ts, (const sigset_t *)a[3]);
}

static int64_t now_ns(void)
{
	struct timespec ts;

	sys(SYS_clock_gettime, CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ll + ts.tv_nsec;
}

/* How long poll is to wait, with poll's rounding; INT64_MAX: for ever. False: the call itself will say what is wrong with it. */
static bool poll_limit(enum call_id id, const uint64_t *a, int64_t *ns)
{
	struct timespec ts;

	*ns = INT64_MAX;
	if (id == CALL_poll) {
		*ns = (int)a[2] < 0 ? INT64_MAX : (int)a[2] * 1000000ll;
		return true;
	}
	if (!a[2])
		return true;
	if (!memory_read(&ts, (const void *)a[2], sizeof(ts)) || ts.tv_sec < 0 || ts.tv_nsec < 0 || ts.tv_nsec > 999999999)
		return false;
	if (ts.tv_sec < 1000000000)
		*ns = ts.tv_sec * 1000000000ll + ts.tv_nsec;
	return true;
}

#define BELLS 64	/* that are waited for at once */

/* The bells of those that are deaf, behind them; how many. */
static nfds_t add_bells(const struct pollfd *fds, nfds_t n, struct pollfd *bells)
{
	nfds_t found = 0;

	for (nfds_t i = 0; i < n && found < BELLS; i++) {
		int bell = fds[i].fd >= 0 && is_deaf(fds[i].fd, (uint16_t)fds[i].events) ? redirect_bell(redirect_socket_at(fds[i].fd)) : -1;

		if (bell >= 0)
			bells[found++] = (struct pollfd){ bell, POLLIN, 0 };
	}
	return found;
}

/* poll or ppoll with bells, which are in `all` behind the program's n. As poll; and whether one was rung. */
static long poll_all(enum call_id id, const uint64_t *a, struct pollfd *all, int64_t ns, bool *rung)
{
	struct pollfd *fds = (struct pollfd *)a[0];
	nfds_t n = (nfds_t)a[1], bells = add_bells(all, n, all + n);
	uint64_t words[] = { (uint64_t)all, n + bells, a[2], a[3] };
	long r = ns == INT64_MAX ? libc_call(id, words) : poll_for(id, words, ns);
	int saved = errno;

	for (nfds_t i = n; i < n + bells; i++) {
		r -= r > 0 && all[i].revents;
		*rung |= all[i].revents != 0;
		sys(SYS_close, all[i].fd);
	}
	for (nfds_t i = 0; i < n && r >= 0; i++)
		fds[i].revents = all[i].revents;
	errno = saved;
	return r;
}

/* Waits with bells beside those that the program waits for. */
static long poll_once(enum call_id id, const uint64_t *a, int64_t ns, bool *rung)
{
	struct pollfd some[AT_ONCE + BELLS], *all = some;
	size_t n = (size_t)a[1], bytes = (n + BELLS) * sizeof(*all);
	long r;

	if (n > AT_ONCE) {
		r = sys(SYS_mmap, NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (r < 0 && r > -4096)
			return sys_errno(-ENOMEM);
		all = (struct pollfd *)r;
	}
	r = memory_read(all, (const void *)a[0], n * sizeof(*all)) ? poll_all(id, a, all, ns, rung) : sys_errno(-EFAULT);
	if (all != some)
		sys(SYS_munmap, all, bytes);
	return r;
}

/* An error may have been taken by another before it is looked at: then it is waited on. */
static long poll_deaf(enum call_id id, const uint64_t *a, bool *idle)
{
	int64_t left, end;
	bool deaf, rung;
	long r = poll_for(id, a, 0);

	if (r || !poll_limit(id, a, &left))
		return r ? r : libc_call(id, a);
	if (!left)
		return 0;
	end = left == INT64_MAX ? INT64_MAX : now_ns() + left;
	do {
		rung = false;
		r = poll_once(id, a, left, &rung);
		if (r || !rung)
			return r;
		*idle = any_idle((const struct pollfd *)a[0], (nfds_t)a[1], &deaf);
		left = end == INT64_MAX ? INT64_MAX : end - now_ns();
	} while (!*idle && left > 0);
	return 0;
}

static long poll_fds(enum call_id id, const uint64_t *a)
{
	struct pollfd *fds = (struct pollfd *)a[0];
	nfds_t n = (nfds_t)a[1];
	bool deaf, idle = any_idle(fds, n, &deaf);
	long ready = 0, r;

	if (idle)
		r = poll_for(id, a, 0);
	else
		r = UNLIKELY(deaf) ? poll_deaf(id, a, &idle) : libc_call(id, a);
	if (r < 0)
		return -errno;
	if (r == 0 && !idle)
		return 0;
	for (nfds_t i = 0; i < n; i++) {
		struct run_socket *s = fds[i].fd >= 0 && (fds[i].revents || idle) ? redirect_socket_at(fds[i].fd) : NULL;

		if (s && !(fds[i].revents & POLLNVAL))
			fds[i].revents = redirect_put_right(fds[i].fd, s, fds[i].events, fds[i].revents);
		ready += fds[i].revents != 0;
	}
	return ready;
}

/* --- select, pselect */

struct sets {
	fd_set *user[3], before[3];
	size_t bytes;
};

static bool copy_sets(struct sets *s, int n, const uint64_t *a)
{
	s->bytes = ((size_t)n + 63) / 64 * 8;
	for (int k = 0; k < 3; k++) {
		s->user[k] = (fd_set *)a[1 + k];
		FD_ZERO(&s->before[k]);
		if (s->user[k] && !memory_read(&s->before[k], s->user[k], s->bytes))
			return false;
	}
	return true;
}

/* Whether one of them is idle; *deaf: one is deaf. */
static bool any_idle_in(const struct sets *s, int n, bool *deaf)
{
	*deaf = false;
	for (int fd = 0; fd < n; fd++) {
		bool in = FD_ISSET(fd, &s->before[0]);

		if (!in && !FD_ISSET(fd, &s->before[1]))
			continue;
		if (look(fd, in ? POLLIN : 0, deaf))
			return true;
	}
	return false;
}

/* Sets the bits of idle sockets: hung up or failed, so readable, and writable. Returns how many were not set. */
static long add_idle(struct sets *s, int n)
{
	long added = 0;

	for (int fd = 0; fd < n; fd++) {
		if (!(FD_ISSET(fd, &s->before[0]) || FD_ISSET(fd, &s->before[1])) || !is_idle(fd))
			continue;
		for (int k = 0; k < 2; k++) {
			if (!FD_ISSET(fd, &s->before[k]) || FD_ISSET(fd, s->user[k]))
				continue;
			FD_SET(fd, s->user[k]);
			added++;
		}
	}
	return added;
}

/* The bells of those that are deaf, into the first set; how many. */
static int select_bells(const struct sets *s, int n, fd_set *in, int bells[BELLS], int *top)
{
	int found = 0;

	for (int fd = 0; fd < n && found < BELLS; fd++) {
		bool read = FD_ISSET(fd, &s->before[0]);
		int bell;

		if (!(read || FD_ISSET(fd, &s->before[1])) || !is_deaf(fd, read ? POLLIN : 0))
			continue;
		bell = redirect_bell(redirect_socket_at(fd));
		if (bell >= FD_SETSIZE) {
			sys(SYS_close, bell);
		} else if (bell >= 0) {
			FD_SET(bell, in);
			*top = bell >= *top ? bell + 1 : *top;
			bells[found++] = bell;
		}
	}
	return found;
}

static long call_select(enum call_id id, const uint64_t *a, int n, fd_set *const sets[3], void *limit)
{
	if (id == CALL_select)
		return LIBC(select)(n, sets[0], sets[1], sets[2], limit);
	return LIBC(pselect)(n, sets[0], sets[1], sets[2], limit, (const sigset_t *)a[5]);
}

/* Waits with bells. As select(2), but for what only the board tells; and whether one was rung. */
static long select_once(enum call_id id, const uint64_t *a, const struct sets *s, void *limit, bool *rung)
{
	int n = (int)a[0], top = n, bells[BELLS], count;
	fd_set now[3] = { s->before[0], s->before[1], s->before[2] };
	long r;
	int saved;

	count = select_bells(s, n, &now[0], bells, &top);
	r = call_select(id, a, top, (fd_set *const[]){ &now[0], s->user[1] ? &now[1] : NULL, s->user[2] ? &now[2] : NULL }, limit);
	saved = errno;
	for (int i = 0; i < count; i++) {
		if (r > 0 && FD_ISSET(bells[i], &now[0])) {
			*rung = true;
			r--;
		}
		FD_CLR(bells[i], &now[0]);
		sys(SYS_close, bells[i]);
	}
	for (int k = 0; k < 3 && r >= 0; k++)
		if (s->user[k])
			memcpy(s->user[k], &now[k], s->bytes);
	errno = saved;
	return r;
}

static long select_deaf(enum call_id id, const uint64_t *a, struct sets *s)
{
	struct timespec ts = { 0, 0 };
	int64_t end = INT64_MAX, left;
	void *limit = (void *)a[4];
	bool rung;
	long r;

	if (id == CALL_pselect && limit) {
		if (!memory_read(&ts, limit, sizeof(ts)))
			return -EFAULT;
		if (ts.tv_sec < 0 || ts.tv_nsec < 0 || ts.tv_nsec > 999999999)
			return -EINVAL;
		if (ts.tv_sec < 1000000000)
			end = now_ns() + ts.tv_sec * 1000000000ll + ts.tv_nsec;
		limit = &ts;
	}
	do {
		rung = false;
		r = select_once(id, a, s, limit, &rung);
		if (r < 0)
			return -errno;
		r += rung ? add_idle(s, (int)a[0]) : 0;
		left = end == INT64_MAX ? 0 : end - now_ns();
		if (end != INT64_MAX)
			ts = left > 0 ? (struct timespec){ left / 1000000000, left % 1000000000 } : (struct timespec){ 0, 0 };
	} while (!r && rung);
	return r;
}

static long select_fds(enum call_id id, const uint64_t *a)
{
	int n = (int)a[0];
	struct timeval none = { 0, 0 };
	struct timespec none_ns = { 0, 0 };
	struct sets s;
	bool deaf;
	long r;

	if (n <= 0 || n > FD_SETSIZE || !copy_sets(&s, n, a)) {
		r = libc_call(id, a);
		return r < 0 ? -errno : r;
	}
	if (any_idle_in(&s, n, &deaf)) {
		r = call_select(id, a, n, s.user, id == CALL_select ? (void *)&none : (void *)&none_ns);
		return r < 0 ? -errno : r + add_idle(&s, n);
	}
	if (UNLIKELY(deaf))
		return select_deaf(id, a, &s);
	r = libc_call(id, a);
	return r < 0 ? -errno : r;
}

long redirect_wait(enum call_id id, const struct target *t, const uint64_t *a)
{
	/* A sandbox may allow waiting and nothing else. */
	if (UNLIKELY(hook_sandboxed)) {
		long r = libc_call(id, a);

		return r < 0 ? -errno : r;
	}
	switch (id) {
	case CALL_poll:
	case CALL_ppoll: return poll_fds(id, a);
	case CALL_select:
	case CALL_pselect: return select_fds(id, a);
	default: return redirect_wait_epoll(id, a);
	}
}
