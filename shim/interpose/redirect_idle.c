/* redirect_idle.c - streams that are not connected, in epoll.
 *
 * The kernel says of such a stream that it has hung up, and is writable; its pair is neither. So registrations of streams
 * that are not connected yet are remembered, and looked at before each wait on their epoll descriptor: for those that
 * still are not, nothing is waited for. Who waits already while another thread registers one is not woken.
 */
#include "interpose/redirect_wait.h"

#include <errno.h>

#include "interpose/memory.h"
#include "run/sys.h"

#define IDLE_MAX 128

static struct registration {
	uint64_t key;		/* epoll_key(); 0: free, EPOLL_KEY_TAKEN: being written */
	uint64_t cookie;	/* which socket that was */
	struct epoll_event event;
	bool done;		/* its edge, or its one shot, has been seen */
} registrations[IDLE_MAX];
static uint32_t used;		/* of these, the first so many may be in use */

static void forget(uint64_t key)
{
	for (uint32_t i = 0; i < __atomic_load_n(&used, __ATOMIC_ACQUIRE); i++) {
		uint64_t have = key;

		__atomic_compare_exchange_n(&registrations[i].key, &have, 0, 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
	}
}

static void remember(uint64_t key, const struct run_socket *s, const struct epoll_event *event)
{
	for (uint32_t i = 0; i < IDLE_MAX; i++) {
		struct registration *r = &registrations[i];
		uint64_t free = 0;
		uint32_t n = __atomic_load_n(&used, __ATOMIC_RELAXED);

		if (!__atomic_compare_exchange_n(&r->key, &free, EPOLL_KEY_TAKEN, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			continue;
		r->cookie = s->stack_cookie;
		r->event = *event;
		r->done = false;
		__atomic_store_n(&r->key, key, __ATOMIC_RELEASE);
		while (n <= i && !__atomic_compare_exchange_n(&used, &n, i + 1, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
			;
		return;
	}
}

/* Not connected, and never was: of one that was the pair has hung up, too. */
static bool is_new(const struct run_socket *s)
{
	const struct stack_board_entry *e = redirect_is_stream(s) ? board_entry(s->stack_board, s->stack_cookie) : NULL;

	return e && board_state(e) == STACK_BOARD_NEW;
}

void redirect_idle_note(int epfd, int op, int fd, const struct run_socket *s, const struct epoll_event *event)
{
	if (__atomic_load_n(&used, __ATOMIC_RELAXED))
		forget(epoll_key(epfd, fd));
	if (op != EPOLL_CTL_DEL && is_new(s))
		remember(epoll_key(epfd, fd), s, event);
}

void redirect_disarm(int epfd, int fd, const struct epoll_event *event)
{
	struct epoll_event none = { .events = event->events & (EPOLLET | EPOLLONESHOT), .data = event->data };

	LIBC(epoll_ctl)(epfd, EPOLL_CTL_MOD, fd, &none);
}

/* What is to be said of one. False: nothing. */
static bool look(struct registration *r, int epfd, uint64_t key, struct epoll_event *out)
{
	int fd = (int)(uint32_t)(key - 1);
	uint64_t ref = socktab_ref(&hook.tab, fd);
	struct run_socket *s = socktab_is_socket(ref) && (ref & SOCKTAB_STACK) ? hook_object(ref) : NULL;
	uint64_t have = key;

	if (!s || s->stack_cookie != r->cookie || !is_new(s)) {
		__atomic_compare_exchange_n(&r->key, &have, 0, 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
		return false;
	}
	if (r->done)
		return false;
	if (!out)
		return true;
	r->done = r->event.events & (EPOLLET | EPOLLONESHOT);
	out->events = EPOLLHUP | (r->event.events & (EPOLLOUT | EPOLLWRNORM));
	out->data = r->event.data;
	if (r->event.events & EPOLLONESHOT)
		redirect_disarm(epfd, fd, &r->event);
	return true;
}

int redirect_idle_events(int epfd, struct epoll_event *events, int room)
{
	uint32_t n = __atomic_load_n(&used, __ATOMIC_ACQUIRE);
	int found = 0;

	for (uint32_t i = 0; i < n && (!events || found < room); i++) {
		uint64_t key = __atomic_load_n(&registrations[i].key, __ATOMIC_ACQUIRE);
		struct epoll_event one;

		if (!key || key == EPOLL_KEY_TAKEN || epoll_key_epfd(key) != epfd ||
		    !look(&registrations[i], epfd, key, events ? &one : NULL))
			continue;
		if (!events)
			return 1;
		if (!memory_write(&events[found], &one, sizeof(one)))
			return found ? found : -EFAULT;
		found++;
	}
	return found;
}
