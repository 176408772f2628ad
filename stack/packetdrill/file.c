/* Descriptors, and the calls that make, name and end sockets. */
#include "packetdrill/adapter.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/eventfd.h>

int pd_errno(int err)
{
	errno = err;
	return -1;
}

int pd_fail(enum ns_err err)
{
	return pd_errno(ns_err_errno(err));
}

int pd_file_new(struct pd *pd, enum pd_kind kind, struct pd_file **out)
{
	struct pd_file *f = calloc(1, sizeof(*f));
	int fd = f ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1;

	if (fd < 0 || fd >= PD_MAX_FD) {
		if (fd >= 0)
			close(fd);
		free(f);
		return pd_errno(f ? EMFILE : ENOMEM);
	}
	/* A number met again was closed behind our back. */
	if (pd->files[fd])
		pd_file_put(pd->files[fd]);
	f->kind = kind;
	f->fd = fd;
	f->refs = 1;
	list_init(&f->items);
	pd->files[fd] = f;
	*out = f;
	return fd;
}

struct pd_file *pd_file_get(struct pd *pd, int fd)
{
	struct pd_file *f = fd >= 0 && fd < PD_MAX_FD ? pd->files[fd] : NULL;

	if (!f)
		errno = EBADF;
	else
		f->refs++;
	return f;
}

struct pd_file *pd_socket_get(struct pd *pd, int fd)
{
	struct pd_file *f = pd_file_get(pd, fd);

	if (f && f->kind != PD_SOCKET) {
		pd_file_put(f);
		errno = ENOTSOCK;
		return NULL;
	}
	return f;
}

void pd_file_put(struct pd_file *f)
{
	if (--f->refs)
		return;
	pd_epoll_forget(f);
	free(f->zc.ends);
	if (f->ep)
		endpoint_close(f->ep);
	free(f);
}

bool pd_addr_in(const struct pd_file *f, const struct sockaddr *sa, socklen_t len,
		struct full_addr *out)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)sa;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)sa;

	*out = (struct full_addr){ 0 };
	if (!sa || len < sizeof(sa->sa_family)) {
		errno = sa ? EINVAL : EFAULT;
		return false;
	}
	if (sa->sa_family == AF_INET && f->domain == AF_INET && len >= sizeof(*v4)) {
		out->addr = addr_from_bytes((const uint8_t *)&v4->sin_addr, ADDR_LEN_V4);
		out->port = ntohs(v4->sin_port);
		return true;
	}
	if (sa->sa_family == AF_INET6 && f->domain == AF_INET6 && len >= sizeof(*v6)) {
		out->addr = addr_from_bytes((const uint8_t *)&v6->sin6_addr, ADDR_LEN_V6);
		out->port = ntohs(v6->sin6_port);
		out->nic = v6->sin6_scope_id;
		return true;
	}
	errno = sa->sa_family == f->domain ? EINVAL : EAFNOSUPPORT;
	return false;
}

void pd_addr_out(const struct pd_file *f, const struct full_addr *a, struct sockaddr *sa,
		 socklen_t *len)
{
	union {
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} u = { 0 };
	struct addr addr = a->addr;
	socklen_t n;

	if (!sa || !len)
		return;
	if (f->domain == AF_INET) {
		u.v4.sin_family = AF_INET;
		u.v4.sin_port = htons(a->port);
		memcpy(&u.v4.sin_addr, addr.b, ADDR_LEN_V4);
		n = sizeof(u.v4);
	} else {
		addr = addr_map(&addr);
		u.v6.sin6_family = AF_INET6;
		u.v6.sin6_port = htons(a->port);
		memcpy(&u.v6.sin6_addr, addr.b, ADDR_LEN_V6);
		n = sizeof(u.v6);
	}
	memcpy(sa, &u, *len < n ? *len : n);
	*len = n;
}

struct wait {
	struct waiter w;
	struct pd_sleeper s;
};

static void wait_event(struct waiter *w, uint32_t events)
{
	(void)events;
	container_of(w, struct wait, w)->s.ready = true;
}

