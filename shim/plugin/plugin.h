/* plugin.h - functions of other people's, called by a signature written in text.
 *
 * A signature is what `call` rules and sockshim_closure_new carry:
 *	(NAME: TYPE, ...) -> RESULT
 * TYPE: i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 cstr ptr sockaddr, RESULT: errno (an int: 0 passes, an
 * errno of either sign fails the call; for resolve, an EAI_ value), or i32 or void (the call passes).
 * NAME says which fact of the call is passed; a number as any integer or floating type, converted as C
 * does, a string or an address also as ptr:
 *	fd family type protocol		of the socket
 *	ip (cstr) port (u16)		of the peer, "" and 0 if there is none; an IPv4-mapped address is
 *					the IPv4 address
 *	addr (sockaddr) addrlen		the same as a struct sockaddr *
 *	call (cstr)			"connect"
 *	host (cstr)			the name, for resolve
 *	buf (ptr) len flags		of the send and receive calls
 *	result (i64) err (i32)		of an after-filter: what the call returned
 *	pid tid program (cstr)
 *
 * Binding loads objects with dlopen and so is done outside of signal handlers, once per rule;
 * calling neither allocates nor locks.
 */
#ifndef SHIM_PLUGIN_PLUGIN_H
#define SHIM_PLUGIN_PLUGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define PLUGIN_ARGS_MAX 16

struct plugin_facts {
	int fd;
	int family, type, protocol;
	const struct sockaddr *addr;
	socklen_t addr_len;
	const char *call;
	const char *host;
	const void *buf;
	size_t len;
	int flags;
	int64_t result;
	int err;
	int pid, tid;
	const char *program;
};

/* What is wrong with a signature, or with the object it was to be bound to. */
struct plugin_error {
	unsigned column;	/* in the signature, from 1; 0: not about the signature */
	char text[240];
};

/* A bound function; embedded by the caller, may be copied, needs no release. */
struct plugin {
	void (*fn)(void);
	uint64_t opaque[96];	/* the call's description for libffi */
};

/* Checks a signature without binding it. 0 or -EINVAL with *err. */
int plugin_check(const char *signature, bool after, struct plugin_error *err);

/* Loads `object` (dlopen; a path with no slash is searched as dlopen does), finds `symbol`, prepares the
 * call. 0; -EINVAL signature, -ENOENT object or symbol: *err says which, with dlerror()'s words. */
int plugin_bind(struct plugin *p, const char *object, const char *symbol, const char *signature,
		bool after, struct plugin_error *err);

/* Calls it. Returns 0 to let the call pass, or a positive errno (what can be none is EINVAL). */
int plugin_call(const struct plugin *p, const struct plugin_facts *facts);

#endif
