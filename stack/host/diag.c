/* Conversations in sock_diag. */
#include "host/diag.h"

#include <errno.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/client.h"
#include "host/ops.h"

enum { TALKS_MAX = 256, TURN_REQUESTS = 4, TURN_ACCEPTS = 16, REQUEST_MAX = 80 * 1024 };

/**
 * struct talk - a conversation
 * @unsent: a datagram of a dump that found no room, @unsent_len bytes of it; or NULL
 * @broken: an answer found no room: the client does not read what it asks for
 * @bell:   the program's netlink socket, on which it waits for events; -1: none
 */
struct talk {
	struct source src;
	struct list all;
	struct diag *diag;
	int fd, bell;
	struct diag_session session;
	uint8_t *unsent;
	size_t unsent_len;
	bool broken;
};

static void talk_close(struct talk *t)
{
	diag_session_end(&t->session);
	loop_remove(&t->diag->host->loop, t->fd, &t->src);
	/* First the bell: when the conversation has ended it is the program's alone. */
	if (t->bell >= 0)
		close(t->bell);
	close(t->fd);
	list_remove(&t->all);
	t->diag->ntalks--;
	free(t->unsent);
	free(t);
}

/* Answers are small, and asked for one at a time by those who read them. */
static void talk_reply(const void *data, size_t len, void *arg)
{
	struct talk *t = arg;

	if (send(t->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		t->broken = true;
}

static bool keep_unsent(struct talk *t, const void *data, size_t len)
{
	t->unsent = malloc(len);
	if (!t->unsent)
		return false;
	memcpy(t->unsent, data, len);
	t->unsent_len = len;
	return loop_modify(&t->diag->host->loop, t->fd, EPOLLIN | EPOLLOUT, &t->src) == 0;
}

/* What waits, now that there may be room. 1: sent, 0: still not, -1: the client is gone */
static int send_unsent(struct talk *t)
{
	if (send(t->fd, t->unsent, t->unsent_len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return errno == EAGAIN || errno == ENOBUFS ? 0 : -1;
	free(t->unsent);
	t->unsent = NULL;
	return loop_modify(&t->diag->host->loop, t->fd, EPOLLIN, &t->src) == 0 ? 1 : -1;
}

/* One datagram of the dump; false: the client is gone. */
static bool go_on(struct talk *t)
{
	uint8_t *buf = t->diag->host->scratch;
	size_t len = diag_session_continue(&t->session, buf, SESSION_DATAGRAM);

	if (!len || send(t->fd, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return true;
	return (errno == EAGAIN || errno == ENOBUFS) && keep_unsent(t, buf, len);
}

/* 1: took one, 0: there is none, -1: the client is gone */
static int take_request(struct talk *t)
{
	uint8_t *buf = t->diag->in;
	ssize_t n = recv(t->fd, buf, REQUEST_MAX, MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN ? 0 : -1;
	if (n == 0)
		return -1;
	diag_session_receive(&t->session, buf, (size_t)n, talk_reply, t);
	return t->broken ? -1 : 1;
}

static void talk_turn(struct source *s)
{
	struct talk *t = container_of(s, struct talk, src);
	int r = t->broken ? -1 : 1;

	s->events = 0;
	if (r > 0 && t->unsent)
		r = send_unsent(t);
	if (r == 0)
		return;
	for (int i = 0; i < TURN_REQUESTS && r > 0; i++)
		r = take_request(t);
	if (r >= 0 && diag_session_dumping(&t->session) && !go_on(t))
		r = -1;
	if (r < 0)
		talk_close(t);
	else if (r > 0 || (diag_session_dumping(&t->session) && !t->unsent))
		loop_wake(&t->diag->host->loop, s);
}

/* Puts something into the queue of the socket that the program waits on, whatever it waits with. */
static void ring(int bell)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct nlmsghdr m = {
		.nlmsg_len = sizeof(m), .nlmsg_type = NLMSG_NOOP, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
		.nlmsg_seq = STACK_DIAG_BELL,
	};

	sendto(bell, &m, sizeof(m), MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&kernel, sizeof(kernel));
}

void diag_tell(struct diag *d, uint32_t group, const void *event, size_t len)
{
	list_for_each(n, &d->talks) {
		struct talk *t = container_of(n, struct talk, all);

		/* Who does not keep up misses some, as with a kernel. */
		if (diag_session_hears(&t->session, group) && send(t->fd, event, len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0 &&
		    t->bell >= 0)
			ring(t->bell);
	}
}

/* A conversation on @fd, which is its own from now on, also in error. NULL: it cannot be had. */
static struct talk *talk_new(struct diag *d, int fd, uint32_t groups, bool net_admin)
{
	struct talk *t = d->ntalks < TALKS_MAX ? calloc(1, sizeof(*t)) : NULL;

	if (!t) {
		close(fd);
		return NULL;
	}
	source_init(&t->src, talk_turn);
	t->diag = d;
	t->fd = fd;
	t->bell = -1;
	/* What is the stack's is its user's, and root's. Others who have joined may look. */
	diag_session_init(&t->session, &diag_table_ops, d, 0, net_admin);
	diag_session_join(&t->session, groups);
	if (loop_add(&d->host->loop, fd, EPOLLIN, &t->src)) {
		close(fd);
		free(t);
		return NULL;
	}
	list_push_back(&d->talks, &t->all);
	d->ntalks++;
	return t;
}

static bool is_sock_diag(int fd)
{
	int domain = 0, protocol = 0;
	socklen_t len = sizeof(domain);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_NETLINK &&
	       getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) == 0 && protocol == NETLINK_SOCK_DIAG;
}

int op_diag(struct request *q)
{
	struct talk *t;
	int sv[2];

	if (q->in->arg[0] < 0 || q->in->arg[0] > UINT32_MAX || (q->fd_in >= 0 && !is_sock_diag(q->fd_in)))
		return -EINVAL;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) < 0)
		return errno == EMFILE ? -ENFILE : -errno;
	t = talk_new(q->host->diag, sv[0], (uint32_t)q->in->arg[0], host_is_master(q->host, q->uid));
	if (!t) {
		close(sv[1]);
		return -ENOMEM;
	}
	t->bell = q->fd_in;
	q->fd_in = -1;
	q->fd_out = sv[1];
	return 0;
}

/* As the host does with its clients. */
static void listen_again(struct timer *t)
{
	struct diag *d = container_of(t, struct diag, listen_again);

	loop_modify(&d->host->loop, d->listen_fd, EPOLLIN, &d->listener);
}

static void stop_listening(struct diag *d)
{
	loop_modify(&d->host->loop, d->listen_fd, 0, &d->listener);
	timer_arm_in(d->host->stack->clock, &d->listen_again, 20 * NS_PER_MS);
}

static void listener_turn(struct source *s)
{
	struct diag *d = container_of(s, struct diag, listener);

	s->events = 0;
	for (int i = 0; i < TURN_ACCEPTS; i++) {
		int fd = accept4(d->listen_fd, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0) {
			if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
				stop_listening(d);
			return;
		}
		if (host_may_connect(d->host, fd)) {
			talk_new(d, fd, 0, true);
		} else {
			d->host->counters.clients_refused++;
			close(fd);
		}
	}
}

int diag_listen(struct diag *d, int fd)
{
	source_init(&d->listener, listener_turn);
	timer_init(&d->listen_again, listen_again);
	d->listen_fd = fd;
	return loop_add(&d->host->loop, fd, EPOLLIN, &d->listener);
}

void diag_attach(struct relay *r, int program_fd, const struct client *c, const struct relay *like)
{
	struct diag *d = r->host->diag;
	struct diag_record *rec = diag_record_make(d, r->k->ep);
	const struct diag_record *other = like ? diag_record_of(like->k->ep) : NULL;
	struct stat st;

	if (!rec)
		return;
	rec->relay = r;
	rec->cookie = r->cookie;
	rec->emptied = 0;
	rec->inode = fstat(program_fd, &st) == 0 ? (uint32_t)st.st_ino : 0;
	rec->opened_ns = (uint64_t)d->host->stack->clock->wall_ns;
	if (c) {
		rec->uid = r->owner;
		rec->process.pid = (uint32_t)c->pid;
		memcpy(rec->process.comm, c->comm, sizeof(rec->process.comm));
	} else if (other) {
		rec->uid = other->uid;
		rec->process = other->process;
	}
	/* Filters match by it too. */
	r->k->ep->has_cred = true;
	r->k->ep->uid = rec->uid;
	r->k->ep->gid = c ? c->gid : like ? like->k->ep->gid : 0;
}

void diag_detach(struct relay *r)
{
	struct diag_record *rec = diag_record_of(r->k->ep);

	if (!rec)
		return;
	rec->relay = NULL;
	rec->told_fin = r->shut & RELAY_SHUT_WR;
}

struct diag *diag_new(struct host *h, uint32_t history)
{
	struct diag *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->host = h;
	d->listen_fd = -1;
	list_init(&d->talks);
	d->past_max = history;
	d->in = malloc(REQUEST_MAX);
	/* Pages that no connection has filled yet take no memory. */
	d->past = history ? calloc(history, sizeof(*d->past)) : NULL;
	if (!d->in || (history && !d->past)) {
		free(d->in);
		free(d->past);
		free(d);
		return NULL;
	}
	h->stack->endpoint_gone = diag_gone;
	h->stack->endpoint_gone_ctx = d;
	return d;
}

void diag_free(struct diag *d)
{
	if (!d)
		return;
	d->host->stack->endpoint_gone = NULL;
	list_for_each_safe(n, &d->talks)
		talk_close(container_of(n, struct talk, all));
	list_for_each(n, &d->host->stack->endpoints) {
		struct endpoint *ep = container_of(n, struct endpoint, all);

		free(ep->books);
		ep->books = NULL;
	}
	if (d->listen_fd >= 0) {
		timer_fini(d->host->stack->clock, &d->listen_again);
		close(d->listen_fd);
	}
	free(d->in);
	free(d->past);
	free(d);
}
