/* netlink_route.c - single routes; the theory of operation is in the header. */
#include "interpose/netlink_route.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <string.h>

#include "interpose/memory.h"
#include "interpose/redirect.h"
#include "run/sys.h"

#define ASKED		8	/* sockets that wait for an answer at once */
#define REQUEST_MAX	256
#define IOVS_MAX	16

/* What a socket has asked for. */
static struct asked {
	uint64_t cookie;	/* 0: free */
	uint32_t seq;
	struct stack_addr to;
} asked[ASKED];

static uint64_t cookie_of(int fd)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	return sys(SYS_getsockopt, fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) == 0 ? cookie : 0;
}

static struct asked *find(uint64_t cookie)
{
	for (int i = 0; i < ASKED; i++)
		if (__atomic_load_n(&asked[i].cookie, __ATOMIC_ACQUIRE) == cookie)
			return &asked[i];
	return NULL;
}

/* The program's buffers of a call; false: more than we look at. */
static bool buffers(enum call_id id, const uint64_t *a, struct iovec iov[IOVS_MAX], size_t *n)
{
	struct msghdr m = { 0 };

	switch (id) {
	case CALL_sendmsg:
	case CALL_recvmsg:
		if (!memory_read(&m, (const void *)(uintptr_t)a[1], sizeof(m)))
			return false;
		break;
	case CALL_readv:
	case CALL_writev:
		m.msg_iov = (struct iovec *)(uintptr_t)a[1];
		m.msg_iovlen = a[2];
		break;
	default:
		*n = 1;
		iov[0] = (struct iovec){ (void *)(uintptr_t)a[1], a[2] };
		return true;
	}
	*n = m.msg_iovlen;
	return *n && *n <= IOVS_MAX && memory_read(iov, m.msg_iov, *n * sizeof(*iov));
}

/* Copies between a buffer of ours and the program's; how many bytes. */
static size_t move(const struct iovec *iov, size_t count, void *ours, size_t n, bool out)
{
	size_t done = 0;

	for (size_t i = 0; i < count && done < n; i++) {
		size_t part = iov[i].iov_len < n - done ? iov[i].iov_len : n - done;
		uint8_t *at = (uint8_t *)ours + done;

		if (part && !(out ? memory_write(iov[i].iov_base, at, part) : memory_read(at, iov[i].iov_base, part)))
			break;
		done += part;
	}
	return done;
}

static void set_addr(struct stack_addr *to, int family, const void *bytes)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };

	if (family == AF_INET) {
		memcpy(&in.sin_addr, bytes, sizeof(in.sin_addr));
		memcpy(to->bytes, &in, to->len = sizeof(in));
	} else {
		memcpy(&in6.sin6_addr, bytes, sizeof(in6.sin6_addr));
		memcpy(to->bytes, &in6, to->len = sizeof(in6));
	}
}

static size_t addr_len(int family)
{
	return family == AF_INET ? sizeof(struct in_addr) : sizeof(struct in6_addr);
}

