/* procnet.c - /proc/net/tcp and its like, with the stack's sockets in them.
 *
 * What a program holds of such a socket is a unix socket to the kernel, which stands in /proc/net/unix with the same
 * inode. lsof looks there first, so those lines are left out of it. */
#include "interpose/procnet.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "interpose/hook.h"
#include "interpose/memory.h"
#include "interpose/netlink.h"
#include "interpose/redirect.h"
#include "run/config.h"
#include "run/sys.h"

#define PROC "/proc/"
#define LONGEST sizeof("/proc/thread-self/net/ipv6_route")

struct table {
	char name[12];
	int family, protocol;
};

static const struct table tables[] = {
	{ "tcp", AF_INET, IPPROTO_TCP }, { "tcp6", AF_INET6, IPPROTO_TCP },
	{ "udp", AF_INET, IPPROTO_UDP }, { "udp6", AF_INET6, IPPROTO_UDP },
	{ "raw", AF_INET, IPPROTO_RAW }, { "raw6", AF_INET6, IPPROTO_RAW }, { "unix", AF_UNIX, 0 },
	/* These are the stack's alone, as its interfaces are. */
	{ "dev", AF_PACKET, STACK_IFTEXT_DEV }, { "if_inet6", AF_PACKET, STACK_IFTEXT_INET6 },
	{ "route", AF_PACKET, STACK_IFTEXT_ROUTE }, { "ipv6_route", AF_PACKET, STACK_IFTEXT_ROUTE6 },
	{ "arp", AF_PACKET, STACK_IFTEXT_ARP },
};

static const char *behind(const char *s, const char *prefix)
{
	size_t n = strlen(prefix);

	return s && strncmp(s, prefix, n) == 0 ? s + n : NULL;
}

/* What stands behind our own process's number. */
static const char *behind_pid(const char *s)
{
	long pid = 0;

	while (s && *s >= '0' && *s <= '9' && pid < 100000000)
		pid = pid * 10 + *s++ - '0';
	return pid == sys(SYS_getpid, 0) ? behind(s, "/") : NULL;
}

static const struct table *table_of(const char *path)
{
	const char *rest = behind(path, PROC), *own;

	own = behind(rest, "self/");
	if (!own)
		own = behind(rest, "thread-self/");
	if (!own)
		own = behind_pid(rest);
	rest = behind(own ? own : rest, "net/");
	for (size_t i = 0; rest && i < sizeof(tables) / sizeof(tables[0]); i++)
		if (strcmp(rest, tables[i].name) == 0)
			return &tables[i];
	return NULL;
}

/* The path, if it is short enough to be one of them. */
static bool copy_path(char to[LONGEST], const char *path)
{
	for (size_t i = 0; i < LONGEST; i++) {
		/* A string may end where the memory does. */
		if (i % 16 == 0 && !memory_read(to + i, path + i, 1))
			return false;
		to[i] = path[i];
		if (!to[i])
			return true;
		if (i == sizeof(PROC) - 2 && memcmp(to, PROC, sizeof(PROC) - 1) != 0)
			return false;
	}
	return false;
}

static bool write_all(int fd, const char *buf, long n)
{
	while (n > 0) {
		long done = sys(SYS_write, fd, buf, n);

		if (done <= 0)
			return false;
		buf += done;
		n -= done;
	}
	return true;
}

