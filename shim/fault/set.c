/* set.c - a set of rules, as others see it. */
#include "fault/fault.h"

#include <string.h>

#include "fault/glob.h"
#include "fault/rule.h"

struct fault_every fault_every_make(uint64_t n)
{
	struct fault_every e = { .limit = UINT64_MAX / n };
	uint64_t odd = n >> __builtin_ctzll(n);

	/* Multiplying by the inverse of n's odd part modulo 2^64 (Newton's iteration: each step doubles
	 * the bits that are right, from 3) and rotating by n's power of two maps the multiples of n, and
	 * only those, onto 0..limit. */
	e.shift = (unsigned)__builtin_ctzll(n);
	e.inverse = odd;
	for (int i = 0; i < 5; i++)
		e.inverse *= 2 - odd * e.inverse;
	return e;
}

static uint32_t needs_of(const struct fault_rule *rule)
{
	return (rule->checks & FAULT_CHECK_TO ? FAULT_NEED_PEER : 0) |
	       (rule->checks & FAULT_CHECK_FROM ? FAULT_NEED_LOCAL : 0) |
	       (rule->checks & FAULT_CHECK_SITE ? FAULT_NEED_SITE : 0) |
	       (rule->checks & (FAULT_CHECK_THREAD | FAULT_CHECK_TID) ? FAULT_NEED_THREAD : 0) |
	       (rule->checks & FAULT_CHECK_WITHIN ? FAULT_NEED_TIME : 0);
}

static bool is_armed(const struct fault_rule *rule)
{
	return !(rule->checks & FAULT_CHECK_CHANCE) || rule->chance;
}

void fault_set_index(struct fault_set *set)
{
	for (size_t i = set->n; i-- > 0;) {
		struct fault_rule *rule = &set->rules[i];

		if (!is_armed(rule))
			continue;
		rule->next = set->by_type[rule->type];
		set->by_type[rule->type] = rule;
		set->needs[rule->type] |= needs_of(rule);
	}
}

size_t fault_set_count(const struct fault_set *set)
{
	return set->n;
}

const struct fault_rule *fault_set_rule(const struct fault_set *set, size_t i)
{
	return i < set->n ? &set->rules[i] : NULL;
}

uint32_t fault_set_armed(const struct fault_set *set, const char *program)
{
	uint32_t armed = 0;

	for (unsigned t = 0; t < SOCKSHIM_FILTER_TYPES; t++) {
		for (const struct fault_rule *rule = set->by_type[t]; rule; rule = rule->next) {
			if (!(rule->checks & FAULT_CHECK_PROGRAM) ||
			    (program && fault_glob_match(rule->program, program, strlen(program), false)))
				armed |= 1u << t;
		}
	}
	return armed;
}

uint32_t fault_set_needs(const struct fault_set *set, enum sockshim_filter_type t)
{
	return (unsigned)t < SOCKSHIM_FILTER_TYPES ? set->needs[t] : 0;
}

unsigned fault_rule_number(const struct fault_rule *rule)
{
	return rule->number;
}

const char *fault_rule_text(const struct fault_rule *rule)
{
	return rule->text;
}

enum fault_action fault_rule_action(const struct fault_rule *rule)
{
	return rule->action;
}

enum sockshim_filter_type fault_rule_type(const struct fault_rule *rule)
{
	return rule->type;
}

const char *fault_rule_object(const struct fault_rule *rule)
{
	return rule->object;
}

const char *fault_rule_symbol(const struct fault_rule *rule)
{
	return rule->symbol;
}

const char *fault_rule_signature(const struct fault_rule *rule)
{
	return rule->signature;
}

bool fault_rule_after(const struct fault_rule *rule)
{
	return rule->action == FAULT_CALL_AFTER;
}
