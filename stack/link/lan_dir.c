/* Where a lan's switch is found. */
#include "link/lan_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "link/lan.h"

enum { BACKLOG = 64, WAIT_S = 5 };

bool lan_name_ok(const char *name)
{
	size_t n = name ? strlen(name) : 0;

	return n > 0 && n <= LAN_NAME_MAX && name[0] != '.' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == n;
}

int lan_dir_open(const char *dir)
{
	const char *run = getenv("XDG_RUNTIME_DIR");
	char path[PATH_MAX];
	struct stat st;
	int fd;

	if (dir)
		snprintf(path, sizeof(path), "%s", dir);
	else if (run && run[0] == '/' && stat(run, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid())
		snprintf(path, sizeof(path), "%s/sockshim-lan", run);
	else
		snprintf(path, sizeof(path), "/tmp/sockshim-lan-%u", (unsigned)geteuid());
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || st.st_uid != geteuid() || st.st_mode & (S_IWGRP | S_IWOTH)) {
		close(fd);
		return -EACCES;
	}
	return fd;
}

int lan_dir_lock(int dirfd, const char *name, bool wait)
{
	char file[LAN_NAME_MAX + 8];
	int fd;

	snprintf(file, sizeof(file), "%s.lock", name);
	fd = openat(dirfd, file, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	/* Who holds it does not for long; but a stopped process would. */
	for (int ms = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; ms += 10) {
		int err = errno;

		if (err != EWOULDBLOCK || !wait || ms > WAIT_S * 1000) {
			close(fd);
			return -err;
		}
		usleep(10000);
	}
	return fd;
}

/* The name of a socket may be longer than fits: the way leads over the descriptor of its directory. */
static struct sockaddr_un address(int dirfd, const char *name)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	snprintf(sun.sun_path, sizeof(sun.sun_path), "/proc/self/fd/%d/%s.sock", dirfd, name);
	return sun;
}

int lan_dir_connect(int dirfd, const char *name, int limit_ms)
{
	struct sockaddr_un sun = address(dirfd, name);
	struct timeval limit = { .tv_sec = limit_ms / 1000, .tv_usec = limit_ms % 1000 * 1000 };
	struct ucred peer;
	socklen_t len = sizeof(peer);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), err = 0;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0)
		err = -errno;
	else if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 || peer.uid != geteuid())
		err = -EACCES;
	if (!err)
		return fd;
	close(fd);
	return err;
}

int lan_dir_listen(int dirfd, const char *name)
{
	struct sockaddr_un sun = address(dirfd, name);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), err;

	if (fd < 0)
		return -errno;
	lan_dir_unlink(dirfd, name);	/* that of a switch that was killed */
	if (bind(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	err = -errno;
	close(fd);
	return err;
}

void lan_dir_unlink(int dirfd, const char *name)
{
	char file[LAN_NAME_MAX + 8];

	snprintf(file, sizeof(file), "%s.sock", name);
	unlinkat(dirfd, file, 0);
}
