/* fault_errors.c - what is said of wrong rules: line, column, what was found and what was expected. */
#include "fault_rules.h"

#include <errno.h>

static struct rules r;

/* The only message about a text is an error, stands at line:column and says this. */
static void expect(const char *text, unsigned line, unsigned column, const char *said)
{
	rules_read(&r, text);
	cr_assert_null(r.set, "taken: %s", text);
	cr_assert_eq(r.n_err, 1, "%zu messages about: %s", r.n_err, text);
	cr_assert_not(r.err[0].warning);
	cr_assert(r.err[0].line == line && r.err[0].column == column, "%s: at %u:%u, not %u:%u: %s", text,
		  r.err[0].line, r.err[0].column, line, column, r.err[0].text);
	cr_assert(!strcmp(r.err[0].text, said), "%s:\nsaid:     %s\nexpected: %s", text, r.err[0].text, said);
}

Test(fault_errors, misspelt_words)
{
	expect("fial connect", 1, 1, "unknown action 'fial'; did you mean 'fail'?");
	expect("\n  fail conect", 2, 8, "unknown call 'conect'; did you mean 'connect'?");
	expect("fail connect with ECONREFUSED", 1, 19, "unknown errno 'ECONREFUSED'; did you mean 'ECONNREFUSED'?");
	expect("fail connect with econnrefused", 1, 19, "unknown errno 'econnrefused'; did you mean 'ECONNREFUSED'?");
	expect("fail connect with EWOULDBLOK", 1, 19, "unknown errno 'EWOULDBLOK'; did you mean 'EWOULDBLOCK'?");
	expect("fail resolve with EAI_AGIAN", 1, 19, "unknown EAI_ value 'EAI_AGIAN'; did you mean 'EAI_AGAIN'?");
	expect("fail connect proability 5%", 1, 14, "unknown condition 'proability'; did you mean 'probability'?");
	expect("fail bind family inet", 1, 18, "unknown family 'inet'; did you mean 'inet4'?");
	expect("fail bind type steram", 1, 16, "unknown type 'steram'; did you mean 'stream'?");
	expect("delay epol_wait by 1s", 1, 7, "unknown call 'epol_wait'; did you mean 'epoll_wait'?");
}

Test(fault_errors, unknown_words)
{
	expect("explode connect", 1, 1, "unknown action 'explode'; expected fail, delay, short, reset, drop, "
	       "corrupt or call");
	expect("fail open", 1, 6, "unknown call 'open'; expected socket, connect, accept, send, recv, close, "
	       "resolve ... or the name of one call such as sendto");
	expect("fail connect with EFOO", 1, 19, "unknown errno 'EFOO'; expected an errno such as ECONNREFUSED");
	expect("fail resolve with EFOO", 1, 19, "unknown EAI_ value 'EFOO'; expected an EAI_ value such as EAI_AGAIN");
	expect("fail connect sometimes", 1, 14, "unknown condition 'sometimes'; expected to, from, family, type, "
	       "program, thread, on, every, after, first, within, probability, at or name");
	expect("fail bind family 70000", 1, 18, "unknown family '70000'; expected inet4, inet6, local, unix or a number");
	expect("fail bind type x", 1, 16, "unknown type 'x'; expected stream, dgram, raw or seqpacket");
}

