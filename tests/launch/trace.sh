#!/usr/bin/env bash
# sockshim trace: of a program, of a run that goes on, of one that has ended.
. "$(dirname "$0")/lib.sh"

trace() { "$sockshim" trace "$@"; }

# The run's flags, as a number; whether its calls are recorded is the lowest bit.
flags() { od -An -t u4 -j 12 -N 4 runs/*/control | tr -d ' '; }
recording() { [ $(($(flags) & 1)) = 1 ]; }

t_a_program_is_traced_to_standard_error() {
	trace -l "$lib" -- "$client" tcp refused close exit 5 >out 2>err; same status $? 5 || return
	same output "$(cat out)" ECONNREFUSED || return
	grep -Eq '^[0-9:]{8}\.[0-9]{6} [0-9]+ socket\(AF_INET, SOCK_STREAM, IPPROTO_TCP\) = 3 <[0-9.]+>$' err || { cat err; return 1; }
	grep -Eq ' connect\(4, 127.0.0.1:1, 16\) = -1 ECONNREFUSED \(Connection refused\) <' err || { cat err; return 1; }
	grep -Eq ' close\(3\) = 0 ' err
}

t_run_writes_a_trace_to_a_file() {
	run --trace=trace.json --format json -f 'fail connect with EACCES' "$client" refused >out || return
	grep '"call":"connect"' trace.json >line || return
	same errno "$(json 'd["errno"]' <line)" EACCES || return
	same rule "$(json 'd["rule"]' <line)" 1 || return
	same addr "$(json 'd["args"]["addr"]' <line)" 127.0.0.1:1 || return
	same program "$(json 'd["program"]' <line)" client
}

t_calls_are_chosen() {
	trace -l "$lib" -e connect,close -o t -- "$client" refused tcp >out || return
	same calls "$(sed 's/^[^ ]* [^ ]* \([a-z]*\)(.*/\1/' t | sort -u | tr '\n' ' ')" "close connect " || return
	trace -l "$lib" -e '!connect,close' -o t -- "$client" refused tcp >out || return
	hasnt t connect && has t socket || return
	trace -e nosuch 2>err; same status $? 2 || return
	has err "sockshim sees no such call"
}

t_processes_are_chosen() {
	run --trace=all "$client" tcp fork udp exit 0 || return
	pid=$(awk '/DGRAM/ { print $2 }' all)
	trace -p "$pid" >t || return
	has t DGRAM && hasnt t STREAM
}

t_a_tree_is_traced() {
	trace -l "$lib" -o t -- sh -c "$client tcp fork udp exit 0; $client pair" || return
	has t SOCK_STREAM && has t SOCK_DGRAM && has t socketpair
}

t_a_run_that_goes_on_is_traced_and_left_as_it_was() {
	mkfifo ready go
	"$sockshim" run -l "$lib" "$client" tcp tell ready hear go udp tell ready hear go pair & local job=$!
	read -r _ <ready
	local before=$(flags)
	"$sockshim" trace >t & local tracer=$!
	until recording; do :; done
	echo >go; read -r _ <ready
	until grep -q DGRAM t; do :; done
	kill -TERM $tracer; wait $tracer; same status $? 0 || return
	same flags "$(flags)" "$before" || return
	echo >go; wait $job
	hasnt t socketpair
}

t_following_ends_with_the_run() {
	mkfifo ready go
	"$sockshim" run -l "$lib" "$client" tcp tell ready hear go udp & local job=$!
	read -r _ <ready
	"$sockshim" trace >t & local tracer=$!
	until recording; do :; done
	echo >go
	wait $job; wait $tracer; same status $? 0 || return
	has t DGRAM
}

t_a_run_that_has_ended_shows_what_was_recorded() {
	run --trace=live "$client" tcp refused >out || return
	trace >later || return
	cmp live later || return
	# Untraced, the calls on which a rule fired.
	run -f 'fail connect with EACCES' "$client" tcp refused >out || return
	trace >t 2>err || return
	same lines "$(wc -l <t)" 1 || return
	has t "EACCES (Permission denied)" || return
	has t "[rule 1]"
}

t_more_calls_than_a_ring_holds_are_counted() {
	run --trace=t -q "$client" many 60000 2>err || return
	trace >later 2>err || return
	shown=$(wc -l <later)
	lost=$(sed -n 's/^sockshim: warning: \([0-9]*\) calls are not shown.*/\1/p' err)
	same sum $((shown + lost)) 120000
}

t_what_a_process_did_not_use_of_its_ring_is_given_back() {
	run --trace=live "$client" many 50 || return
	kib=$(du -k runs/*/*.trace | cut -f1)
	[ "$kib" -le 64 ] || fail "the ring takes $kib KiB" || return
	trace >later && cmp live later
}

t_order_is_that_of_time() {
	run --trace=t "$client" many 200 fork many 200 exit 0 || return
	same lines "$(wc -l <t)" 800 || return
	cut -d' ' -f1 t | sort -c
}

t_a_reader_that_goes_away_ends_it() {
	run --trace=t "$client" many 100
	trace | head -n 1 >first || return
	has first socket
}

t_wrong_options() {
	trace -F openmetrics 2>err; same status $? 2 || return
	trace -p x 2>err; same status $? 2 || return
	trace --seed 1 2>err; same status $? 2 || return
	has err "sockshim trace -- PROGRAM" || return
	trace curl http://localhost 2>err; same status $? 2 || return
	has err "to trace a program: sockshim trace -- curl"
}

run_tests
