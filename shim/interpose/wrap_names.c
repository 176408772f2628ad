/* wrap_names.c - names, addresses and interfaces: with a stack it is the stack's that are told of, without one these are
 * libc's functions.
 */
#include "interpose/call.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netpacket/packet.h>
#include <stdlib.h>
#include <string.h>

#include "interpose/redirect.h"
#include "interpose/resolve.h"

#define NEXT(ret, name, ...) \
	static ret (*real)(__VA_ARGS__); \
	if (UNLIKELY(!real)) \
		real = (ret (*)(__VA_ARGS__))libc_next(#name)

#define ADDRS_MAX 32

WRAPPER(void, freeaddrinfo, struct addrinfo *list)
{
	NEXT(void, freeaddrinfo, struct addrinfo *);
	if (!client.on || !resolve_free(list))
		real(list);
}

/* --- names of addresses */

/* The host name of an address, by the stack. 0 or an EAI_ code. */
static int name_of(const struct sockaddr *addr, socklen_t len, char *name, size_t n, int flags)
{
	char text[NI_MAXHOST + 1];
	struct client_request q = { .op = STACK_OP_NAMEINFO, .arg = { flags }, .data = addr, .len = len, .out = text,
				    .room = sizeof(text) - 1, .slow = true };
	int err = client_ask(&q);

	if (err) {
		if (q.arg[2] == 1)
			return err;
		errno = -err;
		return EAI_SYSTEM;
	}
	text[q.out_len < sizeof(text) - 1 ? q.out_len : sizeof(text) - 1] = 0;
	if (strlen(text) >= n)
		return EAI_OVERFLOW;
	strcpy(name, text);
	return 0;
}

WRAPPER(int, getnameinfo, const struct sockaddr *addr, socklen_t len, char *host, socklen_t hostlen, char *service,
	socklen_t servicelen, int flags)
{
	bool inet = addr && len >= sizeof(sa_family_t) && (addr->sa_family == AF_INET || addr->sa_family == AF_INET6);
	int err;
	NEXT(int, getnameinfo, const struct sockaddr *, socklen_t, char *, socklen_t, char *, socklen_t, int);

	if (!inet || !host || !hostlen || (flags & NI_NUMERICHOST) || len > STACK_ADDR_MAX || !resolve_redirected())
		return real(addr, len, host, hostlen, service, servicelen, flags);
	err = name_of(addr, len, host, hostlen, flags);
	if (err == EAI_NONAME && !(flags & NI_NAMEREQD))
		err = real(addr, len, host, hostlen, NULL, 0, flags | NI_NUMERICHOST);
	if (err || !service || !servicelen)
		return err;
	return real(addr, len, NULL, 0, service, servicelen, flags);
}

/* --- the older calls */

/* A hostent in `buf`: the address list, addresses, names. False: too small. */
static bool make_hostent(struct hostent *h, char *buf, size_t n, const char *name, int family, const uint8_t *addrs,
			 int count)
{
	size_t size = family == AF_INET ? 4 : 16, pad = -(uintptr_t)buf & 7;
	size_t need = pad + ((size_t)count + 2) * sizeof(char *) + (size_t)count * size + strlen(name) + 1;
	char **list = (char **)(buf + pad), *at = (char *)(list + count + 2);

	if (need > n)
		return false;
	for (int i = 0; i < count; i++, at += size) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)(addrs + (size_t)i * STACK_ADDR_MAX);
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)in;

		memcpy(at, family == AF_INET ? (const void *)&in->sin_addr : (const void *)&in6->sin6_addr, size);
		list[i] = at;
	}
	list[count] = list[count + 1] = NULL;
	strcpy(at, name);
	*h = (struct hostent){ .h_name = at, .h_aliases = list + count + 1, .h_addrtype = family, .h_length = (int)size,
			       .h_addr_list = list };
	return true;
}

static int herr_of(int eai)
{
	switch (eai) {
	case EAI_AGAIN: return TRY_AGAIN;
	case EAI_NODATA:
	case EAI_ADDRFAMILY: return NO_DATA;
	case EAI_SYSTEM:
	case EAI_MEMORY: return NETDB_INTERNAL;
	case EAI_FAIL: return NO_RECOVERY;
	default: return HOST_NOT_FOUND;
	}
}

