/* unix_diag_msg: parse, names kept whole. */
#ifndef DIAG_WIRE_UNIX_H
#define DIAG_WIRE_UNIX_H

#include <linux/unix_diag.h>
#include <stdint.h>

#include "wire/attr.h"
#include "wire/err.h"

/**
 * struct diag_unix - one socket of a unix_diag answer
 * @msg:   the fixed part, copied; udiag_type is a SOCK_* type, udiag_state a TCP state number
 * @attrs: what followed it, by UNIX_DIAG_* number; payloads borrowed from the parsed bytes
 * @name:  the bound name, borrowed, not terminated; NULL for a socket without one (which is
 *         reported like any other). A path comes without its final NUL, an abstract name with
 *         its leading NUL and whatever NULs are inside it
 * @name_len: bytes at @name
 */
struct diag_unix {
	struct unix_diag_msg msg;
	struct diag_attr attrs[DIAG_UNIX_ATTRS];
	const char *name;
	size_t name_len;
};

/**
 * diag_unix_parse - reads the payload of one answer
 * @payload: the bytes after the netlink header, borrowed as long as @out is read
 * @len:     how many
 * @out:     receives the socket
 *
 * Return: DIAG_OK; DIAG_NLE_MSG_TOOSHORT when the fixed part is not all there; DIAG_NLE_ATTRSIZE
 * when an attribute's length is wrong (what preceded it is in @out).
 */
struct diag_err diag_unix_parse(const void *payload, size_t len, struct diag_unix *out);

/** diag_unix_is_abstract - whether the name is one of the abstract namespace */
static inline int diag_unix_is_abstract(const struct diag_unix *u)
{
	return u->name_len > 0 && u->name[0] == '\0';
}

/**
 * diag_unix_path - the name as listings print it: a path as it is, an abstract name with '@' for each NUL
 * @u:    the socket
 * @buf:  receives the text, terminated, cut to fit
 * @size: bytes at @buf, at least 1
 *
 * Return: @buf; the empty string for a socket without a name.
 */
const char *diag_unix_path(const struct diag_unix *u, char *buf, size_t size);

#endif
