/* Names for numbers: services, hosts, devices, protocols. */
#include "cli/names.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Hosts are remembered in as many slots; two that meet in one take turns. */
#define HOST_SLOTS 4096

struct host_name {
	uint32_t addr_be[4];
	uint8_t family; /* 0: empty */
	char *name;     /* NULL: known to have none */
};

/* By port; index 0 is tcp, 1 is udp. */
static char **services[2];

static void read_services(void)
{
	struct servent *s;

	for (int i = 0; i < 2; i++) {
		services[i] = calloc(UINT16_MAX + 1, sizeof(char *));
		if (!services[i])
			return;
	}
	setservent(1);
	while ((s = getservent())) {
		int i = !strcmp(s->s_proto, "tcp") ? 0 : !strcmp(s->s_proto, "udp") ? 1 : -1;
		uint16_t port = ntohs((uint16_t)s->s_port);

		if (i >= 0 && !services[i][port])
			services[i][port] = strdup(s->s_name);
	}
	endservent();
}

const char *names_service(const char *protocol, uint16_t port)
{
	static bool read;
	int i = !strcmp(protocol, "udp");

	if (!read) {
		read = true;
		read_services();
	}
	return services[i] ? services[i][port] : NULL;
}

static char *look_up_host(uint8_t family, const uint32_t addr_be[4])
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in in = { .sin_family = AF_INET };
	char name[NI_MAXHOST];
	int rc;

	memcpy(&in6.sin6_addr, addr_be, 16);
	if (family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr)) {
		/* Hosts have their names as what they are. */
		family = AF_INET;
		addr_be += 3;
	}
	memcpy(&in.sin_addr, addr_be, 4);
	rc = family == AF_INET ?
		     getnameinfo((void *)&in, sizeof(in), name, sizeof(name), NULL, 0, NI_NAMEREQD) :
		     getnameinfo((void *)&in6, sizeof(in6), name, sizeof(name), NULL, 0, NI_NAMEREQD);
	return rc ? NULL : strdup(name);
}

const char *names_host(uint8_t family, const uint32_t addr_be[4])
{
	static struct host_name slots[HOST_SLOTS];
	size_t n = family == AF_INET ? 4 : 16;
	struct host_name *h;
	uint32_t hash = 0;

	for (size_t i = 0; i < n / 4; i++)
		hash = (hash ^ addr_be[i]) * 2654435761u;
	h = &slots[hash % HOST_SLOTS];
	if (h->family != family || memcmp(h->addr_be, addr_be, n)) {
		/* The old name may still be in a row being put together, so it stays. */
		h->family = family;
		memcpy(h->addr_be, addr_be, n);
		h->name = look_up_host(family, addr_be);
	}
	return h->name;
}

const char *names_device(uint32_t ifindex)
{
	static uint32_t last;
	static char name[IF_NAMESIZE + 8];

	if (ifindex != last || !name[0]) {
		last = ifindex;
		if (!if_indextoname(ifindex, name))
			snprintf(name, sizeof(name), "if%u", ifindex);
	}
	return name;
}

const char *names_protocol(uint32_t protocol)
{
	struct protoent *p = protocol <= UINT8_MAX ? getprotobynumber((int)protocol) : NULL;

	return p ? p->p_name : NULL;
}

const char *names_sockopt(unsigned int bit)
{
	static const char *const names[] = {
		"recverr", "is_icsk", "freebind", "hdrincl", "mc_loop", "transparent", "mc_all", "nodefrag",
		"bind_addr_no_port", "recverr_rfc4884", "defer_connect",
	};

	return bit < sizeof(names) / sizeof(names[0]) ? names[bit] : NULL;
}

const char *names_timer(uint8_t timer)
{
	static const char *const timers[] = { "off", "on", "keepalive", "timewait", "persist", "delack" };

	return timer < sizeof(timers) / sizeof(timers[0]) ? timers[timer] : "unknown";
}
