/* A conversation in sock_diag: with the kernel, or with whoever speaks its format over a unix socket. */
#ifndef DIAG_CLIENT_CONN_H
#define DIAG_CLIENT_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/err.h"
#include "wire/req.h"

struct mnl_socket;

/*
 * Holds any datagram a kernel sends, which cuts dumps into chunks of at most 32 KiB. A server whose
 * client is known to be this library may send datagrams of this size: a fifth less work than with
 * the kernel's.
 */
#define DIAG_BUF_SIZE 131072

/**
 * diag_tap_fn - sees every byte read from a source, before anything is made of it
 * @data, @len: one datagram, borrowed until return
 * @arg:        as given with the function
 */
typedef void (*diag_tap_fn)(const void *data, size_t len, void *arg);

/** struct diag_conn - one source's socket; made by diag_conn_open*(), ended by diag_conn_close() */
struct diag_conn {
	struct mnl_socket *nl; /* the kernel's, or NULL */
	int fd;                /* what is read and written, of @nl or of a unix socket */
	uint32_t portid;       /* ours, which answers must name; 0: they need not */
	uint32_t seq;          /* of the last request */
	diag_tap_fn tap;       /* may be NULL */
	void *tap_arg;
};

/**
 * diag_conn_open - opens a conversation with the kernel of the calling thread's network namespace
 * @c: receives the connection; the caller closes it
 *
 * Return: DIAG_OK, or kind DIAG_ERR_SYS (EPROTONOSUPPORT: no sock_diag in this kernel).
 */
struct diag_err diag_conn_open(struct diag_conn *c);

/**
 * diag_conn_open_path - opens a conversation with a server on a SOCK_SEQPACKET unix socket
 * @c:    receives the connection; the caller closes it
 * @path: of the socket; borrowed until return
 *
 * Each datagram either way holds netlink messages exactly as the kernel would write them.
 *
 * Return: DIAG_OK, or kind DIAG_ERR_SYS (ENAMETOOLONG, ENOENT, ECONNREFUSED, ...).
 */
struct diag_err diag_conn_open_path(struct diag_conn *c, const char *path);

/** diag_conn_from_fd - as diag_conn_open_path(), on a connected SOCK_SEQPACKET descriptor, which it takes */
struct diag_err diag_conn_from_fd(struct diag_conn *c, int fd);

/**
 * diag_conn_open_events - opens a conversation that hears of sockets being destroyed
 * @c:      receives the connection; the caller closes it
 * @groups: bits 1 << (SKNLGRP_* - 1)
 *
 * Return: as diag_conn_open().
 */
struct diag_err diag_conn_open_events(struct diag_conn *c, uint32_t groups);

/** diag_conn_close - ends the conversation; the structure may be opened again */
void diag_conn_close(struct diag_conn *c);

/** diag_conn_set_tap - shows every byte that will be read to @tap; NULL ends that */
void diag_conn_set_tap(struct diag_conn *c, diag_tap_fn tap, void *arg);

/**
 * diag_conn_send - sends a request under a new sequence number
 *
 * Return: DIAG_OK, or kind DIAG_ERR_SYS.
 */
struct diag_err diag_conn_send(struct diag_conn *c, struct diag_req *r);

/**
 * diag_conn_recv - waits for one datagram
 * @buf:  the caller's, aligned to 4
 * @size: bytes at @buf
 * @len:  receives the datagram's length
 *
 * Datagrams that did not come from the source itself (a process may write to a netlink socket)
 * are dropped. A source that is silent for ten seconds in the middle of an answer is given up.
 *
 * Return: DIAG_OK; DIAG_NLE_MSG_TRUNC when @size was too small for the datagram (its beginning is
 * in @buf); kind DIAG_ERR_SYS: ETIMEDOUT, ECONNRESET when the other side is gone, ENOBUFS, ...
 */
struct diag_err diag_conn_recv(struct diag_conn *c, void *buf, size_t size, size_t *len);

#endif
