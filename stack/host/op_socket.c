/* Operations on sockets: those that socket calls come down to. */
#include <errno.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "host/diag.h"
#include "host/maker.h"
#include "host/ops.h"
#include "host/ring.h"

enum { LONG_OPTION_MAX = 65536, FLUSH_STEP_MS = 5, FLUSH_MAX_MS = 3600 * 1000 };

static int relay_for(struct request *q, struct sock *k)
{
	struct maker *m = maker_get(q->host, q->client->pid);
	int err = !m ? -ENOMEM : maker_may(q->host, m) ? relay_new(q->host, k, false, &q->fd_out, &q->relay) : -ENFILE;

	if (!err)
		maker_own(m, q->relay);
	else if (m)
		maker_put(q->host, m);
	return err;
}

int op_socket(struct request *q)
{
	int64_t domain = q->in->arg[0], type = q->in->arg[1] & ~(int64_t)(SOCK_NONBLOCK | SOCK_CLOEXEC),
		protocol = q->in->arg[2];
	struct sock *k;
	int err;

	if (domain < 0 || domain > UINT16_MAX || type < 0 || type > UINT16_MAX || protocol < 0 ||
	    protocol > INT32_MAX)
		return -EINVAL;
	err = sock_new(q->host->stack, (int)domain, (int)type, (int)protocol, &k);
	if (err)
		return err;
	err = relay_for(q, k);
	if (err) {
		sock_close(k);
		return err;
	}
	q->relay->owner = q->uid;
	diag_attach(q->relay, q->fd_out, q->client, NULL);
	q->out->cookie = q->relay->cookie;
	q->out->arg[0] = q->relay->board;
	q->host->counters.sockets_made++;
	relay_show(q->relay);
	return 0;
}

int op_lookup(struct request *q)
{
	q->out->arg[0] = q->relay->k->domain;
	q->out->arg[1] = q->relay->k->type;
	q->out->arg[2] = q->relay->k->protocol;
	q->out->arg[3] = q->relay->board;
	return 0;
}

int op_held(struct request *q)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	if (q->fd_in < 0)
		return OP_MALFORMED;
	if (getsockopt(q->fd_in, SOL_SOCKET, SO_COOKIE, &cookie, &len) < 0 || cookie != q->relay->cookie)
		return -EPERM;
	relay_held(q->relay, q->uid);
	return 0;
}

/* A copy that is aligned as a sockaddr has to be. NULL: too long to be one. */
static const struct sockaddr *address(const struct request *q, struct sockaddr_storage *ss)
{
	if (q->in->len > sizeof(*ss))
		return NULL;
	memset(ss, 0, sizeof(*ss));
	memcpy(ss, q->in->data, q->in->len);
	return (const struct sockaddr *)ss;
}

int op_bind(struct request *q)
{
	struct sockaddr_storage ss;
	const struct sockaddr *a = address(q, &ss);
	int err = a ? sock_bind(q->relay->k, a, q->in->len) : -EINVAL;

	relay_show(q->relay);
	return err;
}

/* A stream whose connection, or attempt, has ended is as good as new to the stack; its pair is not. */
static int renew(struct request *q)
{
	int err = relay_renew(q->relay, &q->fd_out);

	if (err)
		return err;
	diag_attach(q->relay, q->fd_out, q->client, NULL);
	q->out->cookie = q->relay->cookie;
	q->out->arg[0] = q->relay->board;
	return 0;
}

/* connect(AF_UNSPEC): what the pair was used for is over. One that was not used is as good as new. */
static int disconnected(struct request *q)
{
	struct relay *r = q->relay;
	bool broken_off = r->state == STACK_BOARD_CONNECTED || r->state == STACK_BOARD_CONNECTING;
	int err = 0;

	r->attempt = RELAY_NO_ATTEMPT;
	if (r->state != STACK_BOARD_NEW && r->state != STACK_BOARD_CONNECTING)
		err = renew(q);
	else
		relay_set_state(r, STACK_BOARD_NEW);
	/* As tcp_disconnect() leaves it. */
	if (!err && broken_off)
		relay_put_error(r, ECONNRESET);
	return err;
}

