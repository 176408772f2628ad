/* RULES: the stack's packet filter, in and out as text of iptables-save; and texts as replies. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/ops.h"
#include "host/rules.h"

int request_text_fd(const char *text, size_t len)
{
	int fd = memfd_create("sockshim-text", MFD_CLOEXEC);
	size_t done = 0;

	while (fd >= 0 && done < len) {
		ssize_t n = write(fd, text + done, len - done);

		if (n <= 0) {
			close(fd);
			fd = -1;
		} else {
			done += (size_t)n;
		}
	}
	return fd;
}

/* The whole file. Only plain ones: reading must not wait for anybody. */
int request_file(const struct request *q, size_t max, char **text, size_t *len)
{
	int fd = q->fd_in;
	struct stat st;
	ssize_t n = 0;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return -EINVAL;
	if ((uint64_t)st.st_size > max)
		return -EFBIG;
	*text = malloc((size_t)st.st_size + 1);
	if (!*text)
		return -ENOMEM;
	for (*len = 0; *len < (size_t)st.st_size; *len += (size_t)n) {
		n = pread(fd, *text + *len, (size_t)st.st_size - *len, (off_t)*len);
		if (n <= 0)
			break;
	}
	if (n >= 0)
		return 0;
	free(*text);
	return -EIO;
}

static int load(struct request *q, enum net_index net, bool counters)
{
	char *text;
	size_t len;
	int err = request_file(q, FILTER_TEXT_MAX, &text, &len);

	if (err)
		return err;
	err = rules_load(q->host, net, text, len, counters, (char *)q->out->data, STACK_MSG_DATA);
	free(text);
	if (err)
		q->out->len = (uint32_t)strlen((char *)q->out->data);
	return err;
}

static void write_text(void *ctx, const char *text, size_t len)
{
	fwrite(text, 1, len, ctx);
}

static int print(struct request *q, enum net_index net, bool counters)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	enum ns_err err;

	if (!f)
		return -ENOMEM;
	err = filter_print(q->host->stack, net, counters, write_text, f);
	if (fclose(f) != 0 && !err)
		err = NS_ERR_NO_MEMORY;
	q->fd_out = err ? -1 : request_text_fd(text, len);
	free(text);
	return err ? -ns_err_errno(err) : q->fd_out < 0 ? -ENOMEM : 0;
}

int op_rules(struct request *q)
{
	int64_t family = q->in->arg[0];
	enum net_index net = family == AF_INET ? NET_IPV4 : NET_IPV6;
	bool counters = q->in->arg[1] == 1;
	int err = 0;

	if (family != AF_INET && family != AF_INET6)
		return -EAFNOSUPPORT;
	if (q->fd_in >= 0)
		err = load(q, net, counters);
	return err ? err : print(q, net, counters);
}