Test(fault_errors, lines_that_end_too_soon)
{
	expect("fail", 1, 5, "expected a call such as connect, found the end of the line");
	expect("call after", 1, 11, "expected a call such as connect, found the end of the line");
	expect("fail connect with  # what?", 1, 18, "expected an errno such as ECONNREFUSED, found the end of the line");
	expect("fail resolve with", 1, 18, "expected an error such as EAI_AGAIN, found the end of the line");
	expect("fail connect to", 1, 16, "expected an address, found the end of the line");
	expect("fail connect on", 1, 16, "expected an ordinal such as 3rd or 3rd..5th, found the end of the line");
	expect("fail connect every", 1, 19, "expected an ordinal such as 10th, found the end of the line");
	expect("fail connect after", 1, 19, "expected 'N calls' or a size such as 64KiB, found the end of the line");
	expect("fail connect first", 1, 19, "expected a number of faults, found the end of the line");
	expect("fail connect within the first", 1, 30, "expected a time such as 500ms or 10s, found the end of the line");
	expect("fail connect probability", 1, 25, "expected a probability such as 5%, 0.5% or 0.005, found the end of the line");
	expect("fail connect program", 1, 21, "expected a program's name or pattern, found the end of the line");
	expect("fail connect thread", 1, 20, "expected a thread's name, pattern or number, found the end of the line");
	expect("fail connect at", 1, 16, "expected MODULE or MODULE:FUNCTION, found the end of the line");
	expect("fail connect family", 1, 20, "expected inet4, inet6, local, unix or a number, found the end of the line");
	expect("fail connect type", 1, 18, "expected stream, dgram, raw or seqpacket, found the end of the line");
	expect("fail resolve name", 1, 18, "expected a host's name or pattern, found the end of the line");
	expect("delay connect", 1, 14, "expected 'by TIME' such as by 200ms, found the end of the line");
	expect("delay connect by", 1, 17, "expected a time such as 200ms or 200ms..2s, found the end of the line");
	expect("short send", 1, 11, "expected 'to BYTES' such as to 1..16, found the end of the line");
	expect("fail poll", 1, 10, "expected 'with ERRNO': 'poll' has no usual error");
	expect("fail getsockopt", 1, 16, "expected 'with ERRNO': 'getsockopt' has no usual error");
}

Test(fault_errors, numbers)
{
	expect("fail connect on third", 1, 17, "expected an ordinal such as 3rd or 3rd..5th, found 'third'");
	expect("fail connect on 3xd", 1, 17, "expected an ordinal such as 3rd or 3rd..5th, found '3xd'");
	expect("fail connect on 0th", 1, 17, "a count must be at least 1, found '0th'");
	expect("fail connect on 5th..2nd", 1, 17, "range '5th..2nd' ends before it begins");
	expect("fail connect on 5th..", 1, 17, "expected an ordinal such as 3rd or 3rd..5th, found '5th..'");
	expect("fail connect on 1.5", 1, 17, "expected an ordinal such as 3rd or 3rd..5th, found '1.5'");
	expect("fail connect every 0th", 1, 20, "a count must be at least 1, found '0th'");
	expect("fail connect first 0", 1, 20, "expected a number of faults, at least 1, found '0'");
	expect("fail connect first 3rd", 1, 20, "expected a number of faults, at least 1, found '3rd'");
	expect("delay connect by 200", 1, 21, "expected a unit after '200': ns, us, ms, s, m or h");
	expect("delay connect by 1s..2", 1, 23, "expected a unit after '2': ns, us, ms, s, m or h");
	expect("delay connect by 200mss", 1, 18, "expected a time such as 200ms or 200ms..2s, found '200mss'");
	expect("delay connect by 2s..1s", 1, 18, "range '2s..1s' ends before it begins");
	expect("delay connect by 999999999h", 1, 18, "time '999999999h' is too large");
	expect("delay connect by -1s", 1, 18, "expected a time such as 200ms or 200ms..2s, found '-1s'");
	expect("short send to 0", 1, 15, "a size must be at least 1, found '0'");
	expect("short send to 10.0.0.1", 1, 15, "expected a size in bytes such as 16, 1..16 or 4KiB, found '10.0.0.1'");
	expect("short send to 1.5", 1, 15, "expected a size in bytes such as 16, 1..16 or 4KiB, found '1.5'");
	expect("fail send after 64", 1, 19, "expected 'calls' or 'bytes' after '64', found the end of the line");
	expect("fail send after 64 on 1st", 1, 20, "expected 'calls' or 'bytes' after '64', found 'on'");
	expect("fail send after 64kb", 1, 17, "expected 'N calls' or a size such as 64KiB, found '64kb'");
	expect("fail send after 99999999999GiB", 1, 17, "size '99999999999GiB' is too large");
	expect("fail connect within 5", 1, 22, "expected a unit after '5': ns, us, ms, s, m or h");
	expect("fail connect probability 50", 1, 26, "probability '50' is more than 1; for per cent, put a % after it");
	expect("fail connect probability 101%", 1, 26, "probability '101%' is more than 100%");
	expect("fail connect probability half", 1, 26, "expected a probability such as 5%, 0.5% or 0.005, found 'half'");
	expect("fail connect probability -1%", 1, 26, "expected a probability such as 5%, 0.5% or 0.005, found '-1%'");
	expect("fail connect probability .5", 1, 26, "expected a probability such as 5%, 0.5% or 0.005, found '.5'");
	expect("fail connect probability 1.%", 1, 26, "expected a probability such as 5%, 0.5% or 0.005, found '1.%'");
	expect("fail connect thread 99999999999 on x", 1, 36, "expected an ordinal such as 3rd or 3rd..5th, found 'x'");
}

