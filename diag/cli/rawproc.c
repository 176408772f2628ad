/* Raw sockets of a kernel without raw_diag, from /proc/net/raw and raw6. */
#include "cli/rawproc.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "cli/walk.h"
#include "wire/procnet.h"

int rawproc_read(uint8_t family, const struct opts *opts, struct sink *sink)
{
	FILE *f = fopen(family == AF_INET ? "/proc/net/raw" : "/proc/net/raw6", "re");
	struct inet_view v = { .table = KIND_RAW, .protocol = IPPROTO_RAW };
	struct diag_inet s;
	char line[512];

	if (!f)
		return -errno;
	memset(&s, 0, sizeof(s)); /* the file has no attributes */
	v.s = &s;
	while (fgets(line, sizeof(line), f))
		if (!diag_procnet_parse(line, family, &s.msg) && walk_wants_inet(opts, &s, true))
			sink->ops->inet(sink, &v);
	fclose(f);
	return 0;
}
