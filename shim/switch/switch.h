/* switch.h - a switch from the inside: filters, table, statistics, and the two steps around a call. */
#ifndef SHIM_SWITCH_SWITCH_H
#define SHIM_SWITCH_SWITCH_H

#include "run/layout.h"
#include "sockshim.h"
#include "switch/socktab.h"

/* A filter and its user data, which must be read as a pair. A writer fills the slot that is not in use and
 * then advances `turn`; a reader that sees `turn` unchanged afterwards has a pair that belongs together. */
struct switch_filter {
	uint32_t turn;		/* odd: slot[1] is in use */
	uint32_t writing;	/* one writer at a time */
	struct {
		sockshim_filter fn;
		void *user;
	} slot[2];
};

struct sockshim_switch {
	struct switch_filter filter[SOCKSHIM_FILTER_TYPES];
	uint32_t armed;			/* bit per filter type that has a filter */
	struct socktab *tab;
	void (*armed_changed)(void);	/* told after `armed` changed; may be NULL */
};

/* Runs the filter of type t, if there is one. 0, or the positive errno that cancels the call. */
int switch_before(struct sockshim_switch *sw, enum sockshim_filter_type t,
		  const struct sockshim_status *st, struct sockshim_after *after);

/* Runs the after-filter. 0, or the positive errno that replaces the outcome. */
int switch_after(const struct sockshim_after *after, const struct sockshim_status *st);

/* Keeps the status of a socket in its object. */
void switch_note(struct run_socket *s, const struct sockshim_status *st);

#endif
