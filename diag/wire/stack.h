/* What a stack's server says and understands beyond the kernel's sock_diag. */
#ifndef DIAG_WIRE_STACK_H
#define DIAG_WIRE_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Numbers are far from the kernel's: message types there end at 21, attributes of requests at 3, of
 * answers below 64. A kernel refuses these messages with EINVAL and ignores the request's attribute, so
 * one request serves both.
 */

/**
 * enum diag_stack_msg - requests of a stack's own
 * @DIAG_STACK_JOIN:    body u32, bits 1 << (SKNLGRP_* - 1): destroy events of these groups come from now
 *                      on, as messages of type SOCK_DIAG_BY_FAMILY without flags, sequence number and
 *                      port id. What does not fit the reader's queue is lost.
 * @DIAG_STACK_HISTORY: a dump (NLM_F_DUMP) of connections that have ended, the oldest first. Body and
 *                      attributes are those of SOCK_DIAG_BY_FAMILY, but that no family (AF_UNSPEC) is any
 *                      and states are not looked at. Answers have type SOCK_DIAG_BY_FAMILY; of attributes
 *                      they have INET_DIAG_PROTOCOL, INET_DIAG_INFO with the final tcp_info,
 *                      DIAG_STACK_ENDED, and DIAG_STACK_PROCESS if it is known.
 */
enum diag_stack_msg {
	DIAG_STACK_JOIN = 0x5301,
	DIAG_STACK_HISTORY = 0x5302,
};

/**
 * enum diag_stack_attr - attributes
 * @DIAG_STACK_REQ_WANT: of requests: u32 of DIAG_STACK_WANT_*: what answers are to have besides
 * @DIAG_STACK_PROCESS:  of answers: struct diag_stack_process
 * @DIAG_STACK_ENDED:    of answers: struct diag_stack_ended
 */
enum diag_stack_attr {
	DIAG_STACK_REQ_WANT = 0x2000,
	DIAG_STACK_PROCESS = 0x2001,
	DIAG_STACK_ENDED = 0x2002,
};

/* The process that made a socket (others may hold it by now). */
#define DIAG_STACK_WANT_PROCESS 1u

/** struct diag_stack_process - who made a socket; @comm is terminated */
struct diag_stack_process {
	uint32_t pid;
	char comm[16];
};

/** struct diag_stack_ended - when a connection was, CLOCK_REALTIME nanoseconds; @opened_ns 0: not known */
struct diag_stack_ended {
	uint64_t opened_ns, ended_ns;
};

/**
 * diag_stack_process_read, diag_stack_ended_read - the attribute of an inet answer
 * @payload, @len: the bytes after the netlink header, borrowed until return
 *
 * Return: whether there is one that can be believed; a process id is then 1 to INT32_MAX.
 */
bool diag_stack_process_read(const void *payload, size_t len, struct diag_stack_process *out);
bool diag_stack_ended_read(const void *payload, size_t len, struct diag_stack_ended *out);

#endif
