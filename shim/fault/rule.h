/* rule.h - a rule as it is kept: what a call must be, how often, and what then happens. */
#ifndef SHIM_FAULT_RULE_H
#define SHIM_FAULT_RULE_H

#include "fault/address.h"
#include "fault/fault.h"

/* What a rule looks at: bits of fault_rule.checks. */
enum fault_check {
	/* of the call */
	FAULT_CHECK_NAME = 1 << 0,	/* one exact call */
	FAULT_CHECK_FAMILY = 1 << 1,
	FAULT_CHECK_TYPE = 1 << 2,
	FAULT_CHECK_BYTES = 1 << 3,
	FAULT_CHECK_WITHIN = 1 << 4,
	FAULT_CHECK_TID = 1 << 5,
	FAULT_CHECK_TO = 1 << 6,
	FAULT_CHECK_FROM = 1 << 7,
	FAULT_CHECK_PROGRAM = 1 << 8,
	FAULT_CHECK_THREAD = 1 << 9,
	FAULT_CHECK_HOST = 1 << 10,
	FAULT_CHECK_SITE = 1 << 11,
	/* of its number among those that meet the above */
	FAULT_CHECK_SKIP = 1 << 12,
	FAULT_CHECK_ON = 1 << 13,
	FAULT_CHECK_EVERY = 1 << 14,
	FAULT_CHECK_FIRST = 1 << 15,
	FAULT_CHECK_CHANCE = 1 << 16,
};

/* Tells whether a divisor divides n, without dividing. */
struct fault_every {
	uint64_t inverse, limit;
	unsigned shift;
};

struct fault_rule {
	const struct fault_rule *next;	/* in the list of its type */
	uint32_t checks;		/* enum fault_check */
	uint8_t number, action, type;
	bool late;
	int err;

	int family, sock_type, tid;
	const char *call;		/* FAULT_CHECK_NAME */
	uint64_t after_bytes, within_ns;
	const char *program, *thread, *host, *module, *function;
	uint64_t skip, on_from, on_to, first;
	struct fault_every every;
	uint64_t chance;		/* the rule fires when 64 random bits are below it */

	uint64_t min, max;		/* delay: ns; short: bytes */
	const char *object, *symbol, *signature;
	const char *text;
	struct fault_address to, from;
};

/* Memory of a set: this, the rules, and then strings that the rules point to. */
struct fault_set {
	const struct fault_rule *by_type[SOCKSHIM_FILTER_TYPES];	/* without those of probability 0 */
	uint32_t needs[SOCKSHIM_FILTER_TYPES];				/* enum fault_need */
	size_t n;
	struct fault_rule rules[];
};

/* The check for every n-th; n is at least 1. */
struct fault_every fault_every_make(uint64_t n);

static inline bool fault_every_divides(const struct fault_every *e, uint64_t x)
{
	uint64_t q = x * e->inverse;

	return (q >> e->shift | q << (64 - e->shift) % 64) <= e->limit;
}

/* Puts the rules in lists by their type, and adds up what they need. */
void fault_set_index(struct fault_set *set);

#endif
