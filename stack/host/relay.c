/* Sockets of programs: their pairs, their place on the board, and their ends. */
#include "host/relay.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "host/bell.h"
#include "host/diag.h"
#include "host/maker.h"
#include "host/ring.h"
#include "host/times.h"

static const uint32_t pair_events = EPOLLIN | EPOLLRDHUP | EPOLLPRI | EPOLLET;

static uint64_t cookie_hash(uint64_t cookie)
{
	return hash_mix(cookie ^ 0x9e3779b97f4a7c15ull, 0xd1b54a32d192ed03ull);
}

struct relay *relay_find(const struct host *h, uint64_t cookie)
{
	htab_for_each_match(n, &h->relays, cookie_hash(cookie)) {
		struct relay *r = container_of(n, struct relay, by_cookie);

		if (r->cookie == cookie)
			return r;
	}
	return NULL;
}

bool relay_allows(const struct relay *r, uid_t uid)
{
	bool allowed = uid == r->owner;

	for (unsigned i = 0; i < r->nholders && i < RELAY_HOLDERS; i++)
		allowed |= uid == r->holders[i];
	return allowed;
}

void relay_held(struct relay *r, uid_t uid)
{
	if (relay_allows(r, uid))
		return;
	r->holders[r->nholders % RELAY_HOLDERS] = uid;
	/* Beyond twice as many the count only says whose turn it is. */
	if (++r->nholders == 2 * RELAY_HOLDERS)
		r->nholders = RELAY_HOLDERS;
}

static void relay_note(struct waiter *w, uint32_t events)
{
	struct relay *r = container_of(w, struct relay, waiter);
	uint32_t ready = 0;

	if (events & WAIT_IN)
		ready |= RELAY_STACK_IN;
	if (events & WAIT_OUT)
		ready |= RELAY_STACK_OUT;
	if (events & WAIT_PRI)
		ready |= RELAY_STACK_URGENT;
	if (events & (WAIT_ERR | WAIT_HUP))
		ready |= RELAY_STACK_ERR;
	relay_try(r, ready);
}

void relay_full(struct relay *r)
{
	r->ready &= ~(uint32_t)RELAY_PAIR_OUT;
	if (r->wants_room || r->watched)
		return;
	/* If there is room again already, that is an event too. */
	r->wants_room = true;
	loop_modify(&r->host->loop, r->fd, pair_events | EPOLLOUT, &r->src);
}

static void has_room(struct relay *r)
{
	r->ready |= RELAY_PAIR_OUT;
	if (!r->wants_room || r->state == STACK_BOARD_LISTENING)
		return;
	r->wants_room = false;
	loop_modify(&r->host->loop, r->fd, pair_events, &r->src);
}

static void relay_turn(struct source *s)
{
	struct relay *r = container_of(s, struct relay, src);
	uint32_t ev = s->events;

	s->events = 0;
	if (ev & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		r->ready |= RELAY_PAIR_IN;
	if (ev & EPOLLOUT)
		has_room(r);
	if (ev & EPOLLRDHUP)
		r->ready |= RELAY_PAIR_END;
	if (ev & EPOLLPRI)
		r->ready |= RELAY_PAIR_URGENT;
	if (ev & EPOLLHUP)
		r->ready |= RELAY_PAIR_CLOSED;
	r->ops->turn(r);
}

static void relay_retry(struct timer *t)
{
	struct relay *r = container_of(t, struct relay, retry);

	relay_try(r, RELAY_STACK_IN | RELAY_STACK_OUT | RELAY_PAIR_IN | RELAY_PAIR_OUT);
}

void relay_retry_in(struct relay *r, int64_t ns)
{
	timer_arm_in(r->host->stack->clock, &r->retry, ns);
}

/* The program's end of a stream is not to be writable before there is a connection: bytes that wait in
 * the pair see to it. They are pages of one file, so they take no memory. */
static int fill(struct host *h, int fd)
{
	size_t n = 0;

	while (n < h->filler_bytes) {
		off_t at = 0;
		ssize_t r = sendfile(fd, h->filler_fd, &at, h->filler_bytes - n);

		if (r <= 0)
			return r < 0 ? -errno : -EIO;
		n += (size_t)r;
	}
	return 0;
}

static bool drain(struct relay *r)
{
	while (r->filler) {
		size_t want = r->filler < HOST_SCRATCH ? r->filler : HOST_SCRATCH;
		ssize_t n = recv(r->fd, r->host->scratch, want, MSG_DONTWAIT);

		if (n <= 0)
			return false;
		r->filler -= (uint32_t)n;
	}
	return true;
}

/* A pair for @r, watched; @program_fd is the other end. */
static int make_pair(struct relay *r, bool filled, int *program_fd)
{
	int type = r->k->type == SOCK_STREAM ? SOCK_STREAM : SOCK_SEQPACKET, sv[2], err;
	const int wide = RELAY_WIDE;
	socklen_t len = sizeof(r->cookie);

	if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, sv) < 0)
		return errno == EMFILE ? -ENFILE : -errno;
	err = getsockopt(sv[1], SOL_SOCKET, SO_COOKIE, &r->cookie, &len) < 0 ? -errno : 0;
	if (!err && filled)
		err = fill(r->host, sv[1]);
	else if (type == SOCK_STREAM)
		setsockopt(sv[1], SOL_SOCKET, SO_SNDBUF, &wide, sizeof(wide));
	if (!err)
		err = loop_add(&r->host->loop, sv[0], pair_events, &r->src);
	if (!err && !htab_insert(&r->host->relays, &r->by_cookie, cookie_hash(r->cookie)))
		err = -ENOMEM;
	if (err) {
		close(sv[0]);
		close(sv[1]);
		return err;
	}
	r->fd = sv[0];
	r->filler = filled ? (uint32_t)r->host->filler_bytes : 0;
	*program_fd = sv[1];
	return 0;
}

