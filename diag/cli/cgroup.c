/*
 * Control groups: the ids that sockets carry, and their paths.
 *
 * A group's id is the file handle of its directory (kernfs), so a name_to_handle_at() gives the id
 * and an open_by_handle_at() the directory again. The latter takes CAP_DAC_READ_SEARCH; without it
 * the hierarchy is searched once, and what it had then is known.
 */
#include "cli/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HANDLE_KERNFS_ID 0xfe /* FILEID_KERNFS of linux/exportfs.h */

struct handle {
	struct file_handle fh;
	uint64_t id;
};

/* The last path found; sockets of one group come one after another. */
static struct {
	uint64_t id;
	bool known, found;
	char path[PATH_MAX];
} cache;

/* Where the version 2 hierarchy is mounted, or NULL. */
static const char *mount_point(void)
{
	static char where[PATH_MAX];
	static bool looked;
	char line[PATH_MAX + 256];
	FILE *f;

	if (looked)
		return where[0] ? where : NULL;
	looked = true;
	f = fopen("/proc/self/mounts", "re");
	if (!f)
		return NULL;
	while (fgets(line, sizeof(line), f)) {
		char point[PATH_MAX], type[64];

		if (sscanf(line, "%*s %4095s %63s", point, type) == 2 && !strcmp(type, "cgroup2")) {
			strcpy(where, point);
			break;
		}
	}
	fclose(f);
	return where[0] ? where : NULL;
}

static int id_of(const char *path, uint64_t *id)
{
	struct handle h = { .fh.handle_bytes = sizeof(h.id) };
	int mount_id;

	if (name_to_handle_at(AT_FDCWD, path, &h.fh, &mount_id, 0) < 0)
		return -errno;
	if (h.fh.handle_bytes != sizeof(h.id))
		return -EINVAL;
	memcpy(id, h.fh.f_handle, sizeof(*id));
	return 0;
}

int cgroup_id_of(const char *path, uint64_t *id)
{
	const char *root = mount_point();
	char full[2 * PATH_MAX];

	if (!root)
		return -ENOENT;
	if (!strncmp(path, root, strlen(root)))
		return id_of(path, id);
	snprintf(full, sizeof(full), "%s/%s", root, path);
	return id_of(full, id);
}

/* The groups found by searching. */
static struct group {
	struct group *next;
	uint64_t id;
	char path[];
} *groups;

static int note_group(const char *full, const struct stat *st, int type, struct FTW *ftw)
{
	const char *path = full + strlen(mount_point());
	struct group *g;
	uint64_t id;

	if (type != FTW_D || id_of(full, &id))
		return 0;
	g = malloc(sizeof(*g) + strlen(path) + 2);
	if (!g)
		return -1;
	g->id = id;
	strcpy(g->path, *path ? path : "/");
	g->next = groups;
	groups = g;
	return 0;
}

static bool search_path(uint64_t id, char *path)
{
	static bool searched;

	if (!searched) {
		searched = true;
		nftw(mount_point(), note_group, 16, FTW_PHYS | FTW_MOUNT);
	}
	for (struct group *g = groups; g; g = g->next)
		if (g->id == id) {
			snprintf(path, PATH_MAX, "%s", g->path);
			return true;
		}
	return false;
}

static bool find_path(uint64_t id, char *path)
{
	struct handle h = { .fh = { .handle_bytes = sizeof(h.id), .handle_type = HANDLE_KERNFS_ID } };
	const char *root = mount_point();
	char link[64], full[PATH_MAX];
	ssize_t n;
	int at, fd;

	if (!root)
		return false;
	at = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (at < 0)
		return false;
	memcpy(h.fh.f_handle, &id, sizeof(id));
	fd = open_by_handle_at(at, &h.fh, O_RDONLY | O_CLOEXEC);
	close(at);
	if (fd < 0)
		return errno == EPERM && search_path(id, path);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, full, sizeof(full) - 1);
	close(fd);
	if (n < 0)
		return false;
	full[n] = '\0';
	if (strncmp(full, root, strlen(root)))
		return false;
	strcpy(path, full[strlen(root)] ? full + strlen(root) : "/");
	return true;
}

const char *cgroup_path_of(uint64_t id)
{
	if (!cache.known || cache.id != id) {
		cache.known = true;
		cache.id = id;
		cache.found = find_path(id, cache.path);
	}
	return cache.found ? cache.path : NULL;
}
