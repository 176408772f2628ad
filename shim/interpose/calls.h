/* calls.h - the interposed calls as numbers and descriptions, from calls.def. */
#ifndef SHIM_INTERPOSE_CALLS_H
#define SHIM_INTERPOSE_CALLS_H

#include "sockshim.h"

#define SOCKSHIM_NONE SOCKSHIM_FILTER_TYPES

enum call_id {
#define CALL(name, filter, ret, nr, params) CALL_##name,
#define ALIAS(alias, name)
#define CHECKED(alias, name)
#include "interpose/calls.def"
#undef CALL
#undef ALIAS
#undef CHECKED
	CALLS
};

/* How an argument is shown. */
enum call_arg {
	ARG_NONE, ARG_FD, ARG_INT, ARG_UINT, ARG_HEX, ARG_SIZE, ARG_PTR, ARG_STR, ARG_ADDR,
	ARG_FAMILY, ARG_SOCKTYPE, ARG_PROTOCOL, ARG_SOCKFLAGS, ARG_MSGFLAGS, ARG_HOW, ARG_LEVEL,
	ARG_OPTION, ARG_FCNTL,
};

#define CALL_ARGS_MAX 6

/* Names are arrays and not pointers, which the loader would have to relocate in every process. */
struct call_info {
	char name[16];
	enum sockshim_filter_type filter;	/* SOCKSHIM_NONE: no filter sees it */
	int n_args;
	struct { char name[12]; enum call_arg kind; } args[CALL_ARGS_MAX];
};

/* Indexed by enum call_id. */
extern const struct call_info call_infos[CALLS];

#endif
