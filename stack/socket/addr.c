/* Between sockaddr and the stack's addresses. */
#include "socket/sock.h"

#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>

int sock_addr_to_full(const struct sockaddr *a, socklen_t len, int domain, struct full_addr *out)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	*out = (struct full_addr){ 0 };
	if (!a || len < sizeof(a->sa_family))
		return -EINVAL;
	if (a->sa_family != domain)
		return -EAFNOSUPPORT;
	if (domain == AF_INET) {
		if (len < sizeof(v4))
			return -EINVAL;
		memcpy(&v4, a, sizeof(v4));
		out->addr = addr_from_bytes((const uint8_t *)&v4.sin_addr, ADDR_LEN_V4);
		out->port = ntohs(v4.sin_port);
		return 0;
	}
	/* RFC 2133 had no scope: 24 bytes were enough, and are. */
	if (len < offsetof(struct sockaddr_in6, sin6_scope_id))
		return -EINVAL;
	v6.sin6_scope_id = 0;
	memcpy(&v6, a, len < sizeof(v6) ? len : sizeof(v6));
	out->addr = addr_from_bytes((const uint8_t *)&v6.sin6_addr, ADDR_LEN_V6);
	out->port = ntohs(v6.sin6_port);
	/* A scope means something for link-local addresses only (RFC 4007, 6). */
	if (addr_is_link_local(&out->addr) ||
	    (addr_is_multicast(&out->addr) && (out->addr.b[1] & 0xf) <= 2))
		out->nic = v6.sin6_scope_id;
	return 0;
}

socklen_t sock_addr_from_full(const struct full_addr *f, int domain, struct sockaddr_storage *out)
{
	memset(out, 0, sizeof(*out));
	if (domain == AF_INET) {
		struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(f->port) };

		memcpy(&v4.sin_addr, f->addr.b, ADDR_LEN_V4);
		memcpy(out, &v4, sizeof(v4));
		return sizeof(v4);
	}
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(f->port) };
	struct addr a = addr_map(&f->addr);

	memcpy(&v6.sin6_addr, a.b, ADDR_LEN_V6);
	if (addr_is_link_local(&a))
		v6.sin6_scope_id = f->nic;
	memcpy(out, &v6, sizeof(v6));
	return sizeof(v6);
}
