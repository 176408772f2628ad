/* min_ttl.c - IP_MINTTL and IPV6_MINHOPCOUNT: segments that have come too far are as good as lost (RFC 5082). */
#include "log.h"

enum { MINHOPCOUNT = 73 };

struct family {
	int domain, level, least, ttl;
	const char *name;
};

static const struct family families[] = {
	{ AF_INET, IPPROTO_IP, IP_MINTTL, IP_TTL, "IPv4" },
	{ AF_INET6, IPPROTO_IPV6, MINHOPCOUNT, IPV6_UNICAST_HOPS, "IPv6" },
};

static void values(const struct family *f, int type)
{
	static const int v[] = { 1, 255, 256, -1, 0, 7 };
	unsigned char byte = 9;
	int s = FD(socket(f->domain, type, 0));

	DO(option_of(s, f->level, f->least));
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		DO(setsockopt(s, f->level, f->least, &v[i], sizeof(v[i])));
		DO(option_of(s, f->level, f->least));
	}
	DO(setsockopt(s, f->level, f->least, &byte, 1));
	DO(setsockopt(s, f->level, f->least, &byte, 0));
	DO(option_of(s, f->level, f->least));
	close(s);
}

static int maker(const struct family *f, int ttl, int type)
{
	int s = socket(f->domain, type, 0);

	DO(setsockopt(s, f->level, f->ttl, &ttl, sizeof(ttl)));
	return s;
}

static void lost(const struct family *f)
{
	struct sockaddr_in a = in4("127.0.0.1", 0);
	struct sockaddr_in6 a6 = in6("::1", 0);
	struct sockaddr *to = f->domain == AF_INET ? ADDR(&a) : ADDR(&a6);
	socklen_t len = f->domain == AF_INET ? sizeof(a) : sizeof(a6);
	int l = socket(f->domain, SOCK_STREAM, 0), far, near, s, have = -1;
	char buf[10];

	DO(bind(l, to, len));
	DO(setsockopt(l, f->level, f->least, &(int){ 100 }, sizeof(int)));
	DO(listen(l, 5));
	a.sin_port = a6.sin6_port = htons((uint16_t)port_of(l));
	far = maker(f, 99, SOCK_STREAM);
	nonblocking(far, true);
	DO(connect(far, to, len));
	near = maker(f, 100, SOCK_STREAM);
	DO(connect(near, to, len));
	s = FD(accept(l, NULL, NULL));
	DO(option_of(s, f->level, f->least));
	POLL(far, 0);
	DO(setsockopt(near, f->level, f->ttl, &(int){ 20 }, sizeof(int)));
	DO(send(near, "abc", 3, 0));
	/* What another connection brings comes after it. */
	close(far);
	far = maker(f, 255, SOCK_STREAM);
	DO(connect(far, to, len));
	DO(ioctl(s, FIONREAD, &have));
	printf("there are %d\n", have);
	DO(setsockopt(near, f->level, f->ttl, &(int){ 255 }, sizeof(int)));
	DO(recv(s, buf, sizeof(buf), 0));
	DO(setsockopt(s, f->level, f->least, &(int){ 0 }, sizeof(int)));
	DO(setsockopt(near, f->level, f->ttl, &(int){ 1 }, sizeof(int)));
	DO(send(near, "defg", 4, 0));
	DO(recv(s, buf, sizeof(buf), 0));
	close(l);
	close(s);
	close(far);
	close(near);
}

/* Datagrams come all the same. */
static void datagrams(const struct family *f)
{
	struct sockaddr_in a = in4("127.0.0.1", 0);
	struct sockaddr_in6 a6 = in6("::1", 0);
	struct sockaddr *to = f->domain == AF_INET ? ADDR(&a) : ADDR(&a6);
	socklen_t len = f->domain == AF_INET ? sizeof(a) : sizeof(a6);
	int s = socket(f->domain, SOCK_DGRAM, 0), c = maker(f, 3, SOCK_DGRAM);
	char buf[10];

	DO(bind(s, to, len));
	DO(setsockopt(s, f->level, f->least, &(int){ 100 }, sizeof(int)));
	a.sin_port = a6.sin6_port = htons((uint16_t)port_of(s));
	DO(sendto(c, "x", 1, 0, to, len));
	DO(recv(s, buf, sizeof(buf), 0));
	close(s);
	close(c);
}

int main(void)
{
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		printf("- %s\n", families[i].name);
		values(&families[i], SOCK_STREAM);
		values(&families[i], SOCK_DGRAM);
		lost(&families[i]);
		datagrams(&families[i]);
	}
	return 0;
}
