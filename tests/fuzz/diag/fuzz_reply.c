/* Answers from a source, through everything that shows them: the first byte chooses how. */
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "cli/sink.h"
#include "cli/walk.h"
#include "client/dump.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int on_inet(const struct nlmsghdr *nlh, void *arg)
{
	struct sink *sink = arg;
	struct inet_view v = { .table = KIND_TCP, .protocol = IPPROTO_TCP };
	struct unix_view u = { .table = KIND_UNIX_ST };
	struct diag_inet s;
	struct diag_unix x;

	v.s = &s;
	u.s = &x;
	if (!diag_failed(diag_inet_parse(NLMSG_DATA(nlh), nlh->nlmsg_len - NLMSG_HDRLEN, &s)) &&
	    diag_inet_addr_len(s.msg.idiag_family) && walk_wants_inet(sink->opts, &s, true))
		sink->ops->inet(sink, &v);
	else if (!diag_failed(diag_unix_parse(NLMSG_DATA(nlh), nlh->nlmsg_len - NLMSG_HDRLEN, &x)) &&
		 walk_wants_unix(sink->opts, &x))
		sink->ops->unix_socket(sink, &u);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct out out;
	static int null = -1;
	struct opts o = { .tables = KIND_UNIX | KIND_INET, .ipv4 = true, .ipv6 = true, .states = UINT32_MAX, .numeric = true,
			  .timers = true, .extended = true, .memory = true, .info = true, .tos = true, .sockopt = true };
	struct sink *sink;
	void *copy;

	if (null < 0) {
		null = open("/dev/null", O_WRONLY);
		out_open(&out, null);
	}
	if (!size)
		return 0;
	o.format = data[0] % 4;
	o.oneline = data[0] & 4;
	o.numeric = data[0] & 8;
	sink = o.format == FORMAT_TEXT	      ? text_sink(&o, NULL, &out) :
	       o.format == FORMAT_OPENMETRICS ? metrics_sink(&o, &out) :
						json_sink(&o, NULL, &out);
	copy = malloc(size - 1 ? size - 1 : 1);
	memcpy(copy, data + 1, size - 1);
	diag_walk(copy, size - 1, on_inet, sink, NULL);
	sink->ops->gap(sink, "the end of a fuzzer's input");
	sink->ops->end(sink, false);
	out_flush(&out);
	free(copy);
	return 0;
}
