/* fault_language.c - each sentence of the language: a call that it is about, and one that it is not. */
#include "fault_rules.h"

#include <errno.h>
#include <netdb.h>

#define MS 1000000ull

static struct rules r;

static struct fault_call to(struct fault_call call, const struct address *peer)
{
	call.peer = &peer->sa;
	call.peer_len = peer->len;
	return call;
}

static struct fault_call of_family(struct fault_call call, int family, int type)
{
	call.cookie = sockshim_cookie_make(family, type, 0);
	return call;
}

Test(fault_language, fail_connect_to_prefix_and_port_on_3rd)
{
	struct address redis = address_of("127.9.9.9:6379"), other = address_of("127.0.0.1:6380"),
		       far = address_of("128.0.0.1:6379");
	struct fault_call hit = to(CALL(CONNECT, connect), &redis);
	struct fault_call port = to(CALL(CONNECT, connect), &other), host = to(CALL(CONNECT, connect), &far);
	struct fault_verdict v;

	rules_good(&r, "fail connect with ECONNREFUSED to 127.0.0.0/8:6379 on 3rd");
	for (int i = 1; i <= 5; i++) {
		cr_assert_not(rules_fire(&r, &port));
		cr_assert_not(rules_fire(&r, &host));
		v = rules_decide(&r, &hit);
		cr_assert_eq(v.fired[FAULT_FAIL] != NULL, i == 3, "call %d", i);
		cr_assert_eq(v.err, i == 3 ? ECONNREFUSED : 0);
		cr_assert_not(v.late);
	}
	cr_assert_eq(r.counts[1].matched, 5);
	cr_assert_eq(r.counts[1].fired, 1);
}

Test(fault_language, fail_accept_every_10th)
{
	struct fault_call accept4_call = CALL(ACCEPT, accept4);

	rules_good(&r, "fail accept with EMFILE every 10th");
	for (int i = 1; i <= 40; i++) {
		struct fault_verdict v = rules_decide(&r, &accept4_call);

		cr_assert_eq(v.err, i % 10 ? 0 : EMFILE, "call %d", i);
	}
}

Test(fault_language, fail_socket_of_a_family)
{
	static const char text[] = "fail socket with EAFNOSUPPORT family inet6";

	cr_assert(fires(text, of_family(CALL(SOCKET, socket), AF_INET6, SOCK_STREAM)));
	cr_assert_not(fires(text, of_family(CALL(SOCKET, socket), AF_INET, SOCK_STREAM)));
}

Test(fault_language, fail_resolve_with_half_probability)
{
	struct fault_call call = CALL(RESOLVE, getaddrinfo);
	int fired = 0;

	rules_good(&r, "fail resolve with EAI_AGAIN probability 50%");
	for (int i = 0; i < 10000; i++) {
		struct fault_verdict v = rules_decide(&r, &call);

		cr_assert_eq(v.err, v.fired[FAULT_FAIL] ? EAI_AGAIN : 0);
		fired += v.fired[FAULT_FAIL] != NULL;
	}
	cr_assert(fired > 4850 && fired < 5150, "%d", fired);	/* three standard deviations */
}

Test(fault_language, delay_connect_by_a_range)
{
	struct fault_call call = CALL(CONNECT, connect);
	uint64_t least = UINT64_MAX, most = 0;
	int fired = 0;

	rules_good(&r, "delay connect by 200ms..2s probability 10%");
	for (int i = 0; i < 10000; i++) {
		struct fault_verdict v = rules_decide(&r, &call);

		if (!v.fired[FAULT_DELAY]) {
			cr_assert_eq(v.delay_ns, 0);
			continue;
		}
		fired++;
		least = v.delay_ns < least ? v.delay_ns : least;
		most = v.delay_ns > most ? v.delay_ns : most;
	}
	cr_assert(fired > 910 && fired < 1090, "%d", fired);
	cr_assert(least >= 200 * MS && least < 220 * MS, "%lu", least);
	cr_assert(most <= 2000 * MS && most > 1980 * MS, "%lu", most);
}

