/* A table of sockets for the server, filled from what a test knows of its own kernel sockets. */
#include "table.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wire/state.h"

static int table_next(void *source, uint32_t protocol, struct sock_cursor *c, struct sock_entry *e)
{
	struct table *t = source;

	while (c->at[0] < (uint64_t)t->count) {
		struct known *k = &t->socks[c->at[0]++];

		if (k->protocol != protocol)
			continue;
		*e = k->e;
		e->cong = k->cong[0] ? k->cong : NULL;
		e->handle = k;
		return 1;
	}
	return 0;
}

static void table_info(void *source, const struct sock_entry *e, struct diag_tcp_info *ti)
{
	socklen_t len = sizeof(*ti);

	memset(ti, 0, sizeof(*ti));
	getsockopt(((struct known *)e->handle)->fd, IPPROTO_TCP, TCP_INFO, ti, &len);
}

static void table_memory(void *source, const struct sock_entry *e, uint32_t mem[SK_MEMINFO_VARS])
{
	socklen_t len = SK_MEMINFO_VARS * sizeof(*mem);

	getsockopt(((struct known *)e->handle)->fd, SOL_SOCKET, SO_MEMINFO, mem, &len);
}

static uint16_t table_congestion(void *source, const struct sock_entry *e, union tcp_cc_info *data, uint16_t *attr)
{
	struct known *k = e->handle;
	socklen_t len = sizeof(*data);

	if (strcmp(k->cong, "bbr"))
		return 0;
	*attr = INET_DIAG_BBRINFO;
	return getsockopt(k->fd, IPPROTO_TCP, TCP_CC_INFO, data, &len) ? 0 : (uint16_t)len;
}

static int table_destroy(void *source, const struct sock_entry *e)
{
	struct table *t = source;

	t->destroyed = (int)((struct known *)e->handle - t->socks);
	return 0;
}

const struct sock_source_ops table_ops = {
	.next = table_next,
	.info = table_info,
	.memory = table_memory,
	.congestion = table_congestion,
	.destroy = table_destroy,
};

static uint32_t option(int fd, int level, int name)
{
	uint32_t v = 0;
	socklen_t len = sizeof(v);

	getsockopt(fd, level, name, &v, &len);
	return v;
}

/* The id of the control group this process is in: its directory's file handle. */
static uint64_t own_cgroup(void)
{
	struct {
		struct file_handle fh;
		uint64_t id;
	} h = { .fh.handle_bytes = sizeof(uint64_t) };
	char line[512], path[600] = "", root[256] = "";
	FILE *f = fopen("/proc/self/cgroup", "r");
	int mount_id;

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, "0::", 3))
			sscanf(line + 3, "%511s", path);
	if (f)
		fclose(f);
	f = fopen("/proc/self/mounts", "r");
	while (f && fgets(line, sizeof(line), f)) {
		char type[64], at[256];

		if (sscanf(line, "%*s %255s %63s", at, type) == 2 && !strcmp(type, "cgroup2"))
			strcpy(root, at);
	}
	if (f)
		fclose(f);
	strcat(root, path);
	if (name_to_handle_at(AT_FDCWD, root, &h.fh, &mount_id, 0) < 0)
		return 0;
	return h.id; /* where f_handle[] lies */
}

static void put_ends(struct sock_entry *e, int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	memset(&ss, 0, sizeof(ss));
	getsockname(fd, (struct sockaddr *)&ss, &len);
	for (int peer = 0; peer < 2; peer++) {
		struct sockaddr_in6 *in6 = (void *)&ss;
		struct sockaddr_in *in = (void *)&ss;
		uint32_t *addr = peer ? e->msg.id.idiag_dst : e->msg.id.idiag_src;

		if (e->msg.idiag_family == AF_INET6)
			memcpy(addr, &in6->sin6_addr, 16);
		else
			memcpy(addr, &in->sin_addr, 4);
		*(peer ? &e->msg.id.idiag_dport : &e->msg.id.idiag_sport) = in->sin_port;
		memset(&ss, 0, sizeof(ss));
		len = sizeof(ss);
		if (getpeername(fd, (struct sockaddr *)&ss, &len))
			memset(&ss, 0, sizeof(ss));
	}
}

struct known *table_add(struct table *t, int fd, uint8_t state)
{
	struct known *k = &t->socks[t->count++];
	struct sock_entry *e = &k->e;
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);
	struct stat st;
	bool v6;

	memset(k, 0, sizeof(*k));
	k->fd = fd;
	k->protocol = option(fd, SOL_SOCKET, SO_PROTOCOL);
	e->msg.idiag_family = (uint8_t)option(fd, SOL_SOCKET, SO_DOMAIN);
	e->msg.idiag_state = state;
	v6 = e->msg.idiag_family == AF_INET6;
	getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len);
	e->msg.id.idiag_cookie[0] = (uint32_t)cookie;
	e->msg.id.idiag_cookie[1] = (uint32_t)(cookie >> 32);
	put_ends(e, fd);
	fstat(fd, &st);
	e->msg.idiag_inode = (uint32_t)st.st_ino;
	e->msg.idiag_uid = getuid();
	e->tos = (uint8_t)option(fd, IPPROTO_IP, IP_TOS);
	e->mark = option(fd, SOL_SOCKET, SO_MARK);
	e->class_id = option(fd, SOL_SOCKET, SO_PRIORITY);
	e->cgroup_id = own_cgroup();
	/* Who has not been connected was bound; accepted sockets do not inherit it. */
	e->bound_port = state == DIAG_TCP_LISTEN || state == DIAG_TCP_CLOSE;
	/* is_icsk for TCP, then options that are on by default: IP_MULTICAST_LOOP, and of IPv4 _ALL. */
	e->sockopt[0] = (uint8_t)((k->protocol == IPPROTO_TCP ? 2 : 0) | 0x10 | (v6 ? 0 : 0x40));
	if (v6) {
		e->v6only = option(fd, IPPROTO_IPV6, IPV6_V6ONLY);
		e->tclass = (uint8_t)option(fd, IPPROTO_IPV6, IPV6_TCLASS);
	}
	if (option(fd, IPPROTO_IP, IP_FREEBIND))
		e->sockopt[0] |= 4;
	if (option(fd, IPPROTO_IP, IP_RECVERR))
		e->sockopt[0] |= 1;
	len = sizeof(k->cong);
	if (k->protocol == IPPROTO_TCP)
		getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, k->cong, &len);
	return k;
}
