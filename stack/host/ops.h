/* The operations of the control protocol; the table is in ops.c. */
#ifndef STACK_HOST_OPS_H
#define STACK_HOST_OPS_H

#include "host/client.h"
#include "host/relay.h"

/**
 * op_*() - one operation: 0 or -errno for the reply; OP_MALFORMED: what no library would send
 *
 * Those for sockets find it in @q->relay.
 */
enum { OP_MALFORMED = -100000 };

int op_hello(struct request *q);
int op_join(struct request *q);
int op_held(struct request *q);
int op_socket(struct request *q);
int op_lookup(struct request *q);
int op_bind(struct request *q);
int op_connect(struct request *q);
int op_fastopen(struct request *q);
int op_listen(struct request *q);
int op_shutdown(struct request *q);
int op_getname(struct request *q);
int op_setopt(struct request *q);
int op_getopt(struct request *q);
int op_ioctl(struct request *q);
int op_check(struct request *q);
int op_errqueue(struct request *q);
int op_abort(struct request *q);
int op_kill(struct request *q);
int op_flush(struct request *q);
int op_outq(struct request *q);
int op_resolve(struct request *q);
int op_nameinfo(struct request *q);
int op_ifaddrs(struct request *q);
int op_diag(struct request *q);
int op_procnet(struct request *q);
int op_info(struct request *q);
int op_stats(struct request *q);
int op_rules(struct request *q);
int op_ring(struct request *q);
int op_connections(struct request *q);
int op_iftext(struct request *q);
int op_route(struct request *q);
int op_bell(struct request *q);
int op_stamp(struct request *q);
int op_copied(struct request *q);
int op_times(struct request *q);
int op_keep(struct request *q);
int op_down(struct request *q);

/** request_file() - what is in the file that came with the request, a plain one of at most @max bytes; the caller
 * frees @text. -EINVAL, -EFBIG, -ENOMEM, -EIO */
int request_file(const struct request *q, size_t max, char **text, size_t *len);

/** request_text_fd() - a memfd with this text, for a reply; -1 if there is no memory or descriptor for it */
int request_text_fd(const char *text, size_t len);

#endif
