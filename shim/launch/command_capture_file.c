/*
 * command_capture_file.c - the file that sockshim capture writes.
 *
 * Small packets are put together in a buffer that stays in the processor's cache; large ones are written from
 * where they are, so that their bytes are copied once, by the kernel.
 */
#include "launch/capture_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "launch/message.h"

enum { COPY_MAX = 256, PIECES_PER_PACKET = 3 };

static int fail(struct capture_file *f, const char *what)
{
	f->failed = true;
	message_error("capture: %s: cannot %s: %s", f->path, what, strerror(errno));
	return 1;
}

int capture_file_flush(struct capture_file *f)
{
	struct iovec *iov = f->iov;
	int n = f->niov;

	f->niov = 0;
	f->len = 0;
	f->borrows = false;
	while (n > 0 && !f->failed) {
		ssize_t done = writev(f->fd, iov, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			fail(f, "write");
		for (; done > 0 && n > 0 && (size_t)done >= iov->iov_len; iov++, n--)
			done -= (ssize_t)iov->iov_len;
		if (done > 0) {
			iov->iov_base = (uint8_t *)iov->iov_base + done;
			iov->iov_len -= (size_t)done;
		}
	}
	return f->failed;
}

/* The next n bytes of the buffer are to be written, too. */
static void add_buffered(struct capture_file *f, size_t n)
{
	uint8_t *at = f->buffer + f->len;
	struct iovec *last = f->niov ? &f->iov[f->niov - 1] : NULL;

	if (last && (uint8_t *)last->iov_base + last->iov_len == at)
		last->iov_len += n;
	else
		f->iov[f->niov++] = (struct iovec){ at, n };
	f->len += n;
}

int capture_file_packet(struct capture_file *f, const struct pcapng_packet *p)
{
	const uint8_t *rest;
	size_t len;

	if (f->len + COPY_MAX + PCAPNG_PACKET_EXTRA > CAPTURE_BUFFER || f->niov + PIECES_PER_PACKET > CAPTURE_IOVS)
		if (capture_file_flush(f))
			return 1;
	if (p->cap_len <= COPY_MAX) {
		add_buffered(f, pcapng_block_packet(f->buffer + f->len, p));
		return 0;
	}
	add_buffered(f, pcapng_block_packet_head(f->buffer + f->len, p));
	rest = pcapng_block_packet_rest(p, &len);
	f->iov[f->niov++] = (struct iovec){ (void *)rest, len };
	f->borrows = true;
	add_buffered(f, pcapng_block_packet_tail(f->buffer + f->len, p));
	return 0;
}

int capture_file_stats(struct capture_file *f, int64_t ns, uint64_t received, uint64_t dropped)
{
	if (capture_file_flush(f))
		return 1;
	pcapng_block_stats(f->buffer, ns, received, dropped);
	add_buffered(f, PCAPNG_STATS_LEN);
	return capture_file_flush(f);
}

int capture_file_open(struct capture_file *f, const char *path, uint16_t link_type, uint32_t snaplen,
		      const char *iface)
{
	f->path = path;
	f->niov = 0;
	f->len = 0;
	f->failed = f->borrows = false;
	f->fd = strcmp(path, "-") ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : STDOUT_FILENO;
	if (f->fd < 0)
		return fail(f, "open for writing");
	add_buffered(f, pcapng_block_begin(f->buffer, link_type, snaplen, iface, NULL));
	return capture_file_flush(f);
}

void capture_file_close(struct capture_file *f)
{
	if (f->fd > STDERR_FILENO)
		close(f->fd);
	f->fd = -1;
}