static const struct relay_ops *ops_for(const struct sock *k)
{
	return k->type == SOCK_STREAM ? &relay_stream_ops : &relay_dgram_ops;
}

int relay_new(struct host *h, struct sock *k, bool connected, int *program_fd, struct relay **out)
{
	struct relay *r = calloc(1, sizeof(*r));
	bool stream = k->type == SOCK_STREAM;
	int err;

	if (!r) {
		h->counters.out_of_memory++;
		return -ENOMEM;
	}
	source_init(&r->src, relay_turn);
	list_init(&r->waiting);
	list_init(&r->offered);
	list_init(&r->bells);
	timer_init(&r->retry, relay_retry);
	r->host = h;
	r->k = k;
	r->ops = ops_for(k);
	err = make_pair(r, stream && !connected, program_fd);
	if (!err) {
		r->board = board_get(&h->board, r->cookie, stream ? STACK_BOARD_STREAM : 0);
		if (r->board == BOARD_NONE) {
			err = -ENFILE;
			htab_remove(&h->relays, &r->by_cookie);
			loop_remove(&h->loop, r->fd, &r->src);
			close(r->fd);
			close(*program_fd);
		}
	}
	if (err) {
		free(r);
		return err;
	}
	k->owner = r;
	r->waiter = (struct waiter){ .mask = WAIT_ALL, .fn = relay_note };
	waiter_add(&k->ep->wq, &r->waiter);
	list_push_back(&h->all_relays, &r->all);
	h->nrelays++;
	h->served = true;
	r->state = STACK_BOARD_NEW;
	r->ready = RELAY_PAIR_OUT;
	*out = r;
	return 0;
}

static void release_pair(struct relay *r)
{
	struct host *h = r->host;

	list_remove(&r->waiting);
	htab_remove(&h->relays, &r->by_cookie);
	if (r->watched)
		list_remove(&r->src.node);
	else
		loop_remove(&h->loop, r->fd, &r->src);
	close(r->fd);
	pkt_free(r->pending);
	r->pending = NULL;
}

void relay_disown(struct relay *r)
{
	struct host *h = r->host;

	if (r->ops->end)
		r->ops->end(r);
	list_remove(&r->offered);
	ring_free(r);
	times_free(r);
	bell_free(r);
	timer_fini(h->stack->clock, &r->retry);
	release_pair(r);
	diag_detach(r);
	maker_disown(r);
	/* When the host leaves, what the board says of its sockets stays. */
	if (!h->board.head->gone)
		board_put(&h->board, r->board);
	waiter_remove(&r->waiter);
	r->k->owner = NULL;
	list_remove(&r->all);
	h->nrelays--;
	free(r);
}

void relay_close(struct relay *r)
{
	struct sock *k = r->k;

	relay_disown(r);
	sock_close(k);
}

