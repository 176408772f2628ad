/* switch.c - switches: deploying filters, and the calls of the public interface.
 *
 * Each call has the same shape: look up, filter, call, after-filter, count. A switch that a program makes
 * for itself has its table and statistics in private memory; the system calls that it makes are ordinary
 * calls, and pass through the preloaded switch as any others do.
 */
#include "switch/switch.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "run/stat.h"
#include "run/sys.h"

static int positive(int err)
{
	return err < 0 ? -err : err;
}

int switch_before(struct sockshim_switch *sw, enum sockshim_filter_type t,
		  const struct sockshim_status *st, struct sockshim_after *after)
{
	struct switch_filter *f = &sw->filter[t];
	sockshim_filter fn;
	void *user;
	uint32_t turn;

	if (!(__atomic_load_n(&sw->armed, __ATOMIC_ACQUIRE) & 1u << t))
		return 0;
	do {
		turn = __atomic_load_n(&f->turn, __ATOMIC_ACQUIRE);
		fn = __atomic_load_n(&f->slot[turn & 1].fn, __ATOMIC_ACQUIRE);
		user = __atomic_load_n(&f->slot[turn & 1].user, __ATOMIC_ACQUIRE);
	} while (turn != __atomic_load_n(&f->turn, __ATOMIC_ACQUIRE));
	return fn ? positive(fn(st, after, user)) : 0;
}

int switch_after(const struct sockshim_after *after, const struct sockshim_status *st)
{
	return after->fn ? positive(after->fn(st, after->user)) : 0;
}

void switch_note(struct run_socket *s, const struct sockshim_status *st)
{
	__atomic_store_n(&s->err, st->err, __ATOMIC_RELAXED);
	__atomic_store_n(&s->socket_err, st->socket_err, __ATOMIC_RELAXED);
}

