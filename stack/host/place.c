/*
 * Where a host is found.
 *
 * Theory of operation. Whoever holds the lock is the host, and nobody else makes or removes the socket.
 * Any number may be started at once: one gets the lock, the others try to connect until that one
 * serves, or until the lock is free because it could not; then the next of them has a go.
 */
#include "host/place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { STEP_MS = 2, GIVE_UP_MS = 20000, BACKLOG = 4096 };

static int fail(char *error, const char *path, const char *what)
{
	int err = errno ? -errno : -EINVAL;

	snprintf(error, PLACE_ERROR_MAX, "%.200s: %s: %s", path, what, strerror(-err));
	return err;
}

/* A directory that is ours alone, made if it is not there. */
static int own_dir(const char *path, char *error)
{
	struct stat st;

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return fail(error, path, "cannot make the directory");
	if (lstat(path, &st) < 0)
		return fail(error, path, "cannot look at it");
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH))) {
		snprintf(error, PLACE_ERROR_MAX,
			 "%.200s: must be a directory of your own that nobody else may write to", path);
		return -EACCES;
	}
	return 0;
}

static int find_dir(char *out, size_t size, char *error)
{
	const char *dir = getenv("SOCKSHIM_DIR"), *run = getenv("XDG_RUNTIME_DIR");
	struct stat st;
	size_t n;
	int err;

	if (dir && dir[0])
		n = (size_t)snprintf(out, size, "%s", dir);
	else if (run && run[0] == '/' && stat(run, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid())
		n = (size_t)snprintf(out, size, "%s/sockshim", run);
	else
		n = (size_t)snprintf(out, size, "/tmp/sockshim-%u", (unsigned)geteuid());
	if (n + sizeof("/stack") > size) {
		snprintf(error, PLACE_ERROR_MAX, "%.200s: too long a name for a directory of sockets", out);
		return -ENAMETOOLONG;
	}
	err = own_dir(out, error);
	if (err)
		return err;
	memcpy(out + n, "/stack", sizeof("/stack"));
	return own_dir(out, error);
}

static bool good_name(const char *name)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-";
	size_t n = strlen(name);

	return n > 0 && n < 64 && name[0] != '.' && strspn(name, letters) == n;
}

int place_find(const char *name, const char *path, struct place *out, char error[PLACE_ERROR_MAX])
{
	char dir[PATH_MAX];
	int n, err;

	out->lock = -1;
	if (path) {
		n = snprintf(out->path, sizeof(out->path), "%s", path);
	} else if (!good_name(name)) {
		snprintf(error, PLACE_ERROR_MAX, "%.80s: not a name for a stack: expected letters, digits and ._+-",
			 name);
		return -EINVAL;
	} else {
		err = find_dir(dir, sizeof(dir), error);
		if (err)
			return err;
		n = snprintf(out->path, sizeof(out->path), "%s/%s.sock", dir, name);
	}
	if (n <= 0 || (size_t)n >= sizeof(out->path)) {
		snprintf(error, PLACE_ERROR_MAX, "%.200s: too long a path for a socket; set SOCKSHIM_DIR to a shorter directory", path ? path : dir);
		return -ENAMETOOLONG;
	}
	return 0;
}

static struct sockaddr_un address(const struct place *p)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	memcpy(a.sun_path, p->path, sizeof(a.sun_path));
	return a;
}

static bool somebody_serves(const struct place *p)
{
	struct sockaddr_un a = address(p);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* A full backlog is somebody too. */
	bool yes = fd >= 0 && (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0 || errno == EAGAIN);

	if (fd >= 0)
		close(fd);
	return yes;
}

/* Opens the lock, and takes it if it is free. 1: taken, 0: not; what was locked may be a file that the host
 * before has removed meanwhile: then there is another to be opened. */
static int try_lock(struct place *p, const char *lock)
{
	struct stat mine, there;

	p->lock = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (p->lock < 0)
		return -errno;
	if (flock(p->lock, LOCK_EX | LOCK_NB) == 0 && fstat(p->lock, &mine) == 0 && stat(lock, &there) == 0 &&
	    mine.st_ino == there.st_ino && mine.st_dev == there.st_dev)
		return 1;
	close(p->lock);
	p->lock = -1;
	return 0;
}

static void lock_path(const struct place *p, char out[sizeof(p->path) + 8])
{
	snprintf(out, sizeof(p->path) + 8, "%s.lock", p->path);
}

int place_take(struct place *p, char error[PLACE_ERROR_MAX])
{
	const struct timespec step = { 0, STEP_MS * 1000000l };
	char lock[sizeof(p->path) + 8];

	lock_path(p, lock);
	for (int ms = 0; ms < GIVE_UP_MS; ms += STEP_MS) {
		int r = try_lock(p, lock);

		if (r > 0)
			return 1;
		if (r < 0) {
			errno = -r;
			return fail(error, lock, "cannot open the lock");
		}
		if (somebody_serves(p))
			return 0;
		nanosleep(&step, NULL);
	}
	errno = ETIMEDOUT;
	return fail(error, lock, "somebody holds the lock and does not serve");
}

static int listen_at(const char *path, char error[PLACE_ERROR_MAX])
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	mode_t mask = umask(0177);
	int err = 0;

	memcpy(a.sun_path, path, sizeof(a.sun_path));
	/* What is there is of a host that was killed: the lock was free. */
	unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, BACKLOG) < 0)
		err = fail(error, path, "cannot make the socket");
	umask(mask);
	if (err && fd >= 0)
		close(fd);
	return err ? err : fd;
}

int place_listen(struct place *p, char error[PLACE_ERROR_MAX])
{
	return listen_at(p->path, error);
}

/* The same number of characters as ".sock". */
static void diag_path(const struct place *p, char path[sizeof(p->path)])
{
	static const char suffix[] = ".diag";
	size_t n = strlen(p->path), cut = n > 5 && !strcmp(p->path + n - 5, ".sock") ? 5 : 0;

	memset(path, 0, sizeof(p->path));
	if (n - cut + sizeof(suffix) > sizeof(p->path))
		return;
	memcpy(path, p->path, n - cut);
	memcpy(path + n - cut, suffix, sizeof(suffix));
}

int place_listen_diag(struct place *p, char error[PLACE_ERROR_MAX])
{
	char path[sizeof(p->path)];

	diag_path(p, path);
	errno = ENAMETOOLONG;
	return path[0] ? listen_at(path, error) : fail(error, p->path, "no room for .diag behind it");
}

void place_leave(struct place *p)
{
	char diag[sizeof(p->path)], lock[sizeof(p->path) + 8];

	if (p->lock < 0)
		return;
	diag_path(p, diag);
	if (diag[0])
		unlink(diag);
	unlink(p->path);
	/* While we hold it: who has it open sees that it is not the one there any more. */
	lock_path(p, lock);
	unlink(lock);
	close(p->lock);
	p->lock = -1;
}
