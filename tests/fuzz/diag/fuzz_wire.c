/* The first byte chooses a parser of the wire format, the rest is what it reads. */
#include <stdlib.h>
#include <string.h>

#include "client/dump.h"
#include "wire/bytecode.h"
#include "wire/inet.h"
#include "wire/procnet.h"
#include "wire/req.h"
#include "wire/tcpinfo.h"
#include "wire/unix.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int on_message(const struct nlmsghdr *nlh, void *arg)
{
	struct diag_inet_query q;
	struct diag_unix u;
	struct diag_inet s;
	char text[300];

	diag_inet_parse(NLMSG_DATA(nlh), nlh->nlmsg_len - NLMSG_HDRLEN, &s);
	diag_inet_fasthash(&s.msg);
	diag_inet_src_ip(&s.msg, text);
	diag_unix_parse(NLMSG_DATA(nlh), nlh->nlmsg_len - NLMSG_HDRLEN, &u);
	diag_unix_path(&u, text, sizeof(text));
	diag_inet_query_parse(nlh, &q);
	return 0;
}

/* A program that passes the audit must run to an end, within its bytes. */
static void run_program(const void *code, size_t len)
{
	static const uint32_t addr_be[4] = { 0, 0, 0xffff0000, 0x0100007f };
	struct diag_bc_entry e = { .saddr_be = addr_be, .daddr_be = addr_be, .sport = 80, .dport = 4711, .family = 10 };

	if (!diag_bc_audit(code, len, true))
		diag_bc_run(code, len, &e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct diag_tcp_info ti;
	char text[128], line[DIAG_PROCNET_LINE];
	struct inet_diag_msg m;
	uint8_t *copy;

	if (!size)
		return 0;
	/* In memory of its own, aligned and exactly as long. */
	copy = malloc(size - 1 ? size - 1 : 1);
	memcpy(copy, data + 1, size - 1);
	switch (data[0] % 4) {
	case 0:
		diag_walk(copy, size - 1, on_message, NULL, NULL);
		break;
	case 1:
		if (size - 1 <= UINT16_MAX)
			run_program(copy, (size - 1) & ~(size_t)3);
		break;
	case 2:
		diag_err_text(diag_err_parse(copy, size - 1), text, sizeof(text));
		diag_err_text(diag_err_parse_nle(copy, size - 1), text, sizeof(text));
		diag_tcp_info_read(&ti, copy, size - 1);
		break;
	default:
		copy = realloc(copy, size);
		copy[size - 1] = '\0';
		if (!diag_procnet_parse((char *)copy, size & 1 ? 2 : 10, &m))
			diag_procnet_line(line, UINT32_MAX, &m, size & 2 ? 6 : 17, NULL);
		break;
	}
	free(copy);
	return 0;
}
