/* names.c - looking up what needs no network: numbers, services, this host; the errors, also where no server is reached. */
#include "log.h"
#include <netdb.h>

static void look(const char *host, const char *service, int flags, int family, int type)
{
	struct addrinfo h = { .ai_flags = flags, .ai_family = family, .ai_socktype = type }, *list = NULL;
	int r = getaddrinfo(host, service, &h, &list);

	printf("%s %s flags %x family %d type %d: ", host ? host : "(none)", service ? service : "(none)", flags, family, type);
	printf("%s\n", r ? gai_strerror(r) : "found");
	for (struct addrinfo *a = list; a; a = a->ai_next) {
		char text[INET6_ADDRSTRLEN], port[16];

		getnameinfo(a->ai_addr, a->ai_addrlen, text, sizeof(text), port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV);
		printf("  family %d type %d protocol %d: %s %s %s\n", a->ai_family, a->ai_socktype, a->ai_protocol, text, port,
		       a->ai_canonname ? a->ai_canonname : "-");
	}
	if (list)
		freeaddrinfo(list);
}

/* The name of an address that no file knows. */
static void name_of(int family, const char *address, int flags)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	bool v6 = family == AF_INET6;
	char host[NI_MAXHOST];
	int r;

	inet_pton(family, address, v6 ? (void *)&in6.sin6_addr : (void *)&in.sin_addr);
	r = getnameinfo(v6 ? (struct sockaddr *)&in6 : (struct sockaddr *)&in, v6 ? sizeof(in6) : sizeof(in), host, sizeof(host), NULL,
			0, flags);
	printf("name of %s flags %x: %s\n", address, flags, r ? gai_strerror(r) : host);
}

int main(void)
{
	struct hostent *h;

	look("127.0.0.1", "80", 0, AF_UNSPEC, SOCK_STREAM);
	look("127.0.0.1", "80", 0, AF_UNSPEC, 0);
	look("::1", "http", 0, AF_UNSPEC, SOCK_STREAM);
	look("::1", "http", 0, AF_INET, SOCK_STREAM);
	look("127.0.0.1", "80", AI_CANONNAME, AF_INET, SOCK_DGRAM);
	look(NULL, "80", AI_PASSIVE, AF_INET, SOCK_STREAM);
	look(NULL, "80", AI_PASSIVE, AF_INET6, SOCK_STREAM);
	look(NULL, "80", 0, AF_INET, SOCK_STREAM);
	look(NULL, NULL, 0, AF_INET, SOCK_STREAM);
	look("name.invalid", "80", AI_NUMERICHOST, AF_UNSPEC, SOCK_STREAM);
	look("127.0.0.1", "nosuchservice", 0, AF_INET, SOCK_STREAM);
	look("127.0.0.1", "http", AI_NUMERICSERV, AF_INET, SOCK_STREAM);
	look("127.0.0.1", "80", 0, 77, SOCK_STREAM);
	look("127.0.0.1", "80", 0, AF_INET, 77);
	look("127.1", "80", 0, AF_INET, SOCK_STREAM);
	look("127.0.0.1", "80", AI_V4MAPPED, AF_INET6, SOCK_STREAM);
	look(NULL, "80", AI_CANONNAME, AF_INET, SOCK_STREAM);
	name_of(AF_INET, "192.0.2.77", 0);
	name_of(AF_INET, "192.0.2.77", NI_NAMEREQD);
	name_of(AF_INET, "192.0.2.77", NI_NUMERICHOST);
	name_of(AF_INET6, "2001:db8::77", 0);
	name_of(AF_INET6, "2001:db8::77", NI_NAMEREQD);
	name_of(AF_INET, "127.0.0.1", NI_NAMEREQD);
	h = gethostbyname("127.0.0.1");
	printf("%s %d\n", h ? h->h_name : "none", h ? h->h_length : 0);
	return 0;
}
