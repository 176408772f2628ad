/* What programs that read /proc/net need: lines as in /proc/net/tcp, and what to leave out of /proc/net/unix. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host/client.h"
#include "host/diag.h"
#include "host/ops.h"
#include "wire/copy.h"
#include "wire/procnet.h"

enum { TURN_LINES = 128, TURN_LOOKS = 1024, TURN_INODES = 1024 };

/**
 * struct job - a file being written, some lines in each turn
 * @client: who waits for it
 * @index:  the next line's number
 */
struct job {
	struct source src;
	struct client *client;
	struct stack_msg *reply;
	struct sock_cursor at;
	int fd;
	uint8_t family;
	uint32_t protocol;
	unsigned index;
};

static struct host *host_of(const struct job *j)
{
	return j->client->host;
}

/**
 * struct inodes - the inodes of pairs being gathered, some in each turn
 * @table: @slots of them, never full
 */
struct inodes {
	struct source src;
	struct client *client;
	struct stack_msg *reply;
	struct endpoint_cursor at;
	uint32_t *table, slots, count;
};

static void inodes_free(struct inodes *i)
{
	list_remove(&i->src.node);
	endpoint_cursor_fini(&i->at);
	free(i->table);
	free(i->reply);
	free(i);
}

static void inodes_cancel(struct client *c)
{
	inodes_free(c->later);
}

/* The table in a file; -1 if there is none to be had. */
static int inodes_file(const struct inodes *i)
{
	int fd = memfd_create("sockshim-inodes", MFD_CLOEXEC);
	size_t n = i->slots * sizeof(*i->table);

	if (fd >= 0 && write(fd, i->table, n) == (ssize_t)n)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

static void inodes_turn(struct source *s)
{
	struct inodes *i = container_of(s, struct inodes, src);
	struct endpoint *ep = NULL;
	int fd;

	for (int n = 0; n < TURN_INODES && (ep = endpoint_cursor_next(&i->at)); n++) {
		const struct diag_record *r = diag_record_of(ep);
		uint32_t at;

		/* Sockets that are made meanwhile may find no room: half of it is kept empty. */
		if (!r || !r->relay || !r->inode || i->count >= i->slots / 2)
			continue;
		at = stack_inode_slot(r->inode, i->slots);
		while (i->table[at])
			at = (at + 1) & (i->slots - 1);
		i->table[at] = r->inode;
		i->count++;
	}
	if (ep) {
		loop_wake(&i->client->host->loop, s);
		return;
	}
	fd = inodes_file(i);
	i->reply->err = fd < 0 ? -ENFILE : 0;
	i->reply->arg[0] = i->slots;
	client_reply(i->client, i->reply, fd);
	inodes_free(i);
}

static int begin_inodes(struct request *q)
{
	struct inodes *i = calloc(1, sizeof(*i));
	uint32_t slots = 64;

	while (slots < 4 * q->host->nrelays)
		slots *= 2;
	if (i) {
		i->reply = malloc(STACK_MSG_HEAD);
		i->table = calloc(slots, sizeof(*i->table));
	}
	if (!i || !i->reply || !i->table) {
		if (i)
			free(i->reply), free(i->table);
		free(i);
		return -ENOMEM;
	}
	memcpy(i->reply, q->out, STACK_MSG_HEAD);
	source_init(&i->src, inodes_turn);
	endpoint_cursor_init(&i->at, q->host->stack);
	i->client = q->client;
	i->slots = slots;
	q->client->later = i;
	q->client->cancel = inodes_cancel;
	q->later = true;
	loop_wake(&q->host->loop, &i->src);
	return 0;
}

/* All but the reply's descriptor. */
static void job_free(struct job *j)
{
	list_remove(&j->src.node);
	diag_table_ops.end(host_of(j)->diag, &j->at);
	free(j->reply);
	free(j);
}

static void job_cancel(struct client *c)
{
	struct job *j = c->later;

	close(j->fd);
	job_free(j);
}

/* Writes the next lines to @buf; how many bytes, and whether it was the @end. */
static size_t put_lines(struct job *j, char *buf, bool *end)
{
	struct diag *d = host_of(j)->diag;
	struct diag_tcp_info info;
	struct sock_entry e;
	int lines = 0, found;
	size_t n = 0;

	*end = false;
	for (int looked = 0; looked < TURN_LOOKS && lines < TURN_LINES; looked++) {
		diag_clear(&e, sizeof(e));
		found = diag_table_ops.next(d, j->protocol, &j->at, &e);
		if (!found) {
			*end = true;
			break;
		}
		if (found == SOCK_LEFT_OUT || e.msg.idiag_family != j->family || e.kind == SOCK_KIND_BOUND)
			continue;
		lines++;
		diag_complete(d, &e, 0);
		if (j->protocol == IPPROTO_TCP && e.kind == SOCK_KIND_FULL)
			diag_tcp_info(e.handle, &info);
		n += diag_procnet_line(buf + n, j->index++, &e.msg, j->protocol,
				       j->protocol == IPPROTO_TCP && e.kind == SOCK_KIND_FULL ? &info : NULL);
	}
	return n;
}

_Static_assert(TURN_LINES * DIAG_PROCNET_LINE <= HOST_SCRATCH, "a turn's lines fit");

static void job_turn(struct source *s)
{
	struct job *j = container_of(s, struct job, src);
	char *buf = (char *)host_of(j)->scratch;
	bool end;
	size_t n = put_lines(j, buf, &end);

	if (n && write(j->fd, buf, n) != (ssize_t)n) {
		j->reply->err = -ENOSPC;
		end = true;
	}
	if (!end) {
		loop_wake(&host_of(j)->loop, s);
		return;
	}
	if (j->reply->err)
		close(j->fd);
	client_reply(j->client, j->reply, j->reply->err ? -1 : j->fd);
	job_free(j);
}

int op_procnet(struct request *q)
{
	int64_t family = q->in->arg[0], protocol = q->in->arg[1], first = q->in->arg[2];
	struct job *j;

	if (family == AF_UNIX)
		return begin_inodes(q);
	if ((family != AF_INET && family != AF_INET6) || (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP && protocol != IPPROTO_RAW) ||
	    first < 0 || first > INT32_MAX)
		return -EINVAL;
	j = calloc(1, sizeof(*j));
	if (j)
		j->reply = malloc(STACK_MSG_HEAD);
	if (!j || !j->reply) {
		free(j);
		return -ENOMEM;
	}
	j->fd = memfd_create("sockshim-proc-net", MFD_CLOEXEC);
	if (j->fd < 0) {
		free(j->reply);
		free(j);
		return -ENFILE;
	}
	memcpy(j->reply, q->out, STACK_MSG_HEAD);
	source_init(&j->src, job_turn);
	j->client = q->client;
	j->family = j->at.family = (uint8_t)family;
	j->protocol = (uint32_t)protocol;
	j->index = (unsigned)first;
	q->client->later = j;
	q->client->cancel = job_cancel;
	q->later = true;
	loop_wake(&q->host->loop, &j->src);
	return 0;
}
