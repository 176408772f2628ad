/* Tables of options, one row each, and what most rows take and give (socket(7), ip(7), ipv6(7), tcp(7), udp(7)). */
#ifndef STACK_SOCKET_OPT_H
#define STACK_SOCKET_OPT_H

#include <stddef.h>

#include "socket/impl.h"

struct opt_row;

typedef int opt_set_fn(struct sock *k, const struct opt_row *row, const void *val, socklen_t len);
typedef int opt_get_fn(struct sock *k, const struct opt_row *row, void *val, socklen_t *len);

enum { OPT_STREAM = 1, OPT_DGRAM = 2, OPT_RAW = 4, OPT_ANY = 7 };

/**
 * struct opt_row - an option
 * @types:    of sockets that have it
 * @stack:    integers: the stack's option
 * @min, @max: what is taken, else -EINVAL
 * @scale:    the stack's unit in terms of the option's (nanoseconds in a second)
 * @nonempty: of IP, which else takes no value for 0
 * @bit:      in recv_flags; the offset of a field in struct sock; enum opt_kept; or a constant
 */
struct opt_row {
	int level, name;
	uint8_t types;
	opt_set_fn *set;
	opt_get_fn *get;
	enum sockopt stack;
	int64_t min, max, scale;
	uint32_t bit;
	bool nonempty;
};

/** struct opt_table - the rows of a level, or of a kind of socket */
struct opt_table {
	const struct opt_row *rows;
	size_t n;
};

extern const struct opt_table opt_socket_table, opt_ip_table, opt_tcp_table, opt_udp_table, opt_raw_table;

/** opt_put() - @n bytes of value, as far as there is room; always 0 */
int opt_put(void *val, socklen_t *len, const void *from, size_t n);

/** opt_put_int(), opt_take_int() - an integer, as the level has them */
int opt_put_int(const struct opt_row *row, void *val, socklen_t *len, int v);
int opt_take_int(const struct opt_row *row, const void *val, socklen_t len, int *v);

/* What rows are made of: a number or a switch of the stack's, a bit of recv_flags, a number or a switch that only the socket
 * layer has. */
opt_set_fn opt_set_number, opt_set_bool, opt_set_want, opt_set_field, opt_set_flag;
opt_get_fn opt_get_number, opt_get_want, opt_get_field, opt_get_flag;

/* Switches that Linux takes and that change nothing here: what they would tell of never happens, or what they would change is
 * not there. KEPT() makes a row of one. */
enum opt_kept {
	KEPT_DEBUG, KEPT_RXQ_OVFL, KEPT_WIFI_STATUS, KEPT_NOFCS, KEPT_SELECT_ERR_QUEUE, KEPT_PREFER_BUSY_POLL, KEPT_TXREHASH,
	KEPT_RCVMARK, KEPT_RCVPRIORITY, KEPT_PASSSEC, KEPT_CHECKSUM, KEPT_RFC4884, KEPT_LATE_PORT, KEPT_FRAGSIZE,
	KEPT_RFC4884_6, KEPT_AUTOFLOWLABEL, KEPT_FLOWINFO, KEPT_FLOWINFO_SEND, KEPT_PATHMTU, KEPT_HOPOPTS, KEPT_RTHDR,
	KEPT_DSTOPTS, KEPT_OLD_HOPOPTS, KEPT_OLD_RTHDR, KEPT_OLD_DSTOPTS, KEPT_FRAGSIZE6, KEPT_THIN_LINEAR, KEPT_NO_CHECK6_TX,
	KEPT_NO_CHECK6_RX, KEPT_GRO,
	/* Of these two whoever runs the socket tells the program. */
	KEPT_INQ, KEPT_ZEROCOPY,
};

/* Those that are on at first. */
#define OPT_KEPT_FIRST (1ull << KEPT_TXREHASH | 1ull << KEPT_AUTOFLOWLABEL)

/* Times (stamp.c). */
opt_set_fn opt_set_time, opt_set_stamping;
opt_get_fn opt_get_time, opt_get_stamping;

opt_set_fn opt_set_kept, opt_set_nothing;
opt_get_fn opt_get_kept, opt_get_constant;

#define NUMBER(lvl, opt, t, st, lo, hi, sc) \
	{ lvl, opt, t, opt_set_number, opt_get_number, .stack = st, .min = lo, .max = hi, .scale = sc }
#define BOOL(lvl, opt, t, st) \
	{ lvl, opt, t, opt_set_bool, opt_get_number, .stack = st, .scale = 1 }
#define WANT(lvl, opt, flag)	{ lvl, opt, OPT_ANY, opt_set_want, opt_get_want, .bit = flag }
#define FIELD(opt, f, lo, hi) \
	{ SOL_SOCKET, opt, OPT_ANY, opt_set_field, opt_get_field, .min = lo, .max = hi, .bit = offsetof(struct sock, f) }
#define FLAG(lvl, opt, f)	{ lvl, opt, OPT_ANY, opt_set_flag, opt_get_flag, .bit = offsetof(struct sock, f) }
#define KEPT(lvl, opt, what)	{ lvl, opt, OPT_ANY, opt_set_kept, opt_get_kept, .max = INT32_MAX, .min = INT32_MIN, .bit = what }
#define CONSTANT(lvl, opt, t, v) { lvl, opt, t, NULL, opt_get_constant, .bit = v }
#define FIELD_OF(lvl, opt, t, f, lo, hi) \
	{ lvl, opt, t, opt_set_field, opt_get_field, .min = lo, .max = hi, .bit = offsetof(struct sock, f) }
#define CUSTOM(lvl, opt, set, get)	{ lvl, opt, OPT_ANY, set, get, .bit = 0 }

#endif
