/* Tables, chains, rules, and the interface of matches and targets. */
#ifndef STACK_FILTER_MODEL_H
#define STACK_FILTER_MODEL_H

#include "base/htab.h"
#include "core/hook.h"
#include "filter/packet.h"
#include "filter/text.h"

struct parser;

enum filter_table_id { TABLE_RAW, TABLE_MANGLE, TABLE_NAT, TABLE_FILTER, TABLE_COUNT };

enum {
	CHAIN_NAME_MAX = 28, IFACE_NAME_MAX = 15,
	RULES_MAX = 100000,		/* rules and chains in one text */
	CHAIN_DEPTH_MAX = 64,		/* jumps within jumps */
	CHAIN_COST_MAX = 1 << 20,	/* rules that one packet may meet in one table and hook */
};

/** enum filter_verdict - of a rule: @V_NEXT go on with the next one */
enum filter_verdict { V_NEXT, V_ACCEPT, V_DROP, V_RETURN };

struct rule_count {
	uint64_t packets, bytes;
};

/** struct ext_option - an option of a match or target; @id is a bit number, options of one id exclude
 * one another */
struct ext_option {
	const char *name;
	uint8_t id;
	uint8_t nargs;
	bool negatable;
};

/**
 * struct ext_ops - a match or a target; one constant structure each
 * @size:    of its data, zeroed at first
 * @nets:    families (1 << enum net_index)
 * @tables:  1 << enum filter_table_id, 0 for all
 * @hooks:   1 << enum hook_point, 0 for all: where its chains may be reached from
 * @proto:   the rule must be for this protocol (@nprotos of them), or not @proto_why
 * @required, @one_of: bits of options of which all, or one, must be there
 * @tracks:  it needs connections tracked
 * @option:  one option's arguments, in p->arg[]; false after parser_fail()
 * @check:   all options are there; may be NULL; false after parser_fail()
 * @match:   of a match; @target: of a target
 * @print:   its options, each with a space before
 * @release: what @data holds; may be NULL
 */
struct ext_ops {
	const char *name;
	size_t size;
	uint8_t nets, tables, hooks;
	uint8_t protos[6];
	uint8_t nprotos;
	const struct ext_option *options;	/* up to one without a name */
	uint32_t required, one_of;
	bool tracks;
	bool (*option)(struct parser *p, void *data, unsigned id, bool negated);
	bool (*check)(struct parser *p, void *data);
	bool (*match)(void *data, struct filter_pkt *k);
	enum filter_verdict (*target)(const void *data, struct filter_pkt *k);
	void (*print)(const void *data, struct text *t);
	void (*release)(void *data);
};

/** struct ext - a match or target of a rule; @seen: which options were given, @col: where it was named */
struct ext {
	const struct ext_ops *ops;
	void *data;
	uint32_t seen;
	unsigned col;
};

/** enum rule_not - which conditions of a rule are negated */
enum rule_not {
	NOT_SRC = 1, NOT_DST = 2, NOT_IN = 4, NOT_OUT = 8, NOT_PROTO = 16, NOT_FRAG = 32,
};

/** struct rule_iface - @len bytes of a NIC's name are compared: with its NUL, or without it for "eth+" */
struct rule_iface {
	char name[IFACE_NAME_MAX + 1];
	uint8_t len;
	bool set;
};

/** struct rule_addr - @mask.len 0: any */
struct rule_addr {
	struct addr id, mask;
};

/**
 * struct rule
 * @not:    enum rule_not
 * @jump:   the chain to go to; NULL if there is none
 * @go:     without coming back (-g)
 * @target: @target.ops NULL for a jump, and for a rule that only counts
 */
struct rule {
	struct rule_count count;
	struct rule_addr src, dst;
	struct rule_iface in, out;
	uint8_t proto, not;
	bool has_proto, frag, go;
	struct ext *matches;
	size_t nmatches;
	struct chain *jump;
	struct ext target;
	unsigned line, column;		/* where it stands in its text, for what is wrong with it as a whole */
};

/**
 * struct chain
 * @hook:   of a built-in chain, -1 for users'
 * @policy: of a built-in chain; @named: the text says which
 * @refs, @hooks, @depth, @cost, @order: check.c's: how many rules lead here, the hooks it is reached
 *          from, how deep in jumps, the rules one packet may meet, and its place in an order without back jumps
 */
struct chain {
	struct htab_node node;
	struct list list;
	struct list order;
	char name[CHAIN_NAME_MAX + 1];
	int8_t hook;
	uint8_t policy;
	uint8_t hooks;
	bool named;
	uint16_t depth;
	uint32_t refs;
	uint64_t cost;
	struct rule_count count;
	struct rule *rules;
	size_t nrules, room;
};

/** struct table - @builtin: its chains by hook, NULL where it has none */
struct table {
	enum filter_table_id id;
	enum net_index net;
	struct list chains;
	struct htab by_name;
	struct chain *builtin[HOOK_COUNT];
	bool tracks;
};

/** table_new() - a table with its built-in chains, all ACCEPT; NULL: no memory */
struct table *table_new(enum filter_table_id id, enum net_index net);
void table_free(struct table *t);

/** table_find_chain() - by name, NULL if there is none; table_add_chain() - a new one of users', NULL: no
 * memory */
struct chain *table_find_chain(const struct table *t, const char *name);
struct chain *table_add_chain(struct table *t, const char *name);

/** chain_add_rule() - append @r, and take what it holds; false, and nothing taken: no memory */
bool chain_add_rule(struct chain *c, const struct rule *r);

/** rule_release() - what @r holds, not @r */
void rule_release(struct rule *r);

/** table_name() - "raw", "mangle", "nat" or "filter" */
const char *table_name(enum filter_table_id id);

/** table_hooks() - where a table has built-in chains, 1 << enum hook_point */
unsigned table_hooks(enum filter_table_id id);

/** hook_chain_name() - of the built-in chain at a hook */
const char *hook_chain_name(enum hook_point at);

/** table_print() - as iptables-save does; false: no memory */
void table_print(const struct table *t, bool counters, struct text *out);

/** table_eval() - walk the chain of a hook; V_ACCEPT or V_DROP */
enum filter_verdict table_eval(struct table *t, struct filter_pkt *k);

/** ext_find_match(), ext_find_target() - by name, for a family; NULL if there is none */
const struct ext_ops *ext_find_match(const char *name, enum net_index net);
const struct ext_ops *ext_find_target(const char *name, enum net_index net);

/** ext_match_of_proto() - the match that a protocol's options belong to; NULL if there is none */
const struct ext_ops *ext_match_of_proto(uint8_t proto, enum net_index net);

extern const struct ext_ops match_tcp, match_udp, match_icmp, match_icmp6, match_multiport,
	match_state, match_conntrack, match_owner, match_limit, match_mark, match_comment,
	match_addrtype;
extern const struct ext_ops target_accept, target_drop, target_return, target_reject, target_reject6,
	target_mark, target_notrack, target_ct, target_snat, target_dnat, target_redirect,
	target_masquerade;

#endif
