/* The table of operations, and what is checked of every message before one is done. */
#include "host/ops.h"

#include <errno.h>

#include "host/again.h"

/**
 * struct op - an operation
 * @socket: enum: whether the cookie must name a socket
 * @min_data: bytes of data it has at least
 * @flags: WITH_FD: it may come with a descriptor; MASTER: of the host's user, and root, alone: others may have
 *         joined (STACK_OP_JOIN); ANYBODY: about a socket, and not only for its owner and who holds it
 */
enum { NO_SOCKET, SOCKET, ANY_SOCKET };
enum { WITH_FD = 1, MASTER = 2, ANYBODY = 4 };

static const struct op {
	int (*run)(struct request *q);
	uint8_t socket;
	uint8_t min_data;
	uint8_t flags;
} ops[STACK_OP_COUNT] = {
	[STACK_OP_HELLO] = { op_hello, NO_SOCKET, 0, 0 },
	[STACK_OP_SOCKET] = { op_socket, NO_SOCKET, 0, 0 },
	[STACK_OP_LOOKUP] = { op_lookup, SOCKET, 0, ANYBODY },
	[STACK_OP_BIND] = { op_bind, SOCKET, 0, 0 },
	[STACK_OP_CONNECT] = { op_connect, SOCKET, 0, 0 },
	[STACK_OP_FASTOPEN] = { op_fastopen, SOCKET, 2, 0 },
	[STACK_OP_LISTEN] = { op_listen, SOCKET, 0, 0 },
	[STACK_OP_SHUTDOWN] = { op_shutdown, SOCKET, 0, 0 },
	[STACK_OP_GETNAME] = { op_getname, SOCKET, 0, 0 },
	[STACK_OP_SETOPT] = { op_setopt, SOCKET, 0, WITH_FD },
	[STACK_OP_GETOPT] = { op_getopt, SOCKET, 0, 0 },
	[STACK_OP_IOCTL] = { op_ioctl, ANY_SOCKET, 0, 0 },
	[STACK_OP_CHECK] = { op_check, SOCKET, 0, 0 },
	[STACK_OP_ERRQUEUE] = { op_errqueue, SOCKET, 0, 0 },
	[STACK_OP_ABORT] = { op_abort, SOCKET, 0, 0 },
	[STACK_OP_KILL] = { op_kill, SOCKET, 0, MASTER },
	[STACK_OP_FLUSH] = { op_flush, SOCKET, 0, 0 },
	[STACK_OP_OUTQ] = { op_outq, SOCKET, 0, 0 },
	[STACK_OP_RESOLVE] = { op_resolve, NO_SOCKET, 2, 0 },
	[STACK_OP_NAMEINFO] = { op_nameinfo, NO_SOCKET, 2, 0 },
	[STACK_OP_IFADDRS] = { op_ifaddrs, NO_SOCKET, 0, 0 },
	[STACK_OP_DIAG] = { op_diag, NO_SOCKET, 0, WITH_FD },
	[STACK_OP_PROCNET] = { op_procnet, NO_SOCKET, 0, 0 },
	[STACK_OP_INFO] = { op_info, NO_SOCKET, 0, 0 },
	[STACK_OP_STATS] = { op_stats, NO_SOCKET, 0, 0 },
	[STACK_OP_RULES] = { op_rules, NO_SOCKET, 0, WITH_FD | MASTER },
	[STACK_OP_RING] = { op_ring, SOCKET, 0, 0 },
	[STACK_OP_CONNECTIONS] = { op_connections, NO_SOCKET, 0, 0 },
	[STACK_OP_IFTEXT] = { op_iftext, NO_SOCKET, 0, 0 },
	[STACK_OP_ROUTE] = { op_route, NO_SOCKET, 2, 0 },
	[STACK_OP_BELL] = { op_bell, SOCKET, 0, 0 },
	[STACK_OP_STAMP] = { op_stamp, SOCKET, 0, 0 },
	[STACK_OP_COPIED] = { op_copied, SOCKET, 0, 0 },
	[STACK_OP_TIMES] = { op_times, SOCKET, 0, WITH_FD },
	[STACK_OP_KEEP] = { op_keep, NO_SOCKET, 0, MASTER },
	[STACK_OP_DOWN] = { op_down, NO_SOCKET, 0, MASTER },
	[STACK_OP_JOIN] = { op_join, NO_SOCKET, 0, WITH_FD },
	[STACK_OP_HELD] = { op_held, SOCKET, 0, WITH_FD | ANYBODY },
};

static int check_rights(const struct request *q, const struct op *op)
{
	if (host_is_master(q->host, q->uid))
		return 0;
	if (op->flags & MASTER)
		return -EPERM;
	return !q->relay || (op->flags & ANYBODY) || relay_allows(q->relay, q->uid) ? 0 : -ENOKEY;
}

bool request_run(struct request *q)
{
	const struct stack_msg *in = q->in;
	const struct op *op = in->op < STACK_OP_COUNT ? &ops[in->op] : NULL;
	int err;

	if (!op || !op->run || in->err || in->len < op->min_data || (q->fd_in >= 0 && !(op->flags & WITH_FD)))
		return false;
	/* The first message says hello, and is the only one that another version may send. */
	if (q->client->hello == (in->op == STACK_OP_HELLO) ||
	    (in->version != STACK_PROTO_VERSION && in->op != STACK_OP_HELLO))
		return false;
	if (q->client->hatch && in->op != STACK_OP_JOIN)
		return false;
	if (op->socket != NO_SOCKET && (in->cookie || op->socket == SOCKET)) {
		q->relay = relay_find(q->host, in->cookie);
		if (!q->relay) {
			q->out->err = -ENOENT;
			return true;
		}
	}
	q->host->counters.requests++;
	err = check_rights(q, op);
	if (!err)
		err = op->run(q);
	if (err == OP_MALFORMED)
		return false;
	if (err == -EADDRINUSE && q->relay && q->fd_out < 0 && again_later(q, op->run))
		return true;
	q->out->err = err;
	return true;
}