/* gethostbyname2_r by the stack: 0 with *result, or an errno; *result NULL and 0: *herr says why. */
static int by_name(const char *name, int family, struct hostent *h, char *buf, size_t n, struct hostent **result,
		   int *herr)
{
	struct addrinfo hints = { .ai_family = family, .ai_socktype = SOCK_STREAM, .ai_flags = AI_CANONNAME }, *list = NULL;
	uint8_t addrs[ADDRS_MAX * STACK_ADDR_MAX];
	int err, count = 0;
	bool fits;

	*result = NULL;
	if (family != AF_INET && family != AF_INET6) {
		*herr = NETDB_INTERNAL;
		return EAFNOSUPPORT;
	}
	err = resolve_getaddrinfo(name, NULL, &hints, &list);
	if (err) {
		*herr = herr_of(err);
		return *herr == NETDB_INTERNAL ? errno : *herr == TRY_AGAIN ? EAGAIN : 0;
	}
	for (struct addrinfo *a = list; a && count < ADDRS_MAX; a = a->ai_next)
		if (a->ai_family == family)
			memcpy(addrs + (size_t)count++ * STACK_ADDR_MAX, a->ai_addr, a->ai_addrlen);
	fits = make_hostent(h, buf, n, list->ai_canonname ? list->ai_canonname : name, family, addrs, count);
	resolve_free(list);
	if (!fits) {
		*herr = NETDB_INTERNAL;
		return ERANGE;
	}
	*result = h;
	return 0;
}

static struct hostent *static_result(int err, struct hostent *result, int herr)
{
	h_errno = herr;
	if (err)
		errno = err;
	return result;
}

static char static_buf[4096];
static struct hostent static_host;

WRAPPER(struct hostent *, gethostbyname2, const char *name, int family)
{
	struct hostent *result;
	int herr = NETDB_SUCCESS, err;
	NEXT(struct hostent *, gethostbyname2, const char *, int);

	if (!resolve_redirected())
		return real(name, family);
	err = by_name(name, family, &static_host, static_buf, sizeof(static_buf), &result, &herr);
	return static_result(err, result, herr);
}

WRAPPER(struct hostent *, gethostbyname, const char *name)
{
	NEXT(struct hostent *, gethostbyname, const char *);
	return resolve_redirected() ? sockshim_w_gethostbyname2(name, AF_INET) : real(name);
}

WRAPPER(int, gethostbyname2_r, const char *name, int family, struct hostent *h, char *buf, size_t n,
	struct hostent **result, int *herr)
{
	NEXT(int, gethostbyname2_r, const char *, int, struct hostent *, char *, size_t, struct hostent **, int *);
	return resolve_redirected() ? by_name(name, family, h, buf, n, result, herr)
				    : real(name, family, h, buf, n, result, herr);
}

WRAPPER(int, gethostbyname_r, const char *name, struct hostent *h, char *buf, size_t n, struct hostent **result,
	int *herr)
{
	NEXT(int, gethostbyname_r, const char *, struct hostent *, char *, size_t, struct hostent **, int *);
	return resolve_redirected() ? by_name(name, AF_INET, h, buf, n, result, herr)
				    : real(name, h, buf, n, result, herr);
}

/* gethostbyaddr_r by the stack, as by_name. */
static int by_addr(const void *addr, socklen_t len, int family, struct hostent *h, char *buf, size_t n,
		   struct hostent **result, int *herr)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	uint8_t slot[STACK_ADDR_MAX] = { 0 };
	char name[NI_MAXHOST];
	int err;

	*result = NULL;
	*herr = NETDB_INTERNAL;
	if ((family != AF_INET || len != 4) && (family != AF_INET6 || len != 16))
		return EINVAL;
	memcpy(family == AF_INET ? (void *)&in.sin_addr : (void *)&in6.sin6_addr, addr, len);
	memcpy(slot, family == AF_INET ? (void *)&in : (void *)&in6, family == AF_INET ? sizeof(in) : sizeof(in6));
	err = name_of((struct sockaddr *)slot, family == AF_INET ? sizeof(in) : sizeof(in6), name, sizeof(name),
		      NI_NAMEREQD);
	if (err) {
		*herr = herr_of(err);
		return *herr == NETDB_INTERNAL ? errno : *herr == TRY_AGAIN ? EAGAIN : 0;
	}
	if (!make_hostent(h, buf, n, name, family, slot, 1))
		return ERANGE;
	*herr = NETDB_SUCCESS;
	*result = h;
	return 0;
}

