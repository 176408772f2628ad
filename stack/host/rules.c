/* Rules of the packet filter: from files of the specification, and from texts. */
#include "host/rules.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int rules_load(struct host *h, enum net_index net, const char *text, size_t len, bool counters, char *why, size_t room)
{
	struct filter_error e = { 0 };
	enum ns_err err = filter_load(h->stack, net, text, len, counters ? FILTER_COUNTERS : 0, &e);

	if (err && e.line)
		snprintf(why, room, "line %u, column %u: %s", e.line, e.column, e.text[0] ? e.text : ns_err_str(err));
	else if (err)
		snprintf(why, room, "%s", e.text[0] ? e.text : ns_err_str(err));
	return -ns_err_errno(err);
}

/* The whole of a plain file; -errno. The caller releases @text. */
static int read_file(const char *path, char **text, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err = fd < 0 ? -errno : 0;
	struct stat st;
	ssize_t n = 0;

	*text = NULL;
	*len = 0;
	if (!err && fstat(fd, &st) < 0)
		err = -errno;
	if (!err && !S_ISREG(st.st_mode))
		err = -EINVAL;
	if (!err && st.st_size > FILTER_TEXT_MAX)
		err = -EFBIG;
	if (!err) {
		*text = malloc((size_t)st.st_size + 1);
		err = *text ? 0 : -ENOMEM;
	}
	while (!err && *len < (size_t)st.st_size && (n = read(fd, *text + *len, (size_t)st.st_size - *len)) > 0)
		*len += (size_t)n;
	if (!err && n < 0)
		err = -errno;
	if (fd >= 0)
		close(fd);
	return err;
}

int rules_load_files(struct host *h, char error[SPEC_ERROR_MAX])
{
	for (enum net_index net = NET_IPV4; net <= NET_IPV6; net++) {
		const char *path = h->spec.rules[net];
		char why[240];
		char *text;
		size_t len;
		int err;

		if (!path[0])
			continue;
		err = read_file(path, &text, &len);
		if (err)
			snprintf(why, sizeof(why), "%s", strerror(-err));
		else
			err = rules_load(h, net, text, len, false, why, sizeof(why));
		free(text);
		if (err) {
			snprintf(error, SPEC_ERROR_MAX, "%.60s: %.240s", path, why);
			return err;
		}
	}
	return 0;
}
