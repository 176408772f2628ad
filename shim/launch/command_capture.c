/*
 * command_capture.c - sockshim capture: packets of an interface into a pcapng file.
 *
 * What is to be written is gathered, and written when there is much of it and before waiting for more: few
 * system calls when there are many packets, and a file that is up to date when there are few.
 */
#include <errno.h>
#include <getopt.h>
#include <linux/if_packet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "launch/capture_file.h"
#include "launch/capture_filter.h"
#include "launch/command.h"
#include "launch/message.h"
#include "link/packet_ring.h"

enum {
	DEFAULT_BUFFER_KIB = 8192, BLOCK_TIMEOUT_MS = 100,
	LINKTYPE_ETHERNET = 1, LINKTYPE_RAW = 101,
};

static const struct option options[] = {
	{ "interface", required_argument, NULL, 'i' }, { "write", required_argument, NULL, 'w' },
	{ "count", required_argument, NULL, 'c' }, { "snaplen", required_argument, NULL, 's' },
	{ "buffer", required_argument, NULL, 'B' }, { "direction", required_argument, NULL, 'Q' },
	{ "no-promiscuous", no_argument, NULL, 'p' }, { "quiet", no_argument, NULL, 'q' },
	{ "help", no_argument, NULL, 'h' }, { 0 },
};

struct capture {
	const char *iface, *path;
	uint64_t count;			/* 0: no end */
	uint32_t snaplen;
	struct packet_ring_config config;
	struct packet_ring *ring;
	struct capture_file file;
	uint64_t captured;
};

static struct packet_ring *interrupted_ring;

static void on_signal(int sig)
{
	packet_ring_break_loop(interrupted_ring);
}

