/* cookie.c - cookies, status and statistics as text, and the names of the filter types. */
#include "sockshim.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>

#include "run/text.h"
#include "run/errno_name.h"

static const char *const filter_names[SOCKSHIM_FILTER_TYPES] = {
	[SOCKSHIM_SOCKET] = "socket", [SOCKSHIM_CONNECT] = "connect", [SOCKSHIM_LISTEN] = "listen",
	[SOCKSHIM_ACCEPT] = "accept", [SOCKSHIM_GETSOCKOPT_INT] = "getsockopt",
	[SOCKSHIM_CLOSE] = "close", [SOCKSHIM_BIND] = "bind", [SOCKSHIM_SHUTDOWN] = "shutdown",
	[SOCKSHIM_SETSOCKOPT] = "setsockopt", [SOCKSHIM_SEND] = "send", [SOCKSHIM_RECV] = "recv",
	[SOCKSHIM_POLL] = "poll", [SOCKSHIM_RESOLVE] = "resolve",
};

const char *sockshim_filter_name(enum sockshim_filter_type t)
{
	return (unsigned)t < SOCKSHIM_FILTER_TYPES ? filter_names[t] : NULL;
}

static void family_text(struct text *t, int family)
{
	switch (family) {
	case AF_INET: text_str(t, "inet4"); break;
	case AF_INET6: text_str(t, "inet6"); break;
	case AF_UNIX: text_str(t, "local"); break;
	default: text_int(t, family);
	}
}

static void type_text(struct text *t, int type)
{
	int flags = type & (SOCK_NONBLOCK | SOCK_CLOEXEC), rest = type & ~flags;

	switch (rest) {
	case SOCK_STREAM: text_str(t, "stream"); break;
	case SOCK_DGRAM: text_str(t, "dgram"); break;
	case SOCK_RAW: text_str(t, "raw"); break;
	case SOCK_SEQPACKET: text_str(t, "seqpacket"); break;
	default: text_int(t, rest);
	}
	if (flags & SOCK_NONBLOCK)
		text_str(t, "|nonblock");
	if (flags & SOCK_CLOEXEC)
		text_str(t, "|cloexec");
}

static void protocol_text(struct text *t, int protocol)
{
	switch (protocol) {
	case 0: text_str(t, "default"); break;
	case IPPROTO_TCP: text_str(t, "tcp"); break;
	case IPPROTO_UDP: text_str(t, "udp"); break;
	default: text_int(t, protocol);
	}
}

static void cookie_text(struct text *t, sockshim_cookie c)
{
	text_str(t, "(");
	family_text(t, sockshim_cookie_family(c));
	text_str(t, ", ");
	type_text(t, sockshim_cookie_type(c));
	text_str(t, ", ");
	protocol_text(t, sockshim_cookie_protocol(c));
	text_str(t, ")");
}

int sockshim_cookie_format(char *buf, size_t n, sockshim_cookie c)
{
	struct text t = text_to(buf, n);

	cookie_text(&t, c);
	return text_end(&t);
}

static void errno_text(struct text *t, int err)
{
	const char *name = err ? errno_name(err) : "<nil>";

	if (name) {
		text_str(t, name);
	} else {
		text_str(t, "errno ");
		text_int(t, err);
	}
}

int sockshim_status_format(char *buf, size_t n, const struct sockshim_status *st)
{
	struct text t = text_to(buf, n);

	cookie_text(&t, st->cookie);
	text_str(&t, ": syscallerr=");
	errno_text(&t, st->err);
	text_str(&t, " socketerr=");
	errno_text(&t, st->socket_err);
	return text_end(&t);
}

int sockshim_stat_format(char *buf, size_t n, const struct sockshim_stat *st)
{
	const struct { const char *name; uint64_t n; } counts[] = {
		{ ": opened=", st->opened }, { " connected=", st->connected },
		{ " listened=", st->listened }, { " accepted=", st->accepted },
		{ " closed=", st->closed }, { " openfailed=", st->open_failed },
		{ " connectfailed=", st->connect_failed }, { " listenfailed=", st->listen_failed },
		{ " acceptfailed=", st->accept_failed }, { " closefailed=", st->close_failed },
	};
	struct text t = text_to(buf, n);

	cookie_text(&t, st->cookie);
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		text_str(&t, counts[i].name);
		text_uint(&t, counts[i].n);
	}
	return text_end(&t);
}
