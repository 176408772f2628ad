/*
 * Which process holds which socket, from /proc.
 *
 * The cost is in system calls and in the kernel making an inode for every name it lists. So
 * descriptors are not listed: numbers are tried from 0 on with readlinkat() until as many were
 * there as the directory's size says (since Linux 6.2 it is their count). Where the count is not
 * given, or the numbers are too sparse for that, the directory is listed after all.
 */
#include "cli/procs.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/out.h"

/* How many absent numbers are put up with beyond those found, before the directory is listed. */
#define MISSES_ALLOWED 64

struct user {
	uint32_t inode;
	uint32_t process; /* index */
	int32_t fd;
	uint32_t next; /* of the same inode, index + 1; 0: none */
};

struct process {
	int pid;
	char name[16];
};

struct procs {
	struct user *users;
	uint32_t count, room;
	struct process *processes;
	uint32_t process_count, process_room;
	uint32_t *slots; /* by inode: the first user's index + 1, and the last's */
	uint32_t *last;
	uint32_t mask;
};

static void *grow(void *at, uint32_t *room, size_t each)
{
	void *grown;

	*room = *room ? 2 * *room : 256;
	grown = reallocarray(at, *room, each);
	if (!grown) {
		fputs("sockdiag: out of memory\n", stderr);
		exit(1);
	}
	return grown;
}

/* "socket:[12345]" to 12345; 0 for any other link. */
static uint32_t socket_inode(const char *link, ssize_t len)
{
	uint32_t inode = 0;

	if (len < 10 || memcmp(link, "socket:[", 8))
		return 0;
	for (ssize_t i = 8; i < len && link[i] != ']'; i++)
		inode = inode * 10 + (uint32_t)(link[i] - '0');
	return inode;
}

/* Notes @fd of the process being read if it is a socket; false when there is no such descriptor. */
static bool take_fd(struct procs *p, int dir, const char *name, int fd)
{
	char link[64];
	ssize_t n = readlinkat(dir, name, link, sizeof(link));
	uint32_t inode;

	if (n < 0)
		return false;
	inode = socket_inode(link, n);
	if (!inode)
		return true;
	if (p->count == p->room)
		p->users = grow(p->users, &p->room, sizeof(*p->users));
	p->users[p->count++] = (struct user){ .inode = inode, .process = p->process_count, .fd = fd };
	return true;
}

/* Tries numbers from 0; gives the first one not tried, or -1 when all @count were found. */
static int take_counted(struct procs *p, int dir, size_t count)
{
	size_t found = 0;
	char name[16];
	int fd;

	for (fd = 0; found < count; fd++) {
		*put_u64(name, (uint64_t)fd) = '\0';
		if (take_fd(p, dir, name, fd))
			found++;
		else if ((size_t)fd > 2 * found + MISSES_ALLOWED)
			return fd + 1;
	}
	return -1;
}

/* Lists the directory, which it closes, for descriptors from @from on. */
static void take_listed(struct procs *p, int dir, int from)
{
	DIR *d = fdopendir(dir);
	struct dirent *e;

	if (!d) {
		close(dir);
		return;
	}
	while ((e = readdir(d)))
		if (isdigit((unsigned char)e->d_name[0]) && atoi(e->d_name) >= from)
			take_fd(p, dirfd(d), e->d_name, atoi(e->d_name));
	closedir(d);
}

static void read_name(int proc, const char *pid, char name[16])
{
	char path[300];
	ssize_t n = -1;
	int fd;

	snprintf(path, sizeof(path), "%s/comm", pid);
	fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, name, 15);
		close(fd);
	}
	if (n < 0)
		n = 0;
	while (n > 0 && name[n - 1] == '\n')
		n--;
	name[n] = '\0';
}

static void take_process(struct procs *p, int proc, const char *pid)
{
	uint32_t before = p->count;
	struct stat st;
	char path[300];
	int dir, from = 0;

	snprintf(path, sizeof(path), "%s/fd", pid);
	dir = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return; /* not ours to look at, or gone */
	if (fstat(dir, &st) == 0 && st.st_size > 0)
		from = take_counted(p, dir, (size_t)st.st_size);
	if (from >= 0)
		take_listed(p, dir, from);
	else
		close(dir);
	if (p->count == before)
		return;
	if (p->process_count == p->process_room)
		p->processes = grow(p->processes, &p->process_room, sizeof(*p->processes));
	p->processes[p->process_count].pid = atoi(pid);
	read_name(proc, pid, p->processes[p->process_count].name);
	p->process_count++;
}

static uint32_t slot_of(const struct procs *p, uint32_t inode)
{
	uint32_t i = (inode * 2654435761u) & p->mask;

	while (p->slots[i] && p->users[p->slots[i] - 1].inode != inode)
		i = (i + 1) & p->mask;
	return i;
}

static bool index_users(struct procs *p)
{
	uint32_t size = 64;

	while (size < 2 * p->count)
		size *= 2;
	p->mask = size - 1;
	p->slots = calloc(size, sizeof(*p->slots));
	p->last = calloc(size, sizeof(*p->last));
	if (!p->slots || !p->last)
		return false;
	for (uint32_t u = 0; u < p->count; u++) {
		uint32_t i = slot_of(p, p->users[u].inode);

		if (!p->slots[i])
			p->slots[i] = u + 1;
		else
			p->users[p->last[i]].next = u + 1;
		p->last[i] = u;
	}
	free(p->last);
	p->last = NULL;
	return true;
}

struct procs *procs_load(const int *pids, size_t n)
{
	struct procs *p = calloc(1, sizeof(*p));
	DIR *d = opendir("/proc");
	struct dirent *e;
	char name[16];

	for (size_t i = 0; p && d && pids && i < n; i++) {
		*put_u64(name, (uint64_t)pids[i]) = '\0';
		take_process(p, dirfd(d), name);
	}
	while (p && d && !pids && (e = readdir(d)))
		if (isdigit((unsigned char)e->d_name[0]))
			take_process(p, dirfd(d), e->d_name);
	if (d)
		closedir(d);
	if (!p || !d || !index_users(p)) {
		procs_free(p);
		return NULL;
	}
	return p;
}

void procs_free(struct procs *p)
{
	if (!p)
		return;
	free(p->users);
	free(p->processes);
	free(p->slots);
	free(p->last);
	free(p);
}

static uint32_t user_at(const struct procs *p, uint32_t at, struct procs_user *u)
{
	if (at) {
		const struct process *proc = &p->processes[p->users[at - 1].process];

		u->fd = p->users[at - 1].fd;
		u->name = proc->name;
		u->pid = proc->pid;
	}
	return at;
}

uint32_t procs_first(const struct procs *p, uint32_t inode, struct procs_user *u)
{
	return inode ? user_at(p, p->slots[slot_of(p, inode)], u) : 0;
}

uint32_t procs_next(const struct procs *p, uint32_t at, struct procs_user *u)
{
	return user_at(p, p->users[at - 1].next, u);
}
