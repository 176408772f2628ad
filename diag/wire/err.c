/* Netlink errors: one table of texts, and two readings of the same four bytes. */
#include "wire/err.h"

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static const char *const nle_texts[DIAG_NLE_COUNT] = {
	[DIAG_NLE_SUCCESS] = "Success",
	[DIAG_NLE_FAILURE] = "Unspecific failure",
	[DIAG_NLE_INTR] = "Interrupted system call",
	[DIAG_NLE_BAD_SOCK] = "Bad socket",
	[DIAG_NLE_AGAIN] = "Try again",
	[DIAG_NLE_NOMEM] = "Out of memory",
	[DIAG_NLE_EXIST] = "Object exists",
	[DIAG_NLE_INVAL] = "Invalid input data or parameter",
	[DIAG_NLE_RANGE] = "Input data out of range",
	[DIAG_NLE_MSGSIZE] = "Message size not sufficient",
	[DIAG_NLE_OPNOTSUPP] = "Operation not supported",
	[DIAG_NLE_AF_NOSUPPORT] = "Address family not supported",
	[DIAG_NLE_OBJ_NOTFOUND] = "Object not found",
	[DIAG_NLE_NOATTR] = "Attribute not available",
	[DIAG_NLE_MISSING_ATTR] = "Missing attribute",
	[DIAG_NLE_AF_MISMATCH] = "Address family mismatch",
	[DIAG_NLE_SEQ_MISMATCH] = "Message sequence number mismatch",
	[DIAG_NLE_MSG_OVERFLOW] = "Kernel reported message overflow",
	[DIAG_NLE_MSG_TRUNC] = "Kernel reported truncated message",
	[DIAG_NLE_NOADDR] = "Invalid address for specified address family",
	[DIAG_NLE_SRCRT_NOSUPPORT] = "Source based routing not supported",
	[DIAG_NLE_MSG_TOOSHORT] = "Netlink message is too short",
	[DIAG_NLE_MSGTYPE_NOSUPPORT] = "Netlink message type is not supported",
	[DIAG_NLE_OBJ_MISMATCH] = "Object type does not match cache",
	[DIAG_NLE_NOCACHE] = "Unknown or invalid cache type",
	[DIAG_NLE_BUSY] = "Object busy",
	[DIAG_NLE_PROTO_MISMATCH] = "Protocol mismatch",
	[DIAG_NLE_NOACCESS] = "No Access",
	[DIAG_NLE_PERM] = "Operation not permitted",
	[DIAG_NLE_PKTLOC_FILE] = "Unable to open packet location file",
	[DIAG_NLE_PARSE_ERR] = "Unable to parse object",
	[DIAG_NLE_NODEV] = "No such device",
	[DIAG_NLE_IMMUTABLE] = "Immutable attribute",
	[DIAG_NLE_DUMP_INTR] = "Dump inconsistency detected, interrupted",
	[DIAG_NLE_ATTRSIZE] = "Attribute max length exceeded",
};

const char *diag_nle_text(int code)
{
	if (code < 0 || code >= DIAG_NLE_COUNT)
		code = DIAG_NLE_FAILURE;
	return nle_texts[code];
}

const char *diag_err_text(struct diag_err e, char *buf, size_t size)
{
	switch (e.kind) {
	case DIAG_ERR_NONE:
		snprintf(buf, size, "success");
		break;
	case DIAG_ERR_SYS:
		snprintf(buf, size, "%s", strerror(e.code));
		break;
	case DIAG_ERR_KERNEL:
		snprintf(buf, size, "the answer was: %s", strerror(e.code));
		break;
	case DIAG_ERR_NLE:
		snprintf(buf, size, "netlink: %s", diag_nle_text(e.code));
		break;
	}
	return buf;
}

/* The int32 at the head of @payload, or false when it is not all there. */
static bool read_code(const void *payload, size_t len, int32_t *code)
{
	if (!payload || len < sizeof(*code))
		return false;
	memcpy(code, payload, sizeof(*code));
	return true;
}

struct diag_err diag_err_parse(const void *payload, size_t len)
{
	int32_t code;

	if (!read_code(payload, len, &code))
		return diag_err_nle(DIAG_NLE_MSG_TOOSHORT);
	if (code > 0 || code == INT32_MIN)
		return diag_err_nle(DIAG_NLE_PARSE_ERR);
	if (code == 0)
		return DIAG_OK;
	return (struct diag_err){ DIAG_ERR_KERNEL, -code };
}

struct diag_err diag_err_parse_nle(const void *payload, size_t len)
{
	int32_t code;

	if (!read_code(payload, len, &code))
		return diag_err_nle(DIAG_NLE_MSG_TOOSHORT);
	if (code == 0)
		return DIAG_OK;
	if (code > 0 || code <= -DIAG_NLE_COUNT)
		return diag_err_nle(DIAG_NLE_FAILURE);
	return diag_err_nle((enum diag_nle)-code);
}
