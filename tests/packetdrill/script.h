/* Scripts: a subset of packetdrill's language, as events. */
#ifndef TESTS_PACKETDRILL_SCRIPT_H
#define TESTS_PACKETDRILL_SCRIPT_H

#include <stdbool.h>
#include <stdint.h>

enum value_type { V_NONE, V_INT, V_STRING, V_ELLIPSIS, V_LIST, V_STRUCT };

/** struct value - an argument: a number, "text", ..., [list] or {name = value, ...} */
struct value {
	enum value_type type;
	long long n;
	char *s;
	struct value *items;
	char **names;
	int count;
};

enum event_kind { EV_CALL, EV_IN, EV_OUT, EV_CODE, EV_COMMAND };
enum time_kind { AT_RELATIVE, AT_ABSOLUTE, AT_ANY };

/** struct call - a system call and what it must return */
struct call {
	char *name;
	struct value args;		/* V_LIST */
	long long result;
	char *error;			/* "EAGAIN", or NULL */
};

/**
 * struct segment - a TCP segment, or an ICMP error about one
 * @opts_any: <...>
 * @ecn: -1 any
 */
struct segment {
	uint8_t flags;
	uint32_t seq, len, ack;
	bool has_ack;
	int64_t win, urg;		/* -1: not said */
	uint8_t opts[40];
	int opts_len, ts_at, sack_at, cookie_at, sacks;	/* *_at: -1 none */
	bool opts_any;
	int ecn;
	int icmp_code;			/* -1: no ICMP */
	uint32_t mtu;
};

struct event {
	int line;
	enum time_kind at;
	int64_t us, us_end;		/* us_end: of a range, else equal */
	int64_t block_us;		/* a call that blocks for so long; -1 */
	enum event_kind kind;
	struct call call;
	struct segment seg;
	char *text;
};

enum { SCRIPT_PORT = 8080 };

/** struct script - @ts_tick_us: what one of its timestamps' ticks is, 0: their advance is not looked at;
 * @port: where servers listen, and clients connect to */
struct script {
	const char *path;
	struct event *events;
	int count;
	int64_t tolerance_us, ts_tick_us;
	uint16_t port;
};

/** script_read() - dies on what it does not understand */
void script_read(struct script *s, const char *path);
void script_free(struct script *s);

/** script_symbol() - the number of a name such as SOL_SOCKET; false if unknown */
bool script_symbol(const char *name, long long *n);

/** value_field() - a structure's member, NULL if it has none of that name; value_field_num() - its number */
const struct value *value_field(const struct value *s, const char *name);
long long value_field_num(const struct value *s, const char *name, long long otherwise);

void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif
