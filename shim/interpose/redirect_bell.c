/* redirect_bell.c - bells. */
#include "interpose/redirect_bell.h"

#include <errno.h>
#include <poll.h>
#include <time.h>

#include "interpose/redirect_wait.h"
#include "run/sys.h"

#define BELLS_MAX 128

/* Those that are registered. */
static struct registered {
	uint64_t key;		/* epoll_key(); 0: free, EPOLL_KEY_TAKEN: being written */
	uint64_t cookie;	/* which socket that was */
	struct epoll_event event;
	uint32_t id;
} bells[BELLS_MAX];
static uint32_t used;		/* of these, the first so many may be in use */

bool redirect_needs_bell(const struct run_socket *s, const struct stack_board_entry *e, uint32_t events)
{
	if (redirect_is_stream(s))
		return e && (__atomic_load_n(&e->flags, __ATOMIC_ACQUIRE) & (STACK_BOARD_STAMPS | STACK_BOARD_COPIES));
	return !(events & (POLLIN | POLLRDNORM));
}

int redirect_bell(const struct run_socket *s)
{
	struct client_request q = { .op = STACK_OP_BELL, .cookie = s->stack_cookie, .arg = { STACK_BELL_FOR_ALL }, .want_fd = true };
	int err = client_ask(&q);

	return err ? err : q.fd < 0 ? -EMFILE : q.fd;
}

static void silence(uint64_t cookie, uint32_t id)
{
	struct client_request q = { .op = STACK_OP_BELL, .cookie = cookie, .arg = { STACK_BELL_NONE, id } };

	if (id)
		client_ask(&q);
}

/* Takes the registration out; its number, 0: there is none. */
static uint32_t forget(uint64_t key, uint64_t cookie)
{
	for (uint32_t i = 0; i < __atomic_load_n(&used, __ATOMIC_ACQUIRE); i++) {
		struct registered *b = &bells[i];
		uint64_t have = key;
		uint32_t id;

		if (!__atomic_compare_exchange_n(&b->key, &have, EPOLL_KEY_TAKEN, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			continue;
		id = b->cookie == cookie ? b->id : 0;
		__atomic_store_n(&b->key, 0, __ATOMIC_RELEASE);
		return id;
	}
	return 0;
}

static int fd_of(uint64_t key)
{
	return (int)(uint32_t)(key - 1);
}

/* The socket of a registration, as long as it is that. */
static struct run_socket *socket_of(uint64_t key, uint64_t cookie)
{
	struct run_socket *s = redirect_socket_at(fd_of(key));

	return s && s->stack_cookie == cookie ? s : NULL;
}

/* One that is free, or, if there are none, whose socket is no more. */
static struct registered *take_place(void)
{
	for (uint32_t i = 0; i < 2 * BELLS_MAX; i++) {
		struct registered *b = &bells[i % BELLS_MAX];
		uint64_t key = __atomic_load_n(&b->key, __ATOMIC_ACQUIRE);
		uint32_t n = __atomic_load_n(&used, __ATOMIC_RELAXED);

		if (key && (i < BELLS_MAX || key == EPOLL_KEY_TAKEN || socket_of(key, b->cookie)))
			continue;
		if (!__atomic_compare_exchange_n(&b->key, &key, EPOLL_KEY_TAKEN, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			continue;
		while (n <= i && i < BELLS_MAX && !__atomic_compare_exchange_n(&used, &n, i + 1, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
			;
		return b;
	}
	return NULL;
}

/* With `old`, which goes. */
static void hang(int epfd, int fd, const struct run_socket *s, const struct epoll_event *event, uint32_t old)
{
	struct client_request q = { .op = STACK_OP_BELL, .cookie = s->stack_cookie, .arg = { STACK_BELL_OWN, old }, .want_fd = true };
	struct epoll_event e = { .events = EPOLLIN | (event->events & (EPOLLET | EPOLLONESHOT | EPOLLEXCLUSIVE)), .data = event->data };
	struct registered *b = take_place();
	bool done = false;

	if (!b) {
		silence(s->stack_cookie, old);
		return;
	}
	if (client_ask(&q) == 0 && q.fd >= 0) {
		b->cookie = s->stack_cookie;
		b->event = *event;
		b->id = (uint32_t)q.arg[0];
		/* Before it can ring. */
		__atomic_store_n(&b->key, epoll_key(epfd, fd), __ATOMIC_RELEASE);
		done = sys(SYS_epoll_ctl, epfd, EPOLL_CTL_ADD, q.fd, &e) == 0;
		sys(SYS_close, q.fd);
	}
	if (!done)
		__atomic_store_n(&b->key, 0, __ATOMIC_RELEASE);
}

void redirect_bell_note(int epfd, int op, int fd, const struct run_socket *s, const struct epoll_event *event)
{
	const struct stack_board_entry *e = board_entry(s->stack_board, s->stack_cookie);
	uint32_t old = __atomic_load_n(&used, __ATOMIC_RELAXED) ? forget(epoll_key(epfd, fd), s->stack_cookie) : 0;

	if (op != EPOLL_CTL_DEL && redirect_needs_bell(s, e, event->events))
		hang(epfd, fd, s, event, old);
	else
		silence(s->stack_cookie, old);
}

bool redirect_bells_used(void)
{
	return __atomic_load_n(&used, __ATOMIC_RELAXED);
}

/* A copy of the registration with such data, and its socket; NULL: there is none. Those of sockets that are no more are
 * forgotten. */
static struct run_socket *find(int epfd, uint64_t data, struct registered *out)
{
	for (uint32_t i = 0; i < __atomic_load_n(&used, __ATOMIC_ACQUIRE); i++) {
		struct registered *b = &bells[i];
		uint64_t key = __atomic_load_n(&b->key, __ATOMIC_ACQUIRE);
		struct run_socket *s;

		if (!key || key == EPOLL_KEY_TAKEN || epoll_key_epfd(key) != epfd || b->event.data.u64 != data)
			continue;
		*out = *b;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (__atomic_load_n(&b->key, __ATOMIC_RELAXED) != key)
			continue;
		s = socket_of(key, out->cookie);
		if (s)
			return s;
		__atomic_compare_exchange_n(&b->key, &key, 0, 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* What is true of the socket now. */
static uint32_t look(const struct registered *b, int fd, struct run_socket *s)
{
	struct pollfd p = { fd, (short)b->event.events, 0 };
	struct timespec none = { 0, 0 };

	if (sys(SYS_ppoll, &p, 1, &none, NULL, 0) < 0)
		p.revents = 0;
	return (uint16_t)redirect_put_right(fd, s, p.events, p.revents);
}

static bool told_before(const struct epoll_event *events, int n)
{
	int i = 0;

	while (i < n && events[i].data.u64 != events[n].data.u64)
		i++;
	return i < n;
}

int redirect_bell_events(int epfd, struct epoll_event *events, int n)
{
	int left = 0;

	if (LIKELY(!redirect_bells_used()))
		return n;
	for (int i = 0; i < n; i++) {
		struct registered b;
		struct run_socket *s = find(epfd, events[i].data.u64, &b);

		events[left] = events[i];
		if (s) {
			events[left].events = look(&b, fd_of(b.key), s);
			if (!events[left].events || told_before(events, left))
				continue;
			/* It is to say nothing more, nor is the socket, whichever of them this was of. */
			if (b.event.events & EPOLLONESHOT) {
				redirect_disarm(epfd, fd_of(b.key), &b.event);
				silence(s->stack_cookie, forget(b.key, s->stack_cookie));
			}
		}
		left++;
	}
	return left;
}
