/* Unix sockets from the kernel, in an array. */
#include "client/unix.h"

#include <string.h>

#include "client/list.h"
#include "wire/unix.h"

static int collect(const struct nlmsghdr *nlh, void *arg)
{
	struct diag_list *l = arg;
	struct diag_unix_conn *u;
	struct diag_unix s;

	l->error = diag_unix_parse(NLMSG_DATA(nlh), nlh->nlmsg_len - NLMSG_HDRLEN, &s);
	if (diag_failed(l->error))
		return -1;
	u = diag_list_add(l);
	if (!u)
		return -1;
	u->msg = s.msg;
	u->path_len = s.name_len < sizeof(u->path) ? s.name_len : sizeof(u->path) - 1;
	if (u->path_len)
		memcpy(u->path, s.name, u->path_len);
	return 0;
}

struct diag_err diag_unix_list(struct diag_req *r, void *buf, size_t size, diag_tap_fn tap, void *tap_arg,
			       struct diag_unix_conn **list, size_t *count)
{
	struct diag_list l = { .each = sizeof(**list) };
	struct diag_err e = diag_list_gather(r, buf, size, tap, tap_arg, collect, &l);

	*list = l.at;
	*count = l.count;
	return e;
}

struct diag_err diag_unix_connections(struct diag_unix_conn **list, size_t *count)
{
	_Alignas(4) uint8_t room[DIAG_REQ_ROOM];
	struct diag_req r;

	diag_req_unix(&r, room, sizeof(room), UDIAG_SHOW_NAME);
	return diag_unix_list(&r, NULL, 0, NULL, NULL, list, count);
}
