/* The packet filter's rules, as the specification has them. */
#ifndef STACK_HOST_RULES_H
#define STACK_HOST_RULES_H

#include "host/host.h"

/** rules_load_files() - rules= and rules6= of the specification; 0, or -errno with what is wrong and where */
int rules_load_files(struct host *h, char error[SPEC_ERROR_MAX]);

/** rules_load() - a text; 0, or -errno with "line L, column C: ..." in @why */
int rules_load(struct host *h, enum net_index net, const char *text, size_t len, bool counters, char *why, size_t room);

#endif
