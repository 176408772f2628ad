/* Between sockaddr and the stack's addresses. */
#include "socket/impl.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <stddef.h>

int sock_addr_to_full(const struct sockaddr *a, socklen_t len, int domain, struct full_addr *out)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	*out = (struct full_addr){ 0 };
	if (!a || len < sizeof(a->sa_family))
		return -EINVAL;
	if (domain == AF_PACKET) {
		struct packet_addr link;
		int r = sock_addr_to_link(a, len, &link);

		out->nic = link.nic;
		out->port = link.proto;
		return r;
	}
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

int sock_addr_to_link(const struct sockaddr *a, socklen_t len, struct packet_addr *out)
{
	struct sockaddr_ll ll = { 0 };

	*out = (struct packet_addr){ 0 };
	if (len < offsetof(struct sockaddr_ll, sll_addr))
		return -EINVAL;
	memcpy(&ll, a, len < sizeof(ll) ? len : sizeof(ll));
	if (ll.sll_family != AF_PACKET)
		return -EINVAL;
	if (ll.sll_halen > sizeof(ll.sll_addr) || len < offsetof(struct sockaddr_ll, sll_addr) + ll.sll_halen)
		return -EINVAL;
	out->nic = ll.sll_ifindex > 0 ? (uint32_t)ll.sll_ifindex : 0;
	out->proto = ntohs(ll.sll_protocol);
	if (ll.sll_halen >= LINK_ADDR_LEN)
		out->addr = link_addr_from_bytes(ll.sll_addr);
	return 0;
}

socklen_t sock_addr_from_link(const struct packet_addr *p, struct sockaddr_storage *out)
{
	struct sockaddr_ll ll = {
		.sll_family = AF_PACKET, .sll_protocol = htons(p->proto), .sll_ifindex = (int)p->nic,
		.sll_hatype = p->hatype, .sll_pkttype = p->type, .sll_halen = p->addr.len,
	};

	memset(out, 0, sizeof(*out));
	memcpy(ll.sll_addr, p->addr.b, p->addr.len);
	memcpy(out, &ll, sizeof(ll));
	return sizeof(ll);
}
