/* fault_decide.c - when rules fire: counts, chance, order, and that it repeats. */
#include "fault_rules.h"

#include <errno.h>

#include "fault/rule.h"

static struct rules r, other;

/* Which of the calls 1..n fire, as a string of '.' and '!'. */
static const char *pattern(const char *text, int n)
{
	static char out[256];
	struct fault_call call = CALL(CONNECT, connect);

	rules_good(&r, text);
	for (int i = 0; i < n; i++)
		out[i] = rules_fire(&r, &call) ? '!' : '.';
	out[n] = 0;
	return out;
}

Test(fault_decide, counts)
{
	cr_assert_str_eq(pattern("fail connect", 5), "!!!!!");
	cr_assert_str_eq(pattern("fail connect on 1st", 5), "!....");
	cr_assert_str_eq(pattern("fail connect on 3", 5), "..!..");
	cr_assert_str_eq(pattern("fail connect on 2nd..4th", 6), ".!!!..");
	cr_assert_str_eq(pattern("fail connect every 2nd", 6), ".!.!.!");
	cr_assert_str_eq(pattern("fail connect every 1", 3), "!!!");
	cr_assert_str_eq(pattern("fail connect every 3", 7), "..!..!.");
	cr_assert_str_eq(pattern("fail connect after 2 calls", 5), "..!!!");
	cr_assert_str_eq(pattern("fail connect after 1 call", 3), ".!!");
	cr_assert_str_eq(pattern("fail connect after 0 calls", 3), "!!!");
	cr_assert_str_eq(pattern("fail connect first 2", 5), "!!...");
}

Test(fault_decide, counts_together)
{
	cr_assert_str_eq(pattern("fail connect every 2nd first 2", 8), ".!.!....");
	cr_assert_str_eq(pattern("fail connect after 2 calls first 2", 6), "..!!..");
	cr_assert_str_eq(pattern("fail connect after 2 calls on 2nd", 6), "...!..");
	cr_assert_str_eq(pattern("fail connect after 1 call every 3rd", 8), "...!..!.");
	cr_assert_str_eq(pattern("fail connect on 3rd..9th every 2nd", 12), "...!.!.!....");
}

Test(fault_decide, every_n_without_division_is_every_n)
{
	static const uint64_t more[] = { 1, 2, 3, UINT64_MAX, UINT64_MAX - 1, 1ull << 63, 1ull << 40, 6700417, 3ull << 62 };

	for (uint64_t n = 1; n <= 1000; n++) {
		struct fault_every e = fault_every_make(n);

		for (uint64_t x = 0; x < 3000; x++)
			cr_assert_eq(fault_every_divides(&e, x), x % n == 0, "%lu %% %lu", x, n);
	}
	for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++) {
		struct fault_every e = fault_every_make(more[i]);

		for (size_t j = 0; j < sizeof(more) / sizeof(more[0]); j++)
			cr_assert_eq(fault_every_divides(&e, more[j]), more[j] % more[i] == 0, "%lu %% %lu", more[j], more[i]);
		cr_assert_not(fault_every_divides(&e, more[i] + 1) && more[i] + 1 && more[i] > 1);
	}
}

/* How many of n calls fire. */
static int count(const char *text, int n, uint64_t seed)
{
	struct fault_call call = CALL(CONNECT, connect);
	int fired = 0;

	rules_good(&r, text);
	r.seed = seed;
	for (int i = 0; i < n; i++)
		fired += rules_fire(&r, &call);
	cr_assert_eq(r.counts[1].fired, (uint64_t)fired);
	return fired;
}

Test(fault_decide, probabilities)
{
	/* within four standard deviations, for fixed seeds */
	for (uint64_t seed = 0; seed < 20; seed++) {
		int n = count("fail connect probability 50%", 10000, seed);

		cr_assert(n > 4800 && n < 5200, "seed %lu: %d", seed, n);
		n = count("fail connect probability 0.05", 10000, seed);
		cr_assert(n > 412 && n < 588, "seed %lu: %d", seed, n);
		n = count("fail connect probability 0.5%", 20000, seed);
		cr_assert(n > 60 && n < 140, "seed %lu: %d", seed, n);
		n = count("fail connect probability 0.005", 20000, seed);
		cr_assert(n > 60 && n < 140, "seed %lu: %d", seed, n);
	}
	cr_assert_eq(count("fail connect probability 100%", 1000, 1), 1000);
	cr_assert_eq(count("fail connect probability 1", 1000, 1), 1000);
	cr_assert_eq(count("fail connect probability 1.0", 1000, 1), 1000);
}

Test(fault_decide, neighbours_are_independent)
{
	struct fault_call call = CALL(CONNECT, connect);
	int same = 0, both = 0;

	/* two rules, and two calls in a row, are no more often alike than coins are */
	rules_good(&r, "fail connect probability 50%\ndelay connect by 1s probability 50%");
	for (int i = 0, last = 0; i < 10000; i++) {
		struct fault_verdict v = rules_decide(&r, &call);
		int now = v.fired[FAULT_FAIL] != NULL;

		both += now == (v.fired[FAULT_DELAY] != NULL);
		same += now == last;
		last = now;
	}
	cr_assert(both > 4800 && both < 5200, "%d", both);
	cr_assert(same > 4800 && same < 5200, "%d", same);
}

