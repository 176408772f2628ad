/* rundir_find.c - choosing a run: by pid, by id, the newest; and which of its images are meant. */
#include "launch/rundir.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "launch/message.h"
#include "launch/meta.h"

struct entry {
	char id[RUNDIR_ID_MAX];
	struct timespec made;
};

/* Newest first, plain last. */
static int by_time(const void *pa, const void *pb)
{
	const struct entry *a = pa, *b = pb;
	bool plain_a = !strcmp(a->id, RUNDIR_PLAIN), plain_b = !strcmp(b->id, RUNDIR_PLAIN);

	if (plain_a != plain_b)
		return plain_a ? 1 : -1;
	if (a->made.tv_sec != b->made.tv_sec)
		return a->made.tv_sec > b->made.tv_sec ? -1 : 1;
	if (a->made.tv_nsec != b->made.tv_nsec)
		return a->made.tv_nsec > b->made.tv_nsec ? -1 : 1;
	return strcmp(a->id, b->id);
}

/* Whether a directory of that name is a run's, and when it was made: meta is written once. */
static bool is_run(int base, const char *id, struct timespec *made)
{
	char path[RUNDIR_ID_MAX + 8];
	struct stat st;

	if (id[0] == '.' || strlen(id) >= RUNDIR_ID_MAX || !strcmp(id, RUNDIR_STACKS))
		return false;
	if (fstatat(base, id, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
		return false;
	*made = st.st_mtim;
	snprintf(path, sizeof(path), "%s/meta", id);
	if (fstatat(base, path, &st, AT_SYMLINK_NOFOLLOW) == 0)
		*made = st.st_mtim;
	return true;
}

static size_t scan(int base, struct entry **out)
{
	int fd = openat(base, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	size_t n = 0;

	*out = NULL;
	if (!d && fd >= 0)
		close(fd);
	while (d && (e = readdir(d)) != NULL) {
		struct timespec made;
		void *p;

		if (!is_run(base, e->d_name, &made))
			continue;
		p = reallocarray(*out, n + 1, sizeof(**out));
		if (!p)
			break;
		*out = p;
		snprintf((*out)[n].id, sizeof((*out)[n].id), "%s", e->d_name);
		(*out)[n++].made = made;
	}
	if (d)
		closedir(d);
	if (n)
		qsort(*out, n, sizeof(**out), by_time);
	return n;
}

static int open_run(struct rundir *run, int base, const char *base_path, const char *id)
{
	memset(run, 0, sizeof(*run));
	snprintf(run->id, sizeof(run->id), "%s", id);
	if (snprintf(run->path, sizeof(run->path), "%s/%s", base_path, id) >= (int)sizeof(run->path))
		return -ENAMETOOLONG;
	run->plain = !strcmp(id, RUNDIR_PLAIN);
	run->fd = openat(base, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return run->fd < 0 ? -errno : 0;
}

int rundir_each(int (*each)(struct rundir *run, void *user), void *user)
{
	char path[PATH_MAX];
	struct entry *entries;
	size_t n;
	int base, rc = 0;

	if (!rundir_base(path)) {
		message_error("the directory for runs has too long a name");
		return -1;
	}
	base = rundir_open_base(path, false);
	if (base < 0)
		return base == -2 ? 0 : -1;
	n = scan(base, &entries);
	for (size_t i = 0; i < n && rc == 0; i++) {
		struct rundir run;

		if (open_run(&run, base, path, entries[i].id) < 0)
			continue;
		rc = each(&run, user);
		rundir_close(&run);
	}
	free(entries);
	close(base);
	return rc;
}

/* The file whose control block an image of <base>/plain follows. */
static const char *family_of(const struct run_image *image)
{
	return image->file->control_start ? image->name : image->file->control_file;
}

/* Whether pid descends from ancestor by what /proc says of the living. */
static bool descends(pid_t pid, pid_t ancestor)
{
	for (int depth = 0; depth < 64 && pid > 1; depth++) {
		char path[40], text[512], *p;
		FILE *f;
		int parent;

		if (pid == ancestor)
			return true;
		snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
		f = fopen(path, "re");
		if (!f)
			return false;
		text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
		fclose(f);
		p = strrchr(text, ')');
		if (!p || sscanf(p + 1, " %*c %d", &parent) != 1)
			return false;
		pid = parent;
	}
	return false;
}

/* Marks the images of `pid` and of its descendants, as far as files and /proc tell. */
static void mark_tree(const struct run_images *images, pid_t pid, bool *take)
{
	bool more = true;

	for (size_t i = 0; i < images->n; i++)
		take[i] = images->v[i]->file->pid == pid ||
			  (images->v[i]->fate == RUN_FATE_RUNNING && descends(images->v[i]->file->pid, pid));
	while (more) {
		more = false;
		for (size_t i = 0; i < images->n; i++)
			for (size_t j = 0; j < images->n && !take[i]; j++)
				if (take[j] && images->v[i]->file->ppid == images->v[j]->file->pid)
					take[i] = more = true;
	}
}

int rundir_images(const struct rundir *run, struct run_images *out)
{
	int rc = run_images_read(run->fd, out);
	size_t kept = 0;
	bool *take;

	if (rc < 0 || out->n == 0 || (!run->pid && !run->family[0]))
		return rc;
	take = calloc(out->n, sizeof(*take));
	if (!take) {
		run_images_free(out);
		return -ENOMEM;
	}
	if (run->pid)
		mark_tree(out, run->pid, take);
	for (size_t i = 0; i < out->n; i++) {
		if (!run->pid)
			take[i] = !strcmp(family_of(out->v[i]), run->family);
		if (take[i])
			out->v[kept++] = out->v[i];
		else
			run_image_free(out->v[i]);
	}
	out->n = kept;
	free(take);
	return 0;
}

/* What rundir_find is looking for, and the best seen so far. */
struct search {
	const char *id;
	pid_t pid;
	bool newest;
	int64_t best_ns;	/* CLOCK_REALTIME of the best start */
	struct rundir found;
};

static void keep(struct search *s, struct rundir *run)
{
	rundir_close(&s->found);
	s->found = *run;
	run->fd = -1;
}

static int match_id(struct rundir *run, void *user)
{
	struct search *s = user;

	if (strcmp(run->id, s->id) != 0)
		return 0;
	keep(s, run);
	return 1;
}

static int match_pid(struct rundir *run, void *user)
{
	struct search *s = user;
	struct run_images images;
	struct meta meta;
	bool found = false;

	if (!run->plain && meta_read(run->fd, &meta) == 0 && (meta.launcher == s->pid || meta.pid == s->pid)) {
		keep(s, run);
		return 1;
	}
	if (run_images_read(run->fd, &images) < 0)
		return 0;
	for (size_t i = 0; i < images.n && !found; i++)
		found = images.v[i]->file->pid == s->pid;
	run_images_free(&images);
	if (!found)
		return 0;
	run->pid = s->pid;
	keep(s, run);
	return 1;
}

/* Runs come newest first; of plain, the family that started last competes with the newest run. */
static int match_newest(struct rundir *run, void *user)
{
	struct search *s = user;
	struct run_images images;
	struct meta meta;

	if (!run->plain) {
		if (s->found.fd >= 0)
			return 0;
		if (meta_read(run->fd, &meta) == 0)
			s->best_ns = meta.started_ns;
		keep(s, run);
		return 0;
	}
	if (run_images_read(run->fd, &images) < 0)
		return 0;
	if (images.n) {
		const struct run_image *last = images.v[images.n - 1];

		if (s->found.fd < 0 || (int64_t)last->file->started_ns > s->best_ns) {
			snprintf(run->family, sizeof(run->family), "%.31s", family_of(last));
			keep(s, run);
		}
	}
	run_images_free(&images);
	return 0;
}

static int find_path(struct rundir *out, const char *path)
{
	const char *slash;
	char real[PATH_MAX];

	memset(out, 0, sizeof(*out));
	out->fd = -1;
	if (!realpath(path, real) || (out->fd = open(real, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) {
		message_error("%s: cannot open the run's directory: %s", path, strerror(errno));
		return -1;
	}
	snprintf(out->path, sizeof(out->path), "%s", real);
	slash = strrchr(real, '/');
	snprintf(out->id, sizeof(out->id), "%.*s", (int)sizeof(out->id) - 1, slash ? slash + 1 : real);
	out->plain = !strcmp(out->id, RUNDIR_PLAIN);
	return 0;
}

static bool is_number(const char *s)
{
	return *s && strspn(s, "0123456789") == strlen(s);
}

int rundir_find(struct rundir *out, const char *arg)
{
	struct search s = { .id = arg, .found.fd = -1 };
	char base[PATH_MAX] = "";
	int rc;

	if (arg && strchr(arg, '/'))
		return find_path(out, arg);
	if (!arg)
		rc = rundir_each(match_newest, &s);
	else
		rc = rundir_each(match_id, &s);
	if (rc == 0 && s.found.fd < 0 && arg && is_number(arg)) {
		s.pid = (pid_t)strtol(arg, NULL, 10);
		rc = s.pid > 0 ? rundir_each(match_pid, &s) : 0;
	}
	if (rc < 0)
		return -1;
	if (s.found.fd < 0) {
		rundir_base(base);
		if (!arg)
			message_error("there are no runs in %s; make one with: sockshim run PROGRAM", base);
		else if (is_number(arg))
			message_error("no run in %s has a process %s that made a socket; see: sockshim list", base, arg);
		else
			message_error("no run '%s' in %s; see: sockshim list", arg, base);
		return -1;
	}
	*out = s.found;
	return 0;
}
