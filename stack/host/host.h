/* The stack host as a whole: what everything else here is part of. */
#ifndef STACK_HOST_HOST_H
#define STACK_HOST_HOST_H

#include "base/htab.h"
#include "host/board.h"
#include "host/loop.h"
#include "host/rx.h"
#include "host/spec.h"
#include "netstack.h"

struct device;
struct diag;
struct resolver;

enum {
	STACK_NAME_MAX = 64,
	HOST_SCRATCH = 131072,		/* a datagram of any size with its header; drained fillers */
	HOST_CLIENTS_MAX = 16384,
};

#define HOST_COUNTERS(X) \
	X(sockets_made) X(connections_accepted) X(accepts_put_off) X(clients_accepted) \
	X(clients_refused) X(messages_malformed) X(requests) X(datagrams_malformed) \
	X(datagrams_not_sent) X(out_of_memory)

#define HOST_COUNTER_FIELD(name) uint64_t name;

/** struct host_counters - what the host itself counts */
struct host_counters { HOST_COUNTERS(HOST_COUNTER_FIELD) };

/**
 * struct host
 * @relays:    by cookie, and @all_relays in a list
 * @makers:    who made them (maker.h); @room: how many descriptors there are for them and for clients
 * @listen_again: when to accept clients again, after there were no descriptors for one
 * @watch:     for pairs that are shut down both ways: the only event left is the program's close
 * @diag_fd:   asks the kernel whether the program's end of such a pair is still there
 * @watched:   those pairs, oldest first, until asked about; @watch_timer: when to ask
 * @filler_fd: a file of zeros, and how many of them make a pair's sender unwritable
 * @scratch:   for whoever has his turn; @rx: what streams are read into
 * @uid:       our user
 * @ring_bytes: of all packet sockets' rings
 * @keep:      stay when the last client has gone
 * @down:      leave
 * @served:    somebody was there once
 */
struct host {
	struct spec spec;
	char name[STACK_NAME_MAX];
	struct stack *stack;
	struct loop loop;
	struct board board;
	struct device *devices;
	struct htab relays;
	struct list all_relays;
	size_t nrelays;
	struct htab makers;
	size_t room;
	struct list clients;
	size_t nclients;
	struct source listener;
	int listen_fd;
	struct timer listen_again;
	struct source watch;
	int watch_fd, diag_fd;
	struct list watched;
	struct timer watch_timer;
	int filler_fd;
	size_t filler_bytes;
	uint8_t *scratch;
	struct rx rx;
	struct resolver *resolver;
	struct diag *diag;
	struct host_counters counters;
	size_t ring_bytes;
	int64_t started_ns, empty_since_ns;
	uid_t uid;
	bool keep, down, served;
};

/**
 * host_new() - a host for @spec, its devices opened
 * @name:  what it is called
 * @error: on failure, what went wrong with what
 *
 * Return: 0 or -errno.
 */
int host_new(const struct spec *spec, const char *name, struct host **out,
	     char error[SPEC_ERROR_MAX]);

/** host_free() - close everything: programs see the ends of their connections */
void host_free(struct host *h);

/** host_listen() - serve whoever connects to @fd, a listening SOCK_SEQPACKET; the host's from now on */
int host_listen(struct host *h, int fd);

/** host_is_master() - whether a user may do anything here: ours, and root */
static inline bool host_is_master(const struct host *h, uid_t uid)
{
	return uid == 0 || uid == h->uid;
}

/** host_may_connect() - whether who is at the other end of @fd may talk to us: a master */
bool host_may_connect(const struct host *h, int fd);

/** host_run() - until told to leave, or nobody needs it */
void host_run(struct host *h);

#endif
