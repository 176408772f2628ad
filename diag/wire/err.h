/* What can go wrong with a netlink conversation, and which number space it is told in. */
#ifndef DIAG_WIRE_ERR_H
#define DIAG_WIRE_ERR_H

#include <stdbool.h>
#include <stddef.h>

/**
 * enum diag_err_kind - whose number a struct diag_err carries
 * @DIAG_ERR_NONE:   success; the number is 0
 * @DIAG_ERR_SYS:    an errno of a system call made on this side
 * @DIAG_ERR_KERNEL: an errno the answering side put into NLMSG_ERROR or NLMSG_DONE
 * @DIAG_ERR_NLE:    an enum diag_nle: the conversation itself broke the protocol
 *
 * An errno and an NLE_* number mean different things (21 is EISDIR or NLE_MSG_TOOSHORT), so a
 * number never travels without its kind.
 */
enum diag_err_kind {
	DIAG_ERR_NONE,
	DIAG_ERR_SYS,
	DIAG_ERR_KERNEL,
	DIAG_ERR_NLE,
};

/** struct diag_err - an error and its number space; zeroed means success */
struct diag_err {
	enum diag_err_kind kind;
	int code; /* positive, in the space @kind names */
};

#define DIAG_OK ((struct diag_err){ DIAG_ERR_NONE, 0 })

/** enum diag_nle - libnl's error numbers (netlink/errno.h) */
enum diag_nle {
	DIAG_NLE_SUCCESS,
	DIAG_NLE_FAILURE,
	DIAG_NLE_INTR,
	DIAG_NLE_BAD_SOCK,
	DIAG_NLE_AGAIN,
	DIAG_NLE_NOMEM,
	DIAG_NLE_EXIST,
	DIAG_NLE_INVAL,
	DIAG_NLE_RANGE,
	DIAG_NLE_MSGSIZE,
	DIAG_NLE_OPNOTSUPP,
	DIAG_NLE_AF_NOSUPPORT,
	DIAG_NLE_OBJ_NOTFOUND,
	DIAG_NLE_NOATTR,
	DIAG_NLE_MISSING_ATTR,
	DIAG_NLE_AF_MISMATCH,
	DIAG_NLE_SEQ_MISMATCH,
	DIAG_NLE_MSG_OVERFLOW,
	DIAG_NLE_MSG_TRUNC,
	DIAG_NLE_NOADDR,
	DIAG_NLE_SRCRT_NOSUPPORT,
	DIAG_NLE_MSG_TOOSHORT,
	DIAG_NLE_MSGTYPE_NOSUPPORT,
	DIAG_NLE_OBJ_MISMATCH,
	DIAG_NLE_NOCACHE,
	DIAG_NLE_BUSY,
	DIAG_NLE_PROTO_MISMATCH,
	DIAG_NLE_NOACCESS,
	DIAG_NLE_PERM,
	DIAG_NLE_PKTLOC_FILE,
	DIAG_NLE_PARSE_ERR,
	DIAG_NLE_NODEV,
	DIAG_NLE_IMMUTABLE,
	DIAG_NLE_DUMP_INTR,
	DIAG_NLE_ATTRSIZE,
	DIAG_NLE_COUNT,
};

static inline bool diag_failed(struct diag_err e)
{
	return e.kind != DIAG_ERR_NONE;
}

static inline struct diag_err diag_err_sys(int err)
{
	return (struct diag_err){ DIAG_ERR_SYS, err };
}

static inline struct diag_err diag_err_nle(enum diag_nle code)
{
	return (struct diag_err){ DIAG_ERR_NLE, (int)code };
}

/**
 * diag_nle_text - the sentence libnl prints for an NLE_* number
 * @code: an enum diag_nle; anything else gives "Unspecific failure"
 *
 * Return: a static string, never NULL.
 */
const char *diag_nle_text(int code);

/**
 * diag_err_text - an error as a person reads it, in its own number space
 * @e:    the error
 * @buf:  receives the text, always terminated
 * @size: bytes at @buf, at least 1
 *
 * Return: @buf.
 */
const char *diag_err_text(struct diag_err e, char *buf, size_t size);

/**
 * diag_err_parse - reads the payload of an NLMSG_ERROR, or of an NLMSG_DONE
 * @payload: the bytes after the message header; may be unaligned
 * @len:     how many there are
 *
 * Return: DIAG_OK for an acknowledgement (0); kind DIAG_ERR_KERNEL with the errno sent;
 * DIAG_NLE_MSG_TOOSHORT when fewer than four bytes are there; DIAG_NLE_PARSE_ERR for a positive
 * number, which no kernel sends.
 */
struct diag_err diag_err_parse(const void *payload, size_t len);

/**
 * diag_err_parse_nle - the same four bytes as a library that speaks NLE_* would have written them
 * @payload: the bytes after the message header; may be unaligned
 * @len:     how many there are
 *
 * For peers that are known to put -NLE_* there. Never for a kernel.
 *
 * Return: DIAG_OK, or kind DIAG_ERR_NLE; numbers outside the set become DIAG_NLE_FAILURE.
 */
struct diag_err diag_err_parse_nle(const void *payload, size_t len);

#endif
