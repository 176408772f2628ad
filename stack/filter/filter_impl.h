/* A stack's filter. */
#ifndef STACK_FILTER_FILTER_IMPL_H
#define STACK_FILTER_FILTER_IMPL_H

#include "filter/conn.h"
#include "filter/model.h"

/**
 * struct filter
 * @tables:  NULL for those without rules
 * @tracker: NULL while no table of either family needs connections
 * @tracks:  which families' tables do
 * @rejecting: the answer to a rejected packet is on its way
 */
struct filter {
	struct stack *stack;
	struct table *tables[NET_FAMILIES][TABLE_COUNT];
	struct tracker *tracker;
	bool tracks[NET_FAMILIES];
	bool rejecting;
	struct hook hooks[HOOK_COUNT];
	bool hooked;
};

#endif
