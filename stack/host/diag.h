/*
 * sock_diag of the stack: its sockets as the kernel would tell of them, over SOCK_SEQPACKET connections.
 *
 * Theory of operation. diag/server has the conversation (requests, filters, messages); here is what it asks: the
 * table of sockets. That is the stack's list of endpoints, walked by a cursor that endures what comes and
 * goes, and TCP's handshakes and TIME-WAITs, which have no endpoint. What the stack does not know of
 * an endpoint (whose it is, its cookie and the inode of the program's descriptor) is kept here in a
 * record, from when a program gets a descriptor until the endpoint is released, which is later than
 * the program's close: unsent data, FINs.
 *
 * A conversation has turns like everything in the host, and gives one datagram of a dump in each: some tens
 * of microseconds. So a dump holds up packets no longer than that, however many sockets there are.
 *
 * When an endpoint is released, those who joined hear of it (destroy events), and of a TCP connection the last
 * tcp_info goes into a ring: the history.
 *
 * A conversation is had with STACK_OP_DIAG, or by connecting to a socket of its own beside the control
 * socket (NAME.diag), for those who do not speak the control protocol.
 */
#ifndef STACK_HOST_DIAG_H
#define STACK_HOST_DIAG_H

#include <netinet/in.h>
#include <string.h>

#include "host/relay.h"
#include "server/session.h"

struct client;

/**
 * struct diag_record - what is kept of an endpoint, in its @books
 * @relay: while a program has it
 * @told_fin: its program was told of the peer's FIN while it had it
 * @emptied: how many bytes the stack had given when the program was last seen to have read them all
 */
struct diag_record {
	struct relay *relay;
	uint64_t cookie;
	uint64_t opened_ns;
	uint64_t emptied;
	uint32_t inode, uid;
	bool told_fin;
	struct diag_stack_process process;
};

/** struct diag_past - a connection that has ended */
struct diag_past {
	struct sock_entry entry;
	struct sock_past past;
};

/**
 * struct diag
 * @made:  how many cookies were made up, for endpoints that no program has
 * @past:  the ring, @past_max of them; @past_total: how many there ever were
 * @in:    a request, which must not be in the host's scratch: what it asks for may use that
 * @listen_again: when to accept again, after there were no descriptors
 */
struct diag {
	struct host *host;
	uint64_t made;
	struct list talks;
	size_t ntalks;
	struct source listener;
	int listen_fd;
	struct timer listen_again;
	struct diag_past *past;
	uint32_t past_max;
	uint64_t past_total;
	uint8_t *in;
};

/** diag_new(), diag_free() - with the host; NULL: no memory */
struct diag *diag_new(struct host *h, uint32_t history);
void diag_free(struct diag *d);

/** diag_listen() - serve whoever connects to @fd, a listening SOCK_SEQPACKET; the host's from now on */
int diag_listen(struct diag *d, int fd);

/**
 * diag_attach() - a program got a descriptor for @r: @program_fd
 * @c:    whose request it was; NULL: as @like has it, a listening socket
 */
void diag_attach(struct relay *r, int program_fd, const struct client *c, const struct relay *like);

/** diag_detach() - it has no longer one */
void diag_detach(struct relay *r);

/* Between the files of this module. */

extern const struct sock_source_ops diag_table_ops;

/** diag_record_of() - an endpoint's record; NULL if there is none */
static inline struct diag_record *diag_record_of(const struct endpoint *ep)
{
	return ep->books;
}

/** diag_record_make() - likewise; made if there is none, NULL if it cannot be */
struct diag_record *diag_record_make(struct diag *d, struct endpoint *ep);

/** diag_describe() - an endpoint as its table tells of it; false: it is in none (not bound), or, if it is
 * @gone, never was in one */
bool diag_describe(struct diag *d, struct endpoint *ep, bool gone, struct sock_entry *e);

/** diag_complete() - source operation @complete */
void diag_complete(void *source, struct sock_entry *e, uint8_t ext);

struct tcp_mini;

/** diag_describe_mini() - the same of a handshake or a TIME-WAIT */
void diag_describe_mini(const struct diag *d, const struct tcp_mini *m, struct sock_entry *e);

/** diag_protocol_of() - IPPROTO_TCP, _UDP, _RAW: the table it is in; 0: in none */
static inline uint32_t diag_protocol_of(const struct endpoint *ep)
{
	if (ep->proto->number == IPPROTO_TCP || ep->proto->number == IPPROTO_UDP)
		return ep->proto->number;
	/* Those of raw(7) have their own protocol's number there. */
	return strcmp(ep->ops->name, "raw") ? 0 : IPPROTO_RAW;
}

/** diag_family_of() - AF_INET or AF_INET6, which a v4-mapped one is of too */
static inline uint8_t diag_family_of(const struct endpoint *ep)
{
	return ep->net == NET_IPV6 ? AF_INET6 : AF_INET;
}

/** diag_tcp_info() - the tcp_info of a TCP endpoint */
void diag_tcp_info(struct endpoint *ep, struct diag_tcp_info *ti);

/** diag_gone() - the stack's @endpoint_gone */
void diag_gone(void *ctx, struct endpoint *ep);

/** diag_tell() - sends an event to who joined its group */
void diag_tell(struct diag *d, uint32_t group, const void *event, size_t len);

/** diag_past_next() - source operation @past */
int diag_past_next(void *source, struct sock_cursor *c, struct sock_entry *e, struct sock_past *p);

#endif
