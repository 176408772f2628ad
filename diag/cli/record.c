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

/* What a recording needs at hand. */
struct record {
	const struct opts *opts;
	struct out out;
	void *buf, *code;
	size_t code_len;
	bool any; /* answers were written */
	int status;
};

static void complain(struct record *rec, const struct source *source, const char *why)
{
	fprintf(stderr, "sockdiag: -D: %s: %s\n", source->name, why);
	if (rec->status == EXIT_GOOD)
		rec->status = EXIT_PARTIAL;
}

static bool record_family(struct record *rec, struct source *source, uint8_t family)
{
	size_t room = DIAG_REQ_ROOM + rec->code_len;
	struct diag_dump_result res = { 0 };
	void *mem = malloc(room);
	struct diag_err e;
	struct diag_req r;
	char text[128];

	if (!mem) {
		complain(rec, source, strerror(ENOMEM));
		return false;
	}
	diag_req_inet(&r, mem, room, family, IPPROTO_TCP);
	diag_req_inet_body(&r)->idiag_states = rec->opts->states;
	diag_req_inet_body(&r)->idiag_ext = UINT8_MAX; /* whatever is asked of the recording later */
	e = diag_req_bytecode(&r, rec->code, rec->code_len);
	if (!diag_failed(e))
		e = diag_dump(&source->conn, &r, rec->buf, DIAG_BUF_SIZE, on_message, &rec->out, &res);
	free(mem);
	rec->any = rec->any || res.messages;
	if (res.interrupted)
		complain(rec, source, SOURCE_CHANGED);
	if (diag_failed(e) && !rec->out.error)
		complain(rec, source, diag_err_text(e, text, sizeof(text)));
	return !diag_failed(e);
}

static void record_source(struct record *rec, struct source *source)
{
	if (source->dead)
		rec->status = EXIT_FAILED;
	else if (!rec->opts->ipv4 || record_family(rec, source, AF_INET))
		if (rec->opts->ipv6)
			record_family(rec, source, AF_INET6);
}

static int record_to(struct record *rec, struct sources *sources, int fd)
{
	struct diag_err e = diag_expr_compile(rec->opts->filter.expr, rec->code, UINT16_MAX, &rec->code_len);
	char text[128];
	int err;

	if (diag_failed(e)) {
		fprintf(stderr, "sockdiag: -D: %s\n", diag_err_text(e, text, sizeof(text)));
		return EXIT_FAILED;
	}
	out_open(&rec->out, fd);
	for (size_t i = 0; i < sources->n && !rec->out.error; i++)
		record_source(rec, &sources->v[i]);
	err = out_close(&rec->out);
	if (fd != STDOUT_FILENO && close(fd) < 0 && !err)
		err = -errno;
	if (err)
		fprintf(stderr, "sockdiag: -D: %s\n", strerror(-err));
	/* Of nothing there is no part. */
	return err || (rec->status == EXIT_PARTIAL && !rec->any) ? EXIT_FAILED : rec->status;
}

int record_write(const struct opts *opts, struct sources *sources)
{
	struct record rec = { .opts = opts, .buf = malloc(DIAG_BUF_SIZE), .code = malloc(UINT16_MAX), .status = EXIT_GOOD };
	int fd = STDOUT_FILENO, rc = EXIT_FAILED;

	if (!rec.buf || !rec.code)
		fputs("sockdiag: out of memory\n", stderr);
	else if (strcmp(opts->record, "-") &&
		 (fd = open(opts->record, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)) < 0)
		fprintf(stderr, "sockdiag: -D: cannot write '%s': %s\n", opts->record, strerror(errno));
	else
		rc = record_to(&rec, sources, fd);
	free(rec.buf);
	free(rec.code);
	return rc;
}