WRAPPER(struct hostent *, gethostbyaddr, const void *addr, socklen_t len, int family)
{
	struct hostent *result;
	int herr, err;
	NEXT(struct hostent *, gethostbyaddr, const void *, socklen_t, int);

	if (!resolve_redirected())
		return real(addr, len, family);
	err = by_addr(addr, len, family, &static_host, static_buf, sizeof(static_buf), &result, &herr);
	return static_result(err, result, herr);
}

WRAPPER(int, gethostbyaddr_r, const void *addr, socklen_t len, int family, struct hostent *h, char *buf, size_t n,
	struct hostent **result, int *herr)
{
	NEXT(int, gethostbyaddr_r, const void *, socklen_t, int, struct hostent *, char *, size_t, struct hostent **, int *);
	return resolve_redirected() ? by_addr(addr, len, family, h, buf, n, result, herr)
				    : real(addr, len, family, h, buf, n, result, herr);
}

/* --- interfaces */

#define PER_REPLY (STACK_MSG_DATA / sizeof(struct stack_ifaddr))
#define LIST_MAX 1024

/* All of the stack's interfaces and addresses; the caller frees. How many, or -errno. */
static int list_interfaces(struct stack_ifaddr **out)
{
	struct stack_ifaddr *list = NULL;
	int n = 0;

	for (bool more = true; more && n < LIST_MAX;) {
		struct stack_ifaddr *longer = realloc(list, ((size_t)n + PER_REPLY) * sizeof(*list));
		struct client_request q = { .op = STACK_OP_IFADDRS, .arg = { n }, .room = PER_REPLY * sizeof(*list) };
		int err = -ENOMEM;

		if (longer) {
			list = longer;
			q.out = list + n;
			err = client_ask(&q);
		}
		if (err) {
			free(list);
			return err;
		}
		if (q.arg[0] < 0 || (uint64_t)q.arg[0] > PER_REPLY || (uint64_t)q.arg[0] * sizeof(*list) > q.out_len)
			break;
		n += (int)q.arg[0];
		more = q.arg[1] && q.arg[0] > 0;
	}
	*out = list;
	return n;
}

/* One entry of getifaddrs with all that it points to, in one piece of memory, as glibc's freeifaddrs expects it. */
struct interface {
	struct ifaddrs ifa;
	char name[IFNAMSIZ];
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_ll ll;
	} addr, mask, broadcast;
	uint32_t stats[24];		/* struct rtnl_link_stats */
};

static void set_mask(struct interface *to, int family, unsigned bits)
{
	uint8_t *bytes = family == AF_INET ? (uint8_t *)&to->mask.in.sin_addr : (uint8_t *)&to->mask.in6.sin6_addr;

	to->mask.sa.sa_family = (sa_family_t)family;
	for (unsigned i = 0; i < bits && i < (family == AF_INET ? 32 : 128); i++)
		bytes[i / 8] |= (uint8_t)(0x80 >> i % 8);
	to->ifa.ifa_netmask = &to->mask.sa;
}

static void set_interface(struct interface *to, const struct stack_ifaddr *from)
{
	memset(to, 0, sizeof(*to));
	memcpy(to->name, from->name, sizeof(to->name) - 1);
	to->ifa.ifa_name = to->name;
	to->ifa.ifa_flags = from->flags;
	to->ifa.ifa_addr = &to->addr.sa;
	if (from->addr.len && from->addr.len <= sizeof(to->addr)) {
		memcpy(&to->addr, from->addr.bytes, from->addr.len);
		set_mask(to, to->addr.sa.sa_family, from->prefix_len);
		if (from->broadcast.len && from->broadcast.len <= sizeof(to->broadcast)) {
			memcpy(&to->broadcast, from->broadcast.bytes, from->broadcast.len);
			to->ifa.ifa_broadaddr = &to->broadcast.sa;
		}
		return;
	}
	to->addr.ll = (struct sockaddr_ll){ .sll_family = AF_PACKET, .sll_ifindex = (int)from->ifindex,
					    .sll_hatype = (unsigned short)from->hatype, .sll_halen = 6 };
	memcpy(to->addr.ll.sll_addr, from->mac, 6);
	to->broadcast.ll = to->addr.ll;
	memset(to->broadcast.ll.sll_addr, from->flags & IFF_LOOPBACK ? 0 : 0xff, 6);
	to->ifa.ifa_broadaddr = &to->broadcast.sa;
	to->stats[0] = from->rx_packets;
	to->stats[1] = from->tx_packets;
	to->stats[2] = from->rx_bytes;
	to->stats[3] = from->tx_bytes;
	to->ifa.ifa_data = to->stats;
}