Test(fault_language, short_send_to_each_size_of_a_range)
{
	struct fault_call call = CALL(SEND, write);
	unsigned seen[18] = { 0 };
	int fired = 0;

	rules_good(&r, "short send to 1..16 probability 5%");
	for (int i = 0; i < 20000; i++) {
		struct fault_verdict v = rules_decide(&r, &call);

		cr_assert_leq(v.short_bytes, 16);
		cr_assert_eq(v.short_bytes == 0, v.fired[FAULT_SHORT] == NULL);
		seen[v.short_bytes]++;
		fired += v.fired[FAULT_SHORT] != NULL;
	}
	cr_assert(fired > 900 && fired < 1100, "%d", fired);
	for (int i = 1; i <= 16; i++)
		cr_assert(seen[i] > 30, "size %d: %u times", i, seen[i]);
}

Test(fault_language, reset_recv_after_bytes)
{
	struct fault_call call = CALL(RECV, read);

	rules_good(&r, "reset recv after 64KiB");
	call.tx_bytes = 1 << 20;	/* what was sent does not count */
	call.rx_bytes = 65535;
	cr_assert_not(rules_fire(&r, &call));
	call.rx_bytes = 65536;
	cr_assert(rules_decide(&r, &call).fired[FAULT_RESET]);
	cr_assert_eq(r.counts[1].matched, 1);
}

Test(fault_language, fail_close_of_a_program_on_1st)
{
	struct fault_call call = CALL(CLOSE, close);

	rules_good(&r, "fail close with EIO program nginx* on 1st");
	cr_assert_not(rules_fire(&r, &call));
	r.program = "nginx-worker";
	cr_assert_eq(rules_decide(&r, &call).err, EIO);
	cr_assert_not(rules_fire(&r, &call));
	r.program = NULL;
	cr_assert_not(rules_fire(&r, &call));
}

Test(fault_language, call_a_function)
{
	struct fault_call call = CALL(CONNECT, connect);
	const struct fault_rule *rule;

	rules_good(&r, "call connect ./filters.so:deny(ip: cstr, port: u16, fd: i32) -> errno");
	rule = rules_decide(&r, &call).fired[FAULT_CALL];
	cr_assert(rule);
	cr_assert_str_eq(fault_rule_object(rule), "./filters.so");
	cr_assert_str_eq(fault_rule_symbol(rule), "deny");
	cr_assert_str_eq(fault_rule_signature(rule), "(ip: cstr, port: u16, fd: i32) -> errno");
	cr_assert_not(fault_rule_after(rule));
}

Test(fault_language, call_after_with_conditions_behind_the_signature)
{
	struct address peer = address_of("[::1]:80");
	struct fault_call call = to(CALL(CONNECT, connect), &peer), none = CALL(CONNECT, connect);
	const struct fault_rule *rule;

	rules_good(&r, "call after connect \"/opt/my filters/a:b.so\":seen( result: i64 )->void to [::1]:80 first 1");
	cr_assert_not(rules_fire(&r, &none));
	rule = rules_decide(&r, &call).fired[FAULT_CALL_AFTER];
	cr_assert(rule);
	cr_assert_str_eq(fault_rule_object(rule), "/opt/my filters/a:b.so");
	cr_assert_str_eq(fault_rule_symbol(rule), "seen");
	cr_assert_str_eq(fault_rule_signature(rule), "( result: i64 )->void");
	cr_assert(fault_rule_after(rule));
	cr_assert_not(rules_fire(&r, &call));
}

Test(fault_language, the_last_colon_ends_the_object)
{
	rules_good(&r, "call connect ./a:b.so:f() -> void");
	cr_assert_str_eq(fault_rule_object(fault_set_rule(r.set, 0)), "./a:b.so");
	cr_assert_str_eq(fault_rule_symbol(fault_set_rule(r.set, 0)), "f");
}

Test(fault_language, fail_connect_late)
{
	struct fault_call call = CALL(CONNECT, connect);
	struct fault_verdict v;

	rules_good(&r, "fail connect late with ETIMEDOUT");
	v = rules_decide(&r, &call);
	cr_assert_eq(v.err, ETIMEDOUT);
	cr_assert(v.late);
}

