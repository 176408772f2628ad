/*
 * A socket of a program: the pair, and what is moved between it and the stack's socket.
 *
 * Theory of operation. The program holds one end of the pair, we the other. Both ends of the relay
 * (the pair's by epoll, edge triggered; the stack's by its wait queue) only note what they are ready
 * for, in @ready; the turn moves what it can, and takes back a note when it meets EAGAIN. What is
 * moved how is the business of struct relay_ops: one for streams, one for listening sockets, one for
 * datagrams. Another kind of hand-over than the pair would be another of these.
 *
 * When a connection has ended, or was shut down both ways, the pair has too, but the socket is still
 * there until the program closes it. Then the pair is only watched (relay_watch.c).
 */
#ifndef STACK_HOST_RELAY_H
#define STACK_HOST_RELAY_H

#include "host/host.h"
#include "socket/sock.h"

/** enum relay_ready - what may be tried */
enum relay_ready {
	RELAY_PAIR_IN = 1,		/* the pair may have something from the program */
	RELAY_PAIR_OUT = 2,		/* the pair may have room */
	RELAY_PAIR_URGENT = 4,		/* there is a byte sent with MSG_OOB */
	RELAY_PAIR_CLOSED = 8,		/* the program's end is closed */
	RELAY_STACK_IN = 16,		/* the socket may have something for the program */
	RELAY_STACK_OUT = 32,		/* the socket may have room */
	RELAY_STACK_ERR = 64,		/* something is to be seen to: an error, an end */
	RELAY_STACK_URGENT = 128,
	RELAY_PAIR_END = 256,		/* the program has shut down its sending side */
};

/** enum relay_shut - of our end of the pair: nothing more comes from the program, nothing more goes to it */
enum relay_shut { RELAY_SHUT_RD = 1, RELAY_SHUT_WR = 2, RELAY_SHUT_BOTH = 3 };

/** enum relay_attempt - of a stream, what Linux keeps beside the state of TCP (enum socket_state): no attempt to connect that
 * is still to be told of; one whose outcome no connect has told yet; one that had failed when shutdown came, after which
 * connect tells of nothing more */
enum relay_attempt { RELAY_NO_ATTEMPT, RELAY_UNTOLD, RELAY_BARRED };

/* What a pair is given that moves much: with less, the two sides wait for one another in turn. */
enum { RELAY_WIDE = 524288 };

struct maker;
struct relay;
struct ring;
struct times;

/** struct relay_ops - @turn: do what @ready allows, a bounded amount of it; may close the relay.
 * @end: release what is kept in @extra */
struct relay_ops {
	const char *name;
	void (*turn)(struct relay *r);
	void (*end)(struct relay *r);
};

/* Users who hold a socket that is another's: the worker's of a server, mostly. One more takes the place of the oldest. */
enum { RELAY_HOLDERS = 2 };

/**
 * struct relay
 * @src:     turns
 * @maker:   the process that made it, or NULL
 * @owner:   the user who made it; @holders: others who may act on it, @nholders of them ever
 * @waiter:  in the endpoint's wait queue
 * @by_cookie, @all: in the host's tables
 * @fd:      our end of the pair
 * @state:   as on the board
 * @attempt: enum relay_attempt
 * @ready:   enum relay_ready
 * @filler:  bytes of filler in the pair
 * @told_error: datagrams: the program has been woken to the error that is on the board
 * @failed:  why the stack took no more (errno): writing is told of a pending error, and takes it; of a listening
 *           socket's pair, the pending error that was taken that way
 * @pending: read from the program, and not yet taken by the stack
 * @up_ended: the program will write no more, and all it wrote has been read
 * @shut:    enum relay_shut: how the pair is shut down, seen from our end
 * @watched: it is both ways
 * @wants_room: the loop is asked to tell of room in the pair
 * @bulk: the last read was a large one: so may the next be
 * @widened: our end of the pair takes more than the kernel's default, since it was too little once
 * @ring:    packet sockets: where received packets go (ring.h), NULL: to the pair
 * @times:   streams: when what is in the pair came (times.h), NULL: nobody asks
 * @bells, @nbells, @last_bell: who is to be woken to errors (bell.h), and the number given last
 * @waiting: in the list of watched pairs to be asked about
 * @pushed:  listening: how many accepted connections are in the pair; @push_unit what each takes there
 * @backlog: listening: as the program wanted it
 * @offered: listening: the connections that are in the pair, oldest first; of one of those, its place there
 * @left:    it was perhaps never accepted, and nobody will any more; @moved: something went over the pair;
 *           @put_off: the end of one that is offered waits for what the listening socket's turn says of it
 */