/* Libc's: interfaces first, then their IPv4 addresses, then those of IPv6. */
static int rank(const struct stack_ifaddr *a)
{
	sa_family_t family;

	memcpy(&family, a->addr.bytes, sizeof(family));
	return !a->addr.len ? 0 : family == AF_INET ? 1 : 2;
}

WRAPPER(int, getifaddrs, struct ifaddrs **out)
{
	struct stack_ifaddr *list;
	struct interface *all;
	int n, k = 0;
	NEXT(int, getifaddrs, struct ifaddrs **);

	if (!resolve_redirected())
		return real(out);
	n = list_interfaces(&list);
	all = n > 0 ? calloc((size_t)n, sizeof(*all)) : NULL;
	if (n < 0 || (n && !all)) {
		errno = n < 0 ? -n : ENOMEM;
		if (n > 0)
			free(list);
		return -1;
	}
	for (int r = 0; r < 3; r++)
		for (int i = 0; i < n; i++)
			if (rank(&list[i]) == r)
				set_interface(&all[k++], &list[i]);
	for (int i = 0; i + 1 < n; i++)
		all[i].ifa.ifa_next = &all[i + 1].ifa;
	free(list);
	*out = n ? &all[0].ifa : NULL;
	return 0;
}

WRAPPER(void, freeifaddrs, struct ifaddrs *list)
{
	NEXT(void, freeifaddrs, struct ifaddrs *);
	if (list && client.on && list->ifa_name == ((struct interface *)list)->name)
		free(list);
	else
		real(list);
}

WRAPPER(unsigned, if_nametoindex, const char *name)
{
	struct stack_ifaddr *list;
	unsigned index = 0;
	int n;
	NEXT(unsigned, if_nametoindex, const char *);

	if (!resolve_redirected())
		return real(name);
	n = list_interfaces(&list);
	for (int i = 0; i < n && !index; i++)
		if (strncmp(list[i].name, name, sizeof(list[i].name)) == 0)
			index = list[i].ifindex;
	if (n >= 0)
		free(list);
	if (!index)
		errno = n < 0 ? -n : ENODEV;
	return index;
}

WRAPPER(char *, if_indextoname, unsigned index, char *name)
{
	struct stack_ifaddr *list;
	char *found = NULL;
	int n;
	NEXT(char *, if_indextoname, unsigned, char *);

	if (!resolve_redirected())
		return real(index, name);
	n = list_interfaces(&list);
	for (int i = 0; i < n && !found; i++)
		if (list[i].ifindex == index) {
			memcpy(name, list[i].name, IFNAMSIZ);
			name[IFNAMSIZ - 1] = 0;
			found = name;
		}
	if (n >= 0)
		free(list);
	if (!found)
		errno = n < 0 ? -n : ENXIO;
	return found;
}

/* As libc's if_freenameindex frees it: each name, then the array. */
WRAPPER(struct if_nameindex *, if_nameindex, void)
{
	struct stack_ifaddr *list;
	struct if_nameindex *names;
	int n, k = 0;
	NEXT(struct if_nameindex *, if_nameindex, void);

	if (!resolve_redirected())
		return real();
	n = list_interfaces(&list);
	names = n >= 0 ? calloc((size_t)n + 1, sizeof(*names)) : NULL;
	for (int i = 0; names && i < n; i++) {
		if (list[i].addr.len)
			continue;
		names[k].if_index = list[i].ifindex;
		names[k].if_name = strndup(list[i].name, IFNAMSIZ - 1);
		k += names[k].if_name != NULL;
	}
	if (n >= 0)
		free(list);
	if (!names)
		errno = ENOBUFS;
	return names;
}

WRAPPER(void, if_freenameindex, struct if_nameindex *names)
{
	NEXT(void, if_freenameindex, struct if_nameindex *);
	if (!client.on || !names) {
		real(names);
		return;
	}
	for (struct if_nameindex *p = names; p->if_name; p++)
		free(p->if_name);
	free(names);
}