Test(fault_decide, the_same_seed_gives_the_same_faults)
{
	struct fault_call call = CALL(CONNECT, connect);
	int differ = 0;

	rules_good(&r, "delay connect by 1ms..1h probability 30%");
	rules_good(&other, "delay connect by 1ms..1h probability 30%");
	for (int i = 0; i < 1000; i++)
		cr_assert_eq(rules_decide(&r, &call).delay_ns, rules_decide(&other, &call).delay_ns);
	memset(other.counts, 0, sizeof(other.counts));
	memset(r.counts, 0, sizeof(r.counts));
	other.seed++;
	for (int i = 0; i < 1000; i++)
		differ += rules_fire(&r, &call) != rules_fire(&other, &call);
	cr_assert(differ > 300, "%d", differ);
}

/* A change of these values changes what a seed that somebody has written down stands for. */
Test(fault_decide, what_a_seed_stands_for)
{
	cr_assert_str_eq(pattern("fail connect probability 50%", 40), ".!.!..!...!...!.!.!.....!...!!!!.!!!..!!");
}

Test(fault_decide, a_rule_does_not_depend_on_others)
{
	struct fault_call call = CALL(CONNECT, connect), noise = CALL(SEND, send), same = CALL(CONNECT, connect);

	same.cookie = sockshim_cookie_make(AF_INET6, SOCK_STREAM, 0);
	call.cookie = sockshim_cookie_make(AF_INET, SOCK_STREAM, 0);
	rules_good(&r, "fail connect family inet4 probability 30%");
	rules_good(&other, "fail connect family inet4 probability 30%\nfail connect family inet6 on 3rd..500th\n"
		   "delay connect by 1ms probability 50%\nfail send probability 50%");
	for (int i = 0; i < 1000; i++) {
		if (i % 3)
			rules_fire(&other, &noise);
		if (i % 7)
			rules_fire(&other, &same);
		cr_assert_eq(rules_decide(&r, &call).err, rules_decide(&other, &call).err);
	}
}

Test(fault_decide, first_rule_that_fires_wins_for_its_action)
{
	struct fault_call call = CALL(CONNECT, connect);
	static const int want[] = { EINTR, ETIMEDOUT, EACCES, EACCES };

	rules_good(&r, "fail connect with EINTR on 1st\nfail connect with ETIMEDOUT on 1st..2nd\nfail connect with EACCES");
	for (int i = 0; i < 4; i++)
		cr_assert_eq(rules_decide(&r, &call).err, want[i], "call %d", i + 1);
	for (int i = 1; i <= 3; i++)
		cr_assert_eq(r.counts[i].matched, 4);	/* a rule counts calls that another took */
	cr_assert_eq(r.counts[1].fired, 1);
	cr_assert_eq(r.counts[2].fired, 1);
	cr_assert_eq(r.counts[3].fired, 2);
}

Test(fault_decide, a_rule_that_did_not_win_has_not_used_up_its_first_n)
{
	struct fault_call call = CALL(CONNECT, connect);
	static const int want[] = { EINTR, EINTR, ETIMEDOUT, ETIMEDOUT, 0 };

	rules_good(&r, "fail connect with EINTR first 2\nfail connect with ETIMEDOUT first 2");
	for (int i = 0; i < 5; i++)
		cr_assert_eq(rules_decide(&r, &call).err, want[i], "call %d", i + 1);
}

Test(fault_decide, different_actions_on_one_call)
{
	struct fault_call call = CALL(SEND, send);
	struct fault_verdict v;

	rules_good(&r, "delay send by 5ms\nshort send to 3\ncorrupt send\ncall send a.so:f() -> errno\n"
		   "call after send a.so:g() -> errno");
	v = rules_decide(&r, &call);
	cr_assert_eq(v.delay_ns, 5000000);
	cr_assert_eq(v.short_bytes, 3);
	cr_assert(v.fired[FAULT_CORRUPT] && v.fired[FAULT_DELAY] && v.fired[FAULT_SHORT]);
	cr_assert_eq(v.fired[FAULT_CALL], fault_set_rule(r.set, 3));
	cr_assert_eq(v.fired[FAULT_CALL_AFTER], fault_set_rule(r.set, 4));
	for (int i = 1; i <= 5; i++)
		cr_assert_eq(r.counts[i].fired, 1);
}

