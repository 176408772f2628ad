/* redirect_wait.c - waiting for redirected sockets. The pair's own readiness is right but where TCP or UDP say more: an
 * error, a socket that is not connected, one that listens. The descriptors are looked at before, since what is
 * ready for a reason that the pair does not know would not end the wait, and what was found is put right after.
 */
#include "interpose/redirect_ring.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "interpose/memory.h"
#include "run/sys.h"

/* Without SOCKTAB_STACK in the word: NULL. Descriptors that nothing is known of are left so. */
static struct run_socket *redirected(int fd)
{
	uint64_t ref = socktab_ref(&hook.tab, fd);

	return ref > SOCKTAB_OTHER && (ref & SOCKTAB_STACK) ? hook_object(ref) : NULL;
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

/* Ready at once, without the pair's saying so: tcp_poll() of a socket in TCP_CLOSE, a ring with something in it, and a
 * datagram socket with an error, of which the pair has the word at most. */
static bool is_idle(int fd)
{
	struct run_socket *s = redirected(fd);
	const struct stack_board_entry *e = s ? entry_of(s) : NULL;

	if (UNLIKELY(s && redirect_has_ring(s)))
		return redirect_ring_ready(fd, s);
	return e && (redirect_is_stream(s) ? redirect_is_idle(s, e) : has_failed(e));
}

/* A datagram socket that is waited for, but not for what the word of an error looks like. */
static bool is_deaf(const struct pollfd *p)
{
	struct run_socket *s = p->events & (POLLIN | POLLRDNORM) ? NULL : redirected(p->fd);

	return s && !redirect_is_stream(s);
}

/* What poll is to say of a socket. `events`: what was asked for. */
static short put_right(int fd, const struct run_socket *s, short events, short revents)
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
	if (redirect_is_idle(s, e))
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
			if (is_idle(copy[k].fd))
				return true;
			*deaf |= is_deaf(&copy[k]);
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

/* Waits piece by piece, and looks at the board in between: errors come without waking who does not ask for POLLIN, and asking
 * in his name would not let him sleep while there is something to be read. */
static long poll_deaf(enum call_id id, const uint64_t *a, bool *idle)
{
	enum { PIECE_NS = 5000000 };
	int64_t left, end;
	bool deaf;
	long r;

	if (!poll_limit(id, a, &left))
		return libc_call(id, a);
	end = left == INT64_MAX ? INT64_MAX : now_ns() + left;
	do {
		r = poll_for(id, a, left < PIECE_NS ? left : PIECE_NS);
		if (r)
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
		struct run_socket *s = fds[i].fd >= 0 && (fds[i].revents || idle) ? redirected(fds[i].fd) : NULL;

		if (s && !(fds[i].revents & POLLNVAL))
			fds[i].revents = put_right(fds[i].fd, s, fds[i].events, fds[i].revents);
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

/* Sets the bits of idle sockets: hung up or failed, so readable, and writable. Returns how many were not set. */
static long add_idle(struct sets *s, int n, bool only_look)
{
	long added = 0;

	for (int fd = 0; fd < n; fd++) {
		if (!(FD_ISSET(fd, &s->before[0]) || FD_ISSET(fd, &s->before[1])) || !is_idle(fd))
			continue;
		if (only_look)
			return 1;
		for (int k = 0; k < 2; k++) {
			if (!FD_ISSET(fd, &s->before[k]) || FD_ISSET(fd, s->user[k]))
				continue;
			FD_SET(fd, s->user[k]);
			added++;
		}
	}
	return added;
}

static long select_fds(enum call_id id, const uint64_t *a)
{
	int n = (int)a[0];
	struct timeval none = { 0, 0 };
	struct timespec none_ns = { 0, 0 };
	struct sets s;
	long r;

	if (n <= 0 || n > FD_SETSIZE || !copy_sets(&s, n, a) || !add_idle(&s, n, true)) {
		r = libc_call(id, a);
		return r < 0 ? -errno : r;
	}
	if (id == CALL_select)
		r = LIBC(select)(n, s.user[0], s.user[1], s.user[2], &none);
	else
		r = LIBC(pselect)(n, s.user[0], s.user[1], s.user[2], &none_ns, (const sigset_t *)a[5]);
	return r < 0 ? -errno : r + add_idle(&s, n, false);
}

/* --- epoll: events come with data, and not with the descriptor, so registrations are remembered. */

#define NOTES 1024	/* a power of two */
#define PROBES 8

static struct note {
	uint64_t key;		/* epoll descriptor << 32 | descriptor, plus one; 0: free */
	uint64_t data;
	uint32_t events;
} notes[NOTES];
static uint32_t noted;		/* any at all */

static struct note *first_note(int epfd, uint64_t data)
{
	uint64_t h = (data ^ (uint64_t)(unsigned)epfd << 40) * 0x9e3779b97f4a7c15ull;

	return &notes[h >> 54 & (NOTES - 1)];
}

static uint64_t key_of(int epfd, int fd)
{
	return ((uint64_t)(unsigned)epfd << 32 | (unsigned)fd) + 1;
}

void redirect_note_epoll(int epfd, int op, int fd, const struct epoll_event *event)
{
	uint64_t key = key_of(epfd, fd), data;
	struct run_socket *s = redirected(fd);
	struct note *first;

	if (s)
		redirect_idle_note(epfd, op, fd, s, event);
	/* A changed registration is remembered anew; the old note leads to a descriptor that has other data by then. */
	if (op == EPOLL_CTL_DEL)
		return;
	data = event->data.u64;
	first = first_note(epfd, data);
	__atomic_store_n(&noted, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < PROBES; i++) {
		struct note *p = &notes[(size_t)(first - notes + i) & (NOTES - 1)];
		uint64_t have = __atomic_load_n(&p->key, __ATOMIC_ACQUIRE);

		if (have && have != key && redirected((int)(uint32_t)(have - 1)))
			continue;
		__atomic_store_n(&p->key, 0, __ATOMIC_RELEASE);
		__atomic_store_n(&p->data, data, __ATOMIC_RELEASE);
		__atomic_store_n(&p->events, event->events, __ATOMIC_RELEASE);
		__atomic_store_n(&p->key, key, __ATOMIC_RELEASE);
		return;
	}
}

static int noted_fd(int epfd, uint64_t data, uint32_t *events)
{
	struct note *first = first_note(epfd, data);

	for (int i = 0; i < PROBES; i++) {
		const struct note *p = &notes[(size_t)(first - notes + i) & (NOTES - 1)];
		uint64_t key = __atomic_load_n(&p->key, __ATOMIC_ACQUIRE);

		*events = __atomic_load_n(&p->events, __ATOMIC_ACQUIRE);
		if (key && (int)((key - 1) >> 32) == epfd && __atomic_load_n(&p->data, __ATOMIC_ACQUIRE) == data)
			return (int)(uint32_t)(key - 1);
	}
	return -1;
}

static long wait_epoll(enum call_id id, const uint64_t *a)
{
	struct epoll_event *events = (struct epoll_event *)a[1];
	static const struct timespec zero;
	uint64_t now[] = { a[0], a[1], a[2], id == CALL_epoll_pwait2 ? (uint64_t)&zero : 0, a[4] };
	bool idle = redirect_idle_events((int)a[0], NULL, 0);
	long r = libc_call(id, idle ? now : a), more;

	if (r < 0 || (r == 0 && !idle))
		return r < 0 ? -errno : 0;
	for (long i = 0; i < r && __atomic_load_n(&noted, __ATOMIC_RELAXED); i++) {
		uint32_t asked = 0;
		int fd = noted_fd((int)a[0], events[i].data.u64, &asked);
		struct run_socket *s = fd >= 0 ? redirected(fd) : NULL;

		/* The bits are the same. */
		if (s)
			events[i].events = (uint16_t)put_right(fd, s, (short)asked, (short)events[i].events) |
					   (events[i].events & 0xffff0000);
	}
	if (!idle)
		return r;
	more = redirect_idle_events((int)a[0], events + r, (int)a[2] - (int)r);
	return r ? r + (more > 0 ? more : 0) : more;
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
	default: return wait_epoll(id, a);
	}
}