Test(fault_language, drop_and_corrupt)
{
	struct fault_call send_call = CALL(SEND, sendto), recv_call = CALL(RECV, recvfrom);
	uint64_t first;

	rules_good(&r, "drop send type dgram every 2nd\ncorrupt recv\ncorrupt send on 9th");
	send_call = of_family(send_call, AF_INET6, SOCK_DGRAM);
	cr_assert_not(rules_fire(&r, &send_call));
	cr_assert(rules_decide(&r, &send_call).fired[FAULT_DROP]);
	first = rules_decide(&r, &recv_call).corrupt;
	cr_assert_neq(first, 0);
	cr_assert_neq(rules_decide(&r, &recv_call).corrupt, first);
}

Test(fault_language, usual_errors)
{
	static const struct { const char *text; enum sockshim_filter_type t; int err; } usual[] = {
		{ "fail socket", SOCKSHIM_SOCKET, EMFILE },
		{ "fail connect", SOCKSHIM_CONNECT, ECONNREFUSED },
		{ "fail listen", SOCKSHIM_LISTEN, EADDRINUSE },
		{ "fail accept", SOCKSHIM_ACCEPT, ECONNABORTED },
		{ "fail close", SOCKSHIM_CLOSE, EIO },
		{ "fail bind", SOCKSHIM_BIND, EADDRINUSE },
		{ "fail shutdown", SOCKSHIM_SHUTDOWN, ENOTCONN },
		{ "fail setsockopt", SOCKSHIM_SETSOCKOPT, ENOPROTOOPT },
		{ "fail send", SOCKSHIM_SEND, ECONNRESET },
		{ "fail recv", SOCKSHIM_RECV, ECONNRESET },
		{ "fail resolve", SOCKSHIM_RESOLVE, EAI_AGAIN },
	};

	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++) {
		struct fault_call call = call_of(usual[i].t, "x");

		rules_good(&r, usual[i].text);
		cr_assert_eq(rules_decide(&r, &call).err, usual[i].err, "%s", usual[i].text);
	}
}

Test(fault_language, every_type_of_call)
{
	static const char *const names[SOCKSHIM_FILTER_TYPES] = {
		"socket", "connect", "listen", "accept", "getsockopt", "close", "bind", "shutdown",
		"setsockopt", "send", "recv", "poll", "resolve",
	};

	for (int t = 0; t < SOCKSHIM_FILTER_TYPES; t++) {
		char text[64];

		snprintf(text, sizeof(text), "delay %s by 1ms", names[t]);
		for (int other = 0; other < SOCKSHIM_FILTER_TYPES; other++)
			cr_assert_eq(fires(text, call_of((enum sockshim_filter_type)other, "x")), t == other, "%s", text);
	}
}

Test(fault_language, one_exact_call)
{
	cr_assert(fires("fail sendto", CALL(SEND, sendto)));
	cr_assert_not(fires("fail sendto", CALL(SEND, sendmsg)));
	cr_assert(fires("fail send", CALL(SEND, sendto)));
	cr_assert(fires("fail accept4", CALL(ACCEPT, accept4)));
	cr_assert_not(fires("fail accept4", CALL(ACCEPT, accept)));
	cr_assert(fires("delay epoll_wait by 1s", CALL(POLL, epoll_wait)));
	cr_assert_not(fires("delay epoll_wait by 1s", CALL(POLL, poll)));
	cr_assert(fires("fail getaddrinfo", CALL(RESOLVE, getaddrinfo)));
	cr_assert_not(fires("fail sendto", call_of(SOCKSHIM_SEND, NULL)));
}

