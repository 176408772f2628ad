/* interfaces.c - the loopback interface, as getifaddrs, ioctl and if_nametoindex tell of it. */
#include "log.h"
#include <ifaddrs.h>
#include <net/if.h>
#include <netpacket/packet.h>

static void one(const struct ifaddrs *a)
{
	char text[INET6_ADDRSTRLEN] = "", mask[INET6_ADDRSTRLEN] = "";
	int family = a->ifa_addr ? a->ifa_addr->sa_family : -1;

	if (family == AF_INET) {
		inet_ntop(AF_INET, &((struct sockaddr_in *)a->ifa_addr)->sin_addr, text, sizeof(text));
		inet_ntop(AF_INET, &((struct sockaddr_in *)a->ifa_netmask)->sin_addr, mask, sizeof(mask));
	} else if (family == AF_INET6) {
		inet_ntop(AF_INET6, &((struct sockaddr_in6 *)a->ifa_addr)->sin6_addr, text, sizeof(text));
		inet_ntop(AF_INET6, &((struct sockaddr_in6 *)a->ifa_netmask)->sin6_addr, mask, sizeof(mask));
	}
	printf("%s family %d flags %x %s %s", a->ifa_name, family, a->ifa_flags & (IFF_UP | IFF_LOOPBACK | IFF_RUNNING), text, mask);
	if (family == AF_PACKET)
		printf(" index %d", ((struct sockaddr_ll *)a->ifa_addr)->sll_ifindex);
	puts("");
}

int main(void)
{
	struct ifaddrs *list = NULL;
	struct if_nameindex *names;
	struct ifreq r = { .ifr_name = "lo" };
	struct ifreq many[8];
	struct ifconf conf = { .ifc_len = sizeof(many), .ifc_req = many };
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	char name[IF_NAMESIZE] = "";

	DO(getifaddrs(&list));
	for (struct ifaddrs *a = list; a; a = a->ifa_next)
		one(a);
	freeifaddrs(list);
	DO(if_nametoindex("lo"));
	DO(if_nametoindex("nonesuch"));
	DO(if_indextoname(1, name) != NULL);
	puts(name);
	DO(if_indextoname(99, name) != NULL);
	names = if_nameindex();
	for (struct if_nameindex *n = names; n && n->if_name; n++)
		printf("%u %s\n", n->if_index, n->if_name);
	if_freenameindex(names);
	DO(ioctl(s, SIOCGIFADDR, &r));
	log_addr("address", &r.ifr_addr, sizeof(struct sockaddr_in), 0);
	DO(ioctl(s, SIOCGIFNETMASK, &r));
	log_addr("mask", &r.ifr_addr, sizeof(struct sockaddr_in), 0);
	DO(ioctl(s, SIOCGIFFLAGS, &r));
	printf("%x\n", r.ifr_flags & (IFF_UP | IFF_LOOPBACK | IFF_RUNNING));
	DO(ioctl(s, SIOCGIFINDEX, &r));
	printf("%d\n", r.ifr_ifindex);
	DO(ioctl(s, SIOCGIFMTU, &r));
	printf("%d\n", r.ifr_mtu > 60000);
	DO(ioctl(s, SIOCGIFHWADDR, &r));
	printf("%d\n", r.ifr_hwaddr.sa_family);
	DO(ioctl(s, SIOCGIFCONF, &conf));
	for (int i = 0; i < conf.ifc_len / (int)sizeof(many[0]); i++)
		printf("%s\n", many[i].ifr_name);
	strcpy(r.ifr_name, "nonesuch");
	DO(ioctl(s, SIOCGIFADDR, &r));
	DO(ioctl(s, SIOCGIFINDEX, &r));
	return 0;
}