int relay_renew(struct relay *r, int *program_fd)
{
	struct relay old = *r;
	int err;

	if (r->ops->end)
		r->ops->end(r);
	/* The new one first: if it cannot be, the old stays as it is. */
	htab_remove(&r->host->relays, &r->by_cookie);
	list_remove(&r->src.node);
	r->src.events = 0;
	err = make_pair(r, true, program_fd);
	if (err) {
		r->fd = old.fd;
		r->cookie = old.cookie;
		/* There was room for it a moment ago. */
		htab_insert(&r->host->relays, &r->by_cookie, cookie_hash(r->cookie));
		return err;
	}
	list_remove(&r->waiting);
	close(old.fd);
	pkt_free(r->pending);
	r->pending = NULL;
	times_free(r);
	r->watched = r->up_ended = r->wants_room = r->widened = false;
	r->shut = 0;
	r->failed = 0;
	r->ready = RELAY_PAIR_OUT;
	r->pushed = 0;
	r->ops = ops_for(r->k);
	board_edit(&r->host->board, r->board)->cookie = r->cookie;
	board_done(&r->host->board, r->board);
	relay_flag(r, 0, STACK_BOARD_RESET | STACK_BOARD_RCV_EOF | STACK_BOARD_DISSOLVED);
	relay_set_state(r, STACK_BOARD_NEW);
	return 0;
}

static void put_name(struct relay *r, bool peer, struct stack_addr *out)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	out->len = 0;
	if (sock_name(r->k, peer, (struct sockaddr *)&ss, &len) || len > sizeof(out->bytes))
		return;
	memcpy(out->bytes, &ss, len);
	out->len = len;
}

static uint32_t option_flags(struct relay *r)
{
	const struct sock *k = r->k;
	bool stream = k->type == SOCK_STREAM, tells = stream && sock_tells_times(k);

	if (tells)
		times_start(r);
	return (k->linger.l_onoff && k->linger.l_linger ? STACK_BOARD_LINGER : 0) | (tells ? STACK_BOARD_TELLS : 0) |
	       (stream && sock_stamps_sending(k) ? STACK_BOARD_STAMPS : 0) | (sock_copies(k) ? STACK_BOARD_COPIES : 0);
}

/* Once something may have come into the error queue, it may be there. */
void relay_show_options(struct relay *r)
{
	struct stack_board_entry *e = board_edit(&r->host->board, r->board);

	e->asks = relay_dgram_flags(sock_asks(r->k, false)) | (r->k->auxdata ? STACK_DGRAM_AUX : 0);
	e->asks6 = relay_dgram_flags(sock_asks(r->k, true));
	board_done(&r->host->board, r->board);
	relay_flag(r, option_flags(r), STACK_BOARD_LINGER | STACK_BOARD_TELLS);
}

void relay_show(struct relay *r)
{
	struct stack_board_entry *e = board_edit(&r->host->board, r->board);
	bool errors = sock_poll(r->k) & POLLERR && r->k->errors;

	put_name(r, false, &e->local);
	put_name(r, true, &e->peer);
	e->flags = (e->flags & ~(uint32_t)(STACK_BOARD_BOUND | STACK_BOARD_ERRQUEUE | STACK_BOARD_LINGER | STACK_BOARD_TELLS)) |
		   option_flags(r) | (r->k->bound ? STACK_BOARD_BOUND : 0) | (errors ? STACK_BOARD_ERRQUEUE : 0);
	board_done(&r->host->board, r->board);
	bell_still(r);
}

void relay_flag(struct relay *r, uint32_t set, uint32_t clear)
{
	struct stack_board_entry *e = board_edit(&r->host->board, r->board);

	e->flags = (e->flags & ~clear) | set;
	board_done(&r->host->board, r->board);
}

void relay_set_state(struct relay *r, enum stack_board_state state)
{
	r->state = state;
	relay_show(r);
	board_edit(&r->host->board, r->board);
	board_set_state(&r->host->board, r->board, state);
	board_done(&r->host->board, r->board);
	board_wake(&r->host->board, r->board);
}

void relay_put_error(struct relay *r, int err)
{
	board_edit(&r->host->board, r->board)->error = err;
	board_done(&r->host->board, r->board);
	bell_still(r);
}

int relay_note_error(struct relay *r)
{
	int err = 0;
	socklen_t len = sizeof(err);

	if (sock_getopt(r->k, SOL_SOCKET, SO_ERROR, &err, &len) || !err)
		return 0;
	relay_put_error(r, err);
	return err;
}

