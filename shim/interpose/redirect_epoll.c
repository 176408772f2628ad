/* redirect_epoll.c - epoll: its events come with data, and not with the descriptor, so registrations of redirected sockets are
 * remembered. So they can also be made anew when another descriptor takes a socket's place, with which they go.
 */
#include "interpose/redirect_wait.h"

#include <errno.h>
#include <time.h>

#include "interpose/memory.h"
#include "interpose/redirect_bell.h"
#include "run/sys.h"

#define NOTES 1024	/* a power of two */
#define PROBES 8

static struct note {
	uint64_t key;		/* epoll descriptor << 32 | descriptor, plus one; 0: free */
	uint64_t data;
	uint32_t events;
	uint32_t number;	/* the higher, the later */
} notes[NOTES];
static uint32_t noted;		/* the highest number; 0: there are none */

static struct note *first_note(int epfd, uint64_t data)
{
	uint64_t h = (data ^ (uint64_t)(unsigned)epfd << 40) * 0x9e3779b97f4a7c15ull;

	return &notes[h >> 54 & (NOTES - 1)];
}

static uint64_t key_of(int epfd, int fd)
{
	return ((uint64_t)(unsigned)epfd << 32 | (unsigned)fd) + 1;
}

static int epoll_of(uint64_t key)
{
	return (int)((key - 1) >> 32);
}

static int fd_of(uint64_t key)
{
	return (int)(uint32_t)(key - 1);
}

void redirect_note_epoll(int epfd, int op, int fd, const struct epoll_event *event)
{
	uint64_t key = key_of(epfd, fd), data;
	struct run_socket *s = redirect_socket_at(fd);
	struct note *first;

	if (s) {
		redirect_idle_note(epfd, op, fd, s, event);
		redirect_bell_note(epfd, op, fd, s, event);
	}
	/* A changed registration is remembered anew; the old note leads to a descriptor that has other data by then. */
	if (op == EPOLL_CTL_DEL)
		return;
	data = event->data.u64;
	first = first_note(epfd, data);
	for (int i = 0; i < PROBES; i++) {
		struct note *p = &notes[(size_t)(first - notes + i) & (NOTES - 1)];
		uint64_t have = __atomic_load_n(&p->key, __ATOMIC_ACQUIRE);

		if (have && have != key && redirect_socket_at(fd_of(have)))
			continue;
		__atomic_store_n(&p->key, 0, __ATOMIC_RELEASE);
		__atomic_store_n(&p->data, data, __ATOMIC_RELEASE);
		__atomic_store_n(&p->events, event->events, __ATOMIC_RELEASE);
		__atomic_store_n(&p->number, __atomic_add_fetch(&noted, 1, __ATOMIC_RELAXED), __ATOMIC_RELEASE);
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
		if (key && epoll_of(key) == epfd && __atomic_load_n(&p->data, __ATOMIC_ACQUIRE) == data)
			return fd_of(key);
	}
	return -1;
}

/* --- registrations of a socket */

/* Whether the kernel has one: a descriptor may have been closed, and its number used again. */
static bool is_registered(int epfd, int fd, uint64_t data)
{
	struct epoll_event none = { .events = 0, .data.u64 = data };
	long r = sys(SYS_epoll_ctl, epfd, EPOLL_CTL_ADD, fd, &none);

	if (r == 0)
		sys(SYS_epoll_ctl, epfd, EPOLL_CTL_DEL, fd, &none);
	return r == -EEXIST;
}

/* The latest of each, as far as there is room; how many. */
int redirect_registrations(const struct run_socket *s, struct redirect_registration *out, int max)
{
	int n = 0;

	for (int i = 0; i < NOTES && __atomic_load_n(&noted, __ATOMIC_RELAXED); i++) {
		uint64_t key = __atomic_load_n(&notes[i].key, __ATOMIC_ACQUIRE);
		struct redirect_registration one = { .number = notes[i].number };
		int k = 0;

		if (!key || redirect_socket_at(fd_of(key)) != s || !is_registered(epoll_of(key), fd_of(key), notes[i].data))
			continue;
		one.epfd = epoll_of(key);
		one.fd = fd_of(key);
		one.event.events = notes[i].events;
		one.event.data.u64 = notes[i].data;
		while (k < n && (out[k].epfd != one.epfd || out[k].fd != one.fd))
			k++;
		if (k == max || (k < n && (int32_t)(out[k].number - one.number) > 0))
			continue;
		out[k] = one;
		n += k == n;
	}
	return n;
}

