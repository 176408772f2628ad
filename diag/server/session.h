/* One client's conversation with a server: requests in, answers out. */
#ifndef DIAG_SERVER_SESSION_H
#define DIAG_SERVER_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/fill.h"
#include "server/source.h"
#include "wire/req.h"

/*
 * A session does no I/O. The embedder gives it each datagram that came from its client, passes on
 * what it answers, and, as long as a dump is going on, fetches one datagram of it at a time, when
 * it suits: a dump holds up nothing else for longer than one datagram takes (a few hundred
 * sockets). Requests, answers and errors are the kernel's, to the byte where state allows.
 */

/* Bytes of a dump's datagrams: what a kernel gives at most, so what any reader has room for. */
#define SESSION_DATAGRAM 32768

/**
 * session_reply_fn - sends an answer that is not part of a dump
 * @data, @len: one datagram, borrowed until return
 * @arg:        as given with the function
 */
typedef void (*session_reply_fn)(const void *data, size_t len, void *arg);

/** struct diag_session - one client; made by diag_session_init(), its members are the session's own */
struct diag_session {
	const struct sock_source_ops *ops;
	void *source;
	uint32_t portid;
	bool net_admin;
	bool dumping;
	int dump_error; /* what DONE will carry */
	uint16_t dump_type;
	uint32_t dump_seq, dump_portid;
	uint32_t groups; /* of destroy events */
	bool past;       /* the dump is of ended connections */
	struct diag_inet_query query;
	void *code; /* the query's program, allocated */
	struct sock_cursor at;
};

/**
 * diag_session_init - begins a conversation
 * @s:         the session
 * @ops:       the table, as long as the session lives
 * @source:    for @ops
 * @portid:    the client's netlink port, which answers carry; 0: that which its requests carry, for a client
 *             that passes answers on to a program with a port
 * @net_admin: whether the client has CAP_NET_ADMIN: only then may it see marks and destroy
 */
void diag_session_init(struct diag_session *s, const struct sock_source_ops *ops, void *source, uint32_t portid,
		       bool net_admin);

/** diag_session_end - ends it, a dump that is going on included */
void diag_session_end(struct diag_session *s);

/**
 * diag_session_receive - takes one datagram of requests
 * @data, @len: the datagram, aligned to 4, borrowed until return
 * @reply, @arg: gets look-ups' answers, errors and acknowledgements
 *
 * A dump it asks for is begun; diag_session_continue() gives it.
 */
void diag_session_receive(struct diag_session *s, const void *data, size_t len, session_reply_fn reply, void *arg);

/** diag_session_dumping - whether a dump is going on, so that diag_session_continue() is to be called */
bool diag_session_dumping(const struct diag_session *s);

/**
 * diag_session_continue - takes the dump that is going on a step further
 * @buf:  receives a datagram of it, aligned to 4
 * @size: bytes at @buf, at least FILL_MAX; SESSION_DATAGRAM is what a kernel would use
 *
 * Return: the datagram's length, or 0 when this step found nothing to tell. The last datagram is
 * NLMSG_DONE alone, after which no dump is going on.
 */
size_t diag_session_continue(struct diag_session *s, void *buf, size_t size);

/** diag_session_join - destroy events of these groups (bits 1 << (SKNLGRP_* - 1)) are to go there */
void diag_session_join(struct diag_session *s, uint32_t groups);

/** diag_session_hears - whether events of a group (diag_event_group()) go there */
bool diag_session_hears(const struct diag_session *s, uint32_t group);

/**
 * diag_event_build - the message that tells listeners of a destroyed socket
 * @buf:      receives it, aligned to 4, at least FILL_MAX bytes
 * @e:        the socket; its state as it is when it is gone (DIAG_TCP_CLOSE)
 * @protocol: IPPROTO_TCP or IPPROTO_UDP
 * @info:     of a TCP socket, its final tcp_info; else NULL
 *
 * It goes to those who joined diag_event_group().
 *
 * Return: its length.
 */
size_t diag_event_build(void *buf, const struct sock_entry *e, uint8_t protocol, const struct diag_tcp_info *info);

/** diag_event_group - the multicast group (SKNLGRP_*) that hears of such sockets, SKNLGRP_NONE for none */
uint32_t diag_event_group(uint8_t family, uint8_t protocol);

#endif