#define ADDRESS "expected an address such as 127.0.0.1, 10.0.0.0/8:80, [::1]:80, :80 or unix:/path, found "
#define PREFIX "expected a prefix length of 0 to 32 (IPv4) or 128 (IPv6), found "
#define PORT "expected a port or a range of ports such as 8000-8099, found "

Test(fault_errors, addresses)
{
	expect("fail connect to localhost", 1, 17, ADDRESS "'localhost'");
	expect("fail connect to 1.2.3", 1, 17, ADDRESS "'1.2.3'");
	expect("fail connect to 1.2.3.256:80", 1, 17, ADDRESS "'1.2.3.256'");
	expect("fail connect to [1::2::3]:80", 1, 18, ADDRESS "'1::2::3'");
	expect("fail connect to [::1]80", 1, 22, ADDRESS "'80'");
	expect("fail connect to *", 1, 17, ADDRESS "'*'");
	expect("fail connect to 1.2.3.4/33", 1, 25, PREFIX "'33'");
	expect("fail connect to 1.2.3.4/:80", 1, 25, PREFIX "the end of the line");
	expect("fail connect to ::1/129", 1, 21, PREFIX "'129'");
	expect("fail connect to [::1]/x:80", 1, 23, PREFIX "'x'");
	expect("fail connect to 1.2.3.4:99999", 1, 25, PORT "'99999'");
	expect("fail connect to :http", 1, 18, PORT "'http'");
	expect("fail connect to [::1]:", 1, 23, PORT "the end of the line");
	expect("fail connect to :8000-", 1, 18, PORT "'8000-'");
	expect("fail connect to :90-80", 1, 18, "range of ports '90-80' ends before it begins");
	expect("fail connect to [::1", 1, 17, "expected ']' after the address in '[::1'");
	expect("fail connect to unix:", 1, 17, "expected a path after unix:, found 'unix:'");
	expect("fail connect from unix:\"/a", 1, 19, "expected a path after unix:, found 'unix:\"/a'");
}

Test(fault_errors, actions_that_calls_do_not_have)
{
	expect("reset socket", 1, 7, "cannot reset 'socket': only send, recv, shutdown and close are made on a connection");
	expect("reset getaddrinfo", 1, 7, "cannot reset 'getaddrinfo': only send, recv, shutdown and close are made on a "
	       "connection");
	expect("short connect to 4", 1, 7, "cannot short 'connect': only send and recv move bytes");
	expect("drop accept", 1, 6, "cannot drop 'accept': only send and recv move data");
	expect("corrupt resolve", 1, 9, "cannot corrupt 'resolve': only send and recv move data");
	expect("fail closefrom", 1, 6, "cannot fail 'closefrom': it returns no error");
}

Test(fault_errors, words_that_do_not_go_together)
{
	expect("fail recv late", 1, 11, "'late' cannot stand with 'recv': it is for fail connect");
	expect("delay connect late by 1s", 1, 15, "'late' cannot stand with 'connect': it is for fail connect");
	expect("delay connect by 1s with EIO", 1, 21, "'with' cannot stand with 'connect': it is for fail");
	expect("fail connect by 1s", 1, 14, "'by' cannot stand with 'connect': it is for delay");
	expect("fail connect with EAI_AGAIN", 1, 19, "'EAI_AGAIN' is for resolve; expected an errno such as ECONNREFUSED");
	expect("fail resolve with EIO", 1, 19, "'EIO' is an errno; resolve returns EAI_ values such as EAI_AGAIN");
	expect("fail connect ECONNREFUSED", 1, 14, "expected 'with' before 'ECONNREFUSED'");
	expect("fail resolve EAI_AGAIN", 1, 14, "expected 'with' before 'EAI_AGAIN'");
	expect("fail connect name *.org", 1, 14, "'name' cannot stand with 'connect': it is for resolve");
	expect("fail socket to :80", 1, 13, "'to' cannot stand with 'socket': there is no peer before the call");
	expect("fail accept to :80", 1, 13, "'to' cannot stand with 'accept': there is no peer before the call");
	expect("fail resolve from :80", 1, 14, "'from' cannot stand with 'resolve': it has no local address");
	expect("fail resolve family inet6", 1, 14, "'family' cannot stand with 'resolve': it has no socket");
	expect("fail resolve type raw", 1, 14, "'type' cannot stand with 'resolve': it has no socket");
	expect("fail accept after 1KiB", 1, 13, "'after' BYTES cannot stand with 'accept': nothing moves on its socket");
	expect("short send to 4 type dgram", 1, 17, "only stream sockets can be cut short or reset");
	expect("reset send type raw", 1, 12, "only stream sockets can be cut short or reset");
	expect("fail connect family inet4 to unix:/a", 1, 27, "the rule's address is not of the rule's family");
	expect("fail connect to ::1 family inet4", 1, 14, "the rule's address is not of the rule's family");
	expect("fail connect from 1.2.3.4 family local", 1, 14, "the rule's address is not of the rule's family");
	expect("fail connect on 3rd on 4th", 1, 21, "'on' stands twice in the rule");
	expect("fail connect after 3 calls after 4 calls", 1, 28, "'after' stands twice in the rule");
	expect("fail connect with EIO with EINTR", 1, 23, "'with' stands twice in the rule");
	expect("short send to 4 to :80 to :81", 1, 24, "'to' stands twice in the rule");
}