int pd_wait_for(struct pd *pd, struct pd_file *f, uint32_t events, int64_t timeout_ns)
{
	struct wait wait = {
		.w = { .mask = events, .fn = wait_event },
		.s = { .deadline_ns = timeout_ns ? pd->now_ns + timeout_ns : CLOCK_NEVER },
	};
	bool woken;

	pd_run(pd);
	if (endpoint_readiness(f->ep, events))
		return 0;
	waiter_add(&f->ep->wq, &wait.w);
	woken = pd_sleep(pd, &wait.s);
	waiter_remove(&wait.w);
	return woken && wait.s.ready ? 0 : pd_errno(EAGAIN);
}

static int new_socket(struct pd *pd, const struct pd_file *like, struct endpoint *ep)
{
	struct pd_file *f;
	int fd = pd_file_new(pd, PD_SOCKET, &f);

	if (fd < 0) {
		endpoint_close(ep);
		return fd;
	}
	f->domain = like->domain;
	f->type = like->type;
	f->protocol = like->protocol;
	f->nonblock = like->nonblock;
	f->zc.enabled = like->zc.enabled;
	f->ep = ep;
	return fd;
}

int pd_socket(void *u, int domain, int type, int protocol)
{
	struct pd *pd = pd_enter(u);
	struct pd_file like = {
		.domain = domain, .type = type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC),
		.nonblock = type & SOCK_NONBLOCK,
	};
	struct endpoint *ep;
	enum ns_err err;
	int fd;

	pd_sysctls(pd);
	like.protocol = protocol ? protocol
		      : like.type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP;
	if (domain != AF_INET && domain != AF_INET6)
		fd = pd_errno(EAFNOSUPPORT);
	else if (like.type != SOCK_STREAM && like.type != SOCK_DGRAM)
		fd = pd_errno(ESOCKTNOSUPPORT);
	else if (like.protocol != (like.type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP))
		fd = pd_errno(EPROTONOSUPPORT);
	else if ((err = endpoint_new(pd->stack, domain == AF_INET ? NET_IPV4 : NET_IPV6,
				     (uint8_t)like.protocol, &ep)))
		fd = pd_fail(err);
	else
		fd = new_socket(pd, &like, ep);
	pd_leave(pd);
	return fd;
}

int pd_bind(void *u, int fd, const struct sockaddr *sa, socklen_t len)
{
	struct pd *pd = pd_enter(u);
	struct pd_file *f = pd_socket_get(pd, fd);
	struct full_addr a;
	enum ns_err err;
	int rc = -1;

	if (f && pd_addr_in(f, sa, len, &a)) {
		err = endpoint_bind(f->ep, &a);
		rc = err ? pd_fail(err) : 0;
	}
	if (f)
		pd_file_put(f);
	pd_leave(pd);
	return rc;
}

int pd_listen(void *u, int fd, int backlog)
{
	struct pd *pd = pd_enter(u);
	struct pd_file *f = pd_socket_get(pd, fd);
	enum ns_err err;
	int rc = -1;

	if (f) {
		err = endpoint_listen(f->ep, backlog);
		rc = err ? pd_fail(err) : 0;
		f->listening |= !err;
		pd_file_put(f);
	}
	pd_leave(pd);
	return rc;
}

int pd_accept(void *u, int fd, struct sockaddr *sa, socklen_t *len)
{
	struct pd *pd = pd_enter(u);
	struct pd_file *f = pd_socket_get(pd, fd);
	struct full_addr peer;
	struct endpoint *ep;
	enum ns_err err;
	int rc = -1;

	while (f) {
		err = endpoint_accept(f->ep, &ep, &peer);
		if (!err) {
			struct pd_file like = *f;

			like.nonblock = false;	/* accept(2): not inherited */
			rc = new_socket(pd, &like, ep);
			if (rc >= 0)
				pd_addr_out(f, &peer, sa, len);
		} else if (err != NS_ERR_WOULD_BLOCK || f->nonblock) {
			rc = pd_fail(err);
		} else if (!pd_wait_for(pd, f, WAIT_IN, f->rcv_timeout_ns)) {
			continue;
		}
		pd_file_put(f);
		break;
	}
	pd_leave(pd);
	return rc;
}

int pd_await_connect(struct pd *pd, struct pd_file *f)
{
	int64_t err = 0;

	if (pd_wait_for(pd, f, WAIT_OUT, f->snd_timeout_ns))
		return pd_errno(EINPROGRESS);
	endpoint_get_int(f->ep, SOCKOPT_ERROR, &err);
	return err ? pd_fail((enum ns_err)err) : 0;
}