Test(fault_language, family)
{
	struct fault_call none = CALL(POLL, poll);

	cr_assert(fires("fail bind family inet4", of_family(CALL(BIND, bind), AF_INET, SOCK_DGRAM)));
	cr_assert_not(fires("fail bind family inet4", of_family(CALL(BIND, bind), AF_INET6, SOCK_DGRAM)));
	cr_assert(fires("fail bind family local", of_family(CALL(BIND, bind), AF_UNIX, SOCK_DGRAM)));
	cr_assert(fires("fail bind family unix", of_family(CALL(BIND, bind), AF_UNIX, SOCK_DGRAM)));
	cr_assert(fires("fail bind family 16", of_family(CALL(BIND, bind), AF_NETLINK, SOCK_RAW)));
	cr_assert_not(fires("fail bind family 16", of_family(CALL(BIND, bind), AF_UNIX, SOCK_RAW)));
	none.has_socket = false;
	cr_assert_not(fires("delay poll by 1s family inet4", none));
}

Test(fault_language, type)
{
	cr_assert(fires("fail bind type stream", of_family(CALL(BIND, bind), AF_INET, SOCK_STREAM | SOCK_CLOEXEC)));
	cr_assert_not(fires("fail bind type stream", of_family(CALL(BIND, bind), AF_INET, SOCK_DGRAM)));
	cr_assert(fires("fail bind type dgram", of_family(CALL(BIND, bind), AF_INET, SOCK_DGRAM | SOCK_NONBLOCK)));
	cr_assert(fires("fail bind type raw", of_family(CALL(BIND, bind), AF_INET, SOCK_RAW)));
	cr_assert(fires("fail bind type seqpacket", of_family(CALL(BIND, bind), AF_UNIX, SOCK_SEQPACKET)));
}

Test(fault_language, from)
{
	struct address local = address_of("10.1.2.3:443");
	struct fault_call call = CALL(ACCEPT, accept);

	call.local = &local.sa;
	call.local_len = local.len;
	cr_assert(fires("fail accept from :443", call));
	cr_assert(fires("fail accept from 10.0.0.0/8", call));
	cr_assert_not(fires("fail accept from :80", call));
	cr_assert_not(fires("fail accept from :443", CALL(ACCEPT, accept)));
}

Test(fault_language, thread_by_name_and_number)
{
	struct fault_call nameless = CALL(SEND, send);

	cr_assert(fires("fail send thread worker-*", CALL(SEND, send)));
	cr_assert_not(fires("fail send thread main", CALL(SEND, send)));
	cr_assert(fires("fail send thread 77", CALL(SEND, send)));
	cr_assert_not(fires("fail send thread 78", CALL(SEND, send)));
	nameless.thread = NULL;
	cr_assert_not(fires("fail send thread *", nameless));
}

Test(fault_language, name_of_the_host)
{
	struct fault_call call = CALL(RESOLVE, getaddrinfo);

	call.host = "WWW.Example.com";
	cr_assert(fires("fail resolve name *.example.com", call));
	cr_assert(fires("fail resolve name www.EXAMPLE.com", call));
	cr_assert_not(fires("fail resolve name *.example.org", call));
	call.host = NULL;
	cr_assert_not(fires("fail resolve name *", call));
}

static bool site(const struct fault_call *call, const char *module, const char *function)
{
	return !strcmp(module, "libcurl.so.4") && (!function || !strcmp(function, "connect_to"));
}

Test(fault_language, call_site)
{
	struct fault_call call = CALL(CONNECT, connect);

	cr_assert_not(fires("fail connect at libcurl.so.4", call));	/* nobody to ask */
	call.from_site = site;
	cr_assert(fires("fail connect at libcurl.so.4", call));
	cr_assert_not(fires("fail connect at libssl.so.3", call));
	cr_assert(fires("fail connect at libcurl.so.4:connect_to", call));
	cr_assert_not(fires("fail connect at libcurl.so.4:other", call));
}

Test(fault_language, within_a_time)
{
	struct fault_call call = CALL(CONNECT, connect);

	call.age_ns = 10000 * MS;
	cr_assert(fires("fail connect within the first 10s", call));
	cr_assert(fires("fail connect within first 10000ms", call));
	cr_assert(fires("fail connect within 10s", call));
	call.age_ns++;
	cr_assert_not(fires("fail connect within the first 10s", call));
}