Test(fault_errors, targets_of_call_rules)
{
	expect("call connect", 1, 13, "expected OBJECT:FUNCTION(PARAMETERS) -> RESULT, found the end of the line");
	expect("call connect ./f.so", 1, 20, "expected '(' after './f.so', as in OBJECT:FUNCTION(PARAMETERS) -> RESULT");
	expect("call connect ./f.so(fd: i32) -> errno", 1, 14,
	       "expected OBJECT:FUNCTION(PARAMETERS) -> RESULT, found './f.so' without OBJECT:");
	expect("call connect ./f.so:(fd: i32) -> errno", 1, 21, "expected the name of a function after './f.so':");
	expect("call connect :deny(fd: i32) -> errno", 1, 14,
	       "expected OBJECT:FUNCTION(PARAMETERS) -> RESULT, found ':deny' without OBJECT:");
	expect("call connect ./f.so:deny(fd: i32 -> errno", 1, 25,
	       "a '(' is not closed; expected OBJECT:FUNCTION(PARAMETERS) -> RESULT");
	expect("call connect ./f.so:deny(fd: i32)", 1, 34,
	       "expected '-> RESULT' after the parameters, found the end of the line");
	expect("call connect ./f.so:deny(fd: i32) on 1st", 1, 35, "expected '-> RESULT' after the parameters, found 'on'");
	expect("call connect ./f.so:deny(fd: i32) ->", 1, 37, "expected a result such as errno after '->'");
}

Test(fault_errors, quotes)
{
	expect("fail connect program \"a b", 1, 22, "a quote in '\"a b' is not closed");
	expect("fail connect program \"\"", 1, 22, "an empty word");
	expect("fail connect at m:", 1, 17, "expected MODULE or MODULE:FUNCTION, found 'm:'");
	expect("fail connect at :f", 1, 17, "expected MODULE or MODULE:FUNCTION, found ':f'");
}

Test(fault_errors, found_words_are_shown_harmlessly)
{
	expect("\x1b[31mfail", 1, 1, "unknown action '?[31mfail'; expected fail, delay, short, reset, drop, corrupt or call");
	expect("fail connect to 0123456789012345678901234567890123456789x", 1, 17,
	       ADDRESS "'0123456789012345678901234567890123456789...'");
}

Test(fault_errors, a_nul_byte)
{
	static const char text[] = "fail bind\nfail con\0nect\n";
	static char mem[8192] __attribute__((aligned(16)));
	struct fault_error err;
	size_t n;

	cr_assert_leq(fault_set_bytes(sizeof(text)), sizeof(mem));
	cr_assert_null(fault_parse(mem, text, sizeof(text) - 1, false, 1, &err, 1, &n));
	cr_assert_eq(n, 1);
	cr_assert(err.line == 2 && err.column == 9, "%u:%u", err.line, err.column);
}