static void sent(int fd, const struct iovec *iov, size_t count, size_t len)
{
	_Alignas(4) uint8_t request[REQUEST_MAX];
	const struct nlmsghdr *h = (const struct nlmsghdr *)request;
	const struct rtmsg *rt = NLMSG_DATA(h);
	const struct rtattr *attr = RTM_RTA(rt);
	uint64_t cookie = cookie_of(fd), none = 0;
	struct asked *slot;
	unsigned left;
	int room;

	if (!cookie || len > sizeof(request) || move(iov, count, request, len, false) != len ||
	    len < NLMSG_LENGTH(sizeof(*rt)) || h->nlmsg_len > len || h->nlmsg_len < NLMSG_LENGTH(sizeof(*rt)) ||
	    h->nlmsg_type != RTM_GETROUTE || (h->nlmsg_flags & NLM_F_DUMP) ||
	    (rt->rtm_family != AF_INET && rt->rtm_family != AF_INET6))
		return;
	left = h->nlmsg_len - NLMSG_LENGTH(sizeof(*rt));
	for (room = (int)left; RTA_OK(attr, room); attr = RTA_NEXT(attr, room)) {
		if (attr->rta_type != RTA_DST || RTA_PAYLOAD(attr) != addr_len(rt->rtm_family))
			continue;
		slot = find(cookie);
		if (!slot && (slot = find(0)) &&
		    !__atomic_compare_exchange_n(&slot->cookie, &none, cookie, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
			return;
		if (!slot)	/* all others have been given up: one of them has to make room */
			slot = &asked[cookie % ASKED];
		slot->seq = h->nlmsg_seq;
		set_addr(&slot->to, rt->rtm_family, RTA_DATA(attr));
		__atomic_store_n(&slot->cookie, cookie, __ATOMIC_RELEASE);
		return;
	}
}

/* An answer being put together. */
struct answer {
	struct nlmsghdr h;
	union {
		struct {
			struct rtmsg rt;
			uint8_t attrs[128];
		};
		struct nlmsgerr error;
	};
};

static void add(struct answer *a, unsigned short type, const void *data, size_t n)
{
	struct rtattr attr = { .rta_type = type, .rta_len = (unsigned short)RTA_LENGTH(n) };
	uint8_t *at = (uint8_t *)a + a->h.nlmsg_len;

	memcpy(at, &attr, sizeof(attr));
	memcpy(at + RTA_LENGTH(0), data, n);
	a->h.nlmsg_len += (uint32_t)RTA_SPACE(n);
}

static const void *addr_bytes(const struct stack_addr *a, int family)
{
	return a->bytes + (family == AF_INET ? offsetof(struct sockaddr_in, sin_addr) : offsetof(struct sockaddr_in6, sin6_addr));
}

/* The stack's route, as inet_rtm_getroute() tells one. */
static void set_route(struct answer *a, const struct stack_addr *to, const struct stack_route *r)
{
	const struct rta_cacheinfo cache = { 0 };
	uint32_t table = RT_TABLE_MAIN;
	sa_family_t family;
	size_t n;

	memcpy(&family, to->bytes, sizeof(family));
	n = addr_len(family);
	a->h.nlmsg_type = RTM_NEWROUTE;
	a->h.nlmsg_len = NLMSG_LENGTH(sizeof(a->rt));
	a->rt = (struct rtmsg){ .rtm_family = (unsigned char)family, .rtm_dst_len = (unsigned char)(n * 8),
		.rtm_table = r->local ? RT_TABLE_LOCAL : RT_TABLE_MAIN, .rtm_type = r->local ? RTN_LOCAL : RTN_UNICAST };
	if (r->local)
		table = RT_TABLE_LOCAL;
	add(a, RTA_TABLE, &table, sizeof(table));
	add(a, RTA_DST, addr_bytes(to, family), n);
	add(a, RTA_OIF, &r->ifindex, sizeof(r->ifindex));
	if (r->src.len)
		add(a, RTA_PREFSRC, addr_bytes(&r->src, family), n);
	if (r->gateway.len)
		add(a, RTA_GATEWAY, addr_bytes(&r->gateway, family), n);
	/* The kernel's always ends with it, and there are programs that never look at the last attribute. */
	add(a, RTA_CACHEINFO, &cache, sizeof(cache));
}

static void set_error(struct answer *a, int err)
{
	a->error.error = err;
	a->error.msg = a->h;
	a->error.msg.nlmsg_len = NLMSG_LENGTH(0);
	a->h.nlmsg_type = NLMSG_ERROR;
	a->h.nlmsg_len = NLMSG_LENGTH(sizeof(a->error));
}

static long received(int fd, const struct iovec *iov, size_t count, bool peek, long r)
{
	struct stack_route route = { 0 };
	struct client_request q = { .op = STACK_OP_ROUTE, .out = &route, .room = sizeof(route) };
	struct asked *slot = NULL;
	struct answer a = { 0 };
	uint64_t cookie = cookie_of(fd);
	int err;

	if (cookie)
		slot = find(cookie);
	if (!slot || move(iov, count, &a.h, sizeof(a.h), false) != sizeof(a.h) || a.h.nlmsg_seq != slot->seq ||
	    (a.h.nlmsg_type != RTM_NEWROUTE && a.h.nlmsg_type != NLMSG_ERROR))
		return r;
	q.data = slot->to.bytes;
	q.len = slot->to.len;
	err = client_ask(&q);
	if (!err && q.out_len == sizeof(route))
		set_route(&a, &slot->to, &route);
	else
		set_error(&a, err ? err : -EPROTO);
	if (!peek)
		__atomic_store_n(&slot->cookie, 0, __ATOMIC_RELEASE);
	return (long)move(iov, count, &a, a.h.nlmsg_len, true);
}

long netlink_route_made(enum call_id id, int fd, const uint64_t *a, long r)
{
	struct iovec iov[IOVS_MAX];
	size_t n;

	if (r <= 0 || hook_sandboxed)
		return r;
	switch (id) {
	case CALL_send:
	case CALL_sendto:
	case CALL_write:
	case CALL_writev:
	case CALL_sendmsg:
		if (buffers(id, a, iov, &n))
			sent(fd, iov, n, (size_t)r);
		return r;
	case CALL_recv:
	case CALL_recvfrom:
		return buffers(id, a, iov, &n) ? received(fd, iov, n, a[3] & MSG_PEEK, r) : r;
	case CALL_recvmsg:
		return buffers(id, a, iov, &n) ? received(fd, iov, n, a[2] & MSG_PEEK, r) : r;
	case CALL_read:
	case CALL_readv:
		return buffers(id, a, iov, &n) ? received(fd, iov, n, false, r) : r;
	default:
		return r;
	}
}