/* What an attempt to connect a stream came to so far. */
static int connecting(struct request *q, int err)
{
	struct relay *r = q->relay;

	if ((err == 0 || err == -EINPROGRESS) && r->watched) {
		int renewed = renew(q);

		if (renewed) {
			sock_abort(r->k, 0);
			return renewed;
		}
	}
	if (err == -EINPROGRESS || (!err && r->state != STACK_BOARD_CONNECTED))
		r->attempt = RELAY_UNTOLD;
	else if (!err || err == -EISCONN)
		r->attempt = RELAY_NO_ATTEMPT;
	/* tcp_connect_init(): what was before is forgotten. */
	if (err == -EINPROGRESS || (!err && r->state != STACK_BOARD_CONNECTED))
		relay_put_error(r, 0);
	if (err == -EINPROGRESS)
		relay_set_state(r, STACK_BOARD_CONNECTING);
	else if (!err && r->state != STACK_BOARD_CONNECTED)
		relay_connected(r);
	else
		relay_show(r);
	return err;
}

/* What connect says of an attempt before this one, and looks no further (inet_stream_connect()). 0: nothing. */
static int before(struct relay *r)
{
	if (r->attempt == RELAY_BARRED)
		return -EINVAL;
	if (r->attempt == RELAY_UNTOLD && relay_has_ended(r))
		return relay_dissolve(r);
	/* Also after its end. */
	return relay_has_ended(r) && r->k->connected ? -EISCONN : 0;
}

int op_connect(struct request *q)
{
	struct relay *r = q->relay;
	struct sockaddr_storage ss;
	const struct sockaddr *a = address(q, &ss);
	bool stream = r->k->type == SOCK_STREAM;
	int err;

	if (q->in->arg[0] & STACK_CONNECT_TOLD && r->attempt == RELAY_UNTOLD)
		r->attempt = RELAY_NO_ATTEMPT;
	if (q->in->arg[0] & STACK_CONNECT_END)
		return (err = before(r)) ? err : -EISCONN;
	if (!a || q->in->len < sizeof(a->sa_family))
		return -EINVAL;
	if (stream && a->sa_family != AF_UNSPEC && (err = before(r)))
		return err;
	err = sock_connect(r->k, a, q->in->len);
	if (!stream) {
		relay_show(r);
		return err;
	}
	if (!err && a->sa_family == AF_UNSPEC)
		return disconnected(q);
	return connecting(q, err);
}

int op_fastopen(struct request *q)
{
	struct relay *r = q->relay;
	struct sock_msg m = { .addr_len = (socklen_t)q->in->arg[0] };
	struct iovec iov;
	ssize_t n;
	int err;

	if (q->in->arg[0] < (int64_t)sizeof(sa_family_t) || q->in->arg[0] > q->in->len || m.addr_len > sizeof(m.addr))
		return -EINVAL;
	if (r->k->type != SOCK_STREAM)
		return -EOPNOTSUPP;
	if ((err = before(r)))
		return err;
	memcpy(&m.addr, q->in->data, m.addr_len);
	iov.iov_base = (void *)(q->in->data + m.addr_len);
	iov.iov_len = q->in->len - m.addr_len;
	n = sock_send(r->k, &iov, 1, &m, MSG_FASTOPEN);
	q->out->arg[1] = n > 0 ? n : 0;
	return connecting(q, n < 0 ? (int)n : -EINPROGRESS);
}

int op_listen(struct request *q)
{
	int64_t backlog = q->in->arg[0];
	struct relay *r = q->relay;
	int err;

	if (r->k->type != SOCK_STREAM)
		return -EOPNOTSUPP;
	if (backlog < INT32_MIN || backlog > INT32_MAX)
		return -EINVAL;
	/* Also after its end: inet_listen() looks at what was connected once. */
	if (r->state == STACK_BOARD_CONNECTED || r->attempt != RELAY_NO_ATTEMPT)
		return -EINVAL;
	err = relay_listen(r, (int)backlog);
	if (err || !r->watched)
		return err;
	/* It has been connected, or listening, before, and its pair has ended with that. */
	err = renew(q);
	return err ? err : relay_listen(r, (int)backlog);
}

