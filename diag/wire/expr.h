/* Filter expressions: a tree, its meaning for one socket, and its program for the kernel. */
#ifndef DIAG_WIRE_EXPR_H
#define DIAG_WIRE_EXPR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/bytecode.h"
#include "wire/err.h"

enum diag_expr_op {
	DIAG_EXPR_AND,
	DIAG_EXPR_OR,
	DIAG_EXPR_NOT,
	DIAG_EXPR_SRC, /* host */
	DIAG_EXPR_DST,
	DIAG_EXPR_SPORT_EQ, /* num */
	DIAG_EXPR_SPORT_GE,
	DIAG_EXPR_SPORT_LE,
	DIAG_EXPR_DPORT_EQ,
	DIAG_EXPR_DPORT_GE,
	DIAG_EXPR_DPORT_LE,
	DIAG_EXPR_DEV, /* num */
	DIAG_EXPR_MARK,
	DIAG_EXPR_CGROUP,
	DIAG_EXPR_AUTOBOUND,
	DIAG_EXPR_SRC_NAME, /* name: a pattern for a unix socket's path; of an inet socket never true */
	DIAG_EXPR_DST_NAME,
};

/** struct diag_expr_host - an address with a prefix, and a port */
struct diag_expr_host {
	uint8_t family; /* AF_UNSPEC: any address */
	uint8_t prefix; /* bits */
	int32_t port;   /* host order, -1: any */
	uint32_t addr_be[4];
};

/** struct diag_expr - a node; its memory belongs to whoever built the tree */
struct diag_expr {
	enum diag_expr_op op;
	const struct diag_expr *a, *b; /* AND, OR: both; NOT: a */
	union {
		struct diag_expr_host host;
		uint16_t num; /* ports */
		uint32_t ifindex;
		struct {
			uint32_t value, mask;
		} mark;
		uint64_t cgroup_id;
		const char *name;
	};
};

/** struct diag_expr_entry - a socket as an expression sees it */
struct diag_expr_entry {
	struct diag_bc_entry inet;
	const char *src_name; /* unix sockets: "" without a name; NULL for an inet socket */
	const char *dst_name;
};

/** diag_expr_holds - whether a socket satisfies @e; a NULL expression always holds */
bool diag_expr_holds(const struct diag_expr *e, const struct diag_expr_entry *s);

/**
 * diag_expr_compile - the program for a tree
 * @e:    the tree; NULL compiles to nothing
 * @code: receives the program, aligned to 4
 * @size: bytes at @code
 * @len:  receives the program's bytes
 *
 * What it gives passes diag_bc_audit() and selects what diag_expr_holds() does.
 *
 * Return: DIAG_OK, or DIAG_NLE_MSGSIZE when the program would be longer than @size or than jumps can reach.
 */
struct diag_err diag_expr_compile(const struct diag_expr *e, void *code, size_t size, size_t *len);

#endif
