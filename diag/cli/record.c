/* -D: raw answers to a file, for --source and for TCPDIAG_FILE of ss. */
#include "cli/record.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/out.h"
#include "client/dump.h"

static int on_message(const struct nlmsghdr *nlh, void *arg)
{
	struct out *o = arg;

	out_bytes(o, nlh, nlh->nlmsg_len);
	out_pad(o, '\0', NLMSG_ALIGN(nlh->nlmsg_len) - nlh->nlmsg_len);
	return o->error ? -1 : 0;
}

static struct diag_err record_family(const struct opts *opts, struct source *source, uint8_t family, void *code,
				     size_t code_len, void *buf, struct out *o)
{
	size_t room = DIAG_REQ_ROOM + code_len;
	void *mem = malloc(room);
	struct diag_req r;
	struct diag_err e;

	if (!mem)
		return diag_err_sys(ENOMEM);
	diag_req_inet(&r, mem, room, family, IPPROTO_TCP);
	diag_req_inet_body(&r)->idiag_states = opts->states;
	diag_req_inet_body(&r)->idiag_ext = UINT8_MAX; /* whatever is asked of the recording later */
	e = diag_req_bytecode(&r, code, code_len);
	if (!diag_failed(e))
		e = diag_dump(&source->conn, &r, buf, DIAG_BUF_SIZE, on_message, o, NULL);
	free(mem);
	return e;
}

int record_write(const struct opts *opts, struct sources *sources)
{
	int fd = STDOUT_FILENO, err, status = EXIT_GOOD;
	void *buf = malloc(DIAG_BUF_SIZE), *code = malloc(UINT16_MAX);
	size_t code_len = 0;
	char text[128];
	struct diag_err e;
	struct out o;

	if (!buf || !code)
		return EXIT_FAILED;
	if (strcmp(opts->record, "-"))
		fd = open(opts->record, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd < 0) {
		fprintf(stderr, "sockdiag: -D: cannot write '%s': %s\n", opts->record, strerror(errno));
		return EXIT_FAILED;
	}
	out_open(&o, fd);
	e = diag_expr_compile(opts->filter.expr, code, UINT16_MAX, &code_len);
	for (size_t i = 0; i < sources->n && !diag_failed(e); i++) {
		struct source *s = &sources->v[i];

		if (s->dead)
			status = EXIT_FAILED;
		if (!s->dead && opts->ipv4)
			e = record_family(opts, s, AF_INET, code, code_len, buf, &o);
		if (!s->dead && !diag_failed(e) && opts->ipv6)
			e = record_family(opts, s, AF_INET6, code, code_len, buf, &o);
	}
	err = out_close(&o);
	if (fd != STDOUT_FILENO && close(fd) < 0 && !err)
		err = -errno;
	if (err || diag_failed(e)) {
		fprintf(stderr, "sockdiag: -D: %s\n", err ? strerror(-err) : diag_err_text(e, text, sizeof(text)));
		status = EXIT_FAILED;
	}
	free(buf);
	free(code);
	return status;
}
