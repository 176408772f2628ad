/* Raw sockets of a kernel without raw_diag, from /proc/net/raw and raw6. */
#include "cli/rawproc.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "cli/walk.h"

/* "0100007F" or four such words: each word is as it lies in memory. */
static int parse_addr(const char *hex, size_t words, uint32_t *addr_be)
{
	if (strlen(hex) != 8 * words)
		return -1;
	for (size_t i = 0; i < words; i++)
		if (sscanf(hex + 8 * i, "%8x", &addr_be[i]) != 1)
			return -1;
	return 0;
}

int rawproc_parse_line(const char *line, uint8_t family, struct diag_inet *s)
{
	size_t words = family == AF_INET ? 1 : 4;
	char local[33], peer[33];
	unsigned int lport, pport, state, wqueue, rqueue, uid, inode;

	memset(s, 0, sizeof(*s));
	if (sscanf(line, " %*u: %32[0-9A-Fa-f]:%x %32[0-9A-Fa-f]:%x %x %x:%x %*x:%*x %*x %u %*u %u", local, &lport,
		   peer, &pport, &state, &wqueue, &rqueue, &uid, &inode) != 9)
		return -1;
	if (parse_addr(local, words, s->msg.id.idiag_src) || parse_addr(peer, words, s->msg.id.idiag_dst))
		return -1;
	s->msg.idiag_family = family;
	s->msg.idiag_state = (uint8_t)state;
	s->msg.id.idiag_sport = htons((uint16_t)lport);
	s->msg.id.idiag_dport = htons((uint16_t)pport);
	s->msg.idiag_rqueue = rqueue;
	s->msg.idiag_wqueue = wqueue;
	s->msg.idiag_uid = uid;
	s->msg.idiag_inode = inode;
	return 0;
}

int rawproc_read(uint8_t family, const struct opts *opts, struct sink *sink)
{
	FILE *f = fopen(family == AF_INET ? "/proc/net/raw" : "/proc/net/raw6", "re");
	struct inet_view v = { .table = KIND_RAW, .protocol = IPPROTO_RAW };
	struct diag_inet s;
	char line[512];

	if (!f)
		return -errno;
	v.s = &s;
	while (fgets(line, sizeof(line), f))
		if (!rawproc_parse_line(line, family, &s) && walk_wants_inet(opts, &s, true))
			sink->ops->inet(sink, &v);
	fclose(f);
	return 0;
}
