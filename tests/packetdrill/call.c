/* System calls of scripts: their arguments made live, and what comes back checked. */
#include "driver.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ARGS = 7, MAX_IOV = 128 };

/**
 * struct ctx - one call
 * @adopt: the result is a descriptor that the script calls @result
 */
struct ctx {
	struct driver *d;
	const struct event *e;
	const struct value *a;
	int n;
	bool adopt;
};

static const struct value *arg(const struct ctx *c, int i)
{
	if (i >= c->n)
		fail_at(c->d, c->e, "%s has too few arguments", c->e->call.name);
	return &c->a[i];
}

static long long num(const struct ctx *c, int i)
{
	const struct value *v = arg(c, i);

	if (v->type == V_LIST && v->count == 1)
		v = v->items;
	if (v->type != V_INT)
		fail_at(c->d, c->e, "argument %d: expected a number", i + 1);
	return v->n;
}

static int live(const struct driver *d, long long fd)
{
	return fd >= 0 && fd < MAX_FDS ? d->fds[fd] : -1;
}

static int fd_arg(const struct ctx *c, int i)
{
	return live(c->d, num(c, i));
}

/* A buffer of @n bytes for "...", NULL for 0. */
static void *buf_arg(const struct ctx *c, int i, size_t n)
{
	return arg(c, i)->type == V_INT ? NULL : calloc(n ? n : 1, 1);
}