int relay_take_error(struct relay *r)
{
	int err = board_look(&r->host->board, r->board)->error;

	if (!err)
		err = relay_note_error(r);
	if (err)
		relay_put_error(r, 0);
	return err;
}

void relay_connected(struct relay *r)
{
	r->k->connecting = false;
	r->k->connected = true;
	/* Who sees that it may write is to find the state on the board. */
	relay_set_state(r, STACK_BOARD_CONNECTED);
	drain(r);
	relay_try(r, RELAY_PAIR_IN | RELAY_PAIR_OUT | RELAY_STACK_IN | RELAY_STACK_OUT);
}

void relay_fail(struct relay *r, int err, bool reset)
{
	struct stack_board_entry *e = board_edit(&r->host->board, r->board);

	if (err)
		e->error = err;
	if (reset)
		e->flags |= STACK_BOARD_RESET;
	board_done(&r->host->board, r->board);
	r->k->connecting = false;
	relay_set_state(r, STACK_BOARD_CLOSED);
	drain(r);
	relay_shut_pair(r, RELAY_SHUT_BOTH);
}

void relay_kill(struct relay *r, int err)
{
	bool stream = r->k->type == SOCK_STREAM;

	/* Who waits for a datagram is woken by the error; a stream's pair is shut down. */
	sock_abort(r->k, stream ? 0 : err);
	if (stream && r->state != STACK_BOARD_CLOSED)
		relay_fail(r, err, true);
	else if (stream)
		relay_put_error(r, err);
}

bool relay_is_over(const struct relay *r)
{
	return r->k->type == SOCK_STREAM && r->state == STACK_BOARD_CONNECTED && endpoint_state(r->k->ep) == TCP_CLOSE;
}

bool relay_has_ended(const struct relay *r)
{
	return (r->k->type == SOCK_STREAM && r->state == STACK_BOARD_CLOSED) || relay_is_over(r);
}

int relay_dissolve(struct relay *r)
{
	const struct sockaddr none = { .sa_family = AF_UNSPEC };
	int err = relay_take_error(r);

	sock_connect(r->k, &none, sizeof(none));
	r->attempt = RELAY_NO_ATTEMPT;
	relay_flag(r, STACK_BOARD_DISSOLVED, 0);
	if (r->state == STACK_BOARD_CLOSED)
		relay_show(r);
	else
		relay_fail(r, 0, false);
	return err ? -err : -ECONNABORTED;
}

size_t relay_unread(const struct relay *r)
{
	int n = 0;

	if (r->filler || ioctl(r->fd, FIONREAD, &n) < 0 || n < 0)
		n = 0;
	return (size_t)n + (r->pending ? r->pending->len : 0);
}

int relay_shutdown(struct relay *r, int how)
{
	static const uint8_t mirrored[] = {
		[SHUT_RD] = RELAY_SHUT_WR, [SHUT_WR] = RELAY_SHUT_RD, [SHUT_RDWR] = RELAY_SHUT_BOTH,
	};
	bool stream = r->k->type == SOCK_STREAM, listening = r->state == STACK_BOARD_LISTENING;
	int err;

	if (how < SHUT_RD || how > SHUT_RDWR)
		return -EINVAL;
	/* inet_shutdown() */
	if (r->attempt == RELAY_UNTOLD)
		r->attempt = relay_has_ended(r) ? RELAY_BARRED : RELAY_NO_ATTEMPT;
	if (r->state == STACK_BOARD_CLOSED || relay_is_over(r))
		return -ENOTCONN;
	/* The end of what a stream writes comes after what is still in the pair: the relay passes it on. */
	if (stream && r->state == STACK_BOARD_CONNECTED)
		err = how == SHUT_WR || (r->shut & RELAY_SHUT_WR) ? 0 : sock_shutdown(r->k, SHUT_RD);
	else
		err = sock_shutdown(r->k, how);
	if (err)
		return err;
	if (stream && (r->state == STACK_BOARD_CONNECTING || (listening && how != SHUT_WR))) {
		/* As Linux has it: the attempt is given up; a listening socket is none any more. */
		if (r->ops->end)
			r->ops->end(r);
		relay_fail(r, 0, false);
		return 0;
	}
	if (!listening)
		relay_shut_pair(r, mirrored[how]);
	relay_try(r, RELAY_PAIR_IN);
	return 0;
}