/* Copies the kernel's file; how many lines it has, -1: it could not be copied. */
static long copy_kernel(int to, const char *path)
{
	int from = (int)sys(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	long lines = 0, n;
	char buf[4096];

	if (from < 0)
		return -1;
	while ((n = sys(SYS_read, from, buf, sizeof(buf))) > 0) {
		for (long i = 0; i < n; i++)
			lines += buf[i] == '\n';
		if (!write_all(to, buf, n))
			n = -1;
		if (n < 0)
			break;
	}
	sys(SYS_close, from);
	return n < 0 ? -1 : lines;
}

/* Has the host write its lines, and appends them. */
static bool append_stack(int to, const struct table *t, long first)
{
	struct client_request q = { .op = STACK_OP_PROCNET, .arg = { t->family, t->protocol, first }, .want_fd = true,
				    .slow = true };
	long n = -1;

	if (t->family == AF_PACKET) {
		q.op = STACK_OP_IFTEXT;
		q.arg[0] = t->protocol;
	}
	if (client_ask(&q) != 0 || q.fd < 0)
		return false;
	sys(SYS_lseek, q.fd, 0, SEEK_SET);
	do
		n = sys(SYS_sendfile, to, q.fd, NULL, 1 << 20);
	while (n > 0);
	sys(SYS_close, q.fd);
	return n == 0;
}

/* The host's table of inodes. */
struct inodes {
	const uint32_t *table;
	uint32_t slots;
};

static bool get_inodes(struct inodes *out)
{
	struct client_request q = { .op = STACK_OP_PROCNET, .arg = { AF_UNIX }, .want_fd = true, .slow = true };
	struct stat st;
	long map;

	if (client_ask(&q) != 0 || q.fd < 0)
		return false;
	/* It is the host's file, which may be shorter than it says. */
	if (sys(SYS_fstat, q.fd, &st) != 0 || q.arg[0] < 1 || q.arg[0] > 1 << 24 ||
	    (q.arg[0] & (q.arg[0] - 1)) || st.st_size < q.arg[0] * 4) {
		sys(SYS_close, q.fd);
		return false;
	}
	map = sys(SYS_mmap, NULL, q.arg[0] * 4, PROT_READ, MAP_PRIVATE, q.fd, 0);
	sys(SYS_close, q.fd);
	if (map < 0 && map > -4096)
		return false;
	out->table = (const uint32_t *)map;
	out->slots = (uint32_t)q.arg[0];
	return true;
}

static bool has_inode(const struct inodes *i, uint32_t inode)
{
	uint32_t at = stack_inode_slot(inode, i->slots);

	for (uint32_t n = 0; n < i->slots && i->table[at]; n++, at = (at + 1) & (i->slots - 1))
		if (i->table[at] == inode)
			return true;
	return false;
}

/* "0000000000000000: 00000003 00000000 00000000 0001 03 12345 /path": the inode is the seventh word. */
static uint32_t inode_of(const char *line, size_t n)
{
	uint32_t inode = 0;
	size_t at = 0;

	for (int word = 0; word < 6; word++) {
		while (at < n && line[at] != ' ')
			at++;
		while (at < n && line[at] == ' ')
			at++;
	}
	while (at < n && line[at] >= '0' && line[at] <= '9')
		inode = inode * 10 + (uint32_t)(line[at++] - '0');
	return inode;
}

/* Copies /proc/net/unix without lines of those inodes. A line is at most 60 characters and a path of 108. */
static bool copy_others(int to, const char *path, const struct inodes *inodes)
{
	int from = (int)sys(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	size_t have = 0, out;
	char buf[4096];
	long n = -1;

	while (from >= 0 && (n = sys(SYS_read, from, buf + have, sizeof(buf) - have)) > 0) {
		char *end, *line = buf;

		have += (size_t)n;
		out = 0;
		while ((end = memchr(line, '\n', (size_t)(buf + have - line)))) {
			size_t len = (size_t)(++end - line);

			if (!has_inode(inodes, inode_of(line, len))) {
				memmove(buf + out, line, len);
				out += len;
			}
			line = end;
		}
		if (!write_all(to, buf, (long)out))
			break;
		have = (size_t)(buf + have - line);
		memmove(buf, line, have);
		if (have == sizeof(buf))
			break;
	}
	if (from >= 0)
		sys(SYS_close, from);
	return n == 0 && have == 0;
}

static bool make_unix(int fd, const char *path)
{
	struct inodes inodes;
	bool good;

	if (!get_inodes(&inodes))
		return false;
	good = copy_others(fd, path, &inodes);
	sys(SYS_munmap, inodes.table, inodes.slots * 4);
	return good;
}

static bool make_inet(int fd, const char *path, const struct table *t)
{
	long lines;

	if (t->family == AF_PACKET)
		return append_stack(fd, t, 0);
	lines = copy_kernel(fd, path);
	return lines >= 1 && append_stack(fd, t, lines - 1);
}

static int make(const char *path, const struct table *t, int flags)
{
	int fd = (int)sys(SYS_memfd_create, t->name, MFD_CLOEXEC);

	if (fd < 0)
		return -1;
	if (!(t->family == AF_UNIX ? make_unix(fd, path) : make_inet(fd, path, t)) ||
	    sys(SYS_lseek, fd, 0, SEEK_SET) != 0) {
		sys(SYS_close, fd);
		return -1;
	}
	if (!(flags & O_CLOEXEC))
		sys(SYS_fcntl, fd, F_SETFD, 0);
	return fd;
}

int procnet_open(const char *path, int flags)
{
	const struct table *t;
	char copy[LONGEST];
	int saved = errno, fd;

	if (LIKELY(!run_config()->stack) || netlink_alone || (flags & (O_ACCMODE | O_PATH | O_DIRECTORY | O_CREAT)) != O_RDONLY ||
	    !copy_path(copy, path))
		return -1;
	t = table_of(copy);
	if (!t || hook_vforked || hook_sandboxed)
		return -1;
	hook_alive();
	fd = client.on && client_reach() ? make(copy, t, flags) : -1;
	errno = saved;
	return fd;
}
