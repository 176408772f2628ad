/* rundir.c - the directories of runs: the base, making, holding, removing, pruning. */
#include "launch/rundir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "launch/message.h"
#include "launch/meta.h"

/* Programs may change to other directories: a relative one is made absolute, for them too. */
static bool from_here(char path[PATH_MAX], const char *dir)
{
	char here[PATH_MAX];

	if (dir[0] == '/')
		return snprintf(path, PATH_MAX, "%s", dir) < PATH_MAX;
	if (!getcwd(here, sizeof(here)) || snprintf(path, PATH_MAX, "%s/%s", here, dir) >= PATH_MAX)
		return false;
	return setenv("SOCKSHIM_DIR", path, 1) == 0;
}

bool rundir_base(char path[PATH_MAX])
{
	const char *dir = getenv("SOCKSHIM_DIR");
	struct stat st;
	int n;

	if (dir && dir[0])
		return from_here(path, dir);
	dir = getenv("XDG_RUNTIME_DIR");
	/* It is often still set after su or in a container, where it is another user's or not there. */
	if (dir && dir[0] == '/' && stat(dir, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid())
		n = snprintf(path, PATH_MAX, "%s/sockshim", dir);
	else
		n = snprintf(path, PATH_MAX, "/tmp/sockshim-%u", (unsigned)geteuid());
	return n < PATH_MAX;
}

int rundir_open_base(const char *path, bool make)
{
	struct stat st;
	int fd;

	if (make && mkdir(path, 0700) < 0 && errno != EEXIST) {
		message_error("%s: cannot make the directory for runs: %s; set SOCKSHIM_DIR to one that can be written",
			      path, strerror(errno));
		return -1;
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && !make)
		return -2;
	if (fd < 0) {
		message_error("%s: cannot open the directory for runs: %s%s", path, strerror(errno),
			      errno == ELOOP || errno == ENOTDIR ? "; it must be a directory and no symbolic link" : "");
		return -1;
	}
	if (fstat(fd, &st) < 0 || st.st_uid != geteuid()) {
		message_error("%s: belongs to user %u, not to you; remove it or set SOCKSHIM_DIR to another directory",
			      path, (unsigned)st.st_uid);
		close(fd);
		return -1;
	}
	if (st.st_mode & (S_IWGRP | S_IWOTH)) {
		message_error("%s: others may write to it (mode %04o); run: chmod 700 %s", path,
			      (unsigned)st.st_mode & 07777, path);
		close(fd);
		return -1;
	}
	return fd;
}

/* The id of a run: the program's name, as far as it is harmless, and four hex digits. */
static void make_id(char *id, size_t size, const char *program)
{
	char name[33];
	size_t n = 0;
	uint16_t number;

	for (; *program && n < sizeof(name) - 1; program++) {
		bool fine = (*program >= 'a' && *program <= 'z') || (*program >= 'A' && *program <= 'Z') ||
			    (*program >= '0' && *program <= '9') || (strchr("._+-", *program) && n);

		name[n++] = fine ? *program : '_';
	}
	name[n] = '\0';
	if (getrandom(&number, sizeof(number), 0) != sizeof(number))
		number = (uint16_t)getpid();
	snprintf(id, size, "%s-%04x", n ? name : "run", number);
}

/* Finds out now whether a process's file will have room. */
static int try_room(int dir)
{
	int fd = openat(dir, ".room", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int rc;

	if (fd < 0)
		return -errno;
	rc = posix_fallocate(fd, 0, (off_t)(RUN_FILE_BYTES + RUN_CHUNK_BYTES));
	close(fd);
	unlinkat(dir, ".room", 0);
	return rc == EOPNOTSUPP || rc == EINVAL ? 0 : -rc;
}

int rundir_make(struct rundir *out, const char *base, const char *program)
{
	char real[PATH_MAX];
	int dir = rundir_open_base(base, true), rc = 0;

	memset(out, 0, sizeof(*out));
	out->fd = -1;
	if (dir < 0)
		return -1;
	/* The program may change its directory. */
	if (!realpath(base, real))
		rc = -errno;
	for (int i = 0; rc == 0 && i < 100; i++) {
		make_id(out->id, sizeof(out->id), program);
		if (snprintf(out->path, sizeof(out->path), "%s/%s", real, out->id) >= RUNDIR_PATH_MAX)
			rc = -ENAMETOOLONG;
		else if (mkdirat(dir, out->id, 0700) == 0)
			break;
		else if (errno != EEXIST)
			rc = -errno;
	}
	if (rc == 0) {
		out->fd = openat(dir, out->id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		rc = out->fd < 0 ? -errno : try_room(out->fd);
	}
	close(dir);
	if (rc < 0) {
		message_error("%s: cannot make a directory for the run: %s; make room, or set SOCKSHIM_DIR to another directory",
			      base, strerror(-rc));
		if (rc != -ENAMETOOLONG)
			rundir_remove(out);
		return -1;
	}
	flock(out->fd, LOCK_SH | LOCK_NB);
	return 0;
}

void rundir_close(struct rundir *run)
{
	if (run->fd >= 0)
		close(run->fd);
	run->fd = -1;
}

void rundir_unhold(struct rundir *run)
{
	flock(run->fd, LOCK_UN);
}

bool rundir_held(const struct rundir *run)
{
	/* A descriptor of its own: locks belong to open files. */
	int fd = run->plain ? -1 : openat(run->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool held;

	if (fd < 0)
		return false;
	held = flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;
	close(fd);
	return held;
}

bool rundir_active(const struct rundir *run, const struct run_images *images)
{
	for (size_t i = 0; i < images->n; i++)
		if (images->v[i]->fate == RUN_FATE_RUNNING)
			return true;
	if (run->plain)
		return false;
	return images->refused_lives || rundir_held(run) || rundir_has_members(run);
}

bool rundir_is_active(const struct rundir *run)
{
	struct run_images images;
	bool active;

	if (rundir_images(run, &images) < 0)
		return false;
	active = rundir_active(run, &images);
	run_images_free(&images);
	return active;
}

int rundir_remove(struct rundir *run)
{
	char lock[PATH_MAX + 128];
	struct dirent *entry;
	int fd = run->fd < 0 ? -1 : openat(run->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	/* Only names that a run has: a directory named by mistake must lose nothing else. */
	while (d && (entry = readdir(d)) != NULL) {
		const char *name = entry->d_name;

		if (run_name_is_file(name, NULL, NULL) || run_name_is_trace(name, NULL, NULL) ||
		    !strcmp(name, "control") || !strcmp(name, "meta") || !strcmp(name, ".room"))
			unlinkat(run->fd, name, 0);
	}
	if (d)
		closedir(d);
	rundir_close(run);
	/* What the host of its stack has left. */
	if (snprintf(lock, sizeof(lock), "%.3900s/../" RUNDIR_STACKS "/%s.sock.lock", run->path, run->id) > 0)
		unlink(lock);
	return rmdir(run->path) < 0 ? -errno : 0;
}

size_t rundir_remove_ended(struct rundir *plain)
{
	struct run_images images;
	size_t removed = 0;

	if (run_images_read(plain->fd, &images) < 0)
		return 0;
	for (size_t i = 0; i < images.n; i++) {
		bool followed = false;	/* living processes may have its control block mapped */
		char trace[80];

		for (size_t j = 0; j < images.n && !followed; j++)
			followed = images.v[j]->fate == RUN_FATE_RUNNING &&
				   !strcmp(images.v[j]->file->control_file, images.v[i]->name);
		if (images.v[i]->fate == RUN_FATE_RUNNING || followed)
			continue;
		snprintf(trace, sizeof(trace), "%s.trace", images.v[i]->name);
		unlinkat(plain->fd, trace, 0);
		if (unlinkat(plain->fd, images.v[i]->name, 0) == 0)
			removed++;
	}
	run_images_free(&images);
	return removed;
}

struct prune {
	size_t keep, seen, removed;
};

static int prune_one(struct rundir *run, void *user)
{
	struct prune *p = user;

	if (run->plain || p->seen++ < p->keep || rundir_is_active(run))
		return 0;
	if (rundir_remove(run) == 0)
		p->removed++;
	return 0;
}

size_t rundir_prune(size_t keep)
{
	struct prune p = { .keep = keep };

	rundir_each(prune_one, &p);
	return p.removed;
}