union sa {
	struct sockaddr sa;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static socklen_t make_addr(const struct addr *a, uint16_t port, union sa *out)
{
	memset(out, 0, sizeof(*out));
	if (a->len == ADDR_LEN_V4) {
		out->v4.sin_family = AF_INET;
		out->v4.sin_port = htons(port);
		memcpy(&out->v4.sin_addr, a->b, 4);
		return sizeof(out->v4);
	}
	out->v6.sin6_family = AF_INET6;
	out->v6.sin6_port = htons(port);
	memcpy(&out->v6.sin6_addr, a->b, 16);
	return sizeof(out->v6);
}

static ssize_t do_socket(struct ctx *c)
{
	int domain = c->d->local.len == ADDR_LEN_V6 ? AF_INET6 : AF_INET;
	int fd;

	if (arg(c, 0)->type == V_INT)
		domain = (int)num(c, 0);
	fd = c->d->t.socket(c->d->t.userdata, domain, (int)num(c, 1), (int)num(c, 2));
	c->adopt = true;
	if (fd >= 0) {
		c->d->side = SIDE_NONE;
		c->d->under_test = (int)c->e->call.result;
	}
	return fd;
}

static ssize_t do_bind(struct ctx *c)
{
	union sa sa;
	socklen_t len = make_addr(&c->d->local, c->d->script.port, &sa);

	c->d->lport = c->d->script.port;
	return c->d->t.bind(c->d->t.userdata, fd_arg(c, 0), &sa.sa, len);
}

static ssize_t do_listen(struct ctx *c)
{
	int rc = c->d->t.listen(c->d->t.userdata, fd_arg(c, 0), (int)num(c, 1));

	if (rc == 0)
		c->d->side = SIDE_LISTENING;
	return rc;
}

static ssize_t do_accept(struct ctx *c)
{
	union sa sa = { 0 };
	socklen_t len = sizeof(sa);
	int fd = c->d->t.accept(c->d->t.userdata, fd_arg(c, 0), &sa.sa, &len);

	c->adopt = true;
	if (fd >= 0) {
		uint16_t port = ntohs(c->d->local.len == ADDR_LEN_V6 ? sa.v6.sin6_port : sa.v4.sin_port);

		if (port != c->d->rport)
			fail_at(c->d, c->e, "accepted a connection from port %u, expected %u", port,
				c->d->rport);
		c->d->under_test = (int)c->e->call.result;
	}
	return fd;
}

static void connecting(struct driver *d)
{
	d->side = SIDE_ACTIVE;
	d->has_isn = d->has_remote_isn = false;
	d->remote_isn = 0;
	d->nts = 0;
}

static ssize_t do_connect(struct ctx *c)
{
	union sa sa;
	socklen_t len = make_addr(&c->d->remote, SCRIPT_PORT, &sa);

	if (arg(c, 1)->type == V_STRUCT)
		sa.sa.sa_family = (sa_family_t)value_field_num(arg(c, 1), "sa_family", AF_UNSPEC);
	else if (c->d->side == SIDE_NONE)
		connecting(c->d);
	return c->d->t.connect(c->d->t.userdata, fd_arg(c, 0), &sa.sa, len);
}

static ssize_t do_read(struct ctx *c)
{
	size_t n = (size_t)num(c, 2);
	void *buf = buf_arg(c, 1, n);
	const char *name = c->e->call.name;
	void *u = c->d->t.userdata;
	ssize_t rc;

	if (!strcmp(name, "read"))
		rc = c->d->t.read(u, fd_arg(c, 0), buf, n);
	else if (!strcmp(name, "recv"))
		rc = c->d->t.recv(u, fd_arg(c, 0), buf, n, (int)num(c, 3));
	else
		rc = c->d->t.recvfrom(u, fd_arg(c, 0), buf, n, (int)num(c, 3), NULL, NULL);
	free(buf);
	return rc;
}

static ssize_t connect_with(struct ctx *c, const void *buf, size_t n)
{
	union sa sa;
	socklen_t len = make_addr(&c->d->remote, SCRIPT_PORT, &sa);

	connecting(c->d);
	return c->d->t.sendto(c->d->t.userdata, fd_arg(c, 0), buf, n, (int)num(c, 3), &sa.sa, len);
}

static ssize_t do_write(struct ctx *c)
{
	size_t n = (size_t)num(c, 2);
	void *buf = buf_arg(c, 1, n);
	const char *name = c->e->call.name;
	void *u = c->d->t.userdata;
	ssize_t rc;

	if (!strcmp(name, "write"))
		rc = c->d->t.write(u, fd_arg(c, 0), buf, n);
	else if (!strcmp(name, "send"))
		rc = c->d->t.send(u, fd_arg(c, 0), buf, n, (int)num(c, 3));
	else if (num(c, 3) & MSG_FASTOPEN)
		rc = connect_with(c, buf, n);
	else
		rc = c->d->t.sendto(u, fd_arg(c, 0), buf, n, (int)num(c, 3), NULL, 0);
	free(buf);
	return rc;
}

static int make_iov(const struct ctx *c, const struct value *list, struct iovec *iov)
{
	int n = 0;

	for (; n < list->count && n < MAX_IOV; n++) {
		const struct value *len = &list->items[n].items[1];

		if (list->items[n].count != 2 || len->type != V_INT)
			fail_at(c->d, c->e, "expected {..., LENGTH}");
		iov[n].iov_len = (size_t)len->n;
		iov[n].iov_base = calloc(1, iov[n].iov_len + 1);
	}
	return n;
}

static void free_iov(struct iovec *iov, int n)
{
	while (n--)
		free(iov[n].iov_base);
}

static ssize_t do_iov(struct ctx *c)
{
	struct iovec iov[MAX_IOV];
	int made = make_iov(c, arg(c, 1), iov), cnt = (int)num(c, 2);
	ssize_t rc = c->e->call.name[0] == 'r'
		   ? c->d->t.readv(c->d->t.userdata, fd_arg(c, 0), iov, cnt)
		   : c->d->t.writev(c->d->t.userdata, fd_arg(c, 0), iov, cnt);

	free_iov(iov, made);
	return rc;
}

static ssize_t do_msg(struct ctx *c)
{
	const struct value *v = value_field(arg(c, 1), "msg_iov");
	struct iovec iov[MAX_IOV];
	int made = v ? make_iov(c, v, iov) : 0;
	union { struct cmsghdr align; char b[512]; } control;
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = (size_t)made };
	bool reads = !strcmp(c->e->call.name, "recvmsg");
	long long want = value_field_num(arg(c, 1), "msg_flags", 0);
	ssize_t rc;

	v = value_field(arg(c, 1), "msg_control");
	if (v && reads) {
		m.msg_control = control.b;
		m.msg_controllen = sizeof(control.b);
	} else if (v) {
		m.msg_control = control.b;
		m.msg_controllen = control_make(v, control.b, sizeof(control.b));
	}
	rc = reads ? c->d->t.recvmsg(c->d->t.userdata, fd_arg(c, 0), &m, (int)num(c, 2))
		   : c->d->t.sendmsg(c->d->t.userdata, fd_arg(c, 0), &m, (int)num(c, 2));
	if (reads && rc >= 0 && m.msg_flags != want)
		fail_at(c->d, c->e, "msg_flags %#x, expected %#llx", (unsigned)m.msg_flags, want);
	if (v && reads && rc >= 0)
		control_check(c->d, c->e, v, &m);
	free_iov(iov, made);
	return rc;
}

