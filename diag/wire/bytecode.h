/* inet_diag filter programs: audit as the kernel does, and run. */
#ifndef DIAG_WIRE_BYTECODE_H
#define DIAG_WIRE_BYTECODE_H

#include <linux/inet_diag.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A program is a run of four-byte operations, each followed by its operands. An operation jumps
 * forward by @yes bytes when it holds and by @no when not (@yes is its own length). A socket
 * passes when the last jump lands exactly on the end; landing four bytes behind it rejects, which
 * is why a lone test's @no is its length + 4.
 */

/**
 * struct diag_bc_entry - what a program may ask about a socket
 * @saddr_be, @daddr_be: addresses as in struct inet_diag_msg, one word for AF_INET, four for AF_INET6
 * @sport, @dport: host order
 * @family:     AF_INET or AF_INET6
 * @bound_port: the port was chosen with bind(), not by the system (SOCK_BINDPORT_LOCK)
 */
struct diag_bc_entry {
	const uint32_t *saddr_be;
	const uint32_t *daddr_be;
	uint16_t sport;
	uint16_t dport;
	uint8_t family;
	bool bound_port;
	uint32_t ifindex;
	uint32_t mark;
	uint64_t cgroup_id;
};

/**
 * diag_bc_audit - checks a program the way inet_diag_bc_audit() of net/ipv4/inet_diag.c does
 * @code:      the program, aligned to 4
 * @len:       its bytes
 * @net_admin: whether the one who asks may test marks
 *
 * Return: 0; -EINVAL for a malformed program; -EPERM for a mark test without the right to.
 */
int diag_bc_audit(const void *code, size_t len, bool net_admin);

/**
 * diag_bc_run - whether a socket passes
 * @code: a program that diag_bc_audit() accepted, aligned to 4; of length 0: everything passes
 * @len:  its bytes
 * @e:    the socket
 */
bool diag_bc_run(const void *code, size_t len, const struct diag_bc_entry *e);

#endif
