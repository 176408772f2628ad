/* control.c - makes and edits control blocks.
 *
 * Editors exclude one another by flock. Programs take no lock: they look at `generation` before and
 * after they copy, so an editor makes it odd, writes, and makes it even.
 */
#include "launch/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "launch/message.h"

void control_init(struct run_control *block, uint64_t seed)
{
	memset(block, 0, sizeof(*block));
	block->magic = RUN_CONTROL_MAGIC;
	block->version = RUN_VERSION;
	block->generation = RUN_GENERATION_FIRST;
	block->next_rule = 1;
	block->seed = seed;
	block->trace_events = CONTROL_TRACE_EVENTS;
}

static int write_at(int fd, const void *buf, size_t n, uint64_t offset)
{
	size_t done = 0;

	while (done < n) {
		ssize_t w = pwrite(fd, (const char *)buf + done, n - done, (off_t)(offset + done));

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return -errno;
		done += (size_t)w;
	}
	return 0;
}

int control_create(int dir, const struct run_control *block)
{
	int fd = openat(dir, "control", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	int rc;

	if (fd < 0)
		return -errno;
	rc = write_at(fd, block, sizeof(*block), 0);
	if (close(fd) < 0 && rc == 0)
		rc = -errno;
	return rc;
}

/* In <base>/plain the block is inside of a process's file: which, and where. */
static int find_plain(const struct rundir *run, char name[64], uint64_t *offset)
{
	struct run_images images;
	struct run_image *owner;
	struct run_error err;
	int rc;

	if (!run->pid && !run->family[0]) {
		message_error("processes started without 'sockshim run' have rules of their own each; say which by its pid");
		return -1;
	}
	rc = rundir_images(run, &images);
	if (rc < 0 || images.n == 0) {
		message_error("%s: no process to control: %s", run->path, rc < 0 ? strerror(-rc) : "none found");
		return -1;
	}
	owner = images.v[images.n - 1];
	if (run->pid)
		for (size_t i = 0; i < images.n; i++)
			if (images.v[i]->file->pid == run->pid)
				owner = images.v[i];
	snprintf(name, 64, "%s", owner->file->control_start ? owner->name : owner->file->control_file);
	run_images_free(&images);
	rc = run_image_read(run->fd, name, &owner, &err);
	if (rc < 0) {
		message_error("%s/%s: cannot read: %s", run->path, name, err.text);
		return -1;
	}
	*offset = owner->file->control_start;
	run_image_free(owner);
	if (*offset == 0) {
		message_error("%s/%s: has no control block", run->path, name);
		return -1;
	}
	return 0;
}

int control_open(struct control *c, const struct rundir *run, bool write)
{
	char name[64] = "control";

	memset(c, 0, sizeof(*c));
	c->fd = -1;
	if (run->plain && find_plain(run, name, &c->offset) < 0)
		return -1;
	c->fd = openat(run->fd, name, (write ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (c->fd < 0) {
		message_error("%s/%s: cannot open: %s", run->path, name, strerror(errno));
		return -1;
	}
	return 0;
}

int control_read(struct control *c, const char *id)
{
	struct run_error err;

	if (run_control_read(c->fd, c->offset, &c->block, &err) == 0)
		return 0;
	message_error("run %s: cannot read its control block: %s", id, err.text);
	return -1;
}

int control_lock(struct control *c, const char *id)
{
	struct run_error err;

	while (flock(c->fd, LOCK_EX) < 0) {
		if (errno == EINTR)
			continue;
		message_error("run %s: cannot lock its control block: %s", id, strerror(errno));
		return -1;
	}
	if (run_control_read_locked(c->fd, c->offset, &c->block, &err) < 0) {
		message_error("run %s: cannot read its control block: %s", id, err.text);
		control_unlock(c);
		return -1;
	}
	return 0;
}

int control_commit(struct control *c)
{
	uint64_t at = c->offset + offsetof(struct run_control, generation);
	int rc;

	/* An editor that was killed at work has left it odd. */
	c->block.generation |= 1;
	rc = write_at(c->fd, &c->block.generation, sizeof(c->block.generation), at);
	if (rc == 0)
		rc = write_at(c->fd, &c->block, sizeof(c->block), c->offset);
	c->block.generation++;
	if (rc == 0)
		rc = write_at(c->fd, &c->block.generation, sizeof(c->block.generation), at);
	control_unlock(c);
	return rc;
}

void control_unlock(struct control *c)
{
	flock(c->fd, LOCK_UN);
}

void control_close(struct control *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

int control_set_trace(struct control *c, const char *id, bool on)
{
	uint32_t before;
	int rc;

	if (control_lock(c, id) < 0)
		return -1;
	before = c->block.flags;
	c->block.flags = on ? before | RUN_TRACE : before & ~RUN_TRACE;
	if (c->block.trace_events == 0)
		c->block.trace_events = CONTROL_TRACE_EVENTS;
	if (c->block.flags == before) {
		control_unlock(c);
		return 0;
	}
	rc = control_commit(c);
	if (rc < 0) {
		message_error("run %s: cannot switch tracing %s: %s", id, on ? "on" : "off", strerror(-rc));
		return -1;
	}
	return 1;
}
