/* calls.c - the descriptions of the interposed calls, from calls.def. */
#include "interpose/calls.h"

#define D(name, kind) { #name, ARG_##kind }
#define A1(t1, n1, k1) 1, { D(n1, k1) }
#define A2(t1, n1, k1, t2, n2, k2) 2, { D(n1, k1), D(n2, k2) }
#define A3(t1, n1, k1, t2, n2, k2, t3, n3, k3) 3, { D(n1, k1), D(n2, k2), D(n3, k3) }
#define A4(t1, n1, k1, t2, n2, k2, t3, n3, k3, t4, n4, k4) \
	4, { D(n1, k1), D(n2, k2), D(n3, k3), D(n4, k4) }
#define A5(t1, n1, k1, t2, n2, k2, t3, n3, k3, t4, n4, k4, t5, n5, k5) \
	5, { D(n1, k1), D(n2, k2), D(n3, k3), D(n4, k4), D(n5, k5) }
#define A6(t1, n1, k1, t2, n2, k2, t3, n3, k3, t4, n4, k4, t5, n5, k5, t6, n6, k6) \
	6, { D(n1, k1), D(n2, k2), D(n3, k3), D(n4, k4), D(n5, k5), D(n6, k6) }

const struct call_info call_infos[CALLS] = {
#define CALL(name, filter, ret, nr, params) [CALL_##name] = { #name, SOCKSHIM_##filter, params },
#define ALIAS(alias, name)
#define CHECKED(alias, name)
#include "interpose/calls.def"
};
