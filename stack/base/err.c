/* The stack's error space: messages and errno values. */
#include "base/err.h"

#include <errno.h>

struct err_row {
	const char *msg;
	int err_no;
	bool ignore_stats;
};

static const struct err_row err_rows[NS_ERR_COUNT] = {
	[NS_OK] = { "no error", 0, true },
	[NS_ERR_UNKNOWN_PROTOCOL] = { "unknown protocol", EINVAL, false },
	[NS_ERR_UNKNOWN_NIC_ID] = { "unknown nic id", ENODEV, false },
	[NS_ERR_UNKNOWN_DEVICE] = { "unknown device", ENODEV, false },
	[NS_ERR_UNKNOWN_PROTOCOL_OPTION] = { "unknown option for protocol", ENOPROTOOPT, false },
	[NS_ERR_DUPLICATE_NIC_ID] = { "duplicate nic id", EEXIST, false },
	[NS_ERR_DUPLICATE_ADDRESS] = { "duplicate address", EEXIST, false },
	/* What Linux programs see when no row matches; gVisor says EHOSTUNREACH. */
	[NS_ERR_NO_ROUTE] = { "no route", ENETUNREACH, false },
	[NS_ERR_BAD_LINK_ENDPOINT] = { "bad link layer endpoint", EINVAL, false },
	[NS_ERR_ALREADY_BOUND] = { "endpoint already bound", EINVAL, true },
	[NS_ERR_INVALID_ENDPOINT_STATE] = { "endpoint is in invalid state", EINVAL, false },
	[NS_ERR_ALREADY_CONNECTING] = { "endpoint is already connecting", EALREADY, true },
	[NS_ERR_ALREADY_CONNECTED] = { "endpoint is already connected", EISCONN, true },
	[NS_ERR_NO_PORT_AVAILABLE] = { "no ports are available", EAGAIN, false },
	[NS_ERR_PORT_IN_USE] = { "port is in use", EADDRINUSE, false },
	[NS_ERR_BAD_LOCAL_ADDRESS] = { "bad local address", EADDRNOTAVAIL, false },
	[NS_ERR_CLOSED_FOR_SEND] = { "endpoint is closed for send", EPIPE, false },
	[NS_ERR_CLOSED_FOR_RECEIVE] = { "endpoint is closed for receive", ESHUTDOWN, false },
	[NS_ERR_WOULD_BLOCK] = { "operation would block", EWOULDBLOCK, true },
	[NS_ERR_CONNECTION_REFUSED] = { "connection was refused", ECONNREFUSED, false },
	[NS_ERR_TIMEOUT] = { "operation timed out", ETIMEDOUT, false },
	[NS_ERR_ABORTED] = { "operation aborted", EPIPE, false },
	[NS_ERR_CONNECT_STARTED] = { "connection attempt started", EINPROGRESS, true },
	[NS_ERR_DESTINATION_REQUIRED] = { "destination address is required", EDESTADDRREQ, false },
	[NS_ERR_NOT_SUPPORTED] = { "operation not supported", EOPNOTSUPP, false },
	[NS_ERR_QUEUE_SIZE_NOT_SUPPORTED] = { "queue size querying not supported", ENOTTY, false },
	[NS_ERR_NOT_CONNECTED] = { "endpoint not connected", ENOTCONN, false },
	[NS_ERR_CONNECTION_RESET] = { "connection reset by peer", ECONNRESET, false },
	[NS_ERR_CONNECTION_ABORTED] = { "connection aborted", ECONNABORTED, false },
	[NS_ERR_NO_SUCH_FILE] = { "no such file", ENOENT, false },
	[NS_ERR_INVALID_OPTION_VALUE] = { "invalid option value specified", EINVAL, false },
	[NS_ERR_NO_LINK_ADDRESS] = { "no remote link address", EHOSTDOWN, false },
	[NS_ERR_BAD_ADDRESS] = { "bad address", EFAULT, false },
	[NS_ERR_NETWORK_UNREACHABLE] = { "network is unreachable", ENETUNREACH, false },
	[NS_ERR_MESSAGE_TOO_LONG] = { "message too long", EMSGSIZE, false },
	[NS_ERR_NO_BUFFER_SPACE] = { "no buffer space available", ENOBUFS, false },
	[NS_ERR_BROADCAST_DISABLED] = { "broadcast socket option disabled", EACCES, false },
	[NS_ERR_NOT_PERMITTED] = { "operation not permitted", EPERM, false },
	[NS_ERR_ADDRESS_FAMILY_NOT_SUPPORTED] =
		{ "address family not supported by protocol", EAFNOSUPPORT, false },
	[NS_ERR_HOST_UNREACHABLE] = { "host is unreachable", EHOSTUNREACH, false },
	[NS_ERR_HOST_DOWN] = { "host is down", EHOSTDOWN, false },
	[NS_ERR_PROTOCOL_UNREACHABLE] = { "protocol is unreachable", ENOPROTOOPT, false },
	[NS_ERR_PROTOCOL_ERROR] = { "protocol error", EPROTO, false },
	[NS_ERR_NO_MEMORY] = { "out of memory", ENOMEM, false },
};

static const struct err_row *err_row(enum ns_err err)
{
	static const struct err_row unknown = { "unknown error", EINVAL, false };

	return (unsigned)err < NS_ERR_COUNT ? &err_rows[err] : &unknown;
}

const char *ns_err_str(enum ns_err err)
{
	return err_row(err)->msg;
}

int ns_err_errno(enum ns_err err)
{
	return err_row(err)->err_no;
}

bool ns_err_ignore_stats(enum ns_err err)
{
	return err_row(err)->ignore_stats;
}
