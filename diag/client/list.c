/* A dump on a conversation of its own, gathered into a growing array. */
#include "client/list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void *diag_list_add(struct diag_list *l)
{
	if (l->count == l->room) {
		size_t room = l->room ? 2 * l->room : 64;
		void *grown = reallocarray(l->at, room, l->each);

		if (!grown) {
			l->error = diag_err_sys(ENOMEM);
			return NULL;
		}
		l->at = grown;
		l->room = room;
	}
	return memset((char *)l->at + l->each * l->count++, 0, l->each);
}

struct diag_err diag_list_gather(struct diag_req *r, void *buf, size_t size, diag_tap_fn tap, void *tap_arg,
				 diag_msg_fn fn, struct diag_list *l)
{
	struct diag_conn c;
	struct diag_err e;
	void *own = NULL;

	if (!buf) {
		size = DIAG_BUF_SIZE;
		buf = own = malloc(size);
		if (!buf)
			return diag_err_sys(ENOMEM);
	}
	e = diag_conn_open(&c);
	if (!diag_failed(e)) {
		diag_conn_set_tap(&c, tap, tap_arg);
		e = diag_dump(&c, r, buf, size, fn, l, NULL);
		diag_conn_close(&c);
	}
	free(own);
	return diag_failed(l->error) ? l->error : e;
}