static ssize_t do_fcntl(struct ctx *c)
{
	int rc = c->d->t.fcntl(c->d->t.userdata, fd_arg(c, 0), (int)num(c, 1), c->n > 2 ? (int)num(c, 2) : 0);

	/* O_LARGEFILE and the like are nobody's business. */
	return num(c, 1) == F_GETFL && rc >= 0 ? rc & (O_ACCMODE | O_NONBLOCK) : rc;
}

static ssize_t do_ioctl(struct ctx *c)
{
	int v = (int)num(c, 2), rc;
	bool sets = (int)num(c, 1) == 0x5421;	/* FIONBIO */

	rc = c->d->t.ioctl(c->d->t.userdata, fd_arg(c, 0), (unsigned long)num(c, 1), &v);
	if (rc == 0 && !sets && v != num(c, 2))
		fail_at(c->d, c->e, "ioctl said %d, expected %lld", v, num(c, 2));
	return rc;
}

static ssize_t do_close(struct ctx *c)
{
	long long script_fd = num(c, 0);
	int rc = c->d->t.close(c->d->t.userdata, fd_arg(c, 0));

	if (rc == 0 && script_fd >= 0 && script_fd < MAX_FDS)
		c->d->fds[script_fd] = -1;
	return rc;
}

static ssize_t do_shutdown(struct ctx *c)
{
	return c->d->t.shutdown(c->d->t.userdata, fd_arg(c, 0), (int)num(c, 1));
}

/* An option's value as bytes; returns their number. */
static size_t opt_value(const struct ctx *c, const struct value *v, char buf[64])
{
	int n[2];

	if (v->type == V_STRING) {
		snprintf(buf, 64, "%s", v->s);
		return strlen(v->s);
	}
	if (v->type == V_LIST && v->count == 1)
		v = v->items;
	if (v->type == V_STRUCT && value_field(v, "onoff")) {
		n[0] = (int)value_field_num(v, "onoff", 0);
		n[1] = (int)value_field_num(v, "linger", 0);
		memcpy(buf, n, sizeof(n));
		return sizeof(n);
	}
	if (v->type == V_STRUCT) {
		struct timeval tv = { value_field_num(v, "tv_sec", 0), value_field_num(v, "tv_usec", 0) };

		memcpy(buf, &tv, sizeof(tv));
		return sizeof(tv);
	}
	if (v->type != V_INT)
		fail_at(c->d, c->e, "expected an option's value");
	n[0] = (int)v->n;
	memcpy(buf, n, sizeof(n[0]));
	return sizeof(n[0]);
}

static ssize_t do_setsockopt(struct ctx *c)
{
	char buf[64] = { 0 };
	bool null = arg(c, 3)->type == V_INT;

	if (!null)
		opt_value(c, arg(c, 3), buf);
	return c->d->t.setsockopt(c->d->t.userdata, fd_arg(c, 0), (int)num(c, 1), (int)num(c, 2),
				  null ? NULL : buf, (socklen_t)num(c, 4));
}

static ssize_t do_getsockopt(struct ctx *c)
{
	char buf[64] = { 0 }, want[64] = { 0 };
	socklen_t len = (socklen_t)num(c, 4);
	int rc = c->d->t.getsockopt(c->d->t.userdata, fd_arg(c, 0), (int)num(c, 1), (int)num(c, 2), buf, &len);

	if (rc == 0 && arg(c, 3)->type != V_ELLIPSIS) {
		size_t n = opt_value(c, arg(c, 3), want);

		if (memcmp(buf, want, n))
			fail_at(c->d, c->e, "the option is %d (\"%.16s\")", *(int *)buf, buf);
	}
	return rc;
}

static ssize_t do_poll(struct ctx *c)
{
	const struct value *list = arg(c, 0);
	struct pollfd p[MAX_IOV];
	int n = list->count < MAX_IOV ? list->count : MAX_IOV, rc;

	for (int i = 0; i < n; i++)
		p[i] = (struct pollfd){ .fd = live(c->d, value_field_num(&list->items[i], "fd", -1)),
					.events = (short)value_field_num(&list->items[i], "events", 0) };
	rc = c->d->t.poll(c->d->t.userdata, p, (nfds_t)num(c, 1), (int)num(c, 2));
	for (int i = 0; i < n && rc >= 0; i++) {
		long long want = value_field_num(&list->items[i], "revents", 0);

		if (p[i].revents != want)
			fail_at(c->d, c->e, "revents %#x, expected %#llx", (unsigned)p[i].revents, want);
	}
	return rc;
}