/* IP_LOCAL_PORT_RANGE: the first port of it that can be had. It is connect()'s choice, as an ephemeral one is: one that
 * only TIME-WAIT holds can be had, if it may be had again. */
static void bind_in_range(struct pd_file *f)
{
	int64_t reuse = 0;

	if (!f->port_min)
		return;
	endpoint_get_int(f->ep, SOCKOPT_REUSE_ADDRESS, &reuse);
	endpoint_set_int(f->ep, SOCKOPT_REUSE_ADDRESS, 1);
	for (unsigned port = f->port_min; port <= f->port_max; port++) {
		struct full_addr a = { .port = (uint16_t)port };

		if (!endpoint_bind(f->ep, &a))
			break;
	}
	endpoint_set_int(f->ep, SOCKOPT_REUSE_ADDRESS, reuse);
	endpoint_set_int(f->ep, SOCKOPT_PORT_LOCK, 0);
}

int pd_connect(void *u, int fd, const struct sockaddr *sa, socklen_t len)
{
	struct pd *pd = pd_enter(u);
	struct pd_file *f = pd_socket_get(pd, fd);
	struct full_addr a = { 0 };
	enum ns_err err;
	int rc = -1;

	pd_sysctls(pd);
	if (f && sa && len >= sizeof(sa->sa_family) && sa->sa_family == AF_UNSPEC) {
		err = endpoint_disconnect(f->ep);
		rc = err ? pd_fail(err) : 0;
		f->listening = false;
	} else if (f && pd_addr_in(f, sa, len, &a)) {
		bind_in_range(f);
		err = endpoint_connect(f->ep, &a);
		if ((err == NS_ERR_CONNECT_STARTED || err == NS_ERR_ALREADY_CONNECTING) &&
		    !f->nonblock)
			rc = pd_await_connect(pd, f);
		else
			rc = err ? pd_fail(err) : 0;
	}
	if (f)
		pd_file_put(f);
	pd_leave(pd);
	return rc;
}

int pd_shutdown(void *u, int fd, int how)
{
	static const int hows[] = {
		[SHUT_RD] = SHUTDOWN_READ, [SHUT_WR] = SHUTDOWN_WRITE,
		[SHUT_RDWR] = SHUTDOWN_READ | SHUTDOWN_WRITE,
	};
	struct pd *pd = pd_enter(u);
	struct pd_file *f = pd_socket_get(pd, fd);
	enum ns_err err;
	int rc = -1;

	if (f && (how < SHUT_RD || how > SHUT_RDWR)) {
		rc = pd_errno(EINVAL);
	} else if (f) {
		err = endpoint_shutdown(f->ep, hows[how]);
		rc = err ? pd_fail(err) : 0;
	}
	if (f)
		pd_file_put(f);
	pd_leave(pd);
	return rc;
}

/* SO_LINGER: close() waits until all is acknowledged, or its time is over (socket(7)). */
static void linger(struct pd *pd, struct pd_file *f)
{
	struct sockopt_linger l = { 0 };
	size_t len = sizeof(l);
	int64_t unsent = 0, deadline;

	if (f->kind != PD_SOCKET || f->nonblock || f->listening || f->type != SOCK_STREAM ||
	    endpoint_get_option(f->ep, SOCKOPT_LINGER, &l, &len) || !l.enabled || !l.timeout_ns)
		return;
	deadline = pd->now_ns + l.timeout_ns;
	endpoint_shutdown(f->ep, SHUTDOWN_WRITE);
	do {
		struct pd_sleeper s = { .deadline_ns = pd->now_ns + NS_PER_MS };

		if (endpoint_get_int(f->ep, SOCKOPT_SEND_QUEUE_SIZE, &unsent) || !unsent)
			return;
		pd_sleep(pd, &s);
	} while (pd->now_ns < deadline);
}

int pd_close(void *u, int fd)
{
	struct pd *pd = pd_enter(u);
	struct pd_file *f = pd_file_get(pd, fd);
	int rc = 0;

	if (!f) {
		/* pipes are the kernel's */
		rc = close(fd);
	} else {
		linger(pd, f);
		if (pd->files[fd] == f) {
			pd->files[fd] = NULL;
			pd_file_put(f);
			close(fd);
		}
		pd_file_put(f);
	}
	pd_leave(pd);
	return rc;
}
