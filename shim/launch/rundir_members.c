/* rundir_members.c - processes of a run that have made no socket yet, and so have no file in it. */
#include "launch/rundir.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ENVIRON_MAX	(1u << 20)

/* Whether a process was started with SOCKSHIM_RUN=path. What it did to its environment since is not seen:
 * the kernel shows the memory that exec filled. */
static bool is_member(const char *pid, const char *wanted, char *buf)
{
	size_t wanted_len = strlen(wanted) + 1, n = 0;
	char path[300];
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "/proc/%s/environ", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	while (n < ENVIRON_MAX && (got = read(fd, buf + n, ENVIRON_MAX - n)) > 0)
		n += (size_t)got;
	close(fd);
	for (size_t i = 0; i + wanted_len <= n; i += strnlen(buf + i, n - i) + 1)
		if (memcmp(buf + i, wanted, wanted_len) == 0)
			return true;
	return false;
}

bool rundir_has_members(const struct rundir *run)
{
	char wanted[PATH_MAX + 16], *buf = malloc(ENVIRON_MAX);
	DIR *proc = buf ? opendir("/proc") : NULL;
	struct dirent *entry;
	bool found = false;

	snprintf(wanted, sizeof(wanted), "SOCKSHIM_RUN=%s", run->path);
	while (proc && !found && (entry = readdir(proc)) != NULL)
		found = isdigit((unsigned char)entry->d_name[0]) && is_member(entry->d_name, wanted, buf);
	if (proc)
		closedir(proc);
	free(buf);
	return found;
}