int op_shutdown(struct request *q)
{
	if (q->in->arg[0] < SHUT_RD || q->in->arg[0] > SHUT_RDWR)
		return -EINVAL;
	return relay_shutdown(q->relay, (int)q->in->arg[0]);
}

int op_getname(struct request *q)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	int err = sock_name(q->relay->k, q->in->arg[0] == 1, (struct sockaddr *)&ss, &len);

	if (err)
		return err;
	memcpy(q->out->data, &ss, len);
	q->out->len = len;
	return 0;
}

static int option_args(const struct request *q, int *level, int *name)
{
	if (q->in->arg[0] < INT32_MIN || q->in->arg[0] > INT32_MAX || q->in->arg[1] < INT32_MIN ||
	    q->in->arg[1] > INT32_MAX)
		return -ENOPROTOOPT;
	*level = (int)q->in->arg[0];
	*name = (int)q->in->arg[1];
	return 0;
}

/* A value too long for a message: a file has it. Only filters are. */
static int long_option(struct request *q, int level, int name)
{
	size_t len;
	char *value;
	int err;

	if (level != SOL_SOCKET || name != SO_ATTACH_FILTER)
		return -EINVAL;
	err = request_file(q, LONG_OPTION_MAX, &value, &len);
	if (!err) {
		err = sock_setopt(q->relay->k, level, name, value, (socklen_t)len);
		free(value);
	}
	return err;
}

/* The ring's file, for the program to map. */
int op_ring(struct request *q)
{
	int fd = ring_fd(q->relay, &q->out->arg[0]);

	if (fd < 0)
		return fd;
	q->fd_out = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return q->fd_out < 0 ? -ENFILE : 0;
}

int op_setopt(struct request *q)
{
	int level, name, err = option_args(q, &level, &name);

	if (!err && q->fd_in >= 0)
		err = long_option(q, level, name);
	else if (!err && level == SOL_PACKET && q->relay->k->domain == AF_PACKET && name == PACKET_RX_RING)
		err = ring_set(q->relay, q->in->data, q->in->len);
	else if (!err && level == SOL_PACKET && q->relay->ring && (name == PACKET_VERSION || name == PACKET_RESERVE))
		err = -EBUSY;
	else if (!err)
		err = sock_setopt(q->relay->k, level, name, q->in->data, q->in->len);
	if (!err)
		relay_show_options(q->relay);
	return err;
}

int op_getopt(struct request *q)
{
	int64_t room = q->in->arg[2];
	socklen_t len = room > STACK_MSG_DATA ? STACK_MSG_DATA : (socklen_t)room;
	int level, name, err = option_args(q, &level, &name), value;

	if (err)
		return err;
	if (room < 0)
		return -EINVAL;
	if (level == SOL_SOCKET && name == SO_ERROR) {
		value = relay_take_error(q->relay);
		q->relay->told_error = false;
		if (len > sizeof(value))
			len = sizeof(value);
		memcpy(q->out->data, &value, len);
	} else {
		err = sock_getopt(q->relay->k, level, name, q->out->data, &len);
	}
	q->out->len = err ? 0 : len > STACK_MSG_DATA ? STACK_MSG_DATA : len;
	return err;
}

int op_ioctl(struct request *q)
{
	struct sock *k = q->relay ? q->relay->k : NULL;
	size_t len = q->in->len;
	int err;

	memcpy(q->out->data, q->in->data, len);
	err = sock_ioctl(q->host->stack, k, (unsigned long)q->in->arg[0], q->out->data, &len);
	q->out->len = err ? 0 : (uint32_t)len;
	return err;
}

int op_check(struct request *q)
{
	struct sockaddr_storage ss;
	const struct sockaddr *a = address(q, &ss);
	int err;

	if (!a || q->in->arg[0] < 0)
		return -EINVAL;
	if (q->relay->k->type == SOCK_STREAM)
		return -EOPNOTSUPP;
	err = sock_check(q->relay->k, a, q->in->len, (size_t)q->in->arg[0]);
	relay_show(q->relay);
	return err;
}

static void put_address(struct stack_addr *out, const struct sockaddr_storage *a, socklen_t len)
{
	out->len = len <= sizeof(out->bytes) ? len : 0;
	memcpy(out->bytes, a, out->len);
}