struct relay {
	struct source src;
	struct waiter waiter;
	struct htab_node by_cookie;
	struct list all;
	struct host *host;
	struct sock *k;
	const struct relay_ops *ops;
	uint64_t cookie;
	uint32_t board;
	int fd;
	uid_t owner, holders[RELAY_HOLDERS];
	uint8_t nholders;
	struct maker *maker;
	enum stack_board_state state;
	uint32_t ready;
	uint32_t filler;
	int failed;
	struct pkt *pending;
	void *extra;
	struct ring *ring;
	struct times *times;
	struct list bells;
	uint32_t nbells, last_bell;
	struct timer retry;
	struct list waiting, offered;
	bool up_ended, watched, wants_room, widened, bulk, left, moved, put_off, told_error;
	uint8_t shut, attempt;
	int backlog;
	uint32_t pushed, push_unit;
	int64_t watch_since_ns;
};

extern const struct relay_ops relay_stream_ops, relay_listen_ops, relay_dgram_ops;

/**
 * relay_new() - a pair for @k, which the relay owns from now on; in error it stays the caller's
 * @connected: a stream that was accepted: it is writable at once
 * @program_fd: out: the program's end, the caller's
 *
 * Return: 0, -ENFILE (board full, or no more descriptors), -ENOMEM or what socketpair() said.
 */
int relay_new(struct host *h, struct sock *k, bool connected, int *program_fd, struct relay **out);

/** relay_close() - the program has closed it, or never got it: release @r */
void relay_close(struct relay *r);

/** relay_disown() - relay_close(), but the socket goes back to the caller */
void relay_disown(struct relay *r);

/** relay_renew() - a new pair for a stream whose connection has ended, and with it a new cookie */
int relay_renew(struct relay *r, int *program_fd);

struct relay *relay_find(const struct host *h, uint64_t cookie);

/** relay_allows() - whether @uid is its owner, or was seen to hold it; relay_held() - it was */
bool relay_allows(const struct relay *r, uid_t uid);
void relay_held(struct relay *r, uid_t uid);

/** relay_set_state() - on the board too, with the names, and who waits is woken */
void relay_set_state(struct relay *r, enum stack_board_state state);

/** relay_show() - write names, the pending error and flags to the board */
void relay_show(struct relay *r);

/** relay_show_options() - what the library has to know of without asking, after an option was set */
void relay_show_options(struct relay *r);

/** relay_take_error() - the pending error (positive errno), as SO_ERROR has it, then cleared */
int relay_take_error(struct relay *r);

/** relay_dgram_flags() - enum sock_msg_flag as enum stack_dgram_flag */
uint32_t relay_dgram_flags(uint32_t flags);

/** relay_dgram_wake() - to who waits on a datagram socket: the word that there is an error */
void relay_dgram_wake(struct relay *r);

/** relay_note_error() - look for a pending error of the stack's and put it on the board; returns it */
int relay_note_error(struct relay *r);
void relay_put_error(struct relay *r, int err);

/** relay_flag(), relay_unflag() - enum stack_board_flag */
void relay_flag(struct relay *r, uint32_t set, uint32_t clear);

/** relay_try() - another turn */
static inline void relay_try(struct relay *r, uint32_t ready)
{
	r->ready |= ready;
	loop_wake(&r->host->loop, &r->src);
}

/** relay_retry_in() - another turn after a time */
void relay_retry_in(struct relay *r, int64_t ns);

/** relay_full() - the pair has no room: a turn once it has. Only then is the loop asked: else each time
 * the program reads would be an event. */
void relay_full(struct relay *r);

/** relay_fail() - the connection is over because of @err (0: none to be told): shut the pair down */
void relay_fail(struct relay *r, int err, bool reset);

/** relay_kill() - end it from outside: RST, and @err is its pending error */
void relay_kill(struct relay *r, int err);

/** relay_connected() - the connection is there: let the program write */
void relay_connected(struct relay *r);

/** relay_is_over() - it was connected, and is not any more: both FINs are acknowledged, or it was just reset */
bool relay_is_over(const struct relay *r);

/** relay_has_ended() - a stream whose connection, or attempt, is over */
bool relay_has_ended(const struct relay *r);

/** relay_dissolve() - it has ended, and connect tells why: as tcp_disconnect() leaves it, ready for another attempt.
 * Return: what connect is to say, a negative errno. */
int relay_dissolve(struct relay *r);

/** relay_shutdown() - shutdown(2) on both the socket and the pair */
int relay_shutdown(struct relay *r, int how);

/** relay_listen() - listen(2) */
int relay_listen(struct relay *r, int backlog);

/** relay_unread() - bytes in the pair, and those read and not yet taken by the stack */
size_t relay_unread(const struct relay *r);

/** relay_shut_pair() - shut down our end of the pair, enum relay_shut; once that is both ways, it is
 * only watched for the program's close */
void relay_shut_pair(struct relay *r, uint8_t how);

/** relay_hung_up() - whether the pair has hung up, which may be before the event says so */
bool relay_hung_up(const struct relay *r);
int relay_watch_init(struct host *h);
void relay_watch_fini(struct host *h);

#endif
