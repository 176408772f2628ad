/*
 * command_capture_file.c - the file that sockshim capture writes.
 *
 * Packets are put together in a buffer that stays in the processor's cache, and whole pages of the file are
 * written of it: then the kernel handles each page once. Writing large packets from where they are saves a
 * copy, and is slower: the kernel copies from memory that is not in the cache with slower instructions than
 * libc does.
 */
#include "launch/capture_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "launch/message.h"

enum { FILE_PAGE = 4096 };

static int fail(struct capture_file *f, const char *what)
{
	f->failed = true;
	message_error("capture: %s: cannot %s: %s", f->path, what, strerror(errno));
	return 1;
}

/* Writes the first n bytes of the buffer, and moves the rest to its front. */
static int write_out(struct capture_file *f, size_t n)
{
	size_t done = 0;

	while (done < n && !f->failed) {
		ssize_t r = write(f->fd, f->buffer + done, n - done);

		if (r >= 0)
			done += (size_t)r;
		else if (errno != EINTR)
			fail(f, "write");
	}
	f->written += done;
	f->len -= n;
	memmove(f->buffer, f->buffer + n, f->len);
	return f->failed;
}

int capture_file_flush(struct capture_file *f)
{
	return write_out(f, f->len);
}

int capture_file_packet(struct capture_file *f, const struct pcapng_packet *p)
{
	f->len += pcapng_block_packet(f->buffer + f->len, p);
	if (f->len < CAPTURE_WRITE)
		return 0;
	return write_out(f, f->len - (size_t)((f->written + f->len) % FILE_PAGE));
}

int capture_file_stats(struct capture_file *f, int64_t ns, uint64_t received, uint64_t dropped)
{
	if (capture_file_flush(f))
		return 1;
	pcapng_block_stats(f->buffer, ns, received, dropped);
	f->len = PCAPNG_STATS_LEN;
	return capture_file_flush(f);
}

int capture_file_open(struct capture_file *f, const char *path, uint16_t link_type, uint32_t snaplen,
		      const char *iface)
{
	f->path = path;
	f->fd = strcmp(path, "-") ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : STDOUT_FILENO;
	if (f->fd < 0)
		return fail(f, "open for writing");
	f->len = pcapng_block_begin(f->buffer, link_type, snaplen, iface, NULL);
	return capture_file_flush(f);
}

void capture_file_close(struct capture_file *f)
{
	if (f->fd > STDERR_FILENO)
		close(f->fd);
	f->fd = -1;
}