/* ^C ends the capture in order. What is ignored (nohup) stays so. */
static void catch_signals(struct packet_ring *ring)
{
	static const int ends[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction act = { .sa_handler = on_signal }, now;

	interrupted_ring = ring;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (sigaction(ends[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
			sigaction(ends[i], &act, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static int put_packet(struct capture *c, const uint8_t *data, const struct packet_ring_info *info)
{
	const uint16_t tpid = info->vlan.tpid, tci = info->vlan.tci;
	const uint8_t tag[4] = { (uint8_t)(tpid >> 8), (uint8_t)tpid, (uint8_t)(tci >> 8), (uint8_t)tci };
	const struct pcapng_packet p = {
		.data = data, .cap_len = info->cap_len, .len = info->len,
		.tag = packet_ring_vlan_valid(info->status) ? tag : NULL,
		.ns = (int64_t)info->time.tv_sec * 1000000000 + info->time.tv_nsec,
		.outbound = info->link.pkttype == PACKET_OUTGOING,
	};

	c->captured++;
	return capture_file_packet(&c->file, &p);
}

/* Until the count is reached, a signal comes, or something fails. Returns the exit status. */
static int capture_loop(struct capture *c)
{
	struct packet_ring_info info;
	uint8_t *data;

	while (!c->count || c->captured < c->count) {
		int n = packet_ring_read(c->ring, false, &data, &info);

		if (n == PACKET_RING_WOULD_POLL) {
			if (capture_file_flush(&c->file))
				return 1;
			n = packet_ring_read(c->ring, true, &data, &info);
		}
		if (n > 0) {
			if (put_packet(c, data, &info))
				return 1;
		} else if (n == PACKET_RING_BREAK_LOOP) {
			break;
		} else if (n < 0 && n != -EINTR) {
			message_error("capture: %s: %s", c->iface, packet_ring_strerror(n));
			return 1;
		}
	}
	return 0;
}

static int finish(struct capture *c, int status)
{
	struct packet_ring_stats s = packet_ring_get_stats(c->ring, true);
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	status |= capture_file_stats(&c->file, (int64_t)now.tv_sec * 1000000000 + now.tv_nsec, s.recvs, s.drops);
	message_note("captured %llu packets; %llu passed the filter, %llu dropped for want of buffer",
		     (unsigned long long)c->captured, (unsigned long long)s.recvs, (unsigned long long)s.drops);
	return status;
}

static int open_ring(struct capture *c, const char *expression, uint16_t *link_type)
{
	struct sock_filter keep = { BPF_RET | BPF_K, 0, 0, c->snaplen }, *compiled = NULL;
	char error[PACKET_RING_ERROR_MAX];
	int status = 0;

	/* What the loopback sends comes in again at once: once is enough. */
	if (packet_ring_interface_link_type(c->iface) == PACKET_RING_LINK_LOOPBACK &&
	    c->config.direction == PACKET_RING_IN_OUT)
		c->config.direction = PACKET_RING_IN;
	c->config.filter = &keep;
	c->config.filter_len = 1;
	if (expression[0]) {
		status = capture_filter_compile(c->iface, expression, c->snaplen, &compiled, &c->config.filter_len);
		c->config.filter = compiled;
	}
	if (!status && packet_ring_open(c->iface, &c->config, &c->ring, error) < 0) {
		message_error("capture: %s", error);
		status = 1;
	}
	free(compiled);
	if (status)
		return status;
	switch (packet_ring_link_type(c->ring)) {
	case PACKET_RING_LINK_ETHERNET: case PACKET_RING_LINK_LOOPBACK: *link_type = LINKTYPE_ETHERNET; return 0;
	case PACKET_RING_LINK_RAW: case PACKET_RING_LINK_NO_HEADER: *link_type = LINKTYPE_RAW; return 0;
	}
	message_error("capture: %s: link type %u is not supported", c->iface, packet_ring_link_type(c->ring));
	return 1;
}

static int capture(struct capture *c, const char *expression)
{
	uint16_t link_type = LINKTYPE_ETHERNET;
	int status = open_ring(c, expression, &link_type);

	if (!status) {
		catch_signals(c->ring);
		status = capture_file_open(&c->file, c->path, link_type, c->snaplen, c->iface);
	}
	if (!status)
		status = finish(c, capture_loop(c));
	capture_file_close(&c->file);
	packet_ring_free(c->ring);
	return status;
}

/* The words that are left, with spaces between them; the caller frees it. NULL: no memory. */
static char *join(char **words, int n)
{
	size_t len = 1;
	char *all;

	for (int i = 0; i < n; i++)
		len += strlen(words[i]) + 1;
	all = calloc(1, len);
	for (int i = 0; all && i < n; i++) {
		strcat(all, words[i]);
		if (i + 1 < n)
			strcat(all, " ");
	}
	return all;
}

/* A number from 1 to max; 0 if it is none. */
static uint64_t number(const char *text, uint64_t max)
{
	char *end;
	unsigned long long n;

	errno = 0;
	n = strtoull(text, &end, 10);
	return text[0] < '0' || text[0] > '9' || *end || errno || n > max ? 0 : n;
}

static int set_direction(struct capture *c, const char *text)
{
	static const char *const names[] = { "inout", "in", "out" };

	for (int i = 0; i < 3; i++)
		if (!strcmp(text, names[i])) {
			c->config.direction = (enum packet_ring_direction)i;
			return 0;
		}
	return message_usage("capture", "-Q %s: expected in, out or inout", text);
}

int command_capture(int argc, char **argv)
{
	static struct capture c;	/* its file's buffer is too large for the stack */
	uint64_t kib = DEFAULT_BUFFER_KIB;
	char *expression;
	int o, status;

	c = (struct capture){ .snaplen = CAPTURE_SNAPLEN_MAX, .config = packet_ring_default_config() };
	c.config.promiscuous = true;
	c.config.buffer_timeout_ms = BLOCK_TIMEOUT_MS;
	opterr = 0;
	while ((o = getopt_long(argc, argv, ":i:w:c:s:B:Q:pqh", options, NULL)) != -1) {
		switch (o) {
		case 'h': return command_help("capture");
		case 'i': c.iface = optarg; break;
		case 'w': c.path = optarg; break;
		case 'p': c.config.promiscuous = false; break;
		case 'q': message_quiet = true; break;
		case 'c':
			if (!(c.count = number(optarg, UINT64_MAX)))
				return message_usage("capture", "-c %s: expected a number of packets", optarg);
			break;
		case 's':
			if (!(c.snaplen = (uint32_t)number(optarg, CAPTURE_SNAPLEN_MAX)))
				return message_usage("capture", "-s %s: expected 1 to %d bytes", optarg, CAPTURE_SNAPLEN_MAX);
			break;
		case 'B':
			if (!(kib = number(optarg, INT32_MAX)))
				return message_usage("capture", "-B %s: expected a number of KiB", optarg);
			break;
		case 'Q':
			if ((status = set_direction(&c, optarg)))
				return status;
			break;
		case ':': return message_usage("capture", "%s: needs a value", argv[optind - 1]);
		default: return message_usage("capture", "%s: unknown option", argv[optind - 1]);
		}
	}
	if (!c.iface || !c.path)
		return message_usage("capture", "-%c is missing: %s", c.iface ? 'w' : 'i',
				     c.iface ? "the file to write" : "the interface");
	c.config.buffer_size = (int64_t)kib << 10;
	expression = join(argv + optind, argc - optind);
	if (!expression) {
		message_error("capture: no memory");
		return 1;
	}
	status = capture(&c, expression);
	free(expression);
	return status;
}
