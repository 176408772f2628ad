/* fault_rules.h - rules and calls for the tests of fault rules. */
#ifndef TESTS_FAULT_RULES_H
#define TESTS_FAULT_RULES_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "fault/fault.h"
#include "unit.h"

#define SEED 42
#define MESSAGES 8

/* A set of rules, what was said of them, and a process's counters. */
struct rules {
	void *mem;
	struct fault_set *set;
	struct fault_error err[MESSAGES];
	size_t n_err;
	struct run_rule_count counts[RUN_RULES];
	uint64_t seed;
	const char *program;
};

/* Reads rules in place of those before, from a copy of the text that is gone afterwards. The set's memory is
 * just as large as was asked. */
static inline void rules_read(struct rules *r, const char *text)
{
	size_t n = strlen(text);
	char *copy = malloc(n ? n : 1);

	free(r->mem);
	memset(r, 0, sizeof(*r));
	r->mem = malloc(fault_set_bytes(n));
	memcpy(copy, text, n);
	r->seed = SEED;
	r->program = "prog";
	r->set = fault_parse(r->mem, copy, n, false, 1, r->err, MESSAGES, &r->n_err);
	memset(copy, 'x', n);
	free(copy);
}

/* The same for rules that are right. */
static inline void rules_good(struct rules *r, const char *text)
{
	rules_read(r, text);
	cr_assert(r->set, "%u:%u: %s\n%s", r->err[0].line, r->err[0].column, r->err[0].text, text);
	cr_assert_eq(r->n_err, 0, "a warning: %s", r->err[0].text);
}

static inline struct fault_verdict rules_decide(struct rules *r, const struct fault_call *call)
{
	struct fault_verdict v;
	bool any, fired = fault_decide(r->set, call, r->program, r->seed, r->counts, &v);

	any = false;
	for (int i = 0; i < FAULT_ACTIONS; i++)
		any |= v.fired[i] != NULL;
	cr_assert_eq(any, fired);
	return v;
}

static inline bool rules_fire(struct rules *r, const struct fault_call *call)
{
	struct fault_verdict v;

	return fault_decide(r->set, call, r->program, r->seed, r->counts, &v);
}

/* Whether the only rule of a text fires on a call. */
static inline bool fires(const char *text, struct fault_call call)
{
	static struct rules r;

	rules_good(&r, text);
	return rules_fire(&r, &call);
}

static inline struct fault_call call_of(enum sockshim_filter_type t, const char *name)
{
	return (struct fault_call){
		.type = t, .name = name, .has_socket = t != SOCKSHIM_RESOLVE,
		.cookie = sockshim_cookie_make(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, IPPROTO_TCP),
		.thread = "worker-1", .tid = 77,
	};
}

#define CALL(TYPE, name) call_of(SOCKSHIM_##TYPE, #name)

/* A socket address from text: "1.2.3.4:80", "[::1]:80", "unix:/path", "unix:@abstract". */
struct address {
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
	};
	socklen_t len;
};

static inline struct address address_of(const char *text)
{
	struct address a = { .len = 0 };
	char host[64] = "";
	const char *colon = strrchr(text, ':');

	if (!strncmp(text, "unix:", 5)) {
		a.un.sun_family = AF_UNIX;
		memcpy(a.un.sun_path, text + 5, strlen(text + 5));
		a.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(text + 5));
		if (text[5] == '@')
			a.un.sun_path[0] = 0;
		else if (text[5])
			a.len++;
		return a;
	}
	cr_assert(colon);
	if (*text == '[') {
		memcpy(host, text + 1, (size_t)(colon - text) - 2);
		a.in6.sin6_family = AF_INET6;
		a.in6.sin6_port = htons((uint16_t)atoi(colon + 1));
		cr_assert_eq(inet_pton(AF_INET6, host, &a.in6.sin6_addr), 1);
		a.len = sizeof(a.in6);
		return a;
	}
	memcpy(host, text, (size_t)(colon - text));
	a.in.sin_family = AF_INET;
	a.in.sin_port = htons((uint16_t)atoi(colon + 1));
	cr_assert_eq(inet_pton(AF_INET, host, &a.in.sin_addr), 1);
	a.len = sizeof(a.in);
	return a;
}

#endif
