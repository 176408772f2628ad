/* fault_parse.c - any bytes as rules. What is taken must fit the memory that was asked for, say of itself
 * what it was, be taken again from that text, and decide on any call. */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "fault/fault.h"

#define MESSAGES 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(bool condition)
{
	if (!condition)
		abort();
}

static bool from_site(const struct fault_call *call, const char *module, const char *function)
{
	return strlen(module) > 0 && (!function || strlen(function) > 0);
}

static void decide(const struct fault_set *set)
{
	static struct run_rule_count counts[RUN_RULES];
	struct sockaddr_in6 peer = { .sin6_family = AF_INET6, .sin6_port = htons(80) };
	struct sockaddr_un local = { .sun_family = AF_UNIX, .sun_path = "/run/x.sock" };
	struct fault_call call = {
		.name = "sendto", .has_socket = true, .cookie = sockshim_cookie_make(AF_INET6, SOCK_STREAM, 0),
		.peer = (struct sockaddr *)&peer, .peer_len = sizeof(peer),
		.local = (struct sockaddr *)&local, .local_len = sizeof(local),
		.host = "www.example.org", .thread = "worker", .tid = 5, .rx_bytes = 1 << 20, .tx_bytes = 1 << 20,
		.age_ns = 5, .from_site = from_site,
	};
	struct fault_verdict v;

	memset(counts, 0, sizeof(counts));
	for (int t = 0; t < SOCKSHIM_FILTER_TYPES; t++) {
		call.type = (enum sockshim_filter_type)t;
		for (int i = 0; i < 4; i++) {
			bool fired = fault_decide(set, &call, "nginx", 1, counts, &v);

			if (v.fired[FAULT_SHORT])
				check(v.short_bytes > 0);
			if (v.fired[FAULT_FAIL])
				check(v.err != 0);
			check(!fired || fault_set_armed(set, "nginx") & 1u << t);
		}
	}
}

/* Parses into memory of just the size that is asked for; the text is gone afterwards. */
static struct fault_set *parse(const void *data, size_t n, bool numbered, void **mem)
{
	struct fault_error err[MESSAGES];
	size_t n_err = 0;
	struct fault_set *set;
	char *text = malloc(n + !n);

	memcpy(text, data, n);
	*mem = malloc(fault_set_bytes(n));
	set = fault_parse(*mem, text, n, numbered, 1, err, MESSAGES, &n_err);
	free(text);
	check(n_err <= MESSAGES && (set || n_err));
	for (size_t i = 0; i < n_err; i++) {
		check(err[i].line > 0 && err[i].column > 0 && err[i].text[0]);
		check(strnlen(err[i].text, sizeof(err[i].text)) < sizeof(err[i].text));
	}
	check(set ? !n_err || err[0].warning : !err[0].warning);
	return set;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	bool numbered = n && data[0] >= '0' && data[0] <= '9';
	void *mem, *again;
	struct fault_set *set = parse(data, n, numbered, &mem);

	for (size_t i = 0; set && i < fault_set_count(set); i++) {
		const struct fault_rule *rule = fault_set_rule(set, i);
		const char *text = fault_rule_text(rule);
		struct fault_set *one = parse(text, strlen(text), false, &again);

		check(fault_rule_number(rule) > 0 && fault_rule_number(rule) < RUN_RULES);
		check(one && fault_set_count(one) == 1);
		check(!strcmp(fault_rule_text(fault_set_rule(one, 0)), text));
		if (fault_rule_object(rule))
			check(fault_rule_symbol(rule)[0] && fault_rule_signature(rule)[0] == '(');
		free(again);
	}
	if (set)
		decide(set);
	free(mem);
	return 0;
}