void redirect_register_again(const struct redirect_registration *r, int n)
{
	for (int i = 0; i < n; i++) {
		struct epoll_event e = r[i].event;

		if (sys(SYS_epoll_ctl, r[i].epfd, EPOLL_CTL_ADD, r[i].fd, &e) == 0 && redirect_socket_at(r[i].fd))
			redirect_note_epoll(r[i].epfd, EPOLL_CTL_ADD, r[i].fd, &e);
	}
}

void redirect_bells_for(const struct run_socket *s)
{
	struct redirect_registration all[REDIRECT_REGISTRATIONS];
	int n = redirect_registrations(s, all, REDIRECT_REGISTRATIONS);

	for (int i = 0; i < n; i++)
		redirect_bell_note(all[i].epfd, EPOLL_CTL_MOD, all[i].fd, s, &all[i].event);
}

/* --- waiting */

/* Events as the pairs have them, put right. How many are left. */
static int put_right(int epfd, struct epoll_event *events, int n)
{
	for (int i = 0; i < n && __atomic_load_n(&noted, __ATOMIC_RELAXED); i++) {
		uint32_t asked = 0;
		int fd = noted_fd(epfd, events[i].data.u64, &asked);
		struct run_socket *s = fd >= 0 ? redirect_socket_at(fd) : NULL;

		/* The bits are the same. */
		if (s)
			events[i].events = (uint16_t)redirect_put_right(fd, s, (short)asked, (short)events[i].events) |
					   (events[i].events & 0xffff0000);
	}
	return redirect_bell_events(epfd, events, n);
}

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ll + ts.tv_nsec;
}

/* How long to wait; INT64_MAX: for ever, or the call itself will say what is wrong with it. */
static int64_t limit_ns(enum call_id id, const uint64_t *a)
{
	struct timespec ts;

	if (id != CALL_epoll_pwait2)
		return (int)a[3] < 0 ? INT64_MAX : (int)a[3] * 1000000ll;
	if (!a[3] || !memory_read(&ts, (const void *)a[3], sizeof(ts)) || ts.tv_sec < 0 || ts.tv_sec > 1000000000 || ts.tv_nsec < 0 ||
	    ts.tv_nsec > 999999999)
		return INT64_MAX;
	return ts.tv_sec * 1000000000ll + ts.tv_nsec;
}

/* What a bell was rung for may be over before it is looked at: then it is waited on. */
static long wait_on(enum call_id id, const uint64_t *a)
{
	int64_t limit = limit_ns(id, a), end = limit && limit != INT64_MAX ? now_ns() + limit : 0;
	long r;

	do {
		struct timespec ts = { limit / 1000000000, limit % 1000000000 };
		uint64_t words[] = { a[0], a[1], a[2], a[3], a[4] };

		if (limit != INT64_MAX)
			words[3] = id == CALL_epoll_pwait2 ? (uint64_t)&ts : (uint64_t)((limit + 999999) / 1000000);
		r = libc_call(id, words);
		if (r <= 0)
			return r < 0 ? -errno : 0;
		r = put_right((int)a[0], (struct epoll_event *)a[1], (int)r);
		if (end)
			limit = end > now_ns() ? end - now_ns() : 0;
	} while (!r);
	return r;
}

long redirect_wait_epoll(enum call_id id, const uint64_t *a)
{
	struct epoll_event *events = (struct epoll_event *)a[1];
	static const struct timespec zero;
	uint64_t now[] = { a[0], a[1], a[2], id == CALL_epoll_pwait2 ? (uint64_t)&zero : 0, a[4] };
	long r, more;

	if (!redirect_idle_events((int)a[0], NULL, 0)) {
		if (UNLIKELY(redirect_bells_used()))
			return wait_on(id, a);
		r = libc_call(id, a);
		return r < 0 ? -errno : put_right((int)a[0], events, (int)r);
	}
	r = libc_call(id, now);
	if (r < 0)
		return -errno;
	r = put_right((int)a[0], events, (int)r);
	more = redirect_idle_events((int)a[0], events + r, (int)a[2] - (int)r);
	return r ? r + (more > 0 ? more : 0) : more;
}