int sockshim_set(struct sockshim_switch *sw, enum sockshim_filter_type t, sockshim_filter fn, void *user)
{
	struct switch_filter *f;
	uint32_t turn, none = 0;

	if ((unsigned)t >= SOCKSHIM_FILTER_TYPES)
		return -EINVAL;
	f = &sw->filter[t];
	while (!__atomic_compare_exchange_n(&f->writing, &none, 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
		none = 0;
		sys(SYS_sched_yield, 0);
	}
	turn = f->turn + 1;
	__atomic_store_n(&f->slot[turn & 1].fn, fn, __ATOMIC_RELEASE);
	__atomic_store_n(&f->slot[turn & 1].user, user, __ATOMIC_RELEASE);
	__atomic_store_n(&f->turn, turn, __ATOMIC_RELEASE);
	if (fn)
		__atomic_or_fetch(&sw->armed, 1u << t, __ATOMIC_RELEASE);
	else
		__atomic_and_fetch(&sw->armed, ~(1u << t), __ATOMIC_RELEASE);
	__atomic_store_n(&f->writing, 0, __ATOMIC_RELEASE);
	if (sw->armed_changed)
		sw->armed_changed();
	return 0;
}

/* A switch of the program's own, with its memory. */
struct own_switch {
	struct sockshim_switch sw;
	struct socktab tab;
	struct run_socket *chunks[SOCKTAB_CHUNKS];
	struct run_stat stats[RUN_STATS];
	struct run_takes takes;
};

static void *map_pages(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static struct run_socket *own_chunk(void *ctx, unsigned i)
{
	struct socktab *tab = ctx;
	struct run_socket *chunk = map_pages(RUN_CHUNK_BYTES), *none = NULL;

	if (chunk && !__atomic_compare_exchange_n(&tab->chunk[i], &none, chunk, 0, __ATOMIC_ACQ_REL,
						  __ATOMIC_ACQUIRE)) {
		munmap(chunk, RUN_CHUNK_BYTES);
		chunk = none;
	}
	return chunk;
}

int sockshim_switch_new(struct sockshim_switch **sw)
{
	struct own_switch *own = map_pages(sizeof(*own));

	if (!own)
		return -ENOMEM;
	own->tab.new_chunk = own_chunk;
	own->tab.ctx = &own->tab;
	own->tab.chunk = own->chunks;
	own->tab.alone = "";
	own->sw.tab = &own->tab;
	own->tab.stats = own->stats;
	own->tab.takes = &own->takes;
	*sw = &own->sw;
	return 0;
}

void sockshim_switch_free(struct sockshim_switch *sw)
{
	struct own_switch *own = (struct own_switch *)sw;

	if (!sw || sw == sockshim_default_switch())
		return;
	for (size_t i = 0; i < SOCKTAB_FDS / SOCKTAB_LEAF_FDS; i++)
		if (own->tab.leaf[i])
			munmap(own->tab.leaf[i], sizeof(struct socktab_leaf));
	for (size_t i = 0; i < SOCKTAB_CHUNKS; i++)
		if (own->chunks[i])
			munmap(own->chunks[i], RUN_CHUNK_BYTES);
	munmap(own, sizeof(*own));
}

/* One call through a switch, between its two filters. */
struct step {
	struct sockshim_switch *sw;
	struct run_socket *s;		/* NULL: sockshim_socket, or not in the table */
	enum sockshim_filter_type type;
	struct sockshim_status st;
	struct sockshim_after after;
};

/* Begins a call on fd. Returns whether fd is in the table; *err is then what the filter says. */
static bool step_begin(struct step *p, struct sockshim_switch *sw, enum sockshim_filter_type t, int fd, int *err)
{
	*p = (struct step){ .sw = sw, .type = t, .s = socktab_find(sw->tab, fd) };
	if (!p->s)
		return false;
	p->st.cookie = p->s->cookie;
	p->st.socket_err = p->s->socket_err;
	*err = switch_before(sw, t, &p->st, &p->after);
	return true;
}

/* What a plain call returned, as a status. */
static void step_result(struct step *p, int ret)
{
	p->st.err = ret < 0 ? errno : 0;
}

/* Ends a call: 0 to count it, or the errno that stands in its place. */
static int step_end(struct step *p)
{
	int err = switch_after(&p->after, &p->st);

	if (err)
		run_count_injected(p->sw->tab->stats, p->st.cookie, p->type);
	else if (p->s)
		switch_note(p->s, &p->st);
	return err;
}

static int cancelled(struct step *p, int err)
{
	run_count_injected(p->sw->tab->stats, p->st.cookie, p->type);
	return -err;
}

static bool is_default(const struct sockshim_switch *sw)
{
	return sw == sockshim_default_switch();
}

static int plain(int ret)
{
	return ret < 0 ? -errno : ret;
}

static int restore(int saved, int ret)
{
	errno = saved;
	return ret;
}

static int socket_step(struct sockshim_switch *sw, int family, int type, int protocol)
{
	struct step p = { .sw = sw, .type = SOCKSHIM_SOCKET,
			  .st.cookie = sockshim_cookie_make(family, type, protocol) };
	int err = switch_before(sw, SOCKSHIM_SOCKET, &p.st, &p.after), fd;
	sockshim_cookie stale;

	if (err)
		return cancelled(&p, err);
	fd = socket(family, type, protocol);
	step_result(&p, fd);
	err = step_end(&p);
	if (err) {
		if (fd >= 0)
			close(fd);
		return -err;
	}
	run_count(sw->tab->stats, p.st.cookie, fd < 0 ? RUN_OPEN_FAILED : RUN_OPENED);
	if (fd >= 0)
		socktab_add(sw->tab, fd, p.st.cookie, 0, &stale);
	return fd < 0 ? -p.st.err : fd;
}

int sockshim_socket(struct sockshim_switch *sw, int family, int type, int protocol)
{
	int saved = errno;

	return restore(saved, is_default(sw) ? plain(socket(family, type, protocol))
					     : socket_step(sw, family, type, protocol));
}

/* Counts a connection once per socket. */
static void count_connected(struct step *p)
{
	uint32_t before = __atomic_fetch_or(&p->s->flags, RUN_SOCK_CONNECTED, __ATOMIC_RELAXED);

	__atomic_and_fetch(&p->s->flags, ~(uint32_t)RUN_SOCK_PENDING, __ATOMIC_RELAXED);
	if (!(before & RUN_SOCK_CONNECTED))
		run_count(p->sw->tab->stats, p->st.cookie, RUN_CONNECTED);
}

static int connect_step(struct sockshim_switch *sw, int fd, const struct sockaddr *addr, socklen_t len)
{
	struct step p;
	int err = 0;

	if (!step_begin(&p, sw, SOCKSHIM_CONNECT, fd, &err))
		return plain(connect(fd, addr, len));
	if (err)
		return cancelled(&p, err);
	step_result(&p, connect(fd, addr, len));
	err = step_end(&p);
	if (err)
		return -err;
	if (p.st.err == 0 || (p.st.err == EISCONN && (p.s->flags & RUN_SOCK_PENDING)))
		count_connected(&p);
	else if (p.st.err == EINPROGRESS || p.st.err == EALREADY || p.st.err == EINTR)
		__atomic_or_fetch(&p.s->flags, RUN_SOCK_PENDING, __ATOMIC_RELAXED);
	else
		run_count(sw->tab->stats, p.st.cookie, RUN_CONNECT_FAILED);
	return -p.st.err;
}

int sockshim_connect(struct sockshim_switch *sw, int fd, const struct sockaddr *addr, socklen_t len)
{
	int saved = errno;

	return restore(saved, is_default(sw) ? plain(connect(fd, addr, len))
					     : connect_step(sw, fd, addr, len));
}

static int listen_step(struct sockshim_switch *sw, int fd, int backlog)
{
	struct step p;
	int err = 0;

	if (!step_begin(&p, sw, SOCKSHIM_LISTEN, fd, &err))
		return plain(listen(fd, backlog));
	if (err)
		return cancelled(&p, err);
	step_result(&p, listen(fd, backlog));
	err = step_end(&p);
	if (err)
		return -err;
	run_count(sw->tab->stats, p.st.cookie, p.st.err ? RUN_LISTEN_FAILED : RUN_LISTENED);
	return -p.st.err;
}

int sockshim_listen(struct sockshim_switch *sw, int fd, int backlog)
{
	int saved = errno;

	return restore(saved, is_default(sw) ? plain(listen(fd, backlog)) : listen_step(sw, fd, backlog));
}

static int accept_step(struct sockshim_switch *sw, int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
	struct step p;
	sockshim_cookie stale;
	int err = 0, ns;

	if (!step_begin(&p, sw, SOCKSHIM_ACCEPT, fd, &err))
		return plain(accept4(fd, addr, len, flags));
	if (err)
		return cancelled(&p, err);
	ns = accept4(fd, addr, len, flags);
	step_result(&p, ns);
	err = step_end(&p);
	if (err) {
		if (ns >= 0)
			close(ns);
		return -err;
	}
	run_count(sw->tab->stats, p.st.cookie, ns < 0 ? RUN_ACCEPT_FAILED : RUN_ACCEPTED);
	if (ns >= 0)
		socktab_add(sw->tab, ns, p.st.cookie, 0, &stale);
	return ns < 0 ? -p.st.err : ns;
}

int sockshim_accept4(struct sockshim_switch *sw, int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
	int saved = errno;

	return restore(saved, is_default(sw) ? plain(accept4(fd, addr, len, flags))
					     : accept_step(sw, fd, addr, len, flags));
}

int sockshim_accept(struct sockshim_switch *sw, int fd, struct sockaddr *addr, socklen_t *len)
{
	return sockshim_accept4(sw, fd, addr, len, 0);
}

static int close_step(struct sockshim_switch *sw, int fd)
{
	struct step p;
	int err = 0;

	if (!step_begin(&p, sw, SOCKSHIM_CLOSE, fd, &err))
		return plain(close(fd));
	if (err)
		return cancelled(&p, err);
	/* Out of the table first: once closed, the number may be another thread's. */
	socktab_remove(sw->tab, fd, NULL);
	p.s = NULL;
	step_result(&p, close(fd));
	err = step_end(&p);
	if (err)
		return -err;
	run_count(sw->tab->stats, p.st.cookie, p.st.err ? RUN_CLOSE_FAILED : RUN_CLOSED);
	return -p.st.err;
}

int sockshim_close(struct sockshim_switch *sw, int fd)
{
	int saved = errno;

	return restore(saved, is_default(sw) ? plain(close(fd)) : close_step(sw, fd));
}

static int plain_getsockopt(int fd, int level, int option, int *value)
{
	socklen_t len = sizeof(*value);

	*value = 0;
	return getsockopt(fd, level, option, value, &len);
}

static int getsockopt_step(struct sockshim_switch *sw, int fd, int level, int option, int *value)
{
	struct step p;
	bool so_error = level == SOL_SOCKET && option == SO_ERROR;
	int err = 0, v = 0;

	if (!step_begin(&p, sw, SOCKSHIM_GETSOCKOPT_INT, fd, &err))
		return plain(plain_getsockopt(fd, level, option, value));
	if (err)
		return cancelled(&p, err);
	step_result(&p, plain_getsockopt(fd, level, option, &v));
	if (!p.st.err && so_error)
		p.st.socket_err = v;
	err = step_end(&p);
	if (err)
		return -err;
	if (p.st.err)
		return -p.st.err;
	*value = v;
	if (so_error && (p.s->flags & RUN_SOCK_PENDING)) {
		if (v == 0 || v == EISCONN) {
			count_connected(&p);
		} else {
			__atomic_and_fetch(&p.s->flags, ~(uint32_t)RUN_SOCK_PENDING, __ATOMIC_RELAXED);
			run_count(sw->tab->stats, p.st.cookie, RUN_CONNECT_FAILED);
		}
	}
	return 0;
}

int sockshim_getsockopt_int(struct sockshim_switch *sw, int fd, int level, int option, int *value)
{
	int saved = errno;

	return restore(saved, is_default(sw) ? plain(plain_getsockopt(fd, level, option, value))
					     : getsockopt_step(sw, fd, level, option, value));
}

struct sockets_copy {
	struct sockshim_socket_status *out;
	size_t n, found;
};

static void copy_one(int fd, struct socktab_entry *e, void *ctx)
{
	struct sockets_copy *c = ctx;
	const struct run_socket *s = socktab_object(__atomic_load_n(&e->ref, __ATOMIC_ACQUIRE));

	if (c->found++ < c->n && s)
		c->out[c->found - 1] = (struct sockshim_socket_status){
			.fd = fd,
			.status = { .cookie = __atomic_load_n(&s->cookie, __ATOMIC_RELAXED),
				    .err = __atomic_load_n(&s->err, __ATOMIC_RELAXED),
				    .socket_err = __atomic_load_n(&s->socket_err, __ATOMIC_RELAXED) },
		};
}

size_t sockshim_sockets(struct sockshim_switch *sw, struct sockshim_socket_status *out, size_t n)
{
	struct sockets_copy c = { .out = out, .n = n };

	socktab_each(sw->tab, copy_one, &c);
	return c.found;
}

size_t sockshim_stats(struct sockshim_switch *sw, struct sockshim_stat *out, size_t n)
{
	return socktab_stats(sw->tab, out, n);
}