Test(fault_decide, one_end_for_a_call)
{
	struct fault_call call = CALL(SEND, send);
	struct fault_verdict v;

	rules_good(&r, "short send to 3\nreset send every 2nd\nfail send with EPIPE\ncorrupt send\ndrop send\n"
		   "call after send a.so:g() -> errno\ndelay send by 1s\ncall send a.so:f() -> errno");
	v = rules_decide(&r, &call);
	cr_assert(v.fired[FAULT_FAIL] && v.fired[FAULT_DELAY] && v.fired[FAULT_CALL]);
	cr_assert(!v.fired[FAULT_RESET] && !v.fired[FAULT_SHORT] && !v.fired[FAULT_CORRUPT] && !v.fired[FAULT_DROP]);
	cr_assert_not(v.fired[FAULT_CALL_AFTER]);
	cr_assert(v.short_bytes == 0 && v.corrupt == 0 && v.err == EPIPE);
	v = rules_decide(&r, &call);
	cr_assert(v.fired[FAULT_RESET] && !v.fired[FAULT_FAIL] && !v.fired[FAULT_DROP]);
	cr_assert_eq(v.err, 0);
	cr_assert_eq(r.counts[1].fired, 0);	/* what is not done is not counted */
	cr_assert_eq(r.counts[2].fired, 1);
	cr_assert_eq(r.counts[3].fired, 1);
	cr_assert_eq(r.counts[5].matched, 2);
	cr_assert_eq(r.counts[5].fired, 0);
}

Test(fault_decide, probability_zero_does_nothing)
{
	struct fault_call call = CALL(CONNECT, connect);

	rules_good(&r, "fail connect probability 0%\ndelay connect by 1s to :80 at x probability 0\nfail bind probability 0.0");
	cr_assert_eq(fault_set_armed(r.set, "prog"), 0);
	cr_assert_eq(fault_set_needs(r.set, SOCKSHIM_CONNECT), 0);
	cr_assert_not(rules_fire(&r, &call));
	cr_assert_eq(r.counts[1].matched, 0);
	cr_assert_eq(fault_set_count(r.set), 3);	/* they are listed all the same */
}

Test(fault_decide, tiny_probability_is_not_zero)
{
	rules_good(&r, "fail connect probability 0.00000000000000001%");
	cr_assert_eq(fault_set_armed(r.set, "prog"), 1u << SOCKSHIM_CONNECT);
}

Test(fault_decide, armed_types_of_a_program)
{
	rules_good(&r, "fail connect program nginx*\nfail close\nfail sendto\nfail recv program redis");
	cr_assert_eq(fault_set_armed(r.set, "nginx"), 1u << SOCKSHIM_CONNECT | 1u << SOCKSHIM_CLOSE | 1u << SOCKSHIM_SEND);
	cr_assert_eq(fault_set_armed(r.set, "redis"), 1u << SOCKSHIM_RECV | 1u << SOCKSHIM_CLOSE | 1u << SOCKSHIM_SEND);
}

Test(fault_decide, what_rules_need)
{
	rules_good(&r, "fail connect to :80\nfail bind from :80\nfail listen at x\nfail shutdown thread x\nfail accept thread 5\n"
		   "fail close within 5s\nfail send with EPIPE on 1st program x\nfail close to :80");
	cr_assert_eq(fault_set_needs(r.set, SOCKSHIM_CONNECT), FAULT_NEED_PEER);
	cr_assert_eq(fault_set_needs(r.set, SOCKSHIM_BIND), FAULT_NEED_LOCAL);
	cr_assert_eq(fault_set_needs(r.set, SOCKSHIM_LISTEN), FAULT_NEED_SITE);
	cr_assert_eq(fault_set_needs(r.set, SOCKSHIM_SHUTDOWN), FAULT_NEED_THREAD);
	cr_assert_eq(fault_set_needs(r.set, SOCKSHIM_ACCEPT), FAULT_NEED_THREAD);
	cr_assert_eq(fault_set_needs(r.set, SOCKSHIM_CLOSE), FAULT_NEED_TIME | FAULT_NEED_PEER);
	cr_assert_eq(fault_set_needs(r.set, SOCKSHIM_SEND), 0);
	cr_assert_eq(fault_set_needs(r.set, SOCKSHIM_FILTER_TYPES), 0);
}

Test(fault_decide, the_verdict_is_blank_when_nothing_fires)
{
	struct fault_call call = CALL(BIND, bind), odd = call_of(SOCKSHIM_FILTER_TYPES, "getsockname");
	struct fault_verdict v, zero = { 0 };

	rules_good(&r, "fail connect");
	memset(&v, 0xff, sizeof(v));
	cr_assert_not(fault_decide(r.set, &call, "x", 1, r.counts, &v));
	cr_assert(!v.fired[FAULT_FAIL] && v.err == 0 && v.delay_ns == 0 && v.short_bytes == 0 && !v.late);
	cr_assert_not(fault_decide(r.set, &odd, "x", 1, r.counts, &v));
	cr_assert_eq(v.corrupt, zero.corrupt);
}

Test(fault_decide, what_a_rule_is)
{
	const struct fault_rule *rule;

	rules_good(&r, "fail bind\n\ncall after sendto ./f.so:g() -> void");
	rule = fault_set_rule(r.set, 1);
	cr_assert_eq(fault_rule_number(rule), 2);
	cr_assert_eq(fault_rule_action(rule), FAULT_CALL_AFTER);
	cr_assert_eq(fault_rule_type(rule), SOCKSHIM_SEND);
	cr_assert(fault_rule_after(rule));
	cr_assert_null(fault_rule_object(fault_set_rule(r.set, 0)));
	cr_assert_not(fault_rule_after(fault_set_rule(r.set, 0)));
}
