/* fault_names.c - the tables of names: complete, and in step with the interposed calls. */
#include "fault_rules.h"

#include <errno.h>
#include <netdb.h>

#include "fault/names.h"

#define SOCKSHIM_NONE SOCKSHIM_FILTER_TYPES

static const struct {
	const char *name;
	unsigned type;
} interposed[] = {
#define CALL_ROW(name, filter) { #name, SOCKSHIM_##filter },
#undef CALL
#define CALL(name, filter, ret, nr, params) CALL_ROW(name, filter)
#define ALIAS(alias, name)
#define CHECKED(alias, name)
#include "interpose/calls.def"
};

static struct fault_word word(const char *s)
{
	return (struct fault_word){ .s = s, .n = strlen(s), .column = 1 };
}

Test(fault_names, every_interposed_call_that_filters_see_can_be_named)
{
	for (size_t i = 0; i < sizeof(interposed) / sizeof(interposed[0]); i++) {
		struct fault_word w = word(interposed[i].name);
		const struct fault_call_name *call = fault_call_find(&w);

		if (interposed[i].type == SOCKSHIM_NONE) {
			cr_assert_null(call, "%s", interposed[i].name);
			continue;
		}
		cr_assert(call, "%s", interposed[i].name);
		cr_assert_eq(call->type, interposed[i].type, "%s", interposed[i].name);
	}
}

Test(fault_names, every_exact_call_is_interposed)
{
	const struct fault_call_name *call;

	for (size_t i = 0; (call = fault_call_at(i)); i++) {
		bool found = !call->exact;

		for (size_t j = 0; j < sizeof(interposed) / sizeof(interposed[0]); j++)
			found |= !strcmp(call->name, interposed[j].name);
		cr_assert(found, "%s", call->name);
	}
}

Test(fault_names, errnos)
{
	struct fault_word w;

	cr_assert_str_eq(fault_errno_name(ECONNREFUSED), "ECONNREFUSED");
	cr_assert_str_eq(fault_errno_name(EAGAIN), "EAGAIN");
	cr_assert_null(fault_errno_name(0));
	cr_assert_null(fault_errno_name(-1));
	cr_assert_null(fault_errno_name(4096));
	for (int err = 1; err <= EHWPOISON; err++) {
		if (!fault_errno_name(err))
			continue;
		w = word(fault_errno_name(err));
		cr_assert_eq(fault_errno_find(&w, false), err);
	}
	w = word("EWOULDBLOCK");
	cr_assert_eq(fault_errno_find(&w, false), EAGAIN);
	w = word("ENOTSUP");
	cr_assert_eq(fault_errno_find(&w, false), EOPNOTSUPP);
	w = word("EAI_AGAIN");
	cr_assert_eq(fault_errno_find(&w, false), 0);
}

Test(fault_names, eai_values)
{
	static const int values[] = { EAI_AGAIN, EAI_BADFLAGS, EAI_FAIL, EAI_FAMILY, EAI_MEMORY, EAI_NONAME,
		EAI_SERVICE, EAI_SOCKTYPE, EAI_SYSTEM, EAI_OVERFLOW, EAI_NODATA, EAI_ADDRFAMILY };

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct fault_word w;

		cr_assert(fault_eai_name(values[i]));
		w = word(fault_eai_name(values[i]));
		cr_assert_eq(fault_errno_find(&w, true), values[i]);
	}
	cr_assert_null(fault_eai_name(0));
	cr_assert_null(fault_eai_name(1));
}

Test(fault_names, errnos_of_calls)
{
	cr_assert(fault_errno_possible(SOCKSHIM_CONNECT, ECONNREFUSED));
	cr_assert_not(fault_errno_possible(SOCKSHIM_CONNECT, ESPIPE));
	cr_assert(fault_errno_possible(SOCKSHIM_ACCEPT, EMFILE));
	cr_assert_not(fault_errno_possible(SOCKSHIM_ACCEPT, ECONNREFUSED));
	cr_assert(fault_errno_possible(SOCKSHIM_RESOLVE, EAI_FAIL));
	for (int t = 0; t < SOCKSHIM_FILTER_TYPES; t++) {
		int err = fault_errno_default((enum sockshim_filter_type)t);

		cr_assert(!err || fault_errno_possible((enum sockshim_filter_type)t, err), "%d", t);
	}
	/* what calls on any descriptor may say */
	for (int t = SOCKSHIM_CONNECT; t < SOCKSHIM_RESOLVE; t++)
		cr_assert(fault_errno_possible((enum sockshim_filter_type)t, EBADF), "%d", t);
}

Test(fault_names, nearest)
{
	static const struct { const char *word, *nearest; } near[] = {
		{ "sned", "send" }, { "conect", "connect" }, { "CONNECT", "connect" }, { "recvfom", "recvfrom" },
		{ "epollwait", "epoll_wait" }, { "x", NULL }, { "open", NULL }, { "getsockoptions_and_more_of_it", NULL },
	};

	for (size_t i = 0; i < sizeof(near) / sizeof(near[0]); i++) {
		struct fault_word w = word(near[i].word);
		const char *n = fault_call_nearest(&w);

		cr_assert(near[i].nearest ? n && !strcmp(n, near[i].nearest) : !n, "%s: %s", near[i].word, n ? n : "-");
	}
}