Test(fault_language, after_bytes_counts_what_the_call_moves)
{
	struct fault_call send_call = CALL(SEND, send), close_call = CALL(CLOSE, close);

	send_call.rx_bytes = 20000000;
	cr_assert_not(fires("fail send after 10MB", send_call));
	send_call.tx_bytes = 10000000;
	cr_assert(fires("fail send after 10MB", send_call));
	close_call.rx_bytes = close_call.tx_bytes = 50;
	cr_assert(fires("fail close after 100 bytes", close_call));
	cr_assert(fires("fail close after 100B", close_call));
	cr_assert_not(fires("fail close after 101 bytes", close_call));
}

Test(fault_language, conditions_in_any_order)
{
	struct address peer = address_of("10.0.0.1:80");
	struct fault_call hit = to(CALL(CONNECT, connect), &peer), miss = CALL(CONNECT, connect);
	static const char *const texts[] = {
		"fail connect with ETIMEDOUT to 10.0.0.1:80 type stream program p* on 1st",
		"fail connect on 1st program p* type stream to 10.0.0.1:80 with ETIMEDOUT",
		"fail connect type stream with ETIMEDOUT program p* on 1st to 10.0.0.1:80",
	};

	for (int i = 0; i < 3; i++) {
		rules_good(&r, texts[i]);
		cr_assert_not(rules_fire(&r, &miss));
		cr_assert_eq(rules_decide(&r, &hit).err, ETIMEDOUT);
		cr_assert_not(rules_fire(&r, &hit));
	}
}

Test(fault_language, first_to_of_short_is_a_size_the_second_an_address)
{
	struct address peer = address_of("10.0.0.1:80");
	struct fault_call hit = to(CALL(SEND, send), &peer), miss = CALL(SEND, send);

	rules_good(&r, "short send to 4KiB to 10.0.0.0/8");
	cr_assert_eq(rules_decide(&r, &hit).short_bytes, 4096);
	cr_assert_not(rules_fire(&r, &miss));
	rules_good(&r, "short recv on 1st to 7");
	hit.type = SOCKSHIM_RECV;
	cr_assert_eq(rules_decide(&r, &hit).short_bytes, 7);
}

Test(fault_language, comments_blanks_and_line_ends)
{
	struct fault_call call = CALL(CONNECT, connect);

	rules_good(&r, "# all of it\n\n \t \r\n  fail\tconnect  with   EINTR   # why\r\nfail close #\nfail bind");
	cr_assert_eq(fault_set_count(r.set), 3);
	cr_assert_str_eq(fault_rule_text(fault_set_rule(r.set, 0)), "fail\tconnect  with   EINTR");
	cr_assert_str_eq(fault_rule_text(fault_set_rule(r.set, 1)), "fail close");
	cr_assert_str_eq(fault_rule_text(fault_set_rule(r.set, 2)), "fail bind");
	cr_assert_null(fault_set_rule(r.set, 3));
	cr_assert_eq(rules_decide(&r, &call).err, EINTR);
}

Test(fault_language, a_hash_within_a_word_or_quotes_is_no_comment)
{
	struct address a = address_of("unix:/tmp/a#b"), b = address_of("unix:/tmp/c #\"d");

	cr_assert(fires("fail connect to unix:/tmp/a#b", to(CALL(CONNECT, connect), &a)));
	cr_assert(fires("fail connect to unix:\"/tmp/c #\\\"d\"", to(CALL(CONNECT, connect), &b)));
}

Test(fault_language, nothing_at_all)
{
	struct fault_call call = CALL(CONNECT, connect);

	rules_good(&r, "");
	cr_assert_eq(fault_set_count(r.set), 0);
	cr_assert_not(rules_fire(&r, &call));
	cr_assert_eq(fault_set_armed(r.set, "x"), 0);
}

Test(fault_language, the_examples_of_the_manual)
{
	FILE *f = fopen(SOURCE_DIR "/shim/fault/sockshim-rules.5", "r");
	char line[256];
	int n = 0;

	cr_assert(f);
	while (fgets(line, sizeof(line), f)) {
		if (strncmp(line, ".Dl ", 4) != 0)
			continue;
		rules_good(&r, line + 4);
		n++;
	}
	fclose(f);
	cr_assert_eq(n, 12);
}
