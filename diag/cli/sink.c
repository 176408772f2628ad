/* What ways of showing sockets share. */
#include "cli/sink.h"

const char *sink_netid(enum kind table)
{
	switch (table) {
	case KIND_UNIX_DG:
		return "u_dgr";
	case KIND_UNIX_ST:
		return "u_str";
	case KIND_UNIX_SQ:
		return "u_seq";
	case KIND_RAW:
		return "raw";
	case KIND_UDP:
		return "udp";
	case KIND_MPTCP:
		return "mptcp";
	default:
		return "tcp";
	}
}
