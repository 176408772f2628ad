/* capture_file.h - the file that sockshim capture writes. */
#ifndef SHIM_LAUNCH_CAPTURE_FILE_H
#define SHIM_LAUNCH_CAPTURE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "link/pcapng_block.h"

enum { CAPTURE_WRITE = 64 << 10, CAPTURE_SNAPLEN_MAX = 262144 };

struct capture_file {
	const char *path;
	int fd;
	bool failed;			/* said once; nothing more is written */
	uint64_t written;
	size_t len;			/* of the buffer */
	uint8_t buffer[CAPTURE_WRITE + CAPTURE_SNAPLEN_MAX + PCAPNG_PACKET_EXTRA];
};

/* "-" is standard output. Each returns the exit status; what failed is on standard error. */
int capture_file_open(struct capture_file *f, const char *path, uint16_t link_type, uint32_t snaplen,
		      const char *iface);
int capture_file_packet(struct capture_file *f, const struct pcapng_packet *p);
int capture_file_stats(struct capture_file *f, int64_t ns, uint64_t received, uint64_t dropped);
int capture_file_flush(struct capture_file *f);

/* Forgets what was not flushed. */
void capture_file_close(struct capture_file *f);

#endif