static ssize_t do_epoll_create(struct ctx *c)
{
	c->adopt = true;
	return c->d->t.epoll_create(c->d->t.userdata, (int)num(c, 0));
}

static ssize_t do_epoll_ctl(struct ctx *c)
{
	struct epoll_event ev = { 0 };

	if (c->n > 3 && c->a[3].type == V_STRUCT) {
		ev.events = (uint32_t)value_field_num(&c->a[3], "events", 0);
		ev.data.fd = (int)value_field_num(&c->a[3], "fd", 0);
	}
	return c->d->t.epoll_ctl(c->d->t.userdata, fd_arg(c, 0), (int)num(c, 1), fd_arg(c, 2), &ev);
}

static ssize_t do_epoll_wait(struct ctx *c)
{
	struct epoll_event ev[MAX_IOV] = { 0 };
	int rc = c->d->t.epoll_wait(c->d->t.userdata, fd_arg(c, 0), ev, (int)num(c, 2), (int)num(c, 3));

	if (rc > 0 && arg(c, 1)->type == V_STRUCT &&
	    (ev[0].events != value_field_num(arg(c, 1), "events", 0) || ev[0].data.fd != value_field_num(arg(c, 1), "fd", 0)))
		fail_at(c->d, c->e, "events %#x of %d", ev[0].events, ev[0].data.fd);
	return rc;
}

static ssize_t do_pipe(struct ctx *c)
{
	const struct value *l = arg(c, 0);
	int fds[2], rc = c->d->t.pipe(c->d->t.userdata, fds);

	for (int i = 0; rc == 0 && i < 2; i++)
		c->d->fds[l->items[i].n] = fds[i];
	return rc;
}

static ssize_t do_splice(struct ctx *c)
{
	return c->d->t.splice(c->d->t.userdata, fd_arg(c, 0), NULL, fd_arg(c, 2), NULL, (size_t)num(c, 4),
			      (unsigned)num(c, 5));
}

static const struct {
	const char *name;
	ssize_t (*run)(struct ctx *c);
} calls[] = {
	{ "socket", do_socket }, { "bind", do_bind }, { "listen", do_listen }, { "accept", do_accept },
	{ "connect", do_connect }, { "read", do_read }, { "recv", do_read }, { "recvfrom", do_read },
	{ "write", do_write }, { "send", do_write }, { "sendto", do_write },
	{ "readv", do_iov }, { "writev", do_iov }, { "recvmsg", do_msg }, { "sendmsg", do_msg },
	{ "fcntl", do_fcntl }, { "ioctl", do_ioctl }, { "close", do_close }, { "shutdown", do_shutdown },
	{ "setsockopt", do_setsockopt }, { "getsockopt", do_getsockopt }, { "poll", do_poll },
	{ "epoll_create", do_epoll_create }, { "epoll_ctl", do_epoll_ctl }, { "epoll_wait", do_epoll_wait },
	{ "pipe", do_pipe }, { "splice", do_splice },
};

static void check_result(const struct ctx *c, ssize_t rc, int err)
{
	const struct call *call = &c->e->call;
	long long want = 0;

	if (c->adopt ? (rc >= 0) != (call->result >= 0) : rc != call->result)
		fail_at(c->d, c->e, "%s returned %zd (%s), expected %lld", call->name, rc,
			rc < 0 ? strerror(err) : "no error", call->result);
	if (call->error && (!script_symbol(call->error, &want) || want != err))
		fail_at(c->d, c->e, "%s failed with %s, expected %s", call->name, strerror(err), call->error);
}

void call_run(struct driver *d, const struct event *e)
{
	struct ctx c = { .d = d, .e = e, .a = e->call.args.items, .n = e->call.args.count };

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		ssize_t rc;
		int err;

		if (strcmp(calls[i].name, e->call.name))
			continue;
		errno = 0;
		rc = calls[i].run(&c);
		err = errno;
		if (e->block_us >= 0)
			d->thread_end_us = driver_now(d);
		check_result(&c, rc, err);
		if (c.adopt && rc >= 0 && e->call.result < MAX_FDS)
			d->fds[e->call.result] = (int)rc;
		return;
	}
	fail_at(d, e, "unknown call %s", e->call.name);
}
