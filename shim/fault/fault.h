/* fault.h - fault rules: text in, decisions out.
 *
 * A rule set is parsed from text into memory of the caller's; nothing here allocates, locks, prints or
 * makes a system call, so that the same code serves the tool and the inside of a guest program, where a
 * signal handler may be what we run in. A set is immutable once parsed; what changes (how often a rule
 * has matched) is in counters that the caller keeps, in the run's mapped file.
 *
 * The language is in sockshim-rules(5): ACTION CALL [with|by|to ...] CONDITIONS.
 */
#ifndef SHIM_FAULT_FAULT_H
#define SHIM_FAULT_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "run/layout.h"
#include "sockshim.h"

enum fault_action {
	FAULT_DELAY,	/* sleep, then go on */
	FAULT_FAIL,	/* return an error without making the call */
	FAULT_SHORT,	/* do at most n bytes (stream sockets) */
	FAULT_RESET,	/* RST to the peer, ECONNRESET here */
	FAULT_DROP,	/* say it was sent and do not; receive it and forget it */
	FAULT_CORRUPT,	/* flip bits of what is sent or received */
	FAULT_CALL,	/* ask a function in a shared object before the call */
	FAULT_CALL_AFTER, /* show it the outcome (`call after ...`) */
	FAULT_ACTIONS
};

/* What is wrong with a rule. Columns count bytes from 1. */
struct fault_error {
	unsigned line, column;
	bool warning;		/* the rule is taken all the same: an errno the call cannot return */
	char text[200];		/* what is wrong, and what was expected: "unknown errno 'EFOO'; expected ..." */
};

struct fault_set;		/* opaque */
struct fault_rule;		/* opaque */

/* Bytes of memory that a set for `text_bytes` of text needs at most. */
size_t fault_set_bytes(size_t text_bytes);

/* Parses rules, one a line, '#' to the end of the line is a comment. With `numbered`, each rule is led
 * by its number (as in struct run_control); else they get first, first+1, ...
 * `mem` has room for fault_set_bytes(n) and is aligned for any type; the set lives in it and borrows
 * nothing from `text`.
 * Returns the set, or NULL with err[0] saying why. Up to `max` messages are put in err, warnings
 * included, and their number in *n_err; errors come before warnings. */
struct fault_set *fault_parse(void *mem, const char *text, size_t n, bool numbered, unsigned first,
			      struct fault_error *err, size_t max, size_t *n_err);

/* Number of rules; the i-th of them; its number (1..RUN_RULES-1); its text, trimmed and without
 * comment or number. */
size_t fault_set_count(const struct fault_set *set);
const struct fault_rule *fault_set_rule(const struct fault_set *set, size_t i);
unsigned fault_rule_number(const struct fault_rule *rule);
const char *fault_rule_text(const struct fault_rule *rule);
enum fault_action fault_rule_action(const struct fault_rule *rule);
enum sockshim_filter_type fault_rule_type(const struct fault_rule *rule);

/* Bit (1 << enum sockshim_filter_type) for each type that some rule of the set can fire on. Rules of
 * probability 0, and those whose `program` is another, set none: they cost nothing. */
uint32_t fault_set_armed(const struct fault_set *set, const char *program);

/* Whether any rule for a type needs what costs something to find out. */
enum fault_need {
	FAULT_NEED_PEER = 1,	/* `to`: the peer's address */
	FAULT_NEED_LOCAL = 2,	/* `from`: the local address */
	FAULT_NEED_SITE = 4,	/* `at` */
	FAULT_NEED_THREAD = 8,	/* `thread` */
	FAULT_NEED_TIME = 16,	/* `within` */
};
uint32_t fault_set_needs(const struct fault_set *set, enum sockshim_filter_type t);

/* The facts of one call. Fields that no rule needs may be left zero. */
struct fault_call {
	enum sockshim_filter_type type;
	const char *name;		/* "sendto": a rule may name the call itself instead of the type */
	bool has_socket;		/* cookie is valid */
	sockshim_cookie cookie;
	const struct sockaddr *peer;	/* NULL: not known */
	socklen_t peer_len;
	const struct sockaddr *local;
	socklen_t local_len;
	const char *host;		/* resolve: the name asked for; NULL: none */
	const char *thread;		/* name of the thread (comm) */
	int tid;
	uint64_t rx_bytes, tx_bytes;	/* of the socket, so far */
	uint64_t age_ns;		/* since the process image started */
	/* `at`: answers whether the call came from module[:function]; function NULL: any. */
	bool (*from_site)(const struct fault_call *call, const char *module, const char *function);
	const void *pc;
};

/* What the rules say of one call: per action the first rule that fires, NULL if none does. Of fail, reset
 * and drop, which each end the call, only the one that stands first in the text is left, and then no
 * short, corrupt or call after. */
struct fault_verdict {
	const struct fault_rule *fired[FAULT_ACTIONS];
	uint64_t delay_ns;
	int err;		/* FAULT_FAIL: an errno, or for resolve an EAI_ value */
	bool late;		/* FAULT_FAIL: report it through SO_ERROR if the socket is non-blocking */
	size_t short_bytes;	/* FAULT_SHORT: at least 1 */
	uint64_t corrupt;	/* FAULT_CORRUPT: random bits that say where */
};

/* Decides. `program` is the basename of argv[0]; `seed` the process's; counters[number] are the
 * process's counts, which are added to atomically. The same seed and the same sequence of calls that
 * match a rule give the same decisions of that rule, whatever else goes on.
 * Returns whether anything fired; if not, *out is all zero. */
bool fault_decide(const struct fault_set *set, const struct fault_call *call, const char *program,
		  uint64_t seed, struct run_rule_count *counters, struct fault_verdict *out);

/* The `call` action's parts: the shared object, the symbol, the signature's text, and whether it is an
 * after-filter (`call after connect ...`). Strings live as long as the set. */
const char *fault_rule_object(const struct fault_rule *rule);
const char *fault_rule_symbol(const struct fault_rule *rule);
const char *fault_rule_signature(const struct fault_rule *rule);
bool fault_rule_after(const struct fault_rule *rule);

/* Names of errno and EAI_ values: "ECONNREFUSED", "EAI_AGAIN"; NULL if there is none. */
const char *fault_errno_name(int err);
const char *fault_eai_name(int err);

#endif