Test(fault_errors, an_errno_the_call_cannot_return_is_a_warning)
{
	struct fault_call call = CALL(LISTEN, listen);

	rules_read(&r, "fail connect with ECONNREFUSED\nfail listen with ESPIPE");
	cr_assert(r.set);
	cr_assert_eq(r.n_err, 1);
	cr_assert(r.err[0].warning);
	cr_assert(r.err[0].line == 2 && r.err[0].column == 18);
	cr_assert_str_eq(r.err[0].text, "'listen' does not return 'ESPIPE', says its manual page");
	cr_assert_eq(rules_decide(&r, &call).err, ESPIPE);
}

Test(fault_errors, all_of_a_text_and_errors_before_warnings)
{
	rules_read(&r, "fail listen with ESPIPE\nfail bind on x\nfail close\nfial close");
	cr_assert_null(r.set);
	cr_assert_eq(r.n_err, 3);
	cr_assert_eq(r.err[0].line, 2);
	cr_assert_eq(r.err[1].line, 4);
	cr_assert_eq(r.err[2].line, 1);
	cr_assert(r.err[2].warning);
}

Test(fault_errors, only_the_first_messages_but_an_error_at_any_rate)
{
	static char mem[65536] __attribute__((aligned(16)));
	static const char text[] = "fail listen with ESPIPE\nfail listen with ESPIPE\nfail listen with ESPIPE\nx\ny\nz";
	struct fault_error err[3] = { [2].line = 99 };
	size_t n = 0;

	cr_assert_null(fault_parse(mem, text, strlen(text), false, 1, err, 2, &n));
	cr_assert_eq(n, 2);
	cr_assert(err[0].line == 4 && !err[0].warning);
	cr_assert(err[1].line == 5 && !err[1].warning);
	cr_assert_eq(err[2].line, 99);
	cr_assert_null(fault_parse(mem, text, strlen(text), false, 1, NULL, 0, NULL));
}

Test(fault_errors, numbered_rules)
{
	static char mem[65536] __attribute__((aligned(16)));
	static const char good[] = "3 fail bind\n127 fail close # why\n", zero[] = "0 fail bind", large[] = "128 fail bind",
			  twice[] = "5 fail bind\n5 fail close", bare[] = "fail bind", empty[] = "7";
	struct fault_error err;
	struct fault_set *set;
	size_t n;

	set = fault_parse(mem, good, strlen(good), true, 1, &err, 1, &n);
	cr_assert(set);
	cr_assert_eq(fault_rule_number(fault_set_rule(set, 0)), 3);
	cr_assert_eq(fault_rule_number(fault_set_rule(set, 1)), 127);
	cr_assert_str_eq(fault_rule_text(fault_set_rule(set, 1)), "fail close");
	cr_assert_null(fault_parse(mem, zero, strlen(zero), true, 1, &err, 1, &n));
	cr_assert_str_eq(err.text, "expected the rule's number, 1 to 127, found '0'");
	cr_assert_null(fault_parse(mem, large, strlen(large), true, 1, &err, 1, &n));
	cr_assert_null(fault_parse(mem, bare, strlen(bare), true, 1, &err, 1, &n));
	cr_assert_null(fault_parse(mem, empty, strlen(empty), true, 1, &err, 1, &n));
	cr_assert_eq(err.column, 2);
	cr_assert_null(fault_parse(mem, twice, strlen(twice), true, 1, &err, 1, &n));
	cr_assert(err.line == 2 && err.column == 1);
	cr_assert_str_eq(err.text, "rule number '5' is used twice");
}

Test(fault_errors, numbers_run_out)
{
	static char mem[1 << 18] __attribute__((aligned(16))), text[4096];
	struct fault_error err;
	struct fault_set *set;
	size_t n;

	for (int i = 0; i < 128; i++)
		strcat(text, "drop send\n");
	cr_assert_leq(fault_set_bytes(strlen(text)), sizeof(mem));
	set = fault_parse(mem, text, strlen(text) - 10, false, 1, &err, 1, &n);
	cr_assert(set);
	cr_assert_eq(fault_set_count(set), 127);
	cr_assert_eq(fault_rule_number(fault_set_rule(set, 126)), 127);
	cr_assert_null(fault_parse(mem, text, strlen(text), false, 1, &err, 1, &n));
	cr_assert_eq(err.line, 128);
	cr_assert_str_eq(err.text, "too many rules; their numbers go from 1 to 127");
	cr_assert(fault_parse(mem, text, 20, false, 126, &err, 1, &n));
	cr_assert_null(fault_parse(mem, text, 20, false, 127, &err, 1, &n));
	cr_assert_eq(err.line, 2);
}
