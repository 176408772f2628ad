/* The stack's error space: one enum, one table of messages and errno values. */
#ifndef STACK_BASE_ERR_H
#define STACK_BASE_ERR_H

#include <stdbool.h>

/** enum ns_err - what a call of the stack may return; NS_OK is 0, so `if (err)` reads well */
enum ns_err {
	NS_OK = 0,
	NS_ERR_UNKNOWN_PROTOCOL,
	NS_ERR_UNKNOWN_NIC_ID,
	NS_ERR_UNKNOWN_DEVICE,
	NS_ERR_UNKNOWN_PROTOCOL_OPTION,
	NS_ERR_DUPLICATE_NIC_ID,
	NS_ERR_DUPLICATE_ADDRESS,
	NS_ERR_NO_ROUTE,
	NS_ERR_BAD_LINK_ENDPOINT,
	NS_ERR_ALREADY_BOUND,
	NS_ERR_INVALID_ENDPOINT_STATE,
	NS_ERR_ALREADY_CONNECTING,
	NS_ERR_ALREADY_CONNECTED,
	NS_ERR_NO_PORT_AVAILABLE,
	NS_ERR_PORT_IN_USE,
	NS_ERR_BAD_LOCAL_ADDRESS,
	NS_ERR_CLOSED_FOR_SEND,
	NS_ERR_CLOSED_FOR_RECEIVE,
	NS_ERR_WOULD_BLOCK,
	NS_ERR_CONNECTION_REFUSED,
	NS_ERR_TIMEOUT,
	NS_ERR_ABORTED,
	NS_ERR_CONNECT_STARTED,
	NS_ERR_DESTINATION_REQUIRED,
	NS_ERR_NOT_SUPPORTED,
	NS_ERR_QUEUE_SIZE_NOT_SUPPORTED,
	NS_ERR_NOT_CONNECTED,
	NS_ERR_CONNECTION_RESET,
	NS_ERR_CONNECTION_ABORTED,
	NS_ERR_NO_SUCH_FILE,
	NS_ERR_INVALID_OPTION_VALUE,
	NS_ERR_NO_LINK_ADDRESS,
	NS_ERR_BAD_ADDRESS,
	NS_ERR_NETWORK_UNREACHABLE,
	NS_ERR_MESSAGE_TOO_LONG,
	NS_ERR_NO_BUFFER_SPACE,
	NS_ERR_BROADCAST_DISABLED,
	NS_ERR_NOT_PERMITTED,
	NS_ERR_ADDRESS_FAMILY_NOT_SUPPORTED,
	NS_ERR_HOST_UNREACHABLE,	/* an ICMP host unreachable, or neighbour resolution failed */
	NS_ERR_HOST_DOWN,
	NS_ERR_PROTOCOL_UNREACHABLE,	/* ICMP protocol unreachable */
	NS_ERR_PROTOCOL_ERROR,		/* ICMP parameter problem */
	NS_ERR_NO_MEMORY,
	NS_ERR_COUNT
};

/** ns_err_str() - the message of @err, distinct for every error; "no error" for NS_OK */
const char *ns_err_str(enum ns_err err);

/** ns_err_errno() - the (positive) errno a socket call reports for @err, 0 for NS_OK */
int ns_err_errno(enum ns_err err);

/** ns_err_ignore_stats() - whether @err says nothing went wrong, so that failure counters skip it */
bool ns_err_ignore_stats(enum ns_err err);

#endif