int op_errqueue(struct request *q)
{
	struct stack_errqueue out = { 0 };
	int64_t room = q->in->arg[0];
	struct sock_error e;
	int err = sock_error_pop(q->relay->k, &e);
	size_t len;

	if (err)
		return err;
	out.ee_errno = e.ee_errno;
	out.origin = e.origin;
	out.type = e.type;
	out.code = e.code;
	out.ttl = e.ttl;
	out.info = e.info;
	out.data = e.data;
	out.flags = relay_dgram_flags(e.flags);
	out.ifindex = e.ifindex;
	out.wall_ns = e.wall_ns;
	put_address(&out.offender, &e.offender, e.offender_len);
	put_address(&out.dest, &e.dest, e.dest_len);
	len = room < 0 ? 0 : (size_t)room < e.len ? (size_t)room : e.len;
	if (len > STACK_MSG_DATA - sizeof(out))
		len = STACK_MSG_DATA - sizeof(out);
	memcpy(q->out->data, &out, sizeof(out));
	memcpy(q->out->data + sizeof(out), e.payload, len);
	q->out->len = (uint32_t)(sizeof(out) + len);
	/* The entry was also the pending error; the next one's is now. */
	if (sock_is_error(&e))
		relay_put_error(q->relay, 0);
	relay_note_error(q->relay);
	relay_show(q->relay);
	q->relay->told_error = q->relay->k->type != SOCK_STREAM && sock_poll(q->relay->k) & POLLERR;
	if (q->relay->told_error)
		relay_dgram_wake(q->relay);
	return 0;
}

int op_abort(struct request *q)
{
	relay_kill(q->relay, ECONNRESET);
	return 0;
}

int op_kill(struct request *q)
{
	relay_kill(q->relay, ECONNABORTED);
	return 0;
}

int op_outq(struct request *q)
{
	size_t unacked, unsent, unread = relay_unread(q->relay);

	sock_outq(q->relay->k, &unacked, &unsent);
	q->out->arg[0] = (int64_t)(unacked + unread);
	q->out->arg[1] = (int64_t)(unsent + unread);
	return 0;
}

/**
 * struct flush - a FLUSH that waits; it looks at the queue every few milliseconds until it is empty
 * @reply: what will be answered
 */
struct flush {
	struct timer timer;
	struct client *client;
	int64_t until_ns;
	struct stack_msg *reply;
};

static void flush_free(struct flush *f)
{
	timer_fini(f->client->host->stack->clock, &f->timer);
	free(f->reply);
	free(f);
}

static void flush_cancel(struct client *c)
{
	flush_free(c->later);
}

static bool flushed(const struct relay *r)
{
	size_t unacked, unsent;

	sock_outq(r->k, &unacked, &unsent);
	return unacked + relay_unread(r) == 0;
}

static void flush_look(struct timer *t)
{
	struct flush *f = container_of(t, struct flush, timer);
	struct host *h = f->client->host;
	struct relay *r = relay_find(h, f->reply->cookie);

	if (r && !flushed(r) && h->stack->clock->now_ns < f->until_ns) {
		timer_arm_in(h->stack->clock, t, FLUSH_STEP_MS * NS_PER_MS);
		return;
	}
	f->reply->err = r && !flushed(r) ? -EAGAIN : 0;
	client_reply(f->client, f->reply, -1);
	flush_free(f);
}

int op_flush(struct request *q)
{
	struct clock *c = q->host->stack->clock;
	struct flush *f;

	if (q->in->arg[0] < 0 || q->in->arg[0] > FLUSH_MAX_MS)
		return -EINVAL;
	if (flushed(q->relay))
		return 0;
	f = calloc(1, sizeof(*f));
	if (f)
		f->reply = malloc(STACK_MSG_HEAD);
	if (!f || !f->reply) {
		free(f);
		return -ENOMEM;
	}
	memcpy(f->reply, q->out, STACK_MSG_HEAD);
	f->client = q->client;
	f->until_ns = c->now_ns + q->in->arg[0] * NS_PER_MS;
	timer_init(&f->timer, flush_look);
	timer_arm_in(c, &f->timer, FLUSH_STEP_MS * NS_PER_MS);
	q->client->later = f;
	q->client->cancel = flush_cancel;
	q->later = true;
	return 0;
}
