/* Dumps, single answers and event streams: the loops over a conversation's messages. */
#ifndef DIAG_CLIENT_DUMP_H
#define DIAG_CLIENT_DUMP_H

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/conn.h"
#include "wire/err.h"
#include "wire/req.h"

/**
 * diag_msg_fn - gets one answer
 * @nlh: the message, nlmsg_len checked against what was read; borrowed until return
 * @arg: as given with the function
 *
 * Return: 0 to go on; else the dump ends with kind DIAG_ERR_SYS and ECANCELED.
 */
typedef int (*diag_msg_fn)(const struct nlmsghdr *nlh, void *arg);

/**
 * struct diag_dump_result - what became of a dump, told whether it succeeded or not
 * @messages:    answers handed over
 * @complete:    the end was seen and carried no error: nothing is missing
 * @interrupted: the tables changed under the dump (NLM_F_DUMP_INTR): it may miss or repeat sockets
 */
struct diag_dump_result {
	uint64_t messages;
	bool complete;
	bool interrupted;
};

/**
 * diag_dump - sends a dump request and hands over the answers as they arrive
 * @c:      the conversation; after an error other than one of kind DIAG_ERR_KERNEL close it
 * @r:      the request
 * @buf:    what datagrams are read into, aligned to 4
 * @size:   bytes at @buf; DIAG_BUF_SIZE holds whatever a kernel sends
 * @fn:     gets each answer
 * @arg:    for @fn
 * @result: receives what became of it; may be NULL
 *
 * Messages that answer something else (sequence number, port id, type) are skipped.
 *
 * Return: DIAG_OK; kind DIAG_ERR_KERNEL with the error in NLMSG_ERROR or inside NLMSG_DONE; the
 * errors of diag_conn_recv(); DIAG_NLE_MSG_TOOSHORT for a datagram whose lengths do not add up;
 * DIAG_NLE_MSG_OVERFLOW for NLMSG_OVERRUN; DIAG_NLE_SEQ_MISMATCH for a source that answers something else and does
 * not stop.
 */
struct diag_err diag_dump(struct diag_conn *c, struct diag_req *r, void *buf, size_t size, diag_msg_fn fn,
			  void *arg, struct diag_dump_result *result);

/**
 * diag_exchange - sends a request that has one answer, or an acknowledgement
 * @fn: gets the answer; may be NULL when only the acknowledgement is wanted
 *
 * The rest is as for diag_dump().
 *
 * Return: as diag_dump(); ENOENT of kind DIAG_ERR_KERNEL says there is no such socket.
 */
struct diag_err diag_exchange(struct diag_conn *c, struct diag_req *r, void *buf, size_t size, diag_msg_fn fn,
			      void *arg);

/**
 * diag_join - has a stack's server send destroy events from now on
 * @groups: bits 1 << (SKNLGRP_* - 1)
 *
 * Return: as diag_exchange(); EINVAL of kind DIAG_ERR_KERNEL: it knows of none.
 */
struct diag_err diag_join(struct diag_conn *c, uint32_t groups);

/**
 * diag_events - hands over destroy events until @fn ends it
 * @c: from diag_conn_open_events()
 * @drained: called when everything that had arrived is handed over, before waiting; may be NULL
 *
 * Return: ECANCELED when @fn ended it, else as diag_conn_recv(); after ENOBUFS (events were lost)
 * it may be called again.
 */
struct diag_err diag_events(struct diag_conn *c, void *buf, size_t size, diag_msg_fn fn,
			    void (*drained)(void *arg), void *arg);

/**
 * diag_walk - hands over the messages of bytes that are already there, such as a recorded dump
 * @data, @len: the messages, aligned to 4, borrowed until return
 * @messages: counts those handed over; may be NULL
 *
 * Return: DIAG_OK at the end or at NLMSG_DONE, else as diag_dump().
 */
struct diag_err diag_walk(const void *data, size_t len, diag_msg_fn fn, void *arg, uint64_t *messages);

#endif
